"""The panels of the *Poster*: Teacher–student framework in the spectral domain.

They are those of *Student* Figs 1 and 2, and a claim of its own: the same happens for teachers of other sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spectral_lab.plotting import INK, NEGATIVE, plot_series
from spectral_lab.recipes.recipe import Done, Finding, Recipe, Setting, Trial
from spectral_lab.recipes.student import settings, trials
from spectral_lab.recipes.student_results import (
    by_kind_and_width,
    core_findings,
    delta_findings,
    draw_core,
    draw_delta,
    draw_histograms,
    near_teacher,
    spread,
    teachers_nodes,
    told,
    widths,
)
from spectral_lab.recipes.student_trials import run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OTHERS = {  # nodes of other teachers, widths of their students, and how many there are of each
    "smoke": {"other_teachers": [2], "other_widths": [6, 9], "other_seeds": 2},
    "class": {"other_teachers": [10, 30], "other_widths": [40, 200], "other_seeds": 3},
    "paper": {"other_teachers": [10, 30], "other_widths": [40, 100, 200, 500, 1000], "other_seeds": 30},
}


def poster_trials(setting: Setting) -> list[Trial]:
    """Those of Fig. 2, and spectral students of other teachers."""
    made = trials(setting)
    n_in, _, *last = setting["sizes"]
    for nodes in setting["other_teachers"]:
        other = {"sizes": [n_in, nodes, *last], "widths": setting["other_widths"], "seeds": setting["other_seeds"]}
        made += trials({**setting, **other}, kinds=["spectral"])
    return made


def by_teacher(done: Sequence[Done]) -> dict[int, list[Done]]:
    """The trials of each teacher, by its number of nodes; the poster's own teacher first."""
    found: dict[int, list[Done]] = {}
    for one in done:
        found.setdefault(one.trial["sizes"][1], []).append(one)
    return found


def draw_poster(done: Sequence[Done], figure: Figure) -> None:
    """Histograms above; below the core, the transition, and the cores under other teachers."""
    of = by_teacher(done)
    own = next(iter(of.values()))
    above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
    shown = widths(own, above=teachers_nodes(own) - 1)[:4]
    draw_histograms(own, above.subplots(1, len(shown), sharey=True, squeeze=False)[0], shown)
    left, middle, right = below.subplots(1, 3)
    draw_core(own, left, teachers_nodes(own))
    draw_delta(own, middle, teachers_nodes(own))
    curves = {}
    for nodes, students in sorted(of.items()):
        sizes, places = by_kind_and_width(students, "core"), widths(students, above=teachers_nodes(own))
        means, deviations = zip(*(spread(sizes["spectral", h]) for h in places), strict=True)
        curves[f"teacher of {nodes}"] = (places, means, deviations)
        right.axhline(nodes, color=INK, ls="--", lw=1.2)
    shades = ("#7fb2f0", NEGATIVE, "#0b2f66", INK)
    plot_series(curves, right, styles=[(shade, marker) for shade, marker in zip(shades, "^oDs", strict=True)])
    right.set(ylim=(0, 1.45 * max(of)), xscale="log", xlabel="width $h$ of the student", ylabel="nodes in the spectral core")
    places = widths(own, above=teachers_nodes(own))
    right.set_xticks(places, [str(h) for h in places])
    right.set_xticks([], minor=True)


def poster_findings(done: Sequence[Done]) -> list[Finding]:
    """Those of the own teacher, and the cores under the others."""
    of = by_teacher(done)
    own = next(iter(of.values()))
    n = teachers_nodes(own)
    found = [*core_findings(own, n), *delta_findings(own, n)[:1]]
    for nodes, students in list(of.items())[1:]:
        sizes = {h: values for (_, h), values in by_kind_and_width(students, "core").items()}
        near = near_teacher(list(sizes.values()), nodes)
        found.append(
            Finding(f"nodes of the spectral core under a teacher of {nodes}", f"the teacher's {nodes}", told(sizes), near)
        )
    return found


RECIPES = (
    Recipe(
        "poster-panels",
        "Poster",
        "where the teacher is inside the student, for teachers of three sizes",
        {scale: setting | OTHERS[scale] for scale, setting in settings().items()},
        poster_trials,
        run,
        draw_poster,
        poster_findings,
        size=(13, 8),
    ),
)
