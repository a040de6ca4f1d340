"""The pruning bench: what it says is left is what masks by hand leave, its small networks are those of ``prune``."""

import math

import pytest
import torch
from torch import nn

from spectral_lab import SpectralNet, digits, prune, train
from spectral_lab.layers import SpectralLinear, feed_forward
from spectral_lab.live.bench import PLAIN, SPECTRAL, TICKETS, Bench
from spectral_lab.live.benchrules import STARTS, Rules, untrained
from spectral_lab.tickets import Phase, pre_training


@pytest.fixture(scope="module")
def bench():
    return Bench(hidden=(15,), epochs=8)


@pytest.fixture(scope="module")
def deep():
    return Bench(hidden=(9, 7), epochs=8, seed=1)


@pytest.fixture(scope="module")
def own():
    """A plain network and the digits it has seen and not seen."""
    data = digits()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = feed_forward([64, 11, 10], nn.Linear)
    for _ in train(model, data.x_train, data.y_train, epochs=4, lr=1e-2, loss=nn.functional.cross_entropy, seed=0):
        pass
    return model, data


@torch.no_grad()
def by_hand(model, kept, x):
    """The output of a stack whose hidden layers deliver 0 but for the kept neurons."""
    layers = list(model)
    for k, nodes in enumerate(kept):
        mask = torch.zeros(layers[2 * k].n_out)
        mask[list(nodes)] = 1
        x = layers[2 * k + 1](x @ layers[2 * k].weight.T + layers[2 * k].bias) * mask
    return x @ layers[-1].weight.T + layers[-1].bias


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.81, 1.0])
@pytest.mark.parametrize("ranking", SPECTRAL)
@pytest.mark.parametrize("which", ["bench", "deep"])
def test_accuracy_and_loss_are_those_of_masks_by_hand(which, ranking, share, request):
    bench = request.getfixturevalue(which)
    state = bench.state(share, ranking)
    output = by_hand(bench.model, state.kept, bench.x)
    assert sum(map(len, state.kept)) == bench.pool - round(share * bench.pool)
    assert state.accuracy == pytest.approx(float((output.argmax(1) == bench.y).float().mean()), abs=1e-6)
    assert state.loss == pytest.approx(float(nn.functional.cross_entropy(output, bench.y)), rel=1e-4)


@pytest.mark.parametrize("ranking", SPECTRAL)
def test_made_real_it_has_the_same_neurons_weights_and_accuracy(bench, ranking):
    state = bench.state(0.6, ranking)
    network, certificate = bench.prune(0.6, ranking)
    assert certificate.kept == state.kept
    assert certificate.nodes_after == state.nodes == (64, 6, 10)
    assert certificate.macs_after == state.weights == 64 * 6 + 6 * 10
    assert certificate.loss_after == pytest.approx(state.loss, rel=1e-4)
    assert float((network(bench.x).argmax(1) == bench.y).float().mean()) == pytest.approx(state.accuracy, abs=1e-6)
    assert prune(bench.model, ranking, fraction=0.6, x=bench.x).certificate.kept == state.kept


def test_made_real_with_two_hidden_layers_each_has_what_the_state_says(deep):
    state = deep.state(0.5, "connectivity")
    _, certificate = deep.prune(0.5, "connectivity")
    assert certificate.kept == state.kept
    assert certificate.nodes_after == state.nodes
    assert state.nodes[1] != state.nodes[2]
    assert certificate.macs_after == state.weights


def test_the_kept_neurons_are_those_of_the_highest_score(bench):
    first = bench.model[0]
    scores = {"eigenvalue": first.eigenvalues_out.abs(), "connectivity": first.weight.abs().sum(1)}
    for name, score in scores.items():
        best = sorted(score.topk(5).indices.tolist())
        assert bench.state(1 - 5 / 15, name).kept == (tuple(best),)


def test_at_share_1_nothing_is_left_but_the_biases_and_that_cannot_be_made_real(bench):
    state = bench.state(1, "eigenvalue")
    assert (state.kept, state.nodes, state.weights) == (((),), (64, 0, 10), 0)
    assert state.accuracy == pytest.approx(float((bench.model[2].bias.argmax() == bench.y).float().mean()), abs=1e-6)
    with pytest.raises(ValueError, match="would lose all its 15 nodes"):
        bench.prune(1, "eigenvalue")


def test_a_share_is_rounded_to_whole_neurons_as_prune_does(bench):
    for share in (0.0, 0.03, 0.04, 0.5, 0.9):
        found = bench.state(share, "eigenvalue")
        assert len(found.kept[0]) == 15 - round(15 * share)
        assert found.share == pytest.approx(round(15 * share) / 15)


@pytest.mark.parametrize("share", [-0.1, 1.1, "half", None, True, math.nan])
def test_a_share_that_is_none_is_refused_in_words(bench, share):
    with pytest.raises(ValueError, match=r"share = .*; wanted the share of pruned neurons from 0 to 1"):
        bench.state(share, "eigenvalue")


