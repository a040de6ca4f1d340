r"""Batches: where the rows of a training come from, and in which order.

Two sources of rows, :class:`TensorRows` and :class:`DatasetRows`, and one order over either of them, :class:`Batches`.  The
order is drawn from a generator of its own, a permutation an epoch, so that the same seed takes the same batches whether the
rows lie in two tensors or are read one by one:

>>> x, y = torch.arange(6.0)[:, None], torch.zeros(6, 1)
>>> pairs = [(x[i], y[i]) for i in range(6)]
>>> places = [Batches(source, seed=3) for source in (TensorRows(x, y, like=x), DatasetRows(pairs, like=x))]
>>> [batches.take(4)[0].flatten().tolist() for batches in places]
[[4.0, 0.0, 3.0, 2.0], [4.0, 0.0, 3.0, 2.0]]

Next, read :mod:`spectral_lab.training`, which takes the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, default_collate

Pair = tuple[Tensor, Tensor]
Data = Pair | Dataset[Any]  # inputs and targets as two tensors, or a map-style dataset of such pairs

NUMBERS = 2**20  # of the inputs that are measured at once: rows of two numbers all together, images some hundreds at a time


class Rows(Protocol):
    """Inputs with their targets, of which batches can be taken in any order."""

    data: Data

    def __len__(self) -> int:
        """How many rows there are."""
        ...

    def arrange(self, order: Tensor) -> None:
        """The order in which :meth:`window` counts from now on."""
        ...

    def window(self, start: int, stop: int) -> Pair:
        """The rows from start to stop of that order."""
        ...

    def chunks(self, least: int) -> Iterator[Pair]:
        """All rows in their own order, some at a time: as many as are measured at once, ``least`` of them or more."""
        ...


def parts(data: Data) -> tuple[Tensor | Dataset[Any], Tensor | None]:
    """Inputs and targets of ``(x, y)``, or a dataset and None."""
    if isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], Tensor):
        return data
    return data, None


def rows_of(
    x: Tensor | Dataset[Any], y: Tensor | None, like: Tensor, n_in: int | None = None, n_out: int | None = None
) -> Rows:
    """The source of rows that data stand for.

    Args:
        x: inputs (n, …), or a map-style dataset of (input, target) pairs.
        y: targets (n, …); None for a dataset.
        like: what has the device and the float type that the rows get.
        n_in, n_out: width that the inputs must have, and that the targets must have beside them.

    Raises:
        ValueError: values that do not fit: see :class:`TensorRows` and :class:`DatasetRows`.
        TypeError: something else than two tensors or one map-style dataset.
    """
    if isinstance(x, Tensor):
        if not isinstance(y, Tensor):
            raise TypeError(f"x is a tensor and y is of the kind {type(y).__name__}; wanted a tensor of targets beside it")
        check_rows(x, y, n_in, n_out)
        return TensorRows(x, y, like)
    if y is not None:
        raise TypeError(
            f"x is of the kind {type(x).__name__} and y is given too; wanted two tensors, or a dataset of pairs alone"
        )
    rows = DatasetRows(x, like)
    check_rows(*rows.read([0]), n_in, n_out)
    return rows


def check_rows(x: Tensor, y: Tensor, n_in: int | None = None, n_out: int | None = None) -> None:
    """Refuse inputs and targets that cannot be trained on.

    Raises:
        ValueError: no rows or not as many of both, NaN or infinite values, other widths than those wanted.
    """
    for name, values in {"x": x, "y": y}.items():
        if values.dim() < 1 or len(values) == 0:
            raise ValueError(f"{name} has shape {tuple(values.shape)}; wanted one row a sample, at least one sample")
        bad = bad_rows(values)
        if len(bad):
            raise ValueError(f"{name} has NaN or infinite values in {len(bad)} of {len(values)} rows; remove or replace them")
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows and y has {len(y)}; wanted one target for each input")
    if n_in is not None and x.shape[-1] != n_in:
        raise ValueError(f"x has rows of {x.shape[-1]} numbers; the network takes {n_in}")
    if n_out is not None and y.shape != (*x.shape[:-1], n_out):
        raise ValueError(f"y has shape {tuple(y.shape)}; the mean squared error wants {(*x.shape[:-1], n_out)}")


def bad_rows(values: Tensor) -> Tensor:
    """Numbers of the rows that hold NaN or infinite values."""
    if not values.is_floating_point() or bool(values.isfinite().all()):
        return torch.empty(0, dtype=torch.long)
    return (~values.isfinite()).reshape(len(values), -1).any(1).nonzero()[:, 0]


def _moved(values: Tensor, like: Tensor) -> Tensor:
    """On the device of another tensor and, where they are floating, of its float type; whole numbers stay what they are."""
    return values.to(like.device, like.dtype if values.is_floating_point() else values.dtype)


class TensorRows:
    """Rows that lie in two tensors: one gather an epoch, and batches are then slices.

    Args:
        x, y: inputs (n, …) and targets (n, …).
        like: what has the device and the float type that they get.
    """

    def __init__(self, x: Tensor, y: Tensor, like: Tensor) -> None:
        self.data: Data = (_moved(x, like), _moved(y, like))
        self._x, self._y = self.data
        self._shuffled = self.data

    def __len__(self) -> int:
        return len(self._x)

    def arrange(self, order: Tensor) -> None:
        """The order in which :meth:`window` counts from now on."""
        order = order.to(self._x.device)
        self._shuffled = self._x[order], self._y[order]

    def window(self, start: int, stop: int) -> Pair:
        """The rows from start to stop of that order."""
        return self._shuffled[0][start:stop], self._shuffled[1][start:stop]

    def chunks(self, least: int) -> Iterator[Pair]:
        """All rows in their own order, some at a time."""
        size = max(least, NUMBERS // max(self._x[0].numel(), 1))
        return zip(self._x.split(size), self._y.split(size), strict=True)


class DatasetRows:
    """Rows that are the items of a map-style dataset, read when their batch comes and put together by ``default_collate``.

    Args:
        dataset: has a length and gives a pair (input, target) for each number below it: tensors, arrays or numbers.
        like: what has the device and the float type that the rows get.

    Raises:
        TypeError: no map-style dataset.
        ValueError: a dataset without items.
    """

    def __init__(self, dataset: Dataset[Any], like: Tensor) -> None:
        if isinstance(dataset, IterableDataset) or not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
            cure = "; of data in parts give x_train and y_train" if hasattr(dataset, "x_train") else ""
            raise TypeError(
                f"the data are of the kind {type(dataset).__name__}; wanted two tensors, or a map-style dataset, which has "
                f"__len__ and __getitem__: the order of its items is drawn here{cure}"
            )
        if len(dataset) == 0:
            raise ValueError("the dataset has no items; wanted one at least")
        self.data: Data = dataset
        self._dataset, self._like = dataset, like
        self._order: Sequence[int] = range(len(dataset))

    def __len__(self) -> int:
        return len(self._dataset)

    def arrange(self, order: Tensor) -> None:
        """The order in which :meth:`window` counts from now on."""
        self._order = order.tolist()

    def window(self, start: int, stop: int) -> Pair:
        """The rows from start to stop of that order."""
        return self.read(self._order[start:stop])

    def chunks(self, least: int) -> Iterator[Pair]:
        """All rows in their own order, some at a time."""
        for start in range(0, len(self), least):
            yield self.read(range(start, min(start + least, len(self))))

    def read(self, numbers: Sequence[int]) -> Pair:
        """The items of these numbers as one batch.

        Raises:
            ValueError: an item that is no pair, that does not go together with the others, or that has NaN or infinite values;
                the message has its number.
            Exception: what the dataset raises, with a note that has the number of the item.
        """
        x, y = _collated(numbers, [self._item(number) for number in numbers])
        for name, values in {"input": x, "target": y}.items():
            bad = bad_rows(values)
            if len(bad):
                raise ValueError(
                    f"item {numbers[int(bad[0])]} of the dataset has NaN or infinite values in its {name}; remove it"
                )
        return _moved(x, self._like), _moved(y, self._like)

    def _item(self, number: int) -> Any:
        try:
            item = self._dataset[number]
        except Exception as error:
            error.add_note(f"while item {number} of the dataset was read")
            raise
        if not isinstance(item, tuple | list) or len(item) != 2:
            size = f" of {len(item)}" if isinstance(item, tuple | list | dict) else ""
            raise ValueError(
                f"item {number} of the dataset is a {type(item).__name__}{size}; wanted a pair (input, target)"
            ) from None
        return item


def _collated(numbers: Sequence[int], items: list[Any]) -> Pair:
    """The items as one batch; where they do not go together, the error has the number of one that differs."""
    for number, item in zip(numbers, items, strict=True):
        for name, found, first in zip(("input", "target"), map(_form, item), map(_form, items[0]), strict=True):
            if found != first:
                raise ValueError(
                    f"item {number} of the dataset has the {name} {found}, and item {numbers[0]} {first}; wanted one shape"
                )
    try:
        batch = default_collate(items)
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"item {numbers[0]} of the dataset cannot be put into a batch: {error}") from error
    if not all(isinstance(part, Tensor) for part in batch):
        kinds = [type(part).__name__ for part in items[0]]
        raise ValueError(f"item {numbers[0]} of the dataset is a pair of {kinds}; wanted tensors, arrays or numbers")
    return batch[0], batch[1]


def _form(part: Any) -> str:
    """In which the items of a batch must agree, in words."""
    shape = getattr(part, "shape", None)
    return type(part).__name__ if shape is None else f"of shape {tuple(shape)}"


class Batches:
    """The order of the rows, batch by batch; the last one of an epoch may be smaller.

    Args:
        rows: where they come from.
        seed: of the order.

    Attributes:
        rows: replaced by :meth:`use`.
        epochs: passes over the data that are finished.
        position: rows of the running epoch that were taken.
        order: numbers of the rows in the order of this epoch.
        random: state of the generator that drew it; neither of the two ever changes in place.
    """

    def __init__(self, rows: Rows, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self.random = self._generator.get_state()
        self.epochs, self.position, self.order = 0, 0, torch.empty(0, dtype=torch.long)
        self.use(rows)

    def use(self, rows: Rows) -> None:
        """Take other rows from the next batch on; with as many as before, the order goes on."""
        self.rows = rows
        if len(self.order) != len(rows):
            self._draw()
        rows.arrange(self.order)

    def _draw(self) -> None:
        self.order, self.position = torch.randperm(len(self.rows), generator=self._generator), 0
        self.random = self._generator.get_state()

    def take(self, size: int) -> Pair:
        """The next rows, at most ``size`` of them."""
        if self.position >= len(self.order):
            self._draw()
            self.epochs += 1
            self.rows.arrange(self.order)
        batch = self.rows.window(self.position, self.position + size)
        self.position += size
        return batch

    @property
    def passes(self) -> float:
        """Passes over the data so far."""
        return self.epochs + min(self.position / len(self.order), 1.0)

    def restore(self, epochs: int, position: int, order: Tensor, random: Tensor) -> None:
        """Stand where these attributes were read; the order is drawn anew where there are another number of rows now."""
        self.epochs, self.position, self.order, self.random = epochs, position, order, random
        self._generator.set_state(random)
        self.use(self.rows)
