"""Sparse training: the sparsity holds at every step, and who can come back."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds, sizes, uniform
from torch import nn
from torch.testing import assert_close

from spectral_lab import SpectralLinear, spectralize
from spectral_lab.layers import feed_forward
from spectral_lab.sparse import MaskChange, SparseTraining, smallest

LAYERS = {
    "direct": nn.Linear,
    "spectral": SpectralLinear.spectral,
    "svd": SpectralLinear.s_svd,
    "qr": SpectralLinear.s_qr,
    "student": SpectralLinear.student,
}
all_layers = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
sparsities = st.one_of(st.sampled_from([0, 0.5, 1]), st.floats(0, 1))


def seeded(seed=0):
    """A generator of one's own."""
    return torch.Generator().manual_seed(seed)


def trained(training, x, n=6, lr=0.3, optimizer=torch.optim.SGD):
    """Yields the change of each of some steps towards random targets that differ from step to step."""
    steps = optimizer(training.model.parameters(), lr=lr)
    for k in range(n):
        y = uniform(len(x), training.model(x).shape[1], generator=seeded(k), dtype=x.dtype)
        steps.zero_grad()
        nn.functional.mse_loss(training.model(x), y).backward()
        steps.step()
        yield training.update()


def silent(training):
    """The masks, copied."""
    return [layer.silent.clone() for layer in training.layers.values()]


# -- the mask ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.data())
def test_the_smallest_are_the_first_of_a_stable_sort(numbers, data):
    n = data.draw(st.integers(0, len(numbers)))
    values = torch.tensor(numbers, dtype=torch.float32)
    first = sorted(range(len(numbers)), key=lambda i: (numbers[i], i))[:n]
    assert smallest(values, n).nonzero().flatten().tolist() == sorted(first)


@pytest.mark.parametrize("n", [-1, 5])
def test_there_are_no_more_smallest_values_than_values(n):
    with pytest.raises(ValueError, match=f"n = {n}; wanted a number between 0 and the 4 values"):
        smallest(torch.zeros(2, 2), n)


@given(sizes(max_blocks=3), sparsities, seeds)
@all_layers
def test_the_sparsity_holds_at_every_step_in_every_layer(layer, nodes, sparsity, seed):
    torch.manual_seed(seed)
    training = SparseTraining(feed_forward(nodes, layer, activation=nn.Tanh), sparsity)
    x, optimizer = torch.rand(5, nodes[0]), torch.optim.Adam
    for _ in trained(training, x, n=3, optimizer=optimizer):
        for masked in training.layers.values():
            assert int(masked.silent.sum()) == round(sparsity * masked.silent.numel())
            assert_close(masked.weight, torch.where(masked.silent, 0, masked.layer.weight), rtol=0, atol=0)
            w = masked.layer.weight.abs()
            if isinstance(masked.layer, SpectralLinear) and 0 < masked.silent.sum() < w.numel():
                assert w[masked.silent].max() <= w[~masked.silent].min()


def test_the_smallest_weights_are_silent_at_the_start():
    model = nn.Linear(2, 2, bias=False)
    model.weight.data = torch.tensor([[0.1, -3.0], [2.0, -0.2]])
    training = SparseTraining(model, 0.5)
    assert_close(training.model.weight, torch.tensor([[0.0, -3.0], [2.0, 0.0]]))
    assert_close(training.plain().weight.detach(), torch.tensor([[0.0, -3.0], [2.0, 0.0]]))


@all_layers
def test_without_sparsity_training_is_as_ever(layer):
    model, x = feed_forward([5, 4, 3], layer), torch.rand(6, 5)
    twin = copy.deepcopy(model)
    training = SparseTraining(model, 0)
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.3)
    for k, change in enumerate(trained(training, x, n=4)):
        optimizer.zero_grad()
        nn.functional.mse_loss(twin(x), uniform(6, 3, generator=seeded(k), dtype=x.dtype)).backward()
        optimizer.step()
        assert change == MaskChange(0, 0)
    assert_close(training.model(x), twin(x))


