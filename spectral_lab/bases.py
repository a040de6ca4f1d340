r"""Three ways to hold the eigenvectors φ (n_out, n_in) of one layer, and to train few or many of their numbers.

===============  ============================  ==========================================  =======================
module           φ                             trained                                     fixed
===============  ============================  ==========================================  =======================
:class:`Dense`   every entry of its own        n_out · n_in, or none                       nothing
:class:`SVD`     :math:`U\,{\rm diag}(s)V^T`   M singular values                           U (n_out, M), V (n_in, M)
:class:`QR`      :math:`QR` or :math:`R^TQ^T`  M + p M(M-1)/2 entries of the triangle R    Q, the rest of R
===============  ============================  ==========================================  =======================

M = min(n_in, n_out).  What is fixed lies in buffers: no optimiser finds it, ``state_dict`` and ``.to()`` take it along.
Calling a basis gives φ; :meth:`represent_` makes it hold a φ that is given, exactly up to rounding.
Next, read :mod:`spectral_lab.layers`, where a basis and two vectors of eigenvalues become a layer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn


def precise(dtype: torch.dtype) -> torch.dtype:
    """The float type in which to draw and to factorise: at least single precision, LAPACK knows no half."""
    return torch.promote_types(dtype, torch.float32)


class Basis(nn.Module, ABC):
    """A way to hold φ; subclasses say how.  Its numbers are undefined until ``draw_`` or ``represent_`` has been called.

    Args:
        n_in, n_out: sizes of the two layers of nodes.
        train (subclasses): whether the numbers that may be trained are.
        device, dtype (subclasses): of parameters and buffers.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.n_in, self.n_out = n_in, n_out

    @property
    def rank(self) -> int:
        """M = min(n_in, n_out)."""
        return min(self.n_in, self.n_out)

    @abstractmethod
    def forward(self) -> Tensor:
        """The eigenvectors φ, (n_out, n_in)."""

    @abstractmethod
    def represent_(self, phi: Tensor, generator: torch.Generator | None = None) -> None:
        """Hold this φ (n_out, n_in); the generator decides what a basis leaves to chance."""

    def draw_(self, deviation: float, generator: torch.Generator | None = None) -> None:
        """Hold a random φ whose entries have mean 0 and this standard deviation."""
        self.represent_(self._normal(self.n_out, self.n_in, generator=generator) * deviation, generator)

    def _normal(self, *shape: int, generator: torch.Generator | None) -> Tensor:
        """Standard normal numbers; a generator gives the same ones on every device."""
        like = next(self.parameters())
        source = generator.device if generator is not None else like.device
        return torch.empty(shape, device=source, dtype=precise(like.dtype)).normal_(generator=generator).to(like.device)


class Dense(Basis):
    """Every entry of φ is a number of its own, trained or frozen; freeze and thaw it with ``requires_grad_``."""

    def __init__(self, n_in: int, n_out: int, *, train: bool = True, **factory: Any) -> None:
        super().__init__(n_in, n_out)
        self.eigenvectors = nn.Parameter(torch.empty(n_out, n_in, **factory), requires_grad=train)

    def forward(self) -> Tensor:
        """The parameter itself."""
        return self.eigenvectors

    @torch.no_grad()
    def represent_(self, phi: Tensor, generator: torch.Generator | None = None) -> None:
        """Copy φ; nothing is left to chance."""
        self.eigenvectors.copy_(phi)


