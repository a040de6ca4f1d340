"""What is live, how deep a network is, and its graph, against the definitions."""

import math
from itertools import pairwise

import networkx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import inputs, masked_networks, networks, randomise, sizes
from torch.testing import assert_close

from spectral_lab import DirectNet, SpectralNet, graph, path_tensor, structure
from spectral_lab.decomposition import path_strengths
from spectral_lab.topology import direct_graph, layout

LAYERS = pytest.mark.parametrize("nodes", [[2, 1], [2, 30, 1], [64, 100, 10], [2, 5, 4, 3, 1]], ids=str)


def perceptron(nodes):
    """The start: every eigenvalue 0 but those of the last layer."""
    return SpectralNet(nodes, generator=torch.Generator().manual_seed(0))


# -- structure ---------------------------------------------------------------------------------------------------------


@given(networks(min_blocks=2, max_blocks=2, zeros=0.3))
def test_with_one_hidden_layer_the_structure_is_that_of_gamma(network):
    W_in, W_out = network.weight(1, 0), network.weight(2, 1)
    found = structure(network, threshold=0.3)
    strengths = torch.stack([W_in[j].norm() * W_out[:, j].norm() for j in range(network.sizes[1])])
    assert_close(found.strengths, [strengths], check_stride=False)
    assert_close(found.norm, strengths.square().sum().sqrt().item())
    assert found.live == (sum(s > 0.3 for s in strengths.tolist()),)
    assert found.depth == (2 if found.live[0] else 1)


@given(networks(min_blocks=2, max_blocks=2))
def test_path_tensor_is_the_product_of_the_two_weights_of_every_path(network):
    Gamma, W_in, W_out = path_tensor(network), network.weight(1, 0), network.weight(2, 1)
    n_in, n_hidden, n_out = network.nodes
    assert Gamma.shape == (n_out, n_hidden, n_in)
    for i, j, k in torch.cartesian_prod(torch.arange(n_out), torch.arange(n_hidden), torch.arange(n_in)).tolist():
        assert_close(Gamma[i, j, k], W_out[i, j] * W_in[j, k])
    assert_close(structure(network).norm, Gamma.norm().item())


@pytest.mark.parametrize("nodes", [[2, 1], [2, 3, 3, 1]], ids=str)
def test_path_tensor_wants_exactly_one_hidden_layer(nodes):
    with pytest.raises(ValueError, match=rf"the network has {len(nodes) - 2} hidden layers; .* exactly 1, see structure\(\)"):
        path_tensor(SpectralNet(nodes))


@pytest.mark.parametrize("nodes", [[2, 1], [2, 30, 1], [2, 8, 8, 2]], ids=str)
def test_a_perceptron_has_depth_one_and_nothing_live(nodes):
    found = structure(perceptron(nodes))
    assert found.live == (0,) * (len(nodes) - 2)
    assert (found.norm, found.depth) == (0.0, 1)


def test_a_neuron_of_eigenvalue_zero_is_live_when_the_input_layer_feeds_it():
    """The λ_1 trap: W_21 = φ_1 L_1 - L_2 φ_1 lives on through λ_1 when every hidden λ is 0."""
    network = perceptron([2, 30, 1])
    assert structure(network).live == (0,)
    with torch.no_grad():
        network.eigenvalues[0].fill_(1.0)
    assert network.hidden_eigenvalues()[0].abs().max() == 0
    found = structure(network)
    assert found.live[0] > 20
    assert found.depth == 2


def test_a_neuron_with_an_eigenvalue_is_dead_when_nothing_leaves_it():
    network = randomise(SpectralNet([2, 4, 1], train_input_eigenvalues=False), input_eigenvalues=False)
    with torch.no_grad():
        network.eigenvalues[1].fill_(1.0)
        network.eigenvectors[1][:, 2] = 0
        network.eigenvectors[1][:, :2] = 0.9
        network.eigenvectors[0][:, 0] = 0.9
        network.eigenvalues[2].fill_(0.2)
    found = structure(network)
    assert found.strengths[0][2] == 0
    assert found.live[0] == int((found.strengths[0] > 0.01).sum()) <= 3


def test_live_does_not_change_when_eigenvalues_are_traded_for_eigenvectors():
    """λ → cλ, φ → φ/c of both bundles leaves W_21 and W_32 alone, so |λ| says nothing of what passes through."""
    network = randomise(SpectralNet([2, 12, 1]), input_eigenvalues=False)
    with torch.no_grad():
        network.eigenvalues[2].zero_()
    before = structure(network)
    with torch.no_grad():
        network.eigenvalues[1] *= 1e-4
        network.eigenvectors[0] *= 1e4
        network.eigenvectors[1] *= 1e4
    after = structure(network)
    assert network.eigenvalues[1].abs().max() < 1e-4
    assert before.live == after.live != (0,)
    assert_close(after.strengths, before.strengths)


