"""The instrument as a static matplotlib figure: for closed notebooks, scripts and the README."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from spectral_lab import plotting
from spectral_lab.live.curves import reference
from spectral_lab.live.instrument import GRID, Instrument
from spectral_lab.topology import LIVE, graph

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(instrument: Instrument, *, width: float = 12.0, height: float = 6.0) -> Figure:
    """Network, spectrum, fit, losses and ‖Γ‖ against α, as they are now."""
    from matplotlib.figure import Figure  # a Figure of its own: pyplot and its global state are never touched

    moment = instrument.moment()
    figure = Figure(figsize=(width, height), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.15, 1])
    values = f"α = {instrument.alpha:g}   β = {instrument.beta:g}   ρ = {instrument.rho:g}"
    left.suptitle(f"{values}\n{instrument.words(moment)}", fontsize="medium")
    plotting.plot_network(graph(instrument.network), left.subplots(), threshold=instrument.threshold)
    rows = right.subplots(3, 3, gridspec_kw={"height_ratios": [1, 1.15, 1]})
    for row in (0, 2):
        for ax in rows[row]:
            ax.remove()
    grid = rows[0, 0].get_gridspec()
    eigenvalues = [lam.detach().tolist() for lam in instrument.network.hidden_eigenvalues()]
    strengths = [s.tolist() for s in moment.shape.strengths]
    plotting.plot_spectrum(eigenvalues, strengths, right.add_subplot(grid[0, :]), threshold=instrument.threshold, live=LIVE)
    target = instrument.target_on_square.reshape(GRID, GRID)
    output = moment.output.reshape(GRID, GRID)
    limit = max(float(target.abs().max()), 1e-6)
    for ax, (title, values_) in zip(rows[1], {"target": target, "output": output, "error": output - target}.items(), strict=True):
        plotting.plot_square(values_.numpy(), ax, limit=limit, title=title)
    history = instrument.history
    steps = [r.step for r in history]
    losses = {"data loss": [r.data_loss for r in history], "ρ Ω(λ)": [r.rho * r.penalty for r in history]}
    plotting.plot_losses(steps, losses, right.add_subplot(grid[2, :2]))
    alphas, norms = [r.alpha for r in history], [r.path_norm or 0.0 for r in history]
    curves = {name: (a, n) for name, (a, n) in reference().items()}
    plotting.plot_transition(alphas, norms, right.add_subplot(grid[2, 2]), reference=curves)
    return figure


def png(instrument: Instrument, *, dpi: int = 70) -> str:
    """The figure as a PNG in base64, for a notebook's mime bundle."""
    buffer = io.BytesIO()
    figure(instrument).savefig(buffer, format="png", dpi=dpi)
    return base64.b64encode(buffer.getvalue()).decode()
