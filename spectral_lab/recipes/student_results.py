"""What the recipes on students have in common: outcomes in groups, the core and the transition, measured, drawn and judged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import correlation, mean, median, stdev
from typing import TYPE_CHECKING, Any, NamedTuple

from spectral_lab.plotting import FAINT, INK, NEGATIVE, POSITIVE, plot_series
from spectral_lab.recipes.pre import grouped
from spectral_lab.recipes.recipe import Done, Finding
from spectral_lab.recipes.student_trials import KINDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FLOOR = 0.1  # ΔMSE is on its floor where it is at most this share of the whole student's own test error
BOTTOM = 1e-6  # where |ΔMSE| = 0 is drawn: nodes whose eigenvalue is 0 change nothing at all
COLOURS = {"spectral": NEGATIVE, "direct": POSITIVE}  # the paper's
STYLES = [(NEGATIVE, "o"), (POSITIVE, "s")]  # in the order of KINDS


# ---------------------------------------------------------------- outcomes in groups


def by_kind_and_width(done: Sequence[Done], quantity: str) -> dict[tuple[str, int], list[Any]]:
    """The outcomes' quantity, one list over the seeds for each (kind, h)."""
    return grouped(done, lambda one: (one["kind"], one["h"]), quantity)


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation, 0 for a single value."""
    return mean(values), stdev(values) if len(values) > 1 else 0.0


def words(values: Sequence[float], form: str = ".1f") -> str:
    """Mean ± standard deviation."""
    return " ± ".join(f"{value:{form}}" for value in spread(values))


def widths(done: Sequence[Done], above: int = 0) -> list[int]:
    """All widths of students, or those of more than so many nodes."""
    return sorted({one.trial["h"] for one in done if one.trial["h"] > above})


def teachers_nodes(done: Sequence[Done]) -> int:
    """n_T: nodes of the teacher's first hidden layer."""
    nodes: int = done[0].trial["sizes"][1]
    return nodes


def floor_left_at(delta_mse: Sequence[float], mse: float, share: float = FLOOR) -> int:
    """The fewest nodes from which on |ΔMSE| stays within a share of the whole student's test error.

    With one node less, what the pruned student adds to the error can be told from what the student misses anyway.

    Args:
        delta_mse: ΔMSE of n = 0 … h kept nodes.
        mse: test error of the whole student.
        share: how much counts as floor.
    """
    above = [n for n, value in enumerate(delta_mse) if abs(value) > share * mse]
    return above[-1] + 1 if above else 0


def floors(done: Sequence[Done]) -> dict[tuple[str, int], list[int]]:
    """Where ΔMSE leaves the floor, over the seeds, for each (kind, h)."""
    curves, errors = by_kind_and_width(done, "delta_mse"), by_kind_and_width(done, "mse")
    return {key: [floor_left_at(*pair) for pair in zip(curves[key], errors[key], strict=True)] for key in curves}


def median_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    """|ΔMSE| of 0 … h kept nodes, at each the median over students of the same width."""
    return [median(abs(value) for value in column) for column in zip(*curves, strict=True)]


class Fall(NamedTuple):
    """How |ΔMSE| falls from one kept node to where the first of several curves reaches the floor."""

    apart: float  # mean ratio of the largest to the smallest curve at the same number of nodes
    share: float  # the logarithm of that, as a share of the whole fall's
    straight: float  # R² of a line through the mean logarithm


def fall(curves: Sequence[Sequence[float]], last: int) -> Fall:
    """Whether curves lie on one another, and are exponential, from 1 to ``last`` kept nodes (3 or more)."""
    logs = [[math.log10(max(curve[n], BOTTOM)) for curve in curves] for n in range(1, last + 1)]
    middle = [mean(column) for column in logs]
    apart = mean(max(column) - min(column) for column in logs)
    straight = correlation(range(last), middle) ** 2 if len(set(middle)) > 1 else 0.0
    return Fall(10**apart, apart / max(middle[0] - middle[-1], 1e-9), straight)


# ---------------------------------------------------------------- pictures


