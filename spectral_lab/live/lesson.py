r"""A lesson: one teacher, and two students that learn from it side by side, one spectral and one direct.

Both students have h nodes in the hidden layer of which the teacher has N_1, start as the same function, hear the same points
in the same order, and are asked to keep their numbers small (Student Eqs. 7, 8).  How many of the h nodes do they use?

>>> lesson = Lesson(h=20)
>>> lesson.advance(100).step
100
>>> lesson.core.keep.shape  # which of the spectral student's nodes lie beyond the gap
torch.Size([20])
>>> whole, all_kept, one_less = lesson.mse("spectral"), lesson.mse("spectral", keep=20), lesson.mse("spectral", keep=19)
>>> abs(all_kept / whole - 1) < 1e-3 < one_less / whole - 1
True

No widget in here; next, read :mod:`spectral_lab.live.classroom`, which shows a lesson while it goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from spectral_lab import plotting
from spectral_lab.curves import PruningCurve, pruning_curve
from spectral_lab.live.lessonplan import Rules, is_whole
from spectral_lab.live.picture import Picture
from spectral_lab.pruning import Pruned, prune
from spectral_lab.stacks import read_stack
from spectral_lab.teachers import Core, core, regulariser, relevance, students, teacher
from spectral_lab.training import TrainingDiverged, train

EVERY = 50  # steps between two measurements
BINS = 20  # of a histogram over [0, 1], as in the authors' code
RANKINGS = {"spectral": "eigenvalue_norm", "direct": "row_norm"}  # Student Eqs. 10 and 9
KINDS = tuple(RANKINGS)
COLOURS = {"spectral": plotting.NEGATIVE, "direct": plotting.POSITIVE}  # blue and orange, as in the paper


class Mark(NamedTuple):
    """How a student does after some steps."""

    mse: float  # on the test points
    core: int
    clear: bool  # whether a gap sets the core apart


@dataclass(frozen=True)
class Report:
    """How both students do after some steps."""

    step: int
    marks: dict[str, Mark]


class Student:
    """One student and its training; one whose training diverges stops and says why in ``trouble``."""

    def __init__(self, kind: str, network: nn.Sequential, rules: Rules, points: tuple[Tensor, Tensor]) -> None:
        self.kind, self.network, self.trouble = kind, network, ""
        alpha, lr = rules.alpha, rules.lr
        if kind == "direct":
            alpha, lr = rules.alpha if rules.alpha_direct is None else rules.alpha_direct, rules.lr_direct
        extra = {"alpha_phi": alpha, "alpha_lambda": alpha} if kind == "spectral" else {}
        omega = regulariser(network, alpha_w=alpha, **extra)
        options: dict[str, Any] = {"lr": lr, "batch_size": rules.batch_size, "seed": rules.seed}
        options |= {"rho": 1.0, "penalty": omega, "penalised": omega.names}
        self._training = train(network, *points, steps=0, **options)

    def advance(self, steps: int) -> None:
        """Take some steps."""
        if self.trouble:
            return
        try:
            self._training.advance(steps)
            self._training.record()
        except TrainingDiverged as error:
            self.trouble = str(error)

    @property
    def relevance(self) -> Tensor:
        """R of each node (h,), Student Eqs. 9 and 10."""
        return relevance(self.network)


class Lesson:
    """Two students of one teacher, step by step.

    Args:
        rules: of :class:`~spectral_lab.live.lessonplan.Rules`, e.g. ``teacher=COMMITTEE``, ``h=60``, ``alpha=1e-3``.

    Attributes:
        teacher: the network that knows, and the points.
        students: by kind, "spectral" and "direct".
        reports: one every fifty steps, the start first.
    """

    def __init__(self, **rules: Any) -> None:
        self.rules = Rules(**rules)
        r = self.rules
        assert r.h is not None
        assert r.points is not None
        self.teacher = teacher(r.teacher, n=r.points, seed=r.teacher_seed)
        data, pair = self.teacher.data, students(r.h, r.teacher, seed=r.seed)
        points = data.x_train, data.y_train
        self.students = {kind: Student(kind, getattr(pair, kind), r, points) for kind in KINDS}
        self.reports: list[Report] = []
        self._measure(0)

    # -- training ------------------------------------------------------------------------------------------------------

    @property
    def step(self) -> int:
        """Steps that both students have taken."""
        return self.reports[-1].step

    @property
    def h(self) -> int:
        """Nodes of the students' first hidden layer."""
        return len(self.students["spectral"].relevance)

    @property
    def n_teacher(self) -> int:
        """Nodes of the teacher's first hidden layer, n_T."""
        return self.rules.teacher[1]

    @property
    def trouble(self) -> str:
        """In words, which students have stopped and why; empty while both learn."""
        return " ".join(f"The {s.kind} student stopped: {s.trouble}" for s in self.students.values() if s.trouble)

    def advance(self, steps: int = EVERY) -> Report:
        """Train both for some steps, and measure wherever their number is a multiple of fifty, and at the end."""
        if not is_whole(steps, 1, 10**9):
            raise ValueError(f"steps = {steps!r}; wanted a whole number of at least 1")
        end = self.step + steps
        while self.step < end:
            some = min(EVERY - self.step % EVERY, end - self.step)
            for student in self.students.values():
                student.advance(some)
            self._measure(self.step + some)
        return self.reports[-1]

    def _measure(self, step: int) -> None:
        marks = {}
        for kind, student in self.students.items():
            found = core(student.relevance)
            marks[kind] = Mark(self.mse(kind), found.size, found.clear)
        self.reports.append(Report(step, marks))

    # -- what the students have learnt ---------------------------------------------------------------------------------

    @property
    def core(self) -> Core:
        """The core of the spectral student (Student Fig. 2)."""
        return self.core_of("spectral")

    def core_of(self, kind: str) -> Core:
        """The core of the "spectral" or the "direct" student.

        Raises:
            ValueError: there is no such student.
        """
        return core(self._student(kind).relevance)

    @torch.no_grad()
    def mse(self, kind: str, keep: int | None = None) -> float:
        """Mean squared error on the test points, with all nodes or with the most relevant ones only.

        Raises:
            ValueError: there is no such student, or it has not so many nodes.
        """
        student, data = self._student(kind), self.teacher.data
        if keep is None:
            return float(nn.functional.mse_loss(student.network(data.x_test), data.y_test))
        if not is_whole(keep, 0, self.h):
            raise ValueError(f"keep = {keep!r}; wanted a whole number of nodes from 0 to {self.h}")
        return float(self.transition(kind).loss[keep])

    def transition(self, kind: str) -> PruningCurve:
        """Test error for every number of kept nodes, the most relevant first; less its last entry it is Δ_MSE."""
        network, data = self._student(kind).network, self.teacher.data
        loss: Callable[..., Tensor] = nn.functional.mse_loss
        return pruning_curve(network, RANKINGS[kind], data.x_test, data.y_test, loss=loss, layers=[0])

    def pruned(self, kind: str, keep: int) -> Pruned:
        """A physically smaller student of the most relevant nodes, with its certificate.

        Raises:
            ValueError: no node would stay, or there are not so many; no such student.
        """
        if not is_whole(keep, 1, self.h):
            raise ValueError(f"keep = {keep!r}; wanted a whole number of nodes from 1 to {self.h}")
        data = self.teacher.data
        return prune(self._student(kind).network, RANKINGS[kind], keep=keep, layers=[0], x=data.x_test, y=data.y_test)

    def resemblance(self, kind: str) -> Tensor:
        """Cosine between what a student's node and a teacher's node listen to: (h, n_T).

        ReLU nodes of different scale compute the same up to a factor; where two of them look in one direction, it is 1.
        """
        first = [read_stack(network).layers[0] for network in (self._student(kind).network, self.teacher.network)]
        mine, theirs = (nn.functional.normalize(layer.weight.detach(), dim=1) for layer in first)
        return mine @ theirs.mT

    def _student(self, kind: str) -> Student:
        if kind not in self.students:
            raise ValueError(f"there is no student {kind!r}; wanted one of {', '.join(self.students)}")
        return self.students[kind]

    # -- in words and as a picture -------------------------------------------------------------------------------------

    def words(self) -> str:
        """Where the lesson stands, in one line."""
        marks = self.reports[-1].marks
        told = "; ".join(f"{kind} core {mark.core} of {self.h}, test MSE {mark.mse:.2g}" for kind, mark in marks.items())
        return f"step {self.step:,}: {told}; the teacher has {self.n_teacher}"

    def figure(self) -> Picture:
        """Histograms, errors and what pruning costs, as they are now."""
        figure = Picture(figsize=(11, 3.4), layout="constrained")
        nodes, errors, cut = figure.subplots(1, 3, width_ratios=(1.2, 1, 1.2))
        self.draw_nodes(nodes)
        steps = [report.step for report in self.reports]
        lines = {kind: [report.marks[kind].mse for report in self.reports] for kind in KINDS}
        plotting.plot_learning(steps, lines, errors, colours=COLOURS)
        self.draw_transition(cut)
        return figure

    def draw_nodes(self, ax: Axes) -> Axes:
        """The histograms of both students."""
        shares = {kind: shares_of(student.relevance).tolist() for kind, student in self.students.items()}
        return plotting.plot_relevance(shares, ax, colours=COLOURS, bins=BINS)

    def draw_transition(self, ax: Axes) -> Axes:
        """Both students' errors against the number of nodes that stay."""
        curves = {kind: self.transition(kind).loss.tolist() for kind in KINDS}
        return plotting.plot_kept(curves, ax, colours=COLOURS, size=self.n_teacher)


def shares_of(relevance: Tensor) -> Tensor:
    """R / max R, in [0, 1]; zeros stay zeros."""
    return relevance / relevance.max().clamp_min(torch.finfo(relevance.dtype).tiny)


def histogram(relevance: Tensor) -> list[int]:
    """How many nodes have R / max R in each of twenty bins from 0 to 1."""
    return torch.histc(shares_of(relevance), bins=BINS, min=0, max=1).int().tolist()
