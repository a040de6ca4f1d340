"""Spectral layers against the dense A = ΦΛΦ⁻¹ and against nn.Linear, and as well-behaved modules of PyTorch."""

import copy
import os
import shutil
import subprocess
import sys
import warnings
from functools import partial

import pytest
import torch
from benchmark_scripts import load
from hypothesis import given
from hypothesis import strategies as st
from strategies import dense_adjacency, seeds, uniform, widths
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.testing import assert_close

from spectral_lab import SpectralLinear, product
from spectral_lab.layers import Start, feed_forward
from spectral_lab.peak import peak_mebibytes
from spectral_lab.product import spectral_weights

TIGHT = {"rtol": 1e-10, "atol": 1e-10}
SETTINGS = {
    "dense": {},
    "frozen": {"train_eigenvectors": False},
    "svd": {"basis": "svd"},
    "qr": {"basis": "qr"},
    "half of qr": {"basis": "qr", "trained_off_diagonal": 0.5},
    "student": {"train_eigenvalues_in": False, "start": Start(eigenvalues_in=0.0, eigenvalues_out=1.0)},
}
all_settings = pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
drawn_settings = st.sampled_from(list(SETTINGS.values()))


def seeded(seed=0):
    """A generator of one's own."""
    return torch.Generator().manual_seed(seed)


def make(n_in, n_out, seed=0, dtype=torch.float64, **options):
    """A layer whose numbers, bias included, depend on the seed alone."""
    layer = SpectralLinear(n_in, n_out, generator=seeded(seed), dtype=dtype, **options)
    if layer.bias is not None:
        with torch.no_grad():
            layer.bias.copy_(uniform(n_out, generator=seeded(seed + 1), dtype=dtype))
    return layer


def plain(layer):
    """The nn.Linear with the weights of the dense decomposition; shares no code with the layer."""
    A = dense_adjacency([layer.eigenvectors], [layer.eigenvalues_in, layer.eigenvalues_out]).detach()
    linear = nn.Linear(layer.n_in, layer.n_out, bias=layer.bias is not None, dtype=A.dtype)
    with torch.no_grad():
        linear.weight.copy_(A[layer.n_in :, : layer.n_in])
        if layer.bias is not None:
            linear.bias.copy_(layer.bias)
    return linear


def trained(layer):
    """The trained parameters by name."""
    return {name: p for name, p in layer.named_parameters() if p.requires_grad}


