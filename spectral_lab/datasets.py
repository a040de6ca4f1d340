"""Data sets to learn: MNIST, Fashion-MNIST, CIFAR, California housing, digits, or a user's own arrays.

The published ones are read by :mod:`spectral_lab.published`, from files that :mod:`spectral_lab.downloads` fetches, checks and
keeps.  Here they are split and turned into tensors:

>>> data = load("digits", limit=500, flat=True, seed=0)
>>> data
Dataset('digits', 500 + 144 + 359 rows of (64,), 10 classes; limited to 1,003 of 1,797 rows)
>>> data.x_train.shape, data.y_train.shape, data.y_train.bincount().tolist()
(torch.Size([500, 64]), torch.Size([500]), [50, 50, 50, 50, 50, 50, 50, 50, 50, 50])
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spectral_lab.arrays import MOST_CLASSES, as_array, as_numbers, channels_first
from spectral_lab.fileformats import read_npz
from spectral_lab.published import READERS, Raw

TEST = 0.2  # share of the test part, where a data set comes without one


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A data set in three parts of inputs x and targets y, on the CPU.

    Images are float32 (n, channels, height, width), in [0, 1] if they came as bytes; tables are float32 (n, n_in).  Targets
    are class numbers (n,), int64, or numbers to be approximated (n, n_out), float32.
    """

    name: str
    x_train: Tensor
    y_train: Tensor
    x_validation: Tensor  # perhaps no rows
    y_validation: Tensor
    x_test: Tensor
    y_test: Tensor
    classes: tuple[str, ...] = ()  # names of the class numbers; none if the targets are approximated
    features: tuple[str, ...] = ()  # names of a table's columns; none for images
    note: str = ""  # what to say beside every figure that is made with it
    whole: bool = True  # whether these are all the rows that were published, or given

    @property
    def n_in(self) -> int:
        """Numbers in one input: pixels times channels, or columns."""
        return self.x_train[0].numel()

    @property
    def n_out(self) -> int:
        """Outputs of a network that learns this: one for each class, or for each number to be approximated."""
        return len(self.classes) or self.y_train.shape[1]

    def __repr__(self) -> str:
        rows = f"{len(self.x_train)} + {len(self.x_validation)} + {len(self.x_test)} rows of {tuple(self.x_train.shape[1:])}"
        kind = f"{len(self.classes)} classes" if self.classes else f"{self.n_out} target{'s' * (self.n_out > 1)}"
        return f"Dataset({self.name!r}, {rows}, {kind}{'; ' + self.note if self.note else ''})"


