"""Files that are either whole or not there."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4


def write_atomically(path: str | os.PathLike[str], write: Callable[[str], object]) -> None:
    """Call ``write(temporary name)`` beside the path, then rename; on any error nothing is left behind.

    The bytes are on the disk before the name is, so that a power failure leaves no empty file under it.  Who may read it is
    what the system says of new files, whatever the writer does: safetensors keeps its own for their owner, but folders are
    shared.
    """
    temporary = str(Path(path).with_name(f".{Path(path).name}.{uuid4().hex}"))
    try:
        with open(temporary, "xb") as file:
            rights = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        write(temporary)
        with open(temporary, "rb+") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) != rights:  # some file systems know no rights, and no chmod
                os.chmod(temporary, rights)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
