"""A_B = Φ_B Λ_B Φ_B^{-1}, its weights, the signals that they carry, and one layer entry by entry, proved.

Below this module lies :mod:`spectral_lab.inverses`; next, read :mod:`spectral_lab.identities`, which lists all statements.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from sympy import Expr, Function, KroneckerDelta, S, Sum, Symbol, expand, eye

from spectral_lab.binomials import Block, d, i, j, r, s
from spectral_lab.blocks import (
    L,
    adjacency_block,
    adjacency_matrix,
    block_matrix,
    eigenvalue_matrix,
    eigenvector_matrix,
    inverse_block,
    phi,
    weight_block,
)
from spectral_lab.inverses import collapse, split_left, split_right
from spectral_lab.proofs import Step, check, column


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
