"""Spectral convolutions against nn.Conv2d and against the formula written out, and as well-behaved modules of PyTorch."""

import copy
import shutil
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds, uniform
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.testing import assert_close

from spectral_lab import count_parameters, layers
from spectral_lab.convolutions import SpectralConv2d
from spectral_lab.layers import Start

TIGHT = {"rtol": 1e-10, "atol": 1e-10}
EXACT = {"rtol": 0, "atol": 0}
SETTINGS = {
    "free": {},
    "frozen": {"train_eigenvectors": False},
    "student": {"train_eigenvalues_in": False, "start": Start(eigenvalues_in=0.0, eigenvalues_out=1.0)},
}
all_settings = pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
few = st.integers(1, 3)


def seeded(seed=0):
    """A generator of one's own."""
    return torch.Generator().manual_seed(seed)


@st.composite
def shapes(draw):
    """Arguments of a convolution, padding by numbers or by name, in every padding mode and in groups."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    pair = st.tuples(few, few)
    stride = draw(pair)
    padding = draw(st.sampled_from([0, 1, (1, 0), (0, 2), "valid", *(["same"] if stride == (1, 1) else [])]))
    return {
        "in_channels": groups * draw(few),
        "out_channels": groups * draw(few),
        "kernel_size": draw(pair),
        "stride": stride,
        "padding": padding,
        "dilation": draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        "groups": groups,
        "bias": draw(st.booleans()),
        "padding_mode": draw(st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"])),
    }


def make(seed=0, dtype=torch.float64, **shape):
    """A layer whose numbers, bias included, depend on the seed alone."""
    layer = SpectralConv2d(**shape, generator=seeded(seed), dtype=dtype)
    if layer.bias is not None:
        with torch.no_grad():
            layer.bias.copy_(uniform(layer.out_channels, generator=seeded(seed + 1), dtype=dtype))
    return layer


def small(**options):
    """Two channels to four filters, and an image."""
    options = {"in_channels": 2, "out_channels": 4, "kernel_size": 3, "padding": 1} | options
    dtype = options.get("dtype", torch.float64)
    return make(**options), uniform(3, 2, 5, 6, generator=seeded(7), dtype=dtype)


def images(layer, seed=0, size=9):
    """Two images of the layer's channels."""
    return uniform(2, layer.in_channels, size, size, generator=seeded(seed), dtype=layer.eigenvectors.dtype)


