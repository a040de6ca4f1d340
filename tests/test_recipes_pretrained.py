"""Heads on the features of a frozen backbone: where they come from, what is kept, and findings that can go either way."""

import pytest
import torch
from backbone_weights import torchvision_or_skip
from matplotlib.figure import Figure
from torch import nn
from torch.testing import assert_close

from spectral_lab import datasets
from spectral_lab.backbones import Backbone, extract_features
from spectral_lab.heads import without_hidden
from spectral_lab.recipes import RECIPES, Done
from spectral_lab.recipes import pretrained_trials as module
from spectral_lab.recipes.features import features
from spectral_lab.recipes.pretrained import HEADER, findings, row
from spectral_lab.recipes.pretrained_trials import FREE, HEADS, LINEAR, NOTES, SPARCS, build, lesson, run, start, trial

TABLE, UNTRAINED = RECIPES["sparcs-table-2"], RECIPES["untrained-backbone"]
OPTIONS = {"passes": 2, "limit": 100, "hidden": 12}


def quick(label, **options):
    return trial("cnn", "digits", label, 1, **(OPTIONS | options))


# ---------------------------------------------------------------- where the features come from


def test_our_own_network_stands_in_and_the_note_says_so():
    found = lesson("cnn", "digits", 100, "cpu")
    (x, y, x_test, y_test), _ = features("cnn", "digits", 100, "cpu")
    for ours, theirs in zip(found[:4], (x, y, x_test, y_test), strict=True):
        assert_close(ours, theirs, rtol=0, atol=0)
    assert found.n_out == 10
    assert found.note == f"{NOTES['cnn']}; limited to 200 of 1,797 rows"
    assert found.note.startswith("STAND-IN")


def test_the_real_backbone_sees_with_the_weights_that_are_asked_for(monkeypatch):
    asked = []

    def eye(images, backbone, device):
        asked.append(backbone)
        return images.mean((2, 3)) * 1e-6 + 5e-6

    monkeypatch.setattr(module, "extract_features", eye)
    data = datasets.load("digits", validation=0.0, limit=60)
    pretrained, random = (lesson.__wrapped__(source, "digits", 60, "cpu") for source in ("pretrained", "random"))
    assert asked == [Backbone("efficientnet_v2_s")] * 2 + [Backbone("efficientnet_v2_s", None)] * 2
    assert_close(pretrained.x, data.x_train.mean((2, 3)) * 1e-6 + 5e-6, rtol=0, atol=0)
    assert_close(random.x.mean(0), torch.zeros(1), rtol=0, atol=1e-3)
    assert_close(random.x.std(0), torch.ones(1), rtol=1e-3, atol=1e-3)
    scale = pretrained.x_test.std() / random.x_test.std()  # the test part is scaled as the training part is
    assert_close(scale, pretrained.x.std() / random.x.std(), rtol=1e-3, atol=0)
    assert [found.note.partition(";")[0] for found in (pretrained, random)] == [NOTES["pretrained"], NOTES["random"]]


def test_the_untrained_backbone_is_torchvisions(monkeypatch, tmp_path):
    torchvision_or_skip()
    monkeypatch.setenv("SPECTRAL_LAB_DATA", str(tmp_path))
    found = lesson.__wrapped__("random", "digits", 10, "cpu")
    data = datasets.load("digits", validation=0.0, limit=10)
    seen = extract_features(data.x_train, Backbone("efficientnet_v2_s", None))
    assert found.x.shape == (10, 1280)
    assert bool(found.x.isfinite().all())
    assert_close(found.x * seen.std(0) + seen.mean(0), seen, rtol=1e-3, atol=1e-9)
    assert len(list((tmp_path / "features").iterdir())) == 2


# ---------------------------------------------------------------- trials


@pytest.fixture(scope="module")
def runs():
    return {label: run(quick(label)) for label in HEADS}


@pytest.mark.parametrize("label", HEADS)
def test_what_is_kept_is_that_of_the_trained_head(runs, label):
    taught, outcome = lesson("cnn", "digits", 100, "cpu"), runs[label]
    model = build(quick(label), 256, 10)
    lessons = start(quick(label), model, taught.x, taught.y, 2)
    losses = [record.data_loss for record in lessons]
    right = (model(taught.x_test).argmax(1) == taught.y_test).double().mean().item()
    assert outcome["history"]["accuracy"][-1] == pytest.approx(right, abs=1e-4)
    assert outcome["history"]["loss"] == pytest.approx(losses, rel=1e-3)
    assert outcome["parameters"] == sum(p.numel() for p in model.parameters() if p.requires_grad)
    if label == LINEAR:
        assert "eigenvalues" not in outcome
        assert lessons.penalised == []
        return
    head = model[-1]
    assert (lessons.penalised, lessons.rho, lessons.penalty) == (["1.eigenvalues.1"], HEADS[label][1], "l1")
    assert outcome["eigenvalues"]["2"]["hidden"] == pytest.approx(head.eigenvalues[1].tolist(), rel=1e-2, abs=1e-6)
    assert outcome["eigenvalues"]["2"]["last"] == pytest.approx(head.eigenvalues[2].tolist(), rel=1e-2)
    assert outcome["eigenvalues"]["1"] != outcome["eigenvalues"]["2"]
    right = (without_hidden(model)(taught.x_test).argmax(1) == taught.y_test).double().mean().item()
    assert outcome["history"]["removed"][-1] == pytest.approx(right, abs=1e-4)


