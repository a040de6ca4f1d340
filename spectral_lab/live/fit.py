"""The fit as the browser draws it: target and output over a square or a line, or a table of right and wrong classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from spectral_lab.live.frames import Arrays, quantised
from spectral_lab.live.instrument import Instrument, Sight
from spectral_lab.live.problem import GRID

SAMPLES = 12  # images shown beside a table


def scene(instrument: Instrument) -> tuple[dict[str, Any], Arrays]:
    """What kind of picture it is, its axes, and the data that are drawn into it."""
    problem = instrument.problem
    arrays: Arrays = {}
    if problem.dots is not None:
        arrays["dots"] = problem.dots.numpy().reshape(-1)
    if problem.kind == "table" and problem.image is not None:
        arrays["samples"] = (problem.points[:SAMPLES] * 32767).numpy().astype(np.int16).reshape(-1)
    about = {
        "kind": problem.kind,
        "grid": GRID if problem.kind == "square" else len(problem.points),
        "axes": problem.axes,
        "ranges": problem.ranges,
        "outputs": problem.outputs,
        "image": problem.image,
    }
    return about, arrays


def frame(instrument: Instrument, sight: Sight) -> tuple[dict[str, Any], Arrays]:
    """Output of the network (pruned neurons cut off) and the target at the points of the fit, or counts of classes."""
    problem = instrument.problem
    shown = problem.shown(sight.signals[-1])
    if problem.kind == "table":
        counts = confusion(problem.target, shown, len(problem.outputs))
        answers = torch.stack([shown[:SAMPLES], problem.target[:SAMPLES]])  # type: ignore[index]
        return {}, {"counts": counts.astype(np.uint16).reshape(-1), "answers": answers.numpy().astype(np.int16).reshape(-1)}
    output, output_scale = quantised(shown.numpy(), np.int8)
    head, arrays = {"output_scale": output_scale}, {"output": output}
    if problem.target is not None:
        arrays["target"], head["target_scale"] = quantised(problem.target.numpy(), np.int8)
    return head, arrays


def confusion(target: Any, answer: Any, n: int) -> np.ndarray:
    """How often class i was taken for class j: (n, n) counts."""
    places = (target * n + answer).long().numpy()
    return np.bincount(places, minlength=n * n).reshape(n, n)
