r"""Rankings of filters, and of the nodes of linear layers behind them: a score for each, the least relevant with the lowest.

===================  ===============================================================  =========================================
name                 score of filter o                                                source
===================  ===============================================================  =========================================
"eigenvalue"         :math:`|\lambda^{out}_o|`                                        Student, Suppl. B.2
"eigenvalue_norm"    :math:`|\lambda^{out}_o|\,(\sum_{ikl}\varphi_{oikl}^2)^{1/2}`    Student Eq. 10
"connectivity"       :math:`\sum_{ikl}|w_{oikl}|`                                     Pruning's baseline; Li et al. 2017
"row_norm"           :math:`(\sum_{ikl} w_{oikl}^2)^{1/2}`                            Student Eq. 9
"batch_norm"         :math:`|\gamma_o|` of the batch norm right behind                network slimming, Liu et al. 2017
"activation"         variance of what the next layers hear, over images and places
"random"             uniform random numbers, from a seed                              the line that each ranking must beat
===================  ===============================================================  =========================================

A batch norm right behind a convolution divides by the deviation of each channel: it undoes the size of w and of
:math:`\lambda^{out}`, and the first four rankings then compare numbers whose size means nothing.  There rank by "batch_norm",
or make the two layers one before the training (:meth:`~spectral_lab.convolutions.SpectralConv2d.from_normed`).  With
:math:`\lambda^{in} \ne 0` the two rankings by eigenvalue are heuristics: a filter of eigenvalue 0 still speaks.

Where a residual addition ties the channels of several convolutions, their scores are added (:mod:`spectral_lab.filters`).
Rankings of the nodes of other networks: :mod:`spectral_lab.rankings`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from spectral_lab.convolutions import SpectralConv2d
from spectral_lab.filters.channels import Wired
from spectral_lab.layers import SpectralLinear


def _spectral(wired: Wired, name: str) -> SpectralConv2d | SpectralLinear:
    layer = wired.module(name)
    if not isinstance(layer, SpectralConv2d | SpectralLinear):
        raise ValueError(
            f"the layer {name} is of type {type(layer).__name__} and has no eigenvalues; rank by 'connectivity', 'row_norm' or "
            "'batch_norm', or make it spectral before it is trained (spectralize)"
        )
    return layer


def _rows(wired: Wired, name: str) -> Tensor:
    return wired.module(name).weight.flatten(1)


def _eigenvalue(wired: Wired, name: str) -> Tensor:
    return _spectral(wired, name).eigenvalues_out.abs()


def _eigenvalue_norm(wired: Wired, name: str) -> Tensor:
    layer = _spectral(wired, name)
    return layer.eigenvalues_out.abs() * torch.linalg.vector_norm(layer.eigenvectors.flatten(1), dim=1)


def _connectivity(wired: Wired, name: str) -> Tensor:
    return _rows(wired, name).abs().sum(1)


def _row_norm(wired: Wired, name: str) -> Tensor:
    return torch.linalg.vector_norm(_rows(wired, name), dim=1)


def _batch_norm(wired: Wired, name: str) -> Tensor:
    norm = wired.norm_behind.get(name)
    gamma = None if norm is None else wired.module(norm).weight
    if gamma is None:
        raise ValueError(
            f"no batch norm with a factor γ stands right behind the layer {name}; rank by another name, or spare it (layers=…)"
        )
    return gamma.abs()


FILTER_RANKINGS: dict[str, Callable[[Wired, str], Tensor]] = {
    "eigenvalue": _eigenvalue,
    "eigenvalue_norm": _eigenvalue_norm,
    "connectivity": _connectivity,
    "row_norm": _row_norm,
    "batch_norm": _batch_norm,
}
FILTER_RANKING_NAMES = (*FILTER_RANKINGS, "activation", "random")
