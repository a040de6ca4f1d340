"""Taking moves back: undo, redo and the time line restore everything to the bit, whatever was done in between."""

import math

import pytest
import torch
from doings import bits, do, moves, rewinds, same_bits, seeks, starts, training
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spectral_lab.live import past, steering
from spectral_lab.live.instrument import Instrument
from spectral_lab.training import TrainingDiverged

pytestmark = pytest.mark.usefixtures("short_presets")


def whole(snapshot):
    """All numbers of a snapshot, as plain values that can be compared."""
    numbers, moments = ([t.tolist() for t in packed.values()] for packed in (snapshot.numbers, snapshot.moments))
    rest = snapshot.step, snapshot.epochs, snapshot.position, snapshot.order.tolist(), snapshot.generator.tolist()
    return numbers, moments, rest


def everything(instrument, ahead=3):
    """What must be the same again, and the weights that some steps of training lead to from here."""
    with instrument._lock:
        copy = instrument.copy()
    before = instrument.step
    do(copy, ("run", ahead))
    assert instrument.step == before
    return {
        "settings": instrument.settings(),
        "off": instrument.off,
        "heading": instrument.heading,
        "state": instrument.state,
        "history": instrument.history,
        "record": instrument.record,
        "kept": instrument.steps_kept,
        "last": instrument.last_step,
        "training": whole(instrument._training.snapshot()),
        "in force": [getattr(instrument._training, name) for name in ("rho", "penalty", "lr", "batch_size")],
        "data": [t.tolist()[:20] for t in (*instrument._training.data, instrument.problem.x_held, instrument.problem.y_held)],
        "words": instrument.words(),
        "ahead": {name: value.tolist() for name, value in bits(copy).items()},
    }


def assert_same(found, wanted):
    for name, value in wanted.items():
        assert found[name] == value or str(found[name]) == str(value), name  # NaN is no equal of itself


doings = st.lists(moves | moves | training | training | seeks | rewinds | rewinds, min_size=3, max_size=14)


@settings(max_examples=120)
@given(start=starts, doings=doings)
@example({"hidden": (3,), "seed": 0}, [("run", 5), ("set", "hidden", (2, 2)), ("run", 3), ("undo",), ("redo",), ("undo",)])
@example({"hidden": (2,), "seed": 0}, [("run", 25), ("seek", 0.0), ("set", "alpha", 0.1), ("run", 5), ("undo",), ("undo",)])
@example(
    {"hidden": (2,), "seed": 0}, [("run", 5), ("set", "validation", 0.5), ("run", 20), ("set", "seed", 3), ("undo",), ("undo",)]
)
@example({"hidden": (2,), "seed": 0}, [("preset", "trained"), ("run", 4), ("seek", 0.0), ("run", 12), ("undo",), ("undo",)])
@example({"hidden": (2, 2, 2), "seed": 0}, [("switch", 0, False), ("eigenvalue", 0, 1e6), ("undo",), ("undo",), ("redo",)])
def test_every_undo_and_redo_is_back_where_it_was_whatever_was_done(start, doings):
    instrument = Instrument(**start)
    back, forth = [], []
    for k, doing in enumerate(doings):
        kind = doing[0]
        if kind in ("undo", "redo"):
            here, there = (back, forth) if kind == "undo" else (forth, back)
            now = everything(instrument)
            assert do(instrument, doing) == bool(here)
            if here:
                assert_same(everything(instrument), here.pop())
                there.append(now)
        else:
            before = everything(instrument)
            took = do(instrument, doing, gesture=f"gesture {k}")
            if took and kind not in ("run", "slice"):
                back.append(before)
                forth.clear()
        assert (instrument.can_undo, instrument.can_redo) == (bool(back), bool(forth))
        assert len(instrument._undo.back) == len(back)
    while back:  # all the way back to the beginning
        instrument.undo()
        assert_same(everything(instrument), back.pop())


