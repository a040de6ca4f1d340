r"""A convolution is a fully connected spectral layer: with its weights as eigenvalues, or as eigenvectors (Student, Suppl. B).

On images of a given size a convolution multiplies the flattened image with a matrix M(w), in which the filter repeats: a
Toeplitz matrix of Toeplitz blocks.  :func:`toeplitz_matrix` writes it down, and two spectral layers have it as their weights.

* Suppl. B.1, :func:`weights_as_eigenvalues`: every pixel is duplicated once for each weight that it meets, so that each
  column of M holds one weight.  Then φ is binary, :math:`\lambda^{out} = 0`, and :math:`\lambda^{in}` are the weights.
* Suppl. B.2, :func:`filters_as_eigenvectors`: φ is the Toeplitz matrix of the filter, :math:`\lambda^{in} = 0`, and all
  outputs of a filter have the same :math:`\lambda^{out}`, its relevance.  (B.2 says first 1 and then 0 for
  :math:`\lambda^{in}`; with 1 a filter of relevance 0 would speak in full, so 0 is meant: :mod:`spectral_lab.misprints`.)

>>> conv = nn.Conv2d(1, 1, 3, bias=False)
>>> layer = weights_as_eigenvalues(conv, 5, 5).layer
>>> layer.eigenvectors.unique().tolist(), layer.eigenvectors.sum(0).unique().tolist()  # binary, one entry a column
([0.0, 1.0], [1.0])
>>> layer.n_in, layer.n_out  # 9 places of the filter, 9 weights each
(81, 9)

Below this module lies :mod:`spectral_lab.convolutions`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectral_lab.convolutions import SpectralConv2d, margins
from spectral_lab.layers import SpectralLinear
from spectral_lab.starts import Start


class Unrolled(nn.Module):
    """A convolution as a fully connected spectral layer between flattened images of one size.

    Attributes:
        layer: the :class:`~spectral_lab.layers.SpectralLinear`, to look at or to train; what repeats in it is free then to
            become different.
        pixels: which number of the flattened image each node of its first layer holds, (n_in,).
        shape: filters, height and width of the output.
    """

    pixels: Tensor

    def __init__(self, layer: SpectralLinear, pixels: Tensor, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.layer, self.shape = layer, shape
        self.register_buffer("pixels", pixels)

    def forward(self, x: Tensor) -> Tensor:
        """Output (batch, filters, height, width) for images (batch, channels, height, width) of the size that was given."""
        return self.layer(x.flatten(1)[:, self.pixels]).unflatten(1, self.shape)


def receptive_fields(conv: nn.Conv2d | SpectralConv2d, height: int, width: int) -> tuple[Tensor, tuple[int, int]]:
    """Which number of the flattened image meets which weight.

    Args:
        conv: any convolution.
        height, width: of the images.

    Returns:
        For each filter, place of the output and weight of the filter (out_channels, places, n_weights) the number in the
        flattened image, or -1 in the zeros of the padding; and height and width of the output.

    Raises:
        ValueError: images smaller than the filter.
    """
    numbers = torch.arange(1.0, 1 + conv.in_channels * height * width, dtype=torch.float64).view(1, -1, height, width)
    kernel, dilation, stride = conv.kernel_size, conv.dilation, conv.stride
    numbers = nn.functional.pad(numbers, margins(conv), mode="constant" if conv.padding_mode == "zeros" else conv.padding_mode)
    padded = numbers.shape[2:]
    places = [(n - d * (k - 1) - 1) // s + 1 for n, k, d, s in zip(padded, kernel, dilation, stride, strict=True)]
    if min(places) < 1:
        raise ValueError(f"images of {height} × {width} are smaller than the filter {kernel}; take larger ones, or padding")
    seen = nn.functional.unfold(numbers, kernel, dilation, stride=stride)[0].long() - 1  # (channels · weights, places)
    seen = seen.view(conv.groups, -1, seen.shape[-1]).mT.repeat_interleave(conv.out_channels // conv.groups, 0)
    return seen, (places[0], places[1])


def toeplitz_matrix(conv: nn.Conv2d | SpectralConv2d, height: int, width: int, entries: Tensor | None = None) -> Tensor:
    """The matrix M(w) by which a convolution multiplies a flattened image (Student, Fig. B.2).

    Args:
        conv: any convolution.
        height, width: of the images.
        entries: numbers of the shape of the weights, to put in their places; None is the weights.

    Returns:
        (out_channels · places, in_channels · height · width).
    """
    entries = (conv.weight if entries is None else entries).detach()
    seen, (n, m) = receptive_fields(conv, height, width)
    seen = seen.to(entries.device).flatten(0, 1)  # (rows, weights of a filter)
    matrix = entries.new_zeros(len(seen), 1 + conv.in_channels * height * width)  # the last column: zeros of the padding
    values = entries.flatten(1).repeat_interleave(n * m, 0)
    return matrix.scatter_add_(1, seen % matrix.shape[1], values)[:, :-1]


@torch.no_grad()
def weights_as_eigenvalues(conv: nn.Conv2d | SpectralConv2d, height: int, width: int) -> Unrolled:
    r"""Suppl. B.1: binary φ, :math:`\lambda^{out} = 0`, and every :math:`\lambda^{in}` is the weight in its column.

    .. math:: w_{ij} = (\lambda^{\rm in}_j - 0)\,\varphi_{ij}, \qquad \varphi_{ij} \in \{0, 1\}, \quad \sum_i \varphi_{ij} = 1

    Args:
        conv: a convolution, spectral or plain; stays as it is.
        height, width: of the images.
    """
    seen, places = receptive_fields(conv, height, width)
    seen, weight = seen.to(conv.weight.device), conv.weight.flatten(1)
    real = seen >= 0  # nobody needs a copy of the padding
    rows = torch.arange(real[..., 0].numel(), device=seen.device).view(*real.shape[:2], 1).expand_as(seen)[real]
    layer = _layer(len(rows), real[..., 0].numel(), conv, places)
    layer.eigenvalues_in.copy_(weight[:, None].expand(real.shape)[real])
    layer.eigenvalues_out.zero_()
    layer.basis.represent_((rows == torch.arange(layer.n_out, device=rows.device)[:, None]).to(weight.dtype))
    return Unrolled(layer, seen[real], (conv.out_channels, *places))


@torch.no_grad()
def filters_as_eigenvectors(conv: nn.Conv2d | SpectralConv2d, height: int, width: int) -> Unrolled:
    r"""Suppl. B.2: φ has Toeplitz structure, and all outputs of a filter have its :math:`\lambda^{out}`, the relevance.

    .. math:: w_{ij} = (\lambda^{\rm in}_{c(j)} - \lambda^{\rm out}_{o(i)})\,\mathcal{M}(\varphi)_{ij}

    for the filter o(i) of an output and the channel c(j) of an input.  The paper's case is :math:`\lambda^{in} = 0`, the
    setting :meth:`~spectral_lab.convolutions.SpectralConv2d.student`; a plain convolution becomes spectral first, with
    relevance 1.

    Network slimming (Liu et al. 2017) is this with :math:`\lambda^{out} = \gamma`, the factor of the batch norm behind:
    ``filters_as_eigenvectors(SpectralConv2d.from_normed(conv, norm), height, width)``.  It penalises :math:`\sum_o|\gamma_o|`,
    the L1 norm of the convolution's eigenvalues; in that of this layer's each filter counts once for each of its places.

    Args:
        conv: a convolution, spectral or plain; stays as it is.
        height, width: of the images.
    """
    spectral = conv if isinstance(conv, SpectralConv2d) else SpectralConv2d.from_conv(conv)
    seen, places = receptive_fields(spectral, height, width)
    n_in, n_out = conv.in_channels * height * width, seen.shape[0] * seen.shape[1]
    layer = _layer(n_in, n_out, conv, places)
    layer.eigenvalues_in.copy_(spectral.eigenvalues_in.repeat_interleave(height * width))
    layer.eigenvalues_out.copy_(spectral.eigenvalues_out.repeat_interleave(seen.shape[1]))
    layer.basis.represent_(toeplitz_matrix(spectral, height, width, spectral.eigenvectors))
    return Unrolled(layer, torch.arange(n_in, device=conv.weight.device), (conv.out_channels, *places))


def _layer(n_in: int, n_out: int, conv: nn.Conv2d | SpectralConv2d, places: tuple[int, int]) -> SpectralLinear:
    """A layer whose eigenvalues and eigenvectors are still to be written, with the filters' biases at all places."""
    start = Start(eigenvalues_in=0.0, eigenvalues_out=1.0)
    options = {"bias": conv.bias is not None, "device": conv.weight.device, "dtype": conv.weight.dtype, "start": start}
    layer = SpectralLinear(n_in, n_out, generator=torch.Generator().manual_seed(0), **options)  # type: ignore[arg-type]
    if layer.bias is not None and conv.bias is not None:
        layer.bias.copy_(conv.bias.repeat_interleave(places[0] * places[1]))
    return layer.train(conv.training)
