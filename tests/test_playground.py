"""The playground without a browser: each question is answered, picture by picture, whatever was asked."""

import logging
import random
import re
import threading
from base64 import b64decode

import numpy as np
import pytest
import torch
from asking import OWN, ask, bits, watched
from torch.testing import assert_close

from spectral_lab.live import Classroom, FilterBench, ImageHead, PruningBench, RaceTrack, controls, playground
from spectral_lab.live.assets import HERE
from spectral_lab.live.frames import unpack
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.onelayer import OneLayer
from spectral_lab.live.playground import MOST_SLICES, SLICE, VIEWS, Playground

EXACT = {"rtol": 0, "atol": 0}


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch):
    """A slice ends after ``speed`` steps, however slow the machine."""
    monkeypatch.setattr(playground, "SLICE", 60.0)


def everything(p):
    return p.settings(), p.state, p.history, p.off, p._build_number


# -- questions and answers -------------------------------------------------------------------------------------------


def test_a_question_is_answered_with_one_frame_of_now():
    p = watched(alpha=0.3)
    frame = ask(p, number=17, client="tab")
    assert frame["words"] == p.words()
    assert frame["message"] == ""
    assert frame["controls"]["values"]["alpha"] == 0.3
    assert frame["curves"]["now"][0] == 0


def test_a_browser_that_has_another_network_gets_the_scene_first():
    p = watched()
    for known in (None, p._build_number + 1, "x"):
        ask(p, build=known)
        scene, frame = (content for content, _ in p.sent)
        assert scene["build"] == frame["build"] == p._build_number
        assert scene["graph"]["nodes"] == [3, 3, 1]
        assert set(scene["colours"]) == {"positive", "negative", "middle"}


def test_a_picture_holds_what_every_view_shows():
    p = watched(hidden=(4, 3))
    p.run(20)
    ask(p, build=None)
    for (content, (buffer,)), call in zip(p.sent, ("scene", "frame"), strict=True):
        arrays = unpack(content["contents"], buffer)
        for name, view in VIEWS.items():
            own, wanted = view.scene(p) if call == "scene" else view.frame(p, p.sight())
            assert content[name] == own
            for key, array in wanted.items():
                np.testing.assert_array_equal(arrays.pop(f"{name}.{key}"), array.flatten())
        assert arrays == {}


def test_the_messages_come_through_the_widget():
    p = watched()
    p._handle_custom_msg({"number": 3, "client": "c", "build": p._build_number, "set": {"alpha": 0.1}}, [])
    ((frame, _),) = p.sent
    assert frame["number"] == 3
    assert p.alpha == 0.1


def test_a_question_may_leave_everything_out():
    p = watched()
    p._on_message(p, {}, [])
    assert [content["kind"] for content, _ in p.sent] == ["scene", "frame"]
    assert (p.sent[1][0]["number"], p.sent[1][0]["client"]) == (None, None)


# -- moves -----------------------------------------------------------------------------------------------------------

LEGAL = {"alpha": 0.1, "beta": 50, "rho": 0, "penalty": "l1", "lr": 0.1, "threshold": 0.2, "speed": 5}


@pytest.mark.parametrize(("name", "value"), LEGAL.items())
def test_a_legal_move_is_applied_and_confirmed(name, value):
    p = watched()
    network = p.network
    frame = ask(p, set={name: value})
    assert frame["controls"]["values"][name] == getattr(p, name) == value
    assert frame["message"] == ""
    assert p.network is network


@pytest.mark.parametrize(
    ("name", "value"), [("hidden", [5, 4]), ("seed", 3), ("activation", "tanh"), ("train_input_eigenvalues", True)]
)
def test_a_move_that_restarts_brings_the_new_scene_with_it(name, value):
    p = watched()
    p.run(5)
    known = p._build_number
    frame = ask(p, set={name: value}, build=known)
    assert p._build_number == known + 1
    assert [content["kind"] for content, _ in p.sent] == ["scene", "frame"]
    assert frame["curves"]["now"][0] == 0
    assert getattr(p, name) == (tuple(value) if name == "hidden" else value)


