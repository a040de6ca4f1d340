"""The instrument as a static matplotlib figure: for closed notebooks, scripts and the README."""

from __future__ import annotations

import base64
import io
import re
from html import escape

from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from spectral_lab import plotting
from spectral_lab.live.curves import reference
from spectral_lab.live.fit import confusion
from spectral_lab.live.instrument import Instrument, Sight
from spectral_lab.live.problem import GRID
from spectral_lab.topology import LIVE, graph


class Picture(Figure):
    """A figure that shows itself in a notebook; pyplot and its global state are never touched."""

    def file(self, kind: str, dpi: int = 70) -> bytes:
        """The picture as the bytes of a file: "png" or "svg"."""
        buffer = io.BytesIO()
        self.savefig(buffer, format=kind, dpi=dpi, metadata={"Date": None} if kind == "svg" else {})
        return buffer.getvalue()

    def _repr_png_(self) -> bytes:
        return self.file("png")

    def inline(self, alt: str) -> str:
        """The picture as SVG for a page: no paper of its own, and ink in the colours of the page's theme.

        Args:
            alt: what the picture shows, for those who cannot see it.
        """
        buffer = io.BytesIO()
        self.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        drawn = buffer.getvalue().decode()
        drawn = drawn[drawn.index("<svg") :].replace(plotting.INK, "currentColor")
        drawn = re.sub(r"<(style|metadata)\b.*?</\1>", "", drawn, flags=re.DOTALL)  # the rule in it is for the whole page
        drawn = drawn.replace(plotting.FAINT, f"var(--jp-border-color1, {plotting.FAINT})")
        drawn = drawn.replace("#ffffff", "var(--jp-layout-color0, #ffffff)")
        label = f'role="img" aria-label="{escape(alt)}" style="max-width: 100%; height: auto; stroke-linejoin: round"'
        return drawn.replace("<svg", f"<svg {label}", 1)


def figure(instrument: Instrument, *, width: float = 12.0, height: float = 6.0) -> Picture:
    """Network, spectrum, fit, losses and ‖Γ‖ against α, as they are now."""
    sight = instrument.sight()
    figure = Picture(figsize=(width, height))
    # a fixed grid: matplotlib's automatic layouts would take longer than all the drawing
    grid = figure.add_gridspec(
        3, 8, left=0.01, right=0.985, bottom=0.09, top=0.93, hspace=0.5, wspace=1.0, height_ratios=[1, 1.1, 1]
    )
    network = plotting.plot_network(graph(instrument.network), figure.add_subplot(grid[:, :4]), threshold=instrument.threshold)
    values = f"α = {instrument.alpha:g}   β = {instrument.beta:g}   ρ = {instrument.rho:g}"
    words = instrument.words(sight).replace("; ", "\n").replace(", data loss", "\ndata loss")
    network.text(0.5, 0.0, f"{values}\n{words}", transform=network.transAxes, ha="center", va="top", fontsize="medium")
    eigenvalues = [lam.detach().tolist() for lam in instrument.network.hidden_eigenvalues()]
    strengths = [s.tolist() for s in sight.shape.strengths]
    plotting.plot_spectrum(eigenvalues, strengths, figure.add_subplot(grid[0, 4:]), threshold=instrument.threshold, live=LIVE)
    _draw_fit(instrument, sight, figure, grid[1, 4:])
    history = instrument.history
    losses = {"data loss": [r.data_loss for r in history], "ρ Ω(λ)": [r.rho * r.penalty for r in history]}
    losses["validation"] = [r.validation_loss or 0.0 for r in history]
    plotting.plot_losses([r.step for r in history], losses, figure.add_subplot(grid[2, 4:6]))
    known = reference() if instrument.task == "bowl" else None
    ax = figure.add_subplot(grid[2, 6:])
    plotting.plot_transition([r.alpha for r in history], [r.path_norm or 0.0 for r in history], ax, reference=known)
    return figure


def _draw_fit(instrument: Instrument, sight: Sight, figure: Figure, place: SubplotSpec) -> None:
    """Target, output and error over the square; or the output with the data; or a table of classes."""
    problem = instrument.problem
    shown = problem.shown(sight.signals[-1])
    if problem.kind == "table":
        counts = confusion(problem.target, shown, len(problem.outputs))
        plotting.plot_table(counts.tolist(), problem.outputs, figure.add_subplot(place))
        return
    dots = problem.dots.tolist() if problem.dots is not None else []
    if problem.kind == "line":
        places = problem.points[:, 0].tolist()
        plotting.plot_line(
            places, shown.tolist(), dots, figure.add_subplot(place), axis=problem.axes[0], ends=problem.ranges[0]
        )
        return
    output = shown.reshape(GRID, GRID)
    if problem.target is None:
        limit = max(1e-6, *(abs(dot[2]) for dot in dots))
        ax = figure.add_subplot(place)
        plotting.plot_section(output.numpy(), dots, ax, limit=limit, axes=problem.axes, ranges=problem.ranges)
        return
    target = problem.target.reshape(GRID, GRID)
    limit = max(float(target.abs().max()), 1e-6)
    squares = place.subgridspec(1, 3, wspace=0.3)
    for i, (title, values) in enumerate({"target": target, "output": output, "error": output - target}.items()):
        plotting.plot_square(values.numpy(), figure.add_subplot(squares[i]), limit=limit, title=title)


def png(instrument: Instrument) -> str:
    """The figure as a PNG in base64, for a notebook's mime bundle."""
    return base64.b64encode(figure(instrument)._repr_png_()).decode()
