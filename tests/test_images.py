"""Folders of image files and .npz files as data sets, and what is said of those that are bad."""

import random
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features
from torch.testing import assert_close

from spectral_lab import datasets, imagefiles
from spectral_lab.imagefiles import opened, read_image
from spectral_lab.images import PARTS, load_images

H, W = 6, 8
RED, GREY = (200, 30, 40), 90


def paint(path, colour=RED, size=(H, W), mode="RGB", **options):
    """A file with an image of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size[::-1], colour).save(path, **options)
    return path


def noise(path, seed, size=(H, W)):
    """A file with an image of random bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def folder_of(path, n=10, classes=("cat", "dog")):
    """Two classes of n images; the k-th image of class c is of the grey 10 k + c."""
    for c, name in enumerate(classes):
        for k in range(n):
            paint(path / name / f"{k}.png", 10 * k + c, mode="L")
    return path


def rows(data):
    """(x, y) of all parts, one after the other."""
    parts = ("train", "validation", "test")
    return tuple(torch.cat([getattr(data, f"{axis}_{part}") for part in parts]) for axis in "xy")


# ---------------------------------------------------------------- folders


def test_a_folder_gives_each_image_once_with_the_class_of_its_folder(tmp_path):
    data = load_images(folder_of(tmp_path / "pets"), validation=0.25)
    assert (data.name, data.classes, data.whole) == ("pets", ("cat", "dog"), True)
    assert [len(getattr(data, part)) for part in PARTS] == [12, 4, 4]
    x, y = rows(data)
    assert (x.shape, x.dtype, y.dtype) == ((20, 1, H, W), torch.float32, torch.int64)
    bytes_ = (x * 255).round().long()
    assert torch.equal(bytes_.amin((1, 2, 3)), bytes_.amax((1, 2, 3)))
    assert sorted(bytes_[:, 0, 0, 0].tolist()) == sorted(10 * k + c for k in range(10) for c in (0, 1))
    assert torch.equal(bytes_[:, 0, 0, 0] % 10, y)


def test_train_and_test_above_the_classes_are_kept_apart_and_the_test_part_in_the_order_of_the_names(tmp_path):
    folder_of(tmp_path / "train", 8)
    folder_of(tmp_path / "test", 3)
    data = load_images(tmp_path, validation=0)
    assert [len(getattr(data, part)) for part in PARTS] == [16, 0, 6]
    assert (data.x_test[:, 0, 0, 0] * 255).round().tolist() == [0, 10, 20, 1, 11, 21]
    assert data.y_test.tolist() == [0, 0, 0, 1, 1, 1]


def test_the_test_part_may_lack_a_class(tmp_path):
    folder_of(tmp_path / "train", 8)
    folder_of(tmp_path / "test", 3, classes=("dog",))
    data = load_images(tmp_path)
    assert (data.classes, data.y_test.tolist()) == (("cat", "dog"), [1, 1, 1])


def test_pixels_and_channels_stand_where_they_stood(tmp_path):
    pixels = [noise(tmp_path / name / f"{k}.png", seed=10 * c + k) for c, name in enumerate("ab") for k in range(3)]
    x, _ = rows(load_images(tmp_path, validation=0))
    wanted = torch.stack([torch.from_numpy(p).permute(2, 0, 1) for p in pixels]).float() / 255
    order, order_wanted = x[:, 0, 0, 0].argsort(), wanted[:, 0, 0, 0].argsort()
    assert_close(x[order], wanted[order_wanted])


def test_the_same_seed_gives_the_same_data_whatever_the_order_on_the_disk(tmp_path, monkeypatch):
    folder_of(tmp_path)
    first = load_images(tmp_path, seed=3)
    backwards = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: reversed(list(backwards(path))))
    again, other = load_images(tmp_path, seed=3), load_images(tmp_path, seed=4)
    assert_close(rows(first), rows(again), rtol=0, atol=0)
    assert not torch.equal(rows(first)[0], rows(other)[0])


def test_no_global_seed_is_touched(tmp_path):
    def state():
        return torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()

    import rich.progress  # noqa: F401 - draws a random number when it is imported

    before = state()
    load_images(folder_of(tmp_path))
    assert state() == before


