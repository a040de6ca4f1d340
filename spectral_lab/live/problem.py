"""What the instrument's network has to learn: the α–β family, handwritten digits, or the user's own arrays."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spectral_lab.arrays import MOST_CLASSES, as_array
from spectral_lab.tasks import TARGETS, alpha_beta, alpha_beta_target, digits
from spectral_lab.training import Loss

POINTS = 2000  # samples of the α–β family
GRID = 20  # the fit is looked at on GRID × GRID points of a square, or on GRID² / 4 of a line
CASES = 400  # at most so many are sorted into a table of right and wrong classes
DOTS = 150  # data drawn into a section
MOST_INPUTS, MOST_OUTPUTS = 100, 20
TASKS = (*TARGETS, "digits", "own")


@dataclass(frozen=True)
class OwnData:
    """A user's arrays as tensors: inputs scaled to [-1, 1], targets to mean 0 and largest value 1, or class numbers."""

    x: Tensor  # (n, n_in)
    y: Tensor  # (n, n_out), or class numbers (n,)
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]  # names of the targets or of the classes
    ranges: tuple[tuple[float, float], ...]  # of each input, in its own unit
    fingerprint: str  # of the numbers; a scene knows its data by it


@dataclass(frozen=True)
class Problem:
    """Data to train on and to validate with, and where to look at the fit."""

    x: Tensor
    y: Tensor
    x_held: Tensor  # for validation, perhaps none
    y_held: Tensor
    loss: Loss
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kind: str  # of the fit's picture: "square", "line" or "table"
    points: Tensor  # (m, n_in) where the fit is looked at
    target: Tensor | None  # (m,) what it should be there: a value or a class number; None if nobody knows
    dots: Tensor | None = None  # (n, 3) data in the picture: place, place, value
    axes: tuple[str, ...] = ("x₁", "x₂")
    ranges: tuple[tuple[float, float], ...] = ((-1.0, 1.0), (-1.0, 1.0))  # of the picture's axes, in the data's unit
    image: tuple[int, int] | None = None  # height and width, if the inputs are pixels

    @property
    def classes(self) -> bool:
        """Whether the outputs are classes."""
        return self.loss is nn.functional.cross_entropy

    def shown(self, output: Tensor) -> Tensor:
        """Outputs (m, n_out) as the picture shows them, (m,): class numbers, p_2 - p_1 of two classes, or the first value."""
        if self.kind == "table":
            return output.argmax(-1).float()
        return output.softmax(-1)[:, 1] * 2 - 1 if self.classes else output[:, 0]

    def accuracy(self, output: Tensor, y: Tensor) -> float | None:
        """Share of the classes that are right, in [0, 1]; None for other outputs."""
        return float((output.argmax(-1) == y).float().mean()) if self.classes and len(y) else None


def input_square(n: int = GRID) -> Tensor:
    """Points (n², 2) of [-1, 1]², row by row from the top left, x_1 to the right and x_2 upwards."""
    axis = torch.linspace(-1, 1, n, dtype=torch.float32)
    x2, x1 = torch.meshgrid(-axis, axis, indexing="ij")
    return torch.stack([x1.flatten(), x2.flatten()], dim=-1)


def make_problem(settings: Mapping[str, Any], own: OwnData | None = None) -> Problem:
    """The problem that the settings task, alpha, beta, noise, validation, seed and section describe.

    Raises:
        ValueError: task "own" without data, a section through inputs that are not there.
    """
    task, share, seed = settings["task"], settings["validation"], settings["seed"]
    if task == "own":
        if own is None:
            raise ValueError("task = 'own', but there are no data; make the instrument with data=(x, y) or data=a DataFrame")
        return _own_problem(own, share, seed, settings["section"])
    if task == "digits":
        split = digits(seed=seed)
        x, y = (
            torch.cat([split.x_train, split.x_test]).float(),
            torch.cat([split.y_train, split.y_test]),
        )  # in a random order already
        names = tuple(f"pixel {i // 8 + 1}, {i % 8 + 1}" for i in range(64))
        return _table(x, y, share, names, tuple("0123456789"), image=(8, 8))
    alpha, beta = settings["alpha"], settings["beta"]
    # float32 whatever the default of the process is: the network is
    x, y = (v.float() for v in alpha_beta(alpha, beta, POINTS, g=TARGETS[task], noise=settings["noise"], seed=seed))
    training, held = _split(len(x), share)
    square = input_square()
    target = alpha_beta_target(square, alpha, beta, g=TARGETS[task])[:, 0]
    loss = nn.functional.mse_loss
    return Problem(
        x[training], y[training], x[held], y[held], loss, ("x₁", "x₂"), ("y",), kind="square", points=square, target=target
    )


def _split(n: int, share: float) -> tuple[slice, slice]:
    kept = max(1, n - math.floor(share * n))
    return slice(kept), slice(kept, n)


def _table(
    x: Tensor, y: Tensor, share: float, inputs: tuple[str, ...], outputs: tuple[str, ...], image: tuple[int, int] | None = None
) -> Problem:
    """A classification whose fit is a table of right and wrong classes."""
    training, held = _split(len(x), share)
    seen = held if share and held.start < held.stop else training  # the table prefers what was not trained on
    points, target = x[seen][:CASES], y[seen][:CASES].float()
    loss = nn.functional.cross_entropy
    return Problem(
        x[training],
        y[training],
        x[held],
        y[held],
        loss,
        inputs,
        outputs,
        kind="table",
        points=points,
        target=target,
        image=image,
    )


