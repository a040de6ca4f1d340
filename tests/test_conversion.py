"""Whole models made spectral and plain again: the same function, and the caller's model untouched."""

import copy

import pytest
import torch
from hypothesis import given
from strategies import seeds, sizes, uniform
from torch import nn
from torch.testing import assert_close

from spectral_lab import SpectralLinear, materialize, spectralize
from spectral_lab.conversion import replace_layers
from spectral_lab.convolutions import SpectralConv2d
from spectral_lab.layers import feed_forward

OPTIONS = [{}, {"basis": "svd"}, {"basis": "qr"}, {"basis": "qr", "trained_off_diagonal": 0.5}]


def seeded(seed=0):
    """A generator of one's own."""
    return torch.Generator().manual_seed(seed)


def kinds(model):
    """How many modules of the two kinds a model has."""
    types = [type(module) for module in model.modules()]
    return types.count(nn.Linear), types.count(SpectralLinear)


class Twice(nn.Module):
    """One linear layer in two places, a plain one, and a batch norm between."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.parts = nn.ModuleDict({"again": self.inner, "norm": nn.BatchNorm1d(4), "out": nn.Linear(4, 2)})

    def forward(self, x):
        return self.parts["out"](self.parts["norm"](self.parts["again"](self.inner(x))))


@given(sizes(max_blocks=3), seeds)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_model_stays_the_same_function_there_and_back(options, nodes, seed):
    model = feed_forward(nodes, nn.Linear, activation=nn.Tanh, dtype=torch.float64)
    x = uniform(3, nodes[0], generator=seeded(seed))
    spectral = spectralize(model, **options)
    assert kinds(spectral) == (0, len(nodes) - 1)
    assert kinds(materialize(spectral)) == (len(nodes) - 1, 0)
    for other in (spectral, materialize(spectral)):
        assert_close(other(x), model(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("convert", [spectralize, materialize], ids=lambda f: f.__name__)
def test_the_callers_model_is_left_alone(convert):
    model = Twice().eval() if convert is spectralize else spectralize(Twice().eval())
    before, kinds_before = copy.deepcopy(model.state_dict()), kinds(model)
    other = convert(model)
    with torch.no_grad():
        for tensor in (*other.parameters(), *other.buffers()):
            tensor.fill_(7)
    assert_close(dict(model.state_dict()), dict(before), rtol=0, atol=0)
    assert kinds(model) == kinds_before
    assert not any(module.training for module in (*model.modules(), *other.modules()))


def test_a_shared_layer_stays_shared():
    model = spectralize(Twice())
    assert model.inner is model.parts["again"]
    assert kinds(model) == (0, 2)
    plain = materialize(model)
    assert plain.inner is plain.parts["again"]
    assert kinds(plain) == (2, 0)


def test_a_layer_that_stands_twice_in_one_parent_stays_shared():
    linear = nn.Linear(3, 3)
    spectral = spectralize(nn.Sequential(linear, nn.ReLU(), linear))
    assert spectral[0] is spectral[2]
    assert kinds(spectral) == (0, 1)


def test_a_model_that_is_a_linear_layer_is_replaced_itself():
    linear = nn.Linear(3, 2)
    spectral, x = spectralize(linear), torch.rand(4, 3)
    assert type(spectral) is SpectralLinear
    assert type(materialize(spectral)) is nn.Linear
    assert_close(spectral(x), linear(x))


def test_a_model_without_such_layers_is_copied():
    model = nn.Sequential(nn.BatchNorm2d(1))
    copied = spectralize(model)
    assert copied is not model
    assert_close(dict(copied.state_dict()), dict(model.state_dict()))


def test_modes_of_single_layers_and_what_is_frozen_stay():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    model[0].eval().requires_grad_(False)
    spectral = spectralize(model)
    for other in (spectral, materialize(spectral)):
        assert [module.training for module in other] == [False, True]
        assert [[p.requires_grad for p in module.parameters()] for module in other] == [
            [r] * len(list(module.parameters())) for r, module in zip([False, True], other, strict=True)
        ]


def test_a_transformer_keeps_its_attention_and_gives_the_same_in_both_modes():
    """In eval mode PyTorch's fast path reads the weights of the layers; the attention's own layer is a subclass."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    spectral, x = spectralize(layer), torch.rand(3, 5, 8)
    assert kinds(spectral) == (0, 2)
    assert type(spectral.self_attn.out_proj) is type(layer.self_attn.out_proj)
    assert_close(spectral(x), layer(x))
    with torch.no_grad():
        assert_close(spectral.eval()(x), layer.eval()(x))


