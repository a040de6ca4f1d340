"""The race: its networks are those of the recipes, its counts those of PRE, its standings those of a plain loop."""

import math

import pytest
import torch
from torch import nn

from spectral_lab import digits, train
from spectral_lab.layers import SpectralLinear, feed_forward
from spectral_lab.live.race import COLOURS, EVERY, Race, Rules
from spectral_lab.recipes.classification import LABELS, LEARNING_RATES
from spectral_lab.tasks import Split

ALL = ("direct", "original", "spectral", "s_svd", "s_qr")


@pytest.fixture(scope="module")
def few():
    """A small part of the digits, for tests of what does not depend on how well they are learned."""
    data = digits()
    return Split(data.x_train[:120], data.y_train[:120], data.x_test[:50], data.y_test[:50])


@pytest.mark.parametrize("hidden", [1, 5, 64, 100])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_the_counts_are_the_formulas_of_the_paper_and_the_biases(few, hidden, p):
    M, biases = (min(64, hidden), min(hidden, 10)), hidden + 10
    eigenvalues = 64 + 2 * hidden + 10
    triangle = sum(m + round(p * (m * (m - 1) // 2)) for m in M)
    assert Race(few, methods=ALL, hidden=hidden, p=p).trained == {
        "direct": 64 * hidden + hidden * 10 + biases,
        "original": 64 + hidden + 10 + biases,
        "spectral": eigenvalues + biases,
        "s_svd": eigenvalues + sum(M) + biases,
        "s_qr": eigenvalues + triangle + biases,
    }


def test_the_direct_lane_is_a_plain_network_trained_with_adam(few):
    race = Race(few, methods=("direct", "spectral"), hidden=7, seed=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = feed_forward([64, 7, 10], nn.Linear)
    run = train(network, few.x_train, few.y_train, steps=30, lr=1e-3, loss=nn.functional.cross_entropy, seed=3)
    race.advance(30)
    run.advance(30)
    torch.testing.assert_close(list(race.lanes["direct"].model.parameters()), list(network.parameters()), rtol=0, atol=0)
    assert race.accuracy["direct"] == float((network(few.x_test).argmax(1) == few.y_test).float().mean())


def test_standings_come_every_ten_steps_from_the_start_on(few):
    race = Race(few, hidden=5)
    assert [s.step for s in race.standings] == [0]
    assert race.advance(25) is race.standings[-1]
    assert [s.step for s in race.standings] == [0, EVERY, 2 * EVERY, 25]
    assert race.step == 25
    assert all(set(s.accuracy) == set(race.lanes) and min(s.accuracy.values()) >= 0 for s in race.standings)


def test_the_same_seed_gives_the_same_race_however_it_is_cut(few):
    whole, parts, other = (Race(few, hidden=6, p=0.5, seed=seed) for seed in (1, 1, 2))
    whole.advance(40)
    for _ in range(4):
        parts.advance(10)
    other.advance(40)
    assert whole.standings == parts.standings
    weights = [list(race.lanes["s_qr"].model.parameters()) for race in (whole, parts, other)]
    torch.testing.assert_close(weights[0], weights[1], rtol=0, atol=0)
    assert not torch.equal(weights[0][0], weights[2][0])


def test_the_random_numbers_of_the_caller_are_left_alone(few):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    Race(few, hidden=5).advance(10)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.95, 1.0])
def test_a_sparse_race_holds_the_share_of_silent_weights(few, sparsity):
    race = Race(few, methods=("direct", "s_qr"), hidden=20, sparsity=sparsity)
    race.advance(20)
    for lane in race.lanes.values():
        silent = [int((layer.weight == 0).sum()) for layer in lane.sparse.layers.values()]
        assert silent == [round(sparsity * 64 * 20), round(sparsity * 20 * 10)]


def test_silent_weights_come_back_in_spectral_space_only_and_as_many_fall_silent(few):
    race = Race(few, methods=("direct", "spectral", "s_svd", "s_qr"), hidden=30, sparsity=0.9)
    race.advance(50)
    assert race.came_back["direct"] == 0
    assert min(race.came_back[name] for name in ("spectral", "s_svd", "s_qr")) > 0
    assert all(s.came_back == s.silenced for s in race.standings)
    assert race.came_back["s_qr"] == sum(s.came_back["s_qr"] for s in race.standings)
    assert "came back" in str(race.table())


def test_a_lane_that_diverges_stops_and_says_why_while_the_others_go_on(few):
    race = Race(few, hidden=5, lr={"s_svd": 90.0, "direct": 1e-3})
    race.lanes["s_svd"].model[0].eigenvalues_in.data.fill_(math.nan)
    race.advance(30)
    assert race.trouble.startswith("S-SVD stopped: ")
    assert "Lower lr" in race.trouble
    stopped = [p.clone() for p in race.lanes["s_svd"].model.parameters()]
    spectral = race.lanes["spectral"].model[0].eigenvalues_in.clone()
    race.advance(20)
    assert race.step == 50
    torch.testing.assert_close(list(race.lanes["s_svd"].model.parameters()), stopped, rtol=0, atol=0, equal_nan=True)
    assert not torch.equal(race.lanes["spectral"].model[0].eigenvalues_in, spectral)


def test_each_lane_has_its_own_learning_rate():
    assert Rules().lr == LEARNING_RATES
    race = Race(hidden=5, methods=("direct", "s_qr"), lr={"s_qr": 0.3})
    assert {name: lane._training.lr for name, lane in race.lanes.items()} == {"direct": LEARNING_RATES["direct"], "s_qr": 0.3}


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"methods": ()}, "at least one"),
        ({"methods": ("direct", "direct")}, "at most once"),
        ({"methods": ("directly",)}, "no method 'directly'"),
        ({"lr": {"sqr": 0.1}}, "no method 'sqr'"),
        ({"hidden": 0}, "hidden = 0"),
        ({"hidden": 2001}, "from 1 to 2,000"),
        ({"hidden": 5.0}, "hidden = 5.0"),
        ({"hidden": "wide"}, "hidden = 'wide'"),
        ({"hidden": True}, "hidden = True"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": None}, "seed = None"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"p": 1.01}, "p = 1.01"),
        ({"p": math.nan}, "p = nan"),
        ({"sparsity": -0.1}, "sparsity = -0.1"),
        ({"sparsity": "most"}, "sparsity = 'most'"),
        ({"lr": {"direct": 0}}, "lr of direct = 0"),
        ({"lr": {"s_qr": math.inf}}, r"lr of S-QR = inf; wanted a positive learning rate, e.g. 0.005"),
    ],
)
def test_what_is_out_of_range_is_named(rules, words):
    with pytest.raises(ValueError, match=words):
        Rules(**rules)


