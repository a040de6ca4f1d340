r"""The first experiment of *SPARCS* (Peri et al., Section 5 and App. E): when does a network grow its hidden layer?

3-300-1 (the third input is the bias node) learns the α–β family, and starts as a perceptron.  How much passes through its
hidden layer is the norm of Γ (E.1); how much it is switched on, the norm of λ_1 and λ_2 together.  As in Table 3 the points
are the same for all networks (seed 42), λ_1 is trained, and Ω is the norm of λ, not squared, which is what the authors' code
does under the name L2.

The paper trains 100 networks for each of 42 tasks, one after the other; here they are trained
together (:mod:`spectral_lab.search`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import torch

from spectral_lab.networks import SpectralNet
from spectral_lab.plotting import NEGATIVE, POSITIVE, plot_network, plot_series, plot_square
from spectral_lab.recipes.recipe import SCALES, Done, Finding, Outcome, Recipe, Setting, Trial
from spectral_lab.search import Search
from spectral_lab.tasks import alpha_beta_target
from spectral_lab.topology import graph

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

BETAS = (5, 1000)
STYLES = ((NEGATIVE, "o"), (POSITIVE, "s"))  # of β = 5 and 1000
MAGNIFIED = 20  # how many times larger the errors of Fig. 12 are drawn
COUNTED = {"weights of all pairs of layers": "direct", "eigenvectors and eigenvalues": "spectral"}
# All that is not said here is as in Table 3, which the defaults of Search are.
SETTINGS: dict[str, dict[str, Any]] = {
    "smoke": {"alphas": 3, "seeds": 2, "epochs": 3, "hidden": [20], "n": 500},
    "class": {"alphas": 11, "seeds": 5, "epochs": 300, "hidden": [300], "n": 10_000},
    "paper": {"alphas": 21, "seeds": 100, "epochs": 300, "hidden": [300], "n": 10_000},
}


def trials(setting: Setting, *, betas: Sequence[float] = BETAS, keep: bool = False) -> list[Trial]:
    """Each β, every seed, every α; trials that are trained together stand together."""
    fixed = {name: setting[name] for name in ("epochs", "hidden", "n")}
    alphas = [k / (setting["alphas"] - 1) for k in range(setting["alphas"])]
    return [
        {"search": {"alpha": alpha, "beta": beta, "seed": seed, **fixed}, "keep": keep}
        for beta in betas
        for seed in range(setting["seeds"])
        for alpha in alphas
    ]


def run(trial: Trial, device: str = "cpu") -> Outcome:
    """Train one network."""
    return run_together([trial], device)[0]


def run_together(trials: Sequence[Trial], device: str = "cpu") -> list[Outcome]:
    """Train the networks of some trials at once."""
    start = time.perf_counter()
    points = [{**trial["search"], "hidden": tuple(trial["search"]["hidden"]), "device": device} for trial in trials]
    outcomes: list[Outcome] = []
    for trial, (network, found) in zip(trials, Search().trained(points), strict=True):
        numbers = {name: rounded(p.tolist()) for name, p in network.state_dict().items()} if trial["keep"] else {}
        outcomes.append({name: rounded(value) for name, value in found.items()} | ({"numbers": numbers} if numbers else {}))
    seconds = round((time.perf_counter() - start) / len(trials), 2)
    return [outcome | {"seconds": seconds} for outcome in outcomes]


def rounded(values: Any, digits: int = 5) -> Any:
    """Nested lists of numbers, or a number, with so many digits each; whole numbers as they are."""
    if isinstance(values, list):
        return [rounded(value, digits) for value in values]
    return values if isinstance(values, int) else float(f"{values:.{digits}g}")


# ---------------------------------------------------------------- how much passes through the hidden layer


def series(done: Sequence[Done], quantity: Callable[[Outcome], float], *, normalised: bool) -> dict[int, Any]:
    """For each β: values of α, means and standard deviations over the seeds, as shares of the largest mean if normalised."""
    groups: dict[tuple[int, float], list[float]] = {}
    for one in measured(done):
        groups.setdefault((one.trial["search"]["beta"], one.trial["search"]["alpha"]), []).append(quantity(one.outcome))
    found = {}
    for beta in sorted({beta for beta, _ in groups}):
        alphas = sorted(alpha for b, alpha in groups if b == beta)
        means = [mean(groups[beta, alpha]) for alpha in alphas]
        spreads = [stdev(groups[beta, alpha]) if len(groups[beta, alpha]) > 1 else 0.0 for alpha in alphas]
        unit = max(means) if normalised else 1.0
        found[beta] = (alphas, [value / unit for value in means], [value / unit for value in spreads])
    return found


def measured(done: Sequence[Done]) -> list[Done]:
    """Those that were run to be averaged, not to be looked at."""
    return [one for one in done if not one.trial.get("keep")]


def path_norm(outcome: Outcome) -> float:
    """What passes through the hidden layer: ‖Γ‖ (E.1)."""
    return outcome["path_norm"]


def squared_path_norm(outcome: Outcome) -> float:
    """Its square, ‖Γ‖², as in Fig. 14."""
    return outcome["path_norm"] ** 2


def eigenvalue_norm(outcome: Outcome) -> float:
    """The norm of λ_1 and λ_2 together."""
    return outcome["eigenvalue_norm"]


def draw(
    done: Sequence[Done], figure: Figure | SubFigure, *, quantity: Callable[[Outcome], float], label: str, normalised: bool
) -> None:
    """The quantity against α, a curve for each β."""
    ax = figure.subplots()
    curves = series(done, quantity, normalised=normalised)
    plot_series({rf"$\beta = {beta}$": curve for beta, curve in curves.items()}, ax, styles=STYLES)
    ax.set(xlabel=r"non-linearity $\alpha$", ylabel=label)


def with_networks(setting: Setting) -> list[Trial]:
    """All α at both β, and the networks at the ends and in the middle, which Fig. 7 shows beside the curves."""
    return trials(setting) + [t for t in kept_trials(setting) if t["keep"] and t["search"]["alpha"] in (0, 0.5, 1)]


def draw_with_networks(done: Sequence[Done], figure: Figure) -> None:
    """Fig. 7: ‖Γ‖ against α, and below it networks with the function that each computes."""
    above, below = figure.subfigures(2, 1, height_ratios=(1.25, 1))  # type: ignore[misc]  # two of them are an array
    draw(done, above, quantity=path_norm, label=r"$\|\Gamma\|$", normalised=False)
    ours = kept(done)
    panels = below.subplots(1, 2 * len(ours), width_ratios=(1.25, 1) * len(ours), squeeze=False)[0]
    axis = torch.linspace(-1, 1, 41)
    points = torch.stack(torch.meshgrid(axis, axis.flip(0), indexing="xy"), dim=-1)
    for one, left, right in zip(ours, panels[::2], panels[1::2], strict=True):
        plot_network(graph(network_of(one), min_weight=0.01), left)
        left.set_title(rf"$\alpha = {one.trial['search']['alpha']:g}$: {one.outcome['live']} live", fontsize="medium")
        with torch.no_grad():
            answer = network_of(one)(points).squeeze(-1)
        plot_square(answer.tolist(), right, limit=float(answer.abs().max()))


def transition_findings(done: Sequence[Done], *, quantity: Callable[[Outcome], float]) -> list[Finding]:
    """The hidden layer is off at α = 0; it comes smoothly for the small β, and all at once at α = ½ for the large one.

    At α = ½ both β pose the same task, half of each kind, so that this point is on neither side of the jump.
    """
    (_, smooth, spreads), (alphas, sharp, _) = (series(done, quantity, normalised=True)[beta] for beta in BETAS)
    ratio = max(smooth[0] / smooth[-1], sharp[0] / sharp[-1])
    between = [alpha for alpha, value in zip(alphas, smooth, strict=True) if 0.05 < value / smooth[-1] < 0.95]
    below, above = (
        mean(value for alpha, value in zip(alphas, sharp, strict=True) if (alpha > 0.5) is side and alpha != 0.5)
        for side in (False, True)
    )
    widest = max(range(len(spreads)), key=spreads.__getitem__)
    return [
        Finding("at α = 0, relative to α = 1", "0", f"{ratio:.1e} at most", ratio < 1e-2),
        Finding(
            "β = 5, α at which it is between 5 and 95 % of the value at α = 1",
            "many: rises smoothly with α",
            ", ".join(f"{alpha:g}" for alpha in between) or "none",
            len(between) >= 3,
        ),
        Finding(
            "β = 1000, mean below and above α = ½", "jumps at ½", f"{below:.1e} and {above:.2f}", below < 0.02 < 0.9 < above
        ),
        Finding(
            "standard deviation over the seeds, β = 5",
            "error bars, without a number",
            f"{spreads[-1]:.2f} at α = 1, but {spreads[widest]:.2f} at α = {alphas[widest]:g}, in the middle of the rise",
            spreads[-1] < 0.1,
        ),
    ]


def fit_findings(done: Sequence[Done]) -> list[Finding]:
    """All networks fit their task."""
    worst = max(one.outcome["data_loss"] for one in done)
    return [Finding("largest mean squared error", "all fit adequately", f"{worst:.1e}", worst < 1e-3)]


# ---------------------------------------------------------------- what the networks look like


def kept_trials(setting: Setting) -> list[Trial]:
    """A few α at the small β, with the numbers of the first seed's networks."""
    some = trials({**setting, "alphas": setting["shown"]}, betas=BETAS[:1])
    return [trial | {"keep": trial["search"]["seed"] == 0} for trial in some]


