"""What a notebook cell shows: running it again retires the instrument that it showed before."""

from __future__ import annotations

from typing import Protocol


class Closable(Protocol):
    """An instrument that can be taken out of every page."""

    def close(self) -> None:
        """Stop, and leave nothing behind."""


# The instruments that each notebook cell shows, with the number of the run that made them.
_shown: dict[str, tuple[int, list[Closable]]] = {}


def retire_former(new: Closable) -> None:
    """Close what the same notebook cell showed before it was run again; two in one cell, or in two, stay side by side."""
    try:
        shell = get_ipython()  # type: ignore[name-defined]  # IPython puts it there
        cell = shell.get_parent()["metadata"].get("cellId")
    except (NameError, AttributeError, KeyError):
        return  # a script, or a front end that does not name its cells
    if cell is None:
        return
    run, instruments = _shown.get(cell, (shell.execution_count, []))
    if run != shell.execution_count:
        for old in instruments:
            old.close()
        instruments = []
    _shown[cell] = (shell.execution_count, [*instruments, new])
