"""Misprints of PRE (Chicchi et al.) and of Pruning (Buffoni et al.), which share parts of their text.

What an entry is: :mod:`spectral_lab.misprints.entry`.  Found right: Eqs. 1 to 3 of both papers (but see the entry on PRE 1),
the parameter counts of PRE Section III, and PRE B1 and B2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from sympy import Expr, KroneckerDelta, Matrix, Symbol, diag, exp, eye, integrate, log, ones, symbols, tanh

from spectral_lab.misprints.entry import Paper, dense_layers, fails, holds, number, one_layer, signal
from spectral_lab.proofs import Step, column

PRE = Paper("PRE")
PRUNING = Paper("Pruning")

PRE.entry(
    "Section II, dense layers",
    r"i < \ell - 1",
    r"i \le \ell - 1",
    "The layers that are linked to the next one; the sum over them, which is right, runs to i = ℓ - 1.",
)(dense_layers)


def after_applications() -> Iterator[Step]:
    """How many matrices stand before n_1 in n_3, from n_{k+1} = A^(k) n_k."""
    first = Symbol("n_1", commutative=False)
    A = [Symbol(f"A_{k}", commutative=False) for k in range(1, 4)]

    def applied(times: int) -> Expr:
        return A[times - 1] * applied(times - 1) if times else first

    third = A[1] * (A[0] * first)
    yield fails("n_3 after 3 applications", applied(3), third)
    yield holds("n_3 after 2 applications", applied(2), third)


PRE.entry(
    "Section II, after how many applications",
    r"\vec{n}_k: \quad k",
    r"\vec{n}_k: \quad k - 1",
    "The first vector is the input, to which nothing has been applied.",
)(after_applications)


@PRE.entry(
    "Section II, eigenvalues equal to 1",
    r"(\Lambda^{(k)})_{jj} = 1 \text{ for } j < \sum_{i=1}^{k} N_i \text{ and } j > \sum_{i=1}^{k+1} N_i;"
    r" \quad N_k \text{ remain}",
    r"(\Lambda^{(k)})_{jj} = 1 \text{ for } j \le \sum_{i=1}^{k} N_i \text{ or } j > \sum_{i=1}^{k+1} N_i;"
    r" \quad N_{k+1} \text{ remain}",
    "The eigenvalues that are left are those of the arrival layer, as the text after (1) counts them; "
    "there the first matrix has those of the input layer besides.",
)
def _unit_eigenvalues() -> Iterator[Step]:
    N, k = {1: 4, 2: 5, 3: 2}, 2
    before, upto = N[1] + N[2], N[1] + N[2] + N[3]
    arrival = one_layer(N[k], N[k + 1]).phi.rows
    nodes = range(1, upto + 1)
    yield fails("4-5-2, k = 2: what is left by < and 'or'", number(j for j in nodes if not (j < before or j > upto)), arrival)
    yield fails("and by 'and'", number(j for j in nodes if not (j < before and j > upto)), arrival)
    yield fails("and the number N_k", N[k], arrival)
    yield holds("what is left by ≤ and 'or'", number(j for j in nodes if not (j <= before or j > upto)), arrival)
    yield holds("and the number N_{k+1}", N[k + 1], arrival)


@PRE.entry(
    "Section II, where the block starts",
    r"\text{line } N_{k+1}, \; \text{column } N_k",
    r"\text{line } 1 + \sum_{s=1}^{k} N_s, \; \text{column } 1 + \sum_{s=1}^{k-1} N_s",
    "The block leads from the nodes of layer k to those of layer k+1, counted through the whole network; "
    "Eq. 2 has the right places, l(1) and m(1).",
)
def _where_the_block_starts() -> Iterator[Step]:
    N, k = {1: 2, 2: 3, 3: 2}, 1

    def misses_inverse(line: int, start: int) -> Matrix:
        Phi = eye(7)
        Phi[line - 1 : line - 1 + N[k + 1], start - 1 : start - 1 + N[k]] = ones(N[k + 1], N[k])
        return Phi * (2 * eye(7) - Phi) - eye(7)

    yield fails("2-3-2, k = 1: Φ(2I - Φ) - I", misses_inverse(N[k + 1], N[k]))
    yield holds("2-3-2, k = 1: Φ(2I - Φ) - I", misses_inverse(1 + N[1], 1))


def _last_signal(f: Callable[[Any], Any]) -> Expr:
    """Difference between Eqs. 1 and 3 for three layers of one node each: f on all nodes, or on the nodes of one layer."""
    x, a, b, *lam = symbols("x varphi_1 varphi_2 lambda_1:5")
    Phi_1, Phi_2 = Matrix([[1, 0, 0], [a, 1, 0], [0, 0, 1]]), Matrix([[1, 0, 0], [0, 1, 0], [0, b, 1]])
    A_1 = Phi_1 * diag(lam[0], lam[1], 1) * Phi_1.inv()
    A_2 = Phi_2 * diag(1, lam[2], lam[3]) * Phi_2.inv()
    whole = (A_2 * (A_1 * Matrix([x, 0, 0])).applyfunc(f))[2]
    return whole - (lam[2] - lam[3]) * b * f((lam[0] - lam[1]) * a * x)


@PRE.entry(
    "Eq. 1",
    r"\vec{n}_\ell = f(\mathbf{A}^{(\ell-1)} \dots f(\mathbf{A}^{(2)} f(\mathbf{A}^{(1)} \vec{n}_1, \beta_1), \beta_2),"
    r" \beta_{\ell-1})",
    r"\vec{n}_\ell = f(\mathbf{A}^{(\ell-1)} \dots f(\mathbf{A}^{(2)} f(\mathbf{A}^{(1)} \vec{n}_1, \beta_1), \beta_2),"
    r" \beta_{\ell-1}) \quad \text{with } f = 0 \text{ on nodes without signal}",
    "Where f acts on all N nodes, those of later layers get f(0), which their eigenvalue passes on, against Eq. 3. "
    "Nothing changes for ReLU, ELU and tanh, which are 0 at 0, if the biases of idle nodes are 0 too.",
    kind="gap",
)
def _idle_nodes() -> Iterator[Step]:
    yield fails("1-1-1, f = 1/(1 + exp(-x))", _last_signal(lambda value: 1 / (1 + exp(-value))))
    yield holds("1-1-1, f = tanh", _last_signal(tanh))


@PRE.entry(
    "Section II, after Eq. 1",
    r"\vec{z} = \sigma(\vec{n}_\ell)",
    r"\vec{z} = \sigma\bigl((\vec{n}_\ell)_{N-N_\ell+1}, \dots, (\vec{n}_\ell)_N\bigr)",
    "The vector has N entries, of which the last ones are the output; a label has as many entries as there are classes. "
    "Pruning says the same.",
    kind="wording",
)
def _softmax_of_the_output() -> Iterator[Step]:
    n, n_out = [0, log(2), 0, log(3), log(4)], 2

    def softmax(values: list[Any]) -> list[Expr]:
        return [exp(value) / sum(exp(other) for other in values) for value in values]

    yield fails("5 nodes, 2 classes: sum of their probabilities, minus 1", sum(softmax(n)[-n_out:]) - 1)
    yield holds("5 nodes, 2 classes: sum of their probabilities, minus 1", sum(softmax(n[-n_out:])) - 1)


@PRE.entry(
    "Section III, QR",
    r"N_{k+1} > N_k, \quad N_{k+1} < N_k",
    r"N_{k+1} \ge N_k, \quad N_{k+1} < N_k",
    "Layers of equal size are left out, but Appendix E uses them; either case then serves.",
    kind="gap",
)
def _equal_sizes() -> Iterator[Step]:
    sizes = (784, 500, 500, 10)
    pairs = list(pairwise(sizes))
    covered = number(1 for n_in, n_out in pairs if n_out > n_in or n_out < n_in)
    yield fails("blocks of 784-500-500-10 that are factorised", covered, len(pairs))
    covered = number(1 for n_in, n_out in pairs if n_out >= n_in or n_out < n_in)
    yield holds("blocks of 784-500-500-10 that are factorised", covered, len(pairs))


@PRE.entry(
    "Section III, the probability p, and Fig. 6",
    r"p\, \frac{M_{k+1} (M_{k+1} + 1)}{2}",
    r"M_{k+1} + p\, \frac{M_{k+1} (M_{k+1} - 1)}{2}",
    "The mean number of entries of R that are trained, if p belongs to all entries of the triangle or, as Appendix D has it, "
    "to those off the diagonal. Both agree at p = 1.",
    kind="wording",
)
def _which_entries_are_drawn() -> Iterator[Step]:
    M, p = 4, Symbol("p")
    triangle = [(i, j) for i in range(M) for j in range(i, M)]
    trained = sum(1 if i == j else p for i, j in triangle)  # Appendix D
    yield fails("M = 4, against Appendix D", p * M * (M + 1) / 2 - trained)
    yield holds("M = 4, against Appendix D", M + p * M * (M - 1) / 2 - trained)


@PRE.entry(
    "Figs. 1 and 4, captions",
    r"(\mathbf{U}_k)_{ij} \sim \mathcal{U}",
    r"\mathbf{U}_k \mathbf{U}_k^T = \mathbb{1}",
    "Independent uniform entries make no orthogonal matrix, which the text of Section III asks for. "
    "Meant may be the matrix from which the orthogonal one is made. The same for V and Q.",
    kind="wording",
)
def _uniform_or_orthogonal() -> Iterator[Step]:
    a, b, s = symbols("a b s", positive=True)

    def mean(value: Expr) -> Expr:
        return integrate(value, (a, -s, s), (b, -s, s)) / (2 * s) ** 2

    length = a**2 + b**2
    yield fails("variance of a row's squared length, two entries in (-s, s)", mean(length**2) - mean(length) ** 2)
    Q, _ = Matrix([[3, 1], [4, -2]]).QRdecomposition()
    yield holds("the factor Q of a matrix: QQᵀ - 1", Q * Q.T - eye(2))


@PRE.entry(
    "Appendix A and Fig. 3",
    r"N_{k+1} \text{ elements for } k \ge 1",
    r"N_{k+1} \text{ elements for } k > 1",
    "The original method trains both sets of the first matrix; only so the total is the N of Section II.",
)
def _original_method() -> Iterator[Step]:
    N = {1: 784, 2: 100, 3: 10}
    total = sum(N.values())
    yield fails("eigenvalues of 784-100-10", sum(N[k + 1] for k in (1, 2)), total)
    yield holds("eigenvalues of 784-100-10", N[1] + N[2] + sum(N[k + 1] for k in (2,)), total)


def entries_of_Lambda() -> Iterator[Step]:
    """The sum over j leaves no j on the right-hand side."""
    lam, n = symbols("lambda_1:4"), range(3)
    printed = Matrix(3, 3, lambda i, j: sum(KroneckerDelta(i, m) * lam[m] for m in n))
    corrected = Matrix(3, 3, lambda i, j: KroneckerDelta(i, j) * lam[j])
    yield fails("three nodes, against the diagonal matrix", printed - diag(*lam))
    yield holds("three nodes, against the diagonal matrix", corrected - diag(*lam))


def shape_of_w() -> Iterator[Step]:
    """The lower left block of ΦΛΦ^{-1} for two nodes that send and three that receive."""
    layer, x = one_layer(2, 3), signal(2)
    yield fails("N_k = 2, N_{k+1} = 3: number of rows of w", len(layer.lam_in), layer.w.rows)
    yield holds("N_k = 2, N_{k+1} = 3: number of rows of w", len(layer.lam_out), layer.w.rows)
    yield holds("and w acts on the N_k signals", layer.w * x - (layer.A * Matrix([*x, 0, 0, 0]))[2:, :])


LAMBDA = (
    r"\Lambda_{ij} = \sum_{j=1}^{N_k+N_{k+1}} \delta_{ij} \lambda_j",
    r"\Lambda_{ij} = \delta_{ij} \lambda_j",
    "With the sum every entry of a row would be the same. The lines that follow use the diagonal matrix.",
)
SHAPE = (
    r"\mathbf{w}: \quad N_k \times N_{k+1}",
    r"\mathbf{w}: \quad N_{k+1} \times N_k",
    "With the paper's own ranges i runs over the receiving nodes and counts the rows; so have Eqs. 2 and 3.",
)
PRE.entry("Appendix B, after B1", *LAMBDA)(entries_of_Lambda)
PRE.entry("Appendix B, after B2", *SHAPE)(shape_of_w)

# ---------------------------------------------------------------- Pruning

PRUNING.entry(
    "Section II, after how many applications",
    r"\vec{x}^{(k)}: \quad k",
    r"\vec{x}^{(k)}: \quad k - 1",
    "The first vector is the input, to which nothing has been applied.",
)(after_applications)


@PRUNING.entry(
    "Section II, eigenvalues equal to 1",
    r"(\mathbf{\Lambda}^{(k)})_{jj} = 1 \text{ for } j < \sum_{i=1}^{k-1} N_i \text{ and } j > \sum_{i=1}^{k+1} N_i",
    r"(\mathbf{\Lambda}^{(k)})_{jj} = 1 \text{ for } j \le \sum_{i=1}^{k-1} N_i \text{ or } j > \sum_{i=1}^{k+1} N_i",
    "No j is in both ranges, and with < one eigenvalue too many is left. Their number, N_k + N_{k+1}, is right.",
)
def _unit_eigenvalues_of_both() -> Iterator[Step]:
    N, k = {1: 4, 2: 3, 3: 2, 4: 5}, 2
    before, upto, nodes = N[1], N[1] + N[2] + N[3], range(1, 15)
    both = one_layer(N[k], N[k + 1]).A.rows
    yield fails("4-3-2-5, k = 2: what is left by 'and'", number(j for j in nodes if not (j < before and j > upto)), both)
    yield fails("and by < and 'or'", number(j for j in nodes if not (j < before or j > upto)), both)
    yield holds("what is left by ≤ and 'or'", number(j for j in nodes if not (j <= before or j > upto)), both)


@PRUNING.entry(
    "before Eq. 3",
    r"x_i^{(k)}",
    r"x_i^{(k+1)}",
    "The left-hand side of 3 itself is right.",
)
def _which_activity() -> Iterator[Step]:
    layer, x = one_layer(2, 3), signal(2)
    received = layer.phi * diag(*layer.lam_in) * x - diag(*layer.lam_out) * layer.phi * x
    yield fails("N_k = 2, N_{k+1} = 3: entries of x^(k) against those of 3", x.rows, received.rows)
    after = (layer.A * Matrix([*x, 0, 0, 0]))[2:, :]
    yield holds("entries of x^(k+1) against those of 3", after.rows, received.rows)
    yield holds("and they are the same", after - received)


PRUNING.entry("Appendix A, after A1", *LAMBDA)(entries_of_Lambda)


@PRUNING.entry(
    "Appendix A, β",
    r"\beta_{ij} = \sum_{m \in \mathcal{I} \cup \mathcal{J}} \delta_{im} \lambda_m \Phi_{mj}",
    r"\beta_{ij} = \sum_{m \in \mathcal{I} \cup \mathcal{J}} \Phi_{im} \lambda_m \Phi_{mj}",
    "With δ the first sum of the next line could not appear. That line is right, and so is A2.",
)
def _beta() -> Iterator[Step]:
    layer, nodes, (i, j) = one_layer(2, 2), range(4), (2, 0)
    right, lam = (layer.Phi * layer.Lam * layer.Phi)[i, j], layer.Lam.diagonal()
    yield fails("β_31", sum(KroneckerDelta(i, m) * lam[m] * layer.Phi[m, j] for m in nodes) - right)
    yield holds("β_31", sum(layer.Phi[i, m] * lam[m] * layer.Phi[m, j] for m in nodes) - right)


@PRUNING.entry(
    "A2",
    r"(\lambda_j - \lambda_i)\, \phi_{ij}",
    r"(\lambda_j - \lambda_i)\, \Phi_{ij}",
    "Here i still counts through both layers, from N_k + 1 on, but φ has only the rows 1 to N_{k+1}.",
)
def _capital_phi() -> Iterator[Step]:
    layer, arrival = one_layer(2, 2), (3, 4)
    rows = range(1, layer.phi.rows + 1)
    yield fails("N_k = N_{k+1} = 2: how many i are rows of φ", number(i for i in arrival if i in rows), len(arrival))
    lam, places = layer.Lam.diagonal(), [(i - 1, j) for i in arrival for j in range(2)]
    yield holds("A_ij - (λ_j - λ_i)Φ_ij", column(layer.A[i, j] - (lam[j] - lam[i]) * layer.Phi[i, j] for i, j in places))


PRUNING.entry("Appendix A, after A2", *SHAPE)(shape_of_w)


@PRUNING.entry(
    "Appendix D",
    r"L_r^{\text{spec}} = \gamma * \sum_{i=1}^{N_{\ell-1}} |\lambda_i^{(\ell-1)}|, \quad"
    r" L_r^{\text{conn}} = \gamma * \sum_{i,j} |w_{ij}^{(\ell-1)}|",
    r"L_r^{\text{spec}} = \gamma * \sum_{i=1}^{N_{\ell-1}} |\lambda_{l(i)}^{(\ell-2)}|, \quad"
    r" L_r^{\text{conn}} = \gamma * \sum_{i,j} |w_{ij}^{(\ell-2)}|",
    "With the upper index of Eq. 2 the links into layer ℓ-1 belong to the map ℓ-2; λ^(ℓ-1) has N_ℓ receiving entries, and the "
    "others are set to 0. Perhaps the appendix numbers otherwise than Eq. 2.",
)
def _upper_index() -> Iterator[Step]:
    N = {"l-2": 3, "l-1": 4, "l": 2}
    into_last, into_pruned = one_layer(N["l-1"], N["l"]), one_layer(N["l-2"], N["l-1"])
    yield fails("3-4-2: receiving eigenvalues against N_{ℓ-1}", len(into_last.lam_out), N["l-1"])
    yield fails("rows of w against N_{ℓ-1}", into_last.w.rows, N["l-1"])
    yield holds("receiving eigenvalues against N_{ℓ-1}", len(into_pruned.lam_out), N["l-1"])
    yield holds("rows of w against N_{ℓ-1}", into_pruned.w.rows, N["l-1"])
