"""Parts, limits and seeds of a data set, and the user's own data."""

import random

import numpy as np
import pytest
import torch
from datafiles import images, labels, trust, write_mnist
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

import spectral_lab
from spectral_lab import datasets
from spectral_lab.datasets import load, standardise

PARTS = ("train", "validation", "test")
RANDOM = np.random.default_rng(1)
N = 40
X = RANDOM.random((N, 3)) * [10, 0.1, 1] + [5, -3, 0]
Y = RANDOM.random(N)
KINDS = np.array(["cat", "dog"])[np.arange(N) % 2]


class Frame:
    """The part of a DataFrame that is used here, as pandas and polars have it."""

    def __init__(self, **columns):
        self.held = columns
        self.columns = list(columns)

    def __getitem__(self, names):
        return Frame(**{name: self.held[name] for name in names}) if isinstance(names, list) else self.held[names]

    def __array__(self, dtype=None, copy=None):
        return np.stack([np.asarray(column) for column in self.held.values()], axis=1)


FRAME = Frame(size=X[:, 0], price=Y, weight=X[:, 1])


def parts(data):
    """(x, y) of each part."""
    return [(getattr(data, f"x_{part}"), getattr(data, f"y_{part}")) for part in PARTS]


def test_the_module_is_reachable_from_the_package():
    assert spectral_lab.datasets is datasets


# -- parts ------------------------------------------------------------------------------------------------------------------


@given(n=st.integers(4, 60), validation=st.floats(0, 0.9), seed=st.integers(0, 5))
def test_each_row_is_in_exactly_one_part_with_its_own_target(n, validation, seed):
    try:
        data = load((np.arange(n), np.arange(n) * 2.0), validation=validation, seed=seed)
    except ValueError:
        assert round(validation * (n - max(1, round(0.2 * n)))) >= n - max(1, round(0.2 * n))
        return
    rows = torch.cat([x for x, _ in parts(data)]).flatten()
    assert rows.sort().values.tolist() == list(range(n))
    for x, y in parts(data):
        assert_close(y, 2 * x)
    held = n - max(1, round(0.2 * n))
    assert [len(x) for x, _ in parts(data)] == [held - round(validation * held), round(validation * held), n - held]


def test_an_official_test_part_is_kept_in_its_order(tmp_path, monkeypatch):
    _, _, x_test, y_test = write_mnist(tmp_path)
    trust(monkeypatch, tmp_path)
    monkeypatch.setenv("SPECTRAL_LAB_DATA", str(tmp_path))
    for seed in (0, 1):
        data = load("mnist", seed=seed, validation=0.25)
        assert_close(data.x_test[:, 0] * 255, torch.from_numpy(x_test).float())
        assert_close(data.y_test, torch.from_numpy(y_test).long())
        assert (len(data.x_train), len(data.x_validation)) == (45, 15)


def test_images_are_floats_from_0_to_1_with_channels_first_or_flat(tmp_path, monkeypatch):
    write_mnist(tmp_path)
    trust(monkeypatch, tmp_path)
    monkeypatch.setenv("SPECTRAL_LAB_DATA", str(tmp_path))
    square, flat = load("mnist"), load("mnist", flat=True)
    assert (square.x_train.shape, flat.x_train.shape, flat.x_validation.shape) == ((54, 1, 28, 28), (54, 784), (6, 784))
    assert (square.x_train.dtype, square.y_train.dtype) == (torch.float32, torch.int64)
    assert (square.x_train.min().item(), square.x_train.max().item()) == (0, 1)
    assert_close(square.x_train.flatten(1), flat.x_train, rtol=0, atol=0)
    assert (square.n_in, flat.n_in, square.n_out) == (784, 784, 10)


def test_without_a_validation_part_it_has_no_rows_but_the_right_shape():
    data = load("digits", validation=0)
    assert (data.x_validation.shape, data.y_validation.shape) == ((0, 1, 8, 8), (0,))
    assert len(data.x_train) + len(data.x_test) == 1797


@pytest.mark.parametrize("limit", [None, 100])
def test_the_same_seed_gives_the_same_data_and_another_seed_others(limit):
    first, again, other = (load("digits", limit=limit, seed=seed) for seed in (3, 3, 4))
    for (x, y), (x_again, y_again), (x_other, _) in zip(parts(first), parts(again), parts(other), strict=True):
        assert_close((x, y), (x_again, y_again), rtol=0, atol=0)
        assert not torch.equal(x, x_other)


def test_no_global_seed_is_touched_or_used():
    def state():
        return torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()

    before = state()
    first = load("digits", limit=50)
    assert state() == before
    torch.manual_seed(99)
    assert_close(first.x_train, load("digits", limit=50).x_train, rtol=0, atol=0)


