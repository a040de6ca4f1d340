r"""Regularisers Ω(λ) of the eigenvalues (SPARCS 4.4): three different ones that the papers call L1 or "L2"."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Penalty = Callable[[dict[str, Tensor]], Tensor]

# Three penalties that the papers call L1 or "L2"; each is summed over the layers.
PENALTIES: dict[str, Penalty] = {
    # Σ|λ|: empties nodes one by one (SPARCS' CIFAR runs, Pruning App. D)
    "l1": lambda lam: torch.stack([v.abs().sum() for v in lam.values()]).sum(),
    # Σ over layers of ‖λ‖, not squared: a group lasso, which empties whole layers (SPARCS' code)
    "l2_norm": lambda lam: torch.stack([torch.linalg.vector_norm(v) for v in lam.values()]).sum(),
    # Σλ²: shrinks, but empties nothing (weight decay; Student)
    "l2_squared": lambda lam: torch.stack([v.square().sum() for v in lam.values()]).sum(),
}


def check_rho(rho: float) -> None:
    """Refuse a regularisation strength that is not a finite number of at least 0.

    Raises:
        ValueError: naming the value found.
    """
    if not 0 <= rho < math.inf:
        raise ValueError(f"rho = {rho}; wanted a finite regularisation strength of at least 0, e.g. 1e-4")


def check_penalty(penalty: str | Penalty) -> Penalty:
    """The penalty function that a name stands for; a function stands for itself.

    Raises:
        ValueError: an unknown name, with the known ones.
    """
    if callable(penalty):
        return penalty
    if penalty not in PENALTIES:
        raise ValueError(f"penalty = {penalty!r}; wanted one of {sorted(PENALTIES)} or a function of the named eigenvalues")
    return PENALTIES[penalty]
