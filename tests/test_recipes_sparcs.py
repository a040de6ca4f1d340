"""The first experiment of SPARCS: trials that are trained together come out as alone, and the findings can go either way."""

import pytest
import torch

from spectral_lab.networks import SpectralNet
from spectral_lab.recipes import RECIPES, Done
from spectral_lab.recipes.sparcs import BETAS, count, eigenvalue_norm, network_of, path_norm, run, run_together, series, trials
from spectral_lab.recipes.structure import bundles
from spectral_lab.tasks import alpha_beta

SMOKE = RECIPES["sparcs-fig-7"].settings["smoke"]


def made_up(smooth, sharp, seeds=(0, 1), spread=0.0):
    """Outcomes with these norms against α, for β = 5 and 1000."""
    return [
        Done({"search": {"alpha": k / (len(norms) - 1), "beta": beta, "seed": seed}}, {"path_norm": norm * (1 + spread * seed)})
        for beta, norms in zip(BETAS, (smooth, sharp), strict=True)
        for seed in seeds
        for k, norm in enumerate(norms)
    ]


SMOOTH, SHARP = [0.0001, 0.1, 0.2, 0.3, 0.34], [0.0001, 0.0001, 0.2, 0.34, 0.34]


def verdicts(smooth=SMOOTH, sharp=SHARP, **options):
    return [finding.agrees for finding in RECIPES["sparcs-fig-7"].findings(made_up(smooth, sharp, **options))]


def test_what_the_paper_says_agrees():
    assert verdicts() == [True] * 4


@pytest.mark.parametrize(
    ("place", "changed"),
    [
        (0, {"smooth": [0.1, 0.1, 0.2, 0.3, 0.34]}),
        (1, {"smooth": [0.0001, 0.0001, 0.0001, 0.34, 0.34]}),
        (2, {"sharp": SMOOTH}),
        (3, {"spread": 0.5}),
    ],
)
def test_what_it_does_not_say_differs(place, changed):
    found = verdicts(**changed)
    assert not found[place]
    assert all(found[k] for k in range(4) if k != place)


def test_means_and_deviations_are_taken_over_the_seeds_and_shares_of_the_largest_mean():
    found = series(made_up([1.0, 4.0], [2.0, 2.0], spread=1.0), path_norm, normalised=False)
    assert found[5][:2] == ([0.0, 1.0], [1.5, 6.0])
    assert found[5][2] == pytest.approx([0.5**0.5, 8**0.5])
    shares = series(made_up([1.0, 4.0], [2.0, 2.0], spread=1.0), path_norm, normalised=True)
    assert shares[5][1] == [0.25, 1.0]
    assert shares[5][2] == pytest.approx([0.5**0.5 / 6, 8**0.5 / 6])


def test_trials_that_are_trained_together_come_out_as_alone():
    some = trials(SMOKE)[:4]
    together = run_together(some)
    for trial, outcome in zip(some, together, strict=True):
        alone = run(trial)
        assert alone["path_norm"] == pytest.approx(outcome["path_norm"], abs=2e-6)
        assert alone["data_loss"] == pytest.approx(outcome["data_loss"], rel=1e-3)
    assert len({outcome["path_norm"] for outcome in together}) == 4


def test_the_norm_of_the_eigenvalues_is_that_of_the_first_two_layers_together():
    trial = trials(SMOKE, keep=True)[2]
    outcome = run(trial)
    network = network_of(Done(trial, outcome))
    assert eigenvalue_norm(outcome) == pytest.approx(torch.cat(network.lam[:2]).norm().item(), abs=1e-5)


def test_the_network_that_is_kept_is_the_trained_one():
    trial = RECIPES["sparcs-fig-12"].trials(SMOKE | {"shown": 3, "epochs": 20})[2]
    outcome = run(trial)
    network, search = network_of(Done(trial, outcome)), trial["search"]
    x, y = alpha_beta(search["alpha"], search["beta"], search["n"], seed=42)
    assert (network(x) - y).square().mean().item() == pytest.approx(outcome["data_loss"], rel=0.5)
    start = SpectralNet([2, *search["hidden"], 1], generator=torch.Generator().manual_seed(search["seed"]))
    assert (start(x) - y).square().mean().item() > 2 * outcome["data_loss"]


def test_the_numbers_of_fig_8_are_those_of_the_networks():
    assert count(2) == {"direct": 10_000, "spectral": 10_200}
    assert count(5, width=3) == {"direct": 10 * 9, "spectral": 4 * 9 + 5 * 3}


def output_without(weights, cut):
    """What five layers of three nodes answer, by (4.5), if one bundle is cut."""
    a = [torch.linspace(-1, 1, 6).view(2, 3)]
    for i in range(1, 5):
        z = sum((a[j] @ weights[i, j].T for j in range(i) if (i, j) != cut), torch.zeros(2, 3))
        a.append(torch.relu(z) if i < 4 else z)
    return a[-1]


@pytest.mark.parametrize("switched", [(), (1,), (2,), (3,), (1, 3)])
def test_a_bundle_of_fig_6_carries_a_signal_if_the_output_would_miss_it(switched):
    network = SpectralNet([3] * 5, bias=False, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for layer in switched:
            network.eigenvalues[layer].copy_(torch.tensor([0.5, -0.5, 0.8]))
        weights = network.weights()
        whole = output_without(weights, None)
        missed = {pair for pair in weights if not output_without(weights, pair).allclose(whole, atol=1e-7)}
    found = bundles(*switched)
    assert {pair for pair, carries in found.items() if carries} == missed
    assert set(found) == {pair for pair, W in weights.items() if W.any()}


def test_what_fig_6_says_of_the_layer_after_the_one_that_is_switched_on_differs():
    assert [finding.agrees for finding in RECIPES["sparcs-fig-6"].findings([])] == [True, True, False]


def test_fig_7_shows_the_first_seed_at_three_alphas_and_does_not_count_those_networks_twice():
    recipe = RECIPES["sparcs-fig-7"]
    some = recipe.trials(recipe.settings["class"])
    shown = [trial["search"] for trial in some if trial["keep"]]
    assert [(s["alpha"], s["beta"], s["seed"]) for s in shown] == [(0, 5, 0), (0.5, 5, 0), (1, 5, 0)]
    done = [Done(trial, {"path_norm": 9.0 if trial["keep"] else 1.0}) for trial in some]
    assert series(done, path_norm, normalised=False)[5][1] == [1.0] * 11
    kept = [t for t in RECIPES["sparcs-fig-12"].trials(recipe.settings["class"]) if t["keep"]]
    assert all(trial in kept for trial in some if trial["keep"])  # trained once for both
