"""How many numbers a model has, and how many of them are trained: the ρ in the lower panels of PRE's figures.

>>> from spectral_lab.layers import SpectralLinear, feed_forward
>>> print(count_parameters(feed_forward([784, 500, 10], SpectralLinear.s_svd)))
layer  kind            trainable    total
0      SpectralLinear      2 284  644 284
2      SpectralLinear        530    5 630
sum                        2 814  649 914
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from torch import Tensor, nn

from spectral_lab.layers import SpectralLinear


@dataclass(frozen=True)
class LayerCount:
    """The numbers of one layer."""

    name: str  # as in ``model.named_modules()``; empty for the model itself
    kind: str  # name of its class
    trainable: int
    total: int


@dataclass(frozen=True)
class ParameterCount:
    """The numbers of a model, layer after layer; prints as a table, and as one in a notebook."""

    layers: tuple[LayerCount, ...]

    @property
    def trainable(self) -> int:
        """Numbers that are trained."""
        return sum(layer.trainable for layer in self.layers)

    @property
    def total(self) -> int:
        """All numbers, trained or fixed."""
        return sum(layer.total for layer in self.layers)

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """The table's cells: a head, a row for each layer, the sum."""
        head = ("layer", "kind", "trainable", "total")
        body = [
            (layer.name or "(model)", layer.kind, _grouped(layer.trainable), _grouped(layer.total)) for layer in self.layers
        ]
        return [head, *body, ("sum", "", _grouped(self.trainable), _grouped(self.total))]

    def __str__(self) -> str:
        """An aligned table, names to the left and numbers to the right."""
        widths = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        lines = []
        for name, kind, *numbers in self.rows:
            words = [name.ljust(widths[0]), kind.ljust(widths[1])]
            lines.append("  ".join(words + [n.rjust(width) for n, width in zip(numbers, widths[2:], strict=True)]))
        return "\n".join(lines)

    def _repr_markdown_(self) -> str:
        head, *body = ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join([head, "| --- | --- | ---: | ---: |", *body])

    def _repr_html_(self) -> str:
        head, *body = self.rows
        lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"]
        lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body]
        return "<table>" + "".join(lines) + "</table>"


def _grouped(n: int) -> str:
    return f"{n:,}".replace(",", " ")  # a space in every language; a comma is a decimal mark in some


def count_parameters(model: nn.Module) -> ParameterCount:
    r"""Count the numbers of any model, trained ones and all.

    Trained is what ``requires_grad``.  The total adds frozen parameters and, in spectral layers, the buffers that hold fixed
    parts of the eigenvectors (U, V, Q and the fixed entries of R).  Other buffers, such as the running means of batch norm
    or positions in a matrix, are no parameters of the model and do not count.  What stands in several places counts once,
    in the first of them.

    Per spectral layer and without biases PRE's Section III and App. D have, with M = min(n_in, n_out),

    =============  ==========================================  ====================================================
    setting        trained                                     total
    =============  ==========================================  ====================================================
    original       n_out; n_in + n_out in the first layer      n_in + n_out + n_in n_out
    Spectral       n_in + n_out                                n_in + n_out + n_in n_out
    S-SVD          n_in + n_out + M                            n_in + n_out + M + M (n_in + n_out)
    S-QR           n_in + n_out + M + p M(M-1)/2               n_in + n_out + M(M+1)/2 + M max(n_in, n_out)
    =============  ==========================================  ====================================================

    so that a stack of "Spectral" layers trains :math:`N_1 + N_\ell + 2\sum_{i=2}^{\ell-1} N_i` numbers.

    Args:
        model: any module.

    Returns:
        A row for every module that has numbers of its own; a spectral layer is one row, its basis included.
    """
    seen: set[Tensor] = set()
    counts = []
    for name, module in model.named_modules():
        whole = isinstance(module, SpectralLinear)
        numbers: list[Tensor] = list(module.parameters(recurse=whole))
        if whole:
            numbers += [buffer for buffer in module.buffers() if buffer.is_floating_point()]
        new = [tensor for tensor in numbers if tensor not in seen]
        seen.update(new)
        if new:
            trainable = sum(tensor.numel() for tensor in new if tensor.requires_grad)
            counts.append(LayerCount(name, type(module).__name__, trainable, sum(tensor.numel() for tensor in new)))
    return ParameterCount(tuple(counts))
