"""The table of hyper-parameters says what the trainings really do, and at the scale "paper" that is what the papers print."""

import pytest
import torch
from matplotlib.figure import Figure

from spectral_lab import depth, search
from spectral_lab.depth import DepthSearch
from spectral_lab.recipes import RECIPES, depth_figures, sparcs
from spectral_lab.recipes.hyperparameters import OPTIMISER, same, tables
from spectral_lab.search import Search

TABLES = RECIPES["sparcs-tables-3-5"]
# As printed (App. G), in words of ours.
PRINTED = {
    "Table 3": {
        "learning rate": 1e-3,
        "batch size": 100,
        "epochs": 300,
        "hidden neurons": [300],
        "optimiser": "Adam",
        "ρ": 1e-4,
        "activation": "relu",
        "loss": "mse_loss",
        "seed of the data": 42,
        "trials": 100,
    },
    "Table 4": {
        "learning rate": 1e-3,
        "batch size": 1024,
        "epochs": 180,
        "teacher's neurons": 20,
        "hidden neurons": [200, 200],
        "optimiser": "Adam",
        "ρ": 3e-3,
        "activation": "relu",
        "loss": "mse_loss",
        "seed of the data": 42,
    },
    "Table 5": {
        "learning rate": 1e-3,
        "batch size": 128,
        "epochs": 300,
        "hidden neurons": [526],
        "optimiser": "Adam",
        "regularisation": "l1",
        "ρ": 1e-4,
        "activation": "relu",
        "loss": "cross_entropy",
        "trials": 100,
    },
}


@pytest.mark.parametrize("name", PRINTED)
def test_the_scale_paper_has_the_values_that_the_paper_prints(name):
    ours = {row.name: row.ours["paper"] for row in tables()[name]}
    for what, value in PRINTED[name].items():
        assert ours[what] == pytest.approx(value), what


def test_the_optimiser_and_the_loss_are_those_of_the_trainings():
    runs = (search.training([Search(n=200, hidden=5)]), depth.training([DepthSearch(n=200, hidden=(5, 5))]))
    for run in runs:
        assert type(run._adam) is getattr(torch.optim, OPTIMISER)
        assert run._data_loss is torch.nn.functional.mse_loss


def test_a_setting_that_drifts_is_seen(monkeypatch):
    assert all(finding.agrees for finding in TABLES.findings([]))
    monkeypatch.setitem(depth_figures.SETTINGS["paper"], "batch_size", 512)
    monkeypatch.setitem(sparcs.SETTINGS["paper"], "seeds", 99)
    differ = {finding.what: finding.ours for finding in TABLES.findings([]) if not finding.agrees}
    assert differ == {"Table 3: trials": "class: 5; paper: 99", "Table 4: batch size": "class: 256; paper: 512"}


def test_numbers_are_the_same_up_to_the_rounding_of_a_float32():
    assert same(torch.tensor(3e-3).item(), 3e-3)
    assert not same(3.1e-3, 3e-3)
    assert not same([200], [200, 200])


def test_yes_and_no_are_those_of_the_networks_also_where_the_paper_is_silent():
    said = {finding.what: finding.ours for finding in TABLES.findings([])}
    assert said["Table 3: λ₁ trained"] == said["Table 3: bias node"] == "class: yes; paper: yes"
    assert said["Table 4: λ₁ trained"] == said["Table 5: λ₁ trained"] == "class: no; paper: no"
    (bias,) = (row for row in tables()["Table 4"] if row.name == "bias node")
    assert dict(bias.ours) == {"class": False, "paper": False}


def test_the_picture_marks_what_differs_from_the_paper():
    figure = Figure()
    TABLES.draw([], figure)
    (cells,) = figure.axes[1].tables
    texts = {place: cell.get_text() for place, cell in cells.get_celld().items()}
    rows = {text.get_text(): k for (k, column), text in texts.items() if column == 0}
    short, long = (texts[rows["epochs"], column] for column in (2, 3))
    assert (short.get_text(), long.get_text()) == ("120", "180")
    assert short.get_color() != long.get_color() == texts[rows["learning rate"], 1].get_color()
    marked = {name for name, k in rows.items() if texts[k, 2].get_color() == short.get_color()}
    assert marked == {"learning rate", "batch size", "epochs", "points to train on"}
