"""The binomial identities behind Φ_B and its inverse, proved by telescoping; and the names that all proofs share.

Next, read :mod:`spectral_lab.inverses`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sympy import Expr, S, Symbol, binomial, expand, symbols

from spectral_lab.blocks import Coefficient, inverse_coefficient
from spectral_lab.proofs import Step, along, check, column, telescoping, telescoping_in_both

# Whole numbers from 0 on. A range such as 0 ≤ k < n is reached by n = k + 1 + r: then every r and k is a case of it.
k, m, n, r, s, B, rho = symbols("k m n r s B rho", integer=True, nonnegative=True)
# Layers, counted from 1 as in the papers; d = i - j ≥ 1 is how many layers a link spans.
i, j, d = symbols("i j d", integer=True, positive=True)
sign = S.NegativeOne

Block = Callable[[Any, Any], Expr]
PowerBlock = Callable[..., Expr]  # of i, j and n
Certificate = Callable[[Any, Any], Expr]


def pascal(max_b: int) -> Iterator[Step]:
    """C(n, k) = C(n-1, k-1) + C(n-1, k) for 1 ≤ k ≤ n (SPARCS B.8)."""
    entry, above = binomial(n, k), binomial(n - 1, k - 1) + binomial(n - 1, k)
    inside = {n: k + 1 + r, k: s + 1}
    yield check("inside, 1 ≤ k < n", along(entry, inside), along(above, inside))
    yield check("at the end, k = n", entry.subs(k, n), above.subs(k, n))
    values = [(entry - above).subs({n: a, k: b}) for a in range(1, max_b + 2) for b in range(1, a + 1)]
    yield check("as numbers", column(values), scope=f"n = 1..{max_b + 1}")


def alternating(max_b: int, certificate: Certificate = lambda n, k: -k / n, total: int = 0) -> Iterator[Step]:
    """Σ_{k=0}^{n} (-1)^k C(n, k) = 0 for n ≥ 1 (SPARCS D.2)."""

    def term(k: Any, n: Any = n) -> Expr:
        return sign**k * binomial(n, k)

    def G(k: Any) -> Expr:
        return certificate(n, k) * term(k)

    yield from telescoping(term, G, index=k, first=0, last=n, total=total, inside={n: k + 1 + r}, beyond={n: s + 1})
    values = [sum(term(b, n=a) for b in range(a + 1)) for a in range(1, max_b + 2)]
    yield check("as numbers", column(values), scope=f"n = 1..{max_b + 1}")


def alternating_shifted(
    max_b: int, certificate: Certificate = lambda B, k: -(k + 1) / (B + 1), total: int = 1
) -> Iterator[Step]:
    """Σ_{k=0}^{B} (-1)^k C(B+1, k+1) = 1 (SPARCS B.13, D.1)."""

    def term(k: Any, B: Any = B) -> Expr:
        return sign**k * binomial(B + 1, k + 1)

    def G(k: Any) -> Expr:
        return certificate(B, k) * term(k)

    yield from telescoping(term, G, index=k, first=0, last=B, total=total, inside={B: k + 1 + r}, beyond={})
    values = [sum(term(b, B=a) for b in range(a + 1)) - 1 for a in range(1, max_b + 1)]
    yield check("as numbers", column(values), scope=f"B = 1..{max_b}")


def orthogonality(
    max_b: int, certificate: Certificate = lambda n, k: -(k - rho) / (n - rho), smallest: Any = rho + 1
) -> Iterator[Step]:
    """Σ_{k=ρ}^{n} (-1)^k C(k, ρ) C(n, k) = 0 for n > ρ (SPARCS B.23); at n = ρ it is (-1)^ρ.

    ``smallest`` is the smallest n for which it is claimed.
    """

    def term(k: Any, n: Any = n, rho: Any = rho) -> Expr:
        return sign**k * binomial(k, rho) * binomial(n, k)

    def G(k: Any) -> Expr:
        return certificate(n, k) * term(k)

    inside, beyond = {n: k + 1 + r, k: rho + s}, {n: smallest + m}
    yield from telescoping(term, G, index=k, first=rho, last=n, total=0, inside=inside, beyond=beyond)
    cases = [(a, b) for b in range(max_b + 1) for a in range(smallest.subs(rho, b), max_b + 2)]
    values = [sum(term(c, n=a, rho=b) for c in range(b, a + 1)) for a, b in cases]
    yield check("as numbers", column(values), scope=f"n = 1..{max_b + 1}")


def inversion(
    max_b: int,
    mate: Certificate = lambda B, k: -(k - rho) / (B + 1 - rho) * sign ** (k - rho) * binomial(k, rho) * binomial(B + 1, k),
) -> Iterator[Step]:
    """Σ_{k=ρ}^{B} (-1)^k C(k, ρ) C(B+1, k+1) = (-1)^ρ for 0 ≤ ρ ≤ B (SPARCS B.16, B.17)."""

    def term(B: Any, k: Any, rho: Any = rho) -> Expr:
        return sign ** (k - rho) * binomial(k, rho) * binomial(B + 1, k + 1)

    inside, beyond = {B: k + r, k: rho + s}, {B: rho + m}
    yield from telescoping_in_both(
        term, mate, parameter=B, index=k, first=rho, start=rho, total=1, inside=inside, beyond=beyond
    )
    cases = [(a, b) for a in range(1, max_b + 1) for b in range(a + 1)]
    values = [sum(term(a, c, rho=b) for c in range(b, a + 1)) - 1 for a, b in cases]
    yield check("as numbers", column(values), scope=f"B = 1..{max_b}")


def geometric(max_b: int, coefficient: Coefficient = inverse_coefficient) -> Iterator[Step]:
    """1 - (1 - x)^{B+1} = x Σ_{i=0}^{B} (-1)^i C(B+1, i+1) x^i, coefficient by coefficient (behind SPARCS A.2)."""

    def c(n: Any, m: Any) -> Expr:  # the coefficient of x^m in (1 - x)^n
        return sign**m * binomial(n, m)

    yield check("(1-x)^0 = 1", c(0, 0), 1)
    yield check("(1-x)^{n+1} = (1-x)(1-x)^n at x^0", c(n + 1, 0), c(n, 0))
    inside = {n: m + r, m: s + 1}
    yield check("the same at x^m, 1 ≤ m ≤ n", along(c(n + 1, m), inside), along(c(n, m) - c(n, m - 1), inside))
    yield check("the same at x^{n+1}", c(n + 1, n + 1), -c(n, n))
    yield check("both sides of the identity at x^0", 1 - c(B + 1, 0))
    yield check("both sides at x^{k+1}, 0 ≤ k ≤ B", -c(B + 1, k + 1).subs(B, k + r), coefficient(B, k).subs(B, k + r))
    x = Symbol("x")
    sides = [
        expand(1 - (1 - x) ** (b + 1) - x * sum(coefficient(b, a) * x**a for a in range(b + 1))) for b in range(1, max_b + 1)
    ]
    yield check("both sides multiplied out", column(sides), scope=f"B = 1..{max_b}")
