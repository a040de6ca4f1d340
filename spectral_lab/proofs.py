r"""What a checked proof is: steps that SymPy reduces at run time, and nothing else.

A :class:`Step` claims that an expression vanishes (or that a relation is true, or that something does *not* vanish), and
keeps what SymPy made of it.  A :class:`Proof` holds if it has steps and all of them hold; no verdict is ever typed in.
A :class:`Statement` is what a paper says, together with the function that yields the steps.

Two ways to prove a sum for *every* upper end are here, because more than one statement needs them: :func:`telescoping`
(Gosper) and :func:`telescoping_in_both` (Wilf and Zeilberger), each with its boundary terms.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sympy import (
    Add,
    Expr,
    Matrix,
    MatrixBase,
    Mul,
    Ne,
    S,
    Symbol,
    combsimp,
    denom,
    expand,
    latex,
    powsimp,
    simplify,
    sympify,
)
from sympy.logic.boolalg import Boolean

from spectral_lab.blocks import check_b

EVERY_B = "every B"


def reduced(expression: Any) -> Any:
    """What SymPy makes of an expression, a relation or, entry by entry, a matrix.

    Sums of blocks are multiplied out and ordered by their products of blocks; what stands before each product is reduced
    like any number.
    """
    if isinstance(expression, MatrixBase):
        return expression.applyfunc(reduced)
    if isinstance(expression, Boolean):
        return simplify(expression.doit())
    expression = powsimp(expand(expression.doit()))
    if expression.is_commutative:
        return expression if expression.is_number else simplify(combsimp(expression))
    before: dict[Expr, Expr] = {}
    for term in Add.make_args(expression):
        numbers, blocks = term.args_cnc()
        product = Mul(*blocks)
        before[product] = before.get(product, S.Zero) + Mul(*numbers)
    return Add(*[reduced(number) * product for product, number in before.items()])


def vanishes(value: Any) -> bool:
    """Whether a reduced value is zero, a matrix of zeros, or a true relation."""
    return value.is_zero_matrix is True if isinstance(value, MatrixBase) else value in (S.Zero, S.true)


@dataclass(frozen=True)
class Step:
    r"""One claim, and what SymPy reduced it to.

    Args:
        claim: in words.
        left, right: two expressions or matrices that should be equal; or a relation on the left that should be true.
        found: what SymPy reduced their difference, or the relation, to.
        scope: "every B", or the cases that were multiplied out, such as "B = 1..8".
        differs: the claim is that left and right are *not* equal (a counter-example).
    """

    claim: str
    left: Any
    right: Any
    found: Any
    scope: str = EVERY_B
    differs: bool = False

    @property
    def holds(self) -> bool:
        """Whether what SymPy found is zero or true (or is not, where that is the claim)."""
        return vanishes(self.found) is not self.differs

    @property
    def mark(self) -> str:
        """A tick, or a cross for a step that does not hold."""
        return "✓" if self.holds else "✗"

    @property
    def latex(self) -> str:
        """The step as a formula: what was compared, and what SymPy made of the difference."""
        if isinstance(self.left, Boolean) or vanishes(self.right):
            return rf"{typeset(self.left)} \;\to\; {typeset(self.found)}"
        relation = r"\neq" if self.differs else "="
        sides = rf"{typeset(self.left)} \;{relation}\; {typeset(self.right)}"
        return rf"{sides}, \quad \text{{difference}} \to {typeset(self.found)}"

    def __str__(self) -> str:
        right = "" if vanishes(self.right) else f"\n  - {shortened(self.right)}"
        return f"{self.mark} {self.claim}\n    {shortened(self.left)}{right}\n    → {shortened(self.found)}"

    def _repr_markdown_(self) -> str:
        return f"{self.mark} {self.claim}\n\n$${self.latex}$$"

    def as_dict(self) -> dict[str, Any]:
        """Everything as text, for JSON."""
        return {
            "claim": self.claim,
            "scope": self.scope,
            "left": str(self.left),
            "right": str(self.right),
            "found": str(self.found),
            "wanted": "not zero" if self.differs else "true" if isinstance(self.left, Boolean) else "zero",
            "holds": self.holds,
        }


def check(claim: str, left: Any, right: Any = S.Zero, *, scope: str = EVERY_B, differs: bool = False) -> Step:
    """Let SymPy reduce left - right (or a relation on the left), and keep claim and outcome as a :class:`Step`."""
    left, right = sympify(left), sympify(right)
    if isinstance(left, Boolean) or vanishes(right):
        return Step(claim, left, right, reduced(left), scope, differs)
    return Step(claim, left, right, reduced(left - right), scope, differs)


def shortened(expression: Any, most: int = 160) -> str:
    """An expression on one line, a matrix of zeros as such, the middle left out where it is too long."""
    if isinstance(expression, MatrixBase) and expression.is_zero_matrix:
        return f"0 ({expression.rows} × {expression.cols})"
    text = str(expression)
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 4 :]}"


def typeset(expression: Any, most: int = 600) -> str:
    r"""LaTeX of an expression; a matrix of zeros as one symbol, and one that is too large for a slide as its size."""
    if isinstance(expression, MatrixBase) and expression.is_zero_matrix:
        return rf"\mathbb{{O}}_{{{expression.rows} \times {expression.cols}}}"
    text = latex(expression)
    if len(text) <= most:
        return text
    size = f"{expression.rows} × {expression.cols} entries" if isinstance(expression, MatrixBase) else "a long expression"
    return rf"\text{{({size})}}"


@dataclass(frozen=True)
class Proof:
    """What came out when a statement was proved: its steps, all checked a moment ago."""

    name: str
    steps: tuple[Step, ...]
    seconds: float

    @property
    def holds(self) -> bool:
        """True if there is at least one step and every step holds."""
        return bool(self.steps) and all(step.holds for step in self.steps)

    @property
    def scope(self) -> str:
        """What the steps cover: "every B" if some of them are general, else the cases that were multiplied out."""
        scopes = [step.scope for step in self.steps]
        return EVERY_B if EVERY_B in scopes else ", ".join(dict.fromkeys(scopes)) or "nothing"

    @property
    def broken(self) -> Step | None:
        """The first step that does not hold."""
        return next((step for step in self.steps if not step.holds), None)

    @property
    def verdict(self) -> str:
        """One line: proved and for what, or the step that broke."""
        if self.holds:
            return f"holds ({self.scope})"
        return f"does not hold: {self.broken.claim}" if self.broken else "does not hold: nothing was checked"

    def __str__(self) -> str:
        return "\n".join([f"{self.name}: {self.verdict}", *(str(step) for step in self.steps)])

    def _repr_markdown_(self) -> str:
        return "\n\n".join([f"**{self.name}** {self.verdict}", *(step._repr_markdown_() for step in self.steps)])

    def as_dict(self) -> dict[str, Any]:
        """Verdict and all steps as text, for JSON."""
        return {
            "name": self.name,
            "holds": self.holds,
            "scope": self.scope,
            "verdict": self.verdict,
            "seconds": round(self.seconds, 3),
            "steps": [step.as_dict() for step in self.steps],
        }


@dataclass(frozen=True)
class Statement:
    """A statement of a paper, with its proof.

    Args:
        name: short, for tables.
        source: paper and equation number.
        latex: the statement as a formula.
        idea: in a sentence or two, how its steps make the proof.
        steps: yields the steps; takes ``max_b``, and where it says so other formulas to be tried instead of the right ones.
    """

    name: str
    source: str
    latex: str
    idea: str
    steps: Callable[..., Iterable[Step]]

    def prove(self, max_b: int = 8, **instead: Any) -> Proof:
        r"""Check every step now.

        Args:
            max_b: besides the proof for every B, multiply everything out for B = 1 … max_b, as an independent route.
            instead: formulas to be tried in place of the right ones, as ``steps`` names them.

        Raises:
            ValueError: ``max_b`` is no whole number from 1 on, or too large (with the estimated cost), before any work.
        """
        start = time.perf_counter()
        steps = tuple(self.steps(max_b=check_b(max_b), **instead))
        return Proof(self.name, steps, time.perf_counter() - start)

    @property
    def text(self) -> str:
        """The statement on one line of plain text: the first line of its ``steps``' docstring."""
        return (inspect.getdoc(self.steps) or self.name).splitlines()[0]

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"

    def _repr_markdown_(self) -> str:
        return f"**{self.name}** ({self.source})\n\n$${self.latex}$$\n\n{self.idea}"


