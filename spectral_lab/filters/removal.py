r"""Filters ranked by their relevance, switched off, and taken out.

A *unit* is a channel that a convolution makes, or a hidden node of a linear layer behind it.  Where a residual addition ties
the channels of several convolutions, channel c of all of them is one unit, and its score is the sum of the scores of its
filters: all of them speak through it (:mod:`spectral_lab.filters.relevance` has the rankings).

Below this module lie :mod:`spectral_lab.filters.channels`, :mod:`spectral_lab.filters.silence` and
:mod:`spectral_lab.filters.cutting`; next, read :mod:`spectral_lab.curves` and :mod:`spectral_lab.pruning`, which take models
with convolutions too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import cached_property

import torch
from torch import Tensor, fx, nn

from spectral_lab.conversion import put_in_place
from spectral_lab.filters.channels import Group, wire
from spectral_lab.filters.cutting import cut_channels, cut_module
from spectral_lab.filters.relevance import FILTER_RANKING_NAMES, FILTER_RANKINGS
from spectral_lab.filters.silence import Constants, constants, foldable, silent
from spectral_lab.rankings import Ranking, check_layers, own_scores, random_scores, ranking_name

IMAGES = 500  # rows that go through the model at a time, at most


class Filters:
    """A model with convolutions, its units in groups, and what can be done with them; the model stays as it is.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    >>> filters = Filters(model)
    >>> [group.name for group in filters.groups], filters.sizes()
    (['0', '2'], (3, 8, 4, 2))

    Args:
        model: any module that ``torch.fx`` can trace.

    Raises:
        TypeError, ValueError: as :func:`~spectral_lab.filters.channels.wire`; a model in which no filter can be removed.
    """

    def __init__(self, model: nn.Module) -> None:
        self.original, self.wired = model, wire(model)
        if not self.groups:
            raise ValueError("the model has no filter that could be removed: all channels are those of its input or its output")

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups of units, in the order of the model; these are its hidden layers."""
        return self.wired.groups

    @property
    def hidden(self) -> tuple[int, ...]:
        """Units of each group."""
        return tuple(group.size for group in self.groups)

    def sizes(self, keep: Sequence[Tensor] | None = None) -> tuple[int, ...]:
        """Channels of the input, units of each group, or those of them that stay, and outputs; ends are left out if unknown."""
        first, last = self.wired.ends
        hidden = self.hidden if keep is None else [int(mask.sum()) for mask in keep]
        return tuple(n for n in (first, *hidden, last) if n is not None)

    @property
    def like(self) -> Tensor:
        """A parameter, for float type and device."""
        return next(self.wired.model.parameters())

    def choose(self, layers: Sequence[int] | None) -> list[int]:
        """The groups to take units from, counted from 0; None is all.

        Raises:
            ValueError: a number that is no group; a group whose channels cannot be told apart, with the reason.
        """
        chosen = check_layers(layers, len(self.groups))
        for k in chosen:
            if self.groups[k].refusal is not None:
                free = [n for n, group in enumerate(self.groups) if group.refusal is None]
                cure = f"choose among the others, e.g. layers={free}" if free else "no other group can lose channels either"
                raise ValueError(
                    f"hidden layer {k} ({self.groups[k].name}) cannot lose channels: {self.groups[k].refusal}; {cure}"
                )
        return chosen

    def all(self) -> list[Tensor]:
        """A mask for each group in which all units stay."""
        return [torch.ones(n, dtype=torch.bool, device=self.like.device) for n in self.hidden]

    @cached_property
    def known(self) -> dict[fx.Node, Constants]:
        """What each step of the graph delivers, where that is constant."""
        return constants(self.wired)

    # -- switched off --------------------------------------------------------------------------------------------------

    @contextmanager
    def switched_off(self, keep: Sequence[Tensor]) -> Iterator[nn.Module]:
        """The model in evaluation mode, in which all layers hear 0 from the units that are not kept.

        Args:
            keep: of each group which units stay, boolean (size,).
        """
        hooks = []
        for group, mask in zip(self.groups, keep, strict=True):
            for reader in group.readers if not bool(mask.all()) else ():
                off = (~mask).repeat_interleave(reader.n_each)
                hooks.append(self.wired.module(reader.name).register_forward_pre_hook(_silencer(off)))
        try:
            yield self.wired.model
        finally:
            for hook in hooks:
                hook.remove()

    @torch.no_grad()
    def output(self, x: Tensor, keep: Sequence[Tensor] | None = None) -> Tensor:
        """What is left of the model answers to x, in evaluation mode: (batch, n_out).

        Args:
            x: images (batch, …).
            keep: as for :meth:`switched_off`; None is all.
        """
        with self.switched_off(self.all() if keep is None else keep) as model:
            return answers(model, x)

    # -- taken out -----------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def without(self, keep: Sequence[Tensor], held: bool = False) -> nn.Module:
        """A model of its own from which the units that are not kept are physically gone; of the same class and mode.

        Args:
            keep: of each group which units stay, boolean (size,), at least one.
            held: constants of units that go are taken over by the biases of the layers that heard them.

        Raises:
            ValueError: a group would be left without units, or cannot lose any.
        """
        network, known = deepcopy(self.original), self.known if held else {}
        rows: dict[str, Tensor] = {}
        columns: dict[str, Tensor] = {}
        values: dict[str, Tensor] = {}
        smaller: dict[nn.Module, nn.Module] = {}
        for k, (group, mask) in enumerate(zip(self.groups, keep, strict=True)):
            if group.refusal is not None and not bool(mask.all()):
                self.choose([k])
            if not bool(mask.any()):
                raise ValueError(
                    f"hidden layer {k} ({group.name}) would lose all its {len(mask)} filters or nodes, and with them every "
                    "path to the output; keep more, spare it (layers=…) or, unless they do, let all give up the same share "
                    "(per_layer=True)"
                )
            if bool(mask.all()):
                continue
            rows |= dict.fromkeys(group.producers, mask)
            for reader in group.readers:
                columns[reader.name] = mask.repeat_interleave(reader.n_each)
                heard = known.get(reader.node.all_input_nodes[0])
                if heard is not None:
                    value = torch.where(heard.constant & foldable(self.wired, reader, group.size), heard.values, 0)
                    values[reader.name] = value.repeat_interleave(reader.n_each)
            for layer in map(network.get_submodule, (*group.depthwise, *group.norms)):
                smaller[layer] = cut_channels(layer, mask)
        for name in rows | columns:
            layer = network.get_submodule(name)
            smaller[layer] = cut_module(layer, columns.get(name), rows.get(name), values.get(name))
        put_in_place(network, smaller)
        return network

    def silent(self, keep: Sequence[Tensor], *, fold: bool) -> list[Tensor]:
        """Which units nobody would miss if these ones stay, see :func:`~spectral_lab.filters.silence.silent`."""
        return silent(self.wired, self.known, keep, fold=fold)

    def is_exact(self, keep: Sequence[Tensor]) -> bool:
        """Whether no output can change, in evaluation mode, when all units but these deliver 0: they do, or reach no output."""
        heard = list(keep)
        while True:
            unfelt = silent(self.wired, {}, heard, fold=False)  # of no filter is it known what it delivers
            fewer = [mask & ~gone for mask, gone in zip(heard, unfelt, strict=True)]
            if all(map(torch.equal, heard, fewer)):
                break
            heard = fewer
        return all(bool((mask | quiet).all()) for mask, quiet in zip(keep, self.silent(heard, fold=False), strict=True))

    def needed(self) -> list[Tensor]:
        """The units that compaction leaves: none that is silent, but one of each group at least."""
        stays = self.all()
        while True:
            quiet = self.silent(stays, fold=True)
            fewer = [mask & ~gone for mask, gone in zip(stays, quiet, strict=True)]
            for mask in fewer:
                mask[0] |= ~mask.any()
            if all(map(torch.equal, stays, fewer)):
                return stays
            stays = fewer

    # -- ranked --------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def scores(self, ranking: str | Ranking, layers: Sequence[int], *, x: Tensor | None = None, seed: int = 0) -> list[Tensor]:
        """The score (size,) of the units of each chosen group, high for those that matter.

        Args:
            ranking: a name of the table above, or a function of the model that gives a vector for each group.
            layers: the groups.
            x: images, for "activation".
            seed: for "random".

        Raises:
            ValueError: an unknown ranking; one that needs eigenvalues, a batch norm or data where there are none; a function
                whose scores have other shapes or are NaN.
        """
        if callable(ranking):
            return own_scores(self.original, ranking, self.hidden, layers)
        if ranking_name(ranking, FILTER_RANKING_NAMES) == "random":
            return random_scores(self.hidden, layers, seed)
        if ranking == "activation":
            return self._variances(layers, x)
        score = FILTER_RANKINGS[ranking]
        return [torch.stack([score(self.wired, name) for name in self.groups[k].producers]).sum(0) for k in layers]

    def _variances(self, layers: Sequence[int], x: Tensor | None) -> list[Tensor]:
        if x is None:
            raise ValueError("the ranking 'activation' is a variance over data; give the images as x=…")
        sums: dict[str, list[Tensor]] = {}
        hooks = [
            self.wired.module(reader.name).register_forward_pre_hook(_adder(sums, reader.name, self.groups[k].size))
            for k in layers
            for reader in self.groups[k].readers
        ]
        try:
            self.output(x)
        finally:
            for hook in hooks:
                hook.remove()
        variances = {name: (second - first**2 / n) / n for name, (n, first, second) in sums.items()}
        unheard = self.like.new_zeros((), dtype=torch.float64)
        groups = [self.groups[k] for k in layers]
        return [sum((variances[reader.name] for reader in g.readers), unheard.expand(g.size)) for g in groups]


@torch.no_grad()
def answers(model: nn.Module, x: Tensor) -> Tensor:
    """What a model says to images (batch, …), some of them at a time; they stay as they are, whatever it does in place."""
    return torch.cat([model(part.clone()) for part in x.tensor_split(-(-len(x) // IMAGES))])  # parts of like size: no lone row


def _silencer(off: Tensor) -> Callable[..., tuple[Tensor]]:
    """A hook that sets inputs of a layer to 0: channels of a map, or columns of a flat one."""

    def hook(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        (x,) = inputs
        return (x.masked_fill(off.view(-1, *[1] * (x.dim() - 2)), 0),)

    return hook


def _adder(sums: dict[str, list[Tensor]], name: str, size: int) -> Callable[..., None]:
    """A hook that adds up the number, the sum and the squares of what a layer hears from each channel."""

    def hook(module: nn.Module, inputs: tuple[Tensor]) -> None:
        values = inputs[0].double().reshape(len(inputs[0]), size, -1)
        found = [values[:, 0].new_tensor(values[:, 0].numel()), values.sum((0, 2)), values.square().sum((0, 2))]
        sums[name] = [a + b for a, b in zip(sums[name], found, strict=True)] if name in sums else found

    return hook
