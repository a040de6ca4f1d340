"""Depth selection: the trial trains what it says, measures what it says, and the threshold is that of the loss."""

import pytest
import torch
from rich.console import Console

from spectral_lab import SpectralNet, train
from spectral_lab.depth import DepthSearch, linear_R2, onset
from spectral_lab.sweeps import sweep
from spectral_lab.tasks import rotated_relu

SHORT = DepthSearch(dim=4, hidden=(9, 7), epochs=15, lr=5e-3, batch_size=50, n=400, n_validation=300, chunk=3)
QUIET = Console(quiet=True)


def test_the_defaults_are_those_of_table_4():
    search = DepthSearch()
    assert (search.lr, search.batch_size, search.epochs, search.hidden, search.rho) == (1e-3, 1024, 180, (200, 200), 3e-3)
    network = search.network()
    assert network.nodes == (20, 200, 200, 20)
    assert not network.eigenvalues[0].requires_grad
    assert network.penalised_eigenvalues().keys() == {"eigenvalues.1", "eigenvalues.2"}


def test_each_point_is_a_network_that_was_trained_alone():
    table = sweep({"bias": [False, True], "rho": [1e-4, 1e-2], "seed": range(2)}, SHORT, console=QUIET)
    for point in ({"bias": False, "rho": 1e-4, "seed": 1}, {"bias": True, "rho": 1e-2, "seed": 0}):
        generator = torch.Generator().manual_seed(point["seed"])
        network = SpectralNet([4, 9, 7, 4], bias=point["bias"], train_input_eigenvalues=False, generator=generator)
        x, y = rotated_relu(400, dim=4, seed=42, data_seed=42)
        list(train(network, x, y, epochs=15, lr=5e-3, batch_size=50, rho=point["rho"], seed=point["seed"]))
        x, y = rotated_relu(300, dim=4, seed=42, data_seed=43)
        found = table.sel(point)
        error, spread = (network(x) - y).square().mean().item(), (y - y.mean(0)).square().mean().item()
        assert found["R2"].item() == pytest.approx(1 - error / spread, abs=1e-4)
        assert found["norms"].values == pytest.approx([lam.norm().item() for lam in network.hidden_eigenvalues()], rel=1e-3)


def test_chunks_of_any_size_give_the_same_table():
    grid = {"penalty": ["l1", "l2_norm"], "rho": [1e-4, 1e-3], "seed": range(2)}
    whole, parts = (sweep(grid, SHORT, chunk=chunk, console=QUIET) for chunk in (8, 3))
    for name in ("R2", "norms", "largest"):
        assert abs(whole[name] - parts[name]).max() <= 1e-5


def grown(first, last):
    """A network whose hidden layers have these eigenvalues."""
    network = SHORT.network()
    with torch.no_grad():
        network.eigenvalues[1].copy_(first)
        network.eigenvalues[2].copy_(last)
    return network


def test_a_layer_is_off_when_its_eigenvalues_are_small_against_the_other_ones():
    ones = 0.5 * torch.ones(9), 0.5 * torch.ones(7)  # not 1: the last layer's eigenvalues are, and λ_in = λ_out cuts a link
    assert SHORT.measure(grown(*ones))["on"] == [True, True]
    assert SHORT.measure(grown(0.01 * ones[0], ones[1]))["on"] == [False, True]
    assert SHORT.measure(grown(ones[0], 0.01 * ones[1]))["on"] == [True, False]
    assert SHORT.measure(SHORT.network())["on"] == [False, False]


def test_without_the_first_layer_it_is_dead_but_without_the_last_that_one_lives_on_what_it_hears():
    ones = 0.5 * torch.ones(9), 2 * torch.ones(7)
    assert SHORT.measure(grown(0 * ones[0], ones[1]))["live"] == [0, 7]
    assert SHORT.measure(grown(ones[0], 0 * ones[1]))["live"] == [9, 7]


def test_the_width_counts_the_nodes_that_the_loss_asks_for():
    lam = torch.zeros(7)
    lam[[1, 4, 5]] = torch.tensor([0.5, -0.4, 0.3])
    network = grown(torch.zeros(9), lam)
    with torch.no_grad():  # two of the three are all that is used, one of them but little
        network.eigenvectors[2][:, 5] = 0
        network.eigenvectors[2][:, 4] *= 1e-4
    curve = SHORT.curve(network)
    assert curve.order[:3] == ((1, 1), (1, 4), (1, 5))
    strict = DepthSearch(dim=4, hidden=(9, 7), n_validation=300, tolerance=0.0)
    assert SHORT.width(curve) == [0, sum(SHORT.width(curve))]
    assert sum(SHORT.width(curve)) <= sum(strict.width(curve)) <= 2
    assert SHORT.measure(network)["width"] == SHORT.width(curve)


def test_a_width_may_be_asked_for_by_the_fall_of_R2():
    ((network, measured),) = SHORT.trained([{"rho": 1e-4}])
    curve, (_, y) = SHORT.curve(network), SHORT.validation()
    R2 = 1 - curve.loss / (y - y.mean(0)).square().mean()
    enough = [kept for kept in range(17) if R2[kept] >= R2[-1] - 0.01]
    assert 0 < sum(measured["loose_width"]) == enough[0] < 16
    assert SHORT.width(curve, 1e9) == [0, 0]


