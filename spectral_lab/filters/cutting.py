r"""Layers without some of their filters and channels: the surgery behind the removal of filters.

Rows are what a layer makes (filters, nodes), columns what it reads.  Everything is taken out as it is, also entries of φ and
λ, so that what is left can go on to be trained; what was frozen stays frozen.

Of a :class:`~spectral_lab.networks.SpectralNet` *inputs* can be taken out in spectral space, hidden nodes cannot: all its
weights W_i1 out of the input are made with the same factor φ_1 (SPARCS 4.3), so an input is one column of φ_1 and one entry of
λ_1, and no other weight knows of it.

Below this module lies :mod:`spectral_lab.stacks`; next, read :mod:`spectral_lab.filters`.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn

from spectral_lab.conversion import is_plain_linear
from spectral_lab.convolutions import SpectralConv2d
from spectral_lab.direct import DirectNet
from spectral_lab.layers import SpectralLinear
from spectral_lab.networks import SpectralNet
from spectral_lab.stacks import cut_layer, is_trained


@torch.no_grad()
def cut_module(module: nn.Module, columns: Tensor | None, rows: Tensor | None, held: Tensor | None = None) -> nn.Module:
    """A layer of its own without some rows and columns.

    Args:
        module: a convolution, a linear layer, a SpectralNet or a DirectNet; stays as it is.
        columns: which of its input channels or nodes stay, boolean; None is all.
        rows: which of its filters or nodes stay, boolean; None is all.
        held: what each input delivers that is taken out; the bias takes it over.  None is 0.

    Raises:
        ValueError: an input of a SpectralNet is held at a constant that its bias node cannot take over.
    """
    gone = None if held is None or columns is None or not bool(held[~columns].any()) else torch.where(columns, 0, held)
    if isinstance(module, nn.Conv2d | SpectralConv2d):
        return _cut_conv(module, columns, rows, gone)
    if isinstance(module, SpectralNet):
        return module if columns is None else _cut_spectral_net(module, columns, gone)
    if isinstance(module, DirectNet):
        return module if columns is None else _cut_direct_net(module, columns, gone)
    assert isinstance(module, SpectralLinear) or is_plain_linear(module)
    weight = module.weight
    every = [torch.ones(n, dtype=torch.bool, device=weight.device) for n in weight.shape]
    rows, columns = every[0] if rows is None else rows, every[1] if columns is None else columns
    return cut_layer(module, columns, rows, None if gone is None else weight @ gone)


@torch.no_grad()
def cut_channels(module: nn.Module, keep: Tensor) -> nn.Module:
    """A batch norm or depthwise convolution of its own with the numbers of some channels only: (channels,) boolean."""
    if isinstance(module, nn.Conv2d | SpectralConv2d):
        tensors = dict(module.named_parameters(recurse=False))  # each has one entry for each channel
        n = int(keep.sum())
        return _with(module, tensors, keep, in_channels=n, out_channels=n, groups=n)
    names = ("weight", "bias", "running_mean", "running_var")
    return _with(module, {name: getattr(module, name) for name in names}, keep, num_features=int(keep.sum()))


def _with(module: nn.Module, tensors: Mapping[str, Tensor | None], keep: Tensor, **sizes: int) -> nn.Module:
    """A copy of a module with some tensors shortened to the rows that stay, and attributes that say so."""
    new = deepcopy(module)
    for name, tensor in tensors.items():
        if tensor is not None:
            _set(new, name, tensor[keep])
    for name, n in sizes.items():
        setattr(new, name, n)
    return new


def _set(module: nn.Module, name: str, tensor: Tensor) -> None:
    old = getattr(module, name)
    tensor = tensor.detach().clone(memory_format=torch.preserve_format)
    setattr(module, name, nn.Parameter(tensor, requires_grad=old.requires_grad) if isinstance(old, nn.Parameter) else tensor)


def _cut_conv(
    conv: nn.Conv2d | SpectralConv2d, columns: Tensor | None, rows: Tensor | None, gone: Tensor | None
) -> nn.Conv2d | SpectralConv2d:
    new = deepcopy(conv)
    name = "weight" if isinstance(conv, nn.Conv2d) else "eigenvectors"
    if gone is not None:
        sent = conv.weight.sum((2, 3)) @ gone
        trained = is_trained(conv) if conv.bias is None else conv.bias.requires_grad
        new.bias = nn.Parameter(sent if conv.bias is None else conv.bias + sent, requires_grad=trained)
    if rows is not None:
        _set(new, name, getattr(new, name)[rows])
        if new.bias is not None:
            _set(new, "bias", new.bias[rows])
        if isinstance(new, SpectralConv2d):
            _set(new, "eigenvalues_out", new.eigenvalues_out[rows])
        new.out_channels = int(rows.sum())
    if columns is not None:
        _set(new, name, getattr(new, name)[:, columns])
        if isinstance(new, SpectralConv2d):
            _set(new, "eigenvalues_in", new.eigenvalues_in[columns])
        new.in_channels = int(columns.sum())
    return new


def _cut_spectral_net(network: SpectralNet, columns: Tensor, gone: Tensor | None) -> SpectralNet:
    phi, lam = network.eigenvectors[0].clone(), network.eigenvalues[0]
    if gone is not None:
        told = gone != 0
        if not network.bias or network.update != "blocks" or bool((lam[:-1][told] != lam[-1]).any()):
            raise ValueError(
                "the bias node of the SpectralNet cannot take over constants of its inputs: it needs one (bias=True), update="
                "'blocks' and the same λ_1 for both"
            )
        phi[:, -1] += phi[:, :-1] @ gone
    keep = torch.cat([columns, columns.new_ones(1)]) if network.bias else columns
    new = deepcopy(network)
    _swap(new.eigenvectors, 0, phi[:, keep])
    _swap(new.eigenvalues, 0, lam[keep])
    new.sizes = (int(columns.sum()), *network.sizes[1:])
    new.nodes = (int(keep.sum()), *network.nodes[1:])
    return new


def _swap(parameters: nn.ParameterList, k: int, tensor: Tensor) -> None:
    parameters[k] = nn.Parameter(tensor.detach().clone(), requires_grad=parameters[k].requires_grad)


def _cut_direct_net(network: DirectNet, columns: Tensor, gone: Tensor | None) -> DirectNet:
    weights, biases = {}, [dict(network.biases.items()).get(str(i)) for i in range(1, network.n_layers)]
    for i in range(1, network.n_layers):
        for j in range(i):
            W = network.weight(i, j)
            if W is None:
                continue
            if j == 0 and gone is not None:
                bias = biases[i - 1]
                sent = W @ gone if bias is None else bias + W @ gone
                biases[i - 1] = nn.Parameter(sent, requires_grad=(W if bias is None else bias).requires_grad)
            weights[i, j] = nn.Parameter(W[:, columns], requires_grad=W.requires_grad) if j == 0 else W
    new = DirectNet(weights, biases, network.activation)
    return deepcopy(new).train(network.training)