def test_only_the_penalty_tells_the_two_sparcs_heads_apart(runs):
    first, second = (build(quick(label), 256, 10).state_dict() for label in (SPARCS, FREE))
    assert_close(first, second, rtol=0, atol=0)
    hidden = {label: torch.tensor(runs[label]["eigenvalues"]["2"]["hidden"]).abs().sum() for label in (SPARCS, FREE)}
    assert 0 < hidden[SPARCS] < hidden[FREE]


def test_the_same_trial_gives_the_same_numbers(runs):
    again = run(quick(SPARCS))
    assert again["history"] == runs[SPARCS]["history"]
    assert again["eigenvalues"] == runs[SPARCS]["eigenvalues"]


def test_every_seed_has_its_own_start():
    first, second = (build(quick(SPARCS) | {"seed": seed}, 256, 10)[-1].eigenvectors[0] for seed in (1, 2))
    assert not torch.equal(first, second)


def test_a_sparcs_head_holds_more_memory_and_every_head_at_least_its_numbers_four_times(runs):
    peaks = {label: runs[label]["peak"] for label in HEADS}
    assert peaks[SPARCS] == pytest.approx(peaks[FREE], rel=0.05) and peaks[SPARCS] > peaks[LINEAR]  # noqa: PT018
    assert all(peaks[label] * 2**20 > 16 * runs[label]["parameters"] for label in HEADS)


def test_every_head_runs_with_every_seed_at_every_scale():
    for recipe in (TABLE, UNTRAINED):
        for setting in recipe.settings.values():
            made = recipe.trials(setting)
            assert len(made) == 3 * setting["seeds"]
            assert {one["label"] for one in made} == set(HEADS)
            assert all(("hidden" in one) == (one["label"] != LINEAR) for one in made)
            assert all((one["lr"], one["batch_size"]) == (1e-3, 128) for one in made)
    assert {one["source"] for one in TABLE.trials(TABLE.settings["paper"])} == {"pretrained"}
    assert {one["data"] for one in TABLE.trials(TABLE.settings["paper"])} == {"cifar-100"}


# ---------------------------------------------------------------- findings


def made_up(accuracy, removed=None, live=(0, 0), small=0.001, free_removed=0.6, free_live=(0, 8)):
    """Three seeds of every head after one and two passes; ``accuracy`` is that of the SPARCS heads, the linear one has 0.6."""
    done = []
    for seed in range(3):
        for label in HEADS:
            shift = 0.001 * seed
            top = 0.6 if label == LINEAR else accuracy
            history = {"accuracy": [top + shift, top + shift]}
            outcome = {"parameters": 100, "peak": 1.0, "pass_seconds": 0.5, "note": "a stand-in; a subset", "history": history}
            if label != LINEAR:
                without = free_removed if label == FREE else accuracy if removed is None else removed
                history |= {"removed": [without + shift] * 2, "live": list(free_live if label == FREE else live)}
                layer = {"hidden": [small, -small / 2, small / 3], "last": [1.0, -1.1]}
                outcome["eigenvalues"] = {"1": layer, "2": layer}
            done.append(Done(trial("cnn", "digits", label, seed, passes=2, hidden=12), outcome))
    return done


NAMES = ["one pass", "all passes", "idle", "idle later", "free", "smaller"]


@pytest.mark.parametrize(
    ("done", "differs"),
    [
        (made_up(0.6), set()),
        (made_up(0.5), set()),  # worse is no advantage
        (made_up(0.65), {"one pass", "all passes", "free"}),
        (made_up(0.6, removed=0.5), {"idle later"}),  # nothing is live after one pass, whatever they bring
        (made_up(0.6, live=(1, 1)), {"idle"}),
        (made_up(0.6, free_removed=0.5), {"free"}),
        (made_up(0.6, small=0.02), {"smaller"}),
    ],
)
def test_each_finding_can_go_either_way(done, differs):
    found = findings(done)
    assert {name for name, finding in zip(NAMES, found, strict=True) if not finding.agrees} == differs