def load(
    data: Any,
    *,
    validation: float = 0.1,
    limit: int | None = None,
    flat: bool = False,
    seed: int = 0,
    target: Hashable | None = None,
    classes: bool | None = None,
) -> Dataset:
    """A data set by name, or a user's own data, as tensors in three parts.

    ============================  ================  ====================================  =======================
    name                          x                 y                                     training + test
    ============================  ================  ====================================  =======================
    mnist, fashion-mnist          (n, 1, 28, 28)    10 classes                            60,000 + 10,000
    cifar-10, cifar-100           (n, 3, 32, 32)    10, 100 classes                       50,000 + 10,000
    california-housing            (n, 8)            (n, 1), a price in 100,000 dollars    20,640, one fifth for test
    digits (needs no network)     (n, 1, 8, 8)      10 classes                            1,797, one fifth for test
    ============================  ================  ====================================  =======================

    Images are in [0, 1].  The columns of california-housing are those of scikit-learn, with mean 0 and standard deviation 1
    in the training part.  Where the test part is official, it is kept.  If the folder $SPECTRAL_LAB_DATA holds the subset
    ``cifar-10/cifar10-subset.npz`` and not the whole of CIFAR-10, the subset is taken, and ``note`` says so.

    A user's own data are not scaled, but for images of bytes; see :func:`standardise`.  They are

    - the path of an ``.npz`` file with x_train, y_train, x_test and y_test, or with x and y only;
    - a pair (x, y) of arrays, tensors, DataFrames or lists;
    - a DataFrame.

    A folder of image files is read by :func:`spectral_lab.images.load_images`.

    There x is a table (n,) or (n, n_in), or images (n, h, w), (n, h, w, c) or (n, c, h, w) with c = 1, 3 or 4.

    Args:
        data: a name of the table above, or the user's own data.
        validation: share of the training part that is kept for validation, in [0, 1).
        limit: at most so many rows in each of the three parts, the same number of each class as far as there are enough.
        flat: images as rows (n, c·h·w).
        seed: of the validation part, of a test part that is not official, and of the choice of rows under a limit.
        target: the column of a DataFrame to be learned; the last one if None.
        classes: whether a user's y are classes. If None: words, truth values, and whole numbers of at most 20 kinds are.

    Raises:
        ValueError: an unknown name, an option out of its range or without a use, a file or array that is not as described.
        FileNotFoundError: no file at the path.
        DownloadFailed: the files are not there, and no address answers; the message says what to do.
    """
    check_options(validation, limit)
    if target is not None and not hasattr(data, "columns"):
        raise ValueError(f"target = {target!r} is the name of a DataFrame's column, but data is a {type(data).__name__}")
    published = isinstance(data, str) and not data.endswith(".npz")
    if published and classes is not None:
        raise ValueError(f"classes = {classes} is for your own data; it is known whether {data!r} has classes")
    if isinstance(data, (str, os.PathLike)) and data not in READERS and Path(data).is_dir():
        raise ValueError(f"{data} is a folder; a folder of images is read by spectral_lab.images.load_images({str(data)!r})")
    if not published:
        return split(_own_name(data), _own(data, target, classes), validation, limit, flat, seed)
    if data not in READERS:
        close = difflib.get_close_matches(data.lower(), READERS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise ValueError(f"no data set is called {data!r}{hint} There are {', '.join(READERS)}, and paths that end in .npz")
    made = split(data, READERS[data](), validation, limit, flat, seed)
    return standardise(made) if made.features else made  # what is no image is a table


def standardise(data: Dataset) -> Dataset:
    """The same with inputs of mean 0 and standard deviation 1; both are the training part's, so that no other part leaks in.

    Each column is treated on its own, in an image each pixel; a column that is constant in the training part becomes
    its difference from that constant.  Targets stay as they are.
    """
    x = data.x_train.double()
    mean, deviation = x.mean(0), x.std(0, correction=0)
    # A constant may have a deviation of rounding errors.
    deviation = torch.where(x.amax(0) > x.amin(0), deviation, 1.0)
    parts = ("x_train", "x_validation", "x_test")
    return replace(data, **{part: ((getattr(data, part) - mean) / deviation).float() for part in parts})


# -- splits -----------------------------------------------------------------------------------------------------------------


def check_options(validation: float, limit: int | None) -> None:
    """Refuse a share and a limit that mean nothing, before anything is read.

    Raises:
        ValueError: naming the one that is out of its range.
    """
    if not 0 <= validation < 1:
        raise ValueError(f"validation = {validation}; wanted a share of at least 0 and less than 1")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise ValueError(f"limit = {limit!r}; wanted a whole number of at least 1, or None for all rows")


def split(name: str, raw: Raw, validation: float, limit: int | None, flat: bool, seed: int) -> Dataset:
    """Rows as they were found, in three parts of tensors; the options are those of :func:`load`.

    ``raw.x`` may be anything that has a length, gives some of its rows, and becomes an array when NumPy asks for one: only rows
    that are wanted are asked for.

    Raises:
        ValueError: no row is left for training.
    """
    generator = torch.Generator().manual_seed(seed)
    order = _shuffled(len(raw.x), generator)
    x_test, y_test = raw.x_test, raw.y_test
    if x_test is None or y_test is None:
        held, order = np.split(order, [max(1, round(TEST * len(order)))])
        x_test, y_test = raw.x[held], raw.y[held]
    held, training = np.split(order, [round(validation * len(order))])
    if not len(training):
        raise ValueError(f"validation = {validation} leaves none of {len(order)} rows for training; take a smaller share")
    # A whole test part stays in the order in which it was published.
    testing = np.arange(len(x_test)) if limit is None else _shuffled(len(x_test), generator)

    def part(x: np.ndarray, y: np.ndarray, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        if limit is not None:
            rows = _balanced(rows, y[rows])[:limit] if raw.classes else rows[:limit]
        inputs = _as_floats(np.asarray(x[rows]))  # after the choice: rows that nobody wants never become floats
        targets = torch.from_numpy(y[rows].astype(np.int64 if raw.classes else np.float32))
        return inputs.flatten(1) if flat else inputs, targets

    train, validate, test = part(raw.x, raw.y, training), part(raw.x, raw.y, held), part(x_test, y_test, testing)
    used = sum(len(x) for x, _ in (train, validate, test))
    found = len(training) + len(held) + len(testing)
    notes = [raw.note] if raw.note else []
    if used < found:
        notes.append(f"limited to {used:,} of {found:,} rows")
    return Dataset(
        name,
        *train,
        *validate,
        *test,
        classes=raw.classes,
        features=raw.features,
        note="; ".join(notes),
        whole=not notes,
    )


def _shuffled(n: int, generator: torch.Generator) -> np.ndarray:
    return torch.randperm(n, generator=generator, device="cpu").numpy()


def _balanced(rows: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The rows in another order: one of each class, again one of each class, and so on, so that each beginning is balanced."""
    by_class = y.argsort(kind="stable")
    counts = np.bincount(y)
    turn = np.empty(len(rows), np.int64)
    turn[by_class] = np.arange(len(rows)) - np.repeat(counts.cumsum() - counts, counts)
    return rows[turn.argsort(kind="stable")]


def _as_floats(x: np.ndarray) -> Tensor:
    if x.dtype == np.uint8 and x.ndim > 2:  # the bytes of images
        return torch.from_numpy(np.ascontiguousarray(x)).float().div_(255)
    return torch.from_numpy(x.astype(np.float32))


# -- the user's own data ----------------------------------------------------------------------------------------------------


def _own_name(data: Any) -> str:
    return Path(data).stem if isinstance(data, (str, os.PathLike)) else "own data"


def _own(data: Any, target: Hashable | None, classes: bool | None) -> Raw:
    xs: list[np.ndarray] = []
    ys: list[np.ndarray] = []
    pairs = _pairs(data, target)
    for part, (raw_x, raw_y) in pairs.items():
        x, features = as_array(raw_x, f"x{part}", most_axes=4)
        y, _ = as_array(raw_y, f"y{part}")
        if len(x) != len(y):
            raise ValueError(f"x{part} has {len(x)} rows and y{part} has {len(y)}; each row of x wants one of y")
        x = as_numbers(x, f"x{part}")
        xs.append(channels_first(x, f"x{part}") if x.ndim > 2 else x)
        ys.append(y)
    if len({(x.shape[1:], y.shape[1:]) for x, y in zip(xs, ys, strict=True)}) > 1:
        found = [(x.shape[1:], y.shape[1:]) for x, y in zip(xs, ys, strict=True)]
        raise ValueError(f"rows of x and y have the shapes {found[0]} for training and {found[1]} for test; wanted the same")
    if (rows := sum(map(len, xs))) < 4:
        raise ValueError(f"found {rows} rows; wanted at least 4, so that there is something to learn")
    ys, names = _targets(ys, classes)
    x_test, y_test = (xs[1], ys[1]) if len(pairs) > 1 else (None, None)
    if xs[0].ndim > 2:
        features = ()
    elif not features:
        features = tuple(f"x{i + 1}" for i in range(xs[0].shape[1]))
    return Raw(xs[0], ys[0], x_test, y_test, names, features)


def _refuse_other_parts(name: str, stored: Collection[str], parts: Sequence[str]) -> None:
    """Rows that nobody would read, for example x_val and y_val, are not passed over in silence."""
    other = [key for key in stored if key[:2] == "x_" and f"y{key[1:]}" in stored and key[1:] not in parts]
    if other:
        raise ValueError(
            f"{name} holds {other[0]} and y{other[0][1:]}, too, which would not be read; put these rows to those of "
            f"x{parts[0]} and y{parts[0]}: validation= holds some back"
        )


def _pairs(data: Any, target: Hashable | None) -> dict[str, tuple[Any, Any]]:
    """x and y of the parts that the user's data have: "_train" and "_test", or one without a name."""
    if isinstance(data, (str, os.PathLike)):
        stored = read_npz(data)
        for parts in (("_train", "_test"), ("",)):
            if all(f"x{part}" in stored and f"y{part}" in stored for part in parts):
                _refuse_other_parts(Path(data).name, stored, parts)
                return {part: (stored[f"x{part}"], stored[f"y{part}"]) for part in parts}
        found = ", ".join(stored) or "nothing"
        raise ValueError(f"{Path(data).name} holds {found}; wanted x_train, y_train, x_test and y_test, or x and y")
    if hasattr(data, "columns"):
        columns = list(data.columns)
        target = columns[-1] if target is None and columns else target
        if len(columns) < 2 or columns.count(target) != 1:
            raise ValueError(f"the DataFrame has the columns {columns}; wanted one called {target!r}, the target, and others")
        return {"": (data[[column for column in columns if column != target]], data[target])}
    if isinstance(data, (tuple, list)) and len(data) == 2:
        return {"": (data[0], data[1])}
    raise ValueError(f"data is a {type(data).__name__}; wanted a name, the path of an .npz file, a pair (x, y) or a DataFrame")


def _targets(ys: list[np.ndarray], classes: bool | None) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Class numbers (n,) of each part with the classes' names, or numbers (n, n_out) without."""
    y = np.concatenate(ys)
    whole, words = y.dtype.kind in "iu", y.dtype.kind in "bUST"
    if classes is None:
        classes = y.shape[1] == 1 and (words or (whole and 2 <= len(np.unique(y)) <= MOST_CLASSES))
    if not classes:
        return [as_numbers(part, "y") for part in ys], ()
    if not whole and not words:
        as_numbers(y, "y")  # NaN is no class
    kinds, numbers = np.unique(y, return_inverse=True)
    if y.shape[1] != 1 or len(kinds) < 2:
        raise ValueError(f"y has {y.shape[1]} columns and {len(kinds)} classes; wanted one column and at least 2 classes")
    return np.split(numbers.reshape(-1), [len(ys[0])])[: len(ys)], tuple(map(_class_name, kinds))


def _class_name(kind: Any) -> str:
    return kind.decode(errors="replace") if isinstance(kind, bytes) else str(kind)
