"""Heads behind a feature extractor: shapes, starts that a generator decides, and what is left without the hidden neurons."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from spectral_lab.heads import minimal_cnn, silenced, with_head, without_hidden
from spectral_lab.networks import SpectralNet

SHAPES = {"cifar": ((3, 32, 32), 1024), "fashion-mnist": ((1, 28, 28), 784), "digits": ((1, 8, 8), 64)}
TIGHT = {"rtol": 1e-9, "atol": 1e-9}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def model(shape=(1, 8, 8), head="sparcs", seed=0, hidden=12, **options):
    generator = seeded(seed)
    features = minimal_cnn(shape, generator=generator, **options)
    return with_head(features, shape, 10, head=head, hidden=hidden, generator=generator)


def grown(seed=0):
    """A model in float64, in evaluation, whose hidden neurons say something."""
    made = model(seed=seed).double().eval()
    with torch.no_grad():
        made[-1].eigenvalues[1].normal_(generator=seeded(5))
    return made


@pytest.mark.parametrize("name", SHAPES)
def test_the_minimal_cnn_halves_images_twice(name):
    shape, n_features = SHAPES[name]
    features = minimal_cnn(shape)
    assert [type(module) for module in features] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d] * 2 + [nn.Flatten]
    assert features(torch.rand(3, *shape)).shape == (3, n_features)


def test_a_larger_kernel_without_padding_leaves_fewer_features():
    features = minimal_cnn((3, 32, 32), (6, 16), kernel=5, padding=0)
    assert features(torch.rand(2, 3, 32, 32)).shape == (2, 16 * 5 * 5)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 3), st.integers(1, 5), st.integers(0, 2))
def test_images_are_refused_exactly_where_pytorch_would_refuse_them(height, width, depth, kernel, padding):
    try:
        features = minimal_cnn((1, height, width), (2,) * depth, kernel=kernel, padding=padding)
    except ValueError:
        modules = [m for _ in range(depth) for m in (nn.Conv2d(1, 1, kernel, padding=padding), nn.MaxPool2d(2))]
        with pytest.raises(RuntimeError):
            nn.Sequential(*modules)(torch.rand(1, 1, height, width))
    else:
        assert features.eval()(torch.rand(1, 1, height, width)).shape[1] > 0


def test_the_minimal_cnn_starts_like_pytorchs_own_convolutions():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        wanted = nn.Conv2d(3, 64, 3, bias=False).weight
    found = minimal_cnn((3, 8, 8), (64,), generator=seeded(1))[0].weight
    assert_close(found.abs().max(), wanted.abs().max(), rtol=0.01, atol=0)
    assert_close(found.std(), wanted.std(), rtol=0.05, atol=0)


def test_a_generator_decides_the_start_and_pytorchs_own_numbers_are_left_alone():
    before = torch.get_rng_state()
    first, again, other = (model(seed=seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    for name, values in first.items():
        assert torch.equal(values, again[name])
    assert not torch.equal(first["0.weight"], other["0.weight"])
    assert not torch.equal(first["9.eigenvectors.0"], other["9.eigenvectors.0"])


def test_both_heads_of_a_seed_have_the_same_features():
    for ours, theirs in zip(model()[:-1].parameters(), model(head="linear")[:-1].parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", SHAPES)
def test_a_sparcs_head_is_a_perceptron_at_the_start_with_frozen_input_eigenvalues(name):
    shape, n_features = SHAPES[name]
    made = with_head(minimal_cnn(shape), shape, 10, head="sparcs")
    head = made[-1]
    assert isinstance(made, nn.Sequential)
    assert head.sizes == (n_features, 526, 10)
    assert head.has_silent_input()
    assert not head.eigenvalues[1].any()
    x = torch.rand(4, *shape)
    assert_close(made.eval()(x), without_hidden(made)(x))


def test_a_linear_head_is_one_linear_layer_within_pytorchs_bounds():
    head = model((3, 32, 32), "linear")[-1]
    assert type(head) is nn.Linear
    assert head.weight.shape == (10, 1024)
    assert 0.99 / 32 < head.weight.abs().max() <= 1 / 32
    assert head.bias.abs().max() <= 1 / 32


def test_features_that_are_no_sequential_stand_in_front_of_the_head():
    class Twice(nn.Module):
        def forward(self, x):
            return torch.cat([x, x], 1).flatten(1)

    made = with_head(Twice(), (2, 3), 4, head="linear")
    assert made(torch.rand(5, 2, 3)).shape == (5, 4)
    assert made[-1].in_features == 12


def test_a_module_that_stands_twice_in_the_features_stands_twice_in_the_model():
    act, pool = nn.ReLU(), nn.MaxPool2d(2)
    features = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), act, pool, nn.Conv2d(2, 3, 3, padding=1), act, pool, nn.Flatten())
    made, x = with_head(features, (1, 8, 8), 4, head="linear"), torch.rand(5, 1, 8, 8)
    assert list(made[:-1]) == list(features)
    assert_close(made(x), made[-1](features(x)))


def test_a_sequential_with_a_forward_of_its_own_is_not_taken_apart():
    class Twice(nn.Sequential):
        def forward(self, x):
            return super().forward(super().forward(x))

    features, x = Twice(nn.Linear(4, 4), nn.Tanh()), torch.rand(5, 4)
    made = with_head(features, (4,), 3, head="linear")
    assert_close(made(x), made[-1](features(x)))


def test_looking_at_the_features_changes_nothing_in_them():
    features = minimal_cnn((1, 8, 8))
    features[4].eval()
    before = {name: values.clone() for name, values in features.state_dict().items()}
    with_head(features, (1, 8, 8), 10)
    assert [module.training for module in features] == [True] * 4 + [False] + [True] * 4
    for name, values in features.state_dict().items():
        assert torch.equal(values, before[name])


def test_the_head_has_the_type_of_the_features():
    made = with_head(minimal_cnn((1, 8, 8)).double(), (1, 8, 8), 10)
    assert {p.dtype for p in made.parameters()} == {torch.float64}


# -- without the hidden neurons ----------------------------------------------------------------------------------------


def test_without_its_hidden_neurons_a_head_answers_as_with_all_links_into_them_cut():
    made, x = grown(), torch.rand(6, 1, 8, 8, dtype=torch.float64)
    features = made[:-1](x)
    cut = made[-1].signals(features, [torch.zeros(12, dtype=torch.float64)])[-1]
    left = without_hidden(made)
    assert_close(left(x), cut, **TIGHT)
    assert (left(x) - made(x)).abs().max() > 1e-3
    assert type(left[-1]) is nn.Linear
    assert sum(p.numel() for p in left[-1].parameters()) == 65 * 10


def test_what_is_left_is_linear_in_the_features():
    left = without_hidden(grown())[-1]
    a, b = torch.rand(2, 5, 64, dtype=torch.float64)
    assert_close(left(a) + left(b), left(a + b) + left.bias, **TIGHT)


def test_a_silenced_head_is_its_perceptron_of_now_and_not_what_is_left_without_neurons():
    made, x = grown(), torch.rand(6, 1, 8, 8, dtype=torch.float64)
    quiet = silenced(made)
    assert not quiet[-1].eigenvalues[1].any()
    assert made[-1].eigenvalues[1].all()
    phi = made[-1].phi
    features = nn.functional.pad(made[:-1](x), (0, 1), value=1.0)
    assert_close(quiet(x), features @ (made[-1].lam[2][:, None] * phi[1] @ phi[0]).T, **TIGHT)
    assert (quiet(x) - without_hidden(made)(x)).abs().max() > 1e-3


def test_the_copies_share_nothing_with_the_model():
    made = grown()
    before = {name: values.clone() for name, values in made.state_dict().items()}
    for copy in (without_hidden(made), silenced(made)):
        assert not {p.data_ptr() for p in copy.parameters()} & {p.data_ptr() for p in made.parameters()}
        with torch.no_grad():
            for p in copy.parameters():
                p.zero_()
    for name, values in made.state_dict().items():
        assert torch.equal(values, before[name])


@pytest.mark.parametrize("training", [True, False])
def test_the_copies_are_in_the_mode_of_the_model(training):
    made = model().train(training)
    made[1].eval()
    for copy in (without_hidden(made), silenced(made)):
        assert [copy.training, *(part.training for part in copy[:2])] == [training, training, False]


def test_a_head_without_a_bias_node_keeps_none():
    head = SpectralNet([4, 3, 2], bias=False, train_input_eigenvalues=False, generator=seeded())
    left = without_hidden(nn.Sequential(head))
    assert left[-1].bias is None
    x = torch.rand(5, 4)
    assert_close(left(x), head(x))


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: minimal_cnn((32, 32)), r"shape = \(32, 32\); wanted \(channels, height, width\)"),
        (lambda: minimal_cnn((0, 8, 8)), r"shape = \[0, 8, 8\]; wanted whole numbers of at least 1"),
        (lambda: minimal_cnn((1, 8, 8), (8, -1)), r"channels = \[8, -1\]; wanted whole numbers of at least 1"),
        (lambda: minimal_cnn((1, 8, 8), kernel=0), r"kernel = \[0\]; wanted whole numbers of at least 1"),
        (lambda: minimal_cnn((1, 8, 8), padding=-1), r"padding = \[-1\]; wanted whole numbers of at least 0"),
        (lambda: minimal_cnn((1, 8, 3)), "8 × 3 pixels are too few for 2 convolutions of 3 × 3"),
        (lambda: with_head(nn.Identity(), (4,), 3, head="mlp"), "head = 'mlp'; wanted 'linear' or 'sparcs'"),
        (lambda: with_head(nn.Identity(), (1, 8, 8), 3), r"shape \(1, 8, 8\); wanted a vector: end with nn.Flatten"),
        (lambda: with_head(nn.Identity(), (4,), 0, head="linear"), r"sizes\[1\] = 0"),
        (lambda: with_head(nn.Identity(), (4,), 2, hidden=0), r"sizes\[1\] = 0"),
        (lambda: without_hidden(model(head="linear")), "wanted a SpectralNet with one hidden layer"),
        (lambda: without_hidden(nn.Sequential(SpectralNet([4, 3, 3, 2]))), "wanted a SpectralNet with one hidden layer"),
        (lambda: without_hidden(nn.Sequential(SpectralNet([4, 3, 2], update="adjacency"))), "update rule 'blocks'"),
        (lambda: without_hidden(SpectralNet([4, 3, 2])), r"update rule 'blocks', at the end of an nn\.Sequential"),
        (lambda: silenced(nn.Linear(3, 2)), "no SpectralNet, or more than one"),
        (lambda: silenced(nn.Sequential(SpectralNet([4, 2]), SpectralNet([2, 2]))), "no SpectralNet, or more than one"),
    ],
)
def test_bad_wishes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
