"""The second experiment of SPARCS: what is kept is that of the trained networks, and the findings can go either way."""

import pytest
import torch
from matplotlib.figure import Figure

from spectral_lab.depth import DepthSearch, linear_R2
from spectral_lab.recipes import RECIPES, Done
from spectral_lab.recipes.depth_figures import CASES, OURS
from spectral_lab.recipes.depth_selection import KINDS, kinds
from spectral_lab.recipes.depth_statistics import live_neurons, nodes_needed
from spectral_lab.recipes.depth_trials import COLOURS, SMALL, STATES, TABLE_4, run, run_together, state, trial

FIG_9, FIG_10, STATISTICS = (RECIPES[f"sparcs-{name}"] for name in ("fig-9", "fig-10", "depth-statistics"))
SELECTION = RECIPES["depth-selection"]
LAST, FIRST, BOTH, NONE = [False, True], [True, False], [True, True], [False, False]


def outcome(on=LAST, R2=0.98, **others):
    """What came of a made-up network."""
    norms = [1.0 if on[0] else 0.005, 1.2 if on[1] else 0.005]
    width = [20 * on[0], 30 * on[1]]
    made = {"on": list(on), "norms": norms, "R2": R2, "width": width, "loose_width": width, "live": [20 * on[0], 30 * any(on)]}
    lists = {
        "eigenvalues": [[norm, -norm, norm] for norm in norms],
        "curves": {"kept": [0, 15, 30, 60], "removed": [3.0, 0.5, 0.04, 0.0], "zeroed": [3.0, 0.4, 0.04, 0.0]},
        "linear_R2": 0.74,
        "onset": 0.01,
    }
    return made | lists | others


def cases(*changed):
    """Two seeds of every case of Figs 9 and 10; ``changed`` is what came of the first one's."""
    return [
        Done(
            {"search": {"penalty": penalty, "rho": rho, "bias": bias, "seed": seed}},
            changed[seed] if changed and (penalty, rho, bias) == OURS else outcome(),
        )
        for penalty, rho, bias in CASES
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
    one = trial(SMALL, keep=("curves", "eigenvalues"), rho=1e-3, bias=False, penalty="l2_norm", seed=1)
    found = run(one)
    search = DepthSearch(**{**one["search"], "hidden": (8, 8)})
    ((network, measured),) = search.trained([{}])
    assert found["eigenvalues"][1] == pytest.approx(network.eigenvalues[2].tolist(), rel=6e-3, abs=1e-6)
    assert found["norms"] == pytest.approx([torch.tensor(lam).norm().item() for lam in found["eigenvalues"]], rel=1e-2)
    curves = found["curves"]
    assert curves["kept"] == list(range(17))
    assert curves["removed"][-1] == curves["zeroed"][-1] == 0
    fits = [kept for kept, increase in zip(curves["kept"], curves["removed"], strict=True) if increase <= 0.05]
    losses = search.zeroed(network, [3, 16])
    assert curves["zeroed"][3] == pytest.approx(losses[0] / losses[1] - 1, rel=1e-2)
    assert fits[0] == sum(found["width"]) == sum(measured["width"])
    assert found["linear_R2"] == pytest.approx(linear_R2(*search.data()), rel=1e-4)


def test_only_what_is_asked_for_is_kept():
    options = {"rho": 1e-3, "bias": False, "penalty": "l2_norm", "seed": 0}
    plain, curves = (run(trial(SMALL, keep=keep, **options)) for keep in ((), ("curves",)))
    assert not plain.keys() & {"curves", "eigenvalues"}
    assert curves.keys() - plain.keys() == {"curves", "linear_R2"}


def test_figs_9_and_10_share_their_trials_and_the_statistics_have_every_seed():
    for scale in FIG_9.settings:
        made = FIG_9.trials(FIG_9.setting(scale))
        assert made == FIG_10.trials(FIG_10.setting(scale))
        assert all(("eigenvalues" in one["keep"]) == (one["search"]["seed"] < FIG_9.setting(scale)["shown"]) for one in made)
        points = [str(one["search"]) for one in STATISTICS.trials(STATISTICS.setting(scale))]
        assert len(set(points)) == len(points)


def seeds_of(recipe, scale):
    """How many seeds there are of each penalty, bias and ρ."""
    seeds = {}
    for one in recipe.trials(recipe.setting(scale)):
        search = one["search"]
        seeds.setdefault((search["penalty"], search["rho"], search["bias"]), set()).add(search["seed"])
    return {case: len(some) for case, some in seeds.items()}


@pytest.mark.parametrize("scale", ["class", "paper"])
def test_with_the_penalty_of_sparcs_there_are_twenty_seeds_at_each_rho(scale):
    statistics = {case: n for case, n in seeds_of(STATISTICS, scale).items() if case[0] == "l2_norm"}
    assert set(statistics.values()) == {20}
    assert {OURS, ("l2_norm", TABLE_4, True)} <= set(statistics)
    assert {min(rho for _, rho, _ in statistics), max(rho for _, rho, _ in statistics)} == {1e-5, 1e-2}
    assert seeds_of(FIG_9, scale)[OURS] == 20
    assert {penalty for penalty, _, _ in seeds_of(FIG_9, scale)} == {"l2_norm", "l1", "l2_squared"}


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
        (outcome(FIRST), ["‖λ_3‖ / ‖λ_2‖, l2_norm, ρ = 0.003, no bias node"]),
        (outcome(BOTH), ["hidden layers on by |λ|, Table 4's ρ", "‖λ_3‖ / ‖λ_2‖, l2_norm, ρ = 0.003, no bias node"]),
        (outcome(R2=0.9), ["R² at Table 4's ρ, the worst seed"]),
        (outcome(linear_R2=0.99), ["R² of a linear model"]),
    ],
)
def test_what_the_paper_does_not_say_of_fig_9_differs(changed, differ):
    found = verdicts(FIG_9, cases(outcome(), changed))
    assert [what for what, agrees in found.items() if not agrees] == differ


