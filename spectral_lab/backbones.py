"""Frozen feature extractors of torchvision, on which a head learns: seen once, kept in a file, read from then on.

A :class:`Backbone` is a network of torchvision by name, with the weights that torchvision publishes, or with random ones of a
seed; its classifier is taken off.  :func:`extract_features` sends images through it and keeps what comes out beside the
data sets (:func:`spectral_lab.downloads.folder`), under a name that is made from everything it depends on.

torchvision is optional: ``pip install 'spectral-lab[images]'``.
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from spectral_lab.downloads import DownloadFailed, folder
from spectral_lab.featurefiles import digest, read_features, write_features

# torchvision's name for a network, and the network's name for its classifier.
CLASSIFIERS = {"efficientnet_v2_s": "classifier", "resnet50": "fc", "mobilenet_v2": "classifier"}
CHUNK = 64  # images at a time
SHOWN = 10  # chunks from which on a progress bar is shown


def torchvision_models() -> Any:
    """torchvision.models.

    Raises:
        ModuleNotFoundError: torchvision is not installed.
        ImportError: it is, but cannot be used beside this PyTorch; the message says what to do.
    """
    try:
        return import_module("torchvision").models
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("torchvision is not installed; pip install 'spectral-lab[images]'") from error
    except (RuntimeError, ImportError, OSError) as error:  # its operators were compiled for another build of PyTorch
        version, _, build = torch.__version__.partition("+")
        build = build or f"cu{torch.version.cuda or ''}".replace(".", "").removesuffix("cu") or "cpu"
        raise ImportError(
            f"torchvision is installed, but was built for another PyTorch than {torch.__version__} ({error}). "
            "Take it away, pip uninstall torchvision, and install the one for this PyTorch: "
            f"pip install torchvision torch=={version} --index-url https://download.pytorch.org/whl/{build}"
        ) from error


@dataclass(frozen=True)
class Backbone:
    """A network of torchvision without its classifier.

    Args:
        name: "efficientnet_v2_s" (1280 features), "resnet50" (2048) or "mobilenet_v2" (1280).
        weights: "DEFAULT", or another name in torchvision's list for this network, e.g. "IMAGENET1K_V1"; None: random ones.
        seed: of random weights.
        size: pixels of the square that images are brought to; None: what the weights were trained with, and for random
            ones the images' own size.

    Raises:
        ValueError: a name that is not one of these, a size that is no positive whole number.
    """

    name: str
    weights: str | None = "DEFAULT"
    seed: int = 0
    size: int | None = None

    def __post_init__(self) -> None:
        if self.name not in CLASSIFIERS:
            raise ValueError(f"name = {self.name!r}; wanted one of {', '.join(CLASSIFIERS)}")
        if self.size is not None and (isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 1):
            raise ValueError(f"size = {self.size!r}; wanted pixels, a whole number of at least 1, or None")

    def published(self) -> Any:
        """The entry of torchvision's list of weights, or None for random ones.

        Raises:
            ImportError: torchvision cannot be used.
            ValueError: the list has no such name.
        """
        known = torchvision_models().get_model_weights(self.name)
        if self.weights is None:
            return None
        if self.weights not in known.__members__:  # DEFAULT is among them
            raise ValueError(
                f"weights = {self.weights!r}; {self.name} has {', '.join(known.__members__)}, and None: random ones"
            )
        return known[self.weights]

    def identity(self) -> dict[str, Any]:
        """Everything that the features of an image depend on, as JSON."""
        chosen = self.published()
        source = Path(urlparse(chosen.url).path).name if chosen else f"random, seed {self.seed}"
        version = import_module("torchvision").__version__.partition("+")[0]
        return {"name": self.name, "weights": source, "size": self.size} | ({} if chosen else {"torchvision": version})

    def load(self, device: torch.device | str = "cpu") -> Callable[[Tensor], Tensor]:
        """The network, ready to see: from images (n, 3, h, w) in [0, 1] to features (n, n_features).

        Raises:
            ImportError: torchvision cannot be used.
            DownloadFailed: the weights are neither on this machine nor to be had; the message says what to do.
            ValueError: a file of weights that is not the published one.
        """
        models, chosen = torchvision_models(), self.published()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = models.get_model(self.name, weights=None)
        if chosen is not None:
            network.load_state_dict(state_of(chosen))
        setattr(network, CLASSIFIERS[self.name], nn.Identity())
        network.eval().requires_grad_(False).to(device)
        prepare = self.preparation(chosen or models.get_model_weights(self.name).DEFAULT)
        return lambda images: network(prepare(images))

    def preparation(self, chosen: Any) -> Callable[[Tensor], Tensor]:
        """What is done to images before: torchvision's own for these weights, at another size if one is asked for."""
        if self.size is not None:
            return chosen.transforms(resize_size=self.size, crop_size=self.size)
        preset = chosen.transforms()
        if self.weights is not None:
            return preset
        mean, deviation = (torch.tensor(numbers).view(3, 1, 1) for numbers in (preset.mean, preset.std))
        return lambda images: (images - mean.to(images)) / deviation.to(images)