@pytest.mark.parametrize(
    ("move", "message"),
    [
        ({"alpha": 1.5}, "alpha = 1.5; wanted a number in [0, 1]"),
        ({"alpha": None}, "alpha = None; wanted a number in [0, 1]"),
        ({"rho": -1}, "rho = -1; wanted a number"),
        ({"lr": "fast"}, "lr = 'fast'; wanted a number"),
        ({"hidden": []}, "hidden = (); wanted the sizes of 1 to 4 hidden layers"),
        ({"hidden": [301]}, "hidden[0] = 301; wanted a whole number from 1 to 300"),
        ({"seed": 0.5}, "seed = 0.5; wanted a whole number"),
        ({"penalty": "l3"}, "penalty = 'l3'; wanted one of"),
        ({"batch_size": 0}, "batch_size = 0; wanted a whole number"),
        ({"task": "own"}, "task = 'own', but there are no data"),
        ({"alpha": 0.1, "rho": -1}, "rho = -1; wanted a number"),
        ({"network": 1}, "there is no setting 'network'"),
        ({"_key": "x"}, "there is no setting '_key'"),
    ],
)
def test_an_illegal_move_is_answered_in_words_pauses_and_changes_nothing_else(move, message):
    p = watched(playing=True)
    p.run(5)
    before, network = everything(p), bits(p)
    frame = ask(p, set=move, train=1)
    assert frame["message"].startswith(message)
    assert p.playing is False
    settings, *rest = everything(p)
    assert (settings | {"playing": True}, *rest) == before
    assert_close(bits(p), network, **EXACT)
    assert ask(p)["message"] == frame["message"]  # it stays until something is done
    assert ask(p, set={"alpha": 0.25})["message"] == ""
    assert p.alpha == 0.25


@pytest.mark.parametrize("action", ["run", "Train", "__init__", 1, True, ["run"], [["train"]], [None]])
def test_an_unknown_action_is_answered_with_the_known_ones(action):
    p = watched()
    frame = ask(p, action=action)
    name = action[0] if isinstance(action, list) else action
    known = "train, pause, step, reset, undo, redo, seek, preset, real, export"
    assert frame["message"] == f"there is no action {name!r}; wanted one of {known}"
    assert p.step == 0
    assert ask(p, action="step")["message"] == ""


# -- training --------------------------------------------------------------------------------------------------------


def test_train_pause_step_and_reset_do_what_they_say():
    p = watched(speed=7)
    assert ask(p, action="train")["playing"] is True
    assert p.step == 0
    ask(p, train=1)
    assert p.step == 7
    assert ask(p, action="pause", train=1)["playing"] is False
    assert p.step == 7
    ask(p, action="train", train=1)
    assert p.step == 14
    assert ask(p, action="step", train=1)["playing"] is False
    assert p.step == 15
    known = p._build_number
    frame = ask(p, action="reset", build=known)
    assert (p.step, p._build_number, frame["curves"]["now"][0]) == (0, known + 1, 0)
    fresh = watched(speed=7)
    assert_close(bits(p), bits(fresh), **EXACT)


@pytest.mark.parametrize(
    ("playing", "asked"), [(False, 0), (False, 1), (True, 0), (True, -1), (True, None), (True, "1"), (True, 1.5), (True, [1])]
)
def test_nothing_is_trained_unless_it_plays_and_the_browser_asks(playing, asked):
    p = watched(playing=playing)
    ask(p, train=asked)
    assert p.step == 0


def test_a_slice_takes_the_time_that_leaves_room_for_20_pictures_a_second(monkeypatch):
    p, asked = watched(playing=True), []
    monkeypatch.setattr(p, "train_slice", asked.append)
    ask(p, train=1)
    assert asked == [playground.SLICE]
    assert 0 < SLICE < 1 / 20


@pytest.mark.parametrize(("asked", "pictures"), [(1, 1), (2, 2), (MOST_SLICES, MOST_SLICES), (10**9, MOST_SLICES), (True, 1)])
def test_each_slice_is_followed_by_its_picture_and_the_last_one_says_so(asked, pictures):
    p = watched(playing=True, speed=3)
    p._on_message(p, {"number": 5, "client": "c", "build": p._build_number, "train": asked}, [])
    assert [content["kind"] for content, _ in p.sent] == ["frame"] * pictures
    assert [content["curves"]["now"][0] for content, _ in p.sent] == [3 * n for n in range(1, pictures + 1)]
    assert [content["done"] for content, _ in p.sent] == [False] * (pictures - 1) + [True]
    assert {(content["number"], content["client"]) for content, _ in p.sent} == {(5, "c")}


