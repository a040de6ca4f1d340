"""Runs of training in files: one safetensors file each, with the settings as JSON in its metadata.  No code is ever loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from spectral_lab.networks import SpectralNet
from spectral_lab.training import PENALTIES, Loss, Snapshot, Training


def write_atomically(path: str | os.PathLike[str], write: Callable[[str], object]) -> None:
    """Call ``write(temporary name)`` beside the path, then rename; on any error nothing is left behind."""
    temporary = str(Path(path).with_name(f".{Path(path).name}.{uuid4().hex}"))
    try:
        write(temporary)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
    tensors |= {f"adam.{i}.{k}": v for i, moments in enumerate(at.moments) for k, v in moments.items()}
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
    settings, tensors = _read(path)
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
        moments: list[dict[str, Tensor]] = []
        while mine := {k: v for k, v in tensors.items() if k.startswith(f"adam.{len(moments)}.")}:
            moments.append({k.split(".", 2)[2]: v for k, v in mine.items()})
        now, at = run.snapshot(), settings["at"]
        run.restore(
            Snapshot(
                at["step"],
                at["epochs"],
                at["position"],
                tensors["order"],
                tensors["generator"],
                now.numbers,
                tuple(moments) or now.moments,  # before the first step Adam has none
            )
        )
        return run
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{os.fspath(path)} does not fit: {error}") from error


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            settings = json.loads((file.metadata() or {}).get("run", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{os.fspath(path)} is damaged or no file of a run: {error}") from error
    if not isinstance(settings, dict) or settings.get("format") != "spectral_lab run 1":
        raise ValueError(f"{os.fspath(path)} is a safetensors file, but not of a run that save() wrote")
    return settings, tensors
