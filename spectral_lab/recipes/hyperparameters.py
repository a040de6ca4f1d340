"""The hyper-parameters of SPARCS (App. G, Tables 3 to 5) beside those of our recipes, read off the trainings that these make.

Nothing is trained: for each scale the first trial of a recipe is set up, network, data and all, and asked.  What a recipe
varies besides (α and β in Fig. 7; ρ, penalty and bias node in Fig. 9) is at its first value.  Of the two experiments of Table 5
the one on CIFAR-10 is asked.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from spectral_lab import depth, search
from spectral_lab.ensembles import EnsembleTraining, train_ensemble
from spectral_lab.networks import SpectralNet, activation_name, find_spectral
from spectral_lab.plotting import FAINT, INK, POSITIVE
from spectral_lab.recipes import depth_figures, heads, sparcs
from spectral_lab.recipes.depth_trials import search_of
from spectral_lab.recipes.head_trials import build, start
from spectral_lab.recipes.recipe import SCALES, Done, Finding, Outcome, Recipe, Trial
from spectral_lab.search import Search

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OPTIMISER = "Adam"  # of every training (train, train_ensemble); they have no other
SILENT = "not said"


class Row(NamedTuple):
    """A hyper-parameter as the paper prints it, and ours at each scale."""

    name: str
    printed: str  # as the paper has it
    wanted: Any  # the same as a value of ours; None where the paper is silent
    ours: Mapping[str, Any]  # scale → value


def described(run: EnsembleTraining, options: Search | depth.DepthSearch, trials: Sequence[Trial]) -> dict[str, Any]:
    """What both experiments have in common."""
    network = run.ensemble.network(0)
    assert isinstance(network, SpectralNet)
    return {
        "lr": options.lr,
        "batch": run.batch_size,
        "epochs": round(run.steps / -(-options.n // run.batch_size)),
        "hidden": list(network.sizes[1:-1]),
        "optimiser": OPTIMISER,
        "penalty": options.penalty,
        "rho": run.rho.item(),
        "activation": activation_name(network.activation),
        "loss": inspect.signature(train_ensemble).parameters["loss"].default.__name__,
        "n": options.n,
        "bias": network.bias,
        "lam_1": network.eigenvalues[0].requires_grad,
        "seeds": len({trial["search"]["seed"] for trial in trials}),
    }


def first_experiment(scale: str) -> dict[str, Any]:
    """That of Fig. 7."""
    trials = sparcs.trials(sparcs.SETTINGS[scale])
    options = Search(**trials[0]["search"])
    return described(search.training([options]), options, trials) | {"data_seed": options.data_seed}


def second_experiment(scale: str) -> dict[str, Any]:
    """That of Figs 9 and 10."""
    trials = depth_figures.trials(depth_figures.SETTINGS[scale])
    options = search_of(trials[0])
    found = described(depth.training([options]), options, trials)
    return found | {"data_seed": options.task_seed, "teacher": options.dim}


def third_experiment(scale: str) -> dict[str, Any]:
    """That of Table 1: the SPARCS head behind a CNN, set up with two blank images."""
    (recipe,) = (recipe for recipe in heads.RECIPES if recipe.name == "sparcs-table-1")
    trials = [trial for trial in recipe.trials(recipe.setting(scale)) if trial["head"] == "sparcs"]
    model = build(trials[0], (3, 32, 32), 10)
    run = start(trials[0], model, torch.zeros(2, 3, 32, 32), torch.zeros(2, dtype=torch.long), trials[0]["epochs"])
    found = find_spectral(model)
    assert found is not None
    head = found[1]
    return {
        "lr": run.lr,
        "batch": run.batch_size,
        "epochs": run.steps,  # two images are one batch
        "hidden": list(head.sizes[1:-1]),
        "optimiser": OPTIMISER,
        "penalty": run.penalty,
        "rho": run.rho,
        "activation": activation_name(head.activation),
        "loss": run.loss.__name__,
        "lam_1": head.eigenvalues[0].requires_grad,
        "seeds": len({trial["seed"] for trial in trials}),
    }


def table(ours: Mapping[str, Mapping[str, Any]], printed: Mapping[str, tuple[str, str, Any]]) -> list[Row]:
    """Rows of names, what is printed and what that is for us, with the values at each scale."""
    return [
        Row(name, theirs, wanted, {scale: found[key] for scale, found in ours.items()})
        for key, (name, theirs, wanted) in printed.items()
    ]


def tables() -> dict[str, list[Row]]:
    """All tables, with what the paper's text says beside them.  "L2" is what the authors' code does under this name."""
    scales = [scale for scale in SCALES if scale != "smoke"]
    common = {
        "lr": ("learning rate", "10⁻³", 1e-3),
        "optimiser": ("optimiser", "Adam", "Adam"),
        "penalty": ("regularisation", "L2", "l2_norm"),
        "activation": ("activation", "ReLU", "relu"),
        "loss": ("loss", "MSE", "mse_loss"),
        "data_seed": ("seed of the data", "42 (NumPy's)", 42),
    }
    first = common | {
        "batch": ("batch size", "100", 100),
        "epochs": ("epochs", "300", 300),
        "hidden": ("hidden neurons", "300", [300]),
        "rho": ("ρ", "10⁻⁴", 1e-4),
        "seeds": ("trials", "100", 100),
        "bias": ("bias node", "yes (App. E)", True),
        "lam_1": ("λ₁ trained", "yes (App. E)", True),
        "n": ("points to train on", SILENT, None),
    }
    second = common | {
        "batch": ("batch size", "1024", 1024),
        "epochs": ("epochs", "180", 180),
        "teacher": ("teacher's neurons", "20", 20),
        "hidden": ("hidden neurons", "200", [200, 200]),
        "rho": ("ρ", "3·10⁻³", 3e-3),
        "seeds": ("trials", SILENT, None),
        "bias": ("bias node", SILENT, None),
        "lam_1": ("λ₁ trained", "no (Section 5)", False),
        "n": ("points to train on", "10⁵ (Section 5)", 100_000),
    }
    third = {
        "lr": common["lr"],
        "optimiser": common["optimiser"],
        "penalty": ("regularisation", "L1", "l1"),
        "activation": common["activation"],
        "loss": ("loss", "Log Loss", "cross_entropy"),
        "batch": ("batch size", "128", 128),
        "epochs": ("epochs", "300", 300),
        "hidden": ("hidden neurons", "526", [526]),
        "rho": ("ρ", "10⁻⁴", 1e-4),
        "seeds": ("trials", "100", 100),
        "lam_1": ("λ₁ trained", "no (App. F.1)", False),
    }
    return {
        "Table 3": table({scale: first_experiment(scale) for scale in scales}, first),
        "Table 4": table({scale: second_experiment(scale) for scale in scales}, second),
        "Table 5": table({scale: third_experiment(scale) for scale in scales}, third),
    }


def as_text(value: Any) -> str:
    """A value as it stands in the table."""
    if isinstance(value, list):
        return " - ".join(as_text(part) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.5g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def draw(done: Sequence[Done], figure: Figure) -> None:
    """Each table with the paper's column and one for each scale; what differs from the paper is marked."""
    found = tables()
    for ax, (title, rows) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        draw_table(rows, ax)
        ax.set_title(f"SPARCS, {title}", color=INK)


