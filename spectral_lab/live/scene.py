"""A scene as a short string: the settings at the start, every slider move with its step, and the step of now."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import dataclass
from typing import Any

from spectral_lab.live.settings import SETTINGS, check

PREFIX = "spectral-lab:1:"  # version of the format; a later release reads the older ones
MAX_BYTES = 4_000_000  # of JSON; a hand-made string must not fill the memory
MAX_STEPS = 50_000_000


@dataclass(frozen=True)
class Scene:
    """What replays to the same network, bit for bit, on the same machine and versions."""

    start: dict[str, Any]  # settings when the network was built
    moves: list[tuple[int, str, Any]]  # (step, name, value), in order
    step: int  # where the run stood


def encode(scene: Scene) -> str:
    """The scene as one line of text, to be copied and sent."""
    text = json.dumps([scene.start, scene.moves, scene.step], separators=(",", ":"))
    return PREFIX + base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode()


def decode(text: str) -> Scene:
    """The scene that a string describes.

    Raises:
        ValueError: the string is damaged, of another version, or holds a value outside its range.
    """
    if not isinstance(text, str) or not text.strip().startswith(PREFIX):
        raise ValueError(f"this is no scene of this version: it must begin with {PREFIX!r}; found {str(text)[:24]!r}")
    try:
        packed = base64.b64decode(text.strip()[len(PREFIX) :], altchars=b"-_", validate=True)
        inflate = zlib.decompressobj()
        content = inflate.decompress(packed, MAX_BYTES)
        if not inflate.eof:
            raise ValueError("it breaks off, or is far too long")
        start, moves, step = json.loads(content)
        return _checked(start, moves, step)
    except (binascii.Error, zlib.error, UnicodeDecodeError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"the scene is damaged: {error}. Copy the whole string again") from error


def _checked(start: dict[str, Any], moves: list[Any], step: int) -> Scene:
    if not isinstance(step, int) or not 0 <= step <= MAX_STEPS:
        raise ValueError(f"step = {step!r}; wanted a whole number from 0 to {MAX_STEPS:,}")
    start = {name: check(name, value) for name, value in start.items()}
    before, checked = 0, []
    for at, name, value in moves:
        if not isinstance(at, int) or not before <= at <= step:
            raise ValueError(f"a move at step {at!r}; wanted a step between {before} and {step}")
        value = check(name, value)
        if SETTINGS[name].restarts or not SETTINGS[name].scene:
            raise ValueError(f"{name} cannot change during a run")
        checked.append((at, name, value))
        before = at
    return Scene(start, checked, step)