def test_under_a_limit_only_wanted_files_are_read(tmp_path, monkeypatch):
    folder_of(tmp_path, 20)
    read = []
    monkeypatch.setattr(imagefiles, "read_image", lambda *args: read.append(args[0]) or read_image(*args))
    data = load_images(tmp_path, limit=4, validation=0.1)
    assert [len(getattr(data, part)) for part in PARTS] == [4, 3, 4]
    assert data.y_train.bincount().tolist() == [2, 2]
    assert len(read) == 1 + 4 + 3 + 4  # the first one for its size
    assert "limited to" in data.note


def test_flat_images_are_rows(tmp_path):
    folder_of(tmp_path)
    square, flat = load_images(tmp_path), load_images(tmp_path, flat=True)
    assert_close(square.x_train.flatten(1), flat.x_train, rtol=0, atol=0)
    assert flat.x_validation.shape[1:] == (H * W,)


def test_what_the_system_leaves_in_folders_is_passed_over(tmp_path):
    folder_of(tmp_path)
    for litter in (".DS_Store", "cat/.DS_Store", "cat/Thumbs.db", "dog/desktop.ini", "dog/._1.png"):
        (tmp_path / litter).write_bytes(b"litter")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / "cat" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "README.txt").write_text("beside the classes, anything but images may lie")
    (tmp_path / "about.pdf").write_bytes(b"%PDF: Pillow writes such files, but reads none")
    assert len(rows(load_images(tmp_path))[0]) == 20


def test_many_files_show_their_progress_on_the_error_stream(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(imagefiles, "SHOWN", 1)
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    load_images(folder_of(tmp_path))
    shown = capsys.readouterr()
    assert "images" in shown.err
    assert shown.out == ""


# ---------------------------------------------------------------- size and mode


def test_images_of_different_sizes_get_the_one_that_is_asked_for(tmp_path):
    folder_of(tmp_path)
    paint(tmp_path / "cat" / "large.png", GREY, size=(30, 50), mode="L")
    data = load_images(tmp_path, size=[3, 5], mode="grey")
    x, _ = rows(data)
    assert x.shape == (21, 1, 3, 5)
    assert sorted((x[:, 0, 0, 0] * 255).round().tolist()) == sorted([GREY, *(10 * k + c for k in range(10) for c in (0, 1))])


def test_a_smaller_image_is_the_mean_over_its_pixels(tmp_path):
    path = tmp_path / "half.png"
    Image.fromarray(np.repeat(np.uint8([[0, 200]]), 4, axis=1).repeat(4, axis=0)).save(path)
    assert abs(int(read_image(path, "grey", (1, 1))[0, 0]) - 100) <= 1
    assert read_image(path, "grey", (1, 2)).max() > 150


@pytest.mark.parametrize(("mode", "channels"), [(None, 3), ("RGB", 3), ("grey", 1)])
def test_one_coloured_image_makes_all_coloured_unless_grey_is_asked_for(tmp_path, mode, channels):
    folder_of(tmp_path)
    paint(tmp_path / "cat" / "red.png", RED)
    x, _ = rows(load_images(tmp_path, mode=mode))
    assert x.shape[1] == channels
    luma = round(0.299 * RED[0] + 0.587 * RED[1] + 0.114 * RED[2])
    found = {tuple(v) for v in (x[:, :, 0, 0] * 255).round().int().tolist()}
    assert (RED if channels == 3 else (luma,)) in found
    assert ((50,) * channels) in found


def test_transparent_pixels_show_white_and_hidden_colours_do_not(tmp_path):
    clear = paint(tmp_path / "clear.png", (*RED, 0), mode="RGBA")
    half = paint(tmp_path / "half.png", (0, 0, 0, 128), mode="RGBA")
    grey = paint(tmp_path / "grey.png", (0, 0), mode="LA")
    assert read_image(clear, "RGB", None).min() == 255
    assert abs(int(read_image(half, "RGB", None).max()) - 127) <= 1
    assert read_image(grey, "grey", None).min() == 255


def test_colours_of_a_palette_are_colours_and_its_transparent_one_is_white(tmp_path):
    picture = Image.new("P", (W, H), 1)
    picture.putpalette([0, 0, 255, *RED])
    picture.putpixel((0, 0), 0)
    picture.save(tmp_path / "plain.png")
    picture.save(tmp_path / "clear.png", transparency=0)
    assert read_image(tmp_path / "plain.png", "RGB", None)[0, :2].tolist() == [[0, 0, 255], list(RED)]
    assert read_image(tmp_path / "clear.png", "RGB", None)[0, :2].tolist() == [[255, 255, 255], list(RED)]


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_a_photo_stands_upright(tmp_path, ending):
    picture = Image.new("RGB", (16, 8), "black")
    picture.paste((255, 255, 255), (0, 0, 8, 8))  # white on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: what is on the left comes to the top
    picture.save(tmp_path / f"photo.{ending}", exif=exif)
    pixels = read_image(tmp_path / f"photo.{ending}", "grey", None)
    assert pixels.shape == (16, 8)
    assert pixels[:7].min() > 200
    assert pixels[9:].max() < 50


def test_of_an_animation_the_first_picture_is_taken(tmp_path):
    first, second = Image.new("RGB", (W, H), RED), Image.new("RGB", (W, H), "blue")
    first.save(tmp_path / "moving.gif", save_all=True, append_images=[second])
    assert read_image(tmp_path / "moving.gif", "RGB", None)[0, 0].tolist() == list(RED)


# ---------------------------------------------------------------- bad folders


def damaged(path, cut=0.5):
    """A file that ends in the middle."""
    noise(path, 0, size=(40, 40))
    path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])


