"""Measure what depth costs: forward and backward of a fully skip-connected network, against a plain MLP and explicit blocks.

    make bench                    (python benchmarks/depth.py for this part alone)

Layers of 100 nodes, batch 100.  The recurrence is linear in the number of blocks B; the explicit W_ij need O(B²) blocks, each
built by products.  All ways take turns in rounds, so that a busy machine slows them all, and the fastest round of each counts.
Memory is the peak of what one forward and backward pass allocates beyond the parameters.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable

os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # the profiler is chatty otherwise; read when torch is loaded

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from spectral_lab.decomposition import propagate, propagate_blocks
from spectral_lab.networks import SpectralNet

WIDTH, BATCH, DEPTHS, ROUNDS = 100, 100, (2, 4, 8, 16, 32), 5
MIB = 2**20


def mlp(B: int) -> nn.Sequential:
    """A plain network of the same sizes, without biases."""
    modules: list[nn.Module] = []
    for _ in range(B):
        modules += [nn.Linear(WIDTH, WIDTH, bias=False), nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def passes(B: int, device: str) -> dict[str, Callable[[], object]]:
    """Forward and backward pass of each network of B blocks."""
    network, plain = SpectralNet([WIDTH] * (B + 1), bias=False, device=device), mlp(B).to(device)
    x = torch.rand(BATCH, WIDTH, device=device)

    def both(output: Callable[[Tensor], Tensor], parameters: list[nn.Parameter]) -> Callable[[], object]:
        def run() -> object:
            return torch.autograd.grad(output(x).square().mean(), parameters)

        return run

    spectral = [p for p in network.parameters() if p.requires_grad]
    return {
        "MLP": both(plain, list(plain.parameters())),
        "recurrence": both(lambda x: propagate(x, network.phi, network.lam)[-1], spectral),
        "explicit blocks": both(lambda x: propagate_blocks(x, network.phi, network.lam)[-1], spectral),
    }


def seconds(ways: dict[str, Callable[[], object]], device: str) -> dict[str, float]:
    """Time of each way in the fastest of rounds in which all take turns; the first one warms up."""
    best = dict.fromkeys(ways, math.inf)
    for k in range(ROUNDS + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if device == "cuda":
                torch.cuda.synchronize()
            if k:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def peak(way: Callable[[], object], device: str) -> float:
    """Largest number of bytes that one pass holds at a time, as the sum of what it takes and gives back."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        way()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        kept = way()
    del kept
    held, most = 0, 0
    for event in sorted(found.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def main() -> None:
    """Print times, ratios to the MLP, and memory."""
    torch.set_num_threads(1)
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        title = f"{WIDTH} nodes a layer, batch {BATCH}, {device}"
        table = Table(title, "MLP", "recurrence", "explicit blocks", "memory: MLP", "recurrence", "explicit", box=None)
        for B in DEPTHS:
            ways = passes(B, device)
            times, memory = seconds(ways, device), {name: peak(way, device) / MIB for name, way in ways.items()}
            cells = [f"{times[name] * 1e3:.1f} ms, × {times[name] / times['MLP']:.1f}" for name in ways]
            table.add_row(f"B = {B}", *cells, *(f"{memory[name]:.1f} MiB" for name in ways))
        Console(width=120).print(table)


if __name__ == "__main__":
    main()
