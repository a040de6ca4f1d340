r"""A bench for pruning: one trained network, and what is left of it for every number of hidden neurons, by several rankings.

The network 64 - 100 - 10 learns the handwritten digits once, in the setting of Pruning Section II (:math:`\lambda^{in} = 0`,
:math:`\lambda^{out}` and φ trained).  Then each ranking says in which order its neurons go, and nothing more has to be trained
or evaluated to know the accuracy at any share: :mod:`spectral_lab.curves` found it for all numbers in one pass.

>>> bench = Bench(hidden=(30,), epochs=5)
>>> state = bench.state(0.8, "eigenvalue")
>>> state.nodes, state.weights  # 6 of 30 hidden neurons are left, and their links
((64, 6, 10), 444)
>>> network, certificate = bench.prune(0.8, "eigenvalue")
>>> certificate.nodes_after
(64, 6, 10)

No widget in here; next, read :mod:`spectral_lab.live.neurons`, the neurons as a picture, and
:mod:`spectral_lab.live.pruningbench`, which shows them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from spectral_lab.curves import PruningCurve, check_data, pruning_curve
from spectral_lab.layers import SpectralLinear
from spectral_lab.live.benchrules import (
    BATCH,
    LR,
    MOST,
    VALUES_LR,
    Rules,
    accuracy,
    check_share,
    trained,
    training_of,
    untrained,
)
from spectral_lab.pruning import Pruned, prune
from spectral_lab.rankings import Ranking, ranking_name, scores
from spectral_lab.stacks import read_stack
from spectral_lab.tasks import Split, digits
from spectral_lab.tickets import Phase, pre_training
from spectral_lab.unfolding import unfold

LABELS = {
    "eigenvalue": "eigenvalue |λ|",
    "eigenvalue_norm": "|λ| · ‖φ‖",
    "connectivity": "connectivity Σ|w|",
    "row_norm": "norm of the row of w",
    "path": "path strength",
    "activation": "activation's variance",
    "random": "random",
}
SPECTRAL = ("eigenvalue", "activation", "connectivity", "random")
PLAIN = ("connectivity", "activation", "path", "random")  # for networks without eigenvalues
TICKETS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97)  # shares at which pre-training is tried
DRAWS = 20  # random orders, for the band that a ranking must leave


@dataclass(frozen=True)
class State:
    """What is left at one share."""

    ranking: str
    share: float  # of the hidden neurons that are removed, a whole number of them
    kept: tuple[tuple[int, ...], ...]  # the neurons that stay, of each hidden layer
    nodes: tuple[int, ...]  # of each layer, the inputs first
    weights: int  # links that are left
    accuracy: float  # on images that were not trained on
    loss: float


@dataclass(frozen=True, eq=False)
class Ranked:
    """One ranking: the score of each neuron, and the curve for every number of neurons that are kept."""

    label: str
    scores: tuple[Tensor, ...]  # (N_i,) for each hidden layer
    curve: PruningCurve


class Bench:
    """A trained network and the curves of several rankings.

    Args:
        model: a trained stack of one's own (``nn.Sequential``); None trains one on the digits by the ``rules``.
        x, y: data (batch, …) and classes (batch,) to test the own model with, which it has not been trained on.
        training: its training data (x, y), for those who want to retrain what is left.
        rankings: names of :data:`~spectral_lab.rankings.RANKINGS`, or functions of the model; None is four that it allows.
        rules: of :class:`Rules`; with an own model only ``epochs`` (of retraining) and ``seed``.

    Raises:
        TypeError: the model is no stack.
        ValueError: data or rankings that do not fit, a rule outside its range.
    """

    def __init__(
        self,
        model: nn.Module | None = None,
        x: Tensor | None = None,
        y: Tensor | None = None,
        *,
        training: tuple[Tensor, Tensor] | None = None,
        rankings: Sequence[str | Ranking] | None = None,
        **rules: Any,
    ) -> None:
        if isinstance(rules.get("hidden"), int | list):
            rules["hidden"] = tuple(rules["hidden"]) if isinstance(rules["hidden"], list) else (rules["hidden"],)
        self.rules, self.own = Rules(**rules), model is not None
        self.beginning: nn.Sequential | None = None  # the network before it was trained
        if model is None:
            if x is not None or y is not None or training is not None:
                raise ValueError("data are given without a model; give the trained network first: PruningBench(model, x, y)")
            data = _digits()
            self.training: tuple[Tensor, Tensor] | None = (data.x_train, data.y_train)
            self.x, self.y = data.x_test, data.y_test
            self.beginning = untrained(self.rules, data.x_train.shape[1], int(data.y_train.max()) + 1)
            self.model = trained(self.beginning, self.rules, *self.training)
        else:
            unused = sorted(set(rules) - {"epochs", "seed"})
            if unused:
                found = f"{unused[0]} = {rules[unused[0]]!r}"
                raise ValueError(f"{found} says how to train a network, but the model is trained already; leave it out")
            self.model, self.x, self.y, self.training = _checked(model, x, y, training)
        self.sizes = read_stack(self.model).sizes
        self.ranked = self._rank(rankings)
        self.tickets: dict[float, float] = {}  # accuracy after pre-training, at each share that was tried

    # -- rankings ------------------------------------------------------------------------------------------------------

    def _rank(self, rankings: Sequence[str | Ranking] | None) -> dict[str, Ranked]:
        layers = read_stack(self.model).layers[:-1]
        spectral = all(isinstance(layer, SpectralLinear) for layer in layers)
        chosen = list(rankings) if rankings is not None else list(SPECTRAL if spectral else PLAIN)
        names = [ranking_name(ranking) for ranking in chosen]
        if not names or len(set(names)) < len(names) or len(names) > 6:
            raise ValueError(f"rankings = {names}; wanted one to six, each of them once")
        self._ranking = dict(zip(names, chosen, strict=True))
        found, unfolded, seed = {}, unfold(self.model), self.rules.seed
        for name, ranking in self._ranking.items():
            score = scores(self.model, unfolded, ranking, x=self.x, seed=seed)
            curve = pruning_curve(self.model, ranking, self.x, self.y, seed=seed)
            found[name] = Ranked(LABELS.get(name, name), tuple(score), curve)
        return found

    @cached_property
    def band(self) -> tuple[Tensor, Tensor]:
        """Lowest and highest accuracy of many random orders, for every number of kept neurons."""
        curves = [pruning_curve(self.model, "random", self.x, self.y, seed=self.rules.seed + k).accuracy for k in range(DRAWS)]
        found = torch.stack([curve for curve in curves if curve is not None])
        return found.amin(0), found.amax(0)

    @property
    def pool(self) -> int:
        """Hidden neurons of all layers together."""
        return sum(self.sizes[1:-1])

    def check_ranking(self, name: Any) -> str:
        """The name of one of the bench's rankings; anything else is refused in words."""
        if not isinstance(name, str) or name not in self.ranked:
            raise ValueError(f"ranking = {name!r}; this bench has {', '.join(self.ranked)}")
        return name

    # -- what is left --------------------------------------------------------------------------------------------------

    def state(self, share: float, ranking: str) -> State:
        """What is left when this share of all hidden neurons is removed, rounded to a whole number of them."""
        curve = self.ranked[self.check_ranking(ranking)].curve
        keep = self.pool - round(check_share(share) * self.pool)
        kept = tuple(tuple(sorted(n for k, n in curve.order[:keep] if k == layer)) for layer in range(len(self.sizes) - 2))
        nodes = (self.sizes[0], *map(len, kept), self.sizes[-1])
        assert curve.accuracy is not None  # y holds classes
        return State(
            ranking=ranking,
            share=1 - keep / self.pool,
            kept=kept,
            nodes=nodes,
            weights=sum(a * b for a, b in pairwise(nodes)),
            accuracy=float(curve.accuracy[keep]),
            loss=float(curve.loss[keep]),
        )

    def prune(self, share: float, ranking: str) -> Pruned:
        """Make it real: a network of its own without the removed neurons, and its certificate.

        Raises:
            ValueError: a layer would be left without neurons.
        """
        keep = self.pool - round(check_share(share) * self.pool)
        options: dict[str, Any] = {"keep": keep, "x": self.x, "y": self.y, "seed": self.rules.seed}
        return prune(self.model, self._ranking[self.check_ranking(ranking)], **options)

    def words(self, share: float, ranking: str) -> str:
        """The state in one line, for the back row."""
        state, whole = self.state(share, ranking), self.state(0.0, ranking)
        gone = self.pool - sum(map(len, state.kept))
        return (
            f"{gone} of {self.pool} neurons pruned by {self.ranked[ranking].label}: accuracy {state.accuracy:.3f}, "
            f"with all of them {whole.accuracy:.3f}; {state.weights:,} of {whole.weights:,} weights left"
        )

    # -- training once more --------------------------------------------------------------------------------------------

    def retraining(self, share: float, ranking: str) -> Retraining:
        """What is left at this share, about to be trained once more.

        Raises:
            ValueError: no training data, or a layer that would be left without neurons.
        """
        if self.training is None:
            raise ValueError("the bench has no training data; give them as training=(x, y)")
        return Retraining(self, self.prune(share, ranking).network, self.state(share, ranking))

    def pretrain(self) -> Iterator[float]:
        """Pruning's protocol (i) at one share after the other, from the same start and in as many epochs as this network had.

        Half of the epochs train the eigenvalues, half the eigenvectors of what is left.  Accuracies are in ``tickets``.

        Yields:
            The share that has just been tried; shares at which a layer would be left without neurons are passed over.

        Raises:
            ValueError: an own model, of which nobody knows where it started, or one without eigenvalues.
        """
        if self.beginning is None or self.rules.start == "direct":
            why = "it was trained elsewhere" if self.own else "it was trained in direct space"
            raise ValueError(f"pre-training begins with the eigenvalues of the network's start, but {why}")
        assert self.training is not None
        half, gamma, seed = max(1, self.rules.epochs // 2), self.rules.gamma, self.rules.seed
        values, vectors = Phase(epochs=half, lr=VALUES_LR, rho=gamma), Phase(epochs=half, lr=LR[self.rules.start])
        for share in TICKETS:
            if share in self.tickets or round(share * self.pool) > self.pool - len(self.sizes) + 2:
                continue
            options: dict[str, Any] = {"eigenvalues": values, "eigenvectors": vectors, "biases": True, "seed": seed}
            try:
                ticket = pre_training(self.beginning, *self.training, fraction=share, **options)
            except ValueError:  # a whole hidden layer has gone
                continue
            self.tickets[share] = accuracy(ticket.network, self.x, self.y)
            yield share


class Retraining:
    """A pruned network that is trained once more, slice by slice.

    Attributes:
        network: what is being trained.
        state: of the bench, when it was pruned.
        accuracy: on the images of the bench, now.
    """

    def __init__(self, bench: Bench, network: nn.Module, state: State) -> None:
        assert bench.training is not None  # was checked
        self.bench, self.network, self.state = bench, network, state
        batches = math.ceil(len(bench.training[0]) / BATCH)
        self.steps, self.accuracy = bench.rules.epochs * batches, state.accuracy
        self._training = training_of(network, bench.rules, *bench.training)

    @property
    def step(self) -> int:
        """Steps that it has been trained."""
        return self._training.step

    @property
    def over(self) -> bool:
        """Whether it has been trained for as many epochs as the whole network."""
        return self.step >= self.steps

    def advance(self, steps: int = 20) -> float:
        """Train for some steps, and say how accurate it is now."""
        self._training.advance(min(steps, self.steps - self.step))
        self._training.record()
        self.accuracy = accuracy(self.network, self.bench.x, self.bench.y)
        return self.accuracy


def _checked(
    model: nn.Module, x: Tensor | None, y: Tensor | None, training: tuple[Tensor, Tensor] | None
) -> tuple[nn.Sequential, Tensor, Tensor, tuple[Tensor, Tensor] | None]:
    """A user's own model, a copy of it, and the data; nothing that does not fit gets further than here."""
    stack = read_stack(model)
    hidden = sum(stack.sizes[1:-1])
    if not 1 <= hidden <= MOST:
        raise ValueError(f"the model has layers of {stack.sizes} nodes; wanted 1 to {MOST} hidden neurons in all")
    if x is None or y is None:
        raise ValueError("a model of your own is tested on your data; give them: PruningBench(model, x, y)")
    for inputs, classes in [(x, y), *([training] if training is not None else [])]:
        if classes.is_floating_point() or classes.dim() != 1:
            found = f"y is {classes.dtype} of shape {tuple(classes.shape)}"
            raise ValueError(f"{found}; wanted class numbers (batch,), e.g. y.long()")
        check_data(unfold(model), inputs, classes)
    return deepcopy(stack.model).eval(), x, y, training


@lru_cache(maxsize=1)
def _digits() -> Split:
    return digits()
