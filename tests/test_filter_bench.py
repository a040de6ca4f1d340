"""The filter bench as a widget: slider, ranking, clicks and buttons, and what the browser is told, without a browser."""

import base64

import numpy as np
import pytest
import torch
from asking import Watched
from test_cnnbench import own
from test_headrun import images

from spectral_lab.live import FilterBench
from spectral_lab.live.cnnbench import LABELS

SPECTRAL = {name: label for name, label in LABELS.items() if name != "batch_norm"}

QUICK = {"channels": (3, 4), "epochs": 4}


class WatchedBench(Watched, FilterBench):
    """Keeps what it sends."""


@pytest.fixture
def bench():
    bench = WatchedBench(**QUICK)
    yield bench
    bench.close()


def pairs(told):
    return {(k, n) for k, n in told["off"]}


def test_the_first_question_is_answered_with_everything(bench):
    told = bench.ask(number=1, client="me", build=None, have=0, train=False, set={}, action=None, shown=None)
    assert (told["kind"], told["number"], told["client"], told["rows"]) == ("picture", 1, "me", [])
    assert told["values"] == {"kept": 7, "ranking": "eigenvalue", "rho": 0.05, "seed": 0}
    assert (told["off"], told["real"], told["message"], told["own"]) == ([], None, "", False)
    assert told["accuracy"] == bench.bench.accuracy()
    scene = told["scene"]
    assert [(one["name"], one["label"]) for one in scene["rankings"]] == list(SPECTRAL.items())
    for one in scene["rankings"]:
        assert one["accuracy"] == bench.bench.curve[one["name"]]
        assert [tuple(f) for f in one["order"]] == bench.bench.order[one["name"]]
        assert one["score"] == pytest.approx([bench.bench.score[one["name"]][f] for f in bench.bench.filters], rel=1e-3)
    assert len({one["colour"] for one in scene["rankings"]}) == 4
    assert scene["unseen"] == len(bench.bench.x)


def test_the_scene_travels_once_for_a_cnn(bench):
    assert "scene" in bench.ask(shown=None)
    assert "scene" not in bench.ask(shown=bench.build)
    former = bench.build
    assert "scene" in bench.ask(shown=former, set={"seed": 2})
    assert "scene" in bench.ask(shown=former)


def test_filters_are_sent_as_they_look(bench):
    first, second = bench.ask()["scene"]["layers"]
    weights, found = bench.bench.pictures()
    assert (first["shape"], second["shape"]) == ([3, 3, 1], [4, 4, 1])
    assert (first["signed"], second["signed"]) == (True, False)
    sent = [np.frombuffer(base64.b64decode(image), np.uint8).reshape(3, 3) for image in first["images"]]
    np.testing.assert_allclose((np.stack(sent) - 128.0) / 127, weights, atol=0.005)
    sent = [np.frombuffer(base64.b64decode(image), np.uint8).reshape(4, 4) for image in second["images"]]
    np.testing.assert_allclose(np.stack(sent) / 255, found, atol=0.003)


@pytest.mark.parametrize("ranking", SPECTRAL)
@pytest.mark.parametrize("kept", [0, 3, 7])
def test_slider_and_ranking_switch_the_least_relevant_filters_off(bench, ranking, kept):
    told = bench.ask(set={"kept": kept, "ranking": ranking})
    assert (told["values"]["kept"], told["values"]["ranking"]) == (bench.kept, bench.ranking) == (kept, ranking)
    assert pairs(told) == bench.off == set(bench.bench.order[ranking][kept:])
    assert told["accuracy"] == bench.accuracy == bench.bench.curve[ranking][kept]
    assert bench.ranked


def test_a_click_is_answered_with_the_accuracy_of_just_these(bench):
    bench.ask(set={"kept": 5})
    least = bench.bench.order["eigenvalue"]
    off = {least[0], *least[5:]}  # the most relevant one as well
    told = bench.ask(set={"off": [list(f) for f in off]})
    assert pairs(told) == bench.off == off
    assert told["values"]["kept"] == bench.kept == 4
    assert not bench.ranked
    assert told["accuracy"] == bench.bench.accuracy(off)
    assert bench.ask(set={"ranking": "random"})["values"]["kept"] == 4  # as many, but those of the ranking
    assert bench.ranked
    bench.switch([(0, 1)])
    assert ((0, 1) in bench.off) == ((0, 1) not in bench.bench.off(4, "random"))
    assert bench.ask(action="all")["off"] == []


def test_of_slider_and_click_in_one_question_the_later_one_counts(bench):
    assert bench.ask(set={"off": None, "kept": 3})["values"]["kept"] == 3  # the slider came after a click
    assert bench.ranked
    assert bench.ask(set={"kept": 2, "off": [[0, 0]]})["off"] == [[0, 0]]  # a click came after the slider


def test_all_of_it_can_be_done_from_python_and_reaches_the_page_that_listens(bench):
    bench.kept = 3
    assert bench.sent == []  # nobody listens yet
    bench.ask()
    bench.ranking = "connectivity"
    bench.kept = 2
    bench.switch([bench.bench.order["connectivity"][0]])
    assert [told["values"]["kept"] for told in bench.sent[1:]] == [3, 2, 1]


