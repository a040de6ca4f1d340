"""Notebook 05 in a real browser: all of it is run, and the races are started, watched and moved by hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab_server
import nbformat
import pytest

pytestmark = pytest.mark.browser
NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "05_fewer_parameters.ipynb"
CELLS = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells]
DENSE, SPARSE = (
    next(k for k, source in enumerate(CELLS) if source.endswith(f"\n{name}")) for name in ("track", "sparse_track")
)
STAGE = 30_000  # ms


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The notebook after all of its cells were run."""
    lab_server.need_a_browser()
    folder = tmp_path_factory.mktemp("course")
    shutil.copy(NOTEBOOK, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECTRAL_LAB_FAST", "1")
        with lab_server.running(folder, NOTEBOOK.name) as server, lab_server.browser_page() as page:
            lab_server.open_notebook(page, server)
            lab_server.run_all(page)
            page.wait_for_function(
                f"() => ({lab_server.PANEL}).content.widgets.filter(c => c.model.type === 'code').at(-1).model.executionCount",
                timeout=240_000,
            )
            yield page
            assert not [problem for problem in page.problems if "sl-" in problem or "blob:" in problem]
            assert server.tracebacks == []


def show(page: Any, cell: int) -> Any:
    """Scroll to the cell's race and wait until it has been drawn."""
    page.evaluate(
        f"i => {{ const n = ({lab_server.PANEL}).content; n.activeCellIndex = i; n.scrollToItem(i, 'start'); }}", cell
    )
    race = page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .sl-race[data-pictures]")
    race.wait_for(timeout=STAGE)
    race.scroll_into_view_if_needed()
    return race


def told(race: Any) -> dict[str, Any]:
    """The counters, and what the table says of each lane: trained numbers and accuracy."""
    return race.evaluate(
        """root => ({ ...root.dataset, alarm: root.querySelector('.sl-alarm').textContent,
            lanes: Object.fromEntries([...root.querySelectorAll('[data-lane]')].map(row => [row.dataset.lane,
                [...row.querySelectorAll('.sl-bar, .sl-back, .sl-now')].map(c => +c.textContent.replace(/,/g, ''))])) })"""
    )


def wait_for(page: Any, race: Any, condition: str) -> None:
    """Wait for a condition on ``data``, the counters of the page."""
    page.wait_for_function(
        f"root => {{ const data = root.dataset; return {condition}; }}", arg=race.element_handle(), timeout=STAGE
    )


def coloured(race: Any) -> int:
    """Pixels of the curves' canvas that have a colour."""
    return race.evaluate(
        """root => {
            const c = root.querySelector('.sl-middle canvas');
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            let n = 0;
            for (let i = 0; i < d.length; i += 4) {
                const [r, g, b, opaque] = d.slice(i, i + 4);
                if (opaque > 60 && Math.max(r, g, b) - Math.min(r, g, b) > 60) n++;
            }
            return n;
        }"""
    )


def slide(page: Any, race: Any, name: str, share: float) -> None:
    """Drag a slider's handle to a share of its length."""
    slider = race.locator(f"input[type=range][data-setting={name}]")
    box = slider.bounding_box()
    low, high, now = (float(slider.evaluate(f"e => e.{what}")) for what in ("min", "max", "value"))
    place = lambda part: box["x"] + 8 + part * (box["width"] - 16)  # noqa: E731
    page.mouse.move(place((now - low) / (high - low)), box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(place(share), box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()


def test_the_race_is_started_grows_pauses_and_follows_the_width(page: Any) -> None:
    race = show(page, DENSE)
    assert told(race)["step"] == "0"
    before = coloured(race)
    race.locator("[data-action=start]").click()
    wait_for(page, race, "+data.step >= 200")
    race.locator("[data-action=pause]").click()
    wait_for(page, race, "data.playing === 'false'")
    found = told(race)
    assert coloured(race) > before + 200
    assert {name: trained for name, (trained, _) in found["lanes"].items()} == {
        "direct": 7510,
        "spectral": 384,
        "s_svd": 458,
        "s_qr": 2519,
    }
    assert min(accuracy for _, accuracy in found["lanes"].values()) > 0.6
    page.wait_for_timeout(500)
    assert told(race)["step"] == found["step"]

    slide(page, race, "hidden", 0.6)
    wait_for(page, race, f"+data.build > {found['build']} && data.step === '0'")
    page.wait_for_timeout(600)
    width = int(lab_server.kernel_says(page, "print(track.race.rules.hidden)"))
    assert 200 <= width <= 280
    assert told(race)["lanes"]["direct"][0] == 64 * width + width * 10 + width + 10
    assert race.locator("[data-field=hidden]").input_value() == str(width)


def test_the_kernel_answers_other_cells_while_it_races(page: Any) -> None:
    race = show(page, DENSE)
    race.locator("[data-action=reset]").click()
    wait_for(page, race, "data.step === '0'")
    race.locator("[data-action=start]").click()
    wait_for(page, race, "+data.step >= 20")
    assert lab_server.kernel_says(page, "print(track.playing, 6 * 7)") == "True 42"
    assert lab_server.kernel_says(page, "track.act('pause')") == ""
    wait_for(page, race, "data.playing === 'false'")


def test_what_is_typed_while_it_races_is_not_lost_and_nonsense_is_answered_in_words(page: Any) -> None:
    race = show(page, DENSE)
    field = race.locator("[data-field=hidden]")
    race.locator("[data-action=start]").click()
    for text, width in (("16", 16), ("0", 16), ("wide", 16)):
        field.fill(text)
        page.wait_for_timeout(400)  # pictures come in between
        field.press("Enter")
        page.wait_for_timeout(600)
        assert int(lab_server.kernel_says(page, "print(track.race.rules.hidden)")) == width
        assert bool(told(race)["alarm"]) == (text != "16")
    race.locator("[data-action=reset]").click()
    wait_for(page, race, "data.step === '0'")
    assert told(race)["alarm"] == ""


def test_in_the_sparse_race_weights_come_back_and_the_sparsity_moves(page: Any) -> None:
    race = show(page, SPARSE)
    race.locator("[data-action=start]").click()
    wait_for(page, race, "+data.step >= 150")
    lanes = told(race)["lanes"]
    assert lanes["direct"][1] == 0
    assert lanes["s_qr"][1] > 50
    slide(page, race, "sparsity", 0.5)
    wait_for(page, race, "+data.step < 150")
    page.wait_for_timeout(600)
    assert 0.4 < float(lab_server.kernel_says(page, "print(sparse_track.race.rules.sparsity)")) < 0.6
    wait_for(page, race, "+data.step >= 100")
    assert told(race)["lanes"]["s_qr"][2] > 0.5
    race.locator("[data-action=dense]").click()
    wait_for(page, race, "data.step === '0'")
    assert len(told(race)["lanes"]) == 4
