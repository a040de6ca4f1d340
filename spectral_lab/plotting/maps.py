"""Values over a plane or in a table, as colours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from spectral_lab.plotting.colours import INK, NEGATIVE, POSITIVE, sign_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_matrix(values: Any, ax: Axes, *, limit: float, title: str = "") -> Axes:
    """A small matrix as a grid of colours from -limit to limit, with its numbers; zeros are left blank."""
    ax.imshow(values, cmap=sign_colours(), vmin=-limit, vmax=limit)
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            if value != 0:
                dark = value < -0.6 * limit
                ax.text(j, i, f"{value:.1f}", ha="center", va="center", fontsize="x-small", color="white" if dark else "black")
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize="medium")
    return ax


def plot_square(values: Any, ax: Axes, *, limit: float, title: str = "") -> Axes:
    """A function on the input square, values (n, n) from the top left, colours from -limit to limit."""
    ax.imshow(values, cmap=sign_colours(), vmin=-limit, vmax=limit, extent=(-1, 1, -1, 1), interpolation="bilinear")
    ax.set(xticks=[-1, 1], yticks=[-1, 1])
    ax.set_title(title, fontsize="small")
    return ax


def plot_section(
    values: Any, dots: Any, ax: Axes, *, limit: float, axes: Sequence[str], ranges: Sequence[Sequence[float]]
) -> Axes:
    """A function over two inputs, values (n, n) from the top left, and data (x, y, value) in the same colours.

    Places of the data are in [-1, 1]; ``ranges`` are what that stands for.
    """
    ax.imshow(values, cmap=sign_colours(), vmin=-limit, vmax=limit, extent=(-1, 1, -1, 1), interpolation="bilinear")
    x, y, value = zip(*dots, strict=True)
    ax.scatter(x, y, c=value, cmap=sign_colours(), vmin=-limit, vmax=limit, s=16, edgecolors=INK, linewidths=0.6)
    ax.set(xlabel=axes[0], ylabel=axes[1], xticks=[-1, 1], yticks=[-1, 1])
    ax.set_xticklabels([f"{v:.3g}" for v in ranges[0]])
    ax.set_yticklabels([f"{v:.3g}" for v in ranges[1]])
    return ax


def plot_heat(
    x: Sequence[float],
    y: Sequence[float],
    values: Any,
    ax: Axes,
    *,
    label: str,
    level: float | None = None,
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
) -> Axes:
    """A quantity over two parameters, values (len(y), len(x)), from light for 0 to dark; the y axis is logarithmic.

    ``level`` draws the contour of that value, ``lines`` curves on top, ``{label: (x, y)}``, for example what was expected.
    """
    from contourpy import contour_generator
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("heat", ["#ffffff", "#fbd3ab", POSITIVE, "#7a2f00", "#2b0f00"])
    mesh = ax.pcolormesh(_edges(x), [10**edge for edge in _edges([math.log10(v) for v in y])], values, cmap=shades, vmin=0)
    bar = ax.figure.colorbar(mesh, cax=ax.inset_axes((1.03, 0.0, 0.045, 1.0)))
    bar.set_label(label)
    if level is not None:
        for path in contour_generator(x, [math.log10(v) for v in y], values).lines(level):  # as the eye interpolates
            ax.plot(path[:, 0], 10 ** path[:, 1], color=INK, lw=1.8)  # type: ignore[call-overload]
    for (name, (places, heights)), style in zip((lines or {}).items(), ("--", ":"), strict=False):
        ax.plot(places, heights, color=NEGATIVE, ls=style, lw=2.4, label=name)
    ax.set(yscale="log", xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    if lines:
        ax.legend(fontsize="small", loc="upper left")
    return ax


def _edges(places: Sequence[float]) -> list[float]:
    """Where the cells around some places meet; the outer ones are as wide on both sides."""
    middle = [(a + b) / 2 for a, b in pairwise(places)]
    return [2 * places[0] - middle[0], *middle, 2 * places[-1] - middle[-1]]


def plot_image(values: Any, ax: Axes, *, title: str = "") -> Axes:
    """One image of bytes, (h, w, 1) in grey or (h, w, 3) in colours, without axes; None leaves its place free."""
    if values is not None:
        ax.imshow(values, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    ax.set_title(title, fontsize="x-small", pad=2)
    ax.set_axis_off()
    return ax


def plot_table(counts: Any, names: Sequence[str], ax: Axes) -> Axes:
    """How often a class (row) was taken for another (column): counts (n, n)."""
    most = max(1, *(max(row) for row in counts))
    ax.imshow(counts, cmap="Greys", vmin=0, vmax=most)
    for (i, j), count in [((i, j), counts[i][j]) for i in range(len(names)) for j in range(len(names)) if counts[i][j]]:
        colour = "white" if count > 0.6 * most else "black"
        ax.text(j, i, str(count), ha="center", va="center", fontsize="x-small", color=colour)
    ax.set(xlabel="answer", ylabel="class", xticks=range(len(names)), yticks=range(len(names)))
    ax.set_xticklabels(names)
    ax.set_yticklabels(names)
    return ax


def plot_cells(header: Sequence[str], rows: Sequence[Sequence[str]], ax: Axes) -> Axes:
    """A table of words and numbers with lines above and below, as in print; the first column stands left."""
    ax.set_axis_off()
    widths = [max(len(row[k]) for row in (header, *rows)) + 3 for k in range(len(header))]
    places = [sum(widths[:k]) / sum(widths) for k in range(len(widths) + 1)]
    height = 1 / (len(rows) + 1)
    for k, row in enumerate((header, *rows)):
        y = 1 - (k + 0.5) * height
        for n, text in enumerate(row):
            x, side = (places[n], "left") if n == 0 else (places[n + 1], "right")
            ax.text(x, y, text, ha=side, va="center", transform=ax.transAxes, color=INK if k else "black")
    for y, width in ((1, 1.4), (1 - height, 0.8), (0, 1.4)):
        ax.axhline(y, color=INK, lw=width)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    return ax
