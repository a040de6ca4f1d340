"""What is agreed on before a lesson: who teaches, how wide the students are, and how they learn.

A teacher that has a :class:`Plan` brings what suits it, so that only what is to be changed must be said:

>>> Rules(h=60).lr, Rules(teacher=COMMITTEE).h
(0.02, 60)

Next, read :mod:`spectral_lab.live.lesson`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from spectral_lab.teachers import COMMITTEE, HETEROGENEOUS

WIDEST = 1000  # the largest h of the paper
SMALL = (10, 8, 8, 1)  # learnt in seconds; here a core is found as reliably as with the paper's teacher


class Plan(NamedTuple):
    """What suits a teacher: found by trying, so that at the end of the lesson the core stands alone."""

    h: int
    points: int
    batch_size: int
    lr: float
    lr_direct: float
    steps: int
    widths: tuple[int, ...]  # to grow through


PLANS: dict[tuple[int, ...], Plan] = {
    SMALL: Plan(30, 2_000, 100, 2e-2, 1e-2, 5_000, (4, 8, 12, 20, 30, 60, 100)),
    COMMITTEE: Plan(60, 13_000, 300, 5e-3, 5e-3, 12_000, (10, 20, 40, 60, 100, 200)),
    HETEROGENEOUS: Plan(100, 13_000, 300, 1e-2, 5e-3, 10_000, (20, 40, 60, 100, 200)),
}
"""The teachers that have a plan; any other of four layers is taught like the paper's."""


@dataclass(frozen=True)
class Rules:
    """Who teaches, and how the students learn; None is what the teacher's plan says.

    Raises:
        ValueError: a value outside its range, named.
    """

    teacher: tuple[int, ...] = SMALL  # N_0, N_1, N_2 and one output
    h: int | None = None
    alpha: float = 1e-3  # α_λ = α_φ = α_w of the spectral student
    alpha_direct: float | None = None  # α_w of the direct student; None: the same
    seed: int = 0  # of the students, and of the order of the points
    teacher_seed: int = 0
    points: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    lr_direct: float | None = None

    def __post_init__(self) -> None:
        sizes = tuple(self.teacher) if isinstance(self.teacher, Sequence) else ()
        if len(sizes) != 4 or not all(is_whole(n, 1, WIDEST) for n in sizes) or sizes[-1] != 1:
            raise ValueError(f"teacher = {self.teacher!r}; wanted the sizes of four layers, the last one 1, e.g. {SMALL}")
        object.__setattr__(self, "teacher", sizes)
        for name in ("h", "points", "batch_size", "lr", "lr_direct"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(self.plan, name))
        for name, low, high in (
            *(("h", 1, WIDEST), ("seed", 0, 2**31), ("teacher_seed", 0, 2**31)),
            *(("points", 1, 1_000_000), ("batch_size", 1, 1_000_000)),
        ):
            if not is_whole(getattr(self, name), low, high):
                raise ValueError(f"{name} = {getattr(self, name)!r}; wanted a whole number from {low} to {high:,}")
        for name in ("alpha", "alpha_direct", "lr", "lr_direct"):
            value, least = getattr(self, name), "a positive number" if name.startswith("lr") else "a number of at least 0"
            if value is None and name == "alpha_direct":
                continue
            if not is_number(value) or value < 0 or (value == 0 and name.startswith("lr")):
                raise ValueError(f"{name} = {value!r}; wanted {least}, e.g. 0.001")

    @property
    def plan(self) -> Plan:
        """What suits this teacher."""
        return PLANS.get(self.teacher, PLANS[COMMITTEE])


def is_whole(value: Any, low: int, high: int) -> bool:
    """Whether it is a whole number within these bounds; True and False are none."""
    return not isinstance(value, bool) and isinstance(value, int) and low <= value <= high


def is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
