"""Sweeps: a trial over a grid of parameters, as a labelled table that survives interruption.

>>> def square(points):
...     return [{"area": point["width"] * point["height"]} for point in points]
>>> table = sweep({"width": [1, 2, 3], "height": [10, 20]}, square)
>>> table["area"].sel(width=3, height=20).item()
60

A *point* is one combination of values; the trial gets the points of a chunk and returns what came of each.  With a ``store``
each finished chunk is written to a file of its own, whole or not at all; a sweep that was killed takes up where it stopped.
With an ``executor`` chunks run side by side: in processes of this machine (``ProcessPoolExecutor``), or on many machines with
``dask.distributed.Client(…).get_executor()``.

For trials of many networks at once, see :mod:`spectral_lab.ensembles`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import torch

import spectral_lab
from spectral_lab.bars import bar
from spectral_lab.files import write_atomically

if TYPE_CHECKING:
    import xarray
    from rich.console import Console

Value = bool | int | float | str
Point = dict[str, Value]
Results = dict[str, np.ndarray]  # by name, one row for each point
Trial = Callable[[list[Point]], Sequence[Mapping[str, Any]]]

MANIFEST = "sweep.json"
PREFIX = "of_"  # of the names in a file: savez has arguments of its own, which a result may be called like


def sweep(
    grid: Mapping[str, Sequence[Value]],
    trial: Trial,
    *,
    chunk: int | None = None,
    executor: Executor | None = None,
    store: str | Path | None = None,
    console: Console | None = None,
) -> xarray.Dataset:
    """Run a trial at every point of a grid.

    Args:
        grid: the values of each parameter, e.g. ``{"alpha": [0, 0.5, 1], "seed": range(5)}``; their order is that of the
            table's dimensions, and points that differ in the last one are neighbours in a chunk.
        trial: takes a list of points, ``{"alpha": 0.5, "seed": 3}``, and returns for each of them numbers, or arrays of one
            shape, by name.  It should depend on nothing else; with an executor it must be picklable.
        chunk: points at a time; None is ``trial.chunk`` if there is such a number, and else 1.
        executor: where chunks run side by side; None is here, one after the other.
        store: folder for finished chunks; made if it does not exist.  Without it an interrupted sweep starts anew.
        console: where the progress bar goes; None is the error stream.

    Returns:
        A variable for each name, with the grid's parameters as dimensions and coordinates; of an array the dimensions
        ``name_0``, … follow.

    Raises:
        ValueError: an empty grid or chunk; a store that holds another sweep, or a damaged file; a trial that returns something
            else than it should.
        Exception: what the trial raises, with a note that names the points; finished chunks are in the store.
    """
    grid = {name: _values(name, values) for name, values in grid.items()}
    if not grid:
        raise ValueError("the grid is empty; wanted parameters with their values, e.g. {'alpha': [0, 0.5, 1]}")
    points = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    size = chunk if chunk is not None else getattr(trial, "chunk", 1)
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"chunk = {size!r}; wanted a whole number of points, at least 1")
    about = describe(grid, trial)
    kept = None if store is None else Store(Path(store), about, len(points))
    found = {} if kept is None else kept.read()
    done = sorted(n for start, stop in found for n in range(start, stop))
    left, finished = list(_runs(len(points), done, size)), len(done)
    with bar("sweep", len(points), len(done), console) as advance:
        for (start, stop), results in _run(trial, points, left, executor):
            _check(results, grid, next(iter(found.values()), results))  # now, and not when hours have passed
            found[start, stop] = results
            if kept is not None:
                kept.write(start, stop, results)
            finished += stop - start
            advance(finished)
    return _table(grid, found, about)


def one_by_one(function: Callable[..., Mapping[str, Any]]) -> Trial:
    """A trial from a function of the parameters of one point.

    >>> def area(width, height):
    ...     return {"area": width * height}
    >>> sweep({"width": [2], "height": [3]}, one_by_one(area))["area"].item()
    6
    """
    return partial(_each, function)


def _each(function: Callable[..., Mapping[str, Any]], points: list[Point]) -> list[Mapping[str, Any]]:
    return [function(**point) for point in points]


# -- what a sweep is ---------------------------------------------------------------------------------------------------


def _values(name: str, values: Sequence[Value]) -> list[Value]:
    """The values of a parameter in JSON's types.

    Raises:
        ValueError: none, one that is no number or word, or the same one twice.
    """
    found: list[Value] = [value.item() if isinstance(value, np.generic | torch.Tensor) else value for value in values]
    for value in found:
        if not isinstance(value, bool | int | float | str) or value != value:
            raise ValueError(f"{name} has the value {value!r}; wanted numbers or words")
    if not found or len(set(found)) < len(found):
        raise ValueError(f"{name} = {found}; wanted one value or more, each of them once")
    return found


def describe(grid: Mapping[str, Sequence[Value]], trial: Trial) -> dict[str, Any]:
    """What the results of a sweep depend on, as JSON: grid, trial with its options, and versions."""
    versions = {"spectral_lab": spectral_lab.__version__, "torch": torch.__version__}
    return {"grid": dict(grid), "trial": _name(trial), "versions": versions}


def _name(trial: Any) -> Any:
    """A function's name, and the options of a dataclass or of a partial function."""
    if isinstance(trial, partial):
        return {"function": _name(trial.func), "arguments": [_name(a) for a in trial.args], "options": _plain(trial.keywords)}
    if hasattr(trial, "__qualname__"):
        return f"{trial.__module__}.{trial.__qualname__}"
    if is_dataclass(trial) and not isinstance(trial, type):
        options = {name: value for name, value in asdict(trial).items() if name != "chunk"}  # how, not what
        return {"function": _name(type(trial)), "options": _plain(options)}
    return _name(type(trial))


