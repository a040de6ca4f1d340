"""What is known about the node under the hand: eigenvalue, relevance, strongest links, and what it sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from spectral_lab.live.frames import Arrays, quantised
from spectral_lab.live.instrument import Instrument, Sight

LINKS = 4  # the strongest, to be told


def scene(instrument: Instrument) -> tuple[dict[str, Any], Arrays]:
    """Nothing stays while a network trains."""
    return {}, {}


def frame(instrument: Instrument, sight: Sight) -> tuple[dict[str, Any], Arrays]:
    """The node that the hand points at, ``instrument.look`` = (layer from 0, index), or nothing."""
    network = instrument.network
    if instrument.look is None or not _exists(instrument.look, network.nodes):
        return {"node": None}, {}
    layer, n = instrument.look
    hidden = 0 < layer < len(network.nodes) - 1
    told: dict[str, Any] = {
        "node": [layer, n],
        "name": name(instrument, layer, n),
        "links": _strongest(instrument, sight, layer, n),
    }
    if hidden:
        told["eigenvalue"] = network.eigenvalues[layer][n].item()
        told["strength"] = sight.shape.strengths[layer - 1][n].item()
        told["on"] = (layer - 1, n) not in instrument.off
    values, sees = _sees(instrument, sight, layer, n)
    if values is None:
        return told, {}
    picture, scale = quantised(values.numpy(), np.int8)
    return {**told, "sees": sees, "scale": scale}, {"picture": picture}


def name(instrument: Instrument, layer: int, n: int) -> str:
    """How a node is called: an input or output by its own name, a hidden neuron by its place."""
    nodes, problem = instrument.network.nodes, instrument.problem
    if layer == 0:
        return problem.inputs[n] if n < len(problem.inputs) else "bias"
    if layer == len(nodes) - 1:
        return problem.outputs[n]
    return f"neuron {n}" if len(nodes) == 3 else f"neuron {n} of hidden layer {layer}"


def _exists(node: tuple[int, int], nodes: tuple[int, ...]) -> bool:
    return node[0] < len(nodes) and node[1] < nodes[node[0]]


def _strongest(instrument: Instrument, sight: Sight, layer: int, n: int) -> list[tuple[str, float]]:
    """(text, weight) of the strongest links into and out of a node."""
    links = []
    for (i, j), W in sight.shape.weights.items():
        if i == layer:
            links += [(f"← {name(instrument, j, m)}", W[n, m].item()) for m in _largest(W[n])]
        elif j == layer:
            links += [(f"→ {name(instrument, i, m)}", W[m, n].item()) for m in _largest(W[:, n])]
    return sorted(links, key=lambda link: -abs(link[1]))[:LINKS]


def _largest(weights: torch.Tensor) -> list[int]:
    return weights.abs().topk(min(LINKS, len(weights))).indices.tolist()


def _sees(instrument: Instrument, sight: Sight, layer: int, n: int) -> tuple[torch.Tensor | None, str]:
    """Its signal over the points of the fit; for images, the weights that it looks at the pixels with."""
    problem = instrument.problem
    if problem.kind != "table":
        return sight.signals[layer][:, n], problem.kind
    if problem.image is None or layer == 0:
        return None, ""
    return sight.shape.weights[layer, 0][n, : len(problem.inputs)], "image"
