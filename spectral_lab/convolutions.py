r"""A convolution that is trained through eigenvalues and eigenvectors: one eigenvalue for every filter, its relevance.

A convolution is a fully connected layer whose weights repeat (Student, Suppl. B; :mod:`spectral_lab.toeplitz` shows it by
code).  What repeats over the places of the image are the weights, hence the eigenvectors φ; the eigenvalues are one number for
each channel:

.. math:: w_{oikl} = (\lambda^{\rm in}_i - \lambda^{\rm out}_o)\,\varphi_{oikl}

for the filter o, the input channel i and the place (k, l) in the filter.  With :math:`\lambda^{in} = 0` a filter whose
:math:`\lambda^{out}` is 0 is silent (Student, Suppl. B.2).

>>> conv = nn.Conv2d(3, 8, 3, padding=1)
>>> layer = SpectralConv2d.from_conv(conv)
>>> x = torch.rand(2, 3, 32, 32)
>>> bool((layer(x) == conv(x)).all())
True

Below this module lies :mod:`spectral_lab.starts`; next, read :mod:`spectral_lab.filters`.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from spectral_lab.starts import DRAWN, Start, check_dtype, check_size, undrawn

Pair = int | tuple[int, int]
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class SpectralConv2d(nn.Module):
    r"""A convolution in spectral space; arguments and function are those of ``nn.Conv2d``, the parameters are not.

    .. math:: y_o = b_o + \sum_i w_{oi} * x_i, \qquad w_{oikl} = (\lambda^{\rm in}_i - \lambda^{\rm out}_o)\,\varphi_{oikl}

    >>> layer = SpectralConv2d(16, 32, 3, padding="same", train_eigenvectors=False)
    >>> sum(p.numel() for p in layer.parameters() if p.requires_grad)  # 16 + 32 eigenvalues, 32 biases
    80
    >>> layer(torch.zeros(5, 16, 28, 28)).shape
    torch.Size([5, 32, 28, 28])

    A batch norm right behind the layer divides by the deviation of each channel and thereby undoes the size of
    :math:`\lambda^{out}`; there the norm's own factor γ is the relevance, and :meth:`from_normed` makes an eigenvalue of it.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode: as in ``nn.Conv2d``.
        bias: add b (out_channels,), which starts at 0.
        train_eigenvalues_in, train_eigenvalues_out: False freezes :math:`\lambda^{in}` (in_channels,) or
            :math:`\lambda^{out}` (out_channels,) at the start.
        train_eigenvectors: False freezes φ (out_channels, in_channels / groups, height, width).
        start: where training starts; the weights' variance is 1/3 over the number of weights in a filter.
        generator: source of all random numbers; None is torch's default generator.
        device, dtype: of the parameters.

    Raises:
        ValueError: channels, groups, filter, stride, padding, dilation or a padding mode that cannot be; all eigenvalues
            the same number.
        TypeError: a dtype that is no float type.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair | Literal["valid", "same"] = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros",
        *,
        train_eigenvalues_in: bool = True,
        train_eigenvalues_out: bool = True,
        train_eigenvectors: bool = True,
        start: Start = DRAWN,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_size("in_channels", in_channels, "channels")
        check_size("out_channels", out_channels, "filters")
        check_size("groups", groups, "groups")
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups = {groups} does not divide {in_channels} input channels and {out_channels} filters; wanted a common "
                "divisor of both"
            )
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"padding_mode = {padding_mode!r}; wanted one of {', '.join(PADDING_MODES)}")
        check_dtype(dtype)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = _pair("kernel_size", kernel_size), _pair("stride", stride)
        self.dilation, self.padding_mode, self.start = _pair("dilation", dilation), padding_mode, start
        self.padding: str | tuple[int, int] = _padding(padding, self.stride)
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        start.deviation(self.n_weights)
        factory: Any = {"device": device, "dtype": dtype}
        self.eigenvectors = nn.Parameter(torch.empty(shape, **factory), requires_grad=train_eigenvectors)
        self.eigenvalues_in = nn.Parameter(torch.empty(in_channels, **factory), requires_grad=train_eigenvalues_in)
        self.eigenvalues_out = nn.Parameter(torch.empty(out_channels, **factory), requires_grad=train_eigenvalues_out)
        self.bias = nn.Parameter(torch.empty(out_channels, **factory)) if bias else None
        self.reset_parameters(generator)

    @property
    def n_weights(self) -> int:
        """How many weights a filter has: input channels (of its group) times height times width."""
        return self.in_channels // self.groups * self.kernel_size[0] * self.kernel_size[1]

    # -- the settings of the literature --------------------------------------------------------------------------------

    @classmethod
    def student(cls, in_channels: int, out_channels: int, kernel_size: Pair, *args: Any, **options: Any) -> SpectralConv2d:
        r"""Student, Suppl. B.2: :math:`\lambda^{in} = 0` stays, :math:`\lambda^{out}`, the relevance, and φ are trained.

        :math:`\lambda^{out}` starts at 1, φ with Glorot's variance 2/(n_in + n_out): the links of a filter and of a channel,
        which reach no further than their group.
        """
        groups = options.get("groups", args[3] if len(args) > 3 else 1)  # behind stride, padding and dilation
        check_size("in_channels", in_channels, "channels")
        check_size("out_channels", out_channels, "filters")
        check_size("groups", groups, "groups")
        height, width = _pair("kernel_size", kernel_size)
        variance = 2 * groups / ((in_channels + out_channels) * height * width)
        start = Start(eigenvalues_in=0.0, eigenvalues_out=1.0, weight_variance=variance)
        options = {"start": start} | options
        return cls(in_channels, out_channels, kernel_size, *args, train_eigenvalues_in=False, **options)

    @classmethod
    def spectral(cls, in_channels: int, out_channels: int, kernel_size: Pair, *args: Any, **options: Any) -> SpectralConv2d:
        r"""PRE's "Spectral" for a convolution: :math:`\lambda^{in}` and :math:`\lambda^{out}` are trained, φ is not."""
        return cls(in_channels, out_channels, kernel_size, *args, train_eigenvectors=False, **options)

    # -- start and function --------------------------------------------------------------------------------------------

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Back to the start; with a generator in the same state, to the same numbers on every device.

        On the device "meta" there are no numbers, and nothing is drawn.
        """
        if self.eigenvectors.is_meta:
            return
        deviation = self.start.deviation(self.n_weights)
        self.eigenvectors.copy_(undrawn(self.eigenvectors, generator).normal_(generator=generator) * deviation)
        self.start.draw_eigenvalues_(self.eigenvalues_in, self.eigenvalues_out, generator)
        if self.bias is not None:
            self.bias.zero_()

    def extra_repr(self) -> str:
        """Channels, shape, bias, and how many numbers are trained."""
        usual = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1, "padding_mode": "zeros"}
        special = "".join(f", {name}={value!r}" for name, value in shape_of(self).items() if usual.get(name, value) != value)
        trained = sum(p.numel() for p in self.parameters() if p.requires_grad)
        size = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        return f"{size}{special}, bias={self.bias is not None}, trained={trained}"

    @property
    def weight(self) -> Tensor:
        """The weights w, of the shape of φ, made anew at each call."""
        lam_in = self.eigenvalues_in.view(self.groups, 1, -1)
        lam_out = self.eigenvalues_out.view(self.groups, -1, 1)
        return (lam_in - lam_out).flatten(0, 1)[..., None, None] * self.eigenvectors  # few numbers times many

    def forward(self, x: Tensor) -> Tensor:
        """Output (batch, out_channels, …) for images x (batch, in_channels, height, width), or for one without a batch.

        Raises:
            ValueError: x has other channels, or is smaller than the filter.
            TypeError: x is no float tensor, or of another float type than the layer (without autocast).
        """
        self._check(x)
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            x, padding = nn.functional.pad(x, margins(self), mode=self.padding_mode), 0
        return nn.functional.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _check(self, x: Tensor) -> None:
        if x.dim() not in (3, 4) or x.shape[-3] != self.in_channels:
            raise ValueError(
                f"the input has shape {tuple(x.shape)}; this layer wants (batch, {self.in_channels}, height, width), "
                f"images of {self.in_channels} channels"
            )
        if not x.is_floating_point():
            raise TypeError(
                f"the input has dtype {x.dtype}; wanted a float type, e.g. x.to({self.eigenvectors.dtype}) / 255 for pixels"
            )
        if x.dtype != self.eigenvectors.dtype and not torch.is_autocast_enabled(x.device.type):
            raise TypeError(f"the input has dtype {x.dtype}, the layer {self.eigenvectors.dtype}; convert one, e.g. by .to()")
        left, right, above, below = margins(self)
        padded = (x.shape[-2] + above + below, x.shape[-1] + left + right)
        reach = tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel_size, strict=True))
        if padded[0] < reach[0] or padded[1] < reach[1]:
            raise ValueError(
                f"the image is {padded[0]} × {padded[1]} with its padding, smaller than the filter, which reaches over "
                f"{reach[0]} × {reach[1]}; take larger images, more padding or smaller filters"
            )

    # -- from and to torch.nn ------------------------------------------------------------------------------------------

    @classmethod
    def from_conv(cls, conv: nn.Conv2d, **options: Any) -> SpectralConv2d:
        r"""The same function to the bit: :math:`\lambda^{in} = 0, \lambda^{out} = 1, \varphi = -w`, as for a linear layer.

        Args:
            conv: stays as it is; where its weight or bias is frozen, so is what is made of it.
            options: which numbers are trained, ``train_eigenvalues_in``, ``train_eigenvalues_out``, ``train_eigenvectors``.

        Raises:
            TypeError: no ``nn.Conv2d``: a transposed one has the same arguments, but is another function.
        """
        if not isinstance(conv, nn.Conv2d):
            raise TypeError(f"the layer is a {type(conv).__name__}; wanted an nn.Conv2d")
        weight, start = conv.weight, Start(eigenvalues_in=0.0, eigenvalues_out=1.0)
        shape = shape_of(conv) | {"bias": conv.bias is not None, "start": start}
        layer = cls(**shape, device="meta", dtype=weight.dtype, **options).to_empty(device=weight.device)
        with torch.no_grad():
            layer.eigenvalues_in.fill_(0.0)
            layer.eigenvalues_out.fill_(1.0)
            layer.eigenvectors.data = -weight.detach()  # in the order in memory that the weights have
            if layer.bias is not None and conv.bias is not None:
                layer.bias.copy_(conv.bias)
        if not weight.requires_grad:
            layer.requires_grad_(False)
        if layer.bias is not None and conv.bias is not None:
            layer.bias.requires_grad_(conv.bias.requires_grad)
        return layer.train(conv.training)

    @classmethod
    def from_normed(cls, conv: nn.Conv2d, norm: nn.BatchNorm2d, **options: Any) -> SpectralConv2d:
        r"""A convolution and the batch norm behind it as one layer, the norm's factor γ as the filter's eigenvalue.

        .. math:: \lambda^{\rm in} = 0, \quad \lambda^{\rm out}_o = \gamma_o, \quad
                  \varphi_{oikl} = -\frac{w_{oikl}}{\sqrt{\sigma_o^2 + \epsilon}}, \quad
                  b_o \leftarrow \beta_o + \gamma_o\,\frac{b_o - \mu_o}{\sqrt{\sigma_o^2 + \epsilon}}

        with the norm's running mean μ and variance σ², so it is the function that both compute in evaluation mode, up to
        rounding.  Network slimming (Liu et al. 2017) trains with ρ Σ|γ| and removes the filters of the smallest |γ|: that is
        the L1 penalty on :math:`\lambda^{out}` and the ranking by its size (Student, Suppl. B.2).  Two things differ in
        training: γ moves the offset (b - μ)/σ along, :math:`\lambda^{out}` leaves it in the bias,
        :math:`\partial_\gamma = \partial_{\lambda^{out}} + \frac{b-\mu}{\sqrt{\sigma^2+\epsilon}}\,\partial_b`; and the norm
        takes μ and σ of each batch, which follow w, so that the size of w means nothing, but that of φ does.

        Args:
            conv, norm: stay as they are; where w, γ or both biases are frozen, so is what is made of them.
            options: as for :meth:`from_conv`.

        Raises:
            ValueError: another number of channels; a norm without running statistics or without γ.
        """
        if norm.num_features != conv.out_channels:
            raise ValueError(f"the norm has {norm.num_features} channels, the convolution {conv.out_channels} filters")
        if norm.running_mean is None or norm.running_var is None or norm.weight is None:
            raise ValueError("the norm has no running mean and variance or no γ; wanted track_running_stats and affine")
        with torch.no_grad():
            deviation = (norm.running_var + norm.eps).sqrt()
            offset = -norm.running_mean if conv.bias is None else conv.bias - norm.running_mean
            like: Any = {"device": conv.weight.device, "dtype": conv.weight.dtype}
            normed = nn.utils.skip_init(nn.Conv2d, **shape_of(conv), **like)
            normed.weight.copy_(conv.weight / deviation[:, None, None, None])
            normed.bias.copy_(norm.weight * offset / deviation)
            if norm.bias is not None:
                normed.bias.add_(norm.bias)
            layer = cls.from_conv(normed.train(conv.training), **{"train_eigenvalues_in": False} | options)
            layer.eigenvalues_out.copy_(norm.weight)
        made_of: dict[str, list[Tensor | None]] = {"eigenvectors": [conv.weight], "eigenvalues_out": [norm.weight]}
        made_of |= {"eigenvalues_in": [conv.weight], "bias": [conv.bias, norm.bias]}
        for name, sources in made_of.items():
            trained = any(source is not None and source.requires_grad for source in sources)
            layer.get_parameter(name).requires_grad_(layer.get_parameter(name).requires_grad and trained)
        return layer

    @torch.no_grad()
    def to_conv(self) -> nn.Conv2d:
        """The same function as an ``nn.Conv2d`` with numbers of its own; its weight is trainable if anything in w is."""
        weight = self.weight
        options = {"bias": self.bias is not None, "device": weight.device, "dtype": weight.dtype}
        conv = nn.utils.skip_init(nn.Conv2d, **shape_of(self), **options)  # draws no random numbers
        conv.weight.data = weight
        conv.weight.requires_grad_(any(p.requires_grad for p in self.parameters() if p is not self.bias))
        if self.bias is not None:
            conv.bias.copy_(self.bias)
            conv.bias.requires_grad_(self.bias.requires_grad)
        return conv.train(self.training)


def shape_of(conv: nn.Conv2d | SpectralConv2d) -> dict[str, Any]:
    """The arguments that both kinds of layers have in common, but the bias."""
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
    return {name: getattr(conv, name) for name in names}


def margins(conv: nn.Conv2d | SpectralConv2d) -> list[int]:
    """What a convolution adds left, right, above and below; an odd number of "same" goes to the right and below."""
    if isinstance(conv.padding, tuple):
        return [conv.padding[1]] * 2 + [conv.padding[0]] * 2
    if conv.padding == "valid":
        return [0] * 4
    total = [d * (k - 1) for d, k in zip(conv.dilation, conv.kernel_size, strict=True)]
    return [part for n in reversed(total) for part in (n // 2, n - n // 2)]


def _pair(name: str, value: Pair, least: int = 1) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value) if isinstance(value, tuple | list) else ()
    if len(pair) != 2 or any(isinstance(n, bool) or not isinstance(n, int) or n < least for n in pair):
        raise ValueError(f"{name} = {value!r}; wanted a whole number of at least {least}, or two of them for height and width")
    return pair


def _padding(padding: Any, stride: tuple[int, int]) -> str | tuple[int, int]:
    if not isinstance(padding, str):
        return _pair("padding", padding, least=0)
    if padding not in ("valid", "same"):
        raise ValueError(f"padding = {padding!r}; wanted 'valid', 'same', a whole number or two of them")
    if padding == "same" and stride != (1, 1):
        raise ValueError(f"padding = 'same' keeps the size of the image, but stride = {stride}; wanted stride 1, or numbers")
    return padding
