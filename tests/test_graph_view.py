"""The graph as it is sent: the weights can be rebuilt from a picture, and a picture of the largest network stays small."""

import json

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from spectral_lab.live import graph
from spectral_lab.live.frames import TYPES, pack
from spectral_lab.live.graph import FIXED_LINKS, STRONGEST
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.playground import SELDOM, VIEWS
from spectral_lab.topology import LIVE, layout, structure


def grown(**options):
    instrument = Instrument(**({"alpha": 1.0, "lr": 0.02} | options))
    instrument.run(40)
    return instrument


def blocks_from(nodes, links, weights):
    """{(i, j): W_ij} from what the browser gets: numbers of the nodes at both ends of each link, and its weight."""
    layer = np.repeat(range(len(nodes)), nodes)
    place = np.concatenate([np.arange(n) for n in nodes])
    blocks = {(i, j): torch.zeros(nodes[i], nodes[j]) for i in range(len(nodes)) for j in range(i)}
    for (source, target), weight in zip(links.tolist(), weights.tolist(), strict=True):
        blocks[layer[target], layer[source]][place[target], place[source]] = weight
    return blocks


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("hidden", [(1,), (4, 3), (300,)])
def test_every_view_says_what_stays_and_what_moves_in_types_that_can_be_sent(view, hidden):
    instrument = grown(hidden=hidden)
    for own, arrays in (view.scene(instrument), view.frame(instrument, instrument.sight())):
        assert json.loads(json.dumps(own, allow_nan=False)) is not None
        assert {f"{array.dtype.kind}{array.dtype.itemsize}" for array in arrays.values()} <= set(TYPES)


@pytest.mark.parametrize("hidden", [(1,), (6,), (4, 3), (2, 3, 4, 2), (300,)])
def test_the_weights_can_be_rebuilt_from_scene_and_frame(hidden):
    instrument = grown(hidden=hidden)
    own, fixed = graph.scene(instrument)
    moving, arrays = graph.frame(instrument, instrument.sight())
    weights = instrument.network.weights()
    rebuilt = blocks_from(own["nodes"], fixed["links"], arrays["weights"] * moving["scale"])
    assert own["nodes"] == list(instrument.network.nodes)
    largest = max(W.abs().max().item() for W in weights.values())
    assert_close(rebuilt, {ij: W.detach() for ij, W in weights.items()}, rtol=0, atol=largest / 65000)
    assert_close(torch.tensor(arrays["strength"]), torch.cat(structure(instrument.network).strengths))
    assert own["live"] == LIVE


def test_the_largest_usual_network_has_304_nodes_and_1203_links_and_its_bias_node_is_told():
    own, arrays = graph.scene(Instrument(hidden=(300,)))
    assert own["nodes"] == [3, 300, 1]
    assert own["bias"] is True
    assert len(arrays["places"]) == 304
    assert len(arrays["links"]) == 1203 <= FIXED_LINKS
    leaving_the_bias = arrays["links"][arrays["links"][:, 0] == 2]
    assert sorted(leaving_the_bias[:, 1].tolist()) == list(range(3, 304))


def test_nodes_stand_where_the_layout_puts_them():
    _, arrays = graph.scene(Instrument(hidden=(50, 2)))
    wanted = [xy for layer in layout((3, 50, 2, 1)) for xy in layer]
    np.testing.assert_allclose(arrays["places"], wanted, rtol=1e-6)


@pytest.mark.parametrize(("shown", "most"), [(set(VIEWS), 8000), (set(VIEWS) - set(SELDOM), 7000)], ids=["full", "light"])
def test_a_picture_of_300_neurons_is_small_with_its_header(shown, most):
    instrument = grown(hidden=(300,))
    instrument.threshold = 0.1
    sight = instrument.sight()
    pictures = {name: VIEWS[name].frame(instrument, sight) for name in shown}
    contents, buffer = pack({f"{name}.{key}": array for name, (_, own) in pictures.items() for key, array in own.items()})
    header = {"contents": contents, "words": instrument.words(sight)} | {name: own for name, (own, _) in pictures.items()}
    assert len(json.dumps(header)) + len(buffer) <= most


@pytest.mark.parametrize("hidden", [(40, 40), (300, 300, 300, 300)])
def test_of_too_many_links_the_strongest_are_sent_with_their_ends(hidden):
    instrument = Instrument(hidden=hidden)
    instrument.run(2)
    own, fixed = graph.scene(instrument)
    moving, arrays = graph.frame(instrument, instrument.sight())
    weights = {ij: W.detach() for ij, W in instrument.network.weights().items()}
    assert "links" not in fixed
    assert len(fixed["places"]) == 3 + sum(hidden) + 1
    assert arrays["links"].shape == (STRONGEST, 2)
    assert len({tuple(ends) for ends in arrays["links"].tolist()}) == STRONGEST
    sizes = torch.cat([W.abs().flatten() for W in weights.values()])
    weakest_sent = sizes.sort(descending=True).values[STRONGEST - 1]
    sent = blocks_from(own["nodes"], arrays["links"], arrays["weights"] * moving["scale"])
    tolerance = moving["scale"]
    for ij, W in weights.items():
        assert_close(sent[ij], torch.where(W.abs() >= weakest_sent, W, 0), rtol=0, atol=tolerance + 1e-7)
    assert len(pack({"links": arrays["links"], "weights": arrays["weights"]})[1]) == 6 * STRONGEST
