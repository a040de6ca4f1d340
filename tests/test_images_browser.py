"""The growing head and the filter bench in a real browser: sliders are dragged, filters clicked, keys pressed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab_server
import pytest
from lab_server import coloured, held_back, kernel_says, settled, show, slide, wait_for

pytestmark = pytest.mark.browser
HEAD, FILTERS = 0, 1
BRIGHTNESS = r"root => getComputedStyle(root).{}.match(/\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A notebook with both, after its cells were run."""
    notebook: Path = tmp_path_factory.mktemp("written") / "images.ipynb"
    imports = "from spectral_lab.live import FilterBench, ImageHead\n"
    lab_server.write_notebook(notebook, f"{imports}view = ImageHead(steps=1200)\nview", "bench = FilterBench()\nbench")
    with lab_server.finished(notebook, tmp_path_factory.mktemp("course"), height=800) as page:
        assert lab_server.failures(page) == []
        yield page


@pytest.fixture
def head(page: Any) -> Any:
    """The growing head in sight, untrained, at the ρ that it begins with."""
    root = show(page, HEAD, "sl-imagehead")
    kernel_says(page, "view.move(rho=1e-4, task='even or odd?', features='pixels'); view.act('reset')")
    wait_for(page, root, "data.step === '0' && data.playing === 'false' && data.rho === '0.0001'")
    return root


@pytest.fixture
def bench(page: Any) -> Any:
    """The filter bench in sight, with all filters on."""
    root = show(page, FILTERS, "sl-filterbench")
    kernel_says(page, "bench.move(ranking='eigenvalue', kept=24)")
    wait_for(page, root, "data.kept === '24' && data.ranking === 'eigenvalue'")
    return root


def texts(root: Any, *names: str) -> list[str]:
    return [root.locator(f".sl-{name}").first.inner_text() for name in names]


# -- the growing head ----------------------------------------------------------------------------------------------------


def test_neurons_come_to_life_and_rho_starves_them(page: Any, head: Any) -> None:
    assert coloured(head, "canvas") == 0  # no eigenvalue but zeros
    assert head.locator("[data-count=live] output").inner_text() == "0"
    head.locator("[data-action=start]").click()
    wait_for(page, head, "+data.live >= 8 && +data.accuracy > 0.96 && +data.without < 0.9")
    assert coloured(head, "canvas") > 1500
    slide(page, head, "rho", 1.0)
    wait_for(page, head, "data.rho === '1' && +data.live <= 1")
    assert float(head.locator("[data-field=rho]").input_value()) == 1
    assert float(kernel_says(page, "print(view.rho)")) == 1
    head.locator("[data-action=pause]").click()
    wait_for(page, head, "data.playing === 'false'")
    step = head.get_attribute("data-step")
    page.wait_for_timeout(600)
    assert head.get_attribute("data-step") == step
    live, accuracy = kernel_says(page, "s = view.head.standings[-1]; print(s.live, f'{s.accuracy:.3f}')").split()
    assert [head.get_attribute(f"data-{name}") for name in ("live", "accuracy")] == [live, accuracy]


def test_misread_images_are_shown_with_both_classes_and_become_fewer(page: Any, head: Any) -> None:
    def board() -> list[list[str]]:
        return head.locator("li:not(.sl-free)").evaluate_all("l => l.map(e => [e.dataset.row, e.innerText])")

    first = board()
    assert len(first) == 24
    assert all("?" in text and "is" in text for _, text in first)
    painted = """c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return [c.width, new Set(d.filter((_, i) => i % 4 === 0)).size]; }"""
    width, greys = head.locator("li canvas").first.evaluate(painted)
    assert width == 8
    assert greys > 3
    head.locator("[data-action=start]").click()
    wait_for(page, head, "+data.step >= 500 && +data.misread < 20")
    head.locator("[data-action=pause]").click()
    wait_for(page, head, "data.playing === 'false'")
    settled(page, head)
    misread = {row for row, text in board() if "?" in text}
    wanted = kernel_says(page, "print(*[m.row for m in view.mistakes.shown if not m.right])").split()
    assert misread == set(wanted)
    step = head.get_attribute("data-step")
    assert head.locator("h3").inner_text() == f"step {step}: {len(wanted)} of 288 validation images are misread"


def test_the_heading_says_if_some_of_the_misread_are_not_shown(page: Any, head: Any) -> None:
    for step in range(10, 70, 10):  # after a few steps those that are read rightly by now take places, too
        head.locator("[data-action=step]").click()
        wait_for(page, head, f"data.step === '{step}'")
        shown = sum("?" in text for text in head.locator("li:not(.sl-free)").all_inner_texts())
        some = "; some of them" if shown < int(head.get_attribute("data-misread")) else ""
        assert head.locator("h3").inner_text() == (
            f"step {step}: {head.get_attribute('data-misread')} of 288 validation images are misread{some}"
        )


