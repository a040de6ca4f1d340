"""The pruning bench as a widget: what a slider, a choice and a button do, what the browser is told, and trouble in words."""

import numpy as np
import pytest
import torch
from asking import Watched
from torch import nn

from spectral_lab import digits
from spectral_lab.layers import feed_forward
from spectral_lab.live import PruningBench
from spectral_lab.live.bench import SPECTRAL
from spectral_lab.live.benchview import COLOURS, colours
from spectral_lab.live.frames import unpack


class WatchedBench(Watched, PruningBench):
    """Keeps what it sends."""


@pytest.fixture
def bench():
    bench = WatchedBench(hidden=(12,), epochs=4)
    yield bench
    bench.close()


def works_on(bench):
    while bench.ask(shown=bench.build, train=True)["work"]:
        pass
    return bench.sent[-1]


def test_the_first_question_brings_all_that_the_slider_needs(bench):
    told = bench.ask(number=1, client="me", shown=None, set={}, action=None, train=False)
    assert (told["kind"], told["number"], told["client"], told["share"], told["ranking"]) == (
        "picture",
        1,
        "me",
        0,
        "eigenvalue",
    )
    scene = told["scene"]
    assert scene["sizes"] == [64, 12, 10]
    assert scene["image"] == [8, 8]
    assert [ranked["name"] for ranked in scene["rankings"]] == list(SPECTRAL)
    assert scene["eigenvalues"] == pytest.approx(bench.bench.model[0].eigenvalues_out.tolist())
    for ranked in scene["rankings"]:
        for keep in range(13):  # what the browser reads off at each place of the slider
            state = bench.bench.state(1 - keep / 12, ranked["name"])
            assert ranked["accuracy"][keep] == pytest.approx(state.accuracy)
            assert sorted(ranked["order"][:keep]) == list(state.kept[0])
            assert (ranked["nodes"][keep], ranked["weights"][keep]) == (list(state.nodes), state.weights)
        assert ranked["score"] == pytest.approx(bench.bench.ranked[ranked["name"]].scores[0].tolist())
    assert "scene" not in bench.ask(shown=bench.build)


def test_with_two_hidden_layers_the_order_counts_through_all_neurons():
    bench = WatchedBench(hidden=(6, 5), epochs=2, rankings=("connectivity",))
    ranked = bench.ask()["scene"]["rankings"][0]
    for keep in range(12):
        kept = bench.bench.state(1 - keep / 11, "connectivity").kept
        assert sorted(ranked["order"][:keep]) == [*kept[0], *(6 + n for n in kept[1])]
        assert ranked["nodes"][keep] == [64, len(kept[0]), len(kept[1]), 10]
        assert ranked["weights"][keep] == 64 * len(kept[0]) + len(kept[0]) * len(kept[1]) + len(kept[1]) * 10
    bench.close()


def test_the_buffers_hold_what_each_network_says_to_the_examples(bench):
    told = bench.ask()
    arrays = unpack(told["contents"], bench.buffers[-1][0])
    rows = [int((bench.bench.y == c).nonzero()[0]) for c in told["scene"]["examples"]]
    said = arrays["answers.eigenvalue"].reshape(13, 10, 10)
    network = bench.bench.prune(0.5, "eigenvalue").network
    wanted = network(bench.bench.x[rows]).softmax(-1).detach().numpy()
    np.testing.assert_allclose(said[6] / 127, wanted, atol=0.5 / 127 + 1e-4)
    assert arrays["looks"].shape == (12 * 64,)
    assert arrays["images"].shape == (10 * 64,)
    np.testing.assert_allclose(arrays["images"] / 127, bench.bench.x[rows].flatten(), atol=0.01)


@pytest.mark.parametrize("share", [0, 0.25, 0.5, 1])
@pytest.mark.parametrize("ranking", SPECTRAL)
def test_share_and_ranking_are_set_by_the_hand_and_read_in_python(bench, share, ranking):
    told = bench.ask(shown=bench.build, set={"share": share, "ranking": ranking})
    assert (told["share"], told["ranking"]) == (bench.share, bench.ranking) == (share, ranking)
    state = bench.bench.state(share, ranking)
    assert (bench.accuracy, bench.kept) == (state.accuracy, state.kept)
    bench.ask(shown=bench.build, set={"share": 0.75}, action="real")
    assert len(bench.sent) == 2  # one picture for one question


