r"""The mathematics of spectral networks, proved: Φ_B, its inverse, the weights, and the binomial identities behind them.

Every statement that the course uses stands here with its proof, most of them for *every* number of blocks B and every size of
the blocks.  A proof is a list of steps (:mod:`spectral_lab.proofs`); each step is an expression that SymPy reduces to zero
at run time.  How the steps make the proof is said in words, in the statement's ``idea``, and this is all that has to be
believed.  Besides, everything is multiplied out for B = 1 … 8, a route that shares nothing with the general one.

The matrices are those of :mod:`spectral_lab.blocks`: their entries are symbols that do not commute and stand for blocks.

>>> inverse = statement("inverse")
>>> print(inverse)
inverse: Φ_B^{-1} = Σ_{i=0}^{B} (-1)^i C(B+1, i+1) Φ_B^i (SPARCS 4.1, A.1), on both sides.
>>> inverse.prove(max_b=3).verdict
'holds (every B)'
>>> inverse.prove(max_b=3, coefficient=lambda B, i: inverse_coefficient(B - 1, i)).verdict  # the binomials of B - 1
'does not hold: both sides at x^{k+1}, 0 ≤ k ≤ B'

``python -m spectral_lab.identities`` prints the table of all statements.  Where the papers print something else than what
is proved here, :func:`misprints` has the printed formula, the right one, and a counter-example.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table
from sympy import Expr, Function, KroneckerDelta, Lt, Matrix, S, Sum, Symbol, binomial, expand, eye, symbols

from spectral_lab.blocks import (
    Coefficient,
    L,
    adjacency_block,
    adjacency_matrix,
    block_matrix,
    chain,
    check_b,
    eigenvalue_matrix,
    eigenvector_matrix,
    inverse_block,
    inverse_coefficient,
    inverse_eigenvector_matrix,
    phi,
    power_block,
    powers,
    shift_block,
    weight_block,
)
from spectral_lab.files import write_atomically
from spectral_lab.misprints import misprints
from spectral_lab.proofs import EVERY_B, Proof, Statement, Step, along, check, column, telescoping, telescoping_in_both

# Whole numbers from 0 on. A range such as 0 ≤ k < n is reached by n = k + 1 + r: then every r and k is a case of it.
k, m, n, r, s, B, rho = symbols("k m n r s B rho", integer=True, nonnegative=True)
# Layers, counted from 1 as in the papers; d = i - j ≥ 1 is how many layers a link spans.
i, j, d = symbols("i j d", integer=True, positive=True)
sign = S.NegativeOne

Block = Callable[[Any, Any], Expr]
PowerBlock = Callable[..., Expr]  # of i, j and n
Certificate = Callable[[Any, Any], Expr]


# ---------------------------------------------------------------- binomials


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


# ---------------------------------------------------------------- Φ_B and its powers


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


# ---------------------------------------------------------------- A_B and the weights


def weights(max_b: int, block: Block = adjacency_block) -> Iterator[Step]:
    """A_B = Φ_B Λ_B Φ_B^{-1} has the blocks W_ij under a diagonal of L_i (SPARCS 4.3, C.3, C.6)."""
    yield from collapse()

    def product(i: Any, j: Any) -> Expr:  # C.2
        return L(i) * inverse_block(i, j) + phi(i - 1) * L(i - 1) * inverse_block(i - 1, j)

    yield check("above the diagonal", product(j, j + d), block(j, j + d))
    yield check("on the diagonal (C.3)", product(j, j), block(j, j))
    yield check("below it (C.4 to C.6)", split_left(product(j + d, j)), split_left(block(j + d, j)))
    for b in range(1, max_b + 1):
        yield check(
            "against the product Φ_bΛ_bΦ_b^{-1}",
            adjacency_matrix(b) - block_matrix(b, block),
            scope=f"B = {b}",
        )


def eigenvectors(max_b: int) -> Iterator[Step]:
    """A_B Φ_B = Φ_B Λ_B: the columns of Φ_B are eigenvectors of A_B, to the eigenvalues in Λ_B (SPARCS Section 3)."""
    yield from collapse()
    A = adjacency_block
    yield check("on the diagonal", A(j, j) + A(j, j + 1) * phi(j), L(j))
    yield check("right under it", A(j + 1, j) + A(j + 1, j + 1) * phi(j), phi(j) * L(j))
    yield from neighbours()
    for b in range(1, max_b + 1):
        Phi = eigenvector_matrix(b)
        sides = block_matrix(b, adjacency_block) * Phi - Phi * eigenvalue_matrix(b)
        yield check("A_bΦ_b - Φ_bΛ_b", sides, scope=f"B = {b}")


def neighbours() -> Iterator[Step]:
    """W_ij = -W_{i,j+1} φ_j for i - j ≥ 2: each longer link is made from its neighbour."""
    i = j + d + 1
    link = split_right(weight_block(i, j))
    yield check("further below: W_{ij} = -W_{i,j+1}φ_j", link, -weight_block(i, j + 1) * phi(j))


def from_neighbour(max_b: int) -> Iterator[Step]:
    """W_ij = -W_{i,j+1} φ_j, for every block (from SPARCS 4.3)."""
    yield from neighbours()
    blocks = [(a, b) for a in range(3, max_b + 2) for b in range(1, a - 1)]
    wrong = [weight_block(a, b) + weight_block(a, b + 1) * phi(b) for a, b in blocks]
    yield check("all blocks", column(wrong or [0]), scope=f"B = 1..{max_b}")


def recurrence(max_b: int) -> Iterator[Step]:
    """u' = a - φu and z = φLu - L'φu give z_i = Σ_{j<i} W_ij a_j (SPARCS 4.5) without any W_ij."""
    yield check("the first layer: u_2 = a_1", inverse_block(j, j), 1)
    yield check("u_{i+1} = a_i - φ_{i-1} u_i at a_i", inverse_block(i, i), 1)
    kept = -phi(j + d - 1) * inverse_block(j + d - 1, j)
    yield check("the same at earlier signals: u_{i+1} = Σ_j S_{ij} a_j again", kept, split_left(inverse_block(j + d, j)))
    link = (phi(j + d - 1) * L(j + d - 1) - L(j + d) * phi(j + d - 1)) * inverse_block(j + d - 1, j)
    yield check("z_i = φ_{i-1} L_{i-1} u_i - L_i φ_{i-1} u_i has the weights W_{ij}", link, weight_block(j + d, j))
    for b in range(1, max_b + 1):
        yield check("all signals, without activation", column(linear_signals(b)), scope=f"B = {b}")


def linear_signals(b: int) -> list[Expr]:
    """Differences between the recurrence and 4.5, layer by layer, for free signals a_1 … a_{b+1}."""
    a = [Symbol(f"a_{layer}", commutative=False) for layer in range(1, b + 2)]
    u, differences = a[0], []
    for layer in range(2, b + 2):
        z = phi(layer - 1) * L(layer - 1) * u - L(layer) * phi(layer - 1) * u
        differences.append(z - sum(weight_block(layer, source) * a[source - 1] for source in range(1, layer)))
        u = expand(a[layer - 1] - phi(layer - 1) * u)
    return differences


def perceptron(max_b: int) -> Iterator[Step]:
    """With L_1 = … = L_B = 0 and L_{B+1} = I only the links into the last layer are left (SPARCS Section 4)."""
    i = j + d
    link = weight_block(i, j)
    yield check("links into a layer i ≤ B", link.subs({L(i): 0, L(i - 1): 0}))
    last = link.subs({L(i): 1, L(i - 1): 0})
    yield check("links into the last layer are the last row of Φ_B^{-1}", last, split_left(inverse_block(i, j)))
    for b in range(1, max_b + 1):
        start = adjacency_matrix(b).subs({L(layer): int(layer == b + 1) for layer in range(1, b + 2)})
        wanted = block_matrix(b, partial(perceptron_block, b))
        yield check("all blocks", start - wanted, scope=f"B = {b}")


def perceptron_block(b: int, i: int, j: int) -> Expr:
    """What A_B should be at the perceptron start: the last row of Φ_B^{-1}, and nothing else."""
    return inverse_block(i, j) if i == b + 1 else S.Zero


def three_layers(max_b: int, coefficients: tuple[int, int, int] = (3, -3, 1)) -> Iterator[Step]:
    """W_21, W_32 and W_31 of a network with one hidden layer (SPARCS 3.1 to 3.3), and Φ_2^{-1} = Φ_2² - 3Φ_2 + 3I."""
    Phi, A, (c0, c1, c2) = eigenvector_matrix(2), adjacency_matrix(2), coefficients
    yield check("3.1", A[1, 0], (phi(1) * L(1) - L(2) * phi(1)), scope="B = 2")
    yield check("3.2", A[2, 1], (phi(2) * L(2) - L(3) * phi(2)), scope="B = 2")
    yield check("3.3", A[2, 0], (L(3) * phi(2) - phi(2) * L(2)) * phi(1), scope="B = 2")
    inverse = c0 * eye(3) + c1 * Phi + c2 * Phi**2
    yield check(f"Φ_2 ({c2} Φ_2² {c1:+} Φ_2 {c0:+} I) = I", Phi * inverse, eye(3), scope="B = 2")


# ---------------------------------------------------------------- one layer, entry by entry


def one_layer(max_b: int) -> Iterator[Step]:
    """w_ij = (λ_j - λ_i) φ_ij for two layers of any sizes (PRE Eq. 2, Pruning Eq. 2), from Φ^{-1} = 2I - Φ."""
    Phi = eigenvector_matrix(1)
    yield check("Φ(2I - Φ) = I", Phi * (2 * eye(2) - Phi), eye(2), scope="B = 1")
    yield check("(2I - Φ)Φ = I", (2 * eye(2) - Phi) * Phi, eye(2), scope="B = 1")
    block = (Phi * eigenvalue_matrix(1) * (2 * eye(2) - Phi))[1, 0]
    yield check("the lower block is φ L_1 - L_2φ", block, phi(1) * L(1) - L(2) * phi(1), scope="B = 1")
    p, lam_in, lam_out = Function("varphi"), Function("lambda_in"), Function("lambda_out")
    q, n_in, n_out = Symbol("q", integer=True, positive=True), j + r, i + s  # 1 ≤ j ≤ n_in, 1 ≤ i ≤ n_out
    entry = Sum(p(i, q) * KroneckerDelta(q, j) * lam_in(j), (q, 1, n_in)).doit()
    entry -= Sum(lam_out(i) * KroneckerDelta(i, q) * p(q, j), (q, 1, n_out)).doit()
    yield check("its entries are (λ_j - λ_i)φ_{ij}", entry, (lam_in(j) - lam_out(i)) * p(i, j), scope="B = 1")


def homeostasis(max_b: int) -> Iterator[Step]:
    """x_i' = Σ_j λ_j φ_ij x_j - λ_i Σ_j φ_ij x_j (PRE Eq. 3, Pruning Eq. 3), for any number of nodes."""
    p, x, lam_in, lam_out = Function("varphi"), Function("x"), Function("lambda_in"), Function("lambda_out")
    n_in = Symbol("N", integer=True, positive=True)

    def received(upto: Any) -> Expr:
        return Sum((lam_in(j) - lam_out(i)) * p(i, j) * x(j), (j, 1, upto))

    def split(upto: Any) -> Expr:
        return Sum(lam_in(j) * p(i, j) * x(j), (j, 1, upto)) - lam_out(i) * Sum(p(i, j) * x(j), (j, 1, upto))

    yield check("one node", (received(1) - split(1)).doit(), scope="B = 1")
    more = (received(n_in) - split(n_in)).replace(lambda e: isinstance(e, Sum), lambda e: e.function.subs(j, n_in))
    yield check("each further node adds the same to both sides", more, scope="B = 1")


