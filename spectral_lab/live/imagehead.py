"""A growing head as a widget: its eigenvalues, its live neurons, its accuracy and the images that it misreads.

The browser is the clock (:mod:`spectral_lab.live.pulled`): it asks for a slice of training after each picture.  What is trained
and measured is in :mod:`spectral_lab.live.headrun`, which images are shown in :mod:`spectral_lab.live.mistakes`; the browser's
half is ``imagehead.js``.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, cast

from spectral_lab import plotting
from spectral_lab.live.assets import script, styles
from spectral_lab.live.headrun import EVERY, FEATURES, HeadRun, Standing
from spectral_lab.live.mistakes import Mistakes, encoded, pixels
from spectral_lab.live.picture import Picture
from spectral_lab.live.pulled import Pulled, check_moves

MOVES = ("task", "features", "hidden", "rho", "seed")
ACTIONS = ("start", "pause", "step", "reset")
SLICE = 0.08  # seconds of training for one picture, at most
CALM = 1.5  # seconds between two looks at the misread images, so that they can be looked at
COLOURS = {"with": plotting.NEGATIVE, "without": plotting.POSITIVE}


class ImageHead(Pulled):
    """A SPARCS head that learns images while one watches: drag ρ and see neurons live and die.

    >>> from spectral_lab.live import ImageHead
    >>> view = ImageHead(hidden=20)
    >>> view.run(100).step  # trains here and now, without a browser
    100
    >>> view.rho = 1e-2  # what the slider does
    >>> view.move(features="cnn")  # a new run from the same seed, with a small CNN before the head
    >>> view.head.step, view.head.rules.rho
    (0, 0.01)

    As the last expression of a notebook cell it shows itself.

    Args:
        data: the handwritten digits, if None; or a data set's name, a data set of one's own, or ``{task: either}``, as in
            :class:`~spectral_lab.live.headrun.HeadRun`.
        steps: where it pauses by itself; "start" goes on for as many.
        rules: of :class:`~spectral_lab.live.headrun.Rules`, e.g. ``features="cnn"``, ``hidden=60``, ``rho=1e-4``.

    Attributes:
        head: what is trained, with ``model``, ``standings``, ``eigenvalues`` and ``live``.
    """

    _esm = script("canvas", "clock", "panel", "imagehead")
    _css = styles("playground", "imagehead")

    def __init__(self, data: Any = None, *, steps: int = 1500, **rules: Any) -> None:
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < EVERY:
            raise ValueError(f"steps = {steps!r}; wanted a whole number of at least {EVERY}")
        self.steps, self.build = steps, 0
        self._begin(HeadRun(data, **rules))
        super().__init__()

    def __repr__(self) -> str:
        rules = self.head.rules
        return f"ImageHead({self.head.data.name!r}, features={rules.features!r}, hidden={rules.hidden}, rho={rules.rho:g})"

    def _begin(self, head: HeadRun) -> None:
        self.head, self.end, self.mistakes = head, self.steps, Mistakes()
        self._pixels = pixels(head.x)
        self.build += 1
        self._look()

    def _look(self) -> None:
        self.mistakes.look(self.head.said, self.head.y)
        self._looked, self._looked_at = time.monotonic(), self.head.standings[-1].step

    # -- what a hand or a script does --------------------------------------------------------------------------------

    @property
    def rho(self) -> float:
        """Strength of the penalty ρ Σ|λ|; changes the run that goes on."""
        return self.head.rho

    @rho.setter
    def rho(self, value: float) -> None:
        self.move(rho=value)

    def move(self, **moved: Any) -> None:
        """Change ρ while it trains; or ``task``, ``features``, ``hidden``, ``seed``, and start anew.

        Raises:
            ValueError: a value outside its range, or no such setting; nothing has changed then.
        """
        check_moves(moved, MOVES)
        with self._lock:
            rules = replace(self.head.rules, **moved)
            if replace(rules, rho=self.head.rho) == self.head.rules:
                self.head.rho = rules.rho
            else:
                self._begin(HeadRun(self.head.tasks, **vars(rules)))
        self._push()

    def act(self, action: str) -> None:
        """Press a button: "start", "pause", "step" (train up to the next measurement) or "reset".

        Raises:
            ValueError: there is no such button.
        """
        if action not in ACTIONS:
            raise ValueError(f"there is no action {action!r}; wanted one of {', '.join(ACTIONS)}")
        with self._lock:
            self.playing = action == "start"
            if action == "reset":
                self._begin(HeadRun(self.head.tasks, **vars(self.head.rules)))
            elif action == "step":
                self.head.advance(EVERY - self.head.step % EVERY)
                self.end = max(self.end, self.head.step)
            elif self.head.step >= self.end:
                self.end += self.steps
            if action != "start":
                self._look()
        self._push()

    def run(self, steps: int) -> Standing:
        """Train for some steps, here and now, and show the result."""
        with self._lock:
            standing = self.head.advance(steps)
            self.end = max(self.end, self.head.step)
            self._look()
            self._look()  # nobody has watched: those that are read rightly by now leave their places at once
        self._push()
        return standing

    def _train(self) -> None:
        head = self.head
        head.advance(min(EVERY - head.step % EVERY, self.end - head.step), seconds=SLICE)
        if head.step >= self.end or head.trouble:
            self.playing = False
        if not self.playing or time.monotonic() - self._looked > CALM:
            self._look()

    # -- what the browser shows ----------------------------------------------------------------------------------------

    def picture(self, question: dict[str, Any]) -> dict[str, Any]:
        """All that the browser shows, with the standings and the images that it does not have yet."""
        head, rules, board = self.head, self.head.rules, self.mistakes
        known = question.get("have") if question.get("build") == self.build else 0
        known = min(known, len(head.standings)) if isinstance(known, int) and known > 0 else 0
        version = f"{self.build}.{board.version}"
        told = {
            "kind": "picture",
            "client": question.get("client"),
            "number": question.get("number"),
            "build": self.build,
            "from": known,
            "rows": [[s.step, s.accuracy, s.without, s.live, s.loss, s.rho] for s in head.standings[known:]],
            "eigenvalues": [float(f"{value:.4g}") for value in head.eigenvalues.tolist()],
            "live": head.live.int().tolist(),
            "board": [m and [m.row, m.said, m.true, int(m.right)] for m in board.board],
            "misread": [board.count, len(head.y), self._looked_at],
            "version": version,
            "shape": list(self._pixels.shape[1:]),
            "classes": list(head.data.classes),
            "playing": self.playing,
            "end": self.end,
            "values": {name: getattr(rules, name) for name in MOVES},
            "choices": {"task": [[name, name] for name in head.tasks], "features": list(FEATURES.items())},
            "colours": COLOURS,
            "words": head.words(),
            "message": self._message or head.trouble,
        }
        if question.get("shown") != version:
            told["images"] = {m.row: encoded(self._pixels[m.row]) for m in board.shown}
        return told

    # -- where there is no browser -------------------------------------------------------------------------------------

    def figure(self) -> Picture:
        """Eigenvalues, accuracies and misread images, as they are now."""
        head = self.head
        figure = Picture(figsize=(11, 3.6), layout="constrained")
        left, right = cast(Any, figure.subfigures(1, 2, width_ratios=(1.5, 1)))
        spectrum, curves = left.subplots(1, 2)
        plotting.plot_spectrum([head.eigenvalues.tolist()], [head.strengths.tolist()], spectrum)
        now = head.standings[-1]
        spectrum.set_title(f"{now.live} of {head.rules.hidden} hidden neurons live", fontsize="medium")
        lines = {
            "accuracy": ([s.accuracy for s in head.standings], COLOURS["with"]),
            "without the hidden layer": ([s.without for s in head.standings], COLOURS["without"]),
        }
        plotting.plot_race([s.step for s in head.standings], lines, curves)
        curves.set_title(f"accuracy {now.accuracy:.3f}, without the hidden layer {now.without:.3f}", fontsize="medium")
        shown, names = self.mistakes.shown[:12], head.data.classes
        right.suptitle(f"{self.mistakes.count} of {len(head.y)} images misread", fontsize="medium")
        axes = right.subplots(3, 4, squeeze=False).flat
        for place, ax in enumerate(axes):
            m = shown[place] if place < len(shown) else None
            title = "" if m is None else f"✓ {names[m.true]}" if m.right else f"{names[m.said]}, not {names[m.true]}"
            plotting.plot_image(None if m is None else self._pixels[m.row].numpy(), ax, title=title)
        return figure
