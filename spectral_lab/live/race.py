r"""A race: the same network trained in several ways side by side, on the handwritten digits.

Each lane holds one network 64 - N_2 - 10 and one way to train it: all weights (``direct``), or the few numbers of *PRE*
(``spectral``, ``s_svd``, ``s_qr``, and the ``original`` method).  All see the same images in the same order.  With a sparsity,
that share of every lane's weights is silent (PRE Section III), and the race counts those that come back.

>>> race = Race(hidden=20)
>>> race.advance(50).step
50
>>> race.trained  # PRE: N_1 + N_3 + 2 N_2 eigenvalues for "spectral"; biases included
{'direct': 1510, 'spectral': 144, 's_svd': 174, 's_qr': 409}

No widget in here; next, read :mod:`spectral_lab.live.racetrack`, which shows a race while it runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from typing import Any

from torch import nn

from spectral_lab import plotting
from spectral_lab.counting import count_parameters
from spectral_lab.live.picture import Picture
from spectral_lab.recipes.classification import LABELS, LEARNING_RATES, STYLES, accuracy, build
from spectral_lab.sparse import MaskChange, SparseTraining
from spectral_lab.tasks import Split, digits
from spectral_lab.training import TrainingDiverged, train

EVERY = 10  # steps between two measurements
WIDEST = 2000  # nodes of the hidden layer; beyond that a step is no longer a matter of milliseconds
COLOURS = {name: colour for name, (colour, _) in STYLES.items()}


@dataclass(frozen=True)
class Rules:
    """Who runs, and under which conditions.

    Raises:
        ValueError: a value outside its range, named.
    """

    methods: tuple[str, ...] = ("direct", "spectral", "s_svd", "s_qr")
    hidden: int = 100  # N_2; here the four are already apart in parameters, and close in accuracy
    p: float = 1.0  # share of the entries above R's diagonal that S-QR trains: all, as in PRE's main text
    sparsity: float | None = None  # None trains without any mask
    seed: int = 0  # of the start and of the order of the images
    batch_size: int = 100  # fourteen steps see all the images once
    lr: Mapping[str, float] = field(default_factory=lambda: dict(LEARNING_RATES))  # found for each method by itself

    def __post_init__(self) -> None:
        unknown = [name for name in (*self.methods, *self.lr) if name not in LABELS]
        if unknown:
            raise ValueError(f"there is no method {unknown[0]!r}; wanted some of {', '.join(LABELS)}")
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise ValueError(f"methods = {list(self.methods)}; wanted at least one, and each at most once")
        for name, low, high in (("hidden", 1, WIDEST), ("seed", 0, 2**31), ("batch_size", 1, 10_000)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} = {value!r}; wanted a whole number from {low} to {high:,}")
        for name, low, high in (("p", 0, 1), ("sparsity", 0, 1)):
            value = getattr(self, name)
            if value is not None and not _is_number(value, low, high):
                raise ValueError(f"{name} = {value!r}; wanted a share from 0 to 1")
        for name, value in self.lr.items():
            if not _is_number(value, 0, 100) or value == 0:
                raise ValueError(
                    f"lr of {LABELS[name]} = {value!r}; wanted a positive learning rate, e.g. {LEARNING_RATES[name]:g}"
                )


def _is_number(value: Any, low: float, high: float) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value) and low <= value <= high


@dataclass(frozen=True)
class Standing:
    """Where every lane stands after some steps; the changes of the masks are those since the standing before."""

    step: int
    accuracy: dict[str, float]  # share of the validation images that are recognised
    silenced: dict[str, int]
    came_back: dict[str, int]


class Lane:
    """One network and the way it is trained; a lane whose training diverges stops and says why in ``trouble``."""

    def __init__(self, method: str, rules: Rules, data: Split) -> None:
        self.data, self.trouble = data, ""
        setting: dict[str, Any] = {"method": method, "hidden": [rules.hidden], "seed": rules.seed, "p": rules.p}
        if method != "s_qr":
            del setting["p"]
        network = build(setting, data.x_train.shape[1], int(data.y_train.max()) + 1)
        self.sparse = SparseTraining(network, rules.sparsity) if rules.sparsity is not None else None
        self.model: nn.Module = self.sparse.model if self.sparse else network
        self.trained = count_parameters(network).trainable
        options: dict[str, Any] = {"lr": (LEARNING_RATES | dict(rules.lr))[method], "batch_size": rules.batch_size}
        loss = nn.functional.cross_entropy
        self._training = train(self.model, data.x_train, data.y_train, steps=0, loss=loss, seed=rules.seed, **options)

    def advance(self, steps: int) -> MaskChange:
        """Train, and say what the masks did."""
        change = MaskChange(0, 0)
        if self.trouble:
            return change
        try:
            for _ in range(steps):
                self._training.advance()
                if self.sparse:
                    change += self.sparse.update()
            self._training.record()
        except TrainingDiverged as error:
            self.trouble = str(error)
        return change

    def accuracy(self) -> float:
        """Share of the validation images that are recognised."""
        return accuracy(self.model, self.data.x_test, self.data.y_test)


class Race:
    """Several ways to train one network, side by side and step by step.

    Args:
        data: images as rows and their classes; None is the digits that come with the package.
        rules: of :class:`Rules`, e.g. ``hidden=50``, ``p=0.3``, ``methods=("direct", "s_qr")``, ``sparsity=0.9``.

    Attributes:
        standings: one every ten steps, the start first.
    """

    def __init__(self, data: Split | None = None, **rules: Any) -> None:
        self.rules = Rules(**rules)
        self.lanes = {name: Lane(name, self.rules, data or _digits()) for name in self.rules.methods}
        self.standings: list[Standing] = []
        self._measure({})

    @property
    def step(self) -> int:
        """Steps that each lane has been trained."""
        return self.standings[-1].step

    @property
    def trained(self) -> dict[str, int]:
        """How many numbers each lane trains, biases included."""
        return {name: lane.trained for name, lane in self.lanes.items()}

    @property
    def accuracy(self) -> dict[str, float]:
        """Where each lane stands now: the share of the validation images that it recognises."""
        return self.standings[-1].accuracy

    @property
    def came_back(self) -> dict[str, int]:
        """How many silent weights have come back in each lane since the start."""
        return {name: sum(standing.came_back[name] for standing in self.standings) for name in self.lanes}

    @property
    def trouble(self) -> str:
        """In words, which lanes have stopped and why; empty while all run."""
        return " ".join(f"{LABELS[name]} stopped: {lane.trouble}" for name, lane in self.lanes.items() if lane.trouble)

    def advance(self, steps: int = EVERY) -> Standing:
        """Train every lane for some steps, and measure after every ten of them."""
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ValueError(f"steps = {steps!r}; wanted a whole number of at least 1")
        end = self.step + steps
        while self.step < end:
            some = min(EVERY, end - self.step)
            self._measure({name: lane.advance(some) for name, lane in self.lanes.items()}, some)
        return self.standings[-1]

    def _measure(self, changes: Mapping[str, MaskChange], steps: int = 0) -> None:
        still = MaskChange(0, 0)
        found = {name: changes.get(name, still) for name in self.lanes}
        standing = Standing(
            step=(self.standings[-1].step if self.standings else 0) + steps,
            accuracy={name: lane.accuracy() for name, lane in self.lanes.items()},
            silenced={name: change.silenced for name, change in found.items()},
            came_back={name: change.came_back for name, change in found.items()},
        )
        self.standings.append(standing)

    def words(self) -> str:
        """The standing in one line, for the back row."""
        lanes = [f"{LABELS[name]} {self.accuracy[name]:.3f} with {count:,} numbers" for name, count in self.trained.items()]
        return f"step {self.step:,}: " + "; ".join(lanes)

    def table(self) -> Table:
        """Accuracy beside the number of trained parameters, a row for each lane."""
        return Table.of(self)

    def figure(self) -> Picture:
        """The curves so far, and the number of trained parameters beside them."""
        figure = Picture(figsize=(9, 3.2), layout="constrained")
        curves, bars = figure.subplots(1, 2, width_ratios=(2, 1))
        steps = [standing.step for standing in self.standings]
        lines = {name: [standing.accuracy[name] for standing in self.standings] for name in self.lanes}
        plotting.plot_race(steps, {LABELS[name]: (line, COLOURS[name]) for name, line in lines.items()}, curves)
        plotting.plot_counts({LABELS[name]: (count, COLOURS[name]) for name, count in self.trained.items()}, bars)
        return figure


@dataclass(frozen=True)
class Table:
    """Rows of words, the first is the head; prints aligned, and as a table in a notebook."""

    rows: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, race: Race) -> Table:
        """The table of a race; shares are of the numbers that the first lane trains."""
        first, counts = next(iter(race.trained)), race.trained
        head = ["method", "trained", f"share of {LABELS[first]}", "accuracy"]
        rows = [head + ["came back"] * (race.rules.sparsity is not None)]
        for name, count in counts.items():
            row = [LABELS[name], f"{count:,}", f"{count / counts[first]:.3f}", f"{race.accuracy[name]:.3f}"]
            rows.append(row + [f"{race.came_back[name]:,}"] * (race.rules.sparsity is not None))
        return cls(tuple(map(tuple, rows)))

    def __str__(self) -> str:
        """Names to the left and numbers to the right."""
        widths = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        aligned = [
            [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))] for row in self.rows
        ]
        return "\n".join("  ".join(row) for row in aligned)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *body = self.rows
        lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
        lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body]
        return "<table>" + "".join(lines) + "</table>"


@lru_cache(maxsize=1)
def _digits() -> Split:
    return digits()
