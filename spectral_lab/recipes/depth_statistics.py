"""SPARCS' second experiment over seeds, ρ and penalties: how often does which layer survive, how wide, and what decides it?

At the scale "class" the networks are smaller than the paper's, so that many of them can be trained; those of its own size, in a
few cases, are the matter of :mod:`spectral_lab.recipes.depth_figures`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import mean, median, stdev
from typing import TYPE_CHECKING, Any

from spectral_lab.plotting import FAINT, INK, NEGATIVE, POSITIVE, plot_series
from spectral_lab.recipes.depth_trials import (
    COLOURS,
    FITS,
    MANY,
    PAPER,
    SMALL,
    TABLE_4,
    counted,
    grouped,
    most,
    name_states,
    run,
    run_together,
    state,
    trial,
)
from spectral_lab.recipes.recipe import Done, Finding, Outcome, Recipe, Setting, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Penalty, whether there is a bias node, and the ρ.
GRIDS: list[list[Any]] = [
    ["l2_norm", False, [1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2]],
    ["l2_norm", True, [1e-4, 1e-3, 3e-3]],
    ["l1", False, [1e-4, 1e-3]],
    ["l2_squared", False, [1e-3, 1e-2]],
]
SETTINGS: dict[str, dict[str, Any]] = {
    "smoke": {**SMALL, "seeds": 2, "others": 2, "grids": [[penalty, bias, [TABLE_4, 1e-1]] for penalty, bias, _ in GRIDS]},
    "class": {**MANY, "seeds": 20, "others": 10, "grids": GRIDS},
    "paper": {**PAPER, "seeds": 20, "others": 20, "grids": GRIDS},
}


def trials(setting: Setting) -> list[Trial]:
    """Every penalty with and without a bias node, every ρ, every seed; fewer for the penalties that are not SPARCS'."""
    return [
        trial(setting, rho=rho, bias=bias, penalty=penalty, seed=seed)
        for penalty, bias, rhos in setting["grids"]
        for rho in rhos
        for seed in range(setting["seeds" if penalty == "l2_norm" else "others"])
    ]


def columns(done: Sequence[Done]) -> Iterator[tuple[tuple[str, bool], dict[float, list[Outcome]]]]:
    """For each penalty and bias, the outcomes by ρ."""
    groups = grouped(done, "penalty", "bias", "rho")
    for penalty, bias in dict.fromkeys(key[:2] for key in groups):
        yield (penalty, bias), {rho: found for (p, b, rho), found in groups.items() if (p, b) == (penalty, bias)}


def draw_statistics(done: Sequence[Done], figure: Figure) -> None:
    """What is left, how wide it is and how well it fits against ρ; a column for each penalty, with and without a bias node."""
    found = dict(columns(done))
    grid = figure.subplots(4, len(found), sharex=True, sharey="row", squeeze=False, height_ratios=(1.2, 1, 1, 1))
    for ((penalty, bias), by_rho), (top, live, nodes, bottom) in zip(found.items(), grid.T, strict=True):
        draw_states(by_rho, top)
        if penalty == "l2_norm":  # above it the perceptron holds, as long as the eigenvectors are as they start
            top.axvline(median(outcome["onset"] for outcome in of(by_rho)), color=INK, ls="--", lw=1.2)
        seeds = len(next(iter(by_rho.values())))
        top.set_title(f"{penalty}, {'bias node' if bias else 'no bias node'}, {seeds} seeds", fontsize="medium")
        emptiest = top is grid[0, -1]
        plot_series(live_neurons(by_rho), live, styles=((NEGATIVE, "^"), (POSITIVE, "o")), legend=emptiest)
        plot_series(nodes_needed(by_rho), nodes, styles=((INK, "s"), (FAINT, "v")), legend=emptiest)
        plot_series({"R²": over_seeds(by_rho, lambda one: one["R2"])}, bottom, styles=((INK, "D"),), legend=False)
        bottom.set(xscale="log", xlabel=r"$\rho$")
    search = done[0].trial["search"]
    sizes = " - ".join(str(n) for n in (search["dim"], *search["hidden"], search["dim"]))
    figure.suptitle(f"{sizes} (the paper: 20 - 200 - 200 - 20), {search['epochs']} epochs", fontsize="medium")
    for ax, label in zip(grid[:, 0], ("share of the seeds", "live neurons", "nodes needed, both layers", "R²"), strict=True):
        ax.set_ylabel(label)
    name_states(figure, done)


def draw_states(by_rho: Mapping[float, Sequence[Outcome]], ax: Axes) -> None:
    """Bars: the share of the seeds in each state."""
    for rho, outcomes in by_rho.items():
        bottom = 0.0
        for name, colour in COLOURS.items():
            share = sum(state(outcome) == name for outcome in outcomes) / len(outcomes)
            ax.bar(rho, share, bottom=bottom, width=0.6 * rho, color=colour)
            bottom += share
    ax.set(ylim=(0, 1))