def test_the_types_do_not_hang_on_torch_s_default():
    torch.set_default_dtype(torch.float64)
    try:
        data, own = load("digits", limit=50), standardise(load((X, Y)))
    finally:
        torch.set_default_dtype(torch.float32)
    assert {x.dtype for x, _ in parts(data) + parts(own)} == {torch.float32}
    assert own.y_train.dtype == torch.float32


# -- limits -----------------------------------------------------------------------------------------------------------------


@given(limit=st.integers(1, 70), counts=st.lists(st.integers(8, 30), min_size=2, max_size=4))
def test_a_limit_takes_as_many_of_each_class_as_there_are(limit, counts):
    y = np.repeat(np.arange(len(counts)), counts)
    data, everything = (load((np.arange(len(y)), y), limit=given, classes=True, seed=2) for given in (limit, None))
    for (x, found), (x_all, found_all) in zip(parts(data), parts(everything), strict=True):
        assert len(found) == min(limit, len(found_all))
        assert set(x.flatten().tolist()) <= set(x_all.flatten().tolist()), "a row has come from another part"
        there, taken = (torch.bincount(v, minlength=len(counts)) for v in (found_all, found))
        level = taken.max()
        assert ((taken >= level - 1) | (taken == there)).all(), f"{taken} of {there}"


def test_a_limit_says_that_the_data_are_not_whole():
    data = load("digits", limit=200)
    assert [len(x) for x, _ in parts(data)] == [200, 144, 200]
    assert (data.whole, data.note) == (False, "limited to 544 of 1,797 rows")


def test_a_limit_that_leaves_nothing_out_changes_nothing_that_is_said():
    data = load("digits", limit=5000)
    assert (data.whole, data.note) == (True, "")
    assert len(data.x_train) == 1294


def test_a_limit_takes_numbers_at_random():
    data = load((np.arange(1000.0), np.arange(1000.0)), limit=100)
    assert data.x_train.shape == (100, 1)
    assert 350 < data.x_train.mean() < 650


# -- standardise ------------------------------------------------------------------------------------------------------------


def test_standardised_columns_use_what_the_training_part_knows():
    data = load((X, Y), validation=0.2)
    made = standardise(data)
    mean, deviation = data.x_train.double().mean(0), data.x_train.double().std(0, correction=0)
    assert_close(made.x_train.mean(0), torch.zeros(3), rtol=0, atol=1e-6)
    for (x, _), (raw, _) in zip(parts(made), parts(data), strict=True):
        assert_close(x.double() * deviation + mean, raw.double(), rtol=1e-5, atol=1e-5)
    assert_close(made.y_test, data.y_test)


def test_a_constant_column_becomes_zeros():
    made = standardise(load((np.full((N, 1), 0.1), Y)))
    assert_close(made.x_train, torch.zeros(len(made.x_train), 1))


# -- own data ---------------------------------------------------------------------------------------------------------------


OWN = {
    "arrays": lambda path: (X, Y),
    "a list of lists": lambda path: [X.tolist(), Y.tolist()],
    "tensors": lambda path: (torch.tensor(X, requires_grad=True), torch.tensor(Y)[:, None]),
    "words that are numbers": lambda path: (X.astype(str), Y),
    "an npz file": lambda path: (np.savez(path, x=X, y=Y), path)[1],
    "the path of an npz file as a str": lambda path: (np.savez(path, x=X, y=Y), str(path))[1],
}


@pytest.mark.parametrize("form", OWN)
def test_own_numbers_are_the_same_in_whatever_form_they_come(tmp_path, form):
    data = load(OWN[form](tmp_path / "mine.npz"), seed=1)
    x, y = (torch.cat([part[i] for part in parts(data)]) for i in (0, 1))
    assert (x.dtype, y.dtype, y.shape) == (torch.float32, torch.float32, (N, 1))
    order = y[:, 0].argsort()
    assert_close(y[order, 0], torch.tensor(Y, dtype=torch.float32).sort().values)
    assert_close(x[order], torch.tensor(X[Y.argsort()], dtype=torch.float32))
    assert (data.classes, data.features, data.n_in, data.n_out) == ((), ("x1", "x2", "x3"), 3, 1)
    assert data.name == ("mine" if "file" in form else "own data")
    assert data.whole


def test_the_parts_of_an_npz_file_are_kept(tmp_path):
    np.savez(tmp_path / "mine.npz", x_train=X, y_train=KINDS, x_test=X[:5] + 100, y_test=KINDS[:5], other=1)
    data = load(tmp_path / "mine.npz", validation=0.1)
    assert [len(x) for x, _ in parts(data)] == [36, 4, 5]
    assert_close(data.x_test, torch.tensor(X[:5] + 100).float())
    assert (data.classes, data.y_test.tolist()) == (("cat", "dog"), [0, 1, 0, 1, 0])