def test_threshold_decides_what_is_live():
    network = randomise(SpectralNet([2, 10, 1]))
    strengths = structure(network).strengths[0]
    for threshold in (0.0, 0.1, strengths.max().item()):
        assert structure(network, threshold).live == (sum(s > threshold for s in strengths.tolist()),)
    assert structure(network, strengths.max().item()).depth == 1


def chain(eigenvectors, eigenvalues):
    """A network [1, 1, …, 1] without bias, from numbers."""
    network = SpectralNet([1] * len(eigenvalues), bias=False, dtype=torch.float64)
    with torch.no_grad():
        for p, value in zip(network.parameters(), [*eigenvectors, *eigenvalues], strict=True):
            p.fill_(value)
    return network


@pytest.mark.parametrize(
    ("eigenvalues", "live", "depth"),
    [
        ([0, 0, 0, 1], (0, 0), 1),  # W_41 alone is left
        ([0, 1, 1, 0], (1, 0), 2),  # W_32 = φ (λ_2 - λ_3) = 0: nothing enters the second, the first skips it
        ([0, 1, 0, 0], (0, 0), 1),  # W_43 = W_42 = 0: nothing leaves
        ([0, 0, 1, 0], (0, 1), 2),  # W_21 = 0: nothing enters the first
        ([0, 1, 3, 7], (1, 1), 3),
    ],
    ids=str,
)
def test_depth_is_the_number_of_links_on_the_longest_live_chain(eigenvalues, live, depth):
    found = structure(chain([1, 1, 1], eigenvalues))
    assert (found.live, found.depth) == (live, depth)


def test_a_weak_link_between_two_live_neurons_does_not_make_the_network_deeper():
    """W_32 = 0.005 lies under the threshold 0.01; the second neuron lives on W_31 = -W_32 φ_1 = -0.5."""
    network = chain([100, 1, 1], [0, 1, 0.995, 0])
    assert_close(network.weight(2, 1).item(), 0.005)
    found = structure(network)
    assert (found.live, found.depth) == ((1, 1), 2)
    assert structure(network, threshold=0.001).depth == 3


def longest_live_chain(network, strengths, threshold, weights=None):
    """By recursion over all chains of live neurons."""
    weights, hidden = weights or network.weights(), range(1, len(network.nodes) - 1)
    live = {(i, n) for i in hidden for n in range(network.nodes[i]) if strengths[i - 1][n] > threshold}

    def ends_at(i, n):
        before = [(j, m) for j, m in live if j < i and weights[i, j][n, m].abs() > threshold]
        return 1 + max((ends_at(j, m) for j, m in before), default=0)

    return 1 + max((ends_at(i, n) for i, n in live), default=0)


@given(networks(max_blocks=4, zeros=0.7), st.sampled_from([0.01, 0.1, 0.5, 1.0]))
def test_depth_is_that_of_the_longest_chain_of_live_neurons(network, threshold):
    found = structure(network, threshold)
    assert found.depth == longest_live_chain(network, found.strengths, threshold)


@given(masked_networks(zeros=0.2), st.sampled_from([0.01, 0.3]))
def test_a_neuron_that_is_switched_off_counts_as_if_nothing_led_into_it(drawn, threshold):
    network, masks = drawn
    weights = {ij: W.detach().clone() for ij, W in network.weights().items()}
    for i, mask in enumerate(masks, 1):
        for n in (mask == 0).nonzero().flatten().tolist():
            for j in range(i):
                weights[i, j][n] = 0
    strengths, norm = path_strengths(weights, len(network.nodes))
    found = structure(network, threshold, masks)
    assert_close(found.strengths, strengths)
    assert_close(found.norm, norm.item())
    assert_close(found.weights, weights)
    assert found.live == tuple(sum(v > threshold for v in s.tolist()) for s in strengths)
    assert found.depth == longest_live_chain(network, strengths, threshold, weights)
    for strength, mask in zip(found.strengths, masks, strict=True):
        assert (strength[mask == 0] == 0).all()
    assert_close(network.weights(), {ij: W.detach() for ij, W in network.weights().items()}, rtol=0, atol=0)


