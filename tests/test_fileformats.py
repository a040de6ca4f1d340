"""The readers against bytes that are put together here; what is damaged is named, and no code in a file runs."""

import gzip
import pickle

import numpy as np
import pytest
from datafiles import cifar_bytes, idx_bytes, images, labels, write_archive, write_idx
from hypothesis import given
from hypothesis import strategies as st

from spectral_lab.fileformats import cifar_records, read_archive, read_idx, read_npz, read_table


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (self.path.touch, ())


@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_an_idx_file_gives_the_array_that_was_written(tmp_path_factory, shape):
    array = images(1, tuple(shape))[0]
    path = tmp_path_factory.mktemp("idx") / "file.gz"
    write_idx(path, array)
    np.testing.assert_array_equal(read_idx(path), array, strict=True)


GOOD = idx_bytes(images(3, (2, 2)))
DAMAGED_IDX = {
    "a wrong magic number": (b"\0\0\x0d\x03" + GOOD[4:], "begins with 00000d03; an idx file of bytes with 00000801 to 04"),
    "no axes": (b"\0\0\x08\x00" + GOOD[4:], "begins with 00000800"),
    "nothing": (b"", "begins with nothing"),
    "half a head": (GOOD[:9], r"states the shape \(3, 0\); wanted 3 lengths"),
    "too few values": (GOOD[:-1], r"states the shape \(3, 2, 2\), 12 values; found only 11"),
    "too many values": (GOOD + b"\0", r"states the shape \(3, 2, 2\), 12 values; found more"),
    "a length of 0": (b"\0\0\x08\x01" + bytes(4), r"states the shape \(0,\); wanted 1 lengths and 1 to"),
    "a product that overflows 64 bits": (
        b"\0\0\x08\x03" + b"\xff" * 12,
        "states the shape .4294967295, 4294967295, 4294967295.",
    ),
}


@pytest.mark.parametrize(("content", "message"), DAMAGED_IDX.values(), ids=DAMAGED_IDX.keys())
def test_a_damaged_idx_file_is_named_with_what_was_found(tmp_path, content, message):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=f"train-images-idx3-ubyte.gz {message}"):
        read_idx(path)