@all_layers
def test_at_sparsity_1_nothing_is_carried(layer):
    training, x = SparseTraining(feed_forward([5, 4, 3], layer), 1.0), torch.rand(6, 5)
    list(trained(training, x))
    assert_close(training.model(x), training.model(torch.zeros(1, 5)).expand(6, 3))


# -- who can come back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam], ids=lambda o: o.__name__)
def test_in_direct_space_a_silent_weight_gets_no_gradient_and_stays_silent(optimizer):
    training, x = SparseTraining(feed_forward([6, 5, 4], nn.Linear), 0.6), torch.rand(8, 6)
    before = silent(training)
    for change in trained(training, x, optimizer=optimizer):
        assert change == MaskChange(0, 0)
        for masked in training.layers.values():
            assert_close(masked.layer.weight.grad[masked.silent], torch.zeros(int(masked.silent.sum())), rtol=0, atol=0)
    assert_close(silent(training), before)


def test_in_direct_space_it_stays_silent_even_where_a_decay_moves_its_stored_value():
    training = SparseTraining(nn.Linear(4, 4), 0.5)
    before = silent(training)
    with torch.no_grad():
        training.model.layer.weight.fill_(9.0)
    assert training.update() == MaskChange(0, 0)
    assert_close(silent(training), before)


@pytest.mark.parametrize("layer", [LAYERS[name] for name in LAYERS if name != "direct"])
def test_in_spectral_space_silent_weights_come_back_and_every_event_is_counted(layer):
    torch.manual_seed(0)
    training, x = SparseTraining(feed_forward([8, 7, 6], layer, bias=False), 0.7), torch.rand(9, 8)
    before, total = silent(training), MaskChange(0, 0)
    for change in trained(training, x, n=12, lr=0.05, optimizer=torch.optim.Adam):
        now = silent(training)
        came_back = sum(int((b & ~n).sum()) for b, n in zip(before, now, strict=True))
        silenced = sum(int((~b & n).sum()) for b, n in zip(before, now, strict=True))
        assert change == MaskChange(silenced, came_back)
        assert silenced == came_back  # their number stays
        before, total = now, total + change
    assert total.came_back > 0


def test_masks_cut_no_gradient_of_eigenvalues_that_have_any_link_left():
    training, x = SparseTraining(SpectralLinear.spectral(6, 5), 0.6), torch.rand(3, 6)
    training.model(x).sum().backward()
    layer, linked = training.model.layer, ~training.model.silent.all(0)
    assert_close(layer.eigenvalues_in.grad != 0, linked)


def test_the_gradient_is_that_of_the_masked_formula():
    training, x = SparseTraining(SpectralLinear(6, 5, dtype=torch.float64), 0.6), uniform(3, 6, generator=seeded())
    layer = training.model.layer
    training.model(x).square().sum().backward()
    w = (layer.eigenvalues_in - layer.eigenvalues_out[:, None]) * layer.eigenvectors * ~training.model.silent
    expected = torch.autograd.grad((x @ w.T + layer.bias).square().sum(), list(layer.parameters()))
    assert_close([p.grad for p in layer.parameters()], list(expected))


# -- the object --------------------------------------------------------------------------------------------------------


@all_layers
def test_the_callers_model_is_left_alone(layer):
    model, x = feed_forward([5, 4, 3], layer), torch.rand(6, 5)
    before = copy.deepcopy(model.state_dict())
    training = SparseTraining(model, 0.5)
    list(trained(training, x))
    plain = training.plain()
    with torch.no_grad():
        for p in plain.parameters():
            p.fill_(7.0)
    assert_close(dict(model.state_dict()), dict(before), rtol=0, atol=0)
    assert not torch.equal(training.model(x), plain(x))


