r"""Training as a stream of records: data loss + ρ Ω(λ) (SPARCS 4.4), minimised with Adam.

:func:`train` returns a :class:`Training`, an iterator: each step of the iteration trains a little and yields a
:class:`Record`.  Between two records the caller may change ``rho``, ``penalty``, ``lr`` or the data; nothing here knows
of screens, and nothing is random but through the seed.  :mod:`spectral_lab.storage` keeps runs in files.

>>> from spectral_lab import SpectralNet, alpha_beta, train
>>> network = SpectralNet([2, 30, 1])
>>> x, y = alpha_beta(1.0, 5, 1000, seed=0)
>>> [record.step for record in train(network, x, y, steps=200, rho=1e-4, seed=0)]
[100, 200]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spectral_lab.networks import SpectralNet
from spectral_lab.penalties import Penalty, check_penalty, check_rho
from spectral_lab.snapshots import Snapshot, pack, unpack
from spectral_lab.topology import Structure, structure

HUGE = 1e9  # ‖Γ‖ from which on the next loss may be infinite, although those before were not
MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what Adam keeps for each parameter
Loss = Callable[[Tensor, Tensor], Tensor]


class TrainingDiverged(ArithmeticError):
    """The loss or a parameter became NaN or infinite; the network holds its last good state again."""


@dataclass(frozen=True)
class Record:
    """The state of a training run at one moment.  ``live`` and ``path_norm`` are None for other networks than SpectralNet."""

    step: int  # optimiser steps so far
    epoch: float  # passes over the data so far
    data_loss: float  # mean over the batches since the record before
    penalty: float  # Ω(λ), without the factor ρ
    rho: float
    live: tuple[int, ...] | None = None  # live neurons in each hidden layer, by path strength
    path_norm: float | None = None  # ‖Γ‖
    depth: int | None = None  # effective depth: links on the longest live path


def _check_data(x: Tensor, y: Tensor, n_in: int | None, n_out: int | None) -> None:
    for name, values in {"x": x, "y": y}.items():
        if values.dim() < 1 or len(values) == 0:
            raise ValueError(f"{name} has shape {tuple(values.shape)}; wanted one row a sample, at least one sample")
        if values.is_floating_point() and not bool(values.isfinite().all()):
            bad = (~values.isfinite()).flatten(1).any(1) if values.dim() > 1 else ~values.isfinite()
            raise ValueError(
                f"{name} has NaN or infinite values in {int(bad.sum())} of {len(values)} rows; remove or replace them"
            )
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows and y has {len(y)}; wanted one target for each input")
    if n_in is not None and x.shape[-1] != n_in:
        raise ValueError(f"x has rows of {x.shape[-1]} numbers; the network takes {n_in}")
    if n_out is not None and y.shape != (*x.shape[:-1], n_out):
        raise ValueError(f"y has shape {tuple(y.shape)}; the mean squared error wants {(*x.shape[:-1], n_out)}")


class Training(Iterator[Record]):
    """One run of training that can be watched, steered, stopped, saved and taken up again.  Made by :func:`train`.

    Attributes:
        network: the module being trained, in place.
        rho: regularisation strength ρ, may be changed at any time; likewise ``penalty`` and ``lr``.
        step: optimiser steps done so far.
        masks: hidden neurons that are switched off: a vector of zeros and ones for each hidden layer of a SpectralNet,
            or None; a zero cuts all links into that neuron.
        structure: what was live at the last record; None before it, and for other networks than SpectralNet.
        last_good: the snapshot of the last record, to which a diverged run returns.
    """

    def __init__(
        self,
        network: nn.Module,
        x: Tensor,
        y: Tensor,
        *,
        steps: int,
        lr: float,
        batch_size: int,
        rho: float,
        penalty: str | Penalty,
        penalised: list[str] | None,
        loss: Loss,
        record_every: int,
        seed: int,
    ) -> None:
        for name, value in {"steps": steps, "batch_size": batch_size, "record_every": record_every}.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < (name != "steps"):
                raise ValueError(f"{name} = {value!r}; wanted a whole number of at least {int(name != 'steps')}")
        self.network, self.steps, self.step = network, steps, 0
        self.batch_size, self.record_every, self.loss, self.seed = batch_size, record_every, loss, seed
        self._generator = torch.Generator().manual_seed(seed)
        self._random = self._generator.get_state()
        self.rho, self.penalty = rho, penalty
        self._eigenvalues = self._choose_penalised(penalised)
        parameters = [p for p in network.parameters() if p.requires_grad]
        fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)
        self._check_lr(lr)
        self._adam = torch.optim.Adam(parameters, lr=lr, fused=fused)
        self._place = next(network.parameters())
        self._epochs, self._position, self._order = 0, 0, torch.empty(0, dtype=torch.long)
        self.masks: Sequence[Tensor] | None = None
        self.set_data(x, y)
        self._losses: list[Tensor] = []
        self.structure: Structure | None = None
        self.last_good = self.snapshot()

    # -- what may be changed while training ------------------------------------------------------------------------

    @property
    def data(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets that are trained on now."""
        return self._x, self._y

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

    @staticmethod
    def _check_lr(value: float) -> None:
        if not 0 < value < math.inf:
            raise ValueError(f"lr = {value}; wanted a positive finite learning rate, e.g. 1e-3")

    @property
    def lr(self) -> float:
        """Learning rate of Adam."""
        return self._adam.param_groups[0]["lr"]

    @lr.setter
    def lr(self, value: float) -> None:
        self._check_lr(value)
        self._adam.param_groups[0]["lr"] = value

    @property
    def penalised(self) -> list[str]:
        """Names of the parameters that Ω acts on."""
        return list(self._eigenvalues)

    def set_data(self, x: Tensor, y: Tensor) -> None:
        """Train on other data from the next step on; with as many rows as before, the order of the batches goes on.

        Raises:
            ValueError: NaN or infinite values, no rows, numbers of rows or widths that do not fit.
        """
        n_in, n_out = (self.network.sizes[0], self.network.sizes[-1]) if isinstance(self.network, SpectralNet) else (None, None)
        _check_data(x, y, n_in, n_out if self.loss is nn.functional.mse_loss else None)
        place = self._place
        self._x = x.to(place.device, place.dtype if x.is_floating_point() else x.dtype)
        self._y = y.to(place.device, place.dtype if y.is_floating_point() else y.dtype)
        if len(self._order) != len(x):
            self._draw_order()
        self._shuffle()

    def _draw_order(self) -> None:
        self._order, self._position = torch.randperm(len(self._x), generator=self._generator), 0
        self._random = self._generator.get_state()

    def _shuffle(self) -> None:
        order = self._order.to(self._x.device)
        self._shuffled = self._x[order], self._y[order]  # one gather an epoch; batches are then slices

    def _choose_penalised(self, names: list[str] | None) -> dict[str, Tensor]:
        if names is None:
            return self.network.penalised_eigenvalues() if isinstance(self.network, SpectralNet) else {}
        known = dict(self.network.named_parameters())
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(f"penalised names {unknown} are no parameters of the network; it has {sorted(known)}")
        return {name: known[name] for name in names}

    # -- the loop --------------------------------------------------------------------------------------------------

    def _batch(self) -> tuple[Tensor, Tensor]:
        if self._position >= len(self._x):
            self._draw_order()
            self._epochs += 1
            self._shuffle()
        window = slice(self._position, self._position + self.batch_size)
        self._position += self.batch_size
        return self._shuffled[0][window], self._shuffled[1][window]

    def output(self, x: Tensor) -> Tensor:
        """What the network answers to x, without the neurons that are switched off."""
        if self.masks is None:
            return self.network(x)
        assert isinstance(self.network, SpectralNet)  # no other has masks
        return self.network.signals(x, self.masks)[-1]

    def advance(self, steps: int = 1) -> None:
        """Take optimiser steps without making a record."""
        with torch.enable_grad():  # grad mode belongs to the thread, which may be another one at each call
            for _ in range(steps):
                x, y = self._batch()
                data_loss = self.loss(self.output(x), y)
                objective = data_loss
                if self._rho and self._eigenvalues:
                    objective = data_loss + self._rho * self._omega(self._eigenvalues)
                self._adam.zero_grad()
                objective.backward()
                self._adam.step()
                self._losses.append(data_loss.detach())
                self.step += 1

    @torch.no_grad()
    def finite(self) -> bool:
        """Whether the loss of now over all data and ‖Γ‖ are finite; measures, and changes nothing."""
        norm = structure(self.network, masks=self.masks).norm if isinstance(self.network, SpectralNet) else 0.0
        return math.isfinite(norm) and bool(self.loss(self.output(self._x), self._y).isfinite())

    @torch.no_grad()
    def record(self) -> Record:
        """The state of now; makes it the last good state.

        Raises:
            TrainingDiverged: a loss or parameter is NaN or infinite; the network is back in its last good state.
        """
        if not self._losses:  # nothing was trained since the last record: measure instead
            self._losses = [self.loss(self.output(self._x), self._y)]
        losses = torch.stack(self._losses)
        shape = structure(self.network, masks=self.masks) if isinstance(self.network, SpectralNet) else None
        # ‖Γ‖ overflows before the parameters do: a state from which the next loss would be infinite is no good state
        sums = torch.stack([*losses, *(p.sum() for p in self.network.parameters())])
        good = bool(sums.isfinite().all())
        if shape is not None and not shape.norm < HUGE:  # measured only then: it costs a pass over the data
            good = good and self.finite()
        if not good:
            self._raise_diverged(losses)
        self._losses = []
        self.structure = shape
        self.last_good = self.snapshot()
        return Record(
            step=self.step,
            epoch=self._epochs + min(self._position / len(self._x), 1.0),
            data_loss=float(losses.mean()),
            penalty=float(self._omega(self._eigenvalues)) if self._eigenvalues else 0.0,
            rho=self._rho,
            live=shape.live if shape else None,
            path_norm=shape.norm if shape else None,
            depth=shape.depth if shape else None,
        )

    def __next__(self) -> Record:
        left = self.steps - self.step
        if left <= 0:
            raise StopIteration
        self.advance(min(self.record_every, left))
        return self.record()

    # -- moments to return to --------------------------------------------------------------------------------------

    def _numbers(self) -> list[Tensor]:
        return [*self.network.parameters(), *self.network.buffers()]

    def moments(self) -> list[Tensor]:
        """Adam's numbers, those of one parameter after the other; none before the first step."""
        kept = (self._adam.state[p] for p in self._adam.param_groups[0]["params"])
        return [state[name] for state in kept if state for name in MOMENTS]

    def snapshot(self) -> Snapshot:
        """A copy of where the run stands, for :meth:`restore`; what the caller can set (ρ, data, …) is not in it."""
        numbers, moments = pack(self._numbers()), pack(self.moments())
        return Snapshot(self.step, self._epochs, self._position, self._order, self._random, numbers, moments)

    @torch.no_grad()
    def restore(self, snapshot: Snapshot) -> None:
        """Stand where the snapshot was taken; the steps that follow are the same to the bit if the settings and data are.

        Set the data of that moment first: with another number of rows the order of the batches is drawn anew.

        Raises:
            ValueError: the snapshot is of a network with other parameters.
        """
        parameters = self._adam.param_groups[0]["params"]
        clocks = [torch.empty((), device=p.device) for p in parameters]  # Adam's count of steps
        like = [t for p, clock in zip(parameters, clocks, strict=True) for t in (clock, p, p)] if snapshot.moments else []
        try:
            numbers, moments = unpack(snapshot.numbers, self._numbers()), unpack(snapshot.moments, like)
        except ValueError as error:
            raise ValueError(
                "the snapshot is of a network with other parameters; restore it into the run that made it"
            ) from error
        self.step, self._epochs, self._position = snapshot.step, snapshot.epochs, snapshot.position
        self._order, self._random = snapshot.order, snapshot.generator
        self._generator.set_state(snapshot.generator)
        for t, kept in zip(self._numbers(), numbers, strict=True):
            t.copy_(kept)
        for k, p in enumerate(parameters):
            kept_moments = moments[3 * k : 3 * k + 3]
            self._adam.state[p] = {name: t.clone() for name, t in zip(MOMENTS, kept_moments, strict=False)}
        if len(self._order) != len(self._x):  # other data came after that moment
            self._draw_order()
        self._shuffle()
        self._losses, self.structure, self.last_good = [], None, snapshot

    def _raise_diverged(self, losses: Tensor) -> None:
        step = self.step
        self.restore(self.last_good)
        raise TrainingDiverged(
            f"the loss or a parameter became {losses.max().item():g} between steps {self.step} and {step} (lr = {self.lr:g}, "
            f"rho = {self._rho:g}). Lower lr, e.g. to {self.lr / 10:g}"
            + (", or rho" if self._rho >= 1 else "")
            + f". The network is back at step {self.step}, its last good state."
        )