def test_the_keyboard_drives_it_and_nonsense_is_answered_in_words(page: Any, head: Any) -> None:
    head.locator("[data-action=step]").focus()
    page.keyboard.press("Enter")
    wait_for(page, head, "data.step === '10'")
    page.keyboard.press("Space")
    wait_for(page, head, "data.step === '20'")
    head.locator("input[data-setting=rho]").focus()
    page.keyboard.press("ArrowRight")
    wait_for(page, head, "data.rho === '0.00011'")
    page.keyboard.press("Home")
    wait_for(page, head, "data.rho === '0'")
    assert head.get_attribute("data-step") == "20"  # ρ steers the run that goes on
    field = head.locator("[data-field=hidden]")
    field.fill("12")
    field.press("Enter")
    wait_for(page, head, "data.hidden === '12' && data.step === '0'")
    for text in ("0", "wide"):
        field.fill(text)
        field.press("Enter")
        page.wait_for_function("r => r.querySelector('.sl-alarm').textContent.includes('hidden = ')", arg=head.element_handle())
        assert head.get_attribute("data-hidden") == "12"
    field.fill("60")
    field.press("Enter")
    wait_for(page, head, "data.hidden === '60'")
    assert texts(head, "alarm") == [""]


def test_another_task_and_a_cnn_are_chosen_from_the_menus(page: Any, head: Any) -> None:
    head.locator("select[data-setting=task]").select_option("which digit?")
    wait_for(page, head, "data.step === '0'")
    head.locator("select[data-setting=features]").select_option("cnn")
    settled(page, head)
    head.locator("[data-action=start]").click()
    wait_for(page, head, "+data.step >= 60")
    head.locator("[data-action=pause]").click()
    wait_for(page, head, "data.playing === 'false'")
    assert kernel_says(page, "print(view.head.rules.task, type(view.head.model[0]).__name__)").endswith("Conv2d")


def test_the_kernel_answers_other_cells_while_it_trains(page: Any, head: Any) -> None:
    head.locator("[data-action=start]").click()
    wait_for(page, head, "+data.step >= 30")
    assert kernel_says(page, "print(view.playing, 6 * 7)") == "True 42"
    assert kernel_says(page, "view.act('pause')") == ""
    wait_for(page, head, "data.playing === 'false'")


# -- the filter bench ----------------------------------------------------------------------------------------------------


def test_the_slider_switches_filters_off_and_the_accuracy_follows_without_the_kernel(page: Any, bench: Any) -> None:
    curve = [float(v) for v in kernel_says(page, "print(*bench.bench.curve['eigenvalue'])").split()]
    with held_back(page):
        slide(page, bench, "kept", 0.25)
        wait_for(page, bench, "data.kept === '6' && data.waiting === 'true'")
        assert float(bench.get_attribute("data-accuracy")) == pytest.approx(curve[6], abs=1e-4)
        assert texts(bench, "big") == [f"{curve[6]:.3f}"]
        assert bench.locator(".sl-tile[aria-checked=false]").count() == 18
    assert curve[6] < curve[24] - 0.2
    settled(page, bench)
    assert kernel_says(page, "print(bench.kept)") == "6"
    assert bench.get_attribute("data-kept") == "6"


def test_single_filters_are_switched_by_click_and_by_key(page: Any, bench: Any) -> None:
    most = kernel_says(page, "k, n = bench.bench.order['eigenvalue'][0]; print(f'{k}.{n}')")
    tile = bench.locator(f"[data-filter='{most}']")
    tile.click()
    wait_for(page, bench, f"data.off === '{most}' && data.accuracy !== '' && data.ranked === 'false'")
    told = float(kernel_says(page, "print(bench.accuracy)"))
    assert float(bench.get_attribute("data-accuracy")) == pytest.approx(told, abs=1e-4)
    assert "by hand" in texts(bench, "small")[0]
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    wait_for(page, bench, "data.kept === '22' && data.accuracy !== ''")
    tile.focus()
    page.keyboard.press("Enter")
    wait_for(page, bench, "data.kept === '23'")
    bench.locator("[data-action=all]").click()
    wait_for(page, bench, "data.kept === '24'")
    assert kernel_says(page, "print(len(bench.off))") == "0"