def test_the_depth_counts_links_through_live_neurons():
    ones = 0.5 * torch.ones(9), 0.5 * torch.ones(7)
    on = [(0 * ones[0], 0 * ones[1]), (0 * ones[0], ones[1]), (ones[0], 0 * ones[1])]
    assert [SHORT.measure(grown(*lam))["depth"] for lam in on] == [1, 2, 3]


def test_a_task_may_have_more_relus_than_one():
    x, y = DepthSearch(dim=4, layers=2, n=50).data()
    twice = rotated_relu(50, dim=4, layers=2, seed=42, data_seed=42)
    assert (x.equal(twice.x), y.equal(twice.y)) == (True, True)
    assert DepthSearch(dim=4, layers=2, n_validation=50).validation().x.equal(x) is False


def test_the_largest_eigenvalues_stay_and_the_others_are_set_to_zero():
    first, last = (torch.randn(n, generator=torch.Generator().manual_seed(n)) for n in (9, 7))
    losses, (x, y) = SHORT.zeroed(grown(first, last), range(17)), SHORT.validation()
    for n, size in enumerate(sorted([*first.abs().tolist(), *last.abs().tolist()], reverse=True)):
        cut = grown(first * (first.abs() > size), last * (last.abs() > size))
        assert losses[n] == pytest.approx((cut(x) - y).square().mean().item(), rel=1e-5)


def test_to_set_eigenvalues_to_zero_does_not_remove_nodes_that_hear_the_layer_before():
    first = grown(torch.rand(9, generator=torch.Generator().manual_seed(0)), torch.zeros(7))
    before = [lam.clone() for lam in first.lam]
    zeroed, removed = SHORT.zeroed(first, range(17)), SHORT.curve(first).loss
    assert zeroed[9] == pytest.approx(zeroed[16], rel=1e-5)  # nothing left to be set to 0
    assert zeroed[16] == pytest.approx(removed[16].item(), rel=1e-4)
    assert abs(removed[9] - removed[16]) > 0.01 * removed[16]
    assert all(lam.equal(was) for lam, was in zip(first.lam, before, strict=True))


def test_an_option_that_is_unknown_is_refused():
    with pytest.raises(ValueError, match="a depth search has no option 'alpha'; wanted some of rho, seed"):
        SHORT([{"alpha": 1}])


# ---------------------------------------------------------------- the threshold


def test_a_linear_task_is_solved_by_a_linear_model_and_this_one_is_not():
    x, y = rotated_relu(5000, dim=5, seed=1, data_seed=2)
    assert linear_R2(x, x @ torch.rand(5, 3) + 1) == pytest.approx(1, abs=1e-5)
    assert 0.5 < linear_R2(x, y) < 0.9


@pytest.mark.parametrize("bias", [False, True])
def test_the_onset_is_by_how_much_the_loss_falls_when_a_node_leaves_zero(bias):
    x, y = rotated_relu(500, dim=4, seed=0, data_seed=1)
    x, y = x.double(), y.double()
    generator = torch.Generator().manual_seed(0)
    network = SpectralNet([4, 9, 7, 4], bias=bias, train_input_eigenvalues=False, generator=generator, dtype=torch.float64)
    inputs = network.with_bias(x)
    target = y + (inputs @ (network.weight(3, 0).mT - torch.linalg.lstsq(inputs, y).solution)).detach()
    slopes = onset(network, x, target)  # of a task whose best linear map is that of the network

    def fall(n, step):
        loss = lambda: (network(x) - target).square().mean().item()  # noqa: E731
        before = loss()
        with torch.no_grad():
            network.eigenvalues[2][n] = step
            after = loss()
            network.eigenvalues[2][n] = 0
        return (before - after) / abs(step)

    for n in range(7):
        for step in (1e-6, -1e-6):
            assert max(fall(n, step), 0) == pytest.approx(slopes[n].item(), rel=1e-4, abs=1e-6)
    assert 0 < (slopes > 0).sum() < 7


def test_below_the_onset_a_layer_is_recruited_and_far_above_it_not():
    search = DepthSearch(dim=4, hidden=(20, 20), epochs=40, lr=5e-3, batch_size=50, n=1000, n_validation=300)
    threshold = float(onset(search.network(), *search.data()).norm())
    below, above = search([{"rho": threshold / 3}, {"rho": threshold * 10}])
    assert any(below["on"])
    assert not any(above["on"])


def test_the_onset_is_a_statement_about_the_perceptron_start():
    search = SHORT
    with pytest.raises(ValueError, match="wanted a network with hidden layers and relu in its perceptron start"):
        onset(grown(torch.zeros(9), torch.ones(7)), *search.data())
    with pytest.raises(ValueError, match="perceptron start"):
        onset(SpectralNet([4, 4]), *search.data())
    with pytest.raises(ValueError, match="perceptron start"):
        onset(SpectralNet([4, 5, 4], activation=torch.tanh), *search.data())
