"""The network graph as the browser draws it: places of nodes and links once, weights and strengths with each picture."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np
import torch

from spectral_lab.live.frames import Arrays, quantised
from spectral_lab.live.instrument import Instrument, Sight
from spectral_lab.topology import LIVE, layout

FIXED_LINKS = 1500  # up to here every link is sent with every picture, without its ends
STRONGEST = 900  # beyond it, only so many of the strongest, with their ends


def scene(instrument: Instrument) -> tuple[dict[str, Any], Arrays]:
    """What stays while a network trains: layers, places, and the ends of the links if there are not too many."""
    nodes, bias = instrument.network.nodes, instrument.network.bias
    places = np.array([xy for layer in layout(nodes) for xy in layer], np.float32)
    arrays = {"places": places}
    if _n_links(nodes) <= FIXED_LINKS:
        arrays["links"] = _ends(nodes)
    names = {"inputs": instrument.problem.inputs, "outputs": instrument.problem.outputs}
    return {"nodes": list(nodes), "bias": bias, "live": LIVE, **names}, arrays


def frame(instrument: Instrument, sight: Sight) -> tuple[dict[str, Any], Arrays]:
    """Weights of the links, path strengths of the hidden neurons, and which of these are switched off."""
    nodes = instrument.network.nodes
    blocks = sight.shape.weights
    weights = torch.cat([blocks[ij].flatten() for ij in sorted(blocks)]).numpy()
    arrays: Arrays = {"strength": torch.cat(sight.shape.strengths).numpy()}
    if _n_links(nodes) > FIXED_LINKS:
        strongest = np.argpartition(np.abs(weights), -STRONGEST)[-STRONGEST:]
        arrays["links"] = _ends(nodes)[strongest]
        weights = weights[strongest]
    arrays["weights"], scale = quantised(weights)
    first = [0, *accumulate(instrument.hidden)]
    return {"scale": scale, "off": sorted(first[layer] + n for layer, n in instrument.off)}, arrays


def _n_links(nodes: tuple[int, ...]) -> int:
    return sum(nodes[i] * nodes[j] for i in range(len(nodes)) for j in range(i))


def _ends(nodes: tuple[int, ...]) -> np.ndarray:
    """(source, target) of every link, nodes numbered through all layers, in the order of ``sorted(weights)``: (n_links, 2)."""
    first = np.concatenate([[0], np.cumsum(nodes)])
    ends = []
    for i in range(1, len(nodes)):
        for j in range(i):
            target, source = np.indices((nodes[i], nodes[j])).reshape(2, -1)
            ends.append(np.stack([source + first[j], target + first[i]], axis=1))
    return np.concatenate(ends).astype(np.uint16)
