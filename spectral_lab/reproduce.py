"""Run the papers' figures and tables: ``python -m spectral_lab.reproduce list | run NAME... | draw NAME... | gallery``.

A recipe (:mod:`spectral_lab.recipes`) is a list of trials.  Each finished trial is appended to a file at once, so an
interrupted run goes on where it stopped, and recipes share the trials that they have in common.  At the end a picture (PNG
and SVG) and a JSON with every number, the setting, the versions and the time lie in the folder, and its README.md puts what
came out beside what the paper says.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import spectral_lab
from spectral_lab.files import write_atomically
from spectral_lab.gallery import said_by, write_gallery
from spectral_lab.recipes import RECIPES, SCALES, Done, Outcome, Recipe, Trial

TRIALS = "trials.jsonl"  # every outcome so far, one a line


def versions() -> dict[str, str]:
    """What the numbers may depend on."""
    return {
        "spectral_lab": spectral_lab.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def device_of(name: str) -> str:
    """ "cpu" or "cuda"; "auto" takes CUDA where there is one.

    Raises:
        ValueError: CUDA is asked for and not there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device = 'cuda', but PyTorch finds no CUDA here; use --device cpu")
    return name


# ---------------------------------------------------------------- trials that are done already


def key(trial: Trial, device: str) -> str:
    """What must be the same for an outcome to be used again: trial, device, and the versions that compute it."""
    made_by = {name: versions()[name] for name in ("spectral_lab", "torch")}
    return json.dumps({"trial": trial, "device": device, **made_by}, sort_keys=True)


def finished(path: Path) -> dict[str, Outcome]:
    """All outcomes in a file of trials by their keys; a line that was cut off in the middle is not counted."""
    found: dict[str, Outcome] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            found[entry["key"]] = entry["outcome"]
    return found


def remember(path: Path, name: str, outcome: Outcome) -> None:
    """Add an outcome to the file of trials, in a line of its own even after one that was cut off."""
    with path.open("ab") as file:
        file.write(b"\n" if file.tell() and path.read_bytes()[-1:] != b"\n" else b"")
        file.write(json.dumps({"key": name, "outcome": outcome}).encode() + b"\n")


# ---------------------------------------------------------------- running


@contextmanager
def workers(n: int) -> Iterator[Executor | None]:
    """A pool of n processes with one thread each, or None for n = 1: then this process does the work."""
    if n == 1:
        yield None
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def one_by_one(run: Callable[[Trial, str], Outcome], trials: Sequence[Trial], device: str) -> list[Outcome]:
    """The outcomes of some trials."""
    return [run(trial, device) for trial in trials]


def outcomes(
    recipe: Recipe, trials: Sequence[Trial], device: str, pool: Executor | None
) -> Iterator[tuple[Sequence[Trial], Sequence[Outcome]]]:
    """Some trials with their outcomes, as they are done."""
    run = recipe.together or partial(one_by_one, recipe.run)
    pieces = [trials[k : k + recipe.chunk] for k in range(0, len(trials), recipe.chunk)]
    if pool is None:
        for piece in pieces:
            yield piece, run(piece, device)
    else:
        futures = {pool.submit(run, piece, device): piece for piece in pieces}
        for future in as_completed(futures):
            yield futures[future], future.result()


def reproduce(
    recipe: Recipe,
    scale: str = "class",
    *,
    device: str = "cpu",
    out: Path = Path("figures"),
    pool: Executor | None = None,
    console: Console | None = None,
) -> dict[str, Any]:
    """Run what is left of a recipe, and write its picture and its numbers into a folder.

    Args:
        recipe: one of :data:`spectral_lab.recipes.RECIPES`.
        scale: "smoke", "class" or "paper".
        device: "cpu" or "cuda".
        out: the folder; made if it does not exist.
        pool: where trials run side by side.
        console: where the progress bar goes.

    Returns:
        What was written as JSON.

    Raises:
        ValueError: the recipe has no such scale.
    """
    setting = recipe.setting(scale)
    out.mkdir(parents=True, exist_ok=True)
    trials, start = recipe.trials(setting), time.perf_counter()
    known = finished(out / TRIALS)
    left = [trial for trial in trials if key(trial, device) not in known]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(recipe.name, total=len(trials), completed=len(trials) - len(left))
        for piece, found in outcomes(recipe, left, device, pool):
            for trial, outcome in zip(piece, found, strict=True):
                known[key(trial, device)] = outcome
                remember(out / TRIALS, key(trial, device), outcome)
            progress.update(bar, advance=len(piece))
    done = [Done(trial, known[key(trial, device)]) for trial in trials]
    content = {
        "recipe": recipe.name,
        "source": recipe.source,
        "title": recipe.title,
        "scale": scale,
        "device": device,
        "setting": dict(setting),
        "findings": [finding._asdict() for finding in recipe.findings(done)],
        "trials": [one._asdict() for one in done],
        "versions": versions(),
        "seconds": round(time.perf_counter() - start, 1),
        "seconds_of_trials": round(sum(one.outcome.get("seconds", 0.0) for one in done), 1),
    }
    write(recipe, done, content, out)
    return content


