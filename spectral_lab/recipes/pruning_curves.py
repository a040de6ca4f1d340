"""Accuracy against the share of hidden nodes removed: outcomes of :mod:`spectral_lab.recipes.trimming` as curves and pictures.

A method has the same colour in every picture, that of the paper, and a band of one standard deviation over the seeds.  The grey
lines are not in the paper: the same networks when their nodes are removed in a random order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, NamedTuple

from spectral_lab.plotting import FAINT, INK, NEGATIVE, POSITIVE, SERIES, plot_bands
from spectral_lab.recipes.recipe import Done, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = dict[float, list[float]]  # {share removed: accuracy of every seed}
Panels = dict[Any, dict[str, Curve]]  # {what the panel is for: {name of the curve: curve}}


class Line(NamedTuple):
    """What a curve shows, and how it is drawn."""

    method: str
    quantity: str  # which of the outcome's accuracies
    label: str
    style: dict[str, Any]


GREY = {"color": "#888888", "lw": 1.2}
LINES = {
    "pre": Line("pre", "accuracy", "pre-training", {"color": SERIES[3][0], "marker": "p", "lw": 2.0}),
    "post": Line("post", "accuracy", r"post-training, by $|\lambda|$", {"color": NEGATIVE, "marker": "^", "lw": 2.0}),
    "connectivity": Line("direct", "accuracy", "direct, by connectivity", {"color": POSITIVE, "marker": "o", "lw": 2.0}),
    "post at random": Line("post", "random", "post-training, at random", GREY),
    "direct at random": Line("direct", "random", "direct, at random", GREY | {"ls": "--"}),
}
METHODS = ("pre", "post", "connectivity")  # the paper's
NAMES = {"elu": "ELU", "relu": "ReLU", "tanh": "tanh"}


def curves(done: Sequence[Done], panel: Callable[[Trial], Any]) -> Panels:
    """The curves of each panel, those that there are outcomes for."""
    found: Panels = {}
    for one in done:
        for name, line in LINES.items():
            if one.trial["method"] == line.method:
                curve = found.setdefault(panel(one.trial), {}).setdefault(name, {})
                for share, accuracy in zip(one.trial["shares"], one.outcome[line.quantity], strict=True):
                    curve.setdefault(share, []).append(accuracy)
    return found


def activation_of(trial: Trial) -> str:
    """What the panels of most figures are for."""
    return trial["activation"]


def method_and_gamma(trial: Trial) -> tuple[str, float]:
    """What the curves of Fig. 11 are for."""
    return trial["method"], trial.get("gamma", 0.0)


def lost(curve: Curve, share: float) -> float:
    """Mean accuracy of the whole network less that at a share."""
    return mean(curve[0.0]) - mean(curve[share])


def holds(curve: Curve, tolerance: float) -> float:
    """The largest share up to which every mean accuracy is within a tolerance of that of the whole network."""
    good = 0.0
    for share in sorted(curve):
        if lost(curve, share) > tolerance:
            break
        good = share
    return good


def emptied(done: Sequence[Done], method: str) -> str:
    """From which share on a hidden layer has no nodes left, in words; nothing where none has."""
    first: dict[int, float] = {}
    for one in done:
        if one.trial["method"] == method:
            for share, nodes in zip(one.trial["shares"], one.outcome["nodes"], strict=True):
                for layer in (k for k, n in enumerate(nodes, 1) if n == 0):
                    first[layer] = min(share, first.get(layer, 1.0))
    words = [f"hidden layer {layer} is empty from {share:.0%} on" for layer, share in sorted(first.items())]
    return "; " + ", ".join(words) if words else ""


# ---------------------------------------------------------------- pictures


def band(curve: Curve, flat: bool = False) -> tuple[list[float], list[float], list[float]]:
    """Shares, means and standard deviations over the seeds; a flat band has none, so that five do not hide each other."""
    shares = sorted(curve)
    deviations = [0.0 if flat or len(curve[share]) < 2 else stdev(curve[share]) for share in shares]
    return shares, [mean(curve[share]) for share in shares], deviations


def panels(figure: Figure, n: int) -> list[Axes]:
    """Axes side by side with the same scales."""
    found = list(figure.subplots(1, n, sharex=True, sharey=True, squeeze=False)[0])
    for ax in found:
        ax.set(xlabel="share of hidden nodes removed", xlim=(0, 1), ylim=(0, 1))
        ax.grid(alpha=0.25)
    found[0].set_ylabel("test accuracy")
    return found


def draw(done: Sequence[Done], figure: Figure) -> None:
    """The curves of every activation in a panel of its own, the whole post-trained network as a line; one legend below."""
    found = curves(done, activation_of)
    axes = panels(figure, len(found))
    for ax, (activation, group) in zip(axes, found.items(), strict=True):
        names = [name for name in reversed(LINES) if name in group]  # the paper's on top
        bands = {LINES[name].label: band(group[name], flat=name not in METHODS) for name in names}
        ax.axhline(mean(group["post"][0.0]), color=FAINT, lw=1, ls=":")
        plot_bands(bands, ax, styles=[LINES[name].style for name in names], legend=False)
        ax.set_title(NAMES[activation])
    handles, labels = axes[0].get_legend_handles_labels()
    columns = {"ncols": 3 if len(axes) < 3 else len(labels), "frameon": False, "fontsize": "small"}
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", **columns)
    say(done, figure)


def draw_gammas(done: Sequence[Done], figure: Figure) -> None:
    """A panel for each method; the stronger the regulariser, the darker the curve."""
    groups = curves(done, method_and_gamma)
    for ax, name in zip(panels(figure, 3), METHODS, strict=True):
        method, _, label, style = LINES[name]
        gammas = sorted(gamma for m, gamma in groups if m == method)
        shades = [style | {"color": shaded(style["color"], k / max(len(gammas) - 1, 1))} for k in range(len(gammas))]
        plot_bands({rf"$\gamma$ = {g:g}": band(groups[method, g][name]) for g in gammas}, ax, styles=shades, legend=False)
        ax.set_title(label)
        ax.legend(frameon=False, fontsize="small", loc="lower left")
    say(done, figure)


def shaded(colour: str, strength: float) -> tuple[float, ...]:
    """A colour from light (0) to dark (1)."""
    from matplotlib.colors import to_rgb

    if strength < 0.5:
        return tuple(1 - (1 - c) * (0.45 + 1.1 * strength) for c in to_rgb(colour))
    return tuple(c * (1.5 - strength) for c in to_rgb(colour))


def say(done: Sequence[Done], figure: Figure) -> None:
    """Write the data's notes over the picture: whoever sees it must know what the numbers were made with."""
    notes = dict.fromkeys(part for one in done for part in one.outcome.get("note", "").split("; ") if part)
    if notes:
        figure.suptitle("\n".join(notes), fontsize="small", color=INK)
