"""The playground in a real browser: the notebook as the launcher opens it, moved by hand, seen on its canvases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab_server
import pytest

pytestmark = pytest.mark.browser
NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "00_playground.ipynb"
FIRST = 2  # the cell that shows the instrument
STAGE = 30_000  # ms; a stage of the story is to take 10 s on two idle cores, which a test machine rarely has


@pytest.fixture(scope="module", autouse=True)
def _needs_a_browser() -> None:
    lab_server.need_a_browser()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab_server.Server]:
    folder = tmp_path_factory.mktemp("course")
    shutil.copy(NOTEBOOK, folder)
    with lab_server.running(folder, NOTEBOOK.name) as server:
        yield server


@pytest.fixture(scope="module")
def open_page(server: lab_server.Server) -> Iterator[Any]:
    with lab_server.browser_page() as page:
        lab_server.open_notebook(page, server)
        lab_server.run_cell(page, FIRST)
        page.wait_for_selector(".sl-root[data-frames]", timeout=60_000)
        yield page


@pytest.fixture
def page(open_page: Any) -> Iterator[Any]:
    """The open playground, freshly reset to the notebook's settings; no error of ours may be left behind."""
    for name, value in {"alpha": 0, "beta": 5, "rho": 1e-4, "threshold": 0}.items():
        type_value(open_page, name, value)
    if state(open_page)["playing"]:
        open_page.click("[data-action=train]")
    open_page.click("[data-action=reset]")
    open_page.wait_for_function("() => document.querySelector('.sl-root').dataset.step === '0'", timeout=STAGE)
    yield open_page
    assert not [problem for problem in open_page.problems if "sl-" in problem or "blob:" in problem]


def state(page: Any) -> dict[str, Any]:
    """What the page shows: counters and words."""
    return page.evaluate(
        """() => {
            const root = document.querySelector('.sl-root'), graph = document.querySelector('.sl-graph canvas');
            return { ...root.dataset, ...graph.dataset, words: document.querySelector('.sl-words').textContent,
                     alarm: document.querySelector('.sl-alarm').textContent,
                     playing: document.querySelector('[data-action=train]').dataset.playing === 'true' };
        }"""
    )


def type_value(page: Any, name: str, value: float | str) -> None:
    """Type a value into the field beside a slider."""
    field = page.locator(f"[data-field={name}]")
    field.fill(str(value))
    field.press("Enter")


def drag(page: Any, name: str, share: float) -> None:
    """Drag a slider's handle with the mouse to a share of its length."""
    slider = page.locator(f"input[type=range][data-setting={name}]")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    low, high, now = (float(slider.evaluate(f"e => e.{what}")) for what in ("min", "max", "value"))
    y, handle = box["y"] + box["height"] / 2, 16
    place = lambda part: box["x"] + handle / 2 + part * (box["width"] - handle)  # noqa: E731
    page.mouse.move(place((now - low) / (high - low)), y)
    page.mouse.down()
    page.mouse.move(place(share), y, steps=12)
    page.mouse.up()


def coloured(page: Any) -> int:
    """Pixels of the network's canvas in the colours of the two signs: the links that carry something."""
    return page.evaluate(
        """() => {
            const c = document.querySelector('.sl-graph canvas');
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            let n = 0;
            for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 60 && Math.abs(d[i] - d[i + 2]) > 60) n++;
            return n;
        }"""
    )


def wait_for(page: Any, condition: str, timeout: float = STAGE) -> None:
    """Wait for a condition on ``root`` (the counters of the page), ``graph`` (those of the network) and ``words``."""
    page.wait_for_function(
        f"""() => {{
            const root = document.querySelector('.sl-root').dataset;
            const graph = document.querySelector('.sl-graph canvas').dataset;
            const words = document.querySelector('.sl-words').textContent;
            return {condition};
        }}""",
        timeout=timeout,
    )


def pause(page: Any) -> int:
    """Pause a run that is playing, and return the step at which it stands."""
    page.click("[data-action=train]")
    page.wait_for_selector("[data-action=train][data-playing=false]", timeout=STAGE)
    return int(state(page)["step"])


def norm(page: Any) -> float:
    return float(lab_server.kernel_says(page, "print(playground.history[-1].path_norm)"))


