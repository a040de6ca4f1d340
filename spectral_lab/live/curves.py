"""The curves as the browser draws them: losses over the steps, and ‖Γ‖ against α on top of the reference of SPARCS Fig. 7."""

from __future__ import annotations

import json
import math
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from spectral_lab.live.frames import Arrays
from spectral_lab.live.instrument import Instrument, Sight
from spectral_lab.live.steering import PlaygroundRecord
from spectral_lab.tasks import TARGETS

COLUMNS = ("step", "loss", "penalty", "validation", "alpha", "norm", "rho", "live")
SHOWN = 400  # points of the past that a newly opened view gets


@cache
def reference() -> dict[str, list[list[float]]]:
    """‖Γ‖ after training at the default settings, ``{label: [alphas, norms]}``; ``benchmarks/reference.py`` computes it."""
    with files("spectral_lab.live").joinpath("reference.json").open(encoding="utf-8") as file:
        return json.load(file)["curves"]


def scene(instrument: Instrument) -> tuple[dict[str, Any], Arrays]:
    """The past of the run as rows, what came after the moment of now included."""
    rows = [_row(record) for record in instrument.whole_history(SHOWN)]
    about = {
        "columns": COLUMNS,
        "family": instrument.task in TARGETS,  # ‖Γ‖ is drawn against α where there is one
        "reference": reference() if instrument.task == "bowl" else {},  # of that task
    }
    return about, {"past": np.array(rows, np.float32).reshape(-1)}


def frame(instrument: Instrument, sight: Sight) -> tuple[dict[str, Any], Arrays]:
    """The row of now, and how far the run went."""
    now = _row(sight.record)
    head = {"now": [v if v is not None and math.isfinite(v) else None for v in now], "last": instrument.last_step}
    return head, {}  # JSON knows no infinity


def _row(r: PlaygroundRecord) -> tuple[float | None, ...]:
    live = sum(r.live or ())
    return r.step, r.data_loss, r.rho * r.penalty, r.validation_loss, r.alpha, r.path_norm, r.rho, live
