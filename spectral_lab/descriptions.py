"""The architecture of a sequence of modules in JSON's types, and back: what a file holds of it, without any code.

Of a stack (:mod:`spectral_lab.stacks`), or of an ``nn.Sequential`` with convolutions, batch norms and poolings before its
layers or its :class:`~spectral_lab.networks.SpectralNet`.  The numbers are not here but in ``model.state_dict()``.

>>> from torch import nn
>>> from spectral_lab.networks import SpectralNet
>>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), SpectralNet([144, 20, 10]))
>>> [about["kind"] for about in describe_stack(model)]
['Conv2d', 'BatchNorm2d', 'ReLU', 'Flatten', 'SpectralNet']

Next, read :mod:`spectral_lab.storage`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from spectral_lab.convolutions import SpectralConv2d, shape_of
from spectral_lab.direct import DirectNet
from spectral_lab.filters import is_conv
from spectral_lab.layers import SpectralLinear, Start
from spectral_lab.networks import ACTIVATIONS, SpectralNet, activation_name
from spectral_lab.stacks import ACTIVATION_MODULES, has_bias, is_plain_linear, layer_options, read_stack

# Modules without numbers that may stand outside the layers, with the arguments that a file must keep.
OUTER_MODULES: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = ACTIVATION_MODULES | {
    "Flatten": (nn.Flatten, ("start_dim", "end_dim")),
    "Softmax": (nn.Softmax, ("dim",)),
    "LogSoftmax": (nn.LogSoftmax, ("dim",)),
    "MaxPool2d": (nn.MaxPool2d, ("kernel_size", "stride", "padding", "dilation", "ceil_mode")),
    "AvgPool2d": (nn.AvgPool2d, ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")),
    "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d, ("output_size",)),
}
NORM_OPTIONS = ("num_features", "eps", "momentum", "affine", "track_running_stats")
FLOATS = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}


def describe_stack(model: nn.Module) -> list[dict[str, Any]]:
    """The architecture of a stack, or of a sequence with convolutions, one entry a module.

    Raises:
        TypeError: a module that has no name a file could hold; no ``nn.Sequential``.
        ValueError: as :func:`~spectral_lab.stacks.read_stack`; an activation without a name.
    """
    if not isinstance(model, nn.Sequential) or not any(is_conv(m) or isinstance(m, SpectralNet | DirectNet) for m in model):
        model = read_stack(model).model
    found = []
    for k, module in enumerate(model):
        about = _described(module)
        if about is None:
            kind, names = OUTER_MODULES.get(type(module).__name__, (None, ()))
            if type(module) is not kind:
                known = sorted([*OUTER_MODULES, *BUILDERS])
                raise TypeError(f"model[{k}] is a {type(module).__name__}, which no file can hold; wanted one of {known}")
            about = {name: getattr(module, name) for name in names}
        elif not isinstance(module, DirectNet):
            about |= {"trained": [name for name, p in module.named_parameters() if p.requires_grad]}
        found.append({"kind": type(module).__name__, **about})
    return found


def _described(module: nn.Module) -> dict[str, Any] | None:
    """The arguments of a module with numbers of its own."""
    if isinstance(module, SpectralLinear):
        about: dict[str, Any] = {"n_in": module.n_in, "n_out": module.n_out, "bias": has_bias(module)} | layer_options(module)
        return about | {"start": asdict(module.start), "dtype": _name(about["dtype"])}
    if isinstance(module, SpectralConv2d):
        trained = {f"train_{name}": getattr(module, name).requires_grad for name in EIGEN}
        about = shape_of(module) | {"bias": has_bias(module), "start": asdict(module.start)} | trained
        return about | {"dtype": _name(module.eigenvectors.dtype)}
    if is_plain_linear(module):
        about = {"in_features": module.in_features, "out_features": module.out_features, "bias": has_bias(module)}
        return about | {"dtype": _name(module.weight.dtype)}
    if is_conv(module):
        return shape_of(module) | {"bias": has_bias(module), "dtype": _name(module.weight.dtype)}
    if type(module) is nn.BatchNorm2d:
        like = next((tensor for tensor in (module.weight, module.running_mean) if tensor is not None), None)
        about = {name: getattr(module, name) for name in NORM_OPTIONS}
        if module.affine and not has_bias(module):
            about["bias"] = False  # only newer releases of PyTorch know this option
        return about | {"dtype": _name(torch.float32 if like is None else like.dtype)}
    if isinstance(module, SpectralNet):
        return {"config": module.config()}
    if isinstance(module, DirectNet):
        shapes = {name: list(tensor.shape) for name, tensor in module.state_dict().items()}
        about = {"shapes": shapes, "n_layers": module.n_layers, "activation": activation_name(module.activation)}
        return about | {"dtype": _name(next(module.parameters()).dtype)}
    return None


EIGEN = ("eigenvalues_in", "eigenvalues_out", "eigenvectors")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def build_stack(description: Sequence[dict[str, Any]]) -> nn.Sequential:
    """A model of this architecture on the device "meta", without numbers; they come by ``load_state_dict(…, assign=True)``.

    Raises:
        KeyError, TypeError, ValueError: an entry that :func:`describe_stack` cannot have written.
    """
    modules: list[nn.Module] = []
    for about in description:
        options: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in about.items()}
        kind, trained = options.pop("kind"), options.pop("trained", None)
        if "dtype" in options:
            options |= {"dtype": FLOATS[options["dtype"]], "device": "meta"}
        if "start" in options:
            options["start"] = Start(**options["start"])
        module = BUILDERS[kind](**options) if kind in BUILDERS else OUTER_MODULES[kind][0](**options)
        for name, p in module.named_parameters():
            p.requires_grad_(trained is None or name in trained)
        modules.append(module)
    model = nn.Sequential(*modules)
    describe_stack(model)
    return model


def _built_network(config: dict[str, Any]) -> SpectralNet:
    with torch.device("meta"):
        return SpectralNet.from_config(config)


def _built_direct(shapes: dict[str, list[int]], n_layers: int, activation: str, **like: Any) -> DirectNet:
    tensors = {name: torch.empty(shape, **like) for name, shape in shapes.items()}
    weights = {}
    for name, tensor in tensors.items():
        if name.startswith("weights."):
            i, j = map(int, name.removeprefix("weights.").split("_"))
            weights[i, j] = tensor
    if not 2 <= n_layers <= 1 + len(tensors):  # every layer but the first has weights
        raise ValueError(f"{n_layers} layers, but only {len(tensors)} tensors")
    return DirectNet(weights, [tensors.get(f"biases.{i}") for i in range(1, n_layers)], ACTIVATIONS[activation])


BUILDERS: dict[str, Any] = {
    "Linear": nn.Linear,
    "SpectralLinear": SpectralLinear,
    "Conv2d": nn.Conv2d,
    "SpectralConv2d": SpectralConv2d,
    "BatchNorm2d": nn.BatchNorm2d,
    "SpectralNet": _built_network,
    "DirectNet": _built_direct,
}
