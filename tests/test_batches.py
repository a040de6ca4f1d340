"""Rows from tensors and from datasets: the same seed takes the same batches, and a bad item is called by its number."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from torch.testing import assert_close
from torch.utils.data import IterableDataset, Subset, TensorDataset

from spectral_lab import SpectralNet, alpha_beta, datasets, train
from spectral_lab.batches import Batches, DatasetRows, TensorRows, bad_rows, check_rows, parts, rows_of

EXACT = {"rtol": 0, "atol": 0}
LIKE = torch.zeros(1)


def tensors(n=10):
    x = torch.arange(n * 3.0).reshape(n, 3)
    return x, x[:, :1] ** 2


def pairs(n=10):
    return TensorDataset(*tensors(n))


def net(nodes=(2, 8, 1), **options):
    return SpectralNet(nodes, generator=torch.Generator().manual_seed(0), **options)


class Items:
    """A map-style dataset that is no torch Dataset: items as they are, or an exception."""

    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, number):
        if isinstance(self.items[number], Exception):
            raise self.items[number]
        return self.items[number]


GOOD = (torch.ones(2), torch.ones(1))

# -- order -------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 12), st.integers(1, 15), st.integers(0, 99))
def test_batches_are_permutations_of_the_rows_drawn_from_the_seed(n, size, seed):
    generator = torch.Generator().manual_seed(seed)
    batches = Batches(TensorRows(*tensors(n), LIKE), seed)
    for epoch in range(3):
        order = torch.randperm(n, generator=generator)
        for start in range(0, n, size):
            x, y = batches.take(size)
            assert_close((x, y), tuple(part[order[start : start + size]] for part in tensors(n)), **EXACT)
        assert (batches.epochs, batches.passes) == (epoch, epoch + 1)


@given(st.integers(1, 12), st.integers(1, 15), st.integers(0, 99))
def test_a_dataset_gives_the_batches_of_its_tensors(n, size, seed):
    ours, theirs = Batches(DatasetRows(pairs(n), LIKE), seed), Batches(TensorRows(*tensors(n), LIKE), seed)
    for _ in range(7):
        assert_close(ours.take(size), theirs.take(size), **EXACT)


@pytest.mark.parametrize("source", [lambda n: TensorRows(*tensors(n), LIKE), lambda n: DatasetRows(pairs(n), LIKE)])
def test_batches_go_on_from_where_they_were_restored(source):
    batches = Batches(source(10), seed=3)
    for _ in range(4):
        batches.take(4)
    place = batches.epochs, batches.position, batches.order, batches.random
    wanted = [batches.take(4) for _ in range(5)]
    other = Batches(source(10), seed=8)
    other.restore(*place)
    assert_close([other.take(4) for _ in range(5)], wanted, **EXACT)


def test_chunks_are_all_rows_in_their_own_order():
    x, y = tensors(7)
    for rows in (TensorRows(x, y, LIKE), DatasetRows(pairs(7), LIKE)):
        rows.arrange(torch.tensor([3, 2, 1, 0, 4, 5, 6]))
        found = list(rows.chunks(3))
        assert_close(tuple(torch.cat(part) for part in zip(*found, strict=True)), (x, y), **EXACT)
    assert [len(part) for part, _ in found] == [3, 3, 1]


def test_large_rows_are_measured_some_at_a_time():
    images = TensorRows(torch.zeros(30, 3, 256, 256), torch.zeros(30), LIKE)
    assert [len(x) for x, _ in images.chunks(2)] == [5] * 6
    assert [len(x) for x, _ in images.chunks(20)] == [20, 10]


# -- datasets ----------------------------------------------------------------------------------------------------------


def test_a_network_is_trained_on_a_dataset_to_the_same_bits_as_on_its_tensors():
    data, first, other = alpha_beta(1.0, 5, 50, seed=0), net(), net()
    options = {"epochs": 3, "batch_size": 20, "rho": 1e-3, "record_every": 2, "seed": 4}
    assert list(train(first, TensorDataset(*data), **options)) == list(train(other, *data, **options))
    assert_close(first.state_dict(), other.state_dict(), **EXACT)


def test_arrays_numbers_and_lists_of_pairs_are_datasets_too():
    rows = DatasetRows([(np.arange(3.0) + i, i) for i in range(4)], LIKE)
    x, y = rows.read([2, 0])
    assert_close(x, torch.tensor([[2.0, 3, 4], [0, 1, 2]]))
    assert_close(y, torch.tensor([2, 0]))


def test_floating_numbers_get_the_type_of_the_network_and_classes_stay_whole():
    like = torch.zeros(1, dtype=torch.float64)
    for rows in (DatasetRows([(torch.ones(3), 1)] * 2, like), TensorRows(torch.ones(2, 3), torch.ones(2).long(), like)):
        x, y = next(rows.chunks(2))
        assert (x.dtype, y.dtype) == (torch.float64, torch.int64)


def test_a_part_of_a_dataset_is_a_dataset():
    rows = DatasetRows(Subset(pairs(10), [4, 7]), LIKE)
    assert_close(rows.read([1])[0], tensors()[0][[7]])


def test_images_train_a_convolution_with_classes_as_targets():
    x, y = torch.rand(12, 1, 6, 6), torch.arange(12) % 3
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 3))
    for data in ((x, y), (TensorDataset(x, y),)):
        (record,) = train(model, *data, steps=4, batch_size=5, record_every=4, loss=nn.functional.cross_entropy)
        assert math.isfinite(record.data_loss)


def test_data_change_from_tensors_to_a_dataset_on_the_way():
    data, plain, moved = alpha_beta(1.0, 5, 50, seed=0), net(), net()
    train(plain, *data, steps=9, batch_size=20).advance(9)
    run = train(moved, *data, steps=9, batch_size=20)
    run.advance(4)
    run.set_data(TensorDataset(*data))
    assert isinstance(run.data, TensorDataset)
    run.advance(5)
    assert_close(plain.state_dict(), moved.state_dict(), **EXACT)


# -- what is refused ---------------------------------------------------------------------------------------------------


class Stream(IterableDataset):
    def __iter__(self):
        yield GOOD


REFUSED = {
    "a stream": (lambda: (Stream(), None), TypeError, "of the kind Stream; wanted two tensors, or a map-style dataset"),
    "a generator": (lambda: ((p for p in [GOOD]), None), TypeError, "of the kind generator; wanted two tensors, or a map"),
    "a dataset and targets": (
        lambda: (pairs(2), torch.ones(2)),
        TypeError,
        r"x is of the kind TensorDataset and y is given too; wanted two tensors, or a dataset of pairs alone",
    ),
    "a tensor without targets": (lambda: (torch.ones(3, 2), None), TypeError, "y is of the kind NoneType; wanted a tensor of"),
    "data in three parts": (
        lambda: (datasets.load("digits"), None),
        TypeError,
        "kind Dataset; .* of data in parts give x_train and y_train",
    ),
    "no items": (lambda: (Items(), None), ValueError, "the dataset has no items"),
    "no pair": (lambda: (Items(torch.ones(2)), None), ValueError, r"item 0 .* is a Tensor; wanted a pair \(input, target\)"),
    "a triple": (lambda: (Items((1.0, 2.0, 3.0)), None), ValueError, r"item 0 of the dataset is a tuple of 3; wanted a pair"),
    "a mapping": (lambda: (Items({"x": 1}), None), ValueError, r"item 0 of the dataset is a dict of 1; wanted a pair"),
    "words": (
        lambda: (Items(("cat", 1)), None),
        ValueError,
        r"item 0 .* is a pair of \['str', 'int'\]; wanted tensors",
    ),
    "a picture": (
        lambda: (Items((Image.new("L", (2, 2)), 1)), None),
        ValueError,
        "item 0 .* cannot be put into a batch",
    ),
    "NaN": (lambda: (Items((torch.tensor([1, math.nan]), GOOD[1])), None), ValueError, "item 0 .* NaN or inf.* in its input"),
    "another width": (lambda: (Items((torch.ones(3), torch.ones(1))), None), ValueError, "x has rows of 3 numbers; the net"),
    "targets of another width": (lambda: (Items((torch.ones(2), 1.0)), None), ValueError, r"y has shape \(1,\); the mean sq"),
}


@pytest.mark.parametrize(("data", "kind", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("length", [{"steps": 2}, {"epochs": 2}], ids=str)
def test_data_of_another_kind_are_refused_before_anything_is_trained(data, kind, message, length):
    network, x = net(), torch.ones(2, 2)
    run = train(network, x, torch.ones(2, 1), steps=2)
    before = {name: p.clone() for name, p in network.state_dict().items()}
    with pytest.raises(kind, match=message):
        train(network, *data(), **length)
    with pytest.raises(kind, match=message):
        run.set_data(*data())
    if not isinstance(data()[0], TensorDataset):
        held_out = data() if isinstance(data()[0], torch.Tensor) else data()[0]
        with pytest.raises(kind, match=message):
            train(network, x, torch.ones(2, 1), validation=held_out, **length)
    assert_close(dict(network.state_dict()), before, **EXACT)
    assert run.data[0] is x


LATER = {
    "no pair": ((GOOD, GOOD, torch.ones(2)), ValueError, "item 2 of the dataset is a Tensor; wanted a pair"),
    "NaN in an input": ((GOOD, (torch.tensor([math.nan, 0]), GOOD[1])), ValueError, "item 1 .* infinite values in its input"),
    "inf in a target": ((GOOD, GOOD, GOOD, (GOOD[0], GOOD[1] / 0)), ValueError, "item 3 .* infinite values in its target"),
    "a float NaN": (((GOOD[0], 1.0), (GOOD[0], math.nan)), ValueError, "item 1 .* infinite values in its target"),
    "another shape": ((GOOD, (torch.ones(4), GOOD[1])), ValueError, r"item \d of .* has the input of shape \(\d,\), and item"),
    "another kind": ((GOOD, (GOOD[0], 3)), ValueError, r"item \d of the dataset has the target .*; wanted one shape"),
}


@pytest.mark.parametrize(("items", "kind", "message"), LATER.values(), ids=LATER)
def test_a_bad_item_is_found_when_its_batch_comes_and_called_by_its_number(items, kind, message):
    run = train(net(), Items(*items), epochs=1, batch_size=10, loss=lambda z, y: z.sum() + y.sum())
    with pytest.raises(kind, match=message):
        next(run)


def test_what_a_dataset_raises_tells_at_which_item():
    run = train(net(), Items(GOOD, OSError("the picture is broken"), GOOD), epochs=1)
    with pytest.raises(OSError, match="the picture is broken") as caught:
        next(run)
    assert caught.value.__notes__ == ["while item 1 of the dataset was read"]


@given(st.lists(st.sampled_from([0.0, 1.0, math.nan, math.inf, -math.inf]), min_size=1, max_size=8))
def test_bad_rows_are_those_that_are_not_finite(values):
    wanted = [i for i, value in enumerate(values) if not math.isfinite(value)]
    flat = torch.tensor(values)
    for rows in (flat, flat[:, None], flat[:, None, None].expand(-1, 2, 3), flat.double()):
        assert bad_rows(rows).tolist() == wanted


def test_whole_numbers_have_no_bad_rows_and_images_fit():
    assert len(bad_rows(torch.arange(3))) == 0
    check_rows(torch.rand(4, 3, 5, 5), torch.arange(4))


def test_two_tensors_in_a_tuple_are_data_and_anything_else_is_a_dataset():
    x, y = tensors()
    assert parts((x, y)) == (x, y)
    dataset = [(1.0, 2.0), (3.0, 4.0)]
    assert parts(dataset) == (dataset, None)
    assert parts(tuple(dataset)) == (tuple(dataset), None)
    assert len(rows_of(*parts(tuple(dataset)), LIKE)) == 2
