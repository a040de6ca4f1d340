"""Scenes: the string holds the whole run, replays to the same bits, and a damaged one is refused before anything is built."""

import base64
import json
import re
import zlib

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from spectral_lab import TrainingDiverged
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.playground import Playground
from spectral_lab.live.scene import MAX_BYTES, MAX_STEPS, MAX_TEXT, PREFIX, Scene, decode, encode, to_json
from spectral_lab.live.settings import HANDS, SETTINGS, check
from spectral_lab.networks import ACTIVATIONS
from spectral_lab.penalties import PENALTIES

VALUES = {
    "task": st.sampled_from(["bowl", "product", "saddle", "ring"]),
    "noise": st.floats(0, 1),
    "validation": st.floats(0, 0.9),
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
VALUES_OF_HANDS = {
    "eigenvalue": st.tuples(st.integers(0, 3), st.integers(0, 299), st.floats(-1e6, 1e6)),
    "switch": st.tuples(st.integers(0, 3), st.integers(0, 299), st.booleans()),
}
MOVABLE = [name for name, setting in SETTINGS.items() if setting.scene and not setting.restarts]
moves = st.sampled_from(MOVABLE).flatmap(lambda name: st.tuples(st.just(name), VALUES[name]))
hands = st.sampled_from(sorted(HANDS)).flatmap(lambda name: st.tuples(st.just(name), VALUES_OF_HANDS[name]))
names = st.lists(st.sampled_from(["beta", "seed", "eigenvalue", "presets"]), unique=True).map(tuple)
GOOD = Scene({"alpha": 0.5, "hidden": (3,), "seed": 1}, [(1, "rho", 0.1), (4, "alpha", 0.25)], 9)
BEGINNING = f"{PREFIX}2:"
# written by the release before this one: alpha 0.9, hidden (4, 3), seed 2, batches of 32; rho at step 5, l1 at step 9
FIRST = (
    "spectral-lab:1:eNpFjk0OgjAQhe_y1hNSUBb0Kk1DRhhtk1pIW0jUeHerLNzNm7yfz7zAYXUMrZqBcJFSz75RhOSW71Mp1RKcn2eJ0OZMJ0vIIjN0R1gl"
    "cigPaIRujEu6g1AS-zj6uG5lFH-TuHPYJENfOWQh8FT8zsUvtQ9JwlYzIR1bfUXgMrkx-6dAn-pEcUmyW8L8c7zJmP6AoypbS2b4Y9SiFtZS29kPagxCsA=="
)


@st.composite
def scenes(draw):
    """Scenes with any settings at the start and moves at rising steps."""
    start = {name: draw(VALUES[name]) for name in draw(st.sets(st.sampled_from(sorted(VALUES))))}
    steps = sorted(draw(st.lists(st.integers(0, 10**6), max_size=6)))
    end = (steps[-1] if steps else 0) + draw(st.integers(0, 1000))
    coming = sorted(draw(st.lists(st.integers(end, 10**7), max_size=3)))
    return Scene(
        start,
        [(step, *draw(moves | hands)) for step in steps],
        end,
        [(step, *draw(moves | hands)) for step in coming],
        draw(st.text(max_size=20)),
        draw(st.text(max_size=20)),
        draw(names),
        draw(names),
        draw(st.none() | st.just("0123456789abcdef")),
    )


def packed(content, version=2):
    """A string with this JSON text inside, legal or not."""
    return f"{PREFIX}{version}:" + base64.urlsafe_b64encode(zlib.compress(content.encode())).decode()


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
    assert text.startswith("spectral-lab:2:")
    assert re.fullmatch(r"[\w:=-]+", text)
    assert decode(text) == scene
    assert decode(f"\n {text} \n") == scene
    assert decode(to_json(scene)) == scene
    assert decode(json.dumps(json.loads(to_json(scene)))) == scene  # written by another program


def test_an_early_scene_is_short_enough_to_be_copied_by_hand():
    assert len(Instrument().state) < 400


# -- damaged strings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", " ", "spectral-lab", "Spectral-Lab:2:", "spectral-lab:json:{}", "[1]", "null", None, 7, b"spectral-lab:2:"],
)
def test_a_string_of_another_kind_is_refused_with_the_wanted_beginning(text):
    found = re.escape(f"it must begin with 'spectral-lab:2:' or be a JSON file; found {str(text).strip()[:24]!r}")
    with pytest.raises(ValueError, match=found):
        decode(text)


