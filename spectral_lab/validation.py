"""Validation: how well a network does on data, those it is trained on and others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spectral_lab.batches import Rows

Loss = Callable[[Tensor, Tensor], Tensor]


class Measurement(NamedTuple):
    """How well a network does on data."""

    loss: Tensor  # a scalar: the mean over all rows
    accuracy: float | None  # share of rows whose largest output is that of the right class; None without classes


@contextmanager
def mode(network: nn.Module, training: bool) -> Iterator[None]:
    """A network in train() or eval() mode; afterwards each of its modules is in the mode in which it was found."""
    found = [(module, module.training) for module in network.modules()]
    network.train(training)
    try:
        yield
    finally:
        for module, before in found:
            module.training = before


def data_loss(loss: Loss, z: Tensor, y: Tensor) -> Tensor:
    """The loss of outputs and targets.

    Raises:
        ValueError: the mean squared error of different shapes, which PyTorch would broadcast to something else.
    """
    squares = loss is nn.functional.mse_loss or isinstance(loss, nn.MSELoss)
    if squares and z.shape != y.shape:
        raise ValueError(
            f"the network answers with the shape {tuple(z.shape)} and the targets have {tuple(y.shape)}; the mean squared "
            "error wants equal ones. For class numbers give another loss, e.g. loss=torch.nn.functional.cross_entropy"
        )
    return loss(z, y)


def describe_batch(x: Tensor, n: int, batch_size: int) -> str:
    """What a network was given that it could not do with, and what is usually wrong with it."""
    said = f"the batch has the shape {tuple(x.shape)} and the type {x.dtype}"
    if len(x) == 1 < n:
        said += f"; {n} rows in batches of {batch_size} leave one alone, and batch norm wants two at least"
        said += "; take another batch_size"
    if not x.is_floating_point():
        said += "; whole numbers stay what they are; divide the bytes of images by 255"
    return said


@torch.no_grad()
def measure(output: Callable[[Tensor], Tensor], loss: Loss, rows: Rows, chunk: int) -> Measurement:
    """Loss and accuracy over all rows, some at a time.

    Args:
        output: of inputs (rows, …); for classes (rows, n_classes, …).
        loss: the mean over the rows it is given.
        rows: the data.
        chunk: rows at a time; more where they are small.
    """
    losses, shares, right, answers = [], [], 0, 0
    for x, y in rows.chunks(chunk):
        z = output(x)
        losses.append(data_loss(loss, z, y))
        shares.append(len(x) / len(rows))
        if has_classes(z, y):
            right, answers = right + int((z.argmax(1) == y).sum()), answers + y.numel()
    if len(losses) == 1:  # to the bit what the loss says
        return Measurement(losses[0], right / answers if answers else None)
    means = torch.stack(losses)
    return Measurement((means * means.new_tensor(shares)).sum(), right / answers if answers else None)


def has_classes(z: Tensor, y: Tensor) -> bool:
    """Whether targets (rows, …) are numbers of the classes for which the outputs (rows, n_classes, …) stand."""
    whole = not y.is_floating_point() and not y.is_complex() and y.dtype != torch.bool
    return whole and z.dim() > 1 and z.shape[1] > 1 and z.shape[:1] + z.shape[2:] == y.shape
