"""The pruning recipes: what one trial does, where the features come from, and what the findings say of made-up outcomes."""

import json
from io import BytesIO

import pytest
import torch
from backbone_weights import publish, random_network, torchvision_or_skip
from matplotlib.figure import Figure
from torch import nn
from torch.testing import assert_close

from spectral_lab import tickets as protocols
from spectral_lab.layers import SpectralLinear, Start, feed_forward
from spectral_lab.pruning import prune
from spectral_lab.recipes import RECIPES, Done, features, trimming
from spectral_lab.recipes.classification import accuracy
from spectral_lab.recipes.pruning import gamma_findings, one_layer_findings, order_findings, three_layer_findings
from spectral_lab.recipes.pruning_curves import (
    activation_of,
    band,
    curves,
    draw,
    draw_gammas,
    emptied,
    holds,
    lost,
    method_and_gamma,
)
from spectral_lab.recipes.trimming import LEARNING_RATES, RANKINGS, SPREAD, build, rows, run, trial
from spectral_lab.tickets import Phase, pre_training

METHODS = sorted(LEARNING_RATES)
SHARES = [0.0, 0.5, 0.75]
PRUNING = {name: recipe for name, recipe in RECIPES.items() if name.startswith("pruning-")}


def quick(method, seed=0, hidden=(16,), shares=SHARES, activation="elu", epochs=3, **options):
    return trial("digits", list(hidden), activation, method, seed, shares, epochs, batch_size=20, limit=200, **options)


def untimed(outcome):
    return {**outcome, "seconds": 0}


# ---------------------------------------------------------------- one trial


