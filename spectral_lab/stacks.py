"""Stacks: an ``nn.Sequential`` of linear layers, spectral or plain, with activations between them.

:func:`read_stack` says what a stack consists of, and :func:`cut_stack` makes a smaller one of it.

>>> from spectral_lab.layers import feed_forward
>>> stack = read_stack(feed_forward([784, 500, 10]))
>>> stack.sizes, stack.places
((784, 500, 10), (0, 2))

Below this module lies :mod:`spectral_lab.layers`; next, read :mod:`spectral_lab.unfolding`, and
:mod:`spectral_lab.descriptions` for files.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from spectral_lab.bases import QR, SVD
from spectral_lab.conversion import is_plain_linear
from spectral_lab.layers import SpectralLinear

Linear = SpectralLinear | nn.Linear

# Modules that act on each node by itself, with the arguments that a file must keep; they may stand between two layers.
ACTIVATION_MODULES: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "ReLU": (nn.ReLU, ()),
    "ELU": (nn.ELU, ("alpha",)),
    "GELU": (nn.GELU, ("approximate",)),
    "Tanh": (nn.Tanh, ()),
    "Sigmoid": (nn.Sigmoid, ()),
    "LeakyReLU": (nn.LeakyReLU, ("negative_slope",)),
    "SiLU": (nn.SiLU, ()),
    "Softplus": (nn.Softplus, ("beta", "threshold")),
    "Identity": (nn.Identity, ()),
}


@dataclass(frozen=True)
class Stack:
    """What an ``nn.Sequential`` consists of; the modules are the model's own."""

    model: nn.Sequential
    layers: tuple[Linear, ...]
    places: tuple[int, ...]  # of the layers in the model
    sizes: tuple[int, ...]  # nodes of each layer, input first

    def activation(self, k: int) -> nn.Module:
        """What stands between layer k and the next one, as one function of a tensor."""
        return self.model[self.places[k] + 1 : self.places[k + 1]]

    @property
    def head(self) -> nn.Module:
        """What stands before the first layer."""
        return self.model[: self.places[0]]

    @property
    def tail(self) -> nn.Module:
        """What stands after the last layer."""
        return self.model[self.places[-1] + 1 :]


def is_layer(module: nn.Module) -> TypeGuard[Linear]:
    """Whether a module is a layer that a stack consists of: a :class:`SpectralLinear`, or exactly an ``nn.Linear``."""
    return isinstance(module, SpectralLinear) or is_plain_linear(module)


def read_stack(model: nn.Module) -> Stack:
    """The layers of a stack, after checking that it is one.

    Modules before the first layer and after the last one may be anything; between two layers stand activations only.

    Raises:
        TypeError: no ``nn.Sequential``, no layer in it, or a module between two layers that is no known activation.
        ValueError: widths that do not fit together, or a layer or parameter that stands in two places.
    """
    if not isinstance(model, nn.Sequential):
        raise TypeError(
            f"the model is a {type(model).__name__}; wanted a SpectralNet, a DirectNet or an nn.Sequential of SpectralLinear "
            "or nn.Linear layers with activations between them, e.g. feed_forward([784, 500, 10])"
        )
    places = tuple(k for k, module in enumerate(model) if is_layer(module))
    if not places:
        raise TypeError(f"the model holds no SpectralLinear and no nn.Linear, but {[type(m).__name__ for m in model]}")
    for k in range(places[0], places[-1]):
        if k not in places and type(model[k]) not in [kind for kind, _ in ACTIVATION_MODULES.values()]:
            raise TypeError(
                f"model[{k}] is a {type(model[k]).__name__}; wanted one of {sorted(ACTIVATION_MODULES)} between two layers: "
                "it must act on every node by itself. Take other modules out, and flatten nested ones"
            )
    layers = tuple(module for module in model if is_layer(module))
    parameters = [p for layer in layers for p in layer.parameters()]
    if len(set(parameters)) < len(parameters):
        raise ValueError("a layer or a parameter stands in two places of the model; untie them first, e.g. by deepcopy")
    shapes = [_shape(layer) for layer in layers]
    for k, ((_, delivered), (taken, _)) in enumerate(pairwise(shapes)):
        if delivered != taken:
            raise ValueError(f"model[{places[k + 1]}] takes {taken} nodes, but model[{places[k]}] delivers {delivered}")
    return Stack(model, layers, places, (shapes[0][0], *(n_out for _, n_out in shapes)))


def _shape(layer: Linear) -> tuple[int, int]:
    return (layer.n_in, layer.n_out) if isinstance(layer, SpectralLinear) else (layer.in_features, layer.out_features)


# -- smaller stacks ----------------------------------------------------------------------------------------------------


