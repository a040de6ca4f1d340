"""The spectrum as the browser draws it: the eigenvalues of the hidden neurons; the strengths come with the graph."""

from __future__ import annotations

from typing import Any

import torch

from spectral_lab.live.frames import Arrays
from spectral_lab.live.instrument import Instrument, Sight


def scene(instrument: Instrument) -> tuple[dict[str, Any], Arrays]:
    """Nothing stays while a network trains."""
    return {}, {}


def frame(instrument: Instrument, sight: Sight) -> tuple[dict[str, Any], Arrays]:
    """λ of all hidden neurons, layer after layer."""
    return {}, {"eigenvalues": torch.cat(instrument.network.hidden_eigenvalues()).detach().numpy()}
