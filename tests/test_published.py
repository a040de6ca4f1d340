"""Each published data set from small files in its form, and from the real ones where they are."""

import os

import numpy as np
import pytest
import torch
from datafiles import cifar_bytes, images, labels, trust, write_archive, write_idx, write_mnist
from torch.testing import assert_close

from spectral_lab import datasets
from spectral_lab.published import CIFAR_10, FASHION, READERS
from spectral_lab.tasks import digits

DATA = os.environ.get("SPECTRAL_LAB_DATA")  # before any test changes it
real = pytest.mark.skipif(not DATA, reason="SPECTRAL_LAB_DATA names no folder of real data")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of local copies."""
    monkeypatch.setenv("SPECTRAL_LAB_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("name", "classes"), [("mnist", tuple("0123456789")), ("fashion-mnist", FASHION)])
def test_mnist_is_what_its_four_files_hold(folder, monkeypatch, name, classes):
    x, y, x_test, y_test = write_mnist(folder, name)
    trust(monkeypatch, folder)
    raw = READERS[name]()
    np.testing.assert_array_equal(raw.x[:, 0], x, strict=True)
    np.testing.assert_array_equal(raw.y, y, strict=True)
    np.testing.assert_array_equal(raw.x_test[:, 0], x_test, strict=True)
    np.testing.assert_array_equal(raw.y_test, y_test, strict=True)
    assert raw.classes == classes


def test_another_file_under_the_name_of_mnist_is_refused(folder):
    write_mnist(folder)
    with pytest.raises(
        ValueError, match=r"train-images-idx3-ubyte\.gz is damaged or another file: its SHA-256 is [0-9a-f]{64}"
    ):
        datasets.load("mnist")


WRONG_PARTS = {
    "fewer labels": ("train-labels-idx1-ubyte.gz", labels(59), r"mnist has 60 images and labels \(59,\) of uint8; wanted one"),
    "labels as images": ("train-labels-idx1-ubyte.gz", images(60, (28, 28)), r"mnist has 60 images and labels \(60, 28, 28\)"),
    "smaller images": (
        "t10k-images-idx3-ubyte.gz",
        images(20, (27, 28)),
        r"mnist has images \(20, 27, 28\) of uint8; wanted at least one, each",
    ),
    "an eleventh class": ("t10k-labels-idx1-ubyte.gz", labels(20, 11), "mnist has labels from 0 to 10; wanted 0 to 9"),
}


@pytest.mark.parametrize(("file", "array", "message"), WRONG_PARTS.values(), ids=WRONG_PARTS.keys())
def test_parts_that_do_not_fit_each_other_are_refused(folder, monkeypatch, file, array, message):
    write_mnist(folder)
    write_idx(folder / "mnist" / file, array)
    trust(monkeypatch, folder)
    with pytest.raises(ValueError, match=message):
        datasets.load("mnist")


def write_cifar_10(folder, n=20):
    """Five files of n images each and one for test; returns all images and labels for training."""
    parts = [(images(n, (3, 32, 32), seed), labels(n)) for seed in range(6)]
    names = [f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)] + ["cifar-10-batches-bin/test_batch.bin"]
    contents = {name: cifar_bytes(*part) for name, part in zip(names, parts, strict=True)}
    contents["cifar-10-batches-bin/readme.html"] = b"a file that nobody reads"
    write_archive(folder / "cifar-10/cifar-10-binary.tar.gz", contents)
    return *(np.concatenate(arrays) for arrays in zip(*parts[:5], strict=True)), parts[5]


def write_subset(folder, **changes):
    """A subset of CIFAR-10, channels last."""
    arrays = {
        "x_train": images(40, (32, 32, 3)),
        "y_train": labels(40),
        "x_test": images(20, (32, 32, 3), 1),
        "y_test": labels(20),
    }
    (folder / "cifar-10").mkdir(exist_ok=True)
    np.savez(folder / "cifar-10/cifar10-subset.npz", **(arrays | changes))
    return arrays


def test_cifar_10_is_its_five_files_in_their_order(folder, monkeypatch):
    x, y, (x_test, y_test) = write_cifar_10(folder)
    trust(monkeypatch, folder)
    raw = READERS["cifar-10"]()
    for found, wanted in ((raw.x, x), (raw.y, y), (raw.x_test, x_test), (raw.y_test, y_test)):
        np.testing.assert_array_equal(found, wanted, strict=True)
    assert (raw.classes, raw.note) == (CIFAR_10, "")


def test_cifar_100_has_the_fine_classes_and_their_names_from_the_archive(folder, monkeypatch):
    names = [f"kind_{i}" for i in range(100)]
    x, x_test, fine = images(200, (3, 32, 32)), images(100, (3, 32, 32), 1), labels(200, 100)
    contents = {
        "cifar-100-binary/train.bin": cifar_bytes(x, fine // 5, fine),
        "cifar-100-binary/test.bin": cifar_bytes(x_test, fine[:100] // 5, fine[:100]),
        "cifar-100-binary/fine_label_names.txt": "\n".join(names).encode() + b"\n\n",
    }
    write_archive(folder / "cifar-100/cifar-100-binary.tar.gz", contents)
    trust(monkeypatch, folder)
    data = datasets.load("cifar-100")
    assert (data.classes, data.n_in, data.n_out, data.whole) == (tuple(names), 3072, 100, True)
    assert_close(data.y_test, torch.arange(100))
    assert_close(data.x_test * 255, torch.from_numpy(x_test).float())


def test_a_cifar_archive_with_a_class_too_many_is_refused(folder, monkeypatch):
    contents = {f"cifar-10-batches-bin/data_batch_{i}.bin": cifar_bytes(images(1, (3, 32, 32)), labels(1)) for i in range(1, 6)}
    contents["cifar-10-batches-bin/test_batch.bin"] = cifar_bytes(images(1, (3, 32, 32)), np.array([10], np.uint8))
    write_archive(folder / "cifar-10/cifar-10-binary.tar.gz", contents)
    trust(monkeypatch, folder)
    with pytest.raises(ValueError, match=r"test_batch\.bin has labels from 10 to 10; wanted 0 to 9"):
        datasets.load("cifar-10")


def test_a_subset_of_cifar_10_says_that_it_is_one(folder):
    arrays = write_subset(folder)
    data = datasets.load("cifar-10", validation=0)
    assert data.note == "CIFAR-10 subset: 40 of 50,000 training and 20 of 10,000 test images"
    assert not data.whole
    assert_close(data.x_test * 255, torch.from_numpy(arrays["x_test"]).permute(0, 3, 1, 2).float())
    assert "CIFAR-10 subset" in repr(data)


def test_the_whole_of_cifar_10_counts_more_than_a_subset_beside_it(folder, monkeypatch):
    write_subset(folder)
    write_cifar_10(folder)
    trust(monkeypatch, folder)
    data = datasets.load("cifar-10", validation=0)
    assert (len(data.x_train), data.whole, data.note) == (100, True, "")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_train": labels(39)}, r"cifar10-subset\.npz has 40 images and labels \(39,\)"),
        ({"x_test": images(20, (3, 32, 32))}, r"cifar10-subset\.npz has images \(20, 3, 32, 32\) of uint8"),
        ({"x_train": np.ones((40, 32, 32, 3))}, r"cifar10-subset\.npz has images \(40, 32, 32, 3\) of float64"),
        ({"y_train": labels(40) - 5.0}, r"cifar10-subset\.npz has 40 images and labels \(40,\) of float64"),
        ({"y_train": labels(40).astype(int) - 5}, r"cifar10-subset\.npz has labels from -5 to 4"),
        ({"x_train": images(0, (32, 32, 3)), "y_train": labels(0)}, r"cifar10-subset\.npz has images \(0, 32, 32, 3\)"),
        ({"x_train": np.array([None])}, r"cifar10-subset\.npz cannot be read: Object arrays cannot be loaded"),
    ],
)
def test_a_subset_of_another_form_is_refused(folder, changes, message):
    write_subset(folder, **changes)
    with pytest.raises(ValueError, match=message):
        datasets.load("cifar-10")


# The first two districts: the columns of the file, and what scikit-learn's documentation and its users print of them.
FIRST_DISTRICTS = (
    "-122.230000,37.880000,41.000000,880.000000,129.000000,322.000000,126.000000,8.325200,452600.000000\n"
    "-122.220000,37.860000,21.000000,7099.000000,1106.000000,2401.000000,1138.000000,8.301400,358500.000000\n"
)
AS_IN_SCIKIT_LEARN = [
    [8.3252, 41, 6.98412698, 1.02380952, 322, 2.55555556, 37.88, -122.23],
    [8.3014, 21, 6.23813708, 0.97188049, 2401, 2.10984183, 37.86, -122.22],
]


@pytest.mark.parametrize("form", ["the archive", "a local copy of what is in it"])
def test_california_housing_has_the_columns_of_scikit_learn(folder, monkeypatch, form):
    if form == "the archive":
        contents = {"CaliforniaHousing/cal_housing.data": FIRST_DISTRICTS.encode()}
        write_archive(folder / "california-housing/cal_housing.tgz", contents)
    else:
        (folder / "california-housing").mkdir()
        (folder / "california-housing/cal_housing.data").write_text(FIRST_DISTRICTS)
    trust(monkeypatch, folder)
    raw = READERS["california-housing"]()
    np.testing.assert_allclose(raw.x, AS_IN_SCIKIT_LEARN, rtol=1e-8)
    np.testing.assert_allclose(raw.y, [[4.526], [3.585]], rtol=1e-12)
    assert len(raw.features) == 8


def test_the_columns_of_california_housing_are_standardised_by_the_training_part(folder, monkeypatch):
    table = np.random.default_rng(0).random((200, 9)) * 9 + 1
    (folder / "california-housing").mkdir()
    np.savetxt(folder / "california-housing/cal_housing.data", table, delimiter=",")
    trust(monkeypatch, folder)
    data = datasets.load("california-housing")
    assert_close(data.x_train.mean(0), torch.zeros(8), rtol=0, atol=1e-6)
    assert_close(data.x_train.std(0, correction=0), torch.ones(8))
    assert data.x_test.mean(0).abs().max() > 1e-3
    assert (data.y_train.shape, data.n_out, data.classes) == ((144, 1), 1, ())


def test_the_digits_are_those_of_the_tasks():
    ours, theirs = datasets.load("digits", flat=True), digits()
    rows = [
        {(*row, label) for x, y in parts for row, label in zip(x.tolist(), y.tolist(), strict=True) for row in [tuple(row)]}
        for parts in (
            [(ours.x_train, ours.y_train), (ours.x_validation, ours.y_validation), (ours.x_test, ours.y_test)],
            [(theirs.x_train, theirs.y_train), (theirs.x_test, theirs.y_test)],
        )
    ]
    assert len(rows[0]) == 1797
    assert rows[0] == rows[1]


# -- the real files ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def real_data(monkeypatch):
    """The folder that the environment names."""
    monkeypatch.setenv("SPECTRAL_LAB_DATA", DATA)


@real
@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize(
    ("name", "counts", "mean"),
    # The mean pixel as torchvision's examples print it.
    [("mnist", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], 0.1307), ("fashion-mnist", [6000] * 10, 0.2860)],
)
def test_the_real_mnist_has_its_known_counts_and_mean(name, counts, mean):
    data = datasets.load(name, validation=0)
    assert (data.x_train.shape, data.x_test.shape) == ((60000, 1, 28, 28), (10000, 1, 28, 28))
    assert data.y_train.bincount().tolist() == counts
    assert (data.x_train.min().item(), data.x_train.max().item()) == (0, 1)
    assert_close(data.x_train.mean().item(), mean, rtol=0, atol=5e-5)
    assert (data.whole, data.note) == (True, "")


@real
@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize(("name", "accuracy"), [("mnist", 0.85), ("fashion-mnist", 0.7)])
def test_a_nearest_neighbour_recognises_real_images(name, accuracy):
    data = datasets.load(name, limit=1000, flat=True)
    nearest = torch.cdist(data.x_test, data.x_train).argmin(1)
    assert (data.y_train[nearest] == data.y_test).double().mean() > accuracy


@real
@pytest.mark.usefixtures("real_data")
def test_the_real_subset_of_cifar_10_is_balanced_and_coloured():
    data = datasets.load("cifar-10", validation=0)
    assert not data.whole
    assert data.note == "CIFAR-10 subset: 16,000 of 50,000 training and 3,000 of 10,000 test images"
    assert data.y_train.bincount().tolist() == [1600] * 10
    # The mean red, green and blue of the whole, known from countless training scripts: the order of channels is right.
    assert_close(data.x_train.mean((0, 2, 3)), torch.tensor([0.4914, 0.4822, 0.4465]), rtol=0, atol=5e-3)


@real
@pytest.mark.usefixtures("real_data")
def test_the_real_california_is_learned_by_a_straight_line_as_well_as_textbooks_say():
    data = datasets.load("california-housing")
    assert [len(x) for x in (data.x_train, data.x_validation, data.x_test)] == [14861, 1651, 4128]
    ones = [torch.cat([x.double(), x.new_ones(len(x), 1)], dim=1) for x in (data.x_train, data.x_test)]
    solution = torch.linalg.lstsq(ones[0], data.y_train.double()).solution
    rest = data.y_test - ones[1] @ solution
    r2 = 1 - rest.square().sum() / (data.y_test - data.y_test.mean()).square().sum()
    assert_close(r2.item(), 0.6, rtol=0, atol=0.03)  # scikit-learn's linear regression: 0.57 to 0.61, by the split
