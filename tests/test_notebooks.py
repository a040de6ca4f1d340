"""Every notebook runs, says what the course promises, and its exercises can be solved.  nbval compares the fixed outputs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRAL_LAB_FAST", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.notebook
@every_notebook
def test_runs_and_prints_what_is_stored(path: Path, fast: None) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--nbval-lax",
        "--nbval-current-env",
        "--nbval-cell-timeout=240",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run([*command, "-c", os.devnull, str(path)], capture_output=True, text=True, cwd=path.parent)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.notebook
@every_notebook
def test_exercises_are_solved_by_their_solutions(path: Path, fast: None) -> None:
    notebook = nbformat.read(path, as_version=4)
    solutions = [re.search(r"```python\n(.*?)```", c.source, re.S) for c in _tagged(notebook, "solution")]
    exercises, checks = _tagged(notebook, "exercise"), _tagged(notebook, "check")
    assert len(solutions) == len(exercises) == len(checks)
    if not exercises:
        pytest.skip("this notebook has no exercises with code")
    for exercise, solution in zip(exercises, solutions, strict=True):
        assert solution is not None
        assert "raise NotImplementedError" in exercise.source
        exercise.source = solution[1]
    for check in checks:
        check.metadata.tags.remove("raises-exception")  # now it must pass
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(path.parent)}}).execute()
    for check in checks:
        assert "right" in "".join(output.get("text", "") for output in check.outputs)


def _tagged(notebook: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


@every_notebook
def test_opens_with_question_objectives_and_minutes(path: Path) -> None:
    first = nbformat.read(path, as_version=4).cells[0].source
    assert re.match(r"# .*\?", first)
    assert "You will be able to" in first
    assert re.search(r"\d+ minutes", first)
    assert "GPU" in first
    assert "prerequisites" in first


@every_notebook
def test_is_committed_without_outputs_that_nothing_compares(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        compared = cell.source.startswith("# NBVAL_CHECK_OUTPUT")
        assert compared == bool(cell.outputs) == ("keep_output" in cell.metadata.get("tags", [])), cell.source[:60]
        assert cell.execution_count is not None or not compared  # nbval compares only cells that have a number


@every_notebook
def test_cells_are_short(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 12, cell.source[:60]