@pytest.mark.parametrize(("target", "features"), [("price", ("size", "weight")), (None, ("size", "price"))])
def test_the_target_is_a_column_of_a_frame_the_last_if_none_is_named(target, features):
    data = load(FRAME, target=target)
    assert data.features == features
    assert_close(data.y_train.max() > 0, torch.tensor(target == "price"))


TARGETS = {
    "words": (KINDS, None, ("cat", "dog")),
    "truth values": (KINDS == "cat", None, ("False", "True")),
    "whole numbers of few kinds": (np.arange(N) % 20 + 5, None, tuple(str(i) for i in range(5, 25))),
    "bytes of few kinds": (labels(N), None, tuple("0123456789")),
    "whole numbers of many kinds": (np.arange(N), None, ()),
    "whole numbers of many kinds that are classes": (np.arange(N), True, tuple(str(i) for i in range(N))),
    "whole numbers of few kinds that are none": (labels(N), False, ()),
    "floats that are classes": (labels(N, 2) / 2, True, ("0.0", "0.5")),
    "two columns": (np.stack([labels(N), labels(N, 7)], axis=1), None, ()),
}


@pytest.mark.parametrize(("y", "classes", "names"), TARGETS.values(), ids=TARGETS.keys())
def test_what_is_a_class_is_told_or_seen(y, classes, names):
    data = load((X, y), classes=classes)
    assert data.classes == names
    assert data.y_train.dtype == (torch.int64 if names else torch.float32)
    assert data.n_out == (len(names) or np.atleast_2d(y.T).shape[0])
    if names:
        back = {tuple(np.float32(row)): str(kind) for row, kind in zip(X, y, strict=True)}
        for x, found in parts(data):
            assert [names[i] for i in found] == [back[tuple(row.numpy())] for row in x]


IMAGES = {
    "grey": (images(N, (5, 6)), (1, 5, 6)),
    "channels last": (images(N, (5, 6, 3)), (3, 5, 6)),
    "channels first": (images(N, (3, 5, 6)), (3, 5, 6)),
}


@pytest.mark.parametrize(("x", "shape"), IMAGES.values(), ids=IMAGES.keys())
@pytest.mark.parametrize("form", ["bytes", "floats"])
def test_own_images_have_their_channels_first_and_bytes_become_shares(x, shape, form):
    scale = 255 if form == "bytes" else 1
    data = load((x if form == "bytes" else x.astype(np.float32), np.arange(N)))
    assert data.x_train.shape[1:] == shape
    i = int(data.y_train[0])
    assert_close(
        data.x_train[0, 0] * scale, torch.from_numpy(x[i][0] if x.shape[1] == 3 else x[i].reshape(5, 6, -1)[..., 0]).float()
    )
    assert data.features == ()


def test_bytes_in_a_table_stay_as_they_are():
    assert load((images(N, (4,)), Y)).x_train.max() > 1


def test_the_users_arrays_are_not_changed():
    x, y = images(N, (4, 4)), labels(N)
    x_before, y_before = x.copy(), y.copy()
    data = load((x, y))
    data.x_train.zero_()
    data.y_train.zero_()
    np.testing.assert_array_equal(x, x_before)
    np.testing.assert_array_equal(y, y_before)


# -- refusals ---------------------------------------------------------------------------------------------------------------


def with_hole(value):
    """X with a value that is no number."""
    x = X.copy()
    x[7, 1] = value
    return x


