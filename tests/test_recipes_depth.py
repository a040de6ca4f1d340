"""The second experiment of SPARCS: what is kept is that of the trained networks, and the findings can go either way."""

import pytest
import torch
from matplotlib.figure import Figure

from spectral_lab.depth import DepthSearch
from spectral_lab.recipes import RECIPES, Done
from spectral_lab.recipes.depth import CASES, SMALL, STATES, TABLE_4, grouped, loose_width, run, run_together, state, trial

FIG_9, FIG_10, STATISTICS = (RECIPES[f"sparcs-{name}"] for name in ("fig-9", "fig-10", "depth-statistics"))
LAST, FIRST, BOTH, NONE = [False, True], [True, False], [True, True], [False, False]


def outcome(on=LAST, R2=0.98, **others):
    """What came of a made-up network."""
    norms = [1.0 if on[0] else 0.005, 1.2 if on[1] else 0.005]
    made = {"on": list(on), "norms": norms, "R2": R2, "width": [20 * on[0], 30 * on[1]], "live": [20 * on[0], 30 * any(on)]}
    lists = {
        "eigenvalues": [[norms[0]] * 3, [norms[1]] * 3],
        "increase": [3.0, 0.4, 0.04, 0.0],
        "linear_R2": 0.74,
        "onset": 0.01,
        "zeroed": {"kept": [0, 15, 30, 60], "increase": [3.0, 0.4, 0.04, 0.0]},
    }
    return made | lists | others


def cases(*changed):
    """Two seeds of every case of Figs 9 and 10; ``changed`` is what came of the first one's."""
    return [
        Done({"search": {"rho": rho, "bias": bias, "seed": seed}}, changed[seed] if changed and k == 0 else outcome())
        for k, (rho, bias) in enumerate(CASES)
        for seed in range(2)
    ]


# ---------------------------------------------------------------- trials


def test_trials_that_are_trained_together_come_out_as_alone():
    some = FIG_9.trials(FIG_9.settings["smoke"])[:2]
    for one, together in zip(some, run_together(some), strict=True):
        alone = run(one)
        assert alone["norms"] == pytest.approx(together["norms"], rel=1e-3)
        assert alone["R2"] == pytest.approx(together["R2"], abs=1e-4)
        assert alone["onset"] == together["onset"]


def test_what_is_kept_is_that_of_the_trained_network():
    one = trial(SMALL, keep=True, rho=1e-3, bias=False, penalty="l2_norm", seed=1)
    found = run(one)
    search = DepthSearch(**{**one["search"], "hidden": (8, 8)})
    ((network, measured),) = search.trained([{}])
    assert found["eigenvalues"][1] == pytest.approx(network.eigenvalues[2].tolist(), abs=1e-5)
    assert found["norms"] == pytest.approx([torch.tensor(lam).norm().item() for lam in found["eigenvalues"]], rel=1e-4)
    assert len(found["increase"]) == 17
    assert found["increase"][-1] == 0
    fits = [kept for kept, increase in enumerate(found["increase"]) if increase <= 0.05]
    assert found["zeroed"]["kept"] == list(range(17))
    assert found["zeroed"]["increase"][-1] == 0
    losses = search.zeroed(network, [3, 16])
    assert found["zeroed"]["increase"][3] == pytest.approx(losses[0] / losses[1] - 1, rel=1e-3)
    assert fits[0] == sum(found["width"]) == sum(measured["width"])


def test_figs_9_and_10_share_their_trials_and_the_statistics_have_every_seed():
    for scale in FIG_9.settings:
        assert FIG_9.trials(FIG_9.setting(scale)) == FIG_10.trials(FIG_10.setting(scale))
        points = [str(one["search"]) for one in STATISTICS.trials(STATISTICS.setting(scale))]
        assert len(set(points)) == len(points)
    assert len(STATISTICS.trials(STATISTICS.setting("class"))) == 10 * (4 + 4 + 2 + 2)


# ---------------------------------------------------------------- findings


def test_every_state_has_its_words():
    assert {state(outcome(on)) for on in (LAST, FIRST, BOTH, NONE)} == set(STATES)


def verdicts(recipe, done):
    return {finding.what: finding.agrees for finding in recipe.findings(done)}


def test_what_the_paper_says_of_fig_9_agrees():
    assert all(verdicts(FIG_9, cases()).values())


