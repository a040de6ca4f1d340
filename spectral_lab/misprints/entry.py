r"""What an entry of the list of misprints is: two formulas, a remark, and a counter-example that is evaluated when asked for.

An entry holds if each step of its counter-example does: the printed form :func:`fails`, by a difference that must not vanish,
and the corrected form :func:`holds`: its difference must.  The right value comes from a definition every time: from
ΦΛΦ^{-1} with SymPy's own inverse (:func:`one_layer`), from an explicit matrix, or from counting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from sympy import Matrix, Symbol, diag, eye, symbols

from spectral_lab.proofs import Proof, Step, check

EXAMPLE = "counter-example"

# A misprint is a slip of the pen; wording says in words or names what is not so; a gap is a case that an argument leaves out.
Kind = Literal["misprint", "wording", "gap"]
Steps = Callable[[], Iterable[Step]]


def fails(claim: str, printed: Any, right: Any = 0) -> Step:
    """The printed form misses the right value by a difference that must not vanish."""
    return check(f"as printed: {claim}", printed, right, scope=EXAMPLE, differs=True)


def holds(claim: str, corrected: Any, right: Any = 0) -> Step:
    """The corrected form misses it by nothing."""
    return check(f"corrected: {claim}", corrected, right, scope=EXAMPLE)


@dataclass(frozen=True)
class Misprint:
    """A formula that cannot be meant as it is printed.

    Args:
        paper: short name.
        place: equation number, section or caption.
        printed, corrected: both in LaTeX; what a paper says in words stands here in symbols.
        remark: why, and whether anything else in the paper depends on it.
        steps: yields the counter-example: the printed form :func:`fails`, the corrected one :func:`holds`.
        kind: "misprint", "wording" or "gap" (in an argument).

    Raises:
        ValueError: there is no such kind.
    """

    paper: str
    place: str
    printed: str
    corrected: str
    remark: str
    steps: Steps
    kind: Kind = "misprint"

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind {self.kind!r} of {self.name}; wanted one of {', '.join(get_args(Kind))}")

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
        return (
            f"**{self.name}** ({self.kind}). {self.remark}\n\n"
            f"printed: $\\quad {self.printed}$\n\ncorrected: $\\quad {self.corrected}$"
        )


class Misprints(list[Misprint]):
    """Entries in order; one is found by its number or by its name, and all of them are shown as a table."""

    def __getitem__(self, which: Any) -> Any:
        """The entry of that number or name, or a slice.

        Raises:
            KeyError: no entry has that name; the names are listed.
        """
        if not isinstance(which, str):
            return Misprints(super().__getitem__(which)) if isinstance(which, slice) else super().__getitem__(which)
        for entry in self:
            if entry.name == which:
                return entry
        raise KeyError(f"no misprint is called {which!r}; there are {'; '.join(entry.name for entry in self)}")

    def of(self, paper: str) -> Misprints:
        """Those of one paper, by its short name."""
        return Misprints(entry for entry in self if entry.paper == paper)

    def _repr_markdown_(self) -> str:
        rows = [
            f"| {entry.paper} | {entry.place} | {_cell(entry.printed)} | {_cell(entry.corrected)} | {entry.remark} |"
            for entry in self
        ]
        return "\n".join(["| paper | place | printed | corrected | remark |", "|---|---|---|---|---|", *rows])


def _cell(formula: str) -> str:
    """A formula in a table of Markdown, where a bar would end the cell."""
    return f"${formula}$".replace("|", r"\vert ")


class Paper(Misprints):
    """The entries of one paper, written down as they are defined: formulas, remark and counter-example in one place."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def entry(self, place: str, printed: str, corrected: str, remark: str, kind: Kind = "misprint") -> Callable[[Steps], Steps]:
        """Decorate the function that yields the counter-example; see :class:`Misprint` for the arguments."""

        def note(steps: Steps) -> Steps:
            self.append(Misprint(self.name, place, printed, corrected, remark, steps, kind))
            return steps

        return note


class OneLayer(NamedTuple):
    r"""Two layers of nodes with a symbol for each entry: φ, the eigenvalues, and Φ, Λ, A = ΦΛΦ^{-1} made of them."""

    phi: Matrix
    lam_in: list[Symbol]
    lam_out: list[Symbol]
    Phi: Matrix
    Lam: Matrix
    A: Matrix

    @property
    def w(self) -> Matrix:
        """The weights: the lower left block of A."""
        n_in = len(self.lam_in)
        return self.A[n_in:, :n_in]


def one_layer(n_in: int, n_out: int) -> OneLayer:
    r"""Φ = identity plus φ in the lower left corner, and A by its definition, with SymPy's inverse of Φ."""
    phi = Matrix(n_out, n_in, lambda i, j: Symbol(f"varphi_{i + 1}{j + 1}"))
    lam_in, lam_out = list(symbols(f"lambda^in_1:{n_in + 1}")), list(symbols(f"lambda^out_1:{n_out + 1}"))
    Phi = eye(n_in + n_out)
    Phi[n_in:, :n_in] = phi
    Lam = diag(*lam_in, *lam_out)
    return OneLayer(phi, lam_in, lam_out, Phi, Lam, (Phi * Lam * Phi.inv()).expand())


def signal(n: int) -> Matrix:
    """A column x_1 … x_n."""
    return Matrix(symbols(f"x_1:{n + 1}"))


def layer_of_each_node(sizes: Iterable[int]) -> list[int]:
    """1, 1, …, 2, 2, …: the layer that each node belongs to, layers counted from 1."""
    return [layer for layer, size in enumerate(sizes, 1) for _ in range(size)]


def number(things: Iterable[Any]) -> int:
    """How many there are."""
    return len(list(things))


def dense_layers(sizes: tuple[int, ...] = (4, 3, 2)) -> Iterator[Step]:
    """The links of a dense network, counted pair by pair of nodes, against Σ N_i N_{i+1} over the printed layers i."""
    N, last, layers = dict(enumerate(sizes, 1)), len(sizes), layer_of_each_node(sizes)
    links = number((a, b) for a in layers for b in layers if b == a + 1)
    yield fails("links of a 4-3-2 network, i < ℓ - 1", sum(N[i] * N[i + 1] for i in range(1, last - 1)), links)
    yield holds("links of a 4-3-2 network, i ≤ ℓ - 1", sum(N[i] * N[i + 1] for i in range(1, last)), links)