Series = tuple[list[float], list[float], list[float]]


def over_seeds(by_rho: Mapping[float, Sequence[Outcome]], quantity: Callable[[Outcome], float]) -> Series:
    """Places, means and standard deviations."""
    found = {rho: [quantity(outcome) for outcome in outcomes] for rho, outcomes in by_rho.items()}
    spreads = [stdev(values) if len(values) > 1 else 0.0 for values in found.values()]
    return list(found), [mean(values) for values in found.values()], spreads


def live_neurons(by_rho: Mapping[float, Sequence[Outcome]]) -> dict[str, Series]:
    """Live neurons of both layers against ρ."""
    names = ("first hidden layer", "last hidden layer")
    return {name: over_seeds(by_rho, lambda one, k=k: one["live"][k]) for k, name in enumerate(names)}  # type: ignore[misc]


def nodes_needed(by_rho: Mapping[float, Sequence[Outcome]]) -> dict[str, Series]:
    """Nodes of both layers together that must stay, by two rules."""
    rules = {"5 % more loss": "width", "0.01 less of R²": "loose_width"}
    return {label: over_seeds(by_rho, lambda one, name=name: sum(one[name])) for label, name in rules.items()}  # type: ignore[misc]


def statistics_findings(done: Sequence[Done]) -> list[Finding]:
    """Does one layer survive, is it the second, and how wide is it; what do the bias node and the other penalties change?"""
    found = dict(columns(done))
    fitting = fits(of(found["l2_norm", False]))
    alone = [outcome for outcome in fitting if sum(outcome["on"]) == 1]
    last = [outcome for outcome in alone if outcome["on"] == [False, True]]
    wide, n = [sum(outcome["width"]) for outcome in last], done[0].trial["search"]["dim"]
    with_bias = found["l2_norm", True][TABLE_4]
    recruited = [outcome for outcome in with_bias if any(outcome["on"])]
    findings = [
        Finding(f"no bias node: of those that fit (R² > {FITS}), one layer on by |λ|", "one layer", *most(alone, fitting)),
        Finding("of those, the second", "the second", *most(last, alone)),
        Finding(
            "its width, in the median, for a task of one layer",
            "30 for 20",
            f"{median(wide):g} for {n}, of {len(wide)} networks" if wide else "none",
            bool(wide) and n <= median(wide) < 2 * n,
        ),
        Finding(
            "with a bias node, at Table 4's ρ: a layer is recruited", "no word of a bias node", *most(recruited, with_bias)
        ),
    ]
    for penalty, words in {"l2_squared": "L2 read as the square", "l1": "L1"}.items():
        others = fits(of(found[penalty, False]))
        one = [outcome for outcome in others if sum(outcome["on"]) == 1]
        findings.append(Finding(f"{words}: of those that fit, one layer on by |λ|", "one layer", *most(one, others)))
    return findings + each_case(found)


def each_case(found: Mapping[tuple[str, bool], Mapping[float, Sequence[Outcome]]]) -> list[Finding]:
    """For every penalty, bias and ρ: what is left in how many networks, how wide, and how well it fits."""
    findings = []
    for (penalty, bias), by_rho in found.items():
        for rho, outcomes in by_rho.items():
            nodes, loose = (median(sum(outcome[name]) for outcome in outcomes) for name in ("width", "loose_width"))
            fit = median(outcome["R2"] for outcome in outcomes)
            findings.append(
                Finding(
                    f"{penalty}, ρ = {rho:g}, {'with' if bias else 'no'} bias node",
                    "the last layer alone, 1.5 nodes for one of the task's, R² about 0.98",
                    f"{counted(outcomes)}; 5 % rule: {nodes:g} nodes (R² less 0.01: {loose:g}); R² {fit:.3f}",
                    most([outcome for outcome in outcomes if outcome["on"] == [False, True]], outcomes)[1] and fit > FITS,
                )
            )
    return findings


def fits(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that have learned the task."""
    return [outcome for outcome in outcomes if outcome["R2"] > FITS]


def of(by_rho: Mapping[float, Sequence[Outcome]]) -> list[Outcome]:
    """All outcomes, whatever ρ."""
    return [outcome for outcomes in by_rho.values() for outcome in outcomes]


# ---------------------------------------------------------------- the recipes

RECIPES = (
    Recipe(
        "sparcs-depth-statistics",
        "SPARCS Section 5, over seeds and ρ",
        "which hidden layers are left, how wide, and how well they fit",
        SETTINGS,
        trials,
        run,
        draw_statistics,
        statistics_findings,
        size=(12, 9),
        together=run_together,
        chunk=5,
    ),
)
