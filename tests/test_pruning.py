"""Pruned networks against masked ones by the dense route, exact removal against the untouched network, certificates."""

import copy
import dataclasses
import random

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import (
    ACTIVATION_MODULES,
    ACTIVATIONS,
    KINDS,
    inputs,
    layer_slices,
    make_stack,
    networks,
    pruned_signals,
    randomise,
    stack_signals,
    stacks,
    uniform,
)
from torch import nn
from torch.testing import assert_close

from spectral_lab import DirectNet, SpectralLinear, SpectralNet, compact, count_parameters, prune, pruning_curve
from spectral_lab.certificates import Certificate, count_macs
from spectral_lab.layers import feed_forward
from spectral_lab.rankings import RANKINGS
from spectral_lab.unfolding import unfold

TIGHT = {"rtol": 1e-10, "atol": 1e-10}


def rows(model, n=7, seed=1):
    if isinstance(model, SpectralNet):
        return inputs(model, n, seed)
    like = next(model.parameters())
    width = model[0].weight.shape[1] if isinstance(model, nn.Sequential) else model.nodes[0]
    return uniform(n, width, generator=torch.Generator().manual_seed(seed), dtype=like.dtype)


def check_same_outputs(new, old, x, precision):
    """No output is off by more than a share of the largest one; where all that is added up cancels, of a millionth."""
    wanted = old(x).detach()
    assert_close(new(x).detach(), wanted, rtol=0, atol=precision * max(wanted.abs().max().item(), 1e-6))


# -- exact removal -----------------------------------------------------------------------------------------------------

silent_stacks = stacks(max_hidden=3, kinds=("plain", "dense", "student"), silent=0.6)


@given(silent_stacks)
@settings(max_examples=60)
def test_compaction_of_a_stack_changes_no_output(model):
    network, certificate = compact(model, x=rows(model))
    check_same_outputs(network, model, rows(model, seed=2), 1e-12)
    assert certificate.exact
    assert [type(m) for m in network] == [type(m) for m in model]


@given(stacks(max_hidden=3, kinds=("plain", "dense", "student"), silent=0.6, dtype=torch.float32))
def test_compaction_of_a_stack_changes_no_output_in_single_precision(model):
    check_same_outputs(compact(model).network, model, rows(model), 1e-5)


@given(stacks(kinds=tuple(KINDS)))
def test_the_factorised_bases_come_back_with_the_same_function(model):
    check_same_outputs(compact(model).network, model, rows(model), 1e-12)


@given(silent_stacks)
def test_no_silent_node_is_left_but_one_where_a_layer_has_no_other(model):
    network, certificate = compact(model)
    for k in range(2, len(model), 2):
        fed, feeds = model[k - 2].weight.any(1), model[k].weight.any(0)
        useful = (fed & feeds).sum() if len(model) == 3 else None
        if useful is not None:
            assert network[0].weight.shape[0] == max(int(useful), 1)
    again = compact(network)
    assert sum(again.certificate.removed) == 0
    assert all(n >= 1 for n in certificate.nodes_after)


@given(networks(zeros=0.6))
@settings(max_examples=40)
def test_compaction_of_a_network_with_skip_links_changes_no_output(network):
    small, certificate = compact(network, x=inputs(network))
    check_same_outputs(small, network, inputs(network, seed=2), 1e-11)
    assert isinstance(small, DirectNet)
    assert certificate.exact
    twin = network.compact()
    assert_close(dict(small.state_dict()), dict(twin.state_dict()), rtol=0, atol=0)
    assert dataclasses.astuple(small.report) == dataclasses.astuple(twin.report)


@given(networks(zeros=0.6, dtype=torch.float32, update="blocks"))
def test_compaction_of_a_network_with_skip_links_changes_no_output_in_single_precision(network):
    check_same_outputs(compact(network).network, network, inputs(network), 1e-5)


