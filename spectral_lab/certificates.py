"""What pruning did to a network, in numbers: the certificate that comes with every pruned network."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spectral_lab.direct import DirectNet
from spectral_lab.filters import has_filters, is_conv
from spectral_lab.networks import SpectralNet
from spectral_lab.stacks import is_layer, read_stack


@dataclass(frozen=True)
class Certificate:
    """What was removed, what that saves, and what it costs; prints as a table, and as one in a notebook."""

    ranking: str  # by what the nodes were chosen
    nodes_before: tuple[int, ...]  # of each layer, the bias node of a SpectralNet included
    nodes_after: tuple[int, ...]  # of each layer that is left
    removed: tuple[int, ...]  # of each hidden layer of the old network
    kept: tuple[tuple[int, ...], ...]  # which nodes of each hidden layer of the old network are left
    parameters_before: int
    parameters_after: int
    macs_before: int | None  # multiply-accumulates for one row of data, see count_macs; None: images of unknown size
    macs_after: int | None
    exact: bool  # every removed node was constant, and held there, or reached no output: the same function up to rounding
    max_change: float | None = None  # largest |change of an output| on the given data
    loss_before: float | None = None
    loss_after: float | None = None
    layers: tuple[str, ...] = ()  # names of the hidden layers of the old network, where it is more than a stack

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """The table's cells: what, before, after."""
        rows = [
            ("nodes", "-".join(map(str, self.nodes_before)), "-".join(map(str, self.nodes_after))),
            ("parameters", f"{self.parameters_before:,}", f"{self.parameters_after:,}"),
        ]
        if self.macs_before is not None:
            rows.append(("multiply-accumulates a row", f"{self.macs_before:,}", f"{self.macs_after:,}"))
        if self.loss_before is not None:
            rows.append(("loss", f"{self.loss_before:.5g}", f"{self.loss_after:.5g}"))
        return rows

    @property
    def summary(self) -> str:
        """In one sentence: how many nodes went, by which ranking, and whether that can be seen."""
        names = [f" ({name})" for name in self.layers] or [""] * len(self.removed)
        where = ", ".join(f"{n} of hidden layer {k}{names[k]}" for k, n in enumerate(self.removed) if n) or "none"
        change = "" if self.max_change is None else f"; an output changes by {self.max_change:.2g} at most on the data"
        verdict = "exact: what is removed was silent or constant" if self.exact else "not exact: what is removed could be heard"
        return f"removed {where} (by {self.ranking}); {verdict}{change}"

    def __str__(self) -> str:
        """An aligned table and a sentence."""
        head = ("", "before", "after")
        widths = [max(len(row[k]) for row in [head, *self.rows]) for k in range(3)]
        lines = [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}".rstrip() for a, b, c in [head, *self.rows]]
        return "\n".join([*lines, self.summary])

    def _repr_markdown_(self) -> str:
        body = [f"| {a} | {b} | {c} |" for a, b, c in self.rows]
        return "\n".join(["| | before | after |", "| --- | ---: | ---: |", *body, "", self.summary])


class Pruned(NamedTuple):
    """A smaller network, with no memory shared with the old one, and what was done."""

    network: nn.Module
    certificate: Certificate


def count_macs(model: nn.Module, x: Tensor | None = None) -> int:
    r"""Multiply-accumulates with weights that one row of data costs in a network.

    A link of a stack or a DirectNet is one.  A SpectralNet does what is cheaper for many rows: its recurrence passes each
    block of eigenvectors twice, but the last one once, its explicit blocks W_ij once each; its "adjacency" rule passes each φ
    twice in each step.  In a model with convolutions each weight counts once for each place where it is applied; layers that
    are called from outside ``forward`` are not seen.

    Args:
        model: any network that can be pruned.
        x: a row of data or more, (n, …); a model with convolutions needs it, for the size of its images.

    Raises:
        TypeError: no network that can be pruned.
        ValueError: a model with convolutions without x.
    """
    if has_filters(model):
        return _macs_with_convolutions(model, x)
    if isinstance(model, DirectNet):
        return sum(W.numel() for W in model.weights.values())
    if isinstance(model, SpectralNet):
        twice, last = 2 * sum(n * m for n, m in pairwise(model.nodes)), model.nodes[-2] * model.nodes[-1]
        if model.update == "adjacency":
            return (len(model.nodes) - 1) * twice
        return min(twice - last, sum(n * m for i, n in enumerate(model.nodes) for m in model.nodes[:i]))
    return sum(n * m for n, m in pairwise(read_stack(model).sizes))


@torch.no_grad()
def _macs_with_convolutions(model: nn.Module, x: Tensor | None) -> int:
    if x is None:
        raise ValueError("multiply-accumulates of a convolution depend on the size of the images; give one as x=… (1, c, h, w)")
    model, found = deepcopy(model).eval(), [0]

    def hook(module: Any, inputs: Any, output: Tensor) -> None:
        if isinstance(module, SpectralNet | DirectNet):
            found[0] += count_macs(module)
        elif is_conv(module):
            found[0] += output[:1].numel() * module.weight[0].numel()
        else:
            found[0] += output[:1].numel() * module.weight.shape[1]

    for module in model.modules():
        if is_conv(module) or is_layer(module) or isinstance(module, SpectralNet | DirectNet):
            module.register_forward_hook(hook)
    model(x.clone())
    return found[0]
