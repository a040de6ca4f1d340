"""The figures of *PRE*: Chicchi et al., Training of sparse and dense deep neural networks: fewer parameters, same performance.

Three kinds of figure: accuracy and number of trained parameters against the width of the hidden layer (Figs 1, 3, 4, 5, 9),
accuracy against the share p of R that is trained (Figs 6, 7, 8), and accuracy against sparsity (Figs 2, 10).  Accuracies are
relative to the same network trained directly, as in the paper, unless an axis says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from spectral_lab.plotting import plot_series
from spectral_lab.recipes.classification import LABELS, STYLES, run, trial
from spectral_lab.recipes.recipe import Done, Finding, Recipe, Setting, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Key = Callable[[Trial], Any]
Points = dict[tuple[str, Any], tuple[float, float]]  # {(method, place): (mean, standard deviation)}
WIDTHS = {"smoke": [8, 16], "class": [50, 100, 200, 500], "paper": [50, 100, 200, 300, 500, 700, 1000]}
SHARES = {"smoke": [0.0, 1.0], "class": [0.0, 0.05, 0.2, 0.5, 1.0], "paper": [0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0]}
SPARSITIES = {
    "smoke": [0.0, 0.9],
    "class": [0.0, 0.8, 0.9, 0.95, 0.98, 0.99],
    "paper": [0.0, 0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995],
}
BEST = {"mnist": 0.98, "fashion-mnist": 0.90, "cifar-10": 0.52}  # of direct training, from the captions of Figs 1, 4, 5


def settings(data: str, seeds: int = 3, **varied: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Any]]:
    """The three scales of a recipe: digits for a moment, the real data for some minutes, and the long run."""
    batch_size, epochs = (250, 30) if data == "cifar-10" else (500, 10)  # its subset is small, and harder
    fixed: dict[str, dict[str, Any]] = {
        "smoke": {"data": "digits", "seeds": 2, "epochs": 8, "batch_size": 50, "limit": 600},
        "class": {"data": data, "seeds": seeds, "epochs": epochs, "batch_size": batch_size},
        "paper": {"data": data, "seeds": 10, "epochs": 5 * epochs, "batch_size": batch_size},
    }
    return {scale: values | {name: by_scale[scale] for name, by_scale in varied.items()} for scale, values in fixed.items()}


def options(setting: Setting) -> dict[str, Any]:
    """What every trial of a setting has in common."""
    return {name: setting.get(name) for name in ("epochs", "batch_size", "limit")}


# ---------------------------------------------------------------- outcomes in groups


def grouped(done: Sequence[Done], key: Key, quantity: str = "accuracy") -> dict[Any, list[float]]:
    """The outcomes' quantity, one list for each value of the key."""
    groups: dict[Any, list[float]] = {}
    for one in done:
        groups.setdefault(key(one.trial), []).append(one.outcome[quantity])
    return groups


def relative(done: Sequence[Done], place: Key) -> Points:
    """Mean and standard deviation over the seeds of accuracy / mean accuracy of direct training at the same place."""
    groups = grouped(done, lambda trial: (trial["method"], place(trial)))
    found = {}
    for (method, at), values in groups.items():
        direct = mean(groups["direct", at])
        ratios = [value / direct for value in values]
        found[method, at] = (mean(ratios), stdev(ratios) if len(ratios) > 1 else 0.0)
    return found


def series(points: Points, method: str) -> tuple[list[Any], list[float], list[float]]:
    """The points of one method in order: places, means, deviations."""
    places = sorted(at for name, at in points if name == method)
    return places, [points[method, at][0] for at in places], [points[method, at][1] for at in places]


def draw_methods(points: Points, methods: Sequence[str], ax: Axes, **options: Any) -> None:
    """One curve a method, each in the method's own colour and marker."""
    curves = {LABELS[name]: series(points, name) for name in methods}
    plot_series(curves, ax, styles=[STYLES[name] for name in methods], **options)


