r"""Filter relevance as eigenvalue magnitude (*Student*, Suppl. B.2): which filters of a CNN can go, and who knows it?

With :math:`\lambda^{in} = 0` the eigenvalue :math:`\lambda^{out}` of a filter multiplies all that it says.  An L1 penalty on
it is meant to do what network slimming (Liu et al. 2017) does with the factor γ of a batch norm: empty filters one by one,
so that they can be removed.  Two small CNNs on the same images, with and without that penalty:

- *spectral*: convolutions with one eigenvalue for every filter, no batch norm, which would undo the eigenvalue's size;
- *batch norm*: plain convolutions, each with a batch norm, whose γ has the eigenvalue's place.

Then filters are removed, the same share in every layer, by the eigenvalue (or γ), by the norm of the filter's weights, or at
random.  A removed filter delivers 0, and nothing is trained afterwards.  The paper states the correspondence, and prints no
experiment.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from spectral_lab.convolutions import SpectralConv2d
from spectral_lab.curves import pruning_curve
from spectral_lab.heads import minimal_cnn, with_head
from spectral_lab.plotting import INK, NEGATIVE, POSITIVE, plot_bands
from spectral_lab.pruning import prune
from spectral_lab.recipes.head_results import ahead, averaged
from spectral_lab.recipes.head_trials import CHUNK, images
from spectral_lab.recipes.recipe import Done, Finding, Outcome, Recipe, Setting, Trial
from spectral_lab.recipes.student_results import words
from spectral_lab.recipes.student_trials import digits
from spectral_lab.training import train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("spectral", "batch norm")
SYMBOLS = {"spectral": r"$|\lambda^{out}|$", "batch norm": r"$|\gamma|$"}
RELEVANCE = {"spectral": "eigenvalue", "batch norm": "batch_norm"}
COLOURS = {"relevance": POSITIVE, "norm": NEGATIVE, "random": INK}
STEPS = 16  # shares of the filters, where there are so many
TRAINING = {"lr": 2e-3, "batch_size": 128}
ASKED = 3000  # test images that are asked; a network is asked some fifty times
HALF = 0.5  # share of the filters at which the rankings are compared in words


# ---------------------------------------------------------------- one trial


def trials(setting: Setting) -> list[Trial]:
    """Both networks with every ρ and every seed."""
    names = ("data", "limit", "channels", "epochs")
    options = {name: setting[name] for name in names if setting.get(name) is not None}
    return [
        {"kind": kind, "rho": rho, "seed": seed, **TRAINING, **options}
        for kind in KINDS
        for rho in setting["rhos"]
        for seed in range(setting["seeds"])
    ]


def run(trial: Trial, device: str = "cpu") -> Outcome:
    """Train one network, and ask what is left of it for every number of filters that stay."""
    (x, y, x_test, y_test), n_out, note = images(trial["data"], trial.get("limit"), device)
    model, began = build(trial, tuple(x.shape[1:]), n_out).to(device), time.perf_counter()
    fit(model, x, y, trial)
    asked, seed = (x_test[:ASKED], y_test[:ASKED]), trial["seed"]
    n = sum(trial["channels"])
    numbers = sorted({max(1, round(n * k / STEPS)) for k in range(1, STEPS + 1)})
    outcome: Outcome = {"kept": [digits(number / n) for number in numbers], "left": {}}
    for name, ranking in rankings(trial["kind"]).items():
        curve = pruning_curve(model, ranking, *asked, per_layer=True, numbers=numbers, seed=seed)
        assert curve.accuracy is not None  # the targets are classes
        outcome["left"][name] = digits(curve.accuracy)
    outcome["relevance"] = [digits(values.detach().abs(), 4) for values in relevances(model)]
    small = prune(model, RELEVANCE[trial["kind"]], fraction=HALF, per_layer=True, x=asked[0]).network
    outcome["half"] = {"parameters": sum(p.numel() for p in small.parameters()), "accuracy": right(small, *asked)}
    outcome["parameters"] = sum(p.numel() for p in model.parameters())
    return outcome | {"seconds": round(time.perf_counter() - began, 2)} | ({"note": note} if note else {})


@torch.no_grad()
def right(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of right answers in evaluation."""
    model.eval()
    answers = torch.cat([model(part).argmax(1) for part in x.split(CHUNK)])
    share: float = digits((answers == y).float().mean())
    return share


def rankings(kind: str) -> dict[str, str]:
    """What the filters of a network are ranked by."""
    return {"relevance": RELEVANCE[kind], "norm": "row_norm", "random": "random"}


def build(trial: Trial, shape: tuple[int, ...], n_out: int) -> nn.Sequential:
    """A network at its start; the spectral one has no biases in its convolutions, so that λ = 0 is silence."""
    generator = torch.Generator().manual_seed(trial["seed"])
    plain = minimal_cnn(shape, trial["channels"], generator=generator)
    if trial["kind"] == "batch norm":
        return with_head(plain, shape, n_out, head="linear", generator=generator)
    modules: list[nn.Module] = []
    for module in plain:
        if isinstance(module, nn.Conv2d):
            sizes = (module.in_channels, module.out_channels, 3)
            modules.append(SpectralConv2d.student(*sizes, padding=1, bias=False, generator=generator))
        elif not isinstance(module, nn.BatchNorm2d):
            modules.append(module)
    return with_head(nn.Sequential(*modules), shape, n_out, head="linear", generator=generator)