def _own_problem(own: OwnData, share: float, seed: int, section: tuple[int, ...]) -> Problem:
    order = torch.randperm(len(own.x), generator=torch.Generator().manual_seed(seed))
    x, y, n_in = own.x[order], own.y[order], own.x.shape[1]
    classes = not y.is_floating_point()
    if classes and (len(own.outputs) > 2 or n_in > 2):
        return _table(x, y, share, own.inputs, own.outputs)
    if n_in > 1 and (section[0] == section[1] or max(section) >= n_in):
        raise ValueError(f"section = {section}; wanted two different inputs, counted from 0, of the {n_in} there are")
    axes = section if n_in > 1 else (0,)
    places = input_square() if n_in > 1 else torch.linspace(-1, 1, GRID * GRID // 4, dtype=torch.float32)[:, None]
    points = torch.zeros(len(places), n_in, dtype=torch.float32)
    points[:, list(axes)] = places
    value = y.float() * 2 - 1 if classes else y[:, 0]
    others = [i for i in range(n_in) if i not in axes]
    near = x[:, others].square().sum(-1).argsort(stable=True)[:DOTS]  # those closest to the section
    dots = torch.stack([x[near, axes[0]], x[near, axes[1]] if n_in > 1 else value[near], value[near]], dim=-1)
    training, held = _split(len(x), share)
    return Problem(
        x[training],
        y[training],
        x[held],
        y[held],
        nn.functional.cross_entropy if classes else nn.functional.mse_loss,
        own.inputs,
        own.outputs,
        kind="square" if n_in > 1 else "line",
        points=points,
        target=None,
        dots=dots,
        axes=tuple(own.inputs[i] for i in axes),
        ranges=tuple(own.ranges[i] for i in axes),
    )


# -- the user's arrays ---------------------------------------------------------------------------------------------------


def own_data(data: Any) -> OwnData:
    """A user's data, checked and scaled.

    Args:
        data: a DataFrame whose last column is the target, or a pair (x, y) of arrays, tensors, DataFrames or lists;
            x (n,) or (n, n_in), y (n,) or (n, n_out).  Targets that are words, truth values, or whole numbers of at most
            20 kinds are classes; others are numbers to be approximated.

    Raises:
        ValueError: other shapes, missing or infinite numbers, columns that are no numbers, too few rows, too many columns.
    """
    if hasattr(data, "columns"):
        if len(data.columns) < 2:
            raise ValueError(f"the DataFrame has {len(data.columns)} column; wanted inputs and, as the last one, the target")
        table = getattr(data, "iloc", data)  # pandas' way to count columns; in other libraries the DataFrame itself counts
        data = table[:, :-1], table[:, -1]
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ValueError(
            f"data is a {type(data).__name__}; wanted a pair (x, y) or a DataFrame whose last column is the target"
        )
    raw_x, inputs = as_array(data[0], "x")
    raw_y, outputs = as_array(data[1], "y")
    if len(raw_x) != len(raw_y):
        raise ValueError(f"x has {len(raw_x)} rows and y has {len(raw_y)}; each row of x wants one of y")
    if len(raw_x) < 4:
        raise ValueError(f"found {len(raw_x)} rows; wanted at least 4, so that there is something to learn")
    x = _numbers(raw_x, "x", MOST_INPUTS)
    low, high = x.min(0), x.max(0)
    wide = np.where(high > low, high - low, 1.0)
    scaled = np.where(high > low, 2 * (x - low) / wide - 1, 0.0)
    y, outputs = _targets(raw_y, outputs)
    digest = hashlib.sha256()  # names do not matter: the same numbers train to the same bits
    for array in (scaled, y):
        digest.update(f"{array.dtype.kind}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return OwnData(
        torch.from_numpy(scaled).float(),
        torch.from_numpy(y) if y.dtype == np.int64 else torch.from_numpy(y).float(),
        inputs or tuple(f"x{i + 1}" for i in range(x.shape[1])),
        outputs,
        tuple(zip(low.tolist(), high.tolist(), strict=True)),
        digest.hexdigest()[:16],
    )


def _numbers(array: np.ndarray, name: str, most: int) -> np.ndarray:
    if array.shape[1] > most:
        raise ValueError(f"{name} has {array.shape[1]} columns; the instrument draws at most {most}. Leave some out")
    try:
        if array.dtype.kind in "cmMV":  # numpy would make numbers of dates, of missing ones too
            raise TypeError(f"found {array.dtype}")
        numbers = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} must hold numbers: {error}. Turn words and dates into numbers first") from error
    bad = np.argwhere(~np.isfinite(numbers) | (np.abs(numbers) > 1e30))
    if len(bad):
        row, column = bad[0].tolist()
        raise ValueError(
            f"{name} holds {numbers[row, column]:g} in row {row}, column {column}; wanted finite numbers up to 1e30. "
            "Leave such rows out, or fill them in"
        )
    return numbers


def _targets(array: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class numbers (n,) with the classes' names, or scaled numbers (n, n_out) with the columns' names."""
    whole = array.dtype.kind in "iu"
    if array.shape[1] == 1 and (whole or array.dtype.kind in "bUST"):
        kinds, numbers = np.unique(array[:, 0], return_inverse=True)
        if 2 <= len(kinds) <= MOST_CLASSES:
            return numbers.astype(np.int64), tuple(str(kind) for kind in kinds)
        if not whole:
            few = "class" if len(kinds) == 1 else "different classes"
            raise ValueError(f"y holds {len(kinds)} {few}; wanted 2 to {MOST_CLASSES}. Numbers to be approximated want floats")
    y = _numbers(array, "y", MOST_OUTPUTS)
    y = y - y.mean(0)
    largest = np.abs(y).max(0)
    return y / np.where(largest > 0, largest, 1.0), names or tuple(f"y{i + 1}" for i in range(y.shape[1]))