def test_layers_can_be_chosen():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    spectral = spectralize(model, where=lambda linear: linear.out_features == 4)
    assert [type(module) for module in spectral] == [SpectralLinear, nn.Linear]


def test_normed_and_parametrised_layers_are_left_as_they_are():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)), nn.LazyLinear(2))
    assert kinds(spectralize(model)) == (0, 0)
    made_anew = nn.utils.spectral_norm(nn.Linear(3, 3))  # a plain attribute hides the parameter
    assert kinds(spectralize(made_anew)) == (1, 0)


def test_tied_weights_are_refused():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    with pytest.raises(ValueError, match=r"0\.weight and 1\.weight are one tied parameter.*untie them first"):
        spectralize(model)
    assert kinds(model) == (2, 0)
    assert kinds(spectralize(model, where=lambda linear: False)) == (2, 0)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="basis = 'lu'"):
        spectralize(nn.Linear(3, 2), basis="lu")
    with pytest.raises(TypeError, match="train_eigenvalue"):
        spectralize(nn.Linear(3, 2), train_eigenvalue=False)


def test_a_module_that_has_been_put_in_is_not_searched_again():
    wrapped = replace_layers(nn.Linear(2, 2), lambda m: nn.Sequential(m) if type(m) is nn.Linear else None)
    assert [type(module) for module in wrapped.modules()] == [nn.Sequential, nn.Linear]


def test_training_goes_on_where_the_plain_model_stood():
    """With λ^in = 0 and λ^out = 1 frozen the first step is the plain one: dφ = -dw."""
    model, x, y = nn.Linear(3, 2), torch.rand(5, 3), torch.ones(5, 2)
    spectral = spectralize(model, train_eigenvalues_in=False, train_eigenvalues_out=False)
    for network in (model, spectral):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        nn.functional.mse_loss(network(x), y).backward()
        optimizer.step()
    assert_close(spectral(x), model(x))


def test_convolutions_anywhere_in_a_model_become_spectral_and_plain_again():
    model = nn.ModuleDict(
        {"a": nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3)), "b": nn.Conv2d(3, 2, 1)}
    )
    model["a"][0].requires_grad_(False)
    spectral = spectralize(model)
    assert type(spectral["a"][0]) is type(spectral["b"]) is SpectralConv2d
    assert not any(p.requires_grad for p in spectral["a"][0].parameters())
    plain, x = materialize(spectral), torch.rand(2, 2, 5, 5)
    assert type(plain["a"][0]) is type(plain["b"]) is nn.Conv2d
    assert_close(dict(plain.state_dict()), dict(model.state_dict()), rtol=0, atol=0)
    assert not plain["a"][0].weight.requires_grad
    for other in (spectral, plain):
        assert_close(other["b"](other["a"].eval()(x)), model["b"](model["a"].eval()(x)), rtol=0, atol=0)


def test_bases_are_for_the_linear_layers_of_a_model_with_convolutions():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(18, 3))
    spectral = spectralize(model, basis="svd", train_eigenvectors=False)
    assert type(spectral[2].basis).__name__ == "SVD"
    assert not spectral[0].eigenvectors.requires_grad
    with pytest.raises(TypeError, match="train_eigenvalue'"):
        spectralize(model, train_eigenvalue=False)


def test_where_chooses_among_linear_layers_and_convolutions():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(18, 3))
    spectral = spectralize(model, where=lambda layer: isinstance(layer, nn.Conv2d))
    assert [type(module) for module in spectral] == [SpectralConv2d, nn.Flatten, nn.Linear]


def test_tied_convolutions_are_refused():
    model = nn.Sequential(nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3))
    model[1].weight = model[0].weight
    with pytest.raises(ValueError, match=r"0\.weight and 1\.weight are one tied parameter"):
        spectralize(model)
