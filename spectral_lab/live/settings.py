"""What can be set on the instrument: names, defaults, ranges.  One place for Python, the browser and the state string."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from spectral_lab.live.problem import TASKS
from spectral_lab.networks import ACTIVATIONS
from spectral_lab.penalties import PENALTIES

MAX_LAYERS = 4  # hidden layers that a projector can show
MAX_WIDTH = 300  # nodes in one layer; SPARCS App. E uses 300

Check = Callable[[str, Any], Any]


@dataclass(frozen=True)
class Setting:
    """A value that the user can change while the instrument runs."""

    default: Any
    check: Check  # (name, value) → the value in its own type, or a ValueError
    restarts: bool = False  # a change builds the network anew
    scene: bool = True  # part of the scene that the state string describes


def number(low: float, high: float, meaning: str, *, open_low: bool = False) -> Check:
    """A check for a finite number in [low, high], or (low, high] with ``open_low``."""

    def check(name: str, value: Any) -> float:
        ok = isinstance(value, Real) and not isinstance(value, bool)  # NaN fails low <= value
        if not ok or not low <= value <= high or (open_low and value == low):
            interval = f"{'(' if open_low else '['}{low:g}, {high:g}]"
            raise ValueError(f"{name} = {value!r}; wanted a number in {interval}: {meaning}")
        return float(value)

    return check


def whole(low: int, high: int, meaning: str) -> Check:
    """A check for a whole number in [low, high]."""

    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, Integral) or not low <= int(value) <= high:
            raise ValueError(f"{name} = {value!r}; wanted a whole number from {low} to {high}: {meaning}")
        return int(value)

    return check


def one_of(options: Sequence[str]) -> Check:
    """A check for one of a few names."""

    def check(name: str, value: Any) -> str:
        if value not in options:
            raise ValueError(f"{name} = {value!r}; wanted one of {', '.join(map(repr, options))}")
        return str(value)

    return check


def flag(name: str, value: Any) -> bool:
    """A check for True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} = {value!r}; wanted True or False")
    return value


def widths(name: str, value: Any) -> tuple[int, ...]:
    """A check for the sizes of the hidden layers, e.g. (30,) or (20, 20)."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence) or not 1 <= len(value) <= MAX_LAYERS:
        raise ValueError(f"{name} = {value!r}; wanted the sizes of 1 to {MAX_LAYERS} hidden layers, e.g. (30,)")
    in_range = whole(1, MAX_WIDTH, "the size of a hidden layer that can be drawn; SpectralNet itself takes more")
    return tuple(in_range(f"{name}[{i}]", n) for i, n in enumerate(value))


def pair(name: str, value: Any) -> tuple[int, int]:
    """A check for two different inputs, counted from 0; whether they exist depends on the data."""
    ok = isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and len(value) == 2 and value[0] != value[1]
    if not ok:
        raise ValueError(f"{name} = {value!r}; wanted two different inputs, counted from 0, e.g. (0, 1)")
    in_range = whole(0, 10_000, "an input")
    return in_range(f"{name}[0]", value[0]), in_range(f"{name}[1]", value[1])


SETTINGS: dict[str, Setting] = {
    "task": Setting("bowl", one_of(TASKS), restarts=True),  # g of the α–β family, or other data
    "alpha": Setting(0.8, number(0, 1, "how non-linear the task is")),
    "beta": Setting(5.0, number(0, 1e6, "how sharp the transition in alpha is", open_low=True)),
    "rho": Setting(1e-4, number(0, 1e6, "the strength of the regulariser")),
    "noise": Setting(0.0, number(0, 10, "the standard deviation of noise on the targets")),
    "validation": Setting(0.2, number(0, 0.9, "the share of the data kept for validation"), restarts=True),
    "hidden": Setting((30,), widths, restarts=True),
    "seed": Setting(0, whole(0, 2**63 - 1, "a seed"), restarts=True),
    "penalty": Setting("l2_norm", one_of(sorted(PENALTIES))),
    # λ_1 frozen at 0: only then a neuron of eigenvalue 0 is silent, and the story "ρ prunes" is true
    "train_input_eigenvalues": Setting(False, flag, restarts=True),
    "activation": Setting("relu", one_of(sorted(ACTIVATIONS)), restarts=True),
    "lr": Setting(5e-3, number(0, 1e3, "a learning rate", open_low=True)),  # lively: each stage of the story takes seconds
    "batch_size": Setting(100, whole(1, 2000, "samples a step")),  # as in SPARCS App. G
    "threshold": Setting(0.0, number(0, 1e6, "the path strength up to which neurons are pruned")),
    "section": Setting((0, 1), pair, scene=False),  # the two inputs that the fit is drawn over, if there are more
    "speed": Setting(0, whole(0, 10_000, "training steps a picture, 0 for as many as fit"), scene=False),
    "playing": Setting(False, flag, scene=False),
}


def eigenvalue(name: str, value: Any) -> tuple[int, int, float]:
    """A check for (hidden layer from 0, index of the neuron, its new λ)."""
    layer, neuron, new = _triple(name, value, "a new eigenvalue")
    return layer, neuron, number(-1e6, 1e6, "an eigenvalue")(f"{name}[2]", new)


def switch(name: str, value: Any) -> tuple[int, int, bool]:
    """A check for (hidden layer from 0, index of the neuron, True for on or False for off)."""
    layer, neuron, on = _triple(name, value, "True or False")
    return layer, neuron, flag(f"{name}[2]", on)


def _triple(name: str, value: Any, last: str) -> tuple[int, int, Any]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence) or len(value) != 3:
        raise ValueError(f"{name} = {value!r}; wanted (hidden layer from 0, index of the neuron, {last})")
    layer = whole(0, MAX_LAYERS - 1, "a hidden layer")(f"{name}[0]", value[0])
    return layer, whole(0, MAX_WIDTH - 1, "a neuron")(f"{name}[1]", value[1]), value[2]


# What the hand does to the network itself; logged in a scene like the moves of a setting.
HANDS: dict[str, Check] = {"eigenvalue": eigenvalue, "switch": switch}


def check(name: str, value: Any) -> Any:
    """The value of a setting, or of a move of the hand on the network, in its own type.

    Raises:
        ValueError: an unknown name or a value outside its range, with the wanted one.
    """
    if name in HANDS:
        return HANDS[name](name, value)
    if name not in SETTINGS:
        raise ValueError(f"there is no setting {name!r}; known are {', '.join(SETTINGS)}")
    return SETTINGS[name].check(name, value)
