"""Notebook 05 in a real browser: all of it is run, and the races are started, watched and moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab_server
import nbformat
import pytest
from lab_server import coloured, settled, show, slide, wait_for

pytestmark = pytest.mark.browser
NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "05_fewer_parameters.ipynb"
CELLS = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells]
DENSE, SPARSE = (
    next(k for k, source in enumerate(CELLS) if source.endswith(f"\n{name}")) for name in ("track", "sparse_track")
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The notebook after all of its cells were run."""
    with lab_server.finished(NOTEBOOK, tmp_path_factory.mktemp("course")) as page:
        yield page


def told(race: Any) -> dict[str, Any]:
    """The counters, and what the table says of each lane: trained numbers and accuracy."""
    return race.evaluate(
        """root => ({ ...root.dataset, alarm: root.querySelector('.sl-alarm').textContent,
            lanes: Object.fromEntries([...root.querySelectorAll('[data-lane]')].map(row => [row.dataset.lane,
                [...row.querySelectorAll('.sl-bar, .sl-back, .sl-now')].map(c => +c.textContent.replace(/,/g, ''))])) })"""
    )


def test_the_race_is_started_grows_pauses_and_follows_the_width(page: Any) -> None:
    race = show(page, DENSE, "sl-race")
    assert told(race)["step"] == "0"
    before = coloured(race, ".sl-middle canvas")
    race.locator("[data-action=start]").click()
    wait_for(page, race, "+data.step >= 200")
    race.locator("[data-action=pause]").click()
    wait_for(page, race, "data.playing === 'false'")
    found = told(race)
    assert coloured(race, ".sl-middle canvas") > before + 200
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
    settled(page, race)
    width = int(lab_server.kernel_says(page, "print(track.race.rules.hidden)"))
    assert 200 <= width <= 280
    assert told(race)["lanes"]["direct"][0] == 64 * width + width * 10 + width + 10
    assert race.locator("[data-field=hidden]").input_value() == str(width)


def test_the_kernel_answers_other_cells_while_it_races(page: Any) -> None:
    race = show(page, DENSE, "sl-race")
    race.locator("[data-action=reset]").click()
    wait_for(page, race, "data.step === '0'")
    race.locator("[data-action=start]").click()
    wait_for(page, race, "+data.step >= 20")
    assert lab_server.kernel_says(page, "print(track.playing, 6 * 7)") == "True 42"
    assert lab_server.kernel_says(page, "track.act('pause')") == ""
    wait_for(page, race, "data.playing === 'false'")


def test_what_is_typed_while_it_races_is_not_lost_and_nonsense_is_answered_in_words(page: Any) -> None:
    race = show(page, DENSE, "sl-race")
    field = race.locator("[data-field=hidden]")
    race.locator("[data-action=start]").click()
    for text, width in (("16", 16), ("0", 16), ("wide", 16)):
        field.fill(text)
        page.wait_for_timeout(400)  # pictures come in between
        field.press("Enter")
        settled(page, race)
        assert int(lab_server.kernel_says(page, "print(track.race.rules.hidden)")) == width
        assert bool(told(race)["alarm"]) == (text != "16")
    race.locator("[data-action=reset]").click()
    wait_for(page, race, "data.step === '0'")
    assert told(race)["alarm"] == ""


def test_in_the_sparse_race_weights_come_back_and_the_sparsity_moves(page: Any) -> None:
    race = show(page, SPARSE, "sl-race")
    race.locator("[data-action=start]").click()
    wait_for(page, race, "+data.step >= 150")
    lanes = told(race)["lanes"]
    assert lanes["direct"][1] == 0
    assert lanes["s_qr"][1] > 50
    slide(page, race, "sparsity", 0.5)
    wait_for(page, race, "+data.step < 150")
    settled(page, race)
    assert 0.4 < float(lab_server.kernel_says(page, "print(sparse_track.race.rules.sparsity)")) < 0.6
    wait_for(page, race, "+data.step >= 100")
    assert told(race)["lanes"]["s_qr"][2] > 0.5
    race.locator("[data-action=dense]").click()
    wait_for(page, race, "data.step === '0'")
    assert len(told(race)["lanes"]) == 4