@torch.no_grad()
def cut_stack(stack: Stack, keep: Sequence[Tensor], held: Sequence[Tensor]) -> nn.Sequential:
    r"""A stack of its own without some hidden nodes, each removed node replaced by a constant in the next layer's bias.

    .. math:: b_m \leftarrow b_m + \sum_{n\ \rm removed} w_{mn}\, c_n

    The rows and columns of φ, and the entries of :math:`\lambda^{in}` and :math:`\lambda^{out}`, are taken out as they are; in
    the bases "svd" and "qr" what is left of φ is factorised anew, equal up to rounding.  What was frozen stays frozen.

    Args:
        stack: stays as it is.
        keep: per hidden layer which nodes stay, boolean (N_i,), at least one.
        held: per hidden layer the constants c (N_i,); those of nodes that stay are not used.

    Raises:
        ValueError: a layer would be left without nodes.
    """
    first, last = (torch.ones(n, dtype=torch.bool) for n in (stack.sizes[0], stack.sizes[-1]))
    rows = [first, *(mask.cpu() for mask in keep), last]
    for k, mask in enumerate(keep):
        if not bool(mask.any()):
            raise ValueError(f"hidden layer {k} would be left without nodes; keep at least one")
    new = {}
    for k, layer in enumerate(stack.layers):
        gone = torch.zeros(0) if k == 0 else held[k - 1][~keep[k - 1]]
        sent = layer.weight[:, ~rows[k]] @ gone.to(layer.weight) if bool(gone.any()) else None
        new[stack.places[k]] = cut_layer(layer, rows[k], rows[k + 1], sent)
    modules = [new[k] if k in new else deepcopy(module) for k, module in enumerate(stack.model)]
    return nn.Sequential(*modules).train(stack.model.training)


@torch.no_grad()
def cut_layer(layer: Linear, columns: Tensor, rows: Tensor, sent: Tensor | None) -> Linear:
    """A layer of its own without some inputs and nodes.

    Args:
        layer: stays as it is.
        columns, rows: which inputs (n_in,) and which nodes (n_out,) stay, boolean.
        sent: what is added to the bias of each node (n_out,); None is nothing.
    """
    if isinstance(layer, SpectralLinear):
        return _cut_spectral(layer, columns, rows, sent).train(layer.training)
    return _cut_plain(layer, columns, rows, sent).train(layer.training)


def _cut_plain(layer: nn.Linear, columns: Tensor, rows: Tensor, sent: Tensor | None) -> nn.Linear:
    weight = layer.weight
    n_in, n_out, with_bias = int(columns.sum()), int(rows.sum()), has_bias(layer) or sent is not None
    new = nn.utils.skip_init(nn.Linear, n_in, n_out, bias=with_bias, device=weight.device, dtype=weight.dtype)
    new.weight.copy_(weight[rows][:, columns])
    new.weight.requires_grad_(weight.requires_grad)
    _set_bias(new, layer, rows, sent)
    return new


def _cut_spectral(layer: SpectralLinear, columns: Tensor, rows: Tensor, sent: Tensor | None) -> SpectralLinear:
    phi = layer.eigenvectors
    with_bias, options = has_bias(layer) or sent is not None, layer_options(layer)
    new = SpectralLinear(int(columns.sum()), int(rows.sum()), **options | {"bias": with_bias, "device": "meta"})
    new = new.to_empty(device=phi.device)
    new.eigenvalues_in.copy_(layer.eigenvalues_in[columns])
    new.eigenvalues_out.copy_(layer.eigenvalues_out[rows])
    new.basis.represent_(phi[rows][:, columns], torch.Generator().manual_seed(0))
    _set_bias(new, layer, rows, sent)
    return new


def has_bias(layer: nn.Module) -> bool:
    """Whether a module has a bias of its own."""
    return getattr(layer, "bias", None) is not None


def is_trained(layer: nn.Module) -> bool:
    """Whether any number of a layer is trained."""
    return any(p.requires_grad for p in layer.parameters())


def _set_bias(new: Linear, old: Linear, rows: Tensor, sent: Tensor | None) -> None:
    if new.bias is None:
        return
    new.bias.zero_() if old.bias is None else new.bias.copy_(old.bias[rows])
    if sent is not None:
        new.bias.add_(sent[rows])
    new.bias.requires_grad_(is_trained(old) if old.bias is None else old.bias.requires_grad)


def layer_options(layer: SpectralLinear) -> dict[str, Any]:
    """The constructor's arguments but the sizes, the device and whether there is a bias."""
    basis = layer.basis
    options: dict[str, Any] = {
        "basis": "svd" if isinstance(basis, SVD) else "qr" if isinstance(basis, QR) else "dense",
        "train_eigenvalues_in": layer.eigenvalues_in.requires_grad,
        "train_eigenvalues_out": layer.eigenvalues_out.requires_grad,
        "train_eigenvectors": next(basis.parameters()).requires_grad,
        "start": layer.start,
        "dtype": layer.eigenvalues_in.dtype,
    }
    above = basis.rank * (basis.rank - 1) // 2
    if isinstance(basis, QR) and above:
        options["trained_off_diagonal"] = (len(basis.triangle) - basis.rank) / above
    return options
