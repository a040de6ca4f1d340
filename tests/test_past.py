"""The past of a run: what is thinned keeps its ends and equal gaps, and undo forgets the oldest when there is too much."""

from itertools import pairwise
from typing import NamedTuple

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from spectral_lab.live import past
from spectral_lab.live.past import UNDOS, Entry, Moment, Move, Thinned, Undo
from spectral_lab.snapshots import OVERHEAD, Snapshot, pack


class Item(NamedTuple):
    step: int
    name: str = ""


def filled(most, steps):
    thinned = Thinned(most)
    for step in steps:
        thinned.append(Item(step))
    return thinned


def steps_of(thinned):
    return [item.step for item in thinned]


# -- thinned -----------------------------------------------------------------------------------------------------------


@given(most=st.integers(12, 60), gaps=st.lists(st.integers(0, 50), min_size=1, max_size=400))
@example(most=12, gaps=[1] * 400)
@example(most=12, gaps=[1] * 200 + [1000] * 5)
def test_the_ends_are_kept_the_order_too_and_never_more_than_so_many(most, gaps):
    step, thinned, shown = 0, Thinned(most), []
    for gap in [0, *gaps]:
        step += gap
        thinned.append(Item(step))
        shown.append(step)
        found = steps_of(thinned)
        assert (found[0], found[-1]) == (0, step)
        assert found == sorted(set(found))
        assert len(thinned) == len(found) <= most
        assert set(found) <= set(shown)


@pytest.mark.parametrize("most", [12, 40, 240])
@pytest.mark.parametrize("every", [1, 20])
def test_of_a_run_at_even_pace_what_is_kept_stands_at_about_equal_gaps(most, every):
    thinned = filled(most, range(0, 5000 * every, every))
    gaps = [b - a for a, b in pairwise(steps_of(thinned)[:-1])]  # the newest may still be close
    assert max(gaps) <= 2 * min(gaps)
    assert most / 3 <= len(thinned) <= most


def test_an_early_crowd_does_not_push_out_what_comes_later():
    """A run that is dragged about at its beginning, a record each step, and then goes on for long."""
    thinned = filled(40, [*range(500), *range(500, 50_000, 20)])
    late = [step for step in steps_of(thinned) if step > 500]
    assert len(late) >= 15
    assert max(b - a for a, b in pairwise(steps_of(thinned))) <= 50_000 / 10


def test_few_items_are_all_kept():
    assert steps_of(filled(40, range(0, 80, 2))) == list(range(0, 80, 2))


def test_the_same_step_again_takes_the_place_of_the_one_before():
    thinned = filled(40, [0, 1])
    thinned.append(Item(1, "again"))
    assert list(thinned) == [Item(0), Item(1, "again")]
    first = filled(40, [0])
    first.append(Item(0, "again"))
    assert list(first) == [Item(0, "again")]


@given(steps=st.sets(st.integers(0, 1000), max_size=80), at=st.integers(-1, 1001))
def test_up_to_a_step_is_a_copy_without_what_came_later(steps, at):
    thinned = filled(20, sorted(steps))
    before = steps_of(thinned)
    shorter = thinned.up_to(at)
    assert steps_of(shorter) == [step for step in before if step <= at]
    shorter.append(Item(2000))
    assert steps_of(thinned) == before


def test_a_copy_goes_on_being_thinned_to_the_same_gap():
    whole, copy = filled(20, range(1000)), filled(20, range(1000)).up_to(past.EVER)
    for step in range(1000, 1500):
        whole.append(Item(step))
        copy.append(Item(step))
    assert steps_of(whole) == steps_of(copy)


# -- moves -------------------------------------------------------------------------------------------------------------


def test_moves_are_listed_oldest_first_and_branches_share_their_trunk():
    trunk = Move(Move(None, 0, "alpha", 0.5), 3, "rho", 1.0)
    one, other = Move(trunk, 7, "lr", 0.1), Move(trunk, 4, "beta", 2.0)
    assert Move.listed(None) == []
    assert Move.listed(one) == [(0, "alpha", 0.5), (3, "rho", 1.0), (7, "lr", 0.1)]
    assert Move.listed(other) == [(0, "alpha", 0.5), (3, "rho", 1.0), (4, "beta", 2.0)]


def test_ten_thousand_moves_are_listed_without_recursion():
    last = None
    for step in range(10_000):
        last = Move(last, step, "alpha", 0.5)
    assert [step for step, _, _ in Move.listed(last)] == list(range(10_000))


# -- undo --------------------------------------------------------------------------------------------------------------


def snapshot(nbytes, step=0):
    generator = torch.zeros(0, dtype=torch.uint8)
    kept = Snapshot(step, 0, 0, torch.zeros(0), generator, pack([torch.zeros(nbytes, dtype=torch.uint8)]), {})
    assert kept.nbytes == nbytes + OVERHEAD
    return kept


def entry(nbytes, moments=()):
    moment = Moment({}, {}, frozenset(), None, (), snapshot(nbytes), None, ("", ""))
    return Entry(moment, Thinned(10), Thinned(10_000, tuple(moments)))


def test_a_push_forgets_what_could_be_redone():
    undo = Undo()
    undo.forth.append(entry(1))
    undo.push(entry(1))
    assert (len(undo.back), undo.forth) == (1, [])


def test_of_too_many_entries_the_oldest_are_forgotten():
    undo, pushed = Undo(), [entry(1) for _ in range(UNDOS + 30)]
    for one in pushed:
        undo.push(one)
    assert len(undo.back) == UNDOS
    assert all(kept.moment is one.moment for kept, one in zip(undo.back, pushed[30:], strict=True))


def test_of_too_large_entries_the_oldest_are_forgotten_and_the_last_is_always_kept(monkeypatch):
    monkeypatch.setattr(past, "BYTES", 1000 + 3 * OVERHEAD)  # twice as much may be held
    undo = Undo()
    for _ in range(10):
        undo.push(entry(300))
    assert len(undo.back) == 6
    assert undo.nbytes() == 1800 + 6 * OVERHEAD
    undo.push(entry(50_000))
    assert len(undo.back) == 1
    undo.push(entry(10))
    assert [one.moment.snapshot.nbytes for one in undo.back] == [10 + OVERHEAD]


def test_a_snapshot_that_several_entries_hold_is_counted_once(monkeypatch):
    monkeypatch.setattr(past, "BYTES", 1000 + 30 * OVERHEAD)
    undo, shared = Undo(), [entry(100).moment for _ in range(10)]
    for _ in range(50):
        undo.push(entry(10, shared))
    assert len(undo.back) == 50
    assert undo.nbytes() == 50 * 10 + 10 * 100 + 60 * OVERHEAD
    undo.forth.append(undo.back.pop())
    assert undo.nbytes() == 50 * 10 + 10 * 100 + 60 * OVERHEAD