def bomb(path, side=20_000):
    """A PNG of a few bytes whose head states an enormous size."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


def sixteen_bits(path):
    Image.fromarray(np.full((H, W), 40_000, np.uint16)).save(path)


BAD = {
    "another size": (
        lambda p: paint(p / "dog/odd.png", GREY, (H + 1, W), "L"),
        r"odd\.png is 7 × 8 .*0\.png, is 6 × 8; .*size=",
    ),
    "a turned size": (lambda p: paint(p / "dog/odd.png", GREY, (W, H), "L"), r"odd\.png is 8 × 6 \(height × width\)"),
    "16 bits": (lambda p: sixteen_bits(p / "dog/deep.png"), r"deep\.png .* its mode is I;16, and 8 bits a channel are wanted"),
    "floats": (lambda p: paint(p / "dog/deep.tif", 0.5, mode="F"), r"deep\.tif .* its mode is F, and 8 bits"),
    "cut in the middle": (lambda p: damaged(p / "cat/half.png"), r"half\.png is damaged or not fit"),
    "cut in the head": (lambda p: damaged(p / "cat/half.png", 0.01), r"half\.png is (damaged|no image)"),
    "nothing inside": (lambda p: (p / "cat/none.png").write_bytes(b""), r"none\.png is no image that Pillow can read"),
    "words": (lambda p: (p / "cat/labels.csv").write_text("a,b"), r"labels\.csv is no image that Pillow can read; take it out"),
    "too many pixels": (lambda p: bomb(p / "cat/bomb.png"), r"bomb\.png is too large: Image size \(400000000 pixels\)"),
    "rather many pixels": (
        lambda p: bomb(p / "cat/bomb.png", 10_000),
        r"bomb\.png is too large: Image size \(100000000 pixels\)",
    ),
    "a class without images": (lambda p: (p / "owl").mkdir(), r"owl is a class without images; put some in, or take"),
    "a class with litter only": (lambda p: paint(p / "owl/.a.png"), r"owl is a class without images"),
    "a link to nothing": (
        lambda p: (p / "cat/link.png").symlink_to(p / "away.png"),
        r"cat/link\.png is a link to .*away\.png, where nothing is; mend it, or take it away",
    ),
    "a class that is a link to nothing": (lambda p: (p / "owl").symlink_to(p / "away"), r"owl is a link to .*away, where"),
    "folders in a class": (lambda p: paint(p / "cat/more/1.png"), r"cat has the sub-folder more; wanted images only"),
    "parts of another name": (
        lambda p: paint(p / "Testing/cat/1.png"),
        r"Testing has the sub-folder cat; wanted images only\. .*; parts are called train and test",
    ),
    "images beside the classes": (lambda p: paint(p / "loose.JPG"), r"loose\.JPG is in no class; wanted one sub-folder of"),
    "train without test": (lambda p: paint(p / "train/cat/1.png"), r"sub-folders cat, dog, train; wanted train and test"),
}


@pytest.mark.parametrize(("spoil", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path, spoil, message):
    folder_of(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ValueError, match=message):
        load_images(tmp_path)


def test_an_empty_folder_a_single_class_and_a_missing_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match="has no sub-folders; wanted one for each class"):
        load_images(tmp_path)
    paint(tmp_path / "cat" / "1.png")
    with pytest.raises(ValueError, match="has one class, 'cat'; wanted one sub-folder for each of at least 2 classes"):
        load_images(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nowhere is not there; wanted a folder with one .* or an \.npz"):
        load_images(tmp_path / "nowhere")


def test_a_class_that_is_tested_but_not_taught_is_refused(tmp_path):
    folder_of(tmp_path / "train", 8)
    folder_of(tmp_path / "test", 3, classes=("dog", "owl"))
    with pytest.raises(ValueError, match=r"test/owl is a class without training images; .*train has cat, dog"):
        load_images(tmp_path)


def test_a_class_whose_only_image_is_tested_is_named(tmp_path):
    folder_of(tmp_path, 9)
    paint(tmp_path / "owl" / "only.png", GREY, mode="L")
    said = set()
    for seed in range(10):
        try:
            data = load_images(tmp_path, seed=seed, validation=0)
        except ValueError as error:
            said.add(str(error).partition(": ")[2].partition(";")[0])
        else:
            said.add(f"{(data.y_train == 2).sum()} of it in the training part")
    assert said == {"1 of it in the training part", "the test part has images of 'owl', a class without training images"}


def test_more_images_than_there_is_memory_for_are_refused_before_they_are_read(tmp_path, monkeypatch):
    folder_of(tmp_path)
    need = 20 * H * W * imagefiles.BYTES
    free = {"bytes": need - 1}
    monkeypatch.setattr(imagefiles.psutil, "virtual_memory", lambda: type("Memory", (), {"available": free["bytes"]}))
    monkeypatch.setattr(imagefiles.Pictures, "__array__", lambda *args: pytest.fail("it was read"))
    with pytest.raises(MemoryError, match=r"20 images of 6 × 8 in .* need about .* GiB; .*Give a smaller size="):
        load_images(tmp_path)
    monkeypatch.undo()
    free["bytes"] = need
    monkeypatch.setattr(imagefiles.psutil, "virtual_memory", lambda: type("Memory", (), {"available": free["bytes"]}))
    load_images(tmp_path)
    free["bytes"] = need // 2
    load_images(tmp_path, limit=3)


def test_arrays_that_would_not_fit_when_they_are_stretched_are_refused(tmp_path):
    with pytest.raises(MemoryError, match=r"30 images of 100000 × 200000 in .*mine\.npz need .* GiB; .*Give a smaller size="):
        load_images(saved(tmp_path / "mine.npz"), size=(100_000, 200_000))


def test_what_no_file_may_do_is_raised_as_it_is(tmp_path):
    """An error in our own code must not be told as damage of the user's file."""
    with pytest.raises(ZeroDivisionError), opened(paint(tmp_path / "1.png")):
        raise ZeroDivisionError


