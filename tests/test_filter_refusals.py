"""Which steps between convolutions can be followed, and what is refused, by name and with the cure."""

import pytest
import torch
from hypothesis import given, settings
from small_cnns import SIZE, TIGHT, Steps, cnn, deafened, images, random_masks, randomise, silence
from strategies import seeds
from torch import nn
from torch.testing import assert_close

from spectral_lab import SpectralNet, compact, prune, spectralize
from spectral_lab.certificates import count_macs
from spectral_lab.filters import FILTER_RANKING_NAMES, Filters

REFUSED = {
    "a module that mixes": (lambda m, x: m.shuffle(x), r"the module shuffle \(ChannelShuffle\) may mix channels"),
    "a norm over channels": (lambda m, x: m.group(x), r"the module group \(GroupNorm\) may mix channels"),
    "a function": (lambda m, x: x.flip(1), r"flip\(\) may mix channels"),
    "a mean over channels": (lambda m, x: x - x.mean(1, keepdim=True), r"mean\(\) may mix channels"),
    "a cut": (lambda m, x: x[:, [3, 1, 0, 2]], r"getitem\(\) may mix channels"),
    "a layer in two places": (lambda m, x: m.second(x), r"second \(Conv2d\) shares its numbers with second"),
    "other channels": (lambda m, x: x + x.sum(1, keepdim=True), r"sum\(\) may mix channels"),
    "a tensor of its own": (lambda m, x: x * m.scale, "scale has a number for each channel"),
    "an attribute of a map": (lambda m, x: x.mT.mT, r"getattr\(\) may mix channels"),
    "an axis moved": (lambda m, x: x.view(-1, 4, 1, x.shape[-1]).view(x.shape), r"view\(\) may mix channels"),
    "in place": (lambda m, x: x + nn.functional.relu(x, inplace=True), r"relu\(\) writes over a map that others read"),
}


@pytest.mark.parametrize(("between", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_followed_is_refused_by_name(between, message):
    model = Steps(between)
    with pytest.raises(ValueError, match=rf"hidden layer 0 \(first\) cannot lose channels: .*{message}.*"):
        prune(model, "row_norm", fraction=0.3)
    _network, certificate = compact(model, x=torch.rand(2, 2, SIZE, SIZE))
    assert certificate.removed[0] == 0


def test_what_can_be_followed_is_pruned_beside_what_cannot():
    model, x = Steps(lambda m, x: m.shuffle(x)).eval(), torch.rand(2, 2, SIZE, SIZE)
    with pytest.raises(ValueError, match=r"choose among the others, e.g. layers=\[1\]"):
        prune(model, "row_norm", keep=6)
    network, certificate = prune(model, "row_norm", keep=2, layers=[1], x=x)
    assert certificate.removed == (0, 2)
    assert network(x).shape == (2, 3)
    with pytest.raises(ValueError, match=r"hidden layer 0 .* cannot lose channels"):
        Filters(model).without([torch.tensor([True, False, True, True]), torch.ones(4, dtype=torch.bool)])


FOLLOWED = {
    "pooling": lambda m, x: nn.functional.max_pool2d(nn.functional.avg_pool2d(x, 3, 1, 1), 2),
    "numbers": lambda m, x: 0.5 * (1 - x + 2),
    "gates": lambda m, x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)),
    "itself": lambda m, x: x * x + x,
    "dropout": lambda m, x: nn.functional.dropout(x, 0.5, training=m.training),
    "in place": lambda m, x: nn.functional.relu_(x + 1).add_(0.5),
    "a loop": lambda m, x: sum(torch.tanh(x) for _ in range(3)),
}


@pytest.mark.parametrize("between", FOLLOWED.values(), ids=FOLLOWED)
@settings(max_examples=4)
@given(seeds)
def test_what_can_be_followed_is(between, seed):
    model, x = randomise(Steps(between), seed), images()
    masks = random_masks(Filters(model), seed)
    assert_close(Filters(model).without(masks)(x), deafened(model, masks)(x), **TIGHT)
    silence(model, seed)
    assert_close(compact(model).network(x), model(x), **TIGHT)


def test_a_weight_that_is_used_by_the_back_door_is_refused():
    class BackDoor(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.third = nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 3, 1)

        def forward(self, x):
            return self.third(self.second(self.first(x))) + self.first.weight.sum()

    with pytest.raises(
        ValueError, match=r"hidden layer 0 \(first\) cannot lose channels: the numbers of first are used again as first.weight"
    ):
        prune(BackDoor(), "row_norm", keep=4)


def test_groups_of_a_convolution_are_refused_with_the_reason():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Conv2d(4, 6, 3, groups=2), nn.Conv2d(6, 4, 1), nn.Flatten(), nn.Linear(64, 2))
    with pytest.raises(ValueError, match=r"the module 1 \(Conv2d\) ties its channels in 2 groups"):
        prune(model, "row_norm", keep=6)
    assert prune(model, "row_norm", keep=2, layers=[2]).certificate.removed == (0, 0, 2)


