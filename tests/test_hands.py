"""Hands on the instrument in a real browser: dragged eigenvalues, clicked neurons, undo, time line, presets, files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import lab_server
import pytest

pytestmark = pytest.mark.browser
CELL = "from spectral_lab.live import Playground\np = Playground(alpha=1.0, hidden=(8,), seed=0)\np"
OTHER = """hidden, locked = ["beta", "fit", "export"], ["rho", "switch"]
exercise = Playground(alpha=0.5, title="An exercise", question="How many?", hide=hidden, lock=locked)
exercise"""


@pytest.fixture(scope="module", autouse=True)
def _needs_a_browser() -> None:
    lab_server.need_a_browser()


@pytest.fixture(scope="module")
def open_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("hands")
    lab_server.write_notebook(folder / "hands.ipynb", CELL, OTHER)
    with lab_server.running(folder, "hands.ipynb") as server, lab_server.browser_page(1280, 900) as page:
        lab_server.open_notebook(page, server)
        lab_server.run_cell(page, 0)
        page.wait_for_selector(".sl-root[data-frames]", timeout=60_000)
        yield page
        assert not page.problems


@pytest.fixture
def page(open_page: Any) -> Any:
    """The instrument after 600 steps, paused, with nothing to undo."""
    says(
        open_page, "p.playing = False\np.reset()\np.alpha = 1.0; p.threshold = 0.0\np.run(600)\np._undo.back.clear()\np._push()"
    )
    wait_for(open_page, "+root.step === 600 && !playing")
    open_page.mouse.move(5, 5)
    return open_page


def says(page: Any, code: str) -> str:
    return lab_server.kernel_says(page, code)


def wait_for(page: Any, condition: str, timeout: float = 15_000) -> None:
    """Wait for a condition on ``root`` and ``graph`` (counters), ``all`` (the page's element) and ``playing``."""
    page.wait_for_function(
        f"""() => {{
            const all = document.querySelector('.sl-root'), root = all.dataset;
            const graph = all.querySelector('.sl-graph canvas').dataset;
            const playing = all.querySelector('[data-action=train]').dataset.playing === 'true';
            return {condition};
        }}""",
        timeout=timeout,
    )


def eigenvalues(page: Any) -> list[float]:
    return json.loads(says(page, "import json; print(json.dumps(p.network.eigenvalues[1].tolist()))"))


def numbers(page: Any) -> str:
    """A fingerprint of every number in the network."""
    says(page, "import hashlib; found = b''.join(v.numpy().tobytes() for v in p.network.state_dict().values())")
    return says(page, "print(hashlib.sha256(found).hexdigest())")


def spectrum(page: Any) -> tuple[dict[str, float], int, float, float]:
    """The spectrum's box, the neuron with the largest path strength, and where its |λ| stands: the leftmost mark."""
    box = page.locator(".sl-pictures canvas").first.bounding_box()
    lam = eigenvalues(page)
    order = json.loads(says(page, "print(p.sight().shape.strengths[0].argsort(descending=True).tolist())"))
    first, slots, right = order[0], len(lam) + 2, box["width"] - 18
    x = 34 + 1.5 / slots * (right - 34)
    return box, first, box["x"] + x, box["y"] + height_of(abs(lam[first]), box)


def height_of(value: float, box: dict[str, float]) -> float:
    """Where a value stands on the spectrum's axis, which goes from 1e-6 to 10."""
    import math

    bottom = box["height"] - 8
    return bottom - (max(-6.0, math.log10(max(value, 1e-300))) + 6) / 7 * (bottom - 6)


def test_an_eigenvalue_can_be_dragged_and_training_goes_on_from_there(page: Any) -> None:
    page.click("[data-action=train]")
    wait_for(page, "playing")
    box, _, x, y = spectrum(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 4)
    page.mouse.move(x, box["y"] + height_of(2e-3, box), steps=6)
    page.wait_for_timeout(400)
    held = [int(says(page, "print(p.step)")), eigenvalues(page)]
    page.wait_for_timeout(400)
    assert held == [int(says(page, "print(p.step)")), eigenvalues(page)]  # nothing pulls at it while the hand holds it
    assert any(abs(abs(lam) - 2e-3) < 4e-4 for lam in held[1])
    page.mouse.up()
    wait_for(page, f"playing && +root.step > {held[0]} + 20")
    assert "eigenvalue" in says(page, "print([name for _, name, _ in p.scene().moves])")


def test_a_drag_to_the_bottom_is_an_exact_zero_and_one_undo_takes_all_of_it_back(page: Any) -> None:
    before = numbers(page)
    box, neuron, x, y = spectrum(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] + 30, steps=12)
    page.mouse.up()
    page.wait_for_function("() => !document.querySelector('[data-action=undo]').disabled")
    page.wait_for_timeout(300)
    assert eigenvalues(page)[neuron] == 0.0
    page.click("[data-action=undo]")
    page.wait_for_function("() => document.querySelector('[data-action=undo]').disabled")
    assert numbers(page) == before
    page.click("[data-action=redo]")
    page.wait_for_function("() => document.querySelector('[data-action=redo]').disabled")
    assert eigenvalues(page)[neuron] == 0.0
    page.locator(".sl-graph canvas").first.focus()
    page.keyboard.press("Control+z")
    page.wait_for_function("() => document.querySelector('[data-action=undo]').disabled")
    assert numbers(page) == before
    page.keyboard.press("Control+Shift+z")
    page.wait_for_function("() => document.querySelector('[data-action=redo]').disabled")
    assert eigenvalues(page)[neuron] == 0.0


