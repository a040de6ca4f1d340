r"""One trial of the recipes on heads: train a small CNN with a linear or a SPARCS head (SPARCS App. F.1).

The paper prints optimiser, learning rate, batch, epochs, ρ, Ω and the 526 hidden nodes (Table 5), but not the convolutional
network, which is an option here.  Images are as they come, in [0, 1], and not augmented, of which the paper says nothing.
After every epoch the whole test part is asked, three times if the head is a SpectralNet: as it is, without its hidden neurons,
and with their eigenvalues set to 0.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from spectral_lab import datasets
from spectral_lab.heads import minimal_cnn, silenced, with_head, without_hidden
from spectral_lab.networks import SpectralNet
from spectral_lab.peak import peak_mebibytes
from spectral_lab.recipes.recipe import Outcome, Trial
from spectral_lab.recipes.student_trials import digits
from spectral_lab.teachers import core
from spectral_lab.topology import LIVE, structure
from spectral_lab.training import Training, train

CHUNK = 250  # images at a time; all at once are slower
TOGETHER = 50  # images that move together
EVERY = 10  # epochs between two looks at the training images
LOUD = 1e-2  # |λ| above which an eigenvalue is counted
TRAINING = {"lr": 1e-3, "batch_size": 128}  # SPARCS Table 5


def trial(data: str, head: str, seed: int, **options: Any) -> Trial:
    """Everything one training depends on.

    Args:
        data: name of a data set of images.
        head: "linear" or "sparcs".
        seed: of the start and of the order of the batches; both heads of a seed get the same filters.
        options: ``epochs``; ``limit`` (rows); ``moved``: before every epoch the images are shifted by up to so many pixels, and
            half of them flipped; ``channels``, ``kernel`` and ``padding`` of the convolutions; for the SPARCS head
            ``hidden`` and ``rho``.
    """
    of_head = ("hidden", "rho")
    kept = {name: value for name, value in options.items() if value is not None and (head == "sparcs" or name not in of_head)}
    return {"data": data, "head": head, "seed": seed, **TRAINING, **kept}


@lru_cache(maxsize=1)
def images(name: str, limit: int | None, device: str) -> tuple[tuple[Tensor, ...], int, str]:
    """Training and test part on a device, how many classes, and what to say beside the figure; the last ones are kept."""
    data = datasets.load(name, validation=0.0, limit=limit)
    parts = (data.x_train, data.y_train, data.x_test, data.y_test)
    return tuple(part.to(device) for part in parts), data.n_out, data.note


def build(trial: Trial, shape: tuple[int, ...], n_out: int) -> nn.Sequential:
    """The network at its start, with channels last, which is 1.4 times as fast on a CPU."""
    generator = torch.Generator().manual_seed(trial["seed"])
    convolutions = {name: trial[name] for name in ("kernel", "padding") if name in trial}
    features = minimal_cnn(shape, trial["channels"], generator=generator, **convolutions)
    options = {"hidden": trial["hidden"]} if trial["head"] == "sparcs" else {}
    model = with_head(features, shape, n_out, head=trial["head"], generator=generator, **options)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs do not know it


def start(trial: Trial, model: nn.Sequential, x: Tensor, y: Tensor, epochs: int) -> Training:
    """The training of a model, with a record after every epoch."""
    return train(
        model,
        x,
        y,
        epochs=epochs,
        lr=trial["lr"],
        batch_size=trial["batch_size"],
        rho=trial.get("rho", 0.0),
        penalty="l1",
        loss=nn.functional.cross_entropy,
        record_every=-(-len(x) // trial["batch_size"]),
        seed=trial["seed"],
    )


def run(trial: Trial, device: str = "cpu") -> Outcome:
    """Train one network, and ask it after every epoch."""
    (x, y, x_test, y_test), n_out, note = images(trial["data"], trial.get("limit"), device)
    shape = tuple(x.shape[1:])
    model = build(trial, shape, n_out).to(device)
    outcome: Outcome = {"parameters": sum(p.numel() for p in model.parameters() if p.requires_grad)}
    outcome["peak"] = digits(peak_mebibytes(lambda: one_step(trial, shape, n_out, device), device), 4)
    began, clock, busy = time.perf_counter(), clock_of(device), 0.0
    lesson, history, on_train = start(trial, model, x, y, trial["epochs"]), [], []
    generator = torch.Generator().manual_seed(trial["seed"])
    for k in range(1, trial["epochs"] + 1):
        before = clock()
        if trial.get("moved"):
            lesson.set_data(moved(x, trial["moved"], generator), y)
        record = next(lesson)
        busy += clock() - before
        history.append({"loss": digits(record.data_loss, 4)} | ask(model, x_test, y_test))
        if k % EVERY == 0 or k == trial["epochs"]:
            on_train.append([k, accuracy(model[-1], seen(model, x), y)])
    outcome |= {"history": {name: [one[name] for one in history] for name in history[0]}, "train": on_train}
    outcome |= {"train_seconds": round(busy, 1), **(grown(model, x_test, y_test) if trial["head"] == "sparcs" else {})}
    return outcome | {"seconds": round(time.perf_counter() - began, 2)} | ({"note": note} if note else {})


def moved(x: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """The images (n, c, h, w), shifted by up to so many pixels both ways, black where nothing is, and half of them flipped.

    Some that follow each other move together; they come apart when the rows are shuffled.
    """
    h, w = x.shape[2:]
    found = []
    for part in nn.functional.pad(x, (pixels,) * 4).split(TOGETHER):
        top, left = torch.randint(0, 2 * pixels + 1, (2,), generator=generator).tolist()
        part = part[:, :, top : top + h, left : left + w]
        found.append(part.flip(3) if torch.rand((), generator=generator) < 0.5 else part)
    return torch.cat(found)


def clock_of(device: str) -> Any:
    """The seconds that training takes: those of this process on the CPU, so that others on the machine do not count."""
    return time.process_time if device == "cpu" else time.perf_counter


def one_step(trial: Trial, shape: tuple[int, ...], n_out: int, device: str) -> Any:
    """A fresh network and its training on one batch; the result does a step."""
    model = build(trial, shape, n_out).to(device)
    batch = torch.rand(trial["batch_size"], *shape, generator=torch.Generator().manual_seed(0)).to(device)
    return start(trial, model, batch, torch.zeros(len(batch), dtype=torch.long, device=device), 3).advance


# ---------------------------------------------------------------- what a network answers


@torch.no_grad()
def seen(model: nn.Sequential, x: Tensor) -> Tensor:
    """The features of images, batch norm with its running mean; the model is afterwards in training mode."""
    model.eval()
    found = torch.cat([model[:-1](part) for part in x.split(CHUNK)])
    model.train()
    return found


@torch.no_grad()
def accuracy(head: nn.Module, features: Tensor, y: Tensor) -> float:
    """Share of right classes."""
    value: float = digits((head(features).argmax(1) == y).float().mean(), 5)
    return value


@torch.no_grad()
def ask(model: nn.Sequential, x: Tensor, y: Tensor) -> Outcome:
    """Accuracy on the test part; of a SpectralNet also that of what is linear in it, and what is live."""
    features, head = seen(model, x), model[-1]
    found: Outcome = {"accuracy": accuracy(head, features, y)}
    found["test_loss"] = digits(nn.functional.cross_entropy(head(features), y), 4)
    if isinstance(head, SpectralNet):
        alone = nn.Sequential(head)
        found["removed"] = accuracy(without_hidden(alone), features, y)
        found["silenced"] = accuracy(silenced(alone), features, y)
        shape = structure(head)
        found |= {"live": shape.live[0], "loud": int((head.eigenvalues[1].abs() > LOUD).sum()), "norm": digits(shape.norm, 4)}
    return found


@torch.no_grad()
def grown(model: nn.Sequential, x: Tensor, y: Tensor) -> Outcome:
    """What the hidden layer of a SPARCS head came to: eigenvalues, path strengths, and compaction to the live neurons."""
    head, features = model[-1], seen(model, x)
    assert isinstance(head, SpectralNet)
    lam, strengths = head.eigenvalues[1], structure(head).strengths[0]
    found: Outcome = {"eigenvalues": digits(lam, 4), "last": digits(head.eigenvalues[2], 4), "strengths": digits(strengths, 4)}
    gap = core(lam.abs())
    found["core"] = {"size": gap.size, "threshold": digits(gap.threshold), "gap": digits(gap.gap), "clear": gap.clear}
    compacted = {"silent": head.compact(), "dead": head.compact(LIVE), "small": head.compact(masks=[gap.keep.to(lam.dtype)])}
    for name, small in compacted.items():
        found[f"without_{name}"] = {
            "hidden": small.nodes[1] if small.n_layers == 3 else 0,
            "parameters": sum(p.numel() for p in small.parameters()),
            "accuracy": accuracy(small, features, y),
        }
    return found
