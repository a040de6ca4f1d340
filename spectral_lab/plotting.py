"""The static pictures: each function takes data and an ``ax``, computes nothing, and returns the ``ax``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
