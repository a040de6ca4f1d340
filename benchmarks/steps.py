"""What the benchmarks of training steps have in common: time and peak memory of several, side by side, in one table."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Mapping

os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # the profiler is chatty otherwise; read when torch is loaded

import torch
from rich.console import Console
from rich.table import Table

from spectral_lab.peak import peak_mebibytes

ROUNDS, STEPS = 40, 6
Step = Callable[[], object]


def milliseconds(steps: Mapping[str, Step], device: str, rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Time of a step of each, round by round.  All take turns in short rounds, so that a busy machine slows them all."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for k in range(rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(STEPS):
                step()
            if device == "cuda":
                torch.cuda.synchronize()
            if k:  # the first round warms up
                found[name].append(1000 * (time.perf_counter() - start) / STEPS)
    return found


def ratio(times: list[float], first: list[float]) -> str:
    """The median over the rounds of the ratio within a round, and its standard error, from the width of the middle half."""
    ratios = [a / b for a, b in zip(times, first, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f} ± {0.93 * (high - low) / math.sqrt(len(ratios)):.2f}"


def compare(
    title: str,
    makers: Mapping[str, Callable[[], Step]],
    wanted: Mapping[str, str],
    device: str,
    timed: Mapping[str, Callable[[], Step]] | None = None,
    rounds: int = ROUNDS,
) -> None:
    """Print time and peak memory of a step of each kind, and their ratios to those of the first kind.

    Args:
        title: says what a step is.
        makers: by the name of the kind, a function that makes network and optimiser and returns one step of training.
        wanted: what the two ratios should be, by the name of the kind.
        device: where the networks are.
        timed: makers of what is timed, if that is not what memory is measured of.
        rounds: of six steps each, in which the times are compared.

    What a machine's neighbours do in between is not in the error: several runs differ by more.
    """
    memory = {name: peak_mebibytes(make, device) for name, make in makers.items()}
    times = milliseconds({name: make() for name, make in (timed or makers).items()}, device, rounds)
    table = Table(title=f"{title}, {device}, {torch.get_num_threads()} threads")
    for column in ("", "ms", "×", "peak MiB", "×", "wanted"):
        table.add_column(column, justify="left" if column in ("", "wanted") else "right")
    first = next(iter(makers))
    for name, peak in memory.items():
        quotient = "1.00" if name == first else ratio(times[name], times[first])
        cells = f"{statistics.median(times[name]):.2f}", quotient, f"{peak:.2f}", f"{peak / memory[first]:.2f}"
        table.add_row(name, *cells, wanted.get(name, ""))
    Console().print(table)