def steps(model, x, y, n=5, lr=0.05):
    """Some steps of gradient descent."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(n):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


# -- the law -----------------------------------------------------------------------------------------------------------


@given(widths, widths, seeds)
def test_weights_are_the_lower_left_block_of_the_explicit_decomposition(n_in, n_out, seed):
    layer = make(n_in, n_out, seed)
    A = dense_adjacency([layer.eigenvectors], [layer.eigenvalues_in, layer.eigenvalues_out])
    assert_close(layer.weight, A[n_in:, :n_in], **TIGHT)


@given(widths, widths, seeds, st.booleans(), drawn_settings)
def test_the_layer_is_the_linear_layer_with_these_weights_also_after_training(n_in, n_out, seed, bias, options):
    layer, x = make(n_in, n_out, seed, bias=bias, **options), uniform(4, n_in, generator=seeded(seed))
    assert_close(layer(x), plain(layer)(x), **TIGHT)
    before = copy.deepcopy(layer)
    steps(layer, x, torch.ones(4, n_out, dtype=x.dtype))
    assert_close(layer(x), plain(layer)(x), **TIGHT)
    for name, p in layer.named_parameters():
        if not p.requires_grad:
            assert_close(p, before.get_parameter(name), rtol=0, atol=0)
    for name, buffer in layer.named_buffers():
        assert_close(buffer, before.get_buffer(name), rtol=0, atol=0)


@given(widths, widths, seeds, st.booleans(), drawn_settings)
def test_gradients_are_those_of_the_written_out_formula(n_in, n_out, seed, bias, options):
    layer = make(n_in, n_out, seed, bias=bias, **options)
    x = uniform(2, 3, n_in, generator=seeded(seed)).requires_grad_()
    w = (layer.eigenvalues_in[None, :] - layer.eigenvalues_out[:, None]) * layer.eigenvectors
    written = torch.einsum("...j,ij->...i", x, w) + (layer.bias if bias else 0)
    leaves = [x, *trained(layer).values()]
    assert_close(torch.autograd.grad(layer(x).sin().sum(), leaves), torch.autograd.grad(written.sin().sum(), leaves), **TIGHT)


@all_settings
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (3, 5), (7, 13)], ids=str)
def test_first_and_second_derivatives_are_right(options, shape):
    layer = make(*shape, **options)
    names, values = zip(*trained(layer).items(), strict=True)
    x = uniform(2, shape[0], generator=seeded()).requires_grad_()

    def f(x, *values):
        return functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(f, (x, *values))
    assert torch.autograd.gradgradcheck(f, (x, *values))


@pytest.mark.parametrize("n_out", range(1, 20))
def test_gradients_are_whole_however_many_rows_a_block_has(n_out, monkeypatch):
    monkeypatch.setattr(product, "SMALL", 1)
    layer, x = make(3, n_out), uniform(2, 3, generator=seeded())
    layer(x).square().sum().backward()
    leaves = [p.detach().requires_grad_() for p in (layer.basis.eigenvectors, layer.eigenvalues_in, layer.eigenvalues_out)]
    nn.functional.linear(x, spectral_weights(*leaves), layer.bias.detach()).square().sum().backward()
    found = [layer.basis.eigenvectors.grad, layer.eigenvalues_in.grad, layer.eigenvalues_out.grad]
    assert_close(found, [leaf.grad for leaf in leaves], **TIGHT)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_a_training_step_needs_hardly_more_memory_than_that_of_a_linear_layer(optimizer):
    """The benchmark's own measure; 1.2 leaves no room for a second matrix as large as the weights."""
    benchmark, peaks = load("layers"), {}
    for name in ("nn.Linear", "dense", "dense, φ frozen"):
        make = partial(benchmark.training_step, benchmark.LAYERS[name], benchmark.OPTIMIZERS[optimizer], "cpu")
        peaks[name] = peak_mebibytes(make)
    assert peaks["dense"] <= 1.2 * peaks["nn.Linear"]
    assert peaks["dense, φ frozen"] <= peaks["dense"]


# -- the bases ---------------------------------------------------------------------------------------------------------


@given(widths, widths, seeds)
def test_the_factors_of_the_svd_are_orthogonal_and_the_singular_values_are_those_of_phi(n_in, n_out, seed):
    basis = make(n_in, n_out, seed, basis="svd").basis
    eye = torch.eye(min(n_in, n_out), dtype=torch.float64)
    assert_close(basis.left.T @ basis.left, eye, **TIGHT)
    assert_close(basis.right.T @ basis.right, eye, **TIGHT)
    assert_close(torch.linalg.svdvals(basis()), basis.singular_values.sort(descending=True).values, **TIGHT)


@given(widths, widths, seeds, st.sampled_from([0, 0.3, 0.5, 1]))
def test_qr_factorises_phi_where_it_is_tall_and_its_transpose_elsewhere(n_in, n_out, seed, p):
    basis, M = make(n_in, n_out, seed, basis="qr", trained_off_diagonal=p).basis, min(n_in, n_out)
    assert_close(basis.Q.T @ basis.Q, torch.eye(M, dtype=torch.float64), **TIGHT)
    assert_close(basis.R(), basis.R().triu(), rtol=0, atol=0)
    assert_close(basis() if n_out > n_in else basis().T, basis.Q @ basis.R(), **TIGHT)
    assert basis.triangle.numel() == M + round(p * M * (M - 1) / 2)
    assert basis.triangle.numel() + basis.fixed_triangle.numel() == M * (M + 1) // 2
    assert_close(basis.triangle[:M], basis.R().diagonal(), rtol=0, atol=0)


def test_the_random_orthogonal_factors_prefer_no_sign():
    """LAPACK's own Q would be +1 here, always."""
    bases = [make(1, 1, seed, basis="svd").basis for seed in range(20)]
    assert {basis.left.item() for basis in bases} == {basis.right.item() for basis in bases} == {-1.0, 1.0}


