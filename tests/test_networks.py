"""SpectralNet against the dense definition and torch.nn, and the plain networks that it compacts to."""

import copy
import itertools
import json

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import (
    ACTIVATIONS,
    dense_adjacency,
    dense_output,
    inputs,
    masked_networks,
    masked_output,
    networks,
    randomise,
    sizes,
)
from torch import nn
from torch.testing import assert_close

from spectral_lab import DirectNet, SpectralNet
from spectral_lab import networks as module
from spectral_lab.decomposition import path_strengths
from spectral_lab.networks import check_memory, check_sizes, find_spectral, recurrence_is_cheaper, usually_penalised

TIGHT = {"rtol": 1e-10, "atol": 1e-10}
updates = pytest.mark.parametrize("update", ["blocks", "adjacency"])


def seeded(nodes, seed=0, **options):
    return SpectralNet(nodes, generator=torch.Generator().manual_seed(seed), **options)


# -- the start ---------------------------------------------------------------------------------------------------------


def test_parameters_are_counted_as_in_the_papers():
    network = SpectralNet([2, 300, 1])
    assert sum(p.numel() for p in network.parameters()) == 300 * 3 + 300 + 3 + 300 + 1
    assert [tuple(phi.shape) for phi in network.eigenvectors] == [(300, 3), (1, 300)]
    assert [tuple(lam.shape) for lam in network.eigenvalues] == [(3,), (300,), (1,)]


@given(sizes(), st.booleans())
def test_the_bias_is_one_more_node_in_the_first_layer(nodes, bias):
    network = SpectralNet(nodes, bias=bias)
    assert network.nodes == (nodes[0] + bias, *nodes[1:])
    assert network.sizes == tuple(nodes)
    assert [tuple(phi.shape) for phi in network.eigenvectors] == list(zip(network.nodes[1:], network.nodes, strict=False))


@pytest.mark.parametrize("nodes", [[3, 1], [2, 30, 1], [2, 8, 5, 3]], ids=str)
def test_at_the_start_the_network_is_a_perceptron(nodes):
    """One linear map: the last eigenvalues are 1, so the map is ± the product of all eigenvectors."""
    network = seeded(nodes, dtype=torch.float64)
    perceptron = nn.Linear(nodes[0], nodes[-1], dtype=torch.float64)
    W = torch.linalg.multi_dot([*reversed(network.phi)]) if len(nodes) > 2 else network.phi[0]
    W = W * (-1) ** len(network.phi)
    with torch.no_grad():
        perceptron.weight.copy_(W[:, :-1])
        perceptron.bias.copy_(W[:, -1])
    x = inputs(network)
    assert_close(network(x), perceptron(x), **TIGHT)


def test_the_initial_eigenvectors_are_xavier_uniform():
    network = seeded([100, 200, 50], bias=False)
    for phi in network.phi:
        bound = (6 / sum(phi.shape)) ** 0.5
        assert 0.99 * bound < phi.abs().max() <= bound
        assert_close(phi.std().item(), bound / 3**0.5, rtol=0.02, atol=0)
        assert_close(phi.mean().item(), 0.0, rtol=0, atol=0.02 * bound)


def test_the_initial_eigenvalues_are_zero_but_those_of_the_last_layer():
    network = SpectralNet([2, 4, 3, 2])
    for lam, value in zip(network.eigenvalues, [0.0, 0.0, 0.0, 1.0], strict=True):
        assert_close(lam.detach(), torch.full_like(lam, value), rtol=0, atol=0)


def test_the_same_generator_seed_gives_the_same_parameters():
    first, again, other = (seeded([2, 5, 1], seed).state_dict() for seed in (3, 3, 4))
    assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first["eigenvectors.0"], other["eigenvectors.0"])


def test_a_generator_leaves_the_global_one_alone_and_without_it_the_global_one_is_used():
    before = torch.get_rng_state()
    seeded([2, 5, 1])
    assert_close(torch.get_rng_state(), before, rtol=0, atol=0)
    torch.manual_seed(5)
    first = SpectralNet([2, 5, 1]).state_dict()
    torch.manual_seed(5)
    assert_close(SpectralNet([2, 5, 1]).state_dict(), first, rtol=0, atol=0)


