"""The lesson: both students begin as one function, what it says of them follows from their weights, and a core is found."""

import math

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn
from torch.testing import assert_close

from spectral_lab import train
from spectral_lab.layers import SpectralLinear
from spectral_lab.live.lesson import EVERY, KINDS, Lesson, histogram, shares_of
from spectral_lab.live.lessonplan import PLANS, SMALL, Rules
from spectral_lab.teachers import HETEROGENEOUS, committee, regulariser, students, teacher

TINY = {"teacher": (4, 3, 3, 1), "h": 7, "points": 200, "batch_size": 50, "lr": 1e-2, "lr_direct": 1e-2}


@pytest.fixture(scope="module")
def taught():
    """A short lesson, after which nothing is symmetric any more."""
    lesson = Lesson(**TINY)
    lesson.advance(120)
    return lesson


def weights_of(student):
    """The first matrix of a student by its definition, and the others."""
    layer = student.network[0]
    if isinstance(layer, SpectralLinear):
        first = -layer.eigenvalues_out.detach()[:, None] * layer.eigenvectors.detach()
    else:
        first = layer.weight.detach()
    return first, student.network[2].weight.detach(), student.network[4].weight.detach()


def answers(student, x, keep=None):
    """What a student says, with some of its first hidden nodes only."""
    w1, w2, w3 = weights_of(student)
    a = (x @ w1.T).clamp_min(0)
    if keep is not None:
        a = a * keep
    return (a @ w2.T).clamp_min(0) @ w3.T


# -- training ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [SMALL, (4, 3, 2, 1), HETEROGENEOUS], ids=str)
@pytest.mark.parametrize("seed", [0, 5])
def test_both_students_begin_as_one_function_that_is_not_the_teachers(sizes, seed):
    lesson = Lesson(teacher=sizes, h=11, seed=seed, points=50)
    x = lesson.teacher.data.x_test
    spectral, direct = (lesson.students[kind].network(x) for kind in KINDS)
    assert_close(spectral, direct, rtol=1e-5, atol=1e-5)
    assert lesson.reports[0].marks["spectral"].core == lesson.reports[0].marks["direct"].core
    assert not torch.allclose(spectral, lesson.teacher.network(x), atol=0.01)


def test_the_students_are_trained_like_any_network_with_the_papers_penalties():
    lesson = Lesson(**TINY, alpha=2e-3, alpha_direct=7e-3, seed=4, teacher_seed=2)
    lesson.advance(130)
    data = teacher(TINY["teacher"], n=200, seed=2).data
    pair = students(7, TINY["teacher"], seed=4)
    strengths = {"spectral": {"alpha_w": 2e-3, "alpha_phi": 2e-3, "alpha_lambda": 2e-3}, "direct": {"alpha_w": 7e-3}}
    for kind in KINDS:
        network = getattr(pair, kind)
        omega = regulariser(network, **strengths[kind])
        options = {"rho": 1.0, "penalty": omega, "penalised": omega.names, "batch_size": 50, "lr": 1e-2, "seed": 4}
        train(network, data.x_train, data.y_train, steps=130, **options).advance(130)
        trained = lesson.students[kind].network
        assert_close(list(trained.parameters()), list(network.parameters()), rtol=0, atol=0)
        expected = float(nn.functional.mse_loss(network(data.x_test), data.y_test).detach())
        assert lesson.mse(kind) == expected == lesson.reports[-1].marks[kind].mse


def test_training_in_slices_is_training_in_one_go_and_the_seed_decides():
    whole, parts, other = (Lesson(**TINY, seed=seed) for seed in (1, 1, 2))
    whole.advance(200)
    for steps in (50, 30, 120):
        parts.advance(steps)
    other.advance(200)
    assert [r.step for r in whole.reports] == [0, 50, 100, 150, 200]
    assert [r.step for r in parts.reports] == [0, 50, 80, 100, 150, 200]
    assert [r for r in parts.reports if r.step != 80] == whole.reports
    for kind in KINDS:
        numbers = [weights_of(lesson.students[kind])[:2] for lesson in (whole, parts, other)]
        assert_close(numbers[0], numbers[1], rtol=0, atol=0)
        assert not torch.allclose(numbers[0][0], numbers[2][0], atol=0.01)


