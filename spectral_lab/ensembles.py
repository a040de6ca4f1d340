r"""Ensembles: many networks of one shape, trained at once, each with its own data, seed, ρ and order of batches.

A small network keeps a processor waiting: most of the time of a step goes into starting operations.  Stacked along a first
dimension, E networks share each start:

.. math:: \varphi_k: (E, N_{k+1}, N_k), \qquad \lambda_i: (E, N_i), \qquad x: (E, {\rm batch}, n_{\rm in})

No network hears of another: the objective is the sum of theirs, and Adam treats every number by itself.  So each is trained as
:func:`~spectral_lab.training.train` would train it alone with the same seed, up to rounding.

>>> from spectral_lab import SpectralNet, alpha_beta
>>> networks = [SpectralNet([2, 30, 1], generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
>>> tasks = [alpha_beta(alpha, 5, 500, seed=0) for alpha in (0.0, 0.5, 1.0)]
>>> x, y = (torch.stack(parts) for parts in zip(*tasks))
>>> run = train_ensemble(networks, x, y, steps=200, rho=[1e-4, 1e-4, 1e-3], seeds=range(3))
>>> for record in run:
...     pass
>>> record.data_loss.shape, run.ensemble.network(2).sizes
(torch.Size([3]), (2, 30, 1))

How many at once?  With too few the starts dominate, with too many the signals leave the cache, and in the end the memory is
full: :func:`best_chunk` measures, among those that fit.
They are stacked by :mod:`spectral_lab.side_by_side`; next, read :mod:`spectral_lab.sweeps`, which runs ensembles over a grid
of parameters.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import vmap

from spectral_lab.networks import SpectralNet, available_memory
from spectral_lab.options import check_count, check_lr, choose_penalised, count_steps
from spectral_lab.penalties import Penalty, check_penalty, check_rho
from spectral_lab.side_by_side import Ensemble
from spectral_lab.topology import LIVE
from spectral_lab.validation import Loss

__all__ = ["CHUNKS", "Ensemble", "EnsembleRecord", "EnsembleTraining", "best_chunk", "train_ensemble"]

CHUNKS = (4, 8, 16, 32, 64)  # numbers of networks that best_chunk tries on a CPU


@dataclass(frozen=True, eq=False)
class EnsembleRecord:
    """The state of all runs at one moment; every tensor is (E,)."""

    step: int
    data_loss: Tensor  # mean over the batches since the record before
    penalty: Tensor  # Ω(λ), without the factor ρ
    live: Tensor | None = None  # live neurons of all hidden layers together, by path strength; SpectralNets only
    path_norm: Tensor | None = None  # ‖Γ‖

    @property
    def diverged(self) -> Tensor:
        """Which networks have NaN or infinite numbers; the others are untouched by them."""
        known = (self.data_loss, self.penalty) if self.path_norm is None else (self.data_loss, self.penalty, self.path_norm)
        return ~torch.stack([value.isfinite() for value in known]).all(0)


class EnsembleTraining(Iterator[EnsembleRecord]):
    """One run of training of many networks; made by :func:`train_ensemble`.

    Between two records ``rho`` and the data may be changed; parameters and Adam's moments are carried on.

    Attributes:
        ensemble: what is trained.
        step: optimiser steps done so far, of ``steps``.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        x: Tensor,
        y: Tensor,
        *,
        steps: int,
        lr: float,
        batch_size: int,
        rho: float | Sequence[float],
        omega: Penalty,
        penalised: dict[str, Tensor],
        loss: Loss,
        record_every: int,
        seeds: Sequence[int],
    ) -> None:
        self.ensemble, self.steps, self.step = ensemble, steps, 0
        self.batch_size, self.record_every, self.rho = batch_size, record_every, rho
        self._omega, self._data_loss, self._loss = vmap(omega), loss, vmap(loss)
        self._penalised = penalised
        trained = [p for p in ensemble.parameters.values() if p.requires_grad]
        self._adam = torch.optim.Adam(trained, lr=lr, fused=trained[0].device.type in ("cpu", "cuda"))
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._order, self._position = torch.empty(len(ensemble), 0, dtype=torch.long), 0
        self.set_data(x, y)
        self._losses, self._since = torch.zeros_like(self._rho), 0

    @property
    def rho(self) -> Tensor:
        """Strength ρ of the regulariser of each network: (E,).  One for all or one for each can be set at any time."""
        return self._rho

    @rho.setter
    def rho(self, value: float | Sequence[float]) -> None:
        strengths, like = _one_each("rho", value, len(self.ensemble)), next(iter(self.ensemble.parameters.values()))
        for strength in strengths:
            check_rho(strength)
        self._rho = torch.tensor(strengths, dtype=like.dtype, device=like.device)

    def set_data(self, x: Tensor, y: Tensor) -> None:
        """Train on other data from the next step on; with as many rows as before, the order of the batches goes on.

        Args:
            x, y: data (E, n, …).

        Raises:
            ValueError: data that do not fit.
        """
        self._x, self._y = _check_data(self.ensemble, x, y, self._data_loss)
        if self._order.shape[1] != self._x.shape[1]:
            self._draw_order()
        self._shuffle()

    @property
    def bytes_each(self) -> int:
        """Memory that one of the networks takes while it is trained, roughly.

        Its parameters four times (value, gradient, Adam's two moments), its rows in the order of the epoch, and for each row
        of a batch the signals of a SpectralNet about four times: before and after f, and their gradients.
        """
        first = self.ensemble.network(0)
        rows = sum(part[0].numel() * part.element_size() for part in (self._x, self._y)) + 8 * self._x.shape[1]
        signals = 4 * self.batch_size * sum(first.nodes) if isinstance(first, SpectralNet) else 0
        return rows + sum((4 * p.numel() + signals * (k == 0)) * p.element_size() for k, p in enumerate(first.parameters()))

    def _draw_order(self) -> None:
        """A new order of the rows for each network, from a generator of its own."""
        n = self._x.shape[1]
        self._order = torch.stack([torch.randperm(n, generator=generator) for generator in self._generators])
        self._position = 0

    def _shuffle(self) -> None:
        order = self._order.to(self._x.device)
        rows = torch.arange(len(order), device=order.device)[:, None]
        self._shuffled = self._x[rows, order], self._y[rows, order]  # one gather an epoch; batches are then slices

    def advance(self, steps: int = 1) -> None:
        """Take optimiser steps without making a record."""
        n = self._x.shape[1]
        with torch.enable_grad():
            for _ in range(steps):
                if self._position >= n:
                    self._draw_order()
                    self._shuffle()
                window = slice(self._position, self._position + self.batch_size)
                self._position += self.batch_size
                x, y = (part[:, window] for part in self._shuffled)
                losses = self._loss(self.ensemble(x), y)
                objective = losses + self._rho * self._omega(self._penalised) if self._penalised else losses
                self._adam.zero_grad()
                objective.sum().backward()
                self._adam.step()
                self._losses += losses.detach()
                self._since += 1
                self.step += 1

    @torch.no_grad()
    def record(self) -> EnsembleRecord:
        """The state of now."""
        mean = self._losses / self._since if self._since else self._loss(self.ensemble(self._x), self._y)
        self._losses, self._since = torch.zeros_like(mean), 0
        penalty = self._omega(self._penalised) if self._penalised else torch.zeros_like(mean)
        live = norm = None
        if self.ensemble._broadcasts:
            strengths, norm = self.ensemble.path_strengths()
            live = torch.stack([(s > LIVE).sum(-1) for s in strengths]).sum(0) if strengths else torch.zeros_like(mean).long()
        return EnsembleRecord(self.step, mean, penalty, live, norm)

    def __next__(self) -> EnsembleRecord:
        left = self.steps - self.step
        if left <= 0:
            raise StopIteration
        self.advance(min(self.record_every, left))
        return self.record()


