r"""The matrices of a network of any depth in SymPy, block by block, over symbols that do not commute.

A block φ_k or L_i stands for a whole matrix, so that ``phi(2)*phi(1)`` and ``phi(1)*phi(2)`` differ.  Layers are counted as
in the papers, from 1: φ_k (k = 1 … B) leads from layer k to layer k+1, L_i (i = 1 … B+1) is the diagonal matrix of the
eigenvalues of layer i.  Indices may be numbers or symbols, ``phi(i - 1)``, and so may the ends of a chain of blocks:

>>> from sympy import symbols
>>> i, j = symbols("i j", integer=True)
>>> chain(i, j), chain(i, i - 2), chain(i, i)
(phi_{i-1}...phi_j, phi_{i-1}*phi_{i-2}, 1)

Whatever holds for these symbols holds for blocks of every size.  Nothing here knows about tensors; the same formulas on
numbers are in :mod:`spectral_lab.decomposition`.  Next, read :mod:`spectral_lab.identities`, which proves them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sympy import Add, Expr, Function, ImmutableMatrix, Integer, KroneckerDelta, Mul, Pow, S, binomial, expand, eye, sympify
from sympy import zeros as zero_matrix

# Where a matrix of blocks becomes too slow to be multiplied out; measured, see estimated_seconds.
LARGEST_B = 24

Coefficient = Callable[[Any, Any], Expr]


class _Block(Function):
    """A symbol with an index that stands for a matrix."""

    is_commutative = False
    letter, latex_letter = "", ""

    @classmethod
    def eval(cls, index: Any) -> None:
        return None

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return f"{self.latex_letter}_{{{printer._print(self.args[0])}}}{power}"

    def _sympystr(self, printer: Any) -> str:
        index = printer._print(self.args[0]).replace(" ", "")
        return f"{self.letter}_{index}" if index.isalnum() else f"{self.letter}_{{{index}}}"


class phi(_Block):
    r"""φ_k, the block of eigenvector components that leads from layer k to layer k+1: N_{k+1} × N_k."""

    letter, latex_letter = "phi", r"\varphi"


class L(_Block):
    r"""L_i, the diagonal matrix of the eigenvalues of layer i: N_i × N_i."""

    letter, latex_letter = "L", r"\mathcal{L}"


class chain(Expr):
    r"""φ_{i-1} φ_{i-2} ⋯ φ_j, the blocks that lead from layer j to layer i in one product; 1 for i = j.

    Written out as soon as the number of its factors is known.  Its definition for all other cases is that a factor can be
    split off at either end: :meth:`split_left` and :meth:`split_right`.
    """

    is_commutative = False

    def __new__(cls, i: Any, j: Any) -> Expr:
        i, j = sympify(i), sympify(j)
        length = i - j
        if length.is_negative:
            raise ValueError(f"chain({i}, {j}): no blocks lead from layer {j} back to layer {i}; wanted j <= i")
        return Mul(*[phi(i - 1 - k) for k in range(int(length))]) if length.is_Integer else Expr.__new__(cls, i, j)

    @staticmethod
    def split_left(i: Any, j: Any) -> Expr:
        """The chain from j to i > j with its last block apart: φ_{i-1} times the chain from j to i-1."""
        return phi(i - 1) * chain(i - 1, j)

    @staticmethod
    def split_right(i: Any, j: Any) -> Expr:
        """The chain from j to i > j with its first block apart: the chain from j+1 to i, times φ_j."""
        return chain(i, j + 1) * phi(j)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        i, j = self.args
        return rf"\varphi_{{{printer._print(i - 1)}}} \cdots \varphi_{{{printer._print(j)}}}"

    def _sympystr(self, printer: Any) -> str:
        i, j = self.args
        return f"{printer._print(phi(i - 1))}...{printer._print(phi(j))}"


def check_b(B: Any) -> int:
    r"""B as a whole number of blocks, at least 1 and at most :data:`LARGEST_B`.

    Raises:
        ValueError: something else, with the estimated cost when it is too large.
    """
    if isinstance(B, bool) or not isinstance(B, (int, Integer)) or B < 1:
        raise ValueError(f"B = {B!r}; wanted a whole number of blocks, at least 1 (a network has B + 1 layers)")
    if B > LARGEST_B:
        raise ValueError(
            f"B = {B} would take about {estimated_seconds(int(B)):,.0f} s for the block matrices alone; wanted at most "
            f"{LARGEST_B}. The proofs for every B need no matrix: ask for a smaller B, they hold for B = {B} too."
        )
    return int(B)


def estimated_seconds(B: int) -> float:
    """Roughly how long all checks with the matrices of one B take: they grow like B^3.5; 1.3 s at B = 16 on one slow core."""
    return 1.3 * (B / 16) ** 3.5


def eigenvector_matrix(B: int) -> ImmutableMatrix:
    r""":math:`\Phi_B`, the identity plus the blocks φ_k right under the diagonal (SPARCS Fig. 5a, B.1).

    Raises:
        ValueError: B is no whole number from 1 to :data:`LARGEST_B` (so for every function here that takes B).
    """
    B = check_b(B)
    return ImmutableMatrix(B + 1, B + 1, lambda i, j: S.One if i == j else phi(j + 1) if i == j + 1 else S.Zero)


def eigenvalue_matrix(B: int) -> ImmutableMatrix:
    r""":math:`\Lambda_B = \mathrm{diag}(L_1, \dots, L_{B+1})` (SPARCS Fig. 5b)."""
    B = check_b(B)
    return ImmutableMatrix(B + 1, B + 1, lambda i, j: L(i + 1) if i == j else S.Zero)


def inverse_coefficient(B: Any, i: Any) -> Expr:
    r"""The coefficient :math:`(-1)^i \binom{B+1}{i+1}` of Φ_B^i in Φ_B^{-1} (SPARCS 4.1); B and i may be symbols."""
    return S.NegativeOne ** sympify(i) * binomial(sympify(B) + 1, sympify(i) + 1)


def powers(B: int) -> list[ImmutableMatrix]:
    r""":math:`\Phi_B^0, \Phi_B^1, \dots, \Phi_B^B`, multiplied out (SPARCS B.2 gives their blocks)."""
    Phi = eigenvector_matrix(B)
    found = [ImmutableMatrix(eye(B + 1))]
    for _ in range(B):
        found.append((found[-1] * Phi).applyfunc(expand))
    return found


def inverse_eigenvector_matrix(B: int, coefficient: Coefficient = inverse_coefficient) -> ImmutableMatrix:
    r""":math:`\Phi_B^{-1} = \sum_{i=0}^{B} (-1)^i \binom{B+1}{i+1} \Phi_B^i` (SPARCS 4.1, A.1), multiplied out.

    Args:
        coefficient: another rule for the coefficients, to see what it gives.
    """
    summed = zero_matrix(check_b(B) + 1)
    for i, power in enumerate(powers(B)):
        summed += coefficient(B, i) * power
    return ImmutableMatrix(summed.applyfunc(expand))


def adjacency_matrix(B: int) -> ImmutableMatrix:
    r""":math:`A_B = \Phi_B \Lambda_B \Phi_B^{-1}` as the product of the three, multiplied out (SPARCS Fig. 5c)."""
    product = eigenvector_matrix(B) * eigenvalue_matrix(B) * inverse_eigenvector_matrix(B)
    return ImmutableMatrix(product.applyfunc(expand))


def shift_block(i: Any, j: Any, n: Any = 1) -> Expr:
    r"""The block (i, j) of :math:`(\Phi_B - I)^n`: the chain from j to i where i = j + n, else 0.

    Φ_B - I moves a signal by one layer, its n-th power by n layers.
    """
    return KroneckerDelta(i, j + n) * chain(j + n, j)


def power_block(i: Any, j: Any, n: Any) -> Expr:
    r"""The block :math:`T_{ij}^{(B,n)} = \binom{n}{i-j}\, \varphi_{i-1} \cdots \varphi_j` of Φ_B^n (SPARCS B.2, B.3).

    The identity for i = j and 0 for j > i or i - j > n; the same for every B.
    """
    distance = sympify(i) - sympify(j)
    return S.Zero if distance.is_negative else binomial(n, distance) * chain(i, j)


def inverse_block(i: Any, j: Any) -> Expr:
    r"""The block :math:`S_{ij} = (-1)^{i-j}\, \varphi_{i-1} \cdots \varphi_j` of Φ_B^{-1} (SPARCS 4.2, B.11).

    The identity for i = j and 0 for j > i; the same for every B.
    """
    distance = sympify(i) - sympify(j)
    return S.Zero if distance.is_negative else S.NegativeOne**distance * chain(i, j)


def weight_block(i: Any, j: Any) -> Expr:
    r"""The weights W_ij from layer j to a later layer i (SPARCS 4.3, C.6); the same for every B.

    .. math:: W_{ij} = (-1)^{i-1-j} [\varphi_{i-1} L_{i-1} - L_i \varphi_{i-1}]\, \varphi_{i-2} \cdots \varphi_j

    Raises:
        ValueError: j is not before i.
    """
    i, j = sympify(i), sympify(j)
    if (i - j).is_nonpositive:
        raise ValueError(f"links go from a layer to a later one; found j = {j} and i = {i}, wanted j < i")
    return S.NegativeOne ** (i - 1 - j) * (phi(i - 1) * L(i - 1) - L(i) * phi(i - 1)) * chain(i - 1, j)


def adjacency_block(i: Any, j: Any) -> Expr:
    r"""The block of A_B: W_ij under the diagonal, L_i on it (SPARCS C.3), 0 above it."""
    distance = sympify(i) - sympify(j)
    return weight_block(i, j) if distance.is_positive else L(i) if distance.is_zero else S.Zero


def block_matrix(B: int, block: Callable[[int, int], Expr]) -> ImmutableMatrix:
    """The (B+1) × (B+1) matrix of ``block(i, j)``, i and j from 1."""
    B = check_b(B)
    return ImmutableMatrix(B + 1, B + 1, lambda i, j: expand(block(i + 1, j + 1)))


def substitute(expression: Expr, eigenvectors: Sequence[Any], eigenvalues: Sequence[Any]) -> Any:
    r"""Put numbers into a block: φ_k and L_i become matrices of any array library that has ``@``.

    Args:
        expression: sums and products of φ_k, L_i and numbers, each term with at least one block.
        eigenvectors: B matrices, the first one is φ_1.
        eigenvalues: B+1 diagonal *matrices* L_1 … L_{B+1}.

    Raises:
        ValueError: a term without any block (0 and 1 have no shape), or a symbol that is no block.
    """
    if isinstance(expression, (phi, L)):
        values = eigenvectors if isinstance(expression, phi) else eigenvalues
        return values[int(expression.args[0]) - 1]
    if isinstance(expression, Add):
        first, *others = (substitute(term, eigenvectors, eigenvalues) for term in expression.args)
        return sum(others, start=first)
    if isinstance(expression, Pow) and not expression.is_commutative:
        return substitute(Mul(*[expression.base] * int(expression.exp), evaluate=False), eigenvectors, eigenvalues)
    if isinstance(expression, Mul):
        numbers, factors = expression.args_cnc()
        if factors:
            product, *others = (substitute(factor, eigenvectors, eigenvalues) for factor in factors)
            for factor in others:
                product = product @ factor
            return float(Mul(*numbers)) * product
    raise ValueError(f"{expression} has no block to put numbers into; wanted products of phi(k) and L(i)")
