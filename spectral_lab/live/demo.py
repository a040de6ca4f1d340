"""The story of the playground without a browser: the network grows, is pruned by the regulariser, and grows again.

``spectral-lab demo --out DIR`` writes an animation, a picture of each stage and the records; the README's pictures
are made this way.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.progress import Progress

from spectral_lab.files import write_atomically
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.picture import figure

# (file name, what the hand does, the settings it moves): alpha up, rho up, rho down.
STORY: list[tuple[str, str, dict[str, float]]] = [
    ("1_perceptron", "α = 0: a perceptron is enough", {"alpha": 0.0}),
    ("2_grows", "α = 1: hidden neurons are recruited", {"alpha": 1.0}),
    ("3_pruned", "ρ = 1: the regulariser takes them away", {"rho": 1.0}),
    ("4_grows_again", "ρ = 1e-4: they come back", {"rho": 1e-4}),
]
STEPS = 1600  # a stage; enough for each to settle at the default settings
PICTURES = 7  # of the animation, a stage
FRAME_MS = 120
DPI, LARGE = 72, 108  # of the animation, and of the picture that a stage ends with


def play(out: Path, *, seed: int = 0, console: Console | None = None) -> list[dict[str, Any]]:
    """Play the story and write ``playground.webp``, one PNG a stage and ``records.json`` into the folder.

    Args:
        out: the folder; made if it does not exist.
        seed: of the instrument.
        console: where the progress bar goes.

    Returns:
        What each stage ended with: its title, settings moved, live neurons, ‖Γ‖, data loss and step.
    """
    out.mkdir(parents=True, exist_ok=True)
    instrument, frames, stages = Instrument(alpha=0.0, seed=seed), [], []
    with Progress(console=console) as progress:
        bar = progress.add_task("playing the story", total=len(STORY) * PICTURES)
        for name, title, moves in STORY:
            for setting, value in moves.items():
                setattr(instrument, setting, value)
            for k in range(PICTURES):
                # many pictures while things change fast, fewer when they settle
                instrument.run(round(STEPS * (((k + 1) / PICTURES) ** 2 - (k / PICTURES) ** 2)))
                picture = _picture(instrument, title, DPI if k < PICTURES - 1 else LARGE)
                frames.append(picture)
                progress.update(bar, advance=1, description=title)
            last = instrument.history[-1]
            stages.append({"title": title, "moves": moves, **asdict(last)})
            frames[-1] = picture.resize(frames[0].size)
            write_atomically(out / f"{name}.png", lambda path, picture=picture: picture.save(path, format="png"))  # type: ignore[misc]
    hold = [FRAME_MS] * (PICTURES - 1) + [1500]
    options: dict[str, Any] = {
        "save_all": True,
        "append_images": frames[1:],
        "duration": hold * len(STORY),
        "loop": 0,
        "quality": 60,
    }
    write_atomically(out / "playground.webp", lambda path: frames[0].save(path, format="webp", **options))
    content = {"stages": stages, "records": [asdict(record) for record in instrument.history], "state": instrument.state}
    write_atomically(out / "records.json", lambda path: Path(path).write_text(json.dumps(content, indent=1), encoding="utf-8"))
    for stage in stages:
        progress.console.print(
            f"{stage['title']}: {sum(stage['live'])} live, ‖Γ‖ = {stage['path_norm']:.2g}, loss = {stage['data_loss']:.1e}"
        )
    return stages


def _picture(instrument: Instrument, title: str, dpi: int) -> Image.Image:
    drawn = figure(instrument)
    drawn.suptitle(title, fontsize="x-large", fontweight="bold")
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=dpi)
    return Image.open(buffer).convert("RGB")
