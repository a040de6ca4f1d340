r"""The second experiment of *SPARCS* (Peri et al., Section 5, Figs 9 and 10, Table 4): which of two hidden layers survives?

A network with two hidden layers learns a task that one layer as wide as the input solves (5.2).  λ_1 is 0 for good, and Ω is
the norm of λ, not squared, which is what the authors' code does under the name L2.  Three things decide what comes out, and the
paper names one of them:

- the *bias node*, of which Table 4 says nothing and which the authors' notebook does not have.  With it a linear model
  takes up the mean of the outputs, and what is left to gain by a hidden node is so little that Table 4's ρ holds the network
  in its perceptron start (:func:`spectral_lab.depth.onset`);
- *ρ*: Table 4 says 3e-3, the authors' notebook 1e-4 (with ten times wider layers);
- the seed.

By |λ| one layer may be left, and by what passes through the neurons two: where λ_3 = 0 and λ_2 ≠ 0, the second hidden layer
still hears W_32 = φ_2 L_2.  Only if the *last* hidden layer survives is the other one gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import mean, median, stdev
from typing import TYPE_CHECKING, Any

from spectral_lab.depth import DepthSearch, linear_R2, onset
from spectral_lab.networks import SpectralNet
from spectral_lab.plotting import FAINT, INK, NEGATIVE, POSITIVE, plot_histogram, plot_increase, plot_series
from spectral_lab.recipes.recipe import Done, Finding, Outcome, Recipe, Setting, Trial
from spectral_lab.recipes.sparcs import rounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TABLE_4 = 3e-3  # ρ
POINTS = 80  # of a curve that is made by setting eigenvalues to 0
FITS = 0.97  # R² above which a network counts as one that has learned the task
THRESHOLD = 0.05  # of Fig. 10: how much the validation loss may grow
SMALL = {"dim": 3, "hidden": [8, 8], "n": 400, "n_validation": 200, "batch_size": 50, "lr": 5e-3, "epochs": 10}
CLASS = {"dim": 20, "hidden": [200, 200], "n": 20_000, "n_validation": 5000, "batch_size": 256, "lr": 2e-3, "epochs": 120}
PAPER = {"dim": 20, "hidden": [200, 200], "n": 100_000, "n_validation": 10_000, "batch_size": 1024, "lr": 1e-3, "epochs": 180}
MANY = {"dim": 10, "hidden": [60, 60], "n": 10_000, "n_validation": 3000, "batch_size": 128, "lr": 2e-3, "epochs": 120}


# ---------------------------------------------------------------- trials


def trial(setting: Setting, *, keep: bool = False, **chosen: Any) -> Trial:
    """One training: all options of the search that matter, and whether λ and the pruning curve are kept."""
    return {"search": {name: setting[name] for name in SMALL} | chosen, "keep": keep}


def run(trial: Trial, device: str = "cpu") -> Outcome:
    """Train one network."""
    return run_together([trial], device)[0]


def run_together(trials: Sequence[Trial], device: str = "cpu") -> list[Outcome]:
    """Train the networks of some trials, those at once that differ in ρ and the seed only."""
    start = time.perf_counter()
    points = [{**one["search"], "hidden": tuple(one["search"]["hidden"]), "device": device} for one in trials]
    outcomes: list[Outcome] = []
    for one, point, (network, found) in zip(trials, points, DepthSearch().trained(points), strict=True):
        search = DepthSearch(**point)
        outcome = {name: rounded(value) for name, value in found.items()}
        outcome["onset"] = rounded(float(onset(search.network(), *search.data()).norm()))
        if one["keep"]:
            curve = search.curve(network)
            outcome["eigenvalues"] = rounded([lam.tolist() for lam in network.hidden_eigenvalues()])
            outcome["increase"] = rounded((curve.loss / curve.loss[-1] - 1).tolist())
            outcome["zeroed"] = zeroed(search, network)
            outcome["linear_R2"] = rounded(linear_R2(*search.data()))
        outcomes.append(outcome)
    seconds = round((time.perf_counter() - start) / len(trials), 2)
    return [outcome | {"seconds": seconds} for outcome in outcomes]


def zeroed(search: DepthSearch, network: SpectralNet) -> dict[str, list[float]]:
    """The increase of the loss when eigenvalues are set to 0, at POINTS numbers of those that stay."""
    nodes = sum(search.hidden)
    kept = sorted({round(k * nodes / POINTS) for k in range(POINTS + 1)})
    losses = search.zeroed(network, kept)
    return {"kept": kept, "increase": rounded([loss / losses[-1] - 1 for loss in losses])}


# ---------------------------------------------------------------- what a network has become

# Which layers are on by |λ|; the first alone keeps the other one alive, which hears φ_2 L_2.
STATES = {
    "no layer": (False, False),
    "the last layer alone": (False, True),
    "both layers": (True, True),
    "the first, and the last hears it": (True, False),
}
COLOURS = dict(zip(STATES, (FAINT, POSITIVE, INK, NEGATIVE), strict=True))


def state(outcome: Outcome) -> str:
    """What is left, in words."""
    return next(name for name, on in STATES.items() if on == tuple(outcome["on"]))


def grouped(done: Sequence[Done], *names: str) -> dict[tuple[Any, ...], list[Outcome]]:
    """The outcomes by what is varied besides the seed, in the order of the trials."""
    groups: dict[tuple[Any, ...], list[Outcome]] = {}
    for one in done:
        groups.setdefault(tuple(one.trial["search"][name] for name in names), []).append(one.outcome)
    return groups


def written(rho: float, bias: bool) -> str:
    """The heading of a case."""
    return rf"$\rho = {rho:g}$, {'with' if bias else 'without'} a bias node"


# ---------------------------------------------------------------- Figs 9 and 10

CASES = [[TABLE_4, False], [1e-4, False], [TABLE_4, True]]  # ρ, and whether there is a bias node
SETTINGS: dict[str, dict[str, Any]] = {
    "smoke": {**SMALL, "seeds": 2, "cases": [CASES[0], CASES[-1]]},
    "class": {**CLASS, "seeds": 5, "cases": CASES},
    "paper": {**PAPER, "seeds": 10, "cases": CASES},
}


def kept_trials(setting: Setting) -> list[Trial]:
    """Every case, every seed; those that are trained together stand together."""
    return [
        trial(setting, keep=True, rho=rho, bias=bias, penalty="l2_norm", seed=seed)
        for rho, bias in setting["cases"]
        for seed in range(setting["seeds"])
    ]


def draw_eigenvalues(done: Sequence[Done], figure: Figure) -> None:
    """Fig. 9: histograms of |λ_2|, |λ_3| and both, over all seeds; a row for each case."""
    groups = grouped(done, "rho", "bias")
    for (case, outcomes), row in zip(groups.items(), figure.subplots(len(groups), 3, squeeze=False), strict=True):
        first, last = ([abs(v) for outcome in outcomes for v in outcome["eigenvalues"][k]] for k in range(2))
        largest = max(*first, *last)
        panels = ((first, r"$|\lambda_2|$", NEGATIVE), (last, r"$|\lambda_3|$", POSITIVE), (first + last, "both", INK))
        for ax, (values, label, colour) in zip(row, panels, strict=True):
            plot_histogram(values, ax, largest=largest, label=label, colour=colour)
        row[0].set(ylabel=f"nodes, {len(outcomes)} seeds")
        row[1].set_title(written(*case), fontsize="medium")


def draw_increase(done: Sequence[Done], figure: Figure) -> None:
    """Fig. 10: the increase of the validation loss against the hidden nodes kept; dotted, the eigenvalues not set to 0."""
    groups = grouped(done, "rho", "bias")
    axes = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for (case, outcomes), ax in zip(groups.items(), axes, strict=True):
        colours = [COLOURS[state(outcome)] for outcome in outcomes]
        removed = [(range(len(outcome["increase"])), outcome["increase"]) for outcome in outcomes]
        silenced = [(outcome["zeroed"]["kept"], outcome["zeroed"]["increase"]) for outcome in outcomes]
        for curves, style in ((removed, "-"), (silenced, ":")):
            lines = [(*curve, colour) for curve, colour in zip(curves, colours, strict=True)]
            plot_increase(lines, ax, threshold=THRESHOLD, style=style)
        ax.set_title(written(*case), fontsize="small")
        ax.set(xlabel="nodes kept (dotted: λ not set to 0)", ylabel="relative increase of the loss" if ax is axes[0] else "")
    name_states(figure, done)


def name_states(figure: Figure, done: Sequence[Done]) -> None:
    """A legend below of the states that occur."""
    from matplotlib.patches import Patch

    found = {state(one.outcome) for one in done}
    patches = [Patch(color=colour, label=name) for name, colour in COLOURS.items() if name in found]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), frameon=False, fontsize="small")


def of_table_4(done: Sequence[Done]) -> list[Outcome]:
    """The outcomes with its ρ and without a bias node."""
    return grouped(done, "rho", "bias")[TABLE_4, False]


def ratios(outcomes: Sequence[Outcome]) -> str:
    """‖λ_3‖ / ‖λ_2‖ of each, in words."""
    return ", ".join(f"{outcome['norms'][1] / outcome['norms'][0]:.2g}" for outcome in outcomes)


def eigenvalue_findings(done: Sequence[Done]) -> list[Finding]:
    """One layer is left, and which."""
    groups, table = grouped(done, "rho", "bias"), of_table_4(done)
    linear, worst = max(one.outcome["linear_R2"] for one in done), min(outcome["R2"] for outcome in table)
    found = [
        Finding("R² of a linear model", "sensibly different from 1", f"{linear:.3f}", linear < 0.9),
        Finding("R² at Table 4's ρ, the worst seed", "around 0.98", f"{worst:.3f}", worst > 0.97),
        Finding(
            "hidden layers on by |λ|, Table 4's ρ",
            "one of two",
            counted(table),
            all(sum(outcome["on"]) == 1 for outcome in table),
        ),
    ]
    for (rho, bias), outcomes in groups.items():
        found.append(
            Finding(
                f"‖λ_3‖ / ‖λ_2‖ at ρ = {rho:g}, {'with' if bias else 'no'} bias node",
                "about 100: the second layer is on",
                f"{ratios(outcomes)}: {counted(outcomes)}",
                all(outcome["on"] == [False, True] for outcome in outcomes),
            )
        )
    return found


def counted(outcomes: Sequence[Outcome]) -> str:
    """How many networks are in each state that occurs."""
    states = [state(outcome) for outcome in outcomes]
    return "; ".join(f"{name} in {states.count(name)} of {len(states)}" for name in STATES if name in states)


def width_findings(done: Sequence[Done]) -> list[Finding]:
    """How many eigenvalues must stay when the loss may grow by 5 %; and how many nodes, which is another question.

    The paper sets eigenvalues to 0 and says that this amounts to removing the nodes.  Where the first layer is on, it does not.
    """
    found = []
    for (rho, bias), outcomes in grouped(done, "rho", "bias").items():
        where = f"ρ = {rho:g}, {'with' if bias else 'no'} bias node"
        stay = [eigenvalues_needed(outcome) for outcome in outcomes]
        found.append(
            Finding(f"eigenvalues not set to 0, {where}", "30", in_words(stay), all(20 <= width <= 40 for width in stay))
        )
        nodes = [sum(outcome["width"]) for outcome in outcomes]
        ours = ", ".join(f"{first} + {last}" for first, last in (outcome["width"] for outcome in outcomes))
        ours = f"{ours} (if R² may fall by 0.01: {in_words([loose_width(outcome) for outcome in outcomes])})"
        found.append(Finding(f"nodes not removed, {where}", "0 + 30", ours, all(20 <= width <= 40 for width in nodes)))
    return found


def in_words(numbers: Sequence[int]) -> str:
    """Numbers with commas between them."""
    return ", ".join(str(number) for number in numbers)


def eigenvalues_needed(outcome: Outcome) -> int:
    """The fewest eigenvalues, of those numbers that were tried, with which the loss is within the threshold."""
    tried = zip(outcome["zeroed"]["kept"], outcome["zeroed"]["increase"], strict=True)
    return next(kept for kept, increase in tried if increase <= THRESHOLD)


def loose_width(outcome: Outcome, fall: float = 0.01) -> int:
    """The fewest nodes with which R² is at most so much below that of the whole network."""
    unexplained = 1 - outcome["R2"]
    return next(kept for kept, increase in enumerate(outcome["increase"]) if unexplained * increase <= fall)


# ---------------------------------------------------------------- over seeds, ρ and penalties

# Penalty, whether there is a bias node, and the ρ.
GRIDS: list[list[Any]] = [
    ["l2_norm", False, [3e-4, 1e-3, 3e-3, 1e-2]],
    ["l2_norm", True, [3e-4, 1e-3, 3e-3, 1e-2]],
    ["l1", False, [1e-4, 1e-3]],
    ["l2_squared", False, [1e-3, 1e-2]],
]
MANY_SETTINGS: dict[str, dict[str, Any]] = {
    "smoke": {**SMALL, "seeds": 2, "grids": [[penalty, bias, [TABLE_4, 1e-1]] for penalty, bias, _ in GRIDS]},
    "class": {**MANY, "seeds": 10, "grids": GRIDS},
    "paper": {**PAPER, "seeds": 20, "grids": GRIDS},
}


def many_trials(setting: Setting) -> list[Trial]:
    """Every penalty with and without a bias node, every ρ, every seed."""
    return [
        trial(setting, rho=rho, bias=bias, penalty=penalty, seed=seed)
        for penalty, bias, rhos in setting["grids"]
        for rho in rhos
        for seed in range(setting["seeds"])
    ]


def columns(done: Sequence[Done]) -> Iterator[tuple[tuple[str, bool], dict[float, list[Outcome]]]]:
    """For each penalty and bias, the outcomes by ρ."""
    groups = grouped(done, "penalty", "bias", "rho")
    for penalty, bias in dict.fromkeys(key[:2] for key in groups):
        yield (penalty, bias), {rho: found for (p, b, rho), found in groups.items() if (p, b) == (penalty, bias)}


def draw_statistics(done: Sequence[Done], figure: Figure) -> None:
    """What is left, how wide it is and how well it fits against ρ; a column for each penalty, with and without a bias node."""
    found = dict(columns(done))
    grid = figure.subplots(3, len(found), sharex=True, sharey="row", squeeze=False)
    for ((penalty, bias), by_rho), (top, middle, bottom) in zip(found.items(), grid.T, strict=True):
        draw_states(by_rho, top)
        if penalty == "l2_norm":  # above it the perceptron holds, as long as the eigenvectors are as they start
            top.axvline(median(outcome["onset"] for outcome in of(by_rho)), color=INK, ls="--", lw=1.2)
        top.set_title(f"{penalty}, {'bias node' if bias else 'no bias node'}", fontsize="medium")
        plot_series(widths(by_rho), middle, styles=((NEGATIVE, "^"), (POSITIVE, "o")), legend=top is grid[0, 0])
        fits = {rho: [outcome["R2"] for outcome in outcomes] for rho, outcomes in by_rho.items()}
        plot_series({"R²": summary(fits)}, bottom, styles=((INK, "D"),), legend=False)
        bottom.set(xscale="log", xlabel=r"$\rho$")
    search = done[0].trial["search"]
    nodes = " - ".join(str(n) for n in (search["dim"], *search["hidden"], search["dim"]))
    seeds = len(next(iter(by_rho.values())))
    figure.suptitle(f"{nodes} (the paper: 20 - 200 - 200 - 20), {seeds} seeds, {search['epochs']} epochs", fontsize="medium")
    for ax, label in zip(grid[:, 0], ("share of the seeds", "live neurons", "R²"), strict=True):
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


def summary(by_rho: Mapping[float, Sequence[float]]) -> Series:
    """Places, means and standard deviations."""
    spreads = [stdev(values) if len(values) > 1 else 0.0 for values in by_rho.values()]
    return list(by_rho), [mean(values) for values in by_rho.values()], spreads


def widths(by_rho: Mapping[float, Sequence[Outcome]]) -> dict[str, Series]:
    """Live neurons of both layers against ρ."""
    return {
        name: summary({rho: [outcome["live"][k] for outcome in outcomes] for rho, outcomes in by_rho.items()})
        for k, name in enumerate(("first hidden layer", "last hidden layer"))
    }


def statistics_findings(done: Sequence[Done]) -> list[Finding]:
    """Does one layer survive, is it the second, and how wide is it; what do the bias node and the other penalties change?"""
    found = dict(columns(done))
    fitting = [outcome for outcome in of(found["l2_norm", False]) if outcome["R2"] > FITS]
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
            f"{median(wide):g} for {n}" if wide else "none",
            bool(wide) and n <= median(wide) < 2 * n,
        ),
        Finding(
            "with a bias node, at Table 4's ρ: a layer is recruited", "no word of a bias node", *most(recruited, with_bias)
        ),
    ]
    for penalty, words in {"l2_squared": "L2 read as the square", "l1": "L1"}.items():
        others = [outcome for outcome in of(found[penalty, False]) if outcome["R2"] > FITS]
        one = [outcome for outcome in others if sum(outcome["on"]) == 1]
        findings.append(Finding(f"{words}: of those that fit, one layer on by |λ|", "one layer", *most(one, others)))
    return findings


def of(by_rho: Mapping[float, Sequence[Outcome]]) -> list[Outcome]:
    """All outcomes, whatever ρ."""
    return [outcome for outcomes in by_rho.values() for outcome in outcomes]


def most(some: Sequence[Outcome], of: Sequence[Outcome]) -> tuple[str, bool]:
    """A count in words, and whether it is more than four in five."""
    return f"{len(some)} of {len(of)}", len(some) > 0.8 * len(of)


# ---------------------------------------------------------------- the recipes

for_one = partial(Recipe, settings=SETTINGS, trials=kept_trials, run=run, together=run_together, chunk=3)
RECIPES = (
    for_one(
        "sparcs-fig-9",
        "SPARCS Fig. 9",
        "the eigenvalues of both hidden layers after training",
        draw=draw_eigenvalues,
        findings=eigenvalue_findings,
        size=(9, 8),
    ),
    for_one(
        "sparcs-fig-10",
        "SPARCS Fig. 10",
        "how many hidden nodes the network needs",
        draw=draw_increase,
        findings=width_findings,
        size=(12, 3.6),
    ),
    Recipe(
        "sparcs-depth-statistics",
        "SPARCS Section 5, over seeds and ρ",
        "which hidden layers are left, how wide, and how well they fit",
        MANY_SETTINGS,
        many_trials,
        run,
        draw_statistics,
        statistics_findings,
        size=(12, 7.5),
        together=run_together,
        chunk=10,
    ),
)