@pytest.mark.parametrize("version", ["3", "0", "02", "", "x", "1.0"])
def test_a_scene_of_another_version_is_refused_with_the_known_ones(version):
    text = f"{PREFIX}{version}:" + encode(GOOD)[len(BEGINNING) :]
    with pytest.raises(ValueError, match=re.escape(f"this scene is of version {version!r}; this release reads 1 to 2")):
        decode(text)


@pytest.mark.parametrize("wanted", [None, "", "spectral-lab:1", "spectral-lab:3", "spectral-lab:2:", 2])
def test_a_json_file_of_another_format_is_refused(wanted):
    content = json.loads(to_json(GOOD)) | {"format": wanted}
    if wanted is None:
        del content["format"]
    with pytest.raises(ValueError, match="its 'format' is not 'spectral-lab:2'"):
        decode(json.dumps(content))


@pytest.mark.parametrize("kept", range(len(BEGINNING), len(encode(GOOD))))
def test_a_string_that_breaks_off_is_refused(kept):
    with pytest.raises(ValueError, match=r"the scene is damaged: .*Copy the whole of it again"):
        decode(encode(GOOD)[:kept])


@given(at=st.integers(len(BEGINNING), len(encode(GOOD)) - 1), character=st.characters())
@example(at=len(BEGINNING), character=" ")
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
            decode(BEGINNING + text)


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
    assert len(bomb) < MAX_BYTES / 100
    monkeypatch.setattr(zlib, "decompressobj", Watched)
    with pytest.raises(ValueError, match="it breaks off, or is far too long"):
        decode(bomb)
    assert max(asked) <= MAX_BYTES


def wrong(**changed):
    """The content of a scene with something wrong in it."""
    return json.dumps({"start": {}, "moves": [], "step": 9} | changed)


WRONG = {
    "no JSON": ("{", "Expecting"),
    "no table": ("7", "mapping"),
    "a list, as in version 1": ("[{}, [], 0]", "mapping"),
    "a table without its step": ('{"start": {}, "moves": []}', "step"),
    "an unknown entry": (wrong(more=1), "more"),
    "nested too deeply": ("[" * 100_000, "recursion"),
    "settings that are no table": (wrong(start="alpha"), "attribute"),
    "an unknown setting": (wrong(start={"alhpa": 1}), "there is no setting 'alhpa'"),
    "a move as a setting": (wrong(start={"switch": [0, 0, True]}), "switch is a move, no setting"),
    "a value outside its range": (wrong(start={"alpha": 2}), r"alpha = 2; wanted a number in \[0, 1\]"),
    "NaN": (wrong(start={"rho": float("nan")}), "rho = nan; wanted"),
    "null": (wrong(start={"rho": None}), "rho = None; wanted"),
    "a number with too many digits": (wrong(start={"rho": 10**400}), "rho = 10+; wanted"),
    "a layer that is too wide": (wrong(start={"hidden": [1000000]}), r"hidden\[0\] = 1000000; wanted"),
    "a negative step": (wrong(step=-1), "step = -1; wanted a whole number from 0"),
    "a step that is no number": (wrong(step="9"), "step = '9'; wanted a whole number"),
    "a step that is a truth": (wrong(step=True), "step = True; wanted a whole number"),
    "a step that would take for ever": (wrong(step=MAX_STEPS + 1), "wanted a whole number from 0 to 50,000,000"),
    "moves that are no list": (wrong(moves=3), "not iterable"),
    "a move without a value": (wrong(moves=[[1, "rho"]]), "not enough values"),
    "moves in the wrong order": (wrong(moves=[[5, "rho", 1], [4, "rho", 2]]), "at step 4; wanted a step between 5 and 9"),
    "a move after the end": (wrong(moves=[[10, "rho", 1]]), "a move at step 10; wanted a step between 0 and 9"),
    "a move before the beginning": (wrong(moves=[[-1, "rho", 1]]), "a move at step -1; wanted"),
    "a move at no step": (wrong(moves=[[0.5, "rho", 1]]), "a move at step 0.5; wanted"),
    "a move of an unknown setting": (wrong(moves=[[1, "rhoo", 1]]), "there is no setting 'rhoo'"),
    "a move of a setting without a name": (wrong(moves=[[1, [], 1]]), "unhashable"),
    "a move outside its range": (wrong(moves=[[1, "rho", -1]]), "rho = -1; wanted"),
    "a move of the seed": (wrong(moves=[[1, "seed", 3]]), "seed cannot change during a run"),
    "a move of the layers": (wrong(moves=[[1, "hidden", [3]]]), "hidden cannot change during a run"),
    "a move of the train button": (wrong(moves=[[1, "playing", True]]), "playing cannot change during a run"),
    "a hand on no layer": (wrong(moves=[[1, "switch", [9, 0, True]]]), r"switch\[0\] = 9; wanted"),
    "a hand with NaN": (wrong(moves=[[1, "eigenvalue", [0, 0, float("nan")]]]), r"eigenvalue\[2\] = nan; wanted"),
    "a hand without a value": (wrong(moves=[[1, "eigenvalue", [0, 0]]]), r"eigenvalue = \[0, 0\]; wanted \(hidden layer"),
    "a coming move that is over": (wrong(coming=[[8, "rho", 1]]), "a move at step 8; wanted a step between 9 and"),
    "a coming move of the seed": (wrong(coming=[[10, "seed", 1]]), "seed cannot change during a run"),
    "a title that is no text": (wrong(title=3), "title must be a text"),
    "a question that is a book": (wrong(question="x" * (MAX_TEXT + 1)), "question must be a text of at most 2,000"),
    "an unknown control to hide": (wrong(hide=["alhpa"]), r"hide holds \['alhpa'\]; known are alpha|known are task"),
    "a word to lock": (wrong(lock="beta"), "lock = 'beta'; wanted a list of names"),
    "data instead of their fingerprint": (wrong(data=[[1, 2]]), "wanted the fingerprint of the data"),
}
WRONG_FIRST = {
    "no list": ("7", "iterable"),
    "too short": ("[{}, []]", "shorter"),
    "too long": ("[{}, [], 0, 0]", "longer"),
    "settings that are no table": ('["alpha", [], 0]', "attribute"),
    "a value outside its range": ('[{"alpha": 2}, [], 0]', "alpha = 2; wanted"),
}
CASES = [
    *(pytest.param(packed(content), message, id=name) for name, (content, message) in WRONG.items()),
    *(pytest.param(packed(content, 1), message, id=f"version 1, {name}") for name, (content, message) in WRONG_FIRST.items()),
]


