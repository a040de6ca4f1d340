"""JupyterLab, Notebook 7 or Voilà on loopback with folders of its own, driven with a real Chromium through Playwright."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from spectral_lab.cli import free_port, server_command

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
FLAGS = [
    *["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    *["--disable-background-networking", "--disable-component-update", "--disable-sync"],
]


def missing(what: str, cure: str) -> None:
    """Skip the test, or fail it where everything is to be tested."""
    if os.environ.get("SPECTRAL_LAB_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{what}, and SPECTRAL_LAB_REQUIRE_BROWSER=1 asks for it: {cure}")
    pytest.skip(f"{what}: {cure}")


def need_a_browser() -> None:
    """Skip or fail where no Chromium is installed."""
    if CHROMIUM is None:
        missing("no Chromium is installed", "apt-get install chromium")


class Server:
    """One server; nothing of the user's configuration is read or written."""

    def __init__(self, folder: Path, notebook: str, app: str = "lab") -> None:
        self.app, self.notebook, self.port, self.token = (
            app,
            notebook,
            free_port(0) if app == "voila" else _any_port(),
            secrets.token_hex(16),
        )
        self.home = Path(tempfile.mkdtemp(prefix="lab-home-"))
        own = {
            "HOME": "",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "run",
            "IPYTHONDIR": "ipython",
        }
        own |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "MPLCONFIGDIR": "matplotlib"}
        environment = os.environ | {name: str(self.home / part) for name, part in own.items()}
        environment |= {"JUPYTER_TOKEN": self.token, "OMP_NUM_THREADS": "1", "ANYWIDGET_HMR": "0", "PYTHONWARNINGS": "default"}
        # without this a news pop-up covers the page
        settings = self.home / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
        command = server_command(folder, notebook, self.port, voila=app == "voila", browser=False)
        if app == "notebook":
            command[command.index("lab")] = "notebook"
            command = [part for part in command if not part.startswith("--LabApp")] + [
                "--JupyterNotebookApp.expose_app_in_browser=True"
            ]
        elif app == "lab":
            command.append("--LabApp.expose_app_in_browser=True")
        self._log = (self.home / "server.log").open("w")
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def log(self) -> str:
        """What the server and its kernels printed."""
        return (self.home / "server.log").read_text()

    @property
    def tracebacks(self) -> list[str]:
        """Those in the log that pass through our code; jupyter_server itself stumbles over a kernel that is being added."""
        return [text for text in self.log.split("Traceback")[1:] if "/spectral_lab/live/" in text.split("\n[")[0]]

    @property
    def url(self) -> str:
        """Where the notebook is."""
        path = {"lab": f"doc/tree/{self.notebook}", "notebook": f"notebooks/{self.notebook}", "voila": ""}[self.app]
        return f"http://127.0.0.1:{self.port}/{path}?token={self.token}"

    def wait(self, seconds: float = 90) -> None:
        """Until the server answers."""
        end = time.time() + seconds
        while time.time() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server died:\n{self.log[-4000:]}")
            with contextlib.suppress(OSError):
                path = "" if self.app == "voila" else "api/status"
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.port}/{path}?token={self.token}", timeout=60 if self.app == "voila" else 2
                ):
                    return
            time.sleep(0.1)
        raise TimeoutError(self.log[-4000:])

    def kernels(self) -> list[dict[str, Any]]:
        """The running kernels; the server answers 500 for a moment while one is being added."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/kernels", headers={"Authorization": f"token {self.token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except urllib.error.URLError:
            return []

    def end_kernel(self) -> None:
        """End the newest kernel for good, as somebody does who clears up."""
        if self.app == "voila":  # it tells nobody which kernels it has
            children = psutil.Process(self._process.pid).children()
            max((c for c in children if "ipykernel_launcher" in c.cmdline()), key=lambda c: c.create_time()).kill()
            return
        address = f"http://127.0.0.1:{self.port}/api/kernels/{self.kernels()[-1]['id']}"
        request = urllib.request.Request(address, headers={"Authorization": f"token {self.token}"}, method="DELETE")
        with urllib.request.urlopen(request, timeout=20):
            pass

    def stop(self) -> None:
        """End the server and the kernels that it started, and remove its folders."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(5)
        self._log.close()
        shutil.rmtree(self.home, ignore_errors=True)


