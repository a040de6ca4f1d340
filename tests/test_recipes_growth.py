"""What is beyond the papers: trials come out together as alone, and what was expected can turn out wrong."""

import pytest
import torch
from matplotlib.figure import Figure

from spectral_lab import SpectralNet, alpha_beta, digits, structure, train
from spectral_lab.recipes import RECIPES, Done
from spectral_lab.recipes.digits_search import digits_run, digits_together
from spectral_lab.recipes.loops import PENALTIES, alive_up_to, fresh_ones, loop_trials, loops_together, told_beforehand
from spectral_lab.recipes.phases import expected_border, measured_border, over_plane
from spectral_lab.stability import critical_rho, drive

NAMES = ("phase-diagram", "hysteresis", "digits-search")


def verdicts(name, done):
    return [finding.agrees for finding in RECIPES[name].findings(done)]


# ---------------------------------------------------------------- the plane


def plane(exists, seeds=(0, 1), rhos=(1e-5, 1e-4, 1e-3, 1e-2, 1e-1)):
    """Outcomes with 5 live neurons where ``exists(alpha, rho)``."""
    return [
        Done(
            {"search": {"alpha": alpha, "rho": rho, "seed": seed, "hidden": [30], "n": 500, "beta": 5}},
            {"live": 5 if exists(alpha, rho) else 0, "path_norm": 1.0},
        )
        for rho in rhos
        for seed in seeds
        for alpha in (0.0, 0.5, 1.0)
    ]


def as_expected(alpha, rho):
    return rho < {0.0: 5e-5, 0.5: 5e-3, 1.0: 8e-3}[alpha]


def test_a_border_where_the_perceptron_becomes_unstable_is_as_expected():
    assert verdicts("phase-diagram", plane(as_expected)) == [True] * 4
    assert measured_border(plane(as_expected)) == [(0.0, 1e-5, 1e-4), (0.5, 1e-3, 1e-2), (1.0, 1e-3, 1e-2)]


@pytest.mark.parametrize(
    ("exists", "wanted"),
    [
        (lambda alpha, rho: False, [False, True, False, False]),
        (lambda alpha, rho: True, [True, False, False, False]),
        (lambda alpha, rho: rho < 0.05, [True, True, False, False]),
        (lambda alpha, rho: as_expected(1 - alpha, rho), [True, True, True, False]),
    ],
)
def test_other_planes_are_not(exists, wanted):
    assert verdicts("phase-diagram", plane(exists)) == wanted


def test_the_expected_border_is_that_of_the_networks_before_training():
    alphas, border = expected_border(plane(as_expected, seeds=(0, 3)))
    assert alphas == [0.0, 0.5, 1.0]
    networks = [SpectralNet([2, 30, 1], generator=torch.Generator().manual_seed(seed)) for seed in (0, 3)]
    rhos = [critical_rho(drive(network, *alpha_beta(0.5, 5, 500, seed=42))) for network in networks]
    assert border[1] == pytest.approx(sum(rhos) / 2)
    assert border[0] < border[1] < border[2]


def test_means_are_taken_over_the_seeds_and_rows_are_values_of_rho():
    done = [
        Done({"search": {"alpha": a, "rho": r, "seed": s}}, {"live": 10 * a + r + s})
        for a in (1.0, 0.0)
        for r in (3.0, 2.0)
        for s in (0, 2)
    ]
    assert over_plane(done, "live") == ([0.0, 1.0], [2.0, 3.0], [[3.0, 13.0], [4.0, 14.0]])


# ---------------------------------------------------------------- up and down

SMOKE = loop_trials(RECIPES["hysteresis"].settings["smoke"])


def test_loops_and_fresh_networks_come_out_together_as_alone():
    some = SMOKE[1::5]
    assert {"search" in trial for trial in some} == {True, False}
    for trial, together in zip(some, loops_together(some), strict=True):
        (alone,) = loops_together([trial])
        for name in alone.keys() - {"seconds"}:
            assert alone[name] == pytest.approx(together[name], rel=1e-2, abs=1e-5)


def test_every_kind_of_loop_has_fresh_networks_at_its_values():
    done = [Done(trial, {"live": 3}) for trial in SMOKE]
    for over in ("alpha", "rho"):
        for penalty in PENALTIES:
            assert fresh_ones(done, over, penalty, "live") == [[3, 3]] * 2
    searches = [trial["search"] for trial in SMOKE if "search" in trial]
    assert {search["rho"] for search in searches if "rho" in search} == {1e-4, 1e-1}
    assert all(search["train_input_eigenvalues"] is False for search in searches)


def loops(
    alpha_areas=(0.4, 0.1), rho_areas=(2.0, 1.5), up=(9, 9, 0), down=(9, 0, 0), critical=(1.0, 5e-3, 5e-3), fresh=(9, 0, 0)
):
    """Made-up outcomes over ρ = 1e-3, 1e-2, 1e-1, quick and slow."""
    values, done = [1e-3, 1e-2, 1e-1], []
    for over, areas in (("alpha", alpha_areas), ("rho", rho_areas)):
        for penalty in PENALTIES:
            for steps, area in zip((10, 100), areas, strict=True):
                outcome = {"area": area, "live_up": up, "live_down": down, "critical_down": critical}
                trial = {"over": over, "penalty": penalty, "steps": steps, "values": values}
                done += [Done(trial | {"seed": seed}, outcome) for seed in (0, 1)]
            done += [
                Done({"over": over, "search": {"penalty": penalty, "seed": seed}}, {"live": live})
                for seed in (0, 1)
                for live in fresh
            ]
    return done


