r"""Beyond SPARCS: where in the plane of α and ρ there is a hidden layer, whether a network finds its way back, and digits.

Small networks with λ_1 frozen at 0, where an eigenvalue 0 is silence (with λ_1 trained the count of live neurons says little
about λ_2).  The column "paper" of a finding says here what one would expect beforehand, for no paper says it:

* The perceptron is unstable below the critical ρ of :mod:`spectral_lab.stability`, so there the border should lie.
* α moves where the minimum is: a network that is given time follows, and both ways come together.
* ρ puts a price on λ and not on φ.  A layer that has grown has large φ, and needs only small λ: it should survive where it
  could not have begun (λ → cλ, φ → φ/c leaves the function as it is).  On the way back it should have to begin anew, where a
  fresh one does.  (It need not: the eigenvectors stay large, and by them one can tell where it wakes up.)
* Digits are all but linear for a perceptron of 64 inputs: a hidden layer is cheap to drop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from statistics import mean, median, stdev
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from spectral_lab.ensembles import train_ensemble
from spectral_lab.hysteresis import Hysteresis
from spectral_lab.networks import SpectralNet
from spectral_lab.plotting import INK, NEGATIVE, POSITIVE, plot_heat, plot_series
from spectral_lab.recipes.recipe import Done, Finding, Outcome, Recipe, Setting, Trial
from spectral_lab.recipes.sparcs import rounded, run, run_together
from spectral_lab.stability import critical_rho, drive
from spectral_lab.tasks import alpha_beta, digits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALL: dict[str, Any] = {"hidden": [30], "n": 2000, "lr": 5e-3, "train_input_eigenvalues": False}

# ---------------------------------------------------------------- the plane of α and ρ

PLANE: dict[str, dict[str, Any]] = {
    "smoke": {"alphas": 3, "rhos": [1e-5, 1e-3, 1e-1], "seeds": 1, "epochs": 5},
    "class": {"alphas": 21, "rhos": rounded([10 ** (-5 + k / 2) for k in range(9)]), "seeds": 3, "epochs": 200},
    "paper": {"alphas": 41, "rhos": rounded([10 ** (-5 + k / 4) for k in range(17)]), "seeds": 20, "epochs": 1000},
}


def plane_trials(setting: Setting) -> list[Trial]:
    """Each ρ, seed and α, at β = 5 with the penalty ‖λ‖."""
    alphas = [k / (setting["alphas"] - 1) for k in range(setting["alphas"])]
    fixed = SMALL | {"beta": 5, "epochs": setting["epochs"]}
    return [
        {"search": {"alpha": alpha, "rho": rho, "seed": seed, **fixed}, "keep": False}
        for rho in setting["rhos"]
        for seed in range(setting["seeds"])
        for alpha in alphas
    ]


def over_plane(done: Sequence[Done], name: str) -> tuple[list[float], list[float], list[list[float]]]:
    """Values of α, values of ρ, and the means of an outcome over the seeds, a row for each ρ."""
    groups: dict[tuple[float, float], list[float]] = {}
    for one in done:
        groups.setdefault((one.trial["search"]["rho"], one.trial["search"]["alpha"]), []).append(one.outcome[name])
    rhos, alphas = (sorted({key[k] for key in groups}) for k in (0, 1))
    return alphas, rhos, [[mean(groups[rho, alpha]) for alpha in alphas] for rho in rhos]


def expected_border(done: Sequence[Done], penalty: str = "l2_norm") -> tuple[list[float], list[float]]:
    """Values of α and the critical ρ of the networks before training, means over the seeds."""
    alphas, _, _ = over_plane(done, "live")
    first, seeds = done[0].trial["search"], sorted({one.trial["search"]["seed"] for one in done})
    networks = [SpectralNet([2, *first["hidden"], 1], generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    tasks = [alpha_beta(alpha, first["beta"], first["n"], seed=42) for alpha in alphas]
    return alphas, [mean(critical_rho(drive(network, *task), penalty) for network in networks) for task in tasks]


def draw_plane(done: Sequence[Done], figure: Figure) -> None:
    """‖Γ‖ and live neurons over α and ρ, with the border and the one that was expected."""
    labels = {"path_norm": r"$\|\Gamma\|$", "live": "live neurons"}
    expected = {"perceptron unstable below": expected_border(done)}
    for ax, (name, label) in zip(figure.subplots(1, 2), labels.items(), strict=True):
        alphas, rhos, values = over_plane(done, name)
        level = {"path_norm": 0.05, "live": 0.5}[name]
        plot_heat(alphas, rhos, values, ax, label=label, level=level, lines=expected)
        ax.set(xlabel=r"non-linearity $\alpha$", ylabel=r"price of eigenvalues $\rho$")


def measured_border(done: Sequence[Done]) -> list[tuple[float, float, float]]:
    """α, the strongest ρ with a layer (a live neuron in half of the seeds), and the next ρ, for each α where there are both."""
    alphas, rhos, live = over_plane(done, "live")
    found = []
    for k, alpha in enumerate(alphas):
        there = [j for j in range(len(rhos)) if live[j][k] >= 0.5]
        if there and there[-1] + 1 < len(rhos):
            found.append((alpha, rhos[there[-1]], rhos[there[-1] + 1]))
    return found


def plane_findings(done: Sequence[Done]) -> list[Finding]:
    """Is there a layer where one was expected, and a border where the perceptron becomes unstable?"""
    alphas, rhos, live = over_plane(done, "live")
    expected = dict(zip(*expected_border(done), strict=True))
    ratios = [(below * above) ** 0.5 / expected[alpha] for alpha, below, above in measured_border(done)]
    border = f"{median(ratios):.1f} times as high (median; {min(ratios):.1f} to {max(ratios):.1f})" if ratios else "no border"
    grows = [sum(row[k] for row in live) for k in range(len(alphas))]
    return [
        Finding("live neurons at α = 1 and the weakest ρ", "some", f"{live[0][-1]:.1f}", live[0][-1] >= 1),
        Finding(f"live neurons at ρ = {rhos[-1]:g}", "none at any α", f"{max(live[-1]):.1f} at most", max(live[-1]) == 0),
        Finding(
            "border, against where the perceptron becomes unstable",
            "the same ρ, to a factor of 3",
            border,
            bool(ratios) and 1 / 3 < median(ratios) < 3,
        ),
        Finding(
            "ρ up to which there is a layer",
            "rises with α",
            ", ".join(f"{below:.0e} at α = {alpha:g}" for alpha, below, _ in measured_border(done)[:: max(1, len(alphas) // 4)])
            or "no border",
            bool(ratios) and grows[0] < grows[-1] and _rises([below for _, below, _ in measured_border(done)]),
        ),
    ]


def _rises(values: Sequence[float]) -> bool:
    return list(values) == sorted(values)


# ---------------------------------------------------------------- up and down

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


# ---------------------------------------------------------------- digits

DIGITS: dict[str, dict[str, Any]] = {
    "smoke": {"rhos": [1e-4, 1e-1], "seeds": 2, "hidden": 10, "epochs": 1},
    "class": {"rhos": rounded([10 ** (-5 + k / 2) for k in range(11)]), "seeds": 5, "hidden": 50, "epochs": 60},
    "paper": {"rhos": rounded([10 ** (-5 + k / 4) for k in range(21)]), "seeds": 20, "hidden": 200, "epochs": 300},
}


def digits_trials(setting: Setting) -> list[Trial]:
    """Each ρ and seed."""
    fixed = {"hidden": setting["hidden"], "epochs": setting["epochs"]}
    return [{"rho": rho, "seed": seed, **fixed} for rho in setting["rhos"] for seed in range(setting["seeds"])]


def digits_run(trial: Trial, device: str = "cpu") -> Outcome:
    """One network learns the digits."""
    return digits_together([trial], device)[0]


def digits_together(trials: Sequence[Trial], device: str = "cpu") -> list[Outcome]:
    """Networks 64-N-10 that differ in ρ and the seed; the seed is that of the network and of the order, not of the split."""
    start, split, E, first = time.perf_counter(), digits(seed=0), len(trials), trials[0]
    networks = [
        SpectralNet(
            [64, trial["hidden"], 10],
            train_input_eigenvalues=False,
            generator=torch.Generator().manual_seed(trial["seed"]),
            device=device,
        )
        for trial in trials
    ]
    training = train_ensemble(
        networks,
        split.x_train.expand(E, -1, -1),
        split.y_train.expand(E, -1),
        epochs=first["epochs"],
        lr=2e-3,
        rho=[trial["rho"] for trial in trials],
        loss=nn.functional.cross_entropy,
        seeds=[trial["seed"] for trial in trials],
    )
    (record,) = training
    assert record.live is not None
    assert record.path_norm is not None
    with torch.no_grad():
        answers = training.ensemble(split.x_test.to(device).expand(E, -1, -1)).argmax(-1).cpu()
    accuracy = (answers == split.y_test).double().mean(-1)
    seconds = round((time.perf_counter() - start) / E, 2)
    return [
        {"accuracy": rounded(float(accuracy[k])), "live": int(record.live[k]), "path_norm": rounded(float(record.path_norm[k]))}
        | {"seconds": seconds}
        for k in range(E)
    ]


def over_rho(done: Sequence[Done], quantity: Callable[[Outcome], float]) -> tuple[list[float], list[float], list[float]]:
    """Values of ρ, means and standard deviations over the seeds."""
    rhos = sorted({one.trial["rho"] for one in done})
    found = {rho: [quantity(one.outcome) for one in done if one.trial["rho"] == rho] for rho in rhos}
    return rhos, [mean(v) for v in found.values()], [stdev(v) if len(v) > 1 else 0.0 for v in found.values()]


def draw_digits(done: Sequence[Done], figure: Figure) -> None:
    """Live neurons and validation accuracy against ρ; the line is the accuracy at the strongest ρ."""
    left, right = figure.subplots(1, 2)
    accuracies = over_rho(done, lambda outcome: outcome["accuracy"])
    plot_series({"live": over_rho(done, lambda outcome: outcome["live"])}, left, styles=((INK, "o"),), legend=False)
    plot_series({"accuracy": accuracies}, right, styles=((INK, "o"),), level=accuracies[1][-1], legend=False)
    left.set(ylabel="live neurons of the hidden layer")
    right.set(ylabel="validation accuracy", ylim=(0.9, 1.0))
    for ax in (left, right):
        ax.set(xlabel=r"price of eigenvalues $\rho$", xscale="log")


def digits_findings(done: Sequence[Done]) -> list[Finding]:
    """What the hidden layer is worth on these digits."""
    rhos, accuracies, spreads = over_rho(done, lambda outcome: outcome["accuracy"])
    _, live, _ = over_rho(done, lambda outcome: outcome["live"])
    best = max(range(len(rhos)), key=accuracies.__getitem__)
    gain = accuracies[best] - accuracies[-1]
    return [
        Finding(f"live neurons at ρ = {rhos[-1]:g}", "none: a perceptron", f"{live[-1]:.1f}", live[-1] == 0),
        Finding(
            "accuracy of that perceptron",
            "about 0.97 already",
            f"{accuracies[-1]:.3f} ± {spreads[-1]:.3f}",
            abs(accuracies[-1] - 0.97) < 0.01,
        ),
        Finding(
            "what a hidden layer adds at its best",
            "less than 0.02",
            f"{gain:.3f} (ρ = {rhos[best]:.0e}, {live[best]:.0f} live neurons)",
            gain < 0.02,
        ),
        Finding(
            "live neurons against ρ",
            "fewer, the stronger ρ",
            ", ".join(f"{n:.0f}" for n in live),
            live[0] > live[-1] and all(after <= before + 2 for before, after in pairwise(live)),  # the seeds differ by that
        ),
    ]


RECIPES = (
    Recipe(
        "phase-diagram",
        "beyond SPARCS Fig. 7",
        "where in the plane of α and ρ there is a hidden layer",
        PLANE,
        plane_trials,
        run,
        draw_plane,
        plane_findings,
        size=(10.6, 4.4),
        together=run_together,
        chunk=63,
    ),
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
    Recipe(
        "digits-search",
        "beyond SPARCS",
        "how much of a hidden layer handwritten digits need",
        DIGITS,
        digits_trials,
        digits_run,
        draw_digits,
        digits_findings,
        size=(10.6, 4.2),
        together=digits_together,
        chunk=11,
    ),
)