def test_findings_say_the_numbers():
    said = [finding.ours for finding in findings(made_up(0.65, removed=0.6, live=(0, 3), small=0.002))]
    assert said[0] == "+0.050 ± 0.000: 0.651 ± 0.001 against 0.601 ± 0.001"
    assert said[2] == "0, 0, 0 of 12 live; they bring +0.050 ± 0.000"
    assert said[3].startswith("3, 3, 3 of 12 live")
    assert said[4].startswith("8, 8, 8 of 12 live")
    assert said[5] == "the largest 0.002 of the smallest λ of the last layer, the median 0.00095 of the median"


def changed(done, label, **history):
    """The same, with another history of one head's first seed."""
    place = next(k for k, one in enumerate(done) if one.trial["label"] == label)
    outcome = done[place].outcome
    done[place] = Done(done[place].trial, outcome | {"history": outcome["history"] | history})
    return done


def test_a_neuron_that_one_seed_recruits_is_told_and_one_that_a_seed_does_not_is_too():
    recruited = findings(changed(made_up(0.6), SPARCS, live=[1, 1]))[2]
    assert (recruited.ours.partition(" of")[0], recruited.agrees) == ("1, 0, 0", False)
    some = UNTRAINED.findings(changed(made_up(0.65, removed=0.6, live=(0, 3)), SPARCS, live=[0, 0]))[1]
    assert (some.ours, some.agrees) == ("0, 3, 3 of 12", False)


def test_one_pass_is_told_from_all_of_them():
    done = made_up(0.6)
    for one in done:
        if one.trial["label"] == SPARCS:
            one.outcome["history"] |= {"accuracy": [0.7, 0.6], "removed": [0.5, 0.6]}
            one.outcome["eigenvalues"]["2"] = {"hidden": [3.0, 0.5, 0.5], "last": [1.0, 1.0]}
    found = findings(done)
    assert [finding.agrees for finding in found] == [False, True, True, True, True, True]
    assert found[2].ours.endswith("they bring +0.200 ± 0.000")
    assert found[3].ours.endswith("they bring +0.000 ± 0.000")
    figure = Figure(figsize=TABLE.size, layout="constrained")
    TABLE.draw(done, figure)
    _, *axes = figure.get_axes()
    assert axes[0].get_xlim()[1] >= 3
    largest = [max(bar.get_x() for bar in ax.patches if bar.get_height()) for ax in axes[:3]]
    assert largest[0] < 0.5 < largest[1] < 1.5 < largest[2]


@pytest.mark.parametrize(
    ("done", "agrees"),
    [
        (made_up(0.65, removed=0.6, live=(0, 3), free_removed=0.6), [True] * 5),
        (made_up(0.6, live=(0, 3)), [False, True, False, True, False]),
        (made_up(0.65, removed=0.6, free_live=(8, 0), free_removed=0.65), [True, False, True, False, False]),
    ],
)
def test_behind_an_untrained_backbone_neurons_are_expected_to_help(done, agrees):
    found = UNTRAINED.findings(done)
    assert [finding.agrees for finding in found] == agrees
    assert found[1].ours == ", ".join(str(n) for n in [done[1].outcome["history"]["live"][-1]] * 3) + " of 12"
    assert "without the penalty" in found[3].what


# ---------------------------------------------------------------- the picture


def test_the_table_has_a_row_for_every_head_and_the_stand_in_stands_on_the_picture():
    done = made_up(0.65, live=(0, 3))
    cells = row(done, SPARCS)
    assert len(cells) == len(HEADER)
    assert cells == ["SPARCS head", "100", "0.50 ± 0.00", "1.0", *["0.651 ± 0.001"] * 2, "3 ± 0", "0.727 (139.5 s, 519 MB)"]
    assert row(done, LINEAR)[6:] == ["", "0.732 (138.8 s, 408 MB)"]
    assert row(done, FREE)[7] == ""
    figure = Figure(figsize=TABLE.size, layout="constrained")
    TABLE.draw(done, figure)
    figure.draw_without_rendering()
    assert figure._supxlabel.get_text() == "a stand-in\na subset"
    table, *axes = figure.get_axes()
    words = {text.get_text() for text in table.texts}
    assert {LINEAR, SPARCS, FREE, "2 passes"} <= words
    assert [ax.get_xlabel() for ax in axes] == [
        r"$|\lambda_2|$, 1 pass",
        r"$|\lambda_3|$, 1 pass",
        r"$|\lambda_2|$, 2 passes",
        "pass",
    ]
    assert len({ax.get_xlim()[1] for ax in axes[:3]}) == 1  # hidden and last layer on one scale
    lines = {line.get_label(): list(line.get_ydata()) for line in axes[3].lines}
    assert lines == {SPARCS: [0, 3], FREE: [0, 8]}


def test_a_module_that_changes_nothing_stands_before_the_head():
    model = build(quick(LINEAR), 7, 3)
    assert isinstance(model[0], nn.Flatten)
    x = torch.rand(2, 7, generator=torch.Generator().manual_seed(0))
    assert_close(model(x), model[1](x), rtol=0, atol=0)