def test_reset_parameters_goes_back_to_the_start():
    network = seeded([2, 5, 1], 9)
    start = copy.deepcopy(network.state_dict())
    randomise(network).reset_parameters(torch.Generator().manual_seed(9))
    assert_close(network.state_dict(), start, rtol=0, atol=0)


def test_construction_prints_nothing(capsys):
    SpectralNet([2, 5, 1])
    assert capsys.readouterr() == ("", "")


def test_repr_tells_the_sizes_and_options():
    text = repr(SpectralNet([2, 5, 1], update="adjacency"))
    assert "[2, 5, 1], bias=True, update='adjacency'" in text


# -- forward -----------------------------------------------------------------------------------------------------------


@given(networks(max_blocks=5))
def test_the_output_is_that_of_the_dense_definition(network):
    x = inputs(network)
    assert_close(network(x), dense_output(network, x), **TIGHT)


@given(networks(max_blocks=5, activation=torch.tanh))
def test_gradients_are_those_of_the_dense_definition(network):
    x, parameters = inputs(network), list(network.parameters())
    routes = network(x), dense_output(network, x)
    options = {"allow_unused": True, "materialize_grads": True}
    found, wanted = (torch.autograd.grad(y.square().sum(), parameters, **options) for y in routes)
    assert_close(found, wanted, **TIGHT)


@updates
@given(shape=st.lists(st.integers(0, 3), max_size=3))
def test_leading_dimensions_of_the_input_are_kept(update, shape):
    network = randomise(seeded([2, 5, 3], update=update))
    x = inputs(network, n=max(torch.Size(shape).numel(), 1))[: torch.Size(shape).numel()]
    assert_close(network(x.reshape(*shape, 2)), network(x).reshape(*shape, 3))


@given(networks(update="blocks"))
def test_signals_begin_with_the_input_and_its_bias_and_end_with_the_output(network):
    x = inputs(network)
    signals = network.signals(x)
    assert [a.shape[-1] for a in signals] == list(network.nodes)
    assert_close(signals[0], torch.cat([x, torch.ones(len(x), int(network.bias), dtype=x.dtype)], dim=1))
    assert_close(signals[-1], network(x))


@updates
def test_masks_reach_the_update_rule(update):
    network = randomise(seeded([2, 4, 1], update=update, activation=torch.sigmoid))
    x, mask = inputs(network), torch.tensor([1.0, 0.0, 1.0, 1.0])
    without = network.signals(x, [mask])[-1]
    if update == "blocks":
        assert_close(network.signals(x, [mask])[1][:, 1], torch.full((7,), 0.5))
    assert (without - network(x)).abs().max() > 1e-3


@pytest.mark.parametrize(("cheaper", "used"), [(True, "propagate"), (False, "propagate_blocks")])
def test_the_cheaper_route_is_taken_and_both_agree(monkeypatch, cheaper, used):
    network = randomise(seeded([2, 5, 4, 1], dtype=torch.float64))
    x, called = inputs(network), []

    def spy(name, original):
        return lambda *arguments, **options: called.append(name) or original(*arguments, **options)

    for name in ("propagate", "propagate_blocks"):
        monkeypatch.setattr(module, name, spy(name, getattr(module, name)))
    asked = ((3, 5, 4, 1), 7, False)
    monkeypatch.setattr(module, "recurrence_is_cheaper", lambda *arguments: arguments == asked and cheaper)
    y = network(x)
    assert called == [used]
    assert_close(y, dense_output(network, x), **TIGHT)


@pytest.mark.parametrize("cheaper", [True, False])
def test_a_network_whose_input_eigenvalues_are_frozen_at_zero_computes_the_same(monkeypatch, cheaper):
    monkeypatch.setattr(module, "recurrence_is_cheaper", lambda nodes, batch, silent: silent and cheaper)
    network = randomise(seeded([2, 5, 4, 1], dtype=torch.float64, train_input_eigenvalues=False))
    network.eigenvalues[0].zero_()
    x, mask = inputs(network), [torch.tensor([1.0, 0, 1, 1, 1]).double(), torch.ones(4).double()]
    assert network.has_silent_input()
    assert_close(network(x), dense_output(network, x), **TIGHT)
    network.eigenvalues[0].requires_grad_()
    for masks in (None, mask):
        with_product = network.signals(x, masks)
        network.eigenvalues[0].requires_grad_(False)
        assert_close(network.signals(x, masks), with_product, **TIGHT)
        network.eigenvalues[0].requires_grad_()


