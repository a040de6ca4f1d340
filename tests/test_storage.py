"""Runs in files: the steps after loading are the same to the bit, no damaged or foreign file gets in, no code runs."""

import json
import math
import pickle
import signal
import stat
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_runs import bits, data, net, run_of
from strategies import inputs, networks, randomise
from torch import nn
from torch.testing import assert_close
from torch.utils.data import TensorDataset

from spectral_lab import DirectNet, load, load_network, save, save_network, storage, train
from spectral_lab.featurefiles import write_features
from spectral_lab.files import write_atomically
from spectral_lab.layers import feed_forward
from spectral_lab.networks import ACTIVATIONS
from spectral_lab.storage import checkpointed, network_bytes

EXACT = {"rtol": 0, "atol": 0}


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
    with pytest.raises(ValueError, match=r"is damaged or no file that save\(\) wrote"):
        load(stored, *data())


@pytest.mark.parametrize("place", [0, 8, 9, 40])
def test_a_file_with_a_damaged_head_is_refused(stored, place):
    content = bytearray(stored.read_bytes())
    content[place : place + 4] = b"\xff\xff\xff\xff"
    stored.write_bytes(content)
    with pytest.raises(ValueError, match=r"is damaged|not one that save|does not fit"):
        load(stored, *data())


@pytest.mark.parametrize(
    "metadata", [None, {"run": "{}"}, {"run": "[1"}, {"run": '{"format": "other"}'}, {"run": "3"}], ids=str
)
def test_another_safetensors_file_is_refused(tmp_path, metadata):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other", metadata=metadata)
    with pytest.raises(ValueError, match=r"is damaged or no file that save\(\) wrote|but not one that save\(\) wrote"):
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


def test_others_may_read_a_file_if_they_may_read_what_is_written_beside_it(tmp_path):
    (tmp_path / "beside").write_text("written as usual")
    save(run_of(), tmp_path / "run")
    write_features(tmp_path / "features", torch.ones(2, 3), "ones")
    assert len({stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}) == 1


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
        with pytest.raises(ValueError, match=r"is damaged or no file that save\(\) wrote"):
            load(tmp_path / name, *data())
    assert not tmp_path.joinpath("code_ran").exists()

    def unpickle(*arguments, **options):
        raise AssertionError("a pickle was read")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, unpickle)
    monkeypatch.setattr(torch, "load", unpickle)
    assert load(stored, *data()).step == 7


# -- validated runs, datasets and mixed precision ----------------------------------------------------------------------


