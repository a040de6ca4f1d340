"""Networks for other programs: plain ``torch.nn`` modules, and ONNX files.

Below this module lie :mod:`spectral_lab.conversion` and :mod:`spectral_lab.networks`; files that this package reads back are
in :mod:`spectral_lab.storage`.
"""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from spectral_lab.conversion import materialize
from spectral_lab.files import write_atomically
from spectral_lab.networks import SpectralNet

ONNX_PACKAGES = ("onnx", "onnxscript")


def plain(model: nn.Module) -> nn.Module:
    """The same function without anything spectral, with numbers of its own.

    A SpectralNet is compacted exactly to a DirectNet (its silent nodes go), spectral layers become ``nn.Linear``.
    """
    return model.compact() if isinstance(model, SpectralNet) else materialize(model)


def save_onnx(model: nn.Module, path: str | os.PathLike[str], x: Tensor) -> None:
    """Write a network to an ONNX file for inference elsewhere, whole or not at all; any number of rows may go in.

    Args:
        model: any module; a spectral one is made :func:`plain` first.  Stays as it is.
        path: where to; the names inside are "x" and "y".
        x: two rows or more of input (batch, …), for their type and shape.

    Raises:
        ImportError: the packages that PyTorch needs to write ONNX are not installed.
        ValueError: x has fewer than two rows; of one, a program could not tell that others may come.
    """
    missing = [name for name in ONNX_PACKAGES if find_spec(name) is None]
    if missing:
        raise ImportError(f"to write ONNX, {' and '.join(missing)} must be installed: pip install 'spectral-lab[onnx]'")
    if x.dim() < 2 or len(x) < 2:
        raise ValueError(f"x has shape {tuple(x.shape)}; wanted two rows or more, (batch, …)")
    network = plain(model).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about PyTorch's own code
        program = torch.onnx.export(
            network, (x,), input_names=["x"], output_names=["y"], dynamic_shapes=({0: "batch"},), dynamo=True, verbose=False
        )
    assert program is not None  # it is None for the old exporter only
    write_atomically(path, lambda temporary: program.save(temporary))