def test_input_eigenvalues_that_are_trained_or_not_zero_or_somebody_elses_are_not_silent():
    assert not seeded([2, 4, 1]).has_silent_input()
    network = seeded([2, 4, 1], train_input_eigenvalues=False)
    network.eigenvalues[0][1] = 0.5
    assert not network.has_silent_input()
    x = inputs(network)
    wanted = network(x)
    network.eigenvalues[0][1] = 0.0
    assert (network(x) - wanted).abs().max() > 1e-3
    many = {name: torch.stack([p.detach(), p.detach()]) for name, p in network.named_parameters()}
    both = torch.func.vmap(lambda parameters: torch.func.functional_call(network, parameters, x))(many)
    assert_close(both[1], network(x))


def multiplications(nodes, batch, silent):
    """One by one, product for product: (recurrence, explicit blocks)."""
    recurrence = blocks = 0
    for k in range(1, len(nodes)):
        if k == len(nodes) - 1:
            recurrence += (1 + batch) * nodes[k] * nodes[k - 1]
        else:
            recurrence += (1 if silent and k == 1 else 2) * batch * nodes[k] * nodes[k - 1]
    for i in range(1, len(nodes)):
        blocks += nodes[i] * nodes[i - 1]
        for j in range(i - 2, -1, -1):
            blocks += nodes[i] * nodes[j + 1] * nodes[j]
        for j in range(i):
            blocks += batch * nodes[i] * nodes[j]
    return recurrence, blocks


@given(st.lists(st.integers(1, 50), min_size=2, max_size=7), st.integers(1, 200), st.booleans())
@example([2, 5, 9, 3], 80, True)  # 10187 against 10017: one product fewer in the second layer would turn it round
def test_cost_is_the_number_of_multiplications(nodes, batch, silent):
    recurrence, blocks = multiplications(nodes, batch, silent)
    assert recurrence_is_cheaper(tuple(nodes), batch, silent) == (recurrence < blocks)


def test_deep_networks_take_the_recurrence_and_shallow_narrow_ones_the_blocks():
    assert recurrence_is_cheaper((100,) * 8, 100)
    assert not recurrence_is_cheaper((3, 300, 1), 100)


@given(networks(update="blocks"))
def test_weights_and_adjacency_are_those_of_the_dense_decomposition(network):
    A = dense_adjacency(network.phi, network.lam)
    assert_close(network.adjacency(), A, **TIGHT)
    for (i, j), W in network.weights().items():
        rows, columns = (slice(sum(network.nodes[:k]), sum(network.nodes[: k + 1])) for k in (i, j))
        assert_close(W, A[rows, columns], **TIGHT)
        assert_close(network.weight(i, j), A[rows, columns], **TIGHT)


# -- training ----------------------------------------------------------------------------------------------------------


@updates
@pytest.mark.parametrize("frozen", [True, False])
def test_the_decomposition_still_holds_after_steps_of_gradient_descent(update, frozen):
    network = seeded([2, 6, 4, 1], update=update, train_input_eigenvalues=not frozen, dtype=torch.float64)
    x = inputs(network, 20)
    start = copy.deepcopy(network.state_dict())
    descent = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    for _ in range(5):
        descent.zero_grad()
        (network(x) - x.square().sum(1, keepdim=True)).square().mean().backward()
        descent.step()
    moved = {name for name, p in network.named_parameters() if not torch.equal(p, start[name])}
    assert {"eigenvectors.0", "eigenvectors.2", "eigenvalues.3"} <= moved
    assert ("eigenvalues.0" in moved) == (not frozen)
    assert_close(network.adjacency(), dense_adjacency(network.phi, network.lam), **TIGHT)
    assert_close(network(x), dense_output(network, x), **TIGHT)


