"""The playground in every front end: JupyterLab, Notebook 7, Voilà, and on the kernel of yesterday.

One notebook shows one instrument twice and another one once, and below them the two views of images.  What
``test_browser.py`` and ``test_images_browser.py`` check in JupyterLab is not checked again here.  The tests that end the
kernel come last.
"""

from __future__ import annotations

import json
import os
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab_server
import nbformat
import pytest

pytestmark = pytest.mark.browser

CELLS = (
    "from IPython.display import display\n"
    "from spectral_lab.live import Playground\n"
    "p = Playground(alpha=0.0, hidden=(12,))\n"
    "display(p)",
    "display(p)",
    "q = Playground(alpha=1.0, hidden=(5,), seed=1)\ndisplay(q)",
    "from spectral_lab.live import FilterBench, ImageHead\nhead = ImageHead(hidden=6)\ndisplay(head)",
    "filters = FilterBench(channels=(4, 6), epochs=5)\ndisplay(filters)",
)
FIRST, AGAIN, OTHER = range(3)  # the places of the two views of p and of the view of q in the page
OLD = Path(sys.prefix) / "ipykernel6"  # made by `make test`
SOON, LATER = 8_000, 60_000  # ms; machines that run tests are slow


def fronts(*names: str) -> Any:
    """Run a test in some front ends; pytest sorts the tests so that each front end is started once."""
    return pytest.mark.parametrize("front", names, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def _needs_a_browser() -> None:
    lab_server.need_a_browser()


class Front:
    """The open notebook: a hand, and eyes on what the page shows."""

    def __init__(self, name: str, page: Any, server: lab_server.Server, file: Path) -> None:
        self.name, self.page, self.server, self.file = name, page, server, file

    def wait_until_shown(self) -> None:
        """Until the three views have their first picture, and there is no fourth."""
        self.page.wait_for_function("() => document.querySelectorAll('.sl-root[data-frames]').length === 3", timeout=LATER)

    def root(self, view: int) -> Any:
        return self.page.locator(".sl-root").nth(view)

    def data(self, view: int) -> dict[str, Any]:
        """The counters that the view shows; they come from the kernel."""
        return {name: float(self.root(view).get_attribute(f"data-{name}")) for name in ("step", "alpha", "rho", "frames")}

    def wait(self, view: int, condition: str, timeout: float = SOON) -> None:
        """Wait for a condition on ``data``, the counters of a view, and ``root``, its element."""
        self.page.wait_for_function(
            f"""i => {{
                const root = document.querySelectorAll('.sl-root')[i], data = root?.dataset;
                return data && ({condition});
            }}""",
            arg=view,
            timeout=timeout,
        )

    def train(self, view: int, on: bool = True) -> None:
        """Press Train or Pause, unless that is how it is."""
        button = self.root(view).locator("[data-action=train]")
        if (button.get_attribute("data-playing") == "true") != on:
            button.click()
        self.wait(view, f"root.querySelector('[data-action=train]').dataset.playing === '{str(on).lower()}'")

    def drag(self, view: int, name: str, share: float) -> None:
        """Drag a slider's handle with the mouse to a share of its length."""
        slider = self.root(view).locator(f"input[type=range][data-setting={name}]")
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        low, high, now = (float(slider.evaluate(f"e => e.{what}")) for what in ("min", "max", "value"))
        y, handle = box["y"] + box["height"] / 2, 16
        places = [box["x"] + handle / 2 + part * (box["width"] - handle) for part in ((now - low) / (high - low), share)]
        self.page.mouse.move(places[0], y)
        self.page.mouse.down()
        self.page.mouse.move(places[1], y, steps=8)
        self.page.mouse.up()

    def says(self, code: str) -> str:
        """What the kernel prints."""
        return lab_server.kernel_says(self.page, code)

    def painted(self, view: int) -> list[int]:
        """For each picture of a view a number that stands for its pixels; 0 for an empty one."""
        return self.root(view).evaluate(
            """root => [...root.querySelectorAll('.sl-picture > canvas')].map(c => {
                const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
                let filled = 0, sum = 7;
                for (let i = 0; i < d.length; i += 4) if (d[i + 3]) {
                    filled++;
                    sum = (sum * 31 + d[i] + 7 * d[i + 1] + 13 * d[i + 2] + i) % 2147483647;
                }
                return filled > 100 ? sum : 0;
            })"""
        )


@pytest.fixture(scope="module")
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    name, old = request.param, request.param == "ipykernel 6"
    app = "notebook" if old else name
    if old and not OLD.is_dir():
        lab_server.missing(f"there is no {OLD}", "make test")
    file = tmp_path_factory.mktemp("course") / "several.ipynb"
    lab_server.write_notebook(file, *CELLS, kernel_name="ipykernel6" if old else "python3")
    with lab_server.running(file.parent, file.name, app) as server, lab_server.browser_page() as page:
        if old:
            _install_old_kernel(server.home / "data" / "kernels" / "ipykernel6")
        lab_server.open_notebook(page, server)
        if app != "voila":
            lab_server.run_all(page)
        front = Front(name, page, server, file)
        front.wait_until_shown()
        yield front


def _install_old_kernel(folder: Path) -> None:
    search = os.pathsep.join([str(OLD), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    folder.mkdir(parents=True)
    spec = {"argv": command, "display_name": "ipykernel 6", "language": "python", "env": {"PYTHONPATH": search}}
    (folder / "kernel.json").write_text(json.dumps(spec))


@pytest.fixture(autouse=True)
def no_error_of_ours(front: Front) -> Iterator[None]:
    """The instrument comes to the page as a module of its own, at a blob: address."""
    yield
    found = [problem for problem in front.page.problems if "blob:" in problem or "sl-" in problem]
    front.page.problems.clear()
    assert found == []


# -- one instrument ----------------------------------------------------------------------------------------------------


@fronts("notebook", "lab", "voila", "ipykernel 6")
def test_it_shows_up_and_trains(front: Front) -> None:
    before = front.painted(FIRST)
    assert len(before) >= 4
    front.train(FIRST)
    front.wait(FIRST, "+data.step > 200")
    front.train(FIRST, False)
    front.page.wait_for_timeout(500)
    after = front.painted(FIRST)
    assert all(after)
    assert sum(a != b for a, b in zip(before, after, strict=True)) >= 4


@fronts("notebook", "lab", "voila", "ipykernel 6")
def test_a_dragged_slider_moves_the_kernel(front: Front) -> None:
    front.train(FIRST)
    front.drag(FIRST, "alpha", 0.7)
    front.wait(FIRST, "+data.alpha > 0.65 && +data.alpha < 0.75")
    step = front.data(FIRST)["step"]
    front.wait(FIRST, f"+data.step > {step} + 50")
    front.train(FIRST, False)
    if front.name != "voila":
        assert 0.65 < float(front.says("print(p.alpha)")) < 0.75
        assert front.says("print(p.step)") == str(int(front.data(FIRST)["step"]))


@fronts("ipykernel 6")
def test_the_kernel_of_yesterday_says_errors_in_words(front: Front) -> None:
    assert front.says("import ipykernel; print(ipykernel.__version__)").startswith("6.")
    field = front.root(FIRST).locator("[data-field=alpha]")
    field.fill("7")
    field.press("Enter")
    front.wait(FIRST, "root.querySelector('.sl-alarm').textContent.includes('alpha = 7')")
    assert front.root(FIRST).locator(".sl-alarm").is_visible()
    front.train(FIRST)
    front.wait(FIRST, "root.querySelector('.sl-alarm').textContent === ''")
    front.train(FIRST, False)
    assert front.server.tracebacks == []


# -- several -----------------------------------------------------------------------------------------------------------


@fronts("notebook", "lab", "voila")
def test_two_views_of_one_instrument_show_the_same(front: Front) -> None:
    front.train(FIRST)
    step = front.data(FIRST)["step"]
    for view in (FIRST, AGAIN):
        front.wait(view, f"+data.step > {step} + 100")
    for here, there, share in [(FIRST, AGAIN, 0.9), (AGAIN, FIRST, 0.3)]:
        before = front.data(here)["rho"]
        front.drag(here, "rho", share)
        front.wait(here, f"+data.rho !== {before}")
        front.page.wait_for_timeout(500)
        rho = front.data(here)["rho"]
        front.wait(there, f"+data.rho === {rho}")
        assert float(front.root(there).locator("[data-field=rho]").input_value()) == pytest.approx(rho, rel=0.1)
    assert rho < 1e-2
    front.train(AGAIN, False)
    front.wait(FIRST, "root.querySelector('[data-action=train]').dataset.playing === 'false'")
    lab_server.in_the_end(front.page, lambda: front.data(FIRST) | {"frames": 0} == front.data(AGAIN) | {"frames": 0})
    assert all(front.painted(AGAIN))


@fronts("notebook", "lab", "voila")
def test_two_instruments_do_not_disturb_each_other(front: Front) -> None:
    other = front.data(OTHER)
    front.drag(FIRST, "alpha", 0.2)
    front.wait(FIRST, "+data.alpha < 0.3")
    front.train(FIRST)
    front.wait(FIRST, f"+data.step > {front.data(FIRST)['step']} + 50")
    assert front.data(OTHER) == other
    front.train(OTHER)  # both at once
    step, others = front.data(FIRST)["step"], other["step"]
    front.wait(OTHER, f"+data.step > {others} + 50")
    front.wait(FIRST, f"+data.step > {step} + 50")
    front.train(FIRST, False)
    one = front.data(FIRST)
    front.drag(OTHER, "alpha", 0.5)
    front.wait(OTHER, "+data.alpha > 0.4 && +data.alpha < 0.6")
    front.train(OTHER, False)
    now = front.data(FIRST)
    assert (now["step"], now["alpha"]) == (one["step"], one["alpha"])


@fronts("notebook", "voila")
def test_the_views_of_images_work_here_too(front: Front) -> None:
    head, filters = front.page.locator(".sl-imagehead"), front.page.locator(".sl-filterbench")
    head.locator("[data-action=start]").click()
    lab_server.wait_for(front.page, head, "+data.step >= 60 && +data.live >= 1")
    lab_server.slide(front.page, head, "rho", 0.9)
    lab_server.wait_for(front.page, head, "+data.rho > 0.1 && +data.rho < 1")
    head.locator("[data-action=pause]").click()
    lab_server.wait_for(front.page, head, "data.playing === 'false'")
    assert lab_server.coloured(head, "section:last-child canvas") > 100  # the accuracy
    filters.scroll_into_view_if_needed()
    lab_server.slide(front.page, filters, "kept", 0.5)
    lab_server.wait_for(front.page, filters, "data.kept === '5'")
    filters.locator("[data-action=real]").click()
    lab_server.wait_for(front.page, filters, "data.real === 'true'")
    assert "the same accuracy" in filters.locator(".sl-report").inner_text()
    if front.name != "voila":
        assert front.says("print(filters.kept, head.head.step)") == f"5 {head.get_attribute('data-step')}"


# -- what is on the screen ---------------------------------------------------------------------------------------------

OVERFLOW = """root => {
    const found = [], width = document.documentElement.clientWidth;
    for (let e = root; e; e = e.parentElement)
        if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth) found.push(`${e.tagName} ${e.className} scrolls`);
    const own = root.parentElement.getBoundingClientRect();
    for (const e of root.querySelectorAll(':not(.sl-spoken, option)')) {
        const box = e.getBoundingClientRect(), out = box.right > Math.min(own.right, width) + 1 || box.left < own.left - 1;
        if (box.width && out) found.push(e.outerHTML.slice(0, 90));
    }
    return found;
}"""


@fronts("notebook", "lab", "voila")
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
def test_it_fits_the_projector(front: Front, width: int, height: int) -> None:
    try:
        front.page.set_viewport_size({"width": width, "height": height})
        front.page.wait_for_timeout(500)
        assert front.root(FIRST).evaluate(OVERFLOW) == []
        graph = front.root(FIRST).locator(".sl-graph > canvas").bounding_box()
        assert graph["height"] >= 0.4 * height
        assert graph["width"] >= 0.2 * width
    finally:
        front.page.set_viewport_size({"width": 1280, "height": 720})


@fronts("notebook", "lab", "voila")
def test_in_a_narrow_column_nothing_is_cut_off(front: Front) -> None:
    front.root(FIRST).evaluate("root => { root.parentElement.style.width = '400px'; }")
    try:
        front.page.wait_for_timeout(500)
        assert front.root(FIRST).evaluate(OVERFLOW) == []
        hidden = front.root(FIRST).evaluate(
            """async root => {
                const found = [];
                for (const e of root.querySelectorAll('button, input, select, .sl-picture > canvas')) {
                    e.scrollIntoView({ block: 'center' });
                    await new Promise(requestAnimationFrame);
                    const box = e.getBoundingClientRect();
                    const there = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
                    if (box.width < 13 || box.height < 13 || !e.contains(there)) found.push(e.outerHTML.slice(0, 90));
                }
                return found;
            }"""
        )
        assert hidden == []
        assert all(front.painted(FIRST))
        front.drag(FIRST, "alpha", 0.6)
        front.wait(FIRST, "+data.alpha > 0.5 && +data.alpha < 0.7")
    finally:
        front.root(FIRST).evaluate("root => { root.parentElement.style.width = ''; root.scrollIntoView(); }")


# WCAG's contrast: of each piece of text with what lies behind it, and of the strongest ink in the network's picture.
CONTRAST = """root => {
    const parse = text => {
        const n = text.match(/[\\d.]+/g).map(Number), scale = text.startsWith('color(') ? 255 : 1;
        return [...n.slice(0, 3).map(v => v * scale), n[3] ?? 1];
    };
    const light = rgb => {
        const [r, g, b] = rgb.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (a, b) => {
        const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
        return (x + 0.05) / (y + 0.05);
    };
    const behind = e => {
        for (; e; e = e.parentElement) {
            const c = parse(getComputedStyle(e).backgroundColor);
            if (c[3] === 1) return c.slice(0, 3);
        }
        return [255, 255, 255];
    };
    const over = (ink, opacity, paper) => ink.map((v, i) => opacity * v + (1 - opacity) * paper[i]);
    const faint = [];
    for (const e of root.querySelectorAll('*')) {
        const text = e.matches('input:not([type=range], [type=checkbox]), select') ? e.value
            : [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data).join('').trim();
        if (!text || e.matches('option') || !e.checkVisibility() || e.matches(':disabled') || e.closest('.sl-spoken')) continue;
        const paper = behind(e), ink = parse(getComputedStyle(e).color);
        let opacity = ink[3];
        for (let p = e; p && p !== root; p = p.parentElement) opacity *= +getComputedStyle(p).opacity;
        const found = contrast(over(ink.slice(0, 3), opacity, paper), paper);
        if (found < 4.5) faint.push(`${text}: ${found.toFixed(1)}`);
    }
    const paper = behind(root), c = root.querySelector('.sl-graph > canvas');
    const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    let strong = 0;
    for (let i = 0; i < d.length; i += 4)
        if (d[i + 3] > 200 && Math.abs(d[i] - d[i + 2]) < 30) // grey, not the colour of a sign
            if (contrast(over([d[i], d[i + 1], d[i + 2]], d[i + 3] / 255, paper), paper) > 7) strong++;
    return { faint, strong, paper: light(paper) };
}"""


def check_readable(front: Front, dark: bool) -> None:
    for _ in range(40):  # the colours of a theme come a moment after its name
        seen = front.root(FIRST).evaluate(CONTRAST)
        if (seen["paper"] < 0.1) == dark and seen["strong"] > 100:
            break
        front.page.wait_for_timeout(200)
    assert (seen["paper"] < 0.1) == dark
    assert seen["strong"] > 100
    assert seen["faint"] == []


@fronts("notebook", "lab")
def test_light_and_dark_are_readable(front: Front) -> None:
    change = "theme => jupyterapp.commands.execute('apputils:change-theme', { theme })"
    check_readable(front, dark=False)
    front.page.evaluate(change, "JupyterLab Dark")
    check_readable(front, dark=True)
    front.page.evaluate(change, "JupyterLab Light")
    check_readable(front, dark=False)


@fronts("voila")
def test_a_reloaded_page_is_a_new_lesson_and_may_be_dark(front: Front) -> None:
    check_readable(front, dark=False)
    front.page.goto(front.server.url + "&theme=dark", wait_until="commit")
    front.wait_until_shown()
    assert front.data(FIRST)["step"] == 0
    check_readable(front, dark=True)
    front.train(FIRST)
    front.wait(FIRST, "+data.step > 50")
    front.train(FIRST, False)


# -- a day in the life of a page ---------------------------------------------------------------------------------------


@fronts("notebook")
def test_a_hidden_page_stops_the_training(front: Front) -> None:
    """Simulated, for a headless Chromium never hides a page: it says that it is hidden, and no animation frame comes."""
    front.train(FIRST)
    front.wait(FIRST, f"+data.step > {front.data(FIRST)['step']} + 50")
    front.page.evaluate(
        """() => {
            const shown = globalThis.requestAnimationFrame, held = [];
            const say = hidden => {
                Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
                const value = hidden ? 'hidden' : 'visible';
                Object.defineProperty(document, 'visibilityState', { configurable: true, value });
                document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
            };
            globalThis.requestAnimationFrame = f => 1e9 + held.push(f);
            globalThis.showAgain = () => { globalThis.requestAnimationFrame = shown; say(false); held.forEach(f => shown(f)); };
            say(true);
        }"""
    )
    try:
        front.page.wait_for_timeout(800)
        hidden = int(front.says("print(p.step)"))
        front.page.wait_for_timeout(800)
        assert int(front.says("print(p.step)")) == hidden
    finally:
        front.page.evaluate("() => showAgain()")
    front.wait(FIRST, f"+data.step > {hidden} + 50")
    front.train(FIRST, False)


@fronts("notebook", "lab")
def test_a_cell_run_again_and_again_leaves_nothing_behind(front: Front) -> None:
    count = (
        "import gc, ipywidgets; gc.collect()\n"
        "print(len(ipywidgets.widgets.widget._instances),"
        " sum(type(thing) is Playground for thing in gc.get_objects()))"
    )
    before = front.says(count)
    front.says("olds = []")
    for _ in range(3):
        front.says("olds.append(q)")
        frames = front.data(OTHER)["frames"]
        lab_server.run_cell(front.page, OTHER)
        front.wait(OTHER, f"+data.step === 0 && +data.frames <= {frames}")
        front.train(OTHER)
        front.wait(OTHER, "+data.step > 20")
        front.train(OTHER, False)
    assert front.says("print({old.comm for old in olds}, q in olds)") == "{None} False"
    front.wait_until_shown()  # no fourth view
    assert front.says("del olds") == ""
    assert front.says(count) == before
    front.train(FIRST)  # the other instrument lives on, in both of its views
    front.wait(AGAIN, f"+data.step > {front.data(AGAIN)['step']} + 20")
    front.train(FIRST, False)


@fronts("notebook", "lab")
def test_a_saved_notebook_holds_pictures_and_no_widget_state(front: Front) -> None:
    front.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    front.page.wait_for_timeout(800)
    saved = nbformat.read(front.file, as_version=4)
    assert "widgets" not in saved.metadata
    for cell in saved.cells:
        (output,) = cell.outputs
        assert b64decode(output.data["image/png"]).startswith(b"\x89PNG")


@fronts("notebook")
def test_a_reloaded_page_shows_the_same_instruments(front: Front) -> None:
    steps = [front.data(view)["step"] for view in (FIRST, AGAIN, OTHER)]
    front.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    front.page.wait_for_timeout(800)
    front.page.goto(front.server.url, wait_until="commit")
    front.wait_until_shown()
    front.page.wait_for_function("() => globalThis.jupyterapp", timeout=LATER)
    assert [front.data(view)["step"] for view in (FIRST, AGAIN, OTHER)] == steps
    front.train(FIRST)
    for view in (FIRST, AGAIN):
        front.wait(view, f"+data.step > {steps[0]} + 50")
    front.train(FIRST, False)
    assert front.data(OTHER)["step"] == steps[2]


# -- without a kernel --------------------------------------------------------------------------------------------------


def check_lost(front: Front, view: int) -> None:
    front.wait(view, "root.querySelector('.sl-alarm').textContent.includes('not connected')", 15_000)
    assert front.root(view).locator(".sl-alarm").is_visible()


@fronts("notebook")
def test_a_restarted_kernel_is_said_in_words_and_the_cell_brings_it_back(front: Front) -> None:
    front.train(FIRST)
    front.page.evaluate(f"() => ({lab_server.PANEL}).sessionContext.session.kernel.restart()")
    for view in (FIRST, AGAIN):
        check_lost(front, view)
    lab_server.run_cell(front.page, FIRST)
    front.wait(FIRST, "data.step === '0' && !root.querySelector('.sl-alarm').textContent", LATER)
    front.train(FIRST)
    front.wait(FIRST, "+data.step > 20")
    front.train(FIRST, False)


@fronts("notebook", "lab", "voila")
def test_a_kernel_that_is_gone_is_said_in_words(front: Front) -> None:
    front.train(FIRST)
    front.server.end_kernel()
    check_lost(front, FIRST)