def model():
    """Convolution, batch norm and a SPARCS head."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), net(nodes=(8, 6, 3)))


def images(n=40, seed=0):
    x = torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
    return TensorDataset(x, (3 * x.mean((1, 2, 3)) - 1).mul(4).round().long().clamp(0, 2))


AGAIN = {"loss": nn.functional.cross_entropy, "validation": images(seed=1)}


def validated(**options):
    options = {"steps": 60, "lr": 0.1, "batch_size": 16, "record_every": 2, "rho": 1e-3, "patience": 5} | AGAIN | options
    return train(model(), images(), **options)


@pytest.mark.parametrize("autocast", [None, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("done", [0, 1, 7])
def test_a_validated_run_on_a_dataset_goes_on_to_the_same_bits_and_stops_and_returns_alike(tmp_path, autocast, done):
    whole, cut = validated(autocast=autocast), validated(autocast=autocast)
    for run in (whole, cut):
        for _ in range(done):
            next(run)
    save(cut, tmp_path / "run")
    again = load(tmp_path / "run", images(), network=model(), **AGAIN)
    assert (again.best, again.options) == (cut.best, cut.options)
    records = list(whole)
    assert list(again) == records
    assert done + len(records) < 30  # it stopped early
    assert_close(bits(again.network), bits(whole.network), **EXACT)
    for run in (whole, again):
        run.restore_best()
    assert_close(bits(again.network), bits(whole.network), **EXACT)
    assert again.network[1].num_batches_tracked == again.best.step == again.step


def test_the_best_comes_back_from_a_file_of_a_run_that_stopped(tmp_path):
    run = validated()
    list(run)
    assert run.best.step < run.step
    save(run, tmp_path / "run")
    again = load(tmp_path / "run", images(), network=model(), **AGAIN)
    assert list(again) == []
    for r in (run, again):
        r.restore_best()
        r.patience = None
        r.advance(5)
    assert_close(bits(again.network), bits(run.network), **EXACT)


def test_a_record_of_a_loss_that_is_nan_comes_back(tmp_path):
    run = validated(loss=lambda z, y: nn.functional.cross_entropy(z, y) * (1.0 if z.requires_grad else math.nan))
    next(run)
    save(run, tmp_path / "run")
    assert load(tmp_path / "run", images(), network=model(), **AGAIN).best is None


def test_validation_data_are_passed_again_and_must_be_as_many(tmp_path):
    save(validated(), tmp_path / "run")
    with pytest.raises(ValueError, match="the run was validated on 40 rows; pass them again as validation="):
        load(tmp_path / "run", images(), network=model(), loss=AGAIN["loss"])
    with pytest.raises(ValueError, match="the run was validated on 40 rows; found 39"):
        load(tmp_path / "run", images(), network=model(), loss=AGAIN["loss"], validation=images(39))


def test_a_file_from_before_there_was_validation_is_read(stored):
    def older(settings):
        for name in ("patience", "autocast"):
            settings["options"].pop(name)
        settings.pop("validated")
        settings["at"].pop("scale")

    wanted = load(stored, *data())
    rewrite(stored, older)
    again = load(stored, *data())
    for run in (wanted, again):
        run.advance(5)
    assert_close(bits(again.network), bits(wanted.network), **EXACT)


UNFIT = {
    "another width": (lambda: nn.Sequential(*model()[:4], net(nodes=(8, 7, 3))), r"differ in \['4.eigenvalues.1', '4.eigenv"),
    "another float type": (lambda: model().double(), r"differ in \['0.bias', '0.weight'"),
    "no batch norm": (
        lambda: nn.Sequential(model()[0], nn.BatchNorm2d(2, affine=False), *model()[2:]),
        r"differ in \['1.bias'",
    ),
}


@pytest.mark.parametrize(("build", "message"), UNFIT.values(), ids=UNFIT)
def test_a_network_that_does_not_fit_the_file_is_refused_and_left_as_it_is(tmp_path, build, message):
    run, network = validated(), build()
    next(run)
    save(run, tmp_path / "run")
    before = bits(network)
    with pytest.raises(ValueError, match=rf"run does not fit: its numbers and those of the network {message}"):
        load(tmp_path / "run", images(), network=network, **AGAIN)
    assert_close(bits(network), before, **EXACT)


def frozen(*names):
    """The model with some of its parameters frozen."""
    network = model()
    for name, p in network.named_parameters():
        p.requires_grad_(p.requires_grad and name not in names)
    return network


@pytest.mark.parametrize("other", [("1.bias",), (), ("1.bias", "1.weight")], ids=str)
def test_a_network_of_which_other_parts_are_frozen_is_refused(tmp_path, other):
    run = train(frozen("1.weight"), images(), steps=4, **AGAIN)  # as large as 1.bias
    next(run)
    save(run, tmp_path / "run")
    with pytest.raises(ValueError, match=r"run does not fit: .*\['1.(bias|weight)'.* set requires_grad as in the run"):
        load(tmp_path / "run", images(), network=frozen(*other), **AGAIN)
    assert load(tmp_path / "run", images(), network=frozen("1.weight"), **AGAIN).step == 4


def test_a_spectral_network_comes_back_with_what_was_frozen_by_hand(tmp_path):
    network, plain = net(), net()
    for each in (network, plain):
        each.eigenvectors[0].requires_grad_(False)
    run, whole = run_of(network), run_of(plain)
    run.advance(3)
    save(run, tmp_path / "run")
    again = load(tmp_path / "run", *data())
    again.advance(4)
    whole.advance(7)
    assert not again.network.eigenvectors[0].requires_grad
    assert_close(bits(again.network), bits(whole.network), **EXACT)


def test_an_older_file_is_refused_by_the_number_of_its_moments(tmp_path):
    run = validated()
    next(run)
    save(run, tmp_path / "run")
    rewrite(tmp_path / "run", lambda settings: settings.pop("trained", None))
    assert load(tmp_path / "run", images(), network=model(), **AGAIN).step == run.step
    with pytest.raises(ValueError, match="run does not fit"):
        load(tmp_path / "run", images(), network=frozen("1.weight"), **AGAIN)


SPOILT = {"rows": {"x": data(40).x, "y": data(40).y}, "kind": {"network": nn.Linear(2, 1)}, "x": {"x": data().x[:, :1]}}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_whatever_does_not_fit_the_error_names_the_file(stored, spoil):
    with pytest.raises(ValueError, match=f"{stored.name} does not fit"):
        load(stored, **{"x": data().x, "y": data().y} | spoil)


@pytest.mark.parametrize(
    "name", ["best.order", "best.generator", "best.adam.1.exp_avg", "adam.1.exp_avg", "best.network.4.eigenvalues.1"]
)
def test_a_file_without_a_tensor_of_the_best_record_is_refused(tmp_path, name):
    run = validated()
    next(run)
    save(run, tmp_path / "run")
    rewrite(tmp_path / "run", drop=[name])
    with pytest.raises(ValueError, match="run does not fit"):
        load(tmp_path / "run", images(), network=model(), **AGAIN)


# -- checkpoints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("every", "written"), [(1, [2, 4, 6, 7]), (2, [4, 7]), (3, [6, 7]), (9, [7])])
def test_every_kth_record_and_the_last_leave_the_run_in_the_file(tmp_path, monkeypatch, every, written):
    found, save_now = [], storage.save
    monkeypatch.setattr(storage, "save", lambda run, path: (found.append(run.step), save_now(run, path)))
    run = run_of(steps=7, record_every=2)
    assert [record.step for record in checkpointed(run, tmp_path / "run", every)] == [2, 4, 6, 7]
    assert found == written
    assert load(tmp_path / "run", *data()).step == 7
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_the_checkpoint_is_there_before_its_record_is_passed_on(tmp_path):
    for record in checkpointed(run_of(steps=20), tmp_path / "run"):
        assert load(tmp_path / "run", *data()).step == record.step


@pytest.mark.parametrize("every", [0, -1, 1.5, True])
def test_records_between_checkpoints_that_are_no_whole_number_are_refused_at_once(tmp_path, every):
    with pytest.raises(ValueError, match=f"every = {every}; wanted a whole number of at least 1"):
        checkpointed(run_of(), tmp_path / "run", every)


def test_a_run_that_no_file_can_hold_is_refused_before_it_is_trained(tmp_path):
    run = run_of(penalty=lambda lam: lam["eigenvalues.1"].sum())
    with pytest.raises(ValueError, match="the penalty is a function, which no file can hold"):
        checkpointed(run, tmp_path / "run")
    assert run.step == 0


def test_a_checkpoint_that_has_no_place_is_refused_before_anything_is_trained(tmp_path):
    run = run_of()
    with pytest.raises(FileNotFoundError, match=r"runs is no folder; make it first"):
        checkpointed(run, tmp_path / "runs" / "run")
    with pytest.raises(IsADirectoryError, match=r"is a folder; wanted the name of a file, e\.g\. .*run\.safetensors"):
        checkpointed(run, tmp_path)
    assert run.step == 0


KILLED = """
import os, signal, sys
import test_storage
from spectral_lab.storage import checkpointed
for count, record in enumerate(checkpointed(test_storage.validated(), sys.argv[1], every=2), 1):
    if count == 5:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_run_that_is_killed_goes_on_from_its_last_checkpoint_to_the_same_numbers(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "run")], cwd=Path(__file__).parent, check=False)
    assert done.returncode == -signal.SIGKILL
    again, whole = load(tmp_path / "run", images(), network=model(), **AGAIN), validated()
    assert again.step == 8  # the fourth record; the fifth was lost
    records = list(whole)
    assert list(again) == records[4:]
    assert again.best == whole.best
    assert_close(bits(again.network), bits(whole.network), **EXACT)


