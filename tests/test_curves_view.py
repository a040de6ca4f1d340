"""The curves as they are sent: the past of the run when a view opens, then a row with each picture, and the reference."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from spectral_lab.live import curves
from spectral_lab.live.curves import SHOWN
from spectral_lab.live.instrument import Instrument


def row(r):
    return [r.step, r.data_loss, r.rho * r.penalty, r.alpha, r.path_norm]


def past(instrument):
    return curves.scene(instrument)[1]["past"].reshape(-1, 5)


def test_the_reference_is_curves_of_a_norm_over_alpha():
    found = curves.reference()
    assert len(found) == 2
    for label, (alphas, norms) in found.items():
        assert label.startswith("β = ")
        assert len(alphas) == len(norms) >= 3
        assert alphas == sorted(set(alphas))
        assert (alphas[0], alphas[-1]) == (0, 1)
        assert all(math.isfinite(norm) and norm >= 0 for norm in norms)
        assert norms[0] < 0.1 < norms[-1]  # a perceptron is enough at one end, not at the other
    assert curves.scene(Instrument())[0] == {"reference": found}


def test_a_view_that_opens_late_gets_the_past_of_the_run():
    instrument = Instrument(alpha=0.3, rho=0.01)
    instrument.run(60)
    instrument.alpha = 0.9
    instrument.run(60)
    np.testing.assert_allclose(past(instrument), [row(r) for r in instrument.history], rtol=1e-6)
    assert [float(f"{alpha:.6f}") for alpha in past(instrument)[:, 3]] == [0.3] * 4 + [0.9] * 3


@pytest.mark.parametrize("length", [1, SHOWN - 1, SHOWN, SHOWN + 1, 2 * SHOWN, 2 * SHOWN + 1, 2000])
def test_a_long_past_is_thinned_evenly_from_its_beginning(length):
    instrument = Instrument()
    instrument._history = [replace(instrument.history[0], step=n) for n in range(length)]
    steps = past(instrument)[:, 0]
    assert min(length, SHOWN / 2 + 1) <= len(steps) <= SHOWN
    assert steps[0] == 0
    assert len(set(np.diff(steps))) <= 1
    assert length - steps[-1] <= length / SHOWN + 1


def test_each_picture_brings_the_newest_record_in_the_same_order():
    instrument = Instrument(rho=0.01)
    instrument.run(45)
    assert curves.frame(instrument, instrument.moment()) == ({"now": row(instrument.history[-1])}, {})


@pytest.mark.parametrize("wrong", [math.inf, math.nan])
def test_a_norm_that_is_no_number_is_sent_as_null(wrong):
    instrument = Instrument()
    instrument._history = [replace(instrument.history[0], path_norm=wrong)]
    own, _ = curves.frame(instrument, instrument.moment())
    assert json.loads(json.dumps(own, allow_nan=False))["now"][4] is None
