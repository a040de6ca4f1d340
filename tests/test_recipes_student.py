"""The recipes on students and teachers: what one trial measures, what is made of many, and what is said beside the paper."""

import math

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn
from torch.testing import assert_close

from spectral_lab import datasets
from spectral_lab.layers import SpectralLinear
from spectral_lab.recipes import RECIPES, Done, poster, student, student_results, student_trials, students_on_data
from spectral_lab.recipes.student_results import (
    BOTTOM,
    core_findings,
    delta_findings,
    draw_core,
    draw_delta,
    draw_histograms,
    fall,
    floor_left_at,
    median_curve,
    spread,
    words,
)
from spectral_lab.recipes.student_trials import KINDS, cosines, digits, distances, paths, quantiles, study, trial
from spectral_lab.recipes.students_on_data import build, lesson, shuffled, targets, with_constant
from spectral_lab.tasks import Split
from spectral_lab.teachers import committee, regulariser, relevance, students, teacher

TINY = {"sizes": [4, 3, 3, 1], "teacher_seed": 0, "n": 300, "epochs": 2, "batch_size": 50, "lr": 5e-3, "alpha": 1e-3}
ON_DIGITS = {"data": "digits", "limit": 100, "epochs": 2, "batch_size": 50, "lr": 5e-3, "alpha": 1e-4}


def without_time(outcome):
    return {name: value for name, value in outcome.items() if name != "seconds"}


# ---------------------------------------------------------------- one trial


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("run", "options"), [(student_trials.run, TINY), (students_on_data.run, ON_DIGITS)])
def test_the_seed_decides_the_outcome_and_nothing_else_does(run, options, kind):
    before = torch.get_rng_state()
    first, again, other = (without_time(run(trial(kind, 8, seed, **options))) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert first == again
    assert first["relevance"] != other["relevance"]
    assert first["mse"] != other["mse"]


def test_an_outcome_measures_the_student_that_it_trained():
    options = trial("spectral", 8, 0, **TINY)
    lesson = teacher(options["sizes"], n=options["n"], seed=0)
    pupil = students(8, options["sizes"], seed=0).spectral
    start = relevance(pupil).clone()
    outcome = study(pupil, lesson.data, options, "cpu")
    assert not torch.equal(start, relevance(pupil))
    assert_close(torch.tensor(outcome["relevance"]), relevance(pupil).detach(), rtol=1e-4, atol=0)
    error = nn.functional.mse_loss(pupil(lesson.data.x_test), lesson.data.y_test).item()
    assert outcome["mse"] == pytest.approx(error, rel=1e-4)
    assert outcome["variance"] == pytest.approx(lesson.data.y_test.var(correction=0).item(), rel=1e-4)
    assert len(outcome["delta_mse"]) == 9
    assert outcome["delta_mse"][-1] == 0
    assert without_time(outcome).items() <= student_trials.run(options).items()


def test_both_kinds_start_from_the_same_function_and_are_trained_alike():
    one, other = (trial(kind, 8, 0, **TINY) for kind in KINDS)
    assert {name for name in one if one[name] != other[name]} == {"kind"}
    x = torch.rand(5, 65)
    spectral, direct = (build(trial(kind, 8, 0, **ON_DIGITS), 65, 10) for kind in KINDS)
    assert isinstance(spectral[0], SpectralLinear)
    assert_close(spectral(x), direct(x))
    assert not torch.equal(build(trial("direct", 8, 1, **ON_DIGITS), 65, 10)[0].weight, direct[0].weight)


@pytest.mark.parametrize("kind", KINDS)
def test_alpha_makes_the_relevances_of_both_kinds_smaller(kind):
    free, bound = (student_trials.run(trial(kind, 8, 0, **TINY | {"epochs": 10, "alpha": alpha})) for alpha in (0.0, 0.1))
    assert sum(bound["relevance"]) < 0.95 * sum(free["relevance"])


def test_the_seed_also_decides_the_order_of_the_data():
    lesson = teacher(TINY["sizes"], n=300).data
    outcomes = [study(students(8, TINY["sizes"]).direct, lesson, trial("direct", 8, seed, **TINY), "cpu") for seed in (0, 1)]
    assert outcomes[0]["mse"] != outcomes[1]["mse"]  # although both start alike


def test_a_layer_that_is_all_core_counts_as_one_without_a_gap():
    outcome = student_trials.run(trial("direct", 4, 0, **TINY))
    assert min(outcome["relevance"]) > 0.1 * max(outcome["relevance"])  # no peak at zero
    assert (outcome["core"], outcome["clear"]) == (4, False)


def test_numbers_for_a_file_have_five_digits_and_are_plain():
    assert digits(torch.tensor([[1 / 3, 0.0], [1e-9 / 3, 123456.7]])) == [[0.33333, 0.0], [3.3333e-10, 123460.0]]
    assert digits(2 / 3, 2) == 0.67
    assert type(digits(torch.tensor(0.5))) is float


# ---------------------------------------------------------------- paths


def test_distances_of_paths_are_areas_and_steps_by_hand():
    theirs = torch.tensor([-1.0, 0.0, 1.0, 2.0])  # mean |Γ| = 1
    assert distances([theirs], theirs) == {"wasserstein": 0.0, "kolmogorov": 0.0}
    assert distances([theirs + 0.5], theirs) == {"wasserstein": 0.5, "kolmogorov": 0.25}
    assert distances([torch.zeros(3)], theirs) == {"wasserstein": 1.0, "kolmogorov": 0.5}  # no paths at all
    assert distances([theirs, theirs + 0.5], theirs) == {"wasserstein": 0.25, "kolmogorov": 0.125}


def test_a_distance_of_distributions_is_the_mean_difference_of_sorted_values():
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(500, generator=generator).sort().values for _ in range(2))
    found = distances([ours * 1.3], theirs)["wasserstein"]
    assert found == pytest.approx(((1.3 * ours - theirs).abs().mean() / theirs.abs().mean()).item(), rel=1e-4)


