"""Sweeps give labelled tables, and survive interruption: what is finished is kept, what is damaged or foreign is refused."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from spectral_lab import sweeps
from spectral_lab.sweeps import MANIFEST, Store, describe, one_by_one, sweep

QUIET = Console(quiet=True)
GRID = {"a": [1, 2, 3], "b": [10.0, 20.0], "c": ["x", "y"]}


@dataclass(frozen=True)
class Product:
    """A trial that says where it was run."""

    scale: float = 1.0
    folder: str = ""
    chunk: int = 1
    seconds: float = 0.0

    def __call__(self, points):
        if self.folder:
            for point in points:
                with open(Path(self.folder) / "calls", "a") as file:
                    file.write(json.dumps(point) + "\n")
        time.sleep(self.seconds)
        return [{"product": self.scale * p["a"] * p["b"], "letters": np.array([len(p["c"]), p["a"]])} for p in points]


def calls(folder):
    path = Path(folder) / "calls"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# -- the table ---------------------------------------------------------------------------------------------------------


def test_the_table_has_the_grid_as_labelled_dimensions_and_a_dimension_for_each_of_an_array():
    table = sweep(GRID, Product(scale=2), console=QUIET)
    assert dict(table.sizes) == {"a": 3, "b": 2, "c": 2, "letters_0": 2}
    assert table["product"].sel(a=3, b=20.0, c="y").item() == 120
    assert table["letters"].sel(a=3, b=10.0, c="x").values.tolist() == [1, 3]
    assert json.loads(table.attrs["sweep"])["trial"]["options"]["scale"] == 2
    assert table["product"].dims == ("a", "b", "c")


@given(st.integers(1, 15), st.sets(st.integers(0, 11)))
def test_whatever_is_done_already_what_is_left_is_done_once_in_pieces_of_at_most_the_chunk(size, done):
    pieces = list(sweeps._runs(12, sorted(done), size))
    assert sorted(n for start, stop in pieces for n in range(start, stop)) == sorted(set(range(12)) - done)
    assert all(0 < stop - start <= size for start, stop in pieces)


@pytest.mark.parametrize("chunk", [1, 5, 12, 100])
def test_chunks_of_any_size_give_the_same_table(chunk):
    assert sweep(GRID, Product(), chunk=chunk, console=QUIET).equals(sweep(GRID, Product(), console=QUIET))


def test_a_function_of_one_point_is_a_trial_too():
    table = sweep({"x": [1, 2]}, one_by_one(lambda x: {"y": x**2}), console=QUIET)
    assert table["y"].values.tolist() == [1, 4]


def test_values_of_numpy_and_torch_are_taken_as_plain_numbers():
    table = sweep({"x": np.linspace(0, 1, 3), "seed": range(2)}, one_by_one(lambda x, seed: {"y": x + seed}), console=QUIET)
    assert table["y"].sel(x=0.5, seed=1).item() == 1.5


def test_processes_give_the_same_table():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        assert sweep(GRID, Product(), chunk=4, executor=executor, console=QUIET).equals(sweep(GRID, Product(), console=QUIET))


# -- interruption ------------------------------------------------------------------------------------------------------


def test_a_finished_sweep_is_read_and_nothing_is_computed(tmp_path):
    trial = Product(folder=str(tmp_path))
    first = sweep(GRID, trial, store=tmp_path / "store", console=QUIET)
    assert len(calls(tmp_path)) == 12
    assert sweep(GRID, trial, store=tmp_path / "store", chunk=5, console=QUIET).identical(first)
    assert len(calls(tmp_path)) == 12


def test_after_an_error_what_was_finished_is_kept_and_the_error_names_the_points(tmp_path):
    def fails_at_3(points):
        if points[0]["a"] == 3 and not (tmp_path / "mended").exists():
            raise ArithmeticError("no")
        return Product(folder=str(tmp_path))(points)

    with pytest.raises(ArithmeticError) as caught:
        sweep(GRID, fails_at_3, chunk=2, store=tmp_path / "store", console=QUIET)
    assert caught.value.__notes__ == ["in the trial at {'a': 3, 'b': 10.0, 'c': 'x'} … {'a': 3, 'b': 10.0, 'c': 'y'}"]
    assert len(calls(tmp_path)) == 8
    (tmp_path / "mended").touch()
    table = sweep(GRID, fails_at_3, store=tmp_path / "store", console=QUIET)
    assert len(calls(tmp_path)) == 12
    assert (table["product"] == sweep(GRID, Product(), console=QUIET)["product"]).all()


def test_a_full_disk_leaves_no_half_file_and_the_sweep_goes_on_later(tmp_path, monkeypatch):
    written, save = [], np.savez

    def full(file, **arrays):
        if len(written) == 3:
            file.write(b"half")
            raise OSError(28, "No space left on device")
        written.append(1)
        save(file, **arrays)

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        sweep(GRID, Product(folder=str(tmp_path)), store=tmp_path / "store", console=QUIET)
    assert len(list((tmp_path / "store").iterdir())) == 4  # the manifest and three chunks
    monkeypatch.undo()
    sweep(GRID, Product(folder=str(tmp_path)), store=tmp_path / "store", console=QUIET)
    assert len(calls(tmp_path)) == 13  # one of twelve was computed twice


SCRIPT = """
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
sys.path[:0] = {folders!r}
from rich.console import Console
from {module} import GRID, Product
from spectral_lab.sweeps import sweep

