"""The filter bench as a widget: a slider switches the least relevant filters off, a click any one of them.

The accuracy for every number of filters goes to the browser once, so that it follows the slider without a word to the kernel;
only for a choice by hand the kernel is asked.  The bench itself is in :mod:`spectral_lab.live.cnnbench`, the browser's half in
``filterbench.js``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import nn

from spectral_lab import plotting
from spectral_lab.live.assets import script, styles
from spectral_lab.live.benchview import colours
from spectral_lab.live.cnnbench import LABELS, CnnBench, Filter
from spectral_lab.live.mistakes import encoded
from spectral_lab.live.picture import Picture
from spectral_lab.live.pulled import Pulled, check_moves
from spectral_lab.pruning import Pruned

SETTINGS = ("rho", "seed")  # a move of one trains another CNN
MOVES = ("kept", "ranking", "off", *SETTINGS)
ACTIONS = ("real", "all")


class FilterBench(Pulled):
    """The live bench of filters: switch them off by relevance or one by one, and take them out.

    >>> from spectral_lab.live import FilterBench
    >>> bench = FilterBench(channels=(4, 6), epochs=5)
    >>> bench.kept = 7  # what the slider does
    >>> len(bench.off), bench.accuracy == bench.bench.curve["eigenvalue"][7]
    (3, True)
    >>> bench.switch([(0, 1)])  # what a click does: this filter off if it is on, and on if it is off

    As the last expression of a notebook cell it shows itself.

    Args:
        model, data, rules: as in :class:`~spectral_lab.live.cnnbench.CnnBench`: nothing for a CNN that learns the digits, or a
            trained one of one's own with its data.
        kept: how many filters are on, to begin with; None is all.
        ranking: to begin with; None is the first.

    Attributes:
        bench: the CNN and its curves.
        off: the filters that are switched off, as pairs (layer, filter).
    """

    _esm = script("canvas", "rankings", "clock", "panel", "filterbench")
    _css = styles("playground", "filterbench")

    def __init__(
        self,
        model: nn.Module | None = None,
        data: Any = None,
        *,
        kept: int | None = None,
        ranking: str | None = None,
        **rules: Any,
    ) -> None:
        self.build, self._data = 0, data
        bench = CnnBench(model, data, **rules)
        self._ranking = next(iter(bench.order)) if ranking is None else bench.check_ranking(ranking)
        self._show_bench(bench, bench.off(len(bench.filters) if kept is None else kept, self._ranking))
        super().__init__()

    def __repr__(self) -> str:
        widths = "-".join(map(str, self.bench.widths))
        return f"FilterBench({self.bench.data.name!r}, filters={widths}, kept={self.kept}, ranking={self.ranking!r})"

    def _show_bench(self, bench: CnnBench, off: frozenset[Filter]) -> None:
        self.bench, self._pictures = bench, bench.pictures()
        self.build += 1
        self._switch(off)

    def _switch(self, off: frozenset[Filter]) -> None:
        self.off, self._pruned, self._shown = off, cast("Pruned | None", None), False
        kept = self.kept
        self.accuracy = self.bench.curve[self.ranking][kept] if self.ranked else self.bench.accuracy(off)

    # -- what a hand or a script does --------------------------------------------------------------------------------

    @property
    def kept(self) -> int:
        """How many filters are on."""
        return len(self.bench.filters) - len(self.off)

    @kept.setter
    def kept(self, value: int) -> None:
        self.move(kept=value)

    @property
    def ranking(self) -> str:
        """By what the filters are ranked."""
        return self._ranking

    @ranking.setter
    def ranking(self, value: str) -> None:
        self.move(ranking=value)

    @property
    def ranked(self) -> bool:
        """Whether those that are on are the first of the ranking, and not chosen by hand."""
        return self.off == self.bench.off(self.kept, self.ranking)

    def switch(self, filters: Iterable[Filter]) -> None:
        """Switch filters off that are on, and on that are off.

        Raises:
            ValueError: there is no such filter.
        """
        self.move(off=self.off ^ self.bench.check_filters(filters))

    def move(self, **moved: Any) -> None:
        """Keep another number of filters, choose another ranking or which filters are off; or another ``rho`` or ``seed``.

        The last two train another CNN.  Several at once are done in this order: ranking, kept, off; ``off=None`` is no choice.

        Raises:
            ValueError: a value outside its range, or no such setting; nothing has changed then.
        """
        check_moves(moved, MOVES)
        with self._lock:
            rules = {name: moved[name] for name in SETTINGS if name in moved}
            bench = self._renewed(rules) if rules else self.bench
            ranking = bench.check_ranking(moved.get("ranking", self.ranking))
            ordered = bench is not self.bench or "kept" in moved or "ranking" in moved
            off = bench.off(moved.get("kept", self.kept), ranking) if ordered else self.off
            off = bench.check_filters(moved["off"]) if moved.get("off") is not None else off
            changed = (off, ranking) != (self.off, self.ranking)
            self._ranking = ranking
            if bench is not self.bench:
                self._show_bench(bench, off)
            elif changed:
                self._switch(off)
        self._push()

    def _renewed(self, rules: dict[str, Any]) -> CnnBench:
        if self.bench.own:
            raise ValueError("the model is your own; make another bench for another one: FilterBench(model, data)")
        return CnnBench(data=self._data, watch=self._alive, **vars(replace(self.bench.rules, **rules)))

    def act(self, action: str) -> None:
        """Press a button: "real" takes out of a copy what is off, "all" switches everything on.

        Raises:
            ValueError: there is no such button, or a layer would be left without filters.
        """
        if action not in ACTIONS:
            raise ValueError(f"there is no action {action!r}; wanted one of {', '.join(ACTIONS)}")
        with self._lock:
            if action == "all":
                self._switch(frozenset())
            else:
                self.removed()
                self._shown = True
        self._push()

    def removed(self) -> Pruned:
        """A CNN of its own without the filters that are off, and the certificate.

        Raises:
            ValueError: a layer would be left without filters.
        """
        with self._lock:
            if self._pruned is None:
                self._pruned = self.bench.remove(self.off)
            return self._pruned

    # -- what the browser shows ----------------------------------------------------------------------------------------

    def picture(self, question: dict[str, Any]) -> dict[str, Any]:
        """What is on, and how well it reads; with the filters and curves, if the browser does not have them yet."""
        bench = self.bench
        told: dict[str, Any] = {
            "kind": "picture",
            "client": question.get("client"),
            "number": question.get("number"),
            "build": self.build,
            "from": 0,
            "rows": [],
            "playing": False,
            "off": sorted(self.off),
            "values": {"kept": self.kept, "ranking": self.ranking} | {name: getattr(bench.rules, name) for name in SETTINGS},
            "accuracy": self.accuracy,
            "real": self._report() if self._shown else None,
            "own": bench.own,
            "message": self._message,
        }
        if question.get("shown") != self.build:
            told["scene"] = self._scene()
        return told

    def _scene(self) -> dict[str, Any]:
        bench, tints = self.bench, colours(list(self.bench.order))
        return {
            "layers": [
                {"shape": [*images.shape[1:], 1], "signed": not k, "images": [encoded(i) for i in _drawn(images, signed=not k)]}
                for k, images in enumerate(self._pictures)
            ],
            "rankings": [
                {
                    "name": name,
                    "label": LABELS[name],
                    "colour": tints[name],
                    "order": order,
                    "score": [float(f"{bench.score[name][f]:.4g}") for f in bench.filters],
                    "accuracy": bench.curve[name],
                }
                for name, order in bench.order.items()
            ],
            "unseen": len(bench.x),
            "colours": {"positive": plotting.POSITIVE, "negative": plotting.NEGATIVE},
        }

    def _report(self) -> dict[str, Any]:
        """The table of the removal, and whether it makes a difference to switching off."""
        pruned, bench = self.removed(), self.bench
        with torch.no_grad():
            output = pruned.network.eval()(bench.x)
        accuracy = float((output.argmax(-1) == bench.y).float().mean())
        change = float((output - bench.outputs(self.off)).abs().max())
        rows = [*pruned.certificate.rows, ("accuracy", f"{bench.accuracy():.3f}", f"{accuracy:.3f}")]
        same = abs(accuracy - self.accuracy) < 0.5 / len(bench.x)
        return {"rows": rows, "same": same, "accuracy": f"{accuracy:.3f}", "change": f"{change:.1g}"}

    # -- where there is no browser -------------------------------------------------------------------------------------

    def figure(self) -> Picture:
        """Filters of the first convolution and the curves, as they are now."""
        bench, tints = self.bench, colours(list(self.bench.order))
        figure = Picture(figsize=(11, 3.8), layout="constrained")
        left, right = cast(Any, figure.subfigures(1, 2, width_ratios=(1, 1.1)))
        first = [f for f in bench.order[self.ranking] if f[0] == 0]
        columns = min(8, len(first))
        axes = left.subplots(-(-len(first) // columns), columns, squeeze=False).flat
        for place, ax in enumerate(axes):
            shown = first[place] if place < len(first) else None
            if shown is not None:
                title = "off" if shown in self.off else f"{bench.score[self.ranking][shown]:.2f}"
                plotting.plot_square(self._pictures[0][shown[1]].numpy(), ax, limit=1, title=title)
            ax.set_axis_off()
        left.suptitle("filters of the first convolution", fontsize="medium")
        ax, pool = right.subplots(), len(bench.filters)
        shares = [1 - n / pool for n in range(pool + 1)]
        lines = {LABELS[name]: (shares, curve, tints[name]) for name, curve in bench.curve.items()}
        plotting.plot_removal(lines, ax, chosen=LABELS[self.ranking], share=1 - self.kept / pool)
        ax.set(title=f"{self.kept} of {pool} filters on: accuracy {self.accuracy:.3f}", xlabel="share of filters that are off")
        ax.legend(frameon=False, fontsize="small", loc="lower left")
        return figure


def _drawn(images: torch.Tensor, *, signed: bool) -> torch.Tensor:
    """Pictures (filters, h, w) as bytes; with a sign, 128 is zero."""
    scaled = 128 + 127 * images if signed else 255 * images
    return scaled.round().clamp(0, 255).to(torch.uint8)
