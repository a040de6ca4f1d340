"""What is inside the files of the published data sets, as NumPy arrays.  No code in them is ever run.

Each reader names the file and what is wrong with it; where the files come from is the matter of :mod:`spectral_lab.downloads`.
"""

from __future__ import annotations

import gzip
import math
import os
import tarfile
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

# What the standard library raises for a file that ends too early or holds something else.
DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, tarfile.TarError, zipfile.BadZipFile)
MOST_BYTES = 2**31  # unpacked; the largest file here has 150 MB


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """The array in a gzipped idx file of bytes, as in MNIST: uint8 of the shape that the file states.

    The file begins with 0, 0, 8 (for bytes) and the number of axes, then the length of each, four bytes with the highest
    first; then come the values.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not gzip, ends too early, another magic number, more or fewer values than the file states.
    """
    name = Path(path).name
    try:
        with gzip.open(path) as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:3] != b"\0\0\x08" or not 1 <= magic[3] <= 4:
                raise ValueError(f"{name} begins with {magic.hex() or 'nothing'}; an idx file of bytes with 00000801 to 04")
            lengths = file.read(4 * magic[3])
            shape = tuple(int.from_bytes(lengths[i : i + 4], "big") for i in range(0, len(lengths), 4))
            size = math.prod(shape)  # Python's whole numbers, which do not overflow
            if len(lengths) < 4 * magic[3] or not 0 < size <= MOST_BYTES:
                raise ValueError(f"{name} states the shape {shape}; wanted {magic[3]} lengths and 1 to {MOST_BYTES} values")
            values = file.read(size + 1)
    except DAMAGE as error:
        raise ValueError(f"{name} is damaged: {error}") from error
    if len(values) != size:
        found = "more" if len(values) > size else f"only {len(values)}"
        raise ValueError(f"{name} states the shape {shape}, {size} values; found {found}")
    return np.frombuffer(values, np.uint8).reshape(shape)


def read_archive(path: str | os.PathLike[str], names: Collection[str]) -> dict[str, bytes]:
    """The files of these names in a .tar.gz, read into memory; others are passed over.

    Raises:
        FileNotFoundError: there is no such archive.
        ValueError: not such an archive, ends too early, or lacks one of the names.
    """
    contents = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:  # in the archive's order: going back would unpack from the start
                file = archive.extractfile(member) if member.name in names and member.isreg() else None
                if file is not None:
                    contents[member.name] = file.read()
    except DAMAGE as error:
        raise ValueError(f"{Path(path).name} is damaged: {error}") from error
    missing = sorted(set(names) - set(contents))
    if missing:
        raise ValueError(f"{Path(path).name} lacks {', '.join(missing)}")
    return contents


def cifar_records(content: bytes, name: str, label_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 3, 32, 32) and labels (n,) of a file in CIFAR's binary form, both uint8.

    A record is its labels, then 1024 red, 1024 green and 1024 blue bytes, row by row.  CIFAR-100 has two labels, of which the
    last, the fine one, is taken.

    Raises:
        ValueError: the file does not consist of whole records.
    """
    size = label_bytes + 3 * 32 * 32
    if not content or len(content) % size:
        raise ValueError(f"{name} has {len(content)} bytes; wanted records of {size} bytes each")
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    return records[:, label_bytes:].reshape(-1, 3, 32, 32), records[:, label_bytes - 1]


def read_table(content: str, name: str, columns: int) -> np.ndarray:
    """Comma-separated numbers, one row a line, (n, columns) in float64.

    Raises:
        ValueError: another number of columns, something that is no number, no line at all.
    """
    rows = [line.split(",") for line in content.splitlines()]
    wrong = next((i for i, row in enumerate(rows) if len(row) != columns), None)
    if wrong is not None or not rows:
        found = f"{len(rows[wrong])} columns in line {wrong + 1}" if wrong is not None else "no line"
        raise ValueError(f"{name} has {found}; wanted {columns} columns")
    try:
        return np.array(rows, np.float64)
    except ValueError as error:
        raise ValueError(f"{name} holds something that is no number: {error}") from error


def read_npz(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The arrays in an .npz file by name.  Pickled objects, which can run code, are refused.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another kind of file, a damaged one, or one with pickled objects.
    """
    name = Path(path).name
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):  # NumPy would take anything else for a pickle
            raise ValueError(f"{name} is damaged or no .npz file; wanted one that numpy.savez wrote")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}
        except (*DAMAGE, OSError, RuntimeError) as error:  # an archive whose head was damaged, or with a password
            raise ValueError(f"{name} is damaged: {error}") from error
        except ValueError as error:
            raise ValueError(f"{name} cannot be read: {error}. Objects can hold code; save arrays") from error