def test_the_random_numbers_of_the_caller_are_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    Lesson(**TINY).advance(10)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_student_that_diverges_stops_and_says_why_while_the_other_goes_on():
    lesson = Lesson(**TINY)
    lesson.students["direct"].network[0].weight.data.fill_(math.nan)
    before = lesson.students["spectral"].network[0].eigenvalues_out.clone()
    lesson.advance(60)
    assert lesson.trouble.startswith("The direct student stopped: ")
    assert "Lower lr" in lesson.trouble
    assert lesson.step == 60
    assert not torch.equal(before, lesson.students["spectral"].network[0].eigenvalues_out)


# -- what is said of the students --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_relevances_are_those_of_the_paper(taught, kind):
    w1, _, _ = weights_of(taught.students[kind])
    assert_close(taught.students[kind].relevance, w1.square().sum(1).sqrt())


@pytest.mark.parametrize("kind", KINDS)
def test_the_transition_is_the_error_of_copies_that_are_pruned_by_masks(taught, kind):
    data, student = taught.teacher.data, taught.students[kind]
    order = student.relevance.argsort(descending=True)
    curve = taught.transition(kind)
    for n in range(8):
        keep = torch.zeros(7)
        keep[order[:n]] = 1
        expected = (answers(student, data.x_test, keep) - data.y_test).square().mean()
        assert_close(curve.loss[n], expected, rtol=1e-4, atol=1e-6)
        assert taught.mse(kind, n) == float(curve.loss[n])
    assert_close(curve.loss[7], torch.tensor(taught.mse(kind)), rtol=1e-5, atol=0)
    assert curve.loss[3] > 1.01 * curve.loss[7]  # it does matter which stay


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [1, 4, 7])
def test_a_pruned_student_is_smaller_and_says_what_the_curve_says(taught, kind, keep):
    network, certificate = taught.pruned(kind, keep)
    assert certificate.nodes_after == (4, keep, 3, 1)
    data = taught.teacher.data
    assert_close(
        float((network(data.x_test) - data.y_test).detach().square().mean()), taught.mse(kind, keep), rtol=1e-4, atol=0
    )
    assert taught.h == 7  # the student itself stays as it is


@pytest.mark.parametrize("kind", KINDS)
def test_resemblance_is_the_cosine_between_two_rows(taught, kind):
    mine, theirs = weights_of(taught.students[kind])[0], taught.teacher.network[0].weight
    found = taught.resemblance(kind)
    assert found.shape == (7, 3)
    for n in range(7):
        for m in range(3):
            assert_close(found[n, m], mine[n] @ theirs[m] / (mine[n].norm() * theirs[m].norm()))


def test_a_student_that_is_the_teacher_is_recognised_and_is_all_core():
    lesson = Lesson(teacher=(4, 3, 3, 1), h=3, points=20)
    layer, plain = lesson.students["spectral"].network[0], lesson.students["direct"].network[0]
    with torch.no_grad():
        for row, node in enumerate((2, 0, 1)):
            layer.eigenvectors[row] = -5 * lesson.teacher.network[0].weight[node]
            plain.weight[row] = 0.1 * lesson.teacher.network[0].weight[node]
    for kind in KINDS:
        assert lesson.resemblance(kind).argmax(1).tolist() == [2, 0, 1]
        assert_close(lesson.resemblance(kind).max(1).values, torch.ones(3))
        assert lesson.core_of(kind).size == 3


def test_histograms_count_every_node_in_its_bin():
    R = torch.tensor([0.0, 0.01, 0.049, 0.051, 0.5, 1.0]) * 3
    assert_close(shares_of(R), R / 3)
    assert histogram(R) == [3, 1, *[0] * 8, 1, *[0] * 8, 1]
    assert histogram(torch.zeros(4)) == [4, *[0] * 19]


def test_a_spectral_student_keeps_a_core_like_its_teacher_and_a_direct_one_does_not():
    lesson = Lesson(h=20, seed=2)
    lesson.advance(4_000)
    assert lesson.core.clear
    assert abs(lesson.core.size - 8) <= 2
    assert lesson.core_of("direct").size >= 15
    assert max(lesson.mse(kind) for kind in KINDS) < 0.03 * lesson.teacher.data.y_test.var()
    assert lesson.mse("spectral", 10) < 1.1 * lesson.mse("spectral")
    assert lesson.mse("spectral", 7) > 3 * lesson.mse("spectral")
    assert (lesson.resemblance("spectral")[lesson.core.keep].max(0).values > 0.9).all()


