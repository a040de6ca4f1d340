"""Networks: nodes with their links, bundles of links, and the blocks of their matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spectral_lab.plotting.colours import FAINT, INK, NEGATIVE, POSITIVE

if TYPE_CHECKING:
    import networkx
    from matplotlib.axes import Axes


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