@all_layers
def test_the_plain_network_computes_the_same_with_zeros(layer):
    training, x = SparseTraining(feed_forward([5, 4, 3], layer).eval(), 0.5), torch.rand(6, 5)
    list(trained(training, x))
    plain = training.plain()
    assert [type(module) for module in plain] == [nn.Linear, nn.ReLU, nn.Linear]
    assert [int((module.weight == 0).sum()) for module in plain[::2]] == [10, 6]
    assert_close(plain(x), training.model(x))
    assert not any(module.training for module in plain.modules())


@all_layers
def test_the_mask_is_part_of_the_state(layer):
    one, other = (SparseTraining(feed_forward([5, 4, 3], layer), 0.5) for _ in range(2))
    other.model.load_state_dict(one.model.state_dict())
    x = torch.rand(6, 5)
    assert_close(other.model(x), one.model(x), rtol=0, atol=0)


def test_the_sparsity_may_grow_step_by_step_and_in_spectral_space_shrink():
    training = SparseTraining(feed_forward([5, 4], nn.Linear), 0.0)
    for sparsity in (0.25, 0.5, 1.0):
        before = silent(training)
        change = training.update(sparsity)
        assert change.silenced == round(20 * sparsity) - int(before[0].sum())
        assert bool((before[0] <= silent(training)[0]).all())
    spectral = SparseTraining(spectralize(nn.Linear(5, 4)), 1.0)
    assert spectral.update(0.25) == MaskChange(0, 15)
    assert spectral.update() == MaskChange(0, 0)


def test_a_shared_layer_is_masked_once():
    inner = nn.Linear(4, 4)
    training = SparseTraining(nn.Sequential(inner, nn.ReLU(), inner), 0.5)
    assert list(training.layers) == ["0"]
    assert training.model[0] is training.model[2]


def test_tied_weights_stay_tied():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    training = SparseTraining(model, 0.5)
    assert training.model[0].layer.weight is training.model[1].layer.weight


def test_making_one_layer_plain_leaves_it_as_it_is():
    masked = SparseTraining(nn.Linear(3, 3), 1.0).model
    assert not masked.to_linear().weight.any()
    assert bool(masked.layer.weight.all())


def test_the_fate_of_ties_is_decided_by_their_place():
    model = nn.Linear(3, 2, bias=False)
    nn.init.constant_(model.weight, 0.5)
    for other in (model, spectralize(model)):
        masks = [silent(SparseTraining(other, 0.5))[0].tolist() for _ in range(2)]
        assert masks == [[[True, True, True], [False, False, False]]] * 2


def test_a_smaller_sparsity_is_refused_in_direct_space_before_anything_changes():
    training = SparseTraining(nn.Sequential(spectralize(nn.Linear(4, 4)), nn.Linear(4, 4)), 0.5)
    before = silent(training)
    with pytest.raises(ValueError, match=r"sparsity = 0.25 is below the 0.5 so far, but layer '1' is in direct space"):
        training.update(0.25)
    assert training.sparsity == 0.5
    assert_close(silent(training), before)


@pytest.mark.parametrize("sparsity", [-0.1, 1.1, float("nan"), True, "0.5", None])
def test_a_sparsity_that_is_no_share_is_refused(sparsity):
    with pytest.raises(ValueError, match=r"sparsity = .*; wanted a share of silent weights between 0 and 1"):
        SparseTraining(nn.Linear(2, 2), sparsity)
    training = SparseTraining(nn.Linear(2, 2), 0.5)
    if sparsity is not None:
        with pytest.raises(ValueError, match="wanted a share"):
            training.update(sparsity)


def test_a_model_that_has_nothing_to_mask_or_is_masked_is_refused():
    with pytest.raises(ValueError, match="found no layer to mask"):
        SparseTraining(nn.ReLU(), 0.5)
    with pytest.raises(ValueError, match="masked already"):
        SparseTraining(SparseTraining(nn.Linear(2, 2), 0.5).model, 0.5)
