r"""Networks in direct space: ordinary weight matrices and biases, what is left of a spectral network when training is over.

:meth:`spectral_lab.networks.SpectralNet.compact` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spectral_lab.decomposition import Activation, Weights


@dataclass(frozen=True)
class CompactionReport:
    """What compaction removed."""

    nodes_before: tuple[int, ...]  # per layer, bias node included
    nodes_after: tuple[int, ...]  # per layer that is left, bias node folded into the biases
    removed: tuple[int, ...]  # per layer of the old network
    parameters_before: int
    parameters_after: int
    exact: bool  # every removed node was silent, so that the outputs are the same up to rounding


class DirectNet(nn.Module):
    r"""A feed-forward network with skip links in direct space: a_i = f(b_i + Σ_{j<i} W_ij a_j), no f at the output.

    Args:
        weights: {(i, j): W_ij of shape (N_i, N_j)}, layers counted from 0; a missing block is zero.
        biases: b_1 … for every layer but the first, or None where there is none.
        activation: f.
        report: how this network came about, if by compaction.
    """

    def __init__(
        self,
        weights: Weights,
        biases: Sequence[Tensor | None],
        activation: Activation,
        report: CompactionReport | None = None,
    ) -> None:
        super().__init__()
        self.n_layers = 1 + len(biases)
        self.weights = nn.ParameterDict({f"{i}_{j}": W for (i, j), W in weights.items()})
        self.biases = nn.ParameterDict({str(i): b for i, b in enumerate(biases, 1) if b is not None})
        self.activation, self.report = activation, report

    @property
    def nodes(self) -> tuple[int, ...]:
        """Nodes of each layer, input first."""
        sizes: dict[int, int] = {}
        for ij, W in self.weights.items():
            i, j = map(int, ij.split("_"))
            sizes |= {i: W.shape[0], j: W.shape[1]}
        return tuple(sizes[i] for i in range(self.n_layers))

    def weight(self, i: int, j: int) -> Tensor | None:
        """The weights from layer j to layer i, or None where there are no links."""
        return self.weights.get(f"{i}_{j}")

    def forward(self, x: Tensor) -> Tensor:
        """Output (..., n_out) for the input x (..., n_in)."""
        signals = [x]
        for i in range(1, self.n_layers):
            terms = [signals[j] @ W.mT for j in range(i) if (W := self.weight(i, j)) is not None]
            if str(i) in self.biases:
                terms.append(self.biases[str(i)])
            z = sum(terms[1:], terms[0])
            signals.append(z if i == self.n_layers - 1 else self.activation(z))
        return signals[-1].expand(*x.shape[:-1], -1)


class Settled(NamedTuple):
    """Which nodes of a network matter to the output, and what the others amount to; one entry a layer, input first."""

    constant: list[Tensor]  # (N_i,) whether no input moves the node
    values: list[Tensor]  # (N_i,) what the constant nodes deliver; the other entries mean nothing
    felt: list[Tensor]  # (N_i,) whether a chain of links leads from the node to an output
    biases: list[Tensor]  # (N_i,) from the second layer on: its own bias and what constant nodes send


def settle(
    weights: Weights,
    nodes: Sequence[int],
    constant_inputs: Tensor,
    activations: Sequence[Activation],
    biases: Sequence[Tensor] | None = None,
    loud: Sequence[Tensor] | None = None,
) -> Settled:
    """Find the nodes of constant value and those that reach nothing, by following links that are not exactly zero.

    Args:
        weights: {(i, j): W_ij (N_i, N_j)}.
        nodes: N_i of every layer.
        constant_inputs: (N_0,) which inputs have the constant value 1.
        activations: f of each hidden layer.
        biases: b_i of every layer but the first; None is 0.
        loud: per hidden layer which nodes speak; the others, if moved by the input, are held at f(0).
    """
    last, like = len(nodes) - 1, next(iter(weights.values()))
    loud = [torch.ones(n, dtype=torch.bool, device=like.device) for n in nodes[1:-1]] if loud is None else loud
    constant, values, sums = [constant_inputs], [constant_inputs.to(like.dtype)], []
    for i in range(1, last + 1):  # forward: which nodes have a value that no input moves, and what is it?
        feeds = {j: weights[i, j] for j in range(i) if (i, j) in weights}
        moved = torch.stack([(W[:, ~constant[j]] != 0).any(-1) for j, W in feeds.items()]).any(0)
        bias = torch.stack([W[:, constant[j]] @ values[j][constant[j]] for j, W in feeds.items()]).sum(0)
        bias = bias if biases is None else bias + biases[i - 1]
        if i < last:
            bias = torch.where(moved & ~loud[i - 1], 0, bias)
            moved = moved & loud[i - 1]
            values.append(activations[i - 1](bias))
        else:
            values.append(bias)
        constant.append(~moved)
        sums.append(bias)
    felt = {last: torch.ones_like(constant[last])}
    for j in range(last - 1, -1, -1):  # backward: whom does the output hear, if not through a node that is held?
        hears = {i: felt[i] & loud[i - 1] if i < last else felt[i] for i in felt}
        links = [(weights[i, j][hears[i]] != 0).any(0) for i in hears if (i, j) in weights]
        felt[j] = torch.stack(links).any(0) if links else torch.zeros_like(constant[j])
    return Settled(constant, values, [felt[i] for i in range(last + 1)], sums)


def without_constant_nodes(
    weights: Weights,
    nodes: tuple[int, ...],
    constant_inputs: Tensor,
    loud: Sequence[Tensor] | None,
    activation: Activation,
    exact: bool,
    parameters_before: int,
    own_biases: Sequence[Tensor] | None = None,
) -> DirectNet:
    """Fold hidden nodes of constant value into biases, drop those that reach nothing, and renumber what is left.

    Hidden nodes that are not ``loud`` but moved by the input are held at f(0); constant ones keep the value they have.
    """
    last = len(nodes) - 1
    constant, _, felt, biases = settle(weights, nodes, constant_inputs, [activation] * (last - 1), own_biases, loud)
    keep = {j: ~constant[j] & felt[j] for j in range(1, last)}
    keep[last] = torch.ones_like(constant[last])
    keep[0] = ~constant_inputs  # inputs are never removed; the bias node lives on in the biases
    order = [i for i in range(last + 1) if i in (0, last) or bool(keep[i].any())]
    place = {i: new for new, i in enumerate(order)}
    kept = {(place[i], place[j]): W[keep[i]][:, keep[j]].clone() for (i, j), W in weights.items() if i in place and j in place}
    kept = {ij: W for ij, W in kept.items() if bool(W.any()) or ij == (len(order) - 1, 0)}
    if not kept:  # nothing moves the output, and the "adjacency" rule has no block from the input to it
        kept[1, 0] = weights[last, last - 1].new_zeros(nodes[last], int(keep[0].sum()))
    own = [biases[i - 1][keep[i]].clone() for i in order[1:]]
    has_bias = bool(constant_inputs.any()) or any(bool(b.any()) for b in own)
    after = sum(W.numel() for W in kept.values()) + (sum(b.numel() for b in own) if has_bias else 0)
    report = CompactionReport(
        nodes_before=nodes,
        nodes_after=tuple(int(keep[i].sum()) for i in order),
        removed=tuple(n - int(keep[i].sum()) for i, n in enumerate(nodes)),
        parameters_before=parameters_before,
        parameters_after=after,
        exact=exact,
    )
    return DirectNet(kept, own if has_bias else [None] * len(own), activation, report)
