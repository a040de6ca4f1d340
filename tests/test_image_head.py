"""The growing head as a widget: what each control and button does, and what the browser is told, without a browser."""

import base64

import pytest
from asking import Watched
from test_headrun import images

from spectral_lab.live import ImageHead, imagehead
from spectral_lab.live.headrun import DIGIT, EVERY, PARITY, HeadRun
from spectral_lab.live.mistakes import pixels

QUICK = {"hidden": 6, "batch_size": 50}


class View(Watched, ImageHead):
    """Keeps what it sends."""


@pytest.fixture
def view():
    view = View(steps=100, **QUICK)
    yield view
    view.close()


def test_the_first_question_is_answered_with_everything(view):
    told = view.ask(number=1, client="me", build=None, have=0, train=False, set={}, action=None, shown=None)
    assert (told["kind"], told["number"], told["client"], told["from"]) == ("picture", 1, "me", 0)
    assert (told["playing"], told["end"], told["message"]) == (False, 100, "")
    assert told["values"] == {"task": PARITY, "features": "pixels", "hidden": 6, "rho": 1e-4, "seed": 0}
    assert told["choices"]["task"] == [[PARITY, PARITY], [DIGIT, DIGIT]]
    assert [name for name, _ in told["choices"]["features"]] == ["pixels", "cnn"]
    assert (told["shape"], told["classes"]) == ([8, 8, 1], ["even", "odd"])
    start = view.head.standings[0]
    assert told["rows"] == [[0, start.accuracy, start.without, 0, start.loss, 1e-4]]
    assert (told["eigenvalues"], told["live"]) == ([0.0] * 6, [0] * 6)


def test_the_board_shows_the_very_images_that_are_misread(view):
    view.run(30)
    told, head = view.ask(), view.head
    wrong = (head.said != head.y).nonzero().flatten().tolist()
    assert told["misread"] == [len(wrong), len(head.y), 30]
    assert [row for row, *_ in filter(None, told["board"]) if row not in wrong] == [
        row for row, *_, right in filter(None, told["board"]) if right
    ]
    bytes_of = pixels(head.x)
    for row, said, true, right in filter(None, told["board"]):
        assert true == int(head.y[row])
        assert right or said == int(head.said[row]) != true
        assert base64.b64decode(told["images"][str(row)]) == bytes(bytes_of[row].flatten().tolist())


def test_after_a_run_that_nobody_watched_all_that_is_shown_is_misread(view):
    view.run(30)
    before = view.mistakes.count
    view.run(400)
    shown, said, y = view.mistakes.shown, view.head.said, view.head.y
    assert 0 < view.mistakes.count < before
    assert len(shown) == min(view.mistakes.count, 24)
    assert all(not m.right and m.said == said[m.row] != y[m.row] == m.true for m in shown)


def test_images_travel_only_when_the_board_has_changed(view):
    told = view.ask()
    assert "images" in told
    assert "images" not in view.ask(shown=told["version"])
    view.run(40)
    changed = view.ask(shown=told["version"])
    assert "images" in changed
    assert changed["version"] != told["version"]
    view.ask(action="reset")
    assert "images" in view.ask(shown=changed["version"])  # another run begins to count anew


def test_a_picture_changes_nothing(view):
    view.run(50)
    first = view.ask()
    assert view.ask() == first


def test_it_trains_while_it_plays_and_sends_only_what_is_new(view, monkeypatch):
    monkeypatch.setattr(imagehead, "SLICE", 60.0)
    assert view.ask(train=True)["rows"][-1][0] == 0  # not started
    view.ask(action="start")
    told = view.ask(train=True, build=view.build, have=1)
    assert (told["from"], [row[0] for row in told["rows"]]) == (1, [EVERY])
    assert view.ask(build=view.build - 1, have=2)["from"] == 0  # of another run: all
    assert view.ask(build=view.build, have=99)["rows"] == []
    assert view.ask(build=view.build, have="x")["from"] == 0
    while view.playing:
        told = view.ask(train=True)
    assert (view.head.step, told["playing"]) == (100, False)
    view.ask(action="start")
    assert (view.end, view.playing) == (200, True)
    view.ask(action="pause")
    assert view.ask(train=True)["rows"][-1][0] == 100
    view.ask(action="reset")
    assert (view.head.step, view.end, view.playing) == (0, 100, False)


def test_a_slice_ends_in_time_even_if_a_step_is_slow(view, monkeypatch):
    monkeypatch.setattr(imagehead, "SLICE", 0.0)
    view.ask(action="start")
    view.ask(train=True)
    assert view.head.step == 0
    monkeypatch.setattr(imagehead, "SLICE", 1e-9)
    told = view.ask(train=True)
    assert view.head.step < EVERY
    assert told["rows"][-1][0] == 0


def test_what_is_shown_between_two_measurements_is_all_of_the_same_step(view):
    view.run(60)
    before = view.ask()
    view.head._training.advance(7)  # as a slice that was broken off
    told = view.ask()
    assert view.head.step == 67
    assert told == before
    assert sum(told["live"]) == told["rows"][-1][3] > 0
    assert view.run(3).live == sum(view.ask()["live"])
    assert view.ask()["eigenvalues"] != before["eigenvalues"]