def test_the_entries_of_r_that_are_trained_are_drawn_anew_by_each_generator():
    places = [make(9, 9, seed, basis="qr", trained_off_diagonal=0.5).basis.places for seed in (0, 0, 1)]
    assert_close(places[0], places[1])
    assert not torch.equal(places[0], places[2])
    assert_close(places[2].sort().values, torch.triu(torch.ones(9, 9)).flatten().nonzero().flatten())


def test_only_the_chosen_entries_of_r_move():
    layer, x = make(6, 6, basis="qr", trained_off_diagonal=0.4), uniform(8, 6, generator=seeded())
    before, n_trained = layer.basis.R().detach(), layer.basis.triangle.numel()
    steps(layer, x, torch.ones(8, 6, dtype=x.dtype), n=1)
    moved = (layer.basis.R() != before).flatten().nonzero().flatten()
    assert_close(moved, layer.basis.places[:n_trained].sort().values)


# -- presets and start values ------------------------------------------------------------------------------------------


PRESETS = {
    "original": (SpectralLinear.original, {"eigenvalues_out"}),
    "original, first": (partial(SpectralLinear.original, first=True), {"eigenvalues_in", "eigenvalues_out"}),
    "spectral": (SpectralLinear.spectral, {"eigenvalues_in", "eigenvalues_out"}),
    "s_svd": (SpectralLinear.s_svd, {"eigenvalues_in", "eigenvalues_out", "basis.singular_values"}),
    "s_qr": (SpectralLinear.s_qr, {"eigenvalues_in", "eigenvalues_out", "basis.triangle"}),
    "student": (SpectralLinear.student, {"eigenvalues_out", "basis.eigenvectors"}),
}


@pytest.mark.parametrize(("preset", "names"), PRESETS.values(), ids=PRESETS)
def test_a_preset_trains_what_the_literature_trains(preset, names):
    assert set(trained(preset(5, 4))) == names | {"bias"}
    assert set(trained(preset(5, 4, bias=False))) == names


@pytest.mark.parametrize(("preset", "lam_in", "lam_out"), [("original", 1.0, None), ("student", 0.0, 1.0)])
def test_frozen_input_eigenvalues_hold_the_papers_constant(preset, lam_in, lam_out):
    layer = getattr(SpectralLinear, preset)(5, 4)
    assert_close(layer.eigenvalues_in, torch.full((5,), lam_in), check_device=False)
    if lam_out is not None:
        assert_close(layer.eigenvalues_out, torch.full((4,), lam_out))


@pytest.mark.parametrize("preset", [preset for name, (preset, _) in PRESETS.items() if name != "student"])
@pytest.mark.parametrize("shape", [(784, 500), (300, 900)], ids=str)
def test_weights_start_with_the_variance_of_a_linear_layer(preset, shape):
    found = preset(*shape, generator=seeded()).weight.var()
    assert_close(found, torch.tensor(1 / (3 * shape[0])), rtol=0.2, atol=0)
    assert_close(found, nn.Linear(*shape).weight.var(), rtol=0.2, atol=0)


def test_start_values_are_those_measured_for_the_network_of_the_paper():
    layer = SpectralLinear.spectral(784, 500, generator=seeded())
    assert_close(layer.eigenvalues_in.abs().max(), torch.tensor(0.97), rtol=0.02, atol=0)
    assert_close(layer.eigenvalues_out.abs().max(), torch.tensor(0.13), rtol=0.02, atol=0)
    assert_close(layer.eigenvectors.std(), torch.tensor(0.036), rtol=0.03, atol=0)


def test_the_student_starts_with_glorots_variance():
    layer = SpectralLinear.student(300, 100, generator=seeded())
    assert_close(layer.weight.var(), torch.tensor(2 / 400), rtol=0.05, atol=0)


@all_settings
def test_numbers_come_from_the_generator_and_no_other(options):
    state = torch.get_rng_state()
    layer = SpectralLinear(5, 4, generator=seeded(), **options)
    assert_close(torch.get_rng_state(), state, rtol=0, atol=0)
    first = copy.deepcopy(layer.state_dict())
    layer.reset_parameters(seeded())
    assert_close(dict(layer.state_dict()), dict(first), rtol=0, atol=0)
    torch.manual_seed(3)
    default = SpectralLinear(5, 4, **options).state_dict()
    torch.manual_seed(3)
    assert_close(dict(SpectralLinear(5, 4, **options).state_dict()), dict(default), rtol=0, atol=0)