@pytest.mark.parametrize(("text", "message"), CASES)
def test_a_wrong_scene_is_refused_in_words_and_nothing_is_built(text, message, monkeypatch):
    monkeypatch.setattr(Instrument, "__init__", lambda *args, **options: pytest.fail("an instrument was built"))
    for refused in (decode, Instrument.from_state, Playground.from_state):
        with pytest.raises(ValueError, match=f"the scene is damaged: (?s:.*)({message})(?s:.*)Copy the whole of it again"):
            refused(text)


@given(
    content=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["format", "start", "moves", "step", "coming", "title", "hide", "data", "alpha"]),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_any_json_is_a_scene_or_refused_in_words(content):
    if isinstance(content, dict):
        content["format"] = "spectral-lab:2"
    for text in (json.dumps(content), packed(json.dumps(content)), packed(json.dumps(content), 1)):
        try:
            decode(text)
        except ValueError as error:
            assert "the scene is damaged: " in str(error) or "this is no scene" in str(error)  # noqa: PT017


# -- replay ------------------------------------------------------------------------------------------------------------


def test_a_string_of_version_1_replays_to_the_weights_that_it_was_made_with():
    replayed = Instrument.from_state(FIRST)
    assert (replayed.step, replayed.rho, replayed.penalty) == (12, 0.01, "l1")
    assert replayed.validation == 0.0  # that version trained on all data
    assert len(replayed.problem.x) == 2000
    first, second = replayed.network.hidden_eigenvalues()
    wanted = [0.03491634130477905, -0.0014302240451797843, -0.0009492007666267455, 0.02300882153213024]
    torch.testing.assert_close(first.detach(), torch.tensor(wanted))
    torch.testing.assert_close(second.detach(), torch.tensor([-0.05742521584033966, 0.009007628075778484, 0.03451432287693024]))
    assert replayed.state.startswith(BEGINNING)
    assert_same_run(Instrument.from_state(replayed.state), replayed)


def test_every_setting_that_can_move_is_replayed_at_its_step():
    values = {
        "alpha": 0.1,
        "beta": 90.0,
        "rho": 0.3,
        "penalty": "l1",
        "lr": 0.05,
        "batch_size": 13,
        "threshold": 0.1,
        "noise": 0.2,
    }
    assert set(values) == set(MOVABLE)
    original = Instrument(hidden=(4, 3))
    for step, (name, value) in enumerate(values.items(), 1):
        original.run(step)
        setattr(original, name, check(name, value))
    original.run(2)
    assert [name for _, name, _ in decode(original.state).moves] == list(values)
    assert [step for step, _, _ in decode(original.state).moves] == [1, 3, 6, 10, 15, 21, 28, 36]
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
