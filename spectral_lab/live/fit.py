"""The fit as the browser draws it: target and output over the input square."""

from __future__ import annotations

from typing import Any

from spectral_lab.live.frames import Arrays, quantised
from spectral_lab.live.instrument import GRID, Instrument, Moment


def scene(instrument: Instrument) -> tuple[dict[str, Any], Arrays]:
    """The number of points along a side of the square."""
    return {"grid": GRID}, {}


def frame(instrument: Instrument, moment: Moment) -> tuple[dict[str, Any], Arrays]:
    """Output of the network (pruned neurons cut off) and the target, on GRID × GRID points from the top left."""
    output, output_scale = quantised(moment.output.flatten().numpy())
    target, target_scale = quantised(instrument.target_on_square.flatten().numpy())
    return {"output_scale": output_scale, "target_scale": target_scale}, {"output": output, "target": target}
