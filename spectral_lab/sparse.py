r"""Training with most weights silent: a mask returns 0 where :math:`|w_{ij}| < C` (PRE Section III, Figs 2 and 10).

The cutoff C of each layer is set anew after every step, so that the asked-for share of its weights is silent.  In direct
space a silent weight gets no gradient and is lost for good.  In spectral space the weights are made from
eigenvalues and eigenvectors that no mask touches, so a silent weight goes on moving and can come back.

>>> from spectral_lab.layers import feed_forward
>>> x, y = torch.rand(64, 8), torch.rand(64, 1)
>>> training = SparseTraining(feed_forward([8, 16, 1], SpectralLinear.s_qr), sparsity=0.9)
>>> optimizer = torch.optim.Adam(training.model.parameters())
>>> for step in range(3):
...     loss = nn.functional.mse_loss(training.model(x), y)
...     optimizer.zero_grad()
...     loss.backward()
...     optimizer.step()
...     change = training.update()  # change.silenced, change.came_back
>>> [int((layer.weight == 0).sum()) for layer in training.layers.values()]  # round(0.9 * 128), round(0.9 * 16)
[115, 14]

Below this module lies :mod:`spectral_lab.conversion`, which exchanges layers.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spectral_lab.conversion import is_plain_linear, replace_layers
from spectral_lab.layers import SpectralLinear


@dataclass(frozen=True)
class MaskChange:
    """What one update of the masks did to the weights of a layer, or of all layers together."""

    silenced: int  # weights that spoke before and do not now
    came_back: int  # the other way round; none in direct space

    def __add__(self, other: MaskChange) -> MaskChange:
        """The changes of two layers together."""
        return MaskChange(self.silenced + other.silenced, self.came_back + other.came_back)


def smallest(values: Tensor, n: int) -> Tensor:
    """Where the n smallest values are; of equal ones the first in reading order.  Boolean, of the shape of ``values``.

    Raises:
        ValueError: n is below 0 or above the number of values.
    """
    if not 0 <= n <= values.numel():
        raise ValueError(f"n = {n}; wanted a number between 0 and the {values.numel()} values")
    if n == 0:
        return torch.zeros_like(values, dtype=torch.bool)
    flat = values.flatten()
    C = flat.kthvalue(n).values
    below, tied = flat < C, flat == C
    return (below | (tied & (tied.cumsum(0) <= n - below.sum()))).view(values.shape)


class MaskedLinear(nn.Module):
    """A linear or spectral layer, of whose weights those that the mask names are 0.

    Args:
        layer: does the training; its own parameters are the model's.
        sparsity: share of the weights that are silent.
    """

    silent: Tensor

    def __init__(self, layer: nn.Linear | SpectralLinear, sparsity: float) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("silent", torch.zeros_like(layer.weight, dtype=torch.bool))
        self.update(sparsity)
        self.train(layer.training)

    @property
    def weight(self) -> Tensor:
        """The weights (n_out, n_in), with zeros where they are silent."""
        return self.layer.weight.masked_fill(self.silent, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Output (..., n_out) for the input x (..., n_in)."""
        return nn.functional.linear(x, self.weight, self.layer.bias)

    def n_silent(self, sparsity: float) -> int:
        """sparsity · n_in · n_out, rounded to a whole number (a half to the even one)."""
        return round(sparsity * self.silent.numel())

    @torch.no_grad()
    def update(self, sparsity: float) -> MaskChange:
        """Silence the smallest weights; in direct space those that are silent already come first."""
        size = self.layer.weight.detach().abs()
        if not isinstance(self.layer, SpectralLinear):
            size = size.masked_fill(self.silent, -1.0)
        silent = smallest(size, self.n_silent(sparsity))
        change = MaskChange(int((silent & ~self.silent).sum()), int((self.silent & ~silent).sum()))
        self.silent.copy_(silent)
        return change

    def to_linear(self) -> nn.Linear:
        """An ``nn.Linear`` with the zeros in its weight."""
        linear = self.layer.to_linear() if isinstance(self.layer, SpectralLinear) else deepcopy(self.layer)
        with torch.no_grad():
            linear.weight.copy_(self.weight)
        return linear.train(self.training)


class SparseTraining:
    r"""Holds the weights of a model at a given sparsity while it is trained.

    Masks every ``nn.Linear`` and every spectral layer, the last one too, each with a cutoff of its own, as PRE's published
    code does.  Train ``training.model`` with any optimiser and call :meth:`update` after each of its steps.

    Args:
        model: any module; it stays as it is, ``training.model`` is a masked copy.
        sparsity: share of each layer's weights that are silent, from 0 (all speak) to 1 (none does).

    Raises:
        ValueError: a sparsity outside [0, 1]; a model without such layers, or one that is masked already.
    """

    def __init__(self, model: nn.Module, sparsity: float) -> None:
        self.sparsity = _check_sparsity(sparsity)
        if any(isinstance(module, MaskedLinear) for module in model.modules()):
            raise ValueError("this model is masked already; wanted one from before, or what `plain()` gives")

        def masked(module: nn.Module) -> nn.Module | None:
            return MaskedLinear(module, sparsity) if isinstance(module, SpectralLinear) or is_plain_linear(module) else None

        self.model = replace_layers(model, masked)
        if not self.layers:
            raise ValueError("found no layer to mask; wanted a model with nn.Linear or SpectralLinear layers")

    @property
    def layers(self) -> dict[str, MaskedLinear]:
        """The masked layers by name."""
        return {name: module for name, module in self.model.named_modules() if isinstance(module, MaskedLinear)}

    def update(self, sparsity: float | None = None) -> MaskChange:
        """Set every cutoff anew; call it after each step of the optimiser.

        Args:
            sparsity: from now on, if it is to change: a network can be made sparse step by step.

        Returns:
            How many weights fell silent, and how many came back.

        Raises:
            ValueError: a sparsity outside [0, 1], or a smaller one while there are layers in direct space, where what is
                silent stays silent; nothing is changed then.
        """
        if sparsity is not None:
            _check_sparsity(sparsity)
            direct = [name for name, layer in self.layers.items() if not isinstance(layer.layer, SpectralLinear)]
            if sparsity < self.sparsity and direct:
                raise ValueError(
                    f"sparsity = {sparsity} is below the {self.sparsity} so far, but layer {direct[0]!r} is in direct space, "
                    f"where a silent weight stays silent; make the model spectral first, see spectralize"
                )
            self.sparsity = sparsity
        changes = [layer.update(self.sparsity) for layer in self.layers.values()]
        return sum(changes[1:], changes[0])

    def plain(self) -> nn.Module:
        """The sparse network in plain ``torch.nn``, with zeros for the silent weights."""
        return replace_layers(self.model, lambda module: module.to_linear() if isinstance(module, MaskedLinear) else None)


def _check_sparsity(sparsity: float) -> float:
    if isinstance(sparsity, bool) or not isinstance(sparsity, int | float) or not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity = {sparsity!r}; wanted a share of silent weights between 0 and 1")
    return sparsity
