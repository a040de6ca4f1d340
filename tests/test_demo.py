"""The story played to files, at a small size."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from rich.console import Console

from spectral_lab.live import demo
from spectral_lab.live.instrument import Instrument


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(demo, "STEPS", 40)
    monkeypatch.setattr(demo, "PICTURES", 2)
    monkeypatch.setattr(demo, "DPI", 20)
    monkeypatch.setattr(demo, "LARGE", 30)


def test_the_story_is_written_as_animation_pictures_and_records(tmp_path, quick):
    stages = demo.play(tmp_path / "new", console=Console(quiet=True))
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(
        ["playground.webp", "records.json", *[f"{name}.png" for name, _, _ in demo.STORY]]
    )
    with Image.open(tmp_path / "new" / "playground.webp") as animation:
        assert animation.n_frames == 2 * len(demo.STORY)
        assert animation.size == (240, 120)
    with Image.open(tmp_path / "new" / "2_grows.png") as picture:
        assert picture.size == (360, 180)
    assert [stage["step"] for stage in stages] == [40, 80, 120, 160]
    assert [stage["rho"] for stage in stages] == [1e-4, 1e-4, 1.0, 1e-4]
    assert [stage["alpha"] for stage in stages] == [0.0, 1.0, 1.0, 1.0]


def test_the_records_replay(tmp_path, quick):
    demo.play(tmp_path, seed=3, console=Console(quiet=True))
    content = json.loads((tmp_path / "records.json").read_text(encoding="utf-8"))
    again = Instrument.from_state(content["state"])
    assert again.seed == 3
    assert again.step == content["stages"][-1]["step"]
    assert again.history[-1].path_norm == pytest.approx(content["stages"][-1]["path_norm"])


def test_a_second_run_replaces_the_files_and_leaves_nothing_else(tmp_path, quick):
    demo.play(tmp_path, console=Console(quiet=True))
    before = sorted(tmp_path.iterdir())
    demo.play(tmp_path, console=Console(quiet=True))
    assert sorted(tmp_path.iterdir()) == before
