"""Backbones of torchvision, their weights from a file or the network, and the features that are kept."""

import io
import pickle
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from backbone_weights import publish, random_network, torchvision_or_skip
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.testing import assert_close

from spectral_lab import backbones, featurefiles
from spectral_lab.backbones import CLASSIFIERS, Backbone, extract_features, installed
from spectral_lab.downloads import DownloadFailed

EXACT = {"rtol": 0, "atol": 0}
MEAN, DEVIATION = (torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))  # ImageNet's


def images(n=4, side=32, channels=3, seed=0):
    return torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def torchvision():
    return torchvision_or_skip()


# ---------------------------------------------------------------- what they see

# What comes before the classifier, built from the network's own parts.
TRUNKS = {
    "efficientnet_v2_s": (lambda network: network.features, 1280),
    "mobilenet_v2": (lambda network: network.features, 1280),
    "resnet50": (lambda network: nn.Sequential(*list(network.children())[:-2]), 2048),
}


def test_every_backbone_is_tested():
    assert set(TRUNKS) == set(CLASSIFIERS)


@pytest.mark.parametrize("name", TRUNKS)
def test_features_are_the_means_over_the_picture_of_what_comes_before_the_classifier(torchvision, name):
    trunk, n_features = TRUNKS[name]
    x = images()
    found = extract_features(x, Backbone(name, weights=None, seed=3), cache=None)
    with torch.no_grad():
        expected = trunk(random_network(torchvision, name, 3))((x - MEAN) / DEVIATION).mean((2, 3))
    assert found.shape == (4, n_features)
    assert not found.requires_grad
    assert_close(found / expected.std(), expected / expected.std(), rtol=1e-4, atol=1e-4)  # random ones may be tiny


def test_random_weights_hang_on_their_seed_and_leave_torchs_numbers_alone(torchvision):
    before = torch.get_rng_state()
    first, again, other = (
        extract_features(images(), Backbone("mobilenet_v2", weights=None, seed=seed), cache=None) for seed in (1, 1, 2)
    )
    assert torch.equal(before, torch.get_rng_state())
    assert_close(first, again, **EXACT)
    assert not torch.allclose(first / first.std(), other / first.std(), atol=0.1)


def test_a_loaded_backbone_is_frozen(torchvision):
    assert not Backbone("mobilenet_v2", weights=None).load()(images()).requires_grad


def test_images_are_brought_to_the_size_that_is_asked_for(torchvision):
    x = images(side=20)
    larger = nn.functional.interpolate(x, size=(48, 48), mode="bilinear", antialias=True)
    found = extract_features(x, Backbone("mobilenet_v2", weights=None, size=48), cache=None)
    expected = extract_features(larger.clamp(0, 1), Backbone("mobilenet_v2", weights=None), cache=None)
    assert_close(found / expected.std(), expected / expected.std(), rtol=1e-3, atol=1e-3)


def test_chunks_and_the_caller_s_images_make_no_difference(torchvision):
    x = images(5, channels=1)
    before = x.clone()
    whole, parts = (extract_features(x, Backbone("mobilenet_v2", weights=None), cache=None, chunk=chunk) for chunk in (5, 2))
    assert_close(parts / whole.std(), whole / whole.std(), rtol=1e-4, atol=1e-4)
    coloured = extract_features(x.expand(-1, 3, -1, -1), Backbone("mobilenet_v2", weights=None), cache=None, chunk=5)
    assert_close(coloured, whole, **EXACT)  # grey is three equal channels
    assert_close(x, before, **EXACT)


# ---------------------------------------------------------------- weights


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty folder in which torchvision looks for weights."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def weights_bytes(torchvision, seed=7):
    buffer = io.BytesIO()
    torch.save(random_network(torchvision, "mobilenet_v2", seed).state_dict(), buffer)
    return buffer.getvalue()


def test_published_weights_are_downloaded_verified_and_used_with_their_own_preparation(torchvision, hub, monkeypatch, tmp_path):
    path = publish(monkeypatch, torchvision, "mobilenet_v2", weights_bytes(torchvision), tmp_path / "server")
    assert installed("mobilenet_v2") == []
    x = images(2, side=40)
    found = extract_features(x, Backbone("mobilenet_v2"), cache=None)
    assert (hub / path.name).read_bytes() == path.read_bytes()
    assert installed("mobilenet_v2")[-1] == "DEFAULT"
    large = nn.functional.interpolate(x, size=(232, 232), mode="bilinear", antialias=True)[..., 4:-4, 4:-4]
    with torch.no_grad():
        expected = random_network(torchvision, "mobilenet_v2", 7).features((large - MEAN) / DEVIATION).mean((2, 3))
    assert_close(found / expected.std(), expected / expected.std(), rtol=1e-3, atol=1e-3)