def draw_table(rows: Sequence[Row], ax: Axes) -> None:
    """Names, the paper's values and ours."""
    from matplotlib.transforms import Bbox

    scales = list(rows[0].ours)
    cells = [[row.name, row.printed, *(as_text(row.ours[scale]) for scale in scales)] for row in rows]
    header = ["", "paper", *(f'scale "{scale}"' for scale in scales)]
    drawn = ax.table(cells, colLabels=header, cellLoc="left", colLoc="left", bbox=Bbox.unit(), edges="horizontal")
    drawn.auto_set_font_size(False)
    for (k, column), cell in drawn.get_celld().items():
        cell.set(edgecolor=FAINT)
        text = cell.get_text()
        text.set(fontsize="medium", weight="bold" if k == 0 else "normal")
        if k and column >= 2 and differs(rows[k - 1], scales[column - 2]):
            text.set(color=POSITIVE, weight="bold")
    ax.axis("off")


def differs(row: Row, scale: str) -> bool:
    """Whether the paper says something, and it is another value."""
    return row.wanted is not None and not same(row.ours[scale], row.wanted)


def same(value: Any, wanted: Any) -> bool:
    """Whether two values are equal, up to the rounding of a float32."""
    return abs(value - wanted) <= 1e-6 * abs(wanted) if isinstance(wanted, float) else value == wanted


def findings(done: Sequence[Done]) -> list[Finding]:
    """Are the settings of the scale "paper" those of the paper?"""
    return [
        Finding(
            f"{title}: {row.name}",
            row.printed,
            "; ".join(f"{scale}: {as_text(value)}" for scale, value in row.ours.items()),
            not differs(row, "paper"),
        )
        for title, rows in tables().items()
        for row in rows
        if row.wanted is not None
    ]


def nothing(trial: Trial, device: str) -> Outcome:
    """There is nothing to run."""
    raise AssertionError("this recipe has no trials")


RECIPES = (
    Recipe(
        "sparcs-tables-3-5",
        "SPARCS Tables 3, 4, 5",
        "the hyper-parameters, and those of our recipes",
        {scale: {} for scale in SCALES},
        lambda setting: [],
        nothing,
        draw,
        findings,
        size=(18, 5.2),
    ),
)