def _any_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(folder: Path, notebook: str, app: str = "lab") -> Iterator[Server]:
    """A server for the time of a block."""
    server = Server(folder, notebook, app)
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def browser_page(width: int = 1280, height: int = 720) -> Iterator[Any]:
    """A page of a fresh headless Chromium, which collects its errors in ``page.problems``."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS, timeout=60_000)
        page: Any = browser.new_context(viewport={"width": width, "height": height}).new_page()
        page.problems = []
        # with the place, or ours could not be told from those of the front end
        page.on("pageerror", lambda error: page.problems.append(error.stack or str(error)))
        page.on(
            "console",
            lambda message: (
                page.problems.append(f"{message.text} ({message.location['url']})") if message.type == "error" else None
            ),
        )
        try:
            yield page
        finally:
            browser.close()


def write_notebook(path: Path, *cells: str, kernel_name: str = "python3") -> None:
    """A notebook of code cells."""
    kernel = {"name": kernel_name, "display_name": kernel_name, "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(notebook, path)


# Finds the notebook's panel in JupyterLab and in Notebook 7.
PANEL = (
    "[...jupyterapp.shell.widgets('main')].find(w => w.sessionContext && w.content && w.content.activeCellIndex !== undefined)"
)


def open_notebook(page: Any, server: Server, seconds: float = 90) -> None:
    """Go to the notebook and wait until the page has heard from its kernel that it is idle; the server knows it earlier."""
    page.goto(server.url, wait_until="commit")
    if server.app == "voila":
        return
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=seconds * 1000)
    page.wait_for_function("() => globalThis.jupyterapp", timeout=seconds * 1000)
    with explained(page, server):
        page.wait_for_function(
            f"""() => {{
                const kernel = ({PANEL})?.sessionContext.session?.kernel;
                return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
            }}""",
            timeout=seconds * 1000,
        )


@contextlib.contextmanager
def explained(page: Any, server: Server) -> Iterator[None]:
    """A time-out in the block says what the page, its cells and the kernel were doing."""
    from playwright.sync_api import TimeoutError as TimedOut

    try:
        yield
    except TimedOut as error:
        here = page.evaluate(
            f"""() => {{
                const panel = {PANEL}, kernel = panel?.sessionContext.session?.kernel;
                const cells = panel?.content.widgets.filter(c => c.model.type === 'code').map(c => c.model);
                return {{ connection: kernel?.connectionStatus, kernel: kernel?.status,
                          cells: cells?.map(m => `${{m.executionCount ?? '-'}} ${{m.executionState ?? ''}}`).join(', ') }};
            }}"""
        )
        raise TimeoutError(f"{error}\npage: {here}\nkernels: {server.kernels()}\n{server.log[-3000:]}") from error


def run_all(page: Any) -> None:
    """Run every cell."""
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); }")


def run_cell(page: Any, index: int) -> None:
    """Run one cell."""
    page.evaluate(
        f"""i => {{
            const cells = ({PANEL}).content;
            cells.activeCellIndex = i;
            cells.deselectAll();
            jupyterapp.commands.execute('notebook:run-cell');
        }}""",
        index,
    )


def kernel_says(page: Any, code: str) -> str:
    """What the code prints when the notebook's kernel runs it."""
    return page.evaluate(
        f"""async code => {{
            const kernel = ({PANEL}).sessionContext.session.kernel;
            const future = kernel.requestExecute({{ code, store_history: false }});
            let said = '';
            future.onIOPub = m => {{
                if (m.header.msg_type === 'stream') said += m.content.text;
                if (m.header.msg_type === 'error') said += m.content.ename + ': ' + m.content.evalue;
            }};
            await future.done;
            return said.trim();
        }}""",
        code,
    )


@contextlib.contextmanager
def held_back(page: Any) -> Iterator[None]:
    """What the page says reaches the kernel only after the block, in order: as if the kernel were busy so long."""
    page.evaluate(
        """() => {
            const send = WebSocket.prototype.send, held = [];
            WebSocket.prototype.send = function (...said) { held.push([this, said]); };
            globalThis.letGo = () => {
                WebSocket.prototype.send = send;
                for (const [socket, said] of held) send.apply(socket, said);
            };
        }"""
    )
    try:
        yield
    finally:
        page.evaluate("() => letGo()")


