r"""A SPARCS head that grows on images: how many of its hidden neurons live, and whether they are needed.

The head is a :class:`~spectral_lab.networks.SpectralNet` with one hidden layer and :math:`\lambda_1 = 0`, on the pixels or on
what a small CNN makes of them (SPARCS App. F).  It starts as a linear classifier and may grow; next to its accuracy stands that
of the same head *without* its hidden layer, the red curve of SPARCS Fig. 16, so that growing and being needed are told apart.

>>> run = HeadRun(hidden=20)
>>> run.standings[0].live, run.standings[0].accuracy == run.standings[0].without  # a linear classifier
(0, True)
>>> run.advance(100).step
100

No widget in here; next, read :mod:`spectral_lab.live.imagehead`, which shows such a run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from spectral_lab.datasets import Dataset, load
from spectral_lab.heads import minimal_cnn, with_head
from spectral_lab.live.benchrules import is_number
from spectral_lab.networks import SpectralNet
from spectral_lab.topology import LIVE, structure
from spectral_lab.training import TrainingDiverged, train

EVERY = 10  # steps between two measurements
MEASURED = 600  # validation images that are looked at each time; more would take longer than the training between
ROWS = 4000  # training images of a data set by name: some epochs in a minute
MOST = 600  # hidden neurons; the paper has 526
FEATURES = {"pixels": "the pixels", "cnn": "a small CNN"}  # what the head looks at
PARITY, DIGIT = "even or odd?", "which digit?"


@dataclass(frozen=True)
class Rules:
    """What is learned, and how.

    Raises:
        ValueError: a value outside its range, named.
    """

    task: str = ""  # one of the data's; "" is the first
    features: str = "pixels"
    hidden: int = 60  # neurons of the hidden layer, all silent at the start
    rho: float = 1e-4  # ρ Σ|λ|, SPARCS App. F.1
    seed: int = 0  # of the start and of the order of the images
    lr: float = 5e-3  # of Adam; five times the paper's, to be watched
    batch_size: int = 100

    def __post_init__(self) -> None:
        if self.features not in FEATURES:
            raise ValueError(f"features = {self.features!r}; wanted one of {', '.join(FEATURES)}")
        for name, low, high in (("hidden", 1, MOST), ("seed", 0, 2**31), ("batch_size", 2, 10_000)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} = {value!r}; wanted a whole number from {low} to {high:,}")
        if not is_number(self.rho, 0, 100):
            raise ValueError(f"rho = {self.rho!r}; wanted a strength of the penalty from 0 to 100, e.g. 1e-4")
        if not is_number(self.lr, 0, 1) or self.lr == 0:
            raise ValueError(f"lr = {self.lr!r}; wanted a positive learning rate of at most 1, e.g. 5e-3")


@dataclass(frozen=True)
class Standing:
    """Where the head stands after some steps."""

    step: int
    accuracy: float  # share of the validation images that are read rightly
    without: float  # the same, with all links into the hidden layer cut
    live: int  # hidden neurons that something passes through
    loss: float  # data loss of the steps since the standing before
    rho: float  # of the next steps


class HeadRun:
    """A head on images, step by step.

    Args:
        data: a data set's name (:func:`~spectral_lab.datasets.load`), a :class:`~spectral_lab.datasets.Dataset` of images with
            a validation part, or ``{task: either of the two}``; None is the handwritten digits with two questions.
        rules: of :class:`Rules`, e.g. ``features="cnn"``, ``hidden=30``, ``rho=1e-3``.

    Attributes:
        model: the layers up to the head, and the head; the last module is the SpectralNet.
        standings: one every ten steps, the start first.
        said: the class that each of the measured validation images (``x``, ``y``) is taken for, at the last standing.
        eigenvalues, strengths: λ and path strength of each hidden neuron (N,), at the last standing.
        trouble: why the training stopped, in words; empty while it goes on.

    Raises:
        ValueError: data or rules that do not fit, with what is wanted.
    """

    def __init__(self, data: Any = None, **rules: Any) -> None:
        self.tasks = tasks(data)
        rules["task"] = rules.get("task") or next(iter(self.tasks))
        self.rules = Rules(**rules)
        if self.rules.task not in self.tasks:
            raise ValueError(f"task = {self.rules.task!r}; wanted one of {', '.join(map(repr, self.tasks))}")
        self.data = self.tasks[self.rules.task] = dataset(self.tasks[self.rules.task])
        self.x, self.y = measured(self.data)
        self.model = _model(self.data, self.rules)
        self._training = self._train()
        self.trouble = ""
        self.standings: list[Standing] = []
        self._measure()

    def _train(self) -> Any:
        data, rules = self.data, self.rules
        options: dict[str, Any] = {"rho": rules.rho, "penalty": "l1", "seed": rules.seed}
        options |= {"lr": rules.lr, "batch_size": rules.batch_size, "loss": nn.functional.cross_entropy}
        return train(self.model, data.x_train, data.y_train, steps=0, **options)

    # -- training ------------------------------------------------------------------------------------------------------

    @property
    def head(self) -> SpectralNet:
        """The SPARCS head, the last module of the model."""
        head = self.model[-1]
        assert isinstance(head, SpectralNet)
        return head

    @property
    def step(self) -> int:
        """Steps that it has been trained."""
        return self._training.step

    @property
    def rho(self) -> float:
        """Strength ρ of the penalty on the hidden eigenvalues; may be changed at any time."""
        return self.rules.rho

    @rho.setter
    def rho(self, value: float) -> None:
        self.rules = replace(self.rules, rho=value)
        self._training.rho = value

    def advance(self, steps: int = EVERY, seconds: float = float("inf")) -> Standing:
        """Train for some steps, and measure wherever their number is a multiple of ten, and after the last of them.

        Args:
            steps: how many.
            seconds: when to break off before that, without a measurement.
        """
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ValueError(f"steps = {steps!r}; wanted a whole number of at least 1")
        end, late = self.step + steps, time.monotonic() + seconds
        try:
            while self.step < end and not self.trouble and time.monotonic() < late:
                self._training.advance(1)
                if self.step % EVERY == 0 or self.step == end:
                    self._measure()
        except TrainingDiverged as error:
            self.trouble = str(error)
        return self.standings[-1]

    @torch.no_grad()
    def _measure(self) -> None:
        record = self._training.record()
        self.model.eval()
        z = self.model[:-1](self.x)
        self.said = self.head(z).argmax(-1)
        cut = self.head.signals(z, [torch.zeros(self.rules.hidden)])[-1].argmax(-1)
        accuracy, without = (float((said == self.y).float().mean()) for said in (self.said, cut))
        self.eigenvalues = self.head.hidden_eigenvalues()[0].detach().clone()
        self.strengths = structure(self.head).strengths[0]
        live = int(self.live.sum())
        self.standings.append(Standing(self.step, accuracy, without, live, record.data_loss, self.rho))

    # -- what has grown ------------------------------------------------------------------------------------------------

    @property
    def live(self) -> Tensor:
        """Which hidden neurons something passes through (N,), by path strength and not by |λ|."""
        return self.strengths > LIVE

    def words(self) -> str:
        """Where the run stands, in one line."""
        now = self.standings[-1]
        head = f"step {now.step:,}: {now.live} of {self.rules.hidden} hidden neurons live"
        return f"{head}; accuracy {now.accuracy:.3f}, without the hidden layer {now.without:.3f}"


# -- the images --------------------------------------------------------------------------------------------------------


def tasks(data: Any) -> dict[str, Any]:
    """What can be asked about the data, each with its data set or the name of one."""
    if data is None:
        return dict(_digits())
    if isinstance(data, Mapping):
        if not data:
            raise ValueError("data = {}; wanted at least one task, e.g. {'which digit?': 'digits'}")
        return {str(name): one for name, one in data.items()}
    return {"which class?": data}


@lru_cache(maxsize=1)
def _digits() -> Mapping[str, Dataset]:
    """The digits with a linear question and one that is not."""
    digits = load("digits", validation=0.2, seed=0)
    y = {part: getattr(digits, part) % 2 for part in ("y_train", "y_validation", "y_test")}
    return {PARITY: replace(digits, classes=("even", "odd"), **y), DIGIT: digits}


def dataset(data: Any) -> Dataset:
    """A data set of images in classes with a validation part; any other is refused in words."""
    if isinstance(data, str):
        data = load(data, validation=0.2, limit=ROWS, seed=0)
    if not isinstance(data, Dataset):
        raise ValueError(f"data is a {type(data).__name__}; wanted a name, or what spectral_lab.datasets.load returns")
    if data.x_train.dim() != 4 or not data.classes:
        found = f"{tuple(data.x_train.shape)}" + ("" if data.classes else " without classes")
        raise ValueError(f"{data.name!r} has inputs {found}; wanted images (n, channels, height, width) in classes")
    if len(data.x_validation) == 0:
        raise ValueError(f"{data.name!r} has no validation part to measure on; load it with validation=0.2")
    return data


def measured(data: Dataset) -> tuple[Tensor, Tensor]:
    """The validation images and their classes; of very many some, evenly taken."""
    n = len(data.x_validation)
    rows = torch.arange(min(MEASURED, n)) * (n - 1) // max(min(MEASURED, n) - 1, 1)
    return data.x_validation[rows], data.y_validation[rows]


def _model(data: Dataset, rules: Rules) -> nn.Sequential:
    """Features and head, with no random numbers but those of the seed."""
    shape, generator = tuple(data.x_train.shape[1:]), torch.Generator().manual_seed(rules.seed)
    features = minimal_cnn(shape, generator=generator) if rules.features == "cnn" else nn.Flatten()
    return with_head(features, shape, data.n_out, hidden=rules.hidden, generator=generator)