def test_the_story_alpha_up_rho_up_rho_down(page: Any) -> None:
    page.click("[data-action=train]")
    wait_for(page, "+root.step > 800 && +graph.live === 0")
    flat, before = norm(page), coloured(page)

    drag(page, "alpha", 1.0)
    wait_for(page, "root.alpha === '1' && +graph.live >= 3")
    reached = int(state(page)["step"])
    wait_for(page, f"+root.step > {reached} + 600")
    assert norm(page) > 100 * flat
    assert coloured(page) > 1.2 * before
    wait_for(page, "/effective depth 2/.test(words)")

    type_value(page, "rho", 1)
    wait_for(page, "+graph.live === 0")
    reached = int(state(page)["step"])
    wait_for(page, f"+root.step > {reached} + 600 && +graph.live === 0")
    assert norm(page) < 1e-2
    bend = lab_server.kernel_says(
        page,
        "import torch\n"
        "from spectral_lab.live.problem import input_square\n"
        "x = input_square(); plane = torch.cat([x, torch.ones(len(x), 1)], 1)\n"
        "y = playground.network(x).detach()\n"
        "print(float((y - plane @ torch.linalg.lstsq(plane, y).solution).abs().max()))",
    )
    assert float(bend) < 1e-2

    type_value(page, "rho", 1e-4)
    wait_for(page, "+graph.live >= 3")
    wait_for(page, "/[1-9]\\d* of 30 hidden neurons live/.test(words)")


def test_each_slider_moves_what_it_names(page: Any) -> None:
    page.click("[data-action=train]")
    for name, share, low, high in [
        ("alpha", 0.5, 0.4, 0.6),
        ("beta", 1.0, 900, 1000),
        ("rho", 1.0, 5, 10),
        ("threshold", 1.0, 5, 10),
    ]:
        drag(page, name, share)
        code = f"print({low} <= playground.{name} <= {high})"
        lab_server.in_the_end(page, lambda code=code: lab_server.kernel_says(page, code) == "True")


def test_the_pruning_threshold_changes_graph_counter_and_words_at_once_even_while_paused(page: Any) -> None:
    type_value(page, "alpha", 1)
    page.click("[data-action=train]")
    wait_for(page, "+graph.live >= 3")
    pause(page)
    page.wait_for_timeout(500)  # the views that were left out catch up
    before, live = coloured(page), int(state(page)["live"])
    drag(page, "threshold", 0.6)
    wait_for(page, f"+graph.pruned > 0 && +graph.live < {live} && /pruned, loss without them/.test(words)")
    lab_server.in_the_end(page, lambda: coloured(page) < before)


def test_pause_step_and_reset(page: Any) -> None:
    page.click("[data-action=train]")
    wait_for(page, "+root.step > 20")
    paused = pause(page)
    page.wait_for_timeout(600)
    assert int(state(page)["step"]) == paused
    page.click("[data-action=step]")
    wait_for(page, f"+root.step === {paused + 1}")
    page.click("[data-action=reset]")
    wait_for(page, "+root.step === 0")


def test_a_burst_of_moves_leaves_no_backlog(page: Any) -> None:
    lab_server.kernel_says(page, "seen = []; playground.observe(seen.append, 'alpha')")
    page.click("[data-action=train]")
    wait_for(page, "+root.step > 20")
    page.evaluate(
        """() => {
            const slider = document.querySelector('input[data-setting=alpha]');
            for (let k = 1; k <= 500; k++) {
                slider.value = k === 500 ? 0.37 : (k % 100) / 100;
                slider.dispatchEvent(new Event('input', { bubbles: true }));
            }
        }"""
    )
    wait_for(page, "root.alpha === '0.37'")
    step = int(state(page)["step"])
    wait_for(page, f"+root.step > {step} + 50")  # it goes on, and nothing was queued
    assert int(lab_server.kernel_says(page, "playground.unobserve(seen.append, 'alpha'); print(len(seen))")) < 20


def test_bad_input_is_answered_in_words_and_the_instrument_goes_on(page: Any) -> None:
    type_value(page, "alpha", 7)
    page.wait_for_function("() => document.querySelector('.sl-alarm').textContent.includes('alpha = 7')", timeout=STAGE)
    assert page.locator("[data-field=alpha]").input_value() in ("0", "7")
    type_value(page, "rho", "much")
    page.wait_for_function("() => document.querySelector('.sl-alarm').textContent.includes('rho')", timeout=STAGE)
    page.click("[data-action=train]")
    wait_for(page, "+root.step > 5")
    assert state(page)["alarm"] == ""


