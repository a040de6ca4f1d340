"""Stacks of layers: what is one, what cutting leaves, and that a file gives back the same network without running code."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from strategies import ACTIVATION_MODULES, KINDS, make_stack, stacks, uniform
from torch import nn
from torch.testing import assert_close

from spectral_lab import SpectralLinear, load_network, prune, save_network
from spectral_lab.descriptions import build_stack, describe_stack
from spectral_lab.layers import Start
from spectral_lab.stacks import cut_stack, read_stack

EXACT = {"rtol": 0, "atol": 0}


def rows(model, n=5):
    like = next(model.parameters())
    return uniform(n, read_stack(model).sizes[0], generator=torch.Generator().manual_seed(0), dtype=like.dtype)


# -- reading -----------------------------------------------------------------------------------------------------------


@given(stacks())
def test_a_stack_is_read_in_its_order(model):
    stack = read_stack(model)
    assert list(stack.layers) == list(model)[::2]
    assert stack.places == tuple(range(0, len(model), 2))
    h = stack.head(rows(model))
    for k, layer in enumerate(stack.layers):
        h = layer(h)
        h = stack.activation(k)(h) if k < len(stack.layers) - 1 else stack.tail(h)
    assert_close(h, model(rows(model)), **EXACT)


def test_what_stands_outside_the_layers_may_be_anything_and_activations_may_follow_each_other():
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.0), nn.Linear(4, 3), nn.ReLU(), nn.Tanh(), nn.Linear(3, 2), nn.Softmax(-1))
    stack = read_stack(model)
    assert stack.sizes == (4, 3, 2)
    assert [len(list(part)) for part in (stack.head, stack.activation(0), stack.tail)] == [2, 2, 1]


shared = nn.Linear(3, 3)
NO_STACK = {
    r"the model is a Linear; wanted a SpectralNet, a DirectNet or an nn\.Sequential": nn.Linear(3, 2),
    r"holds no SpectralLinear and no nn\.Linear, but \['ReLU'\]": nn.Sequential(nn.ReLU()),
    r"holds no SpectralLinear and no nn\.Linear, but \[\]": nn.Sequential(),
    r"model\[1\] is a Dropout; wanted one of \['ELU'.*must act on every node by itself": nn.Sequential(
        nn.Linear(3, 3), nn.Dropout(), nn.Linear(3, 2)
    ),
    r"model\[1\] is a Softmax; wanted": nn.Sequential(nn.Linear(3, 3), nn.Softmax(-1), nn.Linear(3, 2)),
    r"model\[1\] is a Sequential; .*flatten nested ones": nn.Sequential(nn.Linear(3, 3), nn.Sequential(), nn.Linear(3, 2)),
    r"model\[2\] takes 4 nodes, but model\[0\] delivers 3": nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(4, 2)),
    "stands in two places of the model; untie them first": nn.Sequential(shared, nn.ReLU(), shared),
}


@pytest.mark.parametrize("message", NO_STACK)
def test_what_is_no_stack_is_refused(message):
    with pytest.raises((TypeError, ValueError), match=message):
        read_stack(NO_STACK[message])


# -- cutting -----------------------------------------------------------------------------------------------------------


@given(stacks(min_hidden=1), st.data())
def test_cut_weights_are_rows_and_columns_of_the_old_ones(model, data):
    stack = read_stack(model)
    keep = [torch.tensor(data.draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(any))) for n in stack.sizes[1:-1]]
    new = read_stack(cut_stack(stack, keep, [torch.zeros(len(mask)) for mask in keep]))
    masks = [torch.ones(stack.sizes[0], dtype=torch.bool), *keep, torch.ones(stack.sizes[-1], dtype=torch.bool)]
    for k, (old, layer) in enumerate(zip(stack.layers, new.layers, strict=True)):
        assert_close(layer.weight, old.weight[masks[k + 1]][:, masks[k]], rtol=1e-10, atol=1e-10)
        assert (layer.bias is None) == (old.bias is None)
    assert new.sizes == tuple(int(mask.sum()) for mask in masks)


def test_a_layer_without_nodes_is_refused():
    stack = read_stack(make_stack([3, 4, 2]))
    with pytest.raises(ValueError, match="hidden layer 0 would be left without nodes; keep at least one"):
        cut_stack(stack, [torch.zeros(4, dtype=torch.bool)], [torch.zeros(4)])


# -- files -------------------------------------------------------------------------------------------------------------


@given(stacks(), st.booleans())
def test_a_stored_stack_gives_the_same_outputs_to_the_bit(tmp_path_factory, model, training):
    path = tmp_path_factory.mktemp("stacks") / "network"
    next(model.parameters()).requires_grad_(False)
    model.train(training)
    save_network(model, path)
    again = load_network(path)
    assert_close(again(rows(model)), model(rows(model)), **EXACT)
    assert_close(dict(again.state_dict()), dict(model.state_dict()), **EXACT)
    assert repr(again) == repr(model)
    assert [p.requires_grad for p in again.parameters()] == [p.requires_grad for p in model.parameters()]
    assert again.training == training
    assert describe_stack(again) == describe_stack(model)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_a_pruned_stack_is_stored_and_goes_on_learning(tmp_path, kind, dtype):
    network, _ = prune(make_stack([4, 9, 3], kinds=(kind,), dtype=dtype), "path", keep=4)
    save_network(network, tmp_path / "network")
    again = load_network(tmp_path / "network")
    assert {p.dtype for p in again.parameters()} == {dtype}
    assert_close(again(rows(network)), network(rows(network)), **EXACT)
    again(rows(network)).sum().backward()
    assert any(p.grad is not None for p in again.parameters())


def test_options_of_layers_and_activations_are_stored(tmp_path):
    layer = SpectralLinear(12, 5, basis="qr", trained_off_diagonal=0.3, start=Start(eigenvalues_in=0.5))
    activations = [
        nn.ELU(0.7),
        nn.GELU("tanh"),
        nn.LeakyReLU(0.3),
        nn.Softplus(2.0, 15.0),
        nn.SiLU(),
        *(a() for a in ACTIVATION_MODULES),
    ]
    model = nn.Sequential(nn.Flatten(), layer, *activations, nn.Linear(5, 2), nn.LogSoftmax(1))
    save_network(model, tmp_path / "network")
    again = load_network(tmp_path / "network")
    assert repr(again) == repr(model)
    assert again[1].start == layer.start
    assert again[1].basis.triangle.shape == layer.basis.triangle.shape
    x = torch.rand(3, 4, 3)
    assert_close(again(x), model(x), **EXACT)


def test_a_module_without_a_name_for_files_is_refused(tmp_path):
    model = nn.Sequential(nn.Linear(3, 2), nn.Dropout())
    with pytest.raises(
        TypeError, match=r"model\[1\] is a Dropout, which no file can hold; wanted one of \['AdaptiveAvgPool2d'"
    ):
        save_network(model, tmp_path / "network")
    with pytest.raises(TypeError, match="the model is a Conv2d; wanted"):
        save_network(nn.Conv2d(1, 1, 1), tmp_path / "network")
    assert list(tmp_path.iterdir()) == []


def rewrite(path, change):
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["network"])
    tensors = load_file(path)
    change(about, tensors)
    about["shapes"] = {name: list(tensor.shape) for name, tensor in tensors.items()}
    save_file(tensors, path, metadata={"network": json.dumps(about)})


WRONG_FILES = {
    "another width": lambda about, tensors: about["config"]["modules"][0].update(n_out=10**9),
    "no kind": lambda about, tensors: about["config"]["modules"][0].pop("kind"),
    "a class of another library": lambda about, tensors: about["config"]["modules"][1].update(kind="os.system"),
    "an unknown option": lambda about, tensors: about["config"]["modules"][1].update(command="rm"),
    "an unknown dtype": lambda about, tensors: about["config"]["modules"][0].update(dtype="int8"),
    "no modules": lambda about, tensors: about["config"].pop("modules"),
    "no layers": lambda about, tensors: about["config"].update(modules=[]),
    "a missing tensor": lambda about, tensors: tensors.pop("0.bias"),
    "one tensor too many": lambda about, tensors: tensors.update(more=torch.zeros(1)),
    "another float type": lambda about, tensors: tensors.update({"0.bias": tensors["0.bias"].double()}),
    "another kind": lambda about, tensors: about.update(kind="run"),
}


@pytest.mark.parametrize("change", WRONG_FILES)
def test_a_file_that_does_not_fit_is_refused(tmp_path, change):
    save_network(make_stack([3, 4, 2], dtype=torch.float32), tmp_path / "network")
    rewrite(tmp_path / "network", WRONG_FILES[change])
    with pytest.raises(ValueError, match="does not fit"):
        load_network(tmp_path / "network")


def test_building_draws_no_numbers_and_allocates_none():
    description, before = describe_stack(make_stack([3, 4, 2])), torch.get_rng_state()
    stack = build_stack(description)
    assert {p.device.type for p in stack.parameters()} == {"meta"}
    assert_close(torch.get_rng_state(), before, **EXACT)
