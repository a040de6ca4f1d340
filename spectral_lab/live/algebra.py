r"""What the explorer of notebook 02 shows for a number of blocks B: formulas, words and the graph of the layers.

Pure functions from a state (B, and a block i, j) to text; :mod:`spectral_lab.live.explorer` puts them on the page.  The
formulas come from :mod:`spectral_lab.blocks`, so that what is shown is what is proved there.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any, NamedTuple

import networkx
from sympy import Expr, S, latex

from spectral_lab.blocks import L, adjacency_block, chain, inverse_block, inverse_coefficient, phi, weight_block

MOST_B = 8  # the largest B whose matrices of symbols can be read on a projector
WRITTEN_OUT = 3  # up to this B the blocks are written out, beyond it each is one symbol
MATRICES = {"Phi": r"\Phi", "Lambda": r"\Lambda", "inverse": r"\Phi^{-1}", "A": "A"}


def check_range(B: Any) -> int:
    """B as a whole number from 1 to :data:`MOST_B`.

    Raises:
        ValueError: something else.
    """
    if isinstance(B, bool) or not isinstance(B, int) or not 1 <= B <= MOST_B:
        raise ValueError(f"B = {B!r}; wanted a whole number of blocks from 1 to {MOST_B}")
    return B


def check_block(B: int, i: Any, j: Any) -> None:
    """Whether layers i and j are layers of a network of B blocks.

    Raises:
        ValueError: one of them is not.
    """
    for name, layer in (("i", i), ("j", j)):
        if isinstance(layer, bool) or not isinstance(layer, int) or not 1 <= layer <= check_range(B) + 1:
            raise ValueError(f"{name} = {layer!r}; wanted a layer from 1 to {B + 1}, for B = {B} blocks join {B + 1} layers")


def light(text: str) -> str:
    """LaTeX in grey: the entries that only fill the matrix. The double braces suit MathJax 2 and 3."""
    return rf"{{\color{{gray}}{{{text}}}}}"


def _entry(B: int, name: str, i: int, j: int) -> str:
    """One entry of a matrix in LaTeX, in grey what only fills the matrix: zeros, and all but Λ on the diagonal."""
    blocks: dict[str, Callable[[int, int], Expr]] = {
        "Phi": lambda i, j: phi(j) if i == j + 1 else S(int(i == j)),
        "Lambda": lambda i, j: L(i) if i == j else S.Zero,
        "inverse": inverse_block,
        "A": adjacency_block,
    }
    symbol = {"inverse": "S", "A": r"\mathcal{W}"}.get(name)
    block = blocks[name](i, j)
    if block.is_zero:
        return light("0")
    if i == j:
        return latex(block) if name == "Lambda" else light(r"\mathbb{I}" if block == 1 else latex(block))
    return rf"{symbol}_{{{i}{j}}}" if symbol and B > WRITTEN_OUT else latex(block)


def matrix(B: int, name: str) -> str:
    r"""One of the matrices Φ_B, Λ_B, Φ_B^{-1} and A_B in LaTeX.

    Args:
        B: number of blocks, 1 to :data:`MOST_B`.
        name: "Phi", "Lambda", "inverse" or "A".

    Raises:
        ValueError: B is out of range, or no matrix has that name.
    """
    if name not in MATRICES:
        raise ValueError(f"no matrix is called {name!r}; there are {', '.join(MATRICES)}")
    layers = range(1, check_range(B) + 2)
    rows = r" \\ ".join(" & ".join(_entry(B, name, i, j) for j in layers) for i in layers)
    symbol = MATRICES[name].replace("^", f"_{B}^") if "^" in MATRICES[name] else f"{MATRICES[name]}_{B}"
    return rf"{symbol} = \begin{{pmatrix}} {rows} \end{{pmatrix}}"


def matrices(B: int) -> str:
    """All four matrices as HTML, beside each other as far as there is room."""
    return "".join(f'<div class="sl-matrix">$${escape(matrix(B, name))}$$</div>' for name in MATRICES)


def coefficients(B: int) -> list[int]:
    r"""The numbers :math:`(-1)^i \binom{B+1}{i+1}`, i = 0 … B, before Φ_B^i in Φ_B^{-1} (SPARCS 4.1).

    >>> coefficients(3)
    [4, -6, 4, -1]
    """
    return [int(inverse_coefficient(B, i)) for i in range(check_range(B) + 1)]


def polynomial(B: int) -> str:
    r"""Φ_B^{-1} as a polynomial in Φ_B, in LaTeX.

    >>> polynomial(2)
    '\\Phi_2^{-1} = 3\\,\\mathbb{I} - 3\\,\\Phi_2 + \\Phi_2^{2}'
    """
    terms = []
    for i, number in enumerate(coefficients(B)):
        power = (r"\mathbb{I}", rf"\Phi_{B}")[i] if i < 2 else rf"\Phi_{B}^{{{i}}}"
        size = "" if abs(number) == 1 else rf"{abs(number)}\,"
        terms.append(f"{'-' if number < 0 else '+'} {size}{power}")
    return rf"\Phi_{B}^{{-1}} = {' '.join(terms).removeprefix('+ ')}"


class Block(NamedTuple):
    """What is said about one block (i, j)."""

    formulas: tuple[str, ...]  # in LaTeX; empty where there is no link
    words: str


def block(B: int, i: int, j: int) -> Block:
    """The formulas of S_ij and W_ij, and a sentence that says what they mean.

    Raises:
        ValueError: B, i or j is out of range.
    """
    check_block(B, i, j)
    if j > i:
        return Block((), f"No links go back: layer {j} comes after layer {i}, so S_{i}{j} = 0 and W_{i}{j} = 0. Choose j < i.")
    if i == j:
        formulas = (rf"S_{{{i}{i}}} = \mathbb{{I}}", rf"[A_{B}]_{{{i}{i}}} = {latex(L(i))}")
        return Block(formulas, f"On the diagonal stands the self-loop of layer {i}: its own eigenvalues.")
    if i == j + 1:
        words = f"The links between the neighbours {j} and {i}: their one block φ, and the eigenvalues of both layers."
    else:
        ends = f"the eigenvalues of layers {i - 1} and {i} only"
        words = f"A skip link from layer {j} to layer {i}: every block φ on the way, but {ends}."
    last = rf"[{latex(phi(i - 1))} {latex(L(i - 1))} - {latex(L(i))} {latex(phi(i - 1))}]"
    rest = "" if i == j + 1 else latex(chain(i - 1, j))
    lines = (
        (rf"S_{{{i}{j}}}", rf"(-1)^{{{i}-{j}}}\, {latex(chain(i, j))}", latex(inverse_block(i, j))),
        (rf"\mathcal{{W}}_{{{i}{j}}}", rf"(-1)^{{{i}-1-{j}}}\, {last}\, {rest}", latex(weight_block(i, j))),
    )
    return Block(tuple(rf"\begin{{aligned}} {a} &= {b} \\ &= {c} \end{{aligned}}" for a, b, c in lines), words)


def layer_graph(B: int, i: int, j: int) -> networkx.MultiDiGraph:
    r"""The layers as nodes 1 … B+1 in a row, every link between them, and the role that each plays for the block (i, j).

    Nodes have a ``position`` and a ``role``: "end" (i and j), "passed" (between them) or "other".  Links go from the
    earlier layer to the later one and have a ``role``: "chain" (the φ whose product makes the block), "link" (the block
    W_ij itself, with its ``sign`` :math:`(-1)^{i-1-j}`), "loop" (L_i, for i = j), or "other"; those with a role have a
    ``label`` in LaTeX.

    Raises:
        ValueError: B, i or j is out of range.
    """
    check_block(B, i, j)
    graph = networkx.MultiDiGraph()
    for layer in range(1, B + 2):
        role = "end" if layer in (i, j) else "passed" if j < layer < i else "other"
        graph.add_node(layer, position=(float(layer), 0.0), role=role)
    for source in range(1, B + 2):
        for target in range(source + 1, B + 2):
            near = target == source + 1
            if near and j <= source < i:
                graph.add_edge(source, target, role="chain", label=rf"\varphi_{{{source}}}", sign=0)
            elif (target, source) != (i, j):
                graph.add_edge(source, target, role="other", label="", sign=0)
    if j < i:
        graph.add_edge(j, i, role="link", label=rf"\mathcal{{W}}_{{{i}{j}}}", sign=(-1) ** (i - 1 - j))
    if i == j:
        graph.add_edge(i, i, role="loop", label=rf"\mathcal{{L}}_{{{i}}}", sign=0)
    return graph
