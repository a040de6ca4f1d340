"""Networks in direct space: their layers, read off the weights, and their outputs against plain loops."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import inputs, networks, seeds, uniform, widths
from torch.testing import assert_close

from spectral_lab import DirectNet


@st.composite
def direct_networks(draw):
    """Any DirectNet in which every layer but the first has some link from below, and every layer but the last one upwards."""
    nodes = draw(st.lists(widths, min_size=2, max_size=5))
    generator, last = torch.Generator().manual_seed(draw(seeds)), len(nodes) - 1
    pairs = {(i, i - 1) for i in range(1, last + 1)}
    pairs |= draw(st.sets(st.sampled_from([(i, j) for i in range(1, last + 1) for j in range(i)])))
    weights = {(i, j): uniform(nodes[i], nodes[j], generator=generator) for i, j in draw(st.permutations(sorted(pairs)))}
    biases = [uniform(n, generator=generator) if draw(st.booleans()) else None for n in nodes[1:]]
    return nodes, DirectNet(weights, biases, torch.tanh), uniform(3, nodes[0], generator=generator)


@given(direct_networks())
def test_the_layers_are_those_of_the_weights_in_whatever_order_these_come(drawn):
    nodes, network, x = drawn
    assert network.nodes == tuple(nodes)
    assert network.n_layers == len(nodes)
    assert network(x).shape == (3, nodes[-1])


@given(direct_networks())
def test_the_output_is_that_of_a_loop_over_all_links(drawn):
    nodes, network, x = drawn
    for row, output in zip(x.tolist(), network(x).tolist(), strict=True):
        signals = [row]
        for i, n in enumerate(nodes[1:], 1):
            z = network.biases[str(i)].tolist() if str(i) in network.biases else [0.0] * n
            for j in range(i):
                if network.weight(i, j) is not None:
                    W = network.weight(i, j).tolist()
                    z = [v + sum(w * s for w, s in zip(W[m], signals[j], strict=True)) for m, v in enumerate(z)]
            signals.append(z if i == len(nodes) - 1 else torch.tensor(z, dtype=torch.float64).tanh().tolist())
        assert_close(output, signals[-1])


@given(networks(zeros=0.5), st.sampled_from([0.0, 0.3, float("inf")]))
def test_the_layers_of_a_compacted_network_are_those_of_its_report(network, threshold):
    compact = network.compact(threshold)
    assert compact.nodes == compact.report.nodes_after
    assert compact(inputs(network)).shape == (7, compact.nodes[-1])


def test_there_is_no_weight_between_layers_that_are_not_linked():
    network = DirectNet({(1, 0): torch.ones(2, 3), (2, 1): torch.ones(1, 2)}, [None, None], torch.relu)
    assert network.weight(2, 0) is None
    assert network.nodes == (3, 2, 1)
    assert len(network.biases) == 0