def test_and_set_in_python_they_reach_the_page_that_listens(bench):
    bench.share = 0.5
    assert bench.sent == []  # nobody listens yet
    bench.ask()
    bench.ranking, bench.share = "random", 0.75
    assert [(told["ranking"], told["share"]) for told in bench.sent[1:]] == [("random", 0.5), ("random", 0.75)]
    assert all("scene" not in told for told in bench.sent[1:])


def test_make_it_real_shows_the_certificate_until_the_slider_moves(bench):
    bench.ask(set={"share": 0.5})
    told = bench.ask(shown=bench.build, action="real")
    assert told["real"]["rows"][0] == ["nodes", "64-12-10", "64-6-10"]
    assert told["real"]["summary"] == bench.certificate.summary
    assert bench.network[0].n_out == 6
    assert bench.ask(shown=bench.build, set={"share": 0.5})["real"] is not None  # where it was
    assert bench.ask(shown=bench.build, set={"share": 0.75})["real"] is None
    assert bench.network[0].n_out == 3
    assert bench.ask(shown=bench.build, set={"ranking": "random"}, action="real")["real"]["summary"].count("random") == 1


def test_retraining_goes_on_slice_by_slice_and_the_network_is_the_trained_one(bench):
    bench.ask(set={"share": 0.5})
    told = bench.ask(shown=bench.build, action="retrain")
    assert told["work"] == "retrain"
    assert told["retrained"][0]["before"] == told["retrained"][0]["after"] == pytest.approx(bench.accuracy)
    told = works_on(bench)
    point = told["retrained"][0]
    assert point["after"] > point["before"]
    output = bench.network(bench.bench.x)
    assert point["after"] == pytest.approx(float((output.argmax(1) == bench.bench.y).float().mean()))
    again = bench.ask(shown=bench.build, action="retrain")["retrained"]
    assert len(again) == 1  # of the same place the newest
    bench.ask(shown=bench.build, set={"share": 0.75})
    assert bench.network[0].n_out == 3
    assert bench.retrain() > bench.accuracy
    assert [one["share"] for one in bench.retrained] == [0.5, 0.75]


def test_pre_training_brings_one_share_with_each_slice_and_can_be_stopped(bench):
    told = bench.ask(shown=None, action="pretrain")
    assert (told["work"], len(told["tickets"])) == ("pretrain", 1)
    assert len(bench.ask(shown=bench.build, train=True)["tickets"]) == 2
    assert bench.ask(shown=bench.build, set={"share": 0.5})["work"] == "pretrain"  # the slider is free meanwhile
    assert len(bench.ask(shown=bench.build, train=True)["tickets"]) == 3
    told = bench.ask(shown=bench.build, action="stop")
    assert (told["work"], len(told["tickets"])) == ("", 3)
    assert len(bench.ask(shown=bench.build, train=True)["tickets"]) == 3
    found = bench.pretrain()  # the rest
    assert len(found) > 5
    assert bench.ask(shown=bench.build)["tickets"] == [[share, found[share]] for share in sorted(found)]


def test_a_rule_trains_another_network_and_keeps_share_and_ranking(bench):
    bench.ask(set={"share": 0.5, "ranking": "connectivity"})
    bench.ask(shown=bench.build, action="retrain")
    build = bench.build
    told = bench.ask(shown=build, set={"hidden": [7], "gamma": 0.01, "seed": 3})
    assert told["build"] > build
    assert told["scene"]["sizes"] == [64, 7, 10]
    assert told["values"] == {"hidden": [7], "start": "random", "gamma": 0.01, "seed": 3}
    assert (told["share"], told["ranking"], told["retrained"], told["work"]) == (0.5, "connectivity", [], "")
    assert bench.bench.rules.epochs == 4
    told = bench.ask(shown=bench.build, set={"ranking": "eigenvalue"})
    told = bench.ask(shown=bench.build, set={"start": "direct"})
    assert told["ranking"] == "connectivity"  # without eigenvalues the first of the others
    assert told["scene"]["eigenvalues"] is None


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"set": {"share": 2}}, "share = 2; wanted the share of pruned neurons"),
        ({"set": {"share": "half"}}, "share = 'half'"),
        ({"set": {"ranking": "beauty"}}, "this bench has eigenvalue"),
        ({"set": {"hidden": "wide"}}, "hidden = 'wide'"),
        ({"set": {"hidden": [0]}}, "hidden = (0,)"),
        ({"set": {"gamma": -1}}, "gamma = -1"),
        ({"set": {"depth": 3}}, "there is no setting 'depth'"),
        ({"action": "explode"}, "there is no action 'explode'"),
        ({"set": {"share": 1}, "action": "real"}, "would lose all its 12 nodes"),
    ],
)
def test_bad_input_is_answered_in_words_and_the_bench_stands_as_it_was(bench, question, words):
    bench.share = 0.25
    inner = bench.bench
    told = bench.ask(**question)
    assert words in told["message"]
    assert bench.bench is inner
    assert bench.share == (1 if "action" in question and "set" in question else 0.25)
    assert bench.ask()["message"] == told["message"]  # until the next move
    assert bench.ask(set={"share": 0.5})["message"] == ""


