"""Measure the playground in a real browser: pictures a second, delay of a slider, bytes, and what watching costs.

    make bench

Everything is measured side by side in one run with a network of 304 nodes and 1,203 links (2-300-1 with a bias node),
in headless Chromium on JupyterLab as the launcher starts it.  Machines are noisy: read medians, not single numbers.
"""

from __future__ import annotations

import math
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

STORY_CELL = "playground.close()\nplayground = Playground(alpha=0.0)\nplayground"
CELL = "from spectral_lab.live import Playground\nplayground = Playground(alpha=1.0, hidden=(300,), seed=0)\nplayground"
KEYS = ("pictures", "live steps", "run steps", "share", "delay", "drag", "burst")
ROUNDS = 12  # short ones, live training and run() in turn: a busy machine changes its speed within seconds

# Moves the slider and waits until a picture with the new value has been painted; ms.
DELAY = """value => new Promise(done => {
    const root = document.querySelector('.sl-root'), slider = document.querySelector('input[data-setting=alpha]');
    const start = performance.now();
    slider.value = value;
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    const look = () => root.dataset.alpha === String(value) ? done(performance.now() - start) : requestAnimationFrame(look);
    look();
})"""
# Times the next move of the mouse over the spectrum until a picture shows the dragged eigenvalue elsewhere; ms.
DRAG = """() => { globalThis.dragged = new Promise(done => {
    const canvas = document.querySelector('.sl-pictures canvas');
    canvas.addEventListener('pointermove', () => {
        const start = performance.now(), before = canvas.dataset.held;
        const look = () => canvas.dataset.held !== before ? done(performance.now() - start) : requestAnimationFrame(look);
        look();
    }, { once: true });
}); }"""
STRONGEST = "n = playground.sight().shape.strengths[0].argmax(); print(playground.network.eigenvalues[1][n].abs().item())"
BURST = """() => new Promise(done => {
    const root = document.querySelector('.sl-root'), slider = document.querySelector('input[data-setting=alpha]');
    const start = performance.now();
    for (let k = 1; k <= 500; k++) {
        slider.value = k === 500 ? 0.37 : (k % 100) / 100;
        slider.dispatchEvent(new Event('input', { bubbles: true }));
    }
    const look = () => root.dataset.alpha === '0.37' ? done(performance.now() - start) : requestAnimationFrame(look);
    look();
})"""
COUNTERS = "() => { const d = document.querySelector('.sl-root').dataset; return [+d.frames, +d.step, performance.now()]; }"
RUN = """
import time
playground.playing = False
time.sleep(0.2)
start = time.perf_counter(); playground.run(300); print(300 / (time.perf_counter() - start))
"""
RESOURCES = """
import gc, threading, ipywidgets, sys
figures = len(sys.modules['matplotlib.pyplot'].get_fignums()) if 'matplotlib.pyplot' in sys.modules else 0
print(threading.active_count(), len(ipywidgets.widgets.widget._instances), figures)
"""
FRAME_BYTES = """
import json
sent = []
original, playground.send = playground.send, lambda content, buffers=None: sent.append((content, buffers))
playground._send_picture({'build': playground._build_number})
playground.send = original
print(len(json.dumps(sent[0][0]).encode()) + len(sent[0][1][0]))
"""


def rates(page: Any, seconds: float) -> tuple[float, float]:
    """Painted pictures and training steps a second."""
    frames, steps, start = page.evaluate(COUNTERS)
    page.wait_for_timeout(seconds * 1000)
    more_frames, more_steps, end = page.evaluate(COUNTERS)
    return 1000 * (more_frames - frames) / (end - start), 1000 * (more_steps - steps) / (end - start)


def drags(page: Any) -> list[float]:
    """Delays of an eigenvalue that is dragged, with the mouse; ms."""
    lam, box = float(lab_server.kernel_says(page, STRONGEST)), page.locator(".sl-pictures canvas").first.bounding_box()
    bottom, x = box["height"] - 8, box["x"] + 34 + 1.5 / 302 * (box["width"] - 52)  # the leftmost mark, as spectrum.js draws it
    page.mouse.move(x, box["y"] + bottom - (math.log10(lam) + 6) / 7 * (bottom - 6))
    page.mouse.down()
    page.wait_for_timeout(200)
    delays = []
    for k in range(4):
        page.evaluate(DRAG)
        page.mouse.move(x, box["y"] + (0.3 + 0.1 * k) * bottom)
        delays.append(page.evaluate("() => Promise.race([dragged, new Promise(done => setTimeout(done, 5000, 5000))])"))
    page.mouse.up()
    lab_server.kernel_says(page, "playground.undo()")
    return delays


