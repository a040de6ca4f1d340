"""The static pictures: each function takes data and an ``ax``, computes nothing, and returns the ``ax``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

# One pair for the sign, told apart by every kind of colour vision and in grey, readable on white and on black: orange is
# positive and lighter, blue is negative and darker.
POSITIVE, NEGATIVE, MIDDLE = "#e8710a", "#1c62c8", "#f7f7f7"
INK, FAINT = "#444444", "#b5b5b5"


def sign_colours() -> Colormap:
    """The diverging colour map: blue for negative, light for zero, orange for positive."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("sign", [NEGATIVE, MIDDLE, POSITIVE])


def plot_network(graph: networkx.DiGraph, ax: Axes, *, threshold: float = 0.0, widest: float = 4.0) -> Axes:
    """A network as drawn by :func:`spectral_lab.topology.graph`: layers as columns, skip links as arcs above them.

    Live neurons are filled and their area grows with the relevance, dormant ones are hollow, those at or below
    ``threshold`` are crossed out.  Links are as wide as their weight, orange if positive and blue if negative; links of
    dormant neurons are grey, links of pruned ones are left out.  The bias node is a square.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    state = {node: _state(a, threshold) for node, a in graph.nodes.items()}
    place = {node: (a["position"][0], -a["position"][1]) for node, a in graph.nodes.items()}
    links = [(s, t, a) for (s, t), a in graph.edges.items() if "pruned" not in (state[s], state[t])]
    carrying = [state[s] == state[t] == "live" for s, t, _ in links]
    scale = max([0.3, *(abs(a["weight"]) for (_, _, a), carries in zip(links, carrying, strict=True) if carries)])
    paths, colours, widths = [], [], []
    for (source, target, a), carries in zip(links, carrying, strict=True):
        (x0, y0), (x1, y1) = place[source], place[target]
        if a["kind"] == "skip":  # an arc that clears every node of the layers between
            lift = 0.55 + 0.1 * (target[0] - source[0]) + 0.15 * y0
            points = [(x0, y0), (x0 + 0.12 * (x1 - x0), lift), (x1 - 0.12 * (x1 - x0), lift), (x1, y1)]
            paths.append(Path(points, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]))
        else:
            paths.append(Path([(x0, y0), (x1, y1)]))
        colours.append((POSITIVE if a["weight"] > 0 else NEGATIVE) if carries else FAINT)
        widths.append(max(0.3, widest * abs(a["weight"]) / scale) if carries else 0.4)
    ax.add_collection(PathCollection(paths, facecolors="none", edgecolors=colours, linewidths=widths, alpha=0.75, zorder=1))
    for kind, marker, face in [("live", "o", INK), ("dormant", "o", "white"), ("pruned", "x", INK), ("bias", "s", "white")]:
        nodes = [node for node, a in graph.nodes.items() if ("bias" if a["kind"] == "bias" else state[node]) == kind]
        relevances = [graph.nodes[node]["relevance"] for node in nodes]
        sizes = [90 if r is None else 25 + 120 * min(1.0, r) for r in relevances]
        x, y = [place[node][0] for node in nodes], [place[node][1] for node in nodes]
        edge = {} if kind == "pruned" else {"edgecolors": INK}
        ax.scatter(x, y, s=sizes, marker=marker, c=face, linewidths=1.2, zorder=2, label=kind, **edge)  # type: ignore[arg-type]
    ax.set(xlim=(-0.06, 1.06), ylim=(-1.05, 0.5))
    ax.set_axis_off()
    return ax


def _state(attributes: Mapping[str, Any], threshold: float) -> str:
    relevance = attributes["relevance"]
    if relevance is not None and threshold > 0 and relevance <= threshold:
        return "pruned"
    return "live" if attributes["live"] else "dormant"


def plot_bipartite(
    weights: Sequence[Sequence[float]],
    ax: Axes,
    *,
    lam_in: Sequence[float] = (),
    lam_out: Sequence[float] = (),
    widest: float = 1.0,
) -> Axes:
    """One layer as a graph: n_in nodes on the left, n_out on the right, weights (n_out, n_in), eigenvalues where given.

    A link is as wide as its weight (a weight of ``widest`` or more has the largest width), orange if positive and blue if
    negative; a weight of 0 is a dotted grey line.
    """
    n_out, n_in = len(weights), len(weights[0])
    y_in, y_out = ([1 - (k + 0.5) / n for k in range(n)] for n in (n_in, n_out))
    for i, row in enumerate(weights):
        for j, w in enumerate(row):
            colour = FAINT if w == 0 else POSITIVE if w > 0 else NEGATIVE
            width = 0.6 + 7.0 * min(1.0, abs(w) / widest)
            ax.plot([0, 1], [y_in[j], y_out[i]], color=colour, lw=width, ls=":" if w == 0 else "-", alpha=0.8, zorder=1)
    ax.scatter([0] * n_in + [1] * n_out, y_in + y_out, s=160, c="white", edgecolors=INK, linewidths=1.4, zorder=2)
    for x, places, values, side, align in [(-0.06, y_in, lam_in, "in", "right"), (1.06, y_out, lam_out, "out", "left")]:
        for k, (y, value) in enumerate(zip(places, values, strict=False)):
            ax.text(x, y, rf"$\lambda^{{\rm {side}}}_{{{k}}} = {value:.2f}$", ha=align, va="center")
    ax.set(xlim=(-0.6, 1.6), ylim=(0, 1))
    ax.set_axis_off()
    return ax


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


def plot_spectrum(
    eigenvalues: Sequence[Any], strengths: Sequence[Any], ax: Axes, *, threshold: float = 0.0, live: float | None = None
) -> Axes:
    """|λ| (hollow, coloured by sign) and path strength (filled) of the hidden neurons, sorted in each layer, logarithmic."""
    start = 0
    for lam, strength in zip(eigenvalues, strengths, strict=True):
        order = sorted(range(len(lam)), key=lambda n, s=strength: -float(s[n]))  # type: ignore[misc]
        at = [start + n for n in range(len(order))]
        sizes, signs = [max(1e-6, abs(float(lam[n]))) for n in order], [NEGATIVE if lam[n] < 0 else POSITIVE for n in order]
        ax.scatter(at, sizes, s=18, facecolors="none", edgecolors=signs, label="|λ|" if not start else None)
        passing = [max(1e-6, float(strength[n])) for n in order]
        ax.scatter(at, passing, s=8, c=INK, label="path strength" if not start else None)
        start += len(order) + 2
    if live:
        ax.axhline(live, color=FAINT, lw=1)
    if threshold:
        ax.axhline(threshold, color=INK, ls="--", lw=1.2)
    ax.set(yscale="log", ylim=(5e-7, 20), xlabel="hidden neuron, sorted")
    ax.legend(frameon=False, fontsize="small")
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


def plot_line(places: Sequence[float], values: Any, dots: Any, ax: Axes, *, axis: str, ends: Sequence[float]) -> Axes:
    """A function of one input as a curve through its data (x, y, …); places are in [-1, 1], which stands for ``ends``."""
    ax.scatter([dot[0] for dot in dots], [dot[1] for dot in dots], c=FAINT, s=12, label="data")
    ax.plot(places, values, color=POSITIVE, lw=2, label="output")
    ax.set(xlabel=axis, xticks=[-1, 1])
    ax.set_xticklabels([f"{v:.3g}" for v in ends])
    ax.legend(frameon=False, fontsize="small")
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


def plot_losses(steps: Sequence[int], series: Mapping[str, Sequence[float]], ax: Axes) -> Axes:
    """Losses over the steps of a run, on a logarithmic axis; zeros are left out."""
    for (name, values), colour, style in zip(series.items(), (INK, POSITIVE, NEGATIVE), ("-", "-", ":"), strict=False):
        ax.plot(steps, [v if v > 0 else float("nan") for v in values], color=colour, ls=style, lw=1.5, label=name)
    ax.set(yscale="log", xlabel="step")
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_transition(
    alphas: Sequence[float],
    norms: Sequence[float],
    ax: Axes,
    *,
    reference: Mapping[str, Sequence[Sequence[float]]] | None = None,
) -> Axes:
    """‖Γ‖ against α (SPARCS Fig. 7): the trail of a run on top of reference curves ``{label: (alphas, norms)}``."""
    for (name, (a, norm)), style in zip((reference or {}).items(), ("-", ":"), strict=False):
        ax.plot(a, norm, color=FAINT, ls=style, lw=2, label=name)
    ax.plot(alphas, norms, color=POSITIVE, lw=1.2)
    ax.plot(alphas[-1:], norms[-1:], "o", color=POSITIVE, ms=6)
    ax.set(xlabel="α", xlim=(-0.03, 1.03), ylabel="‖Γ‖")
    if reference:
        ax.legend(frameon=False, fontsize="small")
    return ax


# For more than two curves: colour and marker, told apart in grey by the marker.
SERIES = ((INK, "D"), (POSITIVE, "o"), (NEGATIVE, "^"), ("#2a9d5c", "p"), ("#9147b8", "s"))


def plot_series(
    series: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]],
    ax: Axes,
    *,
    styles: Sequence[tuple[str, str]] = SERIES,
    level: float | None = None,
    legend: bool = True,
) -> Axes:
    """Curves with error bars, ``{label: (places, means, deviations)}``, each with its colour and marker.

    ``level`` draws a line across, e.g. what the others are compared with.
    """
    if level is not None:
        ax.axhline(level, color=FAINT, lw=1, ls=":")
    for (name, (places, means, deviations)), (colour, marker) in zip(series.items(), styles, strict=False):
        ax.errorbar(places, means, yerr=deviations, color=colour, marker=marker, ms=6, lw=1.4, capsize=3, label=name)
    if legend:
        ax.legend(frameon=False, fontsize="small")
    return ax


def plot_bands(
    series: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]],
    ax: Axes,
    *,
    styles: Sequence[Mapping[str, Any]] | None = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    logarithmic: bool = False,
    legend: bool = True,
) -> Axes:
    """Curves in bands of one deviation up and down, ``{label: (places, means, deviations)}``; styles are options of lines."""
    if styles is None:
        styles = [{"color": colour, "marker": marker, "ms": 6, "lw": 1.8} for colour, marker in SERIES[1 : len(series) + 1]]
    for (name, (places, means, deviations)), style in zip(series.items(), styles, strict=True):
        (line,) = ax.plot(places, means, label=name, **style)
        low, high = ([m + sign * d for m, d in zip(means, deviations, strict=True)] for sign in (-1, 1))
        ax.fill_between(places, low, high, color=line.get_color(), alpha=0.2, lw=0)
    ax.set(xlabel=xlabel or ax.get_xlabel(), ylabel=ylabel or ax.get_ylabel(), xscale="log" if logarithmic else "linear")
    if legend:
        ax.legend(frameon=False)
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


BUNDLES = {  # role: colour, line, width; told apart in grey by line and width
    "silent": (FAINT, (0, (4, 3)), 1.2),
    "active": ("#b3127b", "solid", 3.2),
    "new": (POSITIVE, (0, (7, 1.5)), 3.2),
}


def plot_bundles(bundles: Mapping[tuple[int, int], str], n_layers: int, ax: Axes, *, title: str = "") -> Axes:
    """Layers in a row and the bundles of links between them, ``{(to, from): role}`` counted from 0, as in SPARCS Fig. 6.

    A bundle is "silent" (grey, dashed), "active" (magenta) or "new" (orange, long dashes).  Layers are numbered from 1.
    """
    from matplotlib.patches import FancyArrowPatch

    for (target, source), role in sorted(bundles.items(), key=lambda item: list(BUNDLES).index(item[1])):
        colour, style, width = BUNDLES[role]
        far = target - source
        path = _arc((source, 0), (target, 0), 0.1 + 0.32 * far, above=0.12) if far > 1 else None
        ends: dict[str, Any] = {"path": path} if path else {"posA": (source + 0.2, 0), "posB": (target - 0.2, 0)}
        arrow: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 9 + 3 * width, "shrinkA": 0, "shrinkB": 0}
        ax.add_patch(FancyArrowPatch(**ends, **arrow, lw=width, color=colour, ls=style, gid=role))
    for role, (colour, style, width) in BUNDLES.items():
        if role in bundles.values():
            ax.plot([], [], color=colour, ls=style, lw=width, label=role)
    ax.legend(frameon=False, loc="upper right", handlelength=3.5)
    ax.scatter(range(n_layers), [0] * n_layers, s=460, c="white", edgecolors=INK, linewidths=1.6, zorder=3)
    for layer in range(n_layers):
        ax.text(layer, 0, str(layer + 1), ha="center", va="center", fontsize="large", color=INK, zorder=4)
    ax.set(xlim=(-0.4, n_layers - 0.6), ylim=(-0.2, 0.35 + 0.22 * n_layers))
    ax.set_title(title, fontsize="large", color=INK)
    ax.set_axis_off()
    return ax


def plot_coefficients(values: Sequence[float], ax: Axes) -> Axes:
    r"""Numbers before the powers :math:`\Phi^0, \Phi^1, \dots` of a polynomial as bars, each with its number."""
    colours = [NEGATIVE if value < 0 else POSITIVE for value in values]
    bars = ax.bar(range(len(values)), values, color=colours, width=0.7)
    ax.bar_label(bars, [f"{value:+g}".replace("-", "−") for value in values], padding=3, fontsize="large", color=INK)
    ax.axhline(0, color=INK, lw=1)
    ax.margins(y=0.16)
    ax.set(yticks=[], xticks=range(len(values)))
    ax.set_xticklabels(["I", r"$\Phi$", *(rf"$\Phi^{i}$" for i in range(2, len(values)))][: len(values)])
    ax.tick_params(axis="x", length=0, labelsize="x-large", labelcolor=INK)
    ax.spines[:].set_visible(False)
    return ax


def plot_layers(graph: networkx.MultiDiGraph, ax: Axes) -> Axes:
    """Layers as nodes in a row with their links, those that have a role heavy and labelled, all others faint.

    Nodes have ``position`` and ``role`` ("end", "passed", "other"), links ``role`` ("chain", "link", "loop", "other"),
    ``label`` and ``sign``; a link with a sign is an arc in its colour.
    """
    from matplotlib.patches import FancyArrowPatch

    place = {node: a["position"] for node, a in graph.nodes.items()}
    for source, target, a in graph.edges(data=True):
        (x0, y), (x1, _) = place[source], place[target]
        role, far = a["role"], x1 - x0
        arc = role == "link" or (role == "other" and far > 1.5)
        lift = 0.45 + 0.22 * far if arc else 0.0
        colour = FAINT if role == "other" else INK if not a["sign"] else POSITIVE if a["sign"] > 0 else NEGATIVE
        path = _arc((x0, y), (x1, y), lift) if arc else _loop((x0, y)) if role == "loop" else None
        ends = {"path": path} if path else {"posA": (x0 + 0.27, y), "posB": (x1 - 0.27, y)}
        width = 0.8 if role == "other" else 3.0
        scale = 6 if role == "other" else 18
        ax.add_patch(
            FancyArrowPatch(**ends, arrowstyle="-|>", mutation_scale=scale, lw=width, color=colour, shrinkA=0, shrinkB=0)
        )
        top = 0.75 * lift + 0.06 if arc else 0.73 if role == "loop" else -0.1
        label, points = f"${a['label']}$" if a["label"] else "", -16 if role == "chain" else 14
        ax.annotate(
            label,
            ((x0 + x1) / 2, y + top),
            (0, points),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize="x-large",
            color=colour,
        )
    for role, face, ink in [("end", INK, "#ffffff"), ("passed", "none", INK), ("other", "none", FAINT)]:
        nodes = [node for node, a in graph.nodes.items() if a["role"] == role]
        x, y = [place[node][0] for node in nodes], [place[node][1] for node in nodes]
        edge = FAINT if role == "other" else INK
        ax.scatter(x, y, s=400, c=face, edgecolors=edge, linewidths=1.6, zorder=3, label=role)
        for node, at, height in zip(nodes, x, y, strict=True):
            ax.text(at, height, str(node), ha="center", va="center", fontsize="large", color=ink, zorder=4)
    first, last = min(x for x, _ in place.values()), max(x for x, _ in place.values())
    ax.set(xlim=(first - 0.5, last + 0.5), ylim=(-0.85, 1.05 + 0.19 * max(last - first, 2)))
    ax.set_axis_off()
    return ax


def _arc(start: tuple[float, float], end: tuple[float, float], lift: float, above: float = 0.25) -> Any:
    """An arc from a little ``above`` one node to above another, that rises by three quarters of ``lift``."""
    from matplotlib.path import Path

    (x0, y0), (x1, y1) = start, end
    lean = 0.2 * (x1 - x0)
    points = [(x0 + 0.08, y0 + above), (x0 + lean, y0 + lift), (x1 - lean, y1 + lift), (x1 - 0.08, y1 + above)]
    return Path(points, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])


def _loop(place: tuple[float, float]) -> Any:
    """A loop above a node, back to itself."""
    from matplotlib.path import Path

    x, y = place
    points = [(x - 0.12, y + 0.24), (x - 0.6, y + 0.9), (x + 0.6, y + 0.9), (x + 0.12, y + 0.24)]
    return Path(points, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])


def plot_blocks(cells: Sequence[Sequence[tuple[str, str]]], sizes: Sequence[float], ax: Axes, *, title: str = "") -> Axes:
    """A matrix of blocks in the manner of SPARCS Figs 3 to 5; heights and widths in proportion to ``sizes``.

    Args:
        cells: rows of (kind, LaTeX label): "zero" stays empty, "identity" is a straight diagonal, "diagonal" a wavy one,
            "full" a grey area.
        sizes: nodes in each layer.
    """
    from matplotlib.patches import Rectangle

    edges = [sum(sizes[:k]) for k in range(len(sizes) + 1)]
    for i, row in enumerate(cells):
        for j, (kind, label) in enumerate(row):
            x, y, width, height = edges[j], edges[i], sizes[j], sizes[i]
            if kind == "full":
                ax.add_patch(Rectangle((x, y), width, height, facecolor="#dddddd", edgecolor=INK, lw=0.8))
            elif kind in ("identity", "diagonal"):
                ax.plot(*_diagonal(x, y, width, wavy=kind == "diagonal"), color=INK, lw=1.6)
            beside = (0.72, 0.27) if kind in ("identity", "diagonal") else (0.5, 0.5)
            ax.text(
                x + beside[0] * width, y + beside[1] * height, label, ha="center", va="center", fontsize="x-large", color=INK
            )
    for edge in edges:
        ax.axhline(edge, color=FAINT, lw=0.6, zorder=0)
        ax.axvline(edge, color=FAINT, lw=0.6, zorder=0)
    ax.add_patch(Rectangle((0, 0), edges[-1], edges[-1], fill=False, edgecolor=INK, lw=1.6))
    ax.set(xlim=(-0.05, edges[-1] + 0.05), ylim=(edges[-1] + 0.05, -0.05), aspect="equal")
    ax.set_title(title, fontsize="xx-large", color=INK)
    ax.set_axis_off()
    return ax


def _diagonal(x: float, y: float, size: float, *, wavy: bool) -> tuple[list[float], list[float]]:
    """The diagonal of a square block, straight or with waves across it."""
    from math import pi, sin

    steps = [k / 200 for k in range(201)]
    across = [0.14 * sin(2 * pi * round(size) * t) if wavy else 0.0 for t in steps]
    return [x + size * t + a for t, a in zip(steps, across, strict=True)], [
        y + size * t - a for t, a in zip(steps, across, strict=True)
    ]


def plot_race(steps: Sequence[int], lines: Mapping[str, tuple[Sequence[float], str]], ax: Axes) -> Axes:
    """Accuracies over the steps of a race: ``{label: (values, colour)}``; a marker stands where each is now."""
    for (name, (values, colour)), (_, marker) in zip(lines.items(), SERIES, strict=False):
        ax.plot(steps, values, color=colour, lw=1.6)
        ax.plot(steps[-1:], values[-1:], color=colour, marker=marker, ls="none", ms=7, label=name)
    ax.set(xlabel="step", ylabel="validation accuracy", ylim=(0, 1))
    ax.legend(frameon=False, fontsize="small", loc="lower right")
    return ax


def plot_counts(counts: Mapping[str, tuple[int, str]], ax: Axes) -> Axes:
    """Bars for how many numbers are trained: ``{label: (count, colour)}``, the first on top, each with its number."""
    names = list(counts)
    bars = ax.barh(names, [count for count, _ in counts.values()], color=[colour for _, colour in counts.values()])
    ax.bar_label(bars, [f"{count:,}" for count, _ in counts.values()], padding=3, fontsize="small")
    ax.set(xlabel="trained numbers", xlim=(0, 1.3 * max(count for count, _ in counts.values())))
    ax.invert_yaxis()
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_neurons(
    places: Sequence[tuple[float, float]],
    scores: Sequence[float],
    kept: Sequence[bool],
    links: Sequence[tuple[int, int, float]],
    ax: Axes,
    *,
    colour: str = INK,
) -> Axes:
    """Hidden neurons and then outputs at their places, x and y in [0, 1] from the top left, with links (from, to, weight).

    A hidden neuron that is kept is a disc, its area its score; the others are crosses.  Outputs are numbered squares.
    """
    from matplotlib.collections import LineCollection

    at, hidden = [(x, 1 - y) for x, y in places], len(scores)
    lines = [(at[source], at[target]) for source, target, _ in links]
    tints, widths = [POSITIVE if w > 0 else NEGATIVE for *_, w in links], [0.2 + 1.5 * abs(w) for *_, w in links]
    ax.add_collection(LineCollection(lines, colors=tints, linewidths=widths, alpha=0.4, zorder=1))
    most = max([0.0, *scores]) or 1.0
    for state, marker, style in ((True, "o", {"c": colour, "edgecolors": "white"}), (False, "x", {"c": FAINT})):
        chosen = [k for k, stays in enumerate(kept) if stays == state]
        sizes = [10 + 80 * scores[k] / most if state else 14 for k in chosen]
        x, y = [at[k][0] for k in chosen], [at[k][1] for k in chosen]
        ax.scatter(x, y, s=sizes, marker=marker, linewidths=0.8, zorder=2, label="kept" if state else "pruned", **style)  # type: ignore[arg-type]
    x, y = [x for x, _ in at[hidden:]], [y for _, y in at[hidden:]]
    ax.scatter(x, y, s=130, marker="s", c="white", edgecolors=INK, zorder=2, label="outputs")
    for k, place in enumerate(at[hidden:]):
        ax.text(*place, str(k), ha="center", va="center", fontsize="small", color=INK, zorder=3)
    ax.set(xlim=(min(x for x, _ in at) - 0.05, max(x for x, _ in at) + 0.05), ylim=(-0.03, 1.03))
    ax.set_axis_off()
    return ax


def plot_removal(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float], str]],
    ax: Axes,
    *,
    chosen: str,
    share: float,
    band: tuple[Sequence[float], Sequence[float]] | None = None,
) -> Axes:
    """Accuracy against the share of pruned neurons: ``{label: (shares, accuracies, colour)}``, the chosen one strong.

    ``band`` is the lowest and the highest accuracy of random orders, in the order of the shares; a line stands at ``share``.
    """
    if band is not None:
        shares = next(iter(curves.values()))[0]
        ax.fill_between(shares, band[0], band[1], color=FAINT, alpha=0.35, lw=0, label="random orders")
    for name, (shares, accuracies, colour) in curves.items():
        ax.plot(shares, accuracies, color=colour, lw=3.0 if name == chosen else 1.1, label=name)
    shares, accuracies, colour = curves[chosen]
    nearest = min(range(len(shares)), key=lambda k: abs(shares[k] - share))
    ax.axvline(share, color=INK, lw=1, ls="--")
    ax.plot([shares[nearest]], [accuracies[nearest]], "o", color=colour, ms=10, mec=INK)
    ax.set(xlabel="share of pruned neurons", ylabel="accuracy", xlim=(0, 1.01), ylim=(0, 1))
    return ax


# -- teachers and students ---------------------------------------------------------------------------------------------


def plot_relevance(shares: Mapping[str, Sequence[float]], ax: Axes, *, colours: Mapping[str, str], bins: int = 20) -> Axes:
    """Histograms of R / max R over [0, 1] (Student Fig. 1), ``{label: values}``, above a tick for every single node."""
    edges = [k / bins for k in range(bins + 1)]
    ax.hist(list(shares.values()), edges, color=[colours[name] for name in shares], label=list(shares))
    top = ax.get_ylim()[1]
    for row, (name, values) in enumerate(shares.items(), 1):
        ax.plot(values, [-0.05 * row * top] * len(values), "|", color=colours[name], ms=7, mew=1.2)
    ax.axhline(0, color=INK, lw=0.8)
    ax.set(xlabel="R / max R", ylabel="nodes", xlim=(-0.02, 1.02))
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_learning(steps: Sequence[int], lines: Mapping[str, Sequence[float]], ax: Axes, *, colours: Mapping[str, str]) -> Axes:
    """Test errors over the steps of a lesson, on a logarithmic axis."""
    for (name, values), style in zip(lines.items(), ("-", "--"), strict=False):
        ax.plot(steps, values, color=colours[name], ls=style, lw=1.6, label=name)
    ax.set(yscale="log", xlabel="step", ylabel="test MSE")
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_kept(
    curves: Mapping[str, Sequence[float]],
    ax: Axes,
    *,
    colours: Mapping[str, str],
    size: int | None = None,
    label: str = "test MSE",
) -> Axes:
    """An error against the number of nodes that stay, from none to all, on a logarithmic axis; ``size`` is the teacher's.

    What is not positive is left out.
    """
    if size is not None:
        ax.axvline(size, color=INK, ls="--", lw=1)
    for (name, values), marker in zip(curves.items(), ("o", "D"), strict=False):
        shown = [v if v > 0 else float("nan") for v in values]
        ax.plot(range(len(shown)), shown, color=colours[name], marker=marker, ms=3, lw=1.2, label=name)
    ax.set(yscale="log", xlabel="nodes that stay", ylabel=label)
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_cores(
    sizes: Mapping[str, Sequence[tuple[int, int]]], ax: Axes, *, colours: Mapping[str, str], size: int | None = None
) -> Axes:
    """Size of the core against that of the layer (Student Fig. 2, left): ``{label: [(h, core), …]}``."""
    most = max([h for pairs in sizes.values() for h, _ in pairs], default=1)
    ax.plot([0, most], [0, most], color=FAINT, ls=":", lw=1.2)
    if size is not None:
        ax.axhline(size, color=INK, ls="--", lw=1)
    for (name, pairs), marker in zip(sizes.items(), ("o", "D"), strict=False):
        ax.plot([h for h, _ in pairs], [n for _, n in pairs], marker, color=colours[name], ms=7, label=name)
    ax.set(xlabel="nodes of the student, h", ylabel="core")
    if sizes:
        ax.legend(frameon=False, fontsize="small")
    return ax


def plot_histogram(values: Sequence[float], ax: Axes, *, largest: float, label: str = "", colour: str = INK) -> Axes:
    """How often sizes between 0 and ``largest`` occur, on a logarithmic axis, as in SPARCS Fig. 9."""
    ax.hist(values, bins=40, range=(0, largest), color=colour, log=True)
    ax.set(xlabel=label)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_increase(
    curves: Sequence[tuple[Sequence[float], Sequence[float], str]],
    ax: Axes,
    *,
    threshold: float = 0.05,
    highest: float = 0.3,
    style: str = "-",
) -> Axes:
    """The increase of a loss, as a share of it, against what is kept (SPARCS Fig. 10): ``[(kept, increases, colour)]``."""
    ax.axhline(threshold, color=FAINT, lw=3, zorder=0)
    for kept, increases, colour in curves:
        ax.plot(kept, increases, color=colour, lw=1.2, ls=style)
    ax.set(xlabel="hidden nodes kept", ylabel="increase of the loss", ylim=(-0.07 * highest, highest))
    ax.spines[["top", "right"]].set_visible(False)
    return ax
