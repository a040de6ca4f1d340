"""Hands on the network: an eigenvalue is moved, a neuron switched off and on, and what cannot be is refused in words."""

import math
import re

import numpy as np
import pytest
import torch
from asking import ask, watched
from doings import bits, same_bits
from torch.testing import assert_close

from spectral_lab.live.instrument import Instrument
from spectral_lab.live.playground import VIEWS
from spectral_lab.networks import ACTIVATIONS


def grown(steps=60, **options):
    instrument = Instrument(**({"alpha": 1.0, "hidden": (4, 3), "lr": 0.02} | options))
    instrument.run(steps)
    return instrument


def numbers(instrument):
    """Everything that training changes, and what undo holds."""
    kept = instrument._training.snapshot()
    return [*kept.numbers.values(), *kept.moments.values(), kept.generator], (kept.step, kept.position)


def assert_untouched(instrument, before):
    now = numbers(instrument)
    assert all(torch.equal(a, b) for a, b in zip(now[0], before[0], strict=True))
    assert now[1] == before[1]


# -- eigenvalues -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "neuron", "value"), [(0, 0, 1.5), (1, 2, -0.25), (0, 3, 0), (np.int64(1), 1, np.float32(0.5))]
)
def test_a_moved_eigenvalue_is_the_only_number_that_changes_and_training_goes_on_from_it(layer, neuron, value):
    instrument = grown()
    before = bits(instrument)
    instrument.set_eigenvalue(layer, neuron, value)
    after = bits(instrument)
    changed = {
        name: (after[name] != before[name]).nonzero().tolist() for name in after if not torch.equal(after[name], before[name])
    }
    name = f"eigenvalues.{layer + 1}"
    assert changed == {name: [[neuron]]}
    assert after[name][neuron] == value
    assert instrument.scene().moves == [(60, "eigenvalue", (layer, neuron, value))]
    assert instrument.record.step == 60  # measured at once
    instrument.run(5)
    assert instrument.network.eigenvalues[layer + 1][neuron].item() == pytest.approx(value, abs=0.2)


ILLEGAL = [
    ((0, 0, math.nan), "eigenvalue[2] = nan; wanted a number in [-1e+06, 1e+06]"),
    ((0, 0, math.inf), "eigenvalue[2] = inf; wanted a number"),
    ((0, 0, 1e7), "eigenvalue[2] = 10000000.0; wanted a number"),
    ((0, 0, "1"), "eigenvalue[2] = '1'; wanted a number"),
    ((0, 0, None), "eigenvalue[2] = None; wanted a number"),
    ((0, 0, True), "eigenvalue[2] = True; wanted a number"),
    ((2, 0, 1.0), "there is no neuron 0 in hidden layer 2; the hidden layers are (4, 3), from 0"),
    ((1, 3, 1.0), "there is no neuron 3 in hidden layer 1"),
    ((9, 0, 1.0), "eigenvalue[0] = 9; wanted a whole number from 0 to 3"),
    ((-1, 0, 1.0), "eigenvalue[0] = -1; wanted a whole number"),
    ((0, -1, 1.0), "eigenvalue[1] = -1; wanted a whole number"),
    ((0, 0.0, 1.0), "eigenvalue[1] = 0.0; wanted a whole number"),
    (([0], 0, 1.0), "eigenvalue[0] = [0]; wanted a whole number"),
]


@pytest.mark.parametrize(("value", "message"), ILLEGAL, ids=repr)
def test_an_illegal_eigenvalue_is_refused_in_words_and_nothing_changes(value, message):
    instrument = grown(20)
    before, state = numbers(instrument), instrument.state
    with pytest.raises(ValueError, match=re.escape(message)):
        instrument.set_eigenvalue(*value)
    assert_untouched(instrument, before)
    assert (instrument.state, instrument.can_undo) == (state, False)


@pytest.mark.parametrize(
    ("value", "message"), [*ILLEGAL, ((0, 0), "wanted (hidden layer"), ("abcd", "wanted (hidden layer")], ids=repr
)
def test_the_browser_is_told_in_the_same_words(value, message):
    p = watched(hidden=(4, 3), playing=True)
    p.run(20)
    before = numbers(p)
    frame = ask(p, hands=[["eigenvalue", list(value) if isinstance(value, tuple) else value]], train=1)
    assert message in frame["message"]
    assert (frame["playing"], p.can_undo) == (False, False)
    assert_untouched(p, before)
    frame = ask(p, hands=[["eigenvalue", [0, 0, 0.5]], ["switch", [1, 2, False]]], gesture="c-1")
    assert (frame["message"], frame["graph"]["off"]) == ("", [6])
    assert p.network.eigenvalues[1][0] == 0.5
    assert ask(p, action="undo")["graph"]["off"] == []  # both at once
    assert_untouched(p, before)


def overflowing(**options):
    """An instrument that is one eigenvalue away from an infinite loss."""
    instrument = Instrument(**({"hidden": (2, 2, 2, 2), "rho": 0.0} | options))
    for layer in range(1, 3):
        for neuron in range(2):
            instrument.set_eigenvalue(layer, neuron, 1e6 if layer % 2 else -1e6)
    return instrument