def in_the_end(page: Any, check: Callable[[], bool], seconds: float = 60) -> None:
    """Ask again and again until a check holds: a machine under load answers late, and that is no mistake."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"not so after {seconds:g} s"
        page.wait_for_timeout(100)


# -- the widgets of a notebook of the course -----------------------------------------------------------------------------


@contextlib.contextmanager
def finished(notebook: Path, folder: Path, seconds: float = 300, **size: int) -> Iterator[Any]:
    """A page of JupyterLab with a copy of the notebook, all cells run in fast mode; no script or kernel of ours may stumble."""
    need_a_browser()
    shutil.copy(notebook, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECTRAL_LAB_FAST", "1")
        with running(folder, notebook.name) as server, browser_page(**size) as page:
            open_notebook(page, server)
            run_all(page)
            with explained(page, server):
                page.wait_for_function(
                    f"() => ({PANEL}).content.widgets.filter(c => c.model.type === 'code').at(-1).model.executionCount",
                    timeout=1000 * seconds,
                )
            yield page
            assert not [problem for problem in page.problems if "sl-" in problem or "blob:" in problem]
            assert server.tracebacks == []


def failures(page: Any) -> list[str]:
    """Cells that ended with an error, except those that wait for the reader."""
    return page.evaluate(
        f"""() => ({PANEL}).content.widgets
            .filter(w => w.model.type === 'code' && !(w.model.getMetadata('tags') ?? []).includes('raises-exception'))
            .flatMap(w => w.model.outputs.toJSON())
            .filter(output => output.output_type === 'error').map(output => output.evalue)"""
    )


def show(page: Any, cell: int, kind: str, seconds: float = 60) -> Any:
    """Scroll to a cell's widget of this class, and wait until it has been drawn."""
    page.evaluate(f"i => {{ const n = ({PANEL}).content; n.activeCellIndex = i; n.scrollToItem(i, 'start'); }}", cell)
    root = page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .{kind}[data-pictures]")
    root.wait_for(timeout=1000 * seconds)
    root.scroll_into_view_if_needed()
    return root


def settled(page: Any, root: Any) -> None:
    """Wait until the kernel has answered to all that a hand did on a widget, and the answer has been painted."""
    wait_for(page, root, "data.waiting === 'false'")


def wait_for(page: Any, root: Any, condition: str, seconds: float = 60) -> None:
    """Wait for a condition on ``data``, the counters of a widget."""
    page.wait_for_function(
        f"root => {{ const data = root.dataset; return {condition}; }}", arg=root.element_handle(), timeout=1000 * seconds
    )


def slide(page: Any, root: Any, setting: str, share: float) -> None:
    """Drag a slider's handle to a share of its length."""
    slider = root.locator(f"input[type=range][data-setting={setting}]")
    box = slider.bounding_box()
    low, high, now = (float(slider.evaluate(f"e => e.{what}")) for what in ("min", "max", "value"))
    places = [box["x"] + 8 + part * (box["width"] - 16) for part in ((now - low) / (high - low), share)]
    page.mouse.move(places[0], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(places[1], box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()


def coloured(root: Any, canvas: str) -> int:
    """Pixels of a canvas that have a colour."""
    return root.locator(canvas).first.evaluate(
        """c => {
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            let n = 0;
            for (let i = 0; i < d.length; i += 4) {
                const [r, g, b, opaque] = d.slice(i, i + 4);
                if (opaque > 60 && Math.max(r, g, b) - Math.min(r, g, b) > 60) n++;
            }
            return n;
        }"""
    )


@contextlib.contextmanager
def dark_theme(page: Any) -> Iterator[None]:
    """JupyterLab in the dark for the time of a block; the new colours come a moment after the name of the theme."""
    try:
        page.evaluate("() => jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })")
        page.wait_for_timeout(3500)
        yield
    finally:
        page.evaluate("() => jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Light' })")
        page.wait_for_timeout(3000)
