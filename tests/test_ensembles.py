"""An ensemble trains each network as it would be trained alone, whoever is trained beside it."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import randomise
from torch import nn
from torch.testing import assert_close

from spectral_lab import SpectralNet, alpha_beta, train
from spectral_lab import networks as networks_module
from spectral_lab.ensembles import Ensemble, best_chunk, train_ensemble
from spectral_lab.layers import feed_forward
from spectral_lab.peak import peak_mebibytes
from spectral_lab.topology import structure

SPECTRAL = partial(SpectralNet, dtype=torch.float64)


def make_networks(E, nodes=(2, 12, 1), dtype=torch.float64, **options):
    return [SpectralNet(nodes, generator=torch.Generator().manual_seed(k), dtype=dtype, **options) for k in range(E)]


def make_tasks(E, n=230, dtype=torch.float64):
    """Another task for each: α from 0 to 1, and other points."""
    tasks = [alpha_beta(k / max(E - 1, 1), 5, n, seed=k) for k in range(E)]
    x, y = (torch.stack(part).to(dtype) for part in zip(*tasks, strict=True))
    return x, y


# -- one function ------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 5), min_size=2, max_size=5), st.booleans(), st.sampled_from(["blocks", "adjacency"]))
@settings(max_examples=30)
def test_the_outputs_of_stacked_networks_are_those_of_each(nodes, bias, update):
    networks = [randomise(SPECTRAL(nodes, bias=bias, update=update), seed) for seed in range(3)]
    x = torch.rand(3, 7, nodes[0], dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert_close(Ensemble(networks)(x), torch.stack([network(x[k]) for k, network in enumerate(networks)]))


def test_the_cheaper_way_is_chosen_by_the_rows_of_one_network(monkeypatch):
    asked = []
    monkeypatch.setattr(networks_module, "recurrence_is_cheaper", lambda nodes, batch, silent: asked.append(batch) or True)
    Ensemble(make_networks(3))(torch.rand(3, 7, 2, dtype=torch.float64))
    assert asked == [7]


def test_any_module_can_be_stacked():
    networks = [feed_forward([4, 6, 3], activation=nn.Tanh, generator=torch.Generator().manual_seed(k)) for k in range(3)]
    x = torch.rand(3, 7, 4)
    assert_close(Ensemble(networks)(x), torch.stack([network(x[k]) for k, network in enumerate(networks)]))


def test_a_network_comes_out_as_it_went_in_with_numbers_of_its_own():
    networks = make_networks(3, train_input_eigenvalues=False)
    ensemble = Ensemble(networks)
    alone = ensemble.network(1)
    assert_close(dict(alone.state_dict()), dict(networks[1].state_dict()), rtol=0, atol=0)
    assert not alone.eigenvalues[0].requires_grad
    with torch.no_grad():
        alone.eigenvectors[0].zero_()
        ensemble.parameters["eigenvectors.1"].zero_()
    assert_close(ensemble.network(1).eigenvectors[0], networks[1].eigenvectors[0], rtol=0, atol=0)
    assert networks[1].eigenvectors[1].abs().max() > 0


@pytest.mark.parametrize("nodes", [(2, 12, 1), (3, 4, 5, 2), (2, 1)])
def test_path_strengths_are_those_of_each(nodes):
    networks = [randomise(SPECTRAL(nodes), seed) for seed in range(3)]
    strengths, norm = Ensemble(networks).path_strengths()
    for k, network in enumerate(networks):
        alone = structure(network)
        assert_close([s[k] for s in strengths], alone.strengths)
        assert_close(norm[k].item(), alone.norm)


# -- training ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", ["l1", "l2_norm", "l2_squared"])
@pytest.mark.parametrize("first", [True, False])
def test_each_network_is_trained_as_train_would_train_it_alone(penalty, first):
    networks, (x, y), rho = make_networks(4, train_input_eigenvalues=first), make_tasks(4), [0.0, 1e-4, 1e-2, 1.0]
    options = {"epochs": 15, "lr": 3e-3, "batch_size": 50, "penalty": penalty}
    run = train_ensemble(networks, x, y, rho=rho, seeds=[7, 8, 9, 7], record_every=20, **options)
    records = list(run)
    assert len(records) == 4
    assert run.step == 75  # the last of five batches of an epoch is smaller
    for k, network in enumerate(networks):
        alone = list(train(network, x[k], y[k], rho=rho[k], seed=[7, 8, 9, 7][k], record_every=20, **options))
        for together, record in zip(records, alone, strict=True):
            assert together.step == record.step
            assert_close(together.data_loss[k].item(), record.data_loss)
            assert_close(together.penalty[k].item(), record.penalty)
            assert_close(together.path_norm[k].item(), record.path_norm)
            assert together.live[k].item() == sum(record.live)
        assert_close(dict(run.ensemble.network(k).named_parameters()), dict(network.named_parameters()))


def test_other_modules_are_trained_like_that_too():
    networks = [feed_forward([2, 5, 3], generator=torch.Generator().manual_seed(k)) for k in range(2)]
    x, y = torch.rand(2, 40, 2), torch.randint(0, 3, (2, 40))
    options = {"epochs": 5, "batch_size": 10, "loss": nn.functional.cross_entropy, "penalised": ["0.eigenvalues_out"]}
    run = train_ensemble(networks, x, y, rho=0.1, penalty="l1", **options)
    (record,) = run
    assert record.live is None
    for k, network in enumerate(networks):
        list(train(network, x[k], y[k], rho=0.1, penalty="l1", seed=k, **options))
        assert_close(dict(run.ensemble.network(k).named_parameters()), dict(network.named_parameters()))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_chunks_of_another_size_give_the_same_numbers(size):
    networks, (x, y) = make_networks(6, dtype=torch.float32), make_tasks(6, dtype=torch.float32)
    whole = train_ensemble(networks, x, y, epochs=40, rho=1e-3)
    whole.advance(whole.steps)
    for start in range(0, 6, size):
        part = slice(start, start + size)
        run = train_ensemble(networks[part], x[part], y[part], epochs=40, rho=1e-3, seeds=range(6)[part])
        run.advance(run.steps)
        for k in range(len(run.ensemble)):
            alone, beside = run.ensemble.network(k), whole.ensemble.network(start + k)
            assert_close(dict(alone.named_parameters()), dict(beside.named_parameters()), rtol=0, atol=1e-6)


@pytest.mark.parametrize("rows", [230, 170])
def test_data_and_rho_that_change_on_the_way_act_as_they_do_on_a_network_alone(rows):
    networks, tasks, others = make_networks(3), make_tasks(3), make_tasks(3, n=rows)
    others = others[0], 0.5 * others[1]
    run = train_ensemble(networks, *tasks, steps=40, batch_size=50, seeds=[4, 5, 6])
    run.advance(7)
    run.rho = [0.0, 1e-3, 1e-1]
    run.set_data(*others)
    run.advance(9)
    run.rho = 1e-2
    run.advance(9)
    for k, network in enumerate(networks):
        alone = train(network, tasks[0][k], tasks[1][k], steps=40, batch_size=50, seed=4 + k)
        alone.advance(7)
        alone.rho = [0.0, 1e-3, 1e-1][k]
        alone.set_data(others[0][k], others[1][k])
        alone.advance(9)
        alone.rho = 1e-2
        alone.advance(9)
        assert_close(dict(run.ensemble.network(k).named_parameters()), dict(network.named_parameters()))


def test_data_or_rho_that_do_not_fit_change_nothing_on_the_way():
    run = train_ensemble(make_networks(2), *make_tasks(2), steps=3, rho=1e-3)
    before = run.rho
    with pytest.raises(ValueError, match=r"x has shape \(3, 230, 2\)"):
        run.set_data(*make_tasks(3))
    with pytest.raises(ValueError, match="rho = -1"):
        run.rho = [1e-4, -1]
    assert run.rho is before
    assert run._x.shape == (2, 230, 2)


def test_an_overflow_of_the_last_step_counts_as_diverged():
    networks, (x, y) = make_networks(2), make_tasks(2)
    run = train_ensemble(networks, x, y, steps=1)
    run.advance(1)
    with torch.no_grad():
        run.ensemble.parameters["eigenvectors.0"][1].fill_(torch.inf)
    assert run.record().diverged.tolist() == [False, True]


def test_the_callers_networks_stay_as_they_are():
    networks, (x, y) = make_networks(2), make_tasks(2)
    before = [{name: p.clone() for name, p in network.state_dict().items()} for network in networks]
    train_ensemble(networks, x, y, steps=3).advance(3)
    assert_close([dict(network.state_dict()) for network in networks], before, rtol=0, atol=0)


def test_a_network_that_diverges_leaves_the_others_alone():
    networks, (x, y) = make_networks(3), make_tasks(3)
    with torch.no_grad():
        networks[1].eigenvectors[0].fill_(1e200)
    run = train_ensemble(networks, x, y, epochs=3)
    (record,) = run
    assert record.diverged.tolist() == [False, True, False]
    (alone,) = train_ensemble(networks[2:], x[2:], y[2:], epochs=3, seeds=[2])
    assert_close(record.data_loss[2:], alone.data_loss)


def test_the_global_generator_is_left_alone():
    networks, (x, y) = make_networks(2), make_tasks(2)
    state = torch.get_rng_state()
    list(train_ensemble(networks, x, y, epochs=2))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_best_chunk_is_one_of_the_candidates():
    def make(E):
        x, y = make_tasks(E)
        return train_ensemble(make_networks(E), x, y, epochs=100)

    assert best_chunk(make, (1, 3), steps=2) in (1, 3)


def test_numbers_of_networks_that_do_not_fit_in_memory_are_not_tried(monkeypatch):
    made = []

    def make(E):
        made.append(E)
        return train_ensemble(make_networks(E), *make_tasks(E), epochs=100)

    each = make(1).bytes_each
    monkeypatch.setattr("spectral_lab.ensembles.available_memory", lambda device: 2 * 3 * each)
    made.clear()
    assert best_chunk(make, (2, 3, 4, 1000), steps=1) in (2, 3)
    assert made == [2, 3]
    monkeypatch.setattr("spectral_lab.ensembles.available_memory", lambda device: 0)
    assert best_chunk(make, (4, 2), steps=1) == 2


def test_the_memory_of_a_network_is_about_what_its_training_takes():
    x, y = alpha_beta(0.5, 5, 5000, seed=0)

    def run(E):
        networks = [SpectralNet([2, 300, 1], generator=torch.Generator().manual_seed(k)) for k in range(E)]
        return train_ensemble(networks, x.expand(E, -1, -1), y.expand(E, -1, -1), epochs=3)

    each = run(1).bytes_each
    few, many = (peak_mebibytes(lambda E=E: run(E).advance) for E in (4, 36))
    assert each / 2 < (many - few) / 32 * 2**20 < each


# -- what is refused ---------------------------------------------------------------------------------------------------

X, Y = make_tasks(2)
WRONG = {
    "there are no networks": {"networks": []},
    r"network 1 has .*\[2, 4, 1\].*, the first one .*\[2, 3, 1\].*wants networks of one form": {
        "networks": [SPECTRAL([2, 3, 1]), SPECTRAL([2, 4, 1])]
    },
    r"network 1 has .*'frozen'\), the first one .*'trainable'": {
        "networks": [SPECTRAL([2, 3, 1]), SPECTRAL([2, 3, 1], train_input_eigenvalues=False)]
    },
    r"network 1 has .*tanh.*, the first one .*relu": {
        "networks": [SPECTRAL([2, 3, 1]), SPECTRAL([2, 3, 1], activation=torch.tanh)]
    },
    r"x has shape \(230, 2\); wanted \(E, n, \.\.\.\) with E = 2.*x\.expand": {"x": X[0]},
    "x has 230 rows and y has 229": {"y": Y[:, 1:]},
    "y has NaN or infinite": {"y": Y / 0},
    r"x has shape \(2, 230, 3\); the networks want \(2, 230, 2\)": {"x": torch.zeros(2, 230, 3)},
    r"y has shape \(2, 230\); the mean squared error wants \(2, 230, 1\)": {"y": Y[..., 0]},
    "all parameters of the networks are frozen": {"networks": [SPECTRAL([2, 3, 1]).requires_grad_(False) for _ in range(2)]},
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_options_are_refused(message):
    options = {"networks": make_networks(2), "x": X, "y": Y, "steps": 3} | WRONG[message]
    with pytest.raises(ValueError, match=message):
        train_ensemble(**options)


def test_path_strengths_are_for_spectral_networks():
    with pytest.raises(TypeError, match="these are of the kind Sequential"):
        Ensemble([feed_forward([2, 3, 1])]).path_strengths()
