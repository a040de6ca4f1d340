"""Runs and networks in files: one safetensors file each, with the settings as JSON in its metadata.  No code is ever loaded."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from safetensors.torch import save_file
from torch import Tensor, nn

from spectral_lab.direct import DirectNet
from spectral_lab.files import write_atomically
from spectral_lab.networks import ACTIVATIONS, SpectralNet, activation_name
from spectral_lab.penalties import PENALTIES
from spectral_lab.snapshots import Snapshot, pack
from spectral_lab.stacks import build_stack, describe_stack
from spectral_lab.training import MOMENTS, Loss, Training


def save(run: Training, path: str | os.PathLike[str]) -> None:
    """Write a run to a file, without its data.

    The file appears whole or not at all: it is written under a temporary name and then renamed.

    Raises:
        ValueError: the penalty or the network's activation is a function without a name that a file could hold.
    """
    if not isinstance(run.penalty, str):
        raise ValueError("the penalty is a function, which no file can hold; train with one of " + ", ".join(PENALTIES))
    at = run.snapshot()
    tensors = {f"network.{k}": v.contiguous() for k, v in run.network.state_dict().items()}
    tensors |= {f"adam.{k // 3}.{MOMENTS[k % 3]}": v for k, v in enumerate(run.moments())}
    tensors |= {"generator": at.generator, "order": at.order}
    settings = {
        "format": "spectral_lab run 1",
        "network": run.network.config() if isinstance(run.network, SpectralNet) else None,
        "options": {
            "steps": run.steps,
            "lr": run.lr,
            "batch_size": run.batch_size,
            "rho": run.rho,
            "penalty": run.penalty,
            "penalised": run.penalised,
            "record_every": run.record_every,
            "seed": run.seed,
        },
        "at": {"step": at.step, "epochs": at.epochs, "position": at.position},
    }
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata={"run": json.dumps(settings)}))


def network_bytes(network: nn.Module) -> bytes:
    """A network as the bytes of a safetensors file, its sizes and options as JSON in the file's metadata.

    Raises:
        ValueError: the activation is a function without a name that a file could hold.
        TypeError: no SpectralNet, DirectNet or stack, or a stack with a module that no file can hold.
    """
    about: dict[str, Any] = {"format": "spectral_lab network 1"}
    if isinstance(network, SpectralNet):
        about |= {"kind": "spectral", "config": network.config()}
    elif isinstance(network, DirectNet):
        about |= {"kind": "direct", "config": {"n_layers": network.n_layers, "activation": activation_name(network.activation)}}
    else:
        about |= {"kind": "stack", "config": {"modules": describe_stack(network), "training": network.training}}
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    about["shapes"] = {name: list(tensor.shape) for name, tensor in tensors.items()}
    return to_bytes(tensors, metadata={"network": json.dumps(about)})


def save_network(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write a network to one safetensors file, whole or not at all; see :func:`load_network`.

    Args:
        network: a SpectralNet, a DirectNet or a stack of layers (:mod:`spectral_lab.stacks`).
        path: where to.

    Raises:
        ValueError: the activation is a function without a name that a file could hold.
        TypeError: a network of another kind, or a stack with a module that no file can hold.
    """
    content = network_bytes(network)
    write_atomically(path, lambda temporary: Path(temporary).write_bytes(content))


def load_network(path: str | os.PathLike[str]) -> SpectralNet | DirectNet | nn.Sequential:
    """The network in a file that :func:`save_network` wrote, of the same kind; of a stack, what was frozen is frozen.

    Raises:
        ValueError: the file is damaged or of another kind.
    """
    about, tensors = _read(path, "network", "spectral_lab network 1", "save_network")
    try:
        if about["shapes"] != {name: list(tensor.shape) for name, tensor in tensors.items()}:
            raise ValueError("its tensors are not those that its description names")
        if about["kind"] == "spectral":
            network = SpectralNet.from_config(about["config"])
            network.load_state_dict(tensors)
            return network
        if about["kind"] == "stack":
            return _loaded_stack(about["config"], tensors)
        n_layers, weights = about["config"]["n_layers"], {}
        if not 2 <= n_layers <= 1 + len(tensors):  # every layer but the first has weights
            raise ValueError(f"{n_layers} layers, but only {len(tensors)} tensors")
        for name, W in tensors.items():
            if name.startswith("weights."):
                i, j = map(int, name.removeprefix("weights.").split("_"))
                weights[i, j] = W
        biases = [tensors.get(f"biases.{i}") for i in range(1, n_layers)]
        return DirectNet(weights, biases, ACTIVATIONS[about["config"]["activation"]])
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)} does not fit: {error}") from error


def _loaded_stack(config: dict[str, Any], tensors: dict[str, Tensor]) -> nn.Sequential:
    stack = build_stack(config["modules"])
    wanted = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in stack.state_dict().items()}
    if wanted != {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}:
        raise ValueError("its tensors are not those of the modules that its description names")
    stack.load_state_dict(tensors, assign=True)
    return stack.train(config["training"])


def load(
    path: str | os.PathLike[str], x: Tensor, y: Tensor, *, network: nn.Module | None = None, loss: Loss = nn.functional.mse_loss
) -> Training:
    """Take up a saved run where it stopped; with the same data, the steps that follow are the same to the bit.

    Args:
        path: a file that :func:`save` wrote.
        x, y: the data, which are not in the file.
        network: where to load the weights; None builds the stored SpectralNet.
        loss: the data loss, which is not in the file.

    Raises:
        ValueError: the file is damaged, of another kind, or does not fit the network or the data.
    """
    settings, tensors = _read(path, "run", "spectral_lab run 1", "save")
    try:
        if network is None:
            if settings["network"] is None:
                raise ValueError("the stored network is no SpectralNet; pass one of its kind as network=…")
            network = SpectralNet.from_config(settings["network"])
        weights = {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
        network.load_state_dict(weights)
        run = Training(network, x, y, loss=loss, **settings["options"])
        if len(tensors["order"]) != len(x):
            raise ValueError(f"the run was trained on {len(tensors['order'])} rows; found {len(x)}")
        trained = sum(name.startswith("adam.") for name in tensors) // 3  # before the first step Adam has no moments
        moments = pack([tensors[f"adam.{i}.{name}"] for i in range(trained) for name in MOMENTS])
        order, generator, at = tensors["order"], tensors["generator"], settings["at"]
        numbers = pack([*network.parameters(), *network.buffers()])
        run.restore(Snapshot(at["step"], at["epochs"], at["position"], order, generator, numbers, moments))
        return run
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{os.fspath(path)} does not fit: {error}") from error


def _read(path: str | os.PathLike[str], key: str, kind: str, writer: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(key, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{os.fspath(path)} is damaged or no file that {writer}() wrote: {error}") from error
    if not isinstance(about, dict) or about.get("format") != kind:
        raise ValueError(f"{os.fspath(path)} is a safetensors file, but not one that {writer}() wrote")
    return about, tensors
