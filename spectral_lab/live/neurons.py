"""The neurons of a stack as a picture: where each stands, which links are drawn, what each looks for, and what is answered.

Pure functions of a trained stack; :mod:`spectral_lab.live.pruningbench` sends their results to the browser once, and whatever
the hand does then is drawn without asking the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from spectral_lab.stacks import read_stack
from spectral_lab.unfolding import Unfolded

LINKS = 1000  # between two layers, the strongest
COLUMN = 20  # neurons that stand below each other; more stand side by side
ASPECT = 1.2  # width of the picture, in heights
FIRST, LAST = 0.22, 0.84  # of the width: between them stand the hidden layers
OUTPUTS = 0.885  # of the width
IMAGE = 32  # pixels on a side; larger inputs are not drawn


def places(sizes: Sequence[int]) -> list[tuple[float, float]]:
    """Where the hidden neurons of all layers stand, x and y in [0, 1]: each layer a block of one column or several."""
    room, found = (LAST - FIRST) / len(sizes[1:-1]), []
    for k, n in enumerate(sizes[1:-1]):
        columns, step = _block(n, room)
        rows, middle = math.ceil(n / columns), FIRST + (k + 0.5) * room
        for node in range(n):
            x = middle + (node % columns - (columns - 1) / 2) * step / ASPECT
            found.append((x, 0.5 + (node // columns - (rows - 1) / 2) * step))
    return found


def spacing(sizes: Sequence[int]) -> list[float]:
    """The distance between two neighbours in each hidden layer, in heights of the picture."""
    room = (LAST - FIRST) / len(sizes[1:-1])
    return [_block(n, room)[1] for n in sizes[1:-1]]


def outputs(n: int) -> list[tuple[float, float]]:
    """Where the outputs stand, right of all hidden neurons."""
    gap = min(1 / n, 0.1)
    return [(OUTPUTS, 0.5 + (k - (n - 1) / 2) * gap) for k in range(n)]


def _block(n: int, room: float) -> tuple[int, float]:
    """Columns of a layer of n neurons, and the distance between two: as far apart sideways as upwards."""
    columns = max(1, min(math.ceil(n / COLUMN), math.ceil(math.sqrt(n * room * ASPECT))))
    return columns, min(1 / math.ceil(n / columns), room * ASPECT / (columns + 0.5), 0.08)


@torch.no_grad()
def links(model: nn.Module) -> list[tuple[int, int, float]]:
    """The strongest links that leave hidden neurons: (source, target, weight relative to the largest of its bundle).

    Nodes are numbered through all layers behind the inputs, so that the hidden neurons come first and the outputs last.
    """
    stack, found, first = read_stack(model), [], 0
    for layer, (before, _) in zip(stack.layers[1:], pairwise(stack.sizes[1:]), strict=True):
        weight = layer.weight.detach()
        flat = weight.flatten()
        strongest = flat.abs().topk(min(LINKS, flat.numel())).indices.sort().values
        scale = max(float(flat.abs().max()), 1e-12)
        for at in strongest.tolist():
            i, j = divmod(at, weight.shape[1])
            found.append((first + j, first + before + i, float(flat[at]) / scale))
        first += before
    return found


@torch.no_grad()
def bundles(model: nn.Module) -> list[float]:
    """How thick the bundle from the inputs into each neuron of the first hidden layer is: its norm, 1 for the largest."""
    norms = read_stack(model).layers[0].weight.detach().norm(dim=1)
    return (norms / norms.max().clamp(min=1e-12)).tolist()


def image_shape(x: Tensor) -> tuple[int, int] | None:
    """Height and width of the inputs if they can be shown as grey images: square rows, or (1, h, w)."""
    shape = tuple(x.shape[1:])
    if len(shape) == 3 and shape[0] == 1 and max(shape) <= IMAGE:
        return shape[1], shape[2]
    side = math.isqrt(shape[-1]) if len(shape) == 1 else 0
    return (side, side) if 1 < side <= IMAGE and side * side == shape[0] else None


@torch.no_grad()
def looks_for(model: nn.Module) -> Tensor:
    """The weights into each neuron of the first hidden layer, (N_1, n_in), each row between -1 and 1."""
    weight = read_stack(model).layers[0].weight.detach()
    return weight / weight.abs().amax(1, keepdim=True).clamp(min=1e-12)


def examples(y: Tensor, most: int = 10) -> list[int]:
    """Rows that make good examples: the first one of each class."""
    return [int((y == c).nonzero()[0]) for c in y.unique().tolist()[:most]]


@torch.no_grad()
def answers(unfolded: Unfolded, order: Sequence[tuple[int, int]], x: Tensor) -> Tensor:
    """What the network says to some inputs with 0, 1, … of its neurons: probabilities (N + 1, batch, n_out)."""
    keep = [torch.zeros(n, dtype=torch.bool, device=x.device) for n in unfolded.hidden]
    found = [unfolded.output(x, keep)]
    for k, n in order:
        keep[k][n] = True
        found.append(unfolded.output(x, keep))
    return torch.stack(found).softmax(-1)
