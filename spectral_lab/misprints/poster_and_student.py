"""Misprints of Poster and of Student (Giambagli et al.), in the order of their places.

What an entry is: :mod:`spectral_lab.misprints.entry`.  Found right: Student 1, 2, 4 to 6, A.1, A.3, A.4 and B.5, and the
second formula of the Poster.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from sympy import Matrix, diag, eye, ones, sqrt, symbols, tanh, zeros

from spectral_lab.misprints.entry import OneLayer, Paper, fails, holds, number, one_layer, signal
from spectral_lab.proofs import Step, column

POSTER = Paper("Poster")
STUDENT = Paper("Student")


def silent_input(n_in: int, n_out: int) -> tuple[OneLayer, Matrix]:
    """Two layers, and their weights w where all eigenvalues of the sending nodes are 0."""
    layer = one_layer(n_in, n_out)
    return layer, layer.w.subs(dict.fromkeys(layer.lam_in, 0))


@POSTER.entry(
    "first formula",
    r"x_k = \tilde{w}_k x_{k-1} = \sigma \left[ \left( \phi_k \odot \lambda_k^{inT} - \lambda_k^{out} \odot \phi_k \right)"
    r" x_{k-1} \right]",
    r"x_k = \sigma [\tilde{w}_k x_{k-1}] = \sigma \left[ \left( \phi_k \odot \lambda_k^{inT} - \lambda_k^{out} \odot \phi_k"
    r" \right) x_{k-1} \right]",
    "The middle member lacks σ; the formula in components has it.",
)
def _activation() -> Iterator[Step]:
    layer, x = one_layer(2, 2), signal(2)
    last = (layer.phi * diag(*layer.lam_in) - diag(*layer.lam_out) * layer.phi) * x
    yield fails("two nodes to two, σ = tanh", (layer.w * x - last.applyfunc(tanh)).subs(x[0], 1).subs(x[1], 0))
    yield holds("two nodes to two, the argument of σ", layer.w * x - last)


@POSTER.entry(
    "regularisation term",
    r"\alpha_\phi L_2(\Phi)",
    r"\alpha_\phi L_2(\phi)",
    "If Φ is the whole matrix of eigenvectors, its ones count too: a constant that changes no gradient. Student 8 has φ.",
    kind="wording",
)
def _penalty() -> Iterator[Step]:
    layer = one_layer(2, 3)
    whole, block = (sum(entry**2 for entry in matrix) for matrix in (layer.Phi, layer.phi))
    nothing = dict.fromkeys(layer.phi, 0)
    yield fails("the penalty at φ = 0, two nodes to three", whole.subs(nothing))
    yield holds("the penalty at φ = 0, two nodes to three", block.subs(nothing))
    yield holds("difference of the gradients", column((whole - block).diff(entry) for entry in layer.phi))


def length_of_incoming_weights() -> Iterator[Step]:
    """The norm of a row of w for λ_in = 0, with a negative eigenvalue."""
    layer, w = silent_input(2, 2)
    values = dict(zip([*layer.phi, *layer.lam_out], [3, 4, 1, 0, -2, 1], strict=True))
    phi, w = layer.phi.subs(values), w.subs(values)
    yield fails("λ_1 = -2, φ = (3, 4): against the norm of the row of w", -2 * phi.row(0).norm() - w.row(0).norm())
    yield holds("λ_1 = -2, φ = (3, 4): against the norm of the row of w", abs(-2) * phi.row(0).norm() - w.row(0).norm())


SIGN_OF_RELEVANCE = (
    "An eigenvalue may be negative; its neuron would come last in the ranking, however large its weights are. "
    "Of no consequence where trained eigenvalues stay positive."
)
POSTER.entry(
    "feature norm",
    r"R_{spectral}^j = \lambda_j^{out} \left( \sum_{k=1}^d \phi_{jk}^2 \right)^{1/2}",
    r"R_{spectral}^j = |\lambda_j^{out}| \left( \sum_{k=1}^d \phi_{jk}^2 \right)^{1/2}",
    SIGN_OF_RELEVANCE,
)(length_of_incoming_weights)

# ---------------------------------------------------------------- Student


@STUDENT.entry(
    "Eqs. 3 and A.2",
    r"z_1^{(k-1)}, \dots, z_{N_k}^{(k-1)}",
    r"z_1^{(k)}, \dots, z_{N_k}^{(k)}",
    "What arrives is the z of layer k, as in 1 and 2; the lower index, which ends at N_k, is right.",
)
def _which_signal() -> Iterator[Step]:
    x, w = signal(2), one_layer(2, 3).phi
    A = zeros(5)
    A[2:, :2] = w
    arrived = (A * Matrix([*x, 0, 0, 0]))[2:, :]
    yield fails("N_{k-1} = 2, N_k = 3: entries of z^(k-1) against those that arrive", x.rows, arrived.rows)
    yield holds("entries of z^(k) = w^(k) x^(k-1) against those that arrive", (w * x).rows, arrived.rows)
    yield holds("and they are the same", w * x - arrived)


@STUDENT.entry(
    "Section 2, after Eq. 3",
    r"\tilde{A}^{(k)} v = A^{(k)} v",
    r"(\tilde{A}^{(k)} v)_m = (A^{(k)} v)_m \quad \text{for } m > N_{k-1}",
    "Equivalent only where the signal arrives; the sending nodes keep λ_in times theirs, so for all m only if λ_in = 0. "
    "The next layer uses the arriving part alone, and 4 to 6 are right.",
    kind="wording",
)
def _equivalent_action() -> Iterator[Step]:
    layer, x = one_layer(2, 3), signal(2)
    A = zeros(5)
    A[2:, :2] = layer.w
    difference = (layer.A - A) * Matrix([*x, 0, 0, 0])
    yield fails("two nodes to three, all components", difference)
    yield holds("the last N_k components", difference[2:, :])
    yield holds("all components, for λ_in = 0", difference.subs(dict.fromkeys(layer.lam_in, 0)))


@STUDENT.entry(
    "Section 2, after Eq. 6: back to 1",
    r"\lambda_j^{(k)in} = 0: \quad w_{ij}^{(k)} = \phi_{ij}^{(k)}",
    r"\lambda_j^{(k)in} = 0: \quad w_{ij}^{(k)} = -\phi_{ij}^{(k)}",
    "The sign is left unsaid here; Section 3 has it.",
    kind="wording",
)
def _sign_of_the_features() -> Iterator[Step]:
    (layer, w), x = silent_input(2, 2), signal(2)
    scaled = diag(*layer.lam_out) * layer.phi * x  # Eq. 1 with φ as its weights
    yield fails("Eq. 1 with w = φ, against 5", scaled - w * x)
    yield holds("Eq. 1 with w = -φ, against 5", -scaled - w * x)


@STUDENT.entry(
    "Section 2, after Eq. 6: relative weight",
    r"\lambda_j^{(k)out}",
    r"\lambda_i^{(k)out}",
    "The eigenvalue that weighs a feature belongs to the node that receives.",
)
def _weight_of_a_feature() -> Iterator[Step]:
    layer, w = silent_input(2, 2)
    places = list(product(range(2), repeat=2))
    yield fails("w_12 + λ_2 φ_12", w[0, 1] + layer.lam_out[1] * layer.phi[0, 1])
    yield holds("w_ij + λ_i φ_ij", column(w[i, j] + layer.lam_out[i] * layer.phi[i, j] for i, j in places))


@STUDENT.entry(
    "Eqs. 9 and 10, upper end",
    r"\mathcal{W}_i = \left( \sum_{j=1}^h w_{ij}^2 \right)^{1/2}, \quad"
    r" \mathcal{L}_i = \lambda_i \left( \sum_{j=1}^h \phi_{ij}^2 \right)^{1/2}",
    r"\mathcal{W}_i = \left( \sum_{j=1}^{10} w_{ij}^2 \right)^{1/2}, \quad"
    r" \mathcal{L}_i = \lambda_i \left( \sum_{j=1}^{10} \phi_{ij}^2 \right)^{1/2}",
    "i runs to h, the number of rows; a row has an entry for each of the 10 inputs.",
)
def _length_of_a_row() -> Iterator[Step]:
    w = ones(20, 10)
    yield fails("h = 20: terms of the sum against entries of a row", w.rows, w.cols)
    pruned = w[:5, :]
    yield fails("h = 5: against the norm of a row", sqrt(sum(pruned[0, j] ** 2 for j in range(5))) - pruned.row(0).norm())
    yield holds("h = 5: against the norm of a row", sqrt(sum(pruned[0, j] ** 2 for j in range(10))) - pruned.row(0).norm())


STUDENT.entry(
    "Eq. 10, sign",
    r"\mathcal{L}_i = \lambda_i \left( \sum_{j=1}^h \phi_{ij}^2 \right)^{1/2}",
    r"\mathcal{L}_i = |\lambda_i| \left( \sum_{j=1}^{10} \phi_{ij}^2 \right)^{1/2}",
    SIGN_OF_RELEVANCE + " Fig. 1 rescales to values from 0 to 1.",
)(length_of_incoming_weights)


@STUDENT.entry(
    "Eq. 11",
    r"\tilde{w}_{i_0, i_1}^{(1)} \cdot \tilde{w}_{i_1, i_2}^{(2)} = \Gamma_{i_0, i_2}^{i_1}",
    r"\tilde{w}_{i_1, i_0}^{(1)} \cdot \tilde{w}_{i_2, i_1}^{(2)} = \Gamma_{i_0, i_2}^{i_1}",
    "By Section 2 the first index of w is the node that receives. The paths that are meant, and Fig. 4, are untouched.",
)
def _indices_of_a_path() -> Iterator[Step]:
    w1, w2 = Matrix(2, 2, symbols("u_1:5")), Matrix(2, 2, symbols("v_1:5"))
    ends, nodes = list(product(range(2), repeat=2)), range(2)
    printed = column(sum(w1[a, b] * w2[b, c] for b in nodes) - (w2 * w1)[c, a] for a, c in ends)
    corrected = column(sum(w1[b, a] * w2[c, b] for b in nodes) - (w2 * w1)[c, a] for a, c in ends)
    yield fails("sum over all paths, against w^(2) w^(1)", printed)
    yield holds("sum over all paths, against w^(2) w^(1)", corrected)


@STUDENT.entry(
    "after Eq. 11, number of paths",
    r"N_{tot} = N_0 \cdot N_1 + N_1 \cdot N_2",
    r"N_{tot} = N_0 \cdot N_1 \cdot N_2",
    "What is printed is the number of links. Fig. 4 shows fractions of the vector.",
)
def _number_of_paths() -> Iterator[Step]:
    N0, N1, N2 = 10, 20, 20
    paths = number(product(range(N0), range(N1), range(N2)))
    yield fails("10-20-20", N0 * N1 + N1 * N2, paths)
    yield holds("10-20-20", N0 * N1 * N2, paths)


@STUDENT.entry(
    "after Eq. 11, range of the index",
    r"\Gamma_i, \quad i = 0, \dots, N_{tot}",
    r"\Gamma_i, \quad i = 1, \dots, N_{tot}",
    "One component too many.",
)
def _range_of_the_index() -> Iterator[Step]:
    total = Matrix(range(2 * 3 * 4)).rows
    yield fails("components of a vector of size 24", number(range(total + 1)), total)
    yield holds("components of a vector of size 24", number(range(1, total + 1)), total)


@STUDENT.entry(
    "Appendix A, labels of layer k",
    r"N_k + 1, \dots, N_{k-1} + N_k",
    r"N_{k-1} + 1, \dots, N_{k-1} + N_k",
    "The labels of the other layer end at N_{k-1}. Section 2 has it right.",
)
def _labels() -> Iterator[Step]:
    layer = one_layer(4, 3)
    before, n = layer.phi.cols, layer.phi.rows
    yield fails("N_{k-1} = 4, N_k = 3: how many labels", number(range(n + 1, before + n + 1)), n)
    yield holds("N_{k-1} = 4, N_k = 3: how many labels", number(range(before + 1, before + n + 1)), n)


@STUDENT.entry(
    "Appendix A, after A.3",
    r"2\mathbb{I}_{N_{k-1} \times N_k} - \Phi^{(k)}",
    r"2\mathbb{I}_{N_{k-1}+N_k} - \Phi^{(k)}",
    "The identity must be as large as Φ. Section 2 has it right.",
)
def _size_of_the_identity() -> Iterator[Step]:
    layer = one_layer(2, 3)
    n = layer.phi.cols + layer.phi.rows
    yield fails("N_{k-1} = 2, N_k = 3: rows of the identity against those of Φ", layer.phi.cols, layer.Phi.rows)
    yield holds("2I - Φ against the inverse of Φ", 2 * eye(n) - layer.Phi - layer.Phi.inv())


@STUDENT.entry(
    "Appendix B, structure of M(w)",
    r"\mathcal{M}(w)_{i+1,j+1} = \mathcal{M}(w)_{ij}",
    r"\mathcal{M}(w) = \bigl(M_{s-r}\bigr)_{rs}, \quad (M_{s-r})_{i+1,j+1} = (M_{s-r})_{ij}",
    "In two dimensions the matrix of a convolution is a Toeplitz matrix of Toeplitz blocks, not a Toeplitz matrix. "
    "The argument needs only that it repeats the filter.",
    kind="wording",
)
def _toeplitz() -> Iterator[Step]:
    w, image = Matrix(2, 2, symbols("w_1:5")), Matrix(3, 3, symbols("x_1:10"))
    shifts = list(product(range(2), repeat=2))
    M = Matrix([sum(w[a, b] * image[r + a, c + b] for a, b in shifts) for r, c in shifts]).jacobian(list(image))
    blocks = {(r, s): M[2 * r : 2 * r + 2, 3 * s : 3 * s + 3] for r in range(2) for s in range(3)}
    yield fails("3 × 3 image, 2 × 2 filter: along the diagonals", M[1:, 1:] - M[:-1, :-1])
    yield holds("the same in each block", column(e for block in blocks.values() for e in block[1:, 1:] - block[:-1, :-1]))
    yield holds("the same block by block", column(e for s in range(2) for e in blocks[1, s + 1] - blocks[0, s]))


@STUDENT.entry(
    "Appendix B.2",
    r"\lambda^{(in)} = 1",
    r"\lambda^{(in)} = 0",
    "With 1 a filter would have full weight at λ_out = 0, its least relevance. The end of the section has 0.",
)
def _relevance_of_a_filter() -> Iterator[Step]:
    layer = one_layer(1, 1)
    irrelevant = layer.w.subs(layer.lam_out[0], 0)
    yield fails("w at λ_out = 0", irrelevant.subs(layer.lam_in[0], 1))
    yield holds("w at λ_out = 0", irrelevant.subs(layer.lam_in[0], 0))


@STUDENT.entry(
    "Appendix B.2, equal eigenvalues",
    r"\lambda_i^{(out)} = \lambda_j^{(out)} \quad \forall i, j",
    r"\lambda_i^{(out)} = \lambda_j^{(out)} \quad \forall i, j \text{ of one filter}",
    "True of the one filter of the appendix. With several, one eigenvalue for all would silence all of them or none; "
    "network slimming has a factor for each.",
    kind="wording",
)
def _one_relevance_a_filter() -> Iterator[Step]:
    layer, w = silent_input(1, 2)  # two filters of one weight, at one place each
    first, second = layer.lam_out
    together = w.subs(second, first)
    yield fails("two filters, the second silenced: the first", together.subs(first, 0)[0], w[0])
    yield holds("two filters, the second silenced: the first", w.subs(second, 0)[0], w[0])
    yield holds("and the second is silent", w.subs(second, 0)[1])
