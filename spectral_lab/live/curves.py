"""The curves as the browser draws them: losses over the steps, and ‖Γ‖ against α on top of the reference of SPARCS Fig. 7."""

from __future__ import annotations

import json
import math
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from spectral_lab.live.frames import Arrays
from spectral_lab.live.instrument import Instrument, Moment

SHOWN = 400  # points of the past that a newly opened view gets


@cache
def reference() -> dict[str, list[list[float]]]:
    """‖Γ‖ after training at the default settings, ``{label: [alphas, norms]}``; ``benchmarks/reference.py`` computes it."""
    with files("spectral_lab.live").joinpath("reference.json").open(encoding="utf-8") as file:
        return json.load(file)["curves"]


def scene(instrument: Instrument) -> tuple[dict[str, Any], Arrays]:
    """The past of the run: rows of (step, data loss, ρΩ, α, ‖Γ‖)."""
    records = instrument.history
    records = records[:: -(-len(records) // SHOWN)]
    rows = [[r.step, r.data_loss, r.rho * r.penalty, r.alpha, r.path_norm] for r in records]
    return {"reference": reference()}, {"past": np.array(rows, np.float32).reshape(-1)}


def frame(instrument: Instrument, moment: Moment) -> tuple[dict[str, Any], Arrays]:
    """The newest record, in the same order."""
    r = moment.record
    now = (r.step, r.data_loss, r.rho * r.penalty, r.alpha, r.path_norm)
    return {"now": [v if v is not None and math.isfinite(v) else None for v in now]}, {}  # JSON knows no infinity