@given(place=st.integers(8, 2000), value=st.integers(0, 255), kind=st.sampled_from(["png", "jpg", "gif", "bmp", "tif", "webp"]))
def test_a_file_with_one_wrong_byte_is_read_or_named(tmp_path_factory, place, value, kind):
    path = tmp_path_factory.mktemp("bytes") / f"one.{kind}"
    noise(path, 1, size=(20, 20))
    content = bytearray(path.read_bytes())
    content[place % len(content)] = value
    path.write_bytes(content)
    said = path.name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow passes over odd tags of a TIFF
        try:
            read_image(path, "RGB", (20, 20))
        except ValueError as error:
            said = str(error)
    assert path.name in said


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_an_avif_with_one_wrong_byte_in_its_head_is_read_or_named(tmp_path):
    path = tmp_path / "one.avif"  # its decoder has errors of its own kind
    noise(path, 1, size=(20, 20))
    whole = path.read_bytes()
    for place in range(8, 300):
        path.write_bytes(whole[:place] + b"\0" + whole[place + 1 :])
        said = path.name
        try:
            read_image(path, "RGB", (20, 20))
        except ValueError as error:
            said = str(error)
        assert path.name in said


# ---------------------------------------------------------------- options


OPTIONS = {
    "mode": ({"mode": "L"}, "mode = 'L'; wanted 'grey', 'RGB', or None"),
    "one number": ({"size": 32}, r"size = 32; wanted \(height, width\) in pixels"),
    "three numbers": ({"size": (3, 32, 32)}, r"size = \(3, 32, 32\); wanted"),
    "no pixels": ({"size": (0, 32)}, r"size = \(0, 32\); wanted"),
    "words": ({"size": "32"}, "size = '32'; wanted"),
    "a share": ({"size": (0.5, 2)}, "wanted \\(height, width\\)"),
    "validation": ({"validation": 1.0}, "validation = 1.0; wanted a share"),
    "limit": ({"limit": 0}, "limit = 0; wanted a whole number"),
}


