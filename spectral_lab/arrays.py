"""A user's own numbers and words, in whatever they come, as a NumPy array.

What they stand for is said elsewhere: :mod:`spectral_lab.datasets` makes a data set of them, the playground a problem to learn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

# Whole numbers of at most so many kinds are taken for classes, of more kinds for quantities.
MOST_CLASSES = 20


def as_array(values: Any, name: str, *, most_axes: int = 2) -> tuple[np.ndarray, tuple[str, ...]]:
    """Rows and columns, and the columns' names if they have any.

    Args:
        values: an array, a tensor, a DataFrame or one of its columns, or a list of numbers, words or lists.
        name: what error messages call it.
        most_axes: images have more axes than the two of a table.

    Returns:
        The array, (n,) made (n, 1), of the type that the values have, and the names, perhaps none.

    Raises:
        ValueError: rows of different lengths, nothing inside, too many axes, values that are missing or masked.
    """
    names = tuple(str(c) for c in values.columns) if hasattr(values, "columns") else ()
    if not names and getattr(values, "name", None) is not None:
        names = (str(values.name),)
    if isinstance(values, Tensor):
        values = values.detach().cpu().to_dense()
        if values.is_floating_point() and values.dtype not in (torch.float16, torch.float32, torch.float64):
            values = values.float()  # numpy has no bfloat16
        values = values.numpy()
    try:
        array = np.asarray(values)
        objects = np.asarray(values, object) if array.dtype.kind in "OU" else np.empty(0)  # numpy makes a word of NaN
        missing = [place for place, value in np.ndenumerate(objects) if _missing(value)]
        if array.dtype == object and not missing:
            array = np.array(array.tolist())  # numpy's own type for Python's numbers, truth values and words
    except (TypeError, ValueError) as error:  # rows of different lengths
        raise ValueError(f"{name} is no array: {error}") from error
    if missing:
        raise ValueError(f"{name} has no value in row {missing[0][0]}; leave such rows out, or fill them in")
    if not 1 <= array.ndim <= most_axes or array.size == 0:
        images = ", or images of one more axis or two" if most_axes > 2 else ""
        raise ValueError(f"{name} has shape {array.shape}; wanted (n,) or (n, columns){images}, with numbers inside")
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked values; leave those rows out, or fill them in")
    return (array[:, None] if array.ndim == 1 else array), names


def as_numbers(array: np.ndarray, name: str) -> np.ndarray:
    """The same if it holds numbers that float32 can hold; words that are numbers are turned into them.

    Raises:
        ValueError: words, dates or complex numbers, NaN, infinity, or more than 3.4e38.
    """
    if array.dtype.kind in "biu":
        return array
    try:
        if array.dtype.kind in "cmMV":  # numpy would make numbers of dates, of missing ones too
            raise TypeError(f"found {array.dtype}")
        numbers = array if array.dtype.kind == "f" else array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} must hold numbers: {error}. Turn words and dates into numbers first") from error
    most = np.finfo(np.float32).max
    bad = np.argwhere(~(np.abs(numbers) <= most))  # NaN is not less than anything
    if len(bad):
        raise ValueError(
            f"{name} holds {numbers[tuple(bad[0])]:g} in row {bad[0, 0]}; wanted finite numbers up to {most:.2g} (float32). "
            "Leave such rows out, or fill them in"
        )
    return numbers


def channels_first(images: np.ndarray, name: str) -> np.ndarray:
    """Images (n, h, w), (n, h, w, c) or (n, c, h, w) with 1, 3 or 4 channels, as a view (n, c, h, w).

    Raises:
        ValueError: four axes, of which neither the last nor the second can be the channels.
    """
    if images.ndim == 3:
        return images[:, None]
    if images.shape[3] in (1, 3, 4):
        return images.transpose(0, 3, 1, 2)
    if images.shape[1] in (1, 3, 4):
        return images
    raise ValueError(f"{name} has shape {images.shape}; wanted images (n, h, w, c) or (n, c, h, w) with c = 1, 3 or 4")


def _missing(value: Any) -> bool:
    """None, NaN, or what pandas has for a missing value: none of them equals itself."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA is not even unequal
        return True
    except ValueError:  # an array within the array
        return False