def kept(done: Sequence[Done]) -> list[Done]:
    """The networks to be looked at, in the order of α."""
    return sorted((one for one in done if one.trial["keep"]), key=lambda one: one.trial["search"]["alpha"])


def network_of(done: Done) -> SpectralNet:
    """The trained network of a trial with its numbers."""
    network = SpectralNet([2, *done.trial["search"]["hidden"], 1])
    network.load_state_dict({name: torch.tensor(values) for name, values in done.outcome["numbers"].items()})
    return network


def draw_fits(done: Sequence[Done], figure: Figure) -> None:
    """Figs 11 and 12: the task, what the first network answers, and the difference, a column for each α."""
    ours = kept(done)
    axis = torch.linspace(-1, 1, 41)
    points = torch.stack(torch.meshgrid(axis, axis.flip(0), indexing="xy"), dim=-1)
    for one, column in zip(ours, figure.subplots(3, len(ours), squeeze=False).T, strict=True):
        target = alpha_beta_target(points, one.trial["search"]["alpha"], one.trial["search"]["beta"]).squeeze(-1)
        with torch.no_grad():
            answer = network_of(one)(points).squeeze(-1)
        error = answer - target
        limit = float(target.abs().max())
        names = (rf"task, $\alpha = {one.trial['search']['alpha']:g}$", "network", f"difference × {MAGNIFIED}")
        for ax, values, name in zip(column, (target, answer, MAGNIFIED * error), names, strict=True):
            plot_square(values.tolist(), ax, limit=limit, title=name)


