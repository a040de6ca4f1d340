r"""The explorer of notebook 02: move B, and see the matrices, the coefficients of the inverse, and any block with its links.

>>> explorer = StructureExplorer(B=3, parts=("coefficients",))
>>> explorer.slider.value = 5  # as a hand does; explorer.B = 5 does the same
>>> explorer.B
5

What is shown is made by the pure functions of :mod:`spectral_lab.live.algebra`; the widgets only put it on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from html import escape
from typing import Any

from ipywidgets import HTML, Box, Dropdown, HBox, HTMLMath, IntSlider, Layout, VBox

from spectral_lab.live import algebra
from spectral_lab.live.picture import Picture
from spectral_lab.plotting import plot_coefficients, plot_layers

PARTS = ("matrices", "coefficients", "block")

STYLE = """<style>
.sl-algebra { color: var(--jp-content-font-color1, inherit); font-size: 17px; line-height: 1.5 }
.sl-algebra .sl-matrices { display: flex; flex-wrap: wrap; gap: 2px 28px; align-items: center }
.sl-algebra .sl-matrix, .sl-algebra .sl-formula { max-width: 100%; overflow-x: auto; overflow-y: hidden }
.sl-algebra .MathJax { margin: 0.35em 0 !important; text-align: left !important }
.sl-algebra .sl-words { max-width: 62em; margin: 4px 0; white-space: normal }
.sl-algebra .sl-alarm { color: var(--jp-error-color1, #b00020); font-weight: 600 }
.sl-algebra .sl-pair { display: flex; flex-wrap: wrap; gap: 0 48px }
.sl-algebra .sl-pair > div { max-width: 100% }
.sl-algebra .sl-pair h4 { margin: 6px 0 0 }
.sl-course .widget-label, .sl-course .widget-readout, .sl-course select, .sl-course input { font-size: 15px }
.sl-algebra details { border: 1px solid var(--jp-border-color1, #b5b5b5); margin: 4px 0 }
.sl-algebra summary { background: var(--jp-layout-color2, #eeeeee); padding: 4px 12px; cursor: pointer; font-size: 16px }
.sl-algebra sub, .sl-algebra sup { line-height: 0 }
.sl-course .widget-htmlmath-content { flex-grow: 1; min-width: 0 }
.sl-algebra .sl-inside { padding: 2px 16px 8px }
</style>"""


def page(content: str) -> str:
    """HTML in the explorer's type: large enough for a projector, in the colours of the page's theme."""
    return f'{STYLE}<div class="sl-algebra">{content}</div>'


def alarm(error: Exception) -> str:
    """What went wrong, in words for the page."""
    words = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return page(f'<div class="sl-alarm" role="alert">{escape(words)}</div>')


def in_words(show: Callable[..., str]) -> Callable[..., str]:
    """A function that makes HTML, but for bad values says what is wrong instead of raising."""

    @wraps(show)
    def shown(*values: Any) -> str:
        try:
            return show(*values)
        except (KeyError, ValueError) as error:
            return alarm(error)

    return shown


@in_words
def show_matrices(B: int) -> str:
    """The four matrices."""
    size = 17 if B <= 4 else 21 - B  # so that two of them stand beside each other on a small projector, and all on one screen
    return page(f'<div class="sl-matrices" style="font-size: {size}px">{algebra.matrices(B)}</div>')


@in_words
def show_polynomial(B: int) -> str:
    """The inverse as a polynomial."""
    return page(f'<div class="sl-formula">$${escape(algebra.polynomial(B))}$$</div>')


@in_words
def draw_coefficients(B: int) -> str:
    """The coefficients as bars."""
    numbers = algebra.coefficients(B)
    picture = Picture(figsize=(2.0 + 0.75 * len(numbers), 3.1), layout="constrained")
    plot_coefficients(numbers, picture.subplots())
    return page(picture.inline(f"Bars: the coefficients of the powers of Φ, {', '.join(map(str, numbers))}"))


@in_words
def show_block(B: int, i: int, j: int) -> str:
    """Formulas and words of the block (i, j)."""
    block = algebra.block(B, i, j)
    formulas = "".join(f'<div class="sl-formula">$${escape(formula)}$$</div>' for formula in block.formulas)
    size = 17 if i - j < 6 else 15  # the longest product still fits beside the graph
    formulas = f'<div style="font-size: {size}px">{formulas}</div>'
    return page(f'{formulas}<div class="sl-words">{escape(block.words)}</div>')


@in_words
def draw_block(B: int, i: int, j: int) -> str:
    """The layers, and what the block (i, j) is made of."""
    graph = algebra.layer_graph(B, i, j)
    inch = min(1.0, 5.6 / (B + 2))  # between two layers
    picture = Picture(figsize=(inch * (B + 1), inch * (1.9 + 0.19 * max(B, 2))))
    plot_layers(graph, picture.add_axes((0, 0, 1, 1)))
    made = [f"{s} to {t}" for s, t, role in graph.edges(data="role") if role == "chain"]
    return page(picture.inline(f"{B + 1} layers in a row; heavy for the block ({i}, {j}): {', '.join(made) or 'no chain'}"))


class StructureExplorer(VBox):
    r"""A slider for B, and below it what the network's matrices look like.

    Args:
        B: number of blocks φ to begin with, 1 to 8; the network has B + 1 layers.
        parts: what to show: "matrices" (Φ_B, Λ_B, Φ_B^{-1}, A_B), "coefficients" (of the polynomial that is the
            inverse), "block" (any S_ij and W_ij, beside the graph of the layers).

    Raises:
        ValueError: B is out of range, or a part is not known.
    """

    def __init__(self, B: int = 2, parts: Sequence[str] = PARTS) -> None:
        unknown = [part for part in parts if part not in PARTS]
        if unknown or not parts:
            raise ValueError(f"parts = {parts!r}; wanted some of {', '.join(PARTS)}")
        self.slider = IntSlider(algebra.check_range(B), 1, algebra.MOST_B, description="blocks B", layout=Layout(width="420px"))
        self.matrices, self.polynomial, self.bars = HTMLMath(), HTMLMath(), HTML()
        self.formulas = HTMLMath(layout=Layout(flex="1 1 420px", min_width="0"))
        self.graph = HTML(layout=Layout(flex="1 1 400px", min_width="0"))
        wide = {"style": {"description_width": "initial"}, "layout": Layout(width="170px", margin="2px 16px 2px 2px")}
        self.target, self.source = Dropdown(description="to layer i", **wide), Dropdown(description="from layer j", **wide)
        shown = {
            "matrices": [self.matrices],
            "coefficients": [self.polynomial, self.bars],
            "block": [HBox([self.target, self.source]), beside(self.formulas, self.graph)],
        }
        super().__init__([self.slider, *(widget for part in PARTS if part in parts for widget in shown[part])])
        self.add_class("sl-course")
        self._chosen = (B + 1, 1)
        self._set_layers()
        self._show()
        self.slider.observe(self._change_b, "value")
        self.target.observe(self._choose, "value")
        self.source.observe(self._choose, "value")

    @property
    def B(self) -> int:
        """The number of blocks that is shown; what is set is kept within 1 and 8."""
        return int(self.slider.value)

    @B.setter
    def B(self, value: int) -> None:
        self.slider.value = value

    def _change_b(self, change: Any = None) -> None:
        self._set_layers()
        self._show()

    def _set_layers(self) -> None:
        """Offer the layers that there are; a chosen one beyond them gives way to the last, and comes back with it."""
        self._settled = False  # with other options a dropdown first jumps to its first one: not to be drawn
        for dropdown, chosen in zip((self.target, self.source), self._chosen, strict=True):
            dropdown.options = list(range(1, self.B + 2))
            dropdown.value = min(chosen, self.B + 1)
        self._settled = True

    def _choose(self, change: Any = None) -> None:
        if self._settled:
            self._chosen = (self.target.value, self.source.value)
            self._show_block()

    def _show(self) -> None:
        self.matrices.value = show_matrices(self.B)
        self.polynomial.value, self.bars.value = show_polynomial(self.B), draw_coefficients(self.B)
        self._show_block()

    def _show_block(self) -> None:
        block = (self.B, self.target.value, self.source.value)
        self.formulas.value, self.graph.value = show_block(*block), draw_block(*block)


def beside(*widgets: Any, align: str = "center") -> Box:
    """Widgets beside each other, below each other where the page is narrow."""
    return Box(widgets, layout=Layout(display="flex", flex_flow="row wrap", align_items=align, width="100%"))
