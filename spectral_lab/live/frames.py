"""Arrays to one binary buffer and back: what the kernel sends to the browser for each picture."""

from __future__ import annotations

import numpy as np

Arrays = dict[str, np.ndarray]
TYPES = {"f4": np.float32, "i2": np.int16, "u2": np.uint16, "i1": np.int8}


def pack(arrays: Arrays) -> tuple[list[tuple[str, str, int]], bytes]:
    """One buffer for all arrays, each beginning at a multiple of 4 bytes, and its table of contents (name, type, length)."""
    contents, parts = [], []
    for name, array in arrays.items():
        kind = f"{array.dtype.kind}{array.dtype.itemsize}"
        if kind not in TYPES:
            raise TypeError(f"{name} is {array.dtype}; wanted one of {list(TYPES)}")
        raw = np.ascontiguousarray(array).tobytes()
        contents.append((name, kind, array.size))
        parts.append(raw + bytes(-len(raw) % 4))
    return contents, b"".join(parts)


def unpack(contents: list[tuple[str, str, int]], buffer: bytes) -> Arrays:
    """What :func:`pack` packed, as flat arrays; the browser does the same in ``frames.js``."""
    arrays, at = {}, 0
    for name, kind, length in contents:
        dtype = np.dtype(TYPES[kind])
        arrays[name] = np.frombuffer(buffer, dtype, length, at)
        at += -(-length * dtype.itemsize // 4) * 4
    return arrays


def quantised(values: np.ndarray, kind: type[np.signedinteger] = np.int16) -> tuple[np.ndarray, float]:
    """Values as small integers and the factor that turns them back; enough for a picture, at a fraction of the bytes."""
    most = np.iinfo(kind).max
    largest = float(np.abs(values).max(initial=0.0))
    if not np.isfinite(largest) or largest == 0.0:
        return np.zeros(values.shape, kind), 0.0
    return np.round(values / largest * most).astype(kind), largest / most
