"""Teachers and students against Student Section 3, written out in loops, and cores of known size."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds
from torch import nn
from torch.testing import assert_close

from spectral_lab import SpectralLinear, pruning_curve, train
from spectral_lab.penalties import WeightedSquares
from spectral_lab.teachers import (
    COMMITTEE,
    HETEROGENEOUS,
    committee,
    core,
    delta_mse,
    regulariser,
    relevance,
    students,
    teacher,
)

PAIRS = {"spectral": 0, "direct": 1}
BOTH = pytest.mark.parametrize("kind", PAIRS)
committees = st.lists(st.integers(1, 6), min_size=3, max_size=5)


def weights(network):
    """The matrices of a stack, from their own definition where one is spectral."""
    found = []
    for layer in network[::2]:
        if isinstance(layer, SpectralLinear):
            lam_in, lam_out, phi = layer.eigenvalues_in, layer.eigenvalues_out, layer.eigenvectors
            found.append(torch.stack([(lam_in - lam) * row for lam, row in zip(lam_out, phi, strict=True)]))
        else:
            found.append(layer.weight)
    return found


def trained_a_little(student, alpha=0.0, steps=60, **options):
    """A student after some steps, so that eigenvalues and frozen numbers can be told apart."""
    x, y, *_ = teacher(n=200, seed=3).data
    omega = regulariser(student, alpha_w=alpha, **options)
    list(train(student, x, y, steps=steps, lr=1e-2, batch_size=50, rho=1.0, penalty=omega, penalised=omega.names))
    return student


# -- teachers ----------------------------------------------------------------------------------------------------------


@given(committees, seeds)
def test_a_teacher_adds_up_its_last_hidden_layer_by_hand(sizes, seed):
    network, data = teacher(sizes, n=4, n_test=3, seed=seed, dtype=torch.float64)
    assert [tuple(w.shape) for w in weights(network)] == [(m, n) for n, m in pairwise(sizes)]
    for x, y in [*zip(data.x_train, data.y_train, strict=True), *zip(data.x_test, data.y_test, strict=True)]:
        a = x.tolist()
        for w in weights(network)[:-1]:
            a = [max(sum(w_ij * a_j for w_ij, a_j in zip(row, a, strict=True)), 0.0) for row in w.tolist()]
        assert_close(y.tolist(), [sum(a)] * sizes[-1])


@pytest.mark.parametrize("sizes", [COMMITTEE, HETEROGENEOUS], ids=str)
def test_the_weights_of_a_teacher_fill_glorots_interval_and_the_last_are_one(sizes):
    *inner, last = weights(teacher(sizes, n=1, n_test=1).network)
    for w in inner:
        bound = math.sqrt(6 / sum(w.shape))
        assert w.abs().max() <= bound
        assert_close(w.abs().max().item(), bound, rtol=0.03, atol=0)
        assert_close(w.var().item(), 2 / sum(w.shape), rtol=0.2, atol=0)
    assert_close(last, torch.ones_like(last), rtol=0, atol=0)


def test_a_teacher_is_frozen_and_has_no_biases():
    network = teacher(n=1, n_test=1).network
    assert not any(p.requires_grad for p in network.parameters())
    assert [name for name, _ in network.named_parameters()] == ["0.weight", "2.weight", "4.weight"]


def test_the_paper_s_sets_are_there_by_default():
    x, y, x_test, y_test = teacher().data
    assert (x.shape, y.shape, x_test.shape, y_test.shape) == ((13_000, 10), (13_000, 1), (1_000, 10), (1_000, 1))
    assert not y.requires_grad


def test_the_points_are_standard_gaussian():
    x = teacher(n=20_000).data.x_train
    assert_close(x.mean(0), torch.zeros(10), rtol=0, atol=0.03)
    assert_close(x.T.cov(), torch.eye(10), rtol=0, atol=0.05)
    assert_close((x.pow(4).mean()).item(), 3.0, rtol=0.05, atol=0)  # a uniform distribution has 1.8


def test_noise_moves_the_targets_to_train_on_alone():
    quiet, noisy = teacher(n=5000).data, teacher(n=5000, noise=0.3).data
    assert_close(noisy.x_train, quiet.x_train, rtol=0, atol=0)
    assert_close(noisy.y_test, quiet.y_test, rtol=0, atol=0)
    assert_close((noisy.y_train - quiet.y_train).std().item(), 0.3, rtol=0.05, atol=0)


def test_each_seed_decides_about_its_own_numbers():
    first, same, other_data, other = teacher(n=5), teacher(n=5), teacher(n=5, data_seed=1), teacher(n=5, seed=1)
    assert_close(first.data, same.data, rtol=0, atol=0)
    assert_close(first.network[0].weight, other_data.network[0].weight, rtol=0, atol=0)
    assert_close(first.data.x_train, other.data.x_train, rtol=0, atol=0)
    assert not torch.equal(first.data.x_train, other_data.data.x_train)
    assert not torch.equal(first.network[0].weight, other.network[0].weight)


def test_drawing_a_teacher_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    teacher(n=3)
    students(3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": (10, 1)}, r"sizes = \[10, 1\]; wanted whole numbers of nodes for three layers or more"),
        ({"sizes": (10, 0, 1)}, r"sizes = \[10, 0, 1\]"),
        ({"sizes": (10, True, 1)}, r"sizes = \[10, True, 1\]"),
        ({"n": 0}, r"n = 0; wanted a whole number of points"),
        ({"n_test": 2.5}, r"n_test = 2.5; wanted a whole number of points"),
        ({"noise": -1.0}, r"noise = -1.0; wanted a standard deviation"),
        ({"noise": math.nan}, r"noise = nan"),
    ],
    ids=str,
)
def test_a_teacher_says_what_it_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        teacher(**options)


# -- students ----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 30), committees, seeds)
def test_both_students_start_as_the_same_function(h, sizes, seed):
    spectral, direct = students(h, sizes, seed=seed, dtype=torch.float64)
    x = torch.randn(7, sizes[0], dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    assert_close(spectral(x), direct(x))
    assert_close(weights(spectral), weights(direct), rtol=0, atol=0)


def test_the_spectral_student_starts_as_the_paper_says():
    (first, *_), direct = students(50)
    assert_close(first.eigenvalues_in, torch.zeros(10), rtol=0, atol=0, check_stride=False)
    assert_close(first.eigenvalues_out, torch.ones(50), rtol=0, atol=0)
    assert_close(first.eigenvectors, -direct[0].weight, rtol=0, atol=0)
    assert direct[0].weight.shape == (50, 10)


def test_what_is_trained_are_the_eigenvalues_of_h_the_eigenvectors_and_the_second_layer():
    spectral, direct = students(50)
    assert {n for n, p in direct.named_parameters() if p.requires_grad} == {"0.weight", "2.weight"}
    trained = {n for n, p in spectral.named_parameters() if p.requires_grad}
    assert trained == {"0.eigenvalues_out", "0.basis.eigenvectors", "2.weight"}
    assert_close(weights(spectral)[-1], torch.ones(1, 20))


def test_students_share_no_numbers():
    spectral, direct = students(6)
    before = [w.clone() for w in weights(direct)]
    trained_a_little(spectral)
    assert_close(weights(direct), before, rtol=0, atol=0)


@pytest.mark.parametrize("h", [20, 40])
def test_no_student_is_born_with_the_directions_of_a_teacher_of_its_seed(h):
    taught, born = (network[0].weight[:20] for network in (teacher(n=1, seed=5).network, students(h, seed=5).direct))
    cosines = nn.functional.cosine_similarity(taught.detach()[:, None], born.detach()[None], dim=-1)
    assert cosines.abs().max() < 0.99


def test_a_student_without_nodes_is_refused():
    with pytest.raises(ValueError, match=r"sizes = \[10, 0, 20, 1\]"):
        students(0)


# -- regularisers ------------------------------------------------------------------------------------------------------


def test_the_plain_students_regulariser_is_that_of_equation_7():
    direct = trained_a_little(students(5).direct)
    omega = regulariser(direct, alpha_w=0.3)
    wanted = sum(0.3 * v**2 for w in weights(direct)[:2] for v in w.flatten().tolist())
    assert_close(omega({name: direct.get_parameter(name) for name in omega.names}).item(), wanted)


def test_the_spectral_students_regulariser_is_that_of_equation_8():
    spectral = trained_a_little(students(5).spectral)
    omega = regulariser(spectral, alpha_w=0.3, alpha_phi=0.5, alpha_lambda=0.7)
    first, second = spectral[0], spectral[2]
    wanted = 0.7 * sum(v**2 for v in first.eigenvalues_out.tolist())
    wanted += 0.5 * sum(v**2 for v in first.eigenvectors.flatten().tolist())
    wanted += 0.3 * sum(v**2 for v in second.weight.flatten().tolist())
    assert_close(omega({name: spectral.get_parameter(name) for name in omega.names}).item(), wanted)


@BOTH
def test_one_step_of_training_is_a_step_of_adam_on_the_printed_loss(kind):
    x, y, *_ = teacher(n=40).data
    student, again = (students(6)[PAIRS[kind]] for _ in range(2))
    alphas = {"alpha_w": 0.2} | ({"alpha_phi": 0.3, "alpha_lambda": 0.4} if kind == "spectral" else {})
    omega = regulariser(student, **alphas)
    list(train(student, x, y, steps=1, lr=0.1, batch_size=40, rho=1.0, penalty=omega, penalised=omega.names))
    named = dict(again.named_parameters())
    strengths = {"0.weight": 0.2, "2.weight": 0.2, "0.eigenvalues_out": 0.4, "0.basis.eigenvectors": 0.3}
    objective = (again(x) - y).square().mean() + sum(a * named[n].square().sum() for n, a in strengths.items() if n in named)
    adam = torch.optim.Adam([p for p in named.values() if p.requires_grad], lr=0.1)
    objective.backward()
    adam.step()
    assert_close(dict(student.named_parameters()), named, rtol=1e-4, atol=1e-5)


@given(*[st.floats(0.01, 10)] * 6)
def test_a_node_costs_at_least_three_times_the_geometric_mean_and_no_more_when_it_is_balanced(a, b, c, lam, phi, w):
    """The inequality in the docstring of regulariser, for one node with one input and one output."""
    spectral, direct = students(1, (1, 1, 1, 1), dtype=torch.float64)
    omega = regulariser(spectral, alpha_w=w, alpha_phi=phi, alpha_lambda=lam)
    s = a * b * c
    cost = 3 * (lam * phi * w * s**2) ** (1 / 3)

    def penalty(*factors):
        values = dict(zip(("0.eigenvalues_out", "0.basis.eigenvectors", "2.weight"), factors, strict=True))
        return omega({name: torch.tensor([value], dtype=torch.float64) for name, value in values.items()}).item()

    assert penalty(a, b, c) >= cost * (1 - 1e-9)
    balanced = [math.sqrt(cost / 3 / alpha) for alpha in (lam, phi, w)]
    assert math.prod(balanced) == pytest.approx(s)
    assert penalty(*balanced) == pytest.approx(cost)
    plain = regulariser(direct, alpha_w=w)
    b, c = (torch.tensor([value], dtype=torch.float64) for value in (b, c))
    root = (b * c).sqrt()
    assert plain({"0.weight": b, "2.weight": c}) >= 2 * w * b * c * (1 - 1e-9)
    assert_close(plain({"0.weight": root, "2.weight": root}), (2 * w * b * c).squeeze())


def test_a_plain_student_takes_no_strengths_for_eigenvalues():
    with pytest.raises(ValueError, match=r"alpha_phi = 0.0 and alpha_lambda = 0.1, but the student is plain; give alpha_w"):
        regulariser(students(3).direct, alpha_w=0.1, alpha_lambda=0.1)


def test_a_regulariser_is_for_stacks():
    with pytest.raises(TypeError, match="the model is a Linear"):
        regulariser(nn.Linear(2, 1), alpha_w=0.1)


@pytest.mark.parametrize("alpha", [-1.0, math.inf, math.nan])
def test_a_strength_is_a_finite_number_of_at_least_zero(alpha):
    with pytest.raises(ValueError, match=f"the strength of 2.weight is {alpha}; wanted a finite number of at least 0"):
        WeightedSquares({"2.weight": alpha})


def test_weighted_squares_refuse_other_parameters_than_their_own():
    with pytest.raises(ValueError, match=r"penalised are \['a'\]; this penalty has strengths for \['a', 'b'\]"):
        WeightedSquares({"a": 1.0, "b": 2.0})({"a": torch.ones(2)})


def test_weighted_squares_have_the_gradient_of_a_parabola():
    a, b = torch.tensor([1.0, -2.0], requires_grad=True), torch.tensor([[3.0]], requires_grad=True)
    WeightedSquares({"a": 0.5, "b": 2.0})({"a": a, "b": b}).backward()
    assert_close(a.grad, torch.tensor([1.0, -2.0]))
    assert_close(b.grad, torch.tensor([[12.0]]))


# -- relevance and core ------------------------------------------------------------------------------------------------


@BOTH
def test_the_relevance_is_that_of_equations_9_and_10_in_loops(kind):
    student = trained_a_little(students(7)[PAIRS[kind]], alpha=0.01)
    first = student[0]
    if kind == "direct":
        wanted = [math.sqrt(sum(v**2 for v in row)) for row in first.weight.tolist()]
    else:
        with torch.no_grad():
            first.eigenvalues_out[3] *= -1  # as loud as before
        pairs = zip(first.eigenvalues_out.tolist(), first.eigenvectors.tolist(), strict=True)
        wanted = [abs(lam) * math.sqrt(sum(v**2 for v in row)) for lam, row in pairs]
    assert_close(relevance(student).tolist(), wanted, rtol=1e-5, atol=1e-6)


def test_both_students_start_with_the_same_relevances():
    spectral, direct = students(30)
    assert_close(relevance(spectral), relevance(direct))


def test_a_relevance_is_for_stacks_that_did_not_diverge():
    with pytest.raises(TypeError, match="the model is a Linear"):
        relevance(nn.Linear(2, 1))
    student = students(3).spectral
    with torch.no_grad():
        student[0].eigenvalues_out[1] = math.nan
    with pytest.raises(ValueError, match=r"the parameter 0\.eigenvalues_out has 1 values that are NaN"):
        relevance(student)


@given(st.integers(1, 40), st.integers(0, 200), st.floats(0.001, 1000), seeds)
def test_a_core_far_from_a_peak_at_zero_is_found_whatever_its_size_scale_and_order(n_core, n_peak, scale, seed):
    generator = torch.Generator().manual_seed(seed)
    loud = 0.2 + 0.8 * torch.rand(n_core, generator=generator)
    quiet = 0.03 * loud.max() * torch.rand(n_peak, generator=generator)
    order = torch.randperm(n_core + n_peak, generator=generator)
    R = scale * torch.cat([loud, quiet])[order]
    found = core(R)
    assert (found.size, found.clear) == (n_core, True)
    assert_close(found.keep, (torch.arange(n_core + n_peak) < n_core)[order])
    assert quiet.max().item() * scale < found.threshold < loud.min().item() * scale if n_peak else True
    assert found.gap >= 0.05


def by_the_rule(R, zero):
    """The rule, word by word: (size, whether it is clear)."""
    largest = max(R)
    r = [0.0, *sorted(value / largest for value in R)]
    gaps = [(r[k + 1] - r[k], r[k]) for k in range(len(r) - 1) if r[k] < zero]
    width = max(w for w, _ in gaps)
    below = next(low for w, low in gaps if w == width)
    threshold = below + width / 2 if width >= zero else zero
    return sum(value / largest > threshold for value in R), width >= zero


@given(st.lists(st.floats(0, 5), min_size=1, max_size=30), st.sampled_from([0.05, 0.1, 0.3]))
def test_the_core_follows_its_rule(R, zero):
    R = [*R, 1.0]
    found = core(torch.tensor(R, dtype=torch.float64), zero=zero)
    assert (found.size, found.clear) == by_the_rule(R, zero)
    assert found.size == int(found.keep.sum())


def test_values_that_run_on_without_a_gap_are_cut_at_the_first_bin_and_not_called_clear():
    found = core(torch.linspace(0, 2, 91))
    assert (found.size, found.clear) == (86, False)  # 0/90 … 4/90 of the largest lie below 0.05
    assert found.threshold == pytest.approx(0.1)
    assert found.gap == pytest.approx(1 / 90)


def test_a_layer_without_a_peak_is_all_core():
    found = core(torch.tensor([0.4, 0.5, 1.0]))
    assert (found.size, found.clear) == (3, True)
    assert (found.threshold, found.gap) == pytest.approx((0.2, 0.4))


def test_a_wide_gap_inside_the_core_does_not_hide_its_weaker_nodes():
    assert core(torch.tensor([0.01, 0.02, 0.3, 0.35, 1.0])).size == 3


def test_the_gap_begins_in_the_peak_and_the_peak_ends_where_it_is_said_to():
    R = torch.tensor([0.01, 0.07, 0.6, 1.0])
    assert core(R).size == 3
    assert core(R, zero=0.1).size == 2


def test_a_silent_layer_has_no_core():
    found = core(torch.zeros(4))
    assert (found.size, found.keep.tolist(), found.threshold) == (0, [False] * 4, 0.0)


@pytest.mark.parametrize("R", [torch.ones(2, 2), *map(torch.tensor, ([], [1.0, -1.0], [1.0, math.nan], [math.inf]))], ids=str)
def test_relevances_are_finite_numbers_of_at_least_zero(R):
    with pytest.raises(ValueError, match=r"the relevances have shape .*; wanted a vector of finite numbers of at least 0"):
        core(R)


@pytest.mark.parametrize("zero", [0.0, 1.0, -0.1, math.nan])
def test_the_peak_ends_at_a_share(zero):
    with pytest.raises(ValueError, match=f"zero = {zero}; wanted a share of the largest relevance"):
        core(torch.ones(3), zero=zero)


# -- what pruning costs ------------------------------------------------------------------------------------------------


@BOTH
def test_delta_mse_is_that_of_students_whose_least_relevant_nodes_are_cut(kind):
    student = trained_a_little(students(6)[PAIRS[kind]], alpha=0.01)
    *_, x, y = teacher(n=1, n_test=50).data
    first, second, last = weights(student)
    whole, order = (student(x) - y).square().mean(), relevance(student).argsort(descending=True)
    wanted = []
    for n in range(7):
        W = torch.zeros_like(first)
        W[order[:n]] = first[order[:n]].detach()
        output = (x @ W.T).relu() @ second.T
        wanted.append((output.relu() @ last.T - y).square().mean() - whole)
    found = delta_mse(student, x, y)
    assert_close(found, torch.stack(wanted).detach(), rtol=1e-4, atol=1e-5)
    assert found[-1] == 0
    assert not found.requires_grad


def test_delta_mse_is_read_off_the_pruning_curve_of_the_first_hidden_layer():
    student = students(6).spectral
    x, y, *_ = teacher(n=50).data
    curve = pruning_curve(student, "eigenvalue_norm", x, y, layers=[0])
    assert_close(delta_mse(student, x, y), curve.loss - curve.loss[-1])


def test_delta_mse_wants_data_that_fit():
    with pytest.raises(ValueError, match="the network takes 10"):
        delta_mse(students(3).spectral, torch.ones(5, 9), torch.ones(5, 1))


def test_a_student_as_wide_as_its_teacher_loses_nothing_by_nodes_that_are_copies_of_zero():
    """A student that is the teacher with silent nodes added: Δ MSE is 0 down to the teacher's size, and the core is it."""
    network, data = teacher(n=1, n_test=300, dtype=torch.float64)
    student = students(50, dtype=torch.float64).direct
    with torch.no_grad():
        student[0].weight.zero_()[::2][:20] = network[0].weight
        student[2].weight[:, ::2][:, :20] = network[2].weight
    assert core(relevance(student)).size == 20
    cost = delta_mse(student, data.x_test, data.y_test)
    assert_close(cost[20:], torch.zeros_like(cost[20:]), rtol=0, atol=1e-12)
    assert cost[19] > 1e-5


def test_a_committee_is_drawn_anew_without_a_generator():
    assert not torch.equal(committee((2, 3, 1))[0].weight, committee((2, 3, 1))[0].weight)


def test_the_spectral_regulariser_opens_a_gap_that_weight_decay_does_not():
    """A small copy of Student Fig. 1: a teacher of 3 nodes, students of 12."""
    sizes = (5, 3, 3, 1)
    x, y, *_ = teacher(sizes, n=2000, seed=1).data
    spectral, direct = students(12, sizes, seed=1)
    for student, alphas in [
        (spectral, {"alpha_w": 1e-3, "alpha_phi": 1e-3, "alpha_lambda": 1e-3}),
        (direct, {"alpha_w": 1e-3}),
    ]:
        omega = regulariser(student, **alphas)
        run = train(student, x, y, steps=2500, lr=1e-2, batch_size=300, rho=1.0, penalty=omega, penalised=omega.names)
        *_, last = run
        assert last.data_loss < 0.05 * float(y.var())
    few, many = core(relevance(spectral)), core(relevance(direct))
    assert few.clear
    assert few.size <= 5
    assert few.size < many.size
