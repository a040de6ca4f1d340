"""Runs in files: the steps after loading are the same to the bit, no damaged or foreign file gets in, no code runs."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.testing import assert_close

from spectral_lab import SpectralNet, alpha_beta, load, save, storage, train
from spectral_lab.storage import write_atomically

EXACT = {"rtol": 0, "atol": 0}


def net(seed=0, nodes=(2, 8, 1), **options):
    return SpectralNet(nodes, generator=torch.Generator().manual_seed(seed), **options)


def data(n=50, alpha=1.0, seed=0):
    return alpha_beta(alpha, 5, n, seed=seed)


def bits(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def run_of(network=None, n=50, **options):
    options = {"steps": 1000, "lr": 0.01, "batch_size": 20, "record_every": 5, "rho": 1e-3} | options
    return train(network if network is not None else net(), *data(n), **options)


@pytest.mark.parametrize("done", [0, 7, 10])
@pytest.mark.parametrize("frozen", [True, False])
def test_a_saved_run_goes_on_to_the_same_bits(tmp_path, done, frozen):
    def start(steps=30):
        return run_of(net(train_input_eigenvalues=not frozen), penalty="l1", rho=0.02, lr=0.004, seed=9, steps=steps)

    whole, cut = start(), start()
    whole.advance(30)
    cut.advance(done)
    save(cut, tmp_path / "run")
    again = load(tmp_path / "run", *data())
    assert again.step == done
    assert (again.rho, again.penalty, again.lr, again.batch_size, again.record_every) == (0.02, "l1", 0.004, 20, 5)
    assert again.network.config() == cut.network.config()
    again.advance(30 - done)
    assert_close(bits(again.network), bits(whole.network), **EXACT)
    assert list(again) == []


def test_records_after_loading_are_those_without(tmp_path):
    run = run_of(steps=20)
    next(run)
    save(run, tmp_path / "run")
    assert list(load(tmp_path / "run", *data())) == list(run)


def test_settings_that_changed_while_training_are_saved_as_they_are(tmp_path):
    run = run_of(penalised=["eigenvalues.1"])
    run.rho, run.lr, run.penalty = 0.3, 0.07, "l2_squared"
    run.advance(3)
    save(run, tmp_path / "run")
    again = load(tmp_path / "run", *data())
    assert (again.rho, again.lr, again.penalty) == (0.3, 0.07, "l2_squared")
    for r in (run, again):
        r.advance(4)
    assert_close(bits(again.network), bits(run.network), **EXACT)


def test_saving_does_not_disturb_the_run_and_loading_shares_nothing_with_it(tmp_path):
    undisturbed, run = run_of(), run_of()
    undisturbed.advance(10)
    run.advance(5)
    save(run, tmp_path / "run")
    load(tmp_path / "run", *data()).advance(3)
    run.advance(5)
    assert_close(bits(run.network), bits(undisturbed.network), **EXACT)


def test_the_network_of_another_kind_is_loaded_into_one_that_is_passed(tmp_path):
    run = run_of(nn.Linear(2, 1))
    run.advance(3)
    save(run, tmp_path / "run")
    again = load(tmp_path / "run", *data(), network=nn.Linear(2, 1))
    for r in (run, again):
        r.advance(4)
    assert_close(bits(again.network), bits(run.network), **EXACT)
    with pytest.raises(ValueError, match=r"the stored network is no SpectralNet; pass one of its kind as network="):
        load(tmp_path / "run", *data())
    with pytest.raises(ValueError, match="does not fit"):
        load(tmp_path / "run", *data(), network=nn.Linear(3, 1))


def test_a_loss_is_passed_again(tmp_path):
    runs = run_of(loss=nn.functional.l1_loss), run_of(loss=nn.functional.l1_loss)
    for run in runs:
        run.advance(5)
    save(runs[0], tmp_path / "run")
    again = load(tmp_path / "run", *data(), loss=nn.functional.l1_loss)
    again.advance(5)
    runs[1].advance(5)
    assert_close(bits(again.network), bits(runs[1].network), **EXACT)


def test_other_data_than_those_of_the_run_are_refused(tmp_path):
    save(run_of(), tmp_path / "run")
    with pytest.raises(ValueError, match=r"the run was trained on 50 rows; found 40"):
        load(tmp_path / "run", *data(40))
    with pytest.raises(ValueError, match=r"x has rows of 1 numbers"):
        load(tmp_path / "run", data().x[:, :1], data().y)


@pytest.fixture
def stored(tmp_path):
    run = run_of()
    run.advance(7)
    save(run, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, -1])
def test_a_truncated_file_is_refused(stored, keep):
    content = stored.read_bytes()
    stored.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(ValueError, match="is damaged or no file of a run"):
        load(stored, *data())


@pytest.mark.parametrize("place", [0, 8, 9, 40])
def test_a_file_with_a_damaged_head_is_refused(stored, place):
    content = bytearray(stored.read_bytes())
    content[place : place + 4] = b"\xff\xff\xff\xff"
    stored.write_bytes(content)
    with pytest.raises(ValueError, match=r"is damaged|not of a run|does not fit"):
        load(stored, *data())


@pytest.mark.parametrize(
    "metadata", [None, {"run": "{}"}, {"run": "[1"}, {"run": '{"format": "other"}'}, {"run": "3"}], ids=str
)
def test_another_safetensors_file_is_refused(tmp_path, metadata):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other", metadata=metadata)
    with pytest.raises(ValueError, match=r"is damaged or no file of a run|not of a run that save\(\) wrote"):
        load(tmp_path / "other", *data())


def rewrite(path, change=lambda settings: None, drop=()):
    """The same file with other settings, or without some tensors."""
    with safe_open(path, framework="pt") as file:
        settings = json.loads(file.metadata()["run"])
    change(settings)
    tensors = {name: value for name, value in load_file(path).items() if name not in drop}
    save_file(tensors, path, metadata={"run": json.dumps(settings)})


CHANGES = {
    "unknown option": lambda s: s["options"].update(colour=1),
    "no options": lambda s: s.pop("options"),
    "no place": lambda s: s["at"].pop("step"),
    "other sizes": lambda s: s["network"].update(sizes=[2, 9, 1]),
    "no activation": lambda s: s["network"].pop("activation"),
    "unknown penalty": lambda s: s["options"].update(penalty="l7"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_settings_that_do_not_fit_are_refused(stored, change):
    rewrite(stored, change)
    with pytest.raises(ValueError, match=r"does not fit|no description of a SpectralNet|wanted one of"):
        load(stored, *data())


@pytest.mark.parametrize("name", ["order", "generator", "network.eigenvalues.1"])
def test_a_file_without_one_of_its_tensors_is_refused(stored, name):
    rewrite(stored, drop=[name])
    with pytest.raises(ValueError, match="does not fit"):
        load(stored, *data())


def test_a_file_that_is_not_there_is_an_ordinary_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing", *data())


def test_functions_cannot_be_saved_and_no_file_appears(tmp_path):
    with pytest.raises(ValueError, match="the penalty is a function, which no file can hold; train with one of l1, l2_norm"):
        save(run_of(penalty=lambda lam: lam["eigenvalues.1"].sum()), tmp_path / "run")
    with pytest.raises(ValueError, match="has no name to store"):
        save(run_of(net(activation=lambda z: z)), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=repr)
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(stored, monkeypatch, error):
    before, run = stored.read_bytes(), run_of()

    def half(tensors, path, metadata):
        Path(path).write_bytes(b"half a file")
        raise error

    monkeypatch.setattr(storage, "save_file", half)
    with pytest.raises(type(error)):
        save(run, stored)
    assert stored.read_bytes() == before
    assert list(stored.parent.iterdir()) == [stored]


def test_a_file_is_written_beside_its_place_and_then_renamed(tmp_path):
    seen = []

    def write(temporary):
        seen.append(Path(temporary))
        assert not (tmp_path / "file").exists()
        Path(temporary).write_text("whole")

    write_atomically(tmp_path / "file", write)
    assert seen[0].parent == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "whole"


def test_a_file_cannot_run_code(tmp_path, stored, monkeypatch):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("code_ran").touch, ())

    torch.save({"run": Trap()}, tmp_path / "zip")
    (tmp_path / "pickle").write_bytes(pickle.dumps(Trap()))
    for name in ("zip", "pickle"):
        with pytest.raises(ValueError, match="is damaged or no file of a run"):
            load(tmp_path / name, *data())
    assert not tmp_path.joinpath("code_ran").exists()

    def unpickle(*arguments, **options):
        raise AssertionError("a pickle was read")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, unpickle)
    monkeypatch.setattr(torch, "load", unpickle)
    assert load(stored, *data()).step == 7
