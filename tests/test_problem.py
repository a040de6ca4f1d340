"""What the network has to learn: the α–β family, digits, and the user's own data, of whatever kind they come."""

import re
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from spectral_lab import digits
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.problem import CASES, DOTS, GRID, POINTS, input_square, make_problem, own_data
from spectral_lab.live.settings import SETTINGS
from spectral_lab.tasks import TARGETS, alpha_beta_target

EXACT = {"rtol": 0, "atol": 0}
DEFAULTS = {name: setting.default for name, setting in SETTINGS.items()}


def problem(own=None, **changed):
    return make_problem({**DEFAULTS, **({"task": "own"} if own is not None else {}), **changed}, own)


def joined(made):
    """All inputs and targets of a problem, training data first."""
    return torch.cat([made.x, made.x_held]), torch.cat([made.y, made.y_held])


# -- the α–β family ------------------------------------------------------------------------------------------------------


@given(st.floats(0, 1), st.floats(0.1, 100), st.floats(0, 3), st.sampled_from(sorted(TARGETS)))
def test_the_points_are_the_same_for_every_alpha_beta_noise_and_curve(alpha, beta, noise, task):
    made = problem(task=task, alpha=alpha, beta=beta, noise=noise, seed=3)
    assert_close(joined(made)[0], joined(problem(seed=3))[0], **EXACT)
    assert made.x.shape == (1600, 2)
    assert not torch.equal(made.x, problem(seed=4).x)


@pytest.mark.parametrize("task", TARGETS)
def test_the_targets_are_those_of_the_named_curve_for_the_data_and_the_picture(task):
    made = problem(task=task, alpha=0.7, beta=3.0)
    x, y = joined(made)
    assert_close(y, alpha_beta_target(x, 0.7, 3.0, g=TARGETS[task]))
    assert_close(made.target, alpha_beta_target(input_square(), 0.7, 3.0, g=TARGETS[task])[:, 0])
    assert (made.kind, made.inputs, made.outputs, made.dots) == ("square", ("x₁", "x₂"), ("y",), None)
    assert made.loss is nn.functional.mse_loss
    assert made.points.shape == (GRID**2, 2)
    assert (made.classes, made.accuracy(made.y, made.y)) == (False, None)


def test_noise_has_the_asked_standard_deviation_and_is_the_same_for_every_alpha():
    noise = [joined(problem(noise=0.3, alpha=a))[1] - joined(problem(alpha=a))[1] for a in (0.1, 0.9)]
    assert_close(noise[0].std().item(), 0.3, rtol=0.05, atol=0)
    assert_close(noise[0].mean().item(), 0.0, rtol=0, atol=0.03)
    assert_close(noise[0], noise[1], rtol=0, atol=1e-6)
    assert_close(problem(noise=0.3).target, problem().target, **EXACT)  # the picture shows what is behind the noise


@pytest.mark.parametrize("task", ["bowl", "digits", "own"])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.9])
def test_validation_data_are_the_asked_share_and_never_trained_on(task, share):
    own = own_data((np.random.default_rng(0).random((50, 3)), np.arange(50.0))) if task == "own" else None
    made, whole = problem(own, task=task, validation=share), problem(own, task=task, validation=0.0)
    n = len(whole.x)
    assert n == {"bowl": POINTS, "digits": 1797, "own": 50}[task]
    assert (len(made.x_held), len(made.y_held)) == (int(share * n),) * 2
    assert (len(made.x), len(made.y)) == (n - int(share * n),) * 2
    assert not set(map(tuple, made.x.tolist())) & set(map(tuple, made.x_held.tolist()))
    assert_close(joined(made), joined(whole), **EXACT)


def test_the_input_square_goes_row_by_row_from_the_top_left():
    square = input_square(3).tolist()
    assert square[:3] == [[-1, 1], [0, 1], [1, 1]]
    assert square[-3:] == [[-1, -1], [0, -1], [1, -1]]


# -- digits --------------------------------------------------------------------------------------------------------------