def train(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    lr: float = 1e-3,
    batch_size: int = 100,
    rho: float = 0.0,
    penalty: str | Penalty = "l2_norm",
    penalised: list[str] | None = None,
    loss: Loss = nn.functional.mse_loss,
    record_every: int = 100,
    seed: int = 0,
) -> Training:
    r"""Train a network in place with Adam on mini-batches: data loss + ρ Ω(λ) (SPARCS 4.4).

    >>> from spectral_lab import alpha_beta
    >>> x, y = alpha_beta(0.8, 5, 10_000, seed=0)
    >>> run = train(SpectralNet([2, 300, 1]), x, y, epochs=60, batch_size=100, lr=1e-3, rho=1e-4, penalty="l2_norm", seed=3)
    >>> next(run).step
    100

    Args:
        network: any module; ρ acts on a SpectralNet's trainable eigenvalues of the input and the hidden layers.
        x, y: data, one row a sample; moved to the network's device and float type.
        steps, epochs: how long; exactly one of the two.
        lr: learning rate of Adam.
        batch_size: rows a step; the last batch of an epoch may be smaller.
        rho: ρ, the strength of the regulariser.
        penalty: Ω: "l1", "l2_norm" (not squared, a group lasso over layers), "l2_squared", or a function that takes
            ``{name: eigenvalues}`` and returns a scalar tensor.
        penalised: names of the parameters that Ω acts on, instead of the default.
        loss: data loss of (output, target), by default the mean squared error.
        record_every: steps between records; also how often NaN is looked for and the last good state is kept.
        seed: of the order of the batches.

    Returns:
        An iterator of records, with ``rho``, ``penalty``, ``lr`` and ``set_data`` to steer it and ``save`` to keep it.

    Raises:
        ValueError: an option outside its range, or data that do not fit; named, before anything is trained.
        TrainingDiverged: (while iterating) NaN or infinite numbers; says what to lower.
    """
    if (steps is None) == (epochs is None):
        raise ValueError(f"steps = {steps} and epochs = {epochs}; give exactly one of them")
    if steps is None:
        if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 0:
            raise ValueError(f"epochs = {epochs!r}; wanted a whole number of at least 0")
        steps = epochs * math.ceil(len(x) / batch_size) if batch_size > 0 else 0
    return Training(
        network,
        x,
        y,
        steps=steps,
        lr=lr,
        batch_size=batch_size,
        rho=rho,
        penalty=penalty,
        penalised=penalised,
        loss=loss,
        record_every=record_every,
        seed=seed,
    )
