"""How many, how often, how large: bars and histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spectral_lab.plotting.colours import FAINT, INK, NEGATIVE, POSITIVE

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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


def plot_counts(counts: Mapping[str, tuple[int, str]], ax: Axes) -> Axes:
    """Bars for how many numbers are trained: ``{label: (count, colour)}``, the first on top, each with its number."""
    names = list(counts)
    bars = ax.barh(names, [count for count, _ in counts.values()], color=[colour for _, colour in counts.values()])
    ax.bar_label(bars, [f"{count:,}" for count, _ in counts.values()], padding=3, fontsize="small")
    ax.set(xlabel="trained numbers", xlim=(0, 1.3 * max(count for count, _ in counts.values())))
    ax.invert_yaxis()
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_histogram(values: Sequence[float], ax: Axes, *, largest: float, label: str = "", colour: str = INK) -> Axes:
    """How often sizes between 0 and ``largest`` occur, on a logarithmic axis, as in SPARCS Fig. 9."""
    ax.hist(values, bins=40, range=(0, largest), color=colour, log=True)
    ax.set(xlabel=label)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


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
