"""What the widgets have in common whose browser is the clock: their script, their notebook cell, their answers to nonsense."""

import re

import pytest
from asking import Watched

from spectral_lab.live import Classroom, FilterBench, ImageHead, PruningBench, RaceTrack
from spectral_lab.live.assets import HERE

QUICK = {
    RaceTrack: {"hidden": 5},
    PruningBench: {"hidden": (5,), "epochs": 1},
    Classroom: {"teacher": (4, 3, 3, 1), "h": 6, "points": 100},
    ImageHead: {"hidden": 6},
    FilterBench: {"channels": (3, 4), "epochs": 1},
}
every_kind = pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.__name__)
NONSENSE = [None, [], {"set": 3}, {"set": {"teacher": 3}}, {"set": {"lr": 3}}, {"action": {}}, {"train": "yes"}]
NONSENSE += [{"have": -4}, {"shown": {}}]


@pytest.fixture
def widget(kind):
    """One whose answers are kept."""
    made = type(f"Watched{kind.__name__}", (Watched, kind), {})(**QUICK[kind])
    yield made
    made.close()


@every_kind
def test_running_the_cell_again_closes_what_it_showed(kind, cell):
    cell("a", 1)
    old = kind(**QUICK[kind])
    if kind not in (PruningBench, FilterBench):  # these have nothing to start
        old.act("start")
        assert old.playing
    cell("a", 2)
    new = kind(**QUICK[kind])
    assert old.comm is None
    assert not old.playing
    assert new.comm is not None
    new.close()


@every_kind
def test_two_in_one_cell_stay_side_by_side(kind, cell):
    cell("a", 1)
    both = [kind(**QUICK[kind]) for _ in range(2)]
    assert None not in [one.comm for one in both]
    for one in both:
        one.close()


@every_kind
def test_even_nonsense_is_answered_with_a_picture(kind, widget):
    for n, nonsense in enumerate(NONSENSE):
        widget._on_message(widget, nonsense, [])
        assert [told["kind"] for told in widget.sent[n:]] == ["picture"]


@every_kind
def test_a_bug_is_told_and_logged_and_pauses_it(kind, widget, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("no memory")

    monkeypatch.setattr(type(widget), "playing", True)
    monkeypatch.setattr(widget, "_train", fail)
    told = widget.ask(train=True)
    assert told["message"] == "no memory"
    assert not told.get("playing")
    assert f"{type(widget).__name__} could not do what the browser asked" in caplog.text
    monkeypatch.undo()
    assert widget.ask(set={"seed": 1})["message"] == ""


SCRIPTS = "".join(file.read_text(encoding="utf-8") for file in HERE.glob("*.js"))
ANYWHERE = set(re.findall(r"^export (?:function|const) (\w+)", SCRIPTS, re.MULTILINE))


@every_kind
def test_the_script_is_one_module_that_lacks_nothing_and_fetches_nothing(kind):
    script = kind._esm
    assert re.findall(r"^export .*?\{ (\w+)", script, re.MULTILINE) == ["render"]
    names = re.findall(r"^(?:function|const|let|class|var) +(\w+)", script, re.MULTILINE)
    assert len(names) == len(set(names)) > 5
    called = set(re.findall(r"(?<![.\w])(\w+)\(", script)) & ANYWHERE
    defined = set(re.findall(r"(?:function|const|let|,) (\w+)(?:\(| =)", script))
    assert called - defined == set()
    assert len(called) > 3
    assert "http" not in script
