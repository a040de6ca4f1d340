r"""A spectral network that can be steered while it trains, by named settings.

Every move is logged with its training step.  :mod:`spectral_lab.live.hands` moves single neurons,
:mod:`spectral_lab.live.rewinding` takes moves back, :mod:`spectral_lab.live.instrument` hands a run out as a scene.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import traitlets

from spectral_lab.live.past import BYTES, EVER, MOMENTS, Moment, Move, Settings, Thinned
from spectral_lab.live.problem import Problem, make_problem, own_data
from spectral_lab.live.scene import Moves, check_moves, check_names, check_text
from spectral_lab.live.settings import HANDS, SETTINGS, check
from spectral_lab.networks import ACTIVATIONS, SpectralNet
from spectral_lab.topology import Structure
from spectral_lab.training import Record, Training, TrainingDiverged, train

HISTORY = 1000  # records kept; beyond it they are thinned
RECORD_EVERY = 20  # steps between records of a synchronous run
DATA = ("alpha", "beta", "noise", "section")  # settings that change the problem, not the network


@dataclass(frozen=True)
class PlaygroundRecord(Record):
    """A training record with the task that it belongs to; the playground itself validates the network."""

    alpha: float = 0.0
    beta: float = 0.0


def _trait(name: str) -> Any:
    # its range is checked by Instrument._validate_setting; traitlets.Any would let None pass unchecked
    return traitlets.TraitType(SETTINGS[name].default)


class Steering(traitlets.HasTraits):
    """Settings, network and training of :class:`~spectral_lab.live.instrument.Instrument`, which says more."""

    problem: Problem
    _training: Training
    _settings: Settings  # all but "playing", as they are in force
    _start: Settings  # those of the scene when the network was built
    _moves: Move | None  # the last one, which knows the ones before
    _coming: tuple[tuple[int, str, Any], ...]  # moves that are still to come by themselves
    _off: frozenset[tuple[int, int]]  # neurons switched off: (hidden layer from 0, index)
    _history: Thinned[PlaygroundRecord]
    _moments: Thinned[Moment]
    _just_read: Structure | None  # the structure of now, if it has been read off already
    _quiet_on: int | None = None  # the thread on which traits are set without consequences
    _hand: Any = None  # what joins the moves of one gesture; None: each move is one of its own

    task, noise, validation, section = _trait("task"), _trait("noise"), _trait("validation"), _trait("section")
    alpha, beta, rho = _trait("alpha"), _trait("beta"), _trait("rho")
    hidden, seed, activation = _trait("hidden"), _trait("seed"), _trait("activation")
    penalty, train_input_eigenvalues = _trait("penalty"), _trait("train_input_eigenvalues")
    lr, batch_size, threshold = _trait("lr"), _trait("batch_size"), _trait("threshold")
    speed, playing = _trait("speed"), _trait("playing")
    title, question = traitlets.Unicode(), traitlets.Unicode()

    def __init__(
        self,
        alpha: float = 0.8,
        beta: float = 5.0,
        rho: float = 1e-4,
        hidden: tuple[int, ...] = (30,),
        seed: int = 0,
        *,
        data: Any = None,
        hide: Sequence[str] = (),
        lock: Sequence[str] = (),
        title: str = "",
        question: str = "",
        **settings: Any,
    ) -> None:
        self._lock = threading.RLock()  # settings and training may come on different threads (subshells of ipykernel)
        self._quiet = True
        self.own = own_data(data) if data is not None else None
        if self.own is not None:
            settings.setdefault("task", "own")
        self.hide, self.locked = check_names("hide", hide), check_names("lock", lock)
        self.title, self.question = check_text("title", title), check_text("question", question)
        given = {"alpha": alpha, "beta": beta, "rho": rho, "hidden": hidden, "seed": seed, **settings}
        super().__init__(**{name: _setting(name, value) for name, value in given.items()})
        self.look: tuple[int, int] | None = None  # the node that the hand points at: (layer from 0, index)
        self._build()
        self._quiet = False

    # -- settings -----------------------------------------------------------------------------------------------------

    @property
    def _quiet(self) -> bool:
        """Whether traits are set without consequences; on this thread only, another one may move a setting meanwhile."""
        return self._quiet_on == threading.get_ident()

    @_quiet.setter
    def _quiet(self, quiet: bool) -> None:
        self._quiet_on = threading.get_ident() if quiet else None

    @traitlets.validate(*SETTINGS)
    def _validate_setting(self, proposal: Any) -> Any:
        name, value = proposal.trait.name, check(proposal.trait.name, proposal.value)
        if name in ("task", "section") and not self._quiet:  # not every task has its data, not every section its inputs
            own = {"task": "own"} if name == "section" and self.own is not None else {}  # it is of those inputs, shown or not
            make_problem({**self.settings(), **own, name: value}, self.own)
        return value

    @traitlets.observe(*SETTINGS)
    def _setting_changed(self, change: Any) -> None:
        if self._quiet:
            return
        with self._lock:
            name, value = change.name, getattr(self, change.name)  # of now: another thread may have moved it since
            if SETTINGS[name].restarts:
                self._before_move()
                self._build()
            elif name != "playing":
                self._before_move()
                self._settings = {**self._settings, name: value}
                self._apply(name, value)
                if SETTINGS[name].scene:
                    self._log(name, value)
        self._after_change()

    def _after_change(self) -> None:
        """For a subclass that shows the instrument."""

    def _before_move(self) -> None:
        """For a subclass that can undo."""

    def _apply(self, name: str, value: Any) -> None:
        if name in DATA:
            self._set_problem()
        elif name in ("rho", "penalty", "lr", "batch_size"):
            setattr(self._training, name, value)

    def _set_problem(self) -> None:
        # what is in force: a trait that another thread has just set comes in and is logged when its turn comes
        self.problem = make_problem(self._settings, self.own)
        self._training.set_data(self.problem.x, self.problem.y)

    def _log(self, name: str, value: Any) -> None:
        self._branch()
        last = self._moves
        if last is not None and (last.step, _target(last.name, last.value)) == (self.step, _target(name, value)):
            last = last.before  # dragged on while nothing was trained: the last value counts
        self._moves = Move(last, self.step, name, value)
        if self._hand != "script":  # the hand wins
            self._coming = tuple(move for move in self._coming if _target(*move[1:]) != _target(name, value))
        if self._hand != "replay":
            self._record()  # what the move has changed is measured at once

    def settings(self) -> dict[str, Any]:
        """All settings of now, by name."""
        return {name: getattr(self, name) for name in SETTINGS}

    # -- the network --------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Build the network anew from its seed, with the settings of now, and begin a new run."""
        with self._lock:
            self._before_move()
            self._build()
        self._after_change()

    def _build(self) -> None:
        settings = self.settings()
        self._new_network(settings)
        self._settings = {name: value for name, value in settings.items() if name != "playing"}
        self._start = {name: settings[name] for name, setting in SETTINGS.items() if setting.scene}
        self._moves = None
        self._off = frozenset()
        self._coming = ()
        self._history = Thinned(HISTORY)
        most = int(BYTES // (3 * self._training.last_good.nbytes))  # Adam's two moments are still to come
        self._moments = Thinned(max(12, min(MOMENTS, most)))
        self._just_read = None
        self._record()

    def _new_network(self, settings: dict[str, Any]) -> None:
        """A network in its perceptron start, and its training; everything that a seed decides is decided here."""
        self.problem = make_problem(settings, self.own)
        self.network = SpectralNet(
            [len(self.problem.inputs), *settings["hidden"], len(self.problem.outputs)],
            activation=ACTIVATIONS[settings["activation"]],
            train_input_eigenvalues=settings["train_input_eigenvalues"],
            generator=torch.Generator().manual_seed(settings["seed"]),
            device="cpu",
            dtype=torch.float32,
        )
        self._training = train(
            self.network,
            self.problem.x,
            self.problem.y,
            steps=0,
            lr=settings["lr"],
            batch_size=settings["batch_size"],
            rho=settings["rho"],
            penalty=settings["penalty"],
            loss=self.problem.loss,
            seed=settings["seed"],
        )

    def _set_off(self, off: frozenset[tuple[int, int]]) -> None:
        self._off, masks = off, None
        if off:
            masks = [torch.ones(n, dtype=torch.float32) for n in self.network.sizes[1:-1]]
            for layer, neuron in off:
                masks[layer][neuron] = 0.0
        self._training.masks = masks

    # -- training -----------------------------------------------------------------------------------------------------

    def output(self, x: torch.Tensor) -> torch.Tensor:
        """What the network answers to inputs x (n, n_in), without the neurons that are switched off: (n, n_out)."""
        return self._training.output(x)

    @property
    def step(self) -> int:
        """Optimiser steps since the network was built."""
        return self._training.step

    @property
    def history(self) -> list[PlaygroundRecord]:
        """The records of the run so far, oldest first; thinned, not cut off, when they become many."""
        return [record for record in self._history if record.step <= self.step]

    @property
    def last_step(self) -> int:
        """The step that this run has reached; later than :attr:`step` after :meth:`seek`."""
        return max(self._moments[-1].step, self.step)

    def whole_history(self, most: int) -> list[PlaygroundRecord]:
        """At most about so many records of the whole run, what came after a :meth:`seek` included."""
        records = list(self._history)
        return records[:: -(-len(records) // most)]

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
                self._advance(min(RECORD_EVERY, steps - done))
                self._record()
        return self.record

    def train_slice(self, seconds: float) -> None:
        """Train for about so many seconds, or for ``speed`` steps if that is less, and record."""
        with self._lock:
            end, left = time.perf_counter() + seconds, self.speed or 10_000
            while left and time.perf_counter() < end:
                self._advance(1)
                left -= 1
            self._record()
            self._just_read = self._training.structure
        time.sleep(0)  # whoever waits for the lock on another thread may have it now

    def follow(self, moves: Moves) -> None:
        """Let moves (step, name, value) come by themselves while the network trains, until the hand moves the same setting.

        Raises:
            ValueError: steps that are over or out of order, unknown names, values outside their range.
        """
        with self._lock:
            coming = tuple(check_moves(moves, self.step, EVER))
            self._branch()
            self._coming = coming
            self._record()  # the time line comes back to them

    def _advance(self, steps: int) -> None:
        """Train, and let the moves that come by themselves happen at their steps."""
        self._branch()
        while steps:
            if self._coming and self._coming[0][0] <= self.step:
                if self._training.last_good.step != self.step:
                    self._record()  # if the run has diverged, it goes back to before the move
                (_, name, value), self._coming = self._coming[0], self._coming[1:]
                with self._as_hand("script"):
                    self._move(name, value)
                continue
            some = min(steps, self._coming[0][0] - self.step) if self._coming else steps
            self._training.advance(some)
            steps -= some

    def _move(self, name: str, value: Any) -> None:
        """A move from a scene or a script."""
        setattr(self, name, value)

    @torch.no_grad()
    def _record(self) -> None:
        try:
            record = self._training.record()
        except TrainingDiverged:
            self.playing = False
            raise
        problem, loss, accuracy = self.problem, None, None
        if len(problem.x_held):
            output = self._training.output(problem.x_held)
            loss, accuracy = float(problem.loss(output, problem.y_held)), problem.accuracy(output, problem.y_held)
        own = {name: self._settings[name] for name in ("alpha", "beta")} | {"validation_loss": loss, "accuracy": accuracy}
        full = PlaygroundRecord(**asdict(record) | own)
        self._history.append(full)
        self._moments.append(self._moment(full))
        self._just_read = None

    @contextlib.contextmanager
    def _as_hand(self, hand: Any) -> Iterator[None]:
        """Moves within the block belong to one gesture; None: each is one of its own."""
        before, self._hand = self._hand, hand
        try:
            yield
        finally:
            self._hand = before

    # -- the run so far -----------------------------------------------------------------------------------------------

    def _moment(self, record: PlaygroundRecord) -> Moment:
        at = self._training.last_good
        return Moment(self._start, self._settings, self._off, self._moves, self._coming, at, record, self.heading)

    @property
    def heading(self) -> tuple[str, str]:
        """Title and question."""
        return self.title, self.question

    @property
    def record(self) -> PlaygroundRecord:
        """The record of now."""
        if not self._scrubbing:
            return self._moments[-1].record
        return next(moment.record for moment in self._moments if moment.step >= self.step)

    @property
    def _scrubbing(self) -> bool:
        return self._moments[-1].step > self.step

    def _branch(self) -> None:
        """The run goes on from here: what came later is no longer part of it (undo brings it back)."""
        if self._scrubbing:
            self._history, self._moments = self._history.up_to(self.step), self._moments.up_to(self.step)


def _target(name: str, value: Any) -> Any:
    """What a move is about: a setting, or one neuron."""
    return (name, *value[:2]) if name in HANDS else name


def _setting(name: str, value: Any) -> Any:
    if name not in SETTINGS:
        raise ValueError(f"there is no setting {name!r}; known are {', '.join(SETTINGS)}")
    return check(name, value)