def plain(layer):
    """The nn.Conv2d with the weights of the formula, filter by filter and channel by channel; shares no code with the layer."""
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
    conv = nn.Conv2d(**{name: getattr(layer, name) for name in names}, bias=layer.bias is not None, dtype=torch.float64)
    filters, channels = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    with torch.no_grad():
        for o in range(layer.out_channels):
            for i in range(channels):
                lam_in = layer.eigenvalues_in[(o // filters) * channels + i]
                conv.weight[o, i] = (lam_in - layer.eigenvalues_out[o]) * layer.eigenvectors[o, i]
        if layer.bias is not None:
            conv.bias.copy_(layer.bias)
    return conv


def trained(layer):
    """The trained parameters by name."""
    return {name: p for name, p in layer.named_parameters() if p.requires_grad}


# -- the law -----------------------------------------------------------------------------------------------------------


@given(shapes(), seeds)
def test_the_layer_is_the_convolution_with_the_weights_of_the_formula(shape, seed):
    layer = make(seed, **shape)
    x = images(layer, seed)
    assert_close(layer(x), plain(layer)(x), **TIGHT)
    assert_close(layer.weight, plain(layer).weight, **TIGHT)
    assert_close(layer(x[0]), layer(x)[0], **TIGHT)


@given(shapes(), seeds)
def test_it_is_the_convolution_still_after_training(shape, seed):
    layer = make(seed, **shape)
    x, optimizer = images(layer, seed), torch.optim.SGD(layer.parameters(), lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        layer(x).square().mean().backward()
        optimizer.step()
    assert_close(layer(x), plain(layer)(x), **TIGHT)


@pytest.mark.parametrize("shape", [{}, {"groups": 2}, {"padding": "same", "padding_mode": "circular", "dilation": 2}], ids=str)
@all_settings
def test_first_and_second_derivatives_are_right(options, shape):
    layer, x = small(**options, **shape)
    names, values = zip(*trained(layer).items(), strict=True)
    x = x[:1, :, :3, :4].clone().requires_grad_()

    def f(x, *values):
        return functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(f, (x, *values))
    assert torch.autograd.gradgradcheck(f, (x, *values))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("kernel", [2, (4, 3), (1, 2)], ids=str)
def test_an_odd_padding_stands_on_the_side_where_pytorch_has_it(mode, kernel):
    layer, x = small(kernel_size=kernel, padding="same", padding_mode=mode, dilation=(1, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch copies the image then, and says so
        assert_close(layer(x), plain(layer)(x), **TIGHT)


def test_a_filter_of_eigenvalue_zero_is_silent_in_the_students_setting():
    layer, x = small(**SETTINGS["student"], bias=False)
    with torch.no_grad():
        layer.eigenvalues_out[1] = 0
    assert_close(layer(x)[:, 1], torch.zeros(3, 5, 6, dtype=x.dtype), **EXACT)
    assert bool((layer(x)[:, [0, 2, 3]] != 0).all())


# -- from and to nn.Conv2d ---------------------------------------------------------------------------------------------


@given(shapes(), seeds, st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]))
def test_the_way_there_and_back_is_exact_to_the_bit(shape, seed, dtype):
    conv = plain(make(seed, **shape)).to(dtype)
    layer = SpectralConv2d.from_conv(conv)
    assert_close(layer.weight, conv.weight, **EXACT)
    assert_close(layer.eigenvectors, -conv.weight, **EXACT)
    assert bool((layer.eigenvalues_in == 0).all())
    assert bool((layer.eigenvalues_out == 1).all())
    back = layer.to_conv()
    assert type(back) is nn.Conv2d
    assert repr(back) == repr(conv)
    assert_close(dict(back.state_dict()), dict(conv.state_dict()), **EXACT)
    x = images(layer, seed)
    assert_close(layer(x), conv(x), **EXACT)


@all_settings
def test_conversion_keeps_mode_and_what_is_frozen_and_draws_nothing(options):
    options = {key: value for key, value in options.items() if key != "start"}
    conv, state = nn.Conv2d(2, 3, 3).eval(), torch.get_rng_state()
    conv.bias.requires_grad_(False)
    layer = SpectralConv2d.from_conv(conv, **options)
    for module in (layer, layer.to_conv()):
        assert not module.training
        assert not module.bias.requires_grad
    assert layer.to_conv().weight.requires_grad
    assert_close(torch.get_rng_state(), state, **EXACT)
    conv.weight.requires_grad_(False)
    assert not trained(SpectralConv2d.from_conv(conv, **options))
    assert not SpectralConv2d.from_conv(conv, **options).to_conv().weight.requires_grad


def test_conversion_shares_no_memory():
    conv = nn.Conv2d(2, 3, 3)
    before = copy.deepcopy(conv.state_dict())
    layer = SpectralConv2d.from_conv(conv)
    back = layer.to_conv()
    with torch.no_grad():
        for p in (*layer.parameters(), *back.parameters()):
            p.fill_(7.0)
    assert_close(dict(conv.state_dict()), dict(before), **EXACT)


@given(shapes(), seeds)
def test_a_batch_norm_behind_becomes_the_eigenvalue(shape, seed):
    conv = plain(make(seed, **shape)).eval()
    norm, generator = nn.BatchNorm2d(conv.out_channels, dtype=torch.float64).eval(), seeded(seed)
    with torch.no_grad():
        for numbers in (norm.weight, norm.bias, norm.running_mean):
            numbers.copy_(uniform(len(numbers), generator=generator))
        norm.running_var.copy_(torch.rand(conv.out_channels, generator=generator) + 0.1)
    layer = SpectralConv2d.from_normed(conv, norm)
    x = images(layer, seed)
    assert_close(layer(x), norm(conv(x)), **TIGHT)
    assert_close(layer.eigenvalues_out, norm.weight, **EXACT)
    assert not layer.eigenvalues_in.requires_grad
    assert not layer.training


def test_a_batch_norm_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="the norm has 4 channels, the convolution 3 filters"):
        SpectralConv2d.from_normed(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(4))
    for options in ({"affine": False}, {"track_running_stats": False}):
        with pytest.raises(ValueError, match="no running mean and variance or no γ; wanted"):
            SpectralConv2d.from_normed(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3, **options))


def test_a_batch_norm_without_a_bias_becomes_the_eigenvalue_too():
    conv, norm = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)
    norm.bias = None  # newer releases of PyTorch have an option for it
    with torch.no_grad():
        norm.running_mean.copy_(torch.tensor([0.5, -1.0, 2.0]))
    x = torch.rand(2, 2, 5, 5, generator=seeded())
    assert_close(SpectralConv2d.from_normed(conv, norm.eval())(x), norm(conv(x)))


