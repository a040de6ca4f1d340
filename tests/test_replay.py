"""Replay: whatever was done to an instrument, its string and its JSON lead to the same bits and the same string."""

import pytest
import torch
from doings import bits, do, moves, rewinds, same_bits, seeks, starts, training
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spectral_lab import TrainingDiverged
from spectral_lab.live.export import code
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.playground import Playground
from spectral_lab.live.settings import SETTINGS

OWN = (torch.rand(40, 3, generator=torch.Generator().manual_seed(0)), torch.arange(40.0))


pytestmark = pytest.mark.usefixtures("short_presets")


def of_the_scene(instrument):
    return {name: value for name, value in instrument.settings().items() if SETTINGS[name].scene}


def assert_same_run(replayed, original):
    assert same_bits(bits(replayed), bits(original))
    assert of_the_scene(replayed) == of_the_scene(original)
    assert (replayed.step, replayed.off, replayed.heading) == (original.step, original.off, original.heading)
    assert (replayed.hide, replayed.locked) == (original.hide, original.locked)
    assert replayed.state == original.state
    assert replayed.json == original.json


doings = st.lists(moves | training | training | seeks | rewinds, min_size=1, max_size=12)


@settings(max_examples=200)
@given(start=starts, doings=doings)
@example({"hidden": (3,)}, [("set", "alpha", 0.1), ("set", "alpha", 0.8), ("run", 5)])  # away and back before a step
@example({"hidden": (3,)}, [("run", 5), ("set", "rho", 1.0), ("set", "lr", 0.01), ("set", "rho", 1e-4), ("run", 5)])
@example({"hidden": (3,)}, [("run", 25), ("set", "batch_size", 1999), ("run", 3), ("set", "batch_size", 7), ("run", 10)])
@example({"hidden": (3,)}, [("preset", "at once"), ("run", 9), ("set", "beta", 9.0), ("run", 9)])  # in the middle of a script
@example({"hidden": (3,)}, [("switch", 0, False), ("run", 5), ("eigenvalue", 0, 2.0), ("switch", 0, True), ("run", 5)])
@example({"hidden": (3,)}, [("run", 45), ("seek", 0.4), ("eigenvalue", 1, 2.0), ("run", 9), ("undo",), ("undo",), ("run", 5)])
@example({"hidden": (3, 3)}, [("run", 5), ("set", "lr", 1e3), ("run", 25), ("run", 25), ("set", "lr", 0.01), ("run", 9)])
def test_any_run_replays_to_the_same_bits_settings_and_string(start, doings):
    original = Instrument(**start)
    for k, doing in enumerate(doings):
        do(original, doing, gesture=f"gesture {k}")
    for text in (original.state, original.json):
        replayed = Instrument.from_state(text)
        assert_same_run(replayed, original)
        assert not replayed.can_undo
    if do(original, ("run", 7)):  # and it goes on in the same way, with the moves that were still to come
        do(replayed, ("run", 7))
        assert_same_run(replayed, original)


@settings(max_examples=40)
@given(parts=st.lists(st.integers(1, 30), min_size=1, max_size=6), at=st.integers(0, 5))
def test_a_run_in_slices_replays(parts, at):
    original = Playground(hidden=(3,), alpha=1.0)
    original.follow([(10, "rho", 0.1), (10, "eigenvalue", (0, 1, 0.5)), (33, "switch", (0, 0, False)), (50, "alpha", 0.2)])
    for k, part in enumerate(parts):
        original.speed = part
        original.train_slice(60.0)
        if k == at:
            original.beta = 9.0
    assert_same_run(Playground.from_state(original.state), original)


def steer_wildly(instrument):
    for _ in range(20):
        instrument.alpha = 1 - instrument.alpha
        instrument.run(3)


def diverged(seed=0, **options):
    original = Instrument(hidden=(5, 5, 5), rho=0.0, seed=seed, **options)
    original.run(25)
    original.lr = 1e3
    with pytest.raises(TrainingDiverged, match="Lower lr"):
        steer_wildly(original)
    return original


@pytest.mark.parametrize("seed", range(3))
def test_a_run_that_diverged_and_went_on_replays(seed):
    original = diverged(seed)
    assert_same_run(Instrument.from_state(original.state), original)
    original.lr = 5e-3
    original.switch(1, 2)
    original.run(30)
    assert_same_run(Instrument.from_state(original.state), original)


def test_a_run_that_diverged_at_the_steps_before_a_scripted_move_goes_back_to_before_the_move():
    original = Instrument(hidden=(5, 5, 5), rho=0.0)
    original.run(25)
    original.lr = 1e3
    original.follow([(41, "rho", 0.5), (42, "alpha", 0.1)])
    with pytest.raises(TrainingDiverged, match="between steps 25 and"):
        original.run(20)  # one record at its end, and the moves before it
    assert (original.step, original.rho, original.alpha) == (25, 0.0, 0.8)
    assert [move[0] for move in original.scene().coming] == [41, 42]
    assert_same_run(Instrument.from_state(original.state), original)
    original.lr = 5e-3
    original.run(20)
    assert (original.rho, original.alpha) == (0.5, 0.1)
    assert_same_run(Instrument.from_state(original.state), original)


OTHERS = {"digits": {"task": "digits"}, "own": {"data": OWN}, "not its own": {"data": OWN, "task": "saddle"}}


@pytest.mark.parametrize("options", OTHERS.values(), ids=OTHERS)
def test_runs_on_other_data_replay(options):
    original = Instrument(hidden=(4,), **options)
    original.run(10)
    original.rho = 0.01
    original.switch(0, 1)
    original.run(10)
    data = options.get("data")
    assert_same_run(Instrument.from_state(original.state, data=data), original)
    assert_same_run(Instrument.from_state(original.json, data=data), original)
    if original.task == "own":
        with pytest.raises(ValueError, match="made with its author's own data"):
            Instrument.from_state(original.state)
        with pytest.raises(ValueError, match="made with other data than these"):
            Instrument.from_state(original.state, data=(OWN[0], OWN[1] ** 2))


def test_the_exercise_around_a_run_replays_with_it():
    original = Instrument(hidden=(3,), hide=["beta"], lock=["seed"], title="Un titre “ä” 𝄞", question="Why?\nHow?")
    original.run(3)
    assert_same_run(Instrument.from_state(original.state), original)
    assert_same_run(Instrument.from_state(original.json), original)


@settings(max_examples=25)
@given(start=starts, doings=st.lists(moves | training, min_size=1, max_size=8))
def test_the_exported_code_rebuilds_the_run(start, doings):
    original = Instrument(**start)
    for k, doing in enumerate(doings):
        do(original, doing, gesture=f"gesture {k}")
    rebuilt = {}
    exec(code(original).replace("\np\n", "\n"), rebuilt)
    p = rebuilt["p"]
    assert same_bits(bits(p), bits(original))
    assert of_the_scene(p) == of_the_scene(original)
    assert (p.step, p.off, p.heading) == (original.step, original.off, original.heading)
    do(original, ("run", 5))
    do(p, ("run", 5))
    assert same_bits(bits(p), bits(original))