# -- from and to nn.Linear ---------------------------------------------------------------------------------------------


@given(widths, widths, seeds, st.booleans(), drawn_settings)
def test_a_linear_layer_that_becomes_spectral_and_plain_again_stays_the_same_function(n_in, n_out, seed, bias, options):
    linear = plain(make(n_in, n_out, seed, bias=bias))
    x = uniform(3, n_in, generator=seeded(seed))
    layer = SpectralLinear.from_linear(linear, **{key: v for key, v in options.items() if key != "start"})
    assert_close(layer(x), linear(x), **TIGHT)
    assert_close(layer.to_linear()(x), linear(x), **TIGHT)
    assert_close(layer.eigenvectors, -linear.weight, **TIGHT)
    assert_close((layer.eigenvalues_in.sum(), layer.eigenvalues_out.prod()), (x.new_zeros(()), x.new_ones(())))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@all_settings
def test_conversion_keeps_float_type_mode_and_what_is_frozen(options, dtype):
    linear = nn.Linear(5, 3).to(dtype).eval()
    linear.bias.requires_grad_(False)
    state = torch.get_rng_state()
    layer = SpectralLinear.from_linear(linear, **{key: v for key, v in options.items() if key != "start"})
    back = layer.to_linear()
    if "trained_off_diagonal" not in options:  # which entries of R are trained is drawn
        assert_close(torch.get_rng_state(), state, rtol=0, atol=0)
    for module in (layer, back):
        assert {p.dtype for p in module.parameters()} == {dtype}
        assert not module.training
        assert not module.bias.requires_grad
    assert back.weight.requires_grad
    assert type(back) is nn.Linear
    assert_close(back.weight, linear.weight, rtol=0.01, atol=0.01)
    linear.weight.requires_grad_(False)
    layer = SpectralLinear.from_linear(linear, **{key: v for key, v in options.items() if key != "start"})
    assert not trained(layer)
    assert not layer.to_linear().weight.requires_grad


def test_conversion_shares_no_memory():
    linear = nn.Linear(3, 2)
    before = copy.deepcopy(linear.state_dict())
    layer = SpectralLinear.from_linear(linear)
    back = layer.to_linear()
    with torch.no_grad():
        for p in (*layer.parameters(), *back.parameters()):
            p.fill_(7.0)
    assert_close(dict(linear.state_dict()), dict(before), rtol=0, atol=0)


# -- a good citizen ----------------------------------------------------------------------------------------------------


@all_settings
def test_state_dicts_and_deep_copies_hold_the_whole_function(options):
    layer, other, x = make(5, 4, 0, **options), make(5, 4, 1, **options), uniform(3, 5, generator=seeded())
    other.load_state_dict(layer.state_dict())
    assert_close(other(x), layer(x), rtol=0, atol=0)
    assert_close(copy.deepcopy(layer)(x), layer(x), rtol=0, atol=0)


@all_settings
def test_all_numbers_move_with_the_layer(options):
    layer = make(5, 4, **options)
    x, expected = uniform(3, 5, generator=seeded()), layer(uniform(3, 5, generator=seeded()))
    assert_close(layer.to(torch.float32)(x.float()), expected.float(), rtol=1e-5, atol=1e-5)
    assert {t.dtype for t in (*layer.parameters(), *layer.buffers())} <= {torch.float32, torch.int64}
    assert layer.to("meta")(x.float().to("meta")).shape == (3, 4)
    assert {t.device.type for t in (*layer.parameters(), *layer.buffers())} == {"meta"}
    assert SpectralLinear(5, 4, device="meta", **options).eigenvectors.is_meta


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@all_settings
def test_a_generator_gives_the_same_layer_on_every_device(options):
    here, there = (SpectralLinear(5, 4, generator=seeded(), device=device, **options) for device in ("cpu", "cuda"))
    assert_close(there.eigenvectors.cpu(), here.eigenvectors)
    x = torch.rand(3, 5)
    assert_close(there(x.cuda()).cpu(), here(x))


