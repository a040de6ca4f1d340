"""Records: what a run of training tells at one moment, and which of them was the best."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spectral_lab.snapshots import Snapshot


class TrainingDiverged(ArithmeticError):
    """The loss or a parameter became NaN or infinite; the network holds its last good state again."""


@dataclass(frozen=True)
class Record:
    """The state of a training run at one moment.

    ``live``, ``path_norm`` and ``depth`` are those of the SpectralNet that is trained, or of the one inside the network; None
    for other networks.  ``validation_loss`` and ``accuracy`` are None without validation data, and ``accuracy`` also where the
    targets are no classes.
    """

    step: int  # optimiser steps so far
    epoch: float  # passes over the data so far
    data_loss: float  # mean over the batches since the record before
    penalty: float  # Ω(λ), without the factor ρ
    rho: float
    live: tuple[int, ...] | None = None  # live neurons in each hidden layer, by path strength
    path_norm: float | None = None  # ‖Γ‖
    depth: int | None = None  # effective depth: links on the longest live path
    validation_loss: float | None = None
    accuracy: float | None = None  # share of the validation rows whose largest output is that of the right class


@dataclass
class Best:
    """The record with the lowest validation loss so far, and the way back to it."""

    record: Record | None = None
    snapshot: Snapshot | None = None
    waited: int = 0  # records since then

    def meet(self, record: Record, snapshot: Snapshot) -> None:
        """Compare a new record, of a run that is validated."""
        bound = math.inf if self.record is None else self.record.validation_loss
        if record.validation_loss < bound:  # type: ignore[operator]  # NaN is never lower
            self.record, self.snapshot, self.waited = record, snapshot, 0
        else:
            self.waited += 1