def test_lag_in_alpha_and_memory_in_rho_are_as_expected():
    assert verdicts("hysteresis", loops()) == [True] * 10


@pytest.mark.parametrize(
    ("changed", "places"),
    [
        ({"alpha_areas": (0.4, 0.3)}, {0, 1}),
        ({"rho_areas": (2.0, 0.1)}, {2, 3}),
        ({"up": (9, 0, 0)}, {4, 7}),
        ({"down": (0, 0, 0)}, {5, 6, 8, 9}),
        ({"critical": (1.0, 5e-3, 0.05)}, {6, 9}),
    ],
)
def test_what_comes_out_otherwise_is_told(changed, places):
    found = verdicts("hysteresis", loops(**changed))
    assert {k for k, agrees in enumerate(found) if not agrees} == places


def test_the_eigenvectors_are_asked_each_time_the_layer_is_dead():
    outcome = {"live_down": [4, 0, 0, 6], "critical_down": [9, 1.5, 2.5, 0]}
    assert told_beforehand([1, 2, 3, 4], [outcome]) == (1, 2)  # told to wake up at 2, and did not; told to wake up at 1
    assert told_beforehand([1, 2, 3, 4], [outcome, outcome | {"critical_down": [9, 1.5, 1.5, 0]}]) == (3, 4)
    assert alive_up_to([1, 2, 3], [[5, 1, 0], [5, 0, 0]]) == 2
    assert alive_up_to([1, 2, 3], [[0, 0, 0]]) == 0


# ---------------------------------------------------------------- digits


def test_networks_for_digits_come_out_together_as_train_would_train_them():
    trials = [{"rho": rho, "seed": seed, "hidden": 10, "epochs": 3} for rho in (1e-4, 1e-2) for seed in (0, 1)]
    for trial, together in zip(trials, digits_together(trials), strict=True):
        network = SpectralNet(
            [64, 10, 10], train_input_eigenvalues=False, generator=torch.Generator().manual_seed(trial["seed"])
        )
        data = digits(seed=0)
        options = {
            "epochs": 3,
            "lr": 2e-3,
            "rho": trial["rho"],
            "seed": trial["seed"],
            "loss": torch.nn.functional.cross_entropy,
        }
        run = train(network, data.x_train, data.y_train, **options)
        run.advance(run.steps)
        accuracy = (network(data.x_test).argmax(1) == data.y_test).double().mean().item()
        assert together["accuracy"] == pytest.approx(accuracy, abs=0.01)
        assert together["path_norm"] == pytest.approx(structure(network).norm, rel=1e-2)
        assert digits_run(trial)["accuracy"] == pytest.approx(together["accuracy"], abs=0.01)


def test_the_live_neurons_for_digits_are_those_of_each_network():
    fixed = {"seed": 0, "hidden": 10, "epochs": 3}
    strong, weak = digits_together([{"rho": 1.0, **fixed}, {"rho": 1e-4, **fixed}])
    assert strong["live"] == 0 < weak["live"] <= 10


def searched(accuracy, live):
    return [
        Done({"rho": rho, "seed": seed}, {"accuracy": a, "live": n})
        for rho, a, n in zip((1e-3, 1e-2, 1e-1), accuracy, live, strict=True)
        for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    ("accuracy", "live", "wanted"),
    [
        ((0.98, 0.975, 0.97), (9, 4, 0), [True] * 4),
        ((0.98, 0.975, 0.97), (9, 4, 1), [False, True, True, True]),
        ((0.98, 0.975, 0.90), (9, 4, 0), [True, False, False, True]),
        ((0.98, 0.975, 0.97), (0, 4, 0), [True, True, True, False]),
        ((0.98, 0.975, 0.97), (0, 0, 0), [True, True, True, False]),
        ((0.98, 0.975, 0.97), (9, 14, 0), [True, True, True, False]),
    ],
)
def test_what_a_hidden_layer_is_worth_on_digits_can_go_either_way(accuracy, live, wanted):
    assert verdicts("digits-search", searched(accuracy, live)) == wanted


def test_what_is_said_and_drawn_of_digits_are_means_and_deviations_over_the_seeds():
    done = searched((0.98, 0.975, 0.97), (9, 4, 0))
    done[-1].outcome["accuracy"] = 0.98  # the second seed at the strongest ρ
    said = [finding.ours for finding in RECIPES["digits-search"].findings(done)]
    assert said == ["0.0", "0.975 ± 0.007", "0.005 (ρ = 1e-03, 9 live neurons)", "9, 4, 0"]
    figure = Figure()
    RECIPES["digits-search"].draw(done, figure)
    live, accuracy = figure.axes
    assert list(live.lines[0].get_ydata()) == [9, 4, 0]
    level, curve = accuracy.lines[:2]
    assert list(level.get_ydata()) == [pytest.approx(0.975)] * 2
    assert list(curve.get_ydata()) == pytest.approx([0.98, 0.975, 0.975])
    assert list(curve.get_xdata()) == [1e-3, 1e-2, 1e-1]
