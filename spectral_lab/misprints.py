r"""What is printed otherwise in the five papers than it can be meant, each with a counter-example that SymPy evaluates.

A list like this is made of respect: the papers' results stand, and where one is touched the entry says so.  Each entry has
the formula as printed and as corrected, and a few numbers or symbols for which the first fails and the second holds.
Short names: *SPARCS* is Peri et al., *PRE* Chicchi et al. (Phys. Rev. E 104, 054312), *Pruning* Buffoni et al.
(Sci. Rep. 12), *Poster* and *Student* Giambagli et al.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sympy import binomial, eye

from spectral_lab.blocks import eigenvector_matrix
from spectral_lab.proofs import Proof, Step, check

EXAMPLE = "counter-example"


def fails(claim: str, difference: object) -> Step:
    """The printed form misses the right value by this difference, which must not vanish."""
    return check(f"as printed: {claim}", difference, scope=EXAMPLE, differs=True)


def holds(claim: str, difference: object) -> Step:
    """The corrected form misses it by nothing."""
    return check(f"corrected: {claim}", difference, scope=EXAMPLE)


@dataclass(frozen=True)
class Misprint:
    """A formula that cannot be meant as it is printed.

    Args:
        paper: short name.
        place: equation number, section or caption.
        printed, corrected: both formulas in LaTeX.
        remark: why, and whether anything else in the paper depends on it.
        steps: yields the counter-example: the printed form :func:`fails`, the corrected one :func:`holds`.
    """

    paper: str
    place: str
    printed: str
    corrected: str
    remark: str
    steps: Callable[[], Iterable[Step]]

    @property
    def name(self) -> str:
        """Paper and place."""
        return f"{self.paper}, {self.place}"

    def evaluate(self) -> Proof:
        """Evaluate the counter-example; it holds if the printed form fails and the corrected one does not."""
        start = time.perf_counter()
        steps = tuple(self.steps())
        return Proof(self.name, steps, time.perf_counter() - start)

    def __str__(self) -> str:
        return f"{self.name}: {self.remark}"

    def _repr_markdown_(self) -> str:
        return f"**{self.name}**. {self.remark}\n\nprinted: $\\quad {self.printed}$\n\ncorrected: $\\quad {self.corrected}$"


# ---------------------------------------------------------------- SPARCS


def _inverse_of_three_layers() -> Iterator[Step]:
    Phi = eigenvector_matrix(2).subs({eigenvector_matrix(2)[1, 0]: 1, eigenvector_matrix(2)[2, 1]: 1})
    yield fails("Φ times it is not I", Phi * (Phi**2 - 3 * Phi - 3 * eye(3)) - eye(3))
    yield holds("Φ times it is I", Phi * (Phi**2 - 3 * Phi + 3 * eye(3)) - eye(3))


def _orthogonality_at_its_edge() -> Iterator[Step]:
    summed = sum((-1) ** k * binomial(k, 2) * binomial(2, k) for k in range(2, 3))
    yield fails("n = ρ = 2", summed - 0)
    yield holds("n = ρ = 2", summed - (-1) ** 2)


MISPRINTS = (
    Misprint(
        "SPARCS",
        "Section 3",
        r"\Phi_2^{-1} = \Phi_2^2 - 3\Phi_2 - 3\mathbb{I}",
        r"\Phi_2^{-1} = \Phi_2^2 - 3\Phi_2 + 3\mathbb{I}",
        "The last sign; 4.1, which is right, gives + for B = 2. Untouched: 3.1 to 3.3.",
        _inverse_of_three_layers,
    ),
    Misprint(
        "SPARCS",
        "B.23",
        r"\sum_{k=\rho}^{n} (-1)^k \binom{k}{\rho} \binom{n}{k} = 0 \quad \forall n, \rho",
        r"\sum_{k=\rho}^{n} (-1)^k \binom{k}{\rho} \binom{n}{k} = (-1)^\rho \delta_{n\rho}",
        "At n = ρ one term is left. The induction behind B.16 therefore needs the case ρ = B+1 by itself; B.16 is right.",
        _orthogonality_at_its_edge,
    ),
)


def misprints() -> list[Misprint]:
    """All entries, paper by paper, in the order of their places."""
    return list(MISPRINTS)