def test_weights_put_by_hand_need_no_network(torchvision, hub, monkeypatch, tmp_path):
    path = publish(monkeypatch, torchvision, "mobilenet_v2", weights_bytes(torchvision), tmp_path / "server")
    hub.mkdir(parents=True)
    path.rename(hub / path.name)
    assert extract_features(images(2), Backbone("mobilenet_v2", size=32), cache=None).shape == (2, 1280)


def test_without_a_network_the_address_the_folder_and_random_weights_are_named(torchvision, hub, monkeypatch, tmp_path):
    path = publish(monkeypatch, torchvision, "mobilenet_v2", b"", tmp_path / "server")
    path.unlink()
    with pytest.raises(DownloadFailed) as caught:
        extract_features(images(2), Backbone("mobilenet_v2"), cache=None)
    for word in (path.as_uri(), str(hub), "weights=None", "TORCH_HOME"):
        assert word in str(caught.value)


def test_another_file_at_the_address_is_refused_and_not_kept(torchvision, hub, monkeypatch, tmp_path):
    publish(monkeypatch, torchvision, "mobilenet_v2", weights_bytes(torchvision), tmp_path / "server", stamp="01234567")
    with pytest.raises(DownloadFailed, match=r'invalid hash value.*expected "01234567"'):
        extract_features(images(2), Backbone("mobilenet_v2"), cache=None)
    assert list(hub.iterdir()) == []


def test_a_damaged_file_of_weights_is_refused(torchvision, hub, monkeypatch, tmp_path):
    path = publish(monkeypatch, torchvision, "mobilenet_v2", weights_bytes(torchvision), tmp_path / "server")
    hub.mkdir(parents=True)
    (hub / path.name).write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"{path.name} is damaged or another file: its SHA-256 is .*Delete it, and it is down"):
        extract_features(images(2), Backbone("mobilenet_v2"), cache=None)


class Evil:
    """Unpickling this raises an assertion: code in a file has run."""

    def __reduce__(self):
        return pytest.fail, ("code in a file has run",)


def test_no_code_in_a_file_of_weights_is_run(torchvision, hub, monkeypatch, tmp_path):
    buffer = io.BytesIO()
    torch.save({"features": Evil()}, buffer)
    publish(monkeypatch, torchvision, "mobilenet_v2", buffer.getvalue(), tmp_path / "server")
    with pytest.raises(pickle.UnpicklingError):
        extract_features(images(2), Backbone("mobilenet_v2"), cache=None)


def test_the_list_of_weights_is_torchvisions(torchvision):
    assert Backbone("resnet50", "IMAGENET1K_V1").identity()["weights"] == "resnet50-0676ba61.pth"
    assert Backbone("efficientnet_v2_s").identity() == {
        "name": "efficientnet_v2_s",
        "weights": "efficientnet_v2_s-dd5fe13b.pth",
        "size": None,
    }
    with pytest.raises(
        ValueError, match="weights = 'V3'; resnet50 has IMAGENET1K_V1, IMAGENET1K_V2, DEFAULT, and None: random"
    ):
        Backbone("resnet50", "V3").identity()


# ---------------------------------------------------------------- torchvision itself


@pytest.mark.parametrize(
    ("raised", "error", "message"),
    [
        (ModuleNotFoundError("No module named 'torchvision'"), ModuleNotFoundError, r"pip install 'spectral-lab\[images\]'"),
        (
            RuntimeError("operator torchvision::nms does not exist"),
            ImportError,
            r"built for another PyTorch than .*operator torchvision::nms does not exist.* pip install .*--index-url https://down",
        ),
        (OSError("libcudart.so.13: cannot open"), ImportError, "built for another PyTorch than .*libcudart"),
    ],
)
def test_a_torchvision_that_is_missing_or_does_not_fit_is_told_with_the_cure(monkeypatch, raised, error, message):
    def refuse(name):
        raise raised

    monkeypatch.setattr(backbones, "import_module", refuse)
    with pytest.raises(error, match=message) as caught:
        extract_features(images(), Backbone("resnet50", weights=None), cache=None)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("version", "cuda", "index"),
    [("2.13.0+cpu", None, "cpu"), ("2.13.0+cu130", "13.0", "cu130"), ("2.13.0", "13.0", "cu130"), ("2.13.0", None, "cpu")],
)
def test_the_cure_is_for_the_build_of_pytorch_that_is_here(monkeypatch, version, cuda, index):
    def refuse(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(backbones, "import_module", refuse)
    monkeypatch.setattr(backbones.torch, "__version__", version)
    monkeypatch.setattr(backbones.torch.version, "cuda", cuda)
    cure = f"pip install torchvision torch==2.13.0 --index-url https://download.pytorch.org/whl/{index}"
    with pytest.raises(ImportError, match=f"pip uninstall torchvision, .*{cure}$"):
        Backbone("resnet50").published()


# ---------------------------------------------------------------- what is kept


class Eye(Backbone):
    """A backbone that needs no torchvision: the means over the picture; counts how often it is loaded."""

    loaded = 0

    def identity(self):
        return {"name": self.name, "seed": self.seed}

    def load(self, device="cpu"):
        type(self).loaded += 1
        return lambda x: (1 + self.seed) * x.mean((2, 3))


@pytest.fixture
def eye():
    Eye.loaded = 0
    return Eye("resnet50", weights=None)


def test_black_and_white_images_of_any_float_type_give_features_in_float32(eye):
    x = images().round()
    assert set(x.unique().tolist()) == {0, 1}
    for dtype in (torch.float16, torch.float32, torch.float64):
        found = extract_features(x.to(dtype), eye, cache=None)
        assert_close(found, x.mean((2, 3)), **EXACT)


def test_a_second_call_reads_the_file_of_the_first(eye, tmp_path):
    first = extract_features(images(), eye, cache=tmp_path)
    again = extract_features(images(), eye, cache=tmp_path)
    assert_close(first, images().mean((2, 3)))
    assert_close(first, again, **EXACT)
    assert Eye.loaded == 1
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]


