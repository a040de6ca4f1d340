"""The progress bar of a training: what it shows, where, and that it can be silent."""

import io

import nbformat
import pytest
from nbclient import NotebookClient
from rich.console import Console
from torch import nn

from spectral_lab import Record, SpectralNet, alpha_beta, digits, train
from spectral_lab.bars import bar, describe, progress
from spectral_lab.storage import checkpointed


def run_of(**options):
    return train(SpectralNet([2, 30, 1]), *alpha_beta(1.0, 5, 100, seed=0), **{"steps": 30, "record_every": 10} | options)


def screen(**options):
    return Console(file=io.StringIO(), width=140, **options)


def test_the_records_pass_through():
    shown = [record.step for record in progress(run_of(), console=screen())]
    assert shown == [record.step for record in progress(run_of(), shown=False)] == [10, 20, 30]


def test_the_bar_shows_steps_loss_accuracy_and_live_neurons():
    split, console = digits(), screen()
    options = {"loss": nn.functional.cross_entropy, "validation": (split.x_test, split.y_test), "record_every": 10, "lr": 1e-2}
    *_, last = progress(train(SpectralNet([64, 30, 10]), split.x_train, split.y_train, steps=20, **options), console=console)
    words = console.file.getvalue()
    assert "20/20" in words
    assert f"loss {last.data_loss:.3g}  validation {last.validation_loss:.3g}  accuracy {last.accuracy:.3f}" in words
    assert f"live {last.live[0]}" in words


def test_every_record_moves_the_bar_in_a_terminal():
    console = screen(force_terminal=True)
    for record in progress(run_of(), console=console):
        assert f"{record.step}/30" in console.file.getvalue()
        assert f"loss {record.data_loss:.3g}" in console.file.getvalue()


def test_a_run_that_is_taken_up_again_begins_where_it_stopped():
    run, console = run_of(), screen(force_terminal=True)
    next(run)
    next(progress(run, console=console))
    assert "10/30" in console.file.getvalue().split("20/30")[0]


def test_of_checkpoints_the_number_of_steps_is_said_or_stays_open(tmp_path):
    for steps, wanted in ((30, "30/30"), (None, "30/?")):
        run, console = run_of(), screen()
        assert len(list(progress(checkpointed(run, tmp_path / "run"), steps, console=console))) == 3
        assert wanted in console.file.getvalue()


@pytest.mark.parametrize("console", [None, screen(force_terminal=True)], ids=["standard", "terminal"])
def test_not_shown_nothing_is_written(capsys, console):
    list(progress(run_of(), console=console, shown=False))
    assert capsys.readouterr() == ("", "")
    assert console is None or console.file.getvalue() == ""


def test_it_is_written_to_the_error_stream(capsys):
    list(progress(run_of()))
    out, err = capsys.readouterr()
    assert out == ""
    assert "30/30" in err


DESCRIBED = {
    "loss 0.123": Record(1, 1.0, 0.1234, 0.0, 0.0),
    "loss 0.123  live 3, 0": Record(1, 1.0, 0.1234, 0.0, 0.0, live=(3, 0)),
    "loss 1e-05  validation 2  accuracy 0.500": Record(1, 1.0, 1e-5, 0.0, 0.0, live=(), validation_loss=2.0, accuracy=0.5),
    "loss 1  validation 0  accuracy 0.000": Record(1, 1.0, 1.0, 0.0, 0.0, validation_loss=0.0, accuracy=0.0),
}


@pytest.mark.parametrize("words", DESCRIBED)
def test_a_record_in_words(words):
    assert describe(DESCRIBED[words]) == words


def test_markup_in_words_is_shown_as_it_is():
    console = screen()
    with bar("steps", 2, 0, console) as advance:
        advance(1, "[bold]1[/bold]")
    assert "[bold]1[/bold]" in console.file.getvalue()


CELL = """
from spectral_lab import SpectralNet, alpha_beta, train
from spectral_lab.bars import progress
for record in progress(train(SpectralNet([2, 30, 1]), *alpha_beta(1.0, 5, 200, seed=0), steps=20, record_every=10)):
    pass
"""


def test_in_a_notebook_the_bar_stands_below_the_cell_and_is_full_at_the_end():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    assert "20/20" in str(notebook.metadata["widgets"])
    assert "Error" not in str(notebook.cells[0].outputs)