def test_digits_have_64_pixels_and_ten_classes_and_are_shown_as_a_table():
    made = problem(task="digits", seed=5)
    assert (len(made.inputs), made.outputs, made.image, made.kind) == (64, tuple("0123456789"), (8, 8), "table")
    assert (made.inputs[0], made.inputs[-1]) == ("pixel 1, 1", "pixel 8, 8")
    assert made.classes
    known = {
        tuple(x): y for part in (digits(), digits(seed=9)) for x, y in zip(part[0].tolist(), part[1].tolist(), strict=True)
    }
    x, y = joined(made)
    found = [(known[row], label) for row, label in zip(map(tuple, x.tolist()), y.tolist(), strict=True) if row in known]
    assert len(found) > 1600
    assert all(a == b for a, b in found)


def test_the_table_prefers_images_that_were_not_trained_on():
    made = problem(task="digits", validation=0.3)
    assert_close(made.points, made.x_held[:CASES], **EXACT)
    assert_close(made.target, made.y_held[:CASES].float(), **EXACT)
    made = problem(task="digits", validation=0.0)
    assert_close(made.points, made.x[:CASES], **EXACT)
    assert len(problem(task="digits", validation=0.05).points) == 89


def test_the_share_of_right_answers_counts_the_largest_outputs():
    made = problem(task="digits")
    output = torch.zeros(10, 10).index_put((torch.arange(10), torch.arange(10)), torch.tensor(1.0))
    assert made.accuracy(output, torch.tensor([*range(9), 0])) == pytest.approx(0.9)
    assert made.shown(output).tolist() == [*range(10)]
    assert made.accuracy(output[:0], made.y[:0]) is None


# -- own data: what they may be ------------------------------------------------------------------------------------------


class Frame:
    """The part of a pandas DataFrame that is used here: columns of values of one kind each, and places by number."""

    def __init__(self, columns):
        self.held = dict(columns)
        self.columns = list(self.held)

    @property
    def iloc(self):
        return self

    def __getitem__(self, place):
        rows, columns = place
        assert rows == slice(None)
        names = self.columns[columns]
        return Frame({name: self.held[name] for name in names}) if isinstance(names, list) else Series(self.held[names], names)

    def __len__(self):
        return len(next(iter(self.held.values())))

    def __array__(self, dtype=None, copy=None):
        columns = [np.asarray(column) for column in self.held.values()]
        if len({column.dtype.kind for column in columns}) > 1:  # as pandas does: one type for all
            columns = [column.astype(object) for column in columns]
        return np.stack(columns, axis=1)


class Series:
    """The same of a pandas Series."""

    def __init__(self, values, name=None):
        self.held, self.name = values, name

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.held)


RANDOM = np.random.default_rng(1)
N = 24
X = RANDOM.random((N, 2)) * [10, 0.1] + [5, -3]
Y = RANDOM.random(N)
FORMS = {
    "arrays": (X, Y),
    "a list of the two": [X, Y],
    "lists": (X.tolist(), Y.tolist()),
    "tensors": (torch.tensor(X, requires_grad=True), torch.tensor(Y)[:, None]),
    "a DataFrame": Frame({"size": X[:, 0], "weight": X[:, 1], "price": Y}),
    "a DataFrame and a Series": (Frame({"size": X[:, 0], "weight": X[:, 1]}), Series(Y, "price")),
    "objects": (X.astype(object), Y.astype(object)),
    "Decimals": ([[Decimal(v) for v in row] for row in X.tolist()], [Decimal(v) for v in Y.tolist()]),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_numbers_are_the_same_data_in_whatever_form_they_come(form):
    own, wanted = own_data(FORMS[form]), own_data((X, Y))
    assert_close((own.x, own.y), (wanted.x, wanted.y), **EXACT)
    assert (own.ranges, own.fingerprint) == (wanted.ranges, wanted.fingerprint)
    named = "DataFrame" in form
    assert own.inputs == (("size", "weight") if named else ("x1", "x2"))
    assert own.outputs == (("price",) if named else ("y1",))
    assert (own.x.dtype, own.y.dtype, own.y.shape) == (torch.float32, torch.float32, (N, 1))


def test_a_dataframe_of_another_library_is_taken_apart_by_its_own_places():
    class Other(Frame):
        iloc = property()  # without it

    own = own_data(Other({"size": X[:, 0], "weight": X[:, 1], "price": Y}))
    assert (own.inputs, own.outputs) == (("size", "weight"), ("price",))
    assert own.fingerprint == own_data((X, Y)).fingerprint


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int32, torch.bool], ids=str)
def test_tensors_of_every_number_type_are_taken(dtype):
    x = torch.tensor(X).to(dtype)
    own = own_data((x, Y))
    assert_close(own.x, own_data((x.tolist(), Y)).x, **EXACT)
    assert_close(own_data((x.to_sparse(), Y)).x, own.x, **EXACT)


