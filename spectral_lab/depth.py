r"""Depth selection as a trial: of several hidden layers, which survive, how wide, and when is any of them recruited?

SPARCS' second experiment (Section 5, Figs 9 and 10, Table 4).  A network with more hidden layers than it needs learns
:func:`~spectral_lab.tasks.rotated_relu`, which one hidden layer solves.  λ_1 is held at 0, and the eigenvalues of the hidden
layers are regularised.

>>> from spectral_lab.sweeps import sweep
>>> search = DepthSearch(dim=3, hidden=(6, 6), epochs=2, n=400, n_validation=100)
>>> table = sweep({"rho": [1e-4, 1e-2], "seed": range(2)}, search)
>>> table["norms"].dims, table["norms"].shape
(('rho', 'seed', 'norms_0'), (2, 2, 2))

A penalty with a corner at λ = 0 can keep the network in its perceptron start; :func:`onset` measures from which ρ on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from spectral_lab.curves import PruningCurve, pruning_curve
from spectral_lab.ensembles import EnsembleTraining, train_ensemble
from spectral_lab.networks import SpectralNet
from spectral_lab.stability import linear_residual
from spectral_lab.sweeps import Point
from spectral_lab.tasks import Data, rotated_relu
from spectral_lab.topology import structure

OFF = 0.05  # a layer whose ‖λ‖ is below this share of the largest one is off


@dataclass(frozen=True)
class DepthSearch:
    """The second experiment of SPARCS with its Table 4; each option can be a parameter of a grid.

    Networks that differ in ρ and the seed only are trained at once.
    """

    rho: float = 3e-3
    seed: int = 0  # of the network and of the order of the batches
    hidden: tuple[int, ...] = (200, 200)
    bias: bool = False  # as in the notebook that the authors published; Table 4 does not say
    epochs: int = 180
    lr: float = 1e-3
    batch_size: int = 1024
    n: int = 100_000  # points to train on
    n_validation: int = 10_000
    dim: int = 20
    layers: int = 1  # relus of the task, one after the other: hidden layers that it asks for
    task_seed: int = 42  # of the rotations and the points
    penalty: str = "l2_norm"  # what the authors' code does under the name L2
    tolerance: float = 0.05  # by which share the validation loss may grow when nodes are removed
    fall: float = 0.01  # or by how much R² may fall
    device: str = "cpu"
    chunk: int = 4

    def __call__(self, points: Sequence[Point]) -> list[dict[str, Any]]:
        """What came of each point; see :meth:`measure`.

        Raises:
            ValueError: a point with a parameter that is no option.
        """
        return [outcome for _, outcome in self.trained(points)]

    def trained(self, points: Sequence[Point]) -> Iterator[tuple[SpectralNet, dict[str, Any]]]:
        """The trained network of each point, and what came of it."""
        known = [field.name for field in fields(self)]
        for point in points:
            unknown = [name for name in point if name not in known]
            if unknown:
                raise ValueError(f"a depth search has no option {unknown[0]!r}; wanted some of {', '.join(known)}")
        searches = [replace(self, **point) for point in points]  # type: ignore[arg-type]
        for _, group in groupby(searches, key=lambda search: replace(search, rho=0.0, seed=0)):
            yield from _train(list(group))

    def data(self) -> Data:
        """The points to train on."""
        return self._points(self.n, self.task_seed)

    def validation(self) -> Data:
        """Other points of the same task."""
        return self._points(self.n_validation, self.task_seed + 1)

    def _points(self, n: int, data_seed: int) -> Data:
        x, y = rotated_relu(n, dim=self.dim, layers=self.layers, seed=self.task_seed, data_seed=data_seed)
        return Data(x.to(self.device), y.to(self.device))

    def network(self) -> SpectralNet:
        """The network as it starts: a perceptron."""
        generator = torch.Generator().manual_seed(self.seed)
        sizes = [self.dim, *self.hidden, self.dim]
        return SpectralNet(
            sizes, bias=self.bias, train_input_eigenvalues=False, generator=generator, device=torch.device(self.device)
        )

    @torch.no_grad()
    def measure(self, network: SpectralNet) -> dict[str, Any]:
        """What a network has become, on validation data; vectors have one entry for each hidden layer.

        - ``R2``, 1 - (sum of squared errors) / (sum of squared deviations from the mean);
        - ``norms`` ‖λ_i‖ and ``largest`` max |λ_i|;
        - ``on``, whether a layer's ‖λ_i‖ is above ``OFF`` of the largest one, in a network that has a live neuron;
        - ``live``, neurons by path strength: those of a layer that is off may live on what an earlier layer sends them;
        - ``depth``, links on the longest path through live neurons, 1 for a perceptron;
        - ``width``, nodes that are left by the paper's rule, and ``loose_width``, if R² may fall: see :meth:`width`.
        """
        x, y = self.validation()
        variance = float((y - y.mean(0)).square().mean())
        lam, shape, curve = network.hidden_eigenvalues(), structure(network), self.curve(network)
        norms = torch.stack([value.norm() for value in lam])
        return {
            "R2": 1 - float((network(x) - y).square().mean()) / variance,
            "norms": norms.tolist(),
            "largest": [float(value.abs().max()) for value in lam],
            "on": ((norms > OFF * norms.max()) & any(shape.live)).tolist(),
            "live": list(shape.live),
            "depth": shape.depth,
            "width": self.width(curve),
            "loose_width": self.width(curve, self.fall * variance),
        }

    def curve(self, network: SpectralNet) -> PruningCurve:
        """The validation loss against the hidden nodes that are kept, those of the largest |λ| (Fig. 10)."""
        return pruning_curve(network, "eigenvalue", *self.validation())

    @torch.no_grad()
    def zeroed(self, network: SpectralNet, kept: Sequence[int]) -> list[float]:
        """The validation loss when so many of the largest hidden |λ| stay and the others are set to 0, the paper's own rule.

        It is not what :meth:`curve` does.  The weights to the output hold the last hidden layer's λ too, so that a node takes
        its part of the linear path with it; and where the layer before is on, a node without an eigenvalue lives on what it
        hears from there.

        Args:
            network: read, never changed.
            kept: numbers of eigenvalues that stay, all hidden layers together.
        """
        x, y = self.validation()
        cut = deepcopy(network)
        sizes = torch.cat(network.hidden_eigenvalues()).abs()
        rank = sizes.argsort(descending=True).argsort().split(self.hidden)  # 0 is the largest
        losses = []
        for n in kept:
            for lam, whole, place in zip(cut.hidden_eigenvalues(), network.hidden_eigenvalues(), rank, strict=True):
                lam.copy_(torch.where(place < n, whole, 0))
            losses.append(float((cut(x) - y).square().mean()))
        return losses

    def width(self, curve: PruningCurve, increase: float | None = None) -> list[int]:
        """The fewest nodes with which the loss is at most so much above that of the whole network, by layer.

        The paper's rule, which is the default, allows the share ``tolerance`` of that loss: next to nothing for a good fit.
        """
        kept = curve.fewest(self.tolerance * float(curve.loss[-1]) if increase is None else increase)
        layers = [layer for layer, _ in curve.order[:kept]]
        return [layers.count(layer) for layer in range(len(self.hidden))]


def training(searches: Sequence[DepthSearch]) -> EnsembleTraining:
    """The training of a network for each search, from the perceptron on; they agree in all but what may differ."""
    first = searches[0]
    x, y = (part.expand(len(searches), *part.shape) for part in first.data())
    return train_ensemble(
        [search.network() for search in searches],
        x,
        y,
        epochs=first.epochs,
        lr=first.lr,
        batch_size=first.batch_size,
        rho=[search.rho for search in searches],
        penalty=first.penalty,
        seeds=[search.seed for search in searches],
    )


def _train(searches: Sequence[DepthSearch]) -> Iterator[tuple[SpectralNet, dict[str, Any]]]:
    run = training(searches)
    for _ in run:
        pass
    for k, search in enumerate(searches):
        network = run.ensemble.network(k)
        assert isinstance(network, SpectralNet)
        yield network, search.measure(network)


# -- the threshold -----------------------------------------------------------------------------------------------------


def linear_R2(x: Tensor, y: Tensor) -> float:
    """R² of the best linear model with a constant: what a perceptron with a bias node reaches at most.

    Args:
        x: inputs (batch, n_in).
        y: targets (batch, n_out).
    """
    left = linear_residual(torch.cat([x, torch.ones_like(x[:, :1])], 1), y).square().sum()
    return 1 - float(left / (y - y.mean(0)).square().sum())


@torch.no_grad()
def onset(network: SpectralNet, x: Tensor, y: Tensor) -> Tensor:
    r"""How steeply the mean squared error falls when a node of the last hidden layer leaves λ = 0: (N_B,), at least 0.

    At the perceptron start with the best linear map, and relu, a node with a small λ_n adds

    .. math:: C_{:n}\,\mathrm{relu}(-\lambda_n v_n) = \tfrac12 C_{:n}\,(|\lambda_n v_n| - \lambda_n v_n)

    to the output, with :math:`v = \varphi_{B-1}\cdots\varphi_1 x` and C, its weights to the output.  The linear part gains
    nothing, the other one the slope :math:`\sum_o \langle r_o |v_n|\rangle\, C_{on} / n_{\rm out}` in |λ_n|, with the residual
    r, the same in both directions.  A penalty ρΩ with a corner at 0 holds the layer there unless the slopes s beat it: for
    ``l2_norm`` below ρ = ‖s‖, for ``l1`` below max s, the dual norms; ``l2_squared`` has no corner, and holds nothing.

    It is a statement about the start: while φ is trained, slopes change.

    >>> search = DepthSearch(dim=6, hidden=(30, 30), n=2000)
    >>> slopes = onset(search.network(), *search.data())
    >>> bool(0 < slopes.max() < slopes.norm())
    True

    Args:
        network: in its perceptron start, its activation relu; read, never changed.
        x: inputs (batch, n_in).
        y: targets (batch, n_out).

    Raises:
        ValueError: no hidden layer, one whose eigenvalues are not 0, or another activation.
    """
    hidden = network.hidden_eigenvalues()
    if not hidden or network.activation is not torch.relu or any(bool(lam.any()) for lam in network.lam[:-1]):
        raise ValueError(
            f"wanted a network with hidden layers and relu in its perceptron start, all λ but the last 0; found {network}; "
            "SpectralNet.reset_parameters leads back there"
        )
    v = inputs = network.with_bias(x)
    for phi in network.phi[:-1]:
        v = v @ phi.mT
    C = network.weight(len(network.nodes) - 1, len(network.nodes) - 2)  # (n_out, N_B)
    slopes = (linear_residual(inputs, y).mT @ v.abs() * C).sum(0) / y.numel()
    return slopes.clamp(min=0)
