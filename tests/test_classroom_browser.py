"""Notebook 07 in a real browser: all of it is run, a lesson is watched, and its students are pruned and grown by hand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab_server
import nbformat
import pytest
from lab_server import in_the_end, settled, wait_for

pytestmark = pytest.mark.browser
NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "07_student_becomes_teacher.ipynb"
CELL = next(k for k, cell in enumerate(nbformat.read(NOTEBOOK, as_version=4).cells) if cell.source.endswith("\nroom"))
GRAPH, HISTOGRAM, CORES = (f".sl-{place} canvas >> nth={n}" for place, n in (("spectral", 0), ("spectral", 1), ("teacher", 1)))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The notebook after all of its cells were run."""
    with lab_server.finished(NOTEBOOK, tmp_path_factory.mktemp("course")) as page:
        yield page


@pytest.fixture
def room(page: Any) -> Any:
    """The classroom of the notebook, in sight, paused and drawn."""
    room = lab_server.show(page, CELL, "sl-room")
    room.locator("[data-action=reset]").click()
    wait_for(page, room, "data.step === '0' && data.playing === 'false'")
    return room


@contextlib.contextmanager
def silent_network(page: Any) -> Iterator[None]:
    """Nothing that the page says is heard by the kernel for the time of a block."""
    page.evaluate("() => { globalThis.silenced = WebSocket.prototype.send; WebSocket.prototype.send = () => {}; }")
    try:
        yield
    finally:
        page.evaluate("() => { WebSocket.prototype.send = globalThis.silenced; }")


def pixels(room: Any, canvas: str) -> list[int]:
    """Where a canvas has colour: how many such pixels in each of twenty strips from left to right."""
    return room.locator(canvas).evaluate(
        """c => {
            const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height), found = Array(20).fill(0);
            for (let i = 0; i < data.length; i += 4) {
                const [r, g, b, opaque] = data.slice(i, i + 4);
                const coloured = opaque > 200 && Math.max(r, g, b) - Math.min(r, g, b) > 60;
                if (coloured) found[Math.floor((i / 4 % c.width) / c.width * 20)]++;
            }
            return found;
        }"""
    )


def counters(room: Any) -> dict[str, Any]:
    """What the page says in numbers and in words."""
    return room.evaluate(
        """root => {
            const text = (name) => root.querySelector(name).textContent;
            return { ...root.dataset, alarm: text('.sl-alarm'), spectral: text('[data-mse=spectral]'),
                direct: text('[data-mse=direct]'), heads: [...root.querySelectorAll('h3')].map(h => h.textContent) };
        }"""
    )


def brightness(room: Any, what: str) -> int:
    """Of a colour of the style: the sum of red, green and blue."""
    return room.evaluate(f"root => getComputedStyle(root).{what}.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)")


def train(page: Any, room: Any, steps: int) -> None:
    """Let it train and pause."""
    room.locator("[data-action=start]").click()
    wait_for(page, room, f"+data.step >= {steps}")
    room.locator("[data-action=pause]").click()
    wait_for(page, room, "data.playing === 'false'")


def test_the_histogram_splits_and_the_core_shrinks_while_it_trains(page: Any, room: Any) -> None:
    before, told = pixels(room, HISTOGRAM), counters(room)
    assert sum(before[:3]) == 0  # no node near zero
    assert told["heads"][0] == "● spectral student: core 30 of 30"
    train(page, room, 2500)
    after, told = pixels(room, HISTOGRAM), counters(room)
    assert after[0] + after[1] > 100  # the peak at zero
    assert sum(after[8:]) > 100  # and the core
    assert int(told["core"]) < 20
    assert told["heads"][0] == f"● spectral student: core {told['core']} of 30"
    assert int(told["found"].split(",")[0]) >= 6
    page.wait_for_timeout(500)
    assert counters(room)["step"] == told["step"]


