"""Beyond SPARCS: a network gets more and more hidden layers than its task needs.  How deep does it become?

The second experiment of SPARCS with B = 4 … 8 blocks φ, which are B - 1 hidden layers, for the group lasso on λ.  The task has
one relu, which one hidden layer solves, or two, one after the other.  The column "expected" says what the paper's outcome with
two hidden layers makes one expect: as many layers survive as the task needs, however many are offered.

A layer is *on* if its own eigenvalues are; one that is off may live on what the layer right before it sends, φ_{i-1} L_{i-1},
or on the little that is left of its own λ.  So k layers that are on keep up to 2k alive, or a few more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from spectral_lab.plotting import INK, NEGATIVE, POSITIVE
from spectral_lab.recipes.depth_trials import FITS, MANY, PAPER, SMALL, most, run, run_together, trial
from spectral_lab.recipes.recipe import Done, Finding, Outcome, Recipe, Setting, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LAYERS = [3, 4, 5, 6, 7]  # hidden ones: B - 1
TASKS = [[1, 3e-4], [2, 3e-4]]  # relus, and ρ, at which both tasks are learned
SETTINGS: dict[str, dict[str, Any]] = {
    "smoke": {**SMALL, "hidden": 8, "seeds": 2, "layers": [3, 4], "tasks": TASKS},
    "class": {**MANY, "hidden": 60, "seeds": 5, "layers": LAYERS, "tasks": TASKS},
    "paper": {**PAPER, "hidden": 200, "seeds": 20, "layers": LAYERS, "tasks": TASKS},
}
# What a layer can be: on by its own eigenvalues, alive all the same, or neither.
KINDS = {"on by |λ|": POSITIVE, "off, and alive": NEGATIVE, "dead": "#f3f3f3"}


def trials(setting: Setting) -> list[Trial]:
    """Every task and ρ, every number of hidden layers, every seed."""
    return [
        trial(setting, hidden=[setting["hidden"]] * n, layers=relus, rho=rho, bias=False, penalty="l2_norm", seed=seed)
        for relus, rho in setting["tasks"]
        for n in setting["layers"]
        for seed in range(setting["seeds"])
    ]


def by_task(done: Sequence[Done]) -> dict[tuple[int, float], dict[int, list[Outcome]]]:
    """For each task and ρ the outcomes by the number of hidden layers."""
    found: dict[tuple[int, float], dict[int, list[Outcome]]] = {}
    for one in done:
        search = one.trial["search"]
        found.setdefault((search["layers"], search["rho"]), {}).setdefault(len(search["hidden"]), []).append(one.outcome)
    return found


def kinds(outcome: Outcome) -> list[str]:
    """What each hidden layer of a network is, a name of KINDS."""
    on, alive, dead = KINDS
    return [on if is_on else alive if live else dead for is_on, live in zip(outcome["on"], outcome["live"], strict=True)]


def in_task(relus: int) -> str:
    """How many layers a task needs, in words."""
    return f"task of {('one relu', 'two relus')[relus - 1]}"


# ---------------------------------------------------------------- the picture


def draw(done: Sequence[Done], figure: Figure) -> None:
    """A row for each task, a panel for each B: hidden layers across, input first, seeds down; at the right, the depth."""
    from matplotlib.patches import Patch

    found = by_task(done)
    rows = figure.subfigures(len(found), 1, squeeze=False)[:, 0]
    for row, ((relus, rho), by_layers) in zip(rows, found.items(), strict=True):
        row.suptitle(f"{in_task(relus)}, ρ = {rho:g}", fontsize="medium", x=0.01, ha="left", weight="bold")
        axes = row.subplots(1, len(by_layers), width_ratios=[n + 2 for n in by_layers], squeeze=False)[0]
        for ax, (n, outcomes) in zip(axes, by_layers.items(), strict=True):
            draw_layers([kinds(outcome) for outcome in outcomes], [outcome["depth"] for outcome in outcomes], ax)
            fit = median(outcome["R2"] for outcome in outcomes)
            ax.set_title(rf"$B = {n + 1}$, $R^2$ {fit:.3f}", fontsize="medium")
        axes[0].set(xlabel="layer", ylabel="seeds")
        axes[-1].set_xlabel("at the right: links on the longest path", loc="right")
    patches = [Patch(facecolor=colour, edgecolor=INK, label=name) for name, colour in KINDS.items()]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), frameon=False)


def draw_layers(found: Sequence[Sequence[str]], depths: Sequence[int], ax: Axes) -> None:
    """A square for each hidden layer (across) of each seed (down), and the depth of each network at its end."""
    from matplotlib.patches import Rectangle

    for row, (layers, depth) in enumerate(zip(found, depths, strict=True)):
        for column, kind in enumerate(layers):
            ax.add_patch(Rectangle((column, row), 0.9, 0.9, facecolor=KINDS[kind], edgecolor=INK, lw=0.6))
        ax.text(len(layers) + 0.25, row + 0.45, str(depth), va="center", fontsize="medium")
    n = len(found[0])
    ax.set(xlim=(-0.1, n + 1), ylim=(len(found), -0.1), yticks=[], xticks=[k + 0.45 for k in range(n)])
    ax.set_xticklabels([str(k + 2) for k in range(n)])  # the input is layer 1
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


# ---------------------------------------------------------------- findings


def findings(done: Sequence[Done]) -> list[Finding]:
    """Does the network become as deep as the task, whatever B?"""
    found = []
    for (relus, rho), by_layers in by_task(done).items():
        where, outcomes = f"{in_task(relus)}, ρ = {rho:g}", [one for some in by_layers.values() for one in some]
        fitting = [outcome for outcome in outcomes if outcome["R2"] > FITS]
        as_many = [outcome for outcome in fitting if sum(outcome["on"]) == relus]
        as_deep = [outcome for outcome in fitting if outcome["depth"] == relus + 1]
        worst = min(outcome["R2"] for outcome in outcomes)
        found += [
            Finding(f"{where}: R² > {FITS}", "all", f"{len(fitting)} of {len(outcomes)}; worst {worst:.3f}", worst > FITS),
            Finding(f"{where}: of those, {relus} of the layers on by |λ|", "all", *most(as_many, fitting)),
            Finding(f"{where}: of those, {relus + 1} links from input to output", "all", *most(as_deep, fitting)),
            Finding(f"{where}: layers on by |λ|, for each B", f"{relus} at every B", *against_B(by_layers, layers_on, relus)),
            Finding(f"{where}: layers alive", f"{relus} at every B", *against_B(by_layers, layers_alive, relus)),
        ]
    return found


def layers_on(outcome: Outcome) -> int:
    """Hidden layers whose own eigenvalues are on."""
    return sum(outcome["on"])


def layers_alive(outcome: Outcome) -> int:
    """Hidden layers with a live neuron."""
    return sum(live > 0 for live in outcome["live"])


def against_B(by_layers: Mapping[int, Sequence[Outcome]], quantity: Callable[[Outcome], int], wanted: int) -> tuple[str, bool]:
    """Medians of a number for each B in words, and whether all of them are what was expected."""
    medians = {n + 1: median(quantity(outcome) for outcome in outcomes) for n, outcomes in by_layers.items()}
    words = ", ".join(f"{value:g} at {B}" for B, value in medians.items())
    return words, all(value == wanted for value in medians.values())


RECIPES = (
    Recipe(
        "depth-selection",
        "beyond SPARCS Fig. 9",
        "how deep a network with three to seven hidden layers becomes",
        SETTINGS,
        trials,
        run,
        draw,
        findings,
        size=(12, 6),
        together=run_together,
        chunk=5,
    ),
)