def test_a_norm_in_two_places_is_refused_even_without_factors():
    norm = nn.BatchNorm2d(4, affine=False)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), norm, nn.Conv2d(4, 4, 1), norm, nn.Flatten(), nn.Linear(4 * 36, 2))
    with pytest.raises(ValueError, match=r"the module 1 \(BatchNorm2d\) shares its numbers with 1"):
        prune(model, "row_norm", keep=4)


def test_inputs_that_speak_without_a_signal_are_refused():
    """Under the "adjacency" rule an input node that hears 0 goes on to f(0), which an input that is taken out does not."""
    head = SpectralNet([4 * 36, 5, 3], update="adjacency", activation=torch.sigmoid)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), head)
    with pytest.raises(ValueError, match=r"the module 3 \(SpectralNet\) makes f\(0\) ≠ 0 of an input of 0"):
        prune(model, "row_norm", keep=2)
    assert compact(model).certificate.removed == (0,)


def test_a_norm_over_places_is_refused_with_the_cure():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.BatchNorm1d(4 * 36), nn.Linear(4 * 36, 2))
    with pytest.raises(ValueError, match=r"2 \(BatchNorm1d\) has 144 features for 4 channels; put it before the flattening"):
        prune(model, "row_norm", keep=2)


@pytest.mark.parametrize("last", [nn.LogSoftmax(1), nn.Softmax(1)], ids=lambda m: type(m).__name__)
def test_classes_behind_which_probabilities_are_made_are_no_hidden_layer(last):
    model, x = randomise(nn.Sequential(*cnn((3, 4)), last)), images()
    network, certificate = prune(model, "row_norm", fraction=0.5, per_layer=True, x=x)
    assert (certificate.nodes_before[-1], certificate.nodes_after[-1]) == (3, 3)
    assert certificate.layers == ("0", "4")
    assert network(x).shape == (len(x), 3)


def test_a_linear_layer_on_an_unflattened_map_is_refused():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Linear(6, 2))
    with pytest.raises(ValueError, match=r"the module 1 \(Linear\) reads a map that is not flattened"):
        prune(model, "row_norm", keep=2)


def test_models_that_cannot_be_traced_are_refused():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 4, 3)

        def forward(self, x):
            return self.conv(x) if x.sum() > 0 else x

    with pytest.raises(TypeError, match=r"cannot follow the channels through Branching: .*no branches or loops"):
        prune(Branching(), "row_norm", keep=2)


def test_models_of_which_nothing_can_be_removed_are_refused():
    with pytest.raises(ValueError, match="no filter that could be removed"):
        compact(nn.Conv2d(2, 3, 3))


@pytest.mark.parametrize("name", ["0.weight", "1.running_var"])
def test_numbers_that_are_not_finite_are_refused(name):
    model = cnn()
    model.state_dict()[name].view(-1)[0] = torch.nan
    with pytest.raises(ValueError, match=rf"the parameter {name} has 1 values that are NaN or infinite"):
        compact(model)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.rand(4, 3, SIZE, SIZE), None, r"x has shape \(4, 3, 8, 8\), and the model cannot read such images"),
        (torch.rand(4, 2, 16, 16), None, "the model cannot read such images"),
        (torch.rand(4, 2, SIZE, SIZE).double(), None, r"x has dtype torch.float64, the network torch.float32"),
        (torch.full((4, 2, SIZE, SIZE), torch.nan), None, "x has NaN or infinite values"),
        (torch.rand(4, 2, SIZE, SIZE), torch.zeros(3, dtype=torch.long), "x has 4 rows and y has 3"),
        (torch.rand(4, 2, SIZE, SIZE), torch.full((4,), 3), "y has classes from 3 to 3; the network has 3 outputs"),
        (None, torch.zeros(3), "y is given without x"),
    ],
)
def test_images_that_do_not_fit_are_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        prune(cnn(), "row_norm", keep=3, x=x, y=y)


def test_means_are_not_folded_behind_convolutions():
    with pytest.raises(ValueError, match="fold=True holds removed nodes at their mean"):
        prune(cnn(), "row_norm", keep=3, x=torch.rand(4, 2, SIZE, SIZE), fold=True)


def test_the_size_of_images_is_needed_to_count():
    with pytest.raises(ValueError, match=r"depend on the size of the images; give one as x="):
        count_macs(cnn())


def test_every_name_of_the_table_ranks():
    model = spectralize(randomise(cnn()))
    for name in FILTER_RANKING_NAMES:
        assert sum(prune(model, name, keep=5, per_layer=True, x=images()).certificate.removed) == 2
