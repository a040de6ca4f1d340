"""The instrument as a static matplotlib figure: for closed notebooks, scripts and the README."""

from __future__ import annotations

import base64
import io

from matplotlib.figure import Figure

from spectral_lab import plotting
from spectral_lab.live.curves import reference
from spectral_lab.live.instrument import GRID, Instrument
from spectral_lab.topology import LIVE, graph


class Picture(Figure):
    """A figure that shows itself in a notebook; pyplot and its global state are never touched."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=70)
        return buffer.getvalue()


def figure(instrument: Instrument, *, width: float = 12.0, height: float = 6.0) -> Picture:
    """Network, spectrum, fit, losses and ‖Γ‖ against α, as they are now."""
    moment = instrument.moment()
    figure = Picture(figsize=(width, height))
    # a fixed grid: matplotlib's automatic layouts would take longer than all the drawing
    grid = figure.add_gridspec(
        3, 8, left=0.01, right=0.985, bottom=0.09, top=0.93, hspace=0.5, wspace=1.0, height_ratios=[1, 1.1, 1]
    )
    network = plotting.plot_network(graph(instrument.network), figure.add_subplot(grid[:, :4]), threshold=instrument.threshold)
    values = f"α = {instrument.alpha:g}   β = {instrument.beta:g}   ρ = {instrument.rho:g}"
    words = instrument.words(moment).replace("; ", "\n")
    network.text(0.5, 0.0, f"{values}\n{words}", transform=network.transAxes, ha="center", va="top", fontsize="medium")
    eigenvalues = [lam.detach().tolist() for lam in instrument.network.hidden_eigenvalues()]
    strengths = [s.tolist() for s in moment.shape.strengths]
    plotting.plot_spectrum(eigenvalues, strengths, figure.add_subplot(grid[0, 4:]), threshold=instrument.threshold, live=LIVE)
    target = instrument.target_on_square.reshape(GRID, GRID)
    output = moment.output.reshape(GRID, GRID)
    limit = max(float(target.abs().max()), 1e-6)
    squares = grid[1, 4:].subgridspec(1, 3, wspace=0.3)
    for i, (title, square) in enumerate({"target": target, "output": output, "error": output - target}.items()):
        plotting.plot_square(square.numpy(), figure.add_subplot(squares[i]), limit=limit, title=title)
    history = instrument.history
    losses = {"data loss": [r.data_loss for r in history], "ρ Ω(λ)": [r.rho * r.penalty for r in history]}
    plotting.plot_losses([r.step for r in history], losses, figure.add_subplot(grid[2, 4:6]))
    norms = [r.path_norm or 0.0 for r in history]
    plotting.plot_transition([r.alpha for r in history], norms, figure.add_subplot(grid[2, 6:]), reference=reference())
    return figure


def png(instrument: Instrument) -> str:
    """The figure as a PNG in base64, for a notebook's mime bundle."""
    return base64.b64encode(figure(instrument)._repr_png_()).decode()
