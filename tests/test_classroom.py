"""The classroom as a widget: what each control and button does, what the browser is told, what it remembers, trouble."""

import pytest
import torch
from asking import Watched

from spectral_lab.live import Classroom
from spectral_lab.live.lesson import COLOURS, EVERY, KINDS, Lesson
from spectral_lab.live.lessonplan import PLANS, SMALL
from spectral_lab.teachers import COMMITTEE, core

TINY = (4, 3, 3, 1)
QUICK = {"teacher": TINY, "h": 6, "points": 100, "batch_size": 50, "lr": 1e-2, "lr_direct": 1e-2}


class Room(Watched, Classroom):
    """Keeps what it sends."""


@pytest.fixture
def room():
    room = Room(steps=100, **QUICK)
    yield room
    room.close()


def test_the_first_question_is_answered_with_everything(room):
    told = room.ask(number=1, client="me", build=None, have=0, train=False, set={}, action=None)
    assert (told["kind"], told["number"], told["client"], told["from"]) == ("picture", 1, "me", 0)
    assert (told["playing"], told["growing"], told["end"], told["kept"]) == (False, [], 100, 6)
    assert told["values"] == {"teacher": list(TINY), "h": 6, "alpha": 1e-3, "seed": 0}
    assert told["teachers"] == [*map(list, PLANS), list(TINY)]
    assert told["rows"] == [[0, *(room.lesson.mse(kind) for kind in KINDS)]]
    assert [(s["kind"], s["colour"]) for s in told["students"]] == list(COLOURS.items())
    assert told["memory"] == []
    assert told["message"] == ""


def test_what_it_tells_are_the_numbers_of_the_lesson(room):
    room.run(120)
    told = room.ask()
    lesson, data = room.lesson, room.lesson.teacher.data
    for student in told["students"]:
        kind = student["kind"]
        network, R = lesson.students[kind].network, lesson.students[kind].relevance
        w1, w2 = (network[k].weight.detach() for k in (0, 2))
        assert student["shares"] == pytest.approx((R / R.max()).tolist(), abs=1e-4)
        assert sum(student["counts"]) == 6
        found = core(w1.norm(dim=1))
        assert (student["core"], student["clear"]) == (found.size, found.clear)
        assert student["threshold"] == pytest.approx(found.threshold / float(R.max()), abs=1e-4)
        assert [n for n in range(6) if student["shares"][n] > student["threshold"]] == found.keep.nonzero().flatten().tolist()
        assert student["order"] == w1.norm(dim=1).argsort(descending=True).tolist()
        for n, value in enumerate(student["curve"]):  # by masks
            a = (data.x_test @ w1.T).clamp_min(0) * torch.tensor([float(m in student["order"][:n]) for m in range(6)])
            expected = ((a @ w2.T).clamp_min(0).sum(1, keepdim=True) - data.y_test).square().mean()
            assert value == pytest.approx(float(expected), rel=2e-3)
        cosine = torch.cosine_similarity(w1[:, None], lesson.teacher.network[0].weight[None], dim=2)
        assert student["like"] == cosine.argmax(1).tolist()
        assert student["cosine"] == pytest.approx(cosine.max(1).values.tolist(), abs=1e-3)
        for links, w in zip(student["links"], (w1, w2), strict=True):
            assert (torch.tensor(links) - 100 * w / w.abs().max()).abs().max() <= 0.51
    assert told["guess"] == pytest.approx(float((data.y_test - data.y_test.mean()).square().mean()), rel=1e-5)
    assert told["teacher"]["sizes"] == list(TINY)
    assert [len(told["teacher"]["links"][0]), len(told["teacher"]["links"][1][0])] == [3, 3]


def test_a_picture_changes_nothing(room):
    room.run(50)
    first = room.ask()
    assert room.ask() == first
    assert first["rows"][-1][0] == 50


