"""The spectrum as it is sent: one eigenvalue for each hidden neuron, in the order of the graph's nodes."""

import pytest
import torch
from torch.testing import assert_close

from spectral_lab.live import graph, spectrum
from spectral_lab.live.instrument import Instrument


@pytest.mark.parametrize("hidden", [(1,), (4, 3), (2, 3, 4, 5)])
def test_there_is_one_eigenvalue_a_hidden_neuron_layer_after_layer(hidden):
    instrument = Instrument(hidden=hidden, lr=0.02)
    instrument.run(20)
    sight = instrument.sight()
    own, arrays = spectrum.frame(instrument, sight)
    assert own == {}
    layers = torch.tensor(arrays["eigenvalues"]).split(hidden)
    assert_close(list(layers), [lam.detach() for lam in instrument.network.eigenvalues[1:-1]], rtol=0, atol=0)
    assert len(arrays["eigenvalues"]) == len(graph.frame(instrument, sight)[1]["strength"])


def test_a_new_network_has_eigenvalues_of_zero():
    instrument = Instrument()
    assert spectrum.frame(instrument, instrument.sight())[1]["eigenvalues"].tolist() == [0.0] * 30


def test_a_picture_that_was_sent_does_not_move_with_the_training():
    instrument = Instrument(lr=0.02)
    instrument.run(5)
    sent = spectrum.frame(instrument, instrument.sight())[1]["eigenvalues"].tobytes()
    instrument.run(5)
    assert spectrum.frame(instrument, instrument.sight())[1]["eigenvalues"].tobytes() != sent


def test_nothing_stays():
    assert spectrum.scene(Instrument()) == ({}, {})