@given(networks())
def test_structure_hands_over_the_weights_and_changes_nothing(network):
    before = {name: p.clone() for name, p in network.state_dict().items()}
    found = structure(network)
    assert_close(found.weights, network.weights())
    assert not any(s.requires_grad for s in found.strengths)
    assert_close(dict(network.state_dict()), before, rtol=0, atol=0)


# -- layout ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 200), min_size=2, max_size=5))
def test_nodes_stand_in_the_unit_square_and_no_two_in_one_place(nodes):
    places = layout(nodes)
    assert [len(layer) for layer in places] == nodes
    flat = [place for layer in places for place in layer]
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in flat)
    assert len({(round(x, 9), round(y, 9)) for x, y in flat}) == len(flat)


@given(st.lists(st.integers(1, 200), min_size=2, max_size=5))
def test_layers_stand_from_left_to_right_without_overlap(nodes):
    places = layout(nodes)
    for left, right in pairwise(places):
        assert max(x for x, _ in left) < min(x for x, _ in right)


@pytest.mark.parametrize("nodes", [[3, 300, 1], [785, 100, 10], [784, 784]], ids=str)
def test_wide_layers_are_folded_into_columns(nodes):
    places = layout(nodes)
    for layer in places:
        assert len(set(layer)) == len(layer)
        columns = {}
        for x, y in layer:
            columns.setdefault(round(x, 9), []).append(y)
        assert all(len(column) <= 40 for column in columns.values())
    assert min(math.dist(a, b) for a in places[0] for b in places[-1]) > 0.1


def test_small_networks_stand_on_a_grid_symmetric_about_the_middle():
    assert layout([1, 2, 1]) == [[(0.0, 0.5)], [(0.5, 0.4), (0.5, 0.6)], [(1.0, 0.5)]]


def test_nodes_stand_still_while_the_network_changes():
    network = perceptron([2, 30, 1])
    before = networkx.get_node_attributes(graph(network), "position")
    assert networkx.get_node_attributes(graph(randomise(network)), "position") == before
    assert before == {(i, m): place for i, layer in enumerate(layout(network.nodes)) for m, place in enumerate(layer)}


# -- graph -------------------------------------------------------------------------------------------------------------


@given(networks(max_blocks=3, zeros=0.3))
def test_the_graph_has_every_node_with_its_attributes(network):
    drawn, shape = graph(network, threshold=0.2), structure(network, 0.2)
    last = len(network.nodes) - 1
    assert set(drawn) == {(i, m) for i, n in enumerate(network.nodes) for m in range(n)}
    for (layer, m), node in drawn.nodes(data=True):
        hidden = 0 < layer < last
        bias = layer == 0 and network.bias and m == network.nodes[0] - 1
        assert node["layer"] == layer
        assert node["kind"] == ("bias" if bias else "input" if layer == 0 else "output" if layer == last else "hidden")
        assert node["eigenvalue"] == network.eigenvalues[layer][m].item()
        assert node["relevance"] == (shape.strengths[layer - 1][m].item() if hidden else None)
        assert node["live"] == (not hidden or node["relevance"] > 0.2)
    assert drawn.graph == {"sizes": list(network.sizes), "path_norm": shape.norm, "effective_depth": shape.depth}
    for i, live in enumerate(shape.live, 1):
        assert live == sum(node["live"] for _, node in drawn.nodes(data=True) if node["layer"] == i)


@given(networks(max_blocks=3, zeros=0.3), st.sampled_from([0.0, 0.3]))
def test_the_links_are_the_weights_above_the_minimum(network, min_weight):
    drawn = graph(network, min_weight=min_weight)
    weights = network.weights()
    wanted = {
        ((j, n), (i, m)): (W[m, n].item(), "feed-forward" if i == j + 1 else "skip")
        for (i, j), W in weights.items()
        for m in range(W.shape[0])
        for n in range(W.shape[1])
        if abs(W[m, n].item()) > min_weight
    }
    assert {(a, b): (link["weight"], link["kind"]) for a, b, link in drawn.edges(data=True)} == wanted
    assert not list(networkx.selfloop_edges(drawn))


@LAYERS
def test_the_perceptron_is_drawn_with_links_from_input_to_output_only(nodes):
    kinds = {(a[0], b[0]) for a, b in graph(SpectralNet(nodes)).edges}
    assert (0, len(nodes) - 1) in kinds
    assert all(b == len(nodes) - 1 for _, b in kinds)


