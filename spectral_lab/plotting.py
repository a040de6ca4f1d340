"""The static pictures: each function takes data and an ``ax``, computes nothing, and returns the ``ax``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

# One colour-blind-safe pair for the sign, readable on white and on black; orange is positive, blue is negative.
POSITIVE, NEGATIVE, MIDDLE = "#e8710a", "#2f7fe0", "#f7f7f7"
INK, FAINT = "#444444", "#b5b5b5"
# Node states differ by shape, not by colour alone.
MARKERS = {"live": "o", "dormant": "o", "pruned": "x"}


def sign_colours() -> Colormap:
    """The diverging colour map: blue for negative, light for zero, orange for positive."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("sign", [NEGATIVE, MIDDLE, POSITIVE])


def plot_network(graph: networkx.DiGraph, ax: Axes, *, threshold: float = 0.0, widest: float = 4.0) -> Axes:
    """A network as drawn by :func:`spectral_lab.topology.graph`: layers as columns, skip links as arcs above them.

    Live neurons are filled and their area grows with the relevance, dormant ones are hollow, those at or below
    ``threshold`` are crossed out.  Links are as wide as their weight, orange if positive and blue if negative; links of
    dormant neurons are grey, links of pruned ones are left out.
    """
    from matplotlib.patches import FancyArrowPatch

    state = {
        node: "pruned" if a["relevance"] is not None and a["relevance"] <= threshold and threshold > 0 else "live" if a["live"] else "dormant"
        for node, a in graph.nodes.items()
    }
    place = {node: (a["position"][0], -a["position"][1]) for node, a in graph.nodes.items()}
    active = [abs(a["weight"]) for (s, t), a in graph.edges.items() if state[s] == state[t] == "live"]
    scale = max([0.3, *active])
    for (source, target), a in graph.edges.items():
        states = {state[source], state[target]}
        if "pruned" in states:
            continue
        carrying = states == {"live"}
        colour = (POSITIVE if a["weight"] > 0 else NEGATIVE) if carrying else FAINT
        width = max(0.3, widest * abs(a["weight"]) / scale) if carrying else 0.4
        bend = f"arc3,rad={-0.45 if a['kind'] == 'skip' else 0}"
        style = {"arrowstyle": "-", "connectionstyle": bend, "linewidth": width, "color": colour, "alpha": 0.75, "zorder": 1}
        ax.add_patch(FancyArrowPatch(place[source], place[target], **style))
    for node, a in graph.nodes.items():
        size = 90 if a["relevance"] is None else 25 + 120 * min(1.0, a["relevance"])
        x, y = place[node]
        kind = state[node]
        face = {"live": INK, "dormant": "none", "pruned": INK}[kind] if a["kind"] != "bias" else "none"
        marker = "s" if a["kind"] == "bias" else MARKERS[kind]
        ax.scatter([x], [y], s=size, marker=marker, c=face, edgecolors=None if kind == "pruned" else INK, linewidths=1.2, zorder=2)
    ax.set(xlim=(-0.06, 1.06), ylim=(-1.08, 0.42))
    ax.set_axis_off()
    return ax


def plot_spectrum(eigenvalues: Sequence[Any], strengths: Sequence[Any], ax: Axes, *, threshold: float = 0.0, live: float | None = None) -> Axes:
    """|λ| (hollow) and path strength (filled) of the hidden neurons, sorted within each layer, on a logarithmic axis."""
    start = 0
    for lam, strength in zip(eigenvalues, strengths, strict=True):
        order = sorted(range(len(lam)), key=lambda n, s=strength: -float(s[n]))  # type: ignore[misc]
        at = [start + n for n in range(len(order))]
        ax.scatter(at, [max(1e-6, abs(float(lam[n]))) for n in order], s=14, facecolors="none", edgecolors=NEGATIVE, label="|λ|" if not start else None)
        ax.scatter(at, [max(1e-6, float(strength[n])) for n in order], s=14, c=POSITIVE, label="path strength" if not start else None)
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


def plot_losses(steps: Sequence[int], series: Mapping[str, Sequence[float]], ax: Axes) -> Axes:
    """Losses over the steps of a run, on a logarithmic axis; zeros are left out."""
    for (name, values), colour in zip(series.items(), (INK, POSITIVE, NEGATIVE), strict=False):
        ax.plot(steps, [v if v > 0 else float("nan") for v in values], color=colour, lw=1.5, label=name)
    ax.set(yscale="log", xlabel="step")
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_transition(
    alphas: Sequence[float], norms: Sequence[float], ax: Axes, *, reference: Mapping[str, Sequence[Sequence[float]]] | None = None
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
