"""What the README shows works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.S)


def test_there_are_examples():
    assert len(EXAMPLES) == 7


@pytest.mark.parametrize("code", EXAMPLES, ids=["playground", "network", "layers", "pruning", "head", "filters", "sweep"])
def test_an_example_runs(code, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # it writes files
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    if "p" in names:
        assert "0 of 30 hidden neurons live" in printed  # ρ = 1 has pruned it
        assert all(
            (a == b).all() for a, b in zip(names["p"].network.parameters(), names["copy"].network.parameters(), strict=True)
        )
    elif "training" in names:
        assert names["loss"] < 2.0  # guessing has log 10 = 2.3
        assert 0 < names["change"].came_back < 700
        assert sum(int((layer.weight == 0).sum()) for layer in names["plain"][::2]) == 6660
        assert sum(p.numel() for p in names["few"].parameters() if p.requires_grad) == 64 + 2 * 100 + 10 + 110
    elif "curve" in names:
        assert names["certificate"].nodes_after == (64, 60, 10)
        assert len(names["curve"].accuracy) == 201
        assert (names["load_network"]("small.safetensors")(names["x"]) == names["small"](names["x"])).all()
        assert "removed 140 of hidden layer 0 (by eigenvalue)" in printed
    elif "linear" in names:
        assert names["record"].accuracy > 0.95
        assert names["run"].best.validation_loss <= names["record"].validation_loss
        assert isinstance(names["linear"][-1], names["nn"].Linear)
        assert (tmp_path / "run.safetensors").exists()
    elif "thin" in names:
        assert names["record"].accuracy > 0.95
        assert sum(names["certificate"].removed) >= 4
        assert names["certificate"].loss_after < names["certificate"].loss_before + 0.01
    elif "table" in names:
        low, _, high = names["table"]["path_norm"].mean("seed").sel(beta=5).values
        assert low < 0.1 * high
        assert len(list((tmp_path / "transition").glob("*.npz"))) == 2  # chunks of 16 of the 30 networks
    else:
        assert printed.startswith("100 ")
        assert names["small"].report.parameters_after > 0


def test_every_file_that_it_names_is_there():
    named = set(re.findall(r"\((figures/[\w.]+)\)", README)) | set(
        re.findall(r"`((?:notebooks|spectral_lab)/[\w./]+)`", README)
    )
    assert len(named) > 8
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
