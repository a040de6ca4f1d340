"""Downloads from a server of our own on this machine, with all that can go wrong on the way."""

import hashlib
import os
import socket
import stat
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from spectral_lab import downloads
from spectral_lab.downloads import FILES, DownloadFailed, Published, fetch, find, folder

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PLACE = "tests/file.gz"


class Handler(BaseHTTPRequestHandler):
    """The path says what happens: /whole, /wrong, /broken and /unannounced (half of it), /silent, or 404."""

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/silent":
            self.server.over.wait()
            return
        content = CONTENT[::-1] if self.path == "/wrong" else CONTENT
        self.send_response(200)
        if self.path != "/unannounced":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path in ("/broken", "/unannounced") else content)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def server(monkeypatch):
    """A running server, its address in ``url`` and what it was asked for in ``asked``."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.over = threading.Event()
        server.asked, server.url = [], f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty folder for the files."""
    monkeypatch.setenv("SPECTRAL_LAB_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def publish(monkeypatch, *urls):
    """The file is to be had at these addresses."""
    monkeypatch.setitem(FILES, PLACE, Published(SHA256, urls))


def files_in(path):
    """All files below, hidden and temporary ones too."""
    return sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())


def test_a_file_is_fetched_once_and_kept(server, cache, monkeypatch):
    publish(monkeypatch, f"{server.url}/whole")
    path = fetch(PLACE)
    assert path == cache / PLACE
    assert path.read_bytes() == CONTENT
    assert fetch(PLACE) == path
    assert server.asked == ["/whole"]
    assert files_in(cache) == [PLACE]


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")
def test_a_file_can_be_read_by_others_who_share_the_folder(server, monkeypatch):
    publish(monkeypatch, f"{server.url}/whole")
    assert stat.S_IMODE(fetch(PLACE).stat().st_mode) == 0o644


@pytest.mark.parametrize("first", ["missing", "wrong", "broken", "unannounced"])
def test_the_second_address_is_asked_when_the_first_fails(server, cache, monkeypatch, first):
    publish(monkeypatch, f"{server.url}/{first}", f"{server.url}/whole")
    assert fetch(PLACE).read_bytes() == CONTENT
    assert server.asked == [f"/{first}", "/whole"]
    assert files_in(cache) == [PLACE]


REASONS = {
    "missing": "404 Client Error: Not Found",
    "wrong": f"expected sha256:{SHA256} but got {hashlib.sha256(CONTENT[::-1]).hexdigest()}",
    "broken": "Connection broken: IncompleteRead",
    "unannounced": f"expected sha256:{SHA256} but got {hashlib.sha256(CONTENT[: len(CONTENT) // 2]).hexdigest()}",
}


@pytest.mark.parametrize(("path", "reason"), REASONS.items(), ids=REASONS.keys())
def test_nothing_half_written_stays_and_the_reason_is_told(server, cache, monkeypatch, path, reason):
    publish(monkeypatch, f"{server.url}/{path}")
    with pytest.raises(DownloadFailed, match=rf"file\.gz could not be downloaded:\n  {server.url}/{path}: .*{reason}"):
        fetch(PLACE)
    assert files_in(cache) == []


def test_a_server_that_says_nothing_is_left(server, cache, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.2)
    publish(monkeypatch, f"{server.url}/silent", f"{server.url}/whole")
    start = time.monotonic()
    assert fetch(PLACE).read_bytes() == CONTENT
    assert time.monotonic() - start < 10  # seconds; requests itself would wait for ever, pooch for 30
    assert files_in(cache) == [PLACE]


def test_without_a_network_the_ways_out_are_told(cache, monkeypatch):
    with socket.socket() as taken:  # bound and not listening: who calls here is refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/whole"
        publish(monkeypatch, url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with pytest.raises(DownloadFailed) as caught:
            fetch(PLACE)
    message = str(caught.value)
    assert f"  {url}: " in message
    assert "Connection refused" in message
    assert f"put the file by hand into {cache / 'tests'}" in message
    assert f"set SPECTRAL_LAB_DATA to a folder that holds {PLACE}" in message
    assert 'datasets.load("digits")' in message


def test_a_download_that_is_interrupted_leaves_nothing(server, cache, monkeypatch):
    publish(monkeypatch, f"{server.url}/whole")

    def interrupt(bar, size):
        raise KeyboardInterrupt

    monkeypatch.setattr(downloads._Bar, "update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(PLACE)
    assert files_in(cache) == []


def test_a_local_copy_that_is_another_file_is_named_and_not_replaced(server, cache, monkeypatch):
    publish(monkeypatch, f"{server.url}/whole")
    (cache / PLACE).parent.mkdir(parents=True)
    (cache / PLACE).write_bytes(b"mine")
    found = hashlib.sha256(b"mine").hexdigest()
    with pytest.raises(
        ValueError, match=rf"file\.gz is damaged or another file: its SHA-256 is {found}; wanted {SHA256}\. Delete"
    ):
        fetch(PLACE)
    assert (cache / PLACE).read_bytes() == b"mine"
    assert server.asked == []


def test_what_is_not_there_is_not_found(cache):
    assert find("mnist/train-images-idx3-ubyte.gz") is None


def test_a_file_without_a_published_checksum_is_found_as_it_is(cache):
    cache.mkdir()
    (cache / "own.npz").write_bytes(b"?")
    assert find("own.npz") == cache / "own.npz"


@pytest.mark.parametrize("value", ["", None])
def test_without_the_variable_files_lie_in_the_cache_of_this_user(monkeypatch, tmp_path, value):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if value is None:
        monkeypatch.delenv("SPECTRAL_LAB_DATA")
    else:
        monkeypatch.setenv("SPECTRAL_LAB_DATA", value)
    assert folder().name == "spectral_lab" or "spectral_lab" in folder().parts  # Windows adds a folder "Cache"
    assert folder().is_absolute()


def test_a_tilde_in_the_variable_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("SPECTRAL_LAB_DATA", "~/data")
    assert folder() == tmp_path / "data"


def test_the_bar_counts_the_bytes(server, monkeypatch):
    publish(monkeypatch, f"{server.url}/whole")
    seen = []
    close = downloads._Bar.close
    monkeypatch.setattr(
        downloads._Bar, "close", lambda bar: (seen.append((bar.progress.tasks[0].completed, bar.total)), close(bar))
    )
    fetch(PLACE)
    assert seen == [(len(CONTENT), len(CONTENT))]


def test_every_published_file_has_a_checksum_and_a_second_address():
    assert len(FILES) == 12
    for place, published in FILES.items():
        assert len(bytes.fromhex(published.sha256)) == 32
        addresses = 0 if place.endswith(".data") else 2  # the one that is only ever found inside an archive
        assert len(set(published.urls)) == addresses
        assert all(url.startswith(("https://", "http://fashion-mnist.s3-website")) for url in published.urls)
    assert len({published.sha256 for published in FILES.values()}) == 12