def _plain(options: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(options, default=repr, sort_keys=True))


class Store:
    """A folder with the finished chunks of one sweep: ``sweep.json`` says of which, ``<start>-<stop>.npz`` are the results.

    Raises:
        ValueError: the folder holds another sweep, or something else.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any], n: int) -> None:
        self.folder, self.n = folder, n
        folder.mkdir(parents=True, exist_ok=True)
        manifest = folder / MANIFEST
        if manifest.exists():
            self._compare(manifest, about)
        elif any(not path.name.startswith(".") for path in folder.iterdir()):
            raise ValueError(f"{folder} holds files, but no {MANIFEST}, so it is no store of a sweep; choose another folder")
        else:
            text = json.dumps(about, indent=1)
            write_atomically(manifest, lambda path: Path(path).write_text(text + "\n", encoding="utf-8"))

    @staticmethod
    def _compare(manifest: Path, about: Mapping[str, Any]) -> None:
        try:
            known = json.loads(manifest.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{manifest} is damaged ({error}); delete the folder, or choose another one") from error
        wanted = json.loads(json.dumps(about))
        for name in wanted:
            if not isinstance(known, dict) or known.get(name) != wanted[name]:
                found = known.get(name) if isinstance(known, dict) else known
                raise ValueError(
                    f"{manifest.parent} holds another sweep: its {name} is {found}, this one's {wanted[name]}; choose another "
                    "folder, or delete that one"
                )

    def write(self, start: int, stop: int, results: Results) -> None:
        """Keep the results of the points start … stop - 1."""

        def save(temporary: str) -> None:
            with open(temporary, "wb") as file:
                np.savez(file, **{f"{PREFIX}{name}": value for name, value in results.items()})  # type: ignore[arg-type]

        write_atomically(self.folder / f"{start:08d}-{stop:08d}.npz", save)

    def read(self) -> dict[tuple[int, int], Results]:
        """All chunks that are finished, by their first point and the one after their last.

        Raises:
            ValueError: a file that is damaged, or not of this sweep.
        """
        found: dict[tuple[int, int], Results] = {}
        reached = 0
        for path in sorted(self.folder.glob("*.npz")):
            if path.name.startswith("."):
                continue  # a chunk that was being written when the sweep was killed
            cure = f"delete it, and its points are computed again: {path}"
            try:
                start, stop = (int(part) for part in path.stem.split("-"))
                with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                    results = {name.removeprefix(PREFIX): file[name] for name in file.files}
            except (ValueError, OSError, BadZipFile, EOFError, KeyError) as error:
                raise ValueError(f"a file of the store is damaged ({error}); {cure}") from error
            fits = all(value.ndim and len(value) == stop - start for value in results.values())
            if not (reached <= start < stop <= self.n and results and fits):
                raise ValueError(f"a file of the store does not belong to this sweep of {self.n} points; {cure}")
            found[start, stop], reached = results, stop
        return found


# -- running -----------------------------------------------------------------------------------------------------------


def _runs(n: int, done: Sequence[int], size: int) -> Iterator[tuple[int, int]]:
    """What is left of 0 … n - 1, in pieces (start, stop) of at most ``size`` neighbours."""
    start = 0
    for stop in (*done, n):
        for first in range(start, stop, size):
            yield first, min(first + size, stop)
        start = stop + 1


def _run(
    trial: Trial, points: list[Point], left: Sequence[tuple[int, int]], executor: Executor | None
) -> Iterator[tuple[tuple[int, int], Results]]:
    """The pieces with their results, as they are done."""
    if executor is None:
        for start, stop in left:
            with _named(points[start:stop]):
                yield (start, stop), _stacked(trial(points[start:stop]), stop - start)
        return
    futures: dict[Future[Any], tuple[int, int]] = {executor.submit(trial, points[a:b]): (a, b) for a, b in left}
    try:
        for future in as_completed(list(futures)):
            start, stop = futures.pop(future)  # what it returned is kept once, as a row of the table
            with _named(points[start:stop]):
                results = _stacked(future.result(), stop - start)
            yield (start, stop), results
    finally:  # on any way out: nothing that has not begun needs to begin
        for future in futures:
            future.cancel()


@contextmanager
def _named(points: list[Point]) -> Iterator[None]:
    """Errors inside tell at which points they came up."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in the trial at {points[0]}" + (f" … {points[-1]}" if len(points) > 1 else ""))
        raise


