"""The doctor names what is there, and what to do about what is not."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import torch
from rich.console import Console

from spectral_lab.live import doctor


def examined(capsys) -> tuple[int, str]:
    status = doctor.examine(Console(width=200, force_terminal=False))
    return status, capsys.readouterr().out


def test_a_complete_set_up_gets_versions_device_threads_and_status_0(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "_assets", lambda: ("browser assets", "in place", ""))  # where pip put them is not our matter
    status, printed = examined(capsys)
    assert status == 0
    for expected in [
        torch.__version__,
        version("anywidget"),
        "CPU",
        f"torch uses {torch.get_num_threads()} of",
        "can be made",
        "steps",
    ]:
        assert expected in printed


def test_a_missing_package_is_named_with_its_cure(capsys, monkeypatch):
    def missing(name):
        if name in ("anywidget", "voila"):
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(doctor, "version", missing)
    status, printed = examined(capsys)
    assert status == 1
    assert "anywidget      │ missing" in printed
    assert "! pip install" in printed
    assert "only --voila needs it" in printed  # told, but no reason to fail


def test_missing_browser_files_are_found(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "__file__", str(tmp_path / "doctor.py"))
    check, found, todo = doctor._assets()
    assert check == "browser assets"
    assert "playground.js" in found
    assert todo.startswith("!")