@pytest.mark.parametrize("pauses", [False, True])
def test_a_run_that_ends_between_two_slices_is_answered_to_its_end(pauses, monkeypatch):
    p, train_slice = watched(playing=True), Instrument.train_slice

    def one_slice(seconds):
        if p.step == 2:
            if not pauses:
                raise RuntimeError("enough")
            p.playing = False
        else:
            train_slice(p, seconds)

    monkeypatch.setattr(p, "train_slice", one_slice)
    p._on_message(p, {"number": 5, "build": p._build_number, "train": 4}, [])
    assert [content["curves"]["now"][0] for content, _ in p.sent] == [1, 2, 2]
    assert [content["done"] for content, _ in p.sent] == [False, False, True]
    assert [content["playing"] for content, _ in p.sent] == [True, True, False]
    assert p.sent[-1][0]["message"] == ("" if pauses else "enough")


def test_moves_of_a_question_are_applied_before_its_slice():
    p, plain = watched(speed=3), Instrument(hidden=(3,), speed=3, rho=0.5, alpha=0.1)
    ask(p, set={"rho": 0.5, "alpha": 0.1}, action="train", train=1)
    plain.run(3)
    assert p.step == 3
    assert_close(bits(p), bits(plain), **EXACT)


@pytest.mark.parametrize("error", [RuntimeError("the disk is on fire"), KeyError(), MemoryError()])
def test_an_exception_in_a_slice_is_shown_logged_and_pauses(error, monkeypatch, caplog):
    p = watched(playing=True)

    def fail(seconds):
        raise error

    monkeypatch.setattr(p, "train_slice", fail)
    with caplog.at_level(logging.ERROR):
        frame = ask(p, train=1)
    assert frame["message"] == (str(error) or type(error).__name__)
    assert frame["playing"] is False
    assert "could not do what the browser asked" in caplog.text
    monkeypatch.undo()
    assert ask(p, action="train", train=1)["message"] == ""
    assert p.step > 0


def test_a_divergence_is_shown_with_its_cure_and_the_next_question_works():
    p = watched(hidden=(5, 5, 5), rho=0.0, speed=20)
    ask(p, action="train", train=1)
    frame = ask(p, set={"lr": 1e3}, train=1)
    assert "Lower lr, e.g. to 100" in frame["message"]
    assert (frame["playing"], p.step) == (False, 20)
    frame = ask(p, set={"lr": 5e-3}, action="train", train=1)
    assert (frame["message"], p.step) == ("", 40)


# -- Python while a browser watches ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value"), [*LEGAL.items(), ("hidden", (5,)), ("seed", 8), ("playing", True)])
def test_a_setting_set_from_python_shows_once(name, value):
    p = watched()
    setattr(p, name, value)
    assert p.sent == []  # nobody has asked yet
    setattr(p, name, Instrument.class_traits()[name].default_value if name != "hidden" else (3,))
    ask(p)
    p.sent.clear()
    setattr(p, name, value)
    assert [content["kind"] for content, _ in p.sent] == ["scene", "frame"]
    assert p.sent[1][0]["controls"]["values"][name] == value
    p.sent.clear()
    setattr(p, name, value)
    assert p.sent == []


@pytest.mark.parametrize("call", [lambda p: p.run(5), lambda p: p.reset()], ids=["run", "reset"])
def test_what_is_done_from_python_shows_once(call):
    p = watched()
    call(p)
    assert p.sent == []
    ask(p)
    p.sent.clear()
    call(p)
    assert [content["kind"] for content, _ in p.sent] == ["scene", "frame"]
    assert p.sent[1][0]["number"] is None


def test_a_refused_value_from_python_raises_and_shows_nothing():
    p = watched()
    ask(p)
    p.sent.clear()
    with pytest.raises(ValueError, match=r"alpha = 2; wanted"):
        p.alpha = 2
    assert p.sent == []