def test_taken_out_it_is_a_smaller_cnn_that_says_the_same(bench):
    told = bench.ask(set={"kept": 5, "ranking": "random"}, action="real")
    network, certificate = bench.removed()
    report = {row[0]: row[1:] for row in told["real"]["rows"]}
    torch.testing.assert_close(network(bench.bench.x), bench.bench.outputs(bench.off), rtol=1e-4, atol=1e-4)
    parameters = [sum(p.numel() for p in m.parameters()) for m in (bench.bench.model, network)]
    assert report["parameters"] == [f"{n:,}" for n in parameters]
    assert parameters[1] < parameters[0]
    assert certificate.macs_after < certificate.macs_before
    assert told["real"]["same"]
    assert report["accuracy"] == [f"{bench.bench.accuracy():.3f}", f"{bench.accuracy:.3f}"]
    assert float(told["real"]["change"]) < 1e-4
    assert bench.ask(set={"kept": 5})["real"] is not None  # where it was
    assert bench.ask(set={"kept": 4})["real"] is None


def test_if_taking_out_did_change_something_it_would_be_said(bench, monkeypatch):
    bench.ask(set={"kept": 5})
    whole = bench.bench.remove(frozenset())  # not what was asked for
    monkeypatch.setattr(bench.bench, "remove", lambda off: whole)
    real = bench.ask(action="real")["real"]
    assert not real["same"]
    assert float(real["change"]) > 0.01


def test_filters_chosen_by_hand_are_taken_out_as_well(bench):
    bench.switch([(0, 0), (1, 2)])
    network, _ = bench.removed()
    torch.testing.assert_close(network(bench.bench.x), bench.bench.outputs({(0, 0), (1, 2)}), rtol=1e-4, atol=1e-4)


def test_another_penalty_trains_another_cnn_and_keeps_as_many(bench):
    bench.ask(set={"kept": 4, "ranking": "connectivity"})
    build, inner = bench.build, bench.bench
    told = bench.ask(set={"rho": 0.0})
    assert (told["build"], told["values"]["rho"], told["values"]["kept"]) == (build + 1, 0.0, 4)
    assert told["values"]["ranking"] == "connectivity"
    assert bench.bench is not inner
    assert bench.bench.rules.channels == (3, 4)


def test_while_another_cnn_is_trained_the_page_is_told_how_far_it_is(bench):
    bench.sent.clear()
    bench.ask(set={"seed": 3})
    *alive, told = bench.sent
    assert {one["kind"] for one in alive} == {"alive"}
    assert alive[-1]["words"] == "training another CNN: epoch 4 of 4"
    assert told["kind"] == "picture"
    bench.sent.clear()
    assert bench.ask(set={"rho": "much"}) == bench.sent[0]  # refused before any training


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"set": {"kept": 8}}, "kept = 8; wanted a whole number of filters from 0 to 7"),
        ({"set": {"kept": 2, "ranking": "beauty"}}, "ranking = 'beauty'; this bench has eigenvalue"),
        ({"set": {"off": [[0, 9]]}}, "wanted pairs"),
        ({"set": {"rho": "much"}}, "rho = 'much'"),
        ({"set": {"depth": 3}}, "there is no setting 'depth'"),
        ({"action": "explode"}, "there is no action 'explode'"),
    ],
)
def test_bad_input_is_answered_in_words_and_the_bench_stands_as_it_was(bench, question, words):
    bench.kept = 3
    off, inner = bench.off, bench.bench
    assert words in bench.ask(**question)["message"]
    assert (bench.off, bench.ranking) == (off, "eigenvalue")
    assert bench.bench is inner
    assert bench.ask(set={"kept": 2})["message"] == ""


def test_a_convolution_that_would_be_left_without_filters_is_not_taken_out(bench):
    told = bench.ask(set={"off": [[0, 0], [0, 1], [0, 2]]}, action="real")
    assert told["message"]
    assert told["real"] is None


def test_a_cnn_of_ones_own_has_no_rules_to_change():
    bench = WatchedBench(own(), images(), kept=3)
    told = bench.ask()
    assert told["own"]
    assert told["values"]["ranking"] == "connectivity"
    assert bench.kept == 3
    assert "your own" in bench.ask(set={"rho": 0.1})["message"]
    bench.close()


@pytest.mark.parametrize("options", [{"kept": 99}, {"kept": "all"}, {"ranking": "beauty"}, {"rho": -1}])
def test_a_bench_that_cannot_be_is_refused_at_once(options):
    with pytest.raises(ValueError, match=r"wanted|this bench has"):
        FilterBench(**QUICK | options)


def test_a_closed_notebook_holds_a_picture(bench):
    bench.kept = 4
    data, _ = bench._repr_mimebundle_()
    assert data["image/png"].startswith("iVBOR")
    assert data["text/plain"] == "FilterBench('digits', filters=3-4, kept=4, ranking='eigenvalue')"
    *tiles, curves = bench.figure().axes
    assert curves.get_title() == f"4 of 7 filters on: accuracy {bench.accuracy:.3f}"
    assert len(tiles) == 3
    assert [ax.get_title() == "off" for ax in tiles] == [f in bench.off for f in bench.bench.order["eigenvalue"] if f[0] == 0]