def test_the_width_of_fig_10_is_some_thirty_nodes_and_eigenvalues():
    others = [True] * 2 * (len(CASES) - 1)
    assert all(verdicts(FIG_10, cases()).values())
    assert list(verdicts(FIG_10, cases(outcome(), outcome(width=[0, 55]))).values()) == [True, False, *others]
    assert list(verdicts(FIG_10, cases(outcome(), outcome(width=[0, 15]))).values()) == [True, False, *others]
    wide = {"kept": [0, 30, 60], "removed": [3.0, 0.04, 0.0], "zeroed": [3.0, 0.06, 0.0]}
    assert list(verdicts(FIG_10, cases(outcome(curves=wide), outcome())).values()) == [False, True, *others]


def test_the_lines_of_figs_9_and_10_tell_ratios_and_widths_of_all_seeds():
    made = (outcome(norms=[0.01, 1.0]), outcome(norms=[0.01, 3.0], width=[4, 40], loose_width=[2, 10]))
    line = FIG_9.findings(cases(*made))[3]
    assert line.ours == "2e+02 in the median (1e+02 to 3e+02): the last layer alone in 2 of 2"
    line = FIG_10.findings(cases(*made))[1]
    assert line.ours == "37 (30 to 44), by layer 2 + 35 (if R² may fall by 0.01: 21 (12 to 30))"


def many(plain=LAST, with_bias=LAST, squared=LAST, **others):
    """Five seeds of every column of the statistics."""
    columns = {("l2_norm", False): plain, ("l2_norm", True): with_bias, ("l1", False): LAST, ("l2_squared", False): squared}
    shape = {"dim": 20, "hidden": [200, 200], "epochs": 1}
    return [
        Done({"search": {"penalty": penalty, "bias": bias, "rho": rho, "seed": seed, **shape}}, outcome(on, **others))
        for (penalty, bias), on in columns.items()
        for rho in (TABLE_4, 1e-2)
        for seed in range(5)
    ]


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ({}, []),
        ({"plain": FIRST}, [1, 2, 6, 7]),
        ({"plain": BOTH}, [0, 1, 2, 6, 7]),
        ({"width": [0, 60]}, [2]),
        ({"width": [0, 10]}, [2]),
        ({"with_bias": NONE}, [3, 8, 9]),
        ({"squared": BOTH}, [4, 12, 13]),
        ({"R2": 0.9}, [0, 1, 2, *range(4, 14)]),  # what has not learned the task is no witness
    ],
)
def test_the_findings_over_seeds_can_go_either_way(options, places):
    found = list(verdicts(STATISTICS, many(**options)).values())
    assert len(found) == 6 + 8  # one more for each penalty, bias and ρ
    assert [k for k, agrees in enumerate(found) if not agrees] == places


