"""Taking moves back: undo and redo of whole gestures of the hand, and a time line to any kept moment of the run."""

from __future__ import annotations

from typing import Any

from spectral_lab.live.hands import Hands
from spectral_lab.live.past import EVER, Entry, Moment, Thinned, Undo
from spectral_lab.live.settings import SETTINGS
from spectral_lab.live.steering import PlaygroundRecord


class Rewinding(Hands):
    """The past of :class:`~spectral_lab.live.instrument.Instrument`: to the same bits, settings and weights alike."""

    _last_hand: Any = None

    def __init__(self, *args: Any, **options: Any) -> None:
        self._undo = Undo()
        super().__init__(*args, **options)

    def _before_move(self) -> None:
        """Remember where the run stands, once for all the moves of one gesture of the hand."""
        if self._hand in ("replay", "script") or (self._hand is not None and self._hand == self._last_hand and self._undo.back):
            return
        self._last_hand = self._hand
        self._undo.push(self._entry())

    def _entry(self) -> Entry:
        if self._training.last_good.step != self.step:
            self._record()
        now, at = self._moment(self.record), self._training.snapshot()
        if at.finite:  # Python code may have changed the weights since the last one; to NaN there is no way back
            now = now._replace(snapshot=at)
        return Entry(now, self._history.up_to(EVER), self._moments.up_to(EVER))

    def undo(self) -> None:
        """Go back to where the run stood before the last move of the hand: settings, weights, everything.

        Raises:
            ValueError: there is nothing to undo.
        """
        self._swap(self._undo.back, self._undo.forth, "undo")

    def redo(self) -> None:
        """Take the last undo back.

        Raises:
            ValueError: there is nothing to redo.
        """
        self._swap(self._undo.forth, self._undo.back, "redo")

    def _swap(self, source: list[Entry], other: list[Entry], name: str) -> None:
        with self._lock:
            if not source:
                raise ValueError(f"there is nothing to {name}")
            other.append(self._entry())
            entry = source.pop()
            self._last_hand = None
            self._stand(entry.moment, (entry.history.up_to(EVER), entry.moments.up_to(EVER)))
        self._after_change()

    def forget(self) -> None:
        """Drop undo and all moments of the time line but the last, and with them their memory."""
        with self._lock:
            self._branch()
            self._undo, self._last_hand = Undo(), None
            self._moments = Thinned(self._moments.most, (self._moments[-1],))

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return bool(self._undo.back)

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return bool(self._undo.forth)

    @property
    def steps_kept(self) -> list[int]:
        """The steps to which :meth:`seek` can go back."""
        return [moment.step for moment in self._moments]

    def seek(self, step: int) -> None:
        """Go to the kept moment that is nearest to a step of this run; what came after is there until the run goes on.

        Raises:
            ValueError: step is no whole number of at least 0.
        """
        if isinstance(step, bool) or not isinstance(step, int) or step < 0:
            raise ValueError(f"step = {step!r}; wanted a whole number of at least 0")
        with self._lock:
            nearest = min(self._moments, key=lambda moment: abs(moment.step - step))
            if nearest.step == self.step:
                return
            self._before_move()
            self.playing = False
            view = {name: getattr(self, name) for name, setting in SETTINGS.items() if not setting.scene and name != "playing"}
            self._stand(nearest._replace(settings={**nearest.settings, **view}, heading=self.heading))
        self._after_change()

    def _stand(self, moment: Moment, run: tuple[Thinned[PlaygroundRecord], Thinned[Moment]] | None = None) -> None:
        """Be where the run was at that moment; ``run`` is its history and its moments, if it is another than that of now."""
        quiet, self._quiet = self._quiet, True
        try:
            for name, value in moment.settings.items():
                setattr(self, name, value)
            if run is not None:
                self._history, self._moments = run
            if moment.start is not self._start:
                self._new_network(moment.settings)
            self._start, self._settings = moment.start, moment.settings
            self._moves, self._coming = moment.moves, moment.coming
            self.title, self.question = moment.heading
            for name in ("rho", "penalty", "lr", "batch_size"):
                setattr(self._training, name, moment.settings[name])
            self._set_problem()
            self._set_off(moment.off)
            self._training.restore(moment.snapshot)
            self._just_read = None
        finally:
            self._quiet = quiet