def test_the_threshold_can_be_dragged_in_the_spectrum(page: Any) -> None:
    box = page.locator(".sl-pictures canvas").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 6, box["y"] + box["height"] - 8)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 6, box["y"] + height_of(3.0, box), steps=8)
    page.mouse.up()
    wait_for(page, "+graph.pruned === 8")
    assert 1 < float(says(page, "print(p.threshold)")) < 10


def neuron_at(page: Any, k: int) -> tuple[float, float]:
    """Where hidden neuron k of 8 stands on the page."""
    box = page.locator(".sl-graph canvas").first.bounding_box()
    head = 0.24 * box["height"]
    return box["x"] + 46 + 0.5 * (box["width"] - 92), box["y"] + head + 14 + k / 7 * (box["height"] - head - 34)


def test_a_click_switches_a_neuron_off_and_another_one_on_again(page: Any) -> None:
    x, y = neuron_at(page, 3)
    page.mouse.click(x, y)
    wait_for(page, "+graph.pruned === 1")
    assert says(page, "print(sorted(p.off))") == "[(0, 3)]"
    page.click("[data-action=train]")
    wait_for(page, "+root.step > 700 && +graph.pruned === 1")  # it stays off while the others learn
    page.click("[data-action=train]")
    page.mouse.click(x, y)
    wait_for(page, "+graph.pruned === 0")
    assert says(page, "print(sorted(p.off))") == "[]"