def _stacked(outcomes: Sequence[Mapping[str, Any]], n: int) -> Results:
    """The outcomes of n points as arrays with one row for each.

    Raises:
        ValueError: another number of outcomes, or names or shapes that differ between them.
    """
    if len(outcomes) != n:
        raise ValueError(f"the trial returned {len(outcomes)} outcomes for {n} points; wanted one for each")
    names = list(outcomes[0])
    arrays = [{name: np.asarray(value) for name, value in outcome.items()} for outcome in outcomes]
    for one in arrays:
        shapes = {name: (value.shape, value.dtype.kind in "biuf") for name, value in one.items()}
        wanted = {name: (arrays[0][name].shape, True) for name in names}
        if shapes != wanted or not names:
            raise ValueError(
                f"the trial returned {one} for one point and {arrays[0]} for another; wanted the same names with numbers, or "
                "arrays of numbers, of the same shape"
            )
    return {name: np.stack([one[name] for one in arrays]) for name in names}


def _check(results: Results, grid: Mapping[str, Sequence[Value]], others: Results) -> None:
    """Refuse results that cannot stand in one table with those of another chunk.

    Raises:
        ValueError: other names or shapes than there, or a name that the grid has.
    """
    both = [name for name in results if name in grid]
    if both:
        raise ValueError(f"the trial returned {both}, which are parameters of the grid; give its results other names")
    found, wanted = ({name: value.shape[1:] for name, value in one.items()} for one in (results, others))
    if found != wanted:
        raise ValueError(f"the trial returned {found} in one chunk and {wanted} in another; wanted the same names and shapes")


# -- the table ---------------------------------------------------------------------------------------------------------


def _table(
    grid: Mapping[str, Sequence[Value]], found: Mapping[tuple[int, int], Results], about: Mapping[str, Any]
) -> xarray.Dataset:
    import xarray

    pieces = [found[key] for key in sorted(found)]
    shape = tuple(len(values) for values in grid.values())
    variables = {}
    for name in pieces[0]:
        values = np.concatenate([piece[name] for piece in pieces])
        more = [f"{name}_{k}" for k in range(values.ndim - 1)]
        variables[name] = ([*grid, *more], values.reshape(*shape, *values.shape[1:]))
    return xarray.Dataset(variables, coords=dict(grid), attrs={"sweep": json.dumps(about)})
