"""A convolution as a fully connected spectral layer (Student, Suppl. B), against torch.nn.functional.conv2d."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds, uniform
from torch import nn
from torch.testing import assert_close

from spectral_lab import SpectralLinear, prune
from spectral_lab.layers import SpectralConv2d
from spectral_lab.toeplitz import filters_as_eigenvectors, receptive_fields, toeplitz_matrix, weights_as_eigenvalues

EXACT = {"rtol": 0, "atol": 0}
PRECISION = {torch.float64: 1e-12, torch.float32: 1e-5}
few = st.integers(1, 3)
sides = st.integers(5, 7)
dtypes = st.sampled_from(list(PRECISION))


def seeded(seed=0):
    """A generator of one's own."""
    return torch.Generator().manual_seed(seed)


@st.composite
def convolutions(draw, **options):
    """Random plain convolutions over stride, padding, dilation, channels, groups and padding modes."""
    groups, stride = draw(st.sampled_from([1, 1, 2])), draw(st.tuples(few, few))
    drawn = {
        "in_channels": groups * draw(few),
        "out_channels": groups * draw(few),
        "kernel_size": draw(st.tuples(few, few)),
        "stride": stride,
        "padding": draw(st.sampled_from([0, 1, (2, 0), "valid", *(["same"] if stride == (1, 1) else [])])),
        "dilation": draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        "groups": groups,
        "bias": draw(st.booleans()),
        "padding_mode": draw(st.sampled_from(["zeros", "zeros", "circular", "reflect", "replicate"])),
    }
    conv, generator = nn.Conv2d(**(drawn | options)), seeded(draw(seeds))
    with torch.no_grad():
        for p in conv.parameters():
            p.copy_(uniform(*p.shape, generator=generator))
    return conv.to(draw(dtypes))


def answer(conv, x):
    """What the convolution says, by torch.nn.functional.conv2d where the padding is of zeros."""
    if conv.padding_mode != "zeros":
        return conv(x)
    return nn.functional.conv2d(x, conv.weight, conv.bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def images(conv, height, width, seed=0):
    """Two random images."""
    return uniform(2, conv.in_channels, height, width, generator=seeded(seed)).to(conv.weight.dtype)


def close(conv):
    """The precision that is asked for."""
    return {"rtol": PRECISION[conv.weight.dtype], "atol": PRECISION[conv.weight.dtype]}


@given(convolutions(), sides, sides, seeds)
def test_a_convolution_is_a_spectral_layer_of_binary_eigenvectors(conv, height, width, seed):
    """Suppl. B.1."""
    unrolled, x = weights_as_eigenvalues(conv, height, width), images(conv, height, width, seed)
    assert_close(unrolled(x), answer(conv, x), **close(conv))
    layer = unrolled.layer
    assert type(layer) is SpectralLinear
    assert set(layer.eigenvectors.unique().tolist()) <= {0.0, 1.0}
    assert_close(layer.eigenvectors.sum(0), torch.ones(layer.n_in, dtype=conv.weight.dtype), **EXACT)  # one entry a column
    assert_close(layer.eigenvalues_out, torch.zeros(layer.n_out, dtype=conv.weight.dtype), **EXACT)
    assert set(layer.eigenvalues_in.tolist()) <= set(conv.weight.flatten().tolist())


@given(convolutions(), sides, sides, seeds)
def test_a_convolution_is_a_spectral_layer_with_the_filters_as_eigenvectors(conv, height, width, seed):
    """Suppl. B.2, with relevances of their own for the filters; a plain convolution has the relevance 1."""
    x, spectral = images(conv, height, width, seed), SpectralConv2d.from_conv(conv)
    with torch.no_grad():
        spectral.eigenvalues_out.copy_(uniform(conv.out_channels, generator=seeded(seed)))
    relevance = spectral.eigenvalues_out.view(-1, 1, 1)
    bias = 0 if conv.bias is None else conv.bias.view(-1, 1, 1)
    unrolled = filters_as_eigenvectors(spectral, height, width)
    assert_close(unrolled(x), relevance * (answer(conv, x) - bias) + bias, **close(conv))
    layer, places = unrolled.layer, unrolled.shape[1] * unrolled.shape[2]
    assert_close(layer.eigenvalues_in, torch.zeros(layer.n_in, dtype=x.dtype), **EXACT)
    assert_close(layer.eigenvalues_out.view(-1, places), spectral.eigenvalues_out[:, None].expand(-1, places), **EXACT)
    plain = filters_as_eigenvectors(conv, height, width)
    assert_close(plain(x), answer(conv, x), **close(conv))
    assert_close(plain.layer.eigenvectors, -toeplitz_matrix(conv, height, width), **EXACT)


@given(convolutions(), sides, sides, seeds)
def test_eigenvalues_of_the_input_channels_stand_at_all_their_pixels(conv, height, width, seed):
    spectral, x, generator = SpectralConv2d.from_conv(conv), images(conv, height, width, seed), seeded(seed)
    with torch.no_grad():
        spectral.eigenvalues_in.copy_(uniform(conv.in_channels, generator=generator))
        spectral.eigenvalues_out.copy_(uniform(conv.out_channels, generator=generator))
    unrolled = filters_as_eigenvectors(spectral, height, width)
    assert_close(unrolled(x), spectral(x), **close(conv))
    assert_close(weights_as_eigenvalues(spectral, height, width)(x), spectral(x), **close(conv))


@given(convolutions(bias=False), sides, sides)
def test_the_matrix_holds_what_the_convolution_says_to_each_pixel(conv, height, width):
    n = conv.in_channels * height * width
    pixels = torch.eye(n, dtype=conv.weight.dtype).view(n, -1, height, width)
    assert_close(toeplitz_matrix(conv, height, width), answer(conv, pixels).flatten(1).T.detach(), **close(conv))


def test_the_matrix_of_the_figure():
    """Fig. B.2: one channel, no padding, stride 1: blocks along the rows of the image, each of Toeplitz structure."""
    conv = nn.Conv2d(1, 1, 2, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
    expected = [
        [1, 2, 0, 3, 4, 0, 0, 0, 0],
        [0, 1, 2, 0, 3, 4, 0, 0, 0],
        [0, 0, 0, 1, 2, 0, 3, 4, 0],
        [0, 0, 0, 0, 1, 2, 0, 3, 4],
    ]
    assert_close(toeplitz_matrix(conv, 3, 3), torch.tensor(expected).float(), **EXACT)


def test_a_pixel_is_copied_once_for_each_weight_that_it_meets():
    conv = nn.Conv2d(1, 1, 3, padding=1)
    copies = weights_as_eigenvalues(conv, 4, 4).pixels.bincount()
    assert copies.view(4, 4).tolist() == [[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]]


def test_a_filter_of_relevance_zero_is_silent_with_input_eigenvalues_zero_and_not_with_one():
    """Suppl. B.2 writes 1 in one place and 0 in another: only with 0 is λ_out a relevance."""
    spectral, x = SpectralConv2d.student(1, 2, 3, bias=False, generator=seeded()), torch.rand(1, 1, 5, 5, generator=seeded())
    with torch.no_grad():
        spectral.eigenvalues_out[0] = 0
    assert bool((filters_as_eigenvectors(spectral, 5, 5)(x)[:, 0] == 0).all())
    spectral.eigenvalues_in.data.fill_(1)
    assert bool((filters_as_eigenvectors(spectral, 5, 5)(x)[:, 0] != 0).all())


# -- network slimming --------------------------------------------------------------------------------------------------


def slimming(seed=0):
    """Two convolutions with batch norms in evaluation mode, and the same made of eigenvalues."""
    generator = seeded(seed)
    first, second = (nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)), (nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3))
    model = nn.Sequential(*first, nn.ReLU(), *second, nn.ReLU(), nn.Flatten(), nn.Linear(3 * 16, 2)).double().eval()
    with torch.no_grad():
        for module in (*first, *second):
            for tensor in module.parameters():
                tensor.copy_(uniform(*tensor.shape, generator=generator))
        for norm in (first[1], second[1]):
            norm.running_mean.copy_(uniform(*norm.running_mean.shape, generator=generator))
            norm.running_var.copy_(torch.rand(norm.running_var.shape, generator=generator) + 0.5)
    merged = [SpectralConv2d.from_normed(*pair) for pair in (first, second)]
    tail = copy.deepcopy(model[6:])
    return model, nn.Sequential(merged[0], nn.ReLU(), merged[1], nn.ReLU(), *tail)