@pytest.mark.parametrize("ranking", ["beauty", "path", 3, ["eigenvalue"]])
def test_a_ranking_that_the_bench_does_not_have_is_refused_with_those_it_has(bench, ranking):
    with pytest.raises(ValueError, match="this bench has eigenvalue, activation, connectivity, random"):
        bench.state(0.5, ranking)


def test_the_same_seed_gives_the_same_bench_and_the_callers_random_numbers_are_left_alone(bench):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    same, other = Bench(hidden=(15,), epochs=8), Bench(hidden=(15,), epochs=8, seed=3, start="direct")
    assert torch.equal(torch.get_rng_state(), before)
    for one, two in zip(same.model.parameters(), bench.model.parameters(), strict=True):
        assert torch.equal(one, two)
    for name in SPECTRAL:
        assert same.ranked[name].curve.order == bench.ranked[name].curve.order
        assert torch.equal(same.ranked[name].curve.accuracy, bench.ranked[name].curve.accuracy)
    assert other.ranked["random"].curve.order != bench.ranked["random"].curve.order


def test_the_band_holds_the_random_orders(bench):
    lowest, highest = bench.band
    curve = bench.ranked["random"].curve.accuracy  # the first of them
    assert bool((lowest <= curve).all())
    assert bool((curve <= highest).all())
    assert lowest[0] == highest[0] == curve[0]
    assert lowest[-1] == highest[-1] == curve[-1]
    assert bool((lowest < highest)[5:10].any())


@pytest.mark.parametrize("start", STARTS)
def test_each_start_is_what_it_says(start):
    first = untrained(Rules(hidden=(12,), start=start), 64, 10)[0]
    if start == "direct":
        assert type(first) is nn.Linear
        return
    assert isinstance(first, SpectralLinear)
    assert not first.eigenvalues_in.any()
    assert not first.eigenvalues_in.requires_grad
    assert bool((first.eigenvalues_out == 1).all()) == (start == "ones")


def test_the_bench_trains_its_start_and_keeps_that(bench):
    assert not torch.equal(bench.beginning[0].eigenvalues_out, bench.model[0].eigenvalues_out)
    again = untrained(bench.rules, 64, 10)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), bench.beginning.parameters(), strict=True))
    assert bench.state(0, "eigenvalue").accuracy > 0.8


def test_the_penalty_shrinks_the_hidden_eigenvalues(bench):
    penalised = Bench(hidden=(15,), epochs=8, gamma=0.1)
    assert penalised.model[0].eigenvalues_out.abs().sum() < 0.7 * bench.model[0].eigenvalues_out.abs().sum()


def test_direct_space_has_no_eigenvalues_to_rank_by():
    bench = Bench(hidden=(8,), epochs=2, start="direct")
    assert tuple(bench.ranked) == PLAIN
    with pytest.raises(ValueError, match="has no eigenvalues"):
        Bench(hidden=(8,), epochs=2, start="direct", rankings=("eigenvalue",))


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"hidden": ()}, r"hidden = \(\)"),
        ({"hidden": (0,)}, r"hidden = \(0,\)"),
        ({"hidden": (400, 300)}, "at most 600 in all"),
        ({"hidden": "wide"}, "hidden = 'wide'"),
        ({"start": "zero"}, "start = 'zero'; wanted one of random, ones, direct"),
        ({"gamma": -1}, "gamma = -1"),
        ({"gamma": "much"}, "gamma = 'much'"),
        ({"epochs": 0}, "epochs = 0"),
        ({"seed": 0.5}, "seed = 0.5"),
    ],
)
def test_a_rule_outside_its_range_is_refused_in_words(rules, words):
    with pytest.raises(ValueError, match=words):
        Bench(**rules)


def test_the_hidden_layers_may_be_given_as_a_number_or_a_list():
    assert Bench(hidden=6, epochs=1).sizes == (64, 6, 10)
    assert Bench(hidden=[6, 5], epochs=1).sizes == (64, 6, 5, 10)


# -- a network of one's own --------------------------------------------------------------------------------------------


def test_an_own_network_is_taken_as_it_is(own):
    model, data = own
    bench = Bench(model, data.x_test, data.y_test)
    assert tuple(bench.ranked) == PLAIN
    right = (model(data.x_test).argmax(1) == data.y_test).float().mean()
    assert bench.state(0, "connectivity").accuracy == pytest.approx(float(right), abs=1e-6)
    with torch.no_grad():
        bench.model[0].weight.zero_()  # a copy
    assert bool(model[0].weight.any())


def test_a_function_ranks_too(own):
    model, data = own

    def first_ones(network):
        return [-torch.arange(float(network[0].out_features))]

    bench = Bench(model, data.x_test, data.y_test, rankings=(first_ones, "random"))
    assert bench.state(1 - 4 / 11, "first_ones").kept == ((0, 1, 2, 3),)
    assert bench.prune(1 - 4 / 11, "first_ones").certificate.kept == ((0, 1, 2, 3),)


