"""Misprints of SPARCS (Peri et al.), in the order of their places; what an entry is: :mod:`spectral_lab.misprints.entry`.

Checked and found right: 3.1 to 3.4, 4.1 to 4.3, B.1 to B.22, C.1 to C.6, D.1 to D.10, E.1, and the counts of Fig. 8.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product

from sympy import Implies, KroneckerDelta, Matrix, Rational, Symbol, binomial, diff, expand, eye, limit, oo, symbols, tanh

from spectral_lab.blocks import (
    L,
    adjacency_matrix,
    block_matrix,
    eigenvector_matrix,
    inverse_block,
    inverse_coefficient,
    phi,
    power_block,
    powers,
    weight_block,
)
from spectral_lab.misprints.entry import Paper, dense_layers, fails, holds, number
from spectral_lab.proofs import Step, column

SPARCS = Paper("SPARCS")

SPARCS.entry(
    "Section 2, dense layers",
    r"i < \ell - 1",
    r"i \le \ell - 1",
    "The layers that are linked to the next one; the sum over them, which is right, runs to i = ℓ - 1.",
)(dense_layers)


@SPARCS.entry(
    "Section 3",
    r"\Phi_2^{-1} = \Phi_2^2 - 3\Phi_2 - 3\mathbb{I}",
    r"\Phi_2^{-1} = \Phi_2^2 - 3\Phi_2 + 3\mathbb{I}",
    "The last sign. 4.1 is right and gives + for B = 2. Untouched: 3.1 to 3.3.",
)
def _inverse_of_three_layers() -> Iterator[Step]:
    Phi = eigenvector_matrix(2).subs({phi(1): 2, phi(2): 5})
    yield fails("one node a layer, against the inverse", Phi**2 - 3 * Phi - 3 * eye(3) - Phi.inv())
    yield holds("one node a layer, against the inverse", Phi**2 - 3 * Phi + 3 * eye(3) - Phi.inv())


@SPARCS.entry(
    "Section 4, number of diagonal blocks",
    r"B",
    r"B + 1",
    "One block of eigenvalues a layer. The index range that follows, 1 to B+1, is right.",
)
def _diagonal_blocks() -> Iterator[Step]:
    B = 3
    layers = eigenvector_matrix(B).rows  # of which B blocks φ_1 … φ_B lead from one to the next
    yield fails("blocks of Λ_3", B, layers)
    yield holds("blocks of Λ_3", B + 1, layers)


@SPARCS.entry(
    "Section 4, after 4.3",
    r"A_B \in \mathrm{GL}(N, \mathbb{R})",
    r"\det A_B = \prod_{i=1}^{B+1} \det \mathcal{L}_i^{(B)}, \quad"
    r" A_B \in \mathrm{GL}(N, \mathbb{R}) \text{ only if no eigenvalue is } 0",
    "A remark on the side: A_B is block triangular, so it has an inverse only if all eigenvalues differ from 0. "
    "At the perceptron start they do not. Nothing else depends on it.",
    kind="wording",
)
def _general_linear_group() -> Iterator[Step]:
    lam = symbols("lambda_1:4")
    nodes = {phi(1): 2, phi(2): 5, **{L(i): value for i, value in enumerate(lam, 1)}}
    A = Matrix(adjacency_matrix(2).subs(nodes))
    start = dict(zip(lam, (0, 0, 1), strict=True))
    yield fails("rank at the perceptron start, one node a layer, against N = 3", A.subs(start).rank(), A.rows)
    yield holds("det A_2 is the product of the eigenvalues", A.det() - lam[0] * lam[1] * lam[2])


@SPARCS.entry(
    "Section 4, item (i), and Fig. 6",
    r"\mathcal{L}_k^{(B)}: \quad \mathcal{W}_{kj}^{(B)}, \; j < k",
    r"\mathcal{L}_k^{(B)}: \quad \mathcal{W}_{kj}^{(B)}, \; j < k \quad \text{and} \quad"
    r" \mathcal{W}_{k+1,j}^{(B)}, \; j \le k",
    "By 4.3 the eigenvalues of layer k also change the links into layer k+1. "
    "So for j < B the figure's new path is not the only one: the input reaches layer j+1 as well.",
    kind="wording",
)
def _two_layers_are_recruited() -> Iterator[Step]:
    A, k = adjacency_matrix(3), 2
    changed = number((i, j) for i, j in product(range(4), repeat=2) if j < i and A[i, j].has(L(k)))
    start = A.subs({L(1): 0, L(3): 0, L(4): 1})
    yield fails("B = 3: bundles that contain L_2", k - 1, changed)
    yield fails("B = 3, only L_2 switched on: no link from the input to layer 3", start[2, 0])
    yield holds("B = 3: bundles that contain L_2", (k - 1) + k, changed)
    yield holds("W_31 = -φ_2 L_2 φ_1", start[2, 0] + phi(2) * L(2) * phi(1))


@SPARCS.entry(
    "4.5",
    r"\mathbf{a}_i = f\Bigl(\sum_{k<i} \mathcal{W}_{ik}^{(B)} \mathbf{a}_k\Bigr), \quad i = 1, 2, \dots, B+1",
    r"\mathbf{a}_1 = \mathbf{x}, \quad \mathbf{a}_i = f\Bigl(\sum_{k<i} \mathcal{W}_{ik}^{(B)} \mathbf{a}_k\Bigr), \quad"
    r" i = 2, \dots, B+1",
    "For i = 1 the sum is empty, but the first activation is the input, as the line before says.",
    kind="wording",
)
def _first_activation() -> Iterator[Step]:
    x = Symbol("x", commutative=False)
    yield fails("a_1 against the input, f = tanh", tanh(sum(weight_block(1, k) * x for k in range(1, 1))) - x)
    second = sum(weight_block(2, k) * x for k in range(1, 2))
    yield holds("B = 1: a_2 against the lower part of A_1(x, 0)", second - (adjacency_matrix(1) * Matrix([x, 0]))[1])


@SPARCS.entry(
    "5.1",
    r"\alpha = 0: \quad f(\mathbf{x}) \propto \mathbf{w} \cdot \mathbf{x}",
    r"\alpha = 0: \quad f(\mathbf{x}) = \tfrac14 \bigl[1 + \tanh \tfrac{\beta}{2}\bigr]\, \mathbf{w} \cdot \mathbf{x}"
    r" + \tfrac14 \bigl[1 - \tanh \tfrac{\beta}{2}\bigr]\, g(\mathbf{x})",
    "Purely linear only in the limit of large β, and in the same way purely nonlinear at α = 1. "
    "At β = 5 the weights are 0.0033 of g and 0.4967 of w · x.",
    kind="wording",
)
def _purely_linear() -> Iterator[Step]:
    alpha, linear, g = symbols("alpha linear g")
    beta = Symbol("beta", positive=True)
    t = tanh(beta * (alpha - Rational(1, 2)))
    weight = diff((1 - t) / 4 * linear + (1 + t) / 4 * g, g).subs(alpha, 0)
    yield fails("the weight of g at α = 0, β = 5", weight.subs(beta, 5))
    yield fails("the same as a number", weight.subs(beta, 5).n(4))
    yield holds("the weight of g at α = 0", weight - (1 - tanh(beta / 2)) / 4)
    yield holds("and its limit for large β", limit(weight, beta, oo))


@SPARCS.entry(
    "Section 5, path tensor",
    r"\Gamma_{ijk} = \mathcal{W}_{kj}^{(2)} \mathcal{W}_{ji}^{(1)}",
    r"\Gamma_{kji} = [\mathcal{W}_{32}^{(2)}]_{kj} [\mathcal{W}_{21}^{(2)}]_{ji}",
    "Here the layers count from 0 and the superscript counts the matrices; elsewhere they count from 1 and it is B. "
    "E.1 has the indices in the opposite order. The norm, which is all that is plotted, is the same.",
    kind="wording",
)
def _two_path_tensors() -> Iterator[Step]:
    W21, W32 = Matrix(2, 2, symbols("u_1:5")), Matrix(2, 2, symbols("v_1:5"))
    paths = [(i, j, k) for i in range(2) for j in range(2) for k in range(2)]
    section_5 = {(i, j, k): W32[k, j] * W21[j, i] for i, j, k in paths}
    appendix_e = {(i, j, k): W32[i, j] * W21[j, k] for i, j, k in paths}
    yield fails("Γ_112 here and in E.1", section_5[0, 0, 1] - appendix_e[0, 0, 1])
    yield holds("with i and k exchanged", column(section_5[i, j, k] - appendix_e[k, j, i] for i, j, k in paths))
    yield holds("the squared norms", sum(section_5[path] ** 2 - appendix_e[path] ** 2 for path in paths))


@SPARCS.entry(
    "Section 5, number of hidden neurons",
    r"N_1 = N_2 = 200",
    r"N_2 = N_3 = 200",
    "In Sections 2 to 4 N_1 is the size of the input, here 20; the eigenvalues of the hidden layers are those of layers 2, 3.",
    kind="wording",
)
def _hidden_sizes() -> Iterator[Step]:
    sizes = (20, 200, 200, 20)
    N, hidden = dict(enumerate(sizes, 1)), sum(sizes[1:-1])
    yield fails("hidden neurons of 20-200-200-20", N[1] + N[2], hidden)
    yield holds("hidden neurons of 20-200-200-20", N[2] + N[3], hidden)


@SPARCS.entry(
    "Section 5, text on Fig. 9",
    r"\mathcal{L}_2: \; \text{second hidden layer}",
    r"\mathcal{L}_2: \; \text{first hidden layer}, \quad \mathcal{L}_3: \; \text{second hidden layer}",
    "Layer 1 is the input, so layer 2 is the first hidden layer, the one that is excluded. The active one, called the first "
    "in the sentence after, is the second, as in the rest of the paragraph and in Fig. 10.",
)
def _which_hidden_layer() -> Iterator[Step]:
    A = adjacency_matrix(3).subs({L(1): 0, L(2): 0})
    yield fails("L_1 = L_2 = 0 leaves the second hidden layer without input", A[2, 0])
    yield holds("L_1 = L_2 = 0 leaves the first hidden layer without input", A[1, 0])


@SPARCS.entry(
    "Section 5, text on Fig. 10",
    r"\mathcal{L}_1 = \mathcal{L}_3 = \mathbb{O}",
    r"\mathcal{L}_1 = \mathcal{L}_2 = \mathbb{O}",
    "A neuron of layer 3 is removed with its eigenvalue if all links into it are multiples of this eigenvalue. "
    "Fig. 9 shows just this: there the values of layer 2 are the small ones.",
)
def _a_neuron_for_an_eigenvalue() -> Iterator[Step]:
    A = adjacency_matrix(3)
    yield fails("L_1 = L_3 = 0: links from layer 2 into layer 3", A.subs({L(1): 0, L(3): 0})[2, 1])
    into_3 = A.subs({L(1): 0, L(2): 0})[2, :2]
    yield holds("L_1 = L_2 = 0: all links into layer 3 are L_3 times", into_3 - L(3) * Matrix([[phi(2) * phi(1), -phi(2)]]))


@SPARCS.entry(
    "A.2",
    r"\Phi_B \sum_{i=0}^{B} (-1)^i \Phi_B^i \binom{B+1}{i+1} = \mathbb{I} \;\Longrightarrow\;"
    r" (\Phi_B - \mathbb{I})^{B+1} = \mathbb{O}",
    r"\Phi_B \sum_{i=0}^{B} (-1)^i \Phi_B^i \binom{B+1}{i+1} = \mathbb{I} \;\Longleftarrow\;"
    r" (\Phi_B - \mathbb{I})^{B+1} = \mathbb{O}",
    "The right-hand side is what is then proved, so the arrow that is needed points to the left. "
    "Both directions are true, and A.1 stands.",
    kind="gap",
)
def _direction_of_the_arrow() -> Iterator[Step]:
    inverse, nilpotent = symbols("inverse nilpotent")
    yield fails("the arrow and the right side give the left", Implies(Implies(inverse, nilpotent) & nilpotent, inverse))
    yield holds("the arrow and the right side give the left", Implies(Implies(nilpotent, inverse) & nilpotent, inverse))
    x, B = Symbol("x"), 3
    summed = sum(inverse_coefficient(B, i) * x**i for i in range(B + 1))
    yield holds("why it is true, B = 3: 1 - xΣ is (1 - x)^4", expand(1 - x * summed - (1 - x) ** (B + 1)))


@SPARCS.entry(
    "B.2",
    r"\Phi_B^n \quad \forall n \in \mathbb{N}^+",
    r"\Phi_B^n \quad \forall n \in \mathbb{N}_0",
    "B.10 starts at the power 0. B.2 and B.3 are true there too.",
    kind="gap",
)
def _power_zero() -> Iterator[Step]:
    B = 3
    terms = [inverse_coefficient(B, k) * block_matrix(B, partial(power_block, n=k)) for k in range(B + 1)]
    Phi, without = eigenvector_matrix(B), terms[1] + terms[2] + terms[3]
    yield fails("Φ_3 times B.10 without the power 0, against I", Phi * without, eye(B + 1))
    yield holds("Φ_3 times B.10 with it, against I", Phi * (terms[0] + without), eye(B + 1))
    yield holds("B.2 for n = 0 is the identity", block_matrix(B, partial(power_block, n=0)) - powers(B)[0])


@SPARCS.entry(
    "after B.5",
    r"j > i",
    r"j < i",
    "The case with something to calculate; B.6 to B.9 treat it and are right.",
)
def _below_the_diagonal() -> Iterator[Step]:
    square = powers(2)[2]
    cases = [(i, j) for i, j in product(range(3), repeat=2) if square[i, j] not in (0, 1)]
    yield fails("blocks of Φ_2² that are neither 0 nor 1", number(1 for i, j in cases if j > i), len(cases))
    yield holds("blocks of Φ_2² that are neither 0 nor 1", number(1 for i, j in cases if j < i), len(cases))


def _orthogonality_sum(n: int, rho: int) -> int:
    """The left-hand side of B.23."""
    return sum((-1) ** k * binomial(k, rho) * binomial(n, k) for k in range(rho, n + 1))


@SPARCS.entry(
    "B.23",
    r"\sum_{k=\rho}^{n} (-1)^k \binom{k}{\rho} \binom{n}{k} = 0 \quad \forall n, \rho",
    r"\sum_{k=\rho}^{n} (-1)^k \binom{k}{\rho} \binom{n}{k} = (-1)^\rho \delta_{n\rho}",
    "At n = ρ one term is left, and D.12 would need D.2 for n = 0, where it is not stated. "
    "The induction behind B.16 therefore needs the case ρ = B+1 by itself; B.16 is right.",
    kind="gap",
)
def _orthogonality_at_its_edge() -> Iterator[Step]:
    yield fails("n = ρ = 2", _orthogonality_sum(2, 2))
    differences = [_orthogonality_sum(n, rho) - (-1) ** rho * KroneckerDelta(n, rho) for n in range(6) for rho in range(6)]
    yield holds("n and ρ from 0 to 5", column(differences))
    edges = [(-1) ** rho * binomial(rho, rho) * binomial(rho + 1, rho + 1) - (-1) ** rho for rho in range(2, 6)]
    yield holds("B.16 with ρ as its upper end: one term", column(edges))


@SPARCS.entry(
    "D.11",
    r"\sum_{k=m}^{n} (-1)^k \frac{k!}{(k-\rho)!\,\rho!} \frac{n!}{k!\,(n-k)!}",
    r"\sum_{k=\rho}^{n} (-1)^k \frac{k!}{(k-\rho)!\,\rho!} \frac{n!}{k!\,(n-k)!}",
    "m is not defined; the sums before and after begin with ρ.",
)
def _lower_end() -> Iterator[Step]:
    n, rho = 3, 1
    right = binomial(n, rho) * sum((-1) ** k * binomial(n - rho, k - rho) for k in range(rho, n + 1))
    terms = {k: (-1) ** k * binomial(k, rho) * binomial(n, k) for k in range(rho, n + 1)}
    yield fails("n = 3, ρ = 1, m = 2, against the last member", sum(terms[k] for k in range(2, n + 1)), right)
    yield holds("n = 3, ρ = 1, against the last member", sum(terms[k] for k in range(rho, n + 1)), right)


@SPARCS.entry(
    "Appendix F",
    r"(4.2): \quad S_{21}^{(B)} = -\phi_1^{(B)}",
    r"(4.3): \quad \mathcal{W}_{21}^{(B)} = \phi_1^{(B)} \mathcal{L}_1^{(B)} - \mathcal{L}_2^{(B)} \phi_1^{(B)}",
    "The number of the equation that maps a network to direct space: 4.2 has the blocks of the inverse of Φ_B.",
)
def _which_equation() -> Iterator[Step]:
    link = adjacency_matrix(1)[1, 0]
    yield fails("the link from layer 1 to layer 2 by 4.2", inverse_block(2, 1) - link)
    yield holds("the link from layer 1 to layer 2 by 4.3", weight_block(2, 1) - link)
