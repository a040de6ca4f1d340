"""A scene: the settings at the start, every move of the hand with its step, and where the run stood.

It is handed out as one line of text or as a JSON file; both say the same.  Version 1 was a list [start, moves, step].
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from spectral_lab.live.settings import HANDS, SETTINGS, check

VERSION = 2
PREFIX = "spectral-lab:"  # then the version of the format, and a colon; a later release reads the older ones
MAX_BYTES = 16_000_000  # of JSON; a hand-made string must not fill the memory
MAX_STEPS = 50_000_000
MAX_TEXT = 2_000  # characters of a title or a question

Moves = list[tuple[int, str, Any]]


@dataclass(frozen=True)
class Scene:
    """What replays to the same network, bit for bit, on the same machine and versions."""

    start: dict[str, Any]  # settings when the network was built
    moves: Moves  # (step, name, value), in order
    step: int  # where the run stood
    coming: Moves = field(default_factory=list)  # moves that are still to come by themselves
    title: str = ""
    question: str = ""
    hide: tuple[str, ...] = ()  # controls that are not shown
    lock: tuple[str, ...] = ()  # controls that are shown and cannot be moved
    data: str | None = None  # fingerprint of the user's own data, which are not in a scene


def encode(scene: Scene) -> str:
    """The scene as one line of text, to be copied and sent.

    Raises:
        ValueError: there are far too many moves for a string.
    """
    text = json.dumps(_content(scene), separators=(",", ":"))
    if len(text) > MAX_BYTES:
        raise ValueError(f"{len(scene.moves):,} moves are too many for a scene; press Reset and make a shorter one")
    return f"{PREFIX}{VERSION}:" + base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode()


def to_json(scene: Scene) -> str:
    """The scene as JSON that a person can read and edit."""
    return json.dumps({"format": f"{PREFIX}{VERSION}", **_content(scene)}, indent=1, ensure_ascii=False) + "\n"


def _content(scene: Scene) -> dict[str, Any]:
    always = ("start", "moves", "step")
    return {name: value for name, value in vars(scene).items() if value or name in always}


def decode(text: str) -> Scene:
    """The scene that a string or the text of a JSON file describes.

    Raises:
        ValueError: it is damaged, of a later version, or holds a value outside its range.
    """
    text = text.strip() if isinstance(text, str) else str(text)
    kind, _, rest = text.removeprefix(PREFIX).partition(":") if text.startswith(PREFIX) else ("json", "", text)
    if kind == "json" and not text.startswith("{"):
        raise ValueError(f"this is no scene: it must begin with '{PREFIX}{VERSION}:' or be a JSON file; found {text[:24]!r}")
    if kind not in ("json", "1", str(VERSION)):
        raise ValueError(f"this scene is of version {kind[:8]!r}; this release reads 1 to {VERSION}. Install a later release")
    try:
        content = json.loads(text if kind == "json" else _inflate(rest))
        if kind == "1":
            content = dict(zip(("start", "moves", "step"), content, strict=True))
            content["start"].setdefault("validation", 0.0)  # version 1 trained on all data
        elif kind == "json" and content.pop("format", None) not in [f"{PREFIX}{v}" for v in (2,)]:
            raise ValueError(f"its 'format' is not '{PREFIX}{VERSION}'")
        return _checked(**content)
    except (binascii.Error, zlib.error, UnicodeDecodeError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"the scene is damaged: {error}. Copy the whole of it again") from error


def _inflate(packed: str) -> bytes:
    inflate = zlib.decompressobj()
    content = inflate.decompress(base64.b64decode(packed, altchars=b"-_", validate=True), MAX_BYTES)
    if not inflate.eof:
        raise ValueError("it breaks off, or is far too long")
    return content


def _checked(
    start: dict[str, Any],
    moves: Sequence[Any],
    step: int,
    coming: Sequence[Any] = (),
    title: str = "",
    question: str = "",
    hide: Sequence[str] = (),
    lock: Sequence[str] = (),
    data: str | None = None,
) -> Scene:
    if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step <= MAX_STEPS:
        raise ValueError(f"step = {step!r}; wanted a whole number from 0 to {MAX_STEPS:,}")
    start = {name: _setting(name, value) for name, value in start.items()}
    if data is not None and not isinstance(data, str):
        raise ValueError(f"data = {data!r}; wanted the fingerprint of the data")
    return Scene(
        start,
        check_moves(moves, 0, step),
        step,
        check_moves(coming, step, MAX_STEPS),
        check_text("title", title),
        check_text("question", question),
        check_names("hide", hide),
        check_names("lock", lock),
        data,
    )


def _setting(name: str, value: Any) -> Any:
    if name in HANDS:
        raise ValueError(f"{name} is a move, no setting")
    return check(name, value)


def check_moves(moves: Sequence[Any], first: int, last: int) -> Moves:
    """Moves (step, name, value) in the order of their steps, from ``first`` to ``last``.

    Raises:
        ValueError: a step out of order, an unknown name, a value outside its range, a setting that begins a new run.
    """
    before, checked = first, []
    for at, name, value in moves:
        if isinstance(at, bool) or not isinstance(at, int) or not before <= at <= last:
            raise ValueError(f"a move at step {at!r}; wanted a step between {before} and {last}")
        value = check(name, value)
        if name in SETTINGS and (SETTINGS[name].restarts or not SETTINGS[name].scene):
            raise ValueError(f"{name} cannot change during a run")
        checked.append((at, name, value))
        before = at
    return checked


def check_text(name: str, value: Any) -> str:
    """A title or question of a guided exercise.

    Raises:
        ValueError: no text, or a very long one.
    """
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError(f"{name} must be a text of at most {MAX_TEXT:,} characters; found {str(value)[:40]!r}")
    return value


# Parts of the page besides the settings that a guided exercise can hide.
PARTS = ("presets", "time", "graph", "spectrum", "fit", "curves", "export", "real", "train", "step", "reset", "undo")


def check_names(name: str, value: Any) -> tuple[str, ...]:
    """Names of controls to hide or lock.

    Raises:
        ValueError: an unknown name, with the known ones.
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(f"{name} = {value!r}; wanted a list of names, e.g. ['beta', 'seed']")
    known = (*SETTINGS, *HANDS, *PARTS)
    unknown = [part for part in value if part not in known]
    if unknown:
        raise ValueError(f"{name} holds {unknown}; known are {', '.join(known)}")
    return tuple(value)
