"""The curves as they are sent: the past of the run when a view opens, then a row with each picture, and the reference."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from spectral_lab.live import curves
from spectral_lab.live.curves import SHOWN
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.past import Thinned


def row(r):
    return [r.step, r.data_loss, r.rho * r.penalty, r.validation_loss, r.alpha, r.path_norm, r.rho, sum(r.live)]


def past(instrument):
    return curves.scene(instrument)[1]["past"].reshape(-1, len(curves.COLUMNS))


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
    assert curves.scene(Instrument())[0] == {"columns": curves.COLUMNS, "family": True, "reference": found}


@pytest.mark.parametrize(("task", "family"), [("saddle", True), ("digits", False)])
def test_the_reference_is_shown_with_the_task_that_it_belongs_to(task, family):
    assert curves.scene(Instrument(task=task))[0] == {"columns": curves.COLUMNS, "family": family, "reference": {}}


def test_a_view_that_opens_late_gets_the_past_of_the_run():
    instrument = Instrument(alpha=0.3, rho=0.01)
    instrument.run(60)
    instrument.alpha = 0.9
    instrument.run(60)
    np.testing.assert_allclose(past(instrument), [row(r) for r in instrument.history], rtol=1e-6)
    assert [float(f"{alpha:.6f}") for alpha in past(instrument)[:, 4]] == [0.3] * 3 + [0.9] * 4  # a move is measured at once


def holding(records):
    """An instrument with this history."""
    instrument = Instrument()
    instrument._history = Thinned(10_000, tuple(records))
    return instrument


@pytest.mark.parametrize("length", [1, SHOWN - 1, SHOWN, SHOWN + 1, 2 * SHOWN, 2 * SHOWN + 1, 2000])
def test_a_long_past_is_thinned_evenly_from_its_beginning(length):
    record = Instrument().record
    steps = past(holding(replace(record, step=n) for n in range(length)))[:, 0]
    assert min(length, SHOWN / 2 + 1) <= len(steps) <= SHOWN
    assert steps[0] == 0
    assert len(set(np.diff(steps))) <= 1
    assert length - steps[-1] <= length / SHOWN + 1


def test_each_picture_brings_the_newest_record_in_the_same_order():
    instrument = Instrument(rho=0.01)
    instrument.run(45)
    assert curves.frame(instrument, instrument.sight()) == ({"now": row(instrument.history[-1]), "last": 45}, {})


def test_a_look_back_brings_the_row_of_then_and_the_end_of_the_run():
    instrument = Instrument(rho=0.01)
    instrument.run(60)
    rows = past(instrument)
    instrument.seek(20)
    own, _ = curves.frame(instrument, instrument.sight())
    assert (own["now"], own["last"]) == (row(instrument.history[-1]), 60)
    assert own["now"][0] == 20
    np.testing.assert_array_equal(past(instrument), rows)  # the future is drawn too, until the run goes on
    instrument.run(20)
    own, _ = curves.frame(instrument, instrument.sight())
    assert (own["now"][0], own["last"]) == (40, 40)


@pytest.mark.parametrize("wrong", [math.inf, math.nan])
def test_a_norm_that_is_no_number_is_sent_as_null(wrong):
    instrument = Instrument()
    sight = instrument.sight()
    own, _ = curves.frame(instrument, replace(sight, record=replace(sight.record, path_norm=wrong)))
    assert json.loads(json.dumps(own, allow_nan=False))["now"][curves.COLUMNS.index("norm")] is None


def test_a_run_without_validation_data_sends_null_for_their_loss():
    instrument = Instrument(validation=0.0)
    assert curves.frame(instrument, instrument.sight())[0]["now"][3] is None
    assert np.isnan(past(instrument)[0, 3])
