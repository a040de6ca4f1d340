"""The networks of the pruning bench: by which rules one is made and trained, in spectral or in direct space."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spectral_lab.layers import SpectralLinear, Start, feed_forward
from spectral_lab.tickets import penalised_names
from spectral_lab.training import Training, train

# How a network of the bench is trained, by what its eigenvalues are at the start.
STARTS = {
    "random": "spectral, from random λ",  # Pruning Section II
    "ones": "spectral, from λ = 1",  # where |λ| tells nothing
    "direct": "direct, weight by weight",  # Pruning's benchmark
}
MOST = 600  # hidden neurons; beyond that they are too small to be seen, and the curves are no longer a matter of a moment
LR = {"random": 1e-2, "ones": 1e-2, "direct": 5e-3}
VALUES_LR = 2e-2  # of eigenvalues that are trained alone, as in the race
BATCH = 128  # images in a step, as everywhere in this package


@dataclass(frozen=True)
class Rules:
    """Which network is trained, and how.

    Raises:
        ValueError: a value outside its range, named.
    """

    hidden: tuple[int, ...] = (100,)  # neurons of each hidden layer; of 20 no ranking can spare many
    start: str = "random"
    gamma: float = 0.0  # γ of Pruning App. D: γ Σ|λ|, in direct space γ Σ|w|
    epochs: int = 30  # from where on the accuracy hardly grows
    seed: int = 0  # of the start, of the order of the images, and of the ranking "random"

    def __post_init__(self) -> None:
        wide = self.hidden
        whole = isinstance(wide, tuple) and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in wide)
        if not whole or not wide or sum(wide) > MOST:
            raise ValueError(f"hidden = {wide!r}; wanted the neurons of each hidden layer, at most {MOST} in all, e.g. (100,)")
        if self.start not in STARTS:
            raise ValueError(f"start = {self.start!r}; wanted one of {', '.join(STARTS)}")
        if not is_number(self.gamma, 0, 1):
            raise ValueError(f"gamma = {self.gamma!r}; wanted a weight of the penalty from 0 to 1, e.g. 0.01")
        for name, low, high in (("epochs", 1, 300), ("seed", 0, 2**31)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} = {value!r}; wanted a whole number from {low} to {high:,}")


def is_number(value: Any, low: float, high: float) -> bool:
    """Whether a value is a number in this range; True and NaN are none."""
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value) and low <= value <= high


def check_share(share: Any) -> float:
    """A share in [0, 1]; anything else is refused in words."""
    if not is_number(share, 0, 1):
        raise ValueError(f"share = {share!r}; wanted the share of pruned neurons from 0 to 1 (0.8 for 80 %)")
    return float(share)


def untrained(rules: Rules, n_in: int, n_out: int) -> nn.Sequential:
    """The network of the rules at its start; PyTorch's own random numbers are left as they were."""
    sizes = [n_in, *rules.hidden, n_out]
    if rules.start == "direct":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(rules.seed)
            return feed_forward(sizes, nn.Linear, activation=nn.ELU)
    start = Start(eigenvalues_in=0.0, eigenvalues_out=None if rules.start == "random" else 1.0)
    generator = torch.Generator().manual_seed(rules.seed)
    options: dict[str, Any] = {"train_eigenvalues_in": False, "start": start, "generator": generator}
    return feed_forward(sizes, SpectralLinear, activation=nn.ELU, **options)


@torch.no_grad()
def accuracy(network: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of the rows whose class is guessed right."""
    return float((network(x).argmax(-1) == y).float().mean())


def training_of(network: nn.Module, rules: Rules, x: Tensor, y: Tensor) -> Training:
    """A network about to be trained by the rules, wherever it starts."""
    options: dict[str, Any] = {"rho": rules.gamma, "penalty": "l1", "penalised": penalised_names(network), "seed": rules.seed}
    loss = nn.functional.cross_entropy
    return train(network, x, y, epochs=rules.epochs, lr=LR[rules.start], batch_size=BATCH, loss=loss, **options)


def trained(start: nn.Sequential, rules: Rules, x: Tensor, y: Tensor) -> nn.Sequential:
    """A copy of the start, trained by the rules."""
    network = deepcopy(start)
    for _ in training_of(network, rules, x, y):
        pass
    return network