def train_ensemble(
    networks: Sequence[nn.Module] | Ensemble,
    x: Tensor,
    y: Tensor,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    lr: float = 1e-3,
    batch_size: int = 100,
    rho: float | Sequence[float] = 0.0,
    penalty: str | Penalty = "l2_norm",
    penalised: list[str] | None = None,
    loss: Loss = nn.functional.mse_loss,
    record_every: int | None = None,
    seeds: Sequence[int] | None = None,
) -> EnsembleTraining:
    """Train E networks of one shape at once, each as :func:`~spectral_lab.training.train` would.

    Args:
        networks: E of them; copied, so that what was trained is in ``.ensemble``.
        x, y: data (E, n, …), n rows for each network; the same for all: ``x.expand(E, *x.shape)``.
        steps, epochs: how long; exactly one of the two.
        lr: learning rate of Adam.
        batch_size: rows a step; the last batch of an epoch may be smaller.
        rho: strength ρ of the regulariser, one for all or one for each.
        penalty, penalised, loss: as in ``train``.
        record_every: steps between records; None is one record, at the end.
        seeds: of the order of the batches, one for each; None is 0 … E - 1.

    Returns:
        An iterator of records, with the ``ensemble``; ``rho`` and ``set_data`` steer it.

    Raises:
        ValueError: networks of different shapes, or none of whose numbers is trained; data that do not fit, or an option
            outside its range.
    """
    ensemble = networks if isinstance(networks, Ensemble) else Ensemble(networks)
    E = len(ensemble)
    x, y = _check_data(ensemble, x, y, loss)
    if not any(p.requires_grad for p in ensemble.parameters.values()):
        raise ValueError("all parameters of the networks are frozen; wanted one at least with requires_grad")
    check_lr(lr)
    steps = count_steps(steps, epochs, x.shape[1], batch_size, least=1)
    seeds = list(range(E)) if seeds is None else list(seeds)
    if len(seeds) != E:
        raise ValueError(f"there are {len(seeds)} seeds for {E} networks; wanted one for each")
    return EnsembleTraining(
        ensemble,
        x,
        y,
        steps=steps,
        lr=lr,
        batch_size=batch_size,
        rho=rho,
        omega=check_penalty(penalty),
        penalised=choose_penalised(ensemble.penalised() if penalised is None else penalised, ensemble.parameters),
        loss=loss,
        record_every=steps if record_every is None else check_count("record_every", record_every),
        seeds=seeds,
    )