def draw_histograms(done: Sequence[Done], axes: Sequence[Axes], shown: Sequence[int]) -> None:
    """Where the relevances of all students of a width lie, each divided by the largest of its student; a width a panel."""
    scores, bins = by_kind_and_width(done, "relevance"), [k / 20 for k in range(21)]
    for ax, h in zip(axes, shown, strict=True):
        for kind in KINDS:
            shares = [value / (max(of_one) or 1.0) for of_one in scores[kind, h] for value in of_one]
            weights = [1 / len(scores[kind, h])] * len(shares)
            ax.hist(shares, bins, weights=weights, color=COLOURS[kind], alpha=0.25, zorder=2)
            ax.hist(shares, bins, weights=weights, color=COLOURS[kind], histtype="step", lw=2, label=kind, zorder=3)
        ax.set(title=f"h = {h}", yscale="log", ylim=(0.1, 2.2 * max(shown)), xlim=(0, 1))
        ax.set_xlabel("relevance / largest")
    axes[0].set_ylabel("nodes per student")
    axes[0].legend(frameon=False, loc="upper left")


def draw_core(done: Sequence[Done], ax: Axes, n_teacher: int | None) -> None:
    """Size of the core against the width of the student, with its standard deviation over the seeds."""
    sizes, places = by_kind_and_width(done, "core"), widths(done)
    curves = {}
    for kind in KINDS:
        means, deviations = zip(*(spread(sizes[kind, h]) for h in places), strict=True)
        low, high = ([m + sign * d for m, d in zip(means, deviations, strict=True)] for sign in (-1, 1))
        ax.fill_between(places, low, high, color=COLOURS[kind], alpha=0.2, lw=0)
        curves[kind] = (places, means, deviations)
    ax.plot(places, places, color=FAINT, ls=":", lw=1.5, label="all nodes")
    if n_teacher is not None:
        ax.axhline(n_teacher, color=INK, ls="--", lw=1.5, label=f"the teacher's {n_teacher}")
    plot_series(curves, ax, styles=STYLES)
    ax.set(xscale="log", yscale="log", xlabel="width $h$ of the student's first hidden layer", ylabel="nodes in the core")
    bottom, top = 0.7 * min(min(values) for values in sizes.values()), 1.3 * max(places)
    for axis, ticks in ((ax.xaxis, places), (ax.yaxis, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])):
        shown = [tick for tick in ticks if bottom <= tick <= top]
        axis.set_ticks(shown, [str(tick) for tick in shown])
        axis.set_ticks([], minor=True)
    ax.set_ylim(bottom, top)


def draw_delta(done: Sequence[Done], ax: Axes, n_teacher: int | None, beyond: int = 20) -> None:
    """|ΔMSE| against the number of kept nodes for every width, and that of the widest direct student."""
    from matplotlib import colormaps

    curves, origin = by_kind_and_width(done, "delta_mse"), n_teacher or 0
    larger = widths(done, above=origin)
    for k, h in enumerate(larger):
        shade = colormaps["Blues"](0.4 + 0.6 * (k + 1) / len(larger))
        curve = [max(value, BOTTOM) for value in median_curve(curves["spectral", h])]
        marker = "os^DvP"[k % 6]
        ax.plot(
            [n - origin for n in range(len(curve))], curve, color=shade, marker=marker, ms=4, lw=1.4, label=f"spectral, h = {h}"
        )
    curve = [max(value, BOTTOM) for value in median_curve(curves["direct", larger[-1]])]
    ax.plot([n - origin for n in range(len(curve))], curve, color=POSITIVE, lw=1.8, label=f"direct, h = {larger[-1]}")
    level = median(error for h in larger for error in by_kind_and_width(done, "mse")["spectral", h])
    ax.axhline(FLOOR * level, color=FAINT, lw=1.5, ls=":", label=f"floor: {FLOOR:g} of the test MSE")
    if n_teacher is not None:
        ax.axvline(0, color=INK, ls="--", lw=1.5)
    last = (n_teacher or largest_floor(done)) + beyond
    highest = max(max(median_curve(curves["spectral", h])) for h in larger)
    under_legend = max(curve[round(0.55 * last) : last + 1], default=0.0)  # a small student has no curve there
    ax.set(yscale="log", xlim=(-origin, last - origin), ylabel=r"$|\Delta_{MSE}|$")
    ax.set_ylim(0.5 * BOTTOM, max(3 * highest, 300 * under_legend))
    ax.set_xlabel(r"nodes kept less the teacher's, $n_\lambda - n_T$" if n_teacher else r"nodes kept, $n_\lambda$")
    decades = [10.0**k for k in range(-5, math.ceil(math.log10(highest)) + 1)]
    ax.set_yticks([BOTTOM, *decades], ["0", *(f"$10^{{{round(math.log10(at))}}}$" for at in decades)])
    ax.set_yticks([], minor=True)
    ax.legend(frameon=False, fontsize="small", loc="upper right")


