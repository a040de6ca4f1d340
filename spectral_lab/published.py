"""The published data sets by name, as the arrays that are in their files; the smallest, digits, is part of the package."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.resources import as_file, files
from typing import NamedTuple

import numpy as np

from spectral_lab.arrays import channels_first
from spectral_lab.downloads import IDX_FILES, fetch, find
from spectral_lab.fileformats import cifar_records, read_archive, read_idx, read_npz, read_table

DIGITS = tuple("0123456789")
FASHION = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
CIFAR_10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# scikit-learn's names, and its columns: rooms, bedrooms and people are counted for each household.
HOUSING = ("MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude")


class Raw(NamedTuple):
    """Arrays as a file holds them; where no test part is official, x_test and y_test are None."""

    x: np.ndarray  # bytes of images (n, c, h, w), or numbers (n, …)
    y: np.ndarray  # class numbers (n,), or numbers (n, n_out)
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    note: str = ""  # not empty: this is only a part of what was published


def mnist(name: str, classes: tuple[str, ...]) -> Raw:
    """Four files of bytes: MNIST, and what has its form.

    Raises:
        ValueError: images and labels that do not fit each other, or not MNIST's form.
    """
    x, y, x_test, y_test = (read_idx(fetch(f"{name}/{file}")) for file in IDX_FILES)
    for images, labels in ((x, y), (x_test, y_test)):
        check_images(name, images, labels, (28, 28), len(classes))
    return Raw(x[:, None], y, x_test[:, None], y_test, classes)


def cifar_10() -> Raw:
    """CIFAR-10, or the subset of it if that is in the folder and the whole is not.

    Raises:
        ValueError: a file does not hold what it should.
    """
    subset = find("cifar-10/cifar10-subset.npz")
    if subset is not None and find("cifar-10/cifar-10-binary.tar.gz") is None:
        return cifar_10_subset(read_npz(subset))
    train = [f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)]
    test = "cifar-10-batches-bin/test_batch.bin"
    contents = read_archive(fetch("cifar-10/cifar-10-binary.tar.gz"), [*train, test])
    return cifar(contents, train, test, CIFAR_10, label_bytes=1)


def cifar_10_subset(stored: dict[str, np.ndarray]) -> Raw:
    """Some images of CIFAR-10: x_train, x_test (n, 32, 32, 3) of bytes, y_train, y_test (n,).

    Raises:
        ValueError: other names or shapes.
    """
    nothing = np.empty(0, np.uint8)
    x, y, x_test, y_test = (stored.get(key, nothing) for key in ("x_train", "y_train", "x_test", "y_test"))
    for images, labels in ((x, y), (x_test, y_test)):
        check_images("cifar10-subset.npz", images, labels, (32, 32, 3), 10)
    note = f"CIFAR-10 subset: {len(x):,} of 50,000 training and {len(x_test):,} of 10,000 test images"
    return Raw(channels_first(x, "x_train"), y, channels_first(x_test, "x_test"), y_test, CIFAR_10, note=note)


def cifar_100() -> Raw:
    """CIFAR-100 with its hundred fine classes, whose names are in the archive.

    Raises:
        ValueError: the archive does not hold what it should.
    """
    train, test, names = (f"cifar-100-binary/{file}" for file in ("train.bin", "test.bin", "fine_label_names.txt"))
    contents = read_archive(fetch("cifar-100/cifar-100-binary.tar.gz"), [train, test, names])
    return cifar(contents, [train], test, tuple(contents[names].decode().split()), label_bytes=2)


def cifar(contents: dict[str, bytes], train: list[str], test: str, classes: tuple[str, ...], label_bytes: int) -> Raw:
    """The files of an archive in CIFAR's binary form, those for training put together.

    Raises:
        ValueError: a file does not hold what it should.
    """
    batches = [cifar_records(contents[file], file, label_bytes) for file in train]
    x, y = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    x_test, y_test = cifar_records(contents[test], test, label_bytes)
    for name, images, labels in ((train[0], x, y), (test, x_test, y_test)):
        check_images(name, images, labels, (3, 32, 32), len(classes))
    return Raw(x, y, x_test, y_test, classes)


def california_housing() -> Raw:
    """Districts of California in 1990: eight columns, and the median price of a house in 100,000 dollars.

    The file has longitude, latitude, age, rooms, bedrooms, people, households, income and price of each district.

    Raises:
        ValueError: the file does not hold what it should.
    """
    extracted = find("california-housing/cal_housing.data")
    if extracted is not None:
        content = extracted.read_bytes()
    else:
        member = "CaliforniaHousing/cal_housing.data"
        content = read_archive(fetch("california-housing/cal_housing.tgz"), [member])[member]
    table = read_table(content.decode(), "cal_housing.data", 9)
    longitude, latitude, age, rooms, bedrooms, people, households, income, price = table.T
    columns = (income, age, rooms / households, bedrooms / households, people, people / households, latitude, longitude)
    return Raw(np.stack(columns, axis=1), price[:, None] / 100_000, features=HOUSING)


def digits() -> Raw:
    """1,797 images of 8 × 8 pixels from the UCI collection, part of the package; as in :func:`spectral_lab.tasks.digits`."""
    with as_file(files("spectral_lab").joinpath("data/digits.npz")) as path:
        stored = read_npz(path)
    return Raw(stored["x"].reshape(-1, 1, 8, 8) / 16, stored["y"], classes=DIGITS)


def check_images(name: str, images: np.ndarray, labels: np.ndarray, shape: tuple[int, ...], n_classes: int) -> None:
    """Refuse images that are not bytes of this shape, and labels that are not one class number for each.

    Raises:
        ValueError: naming what was found.
    """
    if images.dtype != np.uint8 or images.shape[1:] != shape or not len(images):
        raise ValueError(f"{name} has images {images.shape} of {images.dtype}; wanted at least one, each {shape} of uint8")
    if labels.dtype.kind not in "iu" or labels.shape != (len(images),):
        raise ValueError(f"{name} has {len(images)} images and labels {labels.shape} of {labels.dtype}; wanted one for each")
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"{name} has labels from {labels.min()} to {labels.max()}; wanted 0 to {n_classes - 1}")


# The names that can be asked for.
READERS: dict[str, Callable[[], Raw]] = {
    "mnist": partial(mnist, "mnist", DIGITS),
    "fashion-mnist": partial(mnist, "fashion-mnist", FASHION),
    "cifar-10": cifar_10,
    "cifar-100": cifar_100,
    "california-housing": california_housing,
    "digits": digits,
}