def test_the_teacher_hidden_among_silent_nodes_is_found_by_its_paths():
    network = committee([4, 3, 3, 1])
    wide = committee([4, 9, 3, 1])
    with torch.no_grad():
        wide[0].weight.zero_()[2::3] = network[0].weight
        wide[2].weight[:, 2::3] = network[2].weight
    theirs = in_loops(network)
    found = paths(wide, theirs, 3, "spectral")
    assert found["distance"]["pruned"] == {"wasserstein": 0.0, "kolmogorov": 0.0}
    assert found["distance"]["whole"]["wasserstein"] > 0.1  # two paths in three are 0
    assert found["paths"] == quantiles(theirs)
    assert paths(wide, theirs, 3, "direct")["paths"] != quantiles(theirs)
    assert_close(cosines(wide, network, 3), torch.ones(3))


def test_a_cosine_is_that_of_the_nearest_node_that_is_kept_and_knows_the_sign():
    network, student = committee([2, 2, 3, 1]), committee([2, 3, 3, 1])
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        student[0].weight.copy_(torch.tensor([[5.0, 0.0], [0.0, -4.0], [0.0, 0.1]]))
    assert_close(cosines(student, network, 2), torch.tensor([0.0, 1.0]))  # the weak node that points its way is cut
    assert_close(cosines(student, network, 3), torch.tensor([1.0, 1.0]))


def in_loops(network):
    """All paths to the second hidden layer, sorted."""
    first, second = network[0].weight, network[2].weight
    products = [w_kj * w_ji for row in second for w_kj, inputs in zip(row, first, strict=True) for w_ji in inputs]
    return torch.stack(products).sort().values


def test_quantiles_reach_from_the_least_to_the_largest_path():
    values = torch.linspace(-2, 3, 1001)
    made = quantiles(values)
    assert (made[0], made[50], made[-1]) == (-2.0, 0.5, 3.0)
    assert len(made) == student_trials.QUANTILES


