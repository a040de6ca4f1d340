"""Scenes: the string holds the whole run, replays to the same bits, and a damaged one is refused before anything is built."""

import base64
import json
import re
import zlib

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spectral_lab import TrainingDiverged
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.playground import Playground
from spectral_lab.live.scene import MAX_BYTES, MAX_STEPS, PREFIX, Scene, decode, encode
from spectral_lab.live.settings import SETTINGS, check
from spectral_lab.networks import ACTIVATIONS
from spectral_lab.training import PENALTIES

VALUES = {
    "alpha": st.floats(0, 1),
    "beta": st.floats(0.1, 1000),
    "rho": st.floats(0, 10),
    "hidden": st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple),
    "seed": st.integers(0, 2**63 - 1),
    "penalty": st.sampled_from(sorted(PENALTIES)),
    "train_input_eigenvalues": st.booleans(),
    "activation": st.sampled_from(sorted(ACTIVATIONS)),
    "lr": st.floats(1e-5, 0.1),
    "batch_size": st.integers(1, 2000),
    "threshold": st.floats(0, 3),
}
MOVABLE = [name for name, setting in SETTINGS.items() if setting.scene and not setting.restarts]
moves = st.sampled_from(MOVABLE).flatmap(lambda name: st.tuples(st.just(name), VALUES[name]))
GOOD = Scene({"alpha": 0.5, "hidden": (3,), "seed": 1}, [(1, "rho", 0.1), (4, "alpha", 0.25)], 9)


@st.composite
def scenes(draw):
    """Scenes with any settings at the start and moves at rising steps."""
    start = {name: draw(VALUES[name]) for name in draw(st.sets(st.sampled_from(sorted(VALUES))))}
    steps = sorted(draw(st.lists(st.integers(0, 10**6), max_size=6)))
    return Scene(start, [(step, *draw(moves)) for step in steps], (steps[-1] if steps else 0) + draw(st.integers(0, 1000)))


def packed(content):
    """A string with this JSON text inside, legal or not."""
    return PREFIX + base64.urlsafe_b64encode(zlib.compress(content.encode())).decode()


def bits(instrument):
    return {name: value.clone() for name, value in instrument.network.state_dict().items()}


def assert_same_run(replayed, original):
    torch.testing.assert_close(bits(replayed), bits(original), rtol=0, atol=0)
    off_scene = {"speed": 0, "playing": False}
    assert replayed.settings() | off_scene == original.settings() | off_scene
    assert replayed.step == original.step
    assert replayed.state == original.state


def test_there_is_a_value_here_for_every_setting_of_a_scene():
    assert set(VALUES) == {name for name, setting in SETTINGS.items() if setting.scene}


@given(scene=scenes())
def test_a_scene_comes_back_from_its_string(scene):
    text = encode(scene)
    assert text.startswith("spectral-lab:1:")
    assert re.fullmatch(r"[\w:=-]+", text)
    assert decode(text) == scene
    assert decode(f"\n {text} \n") == scene


def test_an_early_scene_is_short_enough_to_be_copied_by_hand():
    assert len(Instrument().state) < 300


# -- damaged strings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", " ", "spectral-lab", "spectral-lab:2:" + encode(GOOD)[len(PREFIX) :], "Spectral-Lab:1:", None, 7, b"spectral-lab:1:"],
)
def test_a_string_of_another_kind_or_version_is_refused_with_the_wanted_beginning(text):
    found = re.escape(f"it must begin with 'spectral-lab:1:'; found {str(text)[:24]!r}")
    with pytest.raises(ValueError, match=found):
        decode(text)


@pytest.mark.parametrize("kept", range(len(PREFIX), len(encode(GOOD))))
def test_a_string_that_breaks_off_is_refused(kept):
    with pytest.raises(ValueError, match=r"the scene is damaged: .*Copy the whole string again"):
        decode(encode(GOOD)[:kept])


@given(at=st.integers(len(PREFIX), len(encode(GOOD)) - 1), character=st.characters())
@example(at=len(PREFIX), character=" ")
@example(at=30, character="ä")
def test_a_changed_character_is_refused_or_changes_nothing(at, character):
    text = encode(GOOD)
    try:
        found = decode(text[:at] + character + text[at + 1 :])
    except ValueError as error:
        assert "the scene is damaged: " in str(error)  # noqa: PT017 (both outcomes are right)
    else:
        assert found == GOOD