def test_inputs_are_scaled_to_the_square_and_their_ranges_lead_back():
    own = own_data((X, Y))
    assert_close(own.x.min(0).values, torch.full((2,), -1.0))
    assert_close(own.x.max(0).values, torch.full((2,), 1.0))
    for column, (low, high) in enumerate(own.ranges):
        assert (low, high) == (X[:, column].min(), X[:, column].max())
        back = low + (own.x[:, column].double().numpy() + 1) / 2 * (high - low)
        np.testing.assert_allclose(back, X[:, column], rtol=1e-6)


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e25])
def test_targets_have_mean_zero_and_reach_one(offset):
    y = np.stack([Y * (abs(offset) + 1) + offset, -3 * Y], axis=1)
    own = own_data((X, y))
    assert own.y.shape == (N, 2)
    assert_close(own.y.mean(0), torch.zeros(2), rtol=0, atol=1e-6)
    assert_close(own.y.abs().max(0).values, torch.ones(2))
    assert np.corrcoef(own.y[:, 0], own.y[:, 1])[0, 1] == pytest.approx(-1, abs=1e-4)


def test_columns_that_never_change_become_zero():
    x, y = np.stack([X[:, 0], np.full(N, 7.0)], axis=1), np.stack([np.full(N, -2.0), Y], axis=1)
    own = own_data((x, y))
    assert own.x[:, 1].tolist() == own.y[:, 0].tolist() == [0.0] * N
    assert own.ranges[1] == (7.0, 7.0)
    assert own_data((x, np.full(N, 3))).y.tolist() == [[0.0]] * N  # one whole number is no class to tell from another


CLASSES = {
    "words": (["dog", "cat", "cow"] * 8, ("cat", "cow", "dog")),
    "words as objects": (np.array(["dog", "cat", "cow"] * 8, object), ("cat", "cow", "dog")),
    "truth values": ([True, False, True] * 8, ("False", "True")),
    "truth values as objects": (np.array([True, False, True] * 8, object), ("False", "True")),
    "truth values in a tensor": (torch.tensor([True, False, True] * 8), ("False", "True")),
    "whole numbers": (np.array([3, -1, 12] * 8, np.int16), ("-1", "3", "12")),
    "whole numbers as objects": (np.array([3, -1, 12] * 8, object), ("-1", "3", "12")),
    "whole numbers in a column": (np.array([3, 1, 12] * 8, np.uint8)[:, None], ("1", "3", "12")),
    "a Series of words": (Series(["dog", "cat", "cow"] * 8, "animal"), ("cat", "cow", "dog")),
    "bytes": (np.array([b"b", b"a", b"b"] * 8), ("b'a'", "b'b'")),
}


@pytest.mark.parametrize(("y", "names"), CLASSES.values(), ids=CLASSES)
def test_words_truth_values_and_few_whole_numbers_are_classes(y, names):
    own = own_data((X, y))
    assert own.outputs == names
    assert (own.y.dtype, own.y.shape) == (torch.int64, (N,))
    values = [str(v) for v in np.asarray(y.held if isinstance(y, Series) else y).reshape(-1).tolist()]
    assert [names[k] for k in own.y.tolist()] == values


@pytest.mark.parametrize(
    "y",
    [range(24), [0.0, 1.0] * 12, [[0, 1]] * 24, np.arange(24, dtype=object) / 3, [10**30 + k for k in range(24)]],
    ids=["many whole numbers", "floats", "two columns", "floats as objects", "very large whole numbers"],
)
def test_other_numbers_are_approximated(y):
    assert own_data((X, y)).y.is_floating_point()


