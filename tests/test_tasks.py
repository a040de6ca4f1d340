"""The α–β family against its formula, and the digits against what is known of the UCI collection."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds
from torch.testing import assert_close

from spectral_lab import alpha_beta, digits, tasks
from spectral_lab.tasks import TARGETS, alpha_beta_target, check_alpha_beta, squared_norm

shares = st.floats(0, 1)
steepness = st.floats(0.1, 1000)


@given(shares, steepness, seeds)
def test_in_two_dimensions_the_target_is_a_mixture_of_two_means(alpha, beta, seed):
    """¼ w·x with w = 1 is half the mean of two inputs, ¼ x·x half the mean of their squares."""
    x, y = alpha_beta(alpha, beta, 20, seed=seed)
    t = math.tanh(beta * (alpha - 0.5))
    wanted = 0.5 * (1 - t) * x.mean(1) + 0.5 * (1 + t) * x.square().mean(1)
    assert_close(y, wanted.unsqueeze(1))


@given(shares, steepness, st.integers(1, 6))
def test_the_target_is_the_printed_formula_in_any_dimension(alpha, beta, dim):
    x, y = alpha_beta(alpha, beta, 10, dim=dim, w=[*range(1, dim + 1)], g=lambda x: x.prod(-1))
    t = math.tanh(beta * (alpha - 0.5))
    for row, value in zip(x.tolist(), y[:, 0].tolist(), strict=True):
        linear = sum((k + 1) * v for k, v in enumerate(row))
        assert_close(value, (1 - t) / 4 * linear + (1 + t) / 4 * math.prod(row), rtol=1e-5, atol=1e-6)


def test_at_alpha_zero_a_little_of_g_is_left():
    """Misprint of SPARCS 5.1: ¼(1 - tanh 2.5) at β = 5, not 0."""
    x = torch.rand(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    quarter = 0.25 * (1 + math.tanh(2.5))
    rest = (alpha_beta_target(x, 0.0, 5) - quarter * x.sum(1, keepdim=True)) / squared_norm(x).unsqueeze(1)
    leftover = 0.25 * (1 - math.tanh(2.5))
    assert_close(rest, torch.full_like(rest, leftover), rtol=1e-9, atol=0)
    assert round(leftover, 4) == 0.0033


def test_a_sharp_transition_is_linear_below_one_half_and_curved_above():
    x = torch.linspace(-1, 1, 9, dtype=torch.float64).reshape(-1, 1)
    assert_close(alpha_beta_target(x, 0.4, 1000), x / 2)
    assert_close(alpha_beta_target(x, 0.6, 1000), x.square() / 2)


@given(st.lists(st.integers(1, 3), max_size=2))
def test_the_target_takes_any_leading_dimensions(shape):
    x = torch.linspace(-1, 1, 2 * math.prod(shape)).reshape(*shape, 2)
    y = alpha_beta_target(x, 0.7, 5)
    assert y.shape == (*shape, 1)
    assert_close(y.reshape(-1), alpha_beta_target(x.reshape(-1, 2), 0.7, 5).reshape(-1))


def test_squared_norm_is_the_scalar_product_with_itself():
    assert_close(squared_norm(torch.tensor([[3.0, 4.0], [1.0, -1.0]])), torch.tensor([25.0, 2.0]))


# What each g is, on the coordinates of one point.
BY_HAND = {
    "bowl": lambda x: sum(v**2 for v in x),
    "product": lambda x: math.prod(x),
    "saddle": lambda x: sum(v**2 if i % 2 == 0 else -(v**2) for i, v in enumerate(x)),
    "ring": lambda x: math.exp(-(((math.hypot(*x) - 0.6) / 0.25) ** 2)),
}


def test_every_curve_is_compared_with_its_formula():
    assert list(BY_HAND) == list(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
@given(dim=st.integers(1, 5), seed=seeds)
def test_a_curve_is_its_formula_in_any_dimension(name, dim, seed):
    x = 2 * torch.rand(2, 3, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) - 1
    values = TARGETS[name](x)
    assert values.shape == (2, 3)
    assert_close(values.flatten().tolist(), [BY_HAND[name](point) for point in x.reshape(-1, dim).tolist()])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bowl", [0, 0.36, 1, 2]),
        ("product", [0, 0, 0, 1]),
        ("saddle", [0, 0.36, -1, 0]),
        ("ring", [math.exp(-5.76), 1, math.exp(-2.56), math.exp(-(((2**0.5 - 0.6) / 0.25) ** 2))]),
    ],
)
def test_a_curve_has_the_values_that_the_eye_expects(name, values):
    points = torch.tensor([[0, 0], [0.6, 0], [0, -1], [1, 1]], dtype=torch.float64)
    assert_close(TARGETS[name](points), torch.tensor(values, dtype=torch.float64))


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("name", TARGETS)
def test_a_curve_has_a_finite_gradient_even_at_the_origin(name, dim):
    x = torch.zeros(4, dim, requires_grad=True)
    TARGETS[name](x).sum().backward()
    assert x.grad.isfinite().all()
    assert name == "product" or x.grad.abs().max() == 0  # by symmetry


@pytest.mark.parametrize("name", TARGETS)
def test_a_curve_is_blended_in_by_alpha(name):
    data = alpha_beta(1.0, 1000, 30, g=TARGETS[name], seed=2)
    assert_close(data.y[:, 0], TARGETS[name](data.x) / 2)


def test_points_fill_the_cube_evenly():
    x, y = alpha_beta(0.5, 5, 20_000, dim=3)
    assert x.shape == (20_000, 3)
    assert y.shape == (20_000, 1)
    assert x.dtype == y.dtype == torch.float32
    assert x.min() >= -1
    assert x.max() <= 1
    assert_close(x.mean(0), torch.zeros(3), rtol=0, atol=0.02)
    assert_close(x.square().mean(0), torch.full((3,), 1 / 3), rtol=0, atol=0.01)


def test_the_same_seed_gives_the_same_data_and_another_one_does_not():
    first, again = (alpha_beta(0.3, 5, 50, noise=0.1, seed=7) for _ in range(2))
    assert_close(tuple(first), tuple(again), rtol=0, atol=0)
    assert not torch.equal(first.x, alpha_beta(0.3, 5, 50, noise=0.1, seed=8).x)


@given(shares, steepness)
def test_points_do_not_depend_on_alpha_beta_g_w_or_noise(alpha, beta):
    x, _ = alpha_beta(alpha, beta, 20, g=lambda x: x[:, 0] ** 3, w=[2.0, 0.5], noise=alpha, seed=3)
    assert_close(x, alpha_beta(1.0, 5, 20, seed=3).x, rtol=0, atol=0)


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    alpha_beta(0.5, 5, 10, noise=1.0)
    digits()
    assert_close(torch.get_rng_state(), before, rtol=0, atol=0)


def test_noise_has_the_standard_deviation_asked_for_and_no_bias():
    clean, noisy = (alpha_beta(0.8, 5, 50_000, noise=noise, seed=1).y for noise in (0.0, 0.3))
    error = noisy - clean
    assert_close(error.std().item(), 0.3, rtol=0.02, atol=0)
    assert_close(error.mean().item(), 0.0, rtol=0, atol=0.01)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, math.nan, math.inf])
def test_alpha_outside_zero_and_one_is_refused(alpha):
    for check in (lambda: check_alpha_beta(alpha, 5), lambda: alpha_beta(alpha, 5, 10)):
        with pytest.raises(ValueError, match=rf"alpha = {alpha}; wanted a number in \[0, 1\]"):
            check()
    with pytest.raises(ValueError, match="alpha"):
        alpha_beta_target(torch.zeros(1, 2), alpha, 5)


@pytest.mark.parametrize("beta", [0, -5, math.nan, math.inf])
def test_beta_that_is_not_positive_and_finite_is_refused(beta):
    for check in (lambda: check_alpha_beta(0.5, beta), lambda: alpha_beta(0.5, beta, 10)):
        with pytest.raises(ValueError, match=rf"beta = {beta}; wanted a positive finite number"):
            check()
    with pytest.raises(ValueError, match="beta"):
        alpha_beta_target(torch.zeros(1, 2), 0.5, beta)


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3"], ids=repr)
@pytest.mark.parametrize("name", ["n", "dim"])
def test_counts_that_are_no_positive_whole_numbers_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"{name} = {value!r}; wanted a whole number of at least 1"):
        alpha_beta(0.5, 5, **({"n": 10} | {name: value}))


@pytest.mark.parametrize("noise", [-0.1, math.nan, math.inf])
def test_noise_that_is_no_standard_deviation_is_refused(noise):
    with pytest.raises(ValueError, match=rf"noise = {noise}; wanted a standard deviation of at least 0"):
        alpha_beta(0.5, 5, 10, noise=noise)


def test_a_direction_of_the_wrong_width_is_refused():
    with pytest.raises(ValueError, match=r"w has shape \(3,\); the inputs want \(2,\)"):
        alpha_beta(0.5, 5, 10, w=torch.ones(3))


def test_a_curve_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"g returns shape \(10, 2\) for inputs \(10, 2\); wanted \(10,\)"):
        alpha_beta(0.5, 5, 10, g=torch.square)


# -- digits ------------------------------------------------------------------------------------------------------------


def test_all_digits_are_there_once_with_the_class_counts_of_the_collection():
    split = digits()
    y = torch.cat([split.y_train, split.y_test])
    assert y.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    rows = torch.cat([split.x_train, split.x_test])
    assert rows.shape == (1797, 64)
    assert len({tuple(row) for row in rows.tolist()}) == 1797, "an image is in both parts, or twice in one"


def test_pixels_are_shares_and_classes_whole_numbers():
    split = digits()
    pixels = torch.cat([split.x_train, split.x_test])
    assert pixels.dtype == torch.float32
    assert (pixels.min().item(), pixels.max().item()) == (0.0, 1.0)
    assert_close(pixels * 16, (pixels * 16).round(), rtol=0, atol=0)
    assert split.y_train.dtype == split.y_test.dtype == torch.int64


@pytest.mark.parametrize(("validation", "held_out"), [(0.2, 359), (0.5, 898), (0.01, 18)])
def test_the_share_for_validation_is_kept_out(validation, held_out):
    split = digits(validation=validation)
    assert len(split.x_test) == len(split.y_test) == held_out
    assert len(split.x_train) == len(split.y_train) == 1797 - held_out


def test_images_keep_their_classes_whatever_the_seed():
    labels = [{}, {}]
    for seed, known in enumerate(labels):
        split = digits(seed=seed)
        for x, y in ((split.x_train, split.y_train), (split.x_test, split.y_test)):
            known.update(zip(map(tuple, x.tolist()), y.tolist(), strict=True))
    assert labels[0] == labels[1]


def test_a_nearest_neighbour_recognises_the_digits():
    split = digits()
    nearest = torch.cdist(split.x_test, split.x_train).argmin(1)
    assert (split.y_train[nearest] == split.y_test).double().mean() > 0.97


def test_the_split_is_seeded():
    first, again, other = (digits(seed=seed) for seed in (4, 4, 5))
    assert_close(tuple(first), tuple(again), rtol=0, atol=0)
    assert not torch.equal(first.x_train, other.x_train)


@pytest.mark.parametrize("validation", [0, 1, -0.2, 20, math.nan])
def test_a_share_outside_zero_and_one_is_refused(validation):
    with pytest.raises(ValueError, match=rf"validation = {validation}; wanted a share between 0 and 1"):
        digits(validation=validation)


def test_a_file_with_pickled_objects_is_not_unpickled(tmp_path, monkeypatch):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("code_ran").touch, ())

    tmp_path.joinpath("data").mkdir()
    np.savez(tmp_path / "data" / "digits.npz", x=np.array([Trap()], dtype=object), y=np.zeros(1))
    monkeypatch.setattr(tasks, "files", lambda package: tmp_path)
    with pytest.raises(ValueError, match="allow_pickle"):
        digits()
    assert not tmp_path.joinpath("code_ran").exists()


# -- the task of two rotations -------------------------------------------------------------------------------------------


@given(st.integers(1, 12), seeds)
def test_a_rotation_keeps_lengths_and_orientation(dim, seed):
    Q = tasks.rotation(dim, torch.Generator().manual_seed(seed))
    assert_close(Q @ Q.mT, torch.eye(dim), atol=1e-5, rtol=0)
    assert_close(torch.linalg.det(Q.double()).item(), 1.0, atol=1e-5, rtol=0)


def test_rotations_are_uniform_where_that_can_be_seen():
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([tasks.rotation(3, generator) for _ in range(4000)])
    assert drawn.mean(0).abs().max() < 0.05  # no direction is preferred, nor its opposite
    assert_close(drawn.square().mean(0), torch.full((3, 3), 1 / 3), atol=0.03, rtol=0)
    # the trace of a uniform rotation of space has mean 0 and variance 1
    traces = drawn.diagonal(dim1=1, dim2=2).sum(1)
    assert abs(traces.mean()) < 0.06
    assert abs(traces.var() - 1) < 0.1


def test_the_task_of_two_rotations_is_the_printed_formula():
    data = tasks.rotated_relu(50, dim=4, seed=3)
    generator = torch.Generator().manual_seed(3)
    W1, W2 = tasks.rotation(4, generator), tasks.rotation(4, generator)
    for x, y in zip(*data, strict=True):
        hidden = torch.stack([max(W1[i] @ x, torch.tensor(0.0)) for i in range(4)])
        assert_close(y, W2 @ hidden)
    assert data.x.abs().max() <= 1


def test_with_more_layers_a_relu_and_a_rotation_follow():
    x, y = tasks.rotated_relu(50, dim=4, layers=3, seed=3)
    generator = torch.Generator().manual_seed(3)
    signal = x @ tasks.rotation(4, generator).mT
    for _ in range(3):
        signal = signal.clamp(min=0) @ tasks.rotation(4, generator).mT
    assert_close(y, signal)
    assert tasks.rotated_relu(50, dim=4, seed=3).x.equal(x)


def test_a_line_does_not_fit_the_task_of_two_rotations_and_its_seeds_are_apart():
    x, y = tasks.rotated_relu(20_000)
    line = torch.cat([x, torch.ones(len(x), 1)], 1)
    left = y - line @ torch.linalg.lstsq(line, y).solution
    R2 = 1 - left.square().sum() / (y - y.mean(0)).square().sum()
    assert_close(R2.item(), 0.738, atol=0.02, rtol=0)
    assert_close(tasks.rotated_relu(9, data_seed=1).x, tasks.rotated_relu(9, seed=5, data_seed=1).x)
    assert not tasks.rotated_relu(9).y.equal(tasks.rotated_relu(9, seed=5).y)


@pytest.mark.parametrize("options", [{"n": 0}, {"n": 5, "dim": 1.5}, {"n": 5, "layers": 0}])
def test_a_task_of_two_rotations_says_what_it_cannot_be(options):
    with pytest.raises(ValueError, match="wanted a whole number of at least 1"):
        tasks.rotated_relu(**options)
