"""Measure what pruning saves: the curve over all nodes beside a loop of pruned copies, and the smaller network's inference.

    make bench                    (python benchmarks/pruning.py for this part alone)

784-500-10 with ELU, 2,000 rows.  All ways take turns in rounds, so that a busy machine slows them all; the ratios compare
medians.  The copies of the loop are made before the clock runs: only their evaluation is timed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from spectral_lab.curves import pruning_curve
from spectral_lab.exchange import plain
from spectral_lab.layers import SpectralLinear, feed_forward
from spectral_lab.networks import SpectralNet
from spectral_lab.pruning import prune

SIZES, ROWS, ROUNDS = [784, 500, 10], 2000, 5
KEEP = 50  # nodes of the smaller network
WANTED = 20  # how many times faster the curve is to be than the loop


def seconds(ways: dict[str, Callable[[], object]], device: str, rounds: int = ROUNDS) -> dict[str, float]:
    """Time of each way, median over rounds in which all take turns; the first round warms up."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for k in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if device == "cuda":
                torch.cuda.synchronize()
            if k:
                found[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in found.items()}


@torch.no_grad()
def curve_beside_loop(device: str) -> tuple[dict[str, float], float]:
    """Times of the curve and of the loop, and by how much their losses differ at most."""
    model = feed_forward(SIZES, SpectralLinear.student, activation=nn.ELU, device=device)
    with torch.no_grad():
        model[0].eigenvalues_out.copy_(torch.rand(SIZES[1], device=device))
    x, y = torch.rand(ROWS, SIZES[0], device=device), torch.randint(0, SIZES[-1], (ROWS,), device=device)
    copies = [plain(prune(model, "eigenvalue", keep=n).network) for n in range(1, SIZES[1] + 1)]

    def loop() -> torch.Tensor:
        losses = []
        for copy in copies:
            output = copy(x)
            losses.append(nn.functional.cross_entropy(output, y))
            (output.argmax(-1) == y).float().mean()
        return torch.stack(losses)

    difference = (pruning_curve(model, "eigenvalue", x, y).loss[1:] - loop()).abs().max().item()
    ways: dict[str, Callable[[], object]] = {
        "curve in one pass": lambda: pruning_curve(model, "eigenvalue", x, y),
        f"{SIZES[1]} pruned copies": loop,
    }
    return seconds(ways, device), difference


@torch.no_grad()
def inference(device: str) -> dict[str, float]:
    """Times of ten passes through each network before and after pruning to ``KEEP`` nodes."""
    stack = feed_forward(SIZES, SpectralLinear.student, activation=nn.ELU, device=device)
    skip = SpectralNet(SIZES, device=device)
    for lam in skip.hidden_eigenvalues():
        lam.uniform_(-1, 1)
    networks = {
        "stack": stack,
        f"stack, {KEEP} nodes": plain(prune(stack, "eigenvalue", keep=KEEP).network),
        "SpectralNet": skip,
        f"SpectralNet, {KEEP} nodes": prune(skip, "eigenvalue", keep=KEEP).network,
    }
    x = torch.rand(ROWS, SIZES[0], device=device)
    ways = {name: lambda network=network: [network(x) for _ in range(10)] for name, network in networks.items()}
    return {name: t / 10 for name, t in seconds(ways, device).items()}


def main() -> None:
    """Measure both and print a table for each device."""
    for device in ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]:
        torch.manual_seed(0)
        times, difference = curve_beside_loop(device)
        curve, loop = times.values()
        table = Table(title=f"{'-'.join(map(str, SIZES))}, {ROWS:,} rows, {device}")
        for column in ("what", "ms", "×", "wanted"):
            table.add_column(column, justify="left" if column == "what" else "right")
        for name, t in times.items():
            table.add_row(name, f"{1000 * t:.0f}", f"{t / curve:.1f}", f"≥ {WANTED}" if t is loop else "")
        table.add_row("largest difference of a loss", f"{difference:.1e}", "", "≤ 1e-5")
        table.add_section()
        before = 0.0
        for name, t in inference(device).items():
            before = before if "nodes" in name else t
            table.add_row(f"inference: {name}", f"{1000 * t:.2f}", f"{t / before:.2f}", "< 1" if "nodes" in name else "")
        Console().print(table)


if __name__ == "__main__":
    main()