@pytest.mark.parametrize("name", ["undo", "redo"])
def test_where_there_is_nothing_to_take_back_it_says_so_and_nothing_changes(name):
    instrument = Instrument(hidden=(2,))
    instrument.run(5)
    before = everything(instrument)
    with pytest.raises(ValueError, match=f"there is nothing to {name}"):
        getattr(instrument, name)()
    assert_same(everything(instrument), before)


def test_the_run_goes_on_to_the_same_weights_after_an_undo():
    """Without copies: the same instrument, trained on twice from the same place."""
    instrument = Instrument(hidden=(4,), alpha=1.0)
    instrument.run(37)
    instrument.rho = 0.3
    instrument.run(50)  # over the end of an epoch
    instrument.undo()
    assert (instrument.step, instrument.rho) == (37, 1e-4)
    instrument.run(50)
    plain = Instrument(hidden=(4,), alpha=1.0)
    plain.run(37)
    plain.run(50)
    assert same_bits(bits(instrument), bits(plain))
    assert instrument.state == plain.state


# -- gestures ----------------------------------------------------------------------------------------------------------


def test_the_moves_of_one_gesture_are_undone_together_also_while_it_trains():
    instrument = Instrument(hidden=(3,))
    instrument.run(5)
    before = everything(instrument)
    for alpha in (0.1, 0.2, 0.3):
        with instrument._as_hand("one"):
            instrument.alpha = alpha
            instrument.rho = alpha
            instrument.set_eigenvalue(0, 1, alpha)
        instrument.run(3)
    between = everything(instrument)
    with instrument._as_hand("two"):
        instrument.alpha = 0.9
    instrument.undo()
    assert_same(everything(instrument), between)
    instrument.undo()
    assert_same(everything(instrument), before)
    assert not instrument.can_undo


def test_moves_without_a_gesture_are_undone_one_by_one():
    instrument = Instrument(hidden=(3,))
    for alpha in (0.1, 0.2, 0.3):
        instrument.alpha = alpha
    for alpha in (0.2, 0.1, 0.8):
        instrument.undo()
        assert instrument.alpha == alpha


def test_the_same_gesture_after_an_undo_can_be_undone_again():
    instrument = Instrument(hidden=(3,))
    for alpha in (0.1, 0.2):
        with instrument._as_hand("one"):
            instrument.alpha = alpha
        instrument.undo()
        assert instrument.alpha == 0.8


def test_a_script_takes_no_part_in_undo():
    instrument = Instrument(hidden=(3,))
    instrument.follow([(3, "alpha", 0.1), (5, "alpha", 0.2)])
    instrument.rho = 0.5
    instrument.run(10)
    assert instrument.alpha == 0.2
    instrument.undo()
    assert (instrument.step, instrument.alpha, instrument.rho) == (0, 0.8, 1e-4)
    assert not instrument.can_undo
    instrument.run(4)
    assert instrument.alpha == 0.1  # it comes again


# -- the time line -----------------------------------------------------------------------------------------------------


@given(step=st.integers(0, 400), target=st.integers(0, 500))
@settings(max_examples=40)
def test_seek_goes_to_the_nearest_kept_moment(step, target):
    instrument = Instrument(hidden=(1,))
    instrument.run(step)
    kept = instrument.steps_kept
    assert (kept[0], kept[-1]) == (0, step)
    instrument.seek(target)
    assert abs(instrument.step - target) == min(abs(k - target) for k in kept)
    assert instrument.step in kept
    assert instrument.steps_kept == kept
    assert instrument.last_step == step
    assert instrument.record.step == instrument.step == instrument.history[-1].step


