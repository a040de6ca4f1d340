r"""Architecture search as a trial: a network learns the α–β family, and we ask how much of its hidden layers it uses.

SPARCS Section 5, for many networks at once:

>>> from spectral_lab.sweeps import sweep
>>> search = Search(hidden=(30,), epochs=5, n=500)
>>> table = sweep({"beta": [5, 1000], "alpha": [0.0, 0.5, 1.0], "seed": range(2)}, search)
>>> table["path_norm"].mean("seed").sel(beta=5).shape
(3,)

Below this module lie :mod:`spectral_lab.ensembles`, which trains, and :mod:`spectral_lab.sweeps`, which makes tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import groupby
from typing import Any

import torch

from spectral_lab.ensembles import train_ensemble
from spectral_lab.networks import SpectralNet
from spectral_lab.sweeps import Point
from spectral_lab.tasks import alpha_beta

TOGETHER = ("alpha", "beta", "rho", "seed")  # what may differ between networks that are trained at once


@dataclass(frozen=True)
class Search:
    """The first experiment of SPARCS with its Table 3; each option can be a parameter of a grid.

    Networks that differ in α, β, ρ and the seed only are trained at once.
    """

    alpha: float = 1.0
    beta: float = 5.0
    rho: float = 1e-4
    seed: int = 0  # of the network and of the order of the batches
    hidden: tuple[int, ...] = (300,)
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

    def trained(self, points: Sequence[Point]) -> Iterator[tuple[SpectralNet, dict[str, float]]]:
        """The trained network of each point, and what came of it."""
        known = [field.name for field in fields(self)]
        for point in points:
            unknown = [name for name in point if name not in known]
            if unknown:
                raise ValueError(f"a search has no option {unknown[0]!r}; wanted some of {', '.join(known)}")
        searches = [replace(self, **point) for point in points]  # type: ignore[arg-type]
        for _, group in groupby(searches, key=Search._shared):
            yield from _train(list(group))

    def _shared(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name not in TOGETHER}


def _train(searches: Sequence[Search]) -> Iterator[tuple[SpectralNet, dict[str, float]]]:
    """Train one network for each search; they agree in all but what may differ."""
    first = searches[0]
    tasks = [alpha_beta(s.alpha, s.beta, s.n, seed=s.data_seed) for s in searches]
    x, y = (torch.stack(parts).to(first.device) for parts in zip(*tasks, strict=True))
    networks = [
        SpectralNet(
            [2, *s.hidden, 1],
            train_input_eigenvalues=s.train_input_eigenvalues,
            generator=torch.Generator().manual_seed(s.seed),
            device=s.device,
        )
        for s in searches
    ]
    training = train_ensemble(
        networks,
        x,
        y,
        epochs=first.epochs,
        lr=first.lr,
        batch_size=first.batch_size,
        rho=[s.rho for s in searches],
        penalty=first.penalty,
        seeds=[s.seed for s in searches],
    )
    (record,) = training
    assert record.path_norm is not None
    assert record.live is not None
    for k in range(len(searches)):
        network = training.ensemble.network(k)
        assert isinstance(network, SpectralNet)
        yield (
            network,
            {
                "path_norm": float(record.path_norm[k]),
                "eigenvalue_norm": float(torch.cat(network.lam[:-1]).detach().norm()),
                "live": int(record.live[k]),
                "data_loss": float(record.data_loss[k]),
            },
        )
