"""Snapshots: where a run of training stands, complete, so that it can go back there and continue to the same bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Packed = dict[tuple[torch.dtype, torch.device], Tensor]
OVERHEAD = 3000  # bytes of the objects around the numbers, as measured for small networks


class Snapshot(NamedTuple):
    """Every number that decides what comes next.  Its tensors never change."""

    step: int
    epochs: int
    position: int  # in the order of this epoch
    order: Tensor  # of the data; snapshots of one epoch share it
    generator: Tensor  # state of the random generator, shared likewise
    numbers: Packed  # parameters and buffers
    moments: Packed  # Adam's: step, mean and mean square for each trainable parameter; empty before the first step
    scale: tuple[float, int] | None = None  # of the objective, where gradients are of float16

    @property
    def nbytes(self) -> int:
        """Memory that it holds for itself, in bytes."""
        return OVERHEAD + sum(t.nbytes for packed in (self.numbers, self.moments) for t in packed.values())

    @property
    def finite(self) -> bool:
        """Whether all parameters and buffers are finite numbers."""
        # one NaN or infinity makes the sum one, too; in half precision a sum of many finite numbers may overflow
        sums = (flat.sum(dtype=torch.promote_types(flat.dtype, torch.float32)) for flat in self.numbers.values())
        return all(bool(total.isfinite()) for total in sums)


def pack(tensors: Sequence[Tensor]) -> Packed:
    """Copies of tensors as one flat vector for each dtype and device: a snapshot is taken many times a second."""
    groups: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault((tensor.dtype, tensor.device), []).append(tensor.detach().reshape(-1))
    return {kind: torch.cat(parts) for kind, parts in groups.items()}


def unpack(packed: Packed, like: Sequence[Tensor]) -> list[Tensor]:
    """The tensors that were packed, as views, in the shapes of others.

    Raises:
        ValueError: the others have another number of elements, type or device.
    """
    wanted: dict[tuple[torch.dtype, torch.device], int] = {}
    for tensor in like:
        wanted[tensor.dtype, tensor.device] = wanted.get((tensor.dtype, tensor.device), 0) + tensor.numel()
    if wanted != {kind: len(flat) for kind, flat in packed.items()}:
        raise ValueError("these are the numbers of other tensors")
    taken, found = dict.fromkeys(packed, 0), []
    for tensor in like:
        kind = tensor.dtype, tensor.device
        found.append(packed[kind][taken[kind] : taken[kind] + tensor.numel()].reshape(tensor.shape))
        taken[kind] += tensor.numel()
    return found