def parameters(max_b: int) -> Iterator[Step]:
    """Both eigenvalues of every node: Σ_{k=1}^{ℓ-1} (N_k + N_{k+1}) = N_1 + N_ℓ + 2 Σ_{k=2}^{ℓ-1} N_k (PRE Section III)."""
    N, last = Function("N"), Symbol("l", integer=True, positive=True)

    def claimed(layers: Any, between: Any) -> Expr:
        return N(1) + N(layers) + 2 * between

    between = Symbol("between")  # Σ_{k=2}^{l-1} N_k; one layer more adds N_l to it
    yield check("two layers", N(1) + N(2), claimed(2, 0))
    added = claimed(last + 1, between + N(last)) - claimed(last, between)
    yield check("one layer more adds N_l + N_{l+1} on both sides", added, N(last) + N(last + 1))
    counts = [
        sum(N(a) + N(a + 1) for a in range(1, b + 1)) - claimed(b + 1, sum(N(a) for a in range(2, b + 1)))
        for b in range(1, max_b + 1)
    ]
    yield check("all counts", column(counts), scope=f"B = 1..{max_b}")


# ---------------------------------------------------------------- the catalogue

TELESCOPE = (
    "Each term is a difference G(k+1) - G(k) (Gosper's certificate), so that the sum telescopes; the boundary terms "
    "decide its value."
)
BLOCKS = "Multiplying by Φ_B leaves two terms of the sum over layers, "

