"""Presets: scenes for a lecture, each with a title, a question for the class, and moves that come by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Preset:
    """A scene to begin with."""

    title: str
    question: str
    settings: dict[str, Any]  # other than the defaults
    trained: int = 0  # steps that it has been trained for before it is shown
    moves: list[tuple[int, str, Any]] = field(default_factory=list)  # (step, name, value) that come by themselves


def sweep(name: str, first: int, last: int, values: Sequence[float]) -> list[tuple[int, str, Any]]:
    """Moves of one setting at equal gaps between two steps."""
    gap = (last - first) / max(1, len(values) - 1)
    return [(round(first + k * gap), name, value) for k, value in enumerate(values)]


def _between(low: float, high: float, n: int = 25) -> list[float]:
    return [round(low + (high - low) * k / (n - 1), 4) for k in range(n)]


def _decades(low: float, high: float, n: int = 21) -> list[float]:
    """From 10^low to 10^high."""
    return [float(f"{10 ** (low + (high - low) * k / (n - 1)):.3g}") for k in range(n)]


PRESETS: dict[str, Preset] = {
    "perceptron": Preset(
        "A perceptron is enough",
        "The task is a plane. How many hidden neurons will be live after a while?",
        {"alpha": 0.0},
    ),
    "grow": Preset(
        "Watch it grow",
        "α rises from 0 to 1 by itself. At which α are the first neurons recruited?",
        {"alpha": 0.0},
        moves=sweep("alpha", 400, 2400, _between(0, 1, 51)),
    ),
    "die": Preset(
        "Watch it die",
        "ρ rises by itself. Do the neurons die one by one or all together? What does the fit become?",
        {"alpha": 1.0},
        trained=1500,
        moves=sweep("rho", 1700, 3500, _decades(-4, 0)),
    ),
    "again": Preset(
        "It grows again",
        "The regulariser has taken every neuron, and now it lets go. Do the same ones come back?",
        {"alpha": 1.0, "rho": 1.0},
        trained=800,
        moves=sweep("rho", 1000, 2200, _decades(0, -4)),
    ),
    "depth": Preset(
        "Two hidden layers, one wins",
        "The penalty ‖λ‖ takes whole layers. Which one will be left? The same one for another seed?",
        {"alpha": 1.0, "hidden": (10, 30), "rho": 6e-3},
    ),
    "trap": Preset(
        "Dead by λ, alive by path",
        "Here λ₁ is trained too. Every hidden |λ| becomes tiny: are the neurons dead? Look at the fit, and at ‖Γ‖.",
        {"alpha": 1.0, "rho": 1e-2, "train_input_eigenvalues": True},
    ),
    "digits": Preset(
        "On digits",
        "How many hidden neurons do ten digits need? Raise ρ and watch the table of right and wrong answers.",
        {"task": "digits", "hidden": (30,), "rho": 1e-3, "lr": 5e-3},
    ),
}
