"""Quantities against one other, as curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spectral_lab.plotting.colours import FAINT, INK, NEGATIVE, POSITIVE, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_line(places: Sequence[float], values: Any, dots: Any, ax: Axes, *, axis: str, ends: Sequence[float]) -> Axes:
    """A function of one input as a curve through its data (x, y, …); places are in [-1, 1], which stands for ``ends``."""
    ax.scatter([dot[0] for dot in dots], [dot[1] for dot in dots], c=FAINT, s=12, label="data")
    ax.plot(places, values, color=POSITIVE, lw=2, label="output")
    ax.set(xlabel=axis, xticks=[-1, 1])
    ax.set_xticklabels([f"{v:.3g}" for v in ends])
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_losses(steps: Sequence[int], series: Mapping[str, Sequence[float]], ax: Axes) -> Axes:
    """Losses over the steps of a run, on a logarithmic axis; zeros are left out."""
    for (name, values), colour, style in zip(series.items(), (INK, POSITIVE, NEGATIVE), ("-", "-", ":"), strict=False):
        ax.plot(steps, [v if v > 0 else float("nan") for v in values], color=colour, ls=style, lw=1.5, label=name)
    ax.set(yscale="log", xlabel="step")
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_learning(steps: Sequence[int], lines: Mapping[str, Sequence[float]], ax: Axes, *, colours: Mapping[str, str]) -> Axes:
    """Test errors over the steps of a lesson, on a logarithmic axis."""
    for (name, values), style in zip(lines.items(), ("-", "--"), strict=False):
        ax.plot(steps, values, color=colours[name], ls=style, lw=1.6, label=name)
    ax.set(yscale="log", xlabel="step", ylabel="test MSE")
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


def plot_race(steps: Sequence[int], lines: Mapping[str, tuple[Sequence[float], str]], ax: Axes) -> Axes:
    """Accuracies over the steps of a race: ``{label: (values, colour)}``; a marker stands where each is now."""
    for (name, (values, colour)), (_, marker) in zip(lines.items(), SERIES, strict=False):
        ax.plot(steps, values, color=colour, lw=1.6)
        ax.plot(steps[-1:], values[-1:], color=colour, marker=marker, ls="none", ms=7, label=name)
    ax.set(xlabel="step", ylabel="validation accuracy", ylim=(0, 1))
    ax.legend(frameon=False, fontsize="small", loc="lower right")
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