def test_the_fingerprint_tells_other_numbers_other_order_and_other_kinds_apart():
    x = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    kinds = [
        (X, Y),
        (X[::-1], Y[::-1]),
        (X[:, ::-1], Y),
        (X + 1e-9 * Y[:, None], Y),
        (X, Y**2),
        (X, np.arange(N) % 3),
        (X, [str(k % 2) for k in range(N)]),
        (X[:, 0], Y),
        (x, [0, 0, 0, 0]),
        (x, [[0.0], [0.0], [0.0], [0.0]] * np.ones(2)),
        (np.zeros((4, 2)), np.zeros((4, 1))),
        (np.zeros((4, 1)), np.zeros((4, 2))),
    ]
    found = [own_data(data).fingerprint for data in kinds]
    assert len(set(found)) == len(found)
    assert found == [own_data(data).fingerprint for data in kinds]
    assert all(re.fullmatch(r"[0-9a-f]{16}", fingerprint) for fingerprint in found)


# -- own data: what is refused -------------------------------------------------------------------------------------------

HOLE = X.copy()
HOLE[3, 1] = np.nan
REFUSED = {
    "NaN in x": ((HOLE, Y), "x holds nan in row 3, column 1; wanted finite numbers up to 1e30. Leave such rows out"),
    "infinity in x": ((np.where(HOLE == HOLE, X, -np.inf), Y), "x holds -inf in row 3, column 1; wanted finite numbers"),
    "NaN in y": ((X, HOLE[:, 1]), "y holds nan in row 3, column 0; wanted finite numbers"),
    "far too large": ((X, Y * 1e32), "wanted finite numbers up to 1e30"),
    "words in x": (([["a", "b"]] * N, Y), "x must hold numbers: could not convert string to float"),
    "words in one column of x": (
        (Frame({"a": X[:, 0], "b": ["p", "q"] * 12}), Y),
        "x must hold numbers: could not convert string to float: np.str_('p'). Turn words and dates into numbers first",
    ),
    "two columns of words in y": ((X, [["a", "b"]] * N), "y must hold numbers: could not convert string"),
    "dates in x": ((np.arange(N).astype("datetime64[D]"), Y), "x must hold numbers: found datetime64[D]. Turn words and dates"),
    "dates in y": ((X, np.arange(N).astype("datetime64[D]")), "y must hold numbers: found datetime64[D]. Turn words and dates"),
    "complex numbers in x": ((X + 1j, Y), "x must hold numbers: found complex128"),
    "complex numbers in y": ((X, Y + 1j), "y must hold numbers: found complex128"),
    "other lengths": ((X, Y[:-1]), "x has 24 rows and y has 23; each row of x wants one of y"),
    "too few rows": ((X[:3], Y[:3]), "found 3 rows; wanted at least 4, so that there is something to learn"),
    "too many inputs": ((np.ones((N, 101)), Y), "x has 101 columns; the instrument draws at most 100. Leave some out"),
    "too many outputs": ((X, np.ones((N, 21))), "y has 21 columns; the instrument draws at most 20. Leave some out"),
    "ragged rows": (([[1, 2], [3]] * 12, Y), "x is no array: setting an array element with a sequence"),
    "ragged rows as objects": ((np.array([[1, 2], [3]] * 12, object), Y), "x is no array: setting an array element"),
    "None among numbers in x": (([1.0, None, 2.0] * 8, Y), "x has no value in row 1; leave such rows out, or fill them in"),
    "None among numbers in y": ((X, [1.0, None, 2.0] * 8), "y has no value in row 1; leave such rows out, or fill them in"),
    "None among words": ((X, ["a", "b", None] * 8), "y has no value in row 2; leave such rows out, or fill them in"),
    "NaN among words": ((X, np.array(["a", "b", np.nan] * 8, object)), "y has no value in row 2; leave such rows out"),
    "NaN in a list of words": ((X, ["a", "b", float("nan")] * 8), "y has no value in row 2; leave such rows out"),
    "masked values": ((np.ma.masked_array(X, mask=HOLE != HOLE), Y), "x has masked values; leave those rows out"),
    "one class": ((X, ["a"] * N), "y holds 1 class; wanted 2 to 20. Numbers to be approximated want floats"),
    "one truth value": ((X, [True] * N), "y holds 1 class; wanted 2 to 20"),
    "too many classes": ((X, [str(k) for k in range(N)]), "y holds 24 different classes; wanted 2 to 20"),
    "a number beyond all types": ((X, [10**400] * N), "y must hold numbers: int too large to convert to float"),
    "nothing": (([], []), "x has shape (0,); wanted (n,) or (n, columns)"),
    "no columns": ((X[:, :0], Y), "x has shape (24, 0); wanted (n,) or (n, columns)"),
    "a single number": ((3.0, Y), "x has shape (); wanted (n,) or (n, columns)"),
    "a generator": (((v for v in Y), Y), "x has shape (); wanted (n,) or (n, columns)"),
    "three dimensions in x": ((np.ones((N, 2, 2)), Y), "x has shape (24, 2, 2); wanted (n,) or (n, columns)"),
    "three dimensions in y": ((X, np.ones((N, 1, 1))), "y has shape (24, 1, 1); wanted (n,) or (n, columns)"),
    "an array alone": (X, "data is a ndarray; wanted a pair (x, y) or a DataFrame whose last column is the target"),
    "a dictionary": ({"x": X, "y": Y}, "data is a dict; wanted a pair (x, y) or a DataFrame"),
    "a text": ("xy", "data is a str; wanted a pair (x, y) or a DataFrame"),
    "three arrays": ((X, Y, Y), "data is a tuple; wanted a pair (x, y) or a DataFrame"),
    "a DataFrame of one column": (
        Frame({"a": Y}),
        "the DataFrame has 1 column; wanted inputs and, as the last one, the target",
    ),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_data_that_cannot_be_learnt_are_refused_with_what_was_found_and_what_was_wanted(data, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        own_data(data)


def test_an_instrument_with_such_data_is_not_made():
    with pytest.raises(ValueError, match="x holds nan in row 3, column 1"):
        Instrument(data=(HOLE, Y))
    with pytest.raises(ValueError, match=r"task = 'own', but there are no data; make the instrument with data=\(x, y\)"):
        Instrument(task="own")
    with pytest.raises(ValueError, match="there are no data"):
        Instrument().task = "own"


def test_pandas_with_all_its_kinds_of_columns():
    pandas = pytest.importorskip("pandas")
    x = {"size": X[:, 0], "weight": pandas.array(range(N), dtype="Int64"), "big": [True, False] * 12}

    def read(y):
        return own_data(pandas.DataFrame({**x, "target": y}, index=range(7, 7 + N)))

    def refused(y, match):
        with pytest.raises(ValueError, match=match):
            read(y)

    words = ["dog", "cat", "cow"] * 8
    for y in (words, pandas.Categorical(words), pandas.array(words, dtype="string")):
        own = read(y)
        assert (own.inputs, own.outputs) == (("size", "weight", "big"), ("cat", "cow", "dog"))
        assert own.ranges[1:] == ((0.0, 23.0), (0.0, 1.0))
        assert own.y[:3].tolist() == [2, 0, 1]
    assert read(pandas.array([1, 5] * 12, dtype="Int64")).outputs == ("1", "5")
    assert read(pandas.array([True, False] * 12, dtype="boolean")).outputs == ("False", "True")
    assert read(pandas.array(Y, dtype="Float64")).outputs == ("target",)
    assert_close(read(pandas.array(Y, dtype="Float64")).y, own_data((X, Y)).y)
    refused(["a", "b", None] * 8, "y has no value in row 2")
    refused(pandas.Categorical(["a", "b", None] * 8), "y has no value in row 2")
    refused(pandas.array(["a", "b", None] * 8, dtype="string"), "y has no value in row 2")
    refused(pandas.array([True, False, None] * 8, dtype="boolean"), "y has no value in row 2")
    refused(pandas.array([1, 2, None] * 8, dtype="Int64"), "y (has no value|holds nan) in row 2")
    refused(pandas.date_range("2020", periods=N), "y must hold numbers: found datetime64")
    with pytest.raises(ValueError, match="data is a Series; wanted a pair"):
        own_data(pandas.Series(Y))
    x["weight"] = pandas.array([1, None] * 12, dtype="Int64")
    refused(Y, "x has no value in row 1")


# -- own data: where the fit is looked at --------------------------------------------------------------------------------


def table(n_in, y=None, n=200):
    """Own data with ``n_in`` inputs."""
    x = np.random.default_rng(n_in).random((n, n_in))
    return own_data((x, x.sum(1) ** 2 if y is None else y(x)))


def three(x):
    return np.digitize(x[:, 0], [0.3, 0.6])


def two(x):
    return np.where(x.sum(1) > x.shape[1] / 2, "yes", "no")


@pytest.mark.parametrize(
    ("n_in", "y", "kind"),
    [
        (1, None, "line"),
        (2, None, "square"),
        (5, None, "square"),
        (1, two, "line"),
        (2, two, "square"),
        (5, two, "table"),
        (1, three, "table"),
        (2, three, "table"),
        (5, three, "table"),
        (2, lambda x: x[:, :1] * [1, 2, 3], "square"),
    ],
)
def test_the_kind_of_picture_follows_from_the_data(n_in, y, kind):
    own = table(n_in, y)
    made = problem(own)
    assert made.kind == kind
    assert made.points.shape[1] == n_in
    assert made.loss is (nn.functional.mse_loss if own.y.is_floating_point() else nn.functional.cross_entropy)
    assert (made.inputs, made.outputs) == (own.inputs, own.outputs)
    rows = sorted(zip(own.x.tolist(), own.y.tolist(), strict=True))
    x, y = joined(made)
    assert sorted(zip(x.tolist(), y.tolist(), strict=True)) == rows


def test_a_line_runs_over_the_one_input_with_the_data_beside_it():
    made = problem(table(1))
    assert made.points.shape == (GRID**2 // 4, 1)
    assert (made.points[0].item(), made.points[-1].item()) == (-1.0, 1.0)
    assert all(a < b for a, b in pairwise(made.points[:, 0].tolist()))
    assert (made.target, made.axes, len(made.ranges)) == (None, ("x1",), 1)
    pairs = set(zip(made.dots[:, 0].tolist(), made.dots[:, 1].tolist(), strict=True))
    x, y = joined(made)
    assert len(made.dots) == DOTS
    assert pairs <= set(zip(x[:, 0].tolist(), y[:, 0].tolist(), strict=True))
    assert_close(made.dots[:, 1], made.dots[:, 2], **EXACT)


@pytest.mark.parametrize("section", [(0, 1), (3, 1), (4, 0)])
def test_a_section_runs_through_the_chosen_inputs_in_the_middle_of_the_others(section):
    own = table(5)
    made = problem(own, section=section)
    assert made.axes == tuple(f"x{i + 1}" for i in section)
    assert made.ranges == tuple(own.ranges[i] for i in section)
    assert_close(made.points[:, list(section)], input_square(), **EXACT)
    others = [i for i in range(5) if i not in section]
    assert made.points[:, others].abs().max() == 0
    distance = sorted(sum(own.x[row, i].item() ** 2 for i in others) for row in range(len(own.x)))
    rows = {tuple(x[i] for i in section): (x, y[0]) for x, y in zip(own.x.tolist(), own.y.tolist(), strict=True)}
    assert len(made.dots) == DOTS
    for place_1, place_2, value in made.dots.tolist():
        x, y = rows[place_1, place_2]
        assert value == y
        assert sum(x[i] ** 2 for i in others) <= distance[DOTS - 1] + 1e-6


def test_a_section_through_inputs_that_are_not_there_is_refused_and_the_old_one_stays():
    own = table(3)
    for section in ((0, 3), (1, 1)):
        with pytest.raises(ValueError, match=re.escape(f"section = {section}; wanted two different inputs, counted")):
            problem(own, section=section)
    instrument = Instrument(hidden=(2,), data=(np.random.default_rng(0).random((20, 3)), np.arange(20.0)))
    with pytest.raises(ValueError, match="of the 3 there are"):
        instrument.section = (0, 3)
    assert (instrument.section, instrument.problem.axes) == ((0, 1), ("x1", "x2"))
    instrument.section = (2, 0)
    assert instrument.problem.axes == ("x3", "x1")


def test_two_classes_are_shown_by_the_difference_of_their_shares():
    made = problem(table(2, two))
    shown = made.shown(torch.tensor([[0.0, 0.0], [-50.0, 50.0], [50.0, -50.0], [0.0, 1.0]]))
    assert shown.tolist() == pytest.approx([0, 1, -1, 2 / (1 + np.exp(-1)) - 1])
    assert set(made.dots[:, 2].tolist()) == {-1.0, 1.0}


def test_of_several_outputs_the_first_is_shown():
    made = problem(table(2, lambda x: x[:, :1] * [1, 2, 3]))
    assert made.shown(torch.tensor([[1.0, 2.0, 3.0]])).tolist() == [1.0]
    assert_close(made.dots[:, 2].sort().values, joined(made)[1][:, 0].sort().values[-DOTS:], rtol=0, atol=2)


def test_the_rows_are_shuffled_by_the_seed():
    own = table(2)
    first, again, other = (problem(own, seed=seed) for seed in (1, 1, 2))
    assert_close(first.x, again.x, **EXACT)
    assert not torch.equal(first.x, other.x)
    assert not torch.equal(first.x, own.x[: len(first.x)])


# -- the instrument with own data ----------------------------------------------------------------------------------------

LEARNT = {
    "one input": (X[:, 0], Y),
    "two inputs": (X, Y),
    "five inputs": (RANDOM.random((N, 5)), Y),
    "several outputs": (X, RANDOM.random((N, 3))),
    "two classes over a line": (X[:, 0], X[:, 0] > 10),
    "two classes over a square": (X, ["a", "b", "b"] * 8),
    "three classes": (X, ["a", "b", "c"] * 8),
    "two classes of five inputs": (RANDOM.random((N, 5)), [0, 1] * 12),
    "a DataFrame": Frame({"size": X[:, 0], "weight": X[:, 1], "sort": ["a", "b", "b"] * 8}),
    "nothing to learn": (np.ones((N, 2)), np.ones(N)),
    "four rows": (X[:4], Y[:4]),
}


@pytest.mark.parametrize("data", LEARNT.values(), ids=LEARNT)
def test_own_data_train_are_drawn_and_replay_to_the_same_bits(data):
    instrument = Instrument(data=data, hidden=(4,), lr=0.01, seed=2)
    first = instrument.history[0]
    instrument.run(20)
    instrument.rho = 0.01
    last = instrument.run(10)
    assert instrument.task == "own"
    assert (last.step, last.alpha) == (30, 0.8)
    assert last.data_loss <= first.data_loss
    assert (last.accuracy is not None) == (instrument.problem.classes and len(instrument.problem.x_held) > 0)
    assert instrument.words()
    instrument.figure().draw_without_rendering()
    own = instrument.own
    for state in (instrument.state, instrument.json):
        replayed = Instrument.from_state(state, data=data)
        assert_close(dict(replayed.network.state_dict()), dict(instrument.network.state_dict()), **EXACT)
        assert (replayed.state, replayed.own.fingerprint) == (instrument.state, own.fingerprint)


def test_a_scene_of_own_data_is_refused_without_them_and_with_others():
    state = Instrument(data=(X, Y), hidden=(2,)).state
    with pytest.raises(ValueError, match=r"made with its author's own data, which are not in it; pass them as data=\(x, y\)"):
        Instrument.from_state(state)
    for other in ((X, Y**2), (X[::-1], Y[::-1]), (X[:, :1], Y), (X, Y > 0.5)):
        with pytest.raises(ValueError, match="made with other data than these; pass the same numbers in the same order"):
            Instrument.from_state(state, data=other)
    assert Instrument.from_state(state, data=FORMS["a DataFrame"]).problem.inputs == ("size", "weight")


def test_own_data_are_kept_while_another_task_is_looked_at():
    instrument = Instrument(data=(X, Y), hidden=(3,))
    instrument.task = "bowl"
    assert instrument.problem.inputs == ("x₁", "x₂")
    assert Instrument.from_state(instrument.state).task == "bowl"  # needs no data
    instrument.task = "own"
    assert_close(joined(instrument.problem)[0].sort(0).values, instrument.own.x.sort(0).values, **EXACT)
    instrument.undo()
    assert instrument.task == "bowl"


@settings(max_examples=10)
@given(n_in=st.integers(1, 4), n=st.integers(4, 40), share=st.floats(0, 0.9), seed=st.integers(0, 99))
def test_any_numbers_train(n_in, n, share, seed):
    random = np.random.default_rng(seed)
    data = (10.0 ** random.uniform(-20, 20, (n, n_in)), 10.0 ** random.uniform(-20, 20, n))
    instrument = Instrument(data=data, validation=share, hidden=(2,), batch_size=7)
    assert np.isfinite(instrument.run(5).data_loss)
    assert instrument.own.x.abs().max() <= 1
    assert instrument.own.y.abs().max() <= 1