@pytest.mark.parametrize(
    ("frozen", "trained"),
    [
        (["conv.weight"], {"eigenvalues_out", "bias"}),
        (["norm.weight"], {"eigenvectors", "eigenvalues_in", "bias"}),
        (["conv.bias"], {"eigenvectors", "eigenvalues_in", "eigenvalues_out", "bias"}),
        (["conv.bias", "norm.bias"], {"eigenvectors", "eigenvalues_in", "eigenvalues_out"}),
        (["conv.weight", "norm.weight", "conv.bias", "norm.bias"], set()),
    ],
    ids=str,
)
def test_what_was_frozen_before_a_batch_norm_became_the_eigenvalue_stays_frozen(frozen, trained):
    pair = nn.ModuleDict({"conv": nn.Conv2d(2, 3, 3), "norm": nn.BatchNorm2d(3)})
    for name in frozen:
        pair.get_parameter(name).requires_grad_(False)
    layer = SpectralConv2d.from_normed(pair["conv"], pair["norm"], train_eigenvalues_in=True)
    assert {name for name, p in layer.named_parameters() if p.requires_grad} == trained


def test_a_transposed_convolution_is_refused():
    with pytest.raises(TypeError, match=r"the layer is a ConvTranspose2d; wanted an nn.Conv2d"):
        SpectralConv2d.from_conv(nn.ConvTranspose2d(3, 3, 3))


# -- settings and start ------------------------------------------------------------------------------------------------


def test_the_settings_train_what_the_literature_trains():
    names = {"eigenvalues_in", "eigenvalues_out", "eigenvectors", "bias"}
    assert set(trained(SpectralConv2d(2, 3, 3))) == names
    assert set(trained(SpectralConv2d.student(2, 3, 3))) == names - {"eigenvalues_in"}
    assert set(trained(SpectralConv2d.spectral(2, 3, 3, bias=False))) == {"eigenvalues_in", "eigenvalues_out"}
    student = SpectralConv2d.student(2, 3, 3, 2, 1)
    assert (student.stride, student.padding) == ((2, 2), (1, 1))
    assert_close(student.eigenvalues_in, torch.zeros(2))
    assert_close(student.eigenvalues_out, torch.ones(3))


@pytest.mark.parametrize("setting", [SpectralConv2d, SpectralConv2d.spectral])
@pytest.mark.parametrize("groups", [1, 4])
def test_weights_start_with_the_variance_of_a_plain_convolution(setting, groups):
    layer = setting(256, 64, 3, groups=groups, generator=seeded())
    wanted = nn.Conv2d(256, 64, 3, groups=groups).weight.var()
    assert_close(layer.weight.var(), wanted, rtol=0.2, atol=0)


def test_the_student_starts_with_glorots_variance():
    wanted = torch.empty(64, 32, 5, 5)
    nn.init.xavier_normal_(wanted, generator=seeded())
    assert_close(SpectralConv2d.student(32, 64, 5, generator=seeded()).weight.var(), wanted.var(), rtol=0.05, atol=0)


def test_a_students_filter_in_groups_starts_like_the_one_convolution_that_each_group_is():
    alone = SpectralConv2d.student(8, 16, 5, generator=seeded()).eigenvectors
    for grouped in (SpectralConv2d.student(32, 64, 5, groups=4), SpectralConv2d.student(32, 64, 5, 1, 0, 1, 4)):
        assert grouped.eigenvectors.shape == (64, 8, 5, 5)
        assert_close(grouped.eigenvectors.var(), alone.var(), rtol=0.1, atol=0)
    with pytest.raises(ValueError, match="groups = 0"):
        SpectralConv2d.student(32, 64, 5, groups=0)