def test_pointing_at_a_neuron_tells_what_is_known_about_it(page: Any) -> None:
    page.mouse.move(*neuron_at(page, 5))
    card = page.locator(".sl-hover").first
    card.wait_for(state="visible")
    lam = float(says(page, "print(p.network.eigenvalues[1][5].item())"))
    page.wait_for_function("() => /^neuron 5/.test(document.querySelector('.sl-hover').textContent)")
    text = card.inner_text()
    assert f"λ = {lam:.3g}"[:7] in text
    assert "relevance" in text
    assert "→ y" in text
    painted = card.locator("canvas").evaluate(
        "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    )
    assert painted > 2 or abs(lam) < 1e-6
    page.mouse.move(5, 5)
    card.wait_for(state="hidden")


def test_the_keyboard_reaches_neurons_and_eigenvalues(page: Any) -> None:
    page.locator(".sl-graph canvas").first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    wait_for(page, "+graph.pruned === 1")
    assert says(page, "print(sorted(p.off))") == "[(0, 2)]"
    assert "neuron 2" in page.locator(".sl-graph .sl-spoken").first.inner_text()
    page.keyboard.press("Enter")
    wait_for(page, "+graph.pruned === 0")
    page.locator(".sl-pictures canvas").first.focus()
    page.keyboard.press("0")
    page.wait_for_timeout(500)
    assert eigenvalues(page)[2] == 0.0
    for _ in range(3):
        page.keyboard.press("ArrowUp")
        page.wait_for_timeout(300)
    assert eigenvalues(page)[2] > 1e-4
    page.keyboard.press("-")
    page.wait_for_timeout(500)
    assert eigenvalues(page)[2] < -1e-4


def test_the_three_shapes_are_told_apart_without_any_colour(page: Any) -> None:
    says(page, "p.set_eigenvalue(0, 1, 0.0); p.set_eigenvalue(0, 3, 1.0); p.switch(0, 5, False)")
    wait_for(page, "+graph.pruned === 1")
    page.wait_for_timeout(300)
    assert says(page, "s = p.sight().shape.strengths[0]; print(bool(s[1] < 0.01), bool(s[3] > 0.01))") == "True True"
    canvas = page.locator(".sl-graph > canvas").first
    box, patches = canvas.bounding_box(), {}
    for name, k in {"dormant": 1, "live": 3, "pruned": 5}.items():
        x, y = neuron_at(page, k)
        data = canvas.evaluate(
            "(c, [x, y]) => [...c.getContext('2d').getImageData(x - 5, y - 5, 11, 11).data]",
            [round(x - box["x"]), round(y - box["y"])],
        )
        patches[name] = [0.2126 * r + 0.7152 * g + 0.0722 * b if a > 128 else 255 for r, g, b, a in batched(data)]
    for one, other in combinations(patches, 2):
        apart = sum(abs(a - b) for a, b in zip(patches[one], patches[other], strict=True)) / 121
        assert apart > 40, (one, other, apart)


def batched(values: list[int]) -> list[list[int]]:
    """Red, green, blue and opacity of each pixel."""
    return [values[k : k + 4] for k in range(0, len(values), 4)]


def test_one_drag_of_a_slider_is_one_undo(page: Any) -> None:
    before = numbers(page)
    slider = page.locator("input[type=range][data-setting=alpha]").first
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    for k in range(12):
        page.mouse.move(box["x"] + box["width"] * (1 - 0.05 * k) - 8, box["y"] + box["height"] / 2)
        page.wait_for_timeout(40)
    page.mouse.up()
    wait_for(page, "+root.alpha < 0.6")
    assert says(page, "print(len(p._undo.back))") == "1"
    page.click("[data-action=undo]")
    wait_for(page, "root.alpha === '1'")
    assert numbers(page) == before
    assert slider.input_value() == "1"


def test_the_time_line_goes_back_and_the_run_can_branch_off(page: Any) -> None:
    before = numbers(page)
    slider = page.locator("[data-part=time]").first
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + box["height"] / 2, steps=10)
    page.mouse.up()
    wait_for(page, "+root.step > 200 && +root.step < 400")
    assert int(slider.get_attribute("max")) == 600
    page.click("[data-action=step]")
    page.wait_for_function("() => +document.querySelector('[data-part=time]').max < 450")
    page.click("[data-action=undo]")  # back to before the look back: what the branch dropped is there again
    wait_for(page, "+root.step === 600")
    assert numbers(page) == before


def test_a_preset_brings_its_title_its_question_and_moves_that_come_by_themselves(page: Any) -> None:
    page.locator("[data-action=preset]").first.select_option("grow")
    wait_for(page, "/Watch it grow/.test(all.querySelector('.sl-heading').textContent) && root.alpha === '0'")
    page.click("[data-action=train]")
    wait_for(page, "+root.alpha > 0.2")
    page.locator("[data-field=alpha]").first.fill("0.1")
    page.locator("[data-field=alpha]").first.press("Enter")
    wait_for(page, "root.alpha === '0.1'")
    step = int(says(page, "print(p.step)"))
    wait_for(page, f"+root.step > {step} + 300")
    assert says(page, "print(p.alpha)") == "0.1"  # the hand wins
    page.click("[data-action=train]")
    page.locator("[data-action=undo]").first.click()
    page.locator("[data-action=undo]").first.click()
    wait_for(page, "+root.step === 600 && all.querySelector('.sl-heading').textContent === ''")


def test_make_it_real_shows_both_networks_and_lets_go(page: Any) -> None:
    page.locator("[data-action=real]").first.click()
    sheet = page.locator(".sl-sheet").first
    sheet.wait_for(state="visible", timeout=20_000)
    assert "parameters" in sheet.inner_text()
    page.wait_for_function("() => document.querySelector('.sl-sheet img').naturalWidth > 400")
    page.keyboard.press("Escape")
    sheet.wait_for(state="hidden")
    assert page.evaluate("() => document.activeElement.dataset.action") == "real"


@pytest.mark.parametrize("kind", ["scene", "code", "weights", "small", "png", "svg"])
def test_files_arrive_as_downloads(page: Any, kind: str, tmp_path: Path) -> None:
    with page.expect_download(timeout=30_000) as caught:
        page.locator("[data-action=export]").first.select_option(kind)
    path = tmp_path / caught.value.suggested_filename
    caught.value.save_as(path)
    content = path.read_bytes()
    if kind == "scene":
        assert json.loads(content)["step"] == 600
    elif kind == "code":
        compile(content, "scene.py", "exec")
    else:
        begins = {"png": b"\x89PNG", "svg": b"<?xml", "weights": b"", "small": b""}[kind]
        assert content.startswith(begins)
        assert len(content) > 200