def test_at_each_moment_there_are_the_weights_and_settings_of_then():
    instrument, then = Instrument(hidden=(3,), alpha=1.0), {}
    instrument.speed = 7
    for k in range(12):
        instrument.train_slice(60.0)
        if k % 3 == 2:
            instrument.alpha = k / 20
        if k == 7:
            instrument.switch(0, 1, False)
        then[instrument.step] = bits(instrument), instrument.alpha, instrument.off, instrument.state, instrument.record
    for step in [*reversed(then), *then, 7, 84, 42]:
        instrument.seek(step)
        found = bits(instrument), instrument.alpha, instrument.off, instrument.state, instrument.record
        assert same_bits(found[0], then[step][0])
        assert found[1:] == then[step][1:]
        assert instrument.sight().record == then[step][4]
        assert instrument.playing is False


def test_training_on_after_a_seek_drops_what_came_later_and_undo_brings_it_back():
    instrument = Instrument(hidden=(3,))
    instrument.run(100)
    whole_run = everything(instrument)
    instrument.seek(40)
    back_there = everything(instrument)
    assert instrument.steps_kept == [0, 20, 40, 60, 80, 100]
    instrument.run(10)
    assert instrument.steps_kept == [0, 20, 40, 50]
    assert [record.step for record in instrument.history] == [0, 20, 40, 50]
    plain = Instrument(hidden=(3,))
    plain.run(50)
    assert same_bits(bits(instrument), bits(plain))
    instrument.alpha = 0.1  # a move on the branch
    instrument.undo()
    instrument.undo()
    assert_same(everything(instrument), whole_run)
    instrument.seek(40)
    assert_same(everything(instrument), back_there)


@pytest.mark.parametrize("move", [("set", "alpha", 0.1), ("eigenvalue", 0, 0.5), ("switch", 0, False)], ids=str)
def test_a_move_after_a_seek_branches_off_too(move):
    instrument = Instrument(hidden=(3,))
    instrument.run(100)
    instrument.seek(40)
    looked = everything(instrument)
    do(instrument, move)
    assert instrument.steps_kept == [0, 20, 40]
    assert instrument.last_step == 40
    instrument.undo()
    assert_same(everything(instrument), looked)
    assert instrument.last_step == 100
    again = Instrument.from_state(instrument.state)
    assert same_bits(bits(again), bits(instrument))


def test_a_look_at_another_section_or_speed_leaves_the_future_where_it_is():
    instrument = Instrument(hidden=(3,))
    instrument.run(100)
    instrument.seek(40)
    instrument.section, instrument.speed = (1, 0), 5
    assert instrument.steps_kept[-1] == 100
    instrument.seek(80)
    assert (instrument.section, instrument.speed) == ((1, 0), 5)


def test_a_script_that_was_still_to_come_comes_again_after_a_look_back():
    instrument = Instrument(hidden=(3,))
    instrument.run(20)
    instrument.follow([(30, "alpha", 0.1), (50, "alpha", 0.2)])
    state = instrument.state
    instrument.run(60)
    assert instrument.alpha == 0.2
    straight = bits(instrument)
    instrument.seek(20)
    assert (instrument.alpha, instrument.state) == (0.8, state)
    instrument.run(60)
    assert same_bits(bits(instrument), straight)


def test_a_preset_begins_anew_when_its_first_moment_is_sought():
    instrument = Instrument()
    instrument.show_preset("trained")
    assert instrument.step == 7
    instrument.run(5)
    assert (instrument.rho, instrument.off) == (0.1, {(1, 0)})
    after = bits(instrument)
    instrument.seek(0)
    assert (instrument.rho, instrument.off) == (1.0, frozenset())
    instrument.run(12)
    assert (instrument.rho, instrument.off) == (0.1, {(1, 0)})
    assert same_bits(bits(instrument), after)


@pytest.mark.parametrize("step", [-1, 1.0, "5", True, None, math.nan, [1]])
def test_a_step_that_is_none_is_refused(step):
    instrument = Instrument(hidden=(2,))
    instrument.run(5)
    with pytest.raises(ValueError, match=r"step = .*; wanted a whole number of at least 0"):
        instrument.seek(step)
    assert (instrument.step, instrument.can_undo) == (5, False)


