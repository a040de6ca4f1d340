"""Frozen features of images, on which Pruning (App. D) trains and prunes two dense layers.

The paper takes a MobileNetV2 that was trained on ImageNet.  Where torchvision is installed and the weights already lie in
PyTorch's cache, so does :func:`features`; it never downloads.  Elsewhere a small convolutional network of ours takes its place:
it is trained on the very images that the dense layers then learn, and frozen.  Its features are fewer and know nothing of other
images, so the note that comes with them says so, and the picture shows the note.  The way through torchvision is tested with a
stand-in for its network only, not with the real weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spectral_lab import datasets
from spectral_lab.training import train

Rows = tuple[Tensor, Tensor, Tensor, Tensor]  # x, y, x_test, y_test

EPOCHS, LR, BATCH_SIZE, SEED = 5, 3e-3, 100, 0  # of our own network; one for all trials, as there is one MobileNetV2
CHUNK = 250  # images at a time
MEAN, DEVIATION, SIDE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 224  # of ImageNet's images, as MobileNetV2 saw them
NOTES = {
    "cnn": "features of a small CNN of ours, trained on the same images and frozen; the paper takes a pretrained MobileNetV2",
    "mobilenet_v2": "features of torchvision's MobileNetV2, pretrained on ImageNet",
}


def source_here() -> str:
    """ "mobilenet_v2" where torchvision and its weights are installed, else "cnn"."""
    return "mobilenet_v2" if find_spec("torchvision") and _weights() else "cnn"


def _weights() -> Path | None:
    """The file of MobileNetV2's weights in PyTorch's cache, the latest by name, or None."""
    return max((Path(torch.hub.get_dir()) / "checkpoints").glob("mobilenet_v2-*.pth"), default=None)


@lru_cache(maxsize=1)
def features(source: str, data: str, limit: int | None, device: str) -> tuple[Rows, str]:
    """Features of the images of a data set and its classes, training and test part, and a note; the last ones are kept.

    Args:
        source: "cnn" or "mobilenet_v2".
        data: name of a data set of images.
        limit: at most so many images in each part.
        device: where to compute.

    Raises:
        FileNotFoundError: the weights of MobileNetV2 are not in PyTorch's cache; ModuleNotFoundError: no torchvision.
    """
    images = datasets.load(data, validation=0.0, limit=limit)
    x, y, x_test, y_test = (t.to(device) for t in (images.x_train, images.y_train, images.x_test, images.y_test))
    see = mobilenet(device) if source == "mobilenet_v2" else trained_cnn(x, y)
    notes = [NOTES[source], *([images.note] if images.note else [])]
    return (in_chunks(see, x), y, in_chunks(see, x_test), y_test), "; ".join(notes)


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
    """What torchvision's MobileNetV2 sees in images (n, 3, h, w): 1280 features, the mean over the picture of each."""
    path = _weights()
    if path is None:
        raise FileNotFoundError(
            f"no mobilenet_v2-*.pth in {torch.hub.get_dir()}/checkpoints; put torchvision's weights there, or take 'cnn'"
        )
    torchvision: Any = import_module("torchvision")
    model = torchvision.models.mobilenet_v2(weights=None)
    model.load_state_dict(torch.load(path, weights_only=True))
    model.eval().requires_grad_(False).to(device)
    mean, deviation = (torch.tensor(numbers, device=device).view(3, 1, 1) for numbers in (MEAN, DEVIATION))

    def see(x: Tensor) -> Tensor:
        large = nn.functional.interpolate(x, size=(SIDE, SIDE), mode="bilinear", antialias=True)
        return model.features((large - mean) / deviation).mean((2, 3))

    return see