def test_a_closed_playground_stops_and_sends_nothing():
    p = watched(playing=True)
    ask(p)
    p.sent.clear()
    p.close()
    assert p.playing is False
    assert p.comm is None
    p.alpha = 0.1
    assert p.sent == []


def test_questions_and_python_on_two_threads_do_not_mix_up():
    p = watched(speed=2)
    numbers = []

    def browser():
        for n in range(60):
            p._on_message(p, {"number": n, "client": "c", "build": p._build_number, "train": 1, "action": "train"}, [])
            numbers.append(n)

    asking = threading.Thread(target=browser)
    asking.start()
    for n in range(60):
        p.alpha = n / 60
    asking.join()
    assert len(numbers) == 60
    assert p.step == 120
    answers = [content["number"] for content, _ in p.sent if content["kind"] == "frame" and content["client"] == "c"]
    assert answers == numbers
    assert_close(bits(Playground.from_state(p.state)), bits(p), **EXACT)


# -- junk --------------------------------------------------------------------------------------------------------------


def junk(chance, depth=0):
    """Any value that JSON can bring."""
    kinds = [None, True, False, 0, 1, -1, 10**30, 10**400, 0.5, float("nan"), float("inf"), "", "l1", "train", "ä" * 9]
    if depth < 2:
        kinds += [[junk(chance, depth + 1) for _ in range(chance.randrange(4))]]
        kinds += [{chance.choice(["a", "alpha", "set"]): junk(chance, depth + 1)}]
    return chance.choice(kinds)


def any_question(chance, p):
    if chance.random() < 0.1:
        return junk(chance)
    names = [*controls.SENT, "run", "", "_lock"]
    hand = [chance.choice(["eigenvalue", "switch", "rho"]), [0, chance.randrange(4), chance.choice([True, 0.5, junk(chance)])]]
    act = [chance.choice(["seek", "preset", "undo", "redo"]), chance.choice(["perceptron", 0, 5, 99, junk(chance)])]
    good = {"alpha": chance.random(), "rho": chance.random(), "speed": 1, "hidden": [chance.randint(1, 5)], "playing": True}
    moves = [good, {chance.choice(names): junk(chance)}, {}, junk(chance)]
    return {
        "number": chance.choice([chance.randrange(1000), junk(chance)]),
        "client": chance.choice(["c", junk(chance)]),
        "build": chance.choice([p._build_number, None, junk(chance)]),
        "train": chance.choice([0, 1, 2, junk(chance)]),
        "set": chance.choice(moves),
        "hands": chance.choice([None, [hand], [hand, hand], junk(chance)]),
        "action": chance.choice([None, *playground.ACTIONS[:-3], act, act[:1], junk(chance)]),
        "gesture": chance.choice([None, "c-1", "c-2", "script", "replay", junk(chance)]),
        "look": chance.choice([None, [1, 2], [0, 0], junk(chance), [junk(chance), 1]]),
    }


def test_200_questions_of_any_kind_are_all_answered(caplog, monkeypatch):
    monkeypatch.setattr(playground, "SLICE", 0.002)
    p, chance = watched(speed=1), random.Random(0)
    messages = set()
    with caplog.at_level(logging.CRITICAL):
        for _ in range(200):
            question = any_question(chance, p)
            p.sent.clear()
            p._on_message(p, question, [])
            kinds = [content["kind"] for content, _ in p.sent]
            frames = [content for content, _ in p.sent if content["kind"] == "frame"]
            assert kinds[-1] == "frame"
            assert [frame["done"] for frame in frames] == [False] * (len(frames) - 1) + [True]
            assert 1 <= len(frames) <= MOST_SLICES
            messages.add(p.sent[-1][0]["message"])
            if isinstance(question, dict):
                number = p.sent[-1][0]["number"]
                assert number is question.get("number")
    assert len(messages) > 20
    p._on_message(p, {"set": {"alpha": 0.5}, "action": "pause", "build": p._build_number}, [])
    assert p.sent[-1][0]["message"] == ""
    assert_close(bits(Playground.from_state(p.state)), bits(p), **EXACT)


# -- notebooks ---------------------------------------------------------------------------------------------------------


