"""How many nodes to remove: the four ways to say it, the same for all networks that can be pruned.

Next, read :mod:`spectral_lab.pruning`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from torch import Tensor

Node = tuple[int, int]  # hidden layer, node


@dataclass(frozen=True)
class Criterion:
    """Exactly one of these says which nodes stay; the others are None."""

    keep: int | None = None  # how many stay, of all that are chosen from
    fraction: float | None = None  # share of them that is removed
    threshold: float | None = None  # those whose score is at most this are removed
    max_loss_increase: float | None = None  # the fewest stay with which the loss rises by no more than this

    def check(self, pool: int, x: Tensor | None, y: Tensor | None) -> None:
        """Refuse no criterion, several, or one outside its range.

        Args:
            pool: nodes to choose from.
            x, y: data, which ``max_loss_increase`` needs.

        Raises:
            ValueError: with what was found and what is wanted.
        """
        criteria = asdict(self)
        given = {name: value for name, value in criteria.items() if value is not None}
        if len(given) != 1:
            found = " and ".join(f"{name} = {value}" for name, value in given.items()) or "none of them"
            raise ValueError(f"found {found}; give exactly one of {', '.join(criteria)}")
        keep, fraction, threshold, increase = criteria.values()
        if keep is not None and (isinstance(keep, bool) or not isinstance(keep, int) or not 0 <= keep <= pool):
            raise ValueError(f"keep = {keep!r}; wanted a whole number from 0 to {pool}, the hidden nodes to choose from")
        if fraction is not None and not 0 <= fraction <= 1:
            raise ValueError(f"fraction = {fraction}; wanted the share of nodes to remove, in [0, 1] (0.9 for 90 %)")
        if threshold is not None and not threshold >= 0:
            raise ValueError(f"threshold = {threshold}; wanted a score of at least 0")
        if increase is not None and not increase >= 0:
            raise ValueError(f"max_loss_increase = {increase}; wanted at least 0")
        if increase is not None and (x is None or y is None):
            raise ValueError("max_loss_increase is measured on data; give inputs and targets as x=… and y=…")

    def stay(
        self,
        order: Sequence[Node],
        score: dict[int, Tensor],
        losses: Callable[[], Tensor],
        *,
        one_each: bool,
    ) -> list[Node]:
        """The nodes that stay.

        Args:
            order: all nodes to choose from, the most relevant first.
            score: of each hidden layer to choose from, (N_i,).
            losses: the loss with 0, 1, … and all of the nodes; called for ``max_loss_increase`` only.
            one_each: with ``max_loss_increase`` every hidden layer keeps one node at least.
        """
        if self.threshold is not None:
            above = {k: (values > self.threshold).tolist() for k, values in score.items()}
            return [(k, n) for k, n in order if above[k][n]]
        if self.keep is not None:
            return list(order[: self.keep])
        if self.fraction is not None:
            return list(order[: len(order) - round(self.fraction * len(order))])
        assert self.max_loss_increase is not None  # the criterion was checked
        return list(order[: _fewest(losses(), self.max_loss_increase, _least(order, list(score)) if one_each else 0)])


def _least(order: Sequence[Node], layers: Sequence[int]) -> int:
    """How many nodes must be kept so that every layer has one."""
    return max((1 + [k for k, _ in order].index(layer) for layer in layers), default=0)


def _fewest(losses: Tensor, increase: float, least: int) -> int:
    """The smallest number of nodes, at least ``least``, with which the loss is within its bound."""
    fits = losses <= losses[-1] + increase
    fits[-1] = True  # all of them always fit, even where the loss itself is not finite
    return least + int(fits[least:].nonzero()[0])