CATALOGUE = (
    Statement(
        "pascal",
        "SPARCS B.8",
        r"\binom{n}{k} = \binom{n-1}{k-1} + \binom{n-1}{k}",
        "Both sides written with factorials, inside the triangle and at its edge.",
        pascal,
    ),
    Statement("alternating", "SPARCS D.2", r"\sum_{k=0}^{n} (-1)^k \binom{n}{k} = 0 \quad (n \ge 1)", TELESCOPE, alternating),
    Statement(
        "alternating, shifted",
        "SPARCS B.13, D.1",
        r"\sum_{k=0}^{B} (-1)^k \binom{B+1}{k+1} = 1",
        TELESCOPE,
        alternating_shifted,
    ),
    Statement(
        "orthogonality",
        "SPARCS B.23",
        r"\sum_{k=\rho}^{n} (-1)^k \binom{k}{\rho} \binom{n}{k} = 0 \quad (n > \rho)",
        TELESCOPE,
        orthogonality,
    ),
    Statement(
        "inversion",
        "SPARCS B.16, B.17",
        r"\sum_{k=\rho}^{B} (-1)^k \binom{k}{\rho} \binom{B+1}{k+1} = (-1)^\rho \quad (0 \le \rho \le B)",
        "Induction on B from B = ρ: the change from B to B+1 telescopes (a pair of Wilf and Zeilberger), and with "
        "its boundary terms it is zero.",
        inversion,
    ),
    Statement(
        "geometric",
        "behind SPARCS A.2",
        r"1 - (1-x)^{B+1} = x \sum_{i=0}^{B} (-1)^i \binom{B+1}{i+1} x^i",
        "The coefficients of (1-x)^n by induction on n; then both sides are compared power by power.",
        geometric,
    ),
    Statement(
        "nilpotency",
        "SPARCS A.2 to A.5",
        r"(\Phi_B - \mathbb{I})^{B+1} = 0",
        "Φ_B - I moves a signal by one layer, its n-th power by n layers, and no two of B+1 layers are "
        "B+1 apart. Once more as in the paper, by induction on B.",
        nilpotency,
    ),
    Statement(
        "inverse",
        "SPARCS 4.1, A.1",
        r"\Phi_B^{-1} = \sum_{i=0}^{B} (-1)^i \binom{B+1}{i+1} \Phi_B^i",
        "Put x = Φ_B into the geometric identity: I - (I - Φ_B)^{B+1} = Φ_B Σ …, and the power on the left vanishes.",
        inverse,
    ),
    Statement(
        "powers",
        "SPARCS B.2, B.3",
        r"T_{ij}^{(B,n)} = \binom{n}{i-j}\, \varphi_{i-1} \cdots \varphi_j \quad (j \le i)",
        BLOCKS + "so the blocks of Φ_B^n obey Pascal's rule; induction on n.",
        power_blocks,
    ),
    Statement(
        "inverse blocks",
        "SPARCS 4.2, B.11",
        r"S_{ij} = (-1)^{i-j}\, \varphi_{i-1} \cdots \varphi_j \quad (j \le i)",
        BLOCKS + "and with the claimed blocks they cancel below the diagonal, from the left and from the right.",
        inverse_blocks,
    ),
    Statement(
        "weights",
        "SPARCS 4.3, C.3, C.6",
        r"\mathcal{W}_{ij} = (-1)^{i-1-j} [\varphi_{i-1} L_{i-1} - L_i \varphi_{i-1}]\, \varphi_{i-2} \cdots \varphi_j"
        r" \quad (j < i)",
        BLOCKS + "L_i S_{ij} + φ_{i-1} L_{i-1} S_{i-1,j} (C.2), with S from 4.2.",
        weights,
    ),
    Statement(
        "eigenvectors",
        "SPARCS Section 3",
        r"A_B \Phi_B = \Phi_B \Lambda_B",
        BLOCKS + "A_{ij} + A_{i,j+1}φ_j; no inverse is needed.",
        eigenvectors,
    ),
    Statement(
        "from the neighbour",
        "from SPARCS 4.3",
        r"\mathcal{W}_{ij} = -\mathcal{W}_{i,j+1}\, \varphi_j \quad (i - j \ge 2)",
        "Split the first block off the chain.",
        from_neighbour,
    ),
    Statement(
        "recurrence",
        "from SPARCS 4.5",
        r"u_{i+1} = a_i - \varphi_{i-1} u_i, \quad \varphi_{i-1} L_{i-1} u_i - L_i \varphi_{i-1} u_i"
        r" = \sum_{j<i} \mathcal{W}_{ij} a_j",
        "By induction u_{i+1} = Σ_{j ≤ i} S_{ij} a_j, whatever the signals a_j are: so an activation may stand "
        "between any two layers.",
        recurrence,
    ),
    Statement(
        "perceptron",
        "SPARCS Section 4",
        r"L_1 = \dots = L_B = 0,\; L_{B+1} = \mathbb{I}: \quad \mathcal{W}_{ij} = 0 \;(i \le B), \quad"
        r" \mathcal{W}_{B+1,j} = S_{B+1,j}",
        "Put the eigenvalues into 4.3.",
        perceptron,
    ),
    Statement(
        "three layers",
        "SPARCS 3.1 to 3.3",
        r"\mathcal{W}_{31} = (L_3 \varphi_2 - \varphi_2 L_2)\, \varphi_1, \quad"
        r" \Phi_2^{-1} = \Phi_2^2 - 3\Phi_2 + 3\mathbb{I}",
        "Multiplied out; the paper prints the last sign otherwise.",
        three_layers,
    ),
    Statement(
        "one layer",
        "PRE Eq. 2, Pruning Eq. 2",
        r"w_{ij} = (\lambda_j - \lambda_i)\, \varphi_{ij}",
        "The lower block of ΦΛ(2I - Φ), then entry by entry for any numbers of nodes.",
        one_layer,
    ),
    Statement(
        "homeostasis",
        "PRE Eq. 3, Pruning Eq. 3",
        r"\sum_j w_{ij} x_j = \sum_j \lambda_j \varphi_{ij} x_j - \lambda_i \sum_j \varphi_{ij} x_j",
        "Induction on the number of nodes that send.",
        homeostasis,
    ),
    Statement(
        "parameters",
        "PRE Section III",
        r"\sum_{k=1}^{\ell-1} (N_k + N_{k+1}) = N_1 + N_\ell + 2 \sum_{k=2}^{\ell-1} N_k",
        "Induction on the number of layers.",
        parameters,
    ),
)