@pytest.mark.parametrize("content", [gzip.compress(GOOD)[:-12], gzip.compress(GOOD)[:15], b"<html>404</html>"])
def test_a_truncated_gzip_file_and_another_file_are_called_damaged(tmp_path, content):
    (tmp_path / "file.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"file\.gz is damaged: "):
        read_idx(tmp_path / "file.gz")


def test_a_flipped_bit_is_noticed(tmp_path):
    content = bytearray(gzip.compress(GOOD))
    content[-6] ^= 1  # of gzip's own checksum
    (tmp_path / "file.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"file\.gz is damaged: CRC check failed"):
        read_idx(tmp_path / "file.gz")


@pytest.mark.parametrize("reader", [read_idx, lambda path: read_archive(path, ["a"]), read_npz])
def test_a_file_that_is_not_there_is_not_called_damaged(tmp_path, reader):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        reader(tmp_path / "nowhere")


def test_an_archive_gives_the_files_that_are_asked_for_and_unpacks_none(tmp_path):
    write_archive(tmp_path / "a.tar.gz", {"d/one": b"1", "d/two": b"22", "../../outside": b"3"})
    assert read_archive(tmp_path / "a.tar.gz", ["d/two", "d/one"]) == {"d/one": b"1", "d/two": b"22"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_an_archive_that_lacks_a_file_is_named_with_it(tmp_path):
    write_archive(tmp_path / "a.tar.gz", {"d/one": b"1"})
    with pytest.raises(ValueError, match=r"a\.tar\.gz lacks d/three, d/two"):
        read_archive(tmp_path / "a.tar.gz", ["d/one", "d/two", "d/three"])


@pytest.mark.parametrize("keep", [0, 20, 2000])
def test_a_truncated_archive_is_damaged(tmp_path, keep):
    write_archive(tmp_path / "a.tar.gz", {"one": images(1, (5000,)).tobytes()})
    (tmp_path / "a.tar.gz").write_bytes((tmp_path / "a.tar.gz").read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"a\.tar\.gz is damaged: "):
        read_archive(tmp_path / "a.tar.gz", ["one"])


@pytest.mark.parametrize("label_bytes", [1, 2])
def test_a_cifar_record_is_its_labels_and_three_planes_of_bytes(label_bytes):
    x, fine, coarse = images(7, (3, 32, 32)), labels(7), np.full(7, 19, np.uint8)
    content = cifar_bytes(x, *[coarse, fine][-label_bytes:])
    found, y = cifar_records(content, "train.bin", label_bytes)
    np.testing.assert_array_equal(found, x, strict=True)
    np.testing.assert_array_equal(y, fine, strict=True)


@pytest.mark.parametrize("size", [0, 3072, 3074])
def test_half_a_cifar_record_is_refused(size):
    with pytest.raises(ValueError, match=rf"test_batch\.bin has {size} bytes; wanted records of 3073 bytes each"):
        cifar_records(bytes(size), "test_batch.bin", 1)


def test_a_table_is_read_line_by_line():
    np.testing.assert_array_equal(read_table("1,2.5\n-3e2,4\n", "t", 2), [[1, 2.5], [-300, 4]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,2\n3\n", "t has 1 columns in line 2; wanted 2 columns"),
        ("", "t has no line; wanted 2 columns"),
        ("1,2\n3,x\n", "t holds something that is no number: could not convert string to float: 'x'"),
    ],
)
def test_a_damaged_table_is_named_with_the_line(content, message):
    with pytest.raises(ValueError, match=message):
        read_table(content, "t", 2)


def test_an_npz_file_gives_its_arrays_by_name(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3), y=np.ones((2, 2), np.uint8))
    found = read_npz(tmp_path / "a.npz")
    assert list(found) == ["x", "y"]
    np.testing.assert_array_equal(found["x"], np.arange(3), strict=True)


@pytest.mark.parametrize("form", ["an npz file", "a pickle"])
def test_no_code_in_a_file_is_run(tmp_path, form):
    trap = Trap(tmp_path / "code_ran")
    if form == "a pickle":
        (tmp_path / "a.npz").write_bytes(pickle.dumps(trap))
    else:
        np.savez(tmp_path / "a.npz", x=np.array([trap], dtype=object))
    with pytest.raises(ValueError, match=r"a\.npz (cannot be read: Object arrays .* save arrays|is damaged or no \.npz file)"):
        read_npz(tmp_path / "a.npz")
    assert not (tmp_path / "code_ran").exists()


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_a_truncated_npz_file_is_refused(tmp_path, keep):
    np.savez(tmp_path / "a.npz", x=np.arange(100))
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"a\.npz is damaged or no \.npz file; wanted one that numpy\.savez wrote"):
        read_npz(tmp_path / "a.npz")


def test_an_npz_file_with_a_flipped_bit_is_damaged(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(100))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[400] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npz is damaged: Bad CRC-32"):
        read_npz(tmp_path / "a.npz")


# In a zip archive the flags of a file, the kind of its compression, and where the list of the files begins.
HEADS = {"encrypted": (b"PK\1\2", 8, 1), "packed otherwise": (b"PK\1\2", 10, 9), "before its beginning": (b"PK\5\6", 16, 1)}


@pytest.mark.parametrize(("head", "place", "change"), HEADS.values(), ids=HEADS)
def test_an_npz_that_cannot_be_unpacked_is_named(tmp_path, head, place, change):
    path = tmp_path / "odd.npz"
    np.savez(path, x=np.arange(3))
    content = bytearray(path.read_bytes())
    content[content.index(head) + place] += change
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"odd\.npz is damaged"):
        read_npz(path)
