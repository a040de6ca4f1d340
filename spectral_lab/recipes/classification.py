"""One trial of the image-classification recipes: train a feed-forward network one way, and test it.

The networks, methods and words are those of *PRE*: "direct" is ``nn.Linear``, the others are the named constructors of
:class:`~spectral_lab.layers.SpectralLinear`.  The paper does not print its training settings.  The learning
rates here come from a coarse search on Fashion-MNIST at N_2 = 500 with one seed, factors of two apart and for each method by
itself, so that none is held back by another one's; nothing finer was tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from spectral_lab import datasets
from spectral_lab.layers import SpectralLinear, feed_forward
from spectral_lab.plotting import SERIES
from spectral_lab.recipes.recipe import Outcome, Trial
from spectral_lab.sparse import SparseTraining
from spectral_lab.training import train

# Adam's learning rate: few trained numbers that each move a whole row or column of weights want larger steps.
LEARNING_RATES = {"direct": 1e-3, "original": 2e-2, "spectral": 2e-2, "s_svd": 2e-2, "s_qr": 5e-3}
# Under a mask direct training wants a larger one: with the other it would lose more than it must.
SPARSE_LEARNING_RATES = LEARNING_RATES | {"direct": 1e-2}
# A method has the same colour and marker in every picture.
STYLES = dict(zip(("direct", "spectral", "s_svd", "s_qr", "original"), SERIES, strict=True))
LABELS = {"direct": "direct", "original": "original spectral", "spectral": "Spectral", "s_svd": "S-SVD", "s_qr": "S-QR"}


def trial(data: str, hidden: list[int], method: str, seed: int, **options: Any) -> Trial:
    """Everything one training depends on.

    Args:
        data: name of the data set.
        hidden: nodes of the hidden layers.
        method: "direct", "original", "spectral", "s_svd" or "s_qr".
        seed: of the start and of the order of the batches.
        options: ``epochs``, ``batch_size``, ``limit`` (rows), ``p`` (S-QR), ``sparsity``.
    """
    rates = SPARSE_LEARNING_RATES if options.get("sparsity") else LEARNING_RATES
    made = {"data": data, "hidden": hidden, "method": method, "seed": seed, "lr": rates[method], **options}
    return {name: value for name, value in made.items() if value is not None}


def run(trial: Trial, device: str = "cpu") -> Outcome:
    """Train one network, and test it on the official test part."""
    (x, y, x_test, y_test), note = part(trial["data"], trial.get("limit"), device)
    network = build(trial, x.shape[1], int(y.max()) + 1).to(device)
    start = time.perf_counter()
    sparse = SparseTraining(network, trial["sparsity"]) if "sparsity" in trial else None
    model = sparse.model if sparse else network
    epochs, batch_size = trial["epochs"], trial["batch_size"]
    steps = epochs * -(-len(x) // batch_size)
    options: dict[str, Any] = {"lr": trial["lr"], "batch_size": batch_size, "seed": trial["seed"], "record_every": steps}
    training = train(model, x, y, steps=steps, loss=nn.functional.cross_entropy, **options)
    back = 0
    if sparse is None:
        training.advance(steps)
    else:
        for _ in range(steps):
            training.advance()
            back += sparse.update().came_back
    training.record()  # raises if the run has diverged
    outcome: Outcome = {
        "accuracy": accuracy(model, x_test, y_test),
        "accuracy_train": accuracy(model, x, y),
        "trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "seconds": round(time.perf_counter() - start, 2),
    }
    return outcome | ({"came_back": back} if sparse else {}) | ({"note": note} if note else {})


def build(trial: Trial, n_in: int, n_out: int) -> nn.Sequential:
    """The network of a trial at its start; PyTorch's own random numbers are left as they were."""
    method, sizes = trial["method"], [n_in, *trial["hidden"], n_out]
    if method == "direct":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(trial["seed"])
            return feed_forward(sizes, nn.Linear)
    generator = torch.Generator().manual_seed(trial["seed"])
    options: dict[str, Any] = {"generator": generator} | ({"p": trial["p"]} if "p" in trial else {})
    layer: Callable[..., nn.Module] = getattr(SpectralLinear, method)
    first = partial(SpectralLinear.original, first=True) if method == "original" else None
    return feed_forward(sizes, layer, first=first, **options)


@lru_cache(maxsize=1)
def part(name: str, limit: int | None, device: str) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], str]:
    """Training and test part of a data set as rows, on a device, and its note; the last one asked for is kept."""
    data = datasets.load(name, flat=True, validation=0.0, limit=limit)
    x, y, x_test, y_test = (t.to(device) for t in (data.x_train, data.y_train, data.x_test, data.y_test))
    return (x, y, x_test, y_test), data.note


@torch.no_grad()
def accuracy(network: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of the rows whose class is guessed right."""
    return float((network(x).argmax(1) == y).float().mean())
