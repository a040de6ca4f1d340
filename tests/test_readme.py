"""What the README shows works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.S)


def test_there_are_examples():
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize("code", EXAMPLES, ids=["playground", "network", "layers"])
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
    elif "spectral" in names:
        assert names["plain"](torch.zeros(1, 784)).shape == (1, 10)
        assert printed.splitlines()[-1].split() == ["sum", "2", "304", "399", "304"]
    else:
        assert printed.startswith("100 ")
        assert names["small"].report.parameters_after > 0


def test_every_file_that_it_names_is_there():
    named = set(re.findall(r"\((figures/[\w.]+)\)", README)) | set(
        re.findall(r"`((?:notebooks|spectral_lab)/[\w./]+)`", README)
    )
    assert len(named) > 8
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
