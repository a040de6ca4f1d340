"""Φ_B, its powers and its inverse, proved for every number of blocks (SPARCS 4.1, 4.2, A.1, B.11).

Below this module lies :mod:`spectral_lab.binomials`; next, read :mod:`spectral_lab.transfer`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from sympy import Expr, Function, KroneckerDelta, Lt, Matrix, Sum, Symbol, binomial, eye, symbols

from spectral_lab.binomials import B, Block, PowerBlock, d, geometric, i, j, k, n, r, s, sign
from spectral_lab.blocks import (
    Coefficient,
    block_matrix,
    chain,
    eigenvector_matrix,
    inverse_block,
    inverse_coefficient,
    inverse_eigenvector_matrix,
    phi,
    power_block,
    powers,
    shift_block,
)
from spectral_lab.proofs import EVERY_B, Step, along, check


def collapse() -> Iterator[Step]:
    r"""Multiplying by Φ_B leaves two terms: (XΦ)_ij = X_ij + X_{i,j+1} φ_j and (ΦX)_ij = X_ij + φ_{i-1} X_{i-1,j}."""
    q, X = Symbol("q", integer=True, positive=True), Function("X", commutative=False)
    from_right = Sum(X(q) * (KroneckerDelta(q, j) + KroneckerDelta(q, j + 1) * phi(j)), (q, 1, B + 1))
    yield check(
        "XΦ_B: of the sum over layers two terms remain, X_{ij} + X_{i,j+1}φ_j",
        from_right.subs(B, j + r),
        X(j) + X(j + 1) * phi(j),
    )
    from_left = Sum((KroneckerDelta(i + 1, q) + phi(i) * KroneckerDelta(i, q)) * X(q), (q, 1, B + 1))
    yield check(
        "Φ_B X: likewise X_{ij} + φ_{i-1}X_{i-1,j}",
        from_left.subs(B, i + r),
        X(i + 1) + phi(i) * X(i),
    )


def split_left(expression: Expr) -> Expr:
    """With its last block split off the chain from j to j + d."""
    return expression.subs(chain(j + d, j), chain.split_left(j + d, j))


def split_right(expression: Expr) -> Expr:
    """With its first block split off the chain from j to j + d."""
    return expression.subs(chain(j + d, j), chain.split_right(j + d, j))


def nilpotency(max_b: int) -> Iterator[Step]:
    """(Φ_B - I)^{B+1} = 0 (SPARCS A.2), by the shift and again as the paper does it."""
    yield from shift()
    yield from induction_on_b()
    for b in range(1, max_b + 1):
        shifted = eigenvector_matrix(b) - eye(b + 1)
        yield check("(Φ_b - I)^b does not vanish yet", shifted**b, scope=f"B = {b}", differs=True)
        yield check("(Φ_b - I)^{b+1}", shifted ** (b + 1), scope=f"B = {b}")


def shift() -> Iterator[Step]:
    """The n-th power of Φ_B - I moves a signal by n layers, and there are no B+1 layers to be moved by."""
    yield check("Φ_B - I moves by one layer", shift_block(i, j, 1), KroneckerDelta(i, j + 1) * phi(j))
    further = KroneckerDelta(i, j + n + 1) * chain.split_right(j + n + 1, j)
    yield check("its power n+1 moves by one layer more than its power n", shift_block(i, j + 1, n) * phi(j), further)
    highest = B + 1 - r  # i ≤ B + 1
    yield check("i ≤ B+1 and j ≥ 1 are never B+1 layers apart", Lt(highest - (j + B + 1), 0, evaluate=False))
    yield check("so its power B+1 has no block left", shift_block(highest, j, B + 1))


def induction_on_b() -> Iterator[Step]:
    """Φ_{B+1} - I has the blocks N = Φ_B - I and α (SPARCS A.3), and N^{B+1} = 0 is known (A.4, A.5)."""
    N, alpha, Z = symbols("N alpha Z", commutative=False)

    def power(n: Any) -> Matrix:
        return Matrix([[N**n, 0], [alpha * N ** (n - 1), 0]])

    yield check("B = 1", Matrix([[0, 0], [phi(1), 0]]) ** 2)
    yield check("A.4 for every power: n = 1", power(1), Matrix([[N, 0], [alpha, 0]]))
    yield check("A.4 for every power: from n to n+1", power(n) * power(1), power(n + 1))
    known = Matrix([[Z * N, 0], [alpha * Z, 0]])
    yield check("power B+2 has the factor N^{B+1} in each entry", power(B + 2), known.subs(Z, N ** (B + 1)))
    yield check("so it vanishes with it (A.5)", known.subs(Z, 0))


def inverse(max_b: int, coefficient: Coefficient = inverse_coefficient) -> Iterator[Step]:
    """Φ_B^{-1} = Σ_{i=0}^{B} (-1)^i C(B+1, i+1) Φ_B^i (SPARCS 4.1, A.1), on both sides."""
    yield from shift()
    yield from (step for step in geometric(1, coefficient) if step.scope == EVERY_B)
    X = Symbol("Phi", commutative=False)
    yield check("powers of one matrix commute, so it is the inverse on both sides", X**n * X, X * X**n)
    for b in range(1, max_b + 1):
        Phi, found = eigenvector_matrix(b), inverse_eigenvector_matrix(b, coefficient)
        yield check("Φ_bΦ_b^{-1} = I", Phi * found, eye(b + 1), scope=f"B = {b}")
        yield check("Φ_b^{-1}Φ_b = I", found * Phi, eye(b + 1), scope=f"B = {b}")


def power_blocks(max_b: int, block: PowerBlock = power_block) -> Iterator[Step]:
    """T_ij^(B,n) = C(n, i-j) φ_{i-1} ⋯ φ_j for every n (SPARCS B.2, B.3)."""
    yield from collapse()
    yield check("n = 0 on the diagonal", block(j, j, 0), 1)
    yield check("n = 0 below it", block(j + d, j, 0))
    yield check("above the diagonal", block(j, j + d, n))
    yield check("from n to n+1 on the diagonal", block(j, j, n) + block(j, j + 1, n) * phi(j), block(j, j, n + 1))
    product = split_right(block(j + d, j, n)) + block(j + d, j + 1, n) * phi(j)
    wanted = split_right(block(j + d, j, n + 1))
    for case, places in {
        "1 ≤ i-j ≤ n (Pascal)": {n: d + r, d: s + 1},
        "i-j = n+1": {d: n + 1},
        "i-j > n+1": {d: n + 2 + r},
    }.items():
        yield check(f"from n to n+1, {case}", along(product, places), along(wanted, places))
    for b in range(1, max_b + 1):
        wrong = [power - block_matrix(b, partial(block, n=n)) for n, power in enumerate(powers(b))]
        yield check(f"Φ_b^n for n = 0 … {b}", Matrix.hstack(*wrong), scope=f"B = {b}")


def inverse_blocks(max_b: int, block: Block = inverse_block) -> Iterator[Step]:
    """S_ij = (-1)^{i-j} φ_{i-1} ⋯ φ_j (SPARCS 4.2, B.11)."""
    yield from collapse()
    yield check("above the diagonal", block(j, j + d))
    yield check("Φ S on the diagonal", block(j, j) + phi(j - 1) * block(j - 1, j), 1)
    left = split_left(block(j + d, j)) + phi(j + d - 1) * block(j + d - 1, j)
    yield check("Φ S below it: S_{ij} + φ_{i-1} S_{i-1,j}", left)
    yield check("S Φ on the diagonal", block(j, j) + block(j, j + 1) * phi(j), 1)
    right = split_right(block(j + d, j)) + block(j + d, j + 1) * phi(j)
    yield check("S Φ below it: S_{ij} + S_{i,j+1} φ_j", right)
    summand = inverse_coefficient(B, k) * power_block(j + d, j, k)
    weighted = sign**k * binomial(k, d) * binomial(B + 1, k + 1) * chain(j + d, j)
    yield check("the papers' way: the terms of B.10 are those of B.16 times the chain", summand, weighted)
    for b in range(1, max_b + 1):
        yield check("against 4.1, Φ_b^{-1}", inverse_eigenvector_matrix(b) - block_matrix(b, block), scope=f"B = {b}")
