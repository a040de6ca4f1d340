r"""Beyond SPARCS: how much of a hidden layer do handwritten digits need?

The column "paper" of a finding says here what one would expect beforehand, for no paper says it: digits are all but linear for
a perceptron of 64 inputs, and a hidden layer is cheap to drop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from spectral_lab.ensembles import train_ensemble
from spectral_lab.networks import SpectralNet
from spectral_lab.plotting import INK, plot_series
from spectral_lab.recipes.recipe import Done, Finding, Outcome, Recipe, Setting, Trial
from spectral_lab.recipes.sparcs import rounded
from spectral_lab.tasks import digits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
