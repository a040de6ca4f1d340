"""Options of a training: what is said before the first step, checked in one place for one network and for many."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spectral_lab.penalties import Penalty, check_penalty, check_rho


def check_count(name: str, value: object, least: int = 1) -> int:
    """The value, if it is a whole number of at least ``least``.

    Raises:
        ValueError: with the option's name and the value found.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} = {value!r}; wanted a whole number of at least {least}")
    return value


def check_lr(lr: float) -> None:
    """Refuse a learning rate that is not a positive finite number.

    Raises:
        ValueError: naming the value found.
    """
    if not 0 < lr < math.inf:
        raise ValueError(f"lr = {lr}; wanted a positive finite learning rate, e.g. 1e-3")


def count_steps(steps: int | None, epochs: int | None, n: int, batch_size: int, least: int = 0) -> int:
    """How many steps a training takes, of which one is given: the steps, or epochs over n rows.

    Raises:
        ValueError: none or both of them, or one that is no whole number of at least ``least``; likewise the batch size.
    """
    if (steps is None) == (epochs is None):
        raise ValueError(f"steps = {steps} and epochs = {epochs}; give exactly one of them")
    check_count("batch_size", batch_size)
    if steps is not None:
        return check_count("steps", steps, least)
    return check_count("epochs", epochs, least) * math.ceil(n / batch_size)


def choose_penalised(names: Iterable[str], known: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parameters of these names.

    Raises:
        ValueError: a name that no parameter has, with those that there are.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"penalised names {unknown} are no parameters of the network; it has {sorted(known)}")
    return {name: known[name] for name in names}


@dataclass(frozen=True)
class Options:
    """What a run of :func:`~spectral_lab.training.train` is told, except for the network, the data and the loss.

    The arguments are those of ``train``, where each is explained.

    Raises:
        ValueError: an option outside its range, by its name.
    """

    steps: int
    lr: float
    batch_size: int
    rho: float
    penalty: str | Penalty
    penalised: list[str] | None  # None: the trainable eigenvalues of the input and hidden layers
    record_every: int
    seed: int
    patience: int | None = None
    autocast: torch.dtype | None = None

    def __post_init__(self) -> None:
        check_count("steps", self.steps, least=0)
        check_count("batch_size", self.batch_size)
        check_count("record_every", self.record_every)
        check_lr(self.lr)
        check_rho(self.rho)
        check_penalty(self.penalty)
        if self.patience is not None:
            check_count("patience", self.patience)
