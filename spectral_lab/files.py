"""Files that are either whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4


def write_atomically(path: str | os.PathLike[str], write: Callable[[str], object]) -> None:
    """Call ``write(temporary name)`` beside the path, then rename; on any error nothing is left behind.

    The bytes are on the disk before the name is, so that a power failure leaves no empty file under it.
    """
    temporary = str(Path(path).with_name(f".{Path(path).name}.{uuid4().hex}"))
    try:
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
