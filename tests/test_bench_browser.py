"""Notebook 06 in a real browser: all of it is run, and the bench's slider is dragged while graph, accuracy and curve follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab_server
import nbformat
import pytest
from lab_server import coloured, held_back, settled, show, slide, wait_for

pytestmark = pytest.mark.browser
NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "06_spectral_pruning.ipynb"
CELLS = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells]
MAIN, OWN = (next(k for k, source in enumerate(CELLS) if source.endswith(f"\n{name}")) for name in ("bench", "own_bench"))
STAGE = 30_000  # ms


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The notebook after all of its cells were run."""
    with lab_server.finished(NOTEBOOK, tmp_path_factory.mktemp("course")) as page:
        yield page


@pytest.fixture
def bench(page: Any) -> Any:
    """The bench of Section 2, at share 0 by the eigenvalue."""
    root = show(page, MAIN, "sl-bench")
    lab_server.kernel_says(page, "bench.move(share=0.0, ranking='eigenvalue')")
    wait_for(page, root, "data.share === '0.0000' && data.ranking === 'eigenvalue'")
    return root


def told(root: Any) -> dict[str, Any]:
    """The counters, and what the page says in words."""
    return root.evaluate(
        """root => ({ ...root.dataset, alarm: root.querySelector('.sl-alarm').textContent,
            big: root.querySelector('.sl-big').textContent, left: root.querySelector('.sl-left').textContent,
            caption: root.querySelector('.sl-graph figcaption').textContent,
            report: root.querySelector('.sl-report').hidden ? '' : root.querySelector('.sl-report').textContent })"""
    )


def mark(root: Any) -> float:
    """Where the round mark stands on the curve, as a share of the canvas' width: the longest column of blue pixels."""
    return root.evaluate(
        """root => {
            const c = root.querySelector('.sl-side canvas'), high = Math.round(0.6 * c.height);
            const { data } = c.getContext('2d').getImageData(0, 0, c.width, high);
            const blue = (x, y) => { const i = 4 * (y * c.width + x); return data[i + 2] - data[i] > 80 && data[i + 3] > 200; };
            let best = [0, 0];
            for (let x = 0; x < c.width; x++) {
                let n = 0, longest = 0;
                for (let y = 0; y < high; y++) { n = blue(x, y) ? n + 1 : 0; longest = Math.max(longest, n); }
                if (longest > best[0]) best = [longest, x];
            }
            return best[1] / c.width;
        }"""
    )


def test_all_cells_ran_but_those_that_wait_for_the_reader(page: Any) -> None:
    assert lab_server.failures(page) == []


def test_graph_accuracy_and_curve_follow_the_slider(page: Any, bench: Any) -> None:
    before, links, at = told(bench), coloured(bench, ".sl-graph canvas"), mark(bench)
    assert links > 3000
    slide(page, bench, "share", 0.8)
    wait_for(page, bench, "+data.share > 0.7")
    settled(page, bench)
    after = told(bench)
    share, accuracy = lab_server.kernel_says(page, "print(bench.share, f'{bench.accuracy:.3f}')").split()
    assert 0.7 < float(share) < 0.9
    assert after["share"] == f"{float(share):.4f}"
    assert after["big"] == accuracy < before["big"]
    keep = 100 - round(100 * float(share))
    assert f"{keep} of 100 neurons left" in after["left"]
    assert f"64–{keep}–10" in after["caption"]
    assert coloured(bench, ".sl-graph canvas") < 0.6 * links
    assert 0.6 < mark(bench) - at < 0.85  # the axis takes nine tenths of the canvas


def test_a_drag_does_not_wait_for_the_kernel(page: Any, bench: Any) -> None:
    with held_back(page):
        slide(page, bench, "share", 0.5)
        wait_for(page, bench, "+data.share > 0.4 && +data.share < 0.6")
        found = told(bench)
        assert found["waiting"] == "true"
        assert float(found["accuracy"]) == pytest.approx(float(found["big"]), abs=6e-4)
        assert f"{found['keep']} of 100 neurons left" in found["left"]
    settled(page, bench)  # what came last meanwhile is told last
    assert float(lab_server.kernel_says(page, "print(bench.share)")) == pytest.approx(float(found["share"]), abs=1e-4)
    assert told(bench)["share"] == found["share"]


def test_keyboard_field_and_curve_move_the_share_and_nonsense_is_answered_in_words(page: Any, bench: Any) -> None:
    bench.locator("input[type=range][data-setting=share]").focus()
    for key in ("ArrowRight", "ArrowRight", "End", "ArrowLeft"):
        page.keyboard.press(key)
    wait_for(page, bench, "data.share === '0.9900'")
    field = bench.locator("[data-field=share]")
    field.fill("0.25")
    field.press("Enter")
    wait_for(page, bench, "data.share === '0.2500'")
    for text in ("7", "half"):
        field.fill(text)
        field.press("Enter")
        settled(page, bench)
        assert "wanted the share of pruned neurons from 0 to 1" in told(bench)["alarm"]
        assert told(bench)["share"] == "0.2500"
    field.press("Escape")
    box = bench.locator(".sl-side canvas").bounding_box()
    page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"])
    wait_for(page, bench, "+data.share > 0.45 && +data.share < 0.65")
    settled(page, bench)
    assert told(bench)["alarm"] == ""


