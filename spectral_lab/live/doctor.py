"""``spectral-lab doctor``: is everything in place, and if not, what to do."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import torch
from rich.console import Console
from rich.table import Table

PACKAGES = [
    "torch",
    "jupyterlab",
    "notebook",
    "voila",
    "ipykernel",
    "ipywidgets",
    "anywidget",
    "matplotlib",
    "networkx",
    "sympy",
    "nbval",
]
OPTIONAL = {"nbval": "only tests need it", "voila": "only --voila needs it", "notebook": "only Notebook 7 needs it"}
CURE = "pip install 'spectral_lab[lab]'"
Row = tuple[str, str, str]  # check, found, what to do; a "!" marks what keeps the playground from running


def examine(console: Console | None = None) -> int:
    """Print a table of checks; exit status 0 if the playground can run here, else 1."""
    from spectral_lab import __version__

    table = Table(title=f"spectral_lab {__version__}")
    for column in ("check", "found", "what to do"):
        table.add_column(column)
    rows = [
        _python(),
        *[_package(name) for name in PACKAGES],
        _device(),
        _threads(),
        _memory(),
        _assets(),
        _widget(),
        _training(),
        _instrument(),
    ]
    for check, found, todo in rows:
        table.add_row(check, found, todo)
    (console or Console()).print(table)
    return int(any(todo.startswith("!") for _, _, todo in rows))


def _python() -> Row:
    todo = "" if sys.version_info >= (3, 11) else "! install Python 3.11 or later"
    return "Python", f"{platform.python_version()} on {platform.platform(terse=True)}", todo


def _package(name: str) -> Row:
    try:
        return name, version(name), ""
    except PackageNotFoundError:
        return name, "missing", OPTIONAL.get(name, f"! {CURE}")


def _device() -> Row:
    if torch.cuda.is_available():
        return (
            "device",
            f"CUDA: {torch.cuda.get_device_name()}",
            "the playground itself runs on the CPU, which is faster at its size",
        )
    return "device", "CPU", ""


def _threads() -> Row:
    threads, limit = torch.get_num_threads(), os.environ.get("CPU_LIMIT")
    found = f"torch uses {threads} of {os.cpu_count()} cores" + (f", CPU_LIMIT = {limit}" if limit else "")
    return (
        "threads",
        found,
        "" if threads == 1 else "start with spectral-lab, or set OMP_NUM_THREADS=1: small networks train faster so",
    )


def _memory() -> Row:
    free, own = psutil.virtual_memory().available / 2**30, psutil.Process().memory_info().rss / 2**20
    return "memory", f"{free:.1f} GiB free, this process {own:.0f} MiB", "" if free > 1 else "plan 1 GiB for each student"


def _assets() -> Row:
    """The browser's files: ours beside the module, anywidget's in the front end's folder."""
    own = [name for name in ("playground.js", "playground.css", "graph.js") if not (Path(__file__).parent / name).exists()]
    folders = [Path(prefix) / "share/jupyter/labextensions/anywidget" for prefix in {sys.prefix, sys.base_prefix}]
    try:
        from jupyter_core.paths import jupyter_path

        folders += [Path(path) / "anywidget" for path in jupyter_path("labextensions")]
    except ImportError:
        pass
    if own:
        return "browser assets", f"missing: {', '.join(own)}", f"! {CURE}"
    if not any(folder.exists() for folder in folders):
        return (
            "browser assets",
            "anywidget's front end is not where JupyterLab looks",
            f"! {CURE} in the environment that runs JupyterLab",
        )
    return "browser assets", "in place", ""


def _widget() -> Row:
    try:
        from spectral_lab.live import Playground

        Playground(hidden=(3,)).close()
        return "widget", "can be made", ""
    except ImportError as error:
        return "widget", str(error), f"! {CURE}"


def _training() -> Row:
    from spectral_lab.live.instrument import Instrument

    instrument = Instrument()
    instrument.run(50)
    start = time.perf_counter()
    instrument.run(200)
    rate = 200 / (time.perf_counter() - start)
    return (
        "training",
        f"{rate:,.0f} steps a second at the default size",
        "" if rate > 200 else "slow: close other programs, or see threads",
    )


def _instrument() -> Row:
    """What one instrument holds: its time line and undo, filled by a short run."""
    from spectral_lab.live.instrument import Instrument
    from spectral_lab.live.past import BYTES

    before, instrument = psutil.Process().memory_info().rss, Instrument()
    for k in range(40):
        instrument.run(10)
        instrument.alpha = 0.02 * k
    grown = (psutil.Process().memory_info().rss - before) / 2**20
    found = f"{grown:.0f} MiB after 400 steps and 40 moves, {instrument.nbytes / 2**20:.1f} of them time line and undo"
    return "instrument", found, f"bounded: time line and undo hold at most about {3 * BYTES / 2**20:.0f} MiB"
