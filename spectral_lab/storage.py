"""Runs and networks in files: one safetensors file each, with the settings as JSON in its metadata.  No code is ever loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import Dataset

from spectral_lab.batches import Data
from spectral_lab.descent import MOMENTS
from spectral_lab.descriptions import build_stack, describe_stack
from spectral_lab.direct import DirectNet
from spectral_lab.files import write_atomically
from spectral_lab.networks import ACTIVATIONS, SpectralNet, activation_name
from spectral_lab.options import Options, check_count
from spectral_lab.penalties import PENALTIES
from spectral_lab.records import Best, Record
from spectral_lab.snapshots import Snapshot, pack
from spectral_lab.training import Loss, Training

BEST = "best."  # before the names of what belongs to the best record
AUTOCASTS = {None: None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def save(run: Training, path: str | os.PathLike[str]) -> None:
    """Write a run to a file, without its data; its best record and the way back to it are in there too.

    The file appears whole or not at all: it is written under a temporary name and then renamed.

    Raises:
        ValueError: the penalty or the network's activation is a function without a name that a file could hold.
    """
    settings, at = _settings(run), run.snapshot()
    tensors = _tensors(run, at, "")
    settings["at"] = _place(at)
    best = run.best_state
    if best.record is not None and best.snapshot is not None:
        tensors |= _tensors(run, best.snapshot, BEST)
        settings["best"] = {"record": asdict(best.record), "at": _place(best.snapshot), "waited": best.waited}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata={"run": json.dumps(settings)}))


def _settings(run: Training) -> dict[str, Any]:
    """What a run was told, in JSON's types."""
    if not isinstance(run.penalty, str):
        raise ValueError("the penalty is a function, which no file can hold; train with one of " + ", ".join(PENALTIES))
    autocast = run.options.autocast
    return {
        "format": "spectral_lab run 1",
        "network": run.network.config() if isinstance(run.network, SpectralNet) else None,
        "trained": run.trained,
        "options": asdict(run.options) | {"autocast": None if autocast is None else str(autocast).removeprefix("torch.")},
        "validated": None if run.validation is None else len(run.validation),
    }


def _place(at: Snapshot) -> dict[str, Any]:
    return {"step": at.step, "epochs": at.epochs, "position": at.position, "scale": at.scale}


def _names(network: nn.Module) -> dict[str, Tensor]:
    """The numbers of a network by name, in the order in which a snapshot has them."""
    return dict(network.named_parameters()) | dict(network.named_buffers())


def _tensors(run: Training, at: Snapshot, prefix: str) -> dict[str, Tensor]:
    numbers, moments = run.unpacked(at)
    tensors = {f"network.{name}": t for name, t in zip(_names(run.network), numbers, strict=True)}
    tensors |= {f"adam.{k // 3}.{MOMENTS[k % 3]}": t for k, t in enumerate(moments)}
    tensors |= {"generator": at.generator, "order": at.order}
    return {prefix + name: t.clone() for name, t in tensors.items()}  # the parts of a snapshot share their memory


def checkpointed(run: Training, path: str | os.PathLike[str], every: int = 1) -> Iterator[Record]:
    """The records of a run, of which every k-th and the last one leave the run in a file: before they are passed on.

    What is killed goes on from there, to the same numbers:

    >>> def go_on(path, x, y):
    ...     run = load(path, x, y) if path.exists() else train(SpectralNet([2, 30, 1]), x, y, steps=1000)
    ...     return [record.step for record in checkpointed(run, path, every=4)]

    Args:
        run: a run of :func:`~spectral_lab.training.train`.
        path: where to; the file there is replaced, whole or not at all.
        every: records between two files.

    Raises:
        ValueError: ``every`` is no whole number of at least 1, or the run is one that :func:`save` refuses.
        FileNotFoundError, IsADirectoryError: there is no folder for the file, or one in its place.
    """
    check_count("every", every)
    _settings(run)  # refuses now, and not when hours have passed; so does what follows
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} is no folder; make it first")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; wanted the name of a file, e.g. {path / 'run.safetensors'}")
    return _checkpoints(run, path, every)


