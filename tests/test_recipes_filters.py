"""Filters removed by eigenvalue, by γ, by norm, at random: what is trained, what is asked, and what the findings say."""

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn
from torch.testing import assert_close

from spectral_lab.convolutions import SpectralConv2d
from spectral_lab.curves import pruning_curve
from spectral_lab.recipes import RECIPES, Done
from spectral_lab.recipes import filter_pruning as module
from spectral_lab.recipes.filter_pruning import KINDS, STEPS, at_half, build, findings, fit, relevances, right, run
from spectral_lab.recipes.head_trials import images

RECIPE = RECIPES["filter-pruning"]
SHAPE = (1, 8, 8)


def trial(kind, rho=0.0, seed=0, **options):
    made = {"kind": kind, "rho": rho, "seed": seed, "lr": 2e-3, "batch_size": 32, "data": "digits", "limit": 100}
    return made | {"channels": [4, 8], "epochs": 2} | options


def outcome(relevance, norm=0.5, random=0.3, **others):
    """What came of a made-up network: the same accuracy at every share but the last."""
    left = {"relevance": relevance, "norm": norm, "random": random}
    made = {"kept": [0.25, 0.5, 0.75, 1.0], "left": {name: [value, value, value, 0.9] for name, value in left.items()}}
    return made | {"relevance": [[1.0] * 4, [0.5] * 8], "note": "a subset"} | others


def outcomes(free, penalised):
    """Two seeds of every case, with the accuracy that ranking by relevance leaves."""
    return [
        Done(trial(kind, rho, seed), outcome(value + 0.01 * seed))
        for kind in KINDS
        for rho, value in ((0.0, free), (1e-2, penalised))
        for seed in (0, 1)
    ]


# ---------------------------------------------------------------- one trial


@pytest.mark.parametrize("kind", KINDS)
def test_every_filter_has_one_relevance_and_every_network_the_same_sizes(kind):
    model = build(trial(kind), SHAPE, 10)
    assert [len(values) for values in relevances(model)] == [4, 8]
    assert model(torch.rand(3, *SHAPE)).shape == (3, 10)
    assert any(isinstance(part, nn.BatchNorm2d) for part in model) == (kind == "batch norm")
    assert any(isinstance(part, SpectralConv2d) for part in model) == (kind == "spectral")


def test_a_spectral_filter_whose_eigenvalue_is_zero_says_nothing():
    model = build(trial("spectral"), SHAPE, 10)
    with torch.no_grad():
        relevances(model)[0][2] = 0.0
    assert model[0].bias is None
    assert_close(model[0](torch.rand(3, *SHAPE))[:, 2], torch.zeros(3, 8, 8))


@pytest.mark.parametrize("kind", KINDS)
def test_the_penalty_is_on_the_relevances_alone(kind, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "train", lambda model, x, y, **options: seen.append((model, options)) or [])
    model = build(trial(kind), SHAPE, 10)
    fit(model, torch.rand(64, *SHAPE), torch.zeros(64, dtype=torch.long), trial(kind, 0.1))
    ((trained, options),) = seen
    named = dict(model.named_parameters())
    assert trained is model
    assert all(named[name] is values for name, values in zip(options["penalised"], relevances(model), strict=True))
    assert (options["rho"], options["penalty"], options["record_every"]) == (0.1, "l1", 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_strong_penalty_makes_relevances_smaller(kind):
    sums = []
    (x, y, _, _), _, _ = images("digits", 100, "cpu")
    for rho in (0.0, 1.0):
        model = build(trial(kind), SHAPE, 10)
        fit(model, x, y, trial(kind, rho, epochs=20))
        sums.append(sum(values.abs().sum().item() for values in relevances(model)))
    assert sums[1] < 0.95 * sums[0]


@pytest.mark.parametrize("kind", KINDS)
def test_the_outcome_is_that_of_copies_in_which_filters_are_switched_off(kind):
    found = run(trial(kind, seed=3))
    assert run(trial(kind, seed=3))["left"] == found["left"]
    (x, y, x_test, y_test), _, _ = images("digits", 100, "cpu")
    model = build(trial(kind, seed=3), SHAPE, 10)
    fit(model, x, y, trial(kind, seed=3))
    for values in found["left"].values():
        assert len(values) == len(found["kept"]) == min(STEPS, 12)
        assert values[-1] == pytest.approx(right(model, x_test, y_test), abs=1e-4)
    assert found["kept"] == sorted(set(found["kept"]))
    assert found["kept"][-1] == 1.0
    for name, ranking in {"norm": "row_norm", "random": "random"}.items():
        curve = pruning_curve(model, ranking, x_test, y_test, per_layer=True, numbers=range(1, 13), seed=3)
        assert found["left"][name] == pytest.approx(curve.accuracy.tolist(), abs=1e-4)
    # a half by hand: λ or γ, and the β behind it, are 0 in the copy
    norms = [part for part in model if isinstance(part, nn.BatchNorm2d)]
    with torch.no_grad():
        for k, values in enumerate(relevances(model)):
            off = values.abs().argsort()[: len(values) // 2]
            values[off] = 0.0
            if norms:
                norms[k].bias[off] = 0.0
    by_hand = right(model, x_test, y_test)
    assert at_half([found], "relevance") == [pytest.approx(by_hand, abs=1e-4)]
    assert found["half"]["accuracy"] == pytest.approx(by_hand, abs=1e-4)
    assert found["half"]["parameters"] < 0.6 * found["parameters"]


def test_both_networks_of_another_seed_begin_elsewhere():
    for kind in KINDS:
        first, again, other = (build(trial(kind, seed=seed), SHAPE, 10)[0].weight for seed in (0, 0, 1))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)


# ---------------------------------------------------------------- the recipe


def test_every_case_has_every_seed():
    found = RECIPE.trials(RECIPE.setting("class"))
    assert len(found) == len({str(one) for one in found}) == 2 * 2 * 3
    assert {one["data"] for one in found} == {"fashion-mnist"}


def test_a_relevance_that_beats_chance_and_gains_by_the_penalty_agrees():
    assert [finding.agrees for finding in findings(outcomes(free=0.4, penalised=0.8))] == [True] * 6
    assert [finding.agrees for finding in findings(outcomes(free=0.2, penalised=0.2))] == [False] * 6
    assert [finding.agrees for finding in findings(outcomes(free=0.8, penalised=0.4))] == [True] * 4 + [False] * 2
    assert "half of the filters: 0.405 ± 0.007" in findings(outcomes(free=0.4, penalised=0.8))[0].ours
    assert findings(outcomes(0.4, 0.8))[-1].ours.endswith("the whole network 0.900 ± 0.000 against 0.900 ± 0.000")


def test_the_picture_has_a_panel_for_every_case_and_says_what_the_images_are():
    figure = Figure()
    RECIPE.draw(outcomes(0.4, 0.8), figure)
    assert figure.get_supxlabel() == "digits; a subset"
    assert len(figure.axes) == 4
    lines = {line.get_label(): line.get_ydata().tolist() for line in figure.axes[1].lines}
    assert lines[r"$|\lambda^{out}|$"] == pytest.approx([0.805] * 3 + [0.9])
    assert len(lines) == 3
    assert (lines[r"$\|w\|$"][0], lines["random"][0]) == (0.5, 0.3)