def test_other_images_and_other_backbones_have_files_of_their_own(eye, tmp_path):
    calls = [
        (images(), eye),
        (images(seed=1), eye),
        (images(3), eye),
        (images().double(), eye),
        (images(), Eye("resnet50", seed=1)),
    ]
    found = [extract_features(x, backbone, cache=tmp_path) for x, backbone in calls]
    assert Eye.loaded == len(list(tmp_path.iterdir())) == len(calls)
    assert not torch.equal(found[0], found[-1])


def test_the_same_bytes_of_another_shape_or_type_are_other_images():
    x = torch.zeros(2, 1, 4, 6)
    others = (x, x.mT, x.view(2, 1, 3, 8), x.view(torch.int32))
    assert len({featurefiles.digest(values) for values in others}) == len(others)


def test_what_was_read_is_no_view_of_the_file(eye, tmp_path):
    first = extract_features(images(), eye, cache=tmp_path)
    again = extract_features(images(), eye, cache=tmp_path)
    (path,) = tmp_path.iterdir()
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert_close(again, first, **EXACT)


def test_images_of_any_float_type_are_kept(eye, tmp_path):
    x = images()
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        found = [extract_features(x.to(dtype), eye, cache=tmp_path) for _ in range(2)]
        assert_close(found[0], x.to(dtype).float().mean((2, 3)))
        assert_close(found[0], found[1], **EXACT)
    assert Eye.loaded == 3


def test_the_order_of_the_images_counts(eye, tmp_path):
    extract_features(images(), eye, cache=tmp_path)
    assert_close(extract_features(images().flip(0), eye, cache=tmp_path), images().flip(0).mean((2, 3)))


def test_the_name_of_the_file_hangs_on_everything_that_the_features_hang_on(torchvision):
    kinds = [
        Backbone("mobilenet_v2"),
        Backbone("mobilenet_v2", "IMAGENET1K_V1"),
        Backbone("mobilenet_v2", size=32),
        Backbone("mobilenet_v2", None),
        Backbone("mobilenet_v2", None, seed=1),
        Backbone("resnet50"),
    ]
    assert len({str(kind.identity()) for kind in kinds}) == len(kinds)
    assert kinds[3].identity()["torchvision"]  # random weights are drawn by its code
    assert Backbone("mobilenet_v2", "DEFAULT").identity() == Backbone("mobilenet_v2", "IMAGENET1K_V2", seed=5).identity()


