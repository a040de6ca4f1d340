r"""The shape of a network: what passes through which neuron, how deep it really is, and its graph.

A hidden neuron is called *live* when something can pass through it: its path strength, the norm of its slice of the
path tensor Γ (SPARCS E.1), exceeds a threshold.  Not |λ|: under a penalty on λ alone, |λ| shrinks while φ grows, and
with a trainable λ_1 a neuron of eigenvalue 0 still receives a signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from spectral_lab.decomposition import Weights, path_strengths
from spectral_lab.direct import DirectNet
from spectral_lab.networks import SpectralNet

if TYPE_CHECKING:
    import networkx

LIVE = 1e-2  # path strength above which a neuron counts as live
SINGLE = 16  # nodes that stand in one column of the layout; more stand in zigzag, so that they can be drawn larger
ROWS = 40  # nodes in a zigzag before a layer is folded into several columns


class Structure(NamedTuple):
    """What is live in a network at one moment."""

    strengths: list[Tensor]  # path strength of every hidden neuron, one vector (N_i,) a hidden layer
    norm: float  # ‖Γ‖
    live: tuple[int, ...]  # live neurons in each hidden layer
    depth: int  # links on the longest path through live neurons; 1 for a perceptron
    weights: Weights  # all the blocks W_ij that the above was read off


@torch.no_grad()
def structure(network: SpectralNet, threshold: float = LIVE, masks: Sequence[Tensor] | None = None) -> Structure:
    """Path strengths, ‖Γ‖, live neurons and effective depth of a network.

    Args:
        network: read, never changed.
        threshold: path strength above which a neuron is live.
        masks: per hidden layer a vector of zeros and ones; a zero cuts all links into that neuron.
    """
    weights = network.weights()
    for (i, j), W in weights.items() if masks is not None else ():
        if i <= len(masks):  # type: ignore[arg-type]  # the output has no mask
            weights[i, j] = W * masks[i - 1].unsqueeze(-1)  # type: ignore[index]
    strengths, norm = path_strengths(weights, len(network.nodes))
    live = [s > threshold for s in strengths]
    counts = tuple(int(mask.sum()) for mask in live)
    return Structure(strengths, float(norm), counts, _depth(weights, live, threshold), weights)


def _depth(weights: Weights, live: Sequence[Tensor], threshold: float) -> int:
    """Links on the longest chain input → live neurons → output whose inner links exceed the threshold."""
    depth = [torch.zeros(weights[1, 0].shape[1], device=weights[1, 0].device)]
    for i, mask in enumerate(live, 1):
        longest = torch.ones_like(mask, dtype=depth[0].dtype)
        for j in range(1, i):
            linked = (weights[i, j].abs() > threshold) & live[j - 1]
            longest = torch.maximum(longest, torch.where(linked, depth[j] + 1, 0).amax(-1))
        depth.append(torch.where(mask, longest, 0))
    return int(max(layer.max().item() for layer in depth)) + 1


def path_tensor(network: SpectralNet) -> Tensor:
    r"""Γ_ijk = [W_32]_ij [W_21]_jk of a network with one hidden layer (SPARCS E.1): (n_out, n_hidden, n_in).

    The bias node, if any, is the last of the n_in.  For deeper networks see :func:`structure`.

    Raises:
        ValueError: the network does not have exactly one hidden layer.
    """
    if len(network.nodes) != 3:
        raise ValueError(
            f"the network has {len(network.nodes) - 2} hidden layers; Γ_ijk is defined for exactly 1, see structure()"
        )
    return torch.einsum("ij,jk->ijk", network.weight(2, 1), network.weight(1, 0))


def layout(nodes: Sequence[int], rows: int = ROWS) -> list[list[tuple[float, float]]]:
    """Places of all nodes in the unit square, layers as columns from left to right; y grows downwards.

    Depends on the sizes alone, so nodes stand still while the network trains.  A layer of more than ``SINGLE`` nodes
    stands in zigzag, one of more than ``rows`` is folded into several columns side by side.
    """
    places = []
    gap = 1 / (len(nodes) - 1)
    for i, n in enumerate(nodes):
        zigzag = SINGLE < n <= rows
        columns = 2 if zigzag else -(-n // rows)
        height = n if zigzag else -(-n // columns)
        room = 0.62 * gap if 0 < i < len(nodes) - 1 else 0.31 * gap  # the outer layers have room on one side only
        wide = min(room, 0.055 * (columns - 1))
        left = min(max(i * gap - wide / 2, 0.0), 1.0 - wide)
        spread = min(0.2 * (min(n, height) - 1), 1.0)  # few nodes stand close to the middle
        column = []
        for m in range(n):
            c, r = (m % 2, m) if zigzag else divmod(m, height)
            x = left + (0 if columns == 1 else wide * c / (columns - 1))
            y = 0.5 if height == 1 else 0.5 + spread * (r / (height - 1) - 0.5)
            column.append((min(x, 1.0), y))
        places.append(column)
    return places


@torch.no_grad()
def direct_graph(network: DirectNet) -> networkx.DiGraph:
    """A network in direct space as a graph with the attributes of :func:`graph`; it has biases instead of a bias node."""
    import networkx

    weights = {(i, j): W for i in range(network.n_layers) for j in range(i) if (W := network.weight(i, j)) is not None}
    nodes, last = network.nodes, network.n_layers - 1
    strengths, norm = path_strengths(weights, network.n_layers)
    drawn, places = networkx.DiGraph(sizes=list(nodes), path_norm=float(norm)), layout(nodes)
    for layer, n in enumerate(nodes):
        for m in range(n):
            relevance = strengths[layer - 1][m].item() if 0 < layer < last else None
            kind = "hidden" if 0 < layer < last else "output" if layer else "input"
            position = places[layer][m]
            drawn.add_node(
                (layer, m), layer=layer, kind=kind, eigenvalue=None, relevance=relevance, live=True, position=position
            )
    for (i, j), W in weights.items():
        for m, n in W.nonzero().tolist():
            drawn.add_edge((j, n), (i, m), weight=W[m, n].item(), kind="feed-forward" if i - j == 1 else "skip")
    return drawn


@torch.no_grad()
def graph(network: SpectralNet, *, threshold: float = LIVE, min_weight: float = 0.0) -> networkx.DiGraph:
    """The network as a networkx graph; its nodes are the pairs (layer, index), counted from 0.

    Node attributes: ``layer``, ``kind`` ("input", "bias", "hidden", "output"), ``eigenvalue``, ``relevance`` (path
    strength; None outside the hidden layers), ``live``, ``position``.  Link attributes: ``weight`` and ``kind``
    ("feed-forward" between adjacent layers, "skip" beyond).  Self-loops are left out.

    Args:
        network: read, never changed.
        threshold: path strength above which a hidden neuron is live.
        min_weight: links of at most this |weight| are left out; exact zeros always are.
    """
    import networkx

    shape = structure(network, threshold)
    last, places = len(network.nodes) - 1, layout(network.nodes)
    drawn = networkx.DiGraph(sizes=list(network.sizes), path_norm=shape.norm, effective_depth=shape.depth)
    for layer, n in enumerate(network.nodes):
        for m in range(n):
            hidden = 0 < layer < last
            bias = layer == 0 and network.bias and m == n - 1
            relevance = shape.strengths[layer - 1][m].item() if hidden else None
            drawn.add_node(
                (layer, m),
                layer=layer,
                kind="hidden" if hidden else "output" if layer else "bias" if bias else "input",
                eigenvalue=network.eigenvalues[layer][m].item(),
                relevance=relevance,
                live=relevance is None or relevance > threshold,
                position=places[layer][m],
            )
    for (i, j), W in shape.weights.items():
        kind = "feed-forward" if i - j == 1 else "skip"
        for m, n in (W.abs() > min_weight).nonzero().tolist():
            drawn.add_edge((j, n), (i, m), weight=W[m, n].item(), kind=kind)
    return drawn