def test_hidden_and_penalised_eigenvalues_leave_out_the_last_layer():
    network = SpectralNet([2, 5, 4, 1])
    assert all(found is lam for found, lam in zip(network.hidden_eigenvalues(), network.eigenvalues[1:3], strict=True))
    assert list(network.penalised_eigenvalues()) == ["eigenvalues.0", "eigenvalues.1", "eigenvalues.2"]
    frozen = SpectralNet([2, 5, 4, 1], train_input_eigenvalues=False).penalised_eigenvalues()
    assert list(frozen) == ["eigenvalues.1", "eigenvalues.2"]
    named = dict(network.named_parameters())
    assert all(lam is named[name] for name, lam in network.penalised_eigenvalues().items())


# -- copies and files --------------------------------------------------------------------------------------------------


@updates
def test_copies_state_dicts_and_functional_calls_give_the_same_output(update):
    network = randomise(seeded([2, 5, 3, 1], update=update))
    x, other = inputs(network), seeded([2, 5, 3, 1], seed=1, update=update)
    wanted = network(x)
    assert_close(torch.func.functional_call(other, dict(network.named_parameters()), x), wanted)
    assert_close(copy.deepcopy(network)(x), wanted)
    other.load_state_dict(network.state_dict())
    assert_close(other(x), wanted)


def test_a_deep_copy_shares_nothing():
    network = seeded([2, 5, 1])
    before = copy.deepcopy(network.state_dict())
    randomise(copy.deepcopy(network))
    assert_close(network.state_dict(), before, rtol=0, atol=0)


def test_to_float64_converts_everything():
    network = randomise(seeded([2, 5, 1]))
    x = inputs(network)
    wanted = network(x)
    assert_close(network.to(torch.float64)(x.double()), wanted.double(), rtol=1e-6, atol=1e-6)
    assert {p.dtype for p in network.parameters()} == {torch.float64}


def test_a_network_on_the_meta_device_holds_no_numbers():
    assert all(p.is_meta for p in SpectralNet([10**6, 10**6, 1], device="meta").parameters())


@pytest.mark.parametrize("activation", module.ACTIVATIONS)
@updates
def test_config_survives_json(activation, update):
    options = {"bias": False, "update": update, "train_input_eigenvalues": False, "dtype": torch.float64}
    network = seeded([2, 5, 3, 1], activation=module.ACTIVATIONS[activation], **options)
    again = SpectralNet.from_config(json.loads(json.dumps(network.config())))
    again.load_state_dict(network.state_dict())
    assert again.config() == network.config()
    assert [p.requires_grad for p in again.parameters()] == [p.requires_grad for p in network.parameters()]
    assert_close(again(inputs(network)), network(inputs(network)), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_config_keeps_the_float_type(dtype):
    assert SpectralNet.from_config(SpectralNet([2, 1], dtype=dtype).config()).eigenvalues[0].dtype == dtype


def test_an_activation_without_a_name_cannot_be_stored():
    with pytest.raises(ValueError, match=r"activation .* has no name to store; use one of \['elu', 'gelu', 'relu'"):
        SpectralNet([2, 1], activation=lambda z: z).config()


@pytest.mark.parametrize(
    "change",
    [{"activation": "exec"}, {"dtype": "int8"}, {"colour": 1}, {"sizes": [2, 0]}, {"sizes": 3}, {"update": "none"}],
    ids=str,
)
def test_a_config_that_no_network_wrote_is_refused(change):
    with pytest.raises(ValueError, match=r"no description of a SpectralNet|wanted"):
        SpectralNet.from_config(SpectralNet([2, 1]).config() | change)


def test_an_incomplete_config_is_refused():
    with pytest.raises(ValueError, match="this is no description of a SpectralNet: 'activation'"):
        SpectralNet.from_config({"sizes": [2, 1]})


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [SpectralNet, check_sizes], ids=["SpectralNet", "check_sizes"])
@pytest.mark.parametrize("bad", [0, -1, 2.0, True, "3", None], ids=repr)
def test_a_size_that_is_no_positive_whole_number_is_refused_with_its_place(build, bad):
    with pytest.raises(ValueError, match=rf"sizes\[1\] = {bad!r}; wanted a whole number of nodes, at least 1"):
        build([2, bad, 1])


@pytest.mark.parametrize("nodes", [[], [3]], ids=str)
def test_fewer_than_two_layers_are_refused(nodes):
    with pytest.raises(ValueError, match=r"wanted at least an input and an output layer"):
        SpectralNet(nodes)


