"""Data that fit a network, and the loss that fits the data; what does not is refused with a clear word.

Next, read :mod:`spectral_lab.curves`, where they are needed first.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from spectral_lab.filters import Filters
from spectral_lab.unfolding import Unfolded

Loss = Callable[[Tensor, Tensor], Tensor]


def default_loss(y: Tensor) -> Loss:
    """Cross-entropy for class numbers (a whole-number type), the mean squared error for all else."""
    return nn.functional.mse_loss if y.is_floating_point() else nn.functional.cross_entropy


def check_data(unfolded: Unfolded, x: Tensor | None, y: Tensor | None, loss: Loss | None = None) -> None:
    """Refuse data that do not fit the network or each other.

    Raises:
        ValueError: no rows, another device or float type, another width, NaN, or different numbers of rows.
    """
    check_rows(next(iter(unfolded.weights.values())), x, y)
    if x is None:
        return
    n_in, n_out = unfolded.nodes[0], unfolded.nodes[-1]
    width = unfolded.enter(x[:1]).shape[-1]
    if width != n_in:
        raise ValueError(f"x has shape {tuple(x.shape)}, which makes rows of {width} numbers; the network takes {n_in}")
    if y is not None and loss is None:  # a loss of one's own knows what it takes
        _check_targets(y, n_out)


def check_images(filters: Filters, x: Tensor | None, y: Tensor | None, loss: Loss | None = None) -> None:
    """Refuse images or targets that do not fit a model with convolutions, or each other.

    Raises:
        ValueError: as :func:`check_data`; images that the model cannot read.
    """
    check_rows(filters.like, x, y)
    if x is None:
        return
    try:
        output = filters.output(x[:2])  # a batch norm without running statistics refuses a single row
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise ValueError(f"x has shape {tuple(x.shape)}, and the model cannot read such images: {error}") from error
    if y is not None and loss is None and output.dim() == 2:
        _check_targets(y, output.shape[-1])


def check_rows(like: Tensor, x: Tensor | None, y: Tensor | None) -> None:
    """Refuse data that fit no network with such parameters.

    Raises:
        ValueError: no rows, another device or float type, NaN, or different numbers of rows.
    """
    if x is None:
        if y is not None:
            raise ValueError("y is given without x; targets need the inputs that belong to them")
        return
    for name, data in {"x": x, "y": y}.items():
        if data is None:
            continue
        if data.dim() == 0 or len(data) == 0:
            raise ValueError(f"{name} has shape {tuple(data.shape)}; wanted one row a sample, at least one sample")
        if data.device != like.device:
            raise ValueError(
                f"{name} is on {data.device}, the network on {like.device}; move one, e.g. {name}.to({str(like.device)!r})"
            )
        if data.is_floating_point() and not bool(data.isfinite().all()):
            raise ValueError(f"{name} has NaN or infinite values; remove or replace those rows")
    if x.dtype != like.dtype:
        raise ValueError(f"x has dtype {x.dtype}, the network {like.dtype}; convert one, e.g. x.to({like.dtype})")
    if y is not None and len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows and y has {len(y)}; wanted one target for each input")


def _check_targets(y: Tensor, n_out: int) -> None:
    if y.is_floating_point() and y.shape[-1] != n_out:
        raise ValueError(f"y has shape {tuple(y.shape)}; the network has {n_out} outputs, so wanted (…, {n_out})")
    if not y.is_floating_point() and not 0 <= int(y.min()) <= int(y.max()) < n_out:
        raise ValueError(f"y has classes from {y.min()} to {y.max()}; the network has {n_out} outputs, wanted 0 to {n_out - 1}")


def refuse_fold(fold: bool) -> None:
    """Refuse to fold means of filters into biases.

    Raises:
        ValueError: it is asked for.
    """
    if fold:
        raise ValueError(
            "fold=True holds removed nodes at their mean, which no bias behind a convolution with zero padding can do: the "
            "border differs. Leave it out; removed filters deliver 0"
        )