def test_one_step_of_the_button_leads_to_the_next_measurement(view):
    view.run(3)
    for expected in (10, 20):
        assert view.ask(action="step")["rows"][-1][0] == expected
    view.run(80)
    assert view.ask(action="step")["end"] == 110


def test_while_it_plays_the_board_changes_calmly_and_at_once_when_it_stops(view, monkeypatch):
    looks = []
    monkeypatch.setattr(view.mistakes, "look", lambda *_: looks.append(view.head.step))
    monkeypatch.setattr(imagehead, "SLICE", 60.0)
    view.ask(action="start")
    for _ in range(4):
        view.ask(train=True)
    assert looks == []  # within a moment
    monkeypatch.setattr(imagehead, "CALM", 0.0)
    view.ask(train=True)
    assert looks == [50]
    monkeypatch.setattr(imagehead, "CALM", 60.0)
    told = view.ask(train=True)
    assert (told["rows"][-1][0], told["misread"][2]) == (60, 50)  # the board says of which step it is
    view.ask(action="pause")
    assert looks == [50, 60]


def test_rho_steers_the_run_that_goes_on_and_all_else_begins_anew(view):
    view.run(20)
    head, build = view.head, view.build
    told = view.ask(build=build, have=3, set={"rho": 0.5})
    assert view.head is head
    assert (told["build"], told["values"]["rho"], view.rho, told["rows"]) == (build, 0.5, 0.5, [])
    view.run(10)
    assert [row[-1] for row in view.ask()["rows"]] == [1e-4, 1e-4, 1e-4, 0.5][: len(head.standings)]
    for name, value in (("hidden", 9), ("task", DIGIT), ("features", "cnn"), ("seed", 5)):
        build = view.build
        told = view.ask(build=build, have=3, set={name: value})
        assert (told["build"], told["from"], view.head.step, told["values"][name]) == (build + 1, 0, 0, value)
    assert view.rho == 0.5
    assert len(told["eigenvalues"]) == 9
    assert told["classes"] == [str(k) for k in range(10)]


def test_set_in_python_it_reaches_the_page_that_listens(view):
    view.rho = 0.1
    assert view.sent == []  # nobody listens yet
    view.ask()
    view.rho = 0.2
    view.run(20)
    assert [told["values"]["rho"] for told in view.sent[1:]] == [0.2, 0.2]
    assert view.sent[-1]["rows"][-1][0] == 20


def test_what_is_trained_in_slices_is_the_run_itself(view):
    view.ask(action="start")
    while view.playing:
        view.ask(train=True)
    whole = HeadRun(**QUICK)
    whole.advance(100)
    assert [(s.step, s.accuracy, s.live) for s in view.head.standings] == [
        (s.step, s.accuracy, s.live) for s in whole.standings
    ]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"set": {"rho": "much"}}, "rho = 'much'; wanted a strength"),
        ({"set": {"rho": 0.5, "hidden": 0}}, "hidden = 0"),
        ({"set": {"task": "colour?"}}, "task = 'colour?'"),
        ({"set": {"depth": 2}}, "there is no setting 'depth'"),
        ({"action": "explode"}, "there is no action 'explode'"),
    ],
)
def test_bad_input_is_answered_in_words_and_the_run_stands_as_it_was(view, question, words):
    head = view.head
    assert words in view.ask(**question)["message"]
    assert view.head is head
    assert view.rho == 1e-4
    assert view.ask(set={"rho": 0.1})["message"] == ""


def test_trouble_is_told_and_pauses_it(view):
    view.run(10)
    view.ask(action="start")
    view.head._training.lr = 1e30
    for _ in range(20):
        told = view.ask(train=True)
    assert not view.playing
    assert "Lower lr" in told["message"]
    assert told["rows"][-1][0] == 10


def test_own_images_in_colour_are_shown_by_the_names_of_their_classes():
    view = View(images(shape=(3, 5, 6)), **QUICK)
    told = view.ask()
    assert told["shape"] == [5, 6, 3]
    assert told["choices"]["task"] == [["which class?", "which class?"]]
    assert len(base64.b64decode(next(iter(told["images"].values())))) == 90
    assert "which class?" not in repr(view)
    view.close()


def test_a_closed_notebook_holds_a_picture(view):
    view.run(60)
    data, _ = view._repr_mimebundle_()
    assert data["image/png"].startswith("iVBOR")
    assert data["text/plain"] == "ImageHead('digits', features='pixels', hidden=6, rho=0.0001)"
    figure = view.figure()
    now = view.head.standings[-1]
    spectrum, curves, *shown = figure.axes
    assert spectrum.get_title() == f"{now.live} of 6 hidden neurons live"
    assert curves.lines[0].get_ydata().tolist() == [s.accuracy for s in view.head.standings]
    assert len(shown) == 12
    assert sum(bool(ax.images) for ax in shown) == min(12, len(view.mistakes.shown))


@pytest.mark.parametrize("steps", [0, True, "many", 5.5])
def test_a_length_that_is_none_is_refused(steps):
    with pytest.raises(ValueError, match="steps = "):
        ImageHead(steps=steps)