def fit(model: nn.Sequential, x: Tensor, y: Tensor, trial: Trial) -> None:
    """Train with ρ Σ|λ_out|, or ρ Σ|γ|."""
    known = {id(p): name for name, p in model.named_parameters()}
    options: dict[str, Any] = {name: trial[name] for name in (*TRAINING, "epochs", "rho", "seed")}
    penalised = [known[id(p)] for p in relevances(model)]
    loss, record_every = nn.functional.cross_entropy, -(-len(x) // trial["batch_size"])
    for _ in train(model, x, y, penalty="l1", penalised=penalised, loss=loss, record_every=record_every, **options):
        pass


def relevances(model: nn.Sequential) -> list[nn.Parameter]:
    """λ_out of every convolution, or γ of every batch norm: one number for each filter."""
    return [
        module.eigenvalues_out if isinstance(module, SpectralConv2d) else module.weight
        for module in model
        if isinstance(module, SpectralConv2d | nn.BatchNorm2d)
    ]


# ---------------------------------------------------------------- the recipe


def chosen(done: Sequence[Done], kind: str, rho: float) -> list[Outcome]:
    """The outcomes of one network and one ρ, one for each seed."""
    return [one.outcome for one in done if one.trial["kind"] == kind and one.trial["rho"] == rho]


def strengths(done: Sequence[Done]) -> list[float]:
    """All ρ that occur, ascending."""
    return sorted({one.trial["rho"] for one in done})


def draw(done: Sequence[Done], figure: Figure) -> None:
    """Accuracy against the share of the filters that stay: a row for each network, a column for each ρ."""
    panels = figure.subplots(len(KINDS), len(strengths(done)), sharex=True, sharey=True, squeeze=False)
    for kind, row in zip(KINDS, panels, strict=True):
        for rho, ax in zip(strengths(done), row, strict=True):
            outcomes = chosen(done, kind, rho)
            names = {"relevance": SYMBOLS[kind], "norm": r"$\|w\|$", "random": "random"}
            series = {
                names[name]: (outcomes[0]["kept"], *averaged([outcome["left"][name] for outcome in outcomes])[1:])
                for name in COLOURS
            }
            plot_bands(series, ax, styles=[{"color": colour, "lw": 1.6} for colour in COLOURS.values()])
            ax.set_title(rf"{kind}, $\rho$ = {rho:g}", fontsize="medium")
        row[0].set(ylabel="test accuracy")
    for ax in panels[-1]:
        ax.set(xlabel="share of the filters that stay")
    data, note = done[0].trial["data"], done[0].outcome.get("note")
    figure.supxlabel(f"{data}; {note}" if note else data, fontsize="small")


def area(outcome: Outcome, ranking: str) -> float:
    """Mean accuracy over all shares."""
    return mean(outcome["left"][ranking])


def at_half(outcomes: Sequence[Outcome], ranking: str) -> list[float]:
    """The accuracy of each seed with half of the filters."""
    place = min(range(len(outcomes[0]["kept"])), key=lambda k: abs(outcomes[0]["kept"][k] - HALF))
    return [outcome["left"][ranking][place] for outcome in outcomes]


def findings(done: Sequence[Done]) -> list[Finding]:
    """Does the eigenvalue know which filters matter, does the penalty help, and is slimming the same?"""
    found = []
    free, penalised = min(strengths(done)), max(strengths(done))
    for kind, rho in ((kind, rho) for kind in KINDS for rho in (free, penalised)):
        outcomes = chosen(done, kind, rho)
        told, better = ahead([area(o, "relevance") for o in outcomes], [area(o, "random") for o in outcomes])
        symbol = "λ_out" if kind == "spectral" else "γ"
        norm, _ = ahead([area(o, "relevance") for o in outcomes], [area(o, "norm") for o in outcomes])
        what = f"mean accuracy over all shares, |{symbol}| over a random order, {kind}, ρ = {rho:g}"
        ours = f"{told} (over ‖w‖ {norm}); half of the filters: {words(at_half(outcomes, 'relevance'), '.3f')}"
        found.append(Finding(what, "its size is the filter's relevance", ours, better))
    for kind in KINDS:
        more, less = ([area(o, "relevance") for o in chosen(done, kind, rho)] for rho in (penalised, free))
        told, better = ahead(more, less)
        whole = [words([o["left"]["relevance"][-1] for o in chosen(done, kind, rho)], ".3f") for rho in (penalised, free)]
        ours = f"{told}; the whole network {whole[0]} against {whole[1]}"
        found.append(Finding(f"the same, with the penalty over without, {kind}", "it empties filters", ours, better))
    return found


SHARED = {"rhos": [0.0, 3e-2], "seeds": 3}
RECIPES = (
    Recipe(
        "filter-pruning",
        "Student Suppl. B.2",
        "filters removed by eigenvalue, by batch norm's γ, by norm, at random",
        {
            "smoke": {"data": "digits", "limit": 150, "channels": [4, 8], "epochs": 2, **SHARED},
            "class": {"data": "fashion-mnist", "limit": 10_000, "channels": [16, 32], "epochs": 10, **SHARED},
            "paper": {"data": "fashion-mnist", "channels": [32, 64], "epochs": 60, **SHARED, "seeds": 10},
        },
        trials,
        run,
        draw,
        findings,
        size=(9, 6.4),
    ),
)
