"""The controls as the browser builds them, and which setting each one moves."""

from __future__ import annotations

from typing import Any

from spectral_lab.live.frames import Arrays
from spectral_lab.live.instrument import Instrument, Moment
from spectral_lab.live.settings import MAX_LAYERS, MAX_WIDTH, SETTINGS

# kind "linear" and "log" are sliders; a log slider with "zero" has an exact 0 at its left end.
GROUPS: list[dict[str, Any]] = [
    {
        "title": "Task",
        "controls": [
            {
                "name": "alpha",
                "label": "α",
                "help": "how non-linear the task is",
                "kind": "linear",
                "low": 0,
                "high": 1,
                "step": 0.01,
            },
            {"name": "beta", "label": "β", "help": "how sharp the transition in α is", "kind": "log", "low": 1, "high": 1000},
        ],
    },
    {
        "title": "Regulariser",
        "controls": [
            {
                "name": "rho",
                "label": "ρ",
                "help": "how hard the eigenvalues are regularised",
                "kind": "log",
                "low": 1e-6,
                "high": 10,
                "zero": True,
            },
            {
                "name": "penalty",
                "label": "penalty",
                "help": "which norm of the eigenvalues is penalised",
                "kind": "choice",
                "options": [
                    ["l2_norm", "‖λ‖, a layer as a group"],
                    ["l1", "Σ|λ|, node by node"],
                    ["l2_squared", "Σλ², shrinks only"],
                ],
            },
            {
                "name": "train_input_eigenvalues",
                "label": "train λ₁, the input eigenvalues",
                "help": "otherwise they stay 0; a change starts anew",
                "kind": "flag",
            },
        ],
    },
    {
        "title": "Pruning",
        "controls": [
            {
                "name": "threshold",
                "label": "threshold",
                "help": "prune neurons whose path strength is at most this",
                "kind": "log",
                "low": 1e-3,
                "high": 10,
                "zero": True,
            },
        ],
    },
    {
        "title": "Network",
        "controls": [
            {
                "name": "hidden",
                "label": "hidden layers",
                "help": "sizes of the hidden layers; a change starts anew",
                "kind": "layers",
                "most": MAX_LAYERS,
                "high": MAX_WIDTH,
            },
            {
                "name": "activation",
                "label": "activation",
                "help": "f of the hidden neurons; a change starts anew",
                "kind": "choice",
                "options": [["relu", "ReLU"], ["tanh", "tanh"], ["sigmoid", "sigmoid"], ["elu", "ELU"], ["gelu", "GELU"]],
            },
            {"name": "lr", "label": "learning rate", "help": "of Adam", "kind": "log", "low": 1e-4, "high": 1},
        ],
    },
]
TRANSPORT: list[dict[str, Any]] = [
    {
        "name": "speed",
        "label": "speed",
        "help": "training steps a picture",
        "kind": "choice",
        "options": [[1, "1 step a picture"], [5, "5 steps a picture"], [0, "full speed"]],
    },
    {
        "name": "seed",
        "label": "seed",
        "help": "of the first weights, the data and the batches; a change starts anew",
        "kind": "whole",
    },
]
SENT = [name for name in SETTINGS if name != "batch_size"]


def scene(instrument: Instrument) -> tuple[dict[str, Any], Arrays]:
    """The groups of controls."""
    return {"groups": GROUPS, "transport": TRANSPORT}, {}


def frame(instrument: Instrument, moment: Moment) -> tuple[dict[str, Any], Arrays]:
    """The value of every setting, which the controls follow."""
    return {"values": {name: getattr(instrument, name) for name in SENT}}, {}
