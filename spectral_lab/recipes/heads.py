r"""*SPARCS* behind a CNN (App. F.1: Table 1, Figs 16 and 17): does a head that may grow a hidden layer beat a linear one?

The same small CNN, the same batches, three curves: a linear head; a SPARCS head, which begins as one; and that SPARCS head
without its hidden neurons, asked after every epoch.  The paper has 50,000 images of CIFAR-10 and 300 epochs; where only the
subset of 16,000 is at hand, the note on the picture says so.

The paper does not print its CNN, but its memory tells something of it.  Weights, gradients and Adam's two moments of a head
400-526-10 take the 3.3 MB that lie between its two rows, and two convolutions of 5 × 5 without padding, the second of 16
filters, leave 5 × 5 × 16 = 400 features of 32 × 32 pixels.  A training step with a linear head holds 17.9 MB in the paper, and
18.5 MiB here if the first convolution has 10 filters (15.7 with 8, 21.6 with 12).  Other CNNs fit the paper's words, too, and
have recipes of their own: what comes out depends on the CNN.

What a hidden neuron adds to a linear head is a kink.  With λ_1 = 0 and v = φ_1 x, what passes through it to the output is

.. math:: \varphi_2\,(\lambda_3 - \lambda_2)\,[v - f(-\lambda_2 v)]

For λ_2 > 0 the slopes on both sides of v = 0 differ by λ_2 (λ_3 - λ_2) φ_2, which is largest at λ_2 = λ_3/2; near there the
second cluster of Fig. 17 stands.  For λ_2 < 0 the kink has no bound, and few such neurons can outgrow all others.

Training times are CPU seconds, so that other work on the machine does not count; on a GPU they are those on the clock.
Memory is the peak of what tensors hold in a training step (:func:`~spectral_lab.peak.peak_mebibytes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import mean
from typing import TYPE_CHECKING, Any

from spectral_lab.plotting import FAINT, INK, NEGATIVE, POSITIVE, plot_bands, plot_cells, plot_histogram
from spectral_lab.recipes.head_results import (
    CURVES,
    HEADS,
    PAPER,
    averaged,
    best,
    cost_findings,
    curve_findings,
    curves,
    eigenvalue_findings,
    gain_findings,
    last,
    of_head,
)
from spectral_lab.recipes.head_trials import run, trial
from spectral_lab.recipes.recipe import Done, Finding, Recipe, Setting, Trial
from spectral_lab.recipes.student_results import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL = {"channels": [8, 16], "hidden": 526, "rho": 1e-4}  # Table 5, behind the smallest CNN that fits the paper's words
NETWORK = SMALL | {"channels": [10, 16], "kernel": 5, "padding": 0}  # the one that fits its memory, too
HEADER = ["", "parameters", "training (s)", "peak (MiB)", "accuracy, last epoch", "best epoch", "paper"]


def settings(data: str, epochs: int, network: dict[str, Any] = SMALL, **options: Any) -> dict[str, dict[str, Any]]:
    """The three scales of a recipe; the smallest always takes the digits, which need no download."""
    return {
        "smoke": {"data": "digits", "limit": 150, "epochs": 3, "seeds": 3, **SMALL, **options, "hidden": 12},
        "class": {"data": data, "epochs": epochs, "seeds": 3, **network, **options},
        "paper": {"data": data, "epochs": 300, "seeds": 100, **network, **options},
    }


def trials(setting: Setting) -> list[Trial]:
    """Both heads with every seed."""
    options = {name: value for name, value in setting.items() if name not in ("data", "seeds")}
    return [trial(setting["data"], head, seed, **options) for seed in range(setting["seeds"]) for head in HEADS]


# ---------------------------------------------------------------- pictures


def draw_table(done: Sequence[Done], figure: Figure) -> None:
    """Table 1, with the third row that the text speaks of; accuracies are those on the test images."""
    plot_cells(HEADER, rows(done), figure.subplots())
    note_below(done, figure)


def rows(done: Sequence[Done]) -> list[list[str]]:
    """The cells of the table below its header."""
    made = []
    for label, (head, quantity, _) in CURVES.items():
        outcomes = of_head(done, head)
        seconds = words([outcome["train_seconds"] for outcome in outcomes], ".0f")
        cost = [f"{outcomes[0]['parameters']:,}", seconds, f"{outcomes[0]['peak']:.1f}"]
        told = [words(last(done, label), ".3f"), words(best(done, label), ".3f")]
        made.append(
            [label, *(cost if quantity == "accuracy" else [""] * 3), *told, f"{PAPER[label]}" if label in PAPER else ""]
        )
    return made


def draw_curves(done: Sequence[Done], figure: Figure) -> None:
    """Fig. 16: accuracy on the test images after every epoch."""
    draw_accuracy(done, figure.subplots())
    note_below(done, figure)


def draw_accuracy(done: Sequence[Done], ax: Axes) -> None:
    """The three curves in bands of a standard deviation over the seeds; dotted, both heads on the images that they learn."""
    series = {label: averaged(curves(done, label)) for label in CURVES}
    styles = [
        {"color": colour, "lw": 1.6, "ls": line} for (_, _, colour), line in zip(CURVES.values(), ("-", "-", "--"), strict=True)
    ]
    for head, (_, _, colour) in zip(HEADS, CURVES.values(), strict=False):
        looks = [outcome["train"] for outcome in of_head(done, head)]
        means = [mean(values) for values in zip(*([share for _, share in look] for look in looks), strict=True)]
        ax.plot([epoch for epoch, _ in looks[0]], means, color=colour, ls=":", lw=1)
    plot_bands(series, ax, styles=styles, xlabel="epoch", ylabel="accuracy (dotted: on the training images)")


def draw_eigenvalues(done: Sequence[Done], figure: Figure) -> None:
    """Fig. 17: λ of the hidden and of the last layer, all seeds together; and what passes through the hidden neurons."""
    outcomes = of_head(done, "sparcs")
    panels = {
        "eigenvalues": (r"$|\lambda_2|$, hidden layer", NEGATIVE),
        "last": (r"$|\lambda_3|$, last layer", POSITIVE),
        "strengths": ("path strength, hidden layer", INK),
    }
    axes = figure.subplots(1, len(panels))
    for ax, (name, (label, colour)) in zip(axes, panels.items(), strict=True):
        values = [abs(value) for outcome in outcomes for value in outcome[name]]
        plot_histogram(values, ax, largest=max(values), label=label, colour=colour)
    half = mean(abs(value) for outcome in outcomes for value in outcome["last"]) / 2
    axes[0].axvline(half, color=FAINT, ls="--", label=r"mean $|\lambda_3|$ / 2", zorder=0)
    axes[0].legend(frameon=False, fontsize="small")
    axes[0].set(ylabel=f"nodes, {len(outcomes)} seeds")
    axes[1].set(yscale="linear")
    note_below(done, figure)


def draw_both(done: Sequence[Done], figure: Figure) -> None:
    """The curves of Fig. 16 and the hidden eigenvalues of Fig. 17, side by side."""
    left, right = figure.subplots(1, 2)
    draw_accuracy(done, left)
    values = [abs(value) for outcome in of_head(done, "sparcs") for value in outcome["eigenvalues"]]
    plot_histogram(values, right, largest=max(values), label=r"$|\lambda_2|$, hidden layer", colour=NEGATIVE)
    right.locator_params(axis="x", nbins=4)
    right.set(ylabel=f"nodes, {len(of_head(done, 'sparcs'))} seeds")
    note_below(done, figure)


def note_below(done: Sequence[Done], figure: Figure) -> None:
    """What the images are, at the foot of a picture."""
    trained, note = done[0].trial, done[0].outcome.get("note")
    moved = f"; before each shifted by up to {trained['moved']} pixels, and half of them flipped" if "moved" in trained else ""
    figure.supxlabel(f"{note or trained['data']}; {trained['epochs']} epochs{moved}", fontsize="small")


# ---------------------------------------------------------------- the recipes


def other_findings(done: Sequence[Done]) -> list[Finding]:
    """The claims of the paper on images that it does not take; its numbers are no measure there."""
    claims = [*gain_findings(done), *eigenvalue_findings(done)]
    return [claim._replace(paper="ahead") if "0.057" in claim.paper else claim for claim in claims]


def behind_findings(done: Sequence[Done]) -> list[Finding]:
    """The same behind another CNN, and what the head costs there."""
    return [*other_findings(done), *cost_findings(done)]


on_cifar = partial(Recipe, settings=settings("cifar-10", 300, NETWORK), trials=trials, run=run)
on_others = partial(Recipe, trials=trials, run=run, draw=draw_both, findings=other_findings, size=(11, 4.2))

RECIPES = (
    on_cifar(
        "sparcs-table-1",
        "SPARCS Table 1",
        "a CNN with a linear and with a SPARCS head: accuracy and cost",
        draw=draw_table,
        findings=lambda done: [*gain_findings(done), *cost_findings(done)],
        size=(11, 2.0),
    ),
    on_cifar("sparcs-fig-16", "SPARCS Fig. 16", "both heads, epoch by epoch", draw=draw_curves, findings=curve_findings),
    on_cifar(
        "sparcs-fig-17",
        "SPARCS Fig. 17",
        "eigenvalues of the SPARCS head behind a CNN",
        draw=draw_eigenvalues,
        findings=eigenvalue_findings,
        size=(11, 3.4),
    ),
    on_others(
        "heads-on-fashion-mnist", "beyond SPARCS Fig. 16", "both heads on Fashion-MNIST", settings("fashion-mnist", epochs=15)
    ),
    on_others(
        "heads-on-moved-images",
        "beyond SPARCS Fig. 16",
        "both heads on CIFAR-10, with images that move",
        settings("cifar-10", 150, NETWORK, moved=4),
    ),
    on_others(
        "heads-behind-a-smaller-cnn",
        "beyond SPARCS Fig. 16",
        "both heads on CIFAR-10, behind two convolutions of 8 and 16 filters",
        settings("cifar-10", epochs=150),
        findings=behind_findings,
    ),
    on_others(
        "heads-behind-a-wider-cnn",
        "beyond SPARCS Fig. 16",
        "both heads on CIFAR-10, behind three convolutions of 32, 64 and 64 filters",
        settings("cifar-10", epochs=40, channels=[32, 64, 64]),
        findings=behind_findings,
    ),
    on_others("heads-on-digits", "beyond SPARCS Fig. 16", "both heads on the digits", settings("digits", epochs=100)),
)
