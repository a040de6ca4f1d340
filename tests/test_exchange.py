"""Networks for other programs compute the same there."""

import importlib.util

import pytest
import torch
from hypothesis import given
from strategies import inputs, make_stack, networks, randomise, stacks
from torch import nn
from torch.testing import assert_close

from spectral_lab import DirectNet, SpectralNet, exchange, prune
from spectral_lab.exchange import plain, save_onnx


@given(networks(zeros=0.4))
def test_a_plain_network_with_skip_links_is_the_same_function(network):
    assert_close(plain(network)(inputs(network)), network(inputs(network)), rtol=1e-10, atol=1e-10)
    assert isinstance(plain(network), DirectNet)


@given(stacks())
def test_a_plain_stack_is_the_same_function_of_plain_layers(model):
    network = plain(model)
    x = torch.rand(4, model[0].weight.shape[1], dtype=torch.float64)
    assert_close(network(x), model(x), rtol=1e-10, atol=1e-10)
    assert all(type(layer) is nn.Linear for layer in list(network)[::2])


def test_without_the_packages_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(exchange, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"onnx and onnxscript must be installed: pip install 'spectral-lab\[onnx\]'"):
        save_onnx(make_stack([3, 4, 2]), tmp_path / "network.onnx", torch.rand(2, 3))
    assert list(tmp_path.iterdir()) == []


onnx_models = {
    "stack": lambda: prune(make_stack([3, 6, 5, 2], activation=nn.ELU, dtype=torch.float32), "path", keep=6).network,
    "sigmoid": lambda: make_stack([3, 4, 2], activation=nn.Sigmoid, kinds=("qr", "plain"), dtype=torch.float32),
    "skip links": lambda: prune(randomise(SpectralNet([3, 6, 5, 2])), "path", keep=6).network,
    "spectral": lambda: randomise(SpectralNet([3, 6, 5, 2], activation=torch.tanh)),
}


@pytest.mark.filterwarnings("ignore")  # PyTorch's exporter warns about its own code
@pytest.mark.parametrize("name", onnx_models)
def test_an_onnx_file_gives_the_same_outputs_for_any_number_of_rows(tmp_path, name):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    from onnx.reference import ReferenceEvaluator

    model, path = onnx_models[name](), tmp_path / "network.onnx"
    save_onnx(model, path, torch.rand(2, 3))
    onnx.checker.check_model(str(path))
    again = ReferenceEvaluator(str(path))
    for n in (1, 2, 9):
        x = torch.rand(n, 3)
        assert_close(torch.from_numpy(again.run(["y"], {"x": x.numpy()})[0]), model(x).detach(), rtol=1e-5, atol=1e-6)
    assert [file.name for file in tmp_path.iterdir()] == ["network.onnx"]


def test_one_row_is_too_few_to_say_that_more_may_come(tmp_path, monkeypatch):
    monkeypatch.setattr(exchange, "find_spec", lambda name: importlib.util.find_spec("torch"))
    for x in (torch.rand(1, 3), torch.rand(3)):
        with pytest.raises(ValueError, match=r"x has shape .*; wanted two rows or more, \(batch, …\)"):
            save_onnx(make_stack([3, 4, 2]), tmp_path / "network.onnx", x)
