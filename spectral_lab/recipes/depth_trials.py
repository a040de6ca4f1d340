"""One training of SPARCS' second experiment as a trial, and in which state it leaves the hidden layers.

By |λ| one layer may be left, and by what passes through the neurons two: where λ_3 = 0 and λ_2 ≠ 0, the second hidden layer
still hears W_32 = φ_2 L_2.  Only if the *last* hidden layer survives is the other one gone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from spectral_lab.depth import DepthSearch, linear_R2, onset
from spectral_lab.networks import SpectralNet
from spectral_lab.plotting import FAINT, INK, NEGATIVE, POSITIVE
from spectral_lab.recipes.recipe import Done, Outcome, Setting, Trial
from spectral_lab.recipes.sparcs import rounded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLE_4 = 3e-3  # ρ
FITS = 0.97  # R² above which a network counts as one that has learned the task
POINTS = 80  # of a curve over numbers of nodes
SMALL = {"dim": 3, "hidden": [8, 8], "n": 400, "n_validation": 200, "batch_size": 50, "lr": 5e-3, "epochs": 10}
CLASS = {"dim": 20, "hidden": [200, 200], "n": 20_000, "n_validation": 5000, "batch_size": 256, "lr": 2e-3, "epochs": 120}
PAPER = {"dim": 20, "hidden": [200, 200], "n": 100_000, "n_validation": 10_000, "batch_size": 1024, "lr": 1e-3, "epochs": 180}
MANY = {"dim": 10, "hidden": [60, 60], "n": 10_000, "n_validation": 3000, "batch_size": 128, "lr": 2e-3, "epochs": 120}

# ---------------------------------------------------------------- trials


def trial(setting: Setting, *, keep: Sequence[str] = (), **chosen: Any) -> Trial:
    """One training: all options of the search that matter, and what is kept of the network, "curves" or "eigenvalues"."""
    return {"search": {name: setting[name] for name in SMALL} | chosen, "keep": list(keep)}


def search_of(trial: Trial, device: str = "cpu") -> DepthSearch:
    """The search that a trial runs."""
    return DepthSearch(**{**trial["search"], "hidden": tuple(trial["search"]["hidden"]), "device": device})


def run(trial: Trial, device: str = "cpu") -> Outcome:
    """Train one network."""
    return run_together([trial], device)[0]


def run_together(trials: Sequence[Trial], device: str = "cpu") -> list[Outcome]:
    """Train the networks of some trials, those at once that differ in ρ and the seed only."""
    start = time.perf_counter()
    searches = [search_of(one, device) for one in trials]
    trained = DepthSearch().trained([asdict(search) for search in searches])
    outcomes: list[Outcome] = []
    for one, search, (network, found) in zip(trials, searches, trained, strict=True):
        outcome = {name: rounded(value) for name, value in found.items()}
        outcome["onset"] = rounded(float(onset(search.network(), *search.data()).norm()))
        if "curves" in one["keep"]:
            outcome["curves"] = curves(search, network)
            outcome["linear_R2"] = rounded(linear_R2(*search.data()))
        if "eigenvalues" in one["keep"]:
            outcome["eigenvalues"] = [rounded(lam.tolist(), 3) for lam in network.hidden_eigenvalues()]
        outcomes.append(outcome)
    seconds = round((time.perf_counter() - start) / len(trials), 2)
    return [outcome | {"seconds": seconds} for outcome in outcomes]


def curves(search: DepthSearch, network: SpectralNet) -> dict[str, list[float]]:
    """The relative increase of the loss at POINTS numbers of nodes that stay: the others are removed, or their λ set to 0."""
    nodes = sum(search.hidden)
    kept = sorted({round(k * nodes / POINTS) for k in range(POINTS + 1)})
    losses = {"removed": search.curve(network).loss[kept].tolist(), "zeroed": search.zeroed(network, kept)}
    return {"kept": kept} | {name: rounded([loss / loss_[-1] - 1 for loss in loss_], 3) for name, loss_ in losses.items()}


# ---------------------------------------------------------------- what a network has become

# Which of two layers are on by |λ|; the first alone keeps the other one alive, which hears φ_2 L_2.
STATES = {
    "no layer": (False, False),
    "the last layer alone": (False, True),
    "both layers": (True, True),
    "the first, and the last hears it": (True, False),
}
COLOURS = dict(zip(STATES, (FAINT, POSITIVE, INK, NEGATIVE), strict=True))


def state(outcome: Outcome) -> str:
    """What is left, in words."""
    return next(name for name, on in STATES.items() if on == tuple(outcome["on"]))


def counted(outcomes: Sequence[Outcome]) -> str:
    """How many networks are in each state that occurs."""
    states = [state(outcome) for outcome in outcomes]
    return "; ".join(f"{name} in {states.count(name)} of {len(states)}" for name in STATES if name in states)


def grouped(done: Sequence[Done], *names: str) -> dict[tuple[Any, ...], list[Outcome]]:
    """The outcomes by what is varied besides the seed, in the order of the trials."""
    groups: dict[tuple[Any, ...], list[Outcome]] = {}
    for one in done:
        groups.setdefault(tuple(one.trial["search"][name] for name in names), []).append(one.outcome)
    return groups


def most(some: Sequence[Outcome], of: Sequence[Outcome]) -> tuple[str, bool]:
    """A count in words, and whether it is more than four in five."""
    return f"{len(some)} of {len(of)}", len(some) > 0.8 * len(of)


def name_states(figure: Figure, done: Sequence[Done]) -> None:
    """A legend below of the states that occur."""
    from matplotlib.patches import Patch

    found = {state(one.outcome) for one in done}
    patches = [Patch(color=colour, label=name) for name, colour in COLOURS.items() if name in found]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), frameon=False, fontsize="small")
