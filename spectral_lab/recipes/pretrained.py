r"""*SPARCS* behind a pretrained backbone (App. F.2: Table 2, Fig. 18): is there anything left for hidden neurons to do?

The paper takes EfficientNetV2-S as ImageNet has trained it, replaces its classifier by a linear or a SPARCS head, and passes
once over CIFAR-100; it does not say whether the backbone itself is trained then.  Here it is frozen: its features are computed
once (:mod:`spectral_lab.backbones`), and the heads learn on them.  Where the paper stops after one pass, they go on.

At class scale nothing is downloaded.  There the small CNN of :mod:`spectral_lab.recipes.features` stands in for the backbone.
It has been trained with a *linear* head on the very images that are then passed over, so that its features, like the paper's,
are made to be told apart by a linear map.  A second recipe asks the same behind the real EfficientNetV2-S with random weights,
which knows nothing.

The paper's times and memory count the backbone in.  Ours are those of the heads on features that lie ready; they say what a
head costs, and no verdict is made of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from spectral_lab.plotting import FAINT, NEGATIVE, POSITIVE, plot_bands, plot_cells, plot_histogram
from spectral_lab.recipes.head_results import ahead, averaged
from spectral_lab.recipes.pretrained_trials import FREE, HEADS, LINEAR, SPARCS, run, trial
from spectral_lab.recipes.recipe import Done, Finding, Outcome, Recipe, Setting, Trial
from spectral_lab.recipes.student_results import words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {LINEAR: NEGATIVE, SPARCS: "#2a9d5c", FREE: FAINT}
PAPER = {LINEAR: "0.732 (138.8 s, 408 MB)", SPARCS: "0.727 (139.5 s, 519 MB)"}  # Table 2
ORDERS = 0.01  # what is smaller by orders of magnitude
HEADER = ["", "trained numbers", "one pass (s)", "peak (MiB)", "1 pass", "{} passes", "live then", "paper, CIFAR-100"]


# ---------------------------------------------------------------- outcomes


def of(done: Sequence[Done], label: str) -> list[Outcome]:
    """The outcomes of one head, one for each seed."""
    return [one.outcome for one in done if one.trial["label"] == label]


def after(done: Sequence[Done], label: str, quantity: str, passes: int) -> list[Any]:
    """A quantity after so many passes with each seed; -1 for the last."""
    return [outcome["history"][quantity][passes - (passes > 0)] for outcome in of(done, label)]


def sizes(done: Sequence[Done], passes: str, layer: str) -> list[float]:
    """|λ| of the hidden or the last layer of the SPARCS head after so many passes, all seeds together."""
    return [abs(value) for outcome in of(done, SPARCS) for value in outcome["eigenvalues"][passes][layer]]


# ---------------------------------------------------------------- the picture


def draw(done: Sequence[Done], figure: Figure) -> None:
    """Table 2 on top; below, Fig. 18 after one pass, the hidden layer after the last, and the neurons that are live."""
    grid = figure.add_gridspec(2, 1, height_ratios=[1, 2])
    above, below = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    passes = done[0].trial["passes"]
    plot_cells([name.format(passes) for name in HEADER], [row(done, label) for label in HEADS], above.subplots())
    axes = below.subplots(1, 4, width_ratios=[1, 1, 1, 1.4])
    largest = max(value for layer in ("hidden", "last") for k in ("1", str(passes)) for value in sizes(done, k, layer))
    panels = (
        ("1", "hidden", r"$|\lambda_2|$, 1 pass", NEGATIVE),
        ("1", "last", r"$|\lambda_3|$, 1 pass", POSITIVE),
        (str(passes), "hidden", rf"$|\lambda_2|$, {passes} passes", NEGATIVE),
    )
    for ax, (k, layer, label, colour) in zip(axes, panels, strict=False):
        plot_histogram(sizes(done, k, layer), ax, largest=largest, label=label, colour=colour)
        ax.set(ylim=(0.7, 2 * len(sizes(done, "1", "hidden"))))  # from less than one node to more than all
    axes[0].set(ylabel=f"nodes, {len(of(done, SPARCS))} seeds")
    live = {label: averaged([outcome["history"]["live"] for outcome in of(done, label)]) for label in (SPARCS, FREE)}
    plot_bands(live, axes[3], styles=[{"color": COLOURS[label]} for label in live], xlabel="pass", ylabel="live hidden neurons")
    figure.supxlabel(done[0].outcome["note"].replace("; ", "\n"), fontsize="small")


def row(done: Sequence[Done], label: str) -> list[str]:
    """A head's line in the table."""
    outcomes = of(done, label)
    seconds = words([outcome["pass_seconds"] for outcome in outcomes], ".2f")
    told = [words(after(done, label, "accuracy", k), ".3f") for k in (1, -1)]
    live = words(after(done, label, "live", -1), ".0f") if label != LINEAR else ""
    return [label, f"{outcomes[0]['parameters']:,}", seconds, f"{outcomes[0]['peak']:.1f}", *told, live, PAPER.get(label, "")]


