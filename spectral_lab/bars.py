"""Progress bars, of a training and of a sweep: in a terminal, in a notebook, or nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spectral_lab.records import Record

if TYPE_CHECKING:
    from rich.console import Console

Advance = Callable[..., None]  # (how many are done now, what the bar tells beside it)


@contextmanager
def bar(title: str, total: int | None, completed: int, console: Console | None, shown: bool = True) -> Iterator[Advance]:
    """A progress bar, from the place where ``completed`` are done; what it yields moves it on.

    Args:
        title: what is counted.
        total: how many there are; None where nobody knows.
        completed: how many are done already.
        console: where it goes; None is the error stream, or below the cell of a notebook.
        shown: False shows nothing.
    """
    from rich.console import Console  # its import draws from the global random numbers
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    told = TextColumn("{task.fields[told]}", markup=False)
    with Progress(*columns, told, console=console or Console(stderr=True), disable=not shown) as display:
        task = display.add_task(title, total=total, completed=completed, told="")

        def advance(now: int, words: str = "") -> None:
            display.update(task, completed=now, told=words, refresh=True)  # in a notebook nobody else does at the end

        yield advance


def progress(
    records: Iterable[Record], steps: int | None = None, *, console: Console | None = None, shown: bool = True
) -> Iterator[Record]:
    """The records of a training, with a bar that shows steps, loss, accuracy and live neurons meanwhile.

    >>> from spectral_lab import SpectralNet, alpha_beta, train
    >>> run = train(SpectralNet([2, 30, 1]), *alpha_beta(1.0, 5, 200, seed=0), steps=200)
    >>> [record.step for record in progress(run, shown=False)]
    [100, 200]

    Args:
        records: a run, or what passes its records on, as :func:`~spectral_lab.storage.checkpointed` does.
        steps: how many steps there are to take; None asks the run, and of something else it stays open.
        console: where the bar goes; None is the error stream, or below the cell of a notebook.
        shown: False passes the records on and shows nothing.
    """
    total = getattr(records, "steps", None) if steps is None else steps
    with bar("steps", total, getattr(records, "step", 0), console, shown) as advance:
        for record in records:
            advance(record.step, describe(record))
            yield record


def describe(record: Record) -> str:
    """A record in a few words.

    >>> describe(Record(100, 1.0, 0.2345, 0.0, 0.0, live=(30, 12), validation_loss=0.3, accuracy=0.912))
    'loss 0.234  validation 0.3  accuracy 0.912  live 30, 12'
    """
    words = [f"loss {record.data_loss:.3g}"]
    if record.validation_loss is not None:
        words.append(f"validation {record.validation_loss:.3g}")
    if record.accuracy is not None:
        words.append(f"accuracy {record.accuracy:.3f}")
    if record.live:
        words.append("live " + ", ".join(map(str, record.live)))
    return "  ".join(words)