@given(sizes(1, 3))
def test_the_graph_leaves_the_network_alone(nodes):
    network = randomise(SpectralNet(nodes))
    before = {name: p.clone() for name, p in network.state_dict().items()}
    graph(network)
    assert_close(dict(network.state_dict()), before, rtol=0, atol=0)


# -- the graph of a network in direct space ----------------------------------------------------------------------------


@given(networks(zeros=0.3), st.sampled_from([0.0, 0.5]))
def test_the_graph_of_a_compacted_network_has_the_attributes_of_the_other_graph(network, threshold):
    drawn, other = direct_graph(network.compact(threshold)), graph(network)
    assert isinstance(drawn, networkx.DiGraph)
    assert set(drawn.graph) <= set(other.graph)
    attributes = set(next(iter(other.nodes.values())))
    assert all(set(node) == attributes for node in drawn.nodes.values())
    assert all(set(link) == {"weight", "kind"} for link in drawn.edges.values())


@given(networks(zeros=0.3), st.sampled_from([0.0, 0.5]))
def test_the_graph_of_a_compacted_network_computes_what_the_network_computes(network, threshold):
    """Signals passed along the links, node by node, with the network's own biases."""
    compact = network.compact(threshold)
    drawn, nodes, last = direct_graph(compact), compact.nodes, compact.n_layers - 1
    x = inputs(network, n=2)
    values = {(0, m): x[:, m] for m in range(nodes[0])}
    for layer in range(1, last + 1):
        for m in range(nodes[layer]):
            z = torch.zeros_like(x[:, 0])
            if str(layer) in compact.biases:
                z = z + compact.biases[str(layer)][m].detach()
            for source, _, link in drawn.in_edges((layer, m), data=True):
                z = z + link["weight"] * values[source]
            values[layer, m] = z if layer == last else network.activation(z)
    wanted = compact(x).detach()
    assert_close(torch.stack([values[last, m] for m in range(nodes[last])], dim=1), wanted)


def test_the_graph_of_a_direct_network_by_hand():
    weights = {(1, 0): torch.tensor([[1.0, 0.0], [2.0, -3.0]]), (2, 1): torch.tensor([[5.0, 0.5]]), (2, 0): torch.ones(1, 2)}
    drawn = direct_graph(DirectNet(weights, [None, torch.ones(1)], torch.relu))
    links = {(a, b): (link["weight"], link["kind"]) for a, b, link in drawn.edges(data=True)}
    assert links == {
        ((0, 0), (1, 0)): (1.0, "feed-forward"),
        ((0, 0), (1, 1)): (2.0, "feed-forward"),
        ((0, 1), (1, 1)): (-3.0, "feed-forward"),
        ((1, 0), (2, 0)): (5.0, "feed-forward"),
        ((1, 1), (2, 0)): (0.5, "feed-forward"),
        ((0, 0), (2, 0)): (1.0, "skip"),
        ((0, 1), (2, 0)): (1.0, "skip"),
    }
    kinds = {node: a["kind"] for node, a in drawn.nodes(data=True)}
    assert kinds == {(0, 0): "input", (0, 1): "input", (1, 0): "hidden", (1, 1): "hidden", (2, 0): "output"}
    relevances = [drawn.nodes[1, m]["relevance"] for m in (0, 1)]
    assert relevances == pytest.approx([5.0, 0.5 * 13**0.5])
    assert drawn.graph["path_norm"] == pytest.approx(math.hypot(*relevances))
    assert drawn.graph["sizes"] == [2, 2, 1]
    assert all(a["live"] and a["eigenvalue"] is None for a in drawn.nodes.values())
    assert [a["position"] for a in drawn.nodes.values()] == [place for layer in layout([2, 2, 1]) for place in layer]


@given(networks(min_blocks=2, max_blocks=2, bias=False, activation=torch.tanh, update="blocks"))
def test_the_relevance_of_a_neuron_is_the_same_before_and_after_compaction(network):
    compact = network.compact()
    assert compact.report.removed == (0, 0, 0)
    before, after = graph(network), direct_graph(compact)
    for node, attributes in before.nodes.items():
        if attributes["kind"] == "hidden":
            assert after.nodes[node]["relevance"] == pytest.approx(attributes["relevance"])
    assert after.graph["path_norm"] == pytest.approx(before.graph["path_norm"])


@given(networks(max_blocks=3, zeros=0.3))
def test_the_graph_leaves_the_direct_network_alone(network):
    compact = network.compact()
    before = {name: p.clone() for name, p in compact.state_dict().items()}
    direct_graph(compact)
    assert_close(dict(compact.state_dict()), before, rtol=0, atol=0)