def test_running_a_cell_again_retires_what_it_showed_before(cell):
    cell("a", 1)
    first, second = Playground(playing=True), Playground()
    assert first.comm is not None
    cell("a", 2)
    third = Playground()
    assert first.comm is second.comm is None
    assert first.playing is False
    assert third.comm is not None
    cell("a", 3)
    Playground()
    assert third.comm is None


def test_two_in_one_run_of_a_cell_and_in_other_cells_stay_side_by_side(cell):
    cell("a", 1)
    first, second = Playground(), Playground()
    cell("b", 2)
    other = Playground()
    assert None not in (first.comm, second.comm, other.comm)


@pytest.mark.parametrize("name", [None])
def test_a_front_end_that_does_not_name_its_cells_retires_nothing(cell, name):
    cell(name, 1)
    first = Playground()
    cell(name, 2)
    Playground()
    assert first.comm is not None


def test_the_text_is_the_same_in_every_run_and_builds_the_same_network():
    p = Playground(alpha=0.3, hidden=(4, 2), seed=5)
    assert repr(p) == "Playground(alpha=0.3, beta=5, rho=0.0001, hidden=(4, 2), seed=5)"
    assert_close(bits(eval(repr(p))), bits(p), **EXACT)


def test_a_notebook_gets_the_widget_and_a_picture():
    p = Playground()
    p.run(20)
    data, _ = p._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == p.model_id
    assert data["text/plain"] == repr(p)
    picture = b64decode(data["image/png"])
    assert picture.startswith(b"\x89PNG")
    assert 5_000 < len(picture) < 300_000


def test_the_front_end_is_told_nothing_but_code_style_and_key():
    """Settings travel in questions and frames alone: one writer each."""
    first, second = Playground(), Playground()
    own = {name for name in first.keys if not name.startswith(("_model", "_view", "_dom"))}
    assert own == {"_esm", "_css", "_key", "_anywidget_id", "layout", "tabbable", "tooltip"}
    assert first._key != second._key


# -- the script ----------------------------------------------------------------------------------------------------------


def code(text):
    """JavaScript without its comments and strings."""
    return re.sub(r"//.*|/\*(?s:.*?)\*/|\"[^\"\n]*\"|'[^'\n]*'", "", text)


MODULES = (Playground, OneLayer, RaceTrack, PruningBench, Classroom, ImageHead, FilterBench)


@pytest.mark.parametrize("file", sorted(HERE.glob("*.js")), ids=lambda path: path.name)
def test_every_script_is_part_of_a_module(file):
    def inner(text):
        return re.sub(r"^export ", "", text, flags=re.MULTILINE)

    script = inner(file.read_text(encoding="utf-8")).strip()
    assert any(script in inner(module._esm) for module in MODULES)


def test_the_module_is_whole_and_fetches_nothing():
    script = Playground._esm
    assert re.findall(r"^export .*", script, flags=re.MULTILINE) == ["export default { initialize, render };"]
    assert not re.search(r"\bimport\b|\brequire\(|\bfetch\(|XMLHttpRequest|WebSocket", code(script))
    assert not re.search(r"https?:|//cdn|\bdata:", script)
    assert not re.search(r"@import|url\(", Playground._css)
    names = re.findall(r"^(?:function|const|let|class|var) +(\w+)", script, flags=re.MULTILINE)
    assert len(names) == len(set(names)) > 10


def test_every_array_that_the_script_reads_is_sent():
    sent = set()
    for p in (watched(), watched(hidden=(40, 40)), watched(task="digits"), watched(data=OWN)):
        ask(p, build=None, look=[1, 0])
        sent |= {name for content, _ in p.sent for name, _, _ in content["contents"]}
    read = set(re.findall(r"\.arrays\[\"([\w.]+)\"\]", Playground._esm))
    read |= {f"fit.{name}" for name in re.findall(r"numbers\(frame, \"(\w+)\"\)", Playground._esm)}
    assert read == sent


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    p = watched()
    ask(p, action="train", train=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_closed_playground_holds_no_past_any_more(monkeypatch):
    p = Playground(hidden=(5,))
    for k in range(10):
        p.run(20)
        p.alpha = k / 10
    p.close()
    assert p.nbytes < 30_000
    assert not p.can_undo
    assert p.run(5).step == 205