def test_other_teachers_are_not_ours_and_are_always_the_same():
    ours = teacher([4, 3, 3, 1], n=1, n_test=1).network
    first, again, other = (student_trials.other_teacher([4, 3, 3, 1], seed) for seed in (1, 1, 2))
    assert torch.equal(first[0].weight, again[0].weight)
    assert not torch.equal(first[0].weight, other[0].weight)
    assert not torch.equal(first[0].weight, ours[0].weight)


# ---------------------------------------------------------------- real data


def test_shuffling_is_one_permutation_of_the_columns_for_all_rows():
    plain, mixed = torch.arange(12.0).reshape(2, 6), shuffled(torch.arange(12.0).reshape(2, 6))
    assert not torch.equal(plain, mixed)
    assert torch.equal(mixed.sort(1).values, plain)  # each row keeps its numbers
    assert torch.equal(mixed[1] - mixed[0], torch.full((6,), 6.0))  # and all rows are permuted alike
    assert torch.equal(shuffled(plain[1:]), mixed[1:])  # whatever their number


def test_images_are_shuffled_alike_in_both_parts_and_the_note_says_so():
    plain = datasets.load("digits", flat=True, validation=0.0, limit=50)
    data, classes, note = lesson("digits", 50, None, "cpu")
    assert torch.equal(data.x_train, with_constant(shuffled(plain.x_train)))
    assert torch.equal(data.x_test, with_constant(shuffled(plain.x_test)))
    assert torch.equal(classes, plain.y_test)
    assert note == f"pixels in one random order, the same for all images; {plain.note}"


def test_a_student_of_permuted_pixels_with_permuted_weights_learns_the_same():
    x, y = torch.rand(40, 6), torch.rand(40, 1)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(5))
    outcomes = []
    for inputs, columns in ((x, slice(None)), (x[:, order], order)):
        network = build(trial("spectral", 5, 0, **ON_DIGITS), 6, 1)
        with torch.no_grad():
            network[0].eigenvectors.copy_(network[0].eigenvectors[:, columns].clone())
        outcomes.append(study(network, Split(inputs, y, inputs, y), trial("spectral", 5, 0, **ON_DIGITS), "cpu"))
    first, second = outcomes
    assert_close(first["relevance"], second["relevance"], rtol=1e-3, atol=1e-6)
    assert first["mse"] == pytest.approx(second["mse"], rel=1e-3)


def test_a_node_whose_eigenvalue_is_zero_delivers_nothing_whatever_its_bias():
    network = build(trial("spectral", 5, 0, **ON_DIGITS), 4, 1)
    x = with_constant(torch.rand(7, 3))
    with torch.no_grad():
        network[0].eigenvalues_out[2] = 0.0
    assert torch.equal(network[0](x)[:, 2], torch.zeros(7))
    assert network[0].bias is None
    assert torch.equal(x[:, -1], torch.ones(7))


def test_the_constant_input_is_a_bias():
    network = build(trial("direct", 5, 0, **ON_DIGITS), 4, 1)
    x, weight = torch.rand(7, 3), network[0].weight
    assert_close(network[0](with_constant(x)), nn.functional.linear(x, weight[:, :-1], weight[:, -1]))


def test_classes_become_rows_of_zeros_with_a_one_and_numbers_stay():
    assert targets(torch.tensor([2, 0]), 3).tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    prices = torch.tensor([[1.5], [2.0]])
    assert targets(prices, 1) is prices


