"""A network that is carried through values and back is the one that train carries, and the area counts what it remembers."""

from dataclasses import replace

import pytest
import torch
from rich.console import Console

from spectral_lab import SpectralNet, alpha_beta, structure, train
from spectral_lab.hysteresis import Hysteresis, area, small_search
from spectral_lab.search import Search
from spectral_lab.stability import critical_rho, drive
from spectral_lab.sweeps import sweep

SMALL = replace(small_search(), hidden=(9,), n=230, batch_size=50)
LOOP = Hysteresis(values=(0.0, 0.4, 1.0), steps=7, settle=4, search=SMALL)


def by_hand(over, values, seed, penalty):
    """‖Γ‖ on the way up and down, and the critical ρ at the end, with train."""
    network = SpectralNet([2, 9, 1], train_input_eigenvalues=False, generator=torch.Generator().manual_seed(seed))
    first = {"alpha": 1.0, "rho": 1e-4} | {over: values[0]}
    options = {"lr": 5e-3, "batch_size": 50, "rho": first["rho"], "penalty": penalty, "seed": seed}
    run = train(network, *alpha_beta(first["alpha"], 5, 230, seed=42), steps=1000, **options)
    run.advance(4)
    found = []
    for value in (*values, *values[-2::-1]):
        if over == "rho":
            run.rho = value
        else:
            run.set_data(*alpha_beta(value, 5, 230, seed=42))
        run.advance(7)
        found.append(structure(network).norm)
    n = len(values)
    return found[:n], found[n - 1 :][::-1], critical_rho(drive(network, *run.data), penalty)


@pytest.mark.parametrize(("over", "values"), [("alpha", (0.0, 0.4, 1.0)), ("rho", (1e-4, 1e-2, 1.0))])
@pytest.mark.parametrize("penalty", ["l2_norm", "l1"])
def test_each_network_is_carried_as_train_would_carry_it_alone(over, values, penalty):
    loop = replace(LOOP, over=over, values=values)
    outcomes = loop([{"seed": seed, "penalty": penalty} for seed in (3, 5)])
    for seed, outcome in zip((3, 5), outcomes, strict=True):
        up, down, critical = by_hand(over, values, seed, penalty)
        assert outcome["up"].tolist() == pytest.approx(up, rel=1e-3, abs=1e-6)
        assert outcome["down"].tolist() == pytest.approx(down, rel=1e-3, abs=1e-6)
        assert outcome["critical_down"][0] == pytest.approx(critical, rel=1e-3)
        assert outcome["area"] == pytest.approx(area(over, values, up, down), rel=1e-2, abs=1e-5)


def test_points_in_any_order_and_mixture_come_out_as_alone():
    points = [{"seed": s, "steps": n, "penalty": p} for n in (3, 7) for p in ("l1", "l2_norm") for s in (0, 1)]
    points = points[::3] + points[1::3] + points[2::3]
    for point, together in zip(points, LOOP(points), strict=True):
        (alone,) = LOOP([point])
        assert alone["up"].tolist() == pytest.approx(together["up"].tolist(), rel=1e-3, abs=1e-6)


def test_the_ways_meet_at_the_last_value_and_a_sweep_makes_a_table_of_them():
    table = sweep({"rho": [1e-4, 1e-3], "seed": range(2)}, LOOP, console=Console(quiet=True))
    assert dict(table["up"].sizes) == {"rho": 2, "seed": 2, "up_0": 3}
    assert (table["up"][..., -1] == table["down"][..., -1]).all()
    assert (table["up"][..., 0] != table["down"][..., 0]).all()
    assert table["live_up"].dtype.kind in "if"


def test_the_area_is_that_of_the_curves_and_positive_for_what_has_grown():
    assert area("alpha", [0, 0.5, 1], [0, 0, 1], [0, 1, 1]) == pytest.approx(0.5)
    assert area("rho", [1e-4, 1e-2], [1, 0], [0.5, 0]) == pytest.approx(0.5 * 0.5 * 2)
    assert area("alpha", [0, 0.5, 1], [0, 1, 1], [0, 1, 1]) == 0


def test_a_network_that_is_given_time_grows_and_shrinks_again():
    loop = Hysteresis(values=(0.0, 1.0), steps=500, settle=0, search=replace(SMALL, rho=1e-3))
    (outcome,) = loop([{"seed": 0}])
    assert outcome["up"][1] > 3 * max(outcome["up"][0], outcome["down"][0])
    assert outcome["live_up"][1] >= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"over": "beta"}, "over = 'beta'; wanted"),
        ({"values": (1.0,)}, r"values = \(1.0,\); wanted two or more"),
        ({"values": (1.0, 0.0)}, "that rise"),
        ({"over": "rho", "values": (0.0, 1.0)}, "wanted strengths above 0"),
        ({"steps": 0}, "steps = 0; wanted a whole number of at least 1"),
        ({"settle": -1}, "settle = -1; wanted"),
    ],
)
def test_loops_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Hysteresis(**options)


def test_points_with_what_goes_up_and_down_or_with_unknown_options_are_refused():
    with pytest.raises(ValueError, match="the points give alpha, which goes up and down here"):
        LOOP([{"alpha": 0.5}])
    with pytest.raises(ValueError, match="a search has no option 'gamma'"):
        LOOP([{"gamma": 0.5}])


def test_the_search_of_a_loop_is_the_network_of_the_playground():
    assert small_search() == Search(hidden=30, n=2000, lr=5e-3, train_input_eigenvalues=False)
