r"""The product of a spectral layer as a pure tensor function, as fast as that of a plain layer and hardly larger.

Autograd by itself would keep w and the matrix of differences :math:`\lambda^{in}_j - \lambda^{out}_i` until the gradients
are done, and make three more matrices of that size on the way.  Here nothing is kept but x, φ and λ.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

# The gradients go through a weight matrix in blocks of rows, so that their temporary is a sixth of it at most; a small
# matrix is one block, for there a call costs more than the memory.
BLOCKS, SMALL = 6, 2**14


def spectral_weights(phi: Tensor, lam_in: Tensor, lam_out: Tensor) -> Tensor:
    r"""The weights from one layer of nodes to the next.

    .. math:: w_{ij} = (\lambda^{\rm in}_j - \lambda^{\rm out}_i)\,\varphi_{ij} \qquad \text{(PRE Eq. 2)}

    Args:
        phi: eigenvectors (n_out, n_in).
        lam_in, lam_out: eigenvalues (n_in,) and (n_out,).

    Returns:
        (n_out, n_in).
    """
    return (lam_in - lam_out.unsqueeze(-1)) * phi


def spectral_product(x: Tensor, phi: Tensor, lam_in: Tensor, lam_out: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""What a spectral layer sends on, :math:`y = x w^T + b` with the weights of :func:`spectral_weights`.

    It can be differentiated any number of times, also inside ``torch.func.grad`` and ``vmap``; there is no forward mode.

    Args:
        x: (..., n_in).
        phi, lam_in, lam_out: as for the weights.
        bias: b, (n_out,).

    Returns:
        (..., n_out).
    """
    return _SpectralProduct.apply(x, phi, lam_in, lam_out, bias)


class _SpectralProduct(torch.autograd.Function):
    r""":math:`y = x w^T + b` that keeps x, φ and λ for the gradients, but no matrix that is made from them.

    With :math:`G = (\partial L/\partial y)^T x`, the gradient by w,

    .. math:: \partial\varphi_{ij} = G_{ij}(\lambda^{in}_j - \lambda^{out}_i), \quad
              \partial\lambda^{in}_j = \sum_i G_{ij}\varphi_{ij}, \quad \partial\lambda^{out}_i = -\sum_j G_{ij}\varphi_{ij}.
    """

    @staticmethod
    def forward(x: Tensor, phi: Tensor, lam_in: Tensor, lam_out: Tensor, bias: Tensor | None) -> Tensor:
        return nn.functional.linear(x, _weights_in_place(phi, lam_in, lam_out), bias)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Tensor, int]:
        return torch.vmap(_plain_product, in_dims, randomness=info.randomness)(*arguments), 0

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:4])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, phi, lam_in, lam_out = ctx.saved_tensors
        wants_x, wants_phi, wants_in, wants_out, wants_bias = ctx.needs_input_grad
        again = torch.is_grad_enabled()  # somebody differentiates these gradients once more: nothing may be overwritten
        grads: list[Tensor | None] = [None] * 5
        if wants_x:  # under autocast grad is of another float type than what was saved
            w = (spectral_weights if again else _weights_in_place)(phi, lam_in, lam_out)
            grads[0] = grad @ w.to(grad.dtype)
        g = grad.reshape(-1, grad.shape[-1])
        if wants_phi or wants_in or wants_out:
            G = (g.mT @ x.reshape(-1, x.shape[-1]).to(g.dtype)).to(phi.dtype)
            grads[1:4] = (_gradients if again else _gradients_in_place)(G, phi, lam_in, lam_out, wants_phi)
        if wants_bias:
            grads[4] = g.sum(0)
        return tuple(grads)


def _plain_product(x: Tensor, phi: Tensor, lam_in: Tensor, lam_out: Tensor, bias: Tensor | None) -> Tensor:
    """The same product from operations that PyTorch differentiates by itself."""
    return nn.functional.linear(x, spectral_weights(phi, lam_in, lam_out), bias)


def _weights_in_place(phi: Tensor, lam_in: Tensor, lam_out: Tensor) -> Tensor:
    """:func:`spectral_weights` with one temporary of that size, not two."""
    return torch.sub(lam_in, lam_out.unsqueeze(-1)).mul_(phi)


def _gradients(G: Tensor, phi: Tensor, lam_in: Tensor, lam_out: Tensor, wants_phi: bool) -> list[Tensor | None]:
    """Gradients by φ, λ^in and λ^out from G, the one by w."""
    product = G * phi
    return [spectral_weights(G, lam_in, lam_out) if wants_phi else None, product.sum(0), -product.sum(1)]


def _gradients_in_place(G: Tensor, phi: Tensor, lam_in: Tensor, lam_out: Tensor, wants_phi: bool) -> list[Tensor | None]:
    """The same, block of rows after block of rows; G becomes the gradient by φ."""
    grad_in, grad_out = torch.zeros_like(lam_in), torch.empty_like(lam_out)
    step = max(-(-len(G) // BLOCKS), SMALL // len(lam_in), 1)
    for G_rows, phi_rows, lam, out in zip(*(t.split(step) for t in (G, phi, lam_out, grad_out)), strict=True):
        block = G_rows * phi_rows
        grad_in += block.sum(0)
        torch.sum(block, 1, out=out)
        if wants_phi:
            G_rows.mul_(torch.sub(lam_in, lam.unsqueeze(-1), out=block))
    return [G if wants_phi else None, grad_in, grad_out.neg_()]
