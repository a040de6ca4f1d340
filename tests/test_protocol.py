"""Every question that a browser can ask is answered, in words if it cannot be; what is sent is what the page expects."""

import io
import json
import math
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from asking import OWN, ask, bits, watched
from PIL import Image
from safetensors.torch import load
from torch.testing import assert_close

from spectral_lab.live import playground
from spectral_lab.live.export import KINDS
from spectral_lab.live.frames import unpack
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.playground import ACTIONS, IDLE, SELDOM, VIEWS, Playground
from spectral_lab.live.presets import PRESETS
from spectral_lab.live.settings import SETTINGS
from spectral_lab.storage import load_network
from spectral_lab.tasks import alpha_beta

EXACT = {"rtol": 0, "atol": 0}
JUNK = [None, True, -1, 0.5, 10**400, math.nan, math.inf, "", "x", "ä" * 99, [], {}, [[]], [None, 1], {"a": [1]}]


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch):
    """A slice ends after ``speed`` steps, however slow the machine."""
    monkeypatch.setattr(playground, "SLICE", 60.0)


def usable(p):
    """After whatever was asked: nothing is said, and it trains when it is told to."""
    before = p.step
    frame = ask(p, action="train", train=1)
    assert (frame["message"], frame["playing"]) == ("", True)
    assert p.step > before
    ask(p, action="pause")
    assert_close(bits(Playground.from_state(p.state, data=OWN if p.task == "own" else None)), bits(p), **EXACT)


# -- settings ----------------------------------------------------------------------------------------------------------

LEGAL = {
    "task": ["product", "saddle", "ring", "digits", "bowl", "own"],
    "alpha": [0, 1, 0.5],
    "beta": [0.01, 1e6],
    "rho": [0, 1.5],
    "noise": [0, 0.5],
    "validation": [0, 0.9, 0.25],
    "hidden": [[1], [3, 2, 1, 2], [300]],
    "seed": [0, 2**63 - 1],
    "penalty": ["l1", "l2_norm", "l2_squared"],
    "train_input_eigenvalues": [True, False],
    "activation": ["elu", "gelu", "relu", "sigmoid", "tanh"],
    "lr": [1e-9, 0.05],
    "batch_size": [1, 2000],
    "threshold": [0, 1e6],
    "section": [[1, 2], [2, 0]],
    "speed": [10_000, 0, 3],
    "playing": [True, False],
}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_takes_its_legal_values_and_the_answer_confirms_them(name):
    p = watched(data=OWN, task="own" if name == "section" else "bowl")
    for value in LEGAL[name]:
        frame = ask(p, set={name: value}, number=str(value))
        assert frame["message"] == ""
        wanted = tuple(value) if isinstance(value, list) else value
        assert frame["controls"]["values"][name] == getattr(p, name) == wanted
    p.speed = 1
    usable(p)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_refuses_junk_in_words_pauses_and_can_be_used_again(name):
    p = watched(playing=True)
    p.run(2)
    before, state, number = bits(p), p.state, p._build_number
    for value in JUNK:
        taken = isinstance(value, bool) and name in ("playing", "train_input_eigenvalues")
        if taken or (name in ("alpha", "beta", "rho", "noise", "validation", "lr", "threshold") and value == 0.5):
            continue
        p.playing = True
        frame = ask(p, set={name: value}, train=1)
        assert frame["message"].startswith(f"{name}"), value
        assert "; wanted " in frame["message"]
        assert (frame["playing"], p.state, p._build_number) == (False, state, number)
    assert_close(bits(p), before, **EXACT)
    usable(p)


@pytest.mark.parametrize("set_", [*JUNK[1:], 7, [["alpha", 0.5]], "alpha"], ids=repr)
def test_moves_that_are_no_table_are_answered(set_, caplog):
    p = watched()
    frame = ask(p, set=set_)
    assert (frame["message"] != "") == bool(set_)
    assert p.can_undo is False
    usable(p)


@pytest.mark.parametrize(
    "hands", [*JUNK[1:], [["eigenvalue"]], [["rho", 1, 2]], [[[], 1]], [["eigenvalue", None]], "eigenvalue"], ids=repr
)
def test_hands_that_are_none_are_answered(hands, caplog):
    p = watched()
    frame = ask(p, hands=hands)
    assert (frame["message"] != "") == bool(hands)
    assert p.can_undo is False
    usable(p)


