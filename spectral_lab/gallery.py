"""The README of a folder of pictures: what came out beside what the papers say, made from the JSON beside each picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spectral_lab.files import write_atomically

HEAD = """# Figures

This file is written by `python -m spectral_lab.reproduce`; the numbers behind every picture are in the JSON of the same name.
"""
PLAYGROUND = """
## The instruments

`make figures` draws these again.

| file | what it shows |
|---|---|
| `playground.png` | the instrument in JupyterLab, at α = 1 |
| `presets.webp` | every preset in both themes |
| `playground.webp` | the story: α up, ρ up, ρ down |
| `1_perceptron.png` … `4_grows_again.png` | what each stage ended with |
| `records.json` | the stages, every record of the run, and the scene as a string to replay |
| `pruning-bench.png` | the pruning bench at a share of 0.8, with the curve of pre-training |
| `classroom.png` | both students after their lesson, pruned to the teacher's size |
| `image-head.png` | a SPARCS head on handwritten digits after 600 steps, with the images that it misreads |
| `filter-bench.png` | the filter bench with half of the filters switched off |
"""
SCALES = """
## The papers' figures, ours beside theirs

*smoke* only shows that a recipe runs; *class* is real data with less training and fewer seeds than in the paper; *paper* is the
paper's own effort. Error bars are standard deviations over the seeds. "agrees" is decided by the recipe from the numbers.
"""


def write_gallery(out: Path) -> None:
    """Write ``README.md`` into a folder from the JSON files of its recipes, in the order of their names."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob("*.json"))]
    recipes = sorted((content for content in found if isinstance(content, dict) and "recipe" in content), key=_order)
    parts = [HEAD, PLAYGROUND if (out / "playground.png").exists() else ""]
    if recipes:
        parts += [SCALES, _summary(recipes), *(_section(content) for content in recipes)]
    text = "".join(parts)
    write_atomically(out / "README.md", lambda path: Path(path).write_text(text, encoding="utf-8"))


def said_by(source: str) -> str:
    """What stands beside our findings: a paper, or what one would expect where no paper says anything."""
    return "expected" if source.startswith("beyond") else "paper"


def _order(content: dict[str, Any]) -> tuple[str, int, str]:
    name = content["recipe"]
    number = "".join(c for c in name.partition("fig-")[2].partition("-")[0] if c.isdigit())
    return name.partition("-")[0], int(number or 0), name


def _summary(recipes: list[dict[str, Any]]) -> str:
    lines = ["\n| figure | recipe | scale | verdict |\n|---|---|---|---|\n"]
    for content in recipes:
        agrees = [finding["agrees"] for finding in content["findings"]]
        verdict = f"{sum(agrees)} of {len(agrees)} findings agree" if agrees else "drawn"
        scale = content["scale"] if content["trials"] else "-"
        lines.append(f"| {content['source']} | `{content['recipe']}` | {scale} | {verdict} |\n")
    return "".join(lines)


def _cell(text: str) -> str:
    """Text in which a table sees no border of a cell: |λ| has two."""
    return text.replace("|", r"\|")


def _section(content: dict[str, Any]) -> str:
    """Picture, findings and setting of one recipe."""
    name = content["recipe"]
    lines = [f"\n### {content['source']}: {content['title']}\n\n![{content['title']}]({name}.png)\n\n"]
    if content["findings"]:
        lines.append(f"| | {said_by(content['source'])} | here | |\n|---|---|---|---|\n")
        for f in content["findings"]:
            cells = [_cell(f[name]) for name in ("what", "paper", "ours")]
            lines.append(f"| {' | '.join(cells)} | {'agrees' if f['agrees'] else '**differs**'} |\n")
    if not content["trials"]:
        return "".join(lines)
    setting = ", ".join(f"{key} {value}" for key, value in content["setting"].items())
    notes = "; ".join(sorted({one["outcome"]["note"] for one in content["trials"] if one["outcome"].get("note")}))
    lines.append(f"\nScale *{content['scale']}*: {setting}. {len(content['trials'])} trials on {content['device']}, ")
    lines.append(f"{content['seconds_of_trials']:,.0f} s of training, torch {content['versions']['torch']}.")
    lines.append(f" {notes}.\n" if notes else "\n")
    return "".join(lines)
