"""The race as a widget: curves that grow while the kernel trains, and the number of trained parameters beside them.

The browser is the clock (:mod:`spectral_lab.live.pulled`).  Its half is ``racetrack.js``; what is trained, and how, is in
:mod:`spectral_lab.live.race`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from spectral_lab.live.assets import script, styles
from spectral_lab.live.picture import Picture
from spectral_lab.live.pulled import Pulled, check_moves
from spectral_lab.live.race import COLOURS, EVERY, Race, Rules, Standing
from spectral_lab.recipes.classification import LABELS, LEARNING_RATES

DENSE = ("direct", "spectral", "s_svd", "s_qr")
SPARSE = ("direct", "s_qr")  # the two of PRE's Fig. 2
SPARSITY = 0.9  # where the sparse race begins: most weights are silent, and all can still learn something
MOVES = ("methods", "hidden", "p", "sparsity", "seed", "lr")
ACTIONS = ("start", "pause", "reset", "dense", "sparse")


class RaceTrack(Pulled):
    """The live race: start it, pause it, and move the width N_2, the share p of R, or the sparsity.

    >>> from spectral_lab.live import RaceTrack
    >>> track = RaceTrack(hidden=20, steps=100)
    >>> track.run(20).step  # trains here and now, without a browser
    20
    >>> track.move(hidden=50)  # what a slider does: a new race from the seed
    >>> track.race.step
    0

    As the last expression of a notebook cell it shows itself.

    Args:
        steps: length of the race; it pauses there, and "start" goes on for as many.
        rules: of :class:`~spectral_lab.live.race.Rules`; a ``sparsity`` makes it a sparse race.

    Attributes:
        race: the race that is run now, with ``table()``, ``standings`` and ``accuracy``.
    """

    _esm = script("canvas", "clock", "panel", "racetrack")
    _css = styles("playground", "racetrack")

    def __init__(self, *, steps: int = 600, **rules: Any) -> None:
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < EVERY:
            raise ValueError(f"steps = {steps!r}; wanted a whole number of at least {EVERY}")
        self.steps, self.end, self.build = steps, steps, 0
        rules.setdefault("methods", DENSE if rules.get("sparsity") is None else SPARSE)
        self._other = Rules()  # of the race that is not shown: dense or sparse
        self._renew(Rules(**rules))
        self._other = replace(
            self.race.rules, methods=DENSE if self.sparse else SPARSE, sparsity=None if self.sparse else SPARSITY
        )
        super().__init__()

    def __repr__(self) -> str:
        rules = self.race.rules
        sparsity = "" if rules.sparsity is None else f", sparsity={rules.sparsity:g}"
        return f"RaceTrack(hidden={rules.hidden}, p={rules.p:g}{sparsity}, seed={rules.seed})"

    @property
    def sparse(self) -> bool:
        """Whether the weights are masked."""
        return self.race.rules.sparsity is not None

    # -- what a hand or a script does --------------------------------------------------------------------------------

    def move(self, **moved: Any) -> None:
        """Change rules and start anew from the seed; nothing changes if one of them is out of its range.

        Raises:
            ValueError: a value outside its range, or a sparsity in the dense race.
        """
        with self._lock:
            check_moves(moved, MOVES)
            if not self.sparse and moved.get("sparsity") is not None:
                raise ValueError("the dense race has no sparsity; change to the sparse race first")
            if "lr" in moved:
                moved["lr"] = dict(self.race.rules.lr) | dict(moved["lr"])
            if "methods" in moved:  # always in the order of the colours
                moved["methods"] = tuple(name for name in LABELS if name in moved["methods"])
            self._renew(replace(self.race.rules, **moved))
        self._push()

    def act(self, action: str) -> None:
        """Press a button: "start", "pause", "reset", or change to the "dense" or the "sparse" race.

        Raises:
            ValueError: there is no such button.
        """
        if action not in ACTIONS:
            raise ValueError(f"there is no action {action!r}; wanted one of {', '.join(ACTIONS)}")
        with self._lock:
            if action in ("start", "pause"):
                self.playing = action == "start"
                if self.playing and self.race.step >= self.end:
                    self.end += self.steps
            elif action == "reset":
                self.playing = False
                self._renew(self.race.rules)
            elif (action == "sparse") != self.sparse:
                self.playing = False
                self._other, rules = self.race.rules, self._other
                self._renew(rules)
        self._push()

    def run(self, steps: int) -> Standing:
        """Train all lanes for some steps, here and now, and show the result."""
        with self._lock:
            standing = self.race.advance(steps)
            self.end = max(self.end, self.race.step)
        self._push()
        return standing

    def _renew(self, rules: Rules) -> None:
        self.race, self.end = Race(**vars(rules)), self.steps
        self.build += 1

    # -- what the browser shows ----------------------------------------------------------------------------------------

    def _train(self) -> None:
        self.race.advance(min(EVERY, self.end - self.race.step))
        if self.race.step >= self.end or all(lane.trouble for lane in self.race.lanes.values()):
            self.playing = False

    def picture(self, question: dict[str, Any]) -> dict[str, Any]:
        """All that the browser shows, with the standings that it does not have yet."""
        race, rules = self.race, self.race.rules
        known = question.get("have") if question.get("build") == self.build else 0
        known = min(known, len(race.standings)) if isinstance(known, int) and known > 0 else 0
        lanes = [
            {"name": name, "label": LABELS[name], "colour": COLOURS[name], "trained": count, "back": race.came_back[name]}
            for name, count in race.trained.items()
        ]
        rows = [[s.step, *s.accuracy.values(), *s.came_back.values(), *s.silenced.values()] for s in race.standings[known:]]
        return {
            "kind": "picture",
            "client": question.get("client"),
            "number": question.get("number"),
            "build": self.build,
            "from": known,
            "rows": rows,
            "lanes": lanes,
            "playing": self.playing,
            "end": self.end,
            "every": EVERY,
            "values": {name: getattr(rules, name) for name in ("hidden", "p", "sparsity", "seed")},
            "methods": [[name, LABELS[name], COLOURS[name], name in rules.methods] for name in LABELS],
            "lr": LEARNING_RATES | dict(rules.lr),
            "sparse": self.sparse,
            "words": race.words(),
            "message": self._message or race.trouble,
        }

    def figure(self) -> Picture:
        """The curves so far, and the number of trained parameters beside them."""
        return self.race.figure()