@pytest.mark.parametrize("character", ["!", " ", "\n", "ä", "+"])
def test_an_inserted_character_is_refused(character):
    with pytest.raises(ValueError, match="the scene is damaged"):
        decode(encode(GOOD)[:30] + character + encode(GOOD)[30:])


@given(rubbish=st.binary(max_size=60))
def test_rubbish_after_the_prefix_is_refused(rubbish):
    for text in (rubbish.decode("latin1"), base64.urlsafe_b64encode(rubbish).decode()):
        with pytest.raises(ValueError, match="the scene is damaged"):
            decode(PREFIX + text)


def test_a_string_that_unpacks_to_far_too_much_is_refused_without_unpacking_it(monkeypatch):
    made = zlib.decompressobj
    asked = []

    class Watched:
        def __init__(self):
            self.inner = made()

        def decompress(self, packed, limit):
            content = self.inner.decompress(packed, limit)
            asked.append(len(content))
            return content

        @property
        def eof(self):
            return self.inner.eof

    bomb = packed("[" + " " * (4 * MAX_BYTES) + "]")
    assert len(bomb) < 50_000
    monkeypatch.setattr(zlib, "decompressobj", Watched)
    with pytest.raises(ValueError, match="it breaks off, or is far too long"):
        decode(bomb)
    assert max(asked) <= MAX_BYTES