def catalogue() -> list[Statement]:
    """All statements, in the order in which they build on each other."""
    return list(CATALOGUE)


def statement(name: str) -> Statement:
    """The statement of that name.

    Raises:
        KeyError: there is none; the names are listed.
    """
    for found in CATALOGUE:
        if found.name == name:
            return found
    raise KeyError(f"no statement is called {name!r}; there are {', '.join(found.name for found in CATALOGUE)}")


# ---------------------------------------------------------------- python -m spectral_lab.identities


def main(argv: Sequence[str] | None = None) -> int:
    """Prove all statements and show all misprints; exit status 0 if everything holds, 1 if not, 2 for bad options."""
    parser = argparse.ArgumentParser(
        prog="python -m spectral_lab.identities", description="Prove the mathematics, step by step."
    )
    parser.add_argument("--max-b", type=int, default=8, metavar="N", help="also multiply out B = 1 ... N (default 8)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every step to a file")
    options = parser.parse_args(argv)
    try:
        check_b(options.max_b)
    except ValueError as error:
        parser.error(str(error))
    console = Console()
    proofs = [found.prove(options.max_b) for found in track(CATALOGUE, "proving", console=console, transient=True)]
    shown = [misprint.evaluate() for misprint in track(misprints(), "misprints", console=console, transient=True)]
    console.print(table(proofs, shown))
    if options.json:
        content = {"statements": [proof.as_dict() for proof in proofs], "misprints": [proof.as_dict() for proof in shown]}
        text = json.dumps(content, indent=1, ensure_ascii=False)
        write_atomically(options.json, lambda path: Path(path).write_text(text, encoding="utf-8"))
    return 0 if all(proof.holds for proof in [*proofs, *shown]) else 1


def table(proofs: Sequence[Proof], shown: Sequence[Proof]) -> Table:
    """One line a statement, and one for all misprints (or for each that could not be shown)."""
    lines = Table("statement", "scope", "verdict", "seconds", "source", box=SIMPLE)
    for found, proof in zip(CATALOGUE, proofs, strict=True):
        verdict = "[green]holds[/]" if proof.holds else f"[red]{escape(proof.verdict)}[/]"
        lines.add_row(found.name, proof.scope, verdict, f"{proof.seconds:.2f}", found.source)
    lines.add_section()
    for proof in shown:
        if not proof.holds:
            lines.add_row("misprint", proof.scope, f"[red]{escape(proof.verdict)}[/]", f"{proof.seconds:.2f}", proof.name)
    right, seconds = sum(proof.holds for proof in shown), sum(proof.seconds for proof in shown)
    lines.add_row("misprints", "examples", f"{right} of {len(shown)} shown", f"{seconds:.2f}", "all five papers")
    return lines


if __name__ == "__main__":
    sys.exit(main())