def _one_each(name: str, value: float | Sequence[float], E: int) -> list[float]:
    if isinstance(value, int | float):
        return [float(value)] * E
    values = [float(v) for v in value]
    if len(values) != E:
        raise ValueError(f"{name} has {len(values)} values for {E} networks; wanted one, or one for each")
    return values


def _check_data(ensemble: Ensemble, x: Tensor, y: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
    """The data on the networks' device and of their float type.

    Raises:
        ValueError: no first dimension E, no rows or not as many of both, NaN or infinite values, or other widths than those
            of the networks, with which the mean squared error would compare every row with every other.
    """
    E, like = len(ensemble), next(iter(ensemble.parameters.values()))
    for name, data in {"x": x, "y": y}.items():
        if data.dim() < 2 or len(data) != E or data.shape[1] == 0:
            raise ValueError(
                f"{name} has shape {tuple(data.shape)}; wanted (E, n, ...) with E = {E} and at least one row. If all learn "
                f"from the same rows: {name}.expand({E}, *{name}.shape)"
            )
        if data.is_floating_point() and not bool(data.isfinite().all()):
            raise ValueError(f"{name} has NaN or infinite values; remove or replace those rows")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"x has {x.shape[1]} rows and y has {y.shape[1]}; wanted one target for each input")
    if ensemble.sizes is not None:
        n_in, n_out = ensemble.sizes[0], ensemble.sizes[-1]
        if x.shape[2:] != (n_in,):
            raise ValueError(f"x has shape {tuple(x.shape)}; the networks want {(*x.shape[:2], n_in)}")
        if loss is nn.functional.mse_loss and y.shape[2:] != (n_out,):
            raise ValueError(f"y has shape {tuple(y.shape)}; the mean squared error wants {(*y.shape[:2], n_out)}")
    place = [data.to(like.device, like.dtype if data.is_floating_point() else data.dtype) for data in (x, y)]
    return place[0], place[1]


def best_chunk(make: Callable[[int], EnsembleTraining], candidates: Sequence[int] = CHUNKS, *, steps: int = 20) -> int:
    """The number of networks at which one network's step takes the least time, measured here and now.

    All candidates take turns, so that a busy machine slows them all; the fastest round of each counts.  Those that would fill
    more than half of the memory that is free are left out, but for the smallest.

    Args:
        make: from a number of networks to their training, for example with :func:`train_ensemble`.
        candidates: numbers to try.
        steps: in each round.
    """
    least = min(candidates)
    smallest = make(least)
    room = available_memory(smallest.rho.device) / 2
    runs = {least: smallest} | {E: make(E) for E in candidates if least < E <= room / smallest.bytes_each}
    best = dict.fromkeys(runs, math.inf)
    for _ in range(4):
        for E, run in runs.items():
            start = time.perf_counter()
            run.advance(steps)
            best[E] = min(best[E], (time.perf_counter() - start) / E)
    return min(best, key=best.__getitem__)
