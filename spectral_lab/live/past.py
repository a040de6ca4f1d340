"""The past of a run: the moves of the hand, the moments to which the time line goes back, and what undo brings back.

All of it is bounded.  Moments are thinned to equal gaps in step, never cut off; undo forgets its oldest entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from spectral_lab.snapshots import Snapshot

UNDOS = 100  # entries of undo, and as many of redo
MOMENTS = 240  # of the time line
BYTES = 24_000_000  # of the time line; undo may hold twice as much, and large networks get fewer moments of each
RECORD_BYTES = 500  # of one record, as measured

EVER = 10**12  # a step that no run reaches

Settings = dict[str, Any]


class Move(NamedTuple):
    """One move of the hand.  Runs that branch off from each other share the moves before the branch."""

    before: Move | None
    step: int
    name: str
    value: Any

    @staticmethod
    def listed(last: Move | None) -> list[tuple[int, str, Any]]:
        """(step, name, value) of all moves up to this one, oldest first."""
        moves = []
        while last is not None:
            moves.append((last.step, last.name, last.value))
            last = last.before
        return moves[::-1]


class HasStep(Protocol):
    """What happened at a training step."""

    @property
    def step(self) -> int:
        """Optimiser steps since the network was built."""
        ...


T = TypeVar("T", bound=HasStep)


class Thinned(Generic[T]):
    """Items in the order of their steps; beyond ``most``, so many are kept that they stand at about equal gaps."""

    def __init__(self, most: int, items: tuple[T, ...] = (), gap: float = 0.0) -> None:
        self.most, self._items, self._gap = most, list(items), gap

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def __getitem__(self, index: int) -> T:
        return self._items[index]

    def append(self, item: T) -> None:
        """Add the newest; it takes the place of one at the same step, and of one too close to the one before that."""
        items = self._items
        if items and (items[-1].step == item.step or (len(items) > 1 and items[-1].step - items[-2].step < self._gap)):
            items.pop()
        items.append(item)
        if len(items) > self.most:
            self._items = [*items[:-1:2], item]
            self._gap = 2 * (item.step - items[0].step) / self.most

    def up_to(self, step: int) -> Thinned[T]:
        """A copy without what came after a step."""
        return Thinned(self.most, tuple(item for item in self._items if item.step <= step), self._gap)


class Moment(NamedTuple):
    """Everything that decides how a run goes on from here."""

    start: Settings  # when the network was built; the same object for all moments of one network
    settings: Settings
    off: frozenset[tuple[int, int]]  # neurons switched off: (hidden layer from 0, index)
    moves: Move | None
    coming: tuple[tuple[int, str, Any], ...]  # moves that are still to come by themselves
    snapshot: Snapshot
    record: Any  # what was measured there
    heading: tuple[str, str]  # title and question

    @property
    def step(self) -> int:
        """Optimiser steps since the network was built."""
        return self.snapshot.step


class Entry(NamedTuple):
    """What undo brings back: a moment, and the run that led to it."""

    moment: Moment
    history: Thinned[Any]
    moments: Thinned[Moment]
    cost: int = 0  # bytes that it holds beyond the entry before it


class Undo:
    """Two stacks of entries, bounded in number and in memory."""

    def __init__(self) -> None:
        self.back: list[Entry] = []
        self.forth: list[Entry] = []

    def push(self, entry: Entry) -> None:
        """Before a move of the hand; what was undone before can no longer be redone."""
        self.forth.clear()
        self.back.append(entry._replace(cost=self._cost(entry)))
        total = sum(kept.cost for kept in self.back)
        while len(self.back) > UNDOS or (len(self.back) > 1 and total > 2 * BYTES):
            total -= self.back.pop(0).cost

    def _cost(self, entry: Entry) -> int:
        if not self.back:
            return held([entry.moment, *entry.moments]) + RECORD_BYTES * len(entry.history)
        last = self.back[-1]
        known, same_run = {id(moment) for moment in last.moments}, last.moment.start is entry.moment.start
        records = len(entry.history) - (len(last.history) if same_run else 0)
        return held([entry.moment, *(m for m in entry.moments if id(m) not in known)]) + RECORD_BYTES * max(0, records)

    def nbytes(self) -> int:
        """Memory of all that the entries hold, in bytes; what they share is counted once."""
        entries = (*self.back, *self.forth)
        runs: dict[int, int] = {}  # records of each network's history
        for entry in entries:
            runs[id(entry.moment.start)] = max(len(entry.history), runs.get(id(entry.moment.start), 0))
        return held(m for e in entries for m in (e.moment, *e.moments)) + RECORD_BYTES * sum(runs.values())


def held(moments: Iterable[Moment]) -> int:
    """Memory of the snapshots of some moments, in bytes; what they share is counted once."""
    snapshots = {id(moment.snapshot): moment.snapshot for moment in moments}.values()
    shared = {id(t): t.nbytes for snapshot in snapshots for t in (snapshot.order, snapshot.generator)}
    return sum(snapshot.nbytes for snapshot in snapshots) + sum(shared.values())
