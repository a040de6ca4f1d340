"""The controls as the browser builds them, and which setting each one moves."""

from __future__ import annotations

from typing import Any

from spectral_lab.live.export import KINDS
from spectral_lab.live.frames import Arrays
from spectral_lab.live.instrument import Instrument, Sight
from spectral_lab.live.presets import PRESETS
from spectral_lab.live.settings import MAX_LAYERS, MAX_WIDTH, SETTINGS

# kind "linear" and "log" are sliders; a log slider with "zero" has an exact 0 at its left end.
Control = dict[str, Any]


def _control(name: str, label: str, kind: str, help: str, **more: Any) -> Control:
    return {"name": name, "label": label, "kind": kind, "help": help, **more}


TASK_NAMES = {
    "bowl": "bowl, x·x",
    "product": "product, x₁x₂",
    "saddle": "saddle",
    "ring": "ring",
    "digits": "digits",
    "own": "own data",
}
ALPHA_BETA = [
    _control("alpha", "α", "linear", "how non-linear the task is", low=0, high=1, step=0.01),
    _control("beta", "β", "log", "how sharp the transition in α is", low=1, high=1000),
    _control("noise", "noise", "log", "standard deviation of noise on the targets", low=1e-3, high=1, zero=True),
]
VALIDATION = _control(
    "validation",
    "validation",
    "linear",
    "share of the data kept for validation; a change starts anew",
    low=0,
    high=0.9,
    step=0.05,
)
REGULARISER = [
    _control("rho", "ρ", "log", "how hard the eigenvalues are regularised", low=1e-6, high=10, zero=True),
    _control(
        "penalty",
        "penalty",
        "choice",
        "which norm of the eigenvalues is penalised",
        options=[["l2_norm", "‖λ‖, by layer"], ["l1", "Σ|λ|, by node"], ["l2_squared", "Σλ², shrinks"]],
    ),
    _control(
        "train_input_eigenvalues", "train λ₁ too", "flag", "the input eigenvalues, which else stay 0; a change starts anew"
    ),
]
PRUNING = [
    _control(
        "threshold", "threshold", "log", "prune neurons whose path strength is at most this", low=1e-3, high=10, zero=True
    ),
]
NETWORK = [
    _control(
        "hidden",
        "hidden layers",
        "layers",
        "sizes of the hidden layers; a change starts anew",
        most=MAX_LAYERS,
        high=MAX_WIDTH,
    ),
    _control(
        "activation",
        "activation",
        "choice",
        "f of the hidden neurons; a change starts anew",
        options=[["relu", "ReLU"], ["tanh", "tanh"], ["sigmoid", "sigmoid"], ["elu", "ELU"], ["gelu", "GELU"]],
    ),
    _control("lr", "learn rate", "log", "of Adam", low=1e-4, high=1),
    _control("batch_size", "batch", "whole", "samples a step"),
]
TRANSPORT = [
    _control(
        "speed",
        "speed",
        "choice",
        "training steps a picture",
        options=[[1, "1 step"], [5, "5 steps"], [0, "full speed"]],
    ),
    _control("seed", "seed", "whole", "of the first weights, the data and the batches; a change starts anew"),
]
SENT = list(SETTINGS)


def scene(instrument: Instrument) -> tuple[dict[str, Any], Arrays]:
    """The groups of controls that this task has and the exercise does not hide, presets, title and question."""
    shown = [{**group, "controls": _seen(group["controls"], instrument)} for group in groups(instrument)]
    about = {
        "groups": [group for group in shown if group["controls"]],
        "transport": _seen(TRANSPORT, instrument),
        "presets": [[name, preset.title] for name, preset in PRESETS.items()],
        "exports": [[kind, text] for kind, (_, _, text) in KINDS.items()],
        "hide": instrument.hide,
        "lock": instrument.locked,
        "title": instrument.title,
        "question": instrument.question,
    }
    return about, {}


def groups(instrument: Instrument) -> list[dict[str, Any]]:
    """The controls in their groups; those of the α–β family only where that is the task."""
    tasks = [[task, text] for task, text in TASK_NAMES.items() if task != "own" or instrument.own is not None]
    task = [_control("task", "target", "choice", "what is to be learnt; a change starts anew", options=tasks)]
    names = instrument.problem.inputs
    if instrument.task not in ("digits", "own"):
        task += ALPHA_BETA
    elif instrument.problem.kind == "square" and len(names) > 2:
        task.append(_control("section", "section", "section", "the two inputs that the fit is drawn over", names=names))
    task.append(VALIDATION)
    kinds = {"Task": task, "Regulariser": REGULARISER, "Pruning": PRUNING, "Network": NETWORK}
    return [{"title": title, "controls": controls} for title, controls in kinds.items()]


def _seen(controls: list[Control], instrument: Instrument) -> list[Control]:
    return [{**c, "locked": c["name"] in instrument.locked} for c in controls if c["name"] not in instrument.hide]


def frame(instrument: Instrument, sight: Sight) -> tuple[dict[str, Any], Arrays]:
    """The value of every setting, which the controls follow, and whether there is something to undo and to redo."""
    values = {name: getattr(instrument, name) for name in SENT}
    return {"values": values, "undo": instrument.can_undo, "redo": instrument.can_redo}, {}
