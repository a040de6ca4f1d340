"""Notebook 01 in a real browser: eigenvalues dragged with the mouse and moved by keyboard, and the matrix that follows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab_server
import pytest

pytestmark = pytest.mark.browser
NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "01_one_layer.ipynb"
MATRICES, SIGNAL = ".sl-layer >> nth=0", ".sl-layer >> nth=1"  # the notebook's two instruments
WIDTH = 4.0  # of a track: eigenvalues go from -2 to 2


@pytest.fixture(scope="module", autouse=True)
def _needs_a_browser() -> None:
    lab_server.need_a_browser()


@pytest.fixture(scope="module")
def open_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("course")
    shutil.copy(NOTEBOOK, folder)
    with lab_server.running(folder, NOTEBOOK.name) as server, lab_server.browser_page() as page:
        lab_server.open_notebook(page, server)
        lab_server.run_all(page)
        page.wait_for_function("() => document.querySelectorAll('.sl-layer[data-pictures]').length === 2", timeout=120_000)
        # the last cell of the notebook has run too
        page.wait_for_function(
            "() => /share of numbers trained/.test(document.querySelector('.jp-Notebook').innerText)", timeout=120_000
        )
        yield page
        assert not server.tracebacks
        assert not [problem for problem in page.problems if "sl-" in problem or "blob:" in problem or "anywidget" in problem]


@pytest.fixture
def page(open_page: Any) -> Any:
    """The page, with the first instrument in view and reset."""
    open_page.mouse.move(5, 5)
    open_page.locator(MATRICES).scroll_into_view_if_needed()
    open_page.locator(MATRICES).locator("[data-action=reset]").click()
    wait_for_lam_in(open_page, [1.0, 0.4, 0.8, -0.5])
    return open_page


def wait_for_lam_in(page: Any, wanted: list[float]) -> None:
    """Wait until the first instrument's handles of layer 1 say these numbers, and the kernel's last picture is there."""
    page.wait_for_function(
        """wanted => {
            const handles = document.querySelector('.sl-layer').querySelectorAll('.sl-handle[data-side=in]');
            return String([...handles].map(h => +h.getAttribute('aria-valuenow'))) === String(wanted);
        }""",
        arg=wanted,
        timeout=15_000,
    )
    page.wait_for_timeout(300)


def matrix(page: Any, name: str, where: str = MATRICES) -> list[list[float]]:
    """The numbers in the cells of a grid, as rows."""
    cells = page.locator(where).locator(f".sl-grid-{name} .sl-cell").evaluate_all("cells => cells.map(c => +c.dataset.value)")
    columns = 4 if name in ("W", "phi") else 7
    return [cells[k : k + columns] for k in range(0, len(cells), columns)]


def changed(before: list[list[float]], after: list[list[float]]) -> set[tuple[int, int]]:
    """Places of the entries that are not what they were."""
    return {(i, j) for i, row in enumerate(before) for j, value in enumerate(row) if value != after[i][j]}


def outlined(page: Any, name: str) -> set[tuple[int, int]]:
    """Places of the cells whose middle lies in an outline."""
    grid, columns = page.locator(MATRICES).locator(f".sl-grid-{name}"), 4 if name == "W" else 7
    boxes = "all => all.map(e => e.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"
    marks, cells = (grid.locator(part).evaluate_all(boxes) for part in (".sl-mark:not([hidden])", ".sl-cell"))
    middles = {divmod(k, columns): ((c[0] + c[2]) / 2, (c[1] + c[3]) / 2) for k, c in enumerate(cells)}
    return {ij for ij, (x, y) in middles.items() if any(m[0] < x < m[2] and m[1] < y < m[3] for m in marks)}


def handle(page: Any, side: str, k: int, where: str = MATRICES) -> Any:
    return page.locator(where).locator(f".sl-handle[data-side={side}][data-k='{k}']")


def value(page: Any, side: str, k: int, where: str = MATRICES) -> float:
    return float(handle(page, side, k, where).get_attribute("aria-valuenow"))


def standing(page: Any, thing: Any) -> dict[str, float]:
    """Where a thing is on the page, once it stands still: outputs and formulas above it may still be growing."""
    former = None
    for _ in range(40):
        box = thing.bounding_box()
        if box == former:
            return box
        former = box
        page.wait_for_timeout(250)
    raise TimeoutError("the page does not come to rest")


def take(page: Any, side: str, k: int, by: float, where: str = MATRICES) -> None:
    """Take a handle with the mouse and drag it by so much; it stays in the hand."""
    page.locator(where).evaluate("all => all.scrollIntoView({ block: 'end' })")
    knob = standing(page, handle(page, side, k, where).locator(".sl-knob"))
    track = handle(page, side, k, where).locator(".sl-track").bounding_box()
    x, y = knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by / WIDTH * track["width"], y, steps=15)
    page.wait_for_timeout(700)


def python(page: Any, code: str) -> Any:
    return json.loads(lab_server.kernel_says(page, f"import json; print(json.dumps({code}))"))


def test_a_dragged_eigenvalue_of_a_receiver_moves_exactly_its_row(page: Any) -> None:
    before = {name: matrix(page, name) for name in ("W", "A", "Phi", "Lam", "inverse")}
    pictures = int(page.locator(MATRICES).get_attribute("data-pictures"))
    take(page, "out", 1, 1.1)
    instrument = page.locator(MATRICES)
    row = {(1, j) for j in range(4)}
    assert changed(before["W"], matrix(page, "W")) == row
    assert changed(before["A"], matrix(page, "A")) == {(4 + i, j) for i, j in row} | {(5, 5)}
    assert changed(before["Lam"], matrix(page, "Lam")) == {(5, 5)}
    assert before["Phi"] == matrix(page, "Phi")
    assert before["inverse"] == matrix(page, "inverse")
    assert outlined(page, "W") == row  # while it is in the hand
    assert outlined(page, "Lam") == {(5, 5)}
    assert outlined(page, "A") == {(4 + i, j) for i, j in row} | {(5, 5)}
    assert outlined(page, "Phi") == set()
    assert value(page, "out", 1) == pytest.approx(0.5, abs=0.06)
    page.mouse.up()
    page.wait_for_timeout(300)
    assert instrument.locator(".sl-mark:not([hidden])").count() == 0
    assert "row 1" in instrument.locator(".sl-layer-words").inner_text()
    assert python(page, "layer.eigenvalues_out")[1] == value(page, "out", 1)  # page and kernel agree
    assert python(page, "layer.weights") == matrix(page, "W")
    assert int(instrument.get_attribute("data-pictures")) - pictures <= 30  # moves are gathered, not queued


def test_a_dragged_eigenvalue_of_a_sender_moves_exactly_its_column_and_snaps_where_a_link_vanishes(page: Any) -> None:
    before = matrix(page, "W")
    take(page, "in", 2, -0.21)  # from 0.8 to almost the 0.6 of node 2 in layer 2
    assert changed(before, matrix(page, "W")) == {(i, 2) for i in range(3)}
    assert outlined(page, "W") == {(i, 2) for i in range(3)}
    assert outlined(page, "A") == {(4 + i, 2) for i in range(3)} | {(2, 2)}
    assert value(page, "in", 2) == 0.6
    assert matrix(page, "W")[2][2] == 0.0
    page.mouse.up()
    assert "1 of 12 weights is 0: w₂₂" in page.locator(MATRICES).locator(".sl-layer-words").inner_text()
    take(page, "in", 2, 9.0)  # far beyond the end
    page.mouse.up()
    page.wait_for_timeout(300)
    assert python(page, "layer.eigenvalues_in") == [1.0, 0.4, 2.0, -0.5]


def test_a_handle_stays_under_the_hand_while_the_kernel_is_slow_and_the_questions_do_not_pile_up(page: Any) -> None:
    lab_server.kernel_says(page, "import time; quick, asked = layer._obey, []")
    lab_server.kernel_says(page, "layer._obey = lambda question: (asked.append(question), time.sleep(0.25), quick(question))")
    try:
        take(page, "in", 3, 0.0)
        track = handle(page, "in", 3).locator(".sl-track").bounding_box()
        wanted, seen = [-0.5 + 0.15 * k for k in range(1, 16)], []
        for target in wanted:
            page.mouse.move(track["x"] + (target + 2) / WIDTH * track["width"], track["y"])
            page.wait_for_timeout(60)
            seen.append(value(page, "in", 3))
        assert seen == pytest.approx(wanted, abs=0.1)
        assert seen == sorted(seen)  # it never jumps back to what the kernel still believes
        page.mouse.up()
        page.wait_for_timeout(1500)
        assert python(page, "layer.eigenvalues_in")[3] == value(page, "in", 3) == seen[-1]
        assert 2 <= python(page, "len(asked)") <= 12
    finally:
        lab_server.kernel_says(page, "del layer._obey")


def test_the_keyboard_moves_an_eigenvalue_and_the_notebook_does_not_hear_it(page: Any) -> None:
    cells = python(page, "len(In)")
    before = matrix(page, "W")
    knob = handle(page, "in", 1)
    knob.focus()
    assert knob.get_attribute("role") == "slider"
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "PageDown"):
        page.keyboard.press(key)
    wait_for_lam_in(page, [1.0, 0.05, 0.8, -0.5])
    assert changed(before, matrix(page, "W")) == {(i, 1) for i in range(3)}
    assert outlined(page, "W") == {(i, 1) for i in range(3)}
    for key, wanted in {"-": -0.05, "0": 0, "End": 2, "Home": -2, "ArrowLeft": -2}.items():
        page.keyboard.press(key)
        wait_for_lam_in(page, [1.0, wanted, 0.8, -0.5])
    assert python(page, "layer.eigenvalues_in")[1] == -2.0
    assert python(page, "len(In)") == cells
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.dataset.k") == "2"


def test_buttons_and_code_move_the_page_too(page: Any) -> None:
    before = matrix(page, "W")
    instrument = page.locator(MATRICES)
    instrument.locator("[data-action=linear]").click()
    wait_for_lam_in(page, [0, 0, 0, 0])
    assert matrix(page, "phi") == [[-w for w in row] for row in matrix(page, "W")]
    assert [pytest.approx(row, abs=1e-5) for row in before] == matrix(page, "W")
    instrument.locator("[data-action=equal]").click()
    wait_for_lam_in(page, [1, 1, 1, 1])
    assert matrix(page, "W") == [[0] * 4] * 3
    assert matrix(page, "A") == [[float(i == j) for j in range(7)] for i in range(7)]
    assert "Every weight vanishes" in instrument.locator(".sl-layer-words").inner_text()
    lab_server.kernel_says(page, "layer.eigenvalues_in = [0.3, 0.3, 0.3, 0.3]")
    wait_for_lam_in(page, [0.3, 0.3, 0.3, 0.3])


def test_homeostasis_a_receivers_eigenvalue_moves_its_own_bar_and_the_sum_only(page: Any) -> None:
    instrument = page.locator(SIGNAL)
    instrument.scroll_into_view_if_needed()
    instrument.locator(".sl-choice-row button").nth(2).click()
    page.wait_for_timeout(500)
    bars = lambda: instrument.locator(".sl-bar-value").evaluate_all("b => b.map(v => +v.dataset.value)")  # noqa: E731
    before = bars()
    take(page, "out", 2, -0.8, SIGNAL)
    page.mouse.up()
    page.wait_for_timeout(500)
    after = bars()
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert after[2] == pytest.approx(after[0] + after[1])
    slider = instrument.locator("input[data-x='0']")
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(700)
    assert float(slider.input_value()) == -1.0
    assert bars()[0] != after[0]
    assert not instrument.locator(".sl-second").is_visible()


def test_both_themes_can_be_read(page: Any) -> None:
    def worst() -> float:
        """The lowest contrast of a number in W against its cell (WCAG)."""
        return page.locator(MATRICES).evaluate(
            """root => {
                const light = (c) => {
                    const parts = c.map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
                    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
                };
                const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
                const read = (css) => {
                    canvas.fillStyle = css;
                    canvas.fillRect(0, 0, 1, 1);
                    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255);
                };
                return Math.min(...[...root.querySelectorAll('.sl-grid-W .sl-cell, .sl-grid-phi .sl-cell')].map((cell) => {
                    const style = getComputedStyle(cell);
                    const back = light(read(style.backgroundColor)), ink = light(read(style.color));
                    return (Math.max(back, ink) + 0.05) / (Math.min(back, ink) + 0.05);
                }));
            }"""
        )

    assert worst() > 4.5
    page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('.sl-layer')).backgroundColor === 'rgb(17, 17, 17)'", timeout=20_000
    )
    try:
        page.wait_for_timeout(1000)
        assert worst() > 4.5
        take(page, "in", 0, -0.7)
        page.mouse.up()
        assert value(page, "in", 0) == pytest.approx(0.3, abs=0.1)
    finally:
        page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
        page.wait_for_timeout(2000)
