r"""One trial of the recipes on pretrained backbones: train a head on features that lie ready (SPARCS App. F.2).

Three heads learn from the same features: a linear one; the paper's SPARCS head, with ρ = 1e-4 (Table 5); and that one without
its penalty, which tells what holds it back, the data or ρ.  After every pass over the training images the whole test part is
asked, with and without the hidden neurons (:func:`spectral_lab.recipes.head_trials.ask`).
"""

from __future__ import annotations

import time
from functools import lru_cache, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spectral_lab import datasets
from spectral_lab.backbones import Backbone, extract_features
from spectral_lab.heads import with_head
from spectral_lab.networks import SpectralNet
from spectral_lab.peak import peak_mebibytes
from spectral_lab.recipes.features import features
from spectral_lab.recipes.head_trials import TRAINING, ask, clock_of, start
from spectral_lab.recipes.recipe import Outcome, Trial
from spectral_lab.recipes.student_trials import digits

LINEAR, SPARCS, FREE = "linear head", "SPARCS head", "SPARCS head, ρ = 0"
HEADS = {LINEAR: ("linear", 0.0), SPARCS: ("sparcs", 1e-4), FREE: ("sparcs", 0.0)}
NOTES = {
    "cnn": "STAND-IN for a pretrained EfficientNetV2-S: a small CNN of ours, trained with a linear head on the same images",
    "pretrained": "features of torchvision's EfficientNetV2-S, pretrained on ImageNet and frozen",
    "random": "features of an EfficientNetV2-S with random weights, brought to mean 0 and deviation 1",
}


class Lesson(NamedTuple):
    """Features of images, training and test part, with their classes."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor
    n_out: int
    note: str


@lru_cache(maxsize=1)
def lesson(source: str, name: str, limit: int | None, device: str) -> Lesson:
    """What the heads learn, on a device; the last one asked for is kept.

    Args:
        source: "cnn", "pretrained" or "random", see NOTES.
        name: of a data set of images.
        limit: at most so many images in each part.
        device: "cpu" or "cuda".
    """
    data = datasets.load(name, validation=0.0, limit=limit)
    y, y_test = data.y_train.to(device), data.y_test.to(device)
    if source == "cnn":
        (x, _, x_test, _), _ = features("cnn", name, limit, device)
    else:
        backbone = Backbone("efficientnet_v2_s", "DEFAULT" if source == "pretrained" else None)
        x, x_test = (extract_features(part, backbone, device=device).to(device) for part in (data.x_train, data.x_test))
    if source == "random":  # so many random layers leave signals of 1e-6
        middle, deviation = x.mean(0), x.std(0).clamp_min(torch.finfo(x.dtype).tiny)
        x, x_test = (x - middle) / deviation, (x_test - middle) / deviation
    return Lesson(x, y, x_test, y_test, data.n_out, "; ".join(note for note in (NOTES[source], data.note) if note))


def trial(source: str, data: str, label: str, seed: int, **options: Any) -> Trial:
    """Everything one training depends on.

    Args:
        source: "cnn", "pretrained" or "random".
        data: name of a data set of images.
        label: one of HEADS.
        seed: of the head's start and of the order of the batches.
        options: ``passes`` over the training images, ``limit`` (images), ``hidden`` nodes of a SPARCS head.
    """
    head, rho = HEADS[label]
    kept = {name: value for name, value in options.items() if value is not None and (head == "sparcs" or name != "hidden")}
    return {"source": source, "data": data, "label": label, "head": head, "rho": rho, "seed": seed, **TRAINING, **kept}


def build(trial: Trial, n_in: int, n_out: int) -> nn.Sequential:
    """The head at its start, behind a layer that changes nothing."""
    generator = torch.Generator().manual_seed(trial["seed"])
    hidden = {"hidden": trial["hidden"]} if trial["head"] == "sparcs" else {}
    return with_head(nn.Flatten(), (n_in,), n_out, head=trial["head"], generator=generator, **hidden)


def run(trial: Trial, device: str = "cpu") -> Outcome:
    """Train one head on the features, and ask it on the test part after every pass."""
    taught = lesson(trial["source"], trial["data"], trial.get("limit"), device)
    make = partial(build, trial, taught.x.shape[1], taught.n_out)
    model = make().to(device)
    outcome: Outcome = {"parameters": sum(p.numel() for p in model.parameters() if p.requires_grad)}

    def one_step() -> Any:
        batch, classes = (part[: trial["batch_size"]].clone() for part in (taught.x, taught.y))
        return start(trial, make().to(device), batch, classes, 3).advance

    outcome["peak"] = digits(peak_mebibytes(one_step, device), 4)
    began, clock, first = time.perf_counter(), clock_of(device), clock_of(device)()
    history, eigenvalues = [], {}
    for k, record in enumerate(start(trial, model, taught.x, taught.y, trial["passes"]), 1):
        if k == 1:
            outcome["pass_seconds"] = digits(clock() - first, 3)
        history.append({"loss": digits(record.data_loss, 4)} | ask(model, taught.x_test, taught.y_test))
        head = model[-1]
        if isinstance(head, SpectralNet) and k in (1, trial["passes"]):
            hidden, last = (digits(lam.detach(), 3) for lam in head.lam[1:])
            eigenvalues[str(k)] = {"hidden": hidden, "last": last}
    outcome["history"] = {name: [one[name] for one in history] for name in history[0]}
    outcome |= {"eigenvalues": eigenvalues} if eigenvalues else {}
    return outcome | {"seconds": round(time.perf_counter() - began, 2), "note": taught.note}
