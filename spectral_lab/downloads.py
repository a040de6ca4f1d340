"""Files of the published data sets: from a folder of local copies or the cache, else from the network, checksums verified.

What is inside the files is the matter of :mod:`spectral_lab.fileformats`.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

VARIABLE = "SPECTRAL_LAB_DATA"
TIMEOUT = 30  # seconds in which a server has to say something


class Published(NamedTuple):
    """A file as it was published: its SHA-256, and where it can be had; the second address is for when the first fails."""

    sha256: str
    urls: tuple[str, ...] = ()


class DownloadFailed(OSError):
    """A file is neither in the folder nor to be had from any of its addresses."""


IDX_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def _in_the_form_of_mnist(name: str, mirrors: tuple[str, ...], *sums: str) -> dict[str, Published]:
    return {
        f"{name}/{file}": Published(sha256, tuple(mirror + file for mirror in mirrors))
        for file, sha256 in zip(IDX_FILES, sums, strict=True)
    }


# By the place in the folder.  CIFAR comes in three forms; the one for Python holds pickles, which can run code when they are
# read, so the binary one is taken.
FILES: dict[str, Published] = {
    **_in_the_form_of_mnist(
        "mnist",
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
    **_in_the_form_of_mnist(
        "fashion-mnist",
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    "cifar-10/cifar-10-binary.tar.gz": Published(
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        (
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "https://cave.cs.toronto.edu/kriz/cifar-10-binary.tar.gz",
        ),
    ),
    "cifar-100/cifar-100-binary.tar.gz": Published(
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        (
            "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            "https://cave.cs.toronto.edu/kriz/cifar-100-binary.tar.gz",
        ),
    ),
    "california-housing/cal_housing.tgz": Published(
        "aaa5c9a6afe2225cc2aed2723682ae403280c4a3695a2ddda4ffb5d8215ea681",
        ("https://ndownloader.figshare.com/files/5976036", "https://www.dcc.fc.up.pt/~ltorgo/Regression/cal_housing.tgz"),
    ),
    # What is in that archive, as a local copy.
    "california-housing/cal_housing.data": Published("d3d8a1a722ae78f91134862727d27a70b1415e7d512a89140406248687f4b902"),
}


def folder() -> Path:
    """Where the files lie, each data set in a folder of its name: $SPECTRAL_LAB_DATA, or else this user's cache."""
    import pooch

    return Path(os.environ.get(VARIABLE) or pooch.os_cache("spectral_lab")).expanduser()


def find(place: str) -> Path | None:
    """The file at a place like ``"mnist/train-images-idx3-ubyte.gz"`` in the folder, or None if there is none.

    Raises:
        ValueError: the file is there, but it is not the published one.
    """
    path = folder() / place
    if not path.is_file():
        return None
    if place in FILES:
        wanted = FILES[place].sha256
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != wanted:
            raise ValueError(
                f"{path} is damaged or another file: its SHA-256 is {found}; wanted {wanted}. "
                "Delete it, and it is downloaded again, or put the published file in its place"
            )
    return path


def fetch(place: str) -> Path:
    """The file at a place in the folder, downloaded if it is not there; it appears whole and verified, or not at all.

    Raises:
        DownloadFailed: no address answers with the published file; the message says what to do without a network.
        ValueError: the file is there, but it is not the published one.
    """
    path = find(place)
    if path is not None:
        return path
    path, published = folder() / place, FILES[place]
    reasons = []
    for url in published.urls:
        try:
            return _download(url, path, published.sha256)
        except (OSError, ValueError) as error:  # no connection, no such file, no permission; a wrong checksum
            reasons.append(f"  {url}: {error}")
    raise DownloadFailed(
        f"{path.name} could not be downloaded:\n" + "\n".join(reasons) + "\n"
        f"Without a network, put the file by hand into {path.parent}; or set {VARIABLE} to a folder that holds {place}; "
        'or take datasets.load("digits"), which needs no download'
    )


def _download(url: str, path: Path, sha256: str) -> Path:
    # Here, not at the top: pooch brings requests along, and rich draws a random number when it is imported.
    import pooch
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        downloader = pooch.HTTPDownloader(
            progressbar=_Bar(progress, progress.add_task(path.name, total=None)),
            chunk_size=2**16,
            timeout=TIMEOUT,
        )
        # pooch writes under a temporary name, compares the checksum, and then renames.
        pooch.retrieve(url, known_hash=f"sha256:{sha256}", fname=path.name, path=path.parent, downloader=downloader)
    path.chmod(0o644)  # a temporary file is its owner's alone, but a class may share the folder
    return path


class _Bar:
    """rich's progress bar in the form that pooch asks for."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress, self.task = progress, task

    @property
    def total(self) -> float | None:
        """Bytes to come; pooch sets it, to 0 where the server does not say."""
        return self.progress.tasks[self.task].total

    @total.setter
    def total(self, size: int) -> None:
        self.progress.update(self.task, total=size or None)

    def update(self, size: int) -> None:
        """So many bytes more are here."""
        self.progress.advance(self.task, size)

    def reset(self) -> None:
        """Back to the start; pooch counts whole chunks, and corrects itself at the end in this way."""
        self.progress.reset(self.task)

    def close(self) -> None:
        """Nothing is left to do: the progress display is closed by who opened it."""
