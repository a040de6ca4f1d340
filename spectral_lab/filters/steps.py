r"""What the steps of a model do to channels: the kinds that can be followed, and the graph in which they stand.

Below this module lie the layers; next, read :mod:`spectral_lab.filters.channels`.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import fx, nn

from spectral_lab.conversion import is_plain_conv
from spectral_lab.convolutions import SpectralConv2d
from spectral_lab.direct import DirectNet
from spectral_lab.layers import SpectralLinear
from spectral_lab.networks import SpectralNet

Conv = nn.Conv2d | SpectralConv2d
F = nn.functional

# What a step of the graph does to channels.  "each" applies a function to every number; "keeps" leaves a constant map
# constant; "zeros" leaves only a map of zeros what it is, for there is padding; "shape" gives no numbers of the map.
MODULES: dict[str, tuple[type[nn.Module], ...]] = {
    "each": (
        *(nn.ReLU, nn.ReLU6, nn.ELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.Softplus, nn.Hardtanh),
        *(nn.Hardswish, nn.Hardsigmoid, nn.Identity, nn.Dropout, nn.Dropout2d),
    ),
    "keeps": (nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.UpsamplingNearest2d),
    "zeros": (nn.AvgPool2d, nn.ZeroPad2d, nn.Upsample),
    "norm": (nn.BatchNorm2d, nn.BatchNorm1d),
}
FUNCTIONS: dict[str, tuple[Callable[..., Any] | str, ...]] = {
    "each": (
        *(F.relu, F.relu6, F.elu, F.gelu, F.silu, F.mish, F.leaky_relu, F.softplus, F.hardtanh, F.hardswish, F.hardsigmoid),
        *(torch.relu, torch.relu_, torch.tanh, torch.sigmoid, F.tanh, F.sigmoid),
        *(operator.neg, operator.truediv, "relu", "relu_", "tanh", "sigmoid", "contiguous", "clone"),
    ),
    "keeps": (F.max_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d, "mean", torch.mean),
    "zeros": (F.avg_pool2d, F.dropout, F.dropout2d),
    "add": (operator.add, operator.iadd, torch.add, "add", "add_", operator.sub, operator.isub, torch.sub, "sub", "sub_"),
    "multiply": (operator.mul, operator.imul, torch.mul, "mul", "mul_"),
    "flatten": (torch.flatten, "flatten", "view", "reshape", torch.reshape),
    "shape": (getattr, "size"),
}
FUNCTION_KINDS = {function: kind for kind, functions in FUNCTIONS.items() for function in functions}
MODULE_KINDS = {module: kind for kind, modules in MODULES.items() for module in modules}


@dataclass(frozen=True)
class Signal:
    """What a step of the graph delivers."""

    kind: str
    space: int | None = None  # whose channels these are; None is no map
    flat: bool = False  # (batch, channels · n_each), no longer (batch, channels, height, width)


def is_conv(module: nn.Module) -> TypeGuard[Conv]:
    """Whether a module is a convolution whose filters can be told apart: exactly ``nn.Conv2d``, or spectral."""
    return isinstance(module, SpectralConv2d) or is_plain_conv(module)


def has_filters(model: nn.Module) -> bool:
    """Whether there is any convolution of images in a model."""
    return any(isinstance(module, nn.Conv2d | SpectralConv2d) for module in model.modules())


def widths(layer: nn.Module) -> tuple[int, int]:
    """Channels or nodes that a layer reads, and those that it makes."""
    if isinstance(layer, nn.Conv2d | SpectralConv2d):
        return layer.in_channels, layer.out_channels
    if isinstance(layer, SpectralLinear):
        return layer.n_in, layer.n_out
    if isinstance(layer, SpectralNet | DirectNet):
        nodes = layer.sizes if isinstance(layer, SpectralNet) else layer.nodes
        return nodes[0], nodes[-1]
    assert isinstance(layer, nn.Linear)
    return layer.in_features, layer.out_features


class _Tracer(fx.Tracer):
    """Follows a model down to the layers of torch.nn and ours."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        ours = isinstance(module, SpectralConv2d | SpectralLinear | SpectralNet | DirectNet)
        return ours or super().is_leaf_module(module, name)


def trace(model: nn.Module) -> fx.Graph:
    """The graph of a model.

    Raises:
        TypeError: ``torch.fx`` cannot trace it.
    """
    arguments = inspect.signature(model.forward).parameters.items()
    plain = (bool, int, float, str, type(None))
    defaults = {name: about.default for name, about in arguments if isinstance(about.default, plain)}  # nothing else is given
    try:
        return _Tracer().trace(model, concrete_args=defaults or None)
    except Exception as error:  # whatever a forward does with what is no tensor
        raise TypeError(
            f"cannot follow the channels through {type(model).__name__}: {error}. Filters are removed from models that "
            "torch.fx can trace: no branches or loops that depend on the values of tensors"
        ) from error


def kind_of(node: fx.Node) -> str | None:
    """The kind of a function or method, from what it is called with; None is one that cannot be followed."""
    kind = FUNCTION_KINDS.get(node.target) if node.op in ("call_function", "call_method") else None
    if kind == "shape" and node.target is getattr:
        return kind if node.args[1] in ("shape", "ndim", "dtype", "device") else None
    if kind == "keeps" and node.kwargs.get("return_indices", False):
        return None
    if kind == "flatten":
        return kind if _flattens(node) else None
    if node.target in ("mean", torch.mean):
        return _mean_over_places(node)
    return kind


def _mean_over_places(node: fx.Node) -> str | None:
    """A mean over height and width is a pooling; without ``keepdim`` it flattens too."""
    over = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    if not isinstance(over, tuple | list) or sorted(n % 4 for n in over) != [2, 3]:
        return None
    return "keeps" if node.kwargs.get("keepdim", node.args[2] if len(node.args) > 2 else False) else "flatten"


def _flattens(node: fx.Node) -> bool:
    """Whether all but the batch is put into one row: flatten(x, 1), or view(x.size(0), -1)."""
    arguments = node.args[1:]
    if node.target in (torch.flatten, "flatten"):
        start = node.kwargs.get("start_dim", arguments[0] if arguments else 0)
        return bool(start == 1 and node.kwargs.get("end_dim", arguments[1] if len(arguments) > 1 else -1) == -1)
    shape = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], tuple | list) else arguments
    if len(shape) != 2 or shape[1] != -1:
        return False
    return isinstance(shape[0], fx.Node) and _is_batch(shape[0])


def _is_batch(node: fx.Node) -> bool:
    """x.size(0) or x.shape[0]."""
    if node.target == "size":
        return bool(node.args[1:] == (0,))
    if node.target is not operator.getitem or node.args[1] != 0 or not isinstance(node.args[0], fx.Node):
        return False
    shape = node.args[0]
    return (shape.target is getattr and shape.args[1] == "shape") or (shape.target == "size" and len(shape.args) == 1)


def writes_over(node: fx.Node, module: nn.Module | None) -> bool:
    """Whether a step writes its result over what it reads."""
    named = str(node.target).endswith("_") or node.target in (operator.iadd, operator.isub, operator.imul)
    return bool(getattr(module, "inplace", False) or node.kwargs.get("inplace", False) or named)
