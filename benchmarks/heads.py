"""Measure a training step of a small CNN with a SPARCS head beside one with a linear head: time and peak memory.

    make bench                    (python benchmarks/heads.py for this part alone)

Images of CIFAR's shape, batch 128, Adam, trained as the recipe sparcs-table-1 does.  What a head costs is a question of what
stands before it, and the paper does not print its CNN.  First comes the one that the recipe takes, which fits the paper's
memory (spectral_lab.recipes.heads says how); then the smallest that fits its words, of 8 and 16 filters, which does less
arithmetic than the head behind it; then what people put before a head on such images, of 32, 64 and 64 filters.  "perceptron"
is an nn.Linear network of the SPARCS head's sizes, with all its hidden nodes from the start: what a head of this size costs
before it is spectral.  On one core its products weigh more than on several.  Batches are drawn from as many images as the
recipe has; the memory is that of a batch, without the others.  The paper's × 1.004 is that of a whole training on a GPU, 12 ms
a step.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from steps import compare
from torch import nn

from spectral_lab.recipes.head_trials import build, start, trial
from spectral_lab.recipes.heads import NETWORK, SMALL

SHAPE, CLASSES = (3, 32, 32), 10
ROWS = 16_000  # images that a batch is drawn from
CNNS: dict[str, dict[str, Any]] = {
    "10-16 filters, 400 features": NETWORK,
    "8-16 filters, 1024 features": SMALL,
    "32-64-64 filters, 1024 features": SMALL | {"channels": [32, 64, 64]},
}
HEADS = ("linear", "sparcs", "perceptron")
WANTED = {"sparcs": "≤ 1.15, ≤ 1.25"}
ROUNDS = 120  # the ratios lie close to what is wanted


def training_step(cnn: dict[str, Any], head: str, device: str, rows: int = 128) -> Callable[[], None]:
    """Calling the result does one step of training on so many images."""
    one = trial("", "linear" if head == "linear" else "sparcs", 0, epochs=1, **cnn)
    network = build(one, SHAPE, CLASSES)
    if head == "perceptron":
        n_in, hidden, n_out = network[-1].sizes
        network = nn.Sequential(*list(network)[:-1], nn.Linear(n_in, hidden), nn.ReLU(), nn.Linear(hidden, n_out))
    x = torch.rand(rows, *SHAPE, device=device)
    y = torch.randint(0, CLASSES, (len(x),), device=device)
    return start(one, network.to(device), x, y, 10**6).advance


def main() -> None:
    """Measure the heads behind all CNNs, on all cores, on one of them and on the GPU, and print a table for each."""
    places = [("cpu", threads) for threads in sorted({os.cpu_count() or 1, 1}, reverse=True)]
    for device, threads in [*places, ("cuda", 1)] if torch.cuda.is_available() else places:
        torch.set_num_threads(threads)
        for name, cnn in CNNS.items():
            made = {head: partial(training_step, cnn, head, device) for head in HEADS}
            timed = {head: partial(make, rows=ROWS) for head, make in made.items()}
            compare(f"a training step, CNN of {name}, batch 128", made, WANTED, device, timed, ROUNDS)


if __name__ == "__main__":
    main()