def test_a_student_of_images_is_told_how_many_classes_it_gets_right():
    outcome = students_on_data.run(trial("direct", 8, 0, **ON_DIGITS | {"epochs": 60}))
    assert 0.3 < outcome["accuracy"] <= 1
    assert outcome["mse"] < outcome["variance"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_regulariser_leaves_biases_alone(kind):
    network = build(trial(kind, 5, 0, **ON_DIGITS), 4, 2)
    omega = regulariser(network, alpha_w=1.0, **({"alpha_phi": 2.0, "alpha_lambda": 3.0} if kind == "spectral" else {}))
    first = ["0.eigenvalues_out", "0.basis.eigenvectors"] if kind == "spectral" else ["0.weight"]
    assert sorted(omega.names) == sorted([*first, "2.weight", "4.weight"])


# ---------------------------------------------------------------- outcomes in groups


@pytest.mark.parametrize(
    ("delta", "mse", "left"),
    [
        ([5.0, 2.0, 0.5, 0.0, 0.0], 1.0, 3),  # 0.1 is the floor
        ([5.0, 2.0, 0.1, 0.0, 0.0], 1.0, 2),  # on it
        ([5.0, 0.01, 0.5, 0.0, 0.0], 1.0, 3),  # a dip below it does not count
        ([5.0, 2.0, -0.5, 0.0, 0.0], 1.0, 3),  # neither does the sign
        ([5.0, 2.0, 0.5, 0.0, 0.0], 10.0, 2),  # a student that knows less has a higher floor
        ([0.0, 0.0], 1.0, 0),  # nothing matters
    ],
)
def test_the_floor_is_left_where_one_node_less_is_seen_in_the_error(delta, mse, left):
    assert floor_left_at(delta, mse) == left


@pytest.mark.parametrize("n_core", [1, 7, 20])
def test_on_a_curve_with_a_kink_the_floor_is_left_at_the_kink(n_core):
    curve = [10 ** (-3 * n / n_core) if n < n_core else 1e-7 for n in range(41)]
    assert floor_left_at(curve, mse=1e-3) == n_core


def test_curves_that_lie_on_one_another_collapse_and_others_do_not():
    one = [10.0 ** (1 - 0.2 * n) for n in range(30)]
    assert fall([one, one], 19) == pytest.approx((1.0, 0.0, 1.0))
    apart, share, straight = fall([one, [2 * value for value in one]], 19)
    assert (apart, straight) == pytest.approx((2.0, 1.0))
    assert share == pytest.approx(math.log10(2) / (0.2 * 18))


def test_a_step_is_no_line():
    assert fall([[1.0] * 10 + [1e-4] * 10], 19).straight < 0.8


def test_a_curve_of_many_students_is_the_median_of_their_sizes():
    assert median_curve([[3.0, -1.0], [1.0, 5.0], [2.0, 0.0]]) == [2.0, 1.0]


def test_a_single_student_has_no_spread():
    assert spread([3]) == (3, 0.0)
    assert words([1.0, 3.0]) == "2.0 ± 1.4"


# ---------------------------------------------------------------- findings


def kinked(h, n_core, scale=1.0):
    """A ΔMSE that falls by four decades until n_core."""
    return [scale * 10 ** (1 - 4 * n / n_core) if n < min(n_core, h) else 0.0 for n in range(h + 1)]


def made_up(kind, h, seed, *, core, clear, sizes=(10, 20, 20, 1), mse=9e-3, scale=1.0, near=0.05, others=0.3):
    """An outcome as a trial would leave it, whose core has so many nodes; the others are spread towards zero, or are zero."""
    rest = [0.0] * (h - core) if clear else [0.04 * (k + 1) / max(1, h - core) for k in range(h - core)]
    far = {"wasserstein": near, "kolmogorov": near}
    outcome = {
        "mse": mse,
        "variance": 5.0,
        "core": core,
        "clear": clear,
        "gap": 0.5 if clear else 0.02,
        "relevance": [0.5 + 0.5 * k / max(1, core - 1) for k in range(core)] + rest,
        "delta_mse": kinked(h, core, scale),
        "distance": {"whole": far, "pruned": far},
        "others": {"wasserstein": others, "kolmogorov": others},
        "paths": [k / 50 - 1 for k in range(101)],
        "cosines": [0.9] + 19 * [0.999] if kind == "spectral" else 10 * [0.9] + 10 * [0.999],
        "seconds": 1.0,
    }
    return Done({"kind": kind, "h": h, "seed": seed, "sizes": list(sizes), "teacher_seed": 0}, outcome)


def as_in_the_paper():
    """Spectral students with a core of 20, direct ones that use half of what they have."""
    done = []
    for h in (10, 20, 40, 100, 200):
        for seed in range(3):
            done.append(made_up("spectral", h, seed, core=min(h, 20), clear=h > 20))
            used = h if h <= 20 else h // 2
            done.append(made_up("direct", h, seed, core=used, clear=False, near=0.6))
    return done


def changed(done, kind, h=None, **outcome):
    return [
        Done(one.trial, one.outcome | outcome) if one.trial["kind"] == kind and h in (None, one.trial["h"]) else one
        for one in done
    ]


@pytest.mark.parametrize(
    "findings", [student.fig_2_findings, lambda done: student.fig_4_findings([one for one in done if one.trial["h"] == 200])]
)
def test_all_findings_agree_for_outcomes_as_the_paper_describes_them(findings):
    assert [finding for finding in findings(as_in_the_paper()) if not finding.agrees] == []


def test_a_core_that_grows_with_the_student_is_not_called_invariant_nor_the_teachers():
    done = changed(as_in_the_paper(), "spectral", 200, core=60)
    invariant, near, _ = core_findings(done, 20)
    assert (invariant.agrees, near.agrees) == (False, False)
    assert "60.0 ± 0.0 at 200" in invariant.ours


def test_a_core_of_another_size_may_be_invariant_without_being_the_teachers():
    done = changed(as_in_the_paper(), "spectral", core=13)
    assert [finding.agrees for finding in core_findings(done, 20)] == [True, False, True]


def test_a_direct_student_with_a_core_of_its_own_contradicts_the_paper():
    done = changed(as_in_the_paper(), "direct", core=20, clear=True)
    assert [finding.agrees for finding in core_findings(done, 20)] == [True, True, False]


def test_the_scatter_of_the_seeds_decides_how_far_apart_cores_may_be():
    def with_cores(*cores):
        made = [one for one in as_in_the_paper() if one.trial["kind"] == "direct"]
        for h, of_seeds in zip((40, 100, 200), cores, strict=True):
            made += [made_up("spectral", h, seed, core=nodes, clear=True) for seed, nodes in enumerate(of_seeds)]
        return made

    assert not core_findings(with_cores([19, 19, 19], [20, 20, 20], [22, 22, 22]), 20)[0].agrees
    assert core_findings(with_cores([18, 19, 20], [20, 20, 20], [20, 21, 22]), 20)[0].agrees


def test_a_floor_that_is_left_elsewhere_is_told():
    done = changed(as_in_the_paper(), "spectral", 100, delta_mse=kinked(100, 30))
    left, _, _ = delta_findings(done, 20)
    assert not left.agrees
    assert "30.0 ± 0.0 at 100" in left.ours
    assert "(direct: 20.0 ± 0.0 at 40, 50.0 ± 0.0 at 100, 100.0 ± 0.0 at 200)" in left.ours


def test_curves_apart_are_not_called_universal_and_a_step_is_not_called_exponential():
    apart = step = as_in_the_paper()
    for h in (40, 100, 200):
        apart = changed(apart, "spectral", h, delta_mse=kinked(h, 20, scale=h))
        step = changed(step, "spectral", h, delta_mse=[1.0] * 13 + [1e-2] * 7 + [1e-4] * (h - 19))
    assert [finding.agrees for finding in delta_findings(apart, 20)][1:] == [False, True]
    assert [finding.agrees for finding in delta_findings(step, 20)][1:] == [True, False]


@pytest.mark.parametrize(("kind", "mse", "agrees"), [("spectral", 0.03, [False, True]), ("direct", 0.012, [True, False])])
def test_a_test_error_far_from_the_papers_is_told(kind, mse, agrees):
    found = student.error_findings(changed(as_in_the_paper(), kind, mse=mse), 20)
    assert [finding.agrees for finding in found] == agrees


def test_figure_1_finds_the_peak_of_spectral_students_and_none_in_direct_ones():
    zero, peak, direct, gaps, shift = student.fig_1_findings(as_in_the_paper())
    assert zero.agrees
    assert peak.agrees
    assert peak.ours == "0.50 at 40, 0.80 at 100, 0.90 at 200"
    assert gaps.ours == "9 of 9 spectral, 0 of 9 direct"
    assert gaps.agrees
    assert not direct.agrees  # half of all nodes are near zero in these
    assert not shift.agrees  # at every width


def test_figure_1_is_not_satisfied_by_students_without_a_peak():
    flat = [made_up(kind, h, seed, core=h, clear=False) for kind in KINDS for h in (10, 40, 100) for seed in range(2)]
    assert [finding.agrees for finding in student.fig_1_findings(flat)][1:4] == [False, True, False]


def test_figure_1_sees_relevances_that_shift_towards_zero():
    done = [
        Done(one.trial, one.outcome | {"relevance": [1.0] + [4 / one.trial["h"]] * (one.trial["h"] - 1)})
        for one in as_in_the_paper()
    ]
    assert student.fig_1_findings(done)[-1].agrees


@pytest.mark.parametrize(
    ("spectral", "direct", "others", "agrees"),
    [
        (0.1, 0.9, 0.3, [True, True, True, True, True]),
        (0.5, 0.6, 0.3, [False, True, False, False, True]),
        (0.1, 0.15, 0.3, [False, False, False, True, True]),
        (0.1, 0.9, 0.05, [True, True, True, False, True]),  # near, but any other teacher is nearer
    ],
)
def test_figure_4_asks_whether_paths_are_near_and_nearer_than_those_of_others(spectral, direct, others, agrees):
    done = [made_up("spectral", 200, s, core=20, clear=True, near=spectral, others=others) for s in range(3)]
    done += [made_up("direct", 200, s, core=100, clear=False, near=direct, others=others) for s in range(3)]
    assert [finding.agrees for finding in student.fig_4_findings(done)] == agrees


def test_figure_4_counts_the_teachers_nodes_that_the_student_found():
    done = [made_up(kind, 200, s, core=20, clear=True) for kind in KINDS for s in range(3)]
    assert student.fig_4_findings(done)[-1].ours == "19.0 ± 0.0 of 20 (direct: 10.0 ± 0.0)"
    lost = changed(done, "spectral", cosines=10 * [0.9] + 10 * [0.999])
    assert not student.fig_4_findings(lost)[-1].agrees


def test_the_poster_judges_each_teacher_by_its_own_size():
    done = as_in_the_paper()
    done += [made_up("spectral", h, s, core=10, clear=True, sizes=(10, 10, 20, 1)) for h in (40, 100, 200) for s in range(2)]
    done += [made_up("spectral", h, s, core=20, clear=True, sizes=(10, 30, 20, 1)) for h in (40, 100, 200) for s in range(2)]
    *own, ten, thirty = poster.poster_findings(done)
    assert all(finding.agrees for finding in own)
    assert (ten.agrees, thirty.agrees) == (True, False)
    assert ten.ours.startswith("10.0 ± 0.0 at 40")


def on_data(core, **outcome):
    """Made-up students of data: no teacher is known."""
    done = []
    for one in as_in_the_paper():
        kind, h, seed = (one.trial[name] for name in ("kind", "h", "seed"))
        used = min(h, core(h)) if kind == "spectral" else h
        made = made_up(kind, h, seed, core=used, clear=False).outcome | {"note": "a note on data"} | outcome
        done.append(Done({"kind": kind, "h": h, "seed": seed, "data": "mnist"}, made))
    return done


def test_without_a_teacher_a_core_is_judged_by_itself():
    assert [finding.agrees for finding in students_on_data.findings(on_data(lambda h: 15))] == [True, True, True, True]
    grows = students_on_data.findings(on_data(lambda h: h // 2))
    assert [finding.agrees for finding in grows] == [False, True, False, True]
    same = students_on_data.findings(changed(on_data(lambda h: 15), "direct", core=30))
    assert [finding.agrees for finding in same] == [True, False, True, True]


def test_errors_of_both_kinds_are_compared_at_every_width():
    worse = changed(on_data(lambda h: 15), "direct", 100, mse=0.02)
    assert not students_on_data.findings(worse)[-1].agrees


# ---------------------------------------------------------------- pictures


def test_the_note_on_the_data_is_on_the_figure_and_all_of_it_can_be_read():
    figure = Figure(figsize=students_on_data.RECIPES[0].size, layout="constrained")
    source = students_on_data.SOURCES["cnn"]
    students_on_data.draw(on_data(lambda h: 15, note=f"{source}; CIFAR-10 subset: 16,000 of 50,000 images"), figure)
    assert figure.get_supxlabel() == f"{source}\nCIFAR-10 subset: 16,000 of 50,000 images"
    figure.draw_without_rendering()
    written = next(text for text in figure.texts if text.get_text() == figure.get_supxlabel()).get_window_extent()
    assert 0 < written.x0 < written.x1 < figure.bbox.x1


def test_the_core_is_drawn_with_its_spread_beside_the_teachers_size():
    ax = Figure().subplots()
    draw_core(changed(as_in_the_paper(), "spectral", 200, core=24), ax, 20)
    labels = ax.get_legend_handles_labels()[1]
    assert {"spectral", "direct", "all nodes", "the teacher's 20"} <= set(labels)
    drawn = next(line for line in ax.lines if line.get_color() == student_results.COLOURS["spectral"])
    assert drawn.get_ydata().tolist() == [10, 20, 20, 20, 24]


def test_the_transition_is_drawn_from_the_teachers_size_and_zero_has_a_place():
    ax = Figure().subplots()
    draw_delta(as_in_the_paper(), ax, 20)
    curves = {line.get_label(): line for line in ax.lines}
    assert {"spectral, h = 40", "spectral, h = 100", "spectral, h = 200", "direct, h = 200"} <= set(curves)
    x, y = curves["spectral, h = 100"].get_data()
    assert (x[0], x[-1]) == (-20, 80)
    assert y[list(x).index(0)] == BOTTOM
    assert y[0] == pytest.approx(10.0)


def test_histograms_count_nodes_per_student():
    figure = Figure()
    axes = figure.subplots(1, 2)
    draw_histograms(as_in_the_paper(), axes, [40, 200])
    filled = axes[1].containers or axes[1].patches
    heights = [patch.get_height() for patch in axes[1].patches if hasattr(patch, "get_height")]
    assert filled
    assert max(heights) == pytest.approx(180)  # all but the core
    assert [ax.get_title() for ax in axes] == ["h = 40", "h = 200"]


# ---------------------------------------------------------------- the recipes


OURS = [name for name in RECIPES if name.startswith(("student", "poster"))]


def test_the_recipes_are_the_figures_of_the_paper_and_the_poster():
    assert OURS == [
        "student-fig-1",
        "student-fig-2",
        "student-fig-4",
        "student-fig-3-fashion-mnist",
        "student-fig-3-mnist",
        "student-fig-3-heterogeneous",
        "student-fig-3-california-housing",
        "student-fig-3-cifar",
        "poster-panels",
    ]


@pytest.mark.parametrize("scale", ["smoke", "class", "paper"])
def test_figures_of_one_teacher_share_their_students(scale):
    names = ("student-fig-1", "student-fig-2", "student-fig-4", "poster-panels")
    first, second, fourth, panels = (RECIPES[name].trials(RECIPES[name].settings[scale]) for name in names)
    assert first == second
    assert all(one in second for one in fourth)
    assert all(one in panels for one in second)


@pytest.mark.parametrize("name", OURS)
def test_at_the_scale_class_students_are_wider_than_their_teacher_and_there_are_three_of_each(name):
    recipe = RECIPES[name]
    made = recipe.trials(recipe.settings["class"])
    places = {(one["kind"], one["h"], one.get("sizes", [0, 0])[1]) for one in made}
    for place in places:
        seeds = [one["seed"] for one in made if (one["kind"], one["h"], one.get("sizes", [0, 0])[1]) == place]
        assert len(seeds) >= 3
        assert len(set(seeds)) == len(seeds)
    assert any(h > nodes for _, h, nodes in places)