def measure(page: Any) -> dict[str, list[float]]:
    """All figures, one value a round; live training and run() alternate, so that noise hits both."""
    found: dict[str, list[float]] = {name: [] for name in KEYS}
    before = lab_server.kernel_says(page, RESOURCES)
    for _ in range(ROUNDS):
        lab_server.kernel_says(page, "playground.playing = True")
        page.wait_for_timeout(500)
        pictures, live = rates(page, 2)
        found["pictures"].append(pictures)
        found["delay"] += [page.evaluate(DELAY, round(0.4 + 0.01 * k, 2)) for k in range(4)]
        found["drag"] += drags(page)
        found["burst"].append(page.evaluate(BURST))
        lab_server.kernel_says(page, "playground.alpha = 1.0")
        run = float(lab_server.kernel_says(page, RUN))
        found["live steps"].append(live)
        found["run steps"].append(run)
        found["share"].append(live / run)
    found["bytes"] = [float(lab_server.kernel_says(page, FRAME_BYTES))]
    after = lab_server.kernel_says(page, RESOURCES)
    print(f"threads, widgets, figures: {before} before, {after} after")
    return found


# What each stage of the story at the default settings must reach, in the counters of the page.
STAGES = [
    ("α = 0: nothing live", "True", "+graph.live === 0 && +root.step > 100"),
    ("α to 1: 3 live, ‖Γ‖ up 100 ×", "playground.alpha = 1.0", "+graph.live >= 3 && +root.norm > 100 * flat"),
    ("ρ to 1: 0 live, ‖Γ‖ < 1e-2", "playground.rho = 1.0", "+graph.live === 0 && +root.norm < 1e-2 && +root.rho === 1"),
    ("ρ to 1e-4: live again", "playground.rho = 1e-4", "+graph.live >= 3 && +root.rho < 1"),
]
REACHED = """([condition, flat]) => new Promise(done => {
    const start = performance.now(), last = [...document.querySelectorAll('.sl-root')].at(-1);
    const root = last.dataset, graph = last.querySelector('.sl-graph canvas').dataset;
    const met = new Function('root', 'graph', 'flat', `return ${condition}`);
    const look = () => met(root, graph, flat) || performance.now() - start > 60000
        ? done(true) : requestAnimationFrame(look);
    look();
})"""


def story(page: Any) -> list[float]:
    """Seconds that each stage of the story takes in the browser, at the default settings."""
    lab_server.run_cell(page, 1)
    page.wait_for_function("() => [...document.querySelectorAll('.sl-root')].at(-1)?.dataset.frames < 20", timeout=30_000)
    page.locator("[data-action=train]").last.click()
    seconds, flat = [], 0.0
    for _, move, condition in STAGES:
        start = time.perf_counter()
        lab_server.kernel_says(page, move)
        page.evaluate(REACHED, [condition, flat])
        seconds.append(time.perf_counter() - start)
        page.wait_for_timeout(3000)  # let it settle before the next move
        flat = flat or float(page.evaluate("() => [...document.querySelectorAll('.sl-root')].at(-1).dataset.norm"))
    return seconds


def main() -> None:
    """Start a server and a browser, measure, and print a table of medians."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    lab_server.write_notebook(folder / "bench.ipynb", CELL, STORY_CELL)
    with lab_server.running(folder, "bench.ipynb") as server, lab_server.browser_page() as page:
        lab_server.open_notebook(page, server)
        lab_server.run_cell(page, 0)
        page.wait_for_selector(".sl-root[data-frames]", timeout=90_000)
        found = measure(page)
        seconds = story(page)
    rows = [
        ("pictures", "painted pictures a second while training", "{:.1f}", "≥ 25"),
        ("delay", "slider to painted change, ms", "{:.0f}", "≤ 120"),
        ("drag", "dragged eigenvalue to painted change, ms", "{:.0f}", "≤ 120"),
        ("bytes", "bytes a picture, header included", "{:,.0f}", "≤ 8,000"),
        ("live steps", "training steps a second in the playground", "{:.0f}", ""),
        ("run steps", "training steps a second of .run(), same kernel", "{:.0f}", ""),
        ("share", "share of .run()'s speed that is kept", "{:.2f}", "≥ 0.70"),
        ("burst", "500 moves at once: last value on screen after, ms", "{:.0f}", "≤ 500"),
    ]
    table = Table(title="playground, 304 nodes and 1,203 links, headless Chromium")
    for column in ("measured", "median", "lowest", "highest", "wanted"):
        table.add_column(column, justify="left" if column == "measured" else "right")
    for key, what, form, wanted in rows:
        values = found[key]
        table.add_row(what, *(form.format(f(values)) for f in (statistics.median, min, max)), wanted)
    Console().print(table)
    stages = Table(title="the story at the default settings")
    for column in ("stage", "seconds", "wanted"):
        stages.add_column(column)
    for (what, _, _), took in zip(STAGES, seconds, strict=True):
        stages.add_row(what, f"{took:.1f}", "≤ 10")
    Console().print(stages)


if __name__ == "__main__":
    main()
