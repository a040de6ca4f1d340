r"""One linear layer that is trained through its eigenvalues and eigenvectors, and the way from and to ``torch.nn``.

Two layers of nodes, n_in and n_out, have the adjacency matrix :math:`A = \Phi\Lambda\Phi^{-1}` with Φ the identity and the
block φ under its diagonal.  Its lower-left block are the weights between them,

.. math:: w_{ij} = (\lambda^{\rm in}_j - \lambda^{\rm out}_i)\,\varphi_{ij}

(Chicchi et al., *PRE*, Eq. 2).  :class:`SpectralLinear` is that layer, with named constructors for the settings of the
literature; :func:`feed_forward` stacks them.  Its sibling for images is :class:`~spectral_lab.convolutions.SpectralConv2d`.

>>> linear = nn.Linear(784, 10)
>>> layer = SpectralLinear.from_linear(linear)
>>> x = torch.rand(5, 784)
>>> torch.allclose(layer(x), linear(x), atol=1e-5)
True

Below this module lie :mod:`spectral_lab.starts`, :mod:`spectral_lab.bases`, the ways to hold φ, and
:mod:`spectral_lab.product`, the product x w^T and its gradients; next, read :mod:`spectral_lab.conversion` for whole
models, :mod:`spectral_lab.counting` and :mod:`spectral_lab.sparse`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from spectral_lab.bases import QR, SVD, Basis, Dense
from spectral_lab.convolutions import SpectralConv2d as SpectralConv2d  # the second kind of spectral layer
from spectral_lab.product import spectral_product, spectral_weights
from spectral_lab.starts import DRAWN, check_dtype, check_size
from spectral_lab.starts import Start as Start


class SpectralLinear(nn.Module):
    r"""A linear layer in spectral space: :math:`y = x w^T + b` with weights made from eigenvalues and eigenvectors.

    .. math:: w_{ij} = (\lambda^{\rm in}_j - \lambda^{\rm out}_i)\,\varphi_{ij} \qquad \text{(PRE Eq. 2)}

    >>> layer = SpectralLinear(784, 500, train_eigenvectors=False)
    >>> sum(p.numel() for p in layer.parameters() if p.requires_grad)  # 784 + 500 eigenvalues, 500 biases
    1784
    >>> layer(torch.zeros(2, 3, 784)).shape
    torch.Size([2, 3, 500])

    Args:
        n_in, n_out: nodes of the two layers.
        bias: add b (n_out,), which starts at 0.
        basis: how φ is held, see :mod:`spectral_lab.bases`: "dense", "svd" (S-SVD) or "qr" (S-QR).
        train_eigenvalues_in, train_eigenvalues_out: False freezes :math:`\lambda^{in}` or :math:`\lambda^{out}` at the start.
        train_eigenvectors: False freezes φ; in the other bases its singular values or triangle.
        trained_off_diagonal: for "qr" only, the share p of the entries above R's diagonal that are trained; None is 1.
        start: where training starts.
        generator: source of all random numbers; None is torch's default generator.
        device, dtype: of parameters and buffers.

    Raises:
        ValueError: a size that is no positive whole number, an unknown basis, p outside [0, 1] or for another basis than
            "qr", all eigenvalues the same number.
        TypeError: a dtype that is no float type.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        bias: bool = True,
        basis: Literal["dense", "svd", "qr"] = "dense",
        train_eigenvalues_in: bool = True,
        train_eigenvalues_out: bool = True,
        train_eigenvectors: bool = True,
        trained_off_diagonal: float | None = None,
        start: Start = DRAWN,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_size("n_in", n_in)
        check_size("n_out", n_out)
        check_dtype(dtype)
        start.deviation(n_in)
        bases: dict[str, Callable[..., Basis]] = {"dense": Dense, "svd": SVD, "qr": QR}
        if basis not in bases:
            raise ValueError(f"basis = {basis!r}; wanted 'dense', 'svd' or 'qr'")
        if trained_off_diagonal is not None:
            _check_share(trained_off_diagonal, basis)
            bases["qr"] = partial(QR, trained_off_diagonal=trained_off_diagonal)
        factory: Any = {"device": device, "dtype": dtype}
        self.n_in, self.n_out, self.start = n_in, n_out, start
        self.basis = bases[basis](n_in, n_out, train=train_eigenvectors, **factory)
        self.eigenvalues_in = nn.Parameter(torch.empty(n_in, **factory), requires_grad=train_eigenvalues_in)
        self.eigenvalues_out = nn.Parameter(torch.empty(n_out, **factory), requires_grad=train_eigenvalues_out)
        self.bias = nn.Parameter(torch.empty(n_out, **factory)) if bias else None
        self.reset_parameters(generator)

    # -- the settings of the literature --------------------------------------------------------------------------------

    @classmethod
    def original(cls, n_in: int, n_out: int, *, first: bool = False, **options: Any) -> SpectralLinear:
        r"""The first spectral method (Nat. Commun. 2021, as told in PRE Section II): :math:`\lambda^{out}` alone is trained.

        :math:`\lambda^{in} = 1` stays, but for the ``first`` layer of a network, which trains it too.
        """
        start = Start() if first else Start(eigenvalues_in=1.0)
        return cls(n_in, n_out, train_eigenvalues_in=first, train_eigenvectors=False, **{"start": start} | options)

    @classmethod
    def spectral(cls, n_in: int, n_out: int, **options: Any) -> SpectralLinear:
        r"""PRE's "Spectral" (Section III): :math:`\lambda^{in}` and :math:`\lambda^{out}` are trained, φ is not."""
        return cls(n_in, n_out, train_eigenvectors=False, **options)

    @classmethod
    def s_svd(cls, n_in: int, n_out: int, **options: Any) -> SpectralLinear:
        """PRE's "S-SVD" (Section III): all eigenvalues and the M singular values of φ are trained."""
        return cls(n_in, n_out, basis="svd", **options)

    @classmethod
    def s_qr(cls, n_in: int, n_out: int, *, p: float = 1.0, **options: Any) -> SpectralLinear:
        """PRE's "S-QR" (Section III): all eigenvalues and φ's triangle are trained, of its upper part a share p (App. D)."""
        return cls(n_in, n_out, basis="qr", trained_off_diagonal=p, **options)

    @classmethod
    def student(cls, n_in: int, n_out: int, **options: Any) -> SpectralLinear:
        r"""The setting of Pruning and Student: :math:`\lambda^{in} = 0` stays, :math:`\lambda^{out}` and φ are trained.

        :math:`\lambda^{out}` starts at 1 and φ with Glorot's variance 2/(n_in + n_out), as in Student Section 3.
        """
        check_size("n_in", n_in)
        check_size("n_out", n_out)
        start = Start(eigenvalues_in=0.0, eigenvalues_out=1.0, weight_variance=2 / (n_in + n_out))
        return cls(n_in, n_out, train_eigenvalues_in=False, **{"start": start} | options)

    # -- start and function --------------------------------------------------------------------------------------------

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Back to the start; with a generator in the same state, to the same numbers on every device.

        On the device "meta" there are no numbers, and nothing is drawn.
        """
        if self.eigenvalues_in.is_meta:
            return
        self.basis.draw_(self.start.deviation(self.n_in), generator)
        self.start.draw_eigenvalues_(self.eigenvalues_in, self.eigenvalues_out, generator)
        if self.bias is not None:
            self.bias.zero_()

    def extra_repr(self) -> str:
        """Sizes, bias, and how many numbers are trained."""
        trained = sum(p.numel() for p in self.parameters() if p.requires_grad)
        return f"{self.n_in}, {self.n_out}, bias={self.bias is not None}, trained={trained}"

    @property
    def eigenvectors(self) -> Tensor:
        """The eigenvectors φ (n_out, n_in); in the dense basis the parameter itself."""
        return self.basis()

    @property
    def weight(self) -> Tensor:
        """The weights w (n_out, n_in), made anew at each call."""
        return spectral_weights(self.eigenvectors, self.eigenvalues_in, self.eigenvalues_out)

    def forward(self, x: Tensor) -> Tensor:
        """Output (..., n_out) for the input x (..., n_in).  No activation.

        Raises:
            ValueError: x is of another width.
            TypeError: x is no float tensor.
        """
        if x.dim() == 0 or x.shape[-1] != self.n_in:
            raise ValueError(f"the input has shape {tuple(x.shape)}; this layer wants (..., {self.n_in})")
        if not x.is_floating_point():
            raise TypeError(f"the input has dtype {x.dtype}; wanted a float type, e.g. x.to({self.eigenvalues_in.dtype})")
        return spectral_product(x, self.eigenvectors, self.eigenvalues_in, self.eigenvalues_out, self.bias)

    # -- from and to torch.nn ------------------------------------------------------------------------------------------

    @classmethod
    def from_linear(cls, linear: nn.Linear, *, generator: torch.Generator | None = None, **options: Any) -> SpectralLinear:
        r"""The same function as a linear layer: :math:`\lambda^{in} = 0, \lambda^{out} = 1, \varphi = -w` (Student Section 3).

        In the bases "svd" and "qr" the fixed factors are those of -w, so the function is the same up to rounding there too.

        Args:
            linear: stays as it is; where its weight or bias is frozen, so is what is made of it.
            generator: for the entries of R that are trained, when only a share is.
            options: of the constructor, but sizes, bias, start, device and dtype.
        """
        weight, start = linear.weight, Start(eigenvalues_in=0.0, eigenvalues_out=1.0)
        shape: Any = {"bias": linear.bias is not None, "device": "meta", "dtype": weight.dtype, "start": start}
        layer = cls(linear.in_features, linear.out_features, **shape, **options).to_empty(device=weight.device)
        with torch.no_grad():
            layer.eigenvalues_in.fill_(0.0)
            layer.eigenvalues_out.fill_(1.0)
            layer.basis.represent_(-weight, generator)
            if layer.bias is not None:
                layer.bias.copy_(linear.bias)
        if not weight.requires_grad:
            layer.requires_grad_(False)
        if layer.bias is not None:
            layer.bias.requires_grad_(linear.bias.requires_grad)
        return layer.train(linear.training)

    @torch.no_grad()
    def to_linear(self) -> nn.Linear:
        """The same function as an ``nn.Linear`` with numbers of its own; its weight is trainable if anything in w is."""
        weight = self.weight
        options = {"bias": self.bias is not None, "device": weight.device, "dtype": weight.dtype}
        linear = nn.utils.skip_init(nn.Linear, self.n_in, self.n_out, **options)  # draws no random numbers
        linear.weight.copy_(weight)
        linear.weight.requires_grad_(any(p.requires_grad for p in self.parameters() if p is not self.bias))
        if self.bias is not None:
            linear.bias.copy_(self.bias)
            linear.bias.requires_grad_(self.bias.requires_grad)
        return linear.train(self.training)


def _check_share(p: float, basis: str) -> None:
    if basis != "qr":
        raise ValueError(f"trained_off_diagonal = {p} belongs to basis='qr'; the basis is {basis!r}, leave it out there")
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
        raise ValueError(f"trained_off_diagonal = {p!r}; wanted a share p between 0 and 1")


def feed_forward(
    sizes: Sequence[int],
    layer: Callable[..., nn.Module] = SpectralLinear.spectral,
    *,
    first: Callable[..., nn.Module] | None = None,
    activation: Callable[[], nn.Module] = nn.ReLU,
    **options: Any,
) -> nn.Sequential:
    r"""A stack of layers with activations between them, none at the end.

    Each pair of adjacent layers has eigenvalues of its own, so a hidden layer has two sets: "spectral" layers train
    :math:`N_1 + N_\ell + 2\sum_{i=2}^{\ell-1} N_i` of them (PRE Section III).

    >>> sum(p.numel() for p in feed_forward([784, 500, 10], bias=False).parameters() if p.requires_grad)  # 784 + 2*500 + 10
    1794

    Args:
        sizes: nodes of each layer, input first; two layers or more.
        layer: makes a layer from its two sizes, e.g. ``SpectralLinear.s_svd`` or ``nn.Linear``.
        first: makes the first one, where it differs: ``partial(SpectralLinear.original, first=True)``.
        activation: makes f.
        options: for every layer, e.g. ``bias``, ``generator``, ``dtype``.

    Raises:
        ValueError: fewer than two sizes.
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes = {list(sizes)}; wanted at least an input and an output layer, e.g. [784, 500, 10]")
    modules: list[nn.Module] = []
    for k, (n_in, n_out) in enumerate(pairwise(sizes)):
        make = first if first is not None and k == 0 else layer
        modules += [make(n_in, n_out, **options), activation()]
    return nn.Sequential(*modules[:-1])
