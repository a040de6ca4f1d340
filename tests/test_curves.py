"""Pruning curves against the naive loop: build or mask every pruned copy, and evaluate it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import (
    inputs,
    layer_slices,
    make_stack,
    networks,
    pruned_signals,
    randomise,
    seeds,
    stack_signals,
    stacks,
    uniform,
)
from torch import nn
from torch.testing import assert_close

from spectral_lab import SpectralNet, curves, prune, pruning_curve
from spectral_lab.unfolding import unfold

TIGHT = {"rtol": 1e-10, "atol": 1e-10}
rankings = st.sampled_from(["path", "connectivity", "random", "activation"])
options = st.fixed_dictionaries({"per_layer": st.booleans(), "fold": st.booleans()})


def widths_of(model):
    return model.nodes if isinstance(model, SpectralNet) else unfold(model).nodes


def naive_outputs(model, x, order, fold, n_hidden):
    """Outputs of all copies, by the dense route: none of the nodes, the first one, the first two, …"""
    is_net = isinstance(model, SpectralNet)
    signals = pruned_signals if is_net else stack_signals
    whole = signals(model, x)
    held = [a.mean(0) for a in (whole if is_net else whole[1:-1])] if fold else None
    found = []
    for n in range(len(order) + 1):
        keep = [torch.ones(size, dtype=torch.bool) for size in n_hidden]
        for k, i in order[n:]:
            keep[k][i] = False
        last = signals(model, x, keep, held)[-1]
        found.append(last[:, layer_slices(model.nodes)[-1]] if is_net else last)
    return found


def check_against_the_loop(model, x, y, loss, ranking, **options):
    curve = pruning_curve(model, ranking, x, y, **options)
    outputs = naive_outputs(model, x, curve.order, options["fold"], widths_of(model)[1:-1])
    assert_close(curve.loss, torch.stack([loss(output, y) for output in outputs]).detach(), **TIGHT)
    assert curve.kept.tolist() == list(range(len(outputs)))
    return curve, outputs


@given(stacks(), rankings, options, st.integers(1, 40))
def test_the_curve_of_a_stack_is_that_of_the_loop(model, ranking, options, chunk):
    sizes = widths_of(model)
    generator = torch.Generator().manual_seed(1)
    x, y = uniform(7, sizes[0], generator=generator), uniform(7, sizes[-1], generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "CHUNK", chunk)
        check_against_the_loop(model, x, y, nn.functional.mse_loss, ranking, **options)


@given(networks(), rankings, options)
def test_the_curve_of_a_network_with_skip_links_is_that_of_the_loop(network, ranking, options):
    x = inputs(network)
    y = uniform(7, network.sizes[-1], generator=torch.Generator().manual_seed(1))
    check_against_the_loop(network, x, y, nn.functional.mse_loss, ranking, **options)


@given(stacks(min_hidden=1), seeds, options)
def test_class_numbers_are_judged_by_cross_entropy_and_accuracy(model, seed, options):
    sizes = widths_of(model)
    generator = torch.Generator().manual_seed(seed)
    x, y = uniform(9, sizes[0], generator=generator), torch.randint(0, sizes[-1], (9,), generator=generator)
    curve, outputs = check_against_the_loop(model, x, y, nn.functional.cross_entropy, "path", **options)
    for found, output in zip(curve.accuracy.tolist(), outputs, strict=True):
        ahead = output.gather(-1, y[:, None]) - output  # of each other class; 0 of itself
        fewest, most = ((ahead > 1e-12).sum(-1) == sizes[-1] - 1).double().mean(), (ahead > -1e-12).all(-1).double().mean()
        assert fewest - 1e-6 <= found <= most + 1e-6  # where two are even, rounding decides


@given(stacks(min_hidden=2), st.data())
def test_nodes_of_chosen_layers_only_are_removed(model, data):
    sizes = widths_of(model)
    layers = data.draw(st.lists(st.integers(0, len(sizes) - 3), unique=True))
    x = uniform(5, sizes[0], generator=torch.Generator().manual_seed(0))
    y = torch.zeros(5, sizes[-1], dtype=x.dtype)
    curve, _ = check_against_the_loop(model, x, y, nn.functional.mse_loss, "row_norm", layers=layers, fold=False)
    assert {k for k, _ in curve.order} == set(layers)
    assert len(curve.order) == sum(sizes[k + 1] for k in layers)


@given(st.one_of(stacks(), networks()), rankings, options, st.data())
def test_a_choice_of_numbers_gives_those_points_of_the_whole_curve_and_its_end(model, ranking, options, data):
    sizes = widths_of(model)
    pool = sum(sizes[1:-1])
    x = inputs(model) if isinstance(model, SpectralNet) else uniform(7, sizes[0], generator=torch.Generator().manual_seed(1))
    y = torch.arange(7) % (model.sizes[-1] if isinstance(model, SpectralNet) else sizes[-1])
    numbers = data.draw(st.lists(st.integers(0, pool), max_size=4))
    whole, some = (
        pruning_curve(model, ranking, x, y, **options),
        pruning_curve(model, ranking, x, y, numbers=numbers, **options),
    )
    assert some.kept.tolist() == sorted({*numbers, pool})
    assert_close(some.loss, whole.loss[some.kept], **TIGHT)
    assert torch.equal(some.accuracy, whole.accuracy[some.kept])
    assert_close(some.removed, whole.removed[some.kept])
    assert some.order == whole.order


def test_a_choice_of_numbers_evaluates_no_others():
    model, measured = make_stack([5, 50, 40, 2], activation=nn.ReLU), []

    def loss(output, y):
        measured.append(len(output))
        return nn.functional.mse_loss(output, y)

    x, y = torch.rand(8, 5, dtype=torch.float64), torch.rand(8, 2, dtype=torch.float64)
    pruning_curve(model, "path", x, y, loss=loss, numbers=[30, 60])
    assert len(measured) == 3


@pytest.mark.parametrize("number", [-1, 5, 2.0, True])
def test_numbers_that_the_network_does_not_have_are_refused(number):
    model, x = make_stack([3, 4, 1]), torch.rand(4, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match=f"numbers holds {number}; wanted whole numbers from 0 to 4"):
        pruning_curve(model, "path", x, x[:, :1], numbers=[2, number])


@given(stacks(min_hidden=1), st.booleans())
@settings(max_examples=10)
def test_each_point_is_the_loss_of_the_network_that_prune_makes(model, fold):
    sizes = widths_of(model)
    x = uniform(6, sizes[0], generator=torch.Generator().manual_seed(0))
    y = uniform(6, sizes[-1], generator=torch.Generator().manual_seed(1))
    curve = pruning_curve(model, "path", x, y, per_layer=True, fold=fold)
    for n in range(len(sizes) - 2, len(curve.kept)):
        network, certificate = prune(model, "path", keep=n, x=x, y=y, per_layer=True, fold=fold)
        assert_close(certificate.loss_after, curve.loss[n].item(), **TIGHT)
        assert_close(nn.functional.mse_loss(network(x), y), curve.loss[n], **TIGHT)


def test_single_precision_agrees_with_the_pruned_copies_to_five_digits():
    model = make_stack([20, 60, 40, 5], activation=nn.ELU, dtype=torch.float32, kinds=("student",))
    x, y = torch.rand(50, 20), torch.arange(50) % 5
    curve = pruning_curve(model, "eigenvalue", x, y, per_layer=True)
    for n in (2, 3, 50, 99, 100):
        network, _ = prune(model, "eigenvalue", keep=n, per_layer=True)
        assert_close(curve.loss[n], nn.functional.cross_entropy(network(x), y), rtol=1e-5, atol=1e-5)


def test_modules_before_and_after_the_layers_are_applied():
    stack = make_stack([12, 6, 4], activation=nn.ReLU)
    model = nn.Sequential(nn.Flatten(), *stack, nn.LogSoftmax(-1))
    x, y = uniform(5, 3, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 0])
    curve = pruning_curve(model, "row_norm", x, y, loss=nn.functional.nll_loss)
    plain = pruning_curve(stack, "row_norm", x.flatten(1), y)
    assert_close(curve.loss, plain.loss, **TIGHT)


def test_activations_that_work_in_place_do_no_harm():
    stack = make_stack([5, 6, 4, 2], activation=nn.ReLU)
    twin = nn.Sequential(*(nn.ReLU(inplace=True) if isinstance(m, nn.ReLU) else m for m in stack))
    x, y = torch.rand(8, 5, dtype=torch.float64), torch.rand(8, 2, dtype=torch.float64)
    assert_close(pruning_curve(twin, "path", x, y).loss, pruning_curve(stack, "path", x, y).loss, **TIGHT)


def test_the_last_hidden_layer_is_evaluated_in_one_pass():
    model, calls = make_stack([5, 50, 2], activation=nn.ReLU), []
    model[1].register_forward_hook(lambda *_: calls.append(1))
    pruning_curve(model, "path", torch.rand(8, 5, dtype=torch.float64), torch.rand(8, 2, dtype=torch.float64))
    assert len(calls) <= 2


def test_the_fewest_nodes_within_a_bound_are_found_on_the_curve():
    model = make_stack([3, 5, 1])
    curve = pruning_curve(model, "path", torch.rand(4, 3, dtype=torch.float64), torch.rand(4, 1, dtype=torch.float64))
    losses = curve.loss.tolist()
    for bound in (0.0, 0.1, 1.0, 1e9):
        wanted = min(n for n in range(6) if losses[n] <= losses[-1] + bound)
        assert curve.fewest(bound) == wanted
    some = pruning_curve(
        model, "path", torch.rand(4, 3, dtype=torch.float64), torch.rand(4, 1, dtype=torch.float64), numbers=[2, 4]
    )
    assert some.fewest(1e9) == 2
    assert_close(curve.removed, torch.tensor([1, 0.8, 0.6, 0.4, 0.2, 0]))


def test_nothing_of_the_model_is_changed():
    model = randomise(SpectralNet([3, 4, 2]))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    curve = pruning_curve(model, "eigenvalue", torch.rand(5, 3), torch.rand(5, 2))
    assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
    assert not curve.loss.requires_grad


X, Y = torch.rand(6, 3), torch.rand(6, 2)
BAD_DATA = {
    "x has dtype torch.float64, the network torch.float32": (X.double(), Y),
    "x has 6 rows and y has 5": (X, Y[:5]),
    r"makes rows of 4 numbers; the network takes 3": (torch.rand(6, 4), Y),
    r"y has shape \(6, 3\); the network has 2 outputs": (X, torch.rand(6, 3)),
    r"y has classes from 0 to 2; the network has 2 outputs, wanted 0 to 1": (X, torch.arange(6) % 3),
    "x has NaN or infinite values": (X.log() * 0 / 0, Y),
    "y has NaN or infinite values": (X, Y / 0),
    r"x has shape \(0, 3\); wanted one row a sample": (X[:0], Y[:0]),
    "x is on meta, the network on cpu; move one, e.g. x.to\\('cpu'\\)": (X.to("meta"), Y),
    "y is on meta, the network on cpu": (X, Y.to("meta")),
}


@pytest.mark.parametrize("message", BAD_DATA)
def test_data_that_do_not_fit_are_refused(message):
    with pytest.raises(ValueError, match=message):
        pruning_curve(make_stack([3, 4, 2], dtype=torch.float32), "path", *BAD_DATA[message])


def test_nan_weights_and_foreign_models_are_refused():
    model = make_stack([3, 4, 2], dtype=torch.float32)
    with torch.no_grad():
        model[2].eigenvalues_out[1] = float("nan")
    with pytest.raises(ValueError, match=r"the parameter 2\.eigenvalues_out has 1 values that are NaN or infinite; go back"):
        pruning_curve(model, "path", X, Y)
    with pytest.raises(TypeError, match=r"the model is a Linear; wanted a SpectralNet, a DirectNet or an nn\.Sequential"):
        pruning_curve(nn.Linear(3, 2), "path", X, Y)