class SVD(Basis):
    r""":math:`\varphi = U\,{\rm diag}(s)\,V^T` with U and V fixed and M singular values trained: S-SVD (PRE Section III).

    The paper's U and V are square; the columns beyond M meet the zeros of its rectangular Σ, so they are not kept.
    The singular values start at 0 or above; nothing holds them there during training.
    """

    left: Tensor
    right: Tensor

    def __init__(self, n_in: int, n_out: int, *, train: bool = True, **factory: Any) -> None:
        super().__init__(n_in, n_out)
        self.singular_values = nn.Parameter(torch.empty(self.rank, **factory), requires_grad=train)
        self.register_buffer("left", torch.empty(n_out, self.rank, **factory))
        self.register_buffer("right", torch.empty(n_in, self.rank, **factory))

    def forward(self) -> Tensor:
        r""":math:`U\,{\rm diag}(s)\,V^T`, (n_out, n_in)."""
        return (self.left * self.singular_values) @ self.right.mT

    @torch.no_grad()
    def represent_(self, phi: Tensor, generator: torch.Generator | None = None) -> None:
        """The singular value decomposition of φ; nothing is left to chance."""
        U, s, Vh = torch.linalg.svd(phi.to(precise(phi.dtype)), full_matrices=False)
        self.left.copy_(U)
        self.singular_values.copy_(s)
        self.right.copy_(Vh.mT)

    @torch.no_grad()
    def draw_(self, deviation: float, generator: torch.Generator | None = None) -> None:
        r"""Uniformly distributed orthogonal U and V, and singular values uniform between 0 and :math:`s_{max}`.

        An entry of φ has the variance :math:`\langle s^2\rangle M/(n_{in} n_{out})`, which sets s_max.
        """
        for Q in (self.left, self.right):
            Z = self._normal(*Q.shape, generator=generator)
            orthogonal, R = torch.linalg.qr(Z)
            Q.copy_(orthogonal * R.diagonal().sign())  # without the signs the distribution is LAPACK's, not uniform
        largest = deviation * (3 * self.n_in * self.n_out / self.rank) ** 0.5
        source = generator.device if generator is not None else self.left.device
        s = torch.empty(self.rank, device=source, dtype=precise(self.left.dtype))
        self.singular_values.copy_(s.uniform_(0, largest, generator=generator))


class QR(Basis):
    r""":math:`\varphi = QR`, or :math:`\varphi^T = QR` unless n_out > n_in, with Q fixed: S-QR (PRE Section III, App. D).

    The smaller side makes the triangle, so R is M × M.  Its diagonal is trained, and of the M(M-1)/2 entries above it a
    random share p; the others keep their values.  ``triangle`` holds the trained ones, diagonal first.

    Args:
        trained_off_diagonal: p in [0, 1]; p M(M-1)/2 is rounded to a whole number.
    """

    Q: Tensor
    fixed_triangle: Tensor
    places: Tensor

    def __init__(self, n_in: int, n_out: int, *, train: bool = True, trained_off_diagonal: float = 1.0, **factory: Any) -> None:
        super().__init__(n_in, n_out)
        M, above = self.rank, self.rank * (self.rank - 1) // 2
        n_trained = M + round(trained_off_diagonal * above)
        self.triangle = nn.Parameter(torch.empty(n_trained, **factory), requires_grad=train)
        self.register_buffer("Q", torch.empty(max(n_in, n_out), M, **factory))
        self.register_buffer("fixed_triangle", torch.empty(M + above - n_trained, **factory))
        # Where in the flattened R the entries lie, first the trained, then the fixed ones.
        self.register_buffer("places", torch.arange(M + above, device=factory.get("device")))

    def R(self) -> Tensor:  # the letter of the formula
        """The upper triangle, (M, M)."""
        entries = torch.cat([self.triangle, self.fixed_triangle])
        return entries.new_zeros(self.rank**2).index_copy(0, self.places, entries).view(self.rank, self.rank)

    def forward(self) -> Tensor:
        """QR, or its transpose, (n_out, n_in)."""
        return self.Q @ self.R() if self.n_out > self.n_in else self.R().mT @ self.Q.mT

    @torch.no_grad()
    def represent_(self, phi: Tensor, generator: torch.Generator | None = None) -> None:
        """The QR factorisation of φ or its transpose; which entries above the diagonal are trained is left to chance."""
        self._choose_places(generator)
        phi = phi.to(precise(phi.dtype))
        Q, R = torch.linalg.qr(phi if self.n_out > self.n_in else phi.mT)
        self.Q.copy_(Q)
        entries = R.flatten()[self.places].to(self.triangle.dtype)
        self.triangle.copy_(entries[: len(self.triangle)])
        self.fixed_triangle.copy_(entries[len(self.triangle) :])

    def _choose_places(self, generator: torch.Generator | None) -> None:
        rows, columns = torch.triu_indices(self.rank, self.rank, offset=1)
        above, n_trained = rows * self.rank + columns, len(self.triangle) - self.rank
        if 0 < n_trained < len(above):
            source = generator.device if generator is not None else self.places.device
            order = torch.randperm(len(above), generator=generator, device=source).cpu()
            above = above[torch.cat([part.sort().values for part in order.split([n_trained, len(above) - n_trained])])]
        self.places.copy_(torch.cat([torch.arange(self.rank) * (self.rank + 1), above]))