def test_of_several_moves_none_is_made_if_one_is_illegal():
    p = watched()
    state = p.state
    for question in [
        {"set": {"alpha": 0.1, "rho": -1}},
        {"set": {"alpha": 0.1}, "hands": [["eigenvalue", [0, 0, math.nan]]]},
        {"hands": [["switch", [0, 0, False]], ["eigenvalue", [9, 0, 1.0]]]},
    ]:
        assert "; wanted " in ask(p, **question)["message"]
        assert (p.state, p.off, p.can_undo) == (state, frozenset(), False)


# -- actions -----------------------------------------------------------------------------------------------------------

VALUES = {"seek": [0, 5, 10**6], "preset": list(PRESETS), "export": list(KINDS)}


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_answered_whatever_its_value_and_leaves_a_usable_instrument(action, caplog, monkeypatch):
    monkeypatch.setattr("spectral_lab.live.instrument.PRESETS", {name: PRESETS[name] for name in ("perceptron", "grow")})
    p = watched()
    p.run(25)
    p.alpha = 0.5
    for value in [*VALUES.get(action, [])[:4], *(JUNK if action != "real" else JUNK[:2])]:  # that draws each time
        for asked in ([action, value], [action], action, [action, value, value]):
            frame = ask(p, action=asked, train=0)
            assert isinstance(frame["message"], str)
            if frame["message"]:
                assert frame["playing"] is False
    usable(p)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (["seek", -1], "step = -1; wanted a whole number of at least 0"),
        (["seek", "5"], "step = '5'; wanted"),
        (["seek"], "step = None; wanted"),
        (["preset", "x"], "there is no preset 'x'; wanted one of perceptron, grow"),
        (["export", "x"], "there is no export 'x'; wanted one of scene, code"),
        ("undo", "there is nothing to undo"),
        ("redo", "there is nothing to redo"),
    ],
)
def test_what_cannot_be_done_is_said_and_pauses(action, message):
    p = watched(playing=True)
    frame = ask(p, action=action, train=1)
    assert frame["message"].startswith(message)
    assert (frame["playing"], p.step) == (False, 0)
    usable(p)


def test_undo_redo_and_seek_bring_the_controls_and_the_curves_with_them():
    p = watched()
    p.run(40)
    ask(p, set={"alpha": 0.1}, gesture="c-1")
    for _ in range(3):
        ask(p, action="train", train=1)
    ask(p, action="pause")
    assert p.step == 43
    known = p._build_number
    frame = ask(p, action="undo", build=known)
    assert (frame["controls"]["values"]["alpha"], frame["curves"]["now"][0], frame["curves"]["last"]) == (0.8, 40, 40)
    assert (frame["controls"]["undo"], frame["controls"]["redo"]) == (False, True)
    known = p._build_number
    frame = ask(p, action="redo", build=known)
    assert (frame["controls"]["values"]["alpha"], frame["curves"]["now"][0]) == (0.1, 43)
    assert p._build_number > known  # another past, which the browser has not seen
    scene, (buffer,) = p.sent[0]
    past = unpack(scene["contents"], buffer)["curves.past"].reshape(-1, len(scene["curves"]["columns"]))
    assert past[-1, 0] == 43
    known = p._build_number
    frame = ask(p, action=["seek", 20], build=known)
    assert (frame["curves"]["now"][0], frame["curves"]["last"], p._build_number) == (20, 43, known)  # the same run
    assert frame["controls"]["values"]["alpha"] == 0.8


def test_the_moves_of_one_drag_are_one_undo_and_those_of_another_page_are_its_own():
    p = watched()
    for alpha, gesture in [(0.1, "a-1"), (0.2, "a-1"), (0.3, "b-1"), (0.4, "b-1"), (0.5, "a-2"), (0.6, None), (0.7, None)]:
        ask(p, set={"alpha": alpha}, gesture=gesture)
    found = []
    while p.can_undo:
        ask(p, action="undo")
        found.append(p.alpha)
    assert found == [0.6, 0.5, 0.4, 0.2, 0.8]


