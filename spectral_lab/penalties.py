r"""Regularisers Ω(λ) of the eigenvalues (SPARCS 4.4): three different ones that the papers call L1 or "L2".

:class:`WeightedSquares` is for parameters of any kind, each with a strength of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Penalty = Callable[[dict[str, Tensor]], Tensor]


def _over_layers(one: Callable[[Tensor], Tensor]) -> Penalty:
    """The sum of the scalars that the layers give, one each."""

    def omega(lam: dict[str, Tensor]) -> Tensor:
        found = [one(v) for v in lam.values()]
        return torch.stack(found).sum() if len(found) > 1 else found[0]  # a head has one layer, and steps that are short

    return omega


# Three penalties that the papers call L1 or "L2"; each is summed over the layers.
PENALTIES: dict[str, Penalty] = {
    # Σ|λ|: empties nodes one by one (SPARCS' CIFAR runs, Pruning App. D)
    "l1": _over_layers(lambda v: torch.linalg.vector_norm(v, ord=1)),
    # Σ over layers of ‖λ‖, not squared: a group lasso, which empties whole layers (SPARCS' code)
    "l2_norm": _over_layers(torch.linalg.vector_norm),
    # Σλ²: shrinks, but empties nothing (weight decay; Student)
    "l2_squared": _over_layers(lambda v: v.square().sum()),
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


@dataclass(frozen=True)
class WeightedSquares:
    r"""Ω = Σ_p α_p ‖p‖²: the square of each parameter with a strength of its own (Student Eqs. 7, 8).

    Penalise exactly the named parameters, and leave the common factor ρ at 1:

    >>> omega = WeightedSquares({"0.eigenvalues_out": 5e-4, "2.weight": 1e-2})
    >>> omega.names  # train(…, rho=1.0, penalty=omega, penalised=omega.names)
    ['0.eigenvalues_out', '2.weight']

    Args:
        strengths: α_p of at least 0 by the parameter's name.

    Raises:
        ValueError: a strength that is negative, infinite or NaN; when called, other names than those.
    """

    strengths: dict[str, float]

    def __post_init__(self) -> None:
        for name, alpha in self.strengths.items():
            if not 0 <= alpha < math.inf:
                raise ValueError(f"the strength of {name} is {alpha}; wanted a finite number of at least 0, e.g. 1e-3")

    @property
    def names(self) -> list[str]:
        """The parameters that it acts on."""
        return list(self.strengths)

    def __call__(self, parameters: dict[str, Tensor]) -> Tensor:
        """The penalty of the named parameters: a scalar."""
        if parameters.keys() != self.strengths.keys():
            raise ValueError(f"penalised are {sorted(parameters)}; this penalty has strengths for {sorted(self.strengths)}")
        return torch.stack([alpha * parameters[name].square().sum() for name, alpha in self.strengths.items()]).sum()
