r"""Side by side: many networks of one shape as one function, their numbers stacked along a first dimension.

:mod:`spectral_lab.ensembles` says what for, and trains them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import zip_longest

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from spectral_lab.decomposition import path_strengths
from spectral_lab.networks import SpectralNet, usually_penalised


class Ensemble:
    """E networks of one shape as one function; their numbers are copied and stacked.

    Args:
        networks: E modules of the same class and options, with parameters of the same shapes; they stay as they are.

    Attributes:
        parameters, buffers: by name, (E, …); a parameter is trainable where it is in the networks.

    Raises:
        ValueError: no networks, or one that is not of the first one's shape.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        if len(networks) == 0:
            raise ValueError("there are no networks; wanted one at least")
        first = networks[0]
        for k, network in enumerate(networks):
            for found, wanted in zip_longest(_form(network), _form(first)):
                if found != wanted:
                    raise ValueError(f"network {k} has {found}, the first one {wanted}; an ensemble wants networks of one form")
        stacked, self.buffers = stack_module_state(list(networks))
        trainable = {name for name, p in first.named_parameters() if p.requires_grad}
        self.parameters = {name: p.detach().requires_grad_(name in trainable) for name, p in stacked.items()}
        self._like, self._size = deepcopy(first), len(networks)
        # The formulas of a SpectralNet take stacked numbers as they are; other modules are mapped over.
        self._broadcasts = isinstance(first, SpectralNet)

    def __len__(self) -> int:
        return self._size

    def __call__(self, x: Tensor) -> Tensor:
        """Outputs (E, batch, …) of all networks, each for its own input (E, batch, …)."""
        if self._broadcasts:
            return functional_call(self._like, self.parameters, (x,))

        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], rows: Tensor) -> Tensor:
            return functional_call(self._like, (parameters, buffers), (rows,))

        return vmap(one)(self.parameters, self.buffers, x)

    @property
    def sizes(self) -> tuple[int, ...] | None:
        """Nodes of each layer; None of other networks than SpectralNets."""
        return self._like.sizes if isinstance(self._like, SpectralNet) else None

    @torch.no_grad()
    def network(self, k: int) -> nn.Module:
        """Network k by itself, with numbers of its own."""
        alone, stacked = deepcopy(self._like), self.parameters | self.buffers
        for name, value in (*alone.named_parameters(), *alone.named_buffers()):
            value.copy_(stacked[name][k])
        return alone

    def penalised(self) -> list[str]:
        """Names of what the regulariser acts on if nobody says otherwise; see :func:`~spectral_lab.training.train`."""
        return usually_penalised(self._like)

    @torch.no_grad()
    def path_strengths(self) -> tuple[list[Tensor], Tensor]:
        """Path strengths of all hidden nodes, (E, N_i) for each layer, and the norms ‖Γ‖ (E,).

        Raises:
            TypeError: these are no SpectralNets.
        """
        if not isinstance(self._like, SpectralNet):
            raise TypeError(f"path strengths are known of SpectralNets; these are of the kind {type(self._like).__name__}")
        return functional_call(_Paths(self._like), {f"network.{name}": p for name, p in self.parameters.items()}, ())


class _Paths(nn.Module):
    """What :func:`~spectral_lab.decomposition.path_strengths` says of a network, as a module."""

    def __init__(self, network: SpectralNet) -> None:
        super().__init__()
        self.network = network

    def forward(self) -> tuple[list[Tensor], Tensor]:
        return path_strengths(self.network.weights(), len(self.network.nodes))


def _form(network: nn.Module) -> Iterator[object]:
    """All in which the networks of an ensemble must agree."""
    for name, module in network.named_modules():
        # of a SpectralNet the function it is given, which its words do not show
        yield name, type(module).__name__, module.extra_repr(), getattr(module, "activation", None)
    for name, p in network.named_parameters():
        yield name, tuple(p.shape), p.dtype, p.device, "trainable" if p.requires_grad else "frozen"
