r"""Beyond SPARCS: α or ρ goes up and down again without a restart; does a network find its way back?

The column "paper" of a finding says here what one would expect beforehand, for no paper says it:

* α moves where the minimum is: a network that is given time follows, and both ways come together.
* ρ puts a price on λ and not on φ.  A layer that has grown has large φ, and needs only small λ: it should survive where it
  could not have begun (λ → cλ, φ → φ/c leaves the function as it is).  On the way back it should have to begin anew, where a
  fresh one does.  (It need not: the eigenvectors stay large, and by them one can tell where it wakes up.)
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from spectral_lab.hysteresis import Hysteresis
from spectral_lab.plotting import INK, NEGATIVE, POSITIVE, plot_series
from spectral_lab.recipes.phases import SMALL
from spectral_lab.recipes.recipe import Done, Finding, Outcome, Recipe, Setting, Trial
from spectral_lab.recipes.sparcs import rounded, run_together

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ALPHAS, RHOS = [k / 10 for k in range(11)], rounded([10 ** (-4 + k / 2) for k in range(11)])  # up to 10, where nothing lives
LOOPS: dict[str, dict[str, Any]] = {
    "smoke": {"alpha": [0.0, 1.0], "rho": [1e-4, 1e-1], "steps": [3, 6], "settle": 3, "seeds": 2},
    "class": {"alpha": ALPHAS, "rho": RHOS, "steps": [200, 2000], "settle": 2000, "seeds": 5},
    "paper": {"alpha": ALPHAS, "rho": RHOS, "steps": [200, 2000, 20_000], "settle": 20_000, "seeds": 20},
}
PENALTIES = ("l2_norm", "l1")
FAST_UP, FAST_DOWN = ("#9dbde8", "^"), ("#f6c08f", "v")


def loop_trials(setting: Setting) -> list[Trial]:
    """Both things that can go up and down, both penalties, slow and fast, every seed; and fresh networks at each value."""
    kinds = [(over, penalty) for over in ("alpha", "rho") for penalty in PENALTIES]
    carried = [
        {"over": over, "values": setting[over], "settle": setting["settle"], "penalty": penalty, "steps": steps, "seed": seed}
        for over, penalty in kinds
        for steps in setting["steps"]
        for seed in range(setting["seeds"])
    ]
    epochs = max(1, max(setting["steps"]) * 100 // SMALL["n"])  # as long as the slowest stay at one value
    fresh = [
        {"search": SMALL | {"penalty": penalty, over: value, "seed": seed, "epochs": epochs}, "over": over, "keep": False}
        for over, penalty in kinds
        for value in setting[over]
        for seed in range(setting["seeds"])
    ]
    return carried + fresh


def loop_run(trial: Trial, device: str = "cpu") -> Outcome:
    """One network, up and down, or fresh."""
    return loops_together([trial], device)[0]


def loops_together(trials: Sequence[Trial], device: str = "cpu") -> list[Outcome]:
    """The networks of some trials; those that differ in the seed only are carried at once."""
    fresh = [k for k, trial in enumerate(trials) if "search" in trial]
    found: dict[int, Outcome] = dict(zip(fresh, run_together([trials[k] for k in fresh], device), strict=True)) if fresh else {}
    for over in dict.fromkeys(trial["over"] for trial in trials if "search" not in trial):
        places = [k for k, trial in enumerate(trials) if trial["over"] == over and k not in found]
        first, start = trials[places[0]], time.perf_counter()
        loop = Hysteresis(over=over, values=tuple(first["values"]), settle=first["settle"])
        points = [{name: trials[k][name] for name in ("penalty", "steps", "seed")} | {"device": device} for k in places]
        outcomes = loop(points)
        seconds = round((time.perf_counter() - start) / len(places), 2)
        for k, outcome in zip(places, outcomes, strict=True):
            plain = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in outcome.items()}
            found[k] = {name: rounded(value) for name, value in plain.items()} | {"seconds": seconds}
    return [found[k] for k in range(len(trials))]


def of_loop(done: Sequence[Done], over: str, penalty: str, steps: int) -> list[Outcome]:
    """The outcomes of all seeds of a loop."""
    wanted = {"over": over, "penalty": penalty, "steps": steps}
    return [one.outcome for one in done if wanted.items() <= one.trial.items()]


def fresh_ones(done: Sequence[Done], over: str, penalty: str, name: str) -> list[list[float]]:
    """An outcome of the networks that were started anew at each value: a row for each seed, a column for each value."""
    some = [
        one for one in done if "search" in one.trial and (one.trial["over"], one.trial["search"]["penalty"]) == (over, penalty)
    ]
    seeds = sorted({one.trial["search"]["seed"] for one in some})
    return [[one.outcome[name] for one in some if one.trial["search"]["seed"] == seed] for seed in seeds]


def _moments(rows: Iterable[Sequence[float]]) -> tuple[list[float], list[float]]:
    """Means and standard deviations of each place over the rows."""
    columns = list(zip(*rows, strict=True))
    return [mean(c) for c in columns], [stdev(c) if len(c) > 1 else 0.0 for c in columns]


def draw_loops(done: Sequence[Done], figure: Figure) -> None:
    """‖Γ‖ on the way up and down, a row for α and one for ρ, a column for each penalty; slow, fast and fresh."""
    fast, slow = _dwells(done)
    styles = (FAST_UP, FAST_DOWN, (NEGATIVE, "^"), (POSITIVE, "v"), (INK, "D"))
    names = {"alpha": r"non-linearity $\alpha$, at $\rho = 10^{-4}$", "rho": r"price $\rho$, at $\alpha = 1$"}
    for row, over in zip(figure.subplots(2, 2), names, strict=True):
        values = _values(done, over)
        for ax, penalty in zip(row, PENALTIES, strict=True):
            curves = {
                f"{way}, {steps:,} steps each": (values, *_moments(o[way] for o in of_loop(done, over, penalty, steps)))
                for steps in (fast, slow)
                for way in ("up", "down")
            }
            curves["started anew at each"] = (values, *_moments(fresh_ones(done, over, penalty, "path_norm")))
            plot_series(curves, ax, styles=styles, legend=over == "alpha" and penalty == PENALTIES[0])
            ax.set(
                xlabel=names[over],
                ylabel=r"$\|\Gamma\|$",
                title=f"penalty {penalty}",
                xscale="log" if over == "rho" else "linear",
            )


def _dwells(done: Sequence[Done]) -> tuple[int, int]:
    dwells = sorted({one.trial["steps"] for one in done if "steps" in one.trial})
    return dwells[0], dwells[-1]


def _values(done: Sequence[Done], over: str) -> list[float]:
    return next(one.trial["values"] for one in done if one.trial["over"] == over and "values" in one.trial)


def loop_findings(done: Sequence[Done]) -> list[Finding]:
    """Does the difference between the ways go away with time, and where does a layer die and wake up?"""
    fast, slow = _dwells(done)
    values, findings = _values(done, "rho"), []
    for over, expected in (("alpha", "goes away with time: lag, not memory"), ("rho", "stays with time")):
        for penalty in PENALTIES:
            (a, da), (b, db) = (_area(of_loop(done, over, penalty, steps)) for steps in (fast, slow))
            says = f"{a:.2f} ± {da:.2f} at {fast:,} steps, {b:.2f} ± {db:.2f} at {slow:,}"
            gone = abs(b) < 0.5 * abs(a)
            name = {"alpha": "α", "rho": "ρ"}[over]
            findings.append(Finding(f"area between the ways of {name}, {penalty}", expected, says, gone is (over == "alpha")))
    for penalty in PENALTIES:
        loops = of_loop(done, "rho", penalty, slow)
        fresh, up, down = (
            alive_up_to(values, rows)
            for rows in (
                fresh_ones(done, "rho", penalty, "live"),
                *([outcome[way] for outcome in loops] for way in ("live_up", "live_down")),
            )
        )
        for what, expected, ours, agrees in (
            ("a layer lives up to ρ", "further than a fresh one", up, up > 3 * fresh),
            ("and wakes up at ρ", "where a fresh one does", down, fresh / 3.2 < down < 3.2 * fresh),
        ):
            findings.append(Finding(f"{what}, {penalty}", expected, f"{ours:.1g}; a fresh one {fresh:.1g}", agrees))
        right, cases = told_beforehand(values, loops)
        findings.append(
            Finding(
                f"dead layers that wake up at the next ρ, told by their eigenvectors, {penalty}",
                "all but a few",
                f"{right} of {cases} told right",
                right >= 0.8 * cases > 0,
            )
        )
    return findings


def _area(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    areas = [outcome["area"] for outcome in outcomes]
    return mean(areas), stdev(areas) if len(areas) > 1 else 0.0


def alive_up_to(values: Sequence[float], live: Iterable[Sequence[float]]) -> float:
    """The largest value at which, in the mean over the seeds, a neuron is live; 0 if there is none."""
    counts, _ = _moments(live)
    return max((value for value, count in zip(values, counts, strict=True) if count >= 0.5), default=0.0)


def told_beforehand(values: Sequence[float], outcomes: Sequence[Outcome]) -> tuple[int, int]:
    """On the way down, each time a layer is dead: does its critical ρ tell whether it will live at the next value?

    Returns:
        How often it does, and how many cases there are.
    """
    right = cases = 0
    for outcome in outcomes:
        live, critical = outcome["live_down"], outcome["critical_down"]
        for k in range(len(values) - 1, 0, -1):
            if live[k] == 0:
                cases += 1
                right += (values[k - 1] < critical[k]) is (live[k - 1] > 0)
    return right, cases


RECIPES = (
    Recipe(
        "hysteresis",
        "beyond SPARCS Fig. 7",
        "α and ρ up and down again without a restart",
        LOOPS,
        loop_trials,
        loop_run,
        draw_loops,
        loop_findings,
        size=(10.6, 8),
        together=loops_together,
        chunk=20,
    ),
)
