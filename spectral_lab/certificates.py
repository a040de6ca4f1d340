"""What pruning did to a network, in numbers: the certificate that comes with every pruned network."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from spectral_lab.direct import DirectNet
from spectral_lab.networks import SpectralNet
from spectral_lab.stacks import read_stack


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
    macs_before: int  # multiply-accumulates for one row of data, see count_macs
    macs_after: int
    exact: bool  # every removed node was constant, and held there, or reached no output: the same function up to rounding
    max_change: float | None = None  # largest |change of an output| on the given data
    loss_before: float | None = None
    loss_after: float | None = None

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """The table's cells: what, before, after."""
        rows = [
            ("nodes", "-".join(map(str, self.nodes_before)), "-".join(map(str, self.nodes_after))),
            ("parameters", f"{self.parameters_before:,}", f"{self.parameters_after:,}"),
            ("multiply-accumulates a row", f"{self.macs_before:,}", f"{self.macs_after:,}"),
        ]
        if self.loss_before is not None:
            rows.append(("loss", f"{self.loss_before:.5g}", f"{self.loss_after:.5g}"))
        return rows

    @property
    def summary(self) -> str:
        """In one sentence: how many nodes went, by which ranking, and whether that can be seen."""
        where = ", ".join(f"{n} of hidden layer {k}" for k, n in enumerate(self.removed) if n) or "none"
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


def count_macs(model: nn.Module) -> int:
    r"""Multiply-accumulates with weights that one row of data costs in a network.

    A link of a stack or a DirectNet is one.  A SpectralNet does what is cheaper for many rows: its recurrence passes each
    block of eigenvectors twice, its explicit blocks W_ij once each; its "adjacency" rule passes each φ twice in each step.

    Raises:
        TypeError: no network that can be pruned.
    """
    if isinstance(model, DirectNet):
        return sum(W.numel() for W in model.weights.values())
    if isinstance(model, SpectralNet):
        recurrence = 2 * sum(n * m for n, m in pairwise(model.nodes))
        if model.update == "adjacency":
            return (len(model.nodes) - 1) * recurrence
        return min(recurrence, sum(n * m for i, n in enumerate(model.nodes) for m in model.nodes[:i]))
    return sum(n * m for n, m in pairwise(read_stack(model).sizes))