def _checkpoints(run: Training, path: str | os.PathLike[str], every: int) -> Iterator[Record]:
    count = 0
    for count, record in enumerate(run, 1):
        if count % every == 0:
            save(run, path)
        yield record
    if count % every:
        save(run, path)


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
        network: a SpectralNet, a DirectNet, a stack of layers (:mod:`spectral_lab.stacks`), or an ``nn.Sequential`` with
            convolutions before it (:mod:`spectral_lab.descriptions`).
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
    path: str | os.PathLike[str],
    x: Tensor | Dataset[Any],
    y: Tensor | None = None,
    *,
    network: nn.Module | None = None,
    loss: Loss = nn.functional.mse_loss,
    validation: Data | None = None,
) -> Training:
    """Take up a saved run where it stopped; with the same data, the steps that follow are the same to the bit.

    Args:
        path: a file that :func:`save` wrote.
        x, y: the data, which are not in the file: two tensors, or a dataset alone.
        network: where to load the weights, with the same parts frozen; None builds the stored SpectralNet.
        loss: the data loss, which is not in the file.
        validation: the validation data of the run, which are not in the file.

    Raises:
        ValueError: the file is damaged, of another kind, or does not fit the network or the data.
    """
    settings, tensors = _read(path, "run", "spectral_lab run 1", "save")
    trained = settings.get("trained")  # older files do not say
    try:
        if network is None:
            if settings["network"] is None:
                raise ValueError("the stored network is no SpectralNet; pass one of its kind as network=…")
            network = SpectralNet.from_config(settings["network"])
            for name, p in network.named_parameters():
                p.requires_grad_(p.requires_grad if trained is None else name in trained)
        validated = settings.get("validated")
        if validated is not None and validation is None:
            raise ValueError(f"the run was validated on {validated} rows; pass them again as validation=…")
        run = Training(network, x, y, _options(settings["options"]), loss=loss, validation=validation)
        _check_rows("trained", len(tensors["order"]), len(run.rows))
        if trained is not None:
            _check_trained(trained, run, tensors)
        if validated is not None and run.validation is not None:
            _check_rows("validated", validated, len(run.validation))
        now, best = _snapshot(network, tensors, settings["at"], ""), settings.get("best")
        if best is not None:
            record = Record(**best["record"] | {"live": best["record"]["live"] and tuple(best["record"]["live"])})
            run.best_state = Best(record, _snapshot(network, tensors, best["at"], BEST), best["waited"])
        run.restore(now)
        return run
    except (LookupError, TypeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)} does not fit: {error}") from error


def _options(stored: dict[str, Any]) -> Options:
    """The options of a file; one that was written before there were all of them has fewer."""
    return Options(**stored | {"autocast": AUTOCASTS[stored.get("autocast")]})


def _check_rows(what: str, wanted: int, found: int) -> None:
    if found != wanted:
        raise ValueError(f"the run was {what} on {wanted} rows; found {found}")


def _check_trained(trained: list[str], run: Training, tensors: dict[str, Tensor]) -> None:
    """Adam's moments are stored in the order of the parameters that take steps: one more or less, and they would be others'."""
    common = [name for name, _ in run.network.named_parameters() if f"network.{name}" in tensors]
    other = [name for name in common if (name in trained) != (name in run.trained)]
    if other:
        raise ValueError(f"{other} were trained and are frozen now, or the other way round; set requires_grad as in the run")


def _snapshot(network: nn.Module, tensors: dict[str, Tensor], at: dict[str, Any], prefix: str) -> Snapshot:
    """The snapshot in a file, for a network whose numbers have the same names and shapes.

    Raises:
        RuntimeError, KeyError: they have not, or the file lacks something.
    """
    like, start = _names(network), prefix + "network."
    found = {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}
    forms = [{name: (tuple(t.shape), t.dtype) for name, t in part.items()} for part in (found, like)]
    other = sorted(name for name in forms[0] | forms[1] if forms[0].get(name) != forms[1].get(name))
    if other:
        raise RuntimeError(f"its numbers and those of the network differ in {other}")
    numbers = pack([found[name].to(t.device) for name, t in like.items()])
    trained = sum(name.startswith(prefix + "adam.") for name in tensors) // len(MOMENTS)  # none before the first step
    places = [p.device for p in network.parameters() if p.requires_grad]
    moments = [tensors[f"{prefix}adam.{i}.{name}"].to(places[i]) for i in range(trained) for name in MOMENTS]
    order, generator, scale = tensors[prefix + "order"], tensors[prefix + "generator"], at.get("scale")
    place = at["step"], at["epochs"], at["position"]
    return Snapshot(*place, order, generator, numbers, pack(moments), None if scale is None else (scale[0], scale[1]))


def _read(path: str | os.PathLike[str], key: str, kind: str, writer: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(key, "null"))
            # copies: views of the file lie anywhere in memory, and on that the last bits of a product depend
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{os.fspath(path)} is damaged or no file that {writer}() wrote: {error}") from error
    if not isinstance(about, dict) or about.get("format") != kind:
        raise ValueError(f"{os.fspath(path)} is a safetensors file, but not one that {writer}() wrote")
    return about, tensors
