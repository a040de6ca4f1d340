r"""A run of training: the loop itself, which takes steps, makes records and returns to moments it was in.

:func:`~spectral_lab.training.train` makes one.  What it is made of has modules of its own: where the rows come from is told in
:mod:`spectral_lab.batches`, how a step goes down in :mod:`spectral_lab.descent`, how a network is measured in
:mod:`spectral_lab.validation`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from spectral_lab.batches import Batches, Data, Rows, parts, rows_of
from spectral_lab.descent import Descent
from spectral_lab.networks import SpectralNet, find_spectral, usually_penalised
from spectral_lab.options import Options, choose_penalised
from spectral_lab.penalties import Penalty, check_penalty, check_rho
from spectral_lab.records import Best, Record, TrainingDiverged
from spectral_lab.snapshots import Snapshot, pack, unpack
from spectral_lab.topology import Structure, structure
from spectral_lab.validation import Loss, Measurement, data_loss, describe_batch, measure, mode

HUGE = 1e9  # ‖Γ‖ from which on the next loss may be infinite, although those before were not


class Training(Iterator[Record]):
    """One run of training that can be watched, steered, stopped, saved and taken up again.  Made by :func:`train`.

    Attributes:
        network: the module being trained, in place.
        rho: regularisation strength ρ, may be changed at any time; likewise ``penalty`` and ``lr``.
        step: optimiser steps done so far, of ``steps``.
        masks: hidden neurons that are switched off: a vector of zeros and ones for each hidden layer of the SpectralNet
            that is trained or stands inside the network, or None; a zero cuts all links into that neuron.
        structure: what was live at the last record; None before it, and for networks without a SpectralNet.
        last_good: the snapshot of the last record, to which a diverged run returns.
        validation: the rows on which it is validated at each record, or None.
        best_state: the best record with its snapshot, and how many records came since; see :attr:`best`.
        patience: records without a lower validation loss after which the iteration stops; None never stops it.
    """

    def __init__(
        self,
        network: nn.Module,
        x: Tensor | Dataset[Any],
        y: Tensor | None,
        options: Options,
        *,
        loss: Loss = nn.functional.mse_loss,
        validation: Data | None = None,
    ) -> None:
        if options.patience is not None and validation is None:
            raise ValueError(f"patience = {options.patience} without validation data; wanted validation=(x, y) or a dataset")
        trainable = [p for p in network.parameters() if p.requires_grad]
        if not trainable:
            raise ValueError("the network has no parameter to train; wanted one at least with requires_grad=True")
        self.network, self.loss, self.seed, self.step = network, loss, options.seed, 0
        self.steps, self.batch_size, self.record_every = options.steps, options.batch_size, options.record_every
        self.rho, self.penalty, self.patience = options.rho, options.penalty, options.patience
        found = find_spectral(network)
        self._head = found[1] if found else None
        names = usually_penalised(network) if options.penalised is None else options.penalised
        self._eigenvalues = choose_penalised(names, dict(network.named_parameters()))
        self._place = next(network.parameters())
        self._descent = Descent(trainable, options.lr, options.autocast)
        self.masks: Sequence[Tensor] | None = None
        self._batches = Batches(self._rows(x, y), options.seed)
        self.validation = None if validation is None else self._held_out(validation)
        self._losses: list[Tensor] = []
        self.structure: Structure | None = None
        self.best_state = Best()
        self.last_good = self.snapshot()

    def _rows(self, x: Tensor | Dataset[Any], y: Tensor | None) -> Rows:
        sizes = self.network.sizes if isinstance(self.network, SpectralNet) else (None,)
        return rows_of(x, y, self._place, sizes[0], sizes[-1] if self.loss is nn.functional.mse_loss else None)

    def _held_out(self, validation: Data) -> Rows:
        try:
            return self._rows(*parts(validation))
        except Exception as error:
            error.add_note("in validation=")
            raise

    # -- what may be changed while training ------------------------------------------------------------------------

    @property
    def rows(self) -> Rows:
        """The source of the rows that are trained on now."""
        return self._batches.rows

    @property
    def data(self) -> Data:
        """What is trained on now: inputs and targets, or a dataset of them."""
        return self.rows.data

    @property
    def rho(self) -> float:
        """Regularisation strength ρ of SPARCS 4.4."""
        return self._rho

    @rho.setter
    def rho(self, value: float) -> None:
        check_rho(value)
        self._rho = value

    @property
    def penalty(self) -> str | Penalty:
        """Ω: "l1", "l2_norm", "l2_squared" or a function of ``{name: eigenvalues}``."""
        return self._penalty

    @penalty.setter
    def penalty(self, value: str | Penalty) -> None:
        self._omega = check_penalty(value)
        self._penalty = value

    @property
    def lr(self) -> float:
        """Learning rate of Adam."""
        return self._descent.lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._descent.lr = value

    @property
    def penalised(self) -> list[str]:
        """Names of the parameters that Ω acts on."""
        return list(self._eigenvalues)

    @property
    def trained(self) -> list[str]:
        """Names of the parameters that take steps: those that were not frozen when the run was made."""
        chosen = {id(p) for p in self._descent.parameters}
        return [name for name, p in self.network.named_parameters() if id(p) in chosen]

    @property
    def autocast(self) -> torch.dtype | None:
        """The type of the network's products in mixed precision."""
        return self._descent.autocast

    @property
    def options(self) -> Options:
        """The options as they are now."""
        return Options(**{field.name: getattr(self, field.name) for field in fields(Options)})

    def set_data(self, x: Tensor | Dataset[Any], y: Tensor | None = None) -> None:
        """Train on other data from the next step on; with as many rows as before, the order of the batches goes on.

        Raises:
            ValueError: NaN or infinite values, no rows, numbers of rows or widths that do not fit.
            TypeError: neither two tensors nor a map-style dataset of pairs.
        """
        self._batches.use(self._rows(x, y))

    # -- the loop --------------------------------------------------------------------------------------------------

    def output(self, x: Tensor) -> Tensor:
        """What the network answers to x, without the neurons that are switched off."""
        if self.masks is None:
            return self._descent.output(self.network, x)
        if self._head is None:
            raise TypeError("masks are for a network that is a SpectralNet or has one inside; this one has none")
        head, masks = self._head, self.masks
        if head is self.network:
            return self._descent.output(lambda rows: head.signals(rows, masks)[-1], x)
        with head.register_forward_hook(lambda _, inputs, __: head.signals(inputs[0], masks)[-1]):
            return self._descent.output(self.network, x)

    def _answer(self, x: Tensor) -> Tensor:
        """The output for a batch; where there is none, the error tells what the batch was."""
        try:
            return self.output(x)
        except (RuntimeError, ValueError) as error:
            error.add_note(describe_batch(x, len(self.rows), self.batch_size))
            raise

    def advance(self, steps: int = 1) -> None:
        """Take optimiser steps without making a record.

        The network trains in train() mode; a part of it that was put into eval() mode for good, as batch norm with frozen
        averages is, stays in it.
        """
        ready = nullcontext() if self.network.training else mode(self.network, training=True)
        with torch.enable_grad(), ready:  # grad mode belongs to the thread, which may be another one at each call
            for _ in range(steps):
                x, y = self._batches.take(self.batch_size)
                error = data_loss(self.loss, self._answer(x), y)
                objective = error
                if self._rho and self._eigenvalues:
                    objective = error + self._rho * self._omega(self._eigenvalues)
                self._descent.step(objective)
                self._losses.append(error.detach())
                self.step += 1

    @torch.no_grad()
    def measure(self, rows: Rows | None = None) -> Measurement:
        """Loss and accuracy of now in eval() mode, over the training data or over other rows; changes nothing."""
        with mode(self.network, training=False):
            return measure(self.output, self.loss, self.rows if rows is None else rows, self.batch_size)

    def finite(self) -> bool:
        """Whether the loss of now over all data and ‖Γ‖ are finite; measures, and changes nothing."""
        norm = structure(self._head, masks=self.masks).norm if self._head else 0.0
        return math.isfinite(norm) and bool(self.measure().loss.isfinite())

    @torch.no_grad()
    def record(self) -> Record:
        """The state of now; makes it the last good state.

        Raises:
            TrainingDiverged: a loss or parameter is NaN or infinite; the network is back in its last good state.
        """
        if not self._losses:  # nothing was trained since the last record: measure instead
            self._losses = [self.measure().loss]
        losses = torch.stack(self._losses)
        shape = structure(self._head, masks=self.masks) if self._head else None
        # what is kept is what is looked at: meanwhile another thread, as a notebook's cell is, may write into the network
        kept = self.snapshot()
        good = bool(losses.isfinite().all()) and kept.finite
        # ‖Γ‖ overflows before the parameters do: a state from which the next loss would be infinite is no good state
        if shape is not None and not shape.norm < HUGE:  # measured only then: it costs a pass over the data
            good = good and self.finite()
        if not good:
            self._raise_diverged(losses)
        held_out = None if self.validation is None else self.measure(self.validation)
        self._losses = []
        self.structure = shape
        self.last_good = kept
        record = Record(
            step=self.step,
            epoch=self._batches.passes,
            data_loss=float(losses.mean()),
            penalty=float(self._omega(self._eigenvalues)) if self._eigenvalues else 0.0,
            rho=self._rho,
            live=shape.live if shape else None,
            path_norm=shape.norm if shape else None,
            depth=shape.depth if shape else None,
            validation_loss=float(held_out.loss) if held_out else None,
            accuracy=held_out.accuracy if held_out else None,
        )
        if held_out is not None:
            self.best_state.meet(record, self.last_good)
        return record

    def __next__(self) -> Record:
        left = self.steps - self.step
        if left <= 0 or (self.patience is not None and self.best_state.waited >= self.patience):
            raise StopIteration
        self.advance(min(self.record_every, left))
        return self.record()

    # -- moments to return to --------------------------------------------------------------------------------------

    def _numbers(self) -> list[Tensor]:
        return [*self.network.parameters(), *self.network.buffers()]

    def snapshot(self) -> Snapshot:
        """A copy of where the run stands, for :meth:`restore`; what the caller can set (ρ, data, …) is not in it."""
        at, numbers, moments = self._batches, pack(self._numbers()), pack(self._descent.moments())
        return Snapshot(self.step, at.epochs, at.position, at.order, at.random, numbers, moments, self._descent.scale)

    @torch.no_grad()
    def restore(self, snapshot: Snapshot) -> None:
        """Stand where the snapshot was taken; the steps that follow are the same to the bit if the settings and data are.

        Set the data of that moment first: with another number of rows the order of the batches is drawn anew.  The best
        record and the patience that is left stay what they are.

        Raises:
            ValueError: the snapshot is of a network with other parameters.
        """
        numbers, moments = self.unpacked(snapshot)
        self.step = snapshot.step
        self._batches.restore(snapshot.epochs, snapshot.position, snapshot.order, snapshot.generator)
        for t, kept in zip(self._numbers(), numbers, strict=True):
            t.copy_(kept)
        self._descent.restore(moments, snapshot.scale)
        self._losses, self.structure, self.last_good = [], None, snapshot

    def unpacked(self, snapshot: Snapshot) -> tuple[list[Tensor], list[Tensor]]:
        """Parameters and buffers of a snapshot, and Adam's moments, as views.

        Raises:
            ValueError: the snapshot is of a network with other parameters.
        """
        like = self._descent.like_moments() if snapshot.moments else []
        try:
            return unpack(snapshot.numbers, self._numbers()), unpack(snapshot.moments, like)
        except ValueError as error:
            raise ValueError(
                "the snapshot is of a network with other parameters; restore it into the run that made it"
            ) from error

    @property
    def best(self) -> Record | None:
        """The record with the lowest validation loss; None before the first one, and without validation data."""
        return self.best_state.record

    def restore_best(self) -> None:
        """Stand where the record :attr:`best` was made.

        Raises:
            ValueError: there is none.
        """
        if self.best_state.snapshot is None:
            raise ValueError("there is no best record yet; train with validation=(x, y), and take a record")
        self.restore(self.best_state.snapshot)

    def _raise_diverged(self, losses: Tensor) -> None:
        step, bad = self.step, losses[~losses.isfinite()]
        what = f"the loss became {bad[0].item():g}" if len(bad) else "a number of the network became NaN, infinite or too large"
        self.restore(self.last_good)
        raise TrainingDiverged(
            f"{what} between steps {self.step} and {step} (lr = {self.lr:g}, rho = {self._rho:g}). "
            f"Lower lr, e.g. to {self.lr / 10:g}"
            + (", or rho" if self._rho >= 1 else "")
            + f". The network is back at step {self.step}, its last good state."
        )