def test_another_ranking_removes_other_neurons(page: Any, bench: Any) -> None:
    slide(page, bench, "share", 0.5)
    settled(page, bench)
    first = told(bench)
    bench.locator("[data-ranking=random]").click()
    wait_for(page, bench, "data.ranking === 'random'")
    settled(page, bench)
    assert told(bench)["big"] < first["big"]
    assert told(bench)["share"] == first["share"]
    assert lab_server.kernel_says(page, "print(bench.ranking, f'{bench.accuracy:.3f}')") == f"random {told(bench)['big']}"
    bench.locator("[data-ranking=random]").press("ArrowRight")  # round to the first one
    wait_for(page, bench, "data.ranking === 'eigenvalue'")


def test_made_real_and_retrained_it_says_what_that_changed(page: Any, bench: Any) -> None:
    slide(page, bench, "share", 0.9)
    settled(page, bench)
    bench.locator("[data-action=real]").click()
    page.wait_for_function("r => !r.querySelector('.sl-report').hidden", arg=bench.element_handle(), timeout=STAGE)
    assert "not exact" in told(bench)["report"]
    assert f"64-{told(bench)['keep']}-10" in told(bench)["report"]
    bench.locator("[data-action=retrain]").click()
    page.wait_for_function(
        "r => r.dataset.work === '' && /retrained/.test(r.querySelector('.sl-left').textContent)",
        arg=bench.element_handle(),
        timeout=STAGE,
    )
    settled(page, bench)
    left = told(bench)["left"]
    assert float(left.split("retrained: ")[1]) > float(told(bench)["big"])


def test_another_network_is_trained_from_the_page_and_pre_training_draws_its_curve(page: Any, bench: Any) -> None:
    build = told(bench)["build"]
    bench.locator("[data-field=hidden]").fill("40 30")
    bench.locator("[data-field=hidden]").press("Enter")
    wait_for(page, bench, f"+data.build > {build}")
    settled(page, bench)
    assert "64–40–30–10" in told(bench)["caption"]
    assert coloured(bench, ".sl-graph canvas") > 3000
    bench.locator("[data-action=pretrain]").click()
    wait_for(page, bench, "+data.tickets >= 3")
    assert lab_server.kernel_says(page, "print(6 * 7)") == "42"  # between two slices
    wait_for(page, bench, "data.work === ''")
    bench.locator("[data-field=hidden]").fill("100")
    bench.locator("[data-field=hidden]").press("Enter")
    wait_for(page, bench, "data.tickets === '0' && data.keep === '100'")


def test_other_networks_from_python_reach_the_page(page: Any, bench: Any) -> None:
    lab_server.kernel_says(page, "bench.move(seed=5); bench.move(hidden=(20,))")
    wait_for(page, bench, "data.keep === '20'")
    assert "64–20–10" in told(bench)["caption"]
    lab_server.kernel_says(page, "bench.move(seed=0, hidden=(100,))")
    wait_for(page, bench, "data.keep === '100'")


def test_pointing_at_a_neuron_shows_what_it_looks_for_and_the_image_changes(page: Any, bench: Any) -> None:
    graph = bench.locator(".sl-graph canvas").first
    graph.focus()
    page.keyboard.press("ArrowRight")
    card = bench.locator(".sl-hover")
    card.wait_for(state="visible", timeout=STAGE)
    assert "neuron 0" in card.inner_text()
    assert "λ = " in card.inner_text()
    inside, room = card.bounding_box(), bench.bounding_box()
    assert inside["x"] >= room["x"]
    assert inside["x"] + inside["width"] <= room["x"] + room["width"]
    page.keyboard.press("Enter")
    wait_for(page, bench, "data.example !== '0'")


def test_an_own_network_has_no_rules_to_change(page: Any) -> None:
    root = show(page, OWN, "sl-bench")
    assert root.locator("[data-field=hidden]").is_hidden()
    assert root.locator("[data-action=pretrain]").is_hidden()
    assert root.locator("[data-action=retrain]").is_visible()
    slide(page, root, "share", 0.5)
    wait_for(page, root, "+data.share > 0.4")
    assert told(root)["ranking"] == "connectivity"


def test_in_the_dark_theme_it_is_drawn_in_lighter_colours(page: Any, bench: Any) -> None:
    bright = "root => getComputedStyle(root).backgroundColor"
    light = bench.evaluate(bright)
    with lab_server.dark_theme(page):
        bench = show(page, MAIN, "sl-bench")
        assert bench.evaluate(bright) != light
        assert coloured(bench, ".sl-graph canvas") > 3000
        slide(page, bench, "share", 0.4)
        wait_for(page, bench, "+data.share > 0.3")
