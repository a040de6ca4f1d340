"""Small files in the forms of the published data sets, and a checksum table that knows them."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile

import numpy as np

from spectral_lab import downloads


def idx_bytes(array):
    """An array of bytes in the idx form, written here from its description: 0, 0, 8, axes, lengths, values."""
    lengths = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()


def write_idx(path, array):
    """A gzipped idx file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(idx_bytes(array)))


def write_archive(path, contents):
    """A .tar.gz of the files' bytes by name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def images(n, shape, seed=0):
    """n images of random bytes."""
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), np.uint8)


def labels(n, n_classes=10):
    """0, 1, 2, … and from the start again."""
    return (np.arange(n) % n_classes).astype(np.uint8)


def write_mnist(folder, name="mnist", n=60, n_test=20):
    """The four files; returns their arrays x, y, x_test, y_test."""
    arrays = images(n, (28, 28)), labels(n), images(n_test, (28, 28), 1), labels(n_test)
    for file, array in zip(downloads.IDX_FILES, arrays, strict=True):
        write_idx(folder / name / file, array)
    return arrays


def cifar_bytes(x, *label_columns):
    """Records of labels and 3072 bytes."""
    return np.concatenate([*(column[:, None] for column in label_columns), x.reshape(len(x), -1)], axis=1).tobytes()


def trust(monkeypatch, folder):
    """Take the files that lie in the folder for the published ones."""
    for path in folder.rglob("*"):
        place = path.relative_to(folder).as_posix()
        if place in downloads.FILES:
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            monkeypatch.setitem(downloads.FILES, place, downloads.FILES[place]._replace(sha256=sha256))
