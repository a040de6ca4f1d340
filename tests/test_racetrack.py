"""The race as a widget: what each control and button does, what the browser is told, and trouble in words."""

import pytest
from asking import Watched

from spectral_lab.live import RaceTrack
from spectral_lab.recipes.classification import LABELS, LEARNING_RATES


class Track(Watched, RaceTrack):
    """Keeps what it sends."""


@pytest.fixture
def track():
    track = Track(hidden=6, steps=40)
    yield track
    track.close()


def test_the_first_question_is_answered_with_everything(track):
    told = track.ask(number=1, client="me", build=None, have=0, train=False, set={}, action=None)
    assert told["kind"] == "picture"
    assert (told["number"], told["client"], told["from"], told["playing"]) == (1, "me", 0, False)
    assert [lane["name"] for lane in told["lanes"]] == ["direct", "spectral", "s_svd", "s_qr"]
    assert told["values"] == {"hidden": 6, "p": 1.0, "sparsity": None, "seed": 0}
    assert told["lr"] == LEARNING_RATES
    assert [name for name, _, _, runs in told["methods"] if not runs] == ["original"]
    assert len(told["rows"]) == 1
    assert len(told["rows"][0]) == 1 + 3 * 4


def test_it_trains_while_it_plays_and_sends_only_what_is_new(track):
    first = track.ask(train=True)
    assert first["rows"][-1][0] == 0  # not started
    track.ask(action="start")
    told = track.ask(train=True, build=track.build, have=1)
    assert told["from"] == 1
    assert [row[0] for row in told["rows"]] == [10]
    told = track.ask(train=True, build=track.build, have=2)
    assert (told["from"], [row[0] for row in told["rows"]]) == (2, [20])
    assert [row[0] for row in track.ask(build=track.build - 1, have=2)["rows"]] == [0, 10, 20]  # of another race: all
    assert track.ask(build=track.build, have=99)["rows"] == []
    assert track.ask(build=track.build, have="x")["from"] == 0


def test_it_pauses_at_the_finish_and_goes_on_for_as_many_steps(track):
    track.ask(action="start")
    while track.playing:
        told = track.ask(train=True)
    assert (track.race.step, told["end"], told["playing"]) == (40, 40, False)
    track.ask(action="start")
    assert (track.end, track.playing) == (80, True)
    track.ask(action="pause")
    assert track.ask(train=True)["rows"][-1][0] == 40
    track.ask(action="reset")
    assert (track.race.step, track.end) == (0, 40)


@pytest.mark.parametrize("value", [1, 7, 64, 200])
def test_the_width_rebuilds_the_race_and_it_keeps_running(track, value):
    track.ask(action="start")
    track.ask(train=True)
    build = track.build
    told = track.ask(set={"hidden": value})
    assert told["build"] > build
    assert told["playing"]
    assert (told["values"]["hidden"], [row[0] for row in told["rows"]]) == (value, [0])
    assert told["lanes"][0]["trained"] == 64 * value + value * 10 + value + 10


@pytest.mark.parametrize("p", [0, 0.25, 1])
def test_the_share_of_r_changes_s_qr_alone(track, p):
    before = [lane["trained"] for lane in track.ask()["lanes"]]
    after = [lane["trained"] for lane in track.ask(set={"p": p})["lanes"]]
    assert after[:3] == before[:3]
    assert (after[3] == before[3]) == (p == 1)


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_the_seed_gives_a_race_of_its_own_that_can_be_run_again(track, seed):
    rows = []
    for _ in range(2):
        track.ask(set={"seed": seed}, action="start")
        rows.append(track.ask(train=True)["rows"])
        track.ask(action="pause")
    assert rows[0] == rows[1]


@pytest.mark.parametrize("methods", [["direct"], ["s_qr", "direct"], list(LABELS)])
def test_who_runs_is_chosen_and_keeps_the_order_of_the_colours(track, methods):
    told = track.ask(set={"methods": methods})
    assert [lane["name"] for lane in told["lanes"]] == [name for name in LABELS if name in methods]


