"""Networks with convolutions in files: they come back as they were, and no file makes more than modules of known kinds."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.testing import assert_close

from spectral_lab import SpectralLinear, SpectralNet, compact, load_network, save_network
from spectral_lab.descriptions import build_stack, describe_stack
from spectral_lab.layers import SpectralConv2d

EXACT = {"rtol": 0, "atol": 0}
FEATURES = {
    "plain": lambda: [nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()],
    "spectral": lambda: [
        *(SpectralConv2d.student(2, 4, (3, 1), stride=(1, 2), padding=(1, 0), groups=2, bias=False), nn.ELU()),
        *(
            SpectralConv2d(4, 4, 3, padding="same", padding_mode="circular", train_eigenvectors=False),
            nn.AvgPool2d((2, 1), divisor_override=3),
        ),
        *(nn.BatchNorm2d(4, eps=1e-3, momentum=None, affine=False), nn.Flatten()),
    ],
    "bare": lambda: [
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4, track_running_stats=False),
        nn.AdaptiveAvgPool2d((2, 2)),
        nn.Flatten(),
    ],
}
HEADS = {
    "linear": lambda: [nn.Linear(64, 3), nn.LogSoftmax(1)],
    "spectral": lambda: [SpectralLinear.s_svd(64, 5), nn.Tanh(), nn.Linear(5, 3)],
    "sparcs": lambda: [SpectralNet([64, 6, 3], train_input_eigenvalues=False, activation=torch.tanh)],
    "compacted": lambda: [compact(SpectralNet([64, 6, 3])).network],
}


def make(features, head):
    """A model for images of 8 × 8; the head fits whatever the features are."""
    model = nn.Sequential(*FEATURES[features]())
    n = model(torch.rand(2, 2, 8, 8)).shape[1]
    assert n == (64 if features != "bare" else 16)
    fit = [] if n == 64 else [nn.Linear(n, 64)]
    return nn.Sequential(*model, *fit, *HEADS[head]()).requires_grad_()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("features", FEATURES)
def test_a_network_for_images_comes_back_as_it_was(tmp_path, features, head):
    model = make(features, head).eval()
    model[0].requires_grad_(False)
    save_network(model, tmp_path / "network")
    again, x = load_network(tmp_path / "network"), torch.rand(3, 2, 8, 8)
    assert repr(again) == repr(model)
    assert describe_stack(again) == describe_stack(model)
    assert_close(dict(again.state_dict()), dict(model.state_dict()), **EXACT)
    assert_close(again(x), model(x), **EXACT)
    assert not again.training
    trained = [{name for name, p in m.named_parameters() if p.requires_grad} for m in (model, again)]
    if head != "compacted":  # a compacted head is trained or frozen as a whole
        assert trained[0] == trained[1]


def test_it_comes_back_in_the_mode_and_the_float_type_it_had(tmp_path):
    model = make("plain", "sparcs").double().train()
    save_network(model, tmp_path / "network")
    again = load_network(tmp_path / "network")
    assert again.training
    assert {p.dtype for p in again.parameters()} == {torch.float64}
    assert again[1].num_batches_tracked == model[1].num_batches_tracked == 1


def test_building_draws_no_numbers_and_allocates_none():
    description, before = describe_stack(make("spectral", "sparcs")), torch.get_rng_state()
    model = build_stack(json.loads(json.dumps(description)))
    assert {t.device.type for t in (*model.parameters(), *model.buffers())} == {"meta"}
    assert_close(torch.get_rng_state(), before, **EXACT)


def test_modules_that_no_file_can_hold_are_refused(tmp_path):
    with pytest.raises(
        TypeError, match=r"model\[1\] is a GroupNorm, which no file can hold; wanted one of \['AdaptiveAvgPool2d'"
    ):
        save_network(nn.Sequential(nn.Conv2d(1, 2, 3), nn.GroupNorm(1, 2)), tmp_path / "network")
    with pytest.raises(ValueError, match="no name to store"):
        save_network(nn.Sequential(nn.Flatten(), SpectralNet([4, 2], activation=torch.sin)), tmp_path / "network")
    assert list(tmp_path.iterdir()) == []


WRONG_FILES = {
    "another width": lambda modules: modules[0].update(out_channels=10**6),
    "another filter": lambda modules: modules[0].update(kernel_size=[5, 5]),
    "a class of another library": lambda modules: modules[2].update(kind="os.system"),
    "an unknown option": lambda modules: modules[3].update(command="rm"),
    "an unknown dtype": lambda modules: modules[1].update(dtype="int8"),
    "another head": lambda modules: modules[-1]["config"].update(sizes=[64, 7, 3]),
    "an unknown activation": lambda modules: modules[-1]["config"].update(activation="sin"),
}


@pytest.mark.parametrize("change", WRONG_FILES)
def test_a_file_that_does_not_fit_is_refused(tmp_path, change):
    path = tmp_path / "network"
    save_network(make("plain", "sparcs"), path)
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["network"])
    WRONG_FILES[change](about["config"]["modules"])
    save_file(load_file(path), path, metadata={"network": json.dumps(about)})
    with pytest.raises(ValueError, match="does not fit"):
        load_network(path)
