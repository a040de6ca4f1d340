"""The structure of Φ, Λ and A for one, two and three blocks: SPARCS Figs 3 to 5, read off the matrices of SymPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spectral_lab.blocks import L, adjacency_matrix, eigenvalue_matrix, eigenvector_matrix
from spectral_lab.plotting import plot_blocks
from spectral_lab.recipes.recipe import SCALES, Done, Finding, Outcome, Recipe, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sympy import Expr, MatrixBase

SIZES = (5, 4, 4, 3)  # nodes in each layer; a network of B blocks has the first B + 1

Cell = tuple[str, str]  # kind and label of a block, as plot_blocks takes them


def cell(entry: Expr, symbol: str) -> Cell:
    """How a block of symbols is drawn: its kind and its label (see :func:`spectral_lab.plotting.plot_blocks`)."""
    from sympy import latex

    if entry.is_zero:
        return "zero", ""
    if entry == 1:
        return "identity", "I"
    if isinstance(entry, L):
        return "diagonal", f"${latex(entry)}$"
    return "full", f"${symbol}$"


def cells(matrix: MatrixBase, letter: str) -> list[list[Cell]]:
    """The blocks of a matrix; in the label of a full one, ``ij`` gives way to row and column, or ``j`` to the column."""
    layers = range(matrix.rows)
    label = {(i, j): letter.replace("ij", f"{i + 1}{j + 1}").replace("j", str(j + 1)) for i in layers for j in layers}
    return [[cell(matrix[i, j], label[i, j]) for j in layers] for i in layers]


def draw(done: Sequence[Done], figure: Figure) -> None:
    """Φ, Λ and A of networks with one, two and three blocks, a row each."""
    for B, row in enumerate(figure.subplots(3, 3), 1):
        matrices = {
            rf"$\Phi_{B}$": cells(eigenvector_matrix(B), r"\varphi_{j}"),
            rf"$\Lambda_{B}$": cells(eigenvalue_matrix(B), ""),
            rf"$A_{B} = \Phi_{B} \Lambda_{B} \Phi_{B}^{{-1}}$": cells(adjacency_matrix(B), r"\mathcal{W}_{ij}"),
        }
        for ax, (title, blocks) in zip(row, matrices.items(), strict=True):
            plot_blocks(blocks, SIZES[: B + 1], ax, title=title)


def nothing(trial: Trial, device: str) -> Outcome:
    """There is nothing to run: the picture is made of symbols."""
    raise AssertionError("this recipe has no trials")


def no_findings(done: Sequence[Done]) -> list[Finding]:
    """Nothing to compare: it is the same drawing."""
    return []


RECIPES = (
    Recipe(
        "structure",
        "SPARCS Figs 3 to 5",
        "the blocks of Φ, Λ and A for one, two and three blocks φ",
        {scale: {"nodes": SIZES} for scale in SCALES},
        lambda setting: [],
        nothing,
        draw,
        no_findings,
        size=(11, 11.4),
    ),
)