def redraw(recipe: Recipe, out: Path = Path("figures")) -> dict[str, Any]:
    """The picture and the findings of a recipe anew, from the numbers that lie in a folder; nothing is run.

    Raises:
        ValueError: the folder holds no numbers of this recipe.
    """
    path = out / f"{recipe.name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        done = [Done(**one) for one in content["trials"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no numbers of {recipe.name} ({error}); run the recipe first") from error
    content["findings"] = [finding._asdict() for finding in recipe.findings(done)]
    write(recipe, done, content, out)
    return content


def write(recipe: Recipe, done: Sequence[Done], content: dict[str, Any], out: Path) -> None:
    """The picture as PNG and SVG, and the numbers; each file is whole or not there."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=recipe.size, layout="constrained")
    recipe.draw(done, figure)
    with rc_context({"svg.hashsalt": "spectral_lab"}):  # the same numbers give the same bytes
        for ending, stamp in {"png": "Software", "svg": "Date"}.items():
            save = partial(figure.savefig, format=ending, dpi=120, metadata={stamp: None})
            write_atomically(out / f"{recipe.name}.{ending}", save)
    text = as_text(content)
    write_atomically(out / f"{recipe.name}.json", lambda path: Path(path).write_text(text, encoding="utf-8"))


def as_text(content: dict[str, Any]) -> str:
    """The content as JSON, each of its entries, of its findings and of its trials on a line of its own."""
    lines = []
    for name, value in content.items():
        entries = [json.dumps(entry, ensure_ascii=False) for entry in value] if isinstance(value, list) else []
        text = "[\n  " + ",\n  ".join(entries) + "\n ]" if entries else json.dumps(value, ensure_ascii=False)
        lines.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


# ---------------------------------------------------------------- the command line


def table() -> Table:
    """All recipes with the number of their trials at each scale."""
    lines = Table("recipe", "figure", "what it shows", "trials at " + ", ".join(SCALES), box=None)
    for recipe in RECIPES.values():
        counts = [str(len(recipe.trials(recipe.settings[scale]))) if scale in recipe.settings else "-" for scale in SCALES]
        lines.add_row(recipe.name, recipe.source, recipe.title, ", ".join(counts))
    return lines


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    made = argparse.ArgumentParser(prog="python -m spectral_lab.reproduce", description=(__doc__ or "").splitlines()[0])
    commands = made.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what can be run")
    run = commands.add_parser("run", help="run recipes, or go on where they stopped")
    draw = commands.add_parser("draw", help="draw recipes anew from their numbers, without a run")
    run.add_argument("--scale", choices=SCALES, default="class")
    run.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    run.add_argument("--workers", type=int, default=1, metavar="N", help="processes side by side (default 1)")
    gallery = commands.add_parser("gallery", help="write the folder's README.md anew")
    for command in (run, draw):
        command.add_argument("names", nargs="+", metavar="NAME", help="a recipe, or the beginning of several names: pre-fig-2")
    for command in (run, draw, gallery):
        command.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR", help="default: figures")
    return made


def chosen(names: Sequence[str]) -> list[Recipe]:
    """The recipes whose names are or begin with one of these, each once, in their own order.

    Raises:
        ValueError: a name that fits none.
    """
    for name in names:
        if not any(known.startswith(name) for known in RECIPES):
            raise ValueError(f"no recipe is called {name!r}; there are {', '.join(RECIPES)}")
    exact = {name for name in names if name in RECIPES}
    return [r for r in RECIPES.values() if r.name in exact or any(r.name.startswith(n) for n in names if n not in exact)]


def checked(options: argparse.Namespace) -> tuple[list[Recipe], str]:
    """The recipes that are asked for and the device to run them on.

    Raises:
        ValueError: options that do not fit.
    """
    recipes = chosen(options.names)
    if options.command == "draw":
        return recipes, "cpu"
    if options.workers < 1:
        raise ValueError(f"workers = {options.workers}; wanted at least 1")
    for recipe in recipes:
        recipe.setting(options.scale)
    return recipes, device_of(options.device)


def tell(recipe: Recipe, content: dict[str, Any], console: Console) -> None:
    """Print what came out beside what the paper says."""
    for finding in content["findings"]:
        mark = "agrees" if finding["agrees"] else "differs"
        console.print(f"  {finding['what']}: {finding['ours']} ({said_by(recipe.source)}: {finding['paper']}; {mark})")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0, or 2 for options that do not fit."""
    options = parser().parse_args(argv)
    console = Console()
    if options.command == "list":
        console.print(table())
        return 0
    try:
        recipes, device = checked(options) if options.command != "gallery" else ([], "cpu")
        if options.command == "draw":
            for recipe in recipes:
                tell(recipe, redraw(recipe, options.out), console)
    except ValueError as error:
        parser().error(str(error))
    if options.command == "run":
        with workers(options.workers) as pool:
            for recipe in recipes:
                found = reproduce(recipe, options.scale, device=device, out=options.out, pool=pool, console=console)
                tell(recipe, found, console)
    write_gallery(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
