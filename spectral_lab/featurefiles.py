"""Features of images in a file, with what they were made of and their checksum; :mod:`spectral_lab.backbones` makes them.

A file that is damaged, or that holds other features, is never taken for the right one:

>>> read_features("nowhere.safetensors", "images of cats") is None
True
"""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from spectral_lab.files import write_atomically

FORMAT = "spectral_lab features 1"


def digest(values: Tensor) -> str:
    """SHA-256 of the numbers of a tensor, their type and shape."""
    found = hashlib.sha256(f"{values.dtype} {tuple(values.shape)}".encode())
    for part in values.detach().split(1024):
        found.update(part.cpu().contiguous().view(torch.uint8).numpy().tobytes())  # NumPy has no bfloat16
    return found.hexdigest()


def write_features(path: str | os.PathLike[str], features: Tensor, made_of: str) -> None:
    """Keep features (n, n_features); the file is whole or not there."""
    metadata = {"format": FORMAT, "made of": made_of, "sha256": digest(features)}
    write_atomically(path, lambda name: save_file({"features": features.contiguous()}, name, metadata))


def read_features(path: str | os.PathLike[str], made_of: str) -> Tensor | None:
    """The features in a file; None if there is no file, and with a warning if it is damaged or holds others."""
    if not Path(path).exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            said, features = file.metadata() or {}, file.get_tensor("features").clone()  # not a view of the file
    except (SafetensorError, OSError) as error:
        why = str(error)
    else:
        if said.get("format") != FORMAT or said.get("made of") != made_of:
            why = f"it holds {said.get('made of', 'something else')}, and {made_of} is wanted"
        elif said.get("sha256") != digest(features):
            why = "its numbers do not have the checksum that was written with them"
        else:
            return features
    warnings.warn(f"{path} is damaged or foreign ({why}); the features are computed anew, and it is replaced", stacklevel=3)
    return None