@all_settings
def test_autocast_computes_in_the_lower_precision_and_gives_gradients_in_the_full_one(options):
    layer, x = make(5, 4, dtype=torch.float32, **options), torch.rand(3, 5, generator=seeded()).requires_grad_()
    layer(x).sum().backward()
    full = {name: p.grad.clone() for name, p in trained(layer).items()} | {"x": x.grad.clone()}
    layer.zero_grad()
    x.grad = None
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype is torch.bfloat16
    y.float().sum().backward()
    found = {name: p.grad for name, p in trained(layer).items()} | {"x": x.grad}
    assert_close(found, full, rtol=0.05, atol=0.05)


@all_settings
@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0,), (2, 0, 3)], ids=str)
def test_leading_dimensions_are_kept_and_may_be_empty(options, shape):
    layer, linear = make(3, 2, **options), plain(make(3, 2, **options))
    x = uniform(*shape, 3, generator=seeded())
    assert_close(layer(x), linear(x), **TIGHT)
    layer(x).sum().backward()
    linear(x).sum().backward()
    assert_close(layer.bias.grad, linear.bias.grad)
    assert all(p.grad is not None for p in trained(layer).values())


@all_settings
def test_stateless_calls_and_gradients_of_each_sample_agree_with_a_loop(options):
    layer, x = make(5, 4, **options), uniform(6, 5, generator=seeded())
    values, fixed = trained(layer), {n: t for n, t in layer.state_dict().items() if n not in trained(layer)}

    def loss(values, x):
        return functional_call(layer, values | fixed, (x,)).sin().sum()

    single = vmap(grad(loss), (None, 0))(values, x)
    for n in range(6):
        expected = torch.autograd.grad(loss(values, x[n]), list(values.values()))
        assert_close([single[name][n] for name in values], list(expected), **TIGHT)
    stacked = {name: torch.stack([p, 2 * p]) for name, p in values.items()}
    many = vmap(loss, (0, None))(stacked, x)
    assert_close(many[1], loss({name: 2 * p for name, p in values.items()}, x), **TIGHT)
    for name in values:  # a vmap over one of them alone
        for f in (loss, grad(loss, argnums=1)):
            found = vmap(lambda p, f=f, name=name: f(values | {name: p}, x))(stacked[name])
            assert_close(found[1], f(values | {name: 2 * values[name]}, x), **TIGHT)


@pytest.mark.slow
@all_settings
def test_compiles_to_one_graph(options):
    """The first one with inductor where there is its C++ compiler; what that warns about on import is PyTorch's affair."""
    backend = "inductor" if options == {} and shutil.which("g++") else "aot_eager"
    layer, x = make(5, 4, dtype=torch.float32, **options), torch.rand(3, 5, generator=seeded())
    torch.compiler.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = torch.compile(layer, fullgraph=True, backend=backend)
        found = torch.autograd.grad(compiled(x).sin().sum(), list(trained(layer).values()))
    assert_close(found, torch.autograd.grad(layer(x).sin().sum(), list(trained(layer).values())))


@all_settings
def test_exports_with_any_number_of_samples(options):
    layer, x = make(5, 4, **options), uniform(3, 5, generator=seeded())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
    more = uniform(7, 5, generator=seeded(1))
    assert_close(exported(more), layer(more))


DISTRIBUTED = """
import os, sys, torch
from datetime import timedelta
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from spectral_lab.layers import SpectralLinear, feed_forward
rank, store = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2,
                                     timeout=timedelta(seconds=60))
x, y = torch.rand(8, 6, generator=torch.Generator().manual_seed(0)), torch.ones(8, 3)
for preset in (SpectralLinear.spectral, SpectralLinear.s_svd, SpectralLinear.s_qr, SpectralLinear.student):
    torch.manual_seed(rank)  # different at the start: DDP sends those of rank 0 to all
    model = feed_forward([6, 5, 3], preset)
    parallel, alone = DistributedDataParallel(model), feed_forward([6, 5, 3], preset)
    alone.load_state_dict(model.state_dict())
    for network, part in ((parallel, slice(4 * rank, 4 * rank + 4)), (alone, slice(0, 8))):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.mse_loss(network(x[part]), y[part]).backward()
            optimizer.step()
    torch.testing.assert_close(model.state_dict(), alone.state_dict())
torch.distributed.barrier()
os._exit(0)  # gloo's threads may abort a process that clears up while its twin has gone already
"""