def test_the_slider_fades_nodes_and_changes_the_errors_without_the_kernel(page: Any, room: Any) -> None:
    train(page, room, 1000)
    whole, full = counters(room), sum(pixels(room, GRAPH))
    slider = room.locator("input[data-setting=kept]")
    slider.focus()
    with silent_network(page):
        for _ in range(26):
            page.keyboard.press("ArrowLeft")
        wait_for(page, room, "data.kept === '4'")
        few = counters(room)
    assert sum(pixels(room, GRAPH)) < 0.6 * full
    assert float(few["spectral"].split()[-1]) > 3 * float(whole["spectral"].split()[-1])
    assert few["direct"] != whole["direct"]
    settled(page, room)  # the question that was lost is asked again
    room.locator("[data-action=teacher]").click()
    wait_for(page, room, "data.kept === '8'")
    assert lab_server.kernel_says(page, "print(room.kept)") == "8"
    expected = float(lab_server.kernel_says(page, "print(room.lesson.mse('spectral', 8))"))
    assert float(counters(room)["spectral"].split()[-1]) == pytest.approx(expected, rel=0.06)
    assert lab_server.kernel_says(page, "room.kept = 30") == ""
    wait_for(page, room, "data.kept === '30'")
    assert sum(pixels(room, GRAPH)) == pytest.approx(full, rel=0.02)


def test_h_grows_by_hand_and_the_former_lesson_stays_in_the_chart(page: Any, room: Any) -> None:
    assert sum(pixels(room, CORES)[-3:]) > 20  # the lesson of now stands at the end of the axis
    train(page, room, 200)
    field = room.locator("[data-field=h]")
    field.fill("44")
    field.press("Enter")
    wait_for(page, room, "data.h === '44' && data.step === '0' && data.kept === '44'")
    assert sum(pixels(room, CORES)[10:16]) > 20  # the former one at 30 of 44
    assert "(30, 0)" in lab_server.kernel_says(page, "print(list(room.memory))")
    room.locator("input[type=range][data-setting=h]").focus()
    page.keyboard.press("ArrowRight")
    wait_for(page, room, "data.h === '45'")
    for text in ("0", "wide"):
        field.fill(text)
        field.press("Enter")
        page.wait_for_function(
            "root => root.querySelector('.sl-alarm').textContent.includes('h = ')", arg=room.element_handle()
        )
        assert counters(room)["h"] == "45"
    field.fill("30")
    field.press("Enter")
    wait_for(page, room, "data.h === '30'")
    assert counters(room)["alarm"] == ""


def test_the_kernel_answers_other_cells_while_it_trains(page: Any, room: Any) -> None:
    room.locator("[data-action=start]").click()
    wait_for(page, room, "+data.step >= 100")
    assert lab_server.kernel_says(page, "print(room.playing, 6 * 7)") == "True 42"
    assert lab_server.kernel_says(page, "room.act('pause')") == ""
    wait_for(page, room, "data.playing === 'false'")


def test_another_teacher_is_chosen_from_the_menu(page: Any, room: Any) -> None:
    room.locator("select[data-setting=teacher]").select_option("10–20–20–1")
    wait_for(page, room, "data.h === '60'")
    assert counters(room)["heads"][1] == "the teacher: 20 nodes"
    train(page, room, 100)
    room.locator("select[data-setting=teacher]").select_option("10–8–8–1")
    wait_for(page, room, "data.h === '30'")


def test_it_can_be_read_in_the_dark_and_everything_is_in_its_place(page: Any, room: Any) -> None:
    train(page, room, 300)
    for theme, dark in (("JupyterLab Dark", True), ("JupyterLab Light", False)):
        page.evaluate(f"() => jupyterapp.commands.execute('apputils:change-theme', {{ theme: '{theme}' }})")
        in_the_end(page, lambda dark=dark: (brightness(room, "backgroundColor") < 384) == dark)
        page.wait_for_timeout(3000)  # all is drawn anew
        assert abs(brightness(room, "backgroundColor") - brightness(room, "color")) > 450
        assert sum(pixels(room, GRAPH)) > 300
    clipped = room.evaluate(
        "root => [...root.querySelectorAll('h3, figcaption, .sl-told')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    assert clipped == 0
    box = room.bounding_box()
    for part in room.locator("canvas, button, input, select").all():
        place = part.bounding_box()
        assert place["width"] > 10
        assert place["height"] > 10
        assert place["x"] >= box["x"] - 1
        assert place["x"] + place["width"] <= box["x"] + box["width"] + 1
