r"""Pruning curves: loss and accuracy of a network for every number of hidden nodes that are kept, or for a choice of numbers.

In a model with convolutions the nodes are its filters and the hidden nodes of the linear layers behind them
(:mod:`spectral_lab.filters`); each number of them is one pass of the whole model over the data.

Nodes are kept in the order of a ranking (:mod:`spectral_lab.rankings`).  Where the last hidden layer is concerned, one pass
over the data is enough for all numbers: its nodes add up in the output,

.. math:: z^{(n)} = z^{(0)} + \sum_{i \le n} W_{\rm out,i}\; a_i

so the outputs of all pruned copies are cumulative sums.  A node of an earlier layer changes what the later ones hear; there
the pre-activations are carried along and only what follows the node is computed again, for the nodes that are there.  For
1500 nodes in three layers and thousands of rows that still takes long; a choice of numbers lets the nodes come in crowds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import torch
from torch import Tensor, nn

from spectral_lab.filters import FILTER_RANKING_NAMES, Filters, has_filters
from spectral_lab.inputs import Loss as Loss
from spectral_lab.inputs import check_data as check_data
from spectral_lab.inputs import check_images, refuse_fold
from spectral_lab.inputs import default_loss as default_loss
from spectral_lab.rankings import Ranking, check_layers, ranking_name, removal_order, scores
from spectral_lab.unfolding import Unfolded, unfold

CHUNK = 2**22  # numbers in the outputs that are held at a time: 16 MiB of float32


@dataclass(frozen=True, eq=False)
class PruningCurve:
    """What is left of a network's abilities, for every number of kept nodes from none to all, or for some of them and all."""

    ranking: str
    kept: Tensor  # 0 … N, (N + 1,), or the numbers that were chosen and N
    loss: Tensor  # as long as kept
    accuracy: Tensor | None  # share of rows whose largest output is the right class, likewise; None where y holds no classes
    order: tuple[tuple[int, int], ...]  # the nodes (hidden layer, node), the most relevant first

    @property
    def removed(self) -> Tensor:
        """Share of the nodes that are removed, in [0, 1], as long as ``kept``."""
        return 1 - self.kept / max(len(self.order), 1)

    def fewest(self, max_loss_increase: float) -> int:
        """The smallest evaluated number of nodes with which the loss is at most so much above that of the whole network."""
        return int(self.kept[(self.loss <= self.loss[-1] + max_loss_increase).nonzero()[0]])


