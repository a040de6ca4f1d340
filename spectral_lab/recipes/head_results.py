"""What the recipes on heads have in common: accuracies of both heads over the epochs and the seeds, measured and judged.

The accuracy is that on the test images.  That of the *best epoch* is chosen on the same images, which flatters it; the paper
does not say which one its table has.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median

from spectral_lab.plotting import NEGATIVE
from spectral_lab.recipes.recipe import Done, Finding, Outcome
from spectral_lab.recipes.student_results import spread, words

HEADS = ("linear", "sparcs")
LINEAR, SPARCS, REMOVED = "linear head", "SPARCS head", "SPARCS head without its hidden neurons"
# What is compared, in the paper's colours: whose head, and which accuracy of it.
CURVES = {
    LINEAR: ("linear", "accuracy", NEGATIVE),
    SPARCS: ("sparcs", "accuracy", "#2a9d5c"),
    REMOVED: ("sparcs", "removed", "#d62728"),
}
PAPER = {LINEAR: 0.682, SPARCS: 0.739}  # Table 1
TIME, MEMORY = 1.004, 1.18  # SPARCS against linear in Table 1
MOST_TIME, MOST_MEMORY = 1.15, 1.25  # what counts as a modest increase
TENTH = 0.1  # share of the epochs that counts as the beginning, or the end
NEAR, FAR = 0.1, 0.4  # shares of the last layer's eigenvalues between which a histogram of two clusters has few
SAME = 0.005  # accuracies that are no further apart count as the same
KINK = "; between 0 and 1, a neuron's kink, λ_2 (λ_3 - λ_2), is largest at 1/2"


# ---------------------------------------------------------------- outcomes


def of_head(done: Sequence[Done], head: str) -> list[Outcome]:
    """The outcomes of one head, one for each seed."""
    return [one.outcome for one in done if one.trial["head"] == head]


def curves(done: Sequence[Done], label: str) -> list[list[float]]:
    """The accuracy after every epoch, a list for each seed."""
    head, quantity, _ = CURVES[label]
    return [outcome["history"][quantity] for outcome in of_head(done, head)]


def last(done: Sequence[Done], label: str) -> list[float]:
    """The accuracy after the last epoch with each seed."""
    return [values[-1] for values in curves(done, label)]


def best(done: Sequence[Done], label: str) -> list[float]:
    """The highest accuracy of all epochs with each seed; without hidden neurons, at the epoch that is best with them."""
    whole = curves(done, LINEAR if label == LINEAR else SPARCS)
    places = [values.index(max(values)) for values in whole]
    return [values[place] for values, place in zip(curves(done, label), places, strict=True)]


def averaged(lists: Sequence[Sequence[float]]) -> tuple[list[float], list[float], list[float]]:
    """Epochs, means and standard deviations over the seeds."""
    pairs = [spread(values) for values in zip(*lists, strict=True)]
    return [float(k) for k in range(1, len(pairs) + 1)], [m for m, _ in pairs], [d for _, d in pairs]


def ahead(ours: Sequence[float], theirs: Sequence[float]) -> tuple[str, bool]:
    """By how much the first are ahead of the second, seed by seed, in words; and whether by more than two standard errors."""
    middle, deviation = spread([a - b for a, b in zip(ours, theirs, strict=True)])
    return f"{middle:+.3f} ± {deviation:.3f}", middle > max(SAME, 2 * deviation / len(ours) ** 0.5)


def ratio(done: Sequence[Done], quantity: str) -> float:
    """A quantity of the SPARCS head over that of the linear one, means over the seeds."""
    linear, sparcs = (mean(outcome[quantity] for outcome in of_head(done, head)) for head in HEADS)
    return sparcs / linear if linear else float("nan")


# ---------------------------------------------------------------- findings


def gain_findings(done: Sequence[Done]) -> list[Finding]:
    """SPARCS against linear, and against itself without hidden neurons, after the last epoch and after the best one."""
    found = []
    for when, of, paper in (
        ("after the last epoch", last, "+0.057 (73.9 % against 68.2 %)"),
        ("at each seed's best epoch, chosen on the test images", best, "+0.057; it does not say at which epoch"),
    ):
        told, better = ahead(of(done, SPARCS), of(done, LINEAR))
        ours = f"{told}: {words(of(done, SPARCS), '.3f')} against {words(of(done, LINEAR), '.3f')}"
        found.append(Finding(f"accuracy of the SPARCS head over the linear head, {when}", paper, ours, better))
        told, worse = ahead(of(done, SPARCS), of(done, REMOVED))
        ours = f"{told}: without them {words(of(done, REMOVED), '.3f')}"
        found.append(Finding(f"what its hidden neurons bring, {when}", "their removal costs accuracy", ours, worse))
    return found


def cost_findings(done: Sequence[Done]) -> list[Finding]:
    """What the SPARCS head costs in time and memory."""
    time, memory = ratio(done, "train_seconds"), ratio(done, "peak")
    linear, sparcs = (of_head(done, head)[0]["parameters"] for head in HEADS)
    size = f"× {memory:.2f}, with {sparcs:,} parameters for {linear:,}"
    return [
        Finding("training time, SPARCS over linear", f"× {TIME}", f"× {time:.2f}", time <= MOST_TIME),
        Finding("peak memory of a training step, SPARCS over linear", f"× {MEMORY}", size, memory <= MOST_MEMORY),
    ]


def curve_findings(done: Sequence[Done]) -> list[Finding]:
    """Are the curves close at first, and is the gain late?"""
    _, whole, _ = averaged(curves(done, SPARCS))
    n = max(1, round(TENTH * len(whole)))
    found = []
    for label, other in ((LINEAR, "the linear head"), (REMOVED, "itself without hidden neurons")):
        _, others, _ = averaged(curves(done, label))
        gains = [a - b for a, b in zip(whole, others, strict=True)]
        first, end = mean(gains[:n]), mean(gains[-n:])
        what = f"accuracy of the SPARCS head over {other}, in the first and in the last {n} epochs"
        late = end > max(2 * abs(first), SAME)
        found.append(Finding(what, "close at first, significantly ahead later", f"{first:+.3f}, then {end:+.3f}", late))
    return found


def clusters(eigenvalues: Sequence[float], last: Sequence[float]) -> tuple[int, int, int]:
    """How many |λ_2| are near zero, in between, and large: below NEAR and above FAR of the mean |λ_3|, and the rest."""
    sizes, measure = [abs(value) for value in eigenvalues], mean(map(abs, last))
    near, far = (sum(size < share * measure for size in sizes) for share in (NEAR, FAR))
    return near, far - near, len(sizes) - far


def place(outcome: Outcome) -> float | None:
    """Where the cluster of large eigenvalues stands: their median over the mean |λ_3|; None where there are none."""
    measure = mean(map(abs, outcome["last"]))
    large = [abs(value) / measure for value in outcome["eigenvalues"] if abs(value) >= FAR * measure]
    return median(large) if large else None


def eigenvalue_findings(done: Sequence[Done]) -> list[Finding]:
    """Two clusters?  As large as those of the last layer?  How many neurons are live?  Does compaction keep the accuracy?"""
    outcomes, hidden = of_head(done, "sparcs"), done[-1].trial["hidden"]
    counted = [clusters(outcome["eigenvalues"], outcome["last"]) for outcome in outcomes]
    apart = [between < far < near for near, between, far in counted]
    told = "; ".join(f"{near}, {between} and {far}" for near, between, far in counted)
    ours = f"near zero, in between and large (below {NEAR:g} and above {FAR:g} of the mean |λ_3|): {told}"
    places = [found for found in map(place, outcomes) if found is not None]
    shares = [outcome["history"]["live"][-1] / hidden for outcome in outcomes]
    return [
        Finding("hidden eigenvalues in two clusters", "two, few of them away from zero", ours, all(apart)),
        Finding(
            "median of the large |λ_2| over the mean |λ_3|",
            "the same order of magnitude",
            (words(places, ".2f") if places else "there are none") + KINK,
            0 < max(places, default=0) < 10,
        ),
        Finding("share of live neurons, by path strength", "a limited fraction", words(shares, ".3f"), limited(shares)),
        compaction_finding(outcomes, hidden, "without_dead", "to the live neurons"),
        compaction_finding(outcomes, hidden, "without_small", "to the eigenvalues beyond 2 % of the largest, or a gap"),
    ]


def limited(shares: Sequence[float]) -> bool:
    """Whether some hidden neurons are meant, and less than half of them, with every seed."""
    return min(shares) > 0 and max(shares) < 0.5


def compaction_finding(outcomes: Sequence[Outcome], hidden: int, name: str, what: str) -> Finding:
    """What a smaller network loses; where nothing has grown, or most neurons stay, there is no compact architecture."""
    lost = [outcome["history"]["accuracy"][-1] - outcome[name]["accuracy"] for outcome in outcomes]
    left = [outcome[name]["hidden"] for outcome in outcomes]
    ours = f"{words(lost, '.4f')} is lost; {', '.join(map(str, left))} of {hidden} neurons are left"
    agrees = max(lost) <= SAME and limited([n / hidden for n in left])
    return Finding(f"accuracy after compaction {what}", "a compact architecture", ours, agrees)