@all_settings
def test_numbers_come_from_the_generator_and_no_other(options):
    state = torch.get_rng_state()
    layer = SpectralConv2d(2, 3, 3, generator=seeded(), **options)
    assert_close(torch.get_rng_state(), state, **EXACT)
    first = copy.deepcopy(layer.state_dict())
    layer.reset_parameters(seeded())
    assert_close(dict(layer.state_dict()), dict(first), **EXACT)


def test_a_layer_counts_as_one_row_of_the_table():
    count = count_parameters(nn.Sequential(SpectralConv2d.student(2, 3, (3, 5))))
    assert [(row.kind, row.trainable, row.total) for row in count.layers] == [("SpectralConv2d", 96, 98)]


# -- a good citizen ----------------------------------------------------------------------------------------------------


def test_both_kinds_of_spectral_layers_are_found_in_one_module():
    assert layers.SpectralConv2d is SpectralConv2d


def test_the_representation_names_what_is_unusual():
    assert repr(SpectralConv2d(2, 3, 3)) == "SpectralConv2d(2, 3, kernel_size=(3, 3), bias=True, trained=62)"
    layer = SpectralConv2d(2, 4, (3, 1), padding="same", groups=2, bias=False, train_eigenvectors=False)
    assert repr(layer) == "SpectralConv2d(2, 4, kernel_size=(3, 1), padding='same', groups=2, bias=False, trained=6)"


@all_settings
def test_state_dicts_and_deep_copies_hold_the_whole_function(options):
    (layer, x), (other, _) = small(**options), small(seed=1, **options)
    other.load_state_dict(layer.state_dict())
    assert_close(other(x), layer(x), **EXACT)
    assert_close(copy.deepcopy(layer)(x), layer(x), **EXACT)


@all_settings
def test_all_numbers_move_with_the_layer(options):
    layer, x = small(**options)
    expected = layer(x)
    assert_close(layer.to(torch.float32)(x.float()), expected.float(), rtol=1e-5, atol=1e-5)
    assert layer.to("meta")(x.float().to("meta")).shape == (3, 4, 5, 6)
    assert SpectralConv2d(2, 3, 3, device="meta", **options).weight.is_meta
    assert SpectralConv2d.from_conv(nn.Conv2d(2, 3, 3, device="meta")).to_conv().weight.is_meta


def test_the_order_in_memory_of_images_is_kept():
    layer, x = small(dtype=torch.float32)
    expected = layer(x)
    layer = layer.to(memory_format=torch.channels_last)
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    found = layer(x.to(memory_format=torch.channels_last))
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert_close(found, expected)
    conv = nn.Conv2d(2, 4, 3).to(memory_format=torch.channels_last)
    layer = SpectralConv2d.from_conv(conv)
    assert layer.eigenvectors.is_contiguous(memory_format=torch.channels_last)
    assert layer.to_conv().weight.is_contiguous(memory_format=torch.channels_last)


@all_settings
def test_autocast_computes_in_the_lower_precision_and_gives_gradients_in_the_full_one(options):
    layer, x = small(dtype=torch.float32, **options)
    layer(x).sum().backward()
    full = {name: p.grad.clone() for name, p in trained(layer).items()}
    layer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype is torch.bfloat16
    y.float().sum().backward()
    assert_close({name: p.grad for name, p in trained(layer).items()}, full, rtol=0.05, atol=0.3)


@all_settings
def test_stateless_calls_and_gradients_of_each_sample_agree_with_a_loop(options):
    layer, x = small(**options)
    values, fixed = trained(layer), {n: t for n, t in layer.state_dict().items() if n not in trained(layer)}

    def loss(values, x):
        return functional_call(layer, values | fixed, (x,)).sin().sum()

    single = vmap(grad(loss), (None, 0))(values, x)
    for n in range(len(x)):
        expected = torch.autograd.grad(loss(values, x[n]), list(values.values()))
        assert_close([single[name][n] for name in values], list(expected), **TIGHT)