def largest_floor(done: Sequence[Done]) -> int:
    """The largest number of nodes at which any spectral student leaves the floor."""
    return max(n for (kind, _), values in floors(done).items() if kind == "spectral" for n in values)


# ---------------------------------------------------------------- findings


def same_everywhere(groups: Sequence[Sequence[float]]) -> bool:
    """Whether means of several groups of seeds differ by no more than 1, or twice the largest standard deviation of a group."""
    means, deviations = zip(*map(spread, groups), strict=True)
    return max(means) - min(means) <= max(1.0, 2 * max(deviations))


def near_teacher(groups: Sequence[Sequence[float]], n_teacher: int) -> bool:
    """Whether the mean of every group is within 2 nodes or a tenth of the teacher's."""
    return all(abs(mean(values) - n_teacher) <= max(2.0, 0.1 * n_teacher) for values in groups)


def told(groups: Mapping[int, Sequence[float]]) -> str:
    """Mean ± standard deviation of each group, with its width."""
    return ", ".join(f"{words(values)} at {h}" for h, values in groups.items())


def core_findings(done: Sequence[Done], n_teacher: int) -> list[Finding]:
    """Is the core the same at every width, is it the teacher's, and does the direct student have one?"""
    large, sizes, gaps = widths(done, above=n_teacher), by_kind_and_width(done, "core"), by_kind_and_width(done, "clear")
    spectral, direct = ({h: sizes[kind, h] for h in large} for kind in KINDS)
    clear = {kind: f"{sum(sum(gaps[kind, h]) for h in large)} of {sum(len(gaps[kind, h]) for h in large)}" for kind in KINDS}
    means = [mean(values) for values in spectral.values()]
    return [
        Finding(
            f"nodes of the spectral core, h > {n_teacher}",
            "the same at every h",
            f"{told(spectral)}; {clear['spectral']} with a gap",
            same_everywhere(list(spectral.values())),
        ),
        Finding(
            "the core against the teacher",
            f"closely connected to its {n_teacher} nodes",
            f"{min(means):.1f} to {max(means):.1f}",
            near_teacher(list(spectral.values()), n_teacher),
        ),
        Finding(
            "nodes of the direct student above zero",
            "no invariant core",
            f"{told(direct)}; {clear['direct']} with a gap",
            not same_everywhere(list(direct.values())),
        ),
    ]


def delta_findings(done: Sequence[Done], n_teacher: int) -> list[Finding]:
    """Where does the error begin to grow, and do all widths follow one curve?"""
    large, left = widths(done, above=n_teacher), floors(done)
    curves, errors = by_kind_and_width(done, "delta_mse"), by_kind_and_width(done, "mse")
    found, needed = ({h: left[kind, h] for h in large} for kind in KINDS)
    medians = {h: median_curve(curves["spectral", h]) for h in large}
    last = min(floor_left_at(medians[h], median(errors["spectral", h])) for h in large) - 1
    down = fall(list(medians.values()), max(last, 3))
    return [
        Finding(
            f"nodes from which on |ΔMSE| ≤ {FLOOR:g} MSE",
            f"the critical point is at {n_teacher}",
            f"{told(found)} (direct: {told(needed)})",
            near_teacher(list(found.values()), n_teacher),
        ),
        Finding(
            f"|ΔMSE| of 1 to {last} nodes: largest over smallest of all h",
            "universal, regardless of h",
            f"a factor of {down.apart:.2f}, {down.share:.0%} of the whole fall on the logarithmic axis",
            down.share < 0.1,
        ),
        Finding(
            "its fall with the number of nodes",
            "approximately exponential",
            f"R² = {down.straight:.3f} of a line in log |ΔMSE|",
            down.straight > 0.9,
        ),
    ]