Range = Mapping[Symbol, Any]


def telescoping(
    term: Callable[[Any], Expr],
    antidifference: Callable[[Any], Expr],
    *,
    index: Symbol,
    first: Any,
    last: Any,
    total: Any,
    inside: Range,
    beyond: Range,
) -> Iterator[Step]:
    r"""Σ_{k=first}^{last} t(k) = total, from an antidifference G with G(k+1) - G(k) = t(k) (Gosper's certificate times t).

    G telescopes over k = first … last-1; the last term is added by hand, so that no value of G outside the sum is needed.

    Args:
        term, antidifference: t and G, as functions of k.
        index, first, last: the symbol k and the ends of the sum.
        total: what the sum should be.
        inside: how every case first ≤ k < last is reached from non-negative whole numbers, e.g. {n: k + 1 + r}: then all
            factorials are of whole numbers, and what SymPy reduces is an identity between numbers.
        beyond: how every allowed last ≥ first is reached from them.
    """
    k, G = index, antidifference
    yield check("the certificate: G(k+1) - G(k) is t(k)", along(G(k + 1) - G(k), inside), along(term(k), inside))
    yield check("no division by zero inside the sum", Ne(along(denom(G(k)), inside), 0, evaluate=False))
    yield check("no division by zero at its end", Ne(along(denom(G(last)), beyond), 0, evaluate=False))
    ends = G(last) - G(first) + term(last)
    yield check("the boundary: G(last) - G(first) + t(last) is the sum", along(ends, beyond), along(sympify(total), beyond))


