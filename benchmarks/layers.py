"""Measure a training step of spectral layers beside nn.Linear: time and peak memory, on the CPU and, if there is one, the GPU.

    make bench                    (python benchmarks/layers.py for this part alone)

784-500-10 with ReLU and cross-entropy, batch 128: forward, backward and a step of the optimiser.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from steps import compare
from torch import nn

from spectral_lab.layers import SpectralLinear, feed_forward

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


def main() -> None:
    """Measure all layers with each optimiser and print a table for each."""
    for device in ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]:
        for optimizer_name, optimizer in OPTIMIZERS.items():
            torch.manual_seed(0)
            made = {name: partial(training_step, layer, optimizer, device) for name, layer in LAYERS.items()}
            title = f"one step of {'-'.join(map(str, SIZES))}, batch {BATCH}, {optimizer_name}"
            compare(title, made, WANTED, device)


if __name__ == "__main__":
    main()
