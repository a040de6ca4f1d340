r"""When does a perceptron stop being one?  The strength ρ up to which its hidden neurons wake up, from the start alone.

Take a network with one hidden layer of ReLU and λ_1 = 0, whose perceptron has learned all that is linear, so that its
residual r is orthogonal to the inputs u.  A small eigenvalue λ_n changes the loss by

.. math:: \Delta L = - h_n |\lambda_n| + O(\lambda^2), \qquad
          h_n = - 2 \, \big\langle r \cdot \lambda^{\rm out} \varphi_{2,n} \; {\rm relu}(\varphi_{1,n} u) \big\rangle

where ⟨ ⟩ is the mean over rows and outputs; what else it changes is linear, and r does not feel it.  Against that stands the
price ρ Ω(λ).  So the perceptron is stable above a critical ρ and unstable below it.

This is where growing *begins*.  A network that has grown need not go back at the same ρ: :mod:`spectral_lab.hysteresis`.

>>> from spectral_lab import SpectralNet, alpha_beta
>>> network = SpectralNet([2, 30, 1], generator=torch.Generator().manual_seed(0))
>>> h = [drive(network, *alpha_beta(alpha, 5, 2000, seed=0)) for alpha in (0.1, 0.9)]
>>> critical_rho(h[0]) < critical_rho(h[1])
True
"""

from __future__ import annotations

import torch
from torch import Tensor

from spectral_lab.networks import SpectralNet


@torch.no_grad()
def drive(network: SpectralNet, x: Tensor, y: Tensor) -> Tensor:
    """How fast the mean squared error falls with each hidden |λ_n|, at the best perceptron: h (N_1,).

    Args:
        network: one hidden layer with ReLU; read, never changed.  Only its eigenvectors and λ of the output matter.
        x, y: data, (n, n_in) and (n, n_out).

    Raises:
        ValueError: another number of hidden layers, or another activation.
    """
    if len(network.nodes) != 3 or network.activation is not torch.relu:
        raise ValueError(
            f"the network has layers of {list(network.sizes)} nodes and the activation {network.activation}; the formula holds "
            "for one hidden layer with torch.relu"
        )
    u = network.with_bias(x.to(network.lam[0].dtype))
    r = linear_residual(u, y)
    phi_1, phi_2 = network.phi
    # mean over rows and outputs of r_o λ_o φ_on relu(φ_n u)
    return -2 * torch.einsum("ro,o,on,rn->n", r, network.lam[-1], phi_2, torch.relu(u @ phi_1.mT)) / r.numel()


def linear_residual(x: Tensor, y: Tensor) -> Tensor:
    """What the best linear map of x (n, n_in) leaves of y (n, n_out).

    Solved in double precision: in single precision the last digits of LAPACK's solution depend on where in memory x lies.
    """
    wide, targets = x.double(), y.double()
    return (targets - wide @ torch.linalg.lstsq(wide, targets).solution).to(y.dtype)


def critical_rho(drive: Tensor, penalty: str = "l2_norm") -> float:
    """The ρ below which the perceptron is unstable: where the steepest descent of the loss equals the price.

    With "l1" each neuron pays for itself, and the strongest drive decides; with "l2_norm" the layer pays for the length of λ,
    and the drives add up like the sides of a right angle.  "l2_squared" costs nothing to first order.

    Args:
        drive: h of :func:`drive`.
        penalty: "l1", "l2_norm" or "l2_squared".

    Raises:
        ValueError: another penalty.
    """
    wants = drive.clamp(min=0)
    if penalty == "l1":
        return float(wants.max())
    if penalty == "l2_norm":
        return float(wants.norm())
    if penalty == "l2_squared":
        return float("inf") if bool(wants.any()) else 0.0
    raise ValueError(f"penalty = {penalty!r}; wanted 'l1', 'l2_norm' or 'l2_squared'")