def test_it_lies_beside_the_data_sets_unless_told_otherwise(eye, tmp_path, monkeypatch):
    monkeypatch.setenv("SPECTRAL_LAB_DATA", str(tmp_path))
    extract_features(images(), eye)
    assert len(list((tmp_path / "features").iterdir())) == 1
    extract_features(images(seed=2), eye, cache=None)
    assert len(list((tmp_path / "features").iterdir())) == 1


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def change_a_number(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def put_others(path, **changed):
    with safe_open(path, "pt") as file:
        metadata, features = file.metadata(), file.get_tensor("features")
    save_file({"features": features}, path, metadata | changed)


SPOILT = {
    "cut": (cut, "is damaged or foreign"),
    "empty": (lambda path: path.write_bytes(b""), "is damaged or foreign"),
    "a number": (change_a_number, "its numbers do not have the checksum that was written with them"),
    "another format": (partial(put_others, format="0"), "is damaged or foreign"),
    "other images": (partial(put_others, **{"made of": "others"}), "it holds others, and .* is wanted"),
    "another tensor": (lambda path: save_file({"weights": torch.ones(4, 3)}, path), "is damaged or foreign"),
    "a pickle": (lambda path: torch.save({"features": torch.ones(4, 3)}, path), "is damaged or foreign"),
}


@pytest.mark.parametrize(("spoil", "message"), SPOILT.values(), ids=SPOILT.keys())
def test_a_damaged_or_foreign_file_is_told_and_replaced(eye, tmp_path, spoil, message):
    first = extract_features(images(), eye, cache=tmp_path)
    (path,) = tmp_path.iterdir()
    spoil(path)
    with pytest.warns(UserWarning, match=message) as said:
        again = extract_features(images(), eye, cache=tmp_path)
    assert str(path) in str(said[0].message)
    assert said[0].filename == __file__
    assert_close(first, again, **EXACT)
    assert_close(extract_features(images(), eye, cache=tmp_path), first, **EXACT)
    assert Eye.loaded == 2


def test_an_interrupted_call_leaves_no_file(eye, tmp_path, monkeypatch):
    def stop(features, name, metadata):
        with open(name, "wb") as file:
            file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(featurefiles, "save_file", stop)
    with pytest.raises(KeyboardInterrupt):
        extract_features(images(), eye, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_features_that_cannot_be_kept_are_given_all_the_same(eye, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.warns(UserWarning, match=r"the features are computed, but could not be kept in .*file"):
        found = extract_features(images(), eye, cache=tmp_path / "file")
    assert_close(found, images().mean((2, 3)))


def test_many_chunks_show_their_progress_on_the_error_stream(eye, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    extract_features(images(12), eye, cache=None, chunk=1)
    shown = capsys.readouterr()
    assert "resnet50" in shown.err
    assert shown.out == ""


# ---------------------------------------------------------------- refusals

REFUSED = {
    "rows": (torch.rand(4, 12), r"found images of shape \(4, 12\) and torch.float32; wanted floats \(n, 1, h, w\) or"),
    "two channels": (torch.rand(4, 2, 8, 8), r"found images of shape \(4, 2, 8, 8\)"),
    "none": (torch.rand(0, 3, 8, 8), r"found images of shape \(0, 3, 8, 8\)"),
    "bytes": (torch.zeros(4, 3, 8, 8, dtype=torch.uint8), r"torch.uint8; wanted floats"),
    "bytes as floats": (
        images() * 255,
        r"found images with values from .* to 25\d.*Divide bytes by 255, and do not standardise",
    ),
    "standardised": (images() - 0.5, "found images with values from -0"),
    "NaN": (images().index_fill(0, torch.tensor([1]), torch.nan), "found images with values from nan"),
}


@pytest.mark.parametrize(("x", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_image_is_refused(eye, x, message):
    with pytest.raises(ValueError, match=message):
        extract_features(x, eye, cache=None)
    assert Eye.loaded == 0


@pytest.mark.parametrize("chunk", [0, 2.5, True])
def test_a_chunk_is_at_least_one_image(eye, chunk):
    with pytest.raises(ValueError, match=f"chunk = {chunk}; wanted a whole number of images, at least 1"):
        extract_features(images(), eye, cache=None, chunk=chunk)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "vgg"}, "name = 'vgg'; wanted one of efficientnet_v2_s, resnet50, mobilenet_v2"),
        ({"name": "resnet50", "size": 0}, "size = 0; wanted pixels, a whole number of at least 1, or None"),
        ({"name": "resnet50", "size": 2.5}, "size = 2.5; wanted pixels"),
    ],
)
def test_a_backbone_that_there_is_not_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Backbone(**options)


def test_what_is_installed_is_told_without_a_download(monkeypatch, tmp_path):
    """With weights of the first kind only, the second, which is the default, is not taken for installed."""
    entries = {kind: SimpleNamespace(url=f"https://nowhere/{kind}-0123abcd.pth") for kind in ("V1", "V2")}
    known = SimpleNamespace(__members__=entries | {"DEFAULT": entries["V2"]})
    monkeypatch.setattr(backbones, "torchvision_models", lambda: SimpleNamespace(get_model_weights=lambda name: known))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    assert installed("resnet50") == []
    (tmp_path / "checkpoints" / "V1-0123abcd.pth").touch()
    assert installed("resnet50") == ["V1"]
    (tmp_path / "checkpoints" / "V2-0123abcd.pth").touch()
    assert installed("resnet50") == ["V1", "V2", "DEFAULT"]