def test_network_slimming_is_the_penalty_on_the_eigenvalues_of_filters():
    """ρ Σ|γ| of Liu et al. and ρ Σ|λ_out|: the same function, loss and gradient, but that γ moves the norm's offset along."""
    model, spectral = slimming()
    x, y, rho = uniform(6, 2, 8, 8, generator=seeded()), torch.tensor([0, 1, 0, 1, 1, 0]), 1e-2
    assert_close(spectral(x), model(x), rtol=1e-12, atol=1e-12)
    gammas, lam = [model[1].weight, model[4].weight], [spectral[0].eigenvalues_out, spectral[2].eigenvalues_out]
    losses = [
        nn.functional.cross_entropy(network(x), y) + rho * sum(numbers.abs().sum() for numbers in of_filters)
        for network, of_filters in ((model, gammas), (spectral, lam))
    ]
    assert_close(losses[0], losses[1], rtol=1e-12, atol=1e-12)
    by_bias = torch.autograd.grad(losses[1], [spectral[0].bias, spectral[2].bias], retain_graph=True)
    offsets = [(conv.bias - norm.running_mean) / (norm.running_var + norm.eps).sqrt() for conv, norm in (model[:2], model[3:5])]
    found = torch.autograd.grad(losses[1], lam)
    expected = [g - offset * b for g, offset, b in zip(torch.autograd.grad(losses[0], gammas), offsets, by_bias, strict=True)]
    assert_close(list(found), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("keep", range(2, 7))
def test_network_slimming_removes_the_filters_of_the_smallest_eigenvalues(keep):
    model, spectral = slimming(3)
    slim, thin = (prune(m, by, keep=keep, per_layer=True) for m, by in ((model, "batch_norm"), (spectral, "eigenvalue")))
    assert slim.certificate.kept == thin.certificate.kept
    x = uniform(6, 2, 8, 8, generator=seeded())
    assert_close(slim.network(x), thin.network(x), rtol=1e-10, atol=1e-10)


def test_in_the_unrolled_layer_each_filter_counts_once_a_place():
    spectral = slimming()[1][0]
    layer = filters_as_eigenvectors(spectral, 8, 8).layer
    assert_close(layer.eigenvalues_out.abs().sum(), 36 * spectral.eigenvalues_out.abs().sum())


def test_images_smaller_than_the_filter_are_refused():
    with pytest.raises(ValueError, match=r"images of 2 × 4 are smaller than the filter \(3, 3\)"):
        receptive_fields(nn.Conv2d(1, 1, 3), 2, 4)