# -- networks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compacted", [False, True], ids=["spectral", "compacted"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("update", ["blocks", "adjacency"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_stored_network_gives_the_same_outputs_to_the_bit(tmp_path, activation, update, dtype, compacted):
    network = randomise(net(nodes=(3, 5, 4, 2), activation=ACTIVATIONS[activation], update=update, dtype=dtype), zeros=0.3)
    x = inputs(network)
    network = network.compact() if compacted else network
    save_network(network, tmp_path / "network")
    again = load_network(tmp_path / "network")
    assert type(again) is type(network)
    assert again.activation is ACTIVATIONS[activation]
    assert_close(again(x), network(x), **EXACT)
    assert_close(bits(again), bits(network), **EXACT)
    assert again.nodes == network.nodes
    assert again.state_dict().keys() == network.state_dict().keys()
    assert {p.dtype for p in again.parameters()} == {dtype}


@settings(max_examples=15)
@given(network=networks(zeros=0.3))
def test_any_network_comes_back_with_its_options(tmp_path_factory, network):
    path = tmp_path_factory.mktemp("networks") / "network"
    network.eigenvalues[0].requires_grad_(network.bias)
    save_network(network, path)
    again = load_network(path)
    assert again.config() == network.config()
    assert again.eigenvalues[0].requires_grad == network.bias
    assert_close(again(inputs(network)), network(inputs(network)), **EXACT)
    save_network(network.compact(threshold=0.2), path)
    assert_close(load_network(path)(inputs(network)), network.compact(threshold=0.2)(inputs(network)), **EXACT)


