"""The structure of Φ, Λ and A (SPARCS Figs 3 to 5), read off the matrices of SymPy, and what it lets through (Fig. 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from spectral_lab.blocks import L, adjacency_matrix, eigenvalue_matrix, eigenvector_matrix
from spectral_lab.networks import SpectralNet
from spectral_lab.plotting import plot_blocks, plot_bundles
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


# ---------------------------------------------------------------- what is switched on

LAYERS = 5  # of the network in Fig. 6
SWITCHED = 2  # the layer that is switched on, counted from 0


def bundles(*switched: int) -> dict[tuple[int, int], bool]:
    """The bundles of links (to, from) that are not zero if some hidden layers are switched on, and whether they carry a signal.

    A bundle carries a signal if it hangs on the input, over other bundles perhaps, and leads to the output.  Layers are
    counted from 0.
    """
    network = SpectralNet([3] * LAYERS, bias=False, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for layer in switched:
            network.eigenvalues[layer].fill_(0.5)
    there = {pair for pair, W in network.weights().items() if bool(W.any())}
    hears, heard = {0}, {LAYERS - 1}
    for target, source in sorted(there):
        hears |= {target} if source in hears else set()
    for target, source in sorted(there, key=lambda pair: -pair[1]):
        heard |= {source} if target in heard else set()
    return {(target, source): source in hears and target in heard for target, source in sorted(there)}


def draw_bundles(done: Sequence[Done], figure: Figure) -> None:
    """Fig. 6: the perceptron start, and one hidden layer switched on; ``new`` is what carries a signal only then."""
    start = bundles()
    titles = (r"(a) the start: all hidden $\lambda = 0$", rf"(b) $\lambda \neq 0$ in layer {SWITCHED + 1}")
    for ax, found, title in zip(figure.subplots(1, 2), (start, bundles(SWITCHED)), titles, strict=True):
        roles = {pair: ("active" if start.get(pair) else "new") if carries else "silent" for pair, carries in found.items()}
        plot_bundles(roles, LAYERS, ax, title=title)


def bundle_findings(done: Sequence[Done]) -> list[Finding]:
    """At the start one bundle carries a signal; which ones do when a layer is switched on?"""
    first, last, j = 0, LAYERS - 1, SWITCHED
    start = [pair for pair, carries in bundles().items() if carries]
    silent = [pair for pair, carries in bundles().items() if not carries]
    via = sorted(target for (target, source), carries in bundles(j).items() if carries and source == first and target != last)
    return [
        Finding(
            "at the start, bundles that carry a signal",
            "the one from input to output",
            ", ".join(f"{source + 1} → {target + 1}" for target, source in start),
            start == [(last, first)],
        ),
        Finding(
            "at the start, bundles that are there and silent",
            "those from hidden layers to the output",
            ", ".join(f"{source + 1} → {target + 1}" for target, source in silent),
            silent == [(last, source) for source in range(1, last)],
        ),
        Finding(
            f"with λ ≠ 0 in layer {j + 1}, hidden layers that the input reaches",
            f"layer {j + 1}",
            ", ".join(f"layer {layer + 1}" for layer in via)
            + f": by Eq. 4.3, W_ij for i = {j + 2} has the factor φ_{j + 1} L_{j + 1} too",
            via == [j],
        ),
    ]


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
    Recipe(
        "sparcs-fig-6",
        "SPARCS Fig. 6",
        "what the perceptron start lets through, and what one layer switches on",
        {scale: {"layers": LAYERS} for scale in SCALES},
        lambda setting: [],
        nothing,
        draw_bundles,
        bundle_findings,
        size=(10, 3.8),
    ),
)
