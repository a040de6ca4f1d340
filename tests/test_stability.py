"""The drive of the hidden neurons is the slope of the loss, and the critical ρ is where the price outweighs it."""

import pytest
import torch

from spectral_lab import SpectralNet, alpha_beta, train
from spectral_lab.penalties import PENALTIES
from spectral_lab.stability import critical_rho, drive, linear_residual

F64 = torch.float64


def best_perceptron(alpha=0.7, hidden=8, n_in=2, n_out=1, seed=0):
    """A network at its perceptron start that has learned all that is linear, with its data."""
    generator = torch.Generator().manual_seed(seed)
    network = SpectralNet([n_in, hidden, n_out], train_input_eigenvalues=False, generator=generator, dtype=F64)
    x, y = (part.to(F64) for part in alpha_beta(alpha, 5, 300, dim=n_in, seed=seed))
    y = torch.cat([y * (k + 1) + k * x[:, :1] ** 2 for k in range(n_out)], 1)
    u = network.with_bias(x)
    wanted = torch.linalg.lstsq(u, y).solution.T
    with torch.no_grad():
        network.eigenvalues[2].copy_(torch.linspace(1.0, 1.5, n_out, dtype=F64))
        phi_1, phi_2 = network.eigenvectors
        phi_1 += torch.linalg.pinv(phi_2) @ (wanted / network.eigenvalues[2][:, None] - phi_2 @ phi_1)
    return network, x, y


@torch.no_grad()
def loss(network, x, y, lam):
    network.eigenvalues[1].copy_(lam)
    return (network(x) - y).square().mean().item()


@pytest.mark.parametrize(("n_in", "n_out"), [(2, 1), (1, 2), (3, 2)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_drive_is_minus_the_slope_of_the_loss_on_both_sides_of_zero(n_in, n_out, sign):
    network, x, y = best_perceptron(n_in=n_in, n_out=n_out)
    h, epsilon = drive(network, x, y), 1e-6
    start = loss(network, x, y, torch.zeros(8, dtype=F64))
    slopes = [(loss(network, x, y, sign * epsilon * one) - start) / epsilon for one in torch.eye(8, dtype=F64)]
    torch.testing.assert_close(h, -torch.tensor(slopes, dtype=F64), rtol=1e-3, atol=1e-6)
    assert (h > 0).any()
    assert (h < 0).any()


@pytest.mark.parametrize("penalty", ["l1", "l2_norm"])
def test_below_the_critical_rho_some_small_step_pays_and_above_it_none_does(penalty):
    network, x, y = best_perceptron()
    h = drive(network, x, y)
    rho_c = critical_rho(h, penalty)
    start = loss(network, x, y, torch.zeros(8, dtype=F64))

    def gain(rho, step):
        return start - loss(network, x, y, step) - rho * PENALTIES[penalty]({"lam": step}).item()

    wants = h.clamp(min=0)
    best = wants if penalty == "l2_norm" else torch.where(h == h.max(), 1.0, 0.0).to(F64)
    assert gain(0.95 * rho_c, 1e-5 * best / best.norm()) > 0
    draws = torch.rand(50, 8, dtype=F64, generator=torch.Generator().manual_seed(0))
    for step in [best, *draws]:
        assert gain(1.05 * rho_c, 1e-5 * step / step.norm()) < 0


@pytest.mark.parametrize(("factor", "grows"), [(0.3, True), (3.0, False)])
def test_training_from_there_grows_below_it_and_stays_above_it(factor, grows):
    network, x, y = best_perceptron(alpha=1.0)
    rho = factor * critical_rho(drive(network, x, y))
    run = train(network, x, y, steps=1500, rho=rho, lr=1e-3, batch_size=300)
    run.advance(1500)
    assert (run.record().path_norm > 0.05) is grows


def test_what_is_linear_drives_nothing_and_the_drive_is_as_strong_as_the_bend():
    network, x, y = best_perceptron()
    linear = x @ torch.tensor([[0.3], [-0.8]], dtype=F64) + 0.2
    assert drive(network, x, linear).abs().max() < 1e-12
    torch.testing.assert_close(drive(network, x, 2 * y + linear), 2 * drive(network, x, y))


def test_what_is_left_is_the_same_to_the_bit_wherever_in_memory_the_numbers_lie():
    x, y = alpha_beta(0.5, 5, 500, seed=42)
    inputs, places, found = torch.cat([x, torch.ones(500, 1)], 1), [], set()
    for k in range(400):
        places.append(bytearray(16 * k))  # or each turn would find the memory that the former one gave back
        found.add(linear_residual(inputs, y).numpy().tobytes())
    assert len(found) == 1
    assert linear_residual(inputs, y).dtype == torch.float32


def test_squares_cost_nothing_to_first_order():
    assert critical_rho(torch.tensor([0.1, -1.0]), "l2_squared") == float("inf")
    assert critical_rho(torch.tensor([-0.1, -1.0]), "l2_squared") == 0
    assert critical_rho(torch.tensor([3.0, 4.0, -9.0])) == 5
    assert critical_rho(torch.tensor([3.0, 4.0, -9.0]), "l1") == 4


def test_other_networks_and_penalties_are_refused():
    x, y = alpha_beta(1.0, 5, 10)
    for network in (SpectralNet([2, 3, 3, 1]), SpectralNet([2, 3, 1], activation=torch.tanh)):
        with pytest.raises(ValueError, match=r"the formula holds for one hidden layer with torch\.relu"):
            drive(network, x, y)
    with pytest.raises(ValueError, match="penalty = 'l2'; wanted"):
        critical_rho(torch.ones(2), "l2")
