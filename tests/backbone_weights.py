"""torchvision for the tests, also where its compiled operators do not load, and weights as torchvision publishes them."""

from __future__ import annotations

import hashlib
import importlib

import pytest
import torch

DECLARED = []  # kept, since what it declares goes when it does


def torchvision_or_skip():
    """The real torchvision; its classifiers need none of the operators that are compiled for one build of PyTorch only."""
    try:
        return importlib.import_module("torchvision")
    except ModuleNotFoundError:
        pytest.skip("torchvision is not installed: pip install 'spectral-lab[images]'")
    except RuntimeError:  # a build for CUDA beside a PyTorch for the CPU
        DECLARED.append(torch.library.Library("torchvision", "DEF"))
        for name in ("nms", "qnms"):
            DECLARED[0].define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return importlib.import_module("torchvision")


def random_network(torchvision, name, seed):
    """A network of torchvision with random weights, its classifier on, ready to see."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torchvision.models.get_model(name, weights=None).eval()


def publish(monkeypatch, torchvision, name, content, folder, stamp=None):
    """A file that torchvision takes for the published weights of a network, at an address on this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = hashlib.sha256(content).hexdigest()[:8] if stamp is None else stamp
    path = folder / f"{name}-{stamp}.pth"
    path.write_bytes(content)
    entry = torchvision.models.get_model_weights(name).DEFAULT.value
    monkeypatch.setattr(entry, "url", path.as_uri())
    return path