@pytest.mark.parametrize(
    ("changed", "differ"),
    [
        (outcome(FIRST), ["‖λ_3‖ / ‖λ_2‖ at ρ = 0.003, no bias node"]),
        (outcome(BOTH), ["hidden layers on by |λ|, Table 4's ρ", "‖λ_3‖ / ‖λ_2‖ at ρ = 0.003, no bias node"]),
        (outcome(R2=0.9), ["R² at Table 4's ρ, the worst seed"]),
        (outcome(linear_R2=0.99), ["R² of a linear model"]),
    ],
)
def test_what_the_paper_does_not_say_of_fig_9_differs(changed, differ):
    found = verdicts(FIG_9, cases(outcome(), changed))
    assert [what for what, agrees in found.items() if not agrees] == differ


def test_the_width_of_fig_10_is_some_thirty_nodes_and_eigenvalues():
    assert all(verdicts(FIG_10, cases()).values())
    found = list(verdicts(FIG_10, cases(outcome(), outcome(width=[0, 55]))).values())
    assert found == [True, False, *[True] * 4]
    wide = {"kept": [0, 30, 60], "increase": [3.0, 0.06, 0.0]}
    assert list(verdicts(FIG_10, cases(outcome(zeroed=wide), outcome())).values()) == [False, *[True] * 5]


def test_a_width_by_the_fall_of_R2_asks_for_less_than_one_by_the_loss():
    assert loose_width(outcome(R2=0.98)) == 1  # 0.02 · 0.4 < 0.01
    assert loose_width(outcome(R2=0.9)) == 2  # 0.1 · 0.04 is
    assert loose_width(outcome(R2=0.9), fall=0.5) == 0


def many(plain=LAST, with_bias=LAST, squared=LAST, **others):
    """Five seeds of every column of the statistics."""
    columns = {("l2_norm", False): plain, ("l2_norm", True): with_bias, ("l1", False): LAST, ("l2_squared", False): squared}
    return [
        Done(
            {
                "search": {
                    "penalty": penalty,
                    "bias": bias,
                    "rho": rho,
                    "seed": seed,
                    "dim": 20,
                    "hidden": [200, 200],
                    "epochs": 1,
                }
            },
            outcome(on, **others),
        )
        for (penalty, bias), on in columns.items()
        for rho in (TABLE_4, 1e-2)
        for seed in range(5)
    ]


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ({}, []),
        ({"plain": FIRST}, [1, 2]),
        ({"plain": BOTH}, [0, 1, 2]),
        ({"width": [0, 60]}, [2]),
        ({"with_bias": NONE}, [3]),
        ({"squared": BOTH}, [4]),
    ],
)
def test_the_findings_over_seeds_can_go_either_way(options, places):
    found = list(verdicts(STATISTICS, many(**options)).values())
    assert [k for k, agrees in enumerate(found) if not agrees] == places


# ---------------------------------------------------------------- pictures


def test_fig_9_has_a_row_for_each_case_and_all_nodes_of_all_seeds():
    figure = Figure()
    FIG_9.draw(cases(), figure)
    assert len(figure.axes) == 3 * len(CASES)
    for first, last, both in zip(*[iter(figure.axes)] * 3, strict=True):
        assert [sum(bar.get_height() for bar in ax.patches) for ax in (first, last, both)] == [6, 6, 12]


def test_fig_10_has_a_curve_for_each_seed():
    figure = Figure(layout="constrained")
    FIG_10.draw(cases(), figure)
    for ax in figure.axes:
        drawn = [line for line in ax.lines if len(line.get_xdata()) > 2]
        assert [list(line.get_ydata()) for line in drawn] == [outcome()["increase"]] * 4
        assert [line.get_linestyle() for line in drawn] == ["-", "-", ":", ":"]


def test_the_bars_of_the_statistics_are_shares_of_the_seeds():
    done = many(plain=FIRST)
    done[:2] = [Done(one.trial, outcome(LAST)) for one in done[:2]]
    figure = Figure(layout="constrained")
    STATISTICS.draw(done, figure)
    bars = figure.axes[0].patches
    assert [bar.get_height() for bar in bars] == [0, 0.4, 0, 0.6, 0, 0, 0, 1]
    assert [bar.get_y() for bar in bars][:4] == [0, 0, 0.4, 0.4]
    assert grouped(done, "penalty").keys() == {("l2_norm",), ("l1",), ("l2_squared",)}
