r"""Pruning: physically smaller networks without their least relevant hidden nodes, and a certificate of what that changed.

:func:`prune` removes nodes by a ranking (:mod:`spectral_lab.rankings`), :func:`compact` those that nobody would miss.

>>> from spectral_lab.layers import feed_forward
>>> model = feed_forward([784, 500, 10])
>>> network, certificate = prune(model, "eigenvalue", fraction=0.9)
>>> network[0].n_out, certificate.removed
(50, (450,))

**What is removed** delivers 0 from then on: the links out of it are cut, as in Pruning (Section VI).  With ``fold`` it
delivers the mean that it had over given data, which goes into the next biases.

**What comes back.**  A stack (:mod:`spectral_lab.stacks`) stays a stack, of the same kinds of layers: rows and columns of φ
and entries of λ are taken out as they are, so that what is left can go on to be trained through its eigenvectors (a
winning ticket).  It has no links past a hidden layer, so each keeps one node at least.  A
:class:`~spectral_lab.networks.SpectralNet` comes back as a :class:`~spectral_lab.direct.DirectNet`: its nodes cannot be taken
out in spectral space, for W_31 = -W_32 φ_1 sums over all hidden nodes, dead ones too.  There whole layers may go, the skip
links stay; and nodes that are silent go too, chosen or not.

A **model with convolutions** comes back as what it is, of the same class, with fewer filters: they are taken out with all that
belongs to them, through batch norm, pooling, flattening and residual additions, and where that cannot be followed they are
refused (:mod:`spectral_lab.filters`).  Its "nodes" are filters and the hidden nodes of linear layers; what a residual addition
ties is one, and its score the sum.  Of a SpectralNet at its end the inputs go, the hidden nodes stay: prune that by itself.
All models are judged in evaluation mode.

Next, read :mod:`spectral_lab.curves` for every number of kept nodes at once, and :mod:`spectral_lab.tickets` for the two ways
in which Pruning combines it with training.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from spectral_lab.certificates import Certificate, Pruned, count_macs
from spectral_lab.counting import count_parameters
from spectral_lab.criteria import Criterion
from spectral_lab.curves import pruning_curve
from spectral_lab.direct import DirectNet, settle, without_constant_nodes
from spectral_lab.filters import has_filters
from spectral_lab.inputs import Loss, check_data, default_loss
from spectral_lab.networks import SpectralNet
from spectral_lab.rankings import Ranking, check_layers, ranking_name, removal_order, scores
from spectral_lab.stacks import cut_stack, read_stack
from spectral_lab.thinning import compact_filters, prune_filters
from spectral_lab.unfolding import Unfolded, unfold

__all__ = ["Pruned", "compact", "prune"]


@torch.no_grad()
def prune(
    model: nn.Module,
    ranking: str | Ranking = "eigenvalue",
    *,
    keep: int | None = None,
    fraction: float | None = None,
    threshold: float | None = None,
    max_loss_increase: float | None = None,
    x: Tensor | None = None,
    y: Tensor | None = None,
    loss: Loss | None = None,
    layers: Sequence[int] | None = None,
    per_layer: bool = False,
    fold: bool = False,
    seed: int = 0,
) -> Pruned:
    """A smaller network without the least relevant hidden nodes or filters; inputs and outputs all stay.

    Give exactly one of ``keep``, ``fraction``, ``threshold`` and ``max_loss_increase``.

    Args:
        model: a SpectralNet, a DirectNet, a stack or a model with convolutions; stays as it is.
        ranking: a name of :data:`~spectral_lab.rankings.RANKINGS`, with convolutions one of
            :data:`~spectral_lab.filters.FILTER_RANKING_NAMES`, or a function of the model.
        keep: how many hidden nodes stay, of all that are chosen from.
        fraction: share of them that is removed, in [0, 1]; rounded to a whole number of nodes.
        threshold: remove nodes whose score is at most this.
        max_loss_increase: keep the smallest number of nodes with which the loss on x and y rises by no more than this.
        x, y: data (batch, …) for the certificate, and for what needs them; targets as in
            :func:`~spectral_lab.curves.pruning_curve`.
        loss: of (output, target); None is cross-entropy for class numbers and else the mean squared error.
        layers: remove nodes of these hidden layers only, counted from 0; None is all, sorted together as in Pruning IV B.
        per_layer: every layer gives up the same share (:func:`~spectral_lab.rankings.removal_order`); a threshold does not ask.
        fold: removed nodes deliver their mean over x, not 0; the next layers' biases carry it.  Not with convolutions.
        seed: of the ranking "random".

    Returns:
        The network and its certificate; see the module's head for the kind of network.

    Raises:
        ValueError: no criterion or several, one outside its range, an unknown ranking, missing or unfitting data, parameters
            that are NaN, a hidden layer that would be left without nodes, or filters that cannot be taken out (with the
            reason).
        TypeError: no network that can be pruned.
    """
    criterion = Criterion(keep, fraction, threshold, max_loss_increase)
    if has_filters(model):
        return prune_filters(
            model, ranking, criterion, x=x, y=y, loss=loss, layers=layers, per_layer=per_layer, fold=fold, seed=seed
        )
    name, unfolded = ranking_name(ranking), unfold(model)
    check_data(unfolded, x, y, loss)
    chosen = check_layers(layers, len(unfolded.hidden))
    criterion.check(sum(unfolded.hidden[k] for k in chosen), x, y)
    if fold and x is None:
        raise ValueError("fold=True puts means over data into the biases; give the inputs as x=…")
    score = scores(model, unfolded, ranking, layers=chosen, x=x, seed=seed)
    order = [(chosen[k], n) for k, n in removal_order(score, per_layer=per_layer)]

    def losses() -> Tensor:
        assert x is not None  # the criterion was checked
        assert y is not None
        options = {"layers": layers, "per_layer": per_layer, "fold": fold, "seed": seed}
        return pruning_curve(model, ranking, x, y, loss=loss, **options).loss  # type: ignore[arg-type]

    stays = [torch.full((n,), k not in chosen) for k, n in enumerate(unfolded.hidden)]
    for k, n in criterion.stay(order, dict(zip(chosen, score, strict=True)), losses, one_each=_is_stack(model)):
        stays[k][n] = True
    place = next(iter(unfolded.weights.values())).device
    held = unfolded.held_at_means(x) if fold and x is not None else None
    return _smaller(model, unfolded, [mask.to(place) for mask in stays], held, name, x, y, loss)


@torch.no_grad()
def compact(model: nn.Module, *, x: Tensor | None = None, y: Tensor | None = None, loss: Loss | None = None) -> Pruned:
    """A smaller network with the same outputs: hidden nodes that are constant or that no output feels are removed.

    Constants (of biases, of sigmoids at 0) go into the next biases; a layer without one gets one where it must.  In a stack
    each hidden layer keeps one node at least, even if none is of use, and in a model with convolutions one filter.  There
    constants go into biases only where that is exact: not behind zero padding, at whose border they would show.

    >>> from spectral_lab import SpectralNet
    >>> network, certificate = compact(SpectralNet([2, 300, 1]))  # at its start a perceptron
    >>> certificate.nodes_after, certificate.exact
    ((2, 1), True)

    Args:
        model: a SpectralNet, a DirectNet, a stack or a model with convolutions; stays as it is.
        x, y, loss: for the certificate, as in :func:`prune`.

    Raises:
        TypeError, ValueError: no network that can be pruned, parameters that are NaN, data that do not fit.
    """
    if has_filters(model):
        return compact_filters(model, x=x, y=y, loss=loss)
    unfolded = unfold(model)
    check_data(unfolded, x, y, loss)
    stays, held = [torch.ones_like(parts[0], dtype=torch.bool) for parts in unfolded.gather(unfolded.biases[:-1])], None
    if _is_stack(model):
        known = unfolded.settled()
        stays = [~constant & felt for constant, felt in zip(known.constant[1:-1], known.felt[1:-1], strict=True)]
        for mask in stays:
            mask[0] |= ~mask.any()
        held = [torch.where(constant, value, 0) for constant, value in zip(known.constant, known.values, strict=True)][1:-1]
    return _smaller(model, unfolded, stays, held, "what is silent or constant", x, y, loss)


def _is_stack(model: nn.Module) -> bool:
    return isinstance(model, nn.Sequential)


def _smaller(
    model: nn.Module,
    unfolded: Unfolded,
    stays: list[Tensor],
    held: list[Tensor] | None,
    name: str,
    x: Tensor | None,
    y: Tensor | None,
    loss: Loss | None,
) -> Pruned:
    """The network of the nodes that stay, with its certificate."""
    network: nn.Module
    if isinstance(model, SpectralNet | DirectNet):
        network, left = _direct(model, unfolded, stays, held)
        nodes_before, nodes_after = (model.nodes if isinstance(model, SpectralNet) else unfolded.nodes), network.nodes
    else:
        _refuse_empty_layers(stays)
        stack, left = read_stack(model), stays
        network = cut_stack(stack, stays, [torch.zeros_like(b) for b in unfolded.biases[:-1]] if held is None else held)
        nodes_before, nodes_after = stack.sizes, read_stack(network).sizes
    network.train(model.training)
    measured: dict[str, float] = {}
    if x is not None:
        old, new = (deepcopy(judged).eval()(x.clone()) for judged in (model, network))  # before a stack may stand anything
        measured["max_change"] = float((old - new).abs().max())
        if y is not None:
            measure = loss or default_loss(y)
            measured |= {"loss_before": float(measure(old, y)), "loss_after": float(measure(new, y))}
    certificate = Certificate(
        ranking=name,
        nodes_before=nodes_before,
        nodes_after=nodes_after,
        removed=tuple(int((~mask).sum()) for mask in left),
        kept=tuple(tuple(mask.nonzero().flatten().tolist()) for mask in left),
        parameters_before=count_parameters(model).total,
        parameters_after=count_parameters(network).total,
        macs_before=count_macs(model),
        macs_after=count_macs(network),
        exact=unfolded.is_exact(stays, held),
        **measured,  # type: ignore[arg-type] # none of them is the tuple of names
    )
    return Pruned(network, certificate)


def _direct(
    model: SpectralNet | DirectNet, unfolded: Unfolded, stays: Sequence[Tensor], held: Sequence[Tensor] | None
) -> tuple[DirectNet, list[Tensor]]:
    """The network in direct space, and which hidden nodes of the model are left in it: silent ones go too."""
    weights, biases = unfolded.cut(stays, held)
    constant, nodes = unfolded.constant_inputs, unfolded.nodes
    exact, parameters = unfolded.is_exact(stays, held), count_parameters(model).total
    network = without_constant_nodes(weights, nodes, constant, None, model.activation, exact, parameters, biases)
    known = settle(weights, nodes, constant, unfolded.activations, biases)
    useful = [~known.constant[i] & known.felt[i] for i in range(1, len(nodes) - 1)]
    return network, [torch.stack(parts).any(0) for parts in unfolded.gather(useful)]


def _refuse_empty_layers(stays: Sequence[Tensor]) -> None:
    for k, mask in enumerate(stays):
        if not bool(mask.any()):
            raise ValueError(
                f"hidden layer {k} would lose all its {len(mask)} nodes, and with them every path to the output; keep more "
                f"nodes, spare the layer (layers=…) or, unless they do, let all layers give up the same share (per_layer=True)"
            )
