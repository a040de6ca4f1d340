"""A user's own images and their classes, from a folder or an .npz file, as a data set like those that have a name.

    pictures/            or    pictures/
        cat/ 1.png …               train/ cat/ … dog/ …
        dog/ 1.png …               test/  cat/ … dog/ …

What a network could not learn from, or would learn wrongly, is refused with the name of the file and what to do.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spectral_lab import datasets
from spectral_lab.datasets import Dataset
from spectral_lab.imagefiles import MODES, check_memory, read_folder

PARTS = ("x_train", "x_validation", "x_test")
LUMA = (0.299, 0.587, 0.114)  # shares of red, green and blue in grey, as Pillow's


def load_images(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    mode: str | None = None,
    validation: float = 0.1,
    limit: int | None = None,
    flat: bool = False,
    seed: int = 0,
) -> Dataset:
    """Images and their classes from a folder or an .npz file: float32 (n, c, h, w) in [0, 1], in three parts.

    In a folder each sub-folder is a class, whose name it has; there may be ``train/`` and ``test/`` above the classes, else a
    fifth is drawn for the test part.  A photo stands upright as its EXIF orientation says; transparent pixels show white;
    of an animation the first picture is taken.  Names with a dot in front, Thumbs.db and the like are passed over.

    An .npz file has x_train, y_train, x_test and y_test, or x and y, as in :func:`spectral_lab.datasets.load`; x holds bytes,
    or numbers in [0, 1].

    Args:
        path: the folder, or the .npz file.
        size: (h, w), to which every image is stretched or shrunk; None if all have one size already.
        mode: "grey" (1 channel), "RGB" (3 channels), or None: as they are, and RGB if only some are grey.
        validation: share of the training part that is kept for validation, in [0, 1).
        limit: at most so many images in each part, balanced over the classes; in a folder, the others are not read.
        flat: images as rows (n, c·h·w).
        seed: of the parts, and of the choice under a limit.

    Returns:
        The same as :func:`spectral_lab.datasets.load`; classes are numbered in the order of their names.

    Raises:
        FileNotFoundError: nothing is at the path.
        ValueError: an option out of its range; a folder without classes, a class without images or without training images;
            a file that is no image, is damaged, has another size than the first one, more than 8 bits a channel, or so many
            pixels that it may be an attack; arrays with other values than those of images; nothing but black images.
        MemoryError: the images would not fit into the memory that is free.
    """
    datasets.check_options(validation, limit)
    check_form(size, mode)
    path, size = Path(path), size if size is None else (size[0], size[1])
    if path.is_dir():
        raw = read_folder(path, size, mode, limit)
        made = datasets.split(path.resolve().name, raw, validation, limit, False, seed)
    elif path.exists():
        made = from_npz(path, size, mode, validation=validation, limit=limit, seed=seed)
    else:
        raise FileNotFoundError(f"{path} is not there; wanted a folder with one sub-folder a class, or an .npz file")
    check_classes(made, path)
    check_light(made, path)
    return with_inputs(made, [getattr(made, part).flatten(1) for part in PARTS]) if flat else made


def with_inputs(data: Dataset, inputs: Sequence[Tensor]) -> Dataset:
    """The same with other inputs in its three parts."""
    changed: dict[str, Any] = dict(zip(PARTS, inputs, strict=True))
    return replace(data, **changed)


def check_form(size: tuple[int, int] | None, mode: str | None) -> None:
    """Refuse a size and a mode that mean nothing.

    Raises:
        ValueError: naming the one that is out of its range.
    """
    if mode is not None and mode not in MODES:
        raise ValueError(f"mode = {mode!r}; wanted 'grey', 'RGB', or None for what the images are")
    if size is None:
        return
    numbers = list(size) if isinstance(size, Sequence) else []
    if len(numbers) != 2 or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in numbers):
        raise ValueError(f"size = {size!r}; wanted (height, width) in pixels, e.g. (32, 32), or None")


def check_classes(data: Dataset, path: Path) -> None:
    """Refuse data in which something is tested that was not there to be learned.

    Raises:
        ValueError: a class of another part has no images in the training part.
    """
    learned = set(data.y_train.tolist())
    for part, y in (("validation", data.y_validation), ("test", data.y_test)):
        missing = sorted(set(y.tolist()) - learned)
        if missing:
            raise ValueError(
                f"{path}: the {part} part has images of {data.classes[missing[0]]!r}, a class without training images; "
                "add images of that class, raise limit, or take another seed"
            )


def check_light(data: Dataset, path: Path) -> None:
    """Refuse images that are as good as black: bytes that mean 0 and 1.

    Raises:
        ValueError: no value in the training part is larger than the smallest byte that is not 0.
    """
    if float(data.x_train.max()) < 1.5 / 255:
        raise ValueError(
            f"{path}: no value of the training images is above 1 of 255; they are black, or bytes that mean 0 and 1. "
            "If so, multiply them by 255, or save arrays of truth values"
        )


# ---------------------------------------------------------------- arrays


def from_npz(path: Path, size: tuple[int, int] | None, mode: str | None, **options: Any) -> Dataset:
    """The images in an .npz file, of the size and the mode that are asked for.

    Raises:
        ValueError: no .npz file, no images, or values that an image cannot have; each names the file.
        MemoryError: stretched to the size they would not fit.
    """
    try:
        made = datasets.load(path, classes=True, **options)
    except ValueError as error:
        raise ValueError(str(error) if path.name in str(error) else f"{path.name}: {error}") from error
    inputs = [getattr(made, part) for part in PARTS]
    for part, x in zip(PARTS, inputs, strict=True):
        if x.dim() != 4:
            raise ValueError(f"{path.name} has rows of shape {tuple(x.shape[1:])}; wanted images (n, h, w) or (n, h, w, c)")
        if len(x) and not 0 <= float(x.min()) <= float(x.max()) <= 1:
            raise ValueError(
                f"{part} of {path.name} has values from {float(x.min()):g} to {float(x.max()):g}; wanted bytes (uint8), or "
                "numbers in [0, 1]: divide whole numbers by the largest that they can be, 255 or 65535"
            )
    if size is not None:
        common = mode or ("grey" if made.x_train.shape[1] == 1 else "RGB")
        check_memory(path, sum(map(len, inputs)), size, common, None)
    return with_inputs(made, [of_form(x, size, mode) for x in inputs])


def of_form(x: Tensor, size: tuple[int, int] | None, mode: str | None) -> Tensor:
    """Images (n, c, h, w) in [0, 1] with 1 or 3 channels, white where transparent, stretched to a size (h, w) if given."""
    if x.shape[1] == 4:
        x, opacity = x[:, :3], x[:, 3:]
        x = x * opacity + (1 - opacity)
    if mode == "grey" and x.shape[1] == 3:
        x = (x * torch.tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)
    elif mode == "RGB" and x.shape[1] == 1:
        x = x.repeat(1, 3, 1, 1)
    if size is None or size == tuple(x.shape[2:]):
        return x
    if not len(x):
        return x.new_empty(0, x.shape[1], *size)
    return nn.functional.interpolate(x, size=size, mode="bilinear", antialias=True).clamp_(0, 1)