def test_less_motion_is_respected(page: Any) -> None:
    counters = "() => { const d = document.querySelector('.sl-root').dataset; return [+d.frames, +d.step]; }"
    page.emulate_media(reduced_motion="reduce")
    try:
        page.click("[data-action=train]")
        wait_for(page, "playing")
        page.wait_for_timeout(1000)
        painted, steps = page.evaluate(counters)
        page.wait_for_timeout(3000)
        more, later = page.evaluate(counters)
        assert 2 <= more - painted <= 8  # about two a second
        assert later > steps + 100  # the training goes on
    finally:
        page.emulate_media(reduced_motion="no-preference")
        page.click("[data-action=train]")


def test_the_spoken_line_does_not_chatter(page: Any) -> None:
    page.evaluate(
        """() => {
            globalThis.spoken = 0;
            const line = document.querySelector('.sl-root > .sl-spoken'), all = { childList: true, subtree: true };
            new MutationObserver((changes) => { spoken += changes.length; }).observe(line, { ...all, characterData: true });
        }"""
    )
    page.click("[data-action=train]")
    page.wait_for_timeout(4000)
    page.click("[data-action=train]")
    assert page.evaluate("() => spoken") <= 3


def test_a_move_that_cannot_be_is_said_in_words_and_the_instrument_goes_on(page: Any) -> None:
    before = numbers(page)
    page.locator("[data-field=alpha]").first.fill("7")
    page.locator("[data-field=alpha]").first.press("Enter")
    page.wait_for_function("() => /wanted a number in/.test(document.querySelector('.sl-alarm').textContent)")
    assert numbers(page) == before
    page.click("[data-action=step]")
    wait_for(page, "+root.step === 601 && all.querySelector('.sl-alarm').textContent === ''")


def test_a_picture_that_cannot_be_drawn_is_said_in_words_and_pauses(page: Any) -> None:
    page.click("[data-action=train]")
    wait_for(page, "playing && +root.step > 650")
    page.evaluate(
        """() => {
            globalThis.stroke = CanvasRenderingContext2D.prototype.stroke;
            CanvasRenderingContext2D.prototype.stroke = () => { throw new Error('no ink'); };
        }"""
    )
    page.wait_for_function("() => /could not be drawn: no ink/.test(document.querySelector('.sl-alarm').textContent)")
    page.wait_for_timeout(500)
    assert says(page, "print(p.playing)") == "False"
    page.evaluate("() => { CanvasRenderingContext2D.prototype.stroke = stroke; }")
    page.problems.clear()  # the ones that were just made
    step = int(says(page, "print(p.step)"))
    page.click("[data-action=step]")
    wait_for(page, f"+root.step === {step} + 1 && all.querySelector('.sl-alarm').textContent === ''")


def test_a_picture_that_the_kernel_cannot_make_is_said_in_words(page: Any) -> None:
    says(page, "broken, p.words = p.words, lambda sight=None: 1 / 0")
    page.click("[data-action=step]")
    page.wait_for_function("() => /could not be made: division by zero/.test(document.querySelector('.sl-alarm').textContent)")
    says(page, "del p.words")
    page.click("[data-action=step]")
    wait_for(page, "+root.step === 602 && all.querySelector('.sl-alarm').textContent === ''")


def test_an_exercise_hides_and_locks_what_it_says(open_page: Any) -> None:
    lab_server.run_cell(open_page, 1)
    open_page.wait_for_function("() => document.querySelectorAll('.sl-root[data-frames]').length === 2", timeout=30_000)
    exercise = open_page.locator(".sl-root").nth(1)
    exercise.scroll_into_view_if_needed()
    assert "An exercise" in exercise.locator(".sl-heading").inner_text()
    assert exercise.locator("[data-setting=beta]").count() == 0
    assert exercise.locator("[data-action=export]").count() == 0
    assert exercise.locator("[data-setting=rho]").is_disabled()
    assert exercise.locator("[data-setting=alpha]").is_enabled()
    assert not exercise.locator(".sl-pictures .sl-picture").nth(1).is_visible()
    box = exercise.locator(".sl-graph > canvas").bounding_box()
    open_page.mouse.click(box["x"] + 46 + 0.5 * (box["width"] - 92), box["y"] + 0.24 * box["height"] + 14)
    open_page.wait_for_timeout(500)
    assert says(open_page, "print(sorted(exercise.off))") == "[]"
