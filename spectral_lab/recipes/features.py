"""Frozen features of images, on which Pruning (App. D) trains and prunes two dense layers.

The paper takes a MobileNetV2 that was trained on ImageNet.  Where torchvision is installed and the weights already lie in
PyTorch's cache, so does :func:`features`; it never downloads.  Elsewhere a small convolutional network of ours takes its place:
it is trained on the very images that the dense layers then learn, and frozen.  Its features are fewer and know nothing of other
images, so the note that comes with them says so, and the picture shows the note.  The way through torchvision is tested with
its real network and random weights, not with the real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spectral_lab import datasets
from spectral_lab.backbones import Backbone, extract_features, installed
from spectral_lab.training import train

Rows = tuple[Tensor, Tensor, Tensor, Tensor]  # x, y, x_test, y_test

EPOCHS, LR, BATCH_SIZE, SEED = 5, 3e-3, 100, 0  # of our own network; one for all trials, as there is one MobileNetV2
CHUNK = 250  # images at a time
SIDE = 224  # of ImageNet's images, as MobileNetV2 saw them
NOTES = {
    "cnn": "features of a small CNN of ours, trained on the same images and frozen; the paper takes a pretrained MobileNetV2",
    "mobilenet_v2": "features of torchvision's MobileNetV2, pretrained on ImageNet",
}


def source_here() -> str:
    """ "mobilenet_v2" where torchvision and its weights are installed, else "cnn"."""
    weights = (Path(torch.hub.get_dir()) / "checkpoints").glob("mobilenet_v2-*.pth")
    return "mobilenet_v2" if find_spec("torchvision") and any(weights) else "cnn"


@lru_cache(maxsize=1)
def features(source: str, data: str, limit: int | None, device: str) -> tuple[Rows, str]:
    """Features of the images of a data set and its classes, training and test part, and a note; the last ones are kept.

    Args:
        source: "cnn" or "mobilenet_v2".
        data: name of a data set of images.
        limit: at most so many images in each part.
        device: where to compute.

    Raises:
        FileNotFoundError: the weights of MobileNetV2 are not in PyTorch's cache; ImportError: torchvision cannot be used.
    """
    images = datasets.load(data, validation=0.0, limit=limit)
    x, y, x_test, y_test = (t.to(device) for t in (images.x_train, images.y_train, images.x_test, images.y_test))
    see = mobilenet(device) if source == "mobilenet_v2" else partial(in_chunks, trained_cnn(x, y))
    notes = [NOTES[source], *([images.note] if images.note else [])]
    return (see(x), y, see(x_test), y_test), "; ".join(notes)


@torch.no_grad()
def in_chunks(see: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A function of images (n, c, h, w), some of them at a time."""
    return torch.cat([see(part) for part in x.split(CHUNK)])


def trained_cnn(x: Tensor, y: Tensor) -> nn.Module:
    """Three convolutions, trained on images (n, c, h, w) to tell their classes; without the last layer they give 256 features.

    PyTorch's own random numbers are left as they were.
    """
    widths, modules = [x.shape[1], 16, 32, 64], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        for n_in, n_out in pairwise(widths):
            modules += [nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(), nn.MaxPool2d(2)]
        eye = nn.Sequential(*modules[:-1], nn.AdaptiveAvgPool2d(2), nn.Flatten())
        network = nn.Sequential(eye, nn.Linear(4 * widths[-1], int(y.max()) + 1)).to(x.device)
    steps = EPOCHS * -(-len(x) // BATCH_SIZE)
    options: dict[str, Any] = {"lr": LR, "batch_size": BATCH_SIZE, "seed": SEED, "record_every": steps}
    for _ in train(network, x, y, steps=steps, loss=nn.functional.cross_entropy, **options):
        pass
    return eye.eval().requires_grad_(False)


def mobilenet(device: str) -> Callable[[Tensor], Tensor]:
    """What torchvision's MobileNetV2 sees in images (n, 3, h, w): 1280 features, the mean over the picture of each.

    Raises:
        FileNotFoundError: its weights are not on this machine.
    """
    weights = installed("mobilenet_v2")
    if not weights:
        raise FileNotFoundError(
            f"no mobilenet_v2-*.pth in {torch.hub.get_dir()}/checkpoints; put torchvision's weights there, or take 'cnn'"
        )
    backbone = Backbone("mobilenet_v2", weights[-1], size=SIDE)
    return lambda x: extract_features(x, backbone, device=device).to(device)