if __name__ == "__main__":
    trial = Product(folder={folder!r}, seconds=0.1)
    sweep(GRID, trial, store={store!r}, console=Console(quiet=True))
"""


@pytest.mark.slow
def test_a_sweep_that_is_killed_three_times_gives_the_same_table_and_repeats_only_what_was_in_flight(tmp_path):
    store, draw = tmp_path / "store", random.Random(0)
    script = tmp_path / "run.py"
    here = Path(__file__).parent
    folders = [str(here.parent), str(here)]
    script.write_text(SCRIPT.format(folders=folders, module=__name__, folder=str(tmp_path), store=str(store)))
    for k in range(3):
        process = subprocess.Popen([sys.executable, str(script)])
        while len(list(store.glob("[0-9]*.npz"))) < 3 * k + 1:  # it must get somewhere before it is killed
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = len(list(store.glob("[0-9]*.npz")))
    assert 7 <= kept < 12
    table = sweep(GRID, Product(folder=str(tmp_path), seconds=0.1), store=store, console=QUIET)
    undisturbed = sweep(GRID, Product(seconds=0.1), console=QUIET)
    assert table.equals(undisturbed)
    assert len(calls(tmp_path)) <= 12 + 3  # one chunk a kill at most


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": {"a": [1, 2], "b": [10.0], "c": ["x"]}}, "holds another sweep: its grid is"),
        ({"trial": Product(scale=3)}, "holds another sweep: its trial is .*'scale': 1.0.*'scale': 3"),
    ],
)
def test_a_store_of_another_sweep_is_refused_and_left_alone(tmp_path, change, message):
    sweep(GRID, Product(), store=tmp_path, console=QUIET)
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir())
    options = {"grid": GRID, "trial": Product()} | change
    with pytest.raises(ValueError, match=message):
        sweep(**options, store=tmp_path, console=QUIET)
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir()) == before


def test_a_sweep_may_go_on_in_chunks_of_another_size(tmp_path):
    sweep(GRID, Product(chunk=2), store=tmp_path, console=QUIET)
    for path in sorted(tmp_path.glob("[0-9]*.npz"))[1::2]:
        path.unlink()
    table = sweep(GRID, Product(chunk=5), store=tmp_path, console=QUIET)
    assert table.equals(sweep(GRID, Product(), console=QUIET))


def test_results_of_other_versions_are_refused(tmp_path, monkeypatch):
    sweep(GRID, Product(), store=tmp_path, console=QUIET)
    monkeypatch.setattr(sweeps.spectral_lab, "__version__", "9")
    with pytest.raises(ValueError, match=r"its versions is .*'spectral_lab': '9'"):
        sweep(GRID, Product(), store=tmp_path, console=QUIET)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("…")
    with pytest.raises(ValueError, match=r"holds files, but no sweep\.json, so it is no store"):
        sweep(GRID, Product(), store=tmp_path, console=QUIET)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other rows", "beyond", "overlap"])
def test_a_damaged_file_of_the_store_is_named(tmp_path, damage):
    sweep(GRID, Product(), chunk=4, store=tmp_path, console=QUIET)
    path = tmp_path / "00000004-00000008.npz"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-50])
    elif damage in ("empty", "text"):
        path.write_bytes(b"" if damage == "empty" else b"thesis")
    elif damage == "other rows":
        np.savez(path, product=np.zeros(3))
    elif damage == "beyond":
        path = path.rename(tmp_path / "00000012-00000016.npz")
    else:
        path = path.rename(tmp_path / "00000003-00000007.npz")
    with pytest.raises(ValueError, match=rf"(is damaged|does not belong).*delete it.*{path.stem}"):
        sweep(GRID, Product(), store=tmp_path, console=QUIET)


def test_a_damaged_manifest_is_named(tmp_path):
    sweep(GRID, Product(), store=tmp_path, console=QUIET)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(ValueError, match=r"sweep\.json is damaged"):
        sweep(GRID, Product(), store=tmp_path, console=QUIET)


def test_a_file_that_was_being_written_when_the_power_failed_is_passed_over(tmp_path):
    sweep(GRID, Product(), store=tmp_path, console=QUIET)
    (tmp_path / ".00000001-00000002.npz.0123.npz").write_bytes(b"half")
    assert len(Store(tmp_path, describe(GRID, Product()), 12).read()) == 12


@pytest.mark.parametrize(
    ("grid", "options", "message"),
    [
        ({}, {}, "the grid is empty"),
        ({"a": []}, {}, r"a = \[\]; wanted one value or more"),
        ({"a": [1, 1]}, {}, "each of them once"),
        ({"a": [[1]]}, {}, r"a has the value \[1\]; wanted numbers or words"),
        ({"a": [float("nan")]}, {}, "a has the value nan"),
        ({"a": [1]}, {"chunk": 0}, "chunk = 0; wanted a whole number"),
    ],
)
def test_grids_and_chunks_that_cannot_be_are_refused(grid, options, message):
    with pytest.raises(ValueError, match=message):
        sweep(grid, one_by_one(lambda **_: {"y": 0}), **options)


@pytest.mark.parametrize(
    ("trial", "message"),
    [
        (lambda points: [], "returned 0 outcomes for 2 points"),
        (lambda points: [{"y": 1}, {"z": 1}], "wanted the same names"),
        (lambda points: [{"y": [1]}, {"y": [1, 2]}], "of the same shape"),
        (lambda points: [{"y": "word"}] * 2, "with numbers"),
        (lambda points: [{}, {}], "wanted the same names"),
        (lambda points: [{"a": 1}] * 2, r"returned \['a'\], which are parameters of the grid"),
    ],
)
def test_trials_that_return_something_else_are_refused(trial, message):
    with pytest.raises(ValueError, match=message):
        sweep({"a": [1, 2]}, trial, chunk=2, console=QUIET)


@pytest.mark.parametrize("other", [{"z": 1}, {"y": [1, 2]}, {"y": 1, "z": 1}])
def test_a_chunk_that_differs_from_the_one_before_is_refused_at_once_and_not_kept(tmp_path, other):
    ran = []

    def trial(points):
        ran.append(points[0]["a"])
        return [other if points[0]["a"] == 2 else {"y": 1}]

    with pytest.raises(ValueError, match=r"in one chunk and .* in another; wanted the same names and shapes"):
        sweep({"a": [1, 2, 3]}, trial, store=tmp_path, console=QUIET)
    assert ran == [1, 2]
    assert len(list(tmp_path.glob("[0-9]*.npz"))) == 1


def test_results_may_have_the_names_of_arguments_of_others(tmp_path):
    for _ in range(2):
        table = sweep({"x": [1, 2]}, one_by_one(lambda x: {"file": x, "allow_pickle": x}), store=tmp_path, console=QUIET)
        assert table["file"].values.tolist() == table["allow_pickle"].values.tolist() == [1, 2]


# -- many machines -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deadly(Product):
    """A trial that kills the process it runs in, once."""

    def __call__(self, points):
        flag = Path(self.folder) / "killed"
        if points[0]["a"] == 2 and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(points)


@pytest.mark.slow
def test_a_cluster_gives_the_same_table_even_if_a_worker_is_killed(tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        trial = Deadly(folder=str(tmp_path))
        table = sweep(GRID, trial, chunk=2, executor=client.get_executor(), store=tmp_path / "store", console=QUIET)
    assert (tmp_path / "killed").exists()
    assert table.equals(sweep(GRID, Product(), console=QUIET))


def test_the_progress_bar_has_reached_the_end_when_a_sweep_is_over():
    with open(os.devnull, "w") as nowhere:
        console = Console(file=nowhere, force_jupyter=False, record=True, force_terminal=True, width=80)
        sweep({"a": [1, 2]}, one_by_one(lambda a: {"y": a}), console=console)
    assert "2/2" in console.export_text()