def test_what_does_not_fit_is_refused_in_words(own):
    model, (_, _, x, y) = own
    trouble = [
        ((SpectralNet([64, 5, 10]), x, y), {}, TypeError, "the model is a SpectralNet"),
        ((feed_forward([64, 10]), x, y), {}, ValueError, "wanted 1 to 600 hidden neurons"),
        ((feed_forward([64, 700, 10]), x, y), {}, ValueError, "wanted 1 to 600 hidden neurons"),
        ((model,), {}, ValueError, "tested on your data; give them"),
        ((model, x), {}, ValueError, "tested on your data; give them"),
        ((None, x, y), {}, ValueError, "give the trained network first"),
        ((model, x, y.float()), {}, ValueError, "wanted class numbers"),
        ((model, x[:, :50], y), {}, ValueError, "rows of 50 numbers"),
        ((model, x, y[:5]), {}, ValueError, "y has 5"),
        ((model, x, y), {"training": (x, y[:5])}, ValueError, "y has 5"),
        ((model, x, y), {"gamma": 0.1}, ValueError, "gamma = 0.1 says how to train a network"),
        ((model, x, y), {"rankings": ()}, ValueError, "wanted one to six"),
        ((model, x, y), {"rankings": ("random", "random")}, ValueError, "each of them once"),
        ((model, x, y), {"rankings": ("fame",)}, ValueError, "ranking = 'fame'"),
    ]
    for arguments, options, kind, words in trouble:
        with pytest.raises(kind, match=words):
            Bench(*arguments, **options)


# -- training once more ------------------------------------------------------------------------------------------------


def test_what_is_left_is_trained_in_slices_and_the_bench_stays_as_it_is(bench):
    before = [p.clone() for p in bench.model.parameters()]
    run, other = bench.retraining(0.6, "eigenvalue"), bench.retraining(0.6, "eigenvalue")
    assert run.accuracy == bench.state(0.6, "eigenvalue").accuracy
    assert run.steps == 8 * math.ceil(len(bench.training[0]) / 128)
    while not run.over:
        run.advance(7)
    other.advance(10_000)
    assert (run.step, other.step) == (run.steps, run.steps)
    assert run.accuracy == other.accuracy > run.state.accuracy + 0.1
    assert run.accuracy == pytest.approx(float((run.network(bench.x).argmax(1) == bench.y).float().mean()))
    assert run.network[0].n_out == 6
    assert all(torch.equal(a, b) for a, b in zip(before, bench.model.parameters(), strict=True))


def test_an_own_network_is_trained_once_more_with_its_training_data_only(own):
    model, data = own
    with pytest.raises(ValueError, match="no training data"):
        Bench(model, data.x_test, data.y_test).retraining(0.5, "random")
    bench = Bench(model, data.x_test, data.y_test, training=(data.x_train, data.y_train), epochs=3)
    run = bench.retraining(0.5, "random")
    assert run.advance(10_000) > run.state.accuracy


def test_pre_training_is_the_protocol_of_the_paper_from_the_same_start():
    bench = Bench(hidden=(10,), epochs=4)
    tried = list(bench.pretrain())
    assert tried == [share for share in TICKETS if round(10 * share) < 10]
    values, vectors = Phase(epochs=2, lr=2e-2), Phase(epochs=2, lr=1e-2)
    options = {"eigenvalues": values, "eigenvectors": vectors, "biases": True, "seed": 0}
    ticket = pre_training(bench.beginning, *bench.training, fraction=0.7, **options)
    assert bench.tickets[0.7] == float((ticket.network(bench.x).argmax(1) == bench.y).float().mean())
    assert list(bench.pretrain()) == []  # all of them are known


def test_pre_training_passes_over_shares_that_empty_a_layer():
    bench = Bench(hidden=(30, 1), epochs=2)
    tried = list(bench.pretrain())
    assert 0.0 in tried
    assert len(tried) < len(TICKETS)


def test_there_is_no_pre_training_without_a_spectral_start(own):
    model, data = own
    with pytest.raises(ValueError, match="trained in direct space"):
        next(Bench(hidden=(5,), epochs=1, start="direct").pretrain())
    with pytest.raises(ValueError, match="trained elsewhere"):
        next(Bench(model, data.x_test, data.y_test).pretrain())


def test_the_words_say_what_the_numbers_say(bench):
    state, whole = bench.state(0.6, "eigenvalue"), bench.state(0, "eigenvalue")
    words = bench.words(0.6, "eigenvalue")
    assert words.startswith("9 of 15 neurons pruned by eigenvalue |λ|: ")
    assert f"accuracy {state.accuracy:.3f}, with all of them {whole.accuracy:.3f}" in words
    assert words.endswith("444 of 1,110 weights left")
