"""The static pictures: each function takes data and an ``ax``, computes nothing, and returns the ``ax``."""

from spectral_lab.plotting.bars import plot_coefficients, plot_counts, plot_histogram, plot_relevance, plot_spectrum
from spectral_lab.plotting.colours import FAINT, INK, MIDDLE, NEGATIVE, POSITIVE, SERIES, sign_colours
from spectral_lab.plotting.curves import (
    plot_bands,
    plot_cores,
    plot_increase,
    plot_kept,
    plot_learning,
    plot_line,
    plot_losses,
    plot_race,
    plot_removal,
    plot_series,
    plot_transition,
)
from spectral_lab.plotting.graphs import plot_bipartite, plot_blocks, plot_bundles, plot_layers, plot_network, plot_neurons
from spectral_lab.plotting.maps import plot_cells, plot_heat, plot_image, plot_matrix, plot_section, plot_square, plot_table

__all__ = [
    "FAINT",
    "INK",
    "MIDDLE",
    "NEGATIVE",
    "POSITIVE",
    "SERIES",
    "plot_bands",
    "plot_bipartite",
    "plot_blocks",
    "plot_bundles",
    "plot_cells",
    "plot_coefficients",
    "plot_cores",
    "plot_counts",
    "plot_heat",
    "plot_histogram",
    "plot_image",
    "plot_increase",
    "plot_kept",
    "plot_layers",
    "plot_learning",
    "plot_line",
    "plot_losses",
    "plot_matrix",
    "plot_network",
    "plot_neurons",
    "plot_race",
    "plot_relevance",
    "plot_removal",
    "plot_section",
    "plot_series",
    "plot_spectrum",
    "plot_square",
    "plot_table",
    "plot_transition",
    "sign_colours",
]
