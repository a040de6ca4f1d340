"""The console command: ``spectral-lab`` opens the playground, ``demo`` plays its story, ``doctor`` checks the set-up."""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

HOST = "127.0.0.1"
START = "00_playground.ipynb"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="spectral-lab", description="Grow and prune neural networks through their eigenvalues."
    )
    parser.add_argument("--port", type=int, default=0, help="port on the loopback interface (default: 8888, or a free one)")
    parser.add_argument("--notebook", default=START, metavar="NAME", help=f"notebook to open (default: {START})")
    parser.add_argument("--voila", action="store_true", help="show the notebook without its code, with Voilà")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    commands = parser.add_subparsers(dest="command", metavar="[demo | doctor]")
    demo = commands.add_parser("demo", help="play the story of the playground without a browser, to files")
    demo.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the animation, the pictures and the records"
    )
    demo.add_argument("--seed", type=int, default=0)
    commands.add_parser("doctor", help="print versions, device, threads, and what is missing")
    options = parser.parse_args(arguments)
    if options.command == "demo":
        import torch

        from spectral_lab.live.demo import play

        torch.set_num_threads(threads())
        play(options.out, seed=options.seed)
        return 0
    if options.command == "doctor":
        from spectral_lab.live.doctor import examine

        return examine()
    try:
        return launch(options.port, options.notebook, voila=options.voila, browser=not options.no_browser)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"spectral-lab: {error}", file=sys.stderr)
        return 2


def notebook_folder() -> Path:
    """Where the notebooks are: the repository's own folder, or for an installed package a copy in the working directory.

    Files that are already in the copy are left as they are.
    """
    package = Path(__file__).parent
    repository = package.parent / "notebooks"
    if (repository / START).exists():
        return repository
    copy = Path.cwd() / "spectral_lab_notebooks"
    copy.mkdir(exist_ok=True)
    for notebook in (package / "notebooks").glob("*.ipynb"):
        if not (copy / notebook.name).exists():
            shutil.copy(notebook, copy)
    return copy


def free_port(wanted: int) -> int:
    """The wanted port, or for 0 port 8888 or else any free one.

    Raises:
        ValueError: the wanted port is out of range or taken.
    """
    if not 0 <= wanted <= 65535:
        raise ValueError(f"port {wanted} does not exist; choose one from 1024 to 65535")
    for port in [wanted] if wanted else [8888, 0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                return probe.getsockname()[1]
            except OSError:
                continue
    raise ValueError(f"port {wanted} is taken or not allowed; leave --port out to get a free one")


def threads() -> int:
    """Threads for torch in a kernel: the hub's CPU_LIMIT, else one; more are slower for networks of this size."""
    try:
        return max(1, int(float(os.environ.get("CPU_LIMIT", "1"))))
    except (ValueError, OverflowError):
        return 1


def why_no_browser() -> str | None:
    """The reason for which no browser can be opened here, or None."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "there is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    try:
        webbrowser.get()
    except webbrowser.Error as error:
        return str(error)
    return None


def server_command(folder: Path, notebook: str, port: int, *, voila: bool, browser: bool) -> list[str]:
    """The command line of the Jupyter or Voilà server, on loopback; its token comes from the environment."""
    options = [] if browser else ["--no-browser"]
    if voila:
        # cells show as they are done: the instrument does not wait for the ones below it
        options += [f"--Voila.ip={HOST}", f"--port={port}", "--progressive_rendering=True", "--show_tracebacks=True"]
        return [sys.executable, "-m", "voila", str(folder / notebook), *options]
    options += [
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/doc/tree/{notebook}",  # one document, all of the projector
        "--ServerApp.kernel_websocket_connection_class=spectral_lab.live.server.PromptConnection",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # containers and binders run as root
        options.append("--allow-root")
    return [sys.executable, "-m", "jupyter", "lab", *options]


def launch(port: int, notebook: str, *, voila: bool = False, browser: bool = True) -> int:
    """Open a notebook in JupyterLab (or Voilà) on the loopback interface, and wait until the server is stopped.

    Raises:
        ValueError: no such notebook, or the port is taken.
        ModuleNotFoundError: the server is not installed.
    """
    server = "voila" if voila else "jupyterlab"
    if find_spec(server) is None:
        raise ModuleNotFoundError(f"{server} is not installed here. Install it: pip install 'spectral_lab[lab]'")
    folder = notebook_folder()
    name = notebook if notebook.endswith(".ipynb") else f"{notebook}.ipynb"
    if not (folder / name).is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.ipynb")))
        raise ValueError(f"there is no notebook {name} in {folder}; there are: {known}")
    port, token = free_port(port), secrets.token_urlsafe(24)
    environment = {**os.environ, "JUPYTER_TOKEN": token, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads()))}
    address = f"http://{HOST}:{port}/" if voila else f"http://{HOST}:{port}/doc/tree/{name}?token={token}"
    reason = why_no_browser() if browser else "--no-browser was given"
    print(f"The playground is at {address}")
    print(
        f"No browser was opened: {reason}. Open the address yourself." if reason else "A browser opens; stop with Ctrl-C.",
        flush=True,
    )
    command = server_command(folder, name, port, voila=voila, browser=reason is None)
    process = subprocess.Popen(command, env=environment)
    former = signal.signal(signal.SIGTERM, lambda *_: process.terminate())  # a stopped launcher leaves no server behind
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        return 0
    finally:
        signal.signal(signal.SIGTERM, former)