def test_check_sizes_returns_a_tuple():
    assert check_sizes([2, 30, 1]) == (2, 30, 1)


def test_an_unknown_update_rule_is_refused():
    with pytest.raises(ValueError, match="update = 'block'; wanted 'blocks' or 'adjacency'"):
        SpectralNet([2, 1], update="block")


def test_an_activation_that_is_no_function_is_refused():
    with pytest.raises(ValueError, match=r"activation = 'relu'; wanted a function of tensors, e\.g\. torch\.relu"):
        SpectralNet([2, 1], activation="relu")


def test_a_huge_network_is_refused_before_anything_is_allocated(monkeypatch):
    def allocate(*arguments, **options):
        raise AssertionError("allocated")

    monkeypatch.setattr(torch, "empty", allocate)
    with pytest.raises(MemoryError, match=r"10000000, 1\] has .* parameters and needs about .* GiB .* Take smaller layers"):
        SpectralNet([10**7, 10**7, 1])


def test_memory_is_that_of_parameters_gradients_and_two_moments(monkeypatch):
    """[3, 5, 1]: 15 + 5 eigenvectors and 3 + 5 + 1 eigenvalues, four copies of 8 bytes each."""
    needed = 4 * 8 * (15 + 5 + 9)
    for available in (needed, needed - 1):
        monkeypatch.setattr(module.psutil, "virtual_memory", lambda n=available: type("Memory", (), {"available": n}))
        if available == needed:
            check_memory((3, 5, 1), torch.float64, torch.device("cpu"))
        else:
            with pytest.raises(MemoryError, match=r"29 parameters and needs about 0\.0 GiB"):
                check_memory((3, 5, 1), torch.float64, torch.device("cpu"))


@updates
@pytest.mark.parametrize("shape", [(), (3,), (4, 1)], ids=str)
def test_an_input_of_the_wrong_width_is_refused(update, shape):
    with pytest.raises(ValueError, match=r"the input has shape \(.*\); this network wants \(\.\.\., 2\)"):
        SpectralNet([2, 3, 1], update=update)(torch.zeros(shape))


@pytest.mark.parametrize("threshold", [-1e-9, float("nan")])
def test_a_threshold_that_is_no_path_strength_is_refused(threshold):
    with pytest.raises(ValueError, match=rf"threshold = {threshold}; wanted a path strength of at least 0"):
        SpectralNet([2, 3, 1]).compact(threshold)


# -- compaction --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [[2, 300, 1], [3, 20, 20, 2]], ids=str)
def test_an_untouched_network_compacts_to_one_linear_map(nodes):
    network = seeded(nodes)
    compact, x = network.compact(), inputs(network)
    assert [name for name, _ in compact.named_parameters()] == ["weights.1_0", "biases.1"]
    linear = nn.functional.linear(x, compact.weight(1, 0), compact.biases["1"])
    assert_close(network(x), linear, rtol=0, atol=1e-5)
    assert_close(compact(x), linear)
    assert compact.report.nodes_after == (nodes[0], nodes[-1])
    assert compact.report.exact


@given(networks(zeros=0.5))
def test_compaction_keeps_the_outputs_for_every_option(network):
    compact, x = network.compact(), inputs(network)
    assert_close(compact(x), network(x), **TIGHT)
    assert compact.report.exact


@given(networks(dtype=torch.float32))
def test_compaction_keeps_the_outputs_in_single_precision(network):
    x = inputs(network)
    assert_close(network.compact()(x), network(x), rtol=1e-5, atol=1e-5)


@updates
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_trained_network_compacts_to_the_same_outputs(update, activation):
    network = seeded([2, 12, 8, 1], update=update, activation=ACTIVATIONS[activation], train_input_eigenvalues=False)
    x = inputs(network, 50)
    adam = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(100):
        adam.zero_grad()
        (network(x) - x.square().sum(1, keepdim=True)).square().mean().backward()
        adam.step()
    assert_close(network.compact()(x), network(x), rtol=0, atol=1e-5)


