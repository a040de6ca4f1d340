r"""The figures of *Pruning*: Buffoni et al., Spectral pruning of fully connected layers.

All of them show test accuracy against the share of hidden nodes that is removed: Figs 3, 6 and 7 for one hidden layer, Figs 4,
8 and 9 for three whose nodes are ranked together, Figs 10 and 11 on frozen features of CIFAR-10.  The paper prints neither
learning rates nor epochs; where ours come from is said in :mod:`spectral_lab.recipes.trimming`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from statistics import mean
from typing import Any

from spectral_lab.recipes.features import source_here
from spectral_lab.recipes.pruning_curves import (
    LINES,
    METHODS,
    NAMES,
    activation_of,
    curves,
    draw,
    draw_gammas,
    emptied,
    holds,
    lost,
    method_and_gamma,
)
from spectral_lab.recipes.recipe import Done, Finding, Recipe, Setting, Trial
from spectral_lab.recipes.trimming import run, trial

HIGH = 0.5  # from this share on the methods differ, and are compared

# ---------------------------------------------------------------- settings and trials


def settings(
    data: str, hidden: list[int], activations: Sequence[str], at_class: Mapping[str, Any], **more: Any
) -> dict[str, dict[str, Any]]:
    """The three scales of a recipe; what begins with "pre" is for pre-training, with few shares, for each is trained anew.

    ``at_class`` is what the scale class does otherwise, so that a figure with many panels or layers takes some minutes.
    """
    fixed: dict[str, dict[str, Any]] = {
        "smoke": {
            **{"data": "digits", "hidden": [24] * len(hidden), "seeds": 2, "epochs": 10},
            **{"batch_size": 20, "limit": 400, "shares": [0.0, 0.2, 0.6, 0.7, 0.85, 0.9], "pre_shares": [0.0, 0.6, 0.85, 0.9]},
        },
        "class": {
            **{"data": data, "hidden": hidden, "seeds": 3, "epochs": 8, "batch_size": 128},
            "shares": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98],
            "pre_shares": [0.0, 0.6, 0.8, 0.9, 0.95],
            **at_class,
        },
        "paper": {
            **{"data": data, "hidden": hidden, "seeds": 5, "epochs": 30, "batch_size": 128},
            "shares": [k / 20 for k in range(20)] + [0.98, 0.99],
            "pre_shares": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99],
        },
    }
    return {scale: values | {"activations": list(activations)} | more for scale, values in fixed.items()}


def trials(setting: Setting, method: str, activation: str, **options: Any) -> list[Trial]:
    """One method with every seed."""
    own = {name.removeprefix("pre_"): value for name, value in setting.items() if method == "pre" and name.startswith("pre_")}
    setting = {**setting, **own}
    common = {name: setting.get(name) for name in ("batch_size", "limit", "features")} | options
    return [
        trial(setting["data"], setting["hidden"], activation, method, seed, setting["shares"], setting["epochs"], **common)
        for seed in range(setting["seeds"])
    ]


def activation_trials(setting: Setting) -> list[Trial]:
    """Every method with every activation."""
    methods = ("direct", "post", "pre")
    return [one for name in setting["activations"] for method in methods for one in trials(setting, method, name)]


def gamma_trials(setting: Setting) -> list[Trial]:
    """Every method with every strength γ of its regulariser."""
    (activation,) = setting["activations"]
    return [one for m, gammas in setting["gammas"].items() for g in gammas for one in trials(setting, m, activation, gamma=g)]


# ---------------------------------------------------------------- findings


def order_findings(done: Sequence[Done], orders: Mapping[str, Sequence[str]] = {}, paper: str | None = None) -> list[Finding]:
    """For every activation the order of the methods at high shares, and whether each ranking beats a random order by 0.01.

    ``orders`` are those that differ from the usual one, by activation; ``paper`` is what the paper says instead of an order.
    """
    found = []
    for activation, group in curves(done, activation_of).items():
        order = orders.get(activation, METHODS)
        shares = [share for share in sorted(group["pre"]) if share >= HIGH]  # the others have more
        values = [mean(mean(group[name][share]) for share in shares) for name in order]
        what = f"{NAMES[activation]}: mean accuracy at {', '.join(f'{share:.0%}' for share in shares)} removed"
        ours = ", ".join(f"{name} {value:.3f}" for name, value in zip(order, values, strict=True))
        found.append(Finding(what, paper or " > ".join(order), ours, all(a > b for a, b in pairwise(values))))
        for name, ranking in {"post": "eigenvalue", "connectivity": "connectivity"}.items():
            random = group[f"{LINES[name].method} at random"]
            gain = mean(mean(group[name][share]) - mean(random[share]) for share in random if share >= HIGH)
            what = f"{NAMES[activation]}: removal by {ranking} less removal at random, mean from {HIGH:.0%} on"
            found.append(Finding(what, "it ranks the nodes' importance (no such control)", f"{gain:+.3f}", gain > 0.01))
    return found


def one_layer_findings(done: Sequence[Done]) -> list[Finding]:
    """Fig. 3: how far each curve holds."""
    group = curves(done, activation_of)["elu"]
    pre, post, direct = group["pre"], group["post"], group["connectivity"]
    whole, held = mean(post[0.0]), holds(direct, 0.05)
    ours = [
        f"{lost(post, 0.6):.3f} at 60 %, {lost(post, 0.7):.3f} at 70 %",
        f"{mean(pre[0.85]):.3f} at 85 %, {mean(pre[0.9]):.3f} at 90 %, against {whole:.3f}",
        f"a loss of more than 0.05 beyond {held:.0%} ({lost(direct, 0.6):.3f} at 60 %)",
    ]
    return [
        Finding("post-training: accuracy lost", "practically none up to about 70 %", ours[0], lost(post, 0.6) <= 0.02),
        Finding("pre-training against the whole post-trained network", "unaltered", ours[1], mean(pre[0.85]) >= whole - 0.005),
        Finding("connectivity", "a significant drop beyond 60 %", ours[2], abs(held - 0.6) <= 0.1),
        *order_findings(done),
    ]


def three_layer_findings(done: Sequence[Done]) -> list[Finding]:
    """Fig. 4: where each curve leaves the level of the whole network, by 0.02."""
    group = curves(done, activation_of)["elu"]
    paper = {"connectivity": ("drops at 20 %", 0.2), "post": ("begins its descent at about 60 %", 0.6)}
    paper["pre"] = ("stably horizontal up to about 90 %", 0.9)
    found = []
    for name, (words, share) in paper.items():
        held = holds(group[name], 0.02)
        ours = f"within 0.02 up to {held:.0%}{emptied(done, LINES[name].method)}"
        found.append(Finding(f"{name}: accuracy of the whole network", words, ours, abs(held - share) <= 0.1))
    return found + order_findings(done)


def gamma_findings(done: Sequence[Done]) -> list[Finding]:
    """Fig. 11: what is lost at 90 % removed with the best γ: at most 0.02, or half of what is lost without."""
    groups, found = curves(done, method_and_gamma), []
    for name in METHODS:
        by_gamma = {gamma: group[name] for (method, gamma), group in groups.items() if method == LINES[name].method}
        best = max(by_gamma, key=lambda gamma: mean(by_gamma[gamma][0.9]))
        without, least = lost(by_gamma[0.0], 0.9), lost(by_gamma[best], 0.9)
        ours = f"{without:.3f} without, {least:.3f} with γ = {best:g}, which leaves {mean(by_gamma[best][0.9]):.3f}"
        agrees = least <= max(0.02, without / 2)
        found.append(Finding(f"{name}: accuracy lost at 90 % removed", "stable with the right γ", ours, agrees))
    return found


# ---------------------------------------------------------------- the recipes

ALL = ("elu", "relu", "tanh")
WIDE = (11.5, 4.4)
like_fig_6 = partial(order_findings, orders={"relu": ("pre", "connectivity", "post")})  # its caption, and that of Fig. 7
like_fig_10 = partial(order_findings, paper="schemes (i) and (ii) carry over to CIFAR-10")  # it is drawn, not said


def recipe(number: int, title: str, made: dict[str, dict[str, Any]], findings: Callable[..., list[Finding]]) -> Recipe:
    """A recipe whose panels are activations."""
    n = len(made["class"]["activations"])
    size = {1: (6.4, 4.8), 2: (8.6, 4.6), 3: WIDE}[n]
    return Recipe(
        f"pruning-fig-{number}", f"Pruning Fig. {number}", title, made, activation_trials, run, draw, findings, size=size
    )


def cifar(**more: Any) -> dict[str, dict[str, Any]]:
    """Settings of Figs 10 and 11; at the scale smoke the features are those of digits."""
    made = settings("cifar-10", [512], more.pop("activations"), {"epochs": 10, "pre_shares": MANY}, features="cnn", **more)
    for scale in ("class", "paper"):
        made[scale]["features"] = source_here()
    return made


ONE, THREE = [500], [500, 500, 500]
MANY, FEW = [0.0, 0.4, 0.6, 0.8, 0.85, 0.9, 0.95], [0.0, 0.6, 0.9, 0.95]
# For the last half point of accuracy pre-training wants more epochs and larger batches.
LONG = {"pre_epochs": 16, "pre_batch_size": 256, "pre_shares": [0.0, 0.6, 0.8, 0.85, 0.9, 0.95]}
# From too weak to be seen to strong enough to cost the whole network a point or more.
GAMMAS = {"pre": [0.0, 1e-4, 1e-3, 3e-3], "post": [0.0, 1e-4, 1e-3, 3e-3], "direct": [0.0, 1e-5, 1e-4, 3e-4]}
RECIPES = (
    recipe(3, "Fashion-MNIST, one hidden layer", settings("fashion-mnist", ONE, ["elu"], LONG), one_layer_findings),
    recipe(
        4, "Fashion-MNIST, three hidden layers", settings("fashion-mnist", THREE, ["elu"], {"epochs": 4}), three_layer_findings
    ),
    recipe(6, "MNIST, one hidden layer", settings("mnist", ONE, ALL, {"epochs": 2, "pre_shares": FEW}), like_fig_6),
    recipe(
        7,
        "Fashion-MNIST, one hidden layer: ReLU, tanh",
        settings("fashion-mnist", ONE, ALL[1:], {"epochs": 3, "pre_shares": FEW}),
        like_fig_6,
    ),
    recipe(
        8,
        "MNIST, three hidden layers",
        settings("mnist", THREE, ALL, {"epochs": 2, "pre_shares": FEW}),
        order_findings,
    ),
    recipe(
        9,
        "Fashion-MNIST, three hidden layers: ReLU, tanh",
        settings("fashion-mnist", THREE, ALL[1:], {"epochs": 3, "pre_shares": FEW}),
        order_findings,
    ),
    recipe(10, "CIFAR-10: the first of two dense layers on frozen features", cifar(activations=ALL), like_fig_10),
    Recipe(
        "pruning-fig-11",
        "Pruning Fig. 11",
        "CIFAR-10: the same with an L1 regulariser of strength γ",
        cifar(activations=["elu"], gammas=GAMMAS),
        gamma_trials,
        run,
        draw_gammas,
        gamma_findings,
        size=WIDE,
    ),
)
