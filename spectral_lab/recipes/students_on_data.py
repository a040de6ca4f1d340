r"""*Student* Fig. 3: the core and the transition without a known teacher (real data), and with another one (20-40-20-1).

A student of data is n_in - h - 20 - n_out, with h plain or spectral, as under a teacher, but that all its layers learn: the
last one too, which takes part in α_w.  A constant 1 beside the inputs stands for the biases of the first layer, so that a
node whose eigenvalue is 0 delivers 0 and its relevance counts the bias as one more weight; the other layers have biases, which
are not penalised.  The loss is the mean squared error also for classes, to targets of 0 and 1, so that
ΔMSE means the same in every panel.  The paper says none of this.

What it calls *shuffled* MNIST it does not say either.  Here it is one fixed permutation of the pixels, the same for all images.
To a dense network that changes nothing: permute the columns of its first weights alike, and it is the same network, and
as likely to be drawn.  What goes is what only we, and convolutions, see: neighbourhood.  (Shuffled labels would leave
nothing to learn, and shuffled rows are what every training does.)

α has to fit the data.  With targets c times as large the product of a node's factors grows like c, so the cheapest penalty on n
factors like :math:`c^{2/n}` (:func:`~spectral_lab.teachers.regulariser`), and the error like c²: α weighs the same only if it
grows like :math:`c^{2-2/n}`.  A teacher's targets have variance 5, ones and zeros for ten classes 0.09.  Ours is the least α
of a coarse search (one seed, h = 40 to 200) at which a gap opens in the time there is; Fashion-MNIST takes that of MNIST.
The size of the core is a bargain with α: on MNIST 13 or 14 nodes at 5e-4, 10 or 11 at 1e-3.  Without a teacher there is no
right number, only the question whether it depends on h.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from spectral_lab import datasets
from spectral_lab.layers import SpectralLinear
from spectral_lab.recipes import student
from spectral_lab.recipes.classification import accuracy
from spectral_lab.recipes.features import features, source_here
from spectral_lab.recipes.recipe import Done, Finding, Outcome, Recipe, Setting, Trial
from spectral_lab.recipes.student_results import (
    FLOOR,
    by_kind_and_width,
    core_findings,
    delta_findings,
    draw_core,
    draw_delta,
    floors,
    same_everywhere,
    spread,
    teachers_nodes,
    told,
    widths,
    words,
)
from spectral_lab.recipes.student_trials import KINDS, TRAINING, study, trial
from spectral_lab.recipes.student_trials import run as run_with_teacher
from spectral_lab.tasks import Split
from spectral_lab.teachers import HETEROGENEOUS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SECOND = 20  # nodes of the second hidden layer, as in the paper's students
SHUFFLE = 0  # seed of the one permutation of the pixels
SOURCES = {
    "cnn": "features of a small CNN of ours, trained on the same images and frozen",
    "mobilenet_v2": "features of torchvision's MobileNetV2, pretrained on ImageNet",
}


# ---------------------------------------------------------------- one trial


def run(trial: Trial, device: str = "cpu") -> Outcome:
    """Train one student on real data."""
    data, classes, note = lesson(trial["data"], trial.get("limit"), trial.get("features"), device)
    network = build(trial, data.x_train.shape[1], data.y_train.shape[1])
    outcome = study(network, data, trial, device)
    if classes is not None:
        outcome["accuracy"] = accuracy(network, data.x_test, classes)
    return outcome | ({"note": note} if note else {})


def build(trial: Trial, n_in: int, n_out: int) -> nn.Sequential:
    """A student at its start, Glorot-uniform; both kinds of a seed compute the same."""
    generator, modules = torch.Generator().manual_seed(trial["seed"]), []
    for k, (n, m) in enumerate(pairwise((n_in, trial["h"], SECOND, n_out))):
        layer = nn.utils.skip_init(nn.Linear, n, m, bias=k > 0)
        nn.init.uniform_(layer.weight, -((6 / (n + m)) ** 0.5), (6 / (n + m)) ** 0.5, generator=generator)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
        spectral = trial["kind"] == "spectral" and k == 0
        modules += [SpectralLinear.from_linear(layer, train_eigenvalues_in=False) if spectral else layer, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


@lru_cache(maxsize=1)
def lesson(name: str, limit: int | None, source: str | None, device: str) -> tuple[Split, Tensor | None, str]:
    """Data as a student takes them, the classes of the test part, and what to say beside the figure; the last ones are kept."""
    data = datasets.load(name, flat=True, validation=0.0, limit=limit)
    parts, notes = (data.x_train, data.y_train, data.x_test, data.y_test), [data.note]
    if source is not None:
        parts, _ = features(source, name, limit, device)
        notes.insert(0, f"{SOURCES[source]}, for want of CIFAR-100 and a pretrained ResNet50")
    x, y, x_test, y_test = (part.to(device) for part in parts)
    if data.classes and source is None:
        x, x_test = shuffled(x), shuffled(x_test)
        notes.insert(0, "pixels in one random order, the same for all images")
    split = Split(with_constant(x), targets(y, data.n_out), with_constant(x_test), targets(y_test, data.n_out))
    return split, y_test if data.classes else None, "; ".join(note for note in notes if note)


def shuffled(x: Tensor) -> Tensor:
    """The same columns in another order, which depends on nothing but their number."""
    order = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(SHUFFLE))
    return x[:, order.to(x.device)]


def with_constant(x: Tensor) -> Tensor:
    """The inputs with a column of ones at the end, in place of biases."""
    return torch.cat([x, x.new_ones(len(x), 1)], 1)


def targets(y: Tensor, n_out: int) -> Tensor:
    """Numbers to be approximated: as they are, or 1 for the class of the row and 0 for the others."""
    return y if y.is_floating_point() else nn.functional.one_hot(y, n_out).float()


# ---------------------------------------------------------------- the recipes


def trials(setting: Setting) -> list[Trial]:
    """Students of both kinds and every width, with every seed."""
    names = ("data", "limit", "features", "epochs", "alpha", *TRAINING)
    options = {name: setting[name] for name in names if setting.get(name) is not None}
    return [trial(kind, h, seed, **options) for h in setting["widths"] for kind in KINDS for seed in range(setting["seeds"])]


def draw(done: Sequence[Done], figure: Figure) -> None:
    """The core above the transition, as in the paper, side by side; what the data are, below."""
    left, right = figure.subplots(1, 2)
    known = teachers_nodes(done) if "sizes" in done[0].trial else None
    draw_core(done, left, known)
    draw_delta(done, right, known)
    notes = sorted({one.outcome["note"] for one in done if "note" in one.outcome})
    if notes:
        figure.supxlabel("\n".join(notes).replace("; ", "\n"), fontsize="small")


def findings(done: Sequence[Done]) -> list[Finding]:
    """Without a reference: is the core the same at every width, and are both kinds of students as good?"""
    large, sizes, left = widths(done)[1:], by_kind_and_width(done, "core"), floors(done)
    spectral, direct = ({h: sizes[kind, h] for h in large} for kind in KINDS)
    floor = {h: left["spectral", h] for h in large}
    return [
        Finding(
            "nodes of the spectral core",
            "the same at every h (no number is printed)",
            told(spectral),
            same_everywhere(list(spectral.values())),
        ),
        Finding(
            "nodes of the direct student above zero",
            "no invariant core",
            told(direct),
            not same_everywhere(list(direct.values())),
        ),
        Finding(
            f"nodes from which on |ΔMSE| ≤ {FLOOR:g} MSE, spectral",
            "the same at every h",
            told(floor),
            same_everywhere(list(floor.values())),
        ),
        error_finding(done, large),
    ]


def error_finding(done: Sequence[Done], large: Sequence[int]) -> Finding:
    """The caption: loss and accuracy of the two kinds are the same at each size within one standard deviation."""
    errors = by_kind_and_width(done, "mse")
    same = {}
    for h in large:
        (a, da), (b, db) = (spread(errors[kind, h]) for kind in KINDS)
        same[h] = abs(a - b) <= da + db
    listed = ", ".join(f"{words(errors['spectral', h], '.3g')} and {words(errors['direct', h], '.3g')} at {h}" for h in large)
    return Finding("test MSE, spectral and direct", "the same within one standard deviation", listed, all(same.values()))


def heterogeneous_findings(done: Sequence[Done]) -> list[Finding]:
    """As for the committee of Fig. 2."""
    n = teachers_nodes(done)
    return [*core_findings(done, n), *delta_findings(done, n), error_finding(done, widths(done, above=n))]


def settings(data: str, alpha: float, epochs: int, limit: int | None = None, **extra: Any) -> dict[str, dict[str, Any]]:
    """The three scales of a recipe on real data; the smallest always takes the digits, which need no download."""
    shared = {"alpha": alpha, **TRAINING, **extra}
    return {
        "smoke": {"data": "digits", "limit": 400, "widths": [5, 10, 20], "seeds": 2, "epochs": 5, **shared},
        "class": {"data": data, "limit": limit, "widths": [20, 40, 100, 200], "seeds": 3, "epochs": epochs, **shared},
        "paper": {"data": data, "widths": [10, 20, 40, 60, 100, 200, 500, 700, 1000], "seeds": 30, "epochs": 2000, **shared},
    }


def heterogeneous_settings() -> dict[str, dict[str, Any]]:
    """Those of Fig. 2 with the other teacher."""
    made = student.settings(widths=[20, 60, 100, 200], seeds=3, epochs=400)
    for scale in ("class", "paper"):
        made[scale]["sizes"] = list(HETEROGENEOUS)
    made["smoke"]["sizes"] = [5, 4, 3, 1]
    return made


on_data = partial(Recipe, trials=trials, run=run, draw=draw, findings=findings, size=(11, 4.8))

RECIPES = (
    on_data(
        "student-fig-3-fashion-mnist",
        "Student Fig. 3 (a, f)",
        "shuffled Fashion-MNIST: core and transition",
        settings("fashion-mnist", alpha=5e-4, epochs=150, limit=5000, lr=2e-3),
    ),
    on_data(
        "student-fig-3-mnist",
        "Student Fig. 3 (b, g)",
        "shuffled MNIST: core and transition",
        settings("mnist", alpha=5e-4, epochs=150, limit=5000, lr=2e-3),
    ),
    Recipe(
        "student-fig-3-heterogeneous",
        "Student Fig. 3 (c, h)",
        "a teacher 20-40-20-1: core and transition",
        heterogeneous_settings(),
        student.trials,
        run_with_teacher,
        draw,
        heterogeneous_findings,
        size=(11, 4.6),
    ),
    on_data(
        "student-fig-3-california-housing",
        "Student Fig. 3 (d, i)",
        "California housing: core and transition",
        settings("california-housing", alpha=3e-3, epochs=120),
    ),
    on_data(
        "student-fig-3-cifar",
        "Student Fig. 3 (e, j)",
        "features of CIFAR images: core and transition",
        settings("cifar-10", alpha=5e-4, epochs=80, lr=2e-3, features=source_here()),
    ),
)
