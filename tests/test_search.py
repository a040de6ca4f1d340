"""A search says of each point of a grid how much of its hidden layers a network uses."""

import gc

import pytest
import torch
from rich.console import Console

from spectral_lab import SpectralNet, alpha_beta, train
from spectral_lab import search as module
from spectral_lab.search import Search
from spectral_lab.sweeps import sweep

SHORT = Search(hidden=(12,), epochs=4, n=300, chunk=5)
GRID = {"beta": [5, 1000], "alpha": [0.0, 1.0], "rho": [1e-4, 1e-2], "seed": range(2)}
QUIET = Console(quiet=True)


def test_each_point_is_a_network_that_was_trained_alone():
    table = sweep(GRID, SHORT, console=QUIET)
    for point in ({"beta": 5, "alpha": 1.0, "rho": 1e-2, "seed": 1}, {"beta": 1000, "alpha": 0.0, "rho": 1e-4, "seed": 0}):
        network = SpectralNet([2, 12, 1], generator=torch.Generator().manual_seed(point["seed"]))
        x, y = alpha_beta(point["alpha"], point["beta"], 300, seed=42)
        record = list(train(network, x, y, epochs=4, rho=point["rho"], seed=point["seed"], record_every=12))[-1]
        found = table.sel(point)
        assert found["path_norm"].item() == pytest.approx(record.path_norm, rel=1e-3)
        assert found["data_loss"].item() == pytest.approx(record.data_loss, rel=1e-4)
        assert found["live"].item() == sum(record.live)
        assert found["eigenvalue_norm"].item() == pytest.approx(torch.cat(network.lam[:-1]).norm().item(), rel=1e-3)


def test_chunks_of_any_size_give_the_same_table():
    whole, parts = (sweep(GRID, SHORT, chunk=chunk, console=QUIET) for chunk in (16, 3))
    for name in whole:
        assert abs(whole[name] - parts[name]).max() <= 1e-6


def test_options_that_change_the_network_may_be_parameters_too():
    grid = {"hidden": [(3,), (4, 2)], "penalty": ["l1", "l2_squared"]}
    points = [{"hidden": hidden, "penalty": penalty} for hidden in grid["hidden"] for penalty in grid["penalty"]]
    networks = [network for network, _ in SHORT.trained(points)]
    assert [network.sizes for network in networks] == [(2, 3, 1)] * 2 + [(2, 4, 2, 1)] * 2
    assert not networks[0].eigenvalues[1].equal(networks[1].eigenvalues[1])


def test_the_seed_decides_where_a_network_starts_and_the_data_seed_its_points():
    table = sweep({"seed": [0, 1], "data_seed": [0, 1]}, SHORT, console=QUIET)["data_loss"]
    assert len(set(table.values.flatten().tolist())) == 4


def test_an_option_that_is_unknown_is_refused():
    with pytest.raises(ValueError, match="a search has no option 'gamma'; wanted some of alpha, beta"):
        SHORT([{"gamma": 1}])


def test_points_that_can_be_trained_at_once_are_wherever_they_stand_in_a_chunk(monkeypatch):
    sizes, train_ensemble = [], module.train_ensemble
    monkeypatch.setattr(module, "train_ensemble", lambda n, *a, **o: sizes.append(len(n)) or train_ensemble(n, *a, **o))
    grid = {"seed": [0, 1, 2], "penalty": ["l1", "l2_norm"]}  # the penalties alternate
    mixed = sweep(grid, SHORT, chunk=6, console=QUIET)
    assert sizes == [3, 3]
    alone = sweep(grid, SHORT, chunk=1, console=QUIET)
    for name in mixed:
        assert abs(mixed[name] - alone[name]).max() <= 1e-6


def test_the_width_of_one_layer_can_be_a_parameter_of_a_grid():
    table = sweep({"hidden": [3, 12]}, SHORT, console=QUIET)
    assert table["path_norm"].sel(hidden=12).item() == pytest.approx(SHORT([{}])[0]["path_norm"], rel=1e-4)
    assert table["path_norm"].sel(hidden=3).item() != table["path_norm"].sel(hidden=12).item()
    assert Search(hidden=[4, 2]).sizes == [2, 4, 2, 1]


def test_no_network_and_no_data_outlive_their_chunk():
    def alive():
        gc.collect()
        found = [o for o in gc.get_objects() if type(o) is SpectralNet or type(o) is torch.Tensor]
        return sum(type(o) is SpectralNet for o in found), sum(type(o) is torch.Tensor and o.numel() >= 600 for o in found)

    seen = []

    def watched(points):
        seen.append(alive())
        return SHORT(points)

    before = alive()
    sweep({"seed": range(12)}, watched, chunk=3, console=QUIET)
    assert len(seen) == 4
    assert set(seen) == {before}
