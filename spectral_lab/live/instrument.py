r"""The instrument behind the playground: a network, its task and its training, steered by named settings.

A run can be undone, scrubbed, replayed and handed out.  The parts are read in this order: ``settings``, ``problem``,
``steering``, ``hands``, ``past``, ``rewinding``, ``scene``, and this module.  Nothing here knows of a screen;
:class:`spectral_lab.live.playground.Playground` shows the instrument in a notebook.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

from spectral_lab.live.past import Move, held
from spectral_lab.live.presets import PRESETS
from spectral_lab.live.rewinding import Rewinding
from spectral_lab.live.scene import Scene, decode, encode, to_json
from spectral_lab.live.settings import SETTINGS
from spectral_lab.live.steering import PlaygroundRecord
from spectral_lab.topology import Structure, structure

if TYPE_CHECKING:
    from spectral_lab.live.comparison import Comparison


@dataclass(frozen=True)
class Sight:
    """Everything that the views show, read off the network once."""

    record: PlaygroundRecord
    shape: Structure
    masks: list[Tensor] | None  # per hidden layer 1 for a neuron that stays, 0 for one that is cut; None: nothing is cut
    signals: list[Tensor]  # of every layer at the points of the fit, of the pruned network
    pruned_loss: float | None  # data loss of the network without the neurons below the threshold, over all training data


class Instrument(Rewinding):
    """A spectral network that learns a task, with every setting open to change while it trains.

    Settings are traits: ``instrument.alpha = 0.7`` takes effect at the next step.  ``task``, ``hidden``, ``seed``,
    ``activation``, ``validation`` and ``train_input_eigenvalues`` build the network anew.  Everything can be undone.

    >>> from spectral_lab.live.instrument import Instrument
    >>> instrument = Instrument(alpha=1.0, seed=0)
    >>> instrument.run(100).step
    100
    >>> instrument.rho = 1.0
    >>> instrument.undo()
    >>> instrument.rho
    0.0001

    Args:
        alpha: non-linearity of the task, in [0, 1].
        beta: steepness of the transition in α.
        rho: strength of the regulariser.
        hidden: sizes of the hidden layers.
        seed: of the initial eigenvectors, the data and the order of the batches.
        data: the user's own (x, y), or a DataFrame whose last column is the target; see
            :func:`spectral_lab.live.problem.own_data`.
        hide, lock: names of settings or parts that a guided exercise does not show, or shows and does not let move.
        title, question: shown above the instrument.
        settings: any other of :data:`spectral_lab.live.settings.SETTINGS`.

    Raises:
        ValueError: an unknown setting, a value outside its range, data that cannot be learnt.
    """

    # -- what there is to see -----------------------------------------------------------------------------------------

    @torch.no_grad()
    def sight(self) -> Sight:
        """The network of now as the views need it, with the neurons below ``threshold`` cut off."""
        with self._lock:
            off = self._training.masks
            # what the record of this very slice has read off already; otherwise a hand may have changed the network since
            shape, self._just_read = self._just_read or structure(self.network, masks=off), None
            masks, pruned_loss = list(off) if off is not None else None, None
            if self.threshold:
                masks = [(s > self.threshold).float() for s in shape.strengths]
                output = self.network.signals(self.problem.x, masks)[-1]
                pruned_loss = float(self.problem.loss(output, self.problem.y))
            signals = self.network.signals(self.problem.points, masks)
            return Sight(self.record, shape, masks, signals, pruned_loss)

    def words(self, sight: Sight | None = None) -> str:
        """One line for the back row and for screen readers."""
        sight = sight or self.sight()
        record, total = sight.record, sum(self.hidden)
        text = f"step {record.step:,}: {sum(sight.shape.live)} of {total} hidden neurons live"
        text += f", effective depth {sight.shape.depth}, data loss {record.data_loss:.1e}"
        if record.validation_loss is not None:
            text += f", validation {record.validation_loss:.1e}"
        if record.accuracy is not None:
            text += f", {record.accuracy:.1%} right"
        if self._off:
            text += f"; {len(self._off)} switched off"
        if sight.pruned_loss is not None and sight.masks is not None:
            cut = total - int(sum(mask.sum() for mask in sight.masks)) - len(self._off)
            text += f"; {cut} pruned, loss without them {sight.pruned_loss:.1e}"
        return text

    def figure(self) -> Any:
        """A static matplotlib figure of now: network, spectrum, fit, loss and ‖Γ‖ against α."""
        from spectral_lab.live.picture import figure

        return figure(self)

    # -- the scene ----------------------------------------------------------------------------------------------------

    def scene(self) -> Scene:
        """The run so far as something that can be replayed."""
        with self._lock:
            seen = {"section": self.section} if self.task == "own" and len(self.problem.inputs) > 2 else {}
            return Scene(
                {**self._start, **seen},
                Move.listed(self._moves),
                self.step,
                list(self._coming),
                self.title,
                self.question,
                self.hide,
                self.locked,
                self.own.fingerprint if self.own is not None and self.task == "own" else None,
            )

    @property
    def state(self) -> str:
        """The scene as a short string; :meth:`from_state` replays it to the same bits on the same machine and versions."""
        return encode(self.scene())

    @property
    def json(self) -> str:
        """The scene as the text of a JSON file; :meth:`from_state` reads it too."""
        return to_json(self.scene())

    def show_preset(self, name: str) -> None:
        """Begin one of the scenes of :data:`spectral_lab.live.presets.PRESETS`, with its own settings and else the defaults.

        Raises:
            ValueError: an unknown name, with the known ones.
        """
        if name not in PRESETS:
            raise ValueError(f"there is no preset {name!r}; wanted one of {', '.join(PRESETS)}")
        preset = PRESETS[name]
        with self._lock:
            self._before_move()
            with self._as_hand("script"):
                quiet, self._quiet = self._quiet, True
                try:
                    for setting, about in SETTINGS.items():
                        if about.scene:
                            setattr(self, setting, preset.settings.get(setting, about.default))
                finally:
                    self._quiet = quiet
                self.title, self.question = preset.title, preset.question
                self._build()
                self.follow(preset.moves)
                self.run(preset.trained)
        self._after_change()

    def copy(self) -> Instrument:
        """An instrument of its own that stands where this one does, with the same time line, and nothing to undo."""
        with self._lock:
            other = Instrument(**{name: value for name, value in self.settings().items() if name not in ("task", "playing")})
            other.own, other.hide, other.locked = self.own, self.hide, self.locked
            here = self._entry()
            other._stand(here.moment, (here.history, here.moments))
        return other

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the scene (.json), code (.py), weights (.safetensors), a picture (.png, .svg) or the run's animation (.webp).

        The file's ending decides; the file appears whole or not at all.

        Raises:
            ValueError: an ending that stands for nothing, with the known ones.
        """
        from spectral_lab.live.export import export_to

        export_to(self, Path(path))

    def compacted(self) -> Comparison:
        """The physically smaller network without the neurons that are cut, beside the one it came from."""
        from spectral_lab.live.comparison import compare

        return compare(self)

    @property
    def nbytes(self) -> int:
        """Memory that the time line and undo hold, in bytes; bounded, see :mod:`spectral_lab.live.past`."""
        return held(self._moments) + self._undo.nbytes()

    @classmethod
    def from_state(cls, state: str, *, data: Any = None, **options: Any) -> Self:
        """Replay a scene: build the network, repeat every move at its step, and stop where the scene stood.

        Args:
            state: what :attr:`state` or :attr:`json` gave.
            data: the user's own data, if the scene was made with some.
            options: further arguments of the constructor that are no part of a scene, e.g. ``playing``.

        Raises:
            ValueError: the scene is damaged, of a later version, or was made with other data.
        """
        scene = decode(state)
        exercise = {"hide": scene.hide, "lock": scene.lock, "title": scene.title, "question": scene.question}
        if scene.data is not None and data is None:
            raise ValueError("this scene was made with its author's own data, which are not in it; pass them as data=(x, y)")
        instrument = cls(**{**scene.start, **exercise, **options}, data=data)
        if scene.data is not None and instrument.own is not None and instrument.own.fingerprint != scene.data:
            raise ValueError("this scene was made with other data than these; pass the same numbers in the same order")
        with instrument._as_hand("replay"):
            for step, name, value in scene.moves:
                instrument.run(step - instrument.step)
                instrument._move(name, value)
            instrument.run(scene.step - instrument.step)
        moves = None
        for move in scene.moves:  # also those that changed nothing: the string stays the same
            moves = Move(moves, *move)
        instrument._moves, instrument._coming = moves, tuple(scene.coming)
        instrument._record()
        return instrument
