"""Making the pruned network real: the physically smaller network beside the one that it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spectral_lab import plotting
from spectral_lab.direct import DirectNet
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.picture import Picture
from spectral_lab.networks import SpectralNet
from spectral_lab.topology import direct_graph, graph

if TYPE_CHECKING:
    import networkx

SILENT = 1e-12  # a threshold that crosses out only what is switched off
ROUNDING = 1e-5  # differences below this share of the largest output are those of float32


@dataclass(frozen=True)
class Comparison:
    """A network and what is left of it when the neurons that were cut are gone for good.

    The old network is the one that is trained, neurons that are switched off being off.
    """

    old: SpectralNet
    small: DirectNet
    difference: float  # largest change of an output over all data
    largest: float  # output of the old network over all data
    loss_old: float
    loss_small: float
    off: int  # neurons switched off
    without: float  # largest change of an output that switching them off makes
    drawn: networkx.DiGraph  # of the old network
    cut: float  # the threshold of pruning, for the drawing

    @property
    def same(self) -> bool:
        """Whether the two compute the same up to rounding."""
        return self.difference <= ROUNDING * max(1.0, self.largest)

    def rows(self) -> list[tuple[str, str, str]]:
        """(what, before, after)."""
        report = self.small.report
        assert report is not None
        nodes = [" - ".join(map(str, sizes)) for sizes in (report.nodes_before, report.nodes_after)]
        return [
            ("nodes", nodes[0], nodes[1]),
            ("parameters", f"{report.parameters_before:,}", f"{report.parameters_after:,}"),
            ("loss on all data", f"{self.loss_old:.3g}", f"{self.loss_small:.3g}"),
        ]

    def words(self) -> str:
        """What the compaction did to the outputs."""
        if self.same:
            text = f"The same function: the largest change of an output is {self.difference:.1e}, rounding."
        else:
            text = f"Not the same function: outputs change by up to {self.difference:.2g} (they reach {self.largest:.2g}), "
            text += "because neurons were cut that still carried a signal."
        if self.off:
            text += f" What was switched off ({self.off}) stays out; with it, outputs would differ by up to {self.without:.2g}."
        return text

    def figure(self) -> Picture:
        """Both networks, side by side."""
        figure = Picture(figsize=(11, 4.2))
        report = self.small.report
        assert report is not None
        for place, drawn, title, threshold in [
            (121, self.drawn, f"before: {report.parameters_before:,} parameters", self.cut),
            (122, direct_graph(self.small), f"after: {report.parameters_after:,} parameters", 0.0),
        ]:
            ax = plotting.plot_network(drawn, figure.add_subplot(place), threshold=threshold)
            ax.set_title(title)
        figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.92, wspace=0.02)
        return figure


@torch.no_grad()
def compare(instrument: Instrument) -> Comparison:
    """Compact the instrument's network, without the neurons that are switched off or below the threshold."""
    network, problem, sight = instrument.network, instrument.problem, instrument.sight()
    small = network.compact(masks=sight.masks)
    old = SpectralNet.from_config(network.config())
    old.load_state_dict(network.state_dict())
    x = torch.cat([problem.x, problem.x_held]).to(old.lam[0].dtype)
    y = torch.cat([problem.y, problem.y_held])
    y = y.to(x.dtype) if y.is_floating_point() else y
    before, after = instrument.output(x), small(x)
    drawn = graph(old)
    for layer, neuron in instrument.off:
        drawn.nodes[layer + 1, neuron]["relevance"] = 0.0
    return Comparison(
        old,
        small,
        difference=_largest(before - after),
        largest=_largest(before),
        loss_old=float(problem.loss(before, y)),
        loss_small=float(problem.loss(after, y)),
        off=len(instrument.off),
        without=_largest(before - old(x)),
        drawn=drawn,
        cut=instrument.threshold or (SILENT if instrument.off else 0.0),
    )


def _largest(values: Tensor) -> float:
    return float(values.abs().max())