# ---------------------------------------------------------------- weights


def weights_path(url: str) -> Path:
    """Where torchvision looks for weights before it downloads them."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name


def installed(name: str) -> list[str]:
    """Which published weights of a network lie on this machine, the default last; nothing is downloaded.

    Raises:
        ImportError: torchvision cannot be used.
    """
    known = torchvision_models().get_model_weights(name).__members__
    return [kind for kind, chosen in known.items() if weights_path(chosen.url).exists()]


def check_weights(path: Path) -> None:
    """Refuse a file of weights whose SHA-256 does not begin as its name says: ``resnet50-11ad3fa6.pth``.

    Raises:
        ValueError: another checksum.
    """
    wanted = path.stem.rpartition("-")[2]
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(wanted):
        raise ValueError(
            f"{path} is damaged or another file: its SHA-256 is {found}; wanted one that begins with {wanted}. "
            "Delete it, and it is downloaded again, or put the published file in its place"
        )


def state_of(chosen: Any) -> dict[str, Tensor]:
    """Published weights, downloaded if they are not on this machine; no code in the file is run.

    Raises:
        DownloadFailed: no network, or another file at the address than the published one.
        ValueError: the file is there, but it is not the published one.
    """
    path = weights_path(chosen.url)
    if path.exists():
        check_weights(path)
    try:
        return chosen.get_state_dict(progress=True, check_hash=True, weights_only=True, map_location="cpu")
    except (OSError, RuntimeError) as error:  # no connection, no permission; a wrong checksum
        raise DownloadFailed(
            f"{path.name} could not be downloaded from {chosen.url}: {error}. Without a network, put the file by hand into "
            f"{path.parent}, or set TORCH_HOME to a folder that holds hub/checkpoints/{path.name}; or take weights=None, "
            "random ones, which show that the code runs, and know nothing of images"
        ) from error


# ---------------------------------------------------------------- features


def extract_features(
    images: Tensor,
    backbone: Backbone,
    *,
    device: torch.device | str = "cpu",
    chunk: int = CHUNK,
    cache: str | Path | None = "default",
) -> Tensor:
    """What a frozen backbone sees in images, (n, n_features) on the CPU; a second call reads it from a file.

    Args:
        images: (n, 1, h, w) or (n, 3, h, w) in [0, 1]; grey ones get three equal channels.
        backbone: the network.
        device: where to compute.
        chunk: images at a time; more need more memory.
        cache: the folder of the file; "default": ``features`` where the data sets lie; None: keep nothing.

    Raises:
        ValueError: no such images.
        ImportError, DownloadFailed: as of :meth:`Backbone.load`.
    """
    check_images(images)
    if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1:
        raise ValueError(f"chunk = {chunk!r}; wanted a whole number of images, at least 1")
    if cache is None:
        return computed(images, backbone, device, chunk)
    made_of = json.dumps(backbone.identity() | {"images": digest(images)}, sort_keys=True)
    place = folder() / "features" if cache == "default" else Path(cache)
    path = place / f"{backbone.name}-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.safetensors"
    kept = read_features(path, made_of)
    if kept is not None:
        return kept
    features = computed(images, backbone, device, chunk)
    try:
        place.mkdir(parents=True, exist_ok=True)
        write_features(path, features, made_of)
    except (OSError, SafetensorError) as error:  # a folder that others own, a full disk
        warnings.warn(f"the features are computed, but could not be kept in {path}: {error}", stacklevel=2)
    return features


def check_images(images: Tensor) -> None:
    """Refuse what are no images in [0, 1].

    Raises:
        ValueError: naming what was found.
    """
    if images.dim() != 4 or images.shape[1] not in (1, 3) or not len(images) or not images.is_floating_point():
        raise ValueError(
            f"found images of shape {tuple(images.shape)} and {images.dtype}; wanted floats (n, 1, h, w) or (n, 3, h, w), n ≥ 1"
        )
    if not bool(((images >= 0) & (images <= 1)).all()):  # neither holds for NaN
        raise ValueError(
            f"found images with values from {float(images.min()):g} to {float(images.max()):g}; wanted numbers in [0, 1]. "
            "Divide bytes by 255, and do not standardise: the backbone brings its own"
        )


@torch.no_grad()
def computed(images: Tensor, backbone: Backbone, device: torch.device | str, chunk: int) -> Tensor:
    """The features, computed now, some images at a time, with a progress bar."""
    # Here, not at the top: rich draws a random number when it is imported.
    from rich.console import Console
    from rich.progress import track

    see, parts = backbone.load(device), images.split(chunk)
    console, few = Console(file=sys.stderr), len(parts) < SHOWN
    shown = track(parts, backbone.name, console=console, transient=True, disable=few)
    return torch.cat([see(part.to(device, torch.float32).expand(-1, 3, -1, -1)).cpu() for part in shown])