def telescoping_in_both(
    term: Callable[[Any, Any], Expr],
    mate: Callable[[Any, Any], Expr],
    *,
    parameter: Symbol,
    index: Symbol,
    first: Any,
    start: Any,
    total: Any,
    inside: Range,
    beyond: Range,
) -> Iterator[Step]:
    r"""Σ_{k=first}^{B} F(B, k) = total for every B ≥ start, by induction on B with a mate G of F (Wilf and Zeilberger).

    F(B+1, k) - F(B, k) = G(B, k+1) - G(B, k) for first ≤ k ≤ B: so the sum changes from B to B+1 by
    G(B, B+1) - G(B, first) + F(B+1, B+1), which must be 0.

    Args:
        term, mate: F and G, as functions of B and k.
        parameter, index: the symbols B and k.
        first: the lower end of the sum.
        start: the smallest B, where the sum has the one term k = first.
        inside: how every case first ≤ k ≤ B is reached from non-negative whole numbers.
        beyond: how every B ≥ start is reached from them.
    """
    B, k = parameter, index
    yield check(f"the first case, B = {start}: one term", term(start, first), total)
    changes = (along(term(B + 1, k) - term(B, k), inside), along(mate(B, k + 1) - mate(B, k), inside))
    yield check("the certificate: F(B+1,k) - F(B,k) is G(B,k+1) - G(B,k)", *changes)
    yield check("no division by zero", Ne(along(denom(mate(B, k)), inside), 0, evaluate=False))
    yield check("no division by zero at the end", Ne(along(denom(mate(B, B + 1)), beyond), 0, evaluate=False))
    ends = mate(B, B + 1) - mate(B, first) + term(B + 1, B + 1)
    yield check("the boundary, from B to B+1: G(B,B+1) - G(B,first) + F(B+1,B+1)", along(ends, beyond))


def along(expression: Any, places: Range) -> Any:
    """An expression with its symbols replaced one after the other, in the order given."""
    for symbol, value in places.items():
        expression = expression.subs(symbol, value)
    return expression


def column(values: Iterable[Any]) -> Matrix:
    """Many values that should vanish as one column, so that one step covers them."""
    return Matrix([sympify(value) for value in values])