def test_weights_that_python_changed_come_back_too():
    instrument = Instrument(hidden=(3,))
    instrument.run(5)
    with torch.no_grad():
        instrument.network.eigenvalues[1][:] = 0.75
    changed = bits(instrument)
    instrument.alpha = 0.1
    instrument.run(5)
    instrument.undo()
    assert same_bits(bits(instrument), changed)


def test_nan_that_python_wrote_does_not_come_back():
    instrument = Instrument(hidden=(3,), seed=0)
    instrument.run(5)
    good = bits(instrument)
    instrument.network.eigenvalues[1].data.fill_(math.nan)
    with pytest.raises(TrainingDiverged, match="back at step 5"):
        instrument.rho = 0.5
    for turn in (lambda: None, instrument.undo, instrument.redo, instrument.undo):
        turn()
        assert same_bits(bits(instrument), good)
    assert instrument.run(5).step == 10


def test_a_copy_stands_where_the_original_does_and_goes_its_own_way():
    instrument = Instrument(hidden=(4, 2), activation="tanh", rho=0.01, validation=0.5, task="saddle", seed=3)
    instrument.run(30)
    instrument.switch(1, 0)
    instrument.lr = 0.1
    instrument.run(10)
    before = everything(instrument)
    copy = instrument.copy()
    assert_same(everything(copy), before)
    assert not copy.can_undo
    copy.run(10)
    copy.seek(20)
    copy.alpha = 0.1
    assert_same(everything(instrument), before)
    instrument.run(10)
    assert same_bits(bits(instrument.copy()), bits(instrument))


# -- memory ------------------------------------------------------------------------------------------------------------


def test_the_memory_of_a_long_run_with_many_moves_is_bounded(monkeypatch):
    most = 400_000
    for module_ in (past, steering):
        monkeypatch.setattr(module_, "BYTES", most)
    instrument = Instrument(hidden=(20,))
    one = instrument._training.snapshot().nbytes
    held = []
    instrument.speed = 2
    for k in range(600):
        instrument.train_slice(60.0)
        if k % 3 == 0:
            instrument.alpha = k / 600
        if k % 50 == 0:
            instrument.seek(k // 2)
        if k % 170 == 0:
            instrument.reset()
        held.append(instrument.nbytes)
    assert instrument.can_undo
    assert max(held) <= 4 * most + 10 * one
    assert max(held[300:]) <= 1.25 * max(held[:300])  # it stopped growing
    line = {id(moment.snapshot): moment.snapshot.nbytes for moment in instrument._moments}
    assert sum(line.values()) <= most
    assert len(instrument.steps_kept) >= 12


@pytest.mark.parametrize("hidden", [(30,), (300,), (100, 100, 100)])
def test_the_time_line_of_any_network_fits_into_its_memory(hidden, monkeypatch):
    monkeypatch.setattr(steering, "BYTES", 20_000_000)
    instrument = Instrument(hidden=hidden)
    instrument.run(1)
    later = instrument._training.snapshot().nbytes  # with what Adam remembers
    most = instrument._moments.most
    assert 12 <= most <= past.MOMENTS
    assert most * later <= 20_000_000 or most == 12


def test_what_is_forgotten_frees_its_memory_and_the_run_goes_on():
    instrument = Instrument(hidden=(5,))
    for k in range(20):
        instrument.run(20)
        instrument.alpha = k / 20
    held, before = instrument.nbytes, bits(instrument)
    instrument.forget()
    assert instrument.nbytes < held / 10
    assert not instrument.can_undo
    assert instrument.steps_kept == [instrument.step]
    assert same_bits(bits(instrument), before)
    copy = Instrument.from_state(instrument.state)
    instrument.run(20)
    copy.run(20)
    assert same_bits(bits(instrument), bits(copy))