@pytest.mark.parametrize("method", METHODS)
def test_the_same_trial_gives_the_same_outcome_another_seed_another_and_torchs_random_numbers_stay(method):
    before = torch.get_rng_state()
    first, again, other = (untimed(run(quick(method, seed))) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert first == again
    assert first["accuracy"] != other["accuracy"]
    assert json.loads(json.dumps(first)) == first


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides_the_start(method):
    first, again, other = (build(quick(method, seed), 20, 10)[0].weight for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("method", METHODS)
def test_the_outcome_has_an_accuracy_for_every_share_and_says_how_many_nodes_are_left(method):
    outcome = run(quick(method, hidden=(16, 8)))
    assert len(outcome["accuracy"]) == len(SHARES)
    assert all(0 <= value <= 1 for value in outcome["accuracy"])
    assert [sum(nodes) for nodes in outcome["nodes"]] == [24, 12, 6]
    assert outcome["nodes"][0] == [16, 8]
    assert ("random" in outcome) == (method != "pre")


@pytest.mark.parametrize("method", ["direct", "post"])
def test_what_is_left_after_training_is_what_prune_leaves(method, monkeypatch):
    trained = []
    monkeypatch.setattr(
        trimming, "train", lambda network, *args, **kw: trained.append(network) or protocols.train(network, *args, **kw)
    )
    one = quick(method, seed=3)
    outcome, ((_, _, x_test, y_test), _) = run(one), rows(one, "cpu")
    for ranking, found in ((RANKINGS[method], "accuracy"), ("random", "random")):
        pruned = [prune(trained[0], ranking, fraction=share, seed=one["seed"]).network for share in SHARES]
        assert_close(outcome[found], [accuracy(network, x_test, y_test) for network in pruned], rtol=0, atol=1e-5)
    assert outcome["accuracy"] != outcome["random"]


def test_the_eigenvalues_are_trained_once_and_every_ticket_is_that_of_the_whole_protocol(monkeypatch):
    calls = []
    monkeypatch.setattr(
        trimming, "train_eigenvalues", lambda *args, **kw: calls.append(1) or protocols.train_eigenvalues(*args, **kw)
    )
    one = quick("pre", gamma=1e-3)
    outcome, ((x, y, x_test, y_test), _) = run(one), rows(one, "cpu")
    assert len(calls) == 1
    first = Phase(epochs=3, lr=one["lr_eigenvalues"], batch_size=20, rho=1e-3)
    last = Phase(epochs=3, lr=one["lr"], batch_size=20)
    options = {"eigenvalues": first, "eigenvectors": last, "biases": True, "seed": one["seed"]}
    for share, found in zip(SHARES, outcome["accuracy"], strict=True):
        ticket = pre_training(build(one, 64, 10), x, y, fraction=share, **options)
        assert found == round(accuracy(ticket.network, x_test, y_test), 5)


def test_where_a_layer_is_empty_the_biases_alone_answer_and_nothing_is_trained(monkeypatch):
    trained = []
    monkeypatch.setattr(trimming, "train_eigenvectors", lambda *args, **kw: trained.append(1))
    outcome = run(quick("pre", hidden=(16, 1), shares=[0.0, 0.94]))
    assert outcome["nodes"][1] in ([1, 0], [0, 1])
    assert len(trained) == 1
    ((_, _, _, y_test), _) = rows(quick("pre"), "cpu")
    assert outcome["accuracy"][1] in [round(float((y_test == c).float().mean()), 5) for c in range(10)]  # always the same class


def test_the_networks_are_those_of_the_paper():
    direct, post = (build(quick(method, hidden=(30,), activation="tanh"), 20, 10) for method in ("direct", "post"))
    assert isinstance(direct[0], nn.Linear)
    assert isinstance(direct[1], nn.Tanh)
    assert isinstance(post[1], nn.Tanh)
    only_out = {"train_eigenvalues_in": False, "start": Start(eigenvalues_in=0.0)}
    small = feed_forward([20, 30, 10], SpectralLinear, generator=torch.Generator().manual_seed(0), **only_out)
    for layer, twin in zip((post[0], post[2]), (small[0], small[2]), strict=True):
        assert bool((layer.eigenvalues_in == 0).all())
        assert not layer.eigenvalues_in.requires_grad
        assert layer.eigenvalues_out.requires_grad
        assert layer.eigenvectors.requires_grad
        assert 0.5 * SPREAD < float(layer.eigenvalues_out.detach().abs().max()) <= SPREAD
        assert_close(layer.weight, twin.weight)  # whatever the eigenvalues' range, the same function


def test_gamma_shrinks_the_eigenvalues_of_hidden_nodes_or_the_weights_into_them(monkeypatch):
    trained = []
    for name in ("train", "train_eigenvalues"):
        kept = getattr(protocols, name)
        monkeypatch.setattr(
            trimming, name, lambda network, *args, f=kept, **kw: trained.append(network) or f(network, *args, **kw)
        )
    for method in METHODS:
        trained.clear()
        for gamma in (0.0, 1e-2):
            run(quick(method, gamma=gamma, epochs=10))
        sizes = [(n[0].weight if method == "direct" else n[0].eigenvalues_out).abs().sum().item() for n in trained]
        assert sizes[1] < 0.95 * sizes[0], method


def test_a_trial_without_gamma_is_the_same_as_one_with_gamma_0():
    assert quick("post", gamma=0.0) == quick("post")
    assert quick("post", gamma=1e-4) == quick("post") | {"gamma": 1e-4}


# ---------------------------------------------------------------- features


def test_features_are_frozen_computed_once_and_come_with_a_note(monkeypatch):
    features.features.cache_clear()
    made = []
    monkeypatch.setattr(features, "trained_cnn", lambda x, y, f=features.trained_cnn: made.append(f(x, y)) or made[-1])
    trials = [quick(method, features="cnn", epochs=1) for method in METHODS]
    before = torch.get_rng_state()
    outcomes = [run(one) for one in trials]
    assert torch.equal(before, torch.get_rng_state())
    assert len(made) == 1
    assert not any(p.requires_grad for p in made[0].parameters())
    assert all(outcome["note"] == features.NOTES["cnn"] + "; limited to 400 of 1,797 rows" for outcome in outcomes)
    ((x, y, x_test, y_test), _) = rows(trials[0], "cpu")
    assert (x.shape, x_test.shape, len(y), len(y_test)) == ((200, 256), (200, 256), 200, 200)
    assert not x.requires_grad
    assert float(x.min()) >= 0  # they have passed a ReLU
    features.features.cache_clear()
    ((again, *_), _) = rows(trials[0], "cpu")
    assert torch.equal(x, again)
    assert len(made) == 2


def test_the_features_tell_the_classes_apart_better_than_the_pixels():
    options = {"shares": [0.0], "epochs": 5}
    by_features, by_pixels = (run(quick("direct", **options, **more))["accuracy"][0] for more in ({"features": "cnn"}, {}))
    assert by_features > by_pixels + 0.02


def test_mobilenet_is_taken_where_torchvision_and_its_weights_are_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(features, "find_spec", lambda name: name == "torchvision")
    assert features.source_here() == "cnn"  # no weights: nothing is downloaded
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "mobilenet_v2-7ebf99e0.pth").touch()
    assert features.source_here() == "mobilenet_v2"
    monkeypatch.setattr(features, "find_spec", lambda name: None)
    assert features.source_here() == "cnn"


def test_the_features_of_mobilenet_are_torchvisions_at_the_size_of_imagenet(monkeypatch, tmp_path):
    torchvision = torchvision_or_skip()
    network = random_network(torchvision, "mobilenet_v2", 5)
    content = BytesIO()
    torch.save(network.state_dict(), content)
    path = publish(monkeypatch, torchvision, "mobilenet_v2", content.getvalue(), tmp_path / "server")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no mobilenet_v2-\*\.pth in .*checkpoints; put torchvision's weights there"):
        features.mobilenet("cpu")  # and nothing is downloaded
    (tmp_path / "checkpoints").mkdir()
    path.rename(tmp_path / "checkpoints" / path.name)
    monkeypatch.setenv("SPECTRAL_LAB_DATA", str(tmp_path))
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    see = features.mobilenet("cpu")
    large = nn.functional.interpolate(x, size=(224, 224), mode="bilinear", antialias=True)
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        expected = network.features((large - mean) / deviation).mean((2, 3))
    assert_close(see(x) / expected.std(), expected / expected.std(), rtol=1e-3, atol=1e-3)
    assert not see(x).requires_grad
    assert len(list((tmp_path / "features").iterdir())) == 1


# ---------------------------------------------------------------- made-up outcomes


def made_up(method, accuracies, random=None, activation="elu", gamma=0.0, nodes=None, seeds=(0, 1, 2), note=""):
    """Outcomes with these accuracies {share: accuracy}, a little apart from seed to seed."""
    found = []
    for seed in seeds:
        one = trial("digits", [10], activation, method, seed, sorted(accuracies), 1, batch_size=1, gamma=gamma)
        values = [accuracies[share] + 0.001 * (seed - 1) for share in one["shares"]]
        outcome = {"accuracy": values, "nodes": nodes or [[5]] * len(values), "note": note}
        if method != "pre":
            outcome["random"] = [random[share] for share in one["shares"]] if random else [0.1] * len(values)
        found.append(Done(one, outcome))
    return found


def falls(at, depth=0.5, whole=0.9):
    """An accuracy that keeps its level up to a share, and is less by the depth beyond it."""
    shares = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
    return {share: whole - (depth if share > at else 0) for share in shares}


def agree(findings):
    return [finding.agrees for finding in findings]


def test_outcomes_become_curves_of_means_over_the_seeds():
    done = made_up("direct", {0.0: 0.9, 0.5: 0.4}) + made_up("pre", {0.0: 0.8}, activation="relu")
    found = curves(done, activation_of)
    assert {panel: list(group) for panel, group in found.items()} == {
        "elu": ["connectivity", "direct at random"],
        "relu": ["pre"],
    }
    curve = found["elu"]["connectivity"]
    assert curve[0.5] == [0.399, 0.4, 0.401]
    assert band(curve)[0] == [0.0, 0.5]
    assert_close(band(curve)[1:], ([0.9, 0.4], [0.001, 0.001]))
    assert_close(lost(curve, 0.5), 0.5)
    assert band({0.0: [0.5]}) == ([0.0], [0.5], [0.0])  # one seed


def test_a_curve_holds_up_to_the_last_share_before_its_first_loss():
    curve = {0.0: [0.9], 0.3: [0.89], 0.5: [0.7], 0.8: [0.9]}
    assert holds(curve, 0.02) == 0.3
    assert holds(curve, 0.005) == 0.0
    assert holds(curve, 0.5) == 0.8


GOOD = {"pre": 0.95, "post": 0.75, "direct": 0.55}


def group(falling=GOOD, **options):
    return [one for method, at in falling.items() for one in made_up(method, falls(at), **options)]


def test_figure_3_agrees_with_curves_like_the_papers_and_differs_from_others():
    assert agree(one_layer_findings(group())) == [True] * 6
    assert agree(one_layer_findings(group(GOOD | {"post": 0.5})))[0] is False
    assert agree(one_layer_findings(group(GOOD | {"pre": 0.8})))[1] is False
    assert agree(one_layer_findings(group(GOOD | {"direct": 0.3})))[2] is False
    findings = one_layer_findings(group(GOOD | {"post": 0.5}))
    assert findings[0].ours == "0.500 at 60 %, 0.500 at 70 %"
    assert findings[1].ours == "0.900 at 85 %, 0.900 at 90 %, against 0.900"


def test_figure_4_asks_where_each_curve_leaves_its_level():
    like_the_paper = {"pre": 0.9, "post": 0.6, "direct": 0.2}
    assert agree(three_layer_findings(group(like_the_paper)))[:3] == [True] * 3
    for k, method in enumerate(("direct", "post", "pre")):
        moved = like_the_paper | {method: 0.5 if method != "post" else 0.3}
        assert agree(three_layer_findings(group(moved)))[k] is False, method


def test_an_emptied_layer_is_named_with_the_share_from_which_on_it_is_empty():
    nodes = [[5, 5], [4, 0], [0, 0]]
    done = made_up("direct", {0.0: 0.9, 0.5: 0.5, 0.9: 0.1}, nodes=nodes)
    assert emptied(done, "direct") == "; hidden layer 1 is empty from 90% on, hidden layer 2 is empty from 50% on"
    assert emptied(done, "post") == ""


@pytest.mark.parametrize(
    ("falling", "agrees"),
    [
        (GOOD, True),
        ({"pre": 0.75, "post": 0.95, "direct": 0.55}, False),
        ({"pre": 0.95, "post": 0.55, "direct": 0.75}, False),
        ({"pre": 0.95, "post": 0.75, "direct": 0.75}, False),
    ],
)
def test_the_order_of_the_methods_is_compared_with_the_papers(falling, agrees):
    assert order_findings(group(falling))[0].agrees is agrees


def test_with_relu_and_one_hidden_layer_the_paper_has_another_order():
    relu = {"relu": ("pre", "connectivity", "post")}
    swapped = {"pre": 0.95, "post": 0.55, "direct": 0.75}
    assert order_findings(group(swapped, activation="relu"), relu)[0].agrees
    assert not order_findings(group(GOOD, activation="relu"), relu)[0].agrees
    assert order_findings(group(GOOD, activation="tanh"), relu)[0].agrees


def test_each_ranking_must_beat_a_random_order():
    worse, better = dict.fromkeys(falls(1), 0.1), dict.fromkeys(falls(1), 0.95)
    assert agree(order_findings(group(random=worse))[1:]) == [True, True]
    done = made_up("pre", falls(0.9)) + made_up("post", falls(0.7), worse) + made_up("direct", falls(0.5), better)
    by_eigenvalue, by_connectivity = order_findings(done)[1:]
    assert (by_eigenvalue.agrees, by_connectivity.agrees) == (True, False)
    assert by_connectivity.ours == "-0.479"  # 0.9 once and 0.4 six times, against 0.95


def test_figure_11_asks_whether_some_gamma_keeps_what_is_lost_at_high_shares():
    done = group()
    helped = [one for method in GOOD for one in made_up(method, falls(0.97), gamma=1e-3)]
    hurt = [one for method in GOOD for one in made_up(method, falls(0.1), gamma=1e-2)]
    assert agree(gamma_findings(done + hurt)) == [True, False, False]  # pre-training needs no γ
    findings = gamma_findings(done + helped + hurt)
    assert agree(findings) == [True, True, True]
    assert findings[1].ours == "0.500 without, 0.000 with γ = 0.001, which leaves 0.900"
    halved = [one for method in GOOD for one in made_up(method, falls(0.7, depth=0.24), gamma=1e-3)]
    nearly = [one for method in GOOD for one in made_up(method, falls(0.7, depth=0.26), gamma=1e-3)]
    assert agree(gamma_findings(done + halved)) == [True, True, True]
    assert agree(gamma_findings(done + nearly)) == [True, False, False]
    assert set(curves(done + helped, method_and_gamma)) == {(m, g) for m in GOOD for g in (0.0, 1e-3)}


# ---------------------------------------------------------------- the pictures


def words_of(figure):
    return figure._suptitle.get_text() if figure._suptitle else ""


def test_the_note_stands_on_the_picture():
    note = features.NOTES["cnn"] + "; class-balanced subset"
    for drawn, done in ((draw, group(note=note)), (draw_gammas, group(note=note))):
        figure = Figure()
        drawn(done, figure)
        assert "features of a small CNN of ours" in words_of(figure)
        assert "the paper takes a pretrained MobileNetV2\nclass-balanced subset" in words_of(figure)
    figure = Figure()
    draw(group(), figure)
    assert words_of(figure) == ""


def test_every_method_has_one_colour_everywhere_and_the_legend_stands_once():
    figure = Figure(layout="constrained")
    draw(group() + group(activation="relu"), figure)
    looks = [{line.get_label(): line.get_color() for line in ax.lines[1:]} for ax in figure.axes]
    assert looks[0] == looks[1]
    assert [ax.get_title() for ax in figure.axes] == ["ELU", "ReLU"]
    assert len(figure.legends) == 1
    assert all(ax.get_legend() is None for ax in figure.axes)
    assert [text.get_text() for text in figure.legends[0].get_texts()][:3] == [
        "pre-training",
        r"post-training, by $|\lambda|$",
        "direct, by connectivity",
    ]
    assert len(set(looks[0].values())) == 4  # both random orders are grey
    figure.draw_without_rendering()


def test_stronger_regularisers_are_darker():
    figure = Figure()
    draw_gammas([one for gamma in (0.0, 1e-4, 1e-3) for one in group(gamma=gamma)], figure)
    for ax in figure.axes:
        brightness = [sum(line.get_color()) for line in ax.lines]
        assert brightness == sorted(brightness, reverse=True)
        assert len(set(brightness)) == 3


# ---------------------------------------------------------------- the recipes


def test_figures_share_the_trials_that_they_have_in_common():
    kept = {}
    for name in ("pruning-fig-10", "pruning-fig-11"):
        trials = PRUNING[name].trials(PRUNING[name].settings["class"])
        kept[name] = {json.dumps(one, sort_keys=True) for one in trials}
    shared = [json.loads(text) for text in kept["pruning-fig-10"] & kept["pruning-fig-11"]]
    assert len(shared) == 9
    assert {one["activation"] for one in shared} == {"elu"}


@pytest.mark.parametrize("name", PRUNING)
def test_at_the_scale_class_there_are_three_seeds_the_real_data_and_the_shares_that_the_findings_read(name):
    setting = PRUNING[name].settings["class"]
    trials = PRUNING[name].trials(setting)
    assert {one["seed"] for one in trials} == {0, 1, 2}
    assert {one["method"] for one in trials} == set(METHODS)
    assert {one["data"] for one in trials} <= {"mnist", "fashion-mnist", "cifar-10"}
    read = {0.0, 0.6, 0.85, 0.9} if name == "pruning-fig-3" else {0.0, 0.6, 0.9}
    for setting in PRUNING[name].settings.values():
        assert read <= set(setting["shares"]) & set(setting["pre_shares"])
        assert 0.7 in setting["shares"]
