"""Take pictures of the instruments in a real browser: the playground in its story and presets, and the others.

make figures
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import lab_server

from spectral_lab.live.presets import PRESETS

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "figures"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
STEPS = {"perceptron": 800, "grow": 3000, "die": 2700, "again": 3000, "depth": 3500, "trap": 3500, "digits": 700}
WIDTH = 760  # of one preset in the overview


def story(page: Any) -> None:
    """The network grows at α = 1: figures/playground.png."""
    for alpha, step in [(0.0, 300), (0.3, 500), (0.5, 800), (0.7, 1100), (0.85, 1500), (1.0, 3000)]:
        lab_server.kernel_says(page, f"playground.alpha = {alpha}; playground.run({step} - playground.step)")
    page.click("[data-action=train]")
    page.wait_for_timeout(1500)
    page.click("[data-action=train]")
    page.wait_for_timeout(800)
    page.locator(".sl-root").screenshot(path=FIGURES / "playground.png")
    print(page.locator(".sl-words").inner_text())


def presets(page: Any) -> None:
    """Each preset in both themes, side by side: figures/presets.webp."""
    rows = []
    for name, preset in PRESETS.items():
        pair = []
        page.locator("[data-action=preset]").select_option(name)
        page.wait_for_function(
            "title => document.querySelector('.sl-heading').textContent.startsWith(title)", arg=preset.title, timeout=60_000
        )
        lab_server.kernel_says(page, f"playground.run({STEPS[name]} - playground.step)")
        for theme in THEMES.values():
            page.evaluate(f"jupyterapp.commands.execute('apputils:change-theme', {{theme: '{theme}'}})")
            page.wait_for_timeout(3500)
            path = Path(tempfile.mkstemp(suffix=".png")[1])
            page.locator(".sl-root").screenshot(path=path)
            picture = Image.open(path).convert("RGB")
            pair.append(picture.resize((WIDTH, round(WIDTH * picture.height / picture.width)), Image.Resampling.LANCZOS))
        rows.append(pair)
        print(name, page.locator(".sl-words").inner_text())
    high = max(picture.height for pair in rows for picture in pair)
    sheet = Image.new("RGB", (2 * WIDTH, high * len(rows)), "white")
    for k, pair in enumerate(rows):
        for i, picture in enumerate(pair):
            sheet.paste(picture, (i * WIDTH, k * high))
    sheet.save(FIGURES / "presets.webp", quality=80)


# What a cell shows that makes a widget: name of the picture, kind of the widget, the cell.
WIDGETS = {
    "pruning-bench": ("bench", "view = PruningBench(share=0.8)\nview.pretrain()"),  # half-way, with the curve of pre-training
    "image-head": ("imagehead", "view = ImageHead(seed=0)\nview.run(600)"),
    "filter-bench": ("filterbench", "view = FilterBench(kept=12)"),
}


def widget(name: str, kind: str, cell: str) -> None:
    """One widget by itself: figures/NAME.png."""
    folder = Path(tempfile.mkdtemp(prefix="screenshot-"))
    imports = "from spectral_lab.live import FilterBench, ImageHead, PruningBench\n"
    lab_server.write_notebook(folder / "widget.ipynb", f"{imports}{cell}\nview")
    with lab_server.running(folder, "widget.ipynb") as server, lab_server.browser_page() as page:
        lab_server.open_notebook(page, server)
        lab_server.run_all(page)
        root = page.locator(f".sl-{kind}[data-pictures]")
        root.wait_for(timeout=90_000)
        page.wait_for_timeout(1500)
        path = FIGURES / f"{name}.png"
        root.screenshot(path=path)
        Image.open(path).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)  # fewer bytes
        print(name, root.inner_text()[:200])


def classroom(page: Any) -> None:
    """Both students after the lesson, pruned to the teacher's size: figures/classroom.png."""
    lab_server.kernel_says(page, "room.run(5000); room.act('teacher')")
    page.wait_for_timeout(800)
    page.locator(".sl-room").screenshot(path=FIGURES / "classroom.png")
    print(lab_server.kernel_says(page, "print(room.lesson.words())"))


@contextlib.contextmanager
def opened(name: str) -> Iterator[Any]:
    """A page with a notebook of the course, none of its cells run."""
    folder = Path(tempfile.mkdtemp(prefix="screenshot-"))
    shutil.copy(ROOT / "notebooks" / name, folder)
    with lab_server.running(folder, name) as server, lab_server.browser_page() as page:
        lab_server.open_notebook(page, server)
        yield page


def main() -> None:
    """Open the notebooks and take all pictures."""
    for name, (kind, cell) in WIDGETS.items():
        widget(name, kind, cell)
    with opened("07_student_becomes_teacher.ipynb") as page:
        cells = nbformat.read(ROOT / "notebooks" / "07_student_becomes_teacher.ipynb", as_version=4).cells
        for cell in (1, next(k for k, cell in enumerate(cells) if cell.source.endswith("\nroom"))):
            lab_server.run_cell(page, cell)
            page.wait_for_timeout(1000)
        page.wait_for_selector(".sl-room[data-pictures]", timeout=90_000)
        classroom(page)
    with opened("00_playground.ipynb") as page:
        lab_server.run_cell(page, 2)
        page.wait_for_selector(".sl-root[data-frames]", timeout=90_000)
        story(page)
        presets(page)


if __name__ == "__main__":
    main()