def draw_architectures(done: Sequence[Done], figure: Figure | SubFigure) -> None:
    """Fig. 15: the first network of each α, links with a weight above 0.01."""
    ours = kept(done)
    for one, ax in zip(ours, figure.subplots(1, len(ours), squeeze=False)[0], strict=True):
        plot_network(graph(network_of(one), min_weight=0.01), ax)
        ax.set_title(rf"$\alpha = {one.trial['search']['alpha']:g}$, {one.outcome['live']} live", fontsize="medium")


def architecture_findings(done: Sequence[Done]) -> list[Finding]:
    """Two layers at α = 0, and more hidden neurons the less linear the task."""
    alphas = sorted({one.trial["search"]["alpha"] for one in done})
    live = [mean(one.outcome["live"] for one in done if one.trial["search"]["alpha"] == alpha) for alpha in alphas]
    ours = ", ".join(f"{count:.0f} at {alpha:g}" for alpha, count in zip(alphas, live, strict=True))
    return [Finding("live hidden neurons against α", "none at low α", ours, live[0] == 0 and live[-1] > 0)]


# ---------------------------------------------------------------- how many numbers


def count(layers: int, width: int = 100) -> dict[str, int]:
    """Numbers to train with equal layers and all skip links: as weights, and as eigenvectors and eigenvalues (Fig. 8)."""
    network = SpectralNet([width] * layers, bias=False, device="meta")
    direct = sum(network.nodes[i] * network.nodes[j] for i in range(layers) for j in range(i))
    return {"direct": direct, "spectral": sum(p.numel() for p in network.parameters())}