def test_a_network_from_a_file_computes_the_same_bits(tmp_path):
    for seed in range(30):  # of networks whose numbers lie where the file has them half do not
        network = randomise(net(nodes=(3, 1, 4, 5, 4), bias=False, update="adjacency"), seed, zeros=0.3)
        stack = feed_forward([3, 9, 7, 4], bias=False, generator=torch.Generator().manual_seed(seed))
        for model, n in product((network, network.compact(), stack), (1, 7)):
            save_network(model, tmp_path / "network")
            assert_close(load_network(tmp_path / "network")(inputs(network, n)), model(inputs(network, n)), **EXACT)


def test_a_network_goes_on_learning_after_loading(tmp_path):
    save_network(net(), tmp_path / "network")
    again = load_network(tmp_path / "network")
    runs = run_of(net()), run_of(again)
    for run in runs:
        run.advance(5)
    assert_close(bits(runs[1].network), bits(runs[0].network), **EXACT)


def test_a_network_without_biases_comes_back_without(tmp_path):
    network = DirectNet({(2, 1): torch.ones(1, 2), (1, 0): torch.ones(2, 3)}, [None, None], torch.relu)
    save_network(network, tmp_path / "network")
    again = load_network(tmp_path / "network")
    assert list(again.biases) == []
    assert again.weight(2, 0) is None
    assert_close(again(torch.ones(4, 3)), torch.full((4, 1), 6.0))


def test_the_file_of_a_network_is_its_bytes_and_says_what_it_is(tmp_path):
    save_network(net(), tmp_path / "network")
    assert (tmp_path / "network").read_bytes() == network_bytes(net())
    with safe_open(tmp_path / "network", framework="pt") as file:
        about = json.loads(file.metadata()["network"])
    assert (about["format"], about["kind"], about["config"]) == ("spectral_lab network 1", "spectral", net().config())
    assert load_file(tmp_path / "network").keys() == net().state_dict().keys()


def test_what_was_not_stored_contiguously_is_stored_all_the_same(tmp_path):
    network = DirectNet({(1, 0): torch.arange(6.0).reshape(2, 3).T}, [None], torch.tanh)
    assert not network.weight(1, 0).is_contiguous()
    save_network(network, tmp_path / "network")
    assert_close(load_network(tmp_path / "network").weight(1, 0), network.weight(1, 0), **EXACT)


STORED = {"spectral": lambda: net(), "direct": lambda: randomise(net(nodes=(2, 4, 3, 1))).compact()}


