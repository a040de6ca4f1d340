"""The node under the hand: its name, its eigenvalue, its strongest links, and what it sees."""

import json

import numpy as np
import pytest
import torch

from spectral_lab.live import hover
from spectral_lab.live.frames import pack
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.problem import GRID

RANDOM = np.random.default_rng(0)
X = RANDOM.random((60, 5))
TASKS = {
    "bowl": {},
    "ring": {"task": "ring"},
    "two hidden layers": {"hidden": (4, 3)},
    "three hidden layers": {"hidden": (3, 2, 3), "activation": "tanh"},
    "digits": {"task": "digits"},
    "one input": {"data": (X[:, 0], X[:, 0] ** 2)},
    "five inputs": {"data": (X, X.sum(1))},
    "two classes": {"data": (X[:, :2], ["no", "yes", "yes"] * 20)},
    "three classes": {"data": (X, ["a", "b", "c"] * 20)},
    "several outputs": {"data": (X[:, :2], X[:, 2:])},
}


def trained(**options):
    """An instrument whose neurons are all live, so that every link has a weight."""
    instrument = Instrument(**{"hidden": (5,), "lr": 0.02, **options})
    instrument.run(30)
    with torch.no_grad():
        for lam in instrument.network.hidden_eigenvalues():
            lam += torch.linspace(0.5, 2.0, len(lam))
    return instrument


@pytest.fixture(scope="module", params=TASKS)
def instrument(request):
    return trained(**TASKS[request.param])


def told(instrument, layer, n):
    instrument.look = (layer, n)
    own, arrays = hover.frame(instrument, instrument.sight())
    json.dumps(own, allow_nan=False)
    pack(arrays)
    return own, arrays


def some_nodes(instrument):
    """The first and last two nodes of every layer: the bias is among them."""
    nodes = instrument.network.nodes
    return [(layer, n) for layer, width in enumerate(nodes) for n in sorted({0, 1, width - 2, width - 1}) if 0 <= n < width]


def name_of(instrument, layer, n):
    """How a node should be called."""
    problem, nodes = instrument.problem, instrument.network.nodes
    if layer == 0:
        return [*problem.inputs, "bias"][n]
    if layer == len(nodes) - 1:
        return problem.outputs[n]
    return f"neuron {n}" if len(nodes) == 3 else f"neuron {n} of hidden layer {layer}"


def test_every_node_is_told_by_its_name(instrument):
    for layer, n in some_nodes(instrument):
        own, _ = told(instrument, layer, n)
        assert own["node"] == [layer, n]
        assert own["name"] == hover.name(instrument, layer, n) == name_of(instrument, layer, n)


def test_the_strongest_links_are_those_of_a_sort_of_all(instrument):
    weights = {ij: W.detach() for ij, W in instrument.network.weights().items()}
    for layer, n in some_nodes(instrument):
        links = []
        for (i, j), W in weights.items():
            for a in range(W.shape[0]):
                for b in range(W.shape[1]):
                    if (i, a) == (layer, n):
                        links.append((f"← {name_of(instrument, j, b)}", W[a, b].item()))
                    if (j, b) == (layer, n):
                        links.append((f"→ {name_of(instrument, i, a)}", W[a, b].item()))
        wanted = sorted(links, key=lambda link: -abs(link[1]))[:4]
        found = told(instrument, layer, n)[0]["links"]
        assert [abs(weight) for _, weight in found] == pytest.approx([abs(weight) for _, weight in wanted])
        assert set(found) <= set(links)
        assert len({text for text, _ in found}) == len(found) or instrument.task == "digits"


def test_only_hidden_neurons_have_an_eigenvalue_and_a_strength_to_tell(instrument):
    last, shape = len(instrument.network.nodes) - 1, instrument.sight().shape
    for layer, n in some_nodes(instrument):
        own, _ = told(instrument, layer, n)
        if 0 < layer < last:
            assert own["eigenvalue"] == instrument.network.eigenvalues[layer][n].item()
            assert own["strength"] == shape.strengths[layer - 1][n].item()
            assert own["on"] is True
        else:
            assert not {"eigenvalue", "strength", "on"} & set(own)


def test_what_a_node_sees_is_its_signal_over_the_picture_or_its_weights_of_the_pixels(instrument):
    problem, network = instrument.problem, instrument.network
    for layer, n in some_nodes(instrument):
        own, arrays = told(instrument, layer, n)
        if problem.kind == "table" and (problem.image is None or layer == 0):
            assert arrays == {}
            assert "sees" not in own
            continue
        picture = arrays["picture"] * own["scale"]
        if problem.image is not None:
            assert own["sees"] == "image"
            wanted = network.weight(layer, 0)[n, :64]
        else:
            assert own["sees"] == problem.kind
            assert len(picture) == {"square": GRID**2, "line": GRID**2 // 4}[problem.kind]
            wanted = network.signals(problem.points)[layer][:, n]
        np.testing.assert_allclose(picture, wanted.detach().numpy(), atol=5e-3 * max(1.0, wanted.abs().max().item()))


@pytest.mark.parametrize("look", [None, (3, 0), (99, 0), (0, 3), (1, 5), (2, 1), (10**9, 10**9)], ids=str)
def test_a_look_at_no_node_of_this_network_is_nothing(look):
    instrument = trained()
    instrument.look = look
    assert hover.frame(instrument, instrument.sight()) == ({"node": None}, {})
    assert hover.scene(instrument) == ({}, {})


def test_a_look_that_a_smaller_network_no_longer_has_is_nothing():
    instrument = trained()
    instrument.look = (1, 4)
    instrument.hidden = (3,)
    assert hover.frame(instrument, instrument.sight())[0] == {"node": None}
    instrument.look = (1, 2)
    assert hover.frame(instrument, instrument.sight())[0]["name"] == "neuron 2"


def test_a_neuron_that_is_switched_off_says_so_and_sees_nothing():
    instrument = trained()
    instrument.switch(0, 2, False)
    own, arrays = told(instrument, 1, 2)
    assert (own["on"], own["strength"], own["scale"]) == (False, 0.0, 0.0)
    assert not arrays["picture"].any()
    assert all(weight == 0 for text, weight in own["links"] if text.startswith("←"))
    assert told(instrument, 1, 1)[0]["on"] is True


def test_looking_changes_nothing():
    instrument, other = trained(), trained()
    for node in some_nodes(instrument):
        told(instrument, *node)
    assert instrument.state == other.state
    assert (instrument.can_undo, instrument.step) == (other.can_undo, other.step)
    for mine, theirs in zip(instrument.network.parameters(), other.network.parameters(), strict=True):
        assert torch.equal(mine, theirs)
