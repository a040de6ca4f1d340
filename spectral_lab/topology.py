r"""The shape of a network: what passes through which neuron, how wide and deep it really is, its paths, and its graph.

A hidden neuron is called *live* when something can pass through it: its path strength, the norm of its slice of the
path tensor Γ (SPARCS E.1), exceeds a threshold.  Not |λ|: under a penalty on λ alone, |λ| shrinks while φ grows, and
with a trainable λ_1 a neuron of eigenvalue 0 still receives a signal.

All that is said here holds for a :class:`~spectral_lab.networks.SpectralNet`, a :class:`~spectral_lab.direct.DirectNet` and
stacks of layers (:mod:`spectral_lab.stacks`).  Paths begin at an input; what a bias sends is no path, but the bias node of a
SpectralNet is an input.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from spectral_lab.decomposition import Weights, path_strengths
from spectral_lab.direct import DirectNet
from spectral_lab.layers import SpectralLinear
from spectral_lab.networks import SpectralNet, available_memory
from spectral_lab.stacks import read_stack
from spectral_lab.unfolding import unfold

if TYPE_CHECKING:
    import networkx

LIVE = 1e-2  # path strength above which a neuron counts as live
SINGLE = 16  # nodes that stand in one column of the layout; more stand in zigzag, so that they can be drawn larger
ROWS = 40  # nodes in a zigzag before a layer is folded into several columns


# -- width and depth ---------------------------------------------------------------------------------------------------


class Structure(NamedTuple):
    """What is live in a network at one moment."""

    strengths: list[Tensor]  # path strength of every hidden neuron, one vector (N_i,) a hidden layer
    norm: float  # ‖Γ‖
    live: tuple[int, ...]  # live neurons in each hidden layer
    depth: int  # links on the longest path through live neurons; 1 for a perceptron, 0 where nothing passes through a stack
    weights: Weights  # all the blocks W_ij that the above was read off

    @property
    def width(self) -> int:
        """Effective width: live neurons of the hidden layer that has most of them."""
        return max(self.live, default=0)


@torch.no_grad()
def structure(network: nn.Module, threshold: float = LIVE, masks: Sequence[Tensor] | None = None) -> Structure:
    """Path strengths, ‖Γ‖, live neurons and effective depth of a network.

    >>> from spectral_lab.layers import feed_forward
    >>> shape = structure(feed_forward([64, 30, 20, 10], nn.Linear))
    >>> shape.live, shape.width, shape.depth
    ((30, 20), 30, 3)

    Args:
        network: a SpectralNet, a DirectNet or a stack; read, never changed.
        threshold: path strength above which a neuron is live, and |weight| above which a link between two such counts.
        masks: per hidden layer a vector of zeros and ones; a zero cuts all links into that neuron.

    Raises:
        TypeError, ValueError: another kind of network, or NaN in a stack (:func:`~spectral_lab.unfolding.unfold`).
    """
    weights, nodes = _links(network)
    for (i, j), W in weights.items() if masks is not None else ():
        if i <= len(masks):  # type: ignore[arg-type]  # the output has no mask
            weights[i, j] = W * masks[i - 1].unsqueeze(-1)  # type: ignore[index]
    strengths, norm = path_strengths(weights, len(nodes))
    live = [s > threshold for s in strengths]
    counts = tuple(int(mask.sum()) for mask in live)
    return Structure(strengths, float(norm), counts, _depth(weights, live, threshold), weights)


def _links(network: nn.Module) -> tuple[Weights, tuple[int, ...]]:
    """All blocks of weights, and the sizes of the layers that they connect."""
    if isinstance(network, SpectralNet):
        return network.weights(), network.nodes
    unfolded = unfold(network)
    return unfolded.weights, unfolded.nodes


def _depth(weights: Weights, live: Sequence[Tensor], threshold: float) -> int:
    """Links on the longest chain input → live neurons → output whose inner links exceed the threshold.

    A neuron without such a link from another live one stands as near to the input as the blocks of weights allow.
    """
    last = len(live) + 1
    near, far = [0], {last: 0}  # fewest links from the input, and to the output
    for i in range(1, last + 1):
        near.append(1 + min(near[j] for j in range(i) if (i, j) in weights))
    for j in range(last - 1, 0, -1):
        far[j] = 1 + min(far[i] for i in far if (i, j) in weights)
    depth = [torch.zeros(weights[1, 0].shape[1], device=weights[1, 0].device)]
    for i, mask in enumerate(live, 1):
        longest = torch.full_like(mask, near[i], dtype=depth[0].dtype)
        for j in range(1, i):
            if (i, j) in weights:
                linked = (weights[i, j].abs() > threshold) & live[j - 1]
                longest = torch.maximum(longest, torch.where(linked, depth[j] + 1, 0).amax(-1))
        depth.append(torch.where(mask, longest, 0))
    deepest = [int(depth[i].max().item()) for i in range(1, last)]
    return max([n + far[i] for i, n in enumerate(deepest, 1) if n], default=int((last, 0) in weights))


# -- paths -------------------------------------------------------------------------------------------------------------


def path_tensor(network: nn.Module, last: int | None = None) -> Tensor:
    r"""The product of the weights along every path from the input to a layer: (N_last, …, N_1, N_0).

    .. math:: \Gamma_{i_L \dots i_1 i_0} = W^{(L)}_{i_L i_{L-1}} \cdots W^{(2)}_{i_2 i_1} W^{(1)}_{i_1 i_0}

    With one hidden layer, and paths to the output, this is Γ_ijk = [W_32]_ij [W_21]_jk of SPARCS E.1.  Student Eq. 11 is
    ``last=2``: its Γ^{i_1}_{i_0,i_2} stands at [i_2, i_1, i_0], and there are N_0·h·N_2 entries.  The bias node of a
    SpectralNet is the last of layer 0.  Through skip links lead paths of other lengths; they are not in Γ.

    >>> from spectral_lab.layers import feed_forward
    >>> path_tensor(feed_forward([10, 40, 20, 1], nn.Linear), last=2).shape
    torch.Size([20, 40, 10])

    Args:
        network: a SpectralNet, a DirectNet or a stack; read, never changed.
        last: the layer at which the paths end, counted from 0, the input; None is the output.

    Raises:
        ValueError: no such layer; or skip links, and other than one layer between the input and the last.
        TypeError: another kind of network.
        MemoryError: the tensor would need more memory than there is.
    """
    matrices = _matrices(network, last)
    _check_paths(matrices, matrices[0].element_size())
    Gamma = matrices[0]
    for W in matrices[1:]:
        Gamma = W.reshape(*W.shape, *[1] * (Gamma.dim() - 1)) * Gamma
    return Gamma


@torch.no_grad()
def path_distribution(network: nn.Module, last: int | None = None) -> Tensor:
    """The entries of the path tensor in ascending order, signs kept (Student Fig. 4): (number of paths,).

    In this form networks of different widths can be compared, whatever the order of their nodes: draw each over
    ``torch.linspace(0, 1, len(paths))``.

    Args:
        network, last: of :func:`path_tensor`; the paper takes a pruned student, and last=2.

    Raises:
        ValueError, TypeError, MemoryError: as :func:`path_tensor`.
    """
    matrices = _matrices(network, last)
    _check_paths(matrices, 2 * matrices[0].element_size() + 8)  # sorted, unsorted, and the order
    return path_tensor(network, last).flatten().sort().values


def path_distance(paths: Tensor, others: Tensor) -> float:
    r"""Area between two sorted distributions of paths drawn over [0, 1] (Student Fig. 4), as a share of the second's own.

    .. math:: \int_0^1 |\Gamma(u) - \Gamma'(u)|\,du \,\Big/ \int_0^1 |\Gamma'(u)|\,du

    0 for equal distributions, 1 for a network without paths.

    >>> path_distance(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0, 1.0, 1.0]))
    1.0

    Args:
        paths, others: of :func:`path_distribution`, of any lengths.
    """
    ends = torch.cat([torch.linspace(0, 1, len(p) + 1, dtype=torch.float64) for p in (paths, others)]).unique()
    middles = (ends[1:] + ends[:-1]) / 2
    steps = [p.double()[(middles * len(p)).long().clamp_max(len(p) - 1)] for p in (paths, others)]
    widths = ends.diff()
    return float((widths * (steps[0] - steps[1]).abs()).sum() / (widths * steps[1].abs()).sum())


def _matrices(network: nn.Module, last: int | None) -> list[Tensor]:
    """Weights between adjacent layers, from the input to the last."""
    if isinstance(network, SpectralNet):
        n_layers, skips = len(network.nodes), True
        matrices = [network.weight(k + 1, k) for k in range(n_layers - 1)]
    elif isinstance(network, DirectNet):
        n_layers, nodes = network.n_layers, network.nodes
        skips = any(network.weight(i, j) is not None for i in range(n_layers) for j in range(i - 1))
        like = next(iter(network.weights.values()))
        found = [network.weight(k + 1, k) for k in range(n_layers - 1)]
        matrices = [like.new_zeros(nodes[k + 1], nodes[k]) if W is None else W for k, W in enumerate(found)]
    else:
        layers, skips = read_stack(network).layers, False
        n_layers, matrices = len(layers) + 1, [layer.weight for layer in layers]
    if last is not None and last not in range(1, n_layers):
        raise ValueError(f"last = {last}; wanted a layer after the input, counted from 0: 1 to {n_layers - 1}")
    between = (n_layers - 1 if last is None else last) - 1
    if skips and between != 1:
        where = "" if last is None else f" before layer {last}"
        raise ValueError(
            f"the network has {between} hidden layers{where}; with skip links Γ_ijk is defined for exactly 1, see structure()"
        )
    return matrices[: between + 1]


def _check_paths(matrices: Sequence[Tensor], bytes_each: int) -> None:
    nodes = [matrices[0].shape[1], *(len(W) for W in matrices)]
    paths, device = math.prod(nodes), matrices[0].device
    wanted, available = paths * bytes_each, available_memory(device)
    if wanted > available:
        raise MemoryError(
            f"through layers of {nodes} nodes lead {paths:,} paths, which need about {wanted / 2**30:,.1f} GiB; "
            f"{available / 2**30:,.1f} GiB are available on {device}. Let them end earlier (last=…), prune the network first, "
            "or take structure(), which gives the norms of Γ without its entries"
        )


# -- graph -------------------------------------------------------------------------------------------------------------


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
def graph(network: nn.Module, *, threshold: float = LIVE, min_weight: float = 0.0) -> networkx.DiGraph:
    """The network as a networkx graph; its nodes are the pairs (layer, index), counted from 0.

    Node attributes: ``layer``, ``kind`` ("input", "bias", "hidden", "output"), ``eigenvalue``, ``relevance`` (path
    strength; None outside the hidden layers), ``live``, ``position``.  Link attributes: ``weight`` and ``kind``
    ("feed-forward" between adjacent layers, "skip" beyond).  Self-loops are left out.  So are biases but those of a
    SpectralNet, which come from a node.

    In a stack a hidden node has an eigenvalue in each of the two layers that it belongs to.  ``eigenvalue`` is λ_out of the
    layer that feeds the node, by which nodes are ranked; for an input it is λ_in.  It is None beside plain layers, and in a
    DirectNet.

    Args:
        network: a SpectralNet, a DirectNet or a stack; read, never changed.
        threshold: path strength above which a hidden neuron is live.
        min_weight: links of at most this |weight| are left out; exact zeros always are.

    Raises:
        TypeError, ValueError: another kind of network, or NaN in a stack (:func:`~spectral_lab.unfolding.unfold`).
    """
    import networkx

    shape, nodes = structure(network, threshold), _nodes(network)
    last, places, eigenvalues = len(nodes) - 1, layout(nodes), _eigenvalues(network, len(nodes))
    has_bias = isinstance(network, SpectralNet) and network.bias
    sizes = [nodes[0] - has_bias, *nodes[1:]]
    drawn = networkx.DiGraph(sizes=sizes, path_norm=shape.norm, effective_depth=shape.depth)
    for layer, (n, lam) in enumerate(zip(nodes, eigenvalues, strict=True)):
        for m in range(n):
            hidden = 0 < layer < last
            bias = layer == 0 and has_bias and m == n - 1
            relevance = shape.strengths[layer - 1][m].item() if hidden else None
            drawn.add_node(
                (layer, m),
                layer=layer,
                kind="hidden" if hidden else "output" if layer else "bias" if bias else "input",
                eigenvalue=None if lam is None else lam[m].item(),
                relevance=relevance,
                live=relevance is None or relevance > threshold,
                position=places[layer][m],
            )
    for (i, j), W in shape.weights.items():
        kind = "feed-forward" if i - j == 1 else "skip"
        for m, n in (W.abs() > min_weight).nonzero().tolist():
            drawn.add_edge((j, n), (i, m), weight=W[m, n].item(), kind=kind)
    return drawn


def _nodes(network: nn.Module) -> tuple[int, ...]:
    return network.nodes if isinstance(network, SpectralNet | DirectNet) else read_stack(network).sizes


def _eigenvalues(network: nn.Module, n_layers: int) -> list[Tensor | None]:
    """For each layer the eigenvalues that its nodes are ranked by, if any."""
    if isinstance(network, SpectralNet):
        return list(network.eigenvalues)
    if isinstance(network, DirectNet):
        return [None] * n_layers
    layers = read_stack(network).layers
    first = layers[0].eigenvalues_in if isinstance(layers[0], SpectralLinear) else None
    return [first, *(layer.eigenvalues_out if isinstance(layer, SpectralLinear) else None for layer in layers)]


def direct_graph(network: DirectNet) -> networkx.DiGraph:
    """What is left of a network, as a graph with the attributes of :func:`graph`; all nodes that are left count as live."""
    import networkx

    drawn = graph(network, threshold=0.0)
    networkx.set_node_attributes(drawn, True, "live")
    return drawn
