"""Make the linear layers and the convolutions of any model spectral, and plain again.

:func:`spectralize` and :func:`materialize` give deep copies that compute the same and leave the caller's model alone.
Both are built on :func:`replace_layers`.  Below this module lies :mod:`spectral_lab.layers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, TypeGuard

from torch import Tensor, nn

from spectral_lab.convolutions import SpectralConv2d
from spectral_lab.layers import SpectralLinear


def replace_layers(model: nn.Module, convert: Callable[[nn.Module], nn.Module | None]) -> nn.Module:
    """A deep copy of a model in which every module for which ``convert`` gives another one is replaced by it.

    A module that stands in several places is converted once and stays shared.  Hooks of a replaced module are not taken
    along.  What ``convert`` gives is not searched again.

    Raises:
        ValueError: a module that would be replaced shares a parameter with another module (tied weights).
    """
    model = deepcopy(model)
    replaced: dict[nn.Module, nn.Module] = {}
    for module in model.modules():
        new = convert(module)
        if new is not None:
            replaced[module] = new
    _refuse_torn_ties(model, replaced)
    put_in_place(model, replaced)
    return replaced.get(model, model)


def put_in_place(model: nn.Module, replaced: Mapping[nn.Module, nn.Module]) -> None:
    """Put modules into all the places of a model in which others stand: one may have several names."""
    for parent in list(model.modules()):
        for name, child in parent._modules.items():  # named_children() passes over the second place of a shared module
            if child is not None and child in replaced:
                parent._modules[name] = replaced[child]


def _refuse_torn_ties(model: nn.Module, replaced: dict[nn.Module, nn.Module]) -> None:
    places: dict[Tensor, list[str]] = {}
    for name, module in model.named_modules():
        for key, parameter in module._parameters.items():
            if parameter is not None:
                places.setdefault(parameter, []).append(f"{name}.{key}".lstrip("."))
    lost = {parameter for old, new in replaced.items() for parameter in {*old.parameters()} - {*new.parameters()}}
    torn = next((names for parameter, names in places.items() if parameter in lost and len(names) > 1), None)
    if torn is not None:
        raise ValueError(
            f"{' and '.join(torn)} are one tied parameter, and the new layer would be torn from its twin; "
            f"untie them first, or leave the layer out with `where`"
        )


def is_plain_linear(module: nn.Module) -> TypeGuard[nn.Linear]:
    """Whether a module is exactly an ``nn.Linear`` with a weight of its own.

    Subclasses have reasons of their own: that inside ``nn.MultiheadAttention`` is never called, its weight is read.
    Parametrised and lazy layers are of other types, weight-normed ones have a weight that is made anew at each call.
    """
    return type(module) is nn.Linear and module._parameters.get("weight") is not None


def is_plain_conv(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether a module is exactly an ``nn.Conv2d`` with a weight of its own; as :func:`is_plain_linear`."""
    return type(module) is nn.Conv2d and module._parameters.get("weight") is not None


LINEAR_ONLY = ("basis", "trained_off_diagonal")  # options that mean nothing to the eigenvectors of a convolution


def spectralize(model: nn.Module, *, where: Callable[[nn.Linear | nn.Conv2d], bool] | None = None, **options: Any) -> nn.Module:
    """A deep copy of a model with its linear layers and convolutions made spectral: the same function, to be trained otherwise.

    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    >>> [type(module).__name__ for module in spectralize(model)]
    ['SpectralConv2d', 'ReLU', 'Flatten', 'SpectralLinear']
    >>> [type(module).__name__ for module in spectralize(model, where=lambda layer: isinstance(layer, nn.Linear))]
    ['Conv2d', 'ReLU', 'Flatten', 'SpectralLinear']

    Only layers that are exactly ``nn.Linear`` or ``nn.Conv2d`` are replaced (:func:`is_plain_linear`, :func:`is_plain_conv`);
    a layer that is used in several places stays shared.  Device, float type, training mode and what was frozen stay.

    Args:
        model: any module, an ``nn.Linear`` too; it stays as it is.
        where: gets each linear layer and convolution and says whether to replace it; None is all.
        options: of :meth:`SpectralLinear.from_linear` and :meth:`~spectral_lab.convolutions.SpectralConv2d.from_conv`, e.g.
            ``train_eigenvectors=False``; ``basis`` and ``trained_off_diagonal`` are for linear layers alone.

    Raises:
        ValueError: a wrong option; tied weights (:func:`replace_layers`).
    """
    for_convolutions = {name: value for name, value in options.items() if name not in LINEAR_ONLY}

    def convert(module: nn.Module) -> nn.Module | None:
        if is_plain_linear(module) and (where is None or where(module)):
            return SpectralLinear.from_linear(module, **options)
        if is_plain_conv(module) and (where is None or where(module)):
            return SpectralConv2d.from_conv(module, **for_convolutions)
        return None

    return replace_layers(model, convert)


def materialize(model: nn.Module) -> nn.Module:
    """A deep copy of a model with its spectral layers made plain ``torch.nn`` ones: the same function.

    The way back from :func:`spectralize`, for inference or to go on in direct space.
    """

    def convert(module: nn.Module) -> nn.Module | None:
        if isinstance(module, SpectralLinear):
            return module.to_linear()
        return module.to_conv() if isinstance(module, SpectralConv2d) else None

    return replace_layers(model, convert)