@pytest.mark.parametrize(("options", "message"), OPTIONS.values(), ids=OPTIONS.keys())
def test_options_are_checked_before_anything_is_read(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        load_images(tmp_path / "nowhere", **options)


def test_load_says_where_folders_are_read(tmp_path):
    for path in (tmp_path, str(tmp_path)):
        with pytest.raises(ValueError, match=r"is a folder; a folder of images is read by spectral_lab\.images\.load_images"):
            datasets.load(path)


# ---------------------------------------------------------------- .npz


N = 30
Y = np.array(["cat", "dog", "owl"])[np.arange(N) % 3]
BYTES = np.random.default_rng(0).integers(0, 256, (N, H, W, 3), np.uint8)


def saved(path, x=BYTES, y=Y, **more):
    np.savez(path, **({"x": x, "y": y} | more))
    return path


@pytest.mark.parametrize("form", ["bytes", "floats"])
def test_the_images_of_an_npz_file_are_those_of_a_folder(tmp_path, form):
    x = BYTES if form == "bytes" else (BYTES / 255).astype(np.float32)
    data = load_images(saved(tmp_path / "mine.npz", x), seed=2)
    for k, (pixels, name) in enumerate(zip(BYTES, Y, strict=True)):
        (tmp_path / "mine" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "mine" / name / f"{k:02}.png")
    from_folder = load_images(tmp_path / "mine", seed=2)
    assert (data.name, data.classes) == (from_folder.name, from_folder.classes) == ("mine", ("cat", "dog", "owl"))
    (x, y), (x_folder, y_folder) = rows(data), rows(from_folder)
    order, order_folder = x[:, 0].flatten(1).sum(1).argsort(), x_folder[:, 0].flatten(1).sum(1).argsort()
    assert_close((x[order], y[order]), (x_folder[order_folder], y_folder[order_folder]))


def test_arrays_are_stretched_and_made_grey_as_files_are(tmp_path):
    noise(tmp_path / "one.png", 5, size=(12, 16))
    pixels = np.asarray(Image.open(tmp_path / "one.png"))
    data = load_images(saved(tmp_path / "mine.npz", np.stack([pixels] * N)), size=(5, 4), mode="grey")
    wanted = torch.from_numpy(read_image(tmp_path / "one.png", "grey", (5, 4)).copy()).float()
    assert data.x_train.shape[1:] == (1, 5, 4)
    assert_close(data.x_train[0, 0] * 255, wanted, rtol=0, atol=2.0)  # Pillow rounds to bytes on its way


def test_grey_arrays_become_rgb_and_transparent_ones_white(tmp_path):
    grey = load_images(saved(tmp_path / "grey.npz", BYTES[..., 0]), mode="RGB")
    assert grey.x_train.shape[1:] == (3, H, W)
    assert torch.equal(grey.x_train[:, 0], grey.x_train[:, 2])
    clear = load_images(saved(tmp_path / "clear.npz", np.concatenate([BYTES, np.zeros((N, H, W, 1), np.uint8)], 3)))
    assert clear.x_train.shape[1:] == (3, H, W)
    assert float(clear.x_train.min()) == 1


def test_classes_in_bytes_have_the_names_of_those_in_words(tmp_path):
    words = np.array(["cat", "dög", "owl"])[np.arange(N) % 3]
    for y in (words, np.char.encode(words, "utf-8")):
        assert load_images(saved(tmp_path / "mine.npz", y=y)).classes == ("cat", "dög", "owl")


def test_more_than_twenty_classes_are_classes(tmp_path):
    data = load_images(saved(tmp_path / "many.npz", np.concatenate([BYTES] * 10), np.arange(10 * N) % 25))
    assert len(data.classes) == 25


def with_value(value):
    x = BYTES / 255
    x[7, 0, 0, 0] = value
    return x


BAD_ARRAYS = {
    "NaN": (with_value(np.nan), r"mine\.npz: x holds nan in row 7"),
    "infinity": (with_value(np.inf), r"mine\.npz: x holds inf in row 7"),
    "16 bits": (
        BYTES.astype(np.uint16) * 257,
        r"of mine\.npz has values from \d+ to 65535; wanted bytes \(uint8\), or numbers in",
    ),
    "bytes as floats": (
        BYTES.astype(np.float32),
        r"of mine\.npz has values from 0 to 255; .*divide whole numbers by the largest",
    ),
    "below 0": (BYTES / 255 - 0.5, r"of mine\.npz has values from -0\.5 to 0\.5"),
    "a table": (BYTES.reshape(N, -1), r"mine\.npz has rows of shape \(144,\); wanted images \(n, h, w\) or"),
    "words": (np.full((N, H, W), "a"), r"mine\.npz: x must hold numbers"),
    "no channels": (np.zeros((N, 5, H, W)), r"mine\.npz: x has shape \(30, 5, 6, 8\); wanted images"),
    "five axes": (np.zeros((N, 2, H, W, 3)), r"mine\.npz: x has shape"),
}


@pytest.mark.parametrize(("x", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_arrays_that_are_no_images_are_refused_with_the_name_of_the_file(tmp_path, x, message):
    with pytest.raises(ValueError, match=message):
        load_images(saved(tmp_path / "mine.npz", x))


def test_bytes_that_mean_nought_and_one_are_refused_and_truth_values_are_images(tmp_path):
    marks = BYTES[..., 0] > 128
    with pytest.raises(ValueError, match=r"mine\.npz: no value of the training images is above 1 of 255; .*multiply .* by 255"):
        load_images(saved(tmp_path / "mine.npz", marks.astype(np.uint8)))
    for k, pixels in enumerate(marks):
        (tmp_path / "marks" / str(k % 2)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "marks" / str(k % 2) / f"{k}.png")
    with pytest.raises(ValueError, match=r"marks: no value of the training images is above 1 of 255"):
        load_images(tmp_path / "marks")
    for whole in (marks, marks.astype(np.float32), marks.astype(np.uint8) * 2):
        load_images(saved(tmp_path / "mine.npz", whole))


def test_a_bad_test_part_is_named(tmp_path):
    arrays = {"x_train": BYTES, "y_train": Y, "x_test": BYTES * 1.0, "y_test": Y}
    with pytest.raises(ValueError, match=r"x_test of mine\.npz has values from 0 to 255"):
        load_images(saved(tmp_path / "mine.npz", **arrays))
    arrays |= {"x_test": BYTES, "y_test": np.where(Y == "owl", "emu", Y)}
    with pytest.raises(ValueError, match=r"mine\.npz: the test part has images of 'emu', a class without training images"):
        load_images(saved(tmp_path / "mine.npz", **arrays))


def test_another_file_is_refused_and_no_code_in_it_is_run(tmp_path):
    with pytest.raises(ValueError, match=r"1\.png is damaged or no \.npz file"):
        load_images(paint(tmp_path / "1.png"))
    with pytest.raises(ValueError, match=r"mine\.npz cannot be read: Object arrays cannot be loaded"):
        load_images(saved(tmp_path / "mine.npz", np.array([None] * N)))