def test_it_trains_while_it_plays_and_sends_only_what_is_new(room):
    assert room.ask(train=True)["rows"][-1][0] == 0  # not started
    room.ask(action="start")
    told = room.ask(train=True, build=room.build, have=1)
    assert (told["from"], [row[0] for row in told["rows"]]) == (1, [EVERY])
    assert [row[0] for row in room.ask(build=room.build - 1, have=2)["rows"]] == [0, 50]  # of another lesson: all
    assert room.ask(build=room.build, have=99)["rows"] == []
    assert room.ask(build=room.build, have="x")["from"] == 0
    told = room.ask(train=True)
    assert (room.lesson.step, told["playing"]) == (100, False)
    room.ask(action="start")
    assert (room.end, room.playing) == (200, True)
    room.ask(action="pause")
    assert room.ask(train=True)["rows"][-1][0] == 100
    room.ask(action="reset")
    assert (room.lesson.step, room.end, room.playing) == (0, 100, False)


def test_what_is_trained_in_slices_is_the_lesson_itself(room):
    room.ask(action="start")
    while room.playing:
        room.ask(train=True)
    whole = Lesson(**QUICK)
    whole.advance(100)
    assert room.lesson.reports == whole.reports


@pytest.mark.parametrize("kept", [0, 2, 6])
def test_the_slider_keeps_as_many_nodes_and_leaves_the_lesson_alone(room, kept):
    room.run(50)
    lesson, build = room.lesson, room.build
    told = room.ask(set={"kept": kept})
    assert (told["kept"], room.kept, room.build) == (kept, kept, build)
    assert room.lesson is lesson
    room.kept = 3
    assert room.ask()["kept"] == 3


def test_the_buttons_prune_to_the_teacher_to_the_core_and_back(room):
    room.run(100)
    assert room.ask(action="teacher")["kept"] == 3
    room.lesson.students["spectral"].network[0].eigenvalues_out.data[1:] = 0
    assert room.ask(action="core")["kept"] == 1
    assert room.ask(action="all")["kept"] == 6
    room.move(h=2)
    assert room.ask(action="teacher")["kept"] == 2  # it has no more


def test_growing_h_keeps_what_was_learnt_in_mind(room):
    sizes = {}
    for h in (2, 9, 4):
        room.move(h=h)
        assert room.kept == h
        room.run(100)
        sizes[h] = [room.lesson.reports[-1].marks[kind].core for kind in KINDS]
    room.move(h=5, seed=3)  # not trained: nothing to remember
    room.move(h=7, seed=0)
    told = room.ask()
    assert told["memory"] == [[h, True, *sizes[h]] for h in (2, 9, 4)]
    assert list(room.memory) == [(2, 0), (9, 0), (4, 0)]
    room.move(alpha=1e-2)
    assert room.memory == {}
    room.move(alpha=1e-3)
    assert len(room.memory) == 3
    room.move(h=9)
    room.run(50)  # again, but broken off
    room.act("reset")
    assert [(h, done) for h, done, *_ in room.ask()["memory"]] == [(2, True), (9, False), (4, True)]


def test_one_lesson_follows_the_other_until_the_widest(monkeypatch):
    monkeypatch.setitem(PLANS, TINY, PLANS[SMALL]._replace(points=100, steps=50, widths=(2, 4, 7)))
    room = Room(teacher=TINY, h=5)
    told = room.ask(action="grow")
    assert (told["values"]["h"], told["growing"], told["playing"]) == (2, [4, 7], True)
    seen = []
    while room.playing:
        seen.append(room.ask(train=True)["values"]["h"])
    assert seen == [4, 7, 7]
    assert list(room.memory) == [(2, 0), (4, 0)]
    assert room.lesson.step == 50
    room.ask(action="grow")
    told = room.ask(set={"h": 3})  # a hand ends it
    assert (told["growing"], told["values"]["h"]) == ([], 3)
    room.close()