@updates
@pytest.mark.parametrize(
    ("activation", "bias", "depth"), list(itertools.product(ACTIVATIONS, [True, False], [1, 2, 3, 4])), ids=str
)
def test_silent_nodes_go_physically_and_the_outputs_stay(update, activation, bias, depth):
    """λ_1 = 0, and two nodes of the first hidden layer have eigenvalue 0: no link leads into them."""
    nodes = [2, *[6] * (depth - 1), 1]
    network = seeded(nodes, update=update, activation=ACTIVATIONS[activation], bias=bias)
    randomise(network, depth, input_eigenvalues=False)
    silent = 2 if depth > 1 else 0
    if silent:
        with torch.no_grad():
            network.eigenvalues[1][[1, 4]] = 0
    compact, x = network.compact(), inputs(network)
    assert_close(compact(x), network(x), rtol=1e-5, atol=1e-5)
    report = compact.report
    assert report.exact
    assert report.parameters_before == sum(p.numel() for p in network.parameters())
    assert report.parameters_after == sum(p.numel() for p in compact.parameters())
    if update == "blocks":
        assert report.nodes_before == network.nodes
        assert report.nodes_after == (2, *[6 - silent, *[6] * (depth - 2)][: depth - 1], 1)
        assert report.removed == (int(bias), *[silent, *[0] * (depth - 2)][: depth - 1], 0)
    else:  # at each application of A but the last the two nodes are silent
        n = sum(network.nodes)
        assert report.nodes_before == (network.nodes[0], *[n] * (depth - 1), 1)
        assert all(removed >= silent for removed in report.removed[1:-1])
        assert all(after <= n - silent for after in report.nodes_after[1:-1])
    shapes = {name: tuple(p.shape) for name, p in compact.named_parameters() if name.startswith("weights")}
    for name, shape in shapes.items():
        i, j = map(int, name.removeprefix("weights.").split("_"))
        assert shape == (report.nodes_after[i], report.nodes_after[j])