@pytest.mark.slow
def test_two_processes_train_as_one_does_on_all_samples(tmp_path):
    """The processes find each other through a file and talk over the loopback interface."""
    command = [sys.executable, "-W", "ignore", "-c", DISTRIBUTED]
    loopback = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "env": os.environ | loopback}
    started = [subprocess.Popen([*command, str(rank), str(tmp_path / "store")], **pipes) for rank in (0, 1)]
    try:
        said = [process.communicate(timeout=120)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], "\n".join(said)


def test_the_layer_says_what_it_is():
    assert "SpectralLinear(\n  784, 500, bias=True, trained=1784" in repr(SpectralLinear.spectral(784, 500, device="meta"))


# -- stacks ------------------------------------------------------------------------------------------------------------


def test_a_stack_has_activations_between_its_layers_and_none_at_the_end():
    first = partial(SpectralLinear.original, first=True)
    model = feed_forward([4, 3, 2, 1], SpectralLinear.original, first=first, activation=nn.ELU, bias=False)
    assert [type(module) for module in model] == [SpectralLinear, nn.ELU, SpectralLinear, nn.ELU, SpectralLinear]
    assert [layer.eigenvalues_in.requires_grad for layer in model[::2]] == [True, False, False]
    assert model[0].bias is None


def test_a_stack_takes_plain_layers_too():
    assert [type(module) for module in feed_forward([3, 2, 1], nn.Linear)] == [nn.Linear, nn.ReLU, nn.Linear]


def test_a_stack_needs_two_sizes():
    with pytest.raises(ValueError, match=r"sizes = \[3\]; wanted at least an input and an output layer"):
        feed_forward([3])


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, -1, True, 2.0, "3", None])
def test_sizes_must_be_positive_whole_numbers(n):
    with pytest.raises(ValueError, match=f"n_in = {n!r}; wanted a whole number"):
        SpectralLinear(n, 3)
    with pytest.raises(ValueError, match=f"n_out = {n!r}; wanted a whole number"):
        SpectralLinear.student(3, n)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan"), float("inf"), True, "0.5"])
def test_the_share_of_trained_entries_lies_between_0_and_1(p):
    with pytest.raises(ValueError, match=r"trained_off_diagonal = .*; wanted a share p between 0 and 1"):
        SpectralLinear.s_qr(3, 3, p=p)


@pytest.mark.parametrize("basis", ["dense", "svd"])
def test_the_share_belongs_to_qr(basis):
    with pytest.raises(ValueError, match=f"belongs to basis='qr'; the basis is '{basis}'"):
        SpectralLinear(3, 3, basis=basis, trained_off_diagonal=1.0)


def test_an_unknown_basis_is_refused():
    with pytest.raises(ValueError, match="basis = 'lu'; wanted 'dense', 'svd' or 'qr'"):
        SpectralLinear(3, 3, basis="lu")


def test_a_start_without_any_weight_is_refused():
    with pytest.raises(ValueError, match=r"all eigenvalues start at 1.0, so every weight is 0"):
        SpectralLinear(3, 3, start=Start(eigenvalues_in=1.0, eigenvalues_out=1.0))


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64], ids=str)
def test_parameters_and_inputs_must_be_floats(dtype):
    with pytest.raises(TypeError, match=f"dtype = {dtype}; .*float type"):
        SpectralLinear(3, 3, dtype=dtype)
    with pytest.raises(TypeError, match=f"the input has dtype {dtype}; wanted a float type"):
        SpectralLinear(3, 3)(torch.zeros(2, 3, dtype=dtype))


@pytest.mark.parametrize("shape", [(), (2,), (3, 2), (2, 1)], ids=str)
def test_an_input_of_another_width_is_refused(shape):
    with pytest.raises(ValueError, match=r"the input has shape .*; this layer wants \(\.\.\., 3\)"):
        SpectralLinear(3, 2)(torch.zeros(shape))
