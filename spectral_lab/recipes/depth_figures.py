r"""The second experiment of *SPARCS* (Peri et al., Section 5, Figs 9 and 10, Table 4): which of two hidden layers survives?

A network with two hidden layers learns a task that one layer as wide as the input solves (5.2).  λ_1 is 0 for good, and Ω is
the norm of λ, not squared, which is what the authors' code does under the name L2.  Three things decide what comes out, and the
paper names one of them:

- the *bias node*, of which Table 4 says nothing and which the authors' notebook does not have.  With it a linear model
  takes up the mean of the outputs, and what is left to gain by a hidden node is so little that Table 4's ρ holds the network
  in its perceptron start (:func:`spectral_lab.depth.onset`);
- *ρ*: Table 4 says 3e-3, the authors' notebook 1e-4 (with ten times wider layers);
- the seed.

Beside them stand l1 and l2_squared, each at a ρ at which the network fits.  It is l1 that parts the eigenvalues into two
families as sharply as Fig. 9 of the paper, and keeps about as many as its Fig. 10, but mostly those of the *first* layer.  How
often which layer survives is the matter of :mod:`spectral_lab.recipes.depth_statistics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from spectral_lab.plotting import INK, NEGATIVE, POSITIVE, plot_histogram, plot_increase
from spectral_lab.recipes.depth_trials import (
    CLASS,
    COLOURS,
    PAPER,
    SMALL,
    TABLE_4,
    counted,
    grouped,
    name_states,
    run,
    run_together,
    state,
    trial,
)
from spectral_lab.recipes.recipe import Done, Finding, Outcome, Recipe, Setting, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Case = tuple[str, float, bool]  # penalty, ρ, and whether there is a bias node

THRESHOLD = 0.05  # of Fig. 10: how much the validation loss may grow
OURS = ("l2_norm", TABLE_4, False)
# The cases and their seeds at the scale "class".  Of ρ = 3e-4, 1e-3, 3e-3 for l1, and 3e-3, 1e-2, 3e-2 for l2_squared, each has
# the largest with R² > 0.97 (one seed).
CASES: dict[Case, int] = {
    OURS: 20,
    ("l2_norm", 1e-4, False): 20,
    ("l2_norm", TABLE_4, True): 20,
    ("l1", 3e-4, False): 5,
    ("l2_squared", 1e-2, False): 5,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "smoke": {**SMALL, "shown": 1, "cases": [[*case, 2] for case in CASES]},
    "class": {**CLASS, "shown": 5, "cases": [[*case, seeds] for case, seeds in CASES.items()]},
    "paper": {**PAPER, "shown": 5, "cases": [[*case, 20] for case in CASES]},
}


def trials(setting: Setting) -> list[Trial]:
    """Every case and seed; the eigenvalues are kept of the first seeds, which Fig. 9 shows."""
    return [
        trial(
            setting,
            keep=("curves", "eigenvalues") if seed < setting["shown"] else ("curves",),
            rho=rho,
            bias=bias,
            penalty=penalty,
            seed=seed,
        )
        for penalty, rho, bias, seeds in setting["cases"]
        for seed in range(seeds)
    ]


def by_case(done: Sequence[Done]) -> dict[Case, list[Outcome]]:
    """The outcomes of each case."""
    return grouped(done, "penalty", "rho", "bias")


def written(case: Case) -> str:
    """A case in words."""
    penalty, rho, bias = case
    return f"{penalty}, ρ = {rho:g}, {'with' if bias else 'no'} bias node"


# ---------------------------------------------------------------- Fig. 9


def draw_eigenvalues(done: Sequence[Done], figure: Figure) -> None:
    """Fig. 9: histograms of |λ_2|, |λ_3| and both, over the first seeds; a row for each case."""
    groups = by_case([one for one in done if "eigenvalues" in one.outcome])
    for (case, outcomes), row in zip(groups.items(), figure.subplots(len(groups), 3, squeeze=False), strict=True):
        first, last = ([abs(v) for outcome in outcomes for v in outcome["eigenvalues"][k]] for k in range(2))
        largest = max(*first, *last)
        panels = ((first, r"$|\lambda_2|$", NEGATIVE), (last, r"$|\lambda_3|$", POSITIVE), (first + last, "both", INK))
        for ax, (values, label, colour) in zip(row, panels, strict=True):
            plot_histogram(values, ax, largest=largest, label=label, colour=colour)
        row[0].set(ylabel=f"nodes, {len(outcomes)} seeds")
        row[1].set_title(written(case), fontsize="medium")


def ratios(outcomes: Sequence[Outcome]) -> str:
    """‖λ_3‖ / ‖λ_2‖ of all seeds, in words."""
    found = sorted(outcome["norms"][1] / outcome["norms"][0] for outcome in outcomes)
    return f"{median(found):.2g} in the median ({found[0]:.2g} to {found[-1]:.2g})"


def eigenvalue_findings(done: Sequence[Done]) -> list[Finding]:
    """One layer is left, and which."""
    groups = by_case(done)
    linear, worst = max(one.outcome["linear_R2"] for one in done), min(outcome["R2"] for outcome in groups[OURS])
    found = [
        Finding("R² of a linear model", "sensibly different from 1", f"{linear:.3f}", linear < 0.9),
        Finding("R² at Table 4's ρ, the worst seed", "around 0.98", f"{worst:.3f}", worst > 0.97),
        Finding(
            "hidden layers on by |λ|, Table 4's ρ",
            "one of two",
            counted(groups[OURS]),
            all(sum(outcome["on"]) == 1 for outcome in groups[OURS]),
        ),
    ]
    for case, outcomes in groups.items():
        found.append(
            Finding(
                f"‖λ_3‖ / ‖λ_2‖, {written(case)}",
                "about 100 with its L2: the second layer is on",
                f"{ratios(outcomes)}: {counted(outcomes)}",
                all(outcome["on"] == [False, True] for outcome in outcomes),
            )
        )
    return found


# ---------------------------------------------------------------- Fig. 10


def draw_increase(done: Sequence[Done], figure: Figure) -> None:
    """Fig. 10: the increase of the validation loss against the hidden nodes kept; dotted, the eigenvalues not set to 0."""
    groups = by_case(done)
    axes = figure.subplots(2, -(-len(groups) // 2), sharey=True, squeeze=False)
    for ax in axes.flat[len(groups) :]:
        ax.remove()
    for (case, outcomes), ax in zip(groups.items(), axes.flat, strict=False):
        for name, style in (("removed", "-"), ("zeroed", ":")):
            lines = [(one["curves"]["kept"], one["curves"][name], COLOURS[state(one)]) for one in outcomes]
            plot_increase(lines, ax, threshold=THRESHOLD, style=style)
        ax.set_title(f"{written(case)}, {len(outcomes)} seeds", fontsize="small")
        ax.set(xlabel="nodes kept (dotted: λ not set to 0)", ylabel="")
    for ax in axes[:, 0]:
        ax.set_ylabel("relative increase of the loss")
    name_states(figure, done)


def width_findings(done: Sequence[Done]) -> list[Finding]:
    """How many eigenvalues must stay when the loss may grow by 5 %; and how many nodes, which is another question.

    The paper sets eigenvalues to 0 and says that this amounts to removing the nodes.  Where the first layer is on, it does not.
    """
    found = []
    for case, outcomes in by_case(done).items():
        stay = [eigenvalues_needed(outcome) for outcome in outcomes]
        found.append(Finding(f"eigenvalues not set to 0, {written(case)}", "30", spread(stay), as_printed(stay)))
        nodes = [sum(outcome["width"]) for outcome in outcomes]
        loose = [sum(outcome["loose_width"]) for outcome in outcomes]
        layers = " + ".join(f"{median(outcome['width'][k] for outcome in outcomes):g}" for k in range(2))
        ours = f"{spread(nodes)}, by layer {layers} (if R² may fall by 0.01: {spread(loose)})"
        found.append(Finding(f"nodes not removed, {written(case)}", "0 + 30", ours, as_printed(nodes)))
    return found


def as_printed(counts: Sequence[int]) -> bool:
    """Whether most seeds come near the paper's 30."""
    return sum(20 <= count <= 40 for count in counts) > 0.8 * len(counts)


def spread(counts: Sequence[int]) -> str:
    """Median and extremes."""
    return f"{median(counts):g} ({min(counts)} to {max(counts)})"


def eigenvalues_needed(outcome: Outcome) -> int:
    """The fewest eigenvalues, of those numbers that were tried, with which the loss is within the threshold."""
    tried = zip(outcome["curves"]["kept"], outcome["curves"]["zeroed"], strict=True)
    return next(kept for kept, increase in tried if increase <= THRESHOLD)


# ---------------------------------------------------------------- the recipes

# Both have the same trials: in one folder those of the first that runs are used again.
for_one = partial(Recipe, settings=SETTINGS, trials=trials, run=run, together=run_together, chunk=2)
RECIPES = (
    for_one(
        "sparcs-fig-9",
        "SPARCS Fig. 9",
        "the eigenvalues of both hidden layers after training",
        draw=draw_eigenvalues,
        findings=eigenvalue_findings,
        size=(9, 11),
    ),
    for_one(
        "sparcs-fig-10",
        "SPARCS Fig. 10",
        "how many hidden nodes the network needs",
        draw=draw_increase,
        findings=width_findings,
        size=(12, 6.6),
    ),
)
