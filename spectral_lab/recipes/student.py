"""The figures of *Student*: Giambagli et al., How a student becomes a teacher.

Figs 1, 2 and 4 ask the same students different questions, so that the trials are shared: where do the relevances lie
(Fig. 1), how many nodes are used and how many can go (Fig. 2), and what do the paths look like (Fig. 4)?  Fig. 3 is in
:mod:`~spectral_lab.recipes.students_on_data`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import mean, median
from typing import TYPE_CHECKING, Any, NamedTuple

from spectral_lab.plotting import FAINT, INK
from spectral_lab.recipes.recipe import Done, Finding, Recipe, Setting, Trial
from spectral_lab.recipes.student_results import (
    COLOURS,
    by_kind_and_width,
    core_findings,
    delta_findings,
    draw_core,
    draw_delta,
    draw_histograms,
    spread,
    teachers_nodes,
    widths,
    words,
)
from spectral_lab.recipes.student_trials import ALPHA, KINDS, QUANTILES, TRAINING, cosines, other_teacher, quantiles, run, trial
from spectral_lab.teachers import COMMITTEE, FIRST_BIN, teacher
from spectral_lab.topology import path_distribution

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOUND = 0.98  # cosine of the weights into two nodes from which on they count as the same
PAPER_MSE = {"spectral": (9e-3, 3e-3), "direct": (9e-3, 1e-3)}  # mean and standard deviation, for all h > 20


def settings(**class_scale: Any) -> dict[str, dict[str, Any]]:
    """The three scales: a tiny teacher for a moment, the paper's with fewer students and epochs, and the paper's effort."""
    shared = {"teacher_seed": 0, "alpha": ALPHA, **TRAINING}
    full = {"sizes": list(COMMITTEE), "n": 13_000, **shared}
    return {
        "smoke": {"sizes": [4, 3, 3, 1], "n": 600, **shared, "widths": [2, 6, 9], "seeds": 2, "epochs": 100},
        "class": full | {"widths": [10, 20, 40, 100, 200], "seeds": 5, "epochs": 600} | class_scale,
        "paper": full | {"widths": [10, 20, 40, 60, 100, 200, 500, 700, 1000], "seeds": 30, "epochs": 2000},
    }


def trials(setting: Setting, kinds: Sequence[str] = KINDS) -> list[Trial]:
    """Students of every kind and width, with every seed."""
    options = {name: setting[name] for name in ("sizes", "teacher_seed", "n", "epochs", "alpha", *TRAINING)}
    return [trial(kind, h, seed, **options) for h in setting["widths"] for kind in kinds for seed in range(setting["seeds"])]


# ---------------------------------------------------------------- Fig. 1


def draw_fig_1(done: Sequence[Done], figure: Figure) -> None:
    """A row of histograms."""
    shown = widths(done)
    draw_histograms(done, figure.subplots(1, len(shown), sharey=True), shown)


def shares_at_zero(done: Sequence[Done]) -> dict[tuple[str, int], float]:
    """The share of nodes in the first bin, for each (kind, h)."""
    scores = by_kind_and_width(done, "relevance")
    return {
        key: mean(mean(value < FIRST_BIN * (max(of_one) or 1.0) for value in of_one) for of_one in students)
        for key, students in scores.items()
    }


def fig_1_findings(done: Sequence[Done]) -> list[Finding]:
    """A peak at zero as soon as the student is larger than the teacher, and only in the spectral one."""
    n, shares, all_widths = teachers_nodes(done), shares_at_zero(done), widths(done)
    small, large = [h for h in all_widths if h < n], [h for h in all_widths if h > n]

    def told(kind: str, at: Sequence[int]) -> str:
        return ", ".join(f"{shares[kind, h]:.2f} at {h}" for h in at)

    wanted = {h: 1 - n / h for h in large}  # all but as many nodes as the teacher has
    peak = all(abs(shares["spectral", h] - wanted[h]) <= 0.1 for h in large)
    gaps = by_kind_and_width(done, "clear")
    clear = {kind: [one for h in large for one in gaps[kind, h]] for kind in KINDS}
    middles = [median(v / max(r) for r in by_kind_and_width(done, "relevance")["direct", h] for v in r) for h in all_widths]
    falls = ", ".join(f"{middle:.2f}" for middle in middles)
    return [
        Finding(
            f"share of nodes at zero (first bin), spectral, h < {n}",
            "0",
            told("spectral", small),
            not any(shares["spectral", h] for h in small),
        ),
        Finding(
            f"the same for h > {n}",
            "a peak: the nodes that the teacher does not have, " + ", ".join(f"{wanted[h]:.2f} at {h}" for h in large),
            told("spectral", large),
            peak,
        ),
        Finding(
            f"share of nodes at zero, direct, h > {n}",
            "no peak",
            told("direct", large),
            all(shares["direct", h] < 0.5 for h in large),
        ),
        Finding(
            f"students with a gap between the peak and the rest, h > {n}",
            "spectral only",
            ", ".join(f"{sum(clear[kind])} of {len(clear[kind])} {kind}" for kind in KINDS),
            mean(clear["spectral"]) > 0.9 and mean(clear["direct"]) < 0.5,
        ),
        Finding(
            f"direct: median relevance / largest at h = {', '.join(map(str, all_widths))}",
            "slowly shifts towards zero",
            falls,
            all(later < earlier for earlier, later in pairwise(middles)),
        ),
    ]


# ---------------------------------------------------------------- Fig. 2


def draw_fig_2(done: Sequence[Done], figure: Figure) -> None:
    """The core on the left, what pruning does to the error on the right."""
    left, right = figure.subplots(1, 2)
    draw_core(done, left, teachers_nodes(done))
    draw_delta(done, right, teachers_nodes(done))


def error_findings(done: Sequence[Done], n_teacher: int) -> list[Finding]:
    """Do both kinds of students learn as well as in the paper?"""
    errors, large = by_kind_and_width(done, "mse"), widths(done, above=n_teacher)
    found = []
    for kind, (paper, deviation) in PAPER_MSE.items():
        m, d = spread([error for h in large for error in errors[kind, h]])
        ours = f"({1e3 * m:.1f} ± {1e3 * d:.1f})·10⁻³"
        agrees = abs(m - paper) <= d + deviation
        found.append(
            Finding(f"test MSE, {kind}, h > {n_teacher}", f"({1e3 * paper:.0f} ± {1e3 * deviation:.0f})·10⁻³", ours, agrees)
        )
    return found


def fig_2_findings(done: Sequence[Done]) -> list[Finding]:
    """The core, the transition and the errors."""
    n = teachers_nodes(done)
    return [*core_findings(done, n), *delta_findings(done, n), *error_findings(done, n)]


# ---------------------------------------------------------------- Fig. 4


def fig_4_trials(setting: Setting) -> list[Trial]:
    """The widest students of Fig. 2."""
    return trials({**setting, "widths": [setting["width"]]})


def draw_fig_4(done: Sequence[Done], figure: Figure) -> None:
    """Sorted paths of teacher and students, with a band that covers all seeds; beyond the paper, how alike the nodes are."""
    places, h, n = [k / (QUANTILES - 1) for k in range(QUANTILES)], done[0].trial["h"], teachers_nodes(done)
    network = teacher(done[0].trial["sizes"], n=1, n_test=1, seed=done[0].trial["teacher_seed"]).network
    theirs = quantiles(path_distribution(network, last=2))
    titles = {"spectral": f"(a) spectral, h = {h} pruned to {n}", "direct": f"(b) direct, h = {h}, not pruned"}
    left, middle, right = figure.subplots(1, 3)
    middle.sharey(left)
    for ax, kind in zip((left, middle), KINDS, strict=True):
        ax.plot(places, theirs, color=INK, lw=2.4, ls="--", label="teacher", zorder=3)
        draw_band(places, by_kind_and_width(done, "paths")[kind, h], ax, kind, label="student")
        ax.set(title=titles[kind], xlabel="share of the paths")
        ax.legend(frameon=False, loc="upper left")
    left.set_ylabel(r"path $\Gamma$, sorted")
    stranger = other_teacher(done[0].trial["sizes"], 1)
    right.plot(range(1, n + 1), cosines(stranger, network, n).tolist(), color=FAINT, lw=2.4, ls="--", label="another teacher")
    for kind, marker, size in (("direct", "s", 9), ("spectral", "o", 5)):  # the smaller on top
        nearest, label = by_kind_and_width(done, "cosines")[kind, h], f"{kind}: {n} of {h}"
        draw_band(range(1, n + 1), nearest, right, kind, label=label, marker=marker, ms=size)
    right.axhline(FOUND, color=FAINT, ls=":", lw=1.5)
    right.set(title="(c) beyond the paper: the nodes", xlabel="nodes of the teacher, sorted", ylim=(None, 1.04))
    right.set_ylabel("cosine with the nearest of the student's")
    right.legend(frameon=False, loc="lower right")


def draw_band(places: Sequence[float], curves: Sequence[Sequence[float]], ax: Axes, kind: str, **style: Any) -> None:
    """The mean of curves of one kind of students, and a band from the least to the largest."""
    columns = list(zip(*curves, strict=True))
    ax.fill_between(places, list(map(min, columns)), list(map(max, columns)), color=COLOURS[kind], alpha=0.3, lw=0)
    ax.plot(places, list(map(mean, columns)), color=COLOURS[kind], lw=2.4, **style)


def fig_4_findings(done: Sequence[Done]) -> list[Finding]:
    """How far are the paths of the students from the teacher's; does that say anything; and are the nodes the same?"""
    n, far, near = teachers_nodes(done), distance_words(done, "direct", "whole"), distance_words(done, "spectral", "pruned")
    cut, others = distance_words(done, "direct", "pruned"), done[0].outcome["others"]
    nearest, h = by_kind_and_width(done, "cosines"), done[0].trial["h"]
    found = {kind: [sum(cosine > FOUND for cosine in one) for one in nearest[kind, h]] for kind in KINDS}
    return [
        Finding(
            f"W₁ distance of the paths from the teacher's over mean |Γ| (Kolmogorov–Smirnov): spectral student pruned to {n}",
            "closely aligned",
            near.words,
            near.wasserstein < 0.5 * far.wasserstein,
        ),
        Finding("the same: whole direct student", "a significantly different structure", far.words, far.wasserstein > 0.5),
        Finding(
            f"the same: direct student cut to {n} nodes (not drawn)",
            "cannot be retrieved via the direct approach",
            cut.words,
            cut.wasserstein > 2 * near.wasserstein,
        ),
        Finding(
            "the same: other random teachers of this size",
            "that of the student mirrors this teacher, so others should be farther off",
            f"{others['wasserstein']:.2f} ({others['kolmogorov']:.2f})",
            others["wasserstein"] > near.wasserstein,
        ),
        Finding(
            f"nodes of the teacher that are among the {n} most relevant of the student (cosine > {FOUND})",
            "the spectral student mirrors its computing neurons",
            f"{words(found['spectral'])} of {n} (direct: {words(found['direct'])})",
            mean(found["spectral"]) >= 0.9 * n,
        ),
    ]


