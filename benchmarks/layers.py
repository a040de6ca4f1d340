"""Measure a training step of spectral layers beside nn.Linear: time and peak memory, on the CPU and, if there is one, the GPU.

    make bench                    (python benchmarks/layers.py for this part alone)

784-500-10 with ReLU and cross-entropy, batch 128: forward, backward and a step of the optimiser.  All networks take
turns in short rounds, so that a busy machine slows them all; the ratios compare medians over the rounds.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from functools import partial

os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # the profiler is chatty otherwise; read when torch is loaded

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from spectral_lab.layers import SpectralLinear, feed_forward
from spectral_lab.peak import peak_mebibytes

SIZES, BATCH = [784, 500, 10], 128
LAYERS: dict[str, Callable[..., nn.Module]] = {
    "nn.Linear": nn.Linear,
    "dense": SpectralLinear,
    "dense, φ frozen": SpectralLinear.spectral,
    "student": SpectralLinear.student,
    "svd": SpectralLinear.s_svd,
    "qr": SpectralLinear.s_qr,
    "qr, p = 0.1": partial(SpectralLinear.s_qr, p=0.1),
}
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "SGD": partial(torch.optim.SGD, lr=1e-3),
    "Adam": partial(torch.optim.Adam, lr=1e-3),
}
ROUNDS, STEPS = 25, 6
WANTED = {"dense": "≤ 1.25, ≤ 1.20", "dense, φ frozen": "below dense"}


def training_step(
    layer: Callable[..., nn.Module], optimizer: Callable[..., torch.optim.Optimizer], device: str
) -> Callable[[], None]:
    """A network with its data; calling the result does one step of training."""
    model = feed_forward(SIZES, layer, device=device)
    steps = optimizer(p for p in model.parameters() if p.requires_grad)
    x, y = torch.rand(BATCH, SIZES[0], device=device), torch.randint(0, SIZES[-1], (BATCH,), device=device)

    def step() -> None:
        steps.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        steps.step()

    return step


def milliseconds(steps: dict[str, Callable[[], None]], device: str) -> dict[str, float]:
    """Time of one step of each network, median over rounds in which all take turns."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for k in range(ROUNDS + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(STEPS):
                step()
            if device == "cuda":
                torch.cuda.synchronize()
            if k:  # the first round warms up
                found[name].append(1000 * (time.perf_counter() - start) / STEPS)
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    """Measure all layers with each optimiser and print a table for each."""
    for device in ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]:
        for optimizer_name, optimizer in OPTIMIZERS.items():
            torch.manual_seed(0)
            made = {name: partial(training_step, layer, optimizer, device) for name, layer in LAYERS.items()}
            memory = {name: peak_mebibytes(make, device) for name, make in made.items()}
            times = milliseconds({name: make() for name, make in made.items()}, device)
            table = Table(title=f"one step of {'-'.join(map(str, SIZES))}, batch {BATCH}, {optimizer_name}, {device}")
            for column in ("layer", "ms", "×", "peak MiB", "×", "wanted"):
                table.add_column(column, justify="left" if column in ("layer", "wanted") else "right")
            for name in LAYERS:
                t, m = times[name], memory[name]
                ratios = t / times["nn.Linear"], m / memory["nn.Linear"]
                table.add_row(name, f"{t:.2f}", f"{ratios[0]:.2f}", f"{m:.2f}", f"{ratios[1]:.2f}", WANTED.get(name, ""))
            Console().print(table)


if __name__ == "__main__":
    main()