# ---------------------------------------------------------------- findings


def findings(done: Sequence[Done]) -> list[Finding]:
    """Does one pass recruit hidden neurons?  Do many?  Without the penalty?"""
    passes = done[0].trial["passes"]
    return [
        *(level(done, k, when) for k, when in ((1, "one pass"), (-1, f"{passes} passes"))),
        *(idle(done, SPARCS, k, when) for k, when in ((1, "one pass"), (-1, f"{passes} passes"))),
        idle(done, FREE, -1, f"{passes} passes without the penalty"),
        smaller(done),
    ]


def level(done: Sequence[Done], passes: int, when: str) -> Finding:
    """Is the SPARCS head no better than the linear one?"""
    sparcs, linear = (after(done, label, "accuracy", passes) for label in (SPARCS, LINEAR))
    told, better = ahead(sparcs, linear)
    ours = f"{told}: {words(sparcs, '.3f')} against {words(linear, '.3f')}"
    paper = "−0.005: no advantage" if passes == 1 else "no advantage after one pass"
    return Finding(f"accuracy of the SPARCS head over the linear head after {when}", paper, ours, not better)


def idle(done: Sequence[Done], label: str, passes: int, when: str) -> Finding:
    """Are hidden neurons live, and would their loss be noticed?"""
    told, missed = ahead(after(done, label, "accuracy", passes), after(done, label, "removed", passes))
    live, hidden = after(done, label, "live", passes), done[-1].trial["hidden"]
    ours = f"{', '.join(str(n) for n in live)} of {hidden} live; they bring {told}"
    paper = "none is recruited" if label == SPARCS and passes == 1 else "none is needed"
    return Finding(f"hidden neurons after {when}", paper, ours, max(live) == 0 if "recruited" in paper else not missed)


def smaller(done: Sequence[Done]) -> Finding:
    """Fig. 18: are the hidden eigenvalues smaller than those of the last layer by orders of magnitude?"""
    hidden, last = (sizes(done, "1", layer) for layer in ("hidden", "last"))
    largest, middle = max(hidden) / min(last), median(hidden) / median(last)
    ours = f"the largest {largest:.2g} of the smallest λ of the last layer, the median {middle:.2g} of the median"
    return Finding("hidden eigenvalues after one pass", "all orders of magnitude smaller", ours, largest <= ORDERS)


def untrained_findings(done: Sequence[Done]) -> list[Finding]:
    """Features that know nothing leave more to do: are neurons recruited then, and do they help?"""
    passes, hidden = done[0].trial["passes"], done[-1].trial["hidden"]
    sparcs, linear = (after(done, label, "accuracy", -1) for label in (SPARCS, LINEAR))
    told, better = ahead(sparcs, linear)
    ours = f"{told}: {words(sparcs, '.3f')} against {words(linear, '.3f')}"
    what = f"accuracy of the SPARCS head over the linear head after {passes} passes"
    found = [Finding(what, "an advantage: these features are not made for a linear head", ours, better)]
    for label, penalty in ((SPARCS, ""), (FREE, " without the penalty")):
        live = after(done, label, "live", -1)
        counted = f"{', '.join(str(n) for n in live)} of {hidden}"
        found.append(
            Finding(f"live hidden neurons after {passes} passes{penalty}", "some, with every seed", counted, min(live) > 0)
        )
        told, needed = ahead(after(done, label, "accuracy", -1), after(done, label, "removed", -1))
        found.append(Finding(f"accuracy that they bring{penalty}", "some", told, needed))
    return found


# ---------------------------------------------------------------- the recipes


def settings(source: str, passes: int) -> dict[str, dict[str, Any]]:
    """The three scales; the smallest always takes the digits and our own network."""
    return {
        "smoke": {"source": "cnn", "data": "digits", "limit": 200, "passes": 3, "seeds": 2, "hidden": 12},
        "class": {"source": source, "data": "cifar-10", "passes": passes, "seeds": 3, "hidden": 526},
        "paper": {
            "source": "pretrained" if source == "cnn" else source,
            **{"data": "cifar-100", "passes": 10, "seeds": 100, "hidden": 526},
        },
    }


def trials(setting: Setting) -> list[Trial]:
    """Every head with every seed."""
    options: dict[str, Any] = {name: setting.get(name) for name in ("passes", "limit", "hidden")}
    return [
        trial(setting["source"], setting["data"], label, seed, **options) for seed in range(setting["seeds"]) for label in HEADS
    ]


recipe = partial(Recipe, trials=trials, run=run, draw=draw, size=(12.5, 6))

RECIPES = (
    recipe(
        "sparcs-table-2",
        "SPARCS Table 2 and Fig. 18",
        "a SPARCS head on the features of a pretrained backbone",
        settings("cnn", passes=30),
        findings=findings,
    ),
    recipe(
        "untrained-backbone",
        "beyond SPARCS Table 2",
        "a SPARCS head on the features of EfficientNetV2-S with random weights",
        settings("random", passes=10),
        findings=untrained_findings,
    ),
)