# ---------------------------------------------------------------- against the width of the hidden layers


def width_trials(setting: Setting, methods: Sequence[str], layers: int = 1) -> list[Trial]:
    """Every method at every width with every seed, and direct training beside it."""
    return [
        trial(setting["data"], [width] * layers, method, seed, **options(setting))
        for width in setting["widths"]
        for method in ("direct", *methods)
        for seed in range(setting["seeds"])
    ]


def width_of(trial: Trial) -> int:
    """Nodes of the (equal) hidden layers."""
    return trial["hidden"][0]


def share_of_parameters(done: Sequence[Done]) -> Points:
    """ρ of the lower panels: trained numbers over those of direct training, biases included in both."""
    counts = {key: values[0] for key, values in grouped(done, lambda t: (t["method"], width_of(t)), "trained").items()}
    return {(method, at): (count / counts["direct", at], 0.0) for (method, at), count in counts.items()}


def draw_widths(done: Sequence[Done], figure: Figure) -> None:
    """Relative accuracy above, share of trained parameters below, both against the width."""
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    accuracies, shares = relative(done, width_of), share_of_parameters(done)
    methods = [name for name in LABELS if name != "direct" and any(method == name for method, _ in accuracies)]
    draw_methods(accuracies, methods, above, level=1.0)
    draw_methods(shares, methods, below, legend=False)
    above.set(ylabel="accuracy / direct")
    below.set(ylabel="parameters / direct", yscale="log", xscale="log", xlabel="nodes of a hidden layer, $N_2$")
    places = sorted({at for _, at in accuracies})
    below.set_xticks(places, [str(at) for at in places], minor=False)
    below.minorticks_off()


def width_findings(done: Sequence[Done], *, spectral: str, qr: str, best: float | None) -> list[Finding]:
    """At the largest width: is Spectral good, S-QR on a par with direct, both with fewer parameters?"""
    accuracies, shares = relative(done, width_of), share_of_parameters(done)
    widest = max(at for _, at in accuracies)
    found = []
    if best is not None:
        highest = max(
            max(values) for (method, _), values in grouped(done, lambda t: (t["method"], 0)).items() if method == "direct"
        )
        found.append(Finding("best accuracy of direct training", f"{best:.2f}", f"{highest:.3f}", abs(highest - best) < 0.02))
    words = {"spectral": spectral, "s_svd": "between Spectral and S-QR", "s_qr": qr}
    for method, paper in words.items():
        value, share = accuracies[method, widest][0], shares[method, widest][0]
        agrees = {
            "spectral": abs(value - 0.9) < 0.1,
            "s_svd": accuracies["spectral", widest][0] - 0.01 <= value <= accuracies["s_qr", widest][0] + 0.01,
            "s_qr": abs(value - 1) < 0.03 and share < 1,
        }[method]
        ours = f"{value:.3f} with {share:.1%} of the parameters"
        found.append(Finding(f"{LABELS[method]} at N₂ = {widest}, relative accuracy", paper, ours, agrees))
    return found


def original_findings(done: Sequence[Done]) -> list[Finding]:
    """Fig. 3: training both sets of eigenvalues beats training one."""
    accuracies = relative(done, width_of)
    widths = sorted({at for _, at in accuracies})
    gains = [accuracies["spectral", at][0] - accuracies["original", at][0] for at in widths]
    ours = ", ".join(f"{gain:+.3f} at {at}" for gain, at in zip(gains, widths, strict=True))
    return [Finding("Spectral less the original method", "a substantial gain at every width", ours, min(gains) > 0.01)]


def widths(name: str, source: str, title: str, data: str, layers: int = 1, best: float | None = None) -> Recipe:
    """A recipe for accuracy and parameters of the three methods against the width."""
    made = settings(data, widths=WIDTHS)
    if data == "cifar-10":  # four times the inputs
        made["class"]["widths"] = [50, 200, 500]
    return Recipe(
        name,
        source,
        title,
        made,
        partial(width_trials, methods=("spectral", "s_svd", "s_qr"), layers=layers),
        run,
        draw_widths,
        partial(width_findings, spectral="about 0.9", qr="practically 1, with ρ < 1", best=best),
        size=(6.4, 5.6),
    )


