r"""Tasks to learn: the α–β family of SPARCS Section 5, and handwritten digits.  Seeded, and without any download.

The α–β family goes from a linear function (α = 0) to a non-linear one (α = 1); β is the steepness of the change.
How a network of :mod:`spectral_lab.networks` answers to it is the story of the playground.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

Target = Callable[[Tensor], Tensor]


class Data(NamedTuple):
    """Inputs x (n, n_in) and targets y (n, n_out)."""

    x: Tensor
    y: Tensor


class Split(NamedTuple):
    """Training and validation data: inputs (n, n_in), targets (n,) of class numbers or (n, n_out)."""

    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor


def squared_norm(x: Tensor) -> Tensor:
    """g(x) = x·x for x (..., d): the non-linear function of SPARCS Fig. 7."""
    return x.square().sum(-1)


def product(x: Tensor) -> Tensor:
    """g(x) = x_1 x_2 … x_d for x (..., d): no node sees it along one axis alone."""
    return x.prod(-1)


def saddle(x: Tensor) -> Tensor:
    """g(x) = x_1² - x_2² + x_3² - … for x (..., d)."""
    signs = x.new_ones(x.shape[-1])
    signs[1::2] = -1
    return (x.square() * signs).sum(-1)


def ring(x: Tensor) -> Tensor:
    """g(x) = exp(-((|x| - 0.6) / 0.25)²) for x (..., d): high on a ring, low inside and outside."""
    return (-((torch.linalg.vector_norm(x, dim=-1) - 0.6) / 0.25).square()).exp()


# The non-linear functions g that the α–β family can blend in, by name.
TARGETS: dict[str, Target] = {"bowl": squared_norm, "product": product, "saddle": saddle, "ring": ring}


def check_alpha_beta(alpha: float, beta: float) -> None:
    """Refuse an α outside [0, 1] and a β outside (0, ∞).

    Raises:
        ValueError: naming the value found.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha = {alpha}; wanted a number in [0, 1], 0 for a linear and 1 for a non-linear task")
    if not 0 < beta < math.inf:
        raise ValueError(f"beta = {beta}; wanted a positive finite number, e.g. 5 for a smooth or 1000 for a sharp transition")


def alpha_beta_target(x: Tensor, alpha: float, beta: float, *, g: Target = squared_norm, w: Tensor | None = None) -> Tensor:
    r"""The function itself (SPARCS 5.1), (..., d) → (..., 1).

    .. math:: f(x) = \tfrac14 [1 - t]\; w\cdot x + \tfrac14 [1 + t]\; g(x), \qquad t = \tanh(\beta(\alpha - \tfrac12))

    At α = 0 and finite β a little of g is left: ¼(1 - tanh 2.5) = 0.0033 for β = 5.

    Raises:
        ValueError: alpha outside [0, 1], beta not in (0, ∞), w or g of the wrong width.
    """
    check_alpha_beta(alpha, beta)
    w = x.new_ones(x.shape[-1]) if w is None else torch.as_tensor(w, dtype=x.dtype, device=x.device)
    if w.shape != x.shape[-1:]:
        raise ValueError(f"w has shape {tuple(w.shape)}; the inputs want ({x.shape[-1]},)")
    curved = g(x)
    if curved.shape != x.shape[:-1]:
        raise ValueError(f"g returns shape {tuple(curved.shape)} for inputs {tuple(x.shape)}; wanted {tuple(x.shape[:-1])}")
    t = math.tanh(beta * (alpha - 0.5))
    return (0.25 * (1 - t) * (x @ w) + 0.25 * (1 + t) * curved).unsqueeze(-1)