@pytest.mark.parametrize("nodes", [[3, 1], [2, 30, 1], [2, 8, 5, 3]], ids=str)
def test_the_perceptron_start_compacts_to_one_linear_map(nodes):
    network = SpectralNet(nodes, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    small, certificate = compact(network, x=inputs(network))
    assert certificate.nodes_after == (nodes[0], nodes[-1])
    assert certificate.removed == tuple(nodes[1:-1])
    assert certificate.kept == ((),) * (len(nodes) - 2)
    assert certificate.macs_after == nodes[0] * nodes[-1]
    assert small.n_layers == 2
    check_same_outputs(small, network, inputs(network), 1e-12)


def test_a_constant_sigmoid_needs_a_bias_where_there_was_none():
    model = make_stack([3, 4, 2], activation=nn.Sigmoid, bias=False)
    with torch.no_grad():
        model[0].basis.eigenvectors[1] = 0  # delivers 1/2 whatever comes
    network, certificate = compact(model)
    assert certificate.removed == (1,)
    assert certificate.kept == ((0, 2, 3),)
    assert_close(network[2].bias, 0.5 * model[2].weight[:, 1])
    assert network[0].bias is None
    check_same_outputs(network, model, rows(model), 1e-12)


def test_a_stack_that_is_constant_keeps_one_node_in_each_hidden_layer():
    model = make_stack([3, 4, 5, 2], activation=nn.Sigmoid)
    with torch.no_grad():
        model[2].basis.eigenvectors.zero_()
    network, certificate = compact(model)
    assert certificate.nodes_after == (3, 1, 1, 2)
    assert certificate.exact
    check_same_outputs(network, model, rows(model), 1e-12)


def test_a_network_without_hidden_layers_compacts_to_itself():
    model = make_stack([3, 2])
    network, certificate = compact(model)
    check_same_outputs(network, model, rows(model), 1e-12)
    assert (certificate.removed, certificate.nodes_after) == ((), (3, 2))


# -- removal by a ranking ----------------------------------------------------------------------------------------------

masked = st.tuples(st.sampled_from(["path", "connectivity", "random", "activation"]), st.booleans(), st.floats(0, 1))


def kept_masks(model, certificate_or_curve_order, keep):
    sizes = unfold(model).hidden
    masks = [torch.zeros(n, dtype=torch.bool) for n in sizes]
    for k, n in certificate_or_curve_order[:keep]:
        masks[k][n] = True
    return masks


@given(stacks(min_hidden=1), masked, st.booleans())
@settings(max_examples=60)
def test_a_pruned_stack_is_the_whole_one_with_the_removed_nodes_silenced(model, drawn, per_layer):
    ranking, fold, share = drawn
    x, sizes = rows(model), unfold(model).hidden
    y = torch.zeros(len(x), model[-1].weight.shape[0], dtype=x.dtype)
    order = pruning_curve(model, ranking, x, y, per_layer=per_layer).order
    keep = max(round(share * len(order)), len(sizes))
    masks = kept_masks(model, order, keep)
    if not all(bool(mask.any()) for mask in masks):
        with pytest.raises(ValueError, match=r"hidden layer \d would lose all its \d nodes"):
            prune(model, ranking, keep=keep, x=x, per_layer=per_layer, fold=fold)
        return
    network, certificate = prune(model, ranking, keep=keep, x=x, per_layer=per_layer, fold=fold)
    held = [a.mean(0) for a in stack_signals(model, x)[1:-1]] if fold else None
    assert_close(network(rows(model, seed=5)).detach(), stack_signals(model, rows(model, seed=5), masks, held)[-1], **TIGHT)
    assert certificate.nodes_after == (x.shape[1], *(int(mask.sum()) for mask in masks), y.shape[1])
    assert certificate.kept == tuple(tuple(mask.nonzero().flatten().tolist()) for mask in masks)
    assert [type(m) for m in network] == [type(m) for m in model]


@given(networks(max_blocks=3), masked)
@settings(max_examples=60)
def test_a_pruned_network_with_skip_links_is_the_whole_one_with_the_removed_nodes_silenced(network, drawn):
    ranking, fold, share = drawn
    x = inputs(network)
    y = torch.zeros(len(x), network.sizes[-1], dtype=x.dtype)
    order = pruning_curve(network, ranking, x, y).order
    keep = round(share * len(order))
    small, certificate = prune(network, ranking, keep=keep, x=x, fold=fold)
    held = [a.mean(0) for a in pruned_signals(network, x)] if fold else None
    new = inputs(network, seed=5)
    wanted = pruned_signals(network, new, kept_masks(network, order, keep), held)[-1]
    assert_close(small(new).detach(), wanted[:, layer_slices(network.nodes)[-1]], **TIGHT)
    assert sum(map(len, certificate.kept)) <= keep
    assert certificate.removed == tuple(n - len(k) for n, k in zip(network.nodes[1:-1], certificate.kept, strict=True))


def test_a_direct_network_can_be_pruned_further():
    network = randomise(SpectralNet([3, 6, 5, 2], dtype=torch.float64))
    small, _ = prune(network, "path", keep=8)
    smaller, certificate = prune(small, "path", keep=3, x=inputs(network))
    assert isinstance(smaller, DirectNet)
    assert sum(certificate.nodes_before) == 3 + 8 + 2
    x, masks = inputs(network), [torch.zeros(n, dtype=torch.bool) for n in small.nodes[1:-1]]
    for mask, kept in zip(masks, certificate.kept, strict=True):
        mask[list(kept)] = True
    assert_close(smaller(x), unfold(small).output(x, masks), **TIGHT)


def test_what_is_left_of_a_spectral_layer_are_its_own_eigenvalues_and_eigenvectors():
    model = feed_forward([5, 8, 3], SpectralLinear.student, dtype=torch.float64)
    with torch.no_grad():
        model[0].eigenvalues_out.copy_(torch.arange(8.0) - 4)
        model[0].bias.copy_(torch.arange(8.0))
    network, certificate = prune(model, "eigenvalue", keep=3)
    left = [0, 1, 7]  # |λ| of 4, 3, 3
    assert certificate.kept == ((0, 1, 7),)
    assert_close(network[0].eigenvectors, model[0].eigenvectors[left], rtol=0, atol=0)
    assert_close(network[0].eigenvalues_out, model[0].eigenvalues_out[left], rtol=0, atol=0)
    assert_close(network[0].eigenvalues_in, model[0].eigenvalues_in, rtol=0, atol=0)
    assert_close(network[0].bias, model[0].bias[left], rtol=0, atol=0)
    assert_close(network[2].eigenvectors, model[2].eigenvectors[:, left], rtol=0, atol=0)
    assert_close(network[2].eigenvalues_in, model[2].eigenvalues_in[left], rtol=0, atol=0)
    assert [p.requires_grad for p in network.parameters()] == [p.requires_grad for p in model.parameters()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [True, False])
def test_the_result_has_the_form_of_the_model_and_shares_nothing_with_it(kind, training):
    model = make_stack([4, 6, 5, 3], kinds=(kind,), dtype=torch.float32).train(training)
    next(model.parameters()).requires_grad_(False)
    model[2].bias.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    network, _ = prune(model, "path", fraction=0.5, per_layer=True)
    assert network.training == training
    assert [p.requires_grad for p in network.parameters()] == [p.requires_grad for p in model.parameters()]
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert all(type(new) is type(old) and new is not old for new, old in zip(network, model, strict=True))
    with torch.no_grad():
        for p in network.parameters():
            p.fill_(7.0)
    assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


# -- criteria ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def model():
    """4 + 6 hidden nodes with eigenvalues 1 … 4 and 0.5 … 5.5."""
    stack = make_stack([3, 4, 6, 2], activation=nn.ELU)
    with torch.no_grad():
        stack[0].eigenvalues_out.copy_(torch.arange(1.0, 5.0))
        stack[2].eigenvalues_out.copy_(-(torch.arange(6.0) + 0.5))
    return stack


@pytest.mark.parametrize(
    ("options", "removed"),
    [
        ({"keep": 10}, (0, 0)),
        ({"keep": 4}, (3, 3)),  # 5.5, 4.5, 4 and 3.5 stay
        ({"fraction": 0.0}, (0, 0)),
        ({"fraction": 0.5}, (2, 3)),
        ({"fraction": 0.5, "per_layer": True}, (2, 3)),
        ({"fraction": 0.4, "layers": [0]}, (2, 0)),
        ({"threshold": 2.0}, (2, 2)),
        ({"threshold": 2.0, "layers": [1]}, (0, 2)),
        ({"threshold": 0.0}, (0, 0)),
    ],
    ids=str,
)
def test_each_criterion_removes_what_it_says(model, options, removed):
    assert prune(model, "eigenvalue", **options).certificate.removed == removed


@given(stacks(min_hidden=1, max_hidden=2), st.floats(0, 1))
def test_the_loss_bound_gives_the_fewest_nodes_that_keep_it(model, bound):
    x = rows(model)
    y = stack_signals(model, x)[-1] + 0.1
    curve = pruning_curve(model, "path", x, y)
    _, certificate = prune(model, "path", max_loss_increase=bound, x=x, y=y)
    kept, hidden = sum(map(len, certificate.kept)), unfold(model).hidden
    assert certificate.loss_after <= certificate.loss_before + bound + 1e-12
    least = next(n for n in range(len(curve.kept)) if {k for k, _ in curve.order[:n]} == set(range(len(hidden))))
    assert kept == min(n for n in range(least, len(curve.kept)) if curve.loss[n] <= curve.loss[-1] + bound)


def test_a_network_with_skip_links_may_lose_all_its_hidden_nodes():
    network = randomise(SpectralNet([2, 5, 4, 1]))
    small, certificate = prune(network, "eigenvalue", fraction=1.0)
    assert certificate.nodes_after == (2, 1)
    assert certificate.kept == ((), ())
    assert small(inputs(network)).shape == (7, 1)


BAD = {
    "found none of them; give exactly one of keep, fraction, threshold, max_loss_increase": {},
    "found keep = 3 and fraction = 0.5; give exactly one": {"keep": 3, "fraction": 0.5},
    "keep = 11; wanted a whole number from 0 to 10, the hidden nodes to choose from": {"keep": 11},
    "keep = 5; wanted a whole number from 0 to 4": {"keep": 5, "layers": [0]},
    "keep = -1; wanted": {"keep": -1},
    "keep = True; wanted": {"keep": True},
    "keep = 0.5; wanted": {"keep": 0.5},
    r"fraction = 90; wanted the share of nodes to remove, in \[0, 1\]": {"fraction": 90},
    "fraction = nan; wanted": {"fraction": float("nan")},
    "threshold = -1; wanted a score of at least 0": {"threshold": -1},
    "max_loss_increase = -0.1; wanted at least 0": {"max_loss_increase": -0.1},
    "max_loss_increase is measured on data; give inputs and targets": {"max_loss_increase": 0.1},
    "fold=True puts means over data into the biases; give the inputs as x=": {"keep": 3, "fold": True},
    "y is given without x": {"keep": 3, "y": torch.zeros(3, 2)},
    "ranking = 'size'; wanted one of": {"keep": 3, "ranking": "size"},
    r"layers = \[2\]; wanted different hidden layers": {"keep": 3, "layers": [2]},
    "hidden layer 0 would lose all its 4 nodes, and with them every path to the output; keep more": {"keep": 1},
    "hidden layer 0 would lose all its 4 nodes": {"fraction": 1.0},
    "x has dtype torch.float32, the network torch.float64": {"keep": 3, "x": torch.zeros(2, 3)},
}


@pytest.mark.parametrize("message", BAD)
def test_wrong_options_are_refused_and_nothing_is_changed(model, message):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        prune(model, **BAD[message])
    assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


def test_nan_weights_are_refused(model):
    with torch.no_grad():
        model[2].bias[0] = float("inf")
    for call in (lambda: prune(model, keep=3), lambda: compact(model)):
        with pytest.raises(ValueError, match=r"the parameter 2\.bias has 1 values that are NaN or infinite"):
            call()


# -- certificates ------------------------------------------------------------------------------------------------------


def draw_any(draw):
    """Any network with silent and constant nodes, and options of prune that may or may not spare the others."""
    generator = torch.Generator().manual_seed(draw.randrange(2**31))
    nodes = [draw.randint(1, 4) for _ in range(draw.randint(2, 4))]
    if draw.random() < 0.5:
        activation = draw.choice(list(ACTIVATIONS.values()))
        update, bias = draw.choice(["blocks", "blocks", "adjacency"]), draw.random() < 0.5
        network = SpectralNet(nodes, activation=activation, update=update, bias=bias, dtype=torch.float64)
        randomise(network, draw.randrange(2**31), zeros=draw.choice([0, 0.5, 1]), input_eigenvalues=draw.random() < 0.5)
    else:
        kinds, activation = [draw.choice(["plain", "dense", "student"])], draw.choice(ACTIVATION_MODULES)
        silent, bias = draw.choice([0.01, 0.7, 1.5]), draw.random() < 0.5
        network = make_stack(nodes, draw.randrange(2**31), kinds, activation, bias, silent)
    options = {"fold": draw.random() < 0.5, "per_layer": draw.random() < 0.5, "seed": draw.randrange(9)}
    options |= draw.choice([{"threshold": 0.0}, {"threshold": 0.1}, {"fraction": draw.random()}])
    return network, options, generator


def test_a_certificate_that_says_exact_is_never_wrong_and_one_that_does_not_has_a_reason():
    draw, exact, felt, unfelt = random.Random(0), 0, 0, 0
    while exact + felt + unfelt < 500:
        model, options, generator = draw_any(draw)
        x = rows(model)
        try:
            network, certificate = prune(model, draw.choice(["path", "connectivity", "random"]), x=x, **options)
        except ValueError as error:
            if "would lose all its" not in str(error):
                raise
            continue
        new = 3 * uniform(20, x.shape[1], generator=generator)
        change = (network(new) - model(new)).abs().max().item()
        if certificate.exact:
            exact += 1
            assert change <= 1e-12 * max(model(new).abs().max().item(), 1.0)
            assert certificate.max_change <= 1e-12 * max(model(x).abs().max().item(), 1.0)
        else:
            felt, unfelt = felt + (change > 1e-9), unfelt + (change <= 1e-9)
    assert exact > 200
    assert felt > 5 * unfelt > 0  # only a ReLU that never speaks can hide what was removed


@given(silent_stacks, st.booleans())
def test_the_numbers_of_a_certificate_are_those_of_the_networks(model, fold):
    x = rows(model)
    y = torch.ones(len(x), model[-1].weight.shape[0], dtype=x.dtype)
    assume(min((layer.weight.shape[0] for layer in list(model)[:-1:2]), default=2) > 1)  # a layer of one cannot give it up
    network, c = prune(model, "connectivity", fraction=0.3, per_layer=True, x=x, y=y, fold=fold)
    assert c.parameters_before == count_parameters(model).total
    assert c.parameters_after == count_parameters(network).total
    assert c.macs_after == sum(layer.weight.numel() for layer in list(network)[::2])
    assert_close(c.max_change, (network(x) - model(x)).abs().max().item())
    assert_close(c.loss_before, nn.functional.mse_loss(model(x), y).item())
    assert_close(c.loss_after, nn.functional.mse_loss(network(x), y).item())


def test_multiply_accumulates_of_a_network_with_skip_links_are_those_of_its_cheaper_way():
    assert count_macs(SpectralNet([2, 300, 1])) == 3 * 300 + 300 + 3  # the explicit blocks
    assert count_macs(SpectralNet([9] * 6, bias=False)) == 9 * 81  # the recurrence: the blocks would be 15 * 81
    assert count_macs(SpectralNet([2, 4, 3, 1], update="adjacency")) == 3 * 2 * (12 + 12 + 3)
    assert count_macs(SpectralNet([2, 4, 1]).compact()) == 2


def test_a_certificate_reads_as_a_table_and_a_sentence():
    model = make_stack([3, 6, 2])
    x = rows(model)
    _, certificate = prune(model, "eigenvalue", keep=2, x=x, y=model(x).detach())
    text = str(certificate)
    assert text.splitlines()[1].split() == ["nodes", "3-6-2", "3-2-2"]
    assert "removed 4 of hidden layer 0 (by eigenvalue); not exact" in text
    assert "an output changes by" in text
    table = certificate._repr_markdown_().splitlines()
    assert table[2] == "| nodes | 3-6-2 | 3-2-2 |"
    assert table[5].startswith("| loss | 0 | ")
    quiet = str(compact(model).certificate)
    assert "removed none (by what is silent or constant); exact" in quiet
    assert "loss" not in quiet
    with pytest.raises(dataclasses.FrozenInstanceError):
        certificate.exact = True
    assert isinstance(certificate, Certificate)


@given(networks(min_blocks=2, max_blocks=3), st.sampled_from(sorted(RANKINGS)))
def test_every_ranking_prunes_a_network_with_skip_links(network, ranking):
    _, certificate = prune(network, ranking, fraction=0.5, x=inputs(network))
    assert certificate.ranking == ranking
    total = sum(network.nodes[1:-1])
    assert sum(certificate.removed) >= round(0.5 * total)


@pytest.mark.parametrize("first", [nn.BatchNorm1d(4), nn.Dropout(0.5), nn.ReLU(inplace=True)], ids=lambda m: type(m).__name__)
def test_what_stands_before_a_stack_is_judged_in_evaluation_mode_and_stays_as_it_is(first):
    model = nn.Sequential(first, *make_stack([4, 6, 3], dtype=torch.float32)).train()
    x, y = torch.randn(20, 4, generator=torch.Generator().manual_seed(0)), torch.randint(0, 3, (20,))
    before, images = copy.deepcopy(model.state_dict()), x.clone()
    certificate = compact(model, x=x).certificate
    assert certificate.max_change < 1e-5
    loss = prune(model, "row_norm", keep=3, x=x, y=y).certificate.loss_after
    assert_close(pruning_curve(model, "row_norm", x, y).loss[3].item(), loss)
    assert_close(dict(model.state_dict()), dict(before), rtol=0, atol=0)
    assert_close(x, images, rtol=0, atol=0)
    assert all(module.training for module in model.modules())
