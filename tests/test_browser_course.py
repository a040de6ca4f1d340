"""A notebook of the course in a real browser: it runs in JupyterLab, and its slider can be moved by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab_server
import pytest

pytestmark = pytest.mark.browser
NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "02_inverse_and_binomials.ipynb"
SOON, LATER = 15_000, 90_000  # ms; machines that run tests are slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab_server.Server]:
    lab_server.need_a_browser()
    folder = tmp_path_factory.mktemp("course")
    shutil.copy(NOTEBOOK, folder)
    with lab_server.running(folder, NOTEBOOK.name) as server:
        yield server


@pytest.fixture(scope="module")
def page(server: lab_server.Server) -> Iterator[Any]:
    """The notebook after all its cells have run; a cell that is to be filled in by the reader does not stop it."""
    with lab_server.browser_page() as page:
        lab_server.open_notebook(page, server)
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=LATER)
        lab_server.run_all(page)
        last = "w.model.type === 'code'"
        page.wait_for_function(
            f"() => ({lab_server.PANEL}).content.widgets.filter(w => {last}).every(w => w.model.executionCount)",
            timeout=LATER,
        )
        yield page


def show(page: Any, source: str) -> Any:
    """Scroll to the cell that begins with some code, and return it."""
    page.evaluate(
        f"""async source => {{
            const cells = ({lab_server.PANEL}).content;
            const index = cells.widgets.findIndex(w => w.model.sharedModel.source.startsWith(source));
            cells.activeCellIndex = index;
            await cells.scrollToItem(index, 'start');
        }}""",
        source,
    )
    cell = page.locator(".jp-CodeCell.jp-mod-active")
    cell.locator(".jp-OutputArea-output .widget-vbox").first.wait_for(timeout=SOON)
    return cell


def failures(page: Any) -> list[str]:
    """Cells that ended with an error, except those that wait for the reader."""
    return page.evaluate(
        f"""() => ({lab_server.PANEL}).content.widgets
            .filter(w => w.model.type === 'code' && !(w.model.getMetadata('tags') ?? []).includes('raises-exception'))
            .flatMap(w => w.model.outputs.toJSON())
            .filter(output => output.output_type === 'error').map(output => output.evalue)"""
    )


def test_the_notebook_runs_and_the_arrow_keys_change_the_matrices(page: Any, server: lab_server.Server) -> None:
    assert failures(page) == []
    cell = show(page, 'StructureExplorer(B=2, parts=["matrices"])')
    entries = "e => e.querySelectorAll('.sl-matrix mjx-mtable')[0]?.querySelectorAll('mjx-mtd').length"
    matrices = cell.locator(".sl-matrices")
    matrices.locator("mjx-mtable").nth(3).wait_for(timeout=SOON)
    assert matrices.evaluate(entries) == 9  # 3 × 3: typeset, not LaTeX to be read
    cell.locator(".noUi-handle").focus()
    for B in (3, 4, 5, 6, 7, 8):
        page.keyboard.press("ArrowRight")
        page.wait_for_function(
            "n => [...document.querySelectorAll('.jp-mod-active .sl-matrix mjx-mtable')].filter("
            "t => t.querySelectorAll('mjx-mtd').length === n).length === 4",
            arg=(B + 1) ** 2,
            timeout=SOON,
        )
    assert cell.locator(".widget-readout").inner_text() == "8"
    wide = cell.evaluate("e => [...e.querySelectorAll('.sl-matrix')].filter(m => m.scrollWidth > m.clientWidth + 1).length")
    assert wide == 0
    box, room = matrices.bounding_box(), cell.bounding_box()
    assert box["x"] + box["width"] <= room["x"] + room["width"]
    assert [problem for problem in page.problems if "sl-" in problem or "widget" in problem.lower()] == []
    assert server.tracebacks == []


def test_a_step_of_a_proof_folds_out_and_typesets_by_keyboard(page: Any) -> None:
    cell = show(page, 'ProofBrowser("inverse"')
    cell.locator("summary", has_text="the same at x").first.focus()
    page.keyboard.press("Space")
    opened = cell.locator("details[open]")
    opened.locator(".sl-formula mjx-container").wait_for(timeout=SOON)
    assert "at xm, 1 ≤ m ≤ n" in opened.locator("summary").inner_text()
    number = cell.locator("input[type=number]")
    number.fill("99")
    number.press("Enter")
    cell.get_by_role("alert").wait_for(timeout=SOON)
    assert "B = 99" in cell.get_by_role("alert").inner_text()
    number.fill("2")
    number.press("Enter")
    cell.get_by_text("multiplied out: 4 times").wait_for(timeout=SOON)
