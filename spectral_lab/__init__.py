"""Spectral learning of neural networks: grow and prune a network through its eigenvalues.

The names below come in the order in which the course meets them.  The live instrument is
``spectral_lab.live.Playground``.
"""

from spectral_lab import datasets as datasets
from spectral_lab.bars import progress
from spectral_lab.conversion import materialize, spectralize
from spectral_lab.convolutions import SpectralConv2d
from spectral_lab.counting import count_parameters
from spectral_lab.curves import pruning_curve
from spectral_lab.direct import DirectNet
from spectral_lab.ensembles import train_ensemble
from spectral_lab.images import load_images
from spectral_lab.layers import SpectralLinear
from spectral_lab.networks import SpectralNet
from spectral_lab.pruning import compact, prune
from spectral_lab.storage import checkpointed, load, load_network, save, save_network
from spectral_lab.sweeps import sweep
from spectral_lab.tasks import alpha_beta, digits
from spectral_lab.topology import graph, path_tensor, structure
from spectral_lab.training import Record, TrainingDiverged, train

__version__ = "0.1.0"

__all__ = [
    "DirectNet",
    "Record",
    "SpectralConv2d",
    "SpectralLinear",
    "SpectralNet",
    "TrainingDiverged",
    "alpha_beta",
    "checkpointed",
    "compact",
    "count_parameters",
    "digits",
    "graph",
    "load",
    "load_images",
    "load_network",
    "materialize",
    "path_tensor",
    "progress",
    "prune",
    "pruning_curve",
    "save",
    "save_network",
    "spectralize",
    "structure",
    "sweep",
    "train",
    "train_ensemble",
]
