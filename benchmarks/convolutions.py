"""Measure spectral convolutions beside nn.Conv2d, and what the removal of filters saves.

    make bench                    (python benchmarks/convolutions.py for this part alone)

A training step of two networks: 8 and 16 filters on 32 × 32 pixels, batch 128, as in SPARCS Table 1; and three layers of 64 to
256 filters on 16 × 16 pixels, batch 32; forward, backward and a step of Adam.  Then inference with half and with a quarter of
the filters.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from rich.console import Console
from rich.table import Table
from steps import compare, milliseconds
from torch import nn

from spectral_lab.convolutions import SpectralConv2d
from spectral_lab.pruning import prune

NETWORKS = {
    "8-16 filters, 32 × 32, batch 128": ([3, 8, 16], 32, 128),
    "64-256 filters, 16 × 16, batch 32": ([64, 64, 128, 256], 16, 32),
}
LAYERS: dict[str, Callable[..., nn.Module]] = {
    "nn.Conv2d": nn.Conv2d,
    "SpectralConv2d": SpectralConv2d,
    "student": SpectralConv2d.student,
    "φ frozen": SpectralConv2d.spectral,
}
WANTED = dict.fromkeys(list(LAYERS)[1:], "≤ 1.10")


def network(layer: Callable[..., nn.Module], channels: list[int]) -> nn.Sequential:
    """Convolutions with batch norm, ReLU and max pooling, and a linear layer on the means over the places."""
    modules: list[nn.Module] = []
    for n_in, n_out in pairwise(channels):
        modules += [layer(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*modules, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[-1], 10))


def training_step(
    layer: Callable[..., nn.Module], channels: list[int], size: int, batch: int, device: str
) -> Callable[[], None]:
    """A network with its images; calling the result does one step of training."""
    model = network(layer, channels).to(device)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    x, y = torch.rand(batch, channels[0], size, size, device=device), torch.randint(0, 10, (batch,), device=device)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def training(device: str) -> None:
    """Time and peak memory of a training step."""
    for name, (channels, size, batch) in NETWORKS.items():
        made = {kind: partial(training_step, layer, channels, size, batch, device) for kind, layer in LAYERS.items()}
        compare(f"one step, {name}, Adam", made, WANTED, device)


@torch.no_grad()
def inference() -> None:
    """Time of a pass with fewer filters."""
    channels, size, batch = NETWORKS["64-256 filters, 16 × 16, batch 32"]
    model, x = network(nn.Conv2d, channels).eval(), torch.rand(batch, channels[0], size, size)
    models = {"all": model}
    for fraction in (0.5, 0.75):
        models[f"{1 - fraction:.0%}"] = prune(model, "row_norm", fraction=fraction, per_layer=True).network
    found = milliseconds({name: partial(smaller, x) for name, smaller in models.items()}, "cpu")
    table = Table(title="one pass with fewer filters, 64-256 filters, 16 × 16, batch 32, cpu")
    for column in ("filters left", "ms", "times faster"):
        table.add_column(column, justify="right")
    for name, times in found.items():
        table.add_row(name, f"{(t := statistics.median(times)):.2f}", f"{statistics.median(found['all']) / t:.1f}")
    Console().print(table)


def main() -> None:
    """Print all tables."""
    torch.manual_seed(0)
    for device in ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]:
        training(device)
    inference()


if __name__ == "__main__":
    main()
