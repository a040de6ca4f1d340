"""Measure what training together saves: networks of SPARCS Fig. 7, one by one as the paper's method says, and in ensembles.

    make bench                    (python benchmarks/ensembles.py for this part alone)

3-300-1, batch 100, one thread.  The plain loop builds the weight blocks with ``torch.diag`` and takes its batches from a
``DataLoader``, one network at a time.  All ways take turns in rounds, so that a busy machine slows them all, and the fastest
round of each counts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import cycle

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from spectral_lab import SpectralNet, alpha_beta, train
from spectral_lab.ensembles import CHUNKS, train_ensemble

HIDDEN, BATCH, ROWS, RHO, ROUNDS = 300, 100, 2000, 1e-4, 8
WANTED = 8  # how many times faster, per network, an ensemble is to be than the loop


class Explicit(nn.Module):
    """The three blocks of W, built anew at each step from square matrices (SPARCS Section 3)."""

    def __init__(self) -> None:
        super().__init__()
        start = SpectralNet([2, HIDDEN, 1])
        self.phi, self.lam = nn.ParameterList(start.phi), nn.ParameterList(start.lam)

    def forward(self, x: Tensor) -> Tensor:
        L1, L2, L3 = (torch.diag(lam) for lam in self.lam)
        W21 = self.phi[0] @ L1 - L2 @ self.phi[0]
        W32 = self.phi[1] @ L2 - L3 @ self.phi[1]
        W31 = -W32 @ self.phi[0]
        x = torch.cat([x, x.new_ones(len(x), 1)], dim=1)
        return x @ W31.T + torch.relu(x @ W21.T) @ W32.T


def loop() -> Callable[[int], None]:
    """Takes so many steps with one network."""
    network, data = Explicit(), alpha_beta(0.8, 5, ROWS, seed=0)
    adam = torch.optim.Adam(network.parameters(), lr=1e-3)
    batches = cycle_of(DataLoader(TensorDataset(*data), batch_size=BATCH, shuffle=True))

    def advance(steps: int) -> None:
        for _ in range(steps):
            x, y = next(batches)
            loss = nn.functional.mse_loss(network(x), y) + RHO * sum(torch.linalg.vector_norm(lam) for lam in network.lam[:2])
            adam.zero_grad()
            loss.backward()
            adam.step()

    return advance


def cycle_of(loader):
    """Its batches for ever, in a new order each epoch."""
    for _ in cycle([0]):
        yield from loader


def alone() -> Callable[[int], None]:
    """The same with ``train``."""
    return train(SpectralNet([2, HIDDEN, 1]), *alpha_beta(0.8, 5, ROWS, seed=0), epochs=10**6, rho=RHO).advance


def together(E: int) -> Callable[[int], None]:
    """And with E networks at once."""
    x, y = alpha_beta(0.8, 5, ROWS, seed=0)
    networks = [SpectralNet([2, HIDDEN, 1]) for _ in range(E)]
    return train_ensemble(networks, x.expand(E, -1, -1), y.expand(E, -1, -1), epochs=10**6, rho=RHO).advance


def main() -> None:
    """Print microseconds for one step of one network, and ratios to the loop."""
    torch.set_num_threads(1)
    ways = {"the paper's method, one by one": (1, loop()), "train, one by one": (1, alone())}
    ways |= {f"ensemble of {E}": (E, together(E)) for E in CHUNKS}
    best = dict.fromkeys(ways, math.inf)
    for _ in range(ROUNDS):
        for name, (E, advance) in ways.items():
            steps = max(80 // E, 10)
            start = time.perf_counter()
            advance(steps)
            best[name] = min(best[name], (time.perf_counter() - start) / steps / E)
    first = next(iter(best.values()))
    table = Table("3-300-1, batch 100, CPU, one thread", "µs a step and network", "networks per core-second", box=None)
    for name, seconds in best.items():
        table.add_row(name, f"{seconds * 1e6:.0f}", f"× {first / seconds:.1f}")
    ratio = first / min(best.values())
    Console(width=110).print(table, f"wanted × {WANTED}: {'yes' if ratio >= WANTED else 'no'} (× {ratio:.1f})")


if __name__ == "__main__":
    main()
