"""Models with convolutions made thinner: what :func:`~spectral_lab.pruning.prune` and ``compact`` do with filters.

Below this module lies :mod:`spectral_lab.filters`.
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
from spectral_lab.filters import FILTER_RANKING_NAMES, Filters, answers
from spectral_lab.inputs import Loss, check_images, default_loss, refuse_fold
from spectral_lab.rankings import Ranking, ranking_name, removal_order


@torch.no_grad()
def prune_filters(
    model: nn.Module,
    ranking: str | Ranking,
    criterion: Criterion,
    *,
    x: Tensor | None,
    y: Tensor | None,
    loss: Loss | None,
    layers: Sequence[int] | None,
    per_layer: bool,
    fold: bool,
    seed: int,
) -> Pruned:
    """A model with fewer filters, and hidden nodes behind them; the arguments are those of :func:`~spectral_lab.pruning.prune`.

    Raises:
        ValueError, TypeError: as ``prune``.
    """
    name, filters = ranking_name(ranking, FILTER_RANKING_NAMES), Filters(model)
    refuse_fold(fold)
    check_images(filters, x, y, loss)
    chosen = filters.choose(layers)
    criterion.check(sum(filters.hidden[k] for k in chosen), x, y)
    score = filters.scores(ranking, chosen, x=x, seed=seed)
    order = [(chosen[k], n) for k, n in removal_order(score, per_layer=per_layer)]

    def losses() -> Tensor:
        assert x is not None  # the criterion was checked
        assert y is not None
        return pruning_curve(model, ranking, x, y, loss=loss, layers=chosen, per_layer=per_layer, seed=seed).loss

    keep = filters.all()
    for k in chosen:
        keep[k][:] = False
    for k, n in criterion.stay(order, dict(zip(chosen, score, strict=True)), losses, one_each=True):
        keep[k][n] = True
    return _thinner(filters, keep, filters.without(keep), filters.is_exact(keep), name, x, y, loss)


@torch.no_grad()
def compact_filters(model: nn.Module, *, x: Tensor | None, y: Tensor | None, loss: Loss | None) -> Pruned:
    """The same outputs without silent filters and hidden nodes; as :func:`~spectral_lab.pruning.compact`."""
    filters = Filters(model)
    check_images(filters, x, y, loss)
    keep = filters.needed()
    return _thinner(filters, keep, filters.without(keep, held=True), True, "what is silent or constant", x, y, loss)


def _thinner(
    filters: Filters,
    keep: Sequence[Tensor],
    network: nn.Module,
    exact: bool,
    name: str,
    x: Tensor | None,
    y: Tensor | None,
    loss: Loss | None,
) -> Pruned:
    """The thinner model with its certificate; outputs are compared in evaluation mode."""
    measured: dict[str, float] = {}
    if x is not None:
        judged = deepcopy(network).eval()
        old, new = filters.output(x), answers(judged, x)
        measured["max_change"] = float((old - new).abs().max())
        if y is not None:
            measure = loss or default_loss(y)
            measured |= {"loss_before": float(measure(old, y)), "loss_after": float(measure(new, y))}
    certificate = Certificate(
        ranking=name,
        nodes_before=filters.sizes(),
        nodes_after=filters.sizes(keep),
        removed=tuple(int((~mask).sum()) for mask in keep),
        kept=tuple(tuple(mask.nonzero().flatten().tolist()) for mask in keep),
        parameters_before=count_parameters(filters.original).total,
        parameters_after=count_parameters(network).total,
        macs_before=None if x is None else count_macs(filters.original, x[:2]),
        macs_after=None if x is None else count_macs(network, x[:2]),
        exact=exact,
        layers=tuple(group.name for group in filters.groups),
        **measured,
    )
    return Pruned(network, certificate)