# ---------------------------------------------------------------- against p


def share_trials(setting: Setting) -> list[Trial]:
    """S-QR with each share p of its triangle, and direct training and S-SVD beside it."""
    kinds: list[tuple[str, dict[str, Any]]] = [("direct", {}), ("s_svd", {})]
    kinds += [("s_qr", {"p": p} if p < 1 else {}) for p in setting["shares"]]
    return [
        trial(setting["data"], setting["hidden"], method, seed, **extra, **options(setting))
        for method, extra in kinds
        for seed in range(setting["seeds"])
    ]


def share_points(done: Sequence[Done]) -> Points:
    """Relative accuracy of S-QR by p, and of S-SVD at the place None."""
    groups = grouped(done, lambda t: (t["method"], t.get("p", 1.0 if t["method"] == "s_qr" else None)))
    direct = mean(groups["direct", None])
    return {key: (mean(v) / direct, stdev(v) / direct if len(v) > 1 else 0.0) for key, v in groups.items()}


def draw_shares(done: Sequence[Done], figure: Figure) -> None:
    """Relative accuracy of S-QR against p, with the level of S-SVD."""
    ax, points = figure.subplots(), share_points(done)
    places, means, deviations = series({key: value for key, value in points.items() if key[0] == "s_qr"}, "s_qr")
    level, spread = points["s_svd", None]
    flat = (places, [level] * len(places), [spread] * len(places))
    styles = [STYLES["s_qr"], STYLES["s_svd"]]
    plot_series({"S-QR": (places, means, deviations), "S-SVD": flat}, ax, styles=styles, level=1.0)
    ax.set(xlabel="share $p$ of the off-diagonal entries of R that are trained", ylabel="accuracy / direct")


def share_findings(done: Sequence[Done]) -> list[Finding]:
    """A part of R is enough."""
    points = share_points(done)
    shares = sorted(p for method, p in points if method == "s_qr")
    full, svd = points["s_qr", 1.0][0], points["s_svd", None][0]
    enough = next(p for p in shares if points["s_qr", p][0] > full - 0.01)
    ours = f"within 0.01 of p = 1 ({full:.3f}) from p = {enough:g} on; S-SVD {svd:.3f}"
    return [Finding("a part of R is enough", "approached at p well below 1, above S-SVD", ours, enough < 1 and full > svd)]


def shares(name: str, source: str, title: str, data: str, paper_width: int) -> Recipe:
    """A recipe for accuracy against p."""
    made = settings(data, shares=SHARES)
    at_class = 200 if data == "cifar-10" else 500
    for scale, width in {"smoke": 16, "class": at_class, "paper": paper_width}.items():
        made[scale]["hidden"] = [width]
    return Recipe(name, source, title, made, share_trials, run, draw_shares, share_findings)


# ---------------------------------------------------------------- against sparsity


def sparse_trials(setting: Setting) -> list[Trial]:
    """Direct and S-QR training at each sparsity; at 0 without any mask."""
    return [
        trial(setting["data"], setting["hidden"], method, seed, sparsity=sparsity or None, **options(setting))
        for sparsity in setting["sparsities"]
        for method in ("direct", "s_qr")
        for seed in range(setting["seeds"])
    ]


def sparse_points(done: Sequence[Done]) -> Points:
    """Accuracy (not relative) by method and sparsity."""
    groups = grouped(done, lambda t: (t["method"], t.get("sparsity", 0.0)))
    return {key: (mean(values), stdev(values) if len(values) > 1 else 0.0) for key, values in groups.items()}


