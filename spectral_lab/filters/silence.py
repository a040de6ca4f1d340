r"""Which channels say nothing: constant over all images and places, or read by nobody.

What a step of the graph does to a constant map is exact knowledge: a batch norm of factor γ = 0 delivers β whatever it
hears, a ReLU makes 0 of a negative one, and a convolution with zero padding delivers a constant only of maps that are 0, for at
the border the zeros of the padding show.  All of it holds in evaluation mode.

Below this module lies :mod:`spectral_lab.filters.channels`; next, read :mod:`spectral_lab.filters`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from spectral_lab.convolutions import SpectralConv2d
from spectral_lab.direct import DirectNet
from spectral_lab.filters.channels import Group, Reader, Wired
from spectral_lab.networks import SpectralNet
from spectral_lab.unfolding import unfold


class Constants(NamedTuple):
    """What is known of the channels that a step delivers."""

    constant: Tensor  # (channels,) whether every image gives the same map, of one value
    values: Tensor  # (channels,) that value; 0 for the others

    @property
    def zero(self) -> Tensor:
        """(channels,) whether the map is 0 everywhere."""
        return self.constant & (self.values == 0)


@torch.no_grad()
def constants(wired: Wired) -> dict[fx.Node, Constants]:
    """For every step of the graph that delivers channels of a group, which of them are constant, and what they are."""
    like = next(wired.model.parameters())
    found: dict[fx.Node, Constants] = {}
    for node in wired.graph.nodes:
        known = [found[n] for n in node.all_input_nodes if n in found]
        kind = wired.signals[node].kind
        if kind == "layer":
            module = wired.module(str(node.target))
            found[node] = _through_layer(module, known[0] if known else None)
        elif not known or kind in ("other", "head", "shape", "output"):
            continue
        elif kind == "depthwise":
            found[node] = _through_depthwise(wired.module(str(node.target)), known[0])
        elif len(known) < len([n for n in node.all_input_nodes if wired.signals[n].space is not None]):
            nothing = torch.zeros_like(known[0].constant)  # the other map is one of which nothing is known
            found[node] = Constants(nothing, nothing.to(like.dtype))
        elif kind == "norm":
            found[node] = _through_norm(wired.module(str(node.target)), known[0])
        elif kind in ("add", "multiply"):
            found[node] = _together(wired, node, *known)
        elif kind == "each":
            values = _applied(wired, node, known[0].values)
            found[node] = Constants(known[0].constant, torch.where(known[0].constant, values, 0))
        else:
            keeps = kind == "keeps" or _without_padding(wired, node)
            found[node] = known[0] if keeps else Constants(known[0].zero, torch.zeros_like(known[0].values))
    return found


def _through_layer(layer: Any, heard: Constants | None) -> Constants:
    """A filter is constant if all maps that it feels are, and the places where padding shows are 0."""
    weight = layer.weight.flatten(2) if isinstance(layer, nn.Conv2d | SpectralConv2d) else layer.weight.unsqueeze(2)
    felt, sums = (weight != 0).any(2), weight.sum(2)  # (filters, channels), of a linear layer (nodes, channels · places)
    bias = torch.zeros_like(sums[:, 0]) if layer.bias is None else layer.bias
    if heard is None or getattr(layer, "groups", 1) > 1:
        constant = ~felt.any(1)
        return Constants(constant, torch.where(constant, bias, 0))
    n_each = felt.shape[1] // len(heard.constant)
    known = (heard.constant if holds_constants(layer) else heard.zero).repeat_interleave(n_each)
    constant = ~felt[:, ~known].any(1)
    values = bias + sums[:, known] @ heard.values.repeat_interleave(n_each)[known]
    return Constants(constant, torch.where(constant, values, 0))


def _through_depthwise(conv: Any, heard: Constants) -> Constants:
    weight = conv.weight.flatten(1)
    constant = ~(weight != 0).any(1) | (heard.constant if holds_constants(conv) else heard.zero)
    bias = torch.zeros_like(heard.values) if conv.bias is None else conv.bias
    return Constants(constant, torch.where(constant, bias + weight.sum(1) * heard.values, 0))


def _through_norm(norm: nn.BatchNorm2d, heard: Constants) -> Constants:
    shift = torch.zeros_like(heard.values) if norm.bias is None else norm.bias
    if norm.running_mean is None:  # it divides by the deviation of the images at hand: nothing is left of a constant
        return Constants(heard.constant, torch.where(heard.constant, shift, 0))
    dead = torch.zeros_like(heard.constant) if norm.weight is None else norm.weight == 0
    values = norm(heard.values.view(1, -1, *[1] * isinstance(norm, nn.BatchNorm2d) * 2)).flatten()
    constant = heard.constant | dead
    return Constants(constant, torch.where(dead, shift, torch.where(constant, values, 0)))


def _together(wired: Wired, node: fx.Node, a: Constants, b: Constants) -> Constants:
    """Two maps, of which one may be all 0 in a product."""
    both = a.constant & b.constant
    values = torch.where(both, _applied(wired, node, a.values, b.values), 0)
    return Constants(both | a.zero | b.zero if wired.signals[node].kind == "multiply" else both, values)


def _applied(wired: Wired, node: fx.Node, *values: Tensor) -> Tensor:
    """What a function of every number makes of these numbers, one vector for each map that it reads."""
    given = dict(zip(node.all_input_nodes, (v.clone().view(1, -1, 1, 1) for v in values), strict=True))
    if node.op == "call_module":
        return wired.module(str(node.target))(*given.values()).flatten()
    arguments = [given[a] if isinstance(a, fx.Node) else a for a in node.args]
    options: dict[str, Any] = {name: given[a] if isinstance(a, fx.Node) else a for name, a in node.kwargs.items()}
    if node.op == "call_method":
        return getattr(arguments[0], str(node.target))(*arguments[1:], **options).flatten()
    return node.target(*arguments, **options).flatten()  # type: ignore[operator]


def _without_padding(wired: Wired, node: fx.Node) -> bool:
    """Whether an average over places is one over places of the map only."""
    pool = wired.module(str(node.target)) if node.op == "call_module" else None
    return isinstance(pool, nn.AvgPool2d) and pool.padding in (0, (0, 0)) and pool.divisor_override is None


def holds_constants(layer: nn.Module) -> bool:
    """Whether a layer makes constants of constants: no zero padding whose border would show."""
    if not isinstance(layer, nn.Conv2d | SpectralConv2d):
        return True
    none = layer.padding in ("valid", (0, 0)) or (layer.padding == "same" and tuple(layer.kernel_size) == (1, 1))
    return none or layer.padding_mode != "zeros"


# -- what may go -------------------------------------------------------------------------------------------------------


@torch.no_grad()
def felt(wired: Wired, reader: Reader, size: int, rows: Tensor | None) -> Tensor:
    """Which channels a layer feels: (size,) boolean.

    Args:
        reader: the layer.
        size: how many channels it reads.
        rows: which of its filters or nodes stay; None is all.
    """
    layer = wired.module(reader.name)
    if isinstance(layer, SpectralNet | DirectNet):
        first = unfold(layer).settled().felt[0][: size * reader.n_each]
    else:
        weight = layer.weight if rows is None else layer.weight[rows]
        first = (weight != 0).any(0)
    return first.reshape(size, -1).any(1)


@torch.no_grad()
def foldable(wired: Wired, reader: Reader, size: int) -> Tensor:
    """Whether a layer can take over a channel's constant into its bias, exactly: (size,) boolean.

    A SpectralNet needs a bias node, whose eigenvalue is that of the input.
    """
    layer = wired.module(reader.name)
    like = next(wired.model.parameters())
    if isinstance(layer, SpectralNet):
        lam = layer.eigenvalues[0]
        if not layer.bias or layer.update != "blocks":
            return torch.zeros(size, dtype=torch.bool, device=like.device)
        return (lam[:-1] == lam[-1]).view(size, -1).all(1)
    return torch.full((size,), holds_constants(layer), device=like.device)


def silent(wired: Wired, known: dict[fx.Node, Constants], stays: Sequence[Tensor], *, fold: bool) -> list[Tensor]:
    """Which channels of each group nobody would miss, if these ones stay: (size,) boolean.

    Every layer that reads the channel gets 0 from it, or does not feel it; with ``fold``, or gets a constant that it can take
    into its bias.

    Args:
        known: what :func:`constants` found.
        stays: of each group which channels stay; only filters that stay feel anything.
    """
    rows = {name: mask for group, mask in zip(wired.groups, stays, strict=True) for name in group.producers}
    found = []
    for group in wired.groups:
        missed = stays[0].new_full((group.size,), group.refusal is not None)
        for reader in group.readers if group.refusal is None else ():
            missed |= _missed(wired, known, group, reader, rows.get(reader.name), fold)
        found.append(~missed)
    return found


def _missed(
    wired: Wired, known: dict[fx.Node, Constants], group: Group, reader: Reader, rows: Tensor | None, fold: bool
) -> Tensor:
    heard = known.get(reader.node.all_input_nodes[0])
    feels = felt(wired, reader, group.size, rows)
    if heard is None:
        return feels
    quiet = heard.zero
    if fold:
        quiet = quiet | (heard.constant & foldable(wired, reader, group.size))
    return feels & ~quiet
