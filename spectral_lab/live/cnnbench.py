r"""A bench for filters: a trained CNN, and how well it still reads images with some of its filters switched off.

The network is small: two convolutions of one eigenvalue a filter, :class:`~spectral_lab.convolutions.SpectralConv2d`, each
with ReLU and pooling behind it, and a linear layer.  The penalty ρ Σ|λ| while it is trained makes the filters unequal: that is
network slimming, seen as a spectral regulariser (Student, Suppl. B.2).  A filter that is off delivers 0 to what comes next.

>>> bench = CnnBench(channels=(4, 6), epochs=5)
>>> len(bench.order["eigenvalue"]), len(bench.curve["eigenvalue"])  # 10 filters; accuracy with none, one, …, all of them
(10, 11)
>>> bench.accuracy(bench.off(10, "eigenvalue")) == bench.curve["eigenvalue"][10]
True

No widget in here; next, read :mod:`spectral_lab.live.filterbench`, which shows the bench.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spectral_lab.curves import pruning_curve
from spectral_lab.datasets import Dataset
from spectral_lab.filters import Filters, has_filters, is_conv
from spectral_lab.filters.channels import Group
from spectral_lab.layers import SpectralConv2d, Start
from spectral_lab.live.benchrules import is_number
from spectral_lab.live.headrun import DIGIT, dataset, measured, tasks
from spectral_lab.pruning import Pruned, prune
from spectral_lab.training import train

Filter = tuple[int, int]  # (layer of filters, filter), both counted from 0
MOST = 256  # filters that can be seen, and evaluated one by one
LABELS = {  # the first that a CNN allows is the one to begin with; behind a batch norm the size of λ says nothing
    "batch_norm": "batch norm's |γ|",
    "eigenvalue": "eigenvalue |λ|",
    "eigenvalue_norm": "|λ| · ‖φ‖",
    "connectivity": "weights Σ|w|",
    "random": "random",
}


@dataclass(frozen=True)
class Rules:
    """Which CNN is trained, and how.

    Raises:
        ValueError: a value outside its range, named.
    """

    channels: tuple[int, ...] = (8, 16)  # filters of each convolution
    rho: float = 0.05  # ρ Σ|λ|; without it |λ| says little, see the notebook
    epochs: int = 40
    seed: int = 0

    def __post_init__(self) -> None:
        wide = self.channels
        whole = isinstance(wide, tuple) and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in wide)
        if not whole or not 1 <= len(wide) <= 3 or sum(wide) > MOST:
            raise ValueError(f"channels = {wide!r}; wanted the filters of one to three convolutions, at most {MOST} in all")
        if not is_number(self.rho, 0, 10):
            raise ValueError(f"rho = {self.rho!r}; wanted a strength of the penalty from 0 to 10, e.g. 0.05")
        for name, low, high in (("epochs", 1, 300), ("seed", 0, 2**31)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} = {value!r}; wanted a whole number from {low} to {high:,}")


class CnnBench:
    """A trained CNN, the order of its filters by several rankings, and the accuracy for every number of them.

    Args:
        model: a trained CNN of one's own, any that :class:`~spectral_lab.filters.Filters` takes; None trains one by the
            ``rules``.
        data: its images, as in :class:`~spectral_lab.live.headrun.HeadRun`; the validation part is what is read.
        watch: called with what is being done, in words, now and then while a CNN is trained.
        rules: of :class:`Rules`; with an own model only ``seed``, of the ranking "random".

    Attributes:
        model: the CNN, in evaluation mode; never changed.
        x, y: images that were not trained on.
        widths: filters of each layer that has any to choose from.
        filters: all of them, as pairs (layer, filter).
        score: for each ranking the score of each filter, as {filter: score}.
        order: for each ranking the filters, the most relevant first.
        curve: for each ranking the accuracy with none, one, … and all of its filters.

    Raises:
        TypeError: the model is none that can be followed, or has no convolutions.
        ValueError: data or rules that do not fit, with what is wanted.
    """

    def __init__(
        self, model: nn.Module | None = None, data: Any = None, *, watch: Callable[[str], None] | None = None, **rules: Any
    ) -> None:
        self.own = model is not None
        unused = sorted(set(rules) - {"seed"}) if self.own else []
        if unused:
            raise ValueError(f"{unused[0]} says how to train a CNN, but the model is trained already; leave it out")
        self.rules = Rules(**rules)
        self.data: Dataset = dataset(tasks(data)[DIGIT] if data is None else data)
        self.x, self.y = measured(self.data)
        self.model = _checked(model, self.x, self.data.n_out) if model is not None else _trained(self.data, self.rules, watch)
        self._units = Filters(self.model)
        self._groups = [k for k, group in enumerate(self._units.groups) if group.refusal is None and self._makes_maps(k)]
        if not self._groups:
            raise ValueError("no filter of the model could be removed; see spectral_lab.filters for what can be followed")
        self.widths = tuple(self._units.hidden[k] for k in self._groups)
        self.filters = [(k, n) for k, width in enumerate(self.widths) for n in range(width)]
        if len(self.filters) > MOST:
            raise ValueError(f"the model has {len(self.filters)} filters; wanted at most {MOST}, to be seen one by one")
        self.score: dict[str, dict[Filter, float]] = {}
        self.order: dict[str, list[Filter]] = {}
        self.curve: dict[str, list[float]] = {}
        for ranking in LABELS:
            self._rank(ranking)

    def _makes_maps(self, k: int) -> bool:
        return all(is_conv(self._units.wired.module(name)) for name in self._units.groups[k].producers)

    def _rank(self, ranking: str) -> None:
        try:
            values = self._units.scores(ranking, self._groups, seed=self.rules.seed)
        except ValueError:  # no eigenvalues, or no batch norms
            return
        self.score[ranking] = dict(zip(self.filters, torch.cat(values).tolist(), strict=True))
        options: dict[str, Any] = {"layers": self._groups, "seed": self.rules.seed}
        curve = pruning_curve(self.model, ranking, self.x, self.y, **options)
        assert curve.accuracy is not None  # y holds classes
        self.order[ranking] = [(self._groups.index(k), n) for k, n in curve.order]
        self.curve[ranking] = curve.accuracy.tolist()

    # -- filters on and off --------------------------------------------------------------------------------------------

    def off(self, kept: int, ranking: str) -> frozenset[Filter]:
        """The filters that are off when so many of them stay, the most relevant ones.

        Raises:
            ValueError: there is no such ranking, or not that many filters.
        """
        if isinstance(kept, bool) or not isinstance(kept, int) or not 0 <= kept <= len(self.filters):
            raise ValueError(f"kept = {kept!r}; wanted a whole number of filters from 0 to {len(self.filters)}")
        return frozenset(self.order[self.check_ranking(ranking)][kept:])

    def check_ranking(self, ranking: Any) -> str:
        """The name, if there is such a ranking."""
        if ranking not in self.order:
            raise ValueError(f"ranking = {ranking!r}; this bench has {', '.join(self.order)}")
        return ranking

    def check_filters(self, filters: Any) -> frozenset[Filter]:
        """Filters as pairs (layer, filter)."""
        try:
            found = frozenset((k, n) for k, n in filters)
        except (TypeError, ValueError):
            found = frozenset({("?", "?")})
        if not found <= set(self.filters):
            raise ValueError(f"filters = {filters!r}; wanted pairs (layer, filter) that there are, e.g. [(0, 3)]")
        return found

    def _keep(self, off: Collection[Filter]) -> list[Tensor]:
        keep = self._units.all()
        for k, n in off:
            keep[self._groups[k]][n] = False
        return keep

    def outputs(self, off: Collection[Filter] = ()) -> Tensor:
        """What the CNN answers to the images (batch, classes), with some filters off."""
        return self._units.output(self.x, self._keep(off))

    def accuracy(self, off: Collection[Filter] = ()) -> float:
        """Share of the images that are read rightly, with some filters off."""
        return float((self.outputs(off).argmax(-1) == self.y).float().mean())

    def remove(self, off: Collection[Filter]) -> Pruned:
        """A CNN of its own from which some filters are physically gone, and the certificate.

        Raises:
            ValueError: a layer would be left without filters.
        """

        def kept(model: nn.Module) -> list[Tensor]:
            return [mask.double() for mask in self._keep(off)]

        keep = len(self.filters) - len(off)
        return prune(self.model, kept, keep=keep, layers=self._groups, x=self.x, y=self.y)

    # -- what filters look like ----------------------------------------------------------------------------------------

    @torch.no_grad()
    def pictures(self) -> list[Tensor]:
        """For each layer of filters a picture of each (filters, h, w).

        Of the first one the weights, of the others what they find in the images on the average, each with one scale: the
        weights from -1 to 1, the rest from 0 to 1.
        """
        groups, handles = [self._units.groups[k] for k in self._groups], []
        found: dict[str, Tensor] = {}

        def watch(group: Group) -> None:
            def add(module: nn.Module, inputs: Any, maps: Tensor) -> None:
                found[group.name] = maps.clamp_min(0).sum(0) / len(self.x) + found.get(group.name, 0)

            module = self._units.wired.module((*group.producers, *group.norms)[-1])
            handles.append(module.register_forward_hook(add))

        for group in groups[1:]:
            watch(group)
        self._units.output(self.x)
        for handle in handles:
            handle.remove()
        first = self._units.wired.module(groups[0].producers[0]).weight.mean(1)
        images = [first, *(found[group.name] for group in groups[1:])]
        return [image / image.abs().amax().clamp_min(1e-12) for image in images]


def _trained(data: Dataset, rules: Rules, watch: Callable[[str], None] | None) -> nn.Sequential:
    """A CNN that has learned the data; PyTorch's own random numbers are left as they were."""
    generator, start = torch.Generator().manual_seed(rules.seed), Start(eigenvalues_in=0.0, eigenvalues_out=1.0)
    layers: list[nn.Module] = []
    n_in, *size = data.x_train.shape[1:]
    # without biases a filter of eigenvalue 0 says nothing at all
    options: dict[str, Any] = {"padding": "same", "bias": False, "train_eigenvalues_in": False, "start": start}
    options["generator"] = generator
    for n_out in rules.channels:
        layers += [SpectralConv2d(n_in, n_out, 3, **options), nn.ReLU(), nn.MaxPool2d(2)]
        n_in, size = n_out, [n // 2 for n in size]
    if min(size) < 1:
        found = tuple(data.x_train.shape[2:])
        raise ValueError(f"images of {found} are too small for {len(rules.channels)} times pooling; take fewer channels")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rules.seed)
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(n_in * size[0] * size[1], data.n_out))
    penalised = [name for name, _ in model.named_parameters() if name.endswith("eigenvalues_out")]
    settings: dict[str, Any] = {"rho": rules.rho, "penalty": "l1", "penalised": penalised, "seed": rules.seed}
    settings |= {"lr": 5e-3, "batch_size": 100, "epochs": rules.epochs, "loss": nn.functional.cross_entropy}
    for record in train(model, data.x_train, data.y_train, **settings):
        if watch is not None:
            watch(f"training another CNN: epoch {record.epoch:.0f} of {rules.epochs}")
    return model.eval()


def _checked(model: nn.Module, x: Tensor, n_out: int) -> nn.Module:
    """A copy of a user's own CNN; nothing that does not fit the data gets further than here."""
    if not isinstance(model, nn.Module) or not has_filters(model):
        raise TypeError(
            f"the model is a {type(model).__name__} without convolutions; wanted some of nn.Conv2d or SpectralConv2d"
        )
    model = deepcopy(model).eval()
    try:
        with torch.no_grad():
            output = model(x[:2])
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"the model does not take images {tuple(x.shape[1:])}: {error}") from error
    if output.shape != (2, n_out):
        wanted = f"(n, {n_out}), one number for each class"
        raise ValueError(f"the model's outputs have shape {tuple(output.shape)}; wanted {wanted}")
    return model
