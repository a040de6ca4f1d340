"""Twenty minutes of a lively class, in a real browser: does anything grow?

    make soak                     (make soak ARGS="--minutes 2" for a short one)

Trains, moves sliders, drags eigenvalues, clicks neurons, undoes, scrubs, shows presets, reloads the page and runs the
cell again, over and over.  After the warm-up the memory of kernel and page must stay flat (growth < 5 %), threads, widgets
(each with its comm) and figures must stay constant, and the console must stay free of errors of ours.  JupyterLab opens a
subshell, a thread of the kernel, with each load of a page, and leaves the old ones behind: they are counted apart.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import lab_server

CELL = "from spectral_lab.live import Playground\np = Playground(alpha=1.0, hidden=(30,), seed=0)\np"
COUNT = """
import gc, os, psutil, sys, threading, ipywidgets
gc.collect()
figures = len(sys.modules['matplotlib.pyplot'].get_fignums()) if 'matplotlib.pyplot' in sys.modules else 0
memory = psutil.Process().memory_info().rss / 2**20
names = [thread.name for thread in threading.enumerate()]
subshells = sum(name.startswith('subshell') for name in names)
print(memory, len(names) - subshells, len(ipywidgets.widgets.widget._instances), figures, subshells, p.step)
"""
WARM_UP = 0.25  # share of the time before the first measurement that counts
GROWTH = 0.05
ACTS = ["type", "type", "slide", "slide", "drag", "click", "undo", "undo", "redo", "scrub", "preset", "real", "hover"]
SETTINGS = {"alpha": (0.0, 1.0), "rho": (1e-6, 1e-2), "beta": (1, 1000), "threshold": (0.0, 0.1), "noise": (0.0, 0.2)}


def act(page: Any, dice: random.Random) -> None:
    """One thing that somebody in a class might do."""
    what = dice.choice(ACTS)
    if what == "type":
        name = dice.choice(list(SETTINGS))
        field = page.locator(f"[data-field={name}]").first
        if field.count():
            field.fill(f"{dice.uniform(*SETTINGS[name]):.3g}")
            field.press("Enter")
    elif what == "slide":
        over(page, page.locator("input[data-setting=rho]").first, dice, 0.5)
    elif what == "drag":
        over(page, page.locator(".sl-pictures canvas").first, dice, 0.3)
    elif what == "scrub":
        over(page, page.locator("[data-part=time]").first, dice, 0.5)
    elif what in ("click", "hover"):
        box = page.locator(".sl-graph > canvas").first.bounding_box()
        if box is None:
            return
        place = box["x"] + box["width"] * dice.uniform(0.4, 0.6), box["y"] + box["height"] * dice.uniform(0.3, 0.9)
        page.mouse.move(*place)
        if what == "click":
            page.mouse.click(*place)
    elif what in ("undo", "redo"):
        button = page.locator(f"[data-action={what}]").first
        if button.is_enabled():
            button.click(timeout=2000, force=True)
    elif what == "preset":
        page.locator("[data-action=preset]").first.select_option(dice.choice(["grow", "die", "again", "trap"]))
    elif what == "real":
        page.locator("[data-action=real]").first.click()
        page.locator(".sl-sheet").first.wait_for(state="visible", timeout=30_000)
        page.keyboard.press("Escape")
    if page.locator("[data-action=train]").first.get_attribute("data-playing") != "true":
        page.locator("[data-action=train]").first.click()


def over(page: Any, place: Any, dice: random.Random, height: float) -> None:
    """Drag over an element, from somewhere to somewhere else in it."""
    box = place.bounding_box()
    if box is None:  # scrolled away or just being built anew
        return
    x, y = (box["x"] + box["width"] * dice.uniform(0.1, 0.9) for _ in range(2)), box["y"] + box["height"] * height
    page.mouse.move(next(x), y)
    page.mouse.down()
    page.mouse.move(next(x), y + 0.4 * box["height"] * dice.random(), steps=8)
    page.mouse.up()


def page_memory(session: Any) -> float:
    """Memory of the page's JavaScript after a collection, MiB."""
    session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"] / 2**20


def main() -> int:
    """Run for some minutes, print what was counted each time, and say what grew; 0 if nothing did."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dice, folder = random.Random(options.seed), Path(tempfile.mkdtemp(prefix="soak-"))
    lab_server.write_notebook(folder / "soak.ipynb", CELL)
    rows: list[list[float]] = []
    with lab_server.running(folder, "soak.ipynb") as server, lab_server.browser_page() as page:
        begin(page, server)
        start, done, rounds = time.monotonic(), 0, 0
        while time.monotonic() - start < 60 * options.minutes:
            for _ in range(25):
                act(page, dice)
                page.wait_for_timeout(dice.choice([50, 200, 600]))
                done += 1
            rounds += 1
            if rounds % 3 == 0:
                lab_server.run_cell(page, 0)  # the old instrument is retired
                page.wait_for_timeout(1500)
            if rounds % 4 == 0:
                begin(page, server)
            session = page.context.new_cdp_session(page)
            found = [float(v) for v in lab_server.kernel_says(page, COUNT).split()]
            rows.append([(time.monotonic() - start) / 60, page_memory(session), *found])
            session.detach()
    return report(rows, done, [problem for problem in page.problems if "sl-" in str(problem) or "blob:" in str(problem)])


def begin(page: Any, server: Any) -> None:
    """Open or reload the notebook and run its cell."""
    lab_server.open_notebook(page, server)
    lab_server.run_cell(page, 0)
    page.wait_for_selector(".sl-root[data-frames]", timeout=90_000)


def report(rows: list[list[float]], done: int, problems: list[str]) -> int:
    """Print the table and what grew after the warm-up; the exit status."""
    names = ("minute", "page MiB", "kernel MiB", "threads", "widgets", "figures", "subshells", "step")
    table = Table(title=f"soak: {done} things done")
    for name in names:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(f"{v:.1f}" if i < 3 else f"{v:.0f}" for i, v in enumerate(row)))
    console = Console()
    console.print(table)
    counted = rows[round(WARM_UP * len(rows)) :]
    half, failed = len(counted) // 2, bool(problems)
    for i in (1, 2):  # medians of the two halves: a single collection of garbage does not decide
        early, late = (statistics.median(row[i] for row in part) for part in (counted[:half], counted[half:]))
        grown = late / early - 1
        failed |= grown > GROWTH
        console.print(f"{names[i]}: {early:.1f} → {late:.1f}, {grown:+.1%} (wanted < {GROWTH:.0%})")
    for i in (3, 4, 5):
        values = sorted({row[i] for row in counted})
        failed |= len(values) > 1
        console.print(f"{names[i]}: {values} (wanted one value)")
    console.print(f"errors of ours in the console: {problems or 'none'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
