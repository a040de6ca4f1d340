r"""Where the training of a spectral layer starts, and the numbers that it draws: shared by all kinds of layers.

Next, read :mod:`spectral_lab.layers` and :mod:`spectral_lab.convolutions`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spectral_lab.bases import precise


@dataclass(frozen=True)
class Start:
    """Where the training of a layer starts; None for eigenvalues draws them, a number is the value of all."""

    eigenvalues_in: float | None = None  # uniform in ±0.97, which PRE's own code found by trying
    eigenvalues_out: float | None = None  # uniform in ±0.13, likewise
    weight_variance: float | None = None  # 1/(3 n_in), as in nn.Linear; at n_in = 784 φ then has PRE's deviation 0.036

    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Lowest and highest value of the eigenvalues, of n_in and of n_out."""
        drawn = ((self.eigenvalues_in, 0.97), (self.eigenvalues_out, 0.13))
        first, second = [(-bound, bound) if value is None else (value, value) for value, bound in drawn]
        return first, second

    def deviation(self, n_in: int) -> float:
        r"""Standard deviation of φ that gives the weights their variance.

        .. math:: \langle w^2\rangle = \langle(\lambda^{\rm in}-\lambda^{\rm out})^2\rangle\,\langle\varphi^2\rangle

        Args:
            n_in: links into a node; of a filter, how many weights it has.

        Raises:
            ValueError: all eigenvalues start at the same number, so that every weight is 0.
        """
        (a, b), (c, d) = self.bounds()
        difference = ((a + b) / 2 - (c + d) / 2) ** 2 + ((b - a) ** 2 + (d - c) ** 2) / 12
        if difference == 0:
            raise ValueError(f"all eigenvalues start at {a}, so every weight is 0; let those of n_in and n_out differ")
        variance = 1 / (3 * n_in) if self.weight_variance is None else self.weight_variance
        return (variance / difference) ** 0.5

    @torch.no_grad()
    def draw_eigenvalues_(self, lam_in: Tensor, lam_out: Tensor, generator: torch.Generator | None) -> None:
        """Overwrite both vectors of eigenvalues with their start values; with a generator, the same ones on every device."""
        for lam, (low, high) in zip((lam_in, lam_out), self.bounds(), strict=True):
            drawn = undrawn(lam, generator)
            lam.copy_(drawn.uniform_(low, high, generator=generator) if low < high else drawn.fill_(low))


DRAWN = Start()  # all of it as the literature draws it


def undrawn(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """A tensor of this shape to draw into: where the generator is, so that every device gets the same numbers."""
    source = generator.device if generator is not None else like.device
    return torch.empty(like.shape, device=source, dtype=precise(like.dtype))


def check_size(name: str, n: int, of: str = "nodes") -> None:
    """Refuse what is no number of nodes.

    Raises:
        ValueError: no whole number, or one below 1.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"{name} = {n!r}; wanted a whole number of {of}, at least 1")


def check_dtype(dtype: torch.dtype | None) -> None:
    """Refuse a type in which nothing can be trained.

    Raises:
        TypeError: no float type.
    """
    if dtype is not None and not dtype.is_floating_point:
        raise TypeError(f"dtype = {dtype}; eigenvalues are trained, so it must be a float type, e.g. torch.float32")
