r"""Training as a stream of records: data loss + ρ Ω(λ) (SPARCS 4.4), minimised with Adam.

:func:`train` returns a :class:`Training`, an iterator: each step of the iteration trains a little and yields a
:class:`Record`.  Between two records the caller may change ``rho``, ``penalty``, ``lr`` or the data; nothing here knows
of screens, and nothing is random but through the seed.  :mod:`spectral_lab.storage` keeps runs in files.

>>> from spectral_lab import SpectralNet, alpha_beta, train
>>> network = SpectralNet([2, 30, 1])
>>> x, y = alpha_beta(1.0, 5, 1000, seed=0)
>>> [record.step for record in train(network, x, y, steps=200, rho=1e-4, seed=0)]
[100, 200]

Where the rows come from is told in :mod:`spectral_lab.batches`, how a network is validated in :mod:`spectral_lab.validation`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from spectral_lab.batches import Data
from spectral_lab.options import Options, count_steps
from spectral_lab.penalties import Penalty
from spectral_lab.records import Record, TrainingDiverged
from spectral_lab.runs import Training
from spectral_lab.validation import Loss

__all__ = ["Loss", "Record", "Training", "TrainingDiverged", "train"]


def train(
    network: nn.Module,
    x: Tensor | Dataset[Any],
    y: Tensor | None = None,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    lr: float = 1e-3,
    batch_size: int = 100,
    rho: float = 0.0,
    penalty: str | Penalty = "l2_norm",
    penalised: list[str] | None = None,
    loss: Loss = nn.functional.mse_loss,
    record_every: int = 100,
    seed: int = 0,
    validation: Data | None = None,
    patience: int | None = None,
    autocast: torch.dtype | None = None,
) -> Training:
    r"""Train a network in place with Adam on mini-batches: data loss + ρ Ω(λ) (SPARCS 4.4).

    >>> from spectral_lab import SpectralNet, alpha_beta
    >>> x, y = alpha_beta(0.8, 5, 10_000, seed=0)
    >>> run = train(SpectralNet([2, 300, 1]), x, y, epochs=60, batch_size=100, lr=1e-3, rho=1e-4, penalty="l2_norm", seed=3)
    >>> next(run).step
    100

    A SpectralNet may stand inside the network, as the head of a CNN; validated, the run stops by itself:

    >>> from spectral_lab import digits
    >>> data = digits()
    >>> network = nn.Sequential(nn.BatchNorm1d(64), SpectralNet([64, 50, 10], train_input_eigenvalues=False))
    >>> options = {"loss": nn.functional.cross_entropy, "validation": (data.x_test, data.y_test), "patience": 3}
    >>> run = train(network, data.x_train, data.y_train, epochs=30, lr=1e-2, rho=1e-4, penalty="l1", **options)
    >>> run.penalised, [record.accuracy for record in run][-1] > 0.9
    (['1.eigenvalues.1'], True)
    >>> run.restore_best()

    Two things are not covered by the seed: what a dataset draws while its items are read, and what dropout draws, both from
    PyTorch's global generator.  With them a run that is taken up again goes on to other bits.

    Args:
        network: any module; it takes steps in train() mode and is measured in eval() mode.  Of a network in train() mode, parts
            that stand in eval() mode stay in it, as a frozen backbone with batch norm should.  ρ acts on a SpectralNet's
            trainable eigenvalues of the input and the hidden layers; likewise if there is one, and not more, inside of it.
        x, y: data, one row a sample; moved to the network's device and float type.  Instead, ``x`` alone: a map-style
            ``torch.utils.data.Dataset`` of (input, target) pairs, which are read when their batch comes.
        steps, epochs: how long; exactly one of the two.
        lr: learning rate of Adam.
        batch_size: rows a step; the last batch of an epoch may be smaller.
        rho: ρ, the strength of the regulariser.
        penalty: Ω: "l1", "l2_norm" (not squared, a group lasso over layers), "l2_squared", or a function that takes
            ``{name: eigenvalues}`` and returns a scalar tensor.
        penalised: names of the parameters that Ω acts on, instead of the default.
        loss: data loss of (output, target), a mean over the rows, by default the mean squared error.
        record_every: steps between records; also how often NaN is looked for, the last good state is kept, and the network is
            validated.
        seed: of the order of the batches.
        validation: ``(x, y)`` or a dataset; loss and, for class numbers, accuracy on them are in the records.
        patience: stop after so many records without a lower validation loss; None never stops early.
        autocast: ``torch.bfloat16`` or ``torch.float16``: the network's products in 16 bits, the loss and the penalty in full
            precision; see :mod:`spectral_lab.descent`.

    Returns:
        An iterator of records, with ``rho``, ``penalty``, ``lr`` and ``set_data`` to steer it and ``restore_best`` to end it.

    Raises:
        ValueError: an option outside its range, data that do not fit, or a network without a parameter to train; named, before
            anything is trained.  (While iterating) an item of a dataset that is no pair, does not fit the others or has NaN, by
            its number; a mean squared error of outputs and targets of different shapes.
        TypeError: data that are neither two tensors nor a map-style dataset.
        TrainingDiverged: (while iterating) NaN or infinite numbers; says what to lower.
    """
    n = len(x) if hasattr(x, "__len__") else 0  # of data without a length the run says what is wrong with them
    options = Options(
        steps=count_steps(steps, epochs, n, batch_size),
        lr=lr,
        batch_size=batch_size,
        rho=rho,
        penalty=penalty,
        penalised=penalised,
        record_every=record_every,
        seed=seed,
        patience=patience,
        autocast=autocast,
    )
    return Training(network, x, y, options, loss=loss, validation=validation)
