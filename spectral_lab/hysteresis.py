r"""Hysteresis: α or ρ goes up and down again, and the network is carried on.  Does it come back on the same curve?

What it remembers sits in the eigenvectors, on which there is no price: :func:`~spectral_lab.stability.critical_rho` of the
network as it stands says at which ρ a layer that has died would wake up again.

A search (:mod:`spectral_lab.search`) starts each network anew, as a perceptron.  Here one network meets all values in turn,
for some steps each, and keeps its numbers and Adam's moments.  If it stays behind only because it is given too little time,
the way up and the way down come together the longer it stays; if they do not, it remembers.

>>> from spectral_lab.search import Search
>>> loop = Hysteresis(values=(0.0, 0.5, 1.0), steps=20, settle=20, search=Search(hidden=8, n=200))
>>> outcome, = loop([{"seed": 3}])
>>> outcome["up"].shape, outcome["down"].shape
((3,), (3,))
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from spectral_lab.ensembles import EnsembleTraining
from spectral_lab.networks import SpectralNet
from spectral_lab.search import Search, alike, data, training
from spectral_lab.stability import critical_rho, drive
from spectral_lab.sweeps import Point


def small_search() -> Search:
    """3-30-1 with λ_1 frozen at 0, where an eigenvalue 0 is silence: the network of the playground."""
    return Search(hidden=(30,), n=2000, lr=5e-3, train_input_eigenvalues=False)


@dataclass(frozen=True)
class Hysteresis:
    """Networks that are carried through values of α or ρ and back; ``steps`` and each option of the search can be a parameter
    of a grid.

    Raises:
        ValueError: fewer than two values, or values that do not rise; steps that are no whole number of at least 1.
    """

    over: Literal["alpha", "rho"] = "alpha"  # what goes up and down
    values: tuple[float, ...] = tuple(k / 10 for k in range(11))
    steps: int = 1000  # at each value
    settle: int = 2000  # more of them at the first value
    search: Search = field(default_factory=small_search)  # all else; its epochs do not matter
    chunk: int = 16

    def __post_init__(self) -> None:
        if self.over not in ("alpha", "rho"):
            raise ValueError(f"over = {self.over!r}; wanted 'alpha' or 'rho'")
        if len(self.values) < 2 or any(b <= a for a, b in pairwise(self.values)):
            raise ValueError(f"values = {self.values}; wanted two or more that rise, for they are gone through up and down")
        if self.over == "rho" and self.values[0] <= 0:
            raise ValueError(f"values = {self.values}; wanted strengths above 0, for the area is taken over log10 of ρ")
        for name, value, least in (("steps", self.steps, 1), ("settle", self.settle, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} = {value!r}; wanted a whole number of at least {least}")

    def __call__(self, points: Sequence[Point]) -> list[dict[str, Any]]:
        """What came of each point, all in the order of the values.

        ``up`` and ``down`` are ‖Γ‖ on both ways, ``live_up`` and ``live_down`` the live neurons, ``critical_up`` and
        ``critical_down`` the critical ρ of the eigenvectors (NaN with more than one hidden layer), ``area`` is :func:`area`.

        Raises:
            ValueError: a point with a parameter that is no option, or with the one that goes up and down.
        """
        found: dict[int, dict[str, Any]] = {}
        for steps in dict.fromkeys(point.get("steps", self.steps) for point in points):
            places = [k for k, point in enumerate(points) if point.get("steps", self.steps) == steps]
            loop = replace(self, steps=steps)  # type: ignore[arg-type]  # checked there
            searches = self.search.at([{name: v for name, v in points[k].items() if name != "steps"} for k in places])
            if any(self.over in points[k] for k in places):
                raise ValueError(f"the points give {self.over}, which goes up and down here; set its values instead")
            for group in alike(searches):
                outcomes = loop._carry([searches[k] for k in group])
                found |= {places[k]: outcome for k, outcome in zip(group, outcomes, strict=True)}
        return [found[k] for k in range(len(points))]

    def _carry(self, searches: Sequence[Search]) -> list[dict[str, Any]]:
        """Up and down with a network for each search, all at once."""
        run = training([self._at(search, self.values[0]) for search in searches])
        run.advance(self.settle)
        rising = [self._measure(run, searches, value) for value in self.values]
        falling = [self._measure(run, searches, value) for value in self.values[-2::-1]]
        up, down = np.stack(rising, -1), np.stack([*falling[::-1], rising[-1]], -1)  # (3, E, values)
        ways = {"up": up, "down": down}
        return [
            {f"{name}{way}": found[i, k] for i, name in enumerate(("", "live_", "critical_")) for way, found in ways.items()}
            | {"area": area(self.over, self.values, up[0, k], down[0, k])}
            for k in range(len(searches))
        ]

    def _at(self, search: Search, value: float) -> Search:
        return replace(search, rho=value) if self.over == "rho" else replace(search, alpha=value)

    def _measure(self, run: EnsembleTraining, searches: Sequence[Search], value: float) -> np.ndarray:
        """‖Γ‖, live neurons and critical ρ (3, E) after some steps at a value."""
        now = [self._at(search, value) for search in searches]
        if self.over == "rho":
            run.rho = value
        else:
            run.set_data(*data(now))
        run.advance(self.steps)
        record = run.record()
        assert record.path_norm is not None
        assert record.live is not None
        x, y = data(now)
        networks = [run.ensemble.network(k) for k in range(len(now))]
        critical = [
            critical_rho(drive(network, x[k], y[k]), now[k].penalty) if len(now[k].sizes) == 3 else math.nan
            for k, network in enumerate(networks)
            if isinstance(network, SpectralNet)
        ]
        return np.stack([record.path_norm.cpu().numpy(), record.live.cpu().numpy(), critical])


def area(over: str, values: Sequence[float], up: Sequence[float], down: Sequence[float]) -> float:
    r"""What a network that has grown passes on beyond one that has not, at the same values: the area between the ways.

    .. math:: \int (\|\Gamma\|_{\rm grown} - \|\Gamma\|_{\rm not}) \, d\alpha \quad\text{or}\quad d\log_{10}\rho

    It has grown on the way down of α, but on the way up of ρ.  Trapezoids; 0 without memory, negative where it grows back to
    more than it was.
    """
    places = [math.log10(value) for value in values] if over == "rho" else list(values)
    more = (np.asarray(down) - np.asarray(up)) * (-1 if over == "rho" else 1)
    return float(np.trapezoid(more, places))