REFUSED = {
    "an unknown name": (
        "mnits",
        {},
        r"no data set is called 'mnits'; did you mean 'mnist'\? There are mnist, fashion-mnist, cifar",
    ),
    "capitals": ("CIFAR10", {}, r"no data set is called 'CIFAR10'; did you mean 'cifar-10'\?"),
    "nothing like a name": ("xyz", {}, r"no data set is called 'xyz'\. There are mnist, .*digits, and paths that end in \.npz"),
    "validation of 1": ("digits", {"validation": 1}, "validation = 1; wanted a share of at least 0 and less than 1"),
    "negative validation": ("digits", {"validation": -0.1}, "validation = -0.1; wanted a share"),
    "validation in percent": ("digits", {"validation": 10}, "validation = 10; wanted a share"),
    "validation NaN": ("digits", {"validation": float("nan")}, "validation = nan; wanted a share"),
    "validation that takes all": ((X[:5], Y[:5]), {"validation": 0.9}, "validation = 0.9 leaves none of 4 rows for training"),
    "limit 0": ("digits", {"limit": 0}, "limit = 0; wanted a whole number of at least 1, or None for all rows"),
    "a share as limit": ("digits", {"limit": 0.5}, "limit = 0.5; wanted a whole number"),
    "True as limit": ("digits", {"limit": True}, "limit = True; wanted a whole number"),
    "a target without a frame": (
        "digits",
        {"target": "y"},
        "target = 'y' is the name of a DataFrame's column, but data is a str",
    ),
    "classes of a name": ("digits", {"classes": False}, "classes = False is for your own data; it is known whether 'digits'"),
    "one array": (X, {}, "data is a ndarray; wanted a name, the path of an .npz file, a pair"),
    "three arrays": ((X, Y, Y), {}, "data is a tuple; wanted a name"),
    "an unknown column": (FRAME, {"target": "cost"}, "the DataFrame has the columns .*; wanted one called 'cost', the target"),
    "one column": (
        Frame(price=Y),
        {},
        r"the DataFrame has the columns \['price'\]; wanted one called 'price', the target, and others",
    ),
    "no column": (Frame(), {}, r"the DataFrame has the columns \[\]; wanted one"),
    "different lengths": ((X, Y[:-1]), {}, "x has 40 rows and y has 39; each row of x wants one of y"),
    "nothing": (([], []), {}, r"x has shape \(0,\); wanted \(n,\) or \(n, columns\), or images"),
    "three rows": ((X[:3], Y[:3]), {}, "found 3 rows; wanted at least 4"),
    "NaN in x": ((with_hole(np.nan), Y), {}, "x holds nan in row 7; wanted finite numbers"),
    "infinity in x": ((with_hole(-np.inf), Y), {}, "x holds -inf in row 7; wanted finite numbers"),
    "what float32 cannot hold": ((with_hole(1e300), Y), {}, r"x holds 1e\+300 in row 7; wanted finite numbers up to 3\.4e\+38"),
    "a whole number that no integer type holds": (
        (X, [10**400] * N),
        {},
        "y must hold numbers: int too large to convert to float",
    ),
    "NaN in y": ((X, np.where(Y > 0.5, np.nan, Y)), {}, "y holds nan in row"),
    "NaN among classes": ((X, np.where(Y > 0.5, np.nan, 1)), {"classes": True}, "y holds nan in row"),
    "None in x": (([*with_hole(0).tolist()[:-1], [None, 1, 2]], Y), {}, "x has no value in row 39"),
    "words in x": ((KINDS, Y), {}, "x must hold numbers: could not convert string to float"),
    "dates in x": ((np.array(["2020-01-01"] * N, "M8[D]"), Y), {}, "x must hold numbers: found datetime64"),
    "complex numbers": ((X + 1j, Y), {}, "x must hold numbers: found complex128"),
    "words that are no classes": ((X, KINDS), {"classes": False}, "y must hold numbers: could not convert"),
    "one class": ((X, ["cat"] * N), {}, "y has 1 columns and 1 classes; wanted one column and at least 2 classes"),
    "two columns of classes": ((X, labels(2 * N).reshape(N, 2)), {"classes": True}, "y has 2 columns and 10 classes"),
    "five axes": ((np.ones((N, 2, 2, 2, 2)), Y), {}, r"x has shape \(40, 2, 2, 2, 2\); wanted"),
    "no channels": ((np.ones((N, 5, 6, 7)), Y), {}, r"x has shape \(40, 5, 6, 7\); wanted images .* with c = 1, 3 or 4"),
}


@pytest.mark.parametrize(("data", "options", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_taken_is_named_with_the_cure(data, options, message):
    with pytest.raises(ValueError, match=message):
        load(data, **options)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"x_train": X, "y_train": Y},
            "mine.npz holds x_train, y_train; wanted x_train, y_train, x_test and y_test, or x and y",
        ),
        ({}, "mine.npz holds nothing; wanted x_train"),
        ({"x": X, "y": np.array([None] * N)}, "mine.npz cannot be read: Object arrays cannot be loaded"),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:, :2], "y_test": Y},
            r"shapes \(\(3,\), \(1,\)\) for training and \(\(2,\), \(1,\)\)",
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y, "x_val": X, "y_val": Y},
            "mine.npz holds x_val and y_val, too, which would not be read; put these rows to those of x_train",
        ),
        ({"x": X, "y": Y, "x_test": X, "y_test": Y, "y_names": Y}, "mine.npz holds x_test and y_test, too"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y[:-3]}, "x_test has 40 rows and y_test has 37"),
    ],
)
def test_an_npz_file_of_another_form_is_named_with_what_it_holds(tmp_path, arrays, message):
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "mine.npz")