def test_a_layer_is_asked_for_with_a_bias_node_at_table_4s_rho_only():
    done = [
        Done(one.trial, outcome(NONE)) if one.trial["search"]["bias"] and one.trial["search"]["rho"] != TABLE_4 else one
        for one in many()
    ]
    found = STATISTICS.findings(done)
    assert (found[3].ours, found[3].agrees) == ("5 of 5", True)
    assert found[2].ours == "30 for 20, of 10 networks"


def test_the_line_of_a_case_counts_its_seeds_and_gives_medians():
    done = many()
    done[:2] = [Done(one.trial, outcome(FIRST, R2=0.95, width=[50, 4], loose_width=[9, 1])) for one in done[:2]]
    done[2] = Done(done[2].trial, outcome(R2=0.99, width=[1, 33], loose_width=[0, 12]))
    line = STATISTICS.findings(done)[6]
    states, width, fit = line.ours.rsplit("; ", 2)
    assert states == "the last layer alone in 3 of 5; the first, and the last hears it in 2 of 5"
    assert (width, fit) == ("5 % rule: 34 nodes (R² less 0.01: 12)", "R² 0.980")
    assert not line.agrees


# ---------------------------------------------------------------- more layers than two


def test_a_network_of_B_blocks_has_one_hidden_layer_less_and_a_trial_for_each_seed():
    trials = SELECTION.trials(SELECTION.setting("class"))
    assert {len(one["search"]["hidden"]) + 1 for one in trials} == {4, 5, 6, 7, 8}
    assert {one["search"]["layers"] for one in trials} == {1, 2}
    assert len({one["search"]["seed"] for one in trials}) >= 5
    assert not any(one["search"]["bias"] for one in trials)


def test_a_task_of_two_relus_is_what_its_trials_train_on():
    one = next(t for t in SELECTION.trials(SELECTION.setting("smoke")) if t["search"]["layers"] == 2)
    shallow, deep = (run({**one, "search": {**one["search"], "layers": layers, "epochs": 1}}) for layers in (1, 2))
    assert shallow["R2"] != deep["R2"]
    assert len(deep["live"]) == len(one["search"]["hidden"])


def selected(on=(False, False, True), live=(0, 0, 9), depth=2, R2=0.99):
    """Networks with three hidden layers, two seeds for both tasks; those for one relu are changed."""
    deep = {"on": [True, False, True], "live": [9, 9, 9], "depth": 3, "R2": 0.99}
    changed = {"on": list(on), "live": list(live), "depth": depth, "R2": R2}
    return [
        Done({"search": {"layers": layers, "rho": 1e-3, "hidden": [9] * 3, "seed": seed}}, changed if layers == 1 else deep)
        for layers in (1, 2)
        for seed in range(2)
    ]


def test_a_layer_is_on_or_lives_on_what_it_hears_or_is_dead():
    on, hears, dead = KINDS
    assert kinds({"on": [False, True, False], "live": [0, 4, 3]}) == [dead, on, hears]


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ({}, []),
        ({"on": (True, False, False), "live": (9, 9, 0), "depth": 3}, [2, 4]),
        ({"on": (True, False, True)}, [1, 3]),
        ({"R2": 0.9}, [0, 1, 2]),
    ],
)
def test_the_findings_on_depth_can_go_either_way(options, places):
    found = [finding.agrees for finding in SELECTION.findings(selected(**options))]
    one_relu, two_relus = found[:5], found[5:]
    assert [k for k, agrees in enumerate(one_relu) if not agrees] == places
    assert two_relus == [True, True, True, True, False]  # its last layer but one lives on what it hears


def test_what_is_said_of_depth_names_B_and_the_worst_network():
    done = selected()
    done[1] = Done(done[1].trial, done[1].outcome | {"R2": 0.98})
    said = [finding.ours for finding in SELECTION.findings(done)][:5]
    assert said == ["2 of 2; worst 0.980", "2 of 2", "2 of 2", "1 at 4", "1 at 4"]
    done[1].trial["search"] = done[1].trial["search"] | {"hidden": [9] * 4}
    both, *_, alive = SELECTION.findings([done[0], Done(done[1].trial, done[1].outcome | {"live": [1, 1, 1, 1]})])
    assert both.agrees
    assert (alive.ours, alive.agrees) == ("1 at 4, 4 at 5", False)