def draw_sparse(done: Sequence[Done], figure: Figure) -> None:
    """Accuracy against sparsity, the axis stretched towards 1, where it matters."""
    ax, points = figure.subplots(), sparse_points(done)
    draw_methods(points, ("direct", "s_qr"), ax)
    places = sorted({at for _, at in points})
    ax.set_xscale("function", functions=(lambda s: -stretch(s), lambda u: 1.02 - 10 ** (-u)))
    ax.set_xticks(places, [f"{at:g}" for at in places])
    ax.set(xlabel="sparsity: share of the weights that are silent", ylabel="accuracy")


def stretch(sparsity: Any) -> Any:
    """log10 of what is left, a little more, so that sparsity 1 has a place."""
    import numpy as np

    return np.log10(np.clip(1.02 - np.asarray(sparsity, dtype=float), 1e-3, None))


def sparse_findings(done: Sequence[Done]) -> list[Finding]:
    """S-QR beats direct training at the sparsest setting."""
    points = sparse_points(done)
    places = sorted({at for _, at in points})
    gains = {at: points["s_qr", at][0] - points["direct", at][0] for at in places}
    sparsest = places[-1]
    ours = f"{points['s_qr', sparsest][0]:.3f} against {points['direct', sparsest][0]:.3f} (direct) at {sparsest:g}"
    return [Finding("S-QR against direct at the sparsest", "S-QR is clearly better", ours, gains[sparsest] > 0.02)]


def sparse(name: str, source: str, title: str, data: str, layers: int = 1) -> Recipe:
    """A recipe for accuracy against sparsity."""
    made = settings(data, sparsities=SPARSITIES)
    made["class"]["epochs"] //= 2  # a mask takes time at every step
    at_class = 200 if data == "cifar-10" or layers > 1 else 500
    for scale, width in {"smoke": 16, "class": at_class, "paper": 500}.items():
        made[scale]["hidden"] = [width] * layers
    return Recipe(name, source, title, made, sparse_trials, run, draw_sparse, sparse_findings)


RECIPES = (
    widths("pre-fig-1", "PRE Fig. 1", "MNIST: accuracy and parameters against width", "mnist", best=BEST["mnist"]),
    sparse("pre-fig-2-mnist", "PRE Fig. 2 (top)", "MNIST: training a sparse network", "mnist"),
    sparse("pre-fig-2-fashion-mnist", "PRE Fig. 2 (middle)", "Fashion-MNIST: training a sparse network", "fashion-mnist"),
    sparse("pre-fig-2-cifar-10", "PRE Fig. 2 (bottom)", "CIFAR-10: training a sparse network", "cifar-10"),
    replace(
        widths("pre-fig-3", "PRE Fig. 3", "Fashion-MNIST: both sets of eigenvalues against one", "fashion-mnist"),
        trials=partial(width_trials, methods=("original", "spectral")),
        findings=original_findings,
    ),
    widths(
        "pre-fig-4",
        "PRE Fig. 4",
        "Fashion-MNIST: accuracy and parameters against width",
        "fashion-mnist",
        best=BEST["fashion-mnist"],
    ),
    widths("pre-fig-5", "PRE Fig. 5", "CIFAR-10: accuracy and parameters against width", "cifar-10", best=BEST["cifar-10"]),
    shares("pre-fig-6", "PRE Fig. 6", "MNIST: how much of R must be trained", "mnist", 500),
    shares("pre-fig-7", "PRE Fig. 7", "Fashion-MNIST: how much of R must be trained", "fashion-mnist", 500),
    shares("pre-fig-8", "PRE Fig. 8", "CIFAR-10: how much of R must be trained", "cifar-10", 700),
    widths("pre-fig-9", "PRE Fig. 9", "Fashion-MNIST, two hidden layers: accuracy against width", "fashion-mnist", layers=2),
    sparse(
        "pre-fig-10", "PRE Fig. 10", "Fashion-MNIST, two hidden layers: training a sparse network", "fashion-mnist", layers=2
    ),
)
