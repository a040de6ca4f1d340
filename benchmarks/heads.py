"""Measure a training step of a small CNN with a SPARCS head beside one with a linear head: time and peak memory.

    make bench                    (python benchmarks/heads.py for this part alone)

Images of CIFAR's shape, batch 128, Adam, trained as the recipe sparcs-table-1 does.  The paper does not print its CNN, and what
a head costs is a question of what stands before it.  That of the recipes (8-16 filters, 1024 features) does less arithmetic
than the head behind it.  One of 400 features (6-16 filters of 5 × 5 without padding) fits the paper's memory: weights, gradient
and Adam's moments of a head 400-526-10 are 3.3 MiB, which is what its table has between the two heads.  The third is what
people put before a head on such images: three convolutions of 32-64-64 filters, 1024 features.  "perceptron" is an nn.Linear
network of the SPARCS head's sizes, with all its hidden nodes from the start.  All take turns in short rounds, so that a busy
machine slows them all; the ratios compare medians over the rounds.  The paper's × 1.004 is that of a whole training on a GPU,
12 ms a step.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # the profiler is chatty otherwise; read when torch is loaded

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from spectral_lab.peak import peak_mebibytes
from spectral_lab.recipes.head_trials import build, start, trial
from spectral_lab.recipes.heads import NETWORK

SHAPE, CLASSES = (3, 32, 32), 10
CNNS: dict[str, dict[str, Any]] = {
    "8-16 filters, 1024 features": NETWORK,
    "6-16 filters, 400 features": NETWORK | {"channels": [6, 16], "kernel": 5, "padding": 0},
    "32-64-64 filters, 1024 features": NETWORK | {"channels": [32, 64, 64]},
}
HEADS = ("linear", "sparcs", "perceptron")
ROUNDS, STEPS = 25, 6
WANTED = {"sparcs": "≤ 1.15, ≤ 1.25"}


def training_step(cnn: dict[str, Any], head: str, device: str) -> Callable[[], None]:
    """Calling the result does one step of training."""
    one = trial("", "linear" if head == "linear" else "sparcs", 0, epochs=1, **cnn)
    network = build(one, SHAPE, CLASSES)
    if head == "perceptron":
        n_in, hidden, n_out = network[-1].sizes
        network = nn.Sequential(*list(network)[:-1], nn.Linear(n_in, hidden), nn.ReLU(), nn.Linear(hidden, n_out))
    x = torch.rand(one["batch_size"], *SHAPE, device=device)
    y = torch.randint(0, CLASSES, (len(x),), device=device)
    return start(one, network.to(device), x, y, 10**6).advance


def milliseconds(steps: dict[str, Callable[[], None]], device: str) -> dict[str, float]:
    """Time of one step of each network, median over rounds in which all take turns."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for k in range(ROUNDS + 1):
        for name, step in steps.items():
            begin = time.perf_counter()
            for _ in range(STEPS):
                step()
            if device == "cuda":
                torch.cuda.synchronize()
            if k:  # the first round warms up
                found[name].append(1000 * (time.perf_counter() - begin) / STEPS)
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    """Measure the heads behind all CNNs, and print a table for each."""
    for device in ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]:
        for name, cnn in CNNS.items():
            made = {head: partial(training_step, cnn, head, device) for head in HEADS}
            memory = {head: peak_mebibytes(make, device) for head, make in made.items()}
            times = milliseconds({head: make() for head, make in made.items()}, device)
            table = Table(title=f"a training step, CNN of {name}, batch 128, {device}")
            for column in ("head", "ms", "×", "peak MiB", "×", "wanted"):
                table.add_column(column, justify="left" if column in ("head", "wanted") else "right")
            for head in HEADS:
                t, m = times[head], memory[head]
                ratios = t / times["linear"], m / memory["linear"]
                table.add_row(head, f"{t:.2f}", f"{ratios[0]:.2f}", f"{m:.2f}", f"{ratios[1]:.2f}", WANTED.get(head, ""))
            Console().print(table)


if __name__ == "__main__":
    main()