@pytest.mark.parametrize("name", LABELS)
def test_each_learning_rate_is_set_alone(track, name):
    assert track.ask(set={"lr": {name: 0.0123}})["lr"] == LEARNING_RATES | {name: 0.0123}
    told = track.ask(set={"lr": {"s_qr": 0.4}})  # the one before stays
    assert told["lr"] == LEARNING_RATES | {name: 0.0123} | {"s_qr": 0.4}


@pytest.mark.parametrize("sparsity", [0, 0.5, 0.99])
def test_the_sparse_race_counts_what_comes_back_and_the_dense_one_waits(track, sparsity):
    track.ask(set={"hidden": 9})
    told = track.ask(action="sparse")
    assert told["sparse"]
    assert [lane["name"] for lane in told["lanes"]] == ["direct", "s_qr"]
    told = track.ask(set={"sparsity": sparsity, "hidden": 12}, action="start")
    assert told["values"]["sparsity"] == sparsity
    told = track.ask(train=True)
    _, _, _, back_direct, back, *silenced = told["rows"][-1]
    assert back_direct == 0
    assert silenced == [back_direct, back]
    told = track.ask(action="dense")
    assert not told["sparse"]
    assert not told["playing"]
    assert told["values"] == {"hidden": 9, "p": 1.0, "sparsity": None, "seed": 0}
    assert track.ask(action="sparse")["values"]["hidden"] == 12


def test_a_track_may_begin_sparse():
    track = Track(hidden=6, sparsity=0.8)
    assert track.sparse
    assert repr(track) == "RaceTrack(hidden=6, p=1, sparsity=0.8, seed=0)"
    track.act("dense")
    assert repr(track) == "RaceTrack(hidden=6, p=1, seed=0)"
    assert len(track.race.lanes) == 4
    track.act("dense")  # it is
    assert len(track.race.lanes) == 4


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"set": {"hidden": 0}}, "hidden = 0; wanted a whole number from 1"),
        ({"set": {"hidden": "many"}}, "hidden = 'many'"),
        ({"set": {"p": 7}}, "p = 7"),
        ({"set": {"seed": 0.5}}, "seed = 0.5"),
        ({"set": {"methods": []}}, "at least one"),
        ({"set": {"lr": {"direct": -1}}}, "lr of direct = -1"),
        ({"set": {"lr": {"direct": "fast"}}}, "lr of direct = 'fast'"),
        ({"set": {"sparsity": 0.5}}, "the dense race has no sparsity"),
        ({"set": {"depth": 2}}, "there is no setting 'depth'"),
        ({"action": "explode"}, "there is no action 'explode'"),
    ],
)
def test_bad_input_is_answered_in_words_and_the_race_stands_as_it_was(track, question, words):
    track.run(10)
    race = track.race
    told = track.ask(**question)
    assert words in told["message"]
    assert track.race is race
    assert not told["playing"]
    assert track.ask()["message"] == told["message"]  # until the next move
    assert track.ask(action="start")["message"] == ""


def test_a_lane_that_diverges_is_told_and_when_all_have_it_pauses(track):
    track.ask(action="start")
    track.race.lanes["direct"].model[0].weight.data.fill_(float("nan"))
    told = track.ask(train=True)
    assert told["playing"]
    assert told["message"].startswith("direct stopped: ")
    for lane in track.race.lanes.values():
        lane.trouble = "over"
    assert not track.ask(train=True)["playing"]


def test_python_moves_what_a_page_shows_and_says_nothing_before_a_page_listens(track):
    track.run(10)
    track.move(hidden=8)
    track.act("start")
    assert track.sent == []
    track.ask()
    track.sent.clear()
    track.run(20)
    track.move(p=0.5)
    assert [told["rows"][-1][0] for told in track.sent] == [20, 0]
    with pytest.raises(ValueError, match="hidden = 0"):
        track.move(hidden=0)


@pytest.mark.parametrize("steps", [0, 5, 1.0, True])
def test_the_length_is_checked(steps):
    with pytest.raises(ValueError, match="steps = "):
        RaceTrack(steps=steps)


def test_a_closed_notebook_holds_a_picture(track):
    data, _ = track._repr_mimebundle_()
    assert data["image/png"].startswith("iVBOR")
    assert data["text/plain"] == "RaceTrack(hidden=6, p=1, seed=0)"