# -- rules, words, pictures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", PLANS, ids=str)
def test_what_is_not_given_is_what_suits_the_teacher(sizes):
    plan, rules = PLANS[sizes], Rules(teacher=list(sizes))
    assert (rules.h, rules.points, rules.batch_size, rules.lr, rules.lr_direct) == plan[:5]
    assert rules.teacher == sizes
    assert Rules(teacher=sizes, h=3, lr=0.5).lr == 0.5
    assert plan.steps % EVERY == 0
    assert max(plan.widths) > sizes[1] > min(plan.widths)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"h": 0}, "h = 0; wanted a whole number from 1 to 1,000"),
        ({"h": 1001}, "h = 1001"),
        ({"h": "wide"}, "h = 'wide'"),
        ({"h": 3.0}, "h = 3.0"),
        ({"h": True}, "h = True"),
        ({"alpha": -1e-3}, "alpha = -0.001; wanted a number of at least 0"),
        ({"alpha": math.nan}, "alpha = nan"),
        ({"alpha": "much"}, "alpha = 'much'"),
        ({"alpha": None}, "alpha = None"),
        ({"alpha_direct": math.inf}, "alpha_direct = inf"),
        ({"seed": -1}, "seed = -1"),
        ({"teacher_seed": 0.5}, "teacher_seed = 0.5"),
        ({"points": 0}, "points = 0"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"lr": 0}, "lr = 0; wanted a positive number"),
        ({"lr_direct": -1}, "lr_direct = -1"),
        ({"teacher": (10, 8, 1)}, r"teacher = \(10, 8, 1\); wanted the sizes of four layers"),
        ({"teacher": (10, 8, 8, 2)}, "the last one 1"),
        ({"teacher": (10, 0, 8, 1)}, "four layers"),
        ({"teacher": 10}, "teacher = 10"),
        ({"teacher": "10-8-8-1"}, "four layers"),
    ],
)
def test_what_is_out_of_range_is_named(rules, words):
    with pytest.raises(ValueError, match=words):
        Rules(**rules)


def test_questions_that_have_no_answer_are_refused(taught):
    for steps in (0, -5, 1.5, True):
        with pytest.raises(ValueError, match=f"steps = {steps}"):
            taught.advance(steps)
    with pytest.raises(ValueError, match="keep = 8; wanted a whole number of nodes from 0 to 7"):
        taught.mse("direct", 8)
    with pytest.raises(ValueError, match="keep = 0; wanted a whole number of nodes from 1 to 7"):
        taught.pruned("direct", 0)
    for ask in (taught.mse, taught.core_of, taught.resemblance, taught.transition, lambda kind: taught.pruned(kind, 3)):
        with pytest.raises(ValueError, match="there is no student 'svd'; wanted one of spectral, direct"):
            ask("svd")


def test_words_and_picture_tell_of_both_students(taught):
    marks = taught.reports[-1].marks
    assert taught.words().startswith(f"step 120: spectral core {marks['spectral'].core} of 7, test MSE ")
    assert taught.words().endswith("; the teacher has 3")
    nodes, errors, cut = taught.figure().axes
    assert [len(line.get_xdata()) for line in nodes.lines[:2]] == [7, 7]
    assert list(errors.lines[1].get_ydata()) == [report.marks["direct"].mse for report in taught.reports]
    assert list(cut.lines[1].get_ydata()) == taught.transition("spectral").loss.tolist()
    assert isinstance(taught.figure(), Figure)
    assert taught.figure().file("png")[:4] == b"\x89PNG"


def test_a_teacher_is_a_committee_of_its_own_seed():
    a, b = Lesson(**TINY, teacher_seed=0), Lesson(**TINY, teacher_seed=1)
    assert not torch.equal(a.teacher.network[0].weight, b.teacher.network[0].weight)
    assert torch.equal(a.teacher.network[4].weight, committee((4, 3, 3, 1))[4].weight)  # ones
    assert torch.equal(a.teacher.data.x_train, b.teacher.data.x_train)