@pytest.mark.slow
@all_settings
def test_compiles_to_one_graph(options):
    """The first one with inductor where there is its C++ compiler; what that warns about on import is PyTorch's affair."""
    backend = "inductor" if options == {} and shutil.which("g++") else "aot_eager"
    layer, x = small(dtype=torch.float32, padding="same", padding_mode="reflect", **options)
    torch.compiler.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = torch.compile(layer, fullgraph=True, backend=backend)
        found = torch.autograd.grad(compiled(x).sin().sum(), list(trained(layer).values()))
    assert_close(found, torch.autograd.grad(layer(x).sin().sum(), list(trained(layer).values())))


def test_exports_with_any_number_of_images():
    layer, x = small()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
    assert_close(exported(x[:2]), layer(x[:2]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@all_settings
def test_a_generator_gives_the_same_layer_on_every_device(options):
    here, there = (SpectralConv2d(2, 3, 3, generator=seeded(), device=device, **options) for device in ("cpu", "cuda"))
    assert_close({n: t.cpu() for n, t in there.state_dict().items()}, dict(here.state_dict()))


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_channels": 0}, "in_channels = 0; wanted a whole number of channels, at least 1"),
        ({"out_channels": 2.5}, r"out_channels = 2.5; wanted a whole number of filters"),
        ({"groups": 3}, "groups = 3 does not divide 2 input channels and 4 filters"),
        ({"groups": 0}, "groups = 0; wanted a whole number of groups"),
        ({"kernel_size": 0}, "kernel_size = 0; wanted a whole number of at least 1, or two of them"),
        ({"kernel_size": (3, 3, 3)}, r"kernel_size = \(3, 3, 3\)"),
        ({"stride": -1}, "stride = -1"),
        ({"dilation": 0}, "dilation = 0"),
        ({"padding": -1}, "padding = -1; wanted a whole number of at least 0"),
        ({"padding": "full"}, "padding = 'full'; wanted 'valid', 'same'"),
        ({"padding": "same", "stride": 2}, r"padding = 'same' keeps the size of the image, but stride = \(2, 2\)"),
        ({"padding_mode": "mirror"}, "padding_mode = 'mirror'; wanted one of zeros, reflect"),
        ({"start": Start(eigenvalues_in=1.0, eigenvalues_out=1.0)}, "all eigenvalues start at 1.0"),
    ],
    ids=str,
)
def test_arguments_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SpectralConv2d(**{"in_channels": 2, "out_channels": 4, "kernel_size": 3} | options)


def test_a_type_in_which_nothing_can_be_trained_is_refused():
    with pytest.raises(TypeError, match=r"dtype = torch\.int64; eigenvalues are trained"):
        SpectralConv2d(2, 4, 3, dtype=torch.int64)


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (8, 8), (2, 2, 2, 8, 8), (3, 8, 8)], ids=str)
def test_images_of_other_channels_are_refused(shape):
    with pytest.raises(ValueError, match=r"the input has shape .*; this layer wants \(batch, 2, height, width\)"):
        SpectralConv2d(2, 4, 3)(torch.zeros(shape))


def test_images_smaller_than_the_filter_are_refused():
    with pytest.raises(
        ValueError, match="the image is 4 × 8 with its padding, smaller than the filter, which reaches over 5 × 3"
    ):
        SpectralConv2d(2, 4, (3, 3), padding=(1, 0), dilation=(2, 1))(torch.zeros(1, 2, 2, 8))


def test_images_of_another_float_type_are_refused_but_under_autocast():
    layer, x = SpectralConv2d(2, 4, 3), torch.zeros(1, 2, 8, 8)
    with pytest.raises(TypeError, match=r"the input has dtype torch.float64, the layer torch.float32; convert one, e.g. by"):
        layer(x.double())
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x.bfloat16()).dtype is torch.bfloat16


def test_pixels_of_a_whole_number_type_are_refused():
    with pytest.raises(
        TypeError, match=r"the input has dtype torch.uint8; wanted a float type, e.g. x.to\(torch.float32\) / 255"
    ):
        SpectralConv2d(2, 4, 3)(torch.zeros(1, 2, 8, 8, dtype=torch.uint8))