@pytest.fixture(params=STORED)
def stored_network(tmp_path, request):
    save_network(STORED[request.param](), tmp_path / "network")
    return tmp_path / "network"


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, -1])
def test_a_truncated_network_is_refused(stored_network, keep):
    content = stored_network.read_bytes()
    stored_network.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(ValueError, match=r"is damaged or no file that save_network\(\) wrote"):
        load_network(stored_network)


def test_a_run_is_no_network_and_a_network_is_no_run(stored, stored_network):
    with pytest.raises(ValueError, match=r"is a safetensors file, but not one that save_network\(\) wrote"):
        load_network(stored)
    with pytest.raises(ValueError, match=r"is a safetensors file, but not one that save\(\) wrote"):
        load(stored_network, *data())


@pytest.mark.parametrize("metadata", [None, {"network": "{}"}, {"network": "[1"}, {"network": "3"}], ids=str)
def test_another_safetensors_file_is_no_network(tmp_path, metadata):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other", metadata=metadata)
    with pytest.raises(ValueError, match=r"no file that save_network\(\) wrote|not one that save_network\(\) wrote"):
        load_network(tmp_path / "other")


def rewrite_network(path, change=lambda about: None, tensors=lambda tensors: None):
    """The same file with another description or other tensors."""
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["network"])
    held = load_file(path)
    change(about)
    tensors(held)
    save_file(held, path, metadata={"network": json.dumps(about)})


FORGED = {
    "no kind": lambda a: a.pop("kind"),
    "another kind": lambda a: a.update(kind="other", config={}),
    "no description": lambda a: a.pop("config"),
    "a description that is none": lambda a: a.update(config=[1, 2]),
    "an unknown activation": lambda a: a["config"].update(activation="eval"),
    "an activation that is none": lambda a: a["config"].update(activation=["relu"]),
    "sizes and layers that are none": lambda a: a["config"].update(sizes="abc", n_layers="abc"),
    "far too many layers": lambda a: a["config"].update(sizes=[1] * 50, n_layers=10**12),
    "no shapes": lambda a: a.pop("shapes"),
}


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED)
def test_a_network_whose_description_does_not_fit_is_refused(stored_network, change):
    rewrite_network(stored_network, change)
    with pytest.raises(ValueError, match=r"network does not fit: "):
        load_network(stored_network)


@pytest.mark.parametrize("number", range(3))
def test_a_network_without_one_of_its_tensors_is_refused(stored_network, number):
    rewrite_network(stored_network, tensors=lambda held: held.pop(sorted(held)[number]))
    with pytest.raises(ValueError, match=r"network does not fit: its tensors are not those"):
        load_network(stored_network)


def test_a_network_with_a_tensor_of_another_shape_is_refused(stored_network):
    rewrite_network(stored_network, tensors=lambda held: held.update({min(held): torch.zeros(17)}))
    with pytest.raises(ValueError, match=r"network does not fit: its tensors are not those"):
        load_network(stored_network)


@pytest.mark.parametrize("compacted", [False, True], ids=["spectral", "compacted"])
def test_an_activation_without_a_name_cannot_be_stored_and_no_file_appears(tmp_path, compacted):
    network = net(activation=lambda z: z)
    with pytest.raises(ValueError, match=r"has no name to store; use one of \['elu', 'gelu', 'relu'"):
        save_network(network.compact() if compacted else network, tmp_path / "network")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_of_a_network_leaves_the_old_file_and_nothing_else(stored_network, monkeypatch):
    before = stored_network.read_bytes()

    def half(path, content):
        with path.open("wb") as file:
            file.write(content[:20])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="disk full"):
        save_network(net(seed=5), stored_network)
    monkeypatch.undo()
    assert stored_network.read_bytes() == before
    assert list(stored_network.parent.iterdir()) == [stored_network]


def test_a_pickle_is_no_network(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("code_ran").touch, ())

    torch.save(Trap(), tmp_path / "network")
    with pytest.raises(ValueError, match="is damaged"):
        load_network(tmp_path / "network")
    assert not tmp_path.joinpath("code_ran").exists()