def test_another_teacher_comes_with_what_suits_it_and_the_hand_stays_where_it_was(room):
    told = room.ask(set={"alpha": 2e-3, "seed": 4})
    assert told["values"]["alpha"] == 2e-3
    told = room.ask(set={"teacher": list(SMALL)})
    plan = PLANS[SMALL]
    assert told["values"] == {"teacher": list(SMALL), "h": plan.h, "alpha": 2e-3, "seed": 4}
    assert (room.lesson.rules.lr, room.lesson.rules.points) == (plan.lr, plan.points)
    assert told["end"] == 100  # given to the room
    assert told["widest"] == plan.widths[-1]
    assert Room(teacher=COMMITTEE).end == PLANS[COMMITTEE].steps


def test_a_rule_rebuilds_the_lesson_and_it_keeps_running(room):
    room.ask(action="start")
    room.ask(train=True)
    told = room.ask(set={"h": 12})
    assert (told["playing"], told["values"]["h"], told["kept"], [row[0] for row in told["rows"]]) == (True, 12, 12, [0])
    build = room.build
    assert room.ask(set={"h": 12})["build"] == build  # it is


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"set": {"h": 0}}, "h = 0; wanted a whole number from 1"),
        ({"set": {"h": "many"}}, "h = 'many'"),
        ({"set": {"kept": 7}}, "kept = 7; wanted a whole number of nodes from 0 to 6"),
        ({"set": {"kept": -1}}, "kept = -1"),
        ({"set": {"kept": 2.5}}, "kept = 2.5"),
        ({"set": {"h": 3, "kept": 4}}, "from 0 to 3"),
        ({"set": {"alpha": -1}}, "alpha = -1"),
        ({"set": {"seed": "x"}}, "seed = 'x'"),
        ({"set": {"teacher": [10, 8, 1]}}, "four layers"),
        ({"set": {"depth": 2}}, "there is no setting 'depth'"),
        ({"action": "explode"}, "there is no action 'explode'"),
    ],
)
def test_bad_input_is_answered_in_words_and_the_lesson_stands_as_it_was(room, question, words):
    room.run(50)
    room.kept = 5
    lesson = room.lesson
    told = room.ask(**question)
    assert words in told["message"]
    assert room.lesson is lesson
    assert (room.kept, room.memory, told["playing"]) == (5, {}, False)
    assert room.ask()["message"] == told["message"]  # until the next move
    assert room.ask(action="start")["message"] == ""


def test_students_that_diverge_are_told_and_when_both_have_it_pauses(room):
    room.ask(action="start")
    room.lesson.students["direct"].trouble = "over"
    told = room.ask(train=True)
    assert (told["playing"], told["message"]) == (True, "The direct student stopped: over")
    assert [student["trouble"] for student in told["students"]] == [False, True]
    room.move(h=5)
    for student in room.lesson.students.values():
        student.trouble = "over"
    assert not room.ask(train=True)["playing"]


def test_python_moves_what_a_page_shows_and_says_nothing_before_a_page_listens(room):
    room.run(50)
    room.move(h=8)
    room.kept = 4
    assert room.sent == []
    room.ask()
    room.sent.clear()
    room.run(100)
    room.kept = 2
    room.act("all")
    assert [(told["rows"][-1][0], told["kept"]) for told in room.sent] == [(100, 4), (100, 2), (100, 8)]
    with pytest.raises(ValueError, match="kept = 9"):
        room.kept = 9


@pytest.mark.parametrize("steps", [0, 49, 100.0, True])
def test_the_length_is_checked(steps):
    with pytest.raises(ValueError, match="steps = "):
        Classroom(steps=steps)


def test_a_closed_notebook_holds_a_picture(room):
    room.run(50)
    room.move(h=9)
    data, _ = room._repr_mimebundle_()
    assert data["image/png"].startswith("iVBOR")
    assert data["text/plain"] == "Classroom(teacher=(4, 3, 3, 1), h=9, alpha=0.001, seed=0)"
    cores = room.figure().axes[2]
    assert [list(line.get_xdata()) for line in cores.lines[2:]] == [[6, 9], [6, 9]]