def _class_loss(output: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy with the classes before the rows in memory: for a handful of classes that is several times faster."""
    if output.dim() != 2:
        return nn.functional.cross_entropy(output, y)
    return nn.functional.cross_entropy(output.mT.unsqueeze(0), y.unsqueeze(0))


@torch.no_grad()
def pruning_curve(
    model: nn.Module,
    ranking: str | Ranking,
    x: Tensor,
    y: Tensor,
    *,
    loss: Loss | None = None,
    layers: Sequence[int] | None = None,
    per_layer: bool = False,
    fold: bool = False,
    numbers: Sequence[int] | None = None,
    seed: int = 0,
) -> PruningCurve:
    """Loss and accuracy for every number of kept hidden nodes or filters, as if each pruned copy were evaluated.

    >>> from spectral_lab.layers import feed_forward
    >>> x, y = torch.rand(100, 8), torch.randint(0, 3, (100,))
    >>> curve = pruning_curve(feed_forward([8, 20, 3]), "eigenvalue", x, y)
    >>> curve.kept[-1], curve.loss.shape, curve.accuracy.shape
    (tensor(20), torch.Size([21]), torch.Size([21]))

    A removed node delivers 0: the links out of it are cut, as in Pruning.  With ``fold`` it delivers its mean over x in the
    whole network instead, which is what :func:`~spectral_lab.pruning.prune` puts into the next biases.

    Args:
        model: a SpectralNet, a DirectNet, a stack (:mod:`spectral_lab.stacks`) or a model with convolutions, which is
            judged in evaluation mode (:mod:`spectral_lab.filters`); read, never changed.
        ranking: a name of :data:`~spectral_lab.rankings.RANKINGS`, with convolutions one of
            :data:`~spectral_lab.filters.FILTER_RANKING_NAMES`, or a function of the model.
        x: inputs (batch, …) on the model's device and of its float type.
        y: targets (batch, n_out), or class numbers (batch,).
        loss: of (output, target), a mean over rows; None is cross-entropy for class numbers and else the mean squared error.
        layers: remove nodes of these hidden layers only, counted from 0; None is all.
        per_layer: every layer gives up the same share (:func:`~spectral_lab.rankings.removal_order`).
        fold: hold removed nodes at their mean, not at 0; not with convolutions.
        numbers: evaluate only so many kept nodes, each from 0 to N, and N itself; None is all numbers.
        seed: of the ranking "random".

    Raises:
        ValueError, TypeError: an unknown ranking, a network that cannot be pruned, data that do not fit, a number of nodes
            that the network does not have.
    """
    if has_filters(model):
        filters, name = Filters(model), ranking_name(ranking, FILTER_RANKING_NAMES)
        refuse_fold(fold)
        check_images(filters, x, y, loss)
        chosen = filters.choose(layers)
        ranked = filters.scores(ranking, chosen, x=x, seed=seed)
        hidden = filters.hidden
    else:
        unfolded, name = unfold(model), ranking_name(ranking)
        check_data(unfolded, x, y, loss)
        chosen = check_layers(layers, len(unfolded.hidden))
        ranked = scores(model, unfolded, ranking, layers=chosen, x=x, seed=seed)
        hidden = unfolded.hidden
    stops = _stops(numbers, sum(hidden[k] for k in chosen))
    order = [(chosen[k], n) for k, n in removal_order(ranked, per_layer=per_layer)]
    if has_filters(model):
        outputs: Iterable[Tensor] = _outputs_of_filters(filters, x, order, stops)
    else:
        outputs = map(unfolded.leave, _outputs(unfolded, x, order, fold, stops))
    losses, accuracy = _measured(outputs, y, loss)
    kept = torch.arange(len(order) + 1) if stops is None else torch.tensor(stops)
    return PruningCurve(name, kept, losses, accuracy, tuple(order))


def _measured(outputs: Iterable[Tensor], y: Tensor, loss: Loss | None) -> tuple[Tensor, Tensor | None]:
    """Losses and, where there are classes, accuracies."""
    measure = loss or (default_loss(y) if y.is_floating_point() else _class_loss)
    losses, accuracies = [], []
    for output in outputs:
        losses.append(measure(output, y))
        if not y.is_floating_point() and y.shape == output.shape[:-1]:
            accuracies.append((output.argmax(-1) == y).float().mean())
    return torch.stack(losses), torch.stack(accuracies) if accuracies else None


def _outputs_of_filters(
    filters: Filters, x: Tensor, order: Sequence[tuple[int, int]], stops: Sequence[int] | None
) -> Iterator[Tensor]:
    """Outputs (batch, n_out) with none, one, … and all of the units, in this order, or at the stops only."""
    keep = filters.all()
    for k, n in order:
        keep[k][n] = False
    for start, stop in pairwise([0, *(range(len(order) + 1) if stops is None else stops)]):
        for k, n in order[start:stop]:
            keep[k][n] = True
        yield filters.output(x, keep)


def _stops(numbers: Sequence[int] | None, pool: int) -> list[int] | None:
    """The numbers of kept nodes to evaluate, in order, the whole network at the end; None is every number."""
    if numbers is None:
        return None
    for n in numbers:
        if isinstance(n, bool) or not isinstance(n, int) or not 0 <= n <= pool:
            raise ValueError(f"numbers holds {n!r}; wanted whole numbers from 0 to {pool}, the hidden nodes to choose from")
    return sorted({*numbers, pool})


def _outputs(
    unfolded: Unfolded, x: Tensor, order: Sequence[tuple[int, int]], fold: bool, stops: Sequence[int] | None
) -> Iterator[Tensor]:
    """Last layer's signal (batch, n_out) with none, one, … and all of the nodes, in this order, or at the stops only."""
    held = unfolded.held_at_means(x) if fold else [torch.zeros_like(b) for b in unfolded.biases[:-1]]
    if unfolded.before is not None:  # the nodes stand in several layers: no shortcut
        yield from _evaluated_one_by_one(unfolded, x, order, held, range(len(order) + 1) if stops is None else stops)
        return
    growing = _Growing(unfolded, x, order, held)
    if stops is not None:
        for start, stop in pairwise([0, *stops]):
            for k, nodes in sorted(Counter(k for k, _ in order[start:stop]).items()):
                growing.add_to(k + 1, nodes)
            yield growing.output
        return
    yield growing.output
    for k, run in groupby(order, key=lambda node: node[0]):
        nodes = len(list(run))
        if k == len(unfolded.hidden) - 1:
            yield from growing.add_to_the_last_layer(nodes)
        else:
            for _ in range(nodes):
                yield growing.add_to(k + 1)


def _evaluated_one_by_one(
    unfolded: Unfolded, x: Tensor, order: Sequence[tuple[int, int]], held: Sequence[Tensor], stops: Sequence[int]
) -> Iterator[Tensor]:
    keep = [torch.ones(n, dtype=torch.bool, device=x.device) for n in unfolded.hidden]
    for k, n in order:
        keep[k][n] = False
    for start, stop in pairwise([0, *stops]):
        for k, n in order[start:stop]:
            keep[k][n] = True
        yield unfolded.signals(x, keep, held)[-1]


class _Growing:
    """A network that gets its hidden nodes one by one, and what it answers to the data at each moment.

    The nodes of each layer stand in the order in which they come, so that those that are there come first: the first
    ``there[i]`` columns of ``a[i]`` are signals, the others are not used.  ``z[i]`` holds the pre-activations of all nodes.
    """

    def __init__(self, unfolded: Unfolded, x: Tensor, order: Sequence[tuple[int, int]], held: Sequence[Tensor]) -> None:
        last = self.last = len(unfolded.nodes) - 1
        places = [torch.arange(n, device=x.device) for n in unfolded.nodes]
        chosen = {k for k, _ in order}
        for k in chosen:
            places[k + 1] = torch.tensor([n for layer, n in order if layer == k], device=x.device)
        self.weights = {(i, j): W[places[i]][:, places[j]] for (i, j), W in unfolded.weights.items()}
        self.held = {i: held[i - 1][places[i]] for i in range(1, last)}
        self.there = {i: 0 if i - 1 in chosen else unfolded.nodes[i] for i in range(1, last)}
        self.f = dict(enumerate(unfolded.activations, 1))
        first = unfolded.enter(x)
        self.leading = first.shape[:-1]
        signals = {0: first.reshape(-1, first.shape[-1])}
        self.z: dict[int, Tensor] = {}
        for i in range(1, last + 1):
            terms = [signals[j] @ W.mT for j in range(i) if (W := self.weights.get((i, j))) is not None]
            self.z[i] = unfolded.biases[i - 1][places[i]] + sum(terms[1:], terms[0])
            if i < last:
                signals[i] = self.f[i](self.z[i]) if self.there[i] else self.held[i].expand_as(self.z[i])
        self.a = {i: signals[i].clone() for i in range(1, last)}

    @property
    def output(self) -> Tensor:
        """The last layer's signal (..., n_out) of now."""
        return self.z[self.last].reshape(*self.leading, -1)

    def add_to(self, i: int, n: int = 1) -> Tensor:
        """The output with n more nodes in layer i; only what hears of them is computed again."""
        new = slice(self.there[i], self.there[i] + n)
        self.a[i][:, new] = self.f[i](self.z[i][:, new])
        self.there[i] = new.stop
        changes = {i: (new, self.a[i][:, new] - self.held[i][new])}
        for later in range(i + 1, self.last + 1):
            for j, (nodes, change) in changes.items():
                if (later, j) in self.weights:
                    self.z[later] = self.z[later] + change @ self.weights[later, j][:, nodes].mT
            if later < self.last and self.there[later]:
                nodes = slice(0, self.there[later])
                signal = self.f[later](self.z[later][:, nodes])
                changes[later] = nodes, signal - self.a[later][:, nodes]
                self.a[later][:, nodes] = signal
        return self.output

    def add_to_the_last_layer(self, nodes: int) -> Iterator[Tensor]:
        """The outputs with one, two, … more nodes in the last hidden layer: cumulative sums, in chunks of bounded memory."""
        i, W = self.last - 1, self.weights[self.last, self.last - 1]
        step = max(CHUNK // self.z[self.last].numel(), 1)
        end = self.there[i] + nodes
        for start in range(self.there[i], end, step):
            new = slice(start, min(start + step, end))
            self.a[i][:, new] = self.f[i](self.z[i][:, new])
            change = self.a[i][:, new] - self.held[i][new]
            outputs = change.mT.unsqueeze(2) * W[:, new].mT.unsqueeze(1)  # (nodes, batch, n_out)
            outputs[0] += self.z[self.last]
            outputs = outputs.cumsum(0)
            self.z[self.last] = outputs[-1].clone()
            self.there[i] = new.stop
            for z in outputs:
                yield z.reshape(*self.leading, -1)
