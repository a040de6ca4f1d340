"""The fit as it is sent: over a square whose first point is the top left, over a line, or as a table of classes."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectral_lab.live import fit
from spectral_lab.live.frames import pack
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.problem import CASES, DOTS, GRID

RANDOM = np.random.default_rng(0)
ONE, FIVE = RANDOM.random((60, 1)), RANDOM.random((200, 5)) * [1, 2, 3, 4, 5]


def sent(instrument):
    """(own words, arrays) of a picture."""
    return fit.frame(instrument, instrument.sight())


def back(own, arrays, name):
    """An array as the browser sees it: without the factor that it was quantised by."""
    return arrays[name] * own[f"{name}_scale"]


def grids(instrument):
    """Output and target over the square, (GRID, GRID) each, rows from the top."""
    own, arrays = sent(instrument)
    return tuple(back(own, arrays, name).reshape(GRID, GRID) for name in ("output", "target"))


def bent(instrument):
    """The instrument without symmetry: x_1 and x_2 must not be mixed up."""
    instrument.run(100)
    with torch.no_grad():
        instrument.network.eigenvectors[0][:, 0] += 0.5
        instrument.network.eigenvalues[1][:] = 1.0
    return instrument


OWN = {
    "a line": (ONE, ONE**2),
    "a section": (FIVE, FIVE.sum(1)),
    "two classes": (FIVE[:, :2], FIVE.sum(1) > 7),
    "three classes": (FIVE, np.digitize(FIVE[:, 0], [0.3, 0.6])),
}
ALL = {"square": {}, "digits": {"task": "digits"}, **{name: {"data": data} for name, data in OWN.items()}}


@pytest.mark.parametrize("options", ALL.values(), ids=ALL)
def test_every_kind_of_picture_can_be_sent(options):
    instrument = Instrument(hidden=(3,), **options)
    instrument.run(2)
    for own, arrays in (fit.scene(instrument), sent(instrument)):
        json.dumps(own, allow_nan=False)
        contents, _ = pack(arrays)
        assert [name for name, _, _ in contents] == list(arrays)
        assert all(np.isfinite(array).all() and array.ndim == 1 for array in arrays.values())


# -- over the square -----------------------------------------------------------------------------------------------------


def test_what_a_square_is_about_is_told_once():
    about, arrays = fit.scene(Instrument())
    assert about["kind"] == "square"
    assert about["grid"] == GRID
    assert (about["axes"], about["ranges"]) == (("x₁", "x₂"), ((-1, 1), (-1, 1)))
    assert (about["outputs"], about["image"], arrays) == (("y",), None, {})


@pytest.mark.parametrize(
    ("row", "column", "x"), [(0, 0, [-1, 1]), (0, -1, [1, 1]), (-1, 0, [-1, -1]), (-1, -1, [1, -1])], ids=str
)
def test_the_corners_are_where_the_eye_expects_them(row, column, x):
    instrument = bent(Instrument(alpha=0.4, beta=3.0))
    output, _ = grids(instrument)
    there = instrument.network(torch.tensor([x], dtype=torch.float32)).item()
    assert output[row, column] == pytest.approx(there, abs=np.abs(output).max() / 250)


@pytest.mark.parametrize(
    ("task", "curved"),
    [
        ("bowl", lambda x1, x2: x1**2 + x2**2),
        ("product", lambda x1, x2: x1 * x2),
        ("saddle", lambda x1, x2: x1**2 - x2**2),
        ("ring", lambda x1, x2: np.exp(-(((np.hypot(x1, x2) - 0.6) / 0.25) ** 2))),
    ],
)
def test_the_target_is_the_task_of_now_without_its_symmetry_lost(task, curved):
    instrument = Instrument(alpha=0.0, beta=100.0, task=task)  # the plane (x_1 + x_2) / 2
    _, target = grids(instrument)
    axis = np.linspace(-1, 1, GRID)
    np.testing.assert_allclose(target, (axis[None, :] + axis[::-1, None]) / 2, atol=5e-3)
    instrument.alpha = 1.0
    _, target = grids(instrument)
    np.testing.assert_allclose(target, curved(axis[None, :], axis[::-1, None]) / 2, atol=5e-3)


def test_pruned_neurons_are_cut_off_in_the_output():
    instrument = Instrument(alpha=1.0, lr=0.02)
    instrument.run(200)
    whole, _ = grids(instrument)
    instrument.threshold = 1e6
    pruned, _ = grids(instrument)
    compact = instrument.network.compact(1e6)
    assert np.abs(whole - pruned).max() > 0.01
    corner = compact(torch.tensor([[-1.0, 1.0]])).item()
    assert pruned[0, 0] == pytest.approx(corner, abs=5e-3)


def test_a_neuron_that_is_switched_off_is_missing_in_the_output():
    instrument = Instrument(alpha=1.0, lr=0.02, hidden=(4,))
    instrument.run(200)
    strongest = int(instrument.sight().shape.strengths[0].argmax())
    whole, _ = grids(instrument)
    instrument.switch(0, strongest, False)
    without, _ = grids(instrument)
    masks = [torch.ones(4).index_fill(0, torch.tensor(strongest), 0.0)]
    wanted = instrument.network.signals(instrument.problem.points, masks)[-1].detach().numpy().reshape(GRID, GRID)
    np.testing.assert_allclose(without, wanted, atol=5e-3)
    assert np.abs(whole - without).max() > 0.01


# -- own data ------------------------------------------------------------------------------------------------------------


def test_a_section_has_no_target_but_the_data_in_it():
    instrument = bent(Instrument(data=OWN["a section"], hidden=(5,), section=(1, 4)))
    about, arrays = fit.scene(instrument)
    assert (about["kind"], about["grid"], about["axes"]) == ("square", GRID, ("x2", "x5"))
    assert about["ranges"] == tuple((FIVE[:, i].min(), FIVE[:, i].max()) for i in (1, 4))
    dots = arrays["dots"].reshape(-1, 3)
    assert dots.shape == (DOTS, 3)
    assert dots.dtype == np.float32
    own, arrays = sent(instrument)
    assert set(arrays) == {"output"}
    output = back(own, arrays, "output").reshape(GRID, GRID)
    for row, column, corner in [(0, 0, (-1, 1)), (-1, -1, (1, -1))]:
        there = instrument.network(torch.tensor([[0, corner[0], 0, 0, corner[1]]], dtype=torch.float32)).item()
        assert output[row, column] == pytest.approx(there, abs=5e-3 * max(1, np.abs(output).max()))


def test_another_section_is_another_picture_of_the_same_network():
    instrument = bent(Instrument(data=OWN["a section"], hidden=(5,)))
    before, weights = sent(instrument)[1]["output"], instrument.network.eigenvectors[0].clone()
    instrument.section = (3, 2)
    assert not np.array_equal(sent(instrument)[1]["output"], before)
    assert fit.scene(instrument)[0]["axes"] == ("x4", "x3")
    assert torch.equal(instrument.network.eigenvectors[0], weights)
    assert instrument.step == 100


def test_a_line_has_one_value_for_each_of_its_places():
    instrument = bent(Instrument(data=OWN["a line"], hidden=(5,)))
    about, arrays = fit.scene(instrument)
    assert (about["kind"], about["grid"], about["axes"]) == ("line", GRID * GRID // 4, ("x1",))
    assert arrays["dots"].reshape(-1, 3).shape == (60, 3)
    own, arrays = sent(instrument)
    output = back(own, arrays, "output")
    places = torch.linspace(-1, 1, about["grid"])[:, None]
    np.testing.assert_allclose(output, instrument.network(places)[:, 0].detach().numpy(), atol=5e-3)


def test_two_classes_are_drawn_by_the_difference_of_their_shares():
    instrument = bent(Instrument(data=OWN["two classes"], hidden=(5,)))
    own, arrays = sent(instrument)
    no, yes = instrument.network(instrument.problem.points).softmax(-1).detach().numpy().T
    np.testing.assert_allclose(back(own, arrays, "output"), yes - no, atol=5e-3)
    assert fit.scene(instrument)[0]["outputs"] == ("False", "True")


# -- tables --------------------------------------------------------------------------------------------------------------


def test_a_table_counts_which_class_was_taken_for_which():
    instrument = Instrument(data=OWN["three classes"], hidden=(5,), lr=0.05)
    instrument.run(60)
    problem = instrument.problem
    about, arrays = fit.scene(instrument)
    assert (about["kind"], about["outputs"], about["image"], arrays) == ("table", ("0", "1", "2"), None, {})
    counts = sent(instrument)[1]["counts"].reshape(3, 3)
    answers = instrument.network(problem.x_held).argmax(-1).tolist()
    wanted = np.zeros((3, 3), int)
    for right, answer in zip(problem.y_held.tolist(), answers, strict=True):
        wanted[right, answer] += 1
    assert counts.tolist() == wanted.tolist()
    assert counts.trace() / counts.sum() == pytest.approx(instrument.record.accuracy)


def test_digits_come_with_some_images_and_what_the_network_says_of_them():
    instrument = Instrument(task="digits", lr=0.01)
    instrument.run(100)
    about, arrays = fit.scene(instrument)
    assert (about["kind"], about["image"], about["outputs"]) == ("table", (8, 8), tuple("0123456789"))
    problem = instrument.problem
    images = arrays["samples"].reshape(-1, 8, 8)
    np.testing.assert_allclose(images / 32767, problem.x_held[: len(images)].reshape(-1, 8, 8), atol=1e-4)
    own, arrays = sent(instrument)
    said, right = arrays["answers"].reshape(2, len(images))
    assert own == {}
    assert said.tolist() == instrument.network(problem.x_held[: len(images)]).argmax(-1).tolist()
    assert right.tolist() == problem.y_held[: len(images)].tolist()
    assert arrays["counts"].sum() == min(CASES, len(problem.x_held))


def test_pruned_neurons_are_cut_off_in_the_table():
    instrument = Instrument(task="digits", lr=0.01, hidden=(10,))
    instrument.run(150)
    whole = sent(instrument)[1]["counts"]
    instrument.threshold = 1e6
    pruned = sent(instrument)[1]["counts"].reshape(10, 10)
    compact = instrument.network.compact(1e6)
    right = (compact(instrument.problem.points).argmax(-1) == instrument.problem.target).sum().item()
    assert pruned.trace() == right != whole.reshape(10, 10).trace()


@given(st.integers(2, 20), st.data())
def test_confusion_is_a_count_of_pairs(n, data):
    pairs = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), min_size=1, max_size=30))
    target, answer = (torch.tensor(column, dtype=torch.float32) for column in zip(*pairs, strict=True))
    counts = fit.confusion(target, answer, n)
    assert counts.tolist() == [[pairs.count((i, j)) for j in range(n)] for i in range(n)]