WRONG = {
    "no JSON": ("{", "Expecting"),
    "no list": ("7", "cannot unpack|not iterable"),
    "a list that is too short": ("[{}, []]", "not enough values"),
    "a list that is too long": ("[{}, [], 0, 0]", "too many values"),
    "nested too deeply": ("[" * 100_000, "recursion"),
    "settings that are no table": ('["alpha", [], 0]', "attribute"),
    "an unknown setting": ('[{"alhpa": 1}, [], 0]', "there is no setting 'alhpa'"),
    "a value outside its range": ('[{"alpha": 2}, [], 0]', r"alpha = 2; wanted a number in \[0, 1\]"),
    "NaN": ('[{"rho": NaN}, [], 0]', "rho = nan; wanted"),
    "null": ('[{"rho": null}, [], 0]', "rho = None; wanted"),
    "a number with too many digits": ('[{"rho": 1' + "0" * 400 + "}, [], 0]", "rho = 10+; wanted"),
    "a layer that is too wide": ('[{"hidden": [1000000]}, [], 0]', r"hidden\[0\] = 1000000; wanted"),
    "a negative step": ("[{}, [], -1]", "step = -1; wanted a whole number from 0"),
    "a step that is no number": ('[{}, [], "9"]', "step = '9'; wanted a whole number"),
    "a step that would take for ever": (f"[{{}}, [], {MAX_STEPS + 1}]", "wanted a whole number from 0 to 50,000,000"),
    "moves that are no list": ("[{}, 3, 9]", "not iterable"),
    "a move without a value": ('[{}, [[1, "rho"]], 9]', "not enough values"),
    "moves in the wrong order": ('[{}, [[5, "rho", 1], [4, "rho", 2]], 9]', "a move at step 4; wanted a step between 5 and 9"),
    "a move after the end": ('[{}, [[10, "rho", 1]], 9]', "a move at step 10; wanted a step between 0 and 9"),
    "a move before the beginning": ('[{}, [[-1, "rho", 1]], 9]', "a move at step -1; wanted"),
    "a move at no step": ('[{}, [[0.5, "rho", 1]], 9]', "a move at step 0.5; wanted"),
    "a move of an unknown setting": ('[{}, [[1, "rhoo", 1]], 9]', "there is no setting 'rhoo'"),
    "a move outside its range": ('[{}, [[1, "rho", -1]], 9]', "rho = -1; wanted"),
    "a move of the seed": ('[{}, [[1, "seed", 3]], 9]', "seed cannot change during a run"),
    "a move of the layers": ('[{}, [[1, "hidden", [3]]], 9]', "hidden cannot change during a run"),
    "a move of the train button": ('[{}, [[1, "playing", true]], 9]', "playing cannot change during a run"),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_scene_is_refused_in_words_and_nothing_is_built(content, message, monkeypatch):
    monkeypatch.setattr(Instrument, "__init__", lambda *args, **options: pytest.fail("an instrument was built"))
    for refused in (decode, Instrument.from_state, Playground.from_state):
        with pytest.raises(ValueError, match=f"the scene is damaged: (?s:.*)({message}).*Copy the whole string again"):
            refused(packed(content))


# -- replay ------------------------------------------------------------------------------------------------------------


@st.composite
def scripts(draw):
    """Settings at the start, and what the hand does: moves, and steps of training between them."""
    start = {name: draw(VALUES[name]) for name in draw(st.sets(st.sampled_from(sorted(VALUES)), max_size=4))}
    return start, draw(st.lists(moves | st.integers(0, 30), max_size=10))


@settings(max_examples=20)
@given(script=scripts())
@example(script=({}, [("alpha", 0.1), ("alpha", 0.8), 5]))  # moved away and back before a step was taken
@example(script=({}, [5, ("rho", 1.0), ("lr", 0.01), ("rho", 1e-4), 5]))
@example(script=({}, [25, ("batch_size", 1999), 3, ("batch_size", 7), 10]))
def test_any_run_replays_to_the_same_bits_settings_and_string(script):
    start, doings = script
    original = Playground(**start)
    for doing in doings:
        if isinstance(doing, int):
            original.run(doing)
        else:
            setattr(original, *doing)
    replayed = Playground.from_state(original.state)
    assert_same_run(replayed, original)
    replayed.run(3)
    original.run(3)
    assert_same_run(replayed, original)  # and it goes on in the same way


def test_every_setting_that_can_move_is_replayed_at_its_step():
    values = {"alpha": 0.1, "beta": 90.0, "rho": 0.3, "penalty": "l1", "lr": 0.05, "batch_size": 13, "threshold": 0.1}
    assert set(values) == set(MOVABLE)
    original = Instrument(hidden=(4, 3))
    for step, (name, value) in enumerate(values.items(), 1):
        original.run(step)
        setattr(original, name, check(name, value))
    original.run(2)
    assert [name for _, name, _ in decode(original.state).moves] == list(values)
    assert [step for step, _, _ in decode(original.state).moves] == [1, 3, 6, 10, 15, 21, 28]
    assert_same_run(Instrument.from_state(original.state), original)


def test_a_slider_that_is_dragged_while_nothing_is_trained_leaves_one_move():
    instrument = Instrument()
    for alpha in (0.1, 0.2, 0.3):
        instrument.alpha = alpha
    instrument.run(1)
    instrument.alpha = 0.4
    assert decode(instrument.state).moves == [(0, "alpha", 0.3), (1, "alpha", 0.4)]


def test_the_log_begins_anew_with_a_new_network():
    instrument = Instrument()
    instrument.run(3)
    instrument.rho = 0.5
    instrument.seed = 4
    assert decode(instrument.state) == Scene({n: getattr(instrument, n) for n, s in SETTINGS.items() if s.scene}, [], 0)
    assert decode(instrument.state).start["rho"] == 0.5


def steer_wildly(instrument):
    for _ in range(100):
        instrument.alpha = 1 - instrument.alpha
        instrument.run(2)
        instrument.beta += 1


def test_a_run_that_diverged_and_went_on_replays_too():
    original = Instrument(hidden=(5, 5, 5), rho=0.0)
    original.run(25)
    original.lr = 1.0
    original.run(10)
    original.lr = 1e3
    with pytest.raises(TrainingDiverged, match=r"Lower lr, e\.g\. to 100"):
        steer_wildly(original)
    stood = original.step
    assert 35 <= stood < 235
    original.lr = 5e-3
    original.run(30)
    assert original.step == stood + 30
    assert_same_run(Instrument.from_state(original.state), original)


def test_options_that_are_no_part_of_a_scene_can_be_given_to_the_replay():
    original = Instrument(alpha=0.3)
    replayed = Instrument.from_state(original.state, speed=5, playing=True)
    assert (replayed.alpha, replayed.speed, replayed.playing) == (0.3, 5, True)
    assert original.state == replayed.state
    assert "playing" not in json.dumps(decode(original.state).start)