def draw_counts(done: Sequence[Done], figure: Figure) -> None:
    """Both numbers against the number of layers."""
    ax, layers = figure.subplots(), range(2, 17)
    counts = [count(n) for n in layers]
    curves = {name: (layers, [c[key] for c in counts], [0.0] * len(counts)) for name, key in COUNTED.items()}
    plot_series(curves, ax, styles=((NEGATIVE, "o"), (POSITIVE, "s")))
    ax.set(xlabel="layers, input and output included", ylabel="numbers to train", yscale="log")


def count_findings(done: Sequence[Done]) -> list[Finding]:
    """Direct space needs more, but for two layers."""
    two, three = count(2), count(3)
    return [
        Finding(
            "two layers",
            "direct parameterization has a slight advantage",
            f"{two['direct']:,} against {two['spectral']:,}",
            0 < two["spectral"] - two["direct"] < 0.05 * two["direct"],
        ),
        Finding(
            "three layers and more",
            "spectral needs significantly fewer",
            f"{three['spectral']:,} against {three['direct']:,} at three",
            all(count(n)["spectral"] < 0.7 * count(n)["direct"] for n in range(3, 17)),
        ),
    ]


# ---------------------------------------------------------------- the recipes


def against_alpha(name: str, source: str, title: str, quantity: Callable[[Outcome], float], label: str) -> Recipe:
    """A recipe for a quantity against α at both β, as a share of its largest value."""
    picture = partial(draw, quantity=quantity, label=label, normalised=True)
    findings = partial(transition_findings, quantity=quantity)
    return Recipe(name, source, title, SETTINGS, trials, run, picture, findings, together=run_together, chunk=Search.chunk)


SHOWN = {scale: setting | {"shown": 3 if scale == "smoke" else 5} for scale, setting in SETTINGS.items()}
for_pictures = partial(Recipe, settings=SHOWN, run=run, together=run_together, chunk=Search.chunk)
RECIPES = (
    for_pictures(
        "sparcs-fig-7",
        "SPARCS Fig. 7",
        "what passes through the hidden layer",
        trials=with_networks,
        draw=draw_with_networks,
        findings=partial(transition_findings, quantity=path_norm),
        size=(9, 6.6),
    ),
    Recipe(
        "sparcs-fig-8",
        "SPARCS Fig. 8",
        "numbers to train against layers of 100 nodes",
        {scale: {"width": 100} for scale in SCALES},
        lambda setting: [],
        run,
        draw_counts,
        count_findings,
    ),
    for_pictures(
        "sparcs-fig-12",
        "SPARCS Figs 11, 12",
        "tasks and fits at β = 5",
        trials=kept_trials,
        draw=draw_fits,
        findings=fit_findings,
        size=(9, 5.6),
    ),
    against_alpha(
        "sparcs-fig-13",
        "SPARCS Fig. 13",
        "how far the eigenvalues are from the perceptron's",
        eigenvalue_norm,
        r"$\|(\lambda_1, \lambda_2)\|$, share of the largest",
    ),
    against_alpha(
        "sparcs-fig-14",
        "SPARCS Fig. 14",
        "the square of what passes through the hidden layer",
        squared_path_norm,
        r"$\|\Gamma\|^2$, share of the largest",
    ),
    for_pictures(
        "sparcs-fig-15",
        "SPARCS Fig. 15",
        "the networks that come out at β = 5",
        trials=kept_trials,
        draw=draw_architectures,
        findings=architecture_findings,
        size=(12, 3.6),
    ),
)
