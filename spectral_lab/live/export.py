"""What can be taken home from the instrument: weights, pictures, an animation of the run, code, and the scene."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from spectral_lab.files import write_atomically
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.settings import HANDS, SETTINGS
from spectral_lab.storage import network_bytes

FRAMES = 24  # of the animation
FRAME_MS, LAST_MS = 150, 1500
DPI, ANIMATION_DPI = 150, 64
READABLE = 40  # moves that are written out as code; more go in as the scene's string
WIDTH = 96  # characters of a line of such a string, and of the call before them

Progress = Callable[[int, int], None]


class File(NamedTuple):
    """A file to be saved or downloaded."""

    name: str
    mime: str
    content: bytes


# what: (ending of the file, MIME type, how it is named in the menu)
KINDS: dict[str, tuple[str, str, str]] = {
    "scene": (".json", "application/json", "scene (JSON)"),
    "code": (".py", "text/x-python", "Python code"),
    "weights": (".safetensors", "application/octet-stream", "weights (safetensors)"),
    "small": (".compact.safetensors", "application/octet-stream", "compacted weights"),
    "png": (".png", "image/png", "picture (PNG)"),
    "svg": (".svg", "image/svg+xml", "picture (SVG)"),
    "animation": (".webp", "image/webp", "animation of the run"),
}


def export(instrument: Instrument, kind: str, progress: Progress = lambda done, total: None) -> File:
    """One of :data:`KINDS` as a file in memory.

    Raises:
        ValueError: an unknown kind, with the known ones.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no export {kind!r}; wanted one of {', '.join(KINDS)}")
    ending, mime, _ = KINDS[kind]
    return File(f"spectral_lab{ending}", mime, _content(instrument, kind, progress))


def export_to(instrument: Instrument, path: Path) -> None:
    """Write the kind of file that the path's ending asks for, whole or not at all.

    Raises:
        ValueError: an ending that stands for nothing, with the known ones.
    """
    endings = {ending: kind for kind, (ending, _, _) in KINDS.items()}
    found = [ending for ending in sorted(endings, key=len, reverse=True) if path.name.endswith(ending)]
    if not found:
        raise ValueError(f"{path.name} could be anything; wanted a name that ends in one of {', '.join(endings)}")
    content = export(instrument, endings[found[0]]).content
    write_atomically(path, lambda temporary: Path(temporary).write_bytes(content))


def _content(instrument: Instrument, kind: str, progress: Progress) -> bytes:
    if kind == "scene":
        return instrument.json.encode()
    if kind == "code":
        return code(instrument).encode()
    if kind == "weights":
        return network_bytes(instrument.network)
    if kind == "small":
        return network_bytes(instrument.network.compact(masks=instrument.sight().masks))
    if kind == "animation":
        return animation(instrument, progress)
    return instrument.figure().file(kind, DPI)


def animation(instrument: Instrument, progress: Progress = lambda done, total: None) -> bytes:
    """The run so far as an animated WebP: up to 24 of the moments that the time line keeps."""
    from PIL import Image

    from spectral_lab.live.picture import figure

    steps = [step for step in instrument.steps_kept if step <= instrument.step]
    chosen = sorted({steps[round(k * (len(steps) - 1) / (FRAMES - 1))] for k in range(FRAMES)})
    other, frames = instrument.copy(), []
    for done, step in enumerate(chosen):
        progress(done, len(chosen))
        other.seek(step)
        frames.append(Image.open(io.BytesIO(figure(other).file("png", ANIMATION_DPI))).convert("RGB"))
    buffer = io.BytesIO()
    hold = [FRAME_MS] * (len(frames) - 1) + [LAST_MS]
    frames[0].save(buffer, format="webp", save_all=True, append_images=frames[1:], duration=hold, loop=0, quality=60, method=2)
    return buffer.getvalue()


def code(instrument: Instrument) -> str:
    """Python code that rebuilds the scene to the same bits."""
    scene = instrument.scene()
    head = f"# {instrument.words()}\nfrom spectral_lab.live import Playground\n\n"
    own = scene.data is not None
    comment = "# x, y: the data that the scene was made with\n" if own else ""
    if len(scene.moves) > READABLE:
        state = instrument.state
        lines = "\n".join(f'    "{state[k : k + WIDTH]}"' for k in range(0, len(state), WIDTH))
        return f"{head}{comment}p = Playground.from_state(\n{lines},\n" + ("    data=(x, y),\n" if own else "") + ")\np\n"
    given: dict[str, Any] = {name: value for name, value in scene.start.items() if value != SETTINGS[name].default}
    given |= {name: getattr(scene, name) for name in ("title", "question", "hide", "lock") if getattr(scene, name)}
    arguments = [f"{name}={value!r}" for name, value in given.items() if not (own and name == "task")]
    steps, at = [_call("p = Playground", [*arguments, *(["data=(x, y)"] if own else [])])], 0
    for step, name, value in scene.moves:
        if step > at:
            steps.append(f"p.run({step - at})")
        at = step
        steps.append(_line(name, value))
    if scene.step > at:
        steps.append(f"p.run({scene.step - at})")
    if scene.coming:
        steps.append(f"p.follow({scene.coming!r})")
    return head + comment + "\n".join([*steps, "p"]) + "\n"


def _call(name: str, arguments: list[str]) -> str:
    """On one line if it is no longer than those of a scene's string, else an argument a line."""
    line = f"{name}({', '.join(arguments)})"
    return line if len(line) <= WIDTH else f"{name}(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"


def _line(name: str, value: Any) -> str:
    if name not in HANDS:
        return f"p.{name} = {value!r}"
    method = {"eigenvalue": "set_eigenvalue", "switch": "switch"}[name]
    return f"p.{method}({', '.join(map(repr, value))})"
