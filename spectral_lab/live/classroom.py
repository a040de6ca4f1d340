"""A lesson as a widget: both students' nodes sort themselves while the kernel trains, and a slider prunes them.

The browser is the clock (:mod:`spectral_lab.live.pulled`).  Each picture carries all that dragging the slider needs, so that
graph and error follow the hand without a word to the kernel.  The browser's half is ``classroom.js``; what is trained, and
how, is in :mod:`spectral_lab.live.lesson`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor, nn

from spectral_lab import plotting
from spectral_lab.live.assets import script, styles
from spectral_lab.live.lesson import COLOURS, EVERY, KINDS, Lesson, Mark, Report, histogram, shares_of
from spectral_lab.live.lessonplan import PLANS, Rules
from spectral_lab.live.picture import Picture
from spectral_lab.live.pulled import Pulled, check_moves
from spectral_lab.stacks import read_stack
from spectral_lab.teachers import relevance

MOVES = ("teacher", "h", "alpha", "alpha_direct", "seed", "kept")
ACTIONS = ("start", "pause", "reset", "grow", "teacher", "core", "all")


class Run(NamedTuple):
    """A former lesson, as it is remembered."""

    step: int
    finished: bool
    marks: dict[str, Mark]


class Classroom(Pulled):
    """The live lesson: let two students learn, grow them, and prune them to the teacher's size.

    >>> from spectral_lab.live import Classroom
    >>> room = Classroom(h=20)
    >>> room.run(100).step  # trains here and now, without a browser
    100
    >>> room.kept = 8  # what the slider does
    >>> room.move(h=40)  # a new lesson from the same seed; the former one is remembered
    >>> [(h, seed) for h, seed in room.memory]
    [(20, 0)]

    As the last expression of a notebook cell it shows itself.

    Args:
        steps: length of a lesson; it pauses there, and "start" goes on for as many.  None is what suits the teacher.
        rules: of :class:`~spectral_lab.live.lessonplan.Rules`, e.g. ``teacher=COMMITTEE``, ``h=60``, ``alpha=1e-3``.

    Attributes:
        lesson: what is learnt now, with ``core``, ``mse()``, ``transition()`` and ``pruned()``.
    """

    _esm = script("canvas", "clock", "panel", "students", "classroom")
    _css = styles("playground", "classroom")

    def __init__(self, *, steps: int | None = None, **rules: Any) -> None:
        if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or steps < EVERY):
            raise ValueError(f"steps = {steps!r}; wanted a whole number of at least {EVERY}")
        self._steps, self.build = steps, 0
        self._runs: dict[Rules, Run] = {}
        self._to_come: list[int] = []  # widths of the lessons that follow by themselves
        self._kept, self.end = 0, 0
        self._begin(Lesson(**rules))
        super().__init__()

    def __repr__(self) -> str:
        rules = self.lesson.rules
        return f"Classroom(teacher={rules.teacher}, h={rules.h}, alpha={rules.alpha:g}, seed={rules.seed})"

    @property
    def steps(self) -> int:
        """Length of a lesson."""
        return self._steps or self.lesson.rules.plan.steps

    @property
    def kept(self) -> int:
        """How many nodes of each student stay, n_λ: the most relevant ones."""
        return self._kept

    @kept.setter
    def kept(self, value: int) -> None:
        self.move(kept=value)

    @property
    def memory(self) -> dict[tuple[int, int], Run]:
        """Former lessons of this teacher and these strengths α, by (h, seed)."""
        now = replace(self.lesson.rules, h=1, seed=0)
        return {(r.h or 0, r.seed): run for r, run in self._runs.items() if replace(r, h=1, seed=0) == now}

    # -- what a hand or a script does --------------------------------------------------------------------------------

    def move(self, **moved: Any) -> None:
        """Keep another number of nodes, or change rules and start anew; nothing changes if one is out of its range.

        Raises:
            ValueError: a value outside its range, or no such setting.
        """
        check_moves(moved, MOVES)
        with self._lock:
            kept = moved.pop("kept", None)
            former = self.lesson.rules
            if "teacher" in moved:  # with what suits it
                former = Rules(
                    **{name: getattr(former, name) for name in ("alpha", "alpha_direct", "seed", "teacher_seed")}
                    | {"teacher": moved.pop("teacher"), "h": moved.pop("h", None)}
                )
            rules = replace(former, **moved)
            h = rules.h or 0
            if kept is not None and (isinstance(kept, bool) or not isinstance(kept, int) or not 0 <= kept <= h):
                raise ValueError(f"kept = {kept!r}; wanted a whole number of nodes from 0 to {h}")
            if rules != self.lesson.rules:
                self._next(rules)
            self._kept = self._kept if kept is None else kept
        self._push()

    def act(self, action: str) -> None:
        """Press a button.

        "start", "pause", "reset"; "grow": one lesson after the other with more and more nodes; and what stays: as many nodes
        as the "teacher" has, the spectral student's "core", or "all".

        Raises:
            ValueError: there is no such button.
        """
        if action not in ACTIONS:
            raise ValueError(f"there is no action {action!r}; wanted one of {', '.join(ACTIONS)}")
        with self._lock:
            lesson = self.lesson
            if action in ("start", "pause"):
                self.playing = action == "start"
                if self.playing and lesson.step >= self.end:
                    self.end += self.steps
            elif action == "reset":
                self.playing = False
                self._next(lesson.rules)
            elif action == "grow":
                first, *others = lesson.rules.plan.widths
                self._next(replace(lesson.rules, h=first), others)
                self.playing = True
            else:
                wanted = {"teacher": lesson.n_teacher, "core": lesson.core.size, "all": lesson.h}[action]
                self._kept = min(wanted, lesson.h)
        self._push()

    def run(self, steps: int) -> Report:
        """Train both students for some steps, here and now, and show the result."""
        with self._lock:
            report = self.lesson.advance(steps)
            self.end = max(self.end, report.step)
        self._push()
        return report

    def _begin(self, lesson: Lesson) -> None:
        self.lesson, self._kept = lesson, lesson.h
        self.end = self.steps
        self.build += 1

    def _next(self, rules: Rules, to_come: Sequence[int] = ()) -> None:
        """Remember what was learnt, and begin anew."""
        new, last = Lesson(**vars(rules)), self.lesson.reports[-1]
        if last.step:
            self._runs[self.lesson.rules] = Run(last.step, last.step >= self.steps, last.marks)
        self._to_come = list(to_come)
        self._begin(new)

    def _train(self) -> None:
        lesson = self.lesson
        lesson.advance(min(EVERY, self.end - lesson.step))
        stuck = all(student.trouble for student in lesson.students.values())
        if lesson.step < self.end and not stuck:
            return
        if self._to_come:
            h, *others = self._to_come
            self._next(replace(lesson.rules, h=h), others)
        else:
            self.playing = False

    # -- what the browser shows ----------------------------------------------------------------------------------------

    def picture(self, question: dict[str, Any]) -> dict[str, Any]:
        """All that the browser shows, with the reports that it does not have yet."""
        lesson, rules = self.lesson, self.lesson.rules
        same = question.get("build") == self.build
        known = question.get("have") if same else 0
        known = min(known, len(lesson.reports)) if isinstance(known, int) and known > 0 else 0
        loudness = shares_of(relevance(lesson.teacher.network))
        return {
            "kind": "picture",
            "client": question.get("client"),
            "number": question.get("number"),
            "build": self.build,
            "from": known,
            "rows": [[r.step, *(r.marks[kind].mse for kind in KINDS)] for r in lesson.reports[known:]],
            "students": [self._student(kind) for kind in KINDS],
            "teacher": {
                "sizes": rules.teacher,
                "links": _links(lesson.teacher.network),
                "shares": _rounded(loudness),
            },
            "guess": float(lesson.teacher.data.y_test.var(correction=0)),
            "memory": [[h, run.finished, *(run.marks[kind].core for kind in KINDS)] for (h, _), run in self.memory.items()],
            "playing": self.playing,
            "growing": self._to_come,
            "end": self.end,
            "kept": self._kept,
            "values": {"teacher": rules.teacher, "h": lesson.h, "alpha": rules.alpha, "seed": rules.seed},
            "teachers": list(dict.fromkeys([*PLANS, rules.teacher])),
            "widest": max(rules.plan.widths[-1], lesson.h),
            "words": lesson.words(),
            "message": self._message or lesson.trouble,
        }

    def _student(self, kind: str) -> dict[str, Any]:
        """One student's nodes, its links, and what pruning to each size would cost."""
        lesson, student = self.lesson, self.lesson.students[kind]
        R = student.relevance
        mark, found, curve = lesson.reports[-1].marks[kind], lesson.core_of(kind), lesson.transition(kind)
        cosine, node = lesson.resemblance(kind).max(1)
        return {
            "kind": kind,
            "colour": COLOURS[kind],
            "shares": _rounded(shares_of(R)),
            "counts": histogram(R),
            "threshold": round(found.threshold / max(float(R.max()), 1e-30), 4),
            "core": mark.core,
            "clear": mark.clear,
            "order": [n for _, n in curve.order],
            "curve": [float(f"{value:.4g}") for value in curve.loss.tolist()],
            "like": node.tolist(),  # the teacher's node that looks most nearly the same way
            "cosine": _rounded(cosine, 3),
            "links": _links(student.network),
            "trouble": bool(student.trouble),
        }

    # -- where there is no browser -------------------------------------------------------------------------------------

    def figure(self) -> Picture:
        """Both histograms, what pruning costs, and the cores of all lessons so far."""
        figure = Picture(figsize=(11, 3.4), layout="constrained")
        nodes, cut, cores = figure.subplots(1, 3, width_ratios=(1.2, 1.2, 1))
        self.lesson.draw_nodes(nodes)
        self.lesson.draw_transition(cut)
        runs = [*((h, run.marks) for (h, _), run in self.memory.items()), (self.lesson.h, self.lesson.reports[-1].marks)]
        sizes = {kind: [(h, marks[kind].core) for h, marks in runs] for kind in KINDS}
        plotting.plot_cores(sizes, cores, colours=COLOURS, size=self.lesson.n_teacher)
        return figure


def _rounded(values: Tensor, digits: int = 4) -> list[float]:
    return [round(value, digits) for value in values.tolist()]


def _links(network: nn.Sequential) -> list[list[list[int]]]:
    """Weights into the first and the second hidden layer, each as hundredths of the largest one of its layer."""
    first, second, _ = read_stack(network).layers
    return [_hundredths(layer.weight.detach()) for layer in (first, second)]


def _hundredths(weights: Tensor) -> list[list[int]]:
    return (100 * weights / weights.abs().max().clamp_min(1e-30)).round().int().tolist()
