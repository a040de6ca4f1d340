r"""The instrument behind the playground: a network, its task and its training, steered by named settings.

Nothing here knows of a screen.  :class:`spectral_lab.live.playground.Playground` shows it in a notebook.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
import traitlets
from torch import Tensor

from spectral_lab.live.scene import Scene, decode, encode
from spectral_lab.live.settings import SETTINGS, check
from spectral_lab.networks import ACTIVATIONS, SpectralNet
from spectral_lab.tasks import alpha_beta, alpha_beta_target
from spectral_lab.topology import Structure, structure
from spectral_lab.training import Record, Training, TrainingDiverged, train

POINTS = 2000  # samples of the task
HISTORY = 2000  # records kept; beyond it every second one is dropped
GRID = 20  # the fit is shown on GRID × GRID points of the input square
RECORD_EVERY = 20  # steps between records of a synchronous run


@dataclass(frozen=True)
class PlaygroundRecord(Record):
    """A training record with the task that it belongs to."""

    alpha: float = 0.0
    beta: float = 0.0


@dataclass(frozen=True)
class Moment:
    """Everything that the views show, read off the network once."""

    record: PlaygroundRecord
    shape: Structure
    masks: list[Tensor] | None  # per hidden layer 1 for a neuron that stays, 0 for a pruned one; None: nothing is pruned
    output: Tensor  # (GRID², 1), of the pruned network
    pruned_loss: float | None  # data loss of the pruned network, over all data


def input_square(n: int = GRID) -> Tensor:
    """Points (n², 2) of [-1, 1]², row by row from the top left, x_1 to the right and x_2 upwards."""
    axis = torch.linspace(-1, 1, n, dtype=torch.float32)
    x2, x1 = torch.meshgrid(-axis, axis, indexing="ij")
    return torch.stack([x1.flatten(), x2.flatten()], dim=-1)


def _trait(name: str) -> Any:
    # its range is checked by Instrument._validate_setting; traitlets.Any would let None pass unchecked
    return traitlets.TraitType(SETTINGS[name].default)


class Instrument(traitlets.HasTraits):
    """A spectral network that learns the α–β task, with every setting open to change while it trains.

    Settings are traits: ``instrument.alpha = 0.7`` takes effect at the next step.  ``hidden``, ``seed``, ``activation``
    and ``train_input_eigenvalues`` build the network anew.

    >>> from spectral_lab.live.instrument import Instrument
    >>> instrument = Instrument(alpha=1.0, seed=0)
    >>> instrument.run(100).step
    100

    Args:
        alpha: non-linearity of the task, in [0, 1].
        beta: steepness of the transition in α.
        rho: strength of the regulariser.
        hidden: sizes of the hidden layers.
        seed: of the initial eigenvectors, the data and the order of the batches.
        settings: any other of :data:`spectral_lab.live.settings.SETTINGS`.

    Raises:
        ValueError: an unknown setting, or a value outside its range.
    """

    alpha, beta, rho = _trait("alpha"), _trait("beta"), _trait("rho")
    hidden, seed, activation = _trait("hidden"), _trait("seed"), _trait("activation")
    penalty, train_input_eigenvalues = _trait("penalty"), _trait("train_input_eigenvalues")
    lr, batch_size, threshold = _trait("lr"), _trait("batch_size"), _trait("threshold")
    speed, playing = _trait("speed"), _trait("playing")

    def __init__(
        self,
        alpha: float = 0.8,
        beta: float = 5.0,
        rho: float = 1e-4,
        hidden: tuple[int, ...] = (30,),
        seed: int = 0,
        **settings: Any,
    ) -> None:
        self._lock = threading.RLock()  # settings and training may come on different threads (subshells of ipykernel)
        self._built = False
        given = {"alpha": alpha, "beta": beta, "rho": rho, "hidden": hidden, "seed": seed, **settings}
        super().__init__(**{name: check(name, value) for name, value in given.items()})
        self._square = input_square()
        self.reset()
        self._built = True

    # -- settings --------------------------------------------------------------------------------------------------

    @traitlets.validate(*SETTINGS)
    def _validate_setting(self, proposal: Any) -> Any:
        return check(proposal.trait.name, proposal.value)

    @traitlets.observe(*SETTINGS)
    def _setting_changed(self, change: Any) -> None:
        if not self._built:
            return
        with self._lock:
            setting, value = SETTINGS[change.name], getattr(self, change.name)  # of now: another thread may have moved it since
            if setting.restarts:
                self.reset()
            elif setting.scene:
                self._apply(change.name, value)
                self._log(change.name, value)
        if not setting.restarts:  # reset() shows itself
            self._after_change()

    def _after_change(self) -> None:
        """For a subclass that shows the instrument."""

    def _apply(self, name: str, value: Any) -> None:
        if name in ("alpha", "beta"):
            x, _ = self._training.data
            self._training.set_data(x, alpha_beta_target(x, self.alpha, self.beta))
            self._target = alpha_beta_target(self._square, self.alpha, self.beta)
        elif name in ("rho", "penalty", "lr", "batch_size"):
            setattr(self._training, name, value)

    def _log(self, name: str, value: Any) -> None:
        last = self._moves[-1] if self._moves else None
        if last is not None and last[:2] == (self.step, name):  # dragged on while nothing was trained: the last value counts
            self._moves.pop()
        self._moves.append((self.step, name, value))

    def settings(self) -> dict[str, Any]:
        """All settings of now, by name."""
        return {name: getattr(self, name) for name in SETTINGS}

    def reset(self) -> None:
        """Build the network anew from its seed, with the settings of now, and forget the run so far."""
        with self._lock:
            generator = torch.Generator().manual_seed(self.seed)
            self.network = SpectralNet(
                [2, *self.hidden, 1],
                activation=ACTIVATIONS[self.activation],
                train_input_eigenvalues=self.train_input_eigenvalues,
                generator=generator,
                device="cpu",
                dtype=torch.float32,
            )
            x, y = alpha_beta(self.alpha, self.beta, POINTS, seed=self.seed)
            self._target = alpha_beta_target(self._square, self.alpha, self.beta)
            self._training: Training = train(
                self.network,
                x,
                y,
                steps=0,
                lr=self.lr,
                batch_size=self.batch_size,
                rho=self.rho,
                penalty=self.penalty,
                seed=self.seed,
            )
            self._start = {name: getattr(self, name) for name, setting in SETTINGS.items() if setting.scene}
            self._moves: list[tuple[int, str, Any]] = []
            self._history: list[PlaygroundRecord] = []
            self._gap = 0.0  # steps between records that are kept
            self._just_read: Structure | None = None
            self._record()

    # -- training --------------------------------------------------------------------------------------------------

    @property
    def step(self) -> int:
        """Optimiser steps since the network was built."""
        return self._training.step

    @property
    def history(self) -> list[PlaygroundRecord]:
        """The records of the run so far, oldest first; thinned, not cut off, when they become many."""
        return list(self._history)

    def run(self, steps: int) -> PlaygroundRecord:
        """Train for some steps, here and now, and return the last record.

        Raises:
            ValueError: steps is no whole number of at least 0.
            TrainingDiverged: the loss became NaN or infinite; the last good state is back, and the message says what to lower.
        """
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
            raise ValueError(f"steps = {steps!r}; wanted a whole number of at least 0")
        for done in range(0, steps, RECORD_EVERY):
            with self._lock:
                self._training.advance(min(RECORD_EVERY, steps - done))
                self._record()
        return self._history[-1]

    def train_slice(self, seconds: float) -> None:
        """Train for about so many seconds, or for ``speed`` steps if that is less, and record."""
        with self._lock:
            end, left = time.perf_counter() + seconds, self.speed or 10_000
            while left and time.perf_counter() < end:
                self._training.advance()
                left -= 1
            self._record()
            self._just_read = self._training.structure

    def _record(self) -> None:
        try:
            record = self._training.record()
        except TrainingDiverged:
            self.playing = False
            raise
        self._remember(PlaygroundRecord(**asdict(record), alpha=self.alpha, beta=self.beta))

    def _remember(self, record: PlaygroundRecord) -> None:
        """Keep the newest record, and of the older ones so many that they stand at about equal gaps in step."""
        history = self._history
        if len(history) > 1 and history[-1].step - history[-2].step < self._gap:
            history.pop()  # too close to the one before to stay
        history.append(record)
        if len(history) > HISTORY:
            self._history = history[:-1:2] + history[-1:]
            self._gap = 2 * (record.step - history[0].step) / HISTORY

    # -- what there is to see --------------------------------------------------------------------------------------

    @torch.no_grad()
    def moment(self) -> Moment:
        """The network of now as the views need it, with the neurons below ``threshold`` cut off."""
        with self._lock:
            # what the record of this very slice has read off already; otherwise a hand may have changed the network since
            shape, self._just_read = self._just_read or structure(self.network), None
            masks = [(s > self.threshold).float() for s in shape.strengths] if self.threshold else None
            pruned_loss = None
            if masks is not None:
                x, y = self._training.data
                output = self.network.signals(x, masks)[-1]
                pruned_loss = float(torch.nn.functional.mse_loss(output, y))
            on_square = self.network.signals(self._square, masks)[-1]
            return Moment(self._history[-1], shape, masks, on_square, pruned_loss)

    @property
    def target_on_square(self) -> Tensor:
        """The target function on the points of :func:`input_square`: (GRID², 1)."""
        return self._target

    def words(self, moment: Moment | None = None) -> str:
        """One line for the back row and for screen readers."""
        moment = moment or self.moment()
        record, total = moment.record, sum(self.hidden)
        text = f"step {record.step:,}: {sum(moment.shape.live)} of {total} hidden neurons live"
        text += f", effective depth {moment.shape.depth}, data loss {record.data_loss:.1e}"
        if moment.masks is not None:
            cut = total - int(sum(mask.sum() for mask in moment.masks))
            text += f"; {cut} pruned, loss without them {moment.pruned_loss:.1e}"
        return text

    def figure(self) -> Any:
        """A static matplotlib figure of now: network, spectrum, fit, loss and ‖Γ‖ against α."""
        from spectral_lab.live.picture import figure

        return figure(self)

    # -- the scene as a string -------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The scene as a short string; :meth:`from_state` replays it to the same bits on the same machine and versions."""
        with self._lock:
            return encode(Scene(self._start, self._moves, self.step))

    @classmethod
    def from_state(cls, state: str, **options: Any) -> Self:
        """Replay a scene: build the network, repeat every move at its step, and stop where the scene stood.

        Args:
            state: what :attr:`state` gave.
            options: further arguments of the constructor that are no part of a scene, e.g. ``playing``.

        Raises:
            ValueError: the string is damaged or of another version.
        """
        scene = decode(state)
        instrument = cls(**scene.start, **options)
        for step, name, value in scene.moves:
            instrument.run(step - instrument.step)
            setattr(instrument, name, value)
        instrument.run(scene.step - instrument.step)
        instrument._moves = list(scene.moves)  # also those that changed nothing: the string stays the same
        return instrument