@pytest.mark.parametrize("gesture", ["script", "replay", *JUNK], ids=repr)
def test_a_gesture_of_any_name_can_be_undone_and_is_measured(gesture):
    p = watched()
    p.follow([(50, "alpha", 0.9)])
    frame = ask(p, set={"alpha": 0.1}, gesture=gesture)
    assert frame["message"] == ""
    assert p.record.alpha == 0.1
    assert p.scene().coming == []  # the hand wins
    assert ask(p, action="undo")["controls"]["values"]["alpha"] == 0.8


def test_a_preset_brings_title_question_and_its_own_network_and_undo_takes_it_back():
    p = watched(data=OWN, title="Mine")
    assert p.task == "own"
    p.run(5)
    before = bits(p)
    frame = ask(p, action=["preset", "depth"], build=p._build_number)
    scene = p.sent[0][0]
    assert (scene["controls"]["title"], scene["controls"]["question"]) == (PRESETS["depth"].title, PRESETS["depth"].question)
    assert frame["controls"]["values"]["hidden"] == (10, 30)
    assert frame["controls"]["values"]["task"] == "bowl"
    frame = ask(p, action="undo", build=p._build_number)
    assert p.sent[0][0]["controls"]["title"] == "Mine"
    assert p.sent[0][0]["graph"]["nodes"] == [4, 3, 1]
    assert frame["controls"]["values"]["task"] == "own"
    assert_close(bits(p), before, **EXACT)


def test_another_section_brings_its_axes_and_its_data():
    p = watched(data=OWN)
    known = p._build_number
    ask(p, set={"section": [1, 2]}, build=known)
    assert p.sent[0][0]["kind"] == "scene"
    assert p.sent[0][0]["fit"]["axes"] == ("x2", "x3")
    ask(p, action="undo", build=p._build_number)
    assert p.sent[0][0]["fit"]["axes"] == ("x1", "x2")


# -- guided exercises --------------------------------------------------------------------------------------------------

PART = {"undo": "undo", "redo": "undo", "pause": "train", "seek": "time", "preset": "presets"}


@pytest.mark.parametrize("how", ["lock", "hide"])
@pytest.mark.parametrize("name", [*SETTINGS, "eigenvalue", "switch"])
def test_a_locked_or_hidden_control_cannot_be_moved_by_a_question_but_by_python(name, how):
    p = watched(data=OWN, task="own" if name == "section" else "bowl", **{how: [name]})
    before = p.settings(), p.state
    hands = {"eigenvalue": [0, 0, 0.5], "switch": [0, 0, False]}
    move = {"hands": [[name, hands[name]]]} if name in hands else {"set": {name: LEGAL[name][0]}}
    frame = ask(p, **move)
    assert frame["message"] == f"{name} is locked in this exercise"
    assert (p.settings(), p.state, p.off) == (*before, frozenset())
    free = "lr" if name != "lr" else "rho"
    assert ask(p, set={free: 0.02})["message"] == ""
    assert "is locked" in ask(p, **move, action="step")["message"]
    assert p.step == 0
    if name in SETTINGS:
        setattr(p, name, tuple(LEGAL[name][0]) if isinstance(LEGAL[name][0], list) else LEGAL[name][0])
    else:
        p._move(name, tuple(hands[name]))