def alpha_beta(
    alpha: float,
    beta: float,
    n: int,
    *,
    dim: int = 2,
    g: Target = squared_norm,
    w: Tensor | None = None,
    noise: float = 0.0,
    seed: int = 0,
) -> Data:
    """n points of the α–β family, x uniform on [-1, 1]^dim (SPARCS 5.1); see :func:`alpha_beta_target`.

    Args:
        alpha: non-linearity, in [0, 1].
        beta: steepness of the transition, in (0, ∞).
        n: number of points.
        dim: number of inputs, d.
        g: the non-linear function, (n, d) → (n,).
        w: direction of the linear part, (d,); ones by default.
        noise: standard deviation of Gaussian noise on y.
        seed: of the points and the noise; the points do not depend on alpha, beta, g, w or noise.

    Returns:
        x (n, dim) and y (n, 1), of torch's default float type.

    Raises:
        ValueError: a value outside its range, named.
    """
    check_alpha_beta(alpha, beta)
    for name, value in {"n": n, "dim": dim}.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} = {value!r}; wanted a whole number of at least 1")
    if not 0 <= noise < math.inf:
        raise ValueError(f"noise = {noise}; wanted a standard deviation of at least 0")
    generator = torch.Generator().manual_seed(seed)
    x = 2 * torch.rand(n, dim, generator=generator) - 1
    y = alpha_beta_target(x, alpha, beta, g=g, w=w)
    return Data(x, y + noise * torch.randn(n, 1, generator=generator))


def rotation(dim: int, generator: torch.Generator) -> Tensor:
    """A random rotation of dim-dimensional space, uniform on SO(dim): (dim, dim).

    The Q of a Gaussian matrix is uniform on O(dim) once the signs of R's diagonal are taken into it; a reflection becomes a
    rotation when one axis is turned round.
    """
    Q, R = torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=torch.float64))
    Q = Q * R.diagonal().sign()
    Q[:, 0] *= torch.linalg.det(Q).sign()
    return Q.to(torch.get_default_dtype())


def rotated_relu(n: int, *, dim: int = 20, layers: int = 1, seed: int = 0, data_seed: int = 0) -> Data:
    r"""n points of a task that one hidden layer of dim nodes solves, and none without one (SPARCS 5.2).

    .. math:: t(x) = W^{(2)} \max(W^{(1)} x, 0), \qquad W^{(1)}, W^{(2)} \in SO(d), \qquad x \sim U([-1, 1]^d)

    With more ``layers`` a relu and a rotation follow for each: :math:`t = W^{(3)} \max(W^{(2)} \max(W^{(1)} x, 0), 0)`.

    Args:
        n: number of points.
        dim: d, number of inputs, of nodes in each hidden layer and of outputs.
        layers: number of relus, one after the other.
        seed: of the rotations.
        data_seed: of the points.

    Returns:
        x (n, dim) and y (n, dim), of torch's default float type.

    Raises:
        ValueError: n, dim or layers that is no whole number of at least 1.
    """
    for name, value in {"n": n, "dim": dim, "layers": layers}.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} = {value!r}; wanted a whole number of at least 1")
    generator = torch.Generator().manual_seed(seed)
    first, *others = (rotation(dim, generator) for _ in range(layers + 1))
    x = 2 * torch.rand(n, dim, generator=torch.Generator().manual_seed(data_seed)) - 1
    y = x @ first.mT
    for W in others:
        y = torch.relu(y) @ W.mT
    return Data(x, y)


def digits(*, validation: float = 0.2, seed: int = 0) -> Split:
    """1,797 images of handwritten digits, 8 × 8 pixels, from the UCI collection; part of the package, no download.

    Args:
        validation: share of the images kept for validation, in (0, 1).
        seed: of the random split.

    Returns:
        x (n, 64) in [0, 1] and class numbers y (n,), int64.

    Raises:
        ValueError: validation outside (0, 1).
    """
    if not 0 < validation < 1:
        raise ValueError(f"validation = {validation}; wanted a share between 0 and 1")
    with files("spectral_lab").joinpath("data/digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
        x, y = torch.from_numpy(stored["x"]).float() / 16, torch.from_numpy(stored["y"]).long()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    held_out, training = order.split([round(validation * len(x)), len(x) - round(validation * len(x))])
    return Split(x[training], y[training], x[held_out], y[held_out])