@pytest.mark.parametrize("steps", [0, -5, 1.5, True])
def test_a_race_goes_forward(few, steps):
    with pytest.raises(ValueError, match=f"steps = {steps}"):
        Race(few, hidden=5).advance(steps)


def test_words_and_table_give_accuracy_beside_the_count(few):
    race = Race(few, hidden=20)
    race.advance(10)
    assert race.words().startswith("step 10: direct 0.")
    assert "with 1,510 numbers" in race.words()
    rows = race.table().rows
    assert rows[0] == ("method", "trained", "share of direct", "accuracy")
    assert rows[2] == ("Spectral", "144", f"{144 / 1510:.3f}", f"{race.accuracy['spectral']:.3f}")
    assert len({len(line) for line in str(race.table()).splitlines()}) == 1
    assert race.table()._repr_html_().count("<tr>") == 5


def test_the_picture_shows_every_lane_in_its_colour(few):
    race = Race(few, hidden=5, methods=ALL)
    race.advance(20)
    curves, bars = race.figure().axes
    assert [line.get_color() for line in curves.lines[::2]] == [COLOURS[name] for name in ALL]
    assert list(curves.lines[0].get_ydata()) == [s.accuracy["direct"] for s in race.standings]
    assert [text.get_text() for text in curves.get_legend().get_texts()] == [LABELS[name] for name in ALL]
    assert [bar.get_width() for bar in bars.patches] == list(race.trained.values())
    assert race.figure().file("png")[:4] == b"\x89PNG"


def test_on_the_digits_few_numbers_are_nearly_as_good():
    race = Race(hidden=100)
    race.advance(300)
    a = race.accuracy
    assert min(a.values()) > 0.8
    assert a["s_qr"] > a["direct"] - 0.03
    assert race.trained["s_qr"] < 0.4 * race.trained["direct"]


def test_the_original_method_trains_both_sides_in_its_first_layer_only(few):
    first, last = (
        m for m in Race(few, methods=("original",), hidden=5).lanes["original"].model if isinstance(m, SpectralLinear)
    )
    assert first.eigenvalues_in.requires_grad
    assert not last.eigenvalues_in.requires_grad
