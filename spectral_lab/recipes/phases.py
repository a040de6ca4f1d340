r"""Beyond SPARCS: where in the plane of α and ρ is there a hidden layer?

Small networks with λ_1 frozen at 0, where an eigenvalue 0 is silence (with λ_1 trained the count of live neurons says little
about λ_2).  The column "paper" of a finding says here what one would expect beforehand, for no paper says it: the perceptron is
unstable below the critical ρ of :mod:`spectral_lab.stability`, so there the border should lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import torch

from spectral_lab.networks import SpectralNet
from spectral_lab.plotting import plot_heat
from spectral_lab.recipes.recipe import Done, Finding, Recipe, Setting, Trial
from spectral_lab.recipes.sparcs import rounded, run, run_together
from spectral_lab.stability import critical_rho, drive
from spectral_lab.tasks import alpha_beta

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALL: dict[str, Any] = {"hidden": [30], "n": 2000, "lr": 5e-3, "train_input_eigenvalues": False}

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
)
