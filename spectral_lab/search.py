r"""Architecture search as a trial: a network learns the α–β family, and we ask how much of its hidden layers it uses.

SPARCS Section 5, for many networks at once:

>>> from spectral_lab.sweeps import sweep
>>> search = Search(hidden=(30,), epochs=5, n=500)
>>> table = sweep({"beta": [5, 1000], "alpha": [0.0, 0.5, 1.0], "seed": range(2)}, search)
>>> table["path_norm"].mean("seed").sel(beta=5).shape
(3,)

Below this module lie :mod:`spectral_lab.ensembles`, which trains, and :mod:`spectral_lab.sweeps`, which makes tables; next,
read :mod:`spectral_lab.hysteresis`, where α or ρ goes up and down without a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from spectral_lab.ensembles import EnsembleTraining, train_ensemble
from spectral_lab.networks import SpectralNet
from spectral_lab.sweeps import Point
from spectral_lab.tasks import alpha_beta

TOGETHER = ("alpha", "beta", "rho", "seed")  # what may differ between networks that are trained at once


@dataclass(frozen=True)
class Search:
    """The first experiment of SPARCS with its Table 3; each option can be a parameter of a grid.

    Of the points of a chunk, networks that differ in α, β, ρ and the seed only are trained at once.
    """

    alpha: float = 1.0
    beta: float = 5.0
    rho: float = 1e-4
    seed: int = 0  # of the network and of the order of the batches
    hidden: int | Sequence[int] = (300,)  # a number is the width of one layer, so that a grid can have it
    epochs: int = 300
    lr: float = 1e-3
    batch_size: int = 100
    n: int = 10_000  # points
    data_seed: int = 42  # of the points: the same for all networks, as in the paper
    penalty: str = "l2_norm"  # what the authors' code does under the name L2
    train_input_eigenvalues: bool = True  # as in App. E; the main text says that λ_1 stays 0
    device: str = "cpu"
    chunk: int = 16  # more leave the cache of a processor, fewer keep it waiting (measured with benchmarks/ensembles.py)

    def __call__(self, points: Sequence[Point]) -> list[dict[str, float]]:
        """What came of each point: ``path_norm`` ‖Γ‖, ``eigenvalue_norm``, ``live`` and ``data_loss``.

        ``eigenvalue_norm`` is the norm of the eigenvalues of all layers but the last, taken together (SPARCS Fig. 13).

        Raises:
            ValueError: a point with a parameter that is no option.
        """
        return [outcome for _, outcome in self.trained(points)]

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", (self.hidden,) if isinstance(self.hidden, int) else tuple(self.hidden))

    @property
    def sizes(self) -> list[int]:
        """Nodes of each layer, without the bias node."""
        assert not isinstance(self.hidden, int)
        return [2, *self.hidden, 1]

    def at(self, points: Sequence[Point]) -> list[Search]:
        """A search with the options of each point.

        Raises:
            ValueError: a point with a parameter that is no option.
        """
        known = [field.name for field in fields(self)]
        for point in points:
            unknown = [name for name in point if name not in known]
            if unknown:
                raise ValueError(f"a search has no option {unknown[0]!r}; wanted some of {', '.join(known)}")
        return [replace(self, **point) for point in points]  # type: ignore[arg-type]

    def trained(self, points: Sequence[Point]) -> list[tuple[SpectralNet, dict[str, float]]]:
        """The trained network of each point, and what came of it."""
        searches = self.at(points)
        found: dict[int, tuple[SpectralNet, dict[str, float]]] = {}
        for places in alike(searches):
            found |= zip(places, _train([searches[k] for k in places]), strict=True)
        return [found[k] for k in range(len(searches))]


def alike(searches: Sequence[Search]) -> list[list[int]]:
    """Which of the searches can be trained at once: their places, wherever they stand."""
    groups: dict[Search, list[int]] = {}
    for k, search in enumerate(searches):
        groups.setdefault(replace(search, **dict.fromkeys(TOGETHER, 0)), []).append(k)  # type: ignore[arg-type]
    return list(groups.values())


def data(searches: Sequence[Search]) -> tuple[Tensor, Tensor]:
    """What each of them learns: inputs (E, n, 2) and targets (E, n, 1)."""
    tasks = [alpha_beta(s.alpha, s.beta, s.n, seed=s.data_seed) for s in searches]
    x, y = (torch.stack(parts).to(searches[0].device) for parts in zip(*tasks, strict=True))
    return x, y


def training(searches: Sequence[Search]) -> EnsembleTraining:
    """The training of a network for each search, from the perceptron on; they agree in all but what may differ."""
    first = searches[0]
    networks = [
        SpectralNet(
            s.sizes,
            train_input_eigenvalues=s.train_input_eigenvalues,
            generator=torch.Generator().manual_seed(s.seed),
            device=s.device,
        )
        for s in searches
    ]
    return train_ensemble(
        networks,
        *data(searches),
        epochs=first.epochs,
        lr=first.lr,
        batch_size=first.batch_size,
        rho=[s.rho for s in searches],
        penalty=first.penalty,
        seeds=[s.seed for s in searches],
    )


def _train(searches: Sequence[Search]) -> list[tuple[SpectralNet, dict[str, float]]]:
    run = training(searches)
    (record,) = run
    assert record.path_norm is not None
    assert record.live is not None
    found = []
    for k in range(len(searches)):
        network = run.ensemble.network(k)
        assert isinstance(network, SpectralNet)
        outcome = {
            "path_norm": float(record.path_norm[k]),
            "eigenvalue_norm": float(torch.cat(network.lam[:-1]).detach().norm()),
            "live": int(record.live[k]),
            "data_loss": float(record.data_loss[k]),
        }
        found.append((network, outcome))
    return found
