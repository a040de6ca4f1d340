"""Image files in a folder with one sub-folder a class, as arrays of bytes.

Pillow reads them, one by one, and only when their numbers are wanted.  A file that it cannot read, or that would not give an
image of bytes like the others, is refused by its name; what to make of the images is the matter of :mod:`spectral_lab.images`.
"""

from __future__ import annotations

import struct
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image, ImageOps, UnidentifiedImageError

from spectral_lab.published import Raw

MODES = {"grey": "L", "RGB": "RGB"}  # ours and Pillow's
GREY = {"1", "L", "LA"}
DEEP = ("I", "F")  # how the names of Pillow's modes with more than 8 bits a channel begin: I;16, I, F
LITTER = {"thumbs.db", "desktop.ini", "icon\r", "__macosx"}  # what Windows and macOS leave in folders, beside names with a dot
BYTES = 6  # needed for a value while images of bytes become floats
SHOWN = 200  # files from which on a progress bar is shown
BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
# What Pillow raises for files that end too early, or go on as something else than they begin.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, RuntimeError, struct.error)


# ---------------------------------------------------------------- folders


@dataclass(frozen=True)
class Pictures:
    """Image files that stand for an array (n, c, h, w) of bytes; they are read when NumPy asks for the numbers."""

    files: np.ndarray  # of paths
    first: Path  # the file that the others are compared with
    size: tuple[int, int]  # (h, w) that every image must have, or is given
    stretch: bool  # which of the two
    mode: str

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: np.ndarray) -> Pictures:
        return replace(self, files=self.files[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        # Here, not at the top: rich draws a random number when it is imported.
        from rich.console import Console
        from rich.progress import track

        h, w = self.size
        images = np.empty((len(self), Image.getmodebands(MODES[self.mode]), h, w), np.uint8)
        few = len(self) < SHOWN
        for k in track(range(len(self)), "images", console=Console(file=sys.stderr), transient=True, disable=few):
            pixels = read_image(self.files[k], self.mode, self.size if self.stretch else None)
            if pixels.shape[:2] != (h, w):
                raise ValueError(
                    f"{self.files[k]} is {pixels.shape[0]} × {pixels.shape[1]} (height × width), and the first image, "
                    f"{self.first}, is {h} × {w}; wanted the same. Give size=(height, width), and all get that one"
                )
            images[k] = pixels.reshape(h, w, -1).transpose(2, 0, 1)
        return images if dtype is None else images.astype(dtype)


def read_folder(folder: Path, size: tuple[int, int] | None, mode: str | None, limit: int | None) -> Raw:
    """The files of a folder and their class numbers; the head of each has been read, and of the first one the pixels.

    Args:
        folder: sub-folders with images, each a class; or train and test with such sub-folders.
        size: (h, w) of all images; None: that of the first.
        mode: "grey", "RGB", or None: grey if all images are.
        limit: at most so many images in each of three parts will be asked for.

    Raises:
        ValueError: no classes, no images, or a file that is none.
        MemoryError: they would not fit.
    """
    train, test = parts_of(folder)
    found, found_test = classes_of(train), classes_of(test) if test else {}
    names, unknown = sorted(found), sorted(set(found_test) - set(found))
    if unknown:
        raise ValueError(f"{test}/{unknown[0]} is a class without training images; {train} has {', '.join(names)}")
    if len(names) < 2:
        raise ValueError(f"{train} has one class, {names[0]!r}; wanted one sub-folder for each of at least 2 classes")
    files, files_test = ([(name, file) for name in names for file in part.get(name, ())] for part in (found, found_test))
    mode, first = common_mode([file for _, file in files + files_test], mode), files[0][1]
    h, w = size or read_image(first, mode, None).shape[:2]
    check_memory(folder, len(files) + len(files_test), (h, w), mode, limit)

    def part(pairs: list[tuple[str, Path]]) -> tuple[Any, np.ndarray]:
        paths = np.array([file for _, file in pairs], dtype=object)
        return Pictures(paths, first, (h, w), size is not None, mode), np.array([names.index(name) for name, _ in pairs])

    x_test, y_test = part(files_test) if test else (None, None)
    return Raw(*part(files), x_test, y_test, tuple(names))


def inside(folder: Path) -> list[Path]:
    """What lies in a folder, by name, but for what the system has put there.

    Raises:
        ValueError: a link that leads nowhere; what it stood for, an image or a class, would be missed.
    """
    found = sorted(path for path in folder.iterdir() if path.name[0] != "." and path.name.lower() not in LITTER)
    for path in found:
        if path.is_symlink() and not path.exists():
            raise ValueError(f"{path} is a link to {path.readlink()}, where nothing is; mend it, or take it away")
    return found


def folders_in(folder: Path) -> dict[str, Path]:
    """The sub-folders of a folder, in which no images lie beside them.

    Raises:
        ValueError: there are such images, or no sub-folders.
    """
    entries = inside(folder)
    endings = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}  # not .pdf
    loose = [path for path in entries if path.is_file() and path.suffix.lower() in endings]
    if loose:
        raise ValueError(f"{loose[0]} is in no class; wanted one sub-folder of {folder} for each class, the images in those")
    found = {path.name: path for path in entries if path.is_dir()}
    if not found:
        raise ValueError(f"{folder} has no sub-folders; wanted one for each class, with its images inside")
    return found


def parts_of(folder: Path) -> tuple[Path, Path | None]:
    """The folder of the training part's classes, and that of the test part's if there is one.

    Raises:
        ValueError: a folder train without test, the other way round, or others beside them.
    """
    found = folders_in(folder)
    if not {"train", "test"} & set(found):
        return folder, None
    if set(found) != {"train", "test"}:
        raise ValueError(
            f"{folder} has the sub-folders {', '.join(found)}; wanted train and test, or one for each class. "
            "A validation part is split off train by validation=, and without a folder test a fifth of all is taken for it"
        )
    return found["train"], found["test"]


def classes_of(folder: Path) -> dict[str, list[Path]]:
    """The image files of each class, by name.

    Raises:
        ValueError: no class, a class without images, a folder among them.
    """
    found = {}
    for name, path in folders_in(folder).items():
        found[name] = inside(path)
        deeper = [file.name for file in found[name] if not file.is_file()]
        if deeper:
            raise ValueError(
                f"{path} has the sub-folder {deeper[0]}; wanted images only. Move them up, or take it away; parts are called "
                "train and test"
            )
        if not found[name]:
            raise ValueError(f"{path} is a class without images; put some in, or take the folder away")
    return found


def common_mode(files: Sequence[Path], mode: str | None) -> str:
    """The mode that is asked for, or grey if all files are; each file's head is read in any case, to find what is no image.

    Raises:
        ValueError: as of :func:`opened`.
    """
    modes = set()
    for file in files:
        with opened(file) as image:
            modes.add(image.mode)
    return mode or ("grey" if modes <= GREY else "RGB")


def check_memory(path: Path, n: int, size: tuple[int, int], mode: str, limit: int | None) -> None:
    """Refuse more images than there is memory for, before they are read.

    Raises:
        MemoryError: naming the estimate, what is free, and the cure.
    """
    rows = n if limit is None else min(n, 3 * limit)
    wanted, free = rows * Image.getmodebands(MODES[mode]) * size[0] * size[1] * BYTES, psutil.virtual_memory().available
    if wanted > free:
        raise MemoryError(
            f"{rows:,} images of {size[0]} × {size[1]} in {path} need about {wanted / 2**30:,.1f} GiB; "
            f"{free / 2**30:,.1f} GiB are free. Give a smaller size=(height, width), a limit=, or mode='grey'"
        )


# ---------------------------------------------------------------- one file


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """An image of at most 8 bits a channel whose head has been read; whatever is wrong with the file, the error names it.

    Raises:
        ValueError: no image, a damaged one, one with more bits, one with more pixels than Pillow thinks safe.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.mode.startswith(DEEP):
                    raise ValueError(f"its mode is {image.mode}, and 8 bits a channel are wanted; convert it to 8 bits")
                yield image
    except UnidentifiedImageError as error:
        raise ValueError(f"{path} is no image that Pillow can read; take it out of the folder of its class") from error
    except BOMB as error:
        raise ValueError(f"{path} is too large: {error} Make the image smaller, or take it away") from error
    except DAMAGE as error:
        raise ValueError(f"{path} is damaged or not fit: {error}") from error


def read_image(path: Path, mode: str, size: tuple[int, int] | None) -> np.ndarray:
    """The bytes (h, w) or (h, w, 3) of an image file: upright, white where transparent, stretched to a size (h, w) if given.

    Raises:
        ValueError: as of :func:`opened`.
    """
    with opened(path) as image:
        picture = ImageOps.exif_transpose(image)
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        picture = picture.convert(MODES[mode])
        if size is not None and size != (picture.height, picture.width):
            picture = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        return np.asarray(picture)