@pytest.mark.parametrize("how", ["lock", "hide"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_locked_or_hidden_button_does_nothing(action, how):
    part = PART.get(action, action)
    p = watched(**{how: [part]})
    p.run(5)
    p.alpha = 0.1
    before = p.settings(), p.state, bits(p)
    asked = {"seek": ["seek", 0], "preset": ["preset", "grow"], "export": ["export", "scene"]}.get(action, action)
    frame = ask(p, action=asked, train=1)
    assert frame["message"] == f"{part} is locked in this exercise"
    assert (p.settings(), p.state) == before[:2]
    assert_close(bits(p), before[2], **EXACT)
    assert [content["kind"] for content, _ in p.sent] == ["frame"]


@pytest.mark.parametrize("names", ["beta", ["alhpa"], 7, None, [1]], ids=repr)
@pytest.mark.parametrize("how", ["lock", "hide"])
def test_an_exercise_with_unknown_names_is_refused(names, how):
    with pytest.raises(ValueError, match=f"{how} (=|holds)"):
        Playground(**{how: names})


# -- looking -----------------------------------------------------------------------------------------------------------


NO_NODES = [*JUNK, [1], [1, 2, 3], [1.0, 2], [-1, 0], ["1", 2], [True, 0], [9, 0], [1, 99], [10**400, 0]]


@pytest.mark.parametrize("look", NO_NODES, ids=repr)
@pytest.mark.parametrize("more", [{}, {"set": {"alpha": 0.25}}], ids=["looking", "moving"])
def test_a_look_at_nothing_shows_nothing_and_does_no_harm(look, more):
    p = watched()
    frame = ask(p, look=look, **more)
    assert (frame["hover"], frame["message"]) == ({"node": None}, "")


@pytest.mark.parametrize("options", [{"hidden": (4, 3)}, {"task": "digits"}, {"data": OWN}], ids=["family", "digits", "own"])
def test_a_look_at_each_node_tells_of_it(options):
    p = watched(**options)
    p.run(30)
    p.switch(0, 0, False)
    nodes = p.network.nodes
    for layer, n in [(layer, n) for layer, width in enumerate(nodes) for n in range(min(width, 4))] + [(0, nodes[0] - 1)]:
        frame = ask(p, look=[layer, n])
        told = frame["hover"]
        assert told["node"] == [layer, n]
        assert told["name"]
        assert 1 <= len(told["links"]) <= 4
        if 0 < layer < len(nodes) - 1:
            assert told["eigenvalue"] == p.network.eigenvalues[layer][n].item()
            assert told["on"] == ((layer, n) != (1, 0))
        else:
            assert "eigenvalue" not in told
    assert frame["hover"]["name"] == "bias"


def test_a_look_is_no_touch_and_takes_no_message_away():
    p = watched()
    message = ask(p, set={"rho": -1})["message"]
    p._touched = -1e9
    assert ask(p, look=[1, 0])["message"] == message
    assert p._touched == -1e9


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_while_it_trains_what_changes_slowly_comes_with_every_third_picture():
    p = watched(playing=True)
    ask(p, build=None)
    shown = []
    for _ in range(9):
        frame = ask(p, train=1)
        shown.append({name for name in VIEWS if name in frame})
        arrays = unpack(frame["contents"], p.sent[-1][1][0])
        assert {name.split(".")[0] for name in arrays} <= shown[-1]
    assert [SELDOM.keys() <= names for names in shown].count(True) == 3
    assert [i % 3 for i, names in enumerate(shown) if "fit" in names] == [shown.index(set(VIEWS)) % 3] * 3
    assert all(names >= set(VIEWS) - set(SELDOM) for names in shown)


def test_a_picture_of_a_move_of_rest_and_of_a_new_network_is_full():
    p = watched(playing=True)
    for _ in range(6):
        assert set(VIEWS) <= set(ask(p, set={"alpha": p.alpha / 2}, train=0))
        assert set(VIEWS) <= set(ask(p, train=1, build=None))
        ask(p, train=1)
    assert set(VIEWS) <= set(ask(p, action="pause", train=3))
    assert set(VIEWS) <= set(ask(p, train=3))


# -- files -------------------------------------------------------------------------------------------------------------


def sent_file(p, kind):
    ask(p, action=["export", kind])
    ((content, buffers),) = [(content, buffers) for content, buffers in p.sent if content["kind"] == "file"]
    (content_bytes,) = buffers
    assert isinstance(content_bytes, bytes)
    assert (content["name"], content["mime"]) == (f"spectral_lab{KINDS[kind][0]}", KINDS[kind][1])
    return content_bytes


@pytest.fixture(scope="module", params=[{"hidden": (4, 2)}, {"task": "digits"}, {"data": OWN}], ids=["family", "digits", "own"])
def exporting(request):
    p = watched(**request.param)
    p.run(45)
    p.rho = 0.01
    p.switch(0, 1, False)
    p.run(20)
    return p


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_arrives_with_its_name_and_can_be_opened(kind, exporting, tmp_path):
    p = exporting
    before, state = bits(p), p.state
    content = sent_file(p, kind)
    if kind == "scene":
        again = Instrument.from_state(content.decode(), data=OWN if p.task == "own" else None)
        assert_close(bits(again), before, **EXACT)
    elif kind == "code":
        compile(content.decode(), "code", "exec")
        assert content.decode().startswith(f"# {p.words()}\n")
    elif kind in ("weights", "small"):
        assert len(load(content)) > 0
        path = tmp_path / "a.safetensors"
        path.write_bytes(content)
        small = load_network(path)
        x = p.problem.points
        if kind == "weights":
            assert_close({name: value.clone() for name, value in small.state_dict().items()}, before, **EXACT)
        else:
            assert_close(small(x), p.sight().signals[-1], rtol=1e-4, atol=1e-4)
    elif kind == "svg":
        assert b"<svg" in content[:1000]
    else:
        with Image.open(io.BytesIO(content)) as picture:
            assert picture.format == {"png": "PNG", "animation": "WEBP"}[kind]
            assert getattr(picture, "n_frames", 1) == (len(p.steps_kept) if kind == "animation" else 1)
            extremes = np.asarray(picture.convert("L"))
            assert extremes.min() < 100 < extremes.max()
    if kind == "animation":
        assert next(c["words"] for c, _ in p.sent if c["kind"] == "alive").startswith("drawing picture 1 of ")
    assert p.state == state
    assert_close(bits(p), before, **EXACT)


@pytest.mark.parametrize("threshold", [0.0, 0.05, 1e6])
def test_the_small_network_is_shown_beside_the_large_one(threshold, exporting):
    p = exporting
    p.threshold = threshold
    frame = ask(p, action="real", train=1)
    ((head, (png,)),) = [(content, buffers) for content, buffers in p.sent if content["kind"] == "real"]
    assert [row[0] for row in head["rows"]] == ["nodes", "parameters", "loss on all data"]
    assert all(isinstance(cell, str) and cell for row in head["rows"] for cell in row)
    assert head["words"].startswith("The same function" if head["same"] else "Not the same function")
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
    assert frame["playing"] is False
    p.undo()


@pytest.mark.parametrize(("threshold", "same"), [(0.0, True), (1e6, False)])
def test_the_small_network_is_the_same_function_unless_something_was_cut_that_carried_a_signal(threshold, same):
    p = watched(hidden=(6,), alpha=1.0, lr=0.02)
    p.run(200)
    p.threshold = threshold
    ask(p, action="real")
    head = next(content for content, _ in p.sent if content["kind"] == "real")
    assert head["same"] is same
    assert head["words"].startswith("The same function" if same else "Not the same function")
    assert (head["rows"][0][1], head["rows"][0][2]) == ("3 - 6 - 1", "2 - 6 - 1" if same else head["rows"][0][2])


# -- nobody there ------------------------------------------------------------------------------------------------------


def test_training_pauses_when_nobody_has_touched_it_for_long_and_says_so(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(playground, "time", SimpleNamespace(monotonic=lambda: now[0]))
    p = watched()
    ask(p, action="train", train=1)
    now[0] += IDLE - 1
    assert ask(p, train=1)["playing"] is True  # the clock of the page is no touch
    ask(p, train=1, look=[1, 0])
    now[0] += 2
    frame = ask(p, train=3)
    assert (frame["playing"], p.step) == (False, 3)
    assert frame["message"] == "Paused after 10 minutes without a touch, to leave the machine to others. Press Train."
    assert ask(p, train=1)["message"] == frame["message"]
    frame = ask(p, action="train", train=1)
    assert (frame["message"], frame["playing"], p.step) == ("", True, 4)
    now[0] += IDLE - 1
    ask(p, set={"alpha": 0.1}, train=1)
    now[0] += IDLE - 1
    assert ask(p, train=1)["playing"] is True  # a move is a touch
    p.rho = 0.1  # Python too
    now[0] += IDLE - 1
    assert ask(p, train=1)["playing"] is True


def test_one_step_is_trained_however_long_nobody_was_there(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(playground, "time", SimpleNamespace(monotonic=lambda: now[0]))
    p = watched()
    now[0] += 10 * IDLE
    assert ask(p, action="step")["message"] == ""
    assert p.step == 1


# -- several threads ---------------------------------------------------------------------------------------------------


def assert_consistent(p):
    """Traits, what is in force, data and log tell the same story."""
    settings = {name: value for name, value in p.settings().items() if name != "playing"}
    assert p._settings == settings
    training = p._training
    assert [training.rho, training.lr, training.penalty, training.batch_size] == [p.rho, p.lr, p.penalty, p.batch_size]
    y = alpha_beta(p.alpha, p.beta, 2000, noise=p.noise, seed=p.seed).y
    assert_close(training.data[1], y[: len(training.data[1])], **EXACT)
    assert p.network.sizes == (2, *p.hidden, 1)
    assert_close(bits(Playground.from_state(p.state)), bits(p), **EXACT)


def test_a_setting_that_waits_for_its_turn_is_not_in_force_yet():
    p = watched()
    with p._lock:
        waiting = threading.Thread(target=setattr, args=(p, "beta", 9.0))
        waiting.start()
        while p.beta != 9:  # it is set, but neither in force nor logged as long as this thread has the lock
            time.sleep(0.001)
        p.alpha = 0.3
        p.run(5)
    waiting.join()
    assert_consistent(p)


@pytest.mark.parametrize("seed", range(3))
def test_questions_of_two_pages_and_python_at_once_keep_the_instrument_consistent(seed):
    p, problems = watched(speed=2, seed=seed), []

    def doing(what):
        def work():
            try:
                for n in range(40):
                    what(n)
            except Exception as error:
                problems.append(error)

        return threading.Thread(target=work)

    def question(n):
        moves = [
            {"set": {"alpha": n / 40}, "gesture": f"a-{n // 5}"},
            {"hands": [["eigenvalue", [0, n % 3, n / 100]]]},
            {"hands": [["switch", [0, n % 3, n % 4 > 0]]]},
            {"action": "undo"},
            {"action": ["seek", n]},
            {"action": "redo"},
        ]
        p._on_message(p, {"number": n, "client": "b", **moves[(n + seed) % len(moves)]}, [])

    def python(n):
        p.lr = 1e-3 * (1 + n % 7)
        p.rho = n % 5 / 1000
        p.beta = 1 + n % 9
        if n == 20:
            p.hidden = (3, 2)

    threads = [
        doing(lambda n: p._on_message(p, {"number": n, "client": "a", "train": 1, "action": "train"}, [])),
        doing(question),
        doing(python),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    answers = [content for content, _ in p.sent if content["kind"] == "frame" and content["done"] and content["client"]]
    for client in "ab":
        assert [content["number"] for content in answers if content["client"] == client] == list(range(40))
    json.dumps([content for content, _ in p.sent], allow_nan=False)
    ask(p, action="pause")
    assert_consistent(p)
    usable(p)


def test_a_setting_moved_while_another_thread_undoes_is_not_lost(monkeypatch):
    p, held, go_on = watched(), threading.Event(), threading.Event()
    p.alpha = 0.1
    restore = p._set_problem

    def slowly():
        if threading.current_thread().name == "undoing":
            held.set()
            assert go_on.wait(10)
        restore()

    monkeypatch.setattr(p, "_set_problem", slowly)
    undoing = threading.Thread(target=p.undo, name="undoing")
    undoing.start()
    assert held.wait(10)
    moving = threading.Thread(target=setattr, args=(p, "lr", 0.07))
    moving.start()
    until = time.monotonic() + 10
    while p.lr != 0.07 and time.monotonic() < until:
        time.sleep(0.001)
    go_on.set()
    undoing.join()
    moving.join()
    assert (p.alpha, p.lr, p._training.lr) == (0.8, 0.07, 0.07)
    assert p.scene().moves == [(0, "lr", 0.07)]
    assert_consistent(p)


def test_the_numbers_of_a_picture_are_of_one_moment_while_another_thread_trains():
    p, done = watched(hidden=(6,), speed=1), threading.Event()

    def train():
        while not done.is_set():
            p.train_slice(60.0)

    training = threading.Thread(target=train)
    training.start()
    try:
        for _ in range(30):
            sight = p.sight()
            assert sum(sight.shape.live) == sum(sight.record.live)
            assert_close(torch.tensor(sight.shape.norm), torch.tensor(sight.record.path_norm))
    finally:
        done.set()
        training.join()