def test_deleting_the_rows_of_dead_nodes_from_the_eigenvectors_is_wrong():
    """W_31 = -W_32 φ_1 sums over all hidden nodes, dead ones too; compaction keeps it."""
    network = seeded([2, 30, 1], bias=False)
    x = inputs(network, 100)
    with torch.no_grad():
        network.eigenvalues[1][:10] = 0.5
        smaller = SpectralNet([2, 10, 1], bias=False)
        smaller.eigenvectors[0].copy_(network.eigenvectors[0][:10])
        smaller.eigenvectors[1].copy_(network.eigenvectors[1][:, :10])
        smaller.eigenvalues[1].copy_(network.eigenvalues[1][:10])
    assert (smaller(x) - network(x)).abs().max() > 0.1 * network(x).abs().max()
    compact = network.compact()
    assert compact.report.nodes_after == (2, 10, 1)
    assert_close(compact(x), network(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("nodes", [[2, 30, 1], [2, 8, 8, 1]], ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_threshold_cuts_the_links_into_weak_nodes(nodes, activation):
    network = randomise(seeded(nodes, activation=ACTIVATIONS[activation], dtype=torch.float64))
    strengths, _ = path_strengths(network.weights(), len(nodes))
    threshold = torch.cat(strengths).median().item()
    masks = [(s > threshold).double() for s in strengths]
    compact, x = network.compact(threshold), inputs(network)
    assert not compact.report.exact
    assert compact.report.nodes_after == (2, *(int(mask.sum()) for mask in masks), 1)
    assert_close(compact(x), network.signals(x, masks)[-1], **TIGHT)


curved = st.sampled_from([*ACTIVATIONS.values(), nn.functional.softplus, torch.cos])


@given(st.data(), curved, st.sampled_from([0.0, 0.5]))
def test_a_network_without_the_neurons_that_are_switched_off_compacts_to_the_same_outputs(data, activation, zeros):
    network, masks = data.draw(masked_networks(max_blocks=5, zeros=zeros, activation=activation))
    compact, x = network.compact(masks=masks), inputs(network)
    assert_close(compact(x), network.signals(x, masks)[-1], **TIGHT)
    assert_close(compact(x), masked_output(network, x, masks), **TIGHT)
    if network.update == "blocks":
        switched_off = [0, *(int((mask == 0).sum()) for mask in masks), 0]
        assert all(removed >= off for removed, off in zip(compact.report.removed, switched_off, strict=True))


def carried(network, masks, threshold):
    """Whether a neuron was cut that passes something from an input to an output or, where f(0) ≠ 0, from anybody."""
    strengths, _ = path_strengths(network.weights(), len(network.nodes))
    last = len(network.nodes) - 1
    links = {((j, n), (i, m)) for (i, j), W in network.weights().items() for m, n in (W != 0).nonzero().tolist()}
    audible, speaking = {(last, n) for n in range(network.sizes[-1])}, {node for node, _ in links if node[0] == 0}
    if network.activation(torch.zeros(1)).any():
        speaking |= {node for node, _ in links}
    for node, listener in sorted(links, key=lambda link: link[0], reverse=True):
        if listener in audible:
            audible.add(node)
    for node, listener in sorted(links, key=lambda link: link[1]):
        if node in speaking:
            speaking.add(listener)
    fed = {listener for node, listener in links if node in speaking}
    off = {(i, n) for i, mask in enumerate(masks, 1) for n in (mask == 0).nonzero().flatten().tolist()}
    weak = any(bool(((s > 0) & (s <= threshold)).any()) for s in strengths)
    return weak or bool(off & fed & audible)


@pytest.mark.parametrize("which", ["any", "weak", "unheard"])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@given(st.data(), st.sampled_from([0.0, 0.3]))
def test_the_report_says_whether_what_was_cut_carried_a_signal(which, activation, data, threshold):
    """Masks of any neurons, of those that no signal passes, and of those that nobody listens to."""
    options = {"update": "blocks", "activation": ACTIVATIONS[activation], "zeros": 0.4}
    network, masks = data.draw(masked_networks(min_blocks=2, **options))
    if which == "unheard":
        with torch.no_grad():
            for phi, mask in zip(network.phi[1:], masks, strict=True):
                phi[:, mask == 0] = 0  # then no link leads on, to whatever layer
    if which == "weak":
        strengths, _ = path_strengths(network.weights(), len(network.nodes))
        masks = [torch.where(s > 0, 1.0, mask) for s, mask in zip(strengths, masks, strict=True)]
    compact, x = network.compact(threshold, masks), inputs(network)
    assert compact.report.exact == (not carried(network, masks, threshold))
    if compact.report.exact:
        assert_close(compact(x), network(x), **TIGHT)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_a_neuron_that_hears_constants_only_carries_something_too(activation):
    """Without an input to it f(0) = 1/2 of the first layer moves the second: switched off, it says another constant."""
    network = randomise(seeded([2, 3, 3, 1], bias=False, activation=ACTIVATIONS[activation], dtype=torch.float64))
    with torch.no_grad():
        network.eigenvectors[0].zero_()
    masks, x = [torch.ones(3), torch.tensor([1.0, 0.0, 1.0])], inputs(network)
    compact = network.compact(masks=masks)
    assert_close(compact(x), network.signals(x, [mask.double() for mask in masks])[-1], **TIGHT)
    assert compact.report.exact == bool(torch.allclose(compact(x), network(x))) == (activation == "tanh")


@given(masked_networks(max_blocks=4), st.floats(0.05, 2.0))
def test_masks_and_a_threshold_cut_together(drawn, threshold):
    """A node that the threshold cuts is held at f(0) like one that is switched off, whatever its strength without the masks."""
    network, masks = drawn
    network.update = "blocks"
    strengths, _ = path_strengths(network.weights(), len(network.nodes))
    loud = [(s > threshold).double() for s in strengths]
    compact, x = network.compact(threshold, masks), inputs(network)
    wanted = masked_output(network, x, [a * b for a, b in zip(masks, loud, strict=True)])
    assert_close(compact(x), wanted, **TIGHT)


def test_a_strong_node_that_feeds_weak_nodes_only_goes_with_them():
    """Strengths √2 · 80 and twice √(80² + 8²): at 100 both listeners are cut, and nobody else hears the first node."""
    network = SpectralNet([1, 1, 2, 1], bias=False)
    with torch.no_grad():
        for phi, row in zip(network.eigenvectors, [[1.0], [1.0, 1.0], [1.0, -1.0]], strict=True):
            phi.copy_(torch.tensor(row).reshape(phi.shape))
        for lam, value in zip(network.eigenvalues, [0.0, 10.0, 2.0, 1.0], strict=True):
            lam.fill_(value)
    strengths, _ = path_strengths(network.weights(), 4)
    assert_close(strengths, [torch.tensor([80 * 2**0.5]), torch.full((2,), (80**2 + 8**2) ** 0.5)])
    assert network.compact(100.0).report.nodes_after == (1, 1)


@updates
def test_an_infinite_threshold_leaves_one_linear_map_or_a_constant(update):
    network = randomise(seeded([2, 5, 4, 1], update=update))
    compact = network.compact(float("inf"))
    assert compact.report.nodes_after == (2, 1)
    assert compact(inputs(network)).shape == (7, 1)


@updates
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_network_without_any_eigenvalue_compacts_to_a_constant(update, bias, activation):
    network = seeded([2, 4, 3, 2], update=update, bias=bias, activation=ACTIVATIONS[activation])
    with torch.no_grad():
        for lam in network.eigenvalues:
            lam.zero_()
    compact, x = network.compact(), inputs(network)
    assert_close(compact(x), network(x))
    assert compact.report.nodes_after == (2, 2)


@updates
@pytest.mark.parametrize("threshold", [0.0, 1e-12])
def test_nodes_that_only_hear_constants_keep_their_value(update, threshold):
    """f(0) = 1/2 of the silent first hidden layer moves the second one: no path from the input, but a value of its own."""
    network = randomise(seeded([2, 3, 3, 1], bias=False, activation=torch.sigmoid, update=update, dtype=torch.float64))
    with torch.no_grad():
        network.eigenvectors[0].zero_()
    compact, x = network.compact(threshold), inputs(network)
    assert_close(compact(x), network(x), **TIGHT)
    assert compact.report.exact


@given(networks(zeros=0.5))
def test_compaction_changes_nothing_of_the_callers_network(network):
    before, wanted = copy.deepcopy(network.state_dict()), [p.requires_grad for p in network.parameters()]
    for threshold in (0.0, 0.1):
        compact = network.compact(threshold)
        with torch.no_grad():
            for p in compact.parameters():
                p.fill_(9.0)
    assert_close(network.state_dict(), before, rtol=0, atol=0)
    assert [p.requires_grad for p in network.parameters()] == wanted


def test_a_direct_network_is_the_textbook_sum_over_earlier_layers():
    generator = torch.Generator().manual_seed(0)
    weights = {(1, 0): (3, 2), (2, 0): (2, 2), (3, 1): (1, 3), (3, 2): (1, 2)}
    weights = {ij: torch.randn(shape, generator=generator) for ij, shape in weights.items()}
    biases = [torch.randn(3, generator=generator), None, torch.randn(1, generator=generator)]
    network, x = DirectNet(weights, biases, torch.tanh), torch.randn(5, 2, generator=generator)
    first = torch.tanh(nn.functional.linear(x, weights[1, 0], biases[0]))
    second = torch.tanh(nn.functional.linear(x, weights[2, 0]))
    wanted = nn.functional.linear(first, weights[3, 1], biases[2]) + nn.functional.linear(second, weights[3, 2])
    assert_close(network(x), wanted)
    assert network.weight(2, 1) is None
    assert network.report is None


def test_a_direct_network_can_be_trained_copied_and_stored():
    compact = randomise(seeded([2, 4, 1])).compact()
    x = torch.ones(3, 2)
    compact(x).sum().backward()
    assert all(p.requires_grad and p.grad is not None for p in compact.parameters())
    twin = copy.deepcopy(compact)
    twin.load_state_dict(compact.state_dict())
    assert_close(twin(x), compact(x))


# -- inside another network --------------------------------------------------------------------------------------------


def test_of_several_spectral_networks_inside_another_none_is_chosen():
    one, two = SpectralNet([4, 3, 2]), SpectralNet([2, 3, 2], train_input_eigenvalues=False)
    assert find_spectral(one) == ("", one)
    assert find_spectral(nn.Sequential(nn.Flatten(), two)) == ("1", two)
    assert find_spectral(nn.Sequential(one, two)) is None
    assert find_spectral(nn.Linear(2, 2)) is None
    assert usually_penalised(nn.Sequential(nn.Flatten(), two)) == ["1.eigenvalues.1"]
    assert usually_penalised(nn.Sequential(one, two)) == []
