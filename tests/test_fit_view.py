"""The fit as it is sent: target and output on a grid whose first point is the top left of the input square."""

import numpy as np
import pytest
import torch

from spectral_lab.live import fit
from spectral_lab.live.instrument import GRID, Instrument


def grids(instrument):
    """Output and target as the browser sees them, (GRID, GRID) each, rows from the top."""
    own, arrays = fit.frame(instrument, instrument.moment())
    return tuple((arrays[name] * own[f"{name}_scale"]).reshape(GRID, GRID) for name in ("output", "target"))


def test_the_number_of_points_along_a_side_is_told_once():
    assert fit.scene(Instrument()) == ({"grid": GRID}, {})


@pytest.mark.parametrize(
    ("row", "column", "x"), [(0, 0, [-1, 1]), (0, -1, [1, 1]), (-1, 0, [-1, -1]), (-1, -1, [1, -1])], ids=str
)
def test_the_corners_are_where_the_eye_expects_them(row, column, x):
    instrument = Instrument(alpha=0.4, beta=3.0)
    instrument.run(100)
    with torch.no_grad():  # no symmetry: x_1 and x_2 must not be mixed up
        instrument.network.eigenvectors[0][:, 0] += 0.5
        instrument.network.eigenvalues[1][:] = 1.0
    output, _ = grids(instrument)
    there = instrument.network(torch.tensor([x], dtype=torch.float32)).item()
    assert output[row, column] == pytest.approx(there, abs=np.abs(output).max() / 30_000)


def test_the_target_is_the_task_of_now_without_its_symmetry_lost():
    instrument = Instrument(alpha=0.0, beta=100.0)  # the plane (x_1 + x_2) / 2
    _, target = grids(instrument)
    axis = np.linspace(-1, 1, GRID)
    np.testing.assert_allclose(target, (axis[None, :] + axis[::-1, None]) / 2, atol=1e-4)
    instrument.alpha = 1.0  # the bowl (x·x) / 2
    _, target = grids(instrument)
    np.testing.assert_allclose(target, (axis[None, :] ** 2 + axis[::-1, None] ** 2) / 2, atol=1e-4)


def test_pruned_neurons_are_cut_off_in_the_output():
    instrument = Instrument(alpha=1.0, lr=0.02)
    instrument.run(200)
    whole, _ = grids(instrument)
    instrument.threshold = 1e6
    pruned, _ = grids(instrument)
    compact = instrument.network.compact(1e6)
    assert np.abs(whole - pruned).max() > 0.01
    corner = compact(torch.tensor([[-1.0, 1.0]])).item()
    assert pruned[0, 0] == pytest.approx(corner, abs=1e-4)