def test_a_diverging_run_is_paused_and_explained(page: Any) -> None:
    page.click("[data-action=train]")
    wait_for(page, "+root.step > 20")
    lab_server.kernel_says(page, "playground.network.eigenvalues[1].data.fill_(float('nan'))")
    page.wait_for_function("() => document.querySelector('.sl-alarm').textContent.includes('Lower lr')", timeout=STAGE)
    assert not state(page)["playing"]
    type_value(page, "lr", 0.005)
    page.click("[data-action=train]")
    step = int(state(page)["step"])
    wait_for(page, f"+root.step > {step} + 20")


def test_python_moves_the_sliders(page: Any) -> None:
    lab_server.kernel_says(page, "playground.alpha = 0.25")
    wait_for(page, "root.alpha === '0.25'")
    assert page.locator("input[type=range][data-setting=alpha]").input_value() == "0.25"


def test_the_keyboard_reaches_every_control_and_moves_it(page: Any) -> None:
    slider = page.locator("input[type=range][data-setting=alpha]")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    wait_for(page, "root.alpha === '0.03'")
    unlabelled = page.evaluate(
        """() => [...document.querySelectorAll('.sl-root :is(input, select, button)')]
            .filter(e => !(e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim()) || e.tabIndex < 0)
            .map(e => e.outerHTML)"""
    )
    assert unlabelled == []
    assert page.evaluate("() => document.querySelectorAll('.jp-Notebook .jp-Cell').length") > 3  # no shortcut cut a cell


def test_the_canvases_follow_the_theme_even_while_paused(page: Any) -> None:
    inputs = """() => {
        const c = document.querySelector('.sl-graph canvas');
        const d = c.getContext('2d').getImageData(40, 0, 12, c.height).data;
        let bright = 0; // of the strip in which the input nodes stand: bright pixels less dark ones
        for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200) bright += d[i] + d[i + 1] + d[i + 2] > 380 ? 1 : -1;
        return bright;
    }"""
    change = "theme => jupyterapp.commands.execute('apputils:change-theme', { theme })"
    assert page.evaluate(inputs) < 0  # filled with dark ink
    try:
        page.evaluate(change, "JupyterLab Dark")
        lab_server.in_the_end(page, lambda: page.evaluate(inputs) > 0)
    finally:
        page.evaluate(change, "JupyterLab Light")
        page.wait_for_timeout(3000)


def test_hidden_layers_can_be_added_and_sized(page: Any) -> None:
    page.get_by_label("one hidden layer more").click()
    page.wait_for_function("() => document.querySelectorAll('[data-layer]').length === 2", timeout=STAGE)
    assert lab_server.kernel_says(page, "print(playground.hidden)") == "(30, 30)"
    page.get_by_label("one hidden layer less").click()
    page.wait_for_function("() => document.querySelectorAll('[data-layer]').length === 1", timeout=STAGE)


def test_running_the_cell_again_retires_the_old_instrument(page: Any) -> None:
    lab_server.kernel_says(page, "import ipywidgets, threading; old = playground; before = threading.active_count()")
    lab_server.run_cell(page, FIRST)
    page.wait_for_function("() => document.querySelectorAll('.sl-root[data-frames]').length === 1", timeout=STAGE)
    said = lab_server.kernel_says(page, "print(old.comm is None, playground is not old, threading.active_count() - before)")
    assert said == "True True 0"
    page.click("[data-action=train]")
    wait_for(page, "+root.step > 5")


def test_a_reloaded_page_shows_the_same_instrument(page: Any, server: lab_server.Server) -> None:
    page.click("[data-action=train]")
    wait_for(page, "+root.step > 50")
    step = pause(page)
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(1000)
    page.goto(server.url, wait_until="commit")
    page.wait_for_selector(".sl-root[data-frames]", timeout=60_000)
    page.wait_for_function("() => globalThis.jupyterapp", timeout=30_000)
    assert int(state(page)["step"]) == step
    page.click("[data-action=train]")
    wait_for(page, f"+root.step > {step}")


def test_the_server_reported_no_traceback(open_page: Any, server: lab_server.Server) -> None:
    assert server.tracebacks == []


def test_a_lost_kernel_is_said_so(open_page: Any) -> None:
    page = open_page
    page.evaluate(f"() => ({lab_server.PANEL}).sessionContext.session.kernel.restart()")
    page.wait_for_timeout(3000)
    page.locator("input[type=range][data-setting=alpha]").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.sl-alarm').textContent.includes('not connected')", timeout=STAGE)
    lab_server.run_cell(page, FIRST)
    page.wait_for_function("() => [...document.querySelectorAll('.sl-root')].some(e => e.dataset.step === '0')", timeout=40_000)
    assert lab_server.kernel_says(page, "print(playground.step)") == "0"