# ---------------------------------------------------------------- pictures


def test_fig_9_has_a_row_for_each_case_and_all_nodes_of_the_seeds_that_were_kept():
    done = cases()
    del done[1].outcome["eigenvalues"]
    figure = Figure()
    FIG_9.draw(done, figure)
    assert len(figure.axes) == 3 * len(CASES)
    nodes = [sum(bar.get_height() for bar in ax.patches) for ax in figure.axes]
    assert nodes == [3, 3, 6, *[6, 6, 12] * (len(CASES) - 1)]
    first, last = (next(bar for bar in ax.patches if bar.get_height()) for ax in figure.axes[:2])
    assert first.get_x() < 0.005 < first.get_x() + first.get_width() < last.get_x() < 1.2


def legend(figure):
    """The entries of the legend below a picture."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_fig_10_has_a_curve_for_each_seed():
    figure = Figure(layout="constrained")
    FIG_10.draw(cases(), figure)
    assert len(figure.axes) == len(CASES)
    assert legend(figure) == ["the last layer alone"]
    curves = outcome()["curves"]
    for ax in figure.axes:
        drawn = [line for line in ax.lines if len(line.get_xdata()) > 2]
        assert [list(line.get_ydata()) for line in drawn] == [curves["removed"]] * 2 + [curves["zeroed"]] * 2
        assert [line.get_linestyle() for line in drawn] == ["-", "-", ":", ":"]
        assert {line.get_color() for line in drawn} == {COLOURS["the last layer alone"]}


def test_the_bars_of_the_statistics_are_shares_of_the_seeds():
    done = many(plain=FIRST, onset=0.02)
    done[:2] = [Done(one.trial, outcome(LAST, onset=0.05)) for one in done[:2]]
    figure = Figure(layout="constrained")
    STATISTICS.draw(done, figure)
    levels = [[line.get_xdata()[0] for line in ax.lines] for ax in figure.axes[:4]]
    assert levels == [[0.02], [0.02], [], []]  # only of a norm it is known up to which ρ the perceptron holds
    assert figure.axes[8].get_ylabel() == "nodes needed, both layers"
    bars = figure.axes[0].patches
    assert [bar.get_height() for bar in bars] == [0, 0.4, 0, 0.6, 0, 0, 0, 1]
    assert [bar.get_y() for bar in bars][:4] == [0, 0, 0.4, 0.4]


def test_live_neurons_and_nodes_are_means_and_deviations_over_the_seeds():
    several = [outcome(BOTH, width=[3, 4], loose_width=[1, 1]), outcome(LAST, width=[0, 5], loose_width=[0, 4])]
    by_rho = {1e-3: several, 1e-2: [outcome(LAST, width=[0, 8], loose_width=[0, 6])]}
    live, nodes = live_neurons(by_rho), nodes_needed(by_rho)
    assert {name: means for name, (_, means, _) in live.items()} == {
        "first hidden layer": [10, 0],
        "last hidden layer": [30, 30],
    }
    assert {name: means for name, (_, means, _) in nodes.items()} == {"5 % more loss": [6, 8], "0.01 less of R²": [3, 6]}
    rhos, _, deviations = nodes["5 % more loss"]
    assert (rhos, deviations) == ([1e-3, 1e-2], [pytest.approx(2**0.5), 0])


def test_the_picture_of_depth_has_a_square_for_each_layer_and_the_depth_of_each_network():
    figure = Figure(layout="constrained")
    SELECTION.draw(selected(), figure)
    first, second = figure.axes
    colours = [square.get_facecolor() for square in first.patches]
    assert len(colours) == 3 * 2
    assert colours[0] == colours[1] != colours[2]
    assert [text.get_text() for text in first.texts] == ["2", "2"]
    assert [text.get_text() for text in second.texts] == ["3", "3"]
    assert [label.get_text() for label in first.get_xticklabels()] == ["2", "3", "4"]  # the input is layer 1
    assert first.get_title() == "$B = 4$, $R^2$ 0.990"
    assert legend(figure) == list(KINDS)