def test_two_quick_clicks_are_both_heard(page: Any, bench: Any) -> None:
    bench.evaluate("r => { for (const f of ['0.1', '1.4', '1.5']) r.querySelector(`[data-filter='${f}']`).click(); }")
    wait_for(page, bench, "data.off === '0.1,1.4,1.5' && data.accuracy !== ''")
    assert kernel_says(page, "print(sorted(bench.off))") == "[(0, 1), (1, 4), (1, 5)]"


def test_another_ranking_keeps_as_many_and_the_arrow_keys_move_both(page: Any, bench: Any) -> None:
    slide(page, bench, "kept", 0.625)
    wait_for(page, bench, "data.kept === '15'")
    first = texts(bench, "big")
    bench.locator("[data-ranking=random]").click()
    wait_for(page, bench, "data.ranking === 'random' && data.kept === '15'")
    assert texts(bench, "big") < first
    assert kernel_says(page, "print(bench.ranking, f'{bench.accuracy:.3f}')") == f"random {texts(bench, 'big')[0]}"
    bench.locator("[data-ranking=random]").press("ArrowRight")  # round to the first one
    wait_for(page, bench, "data.ranking === 'eigenvalue'")
    bench.locator("input[data-setting=kept]").focus()
    page.keyboard.press("ArrowLeft")
    wait_for(page, bench, "data.kept === '14'")


def test_taken_out_the_table_says_what_that_saves_and_that_nothing_has_changed(page: Any, bench: Any) -> None:
    slide(page, bench, "kept", 0.6)
    wait_for(page, bench, "+data.kept < 24")
    bench.locator("[data-action=real]").click()
    wait_for(page, bench, "data.real === 'true'")
    report = bench.locator(".sl-report").inner_text()
    assert "parameters" in report
    assert "multiply-accumulates" in report
    assert "the same accuracy" in report
    settled(page, bench)
    slide(page, bench, "kept", 0.8)
    wait_for(page, bench, "data.real === 'false'")
    assert bench.locator(".sl-report").is_hidden()


def test_another_penalty_is_another_cnn_and_the_page_says_that_it_takes_its_time(page: Any, bench: Any) -> None:
    bench.locator("select[data-setting=rho]").select_option("0")
    wait_for(page, bench, "data.training.startsWith('training another CNN: epoch ') && data.accuracy === ''")
    assert texts(bench, "small") == [f"{bench.get_attribute('data-training')} …"]
    wait_for(page, bench, "data.rho === '0' && data.training === '' && data.accuracy !== ''")
    assert texts(bench, "alarm") == [""]
    assert kernel_says(page, "print(bench.bench.rules.rho, f'{bench.accuracy:.3f}')") == f"0 {texts(bench, 'big')[0]}"


def test_who_hears_the_page_is_told_what_each_control_is_and_not_every_number_that_changes(head: Any, bench: Any) -> None:
    for root in (head, bench):
        names = root.locator("button, input, select").evaluate_all(
            "all => all.map(e => e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent)"
        )
        assert all(name.strip() for name in names)
        assert root.locator("output:not([aria-live=off])").count() == 0  # without it each is read aloud as it changes
    assert head.locator("input[data-setting=rho]").get_attribute("aria-valuetext") == "1e-4"


def test_both_can_be_read_in_the_dark_and_everything_is_in_its_place(page: Any, head: Any, bench: Any) -> None:
    kernel_says(page, "view.rho = 1.4e-5; view.run(200)")
    sight = {"sl-imagehead": HEAD, "sl-filterbench": FILTERS}
    light = [coloured(show(page, cell, kind), "figure canvas") for kind, cell in sight.items()]
    with lab_server.dark_theme(page):
        for (kind, cell), before in zip(sight.items(), light, strict=True):
            root = show(page, cell, kind)
            paper, ink = (root.evaluate(BRIGHTNESS.format(name)) for name in ("backgroundColor", "color"))
            assert paper < 384 < ink
            assert coloured(root, "figure canvas") > 0.5 * before
    assert head.locator("[data-field=rho]").input_value() == "1.4e-5"
    for kind, cell in sight.items():
        root = show(page, cell, kind)
        box = root.bounding_box()
        written = root.locator("h3, figcaption, .sl-count, .sl-small, .sl-note, .sl-field")
        assert written.evaluate_all("all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText)") == []
        for part in root.locator("figure canvas, button, input, select").all():
            place = part.bounding_box()
            if place is None:
                continue  # what is hidden
            assert min(place["width"], place["height"]) > 10
            assert place["x"] >= box["x"] - 1
            assert place["x"] + place["width"] <= box["x"] + box["width"] + 1