def test_an_eigenvalue_with_which_the_loss_is_not_finite_is_refused_and_the_network_keeps_its_bits():
    instrument = overflowing()
    instrument.alpha = 0.4
    instrument.undo()
    before, state, undos = numbers(instrument), instrument.state, len(instrument._undo.back)
    kept, record = instrument.steps_kept, instrument.record
    with pytest.raises(
        ValueError, match=r"with eigenvalue \(3, 0, 1000000\.0\) the loss is no longer finite; the eigenvalue stays"
    ):
        instrument.set_eigenvalue(3, 0, 1e6)
    assert_untouched(instrument, before)
    assert (instrument.state, len(instrument._undo.back), instrument.can_redo) == (state, undos, True)
    assert (instrument.steps_kept, instrument.record) == (kept, record)
    instrument.redo()
    assert instrument.alpha == 0.4


def test_a_neuron_with_which_the_loss_is_not_finite_cannot_be_switched_on():
    instrument = overflowing()
    instrument.switch(3, 0, False)
    instrument.set_eigenvalue(3, 0, 1e6)  # while it is off that is no harm
    before, off = numbers(instrument), instrument.off
    with pytest.raises(
        ValueError, match=r"with switch \(3, 0, True\) the loss is no longer finite; the neuron is switched as it was"
    ):
        instrument.switch(3, 0)
    assert_untouched(instrument, before)
    assert instrument.off == off == {(3, 0)}
    instrument.set_eigenvalue(3, 0, 0.0)
    instrument.switch(3, 0)
    assert instrument.off == frozenset()


# -- switching off -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_while_a_neuron_is_off_nothing_passes_through_it(activation):
    instrument = grown(activation=activation)
    instrument.set_eigenvalue(0, 1, 2.0)
    alive = instrument.sight().shape.strengths[0][1].item()
    assert alive > 0.01
    instrument.switch(0, 1, False)
    shape = instrument.sight().shape
    assert shape.strengths[0][1] == 0
    assert all(bool((W[1] == 0).all()) for (i, _), W in shape.weights.items() if i == 1)
    x = instrument.problem.points
    without = instrument.network.signals(x, [torch.tensor([1.0, 0, 1, 1]), torch.ones(3)])[-1].detach()
    assert_close(instrument.sight().signals[-1], without, rtol=0, atol=0)
    assert instrument.words().split("; ")[1] == "1 switched off"
    assert VIEWS["graph"].frame(instrument, instrument.sight())[0]["off"] == [1]
    instrument.switch(0, 1, True)
    assert instrument.sight().shape.strengths[0][1].item() == alive
    assert "switched off" not in instrument.words()


def test_training_goes_on_without_it_and_takes_it_in_again():
    """A task that needs its neurons: with all of them off only a plane is left, and then it bends again."""
    instrument = grown(600, hidden=(6,), rho=0.0)
    with_all = instrument.run(200).data_loss
    for neuron in range(6):
        instrument.switch(0, neuron, False)
    assert instrument.record.data_loss > 3 * with_all
    off = instrument.run(300)
    assert (off.live, off.depth, off.path_norm) == ((0,), 1, 0.0)
    assert off.data_loss > 3 * with_all
    for neuron in range(6):
        instrument.switch(0, neuron)
    assert instrument.off == frozenset()
    assert instrument.run(600).data_loss < 2 * with_all + 1e-4


def test_switching_without_a_word_is_to_the_other_side_and_twice_off_is_off():
    instrument = grown(5)
    instrument.switch(1, 0)
    assert instrument.off == {(1, 0)}
    instrument.switch(1, 0, False)
    assert instrument.off == {(1, 0)}
    instrument.switch(1, 0)
    assert instrument.off == frozenset()


@pytest.mark.parametrize(
    "value", [(2, 0), (0, 4), (0, 0, 1), (0, 0, "on"), ([0], 0), (0, None), ("0", 0), (math.nan, 0), (True, 0)], ids=repr
)
def test_an_illegal_switch_is_refused_in_words(value):
    instrument = grown(5)
    before = numbers(instrument)
    with pytest.raises(ValueError, match=r"there is no neuron|switch\[[012]\] = .*; wanted"):
        instrument.switch(*value)
    assert_untouched(instrument, before)
    assert (instrument.off, instrument.can_undo) == (frozenset(), False)


def test_a_new_network_has_nothing_switched_off_and_undo_switches_it_off_again():
    instrument = grown(5)
    instrument.switch(0, 0)
    instrument.seed = 4
    assert instrument.off == frozenset()
    instrument.undo()
    assert instrument.off == {(0, 0)}
    assert instrument.sight().shape.strengths[0][0] == 0
    instrument.run(3)
    assert instrument.sight().shape.strengths[0][0] == 0


def test_what_is_off_is_cut_in_the_compacted_network_too():
    instrument = grown()
    instrument.switch(0, 1)
    instrument.switch(1, 0)
    made = instrument.compacted()
    x = instrument.problem.points
    assert_close(made.small(x), instrument.sight().signals[-1], rtol=1e-4, atol=1e-5)
    assert max(made.small.nodes[1:-1]) <= 3


def test_hands_follow_each_other_on_one_neuron_as_one_move_and_on_two_as_two():
    instrument = grown(5)
    for value in (0.1, 0.2, 0.3):
        instrument.set_eigenvalue(0, 0, value)
    instrument.set_eigenvalue(0, 1, 0.4)
    assert instrument.scene().moves == [(5, "eigenvalue", (0, 0, 0.3)), (5, "eigenvalue", (0, 1, 0.4))]
    assert same_bits(bits(Instrument.from_state(instrument.state)), bits(instrument))