class Distance(NamedTuple):
    """Of the students' paths from the teacher's: the mean over the seeds, and both measures in words."""

    wasserstein: float
    words: str


def distance_words(done: Sequence[Done], kind: str, which: str) -> Distance:
    """How far the paths of a kind of students are from the teacher's, "whole" or "pruned"."""
    measured = [one.outcome["distance"][which] for one in done if one.trial["kind"] == kind]
    area, step = ([one[name] for one in measured] for name in ("wasserstein", "kolmogorov"))
    return Distance(mean(area), f"{words(area, '.2f')} ({words(step, '.2f')})")


def one_width(width: int) -> dict[str, dict[str, Any]]:
    """The settings with the widest students alone."""
    made = settings()
    for scale, setting in made.items():
        setting["width"] = 9 if scale == "smoke" else width
        del setting["widths"]
    return made


RECIPES = (
    Recipe(
        "student-fig-1",
        "Student Fig. 1",
        "where the relevances of the nodes lie, for students of several widths",
        settings(),
        trials,
        run,
        draw_fig_1,
        fig_1_findings,
        size=(13, 3.6),
    ),
    Recipe(
        "student-fig-2",
        "Student Fig. 2",
        "the core of the student, and the transition where it is cut",
        settings(),
        trials,
        run,
        draw_fig_2,
        fig_2_findings,
        size=(11, 4.6),
    ),
    Recipe(
        "student-fig-4",
        "Student Fig. 4",
        "the paths of teacher and students",
        one_width(200),
        fig_4_trials,
        run,
        draw_fig_4,
        fig_4_findings,
        size=(13, 4.4),
    ),
)
