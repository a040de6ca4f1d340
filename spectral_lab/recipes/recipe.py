"""What a recipe is: a figure or table of a paper as a list of trials that can be run one by one, and a picture of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCALES = ("smoke", "class", "paper")

Trial = dict[str, Any]  # everything that one run depends on, as JSON; with the same trial comes the same outcome
Outcome = dict[str, Any]  # the numbers that it gave, as JSON
Setting = Mapping[str, Any]


class Done(NamedTuple):
    """A trial and what came of it."""

    trial: Trial
    outcome: Outcome


class Finding(NamedTuple):
    """Something that the paper says, and what came out here."""

    what: str
    paper: str
    ours: str
    agrees: bool


@dataclass(frozen=True)
class Recipe:
    """A figure or table of a paper.

    Args:
        name: for the command line and for files.
        source: paper and figure.
        title: what it shows.
        settings: for each scale what is varied and how long; "smoke" only shows that the recipe runs.
        trials: all runs of a setting.
        run: one run on a device ("cpu" or "cuda"); the same trial gives the same outcome there.
        together: many runs at once, with the outcomes that ``run`` would have; None is one after the other.
        chunk: how many trials ``together`` gets at a time.
        draw: all outcomes on a figure.
        findings: what the paper says against what came out.
        size: of the picture in inches.
    """

    name: str
    source: str
    title: str
    settings: Mapping[str, Setting]
    trials: Callable[[Setting], list[Trial]]
    run: Callable[[Trial, str], Outcome]
    draw: Callable[[Sequence[Done], Figure], None]
    findings: Callable[[Sequence[Done]], list[Finding]]
    size: tuple[float, float] = (6.4, 4.2)
    together: Callable[[Sequence[Trial], str], list[Outcome]] | None = None
    chunk: int = 1

    def setting(self, scale: str) -> Setting:
        """The setting of a scale.

        Raises:
            ValueError: the recipe has no such scale.
        """
        if scale not in self.settings:
            raise ValueError(f"{self.name} has no scale {scale!r}; it has {', '.join(self.settings)}")
        return self.settings[scale]