def test_a_bug_in_the_retraining_is_told_and_ends_it(bench, monkeypatch, caplog):
    bench.ask(set={"share": 0.5}, action="retrain")

    def fail(*_):
        raise RuntimeError("no memory")

    monkeypatch.setattr(bench._retraining, "advance", fail)
    told = bench.ask(shown=bench.build, train=True)
    assert (told["message"], told["work"]) == ("no memory", "")
    assert "could not do what the browser asked" in caplog.text


def test_what_a_bench_cannot_do_with_an_own_network_is_not_offered():
    data = digits()
    model = feed_forward([64, 9, 10], nn.Linear)
    bench = WatchedBench(model, data.x_test, data.y_test, share=0.5, ranking="path")
    told = bench.ask()
    assert told["can"] == {"retrain": False, "pretrain": False, "renew": False}
    assert "your own" in bench.ask(set={"hidden": [5]})["message"]
    assert "no training data" in bench.ask(action="retrain")["message"]
    assert (bench.share, bench.ranking) == (0.5, "path")
    bench.close()
    bench = WatchedBench(model, data.x_test, data.y_test, training=(data.x_train, data.y_train), epochs=1)
    assert bench.ask()["can"]["retrain"]
    assert bench.retrain() >= 0
    bench.close()


def test_inputs_that_are_no_images_are_shown_without_one():
    x, y = torch.rand(60, 7), torch.arange(60) % 3
    bench = WatchedBench(feed_forward([7, 5, 3], nn.Linear), x, y)
    told = bench.ask()
    assert told["scene"]["image"] is None
    assert {name for name, _, _ in told["contents"]} == {f"answers.{name}" for name in bench.bench.ranked}
    bench.close()


@pytest.mark.parametrize("options", [{"share": 3}, {"share": "all"}, {"ranking": "beauty"}, {"hidden": (0,)}])
def test_a_bench_that_cannot_be_is_refused_at_once(options):
    with pytest.raises(ValueError, match=r"wanted|this bench has"):
        PruningBench(**{"hidden": (5,), "epochs": 1} | options)


def test_each_ranking_has_a_colour_of_its_own():
    names = ["eigenvalue", "connectivity", "activation", "random", "path", "mine"]
    found = colours(names)
    assert len(set(found.values())) == 6
    assert {name: found[name] for name in COLOURS} == COLOURS
    assert colours(["path"]) == {"path": found["path"]}


def test_a_closed_notebook_holds_a_picture_of_what_is_left(bench):
    data, _ = bench._repr_mimebundle_()
    assert data["image/png"].startswith("iVBOR")
    assert data["text/plain"] == "PruningBench(64-12-10, share=0, ranking='eigenvalue')"
    bench.share = 0.75
    bench.pretrain()
    graph, curves = bench.figure().axes
    assert graph.get_title() == "64-3-10: 3 of 12 neurons left, 222 weights"
    assert {c.get_label(): len(c.get_offsets()) for c in graph.collections[1:]} == {"kept": 3, "pruned": 9, "outputs": 10}
    assert curves.get_title() == f"accuracy {bench.accuracy:.3f}"
    assert "pre-training" in [line.get_label() for line in curves.lines]
