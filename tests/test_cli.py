"""The console command: it listens on loopback alone, keeps its token to itself, and says what is wrong and what to do."""

import os
import re
import signal
import socket
import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest

import spectral_lab
from spectral_lab import cli
from spectral_lab.cli import HOST, START, free_port, launch, main, notebook_folder, server_command, threads, why_no_browser


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A repository with two notebooks, as seen from the package."""
    (tmp_path / "notebooks").mkdir()
    for name in (START, "01_other.ipynb"):
        (tmp_path / "notebooks" / name).write_text("{}", encoding="utf-8")
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "spectral_lab" / "cli.py"))
    return tmp_path / "notebooks"


@pytest.fixture
def started(monkeypatch):
    """The servers that were started; none of them is."""
    processes = []

    class Process:
        status, interrupted = 0, False

        def __init__(self, command, env):
            self.command, self.env, self.terminated = command, env, False
            processes.append(self)

        def wait(self):
            if Process.interrupted and not self.terminated:
                raise KeyboardInterrupt
            return Process.status

        def terminate(self):
            self.terminated = True

    Process.all = processes
    monkeypatch.setattr(subprocess, "Popen", Process)
    return Process


@pytest.fixture
def display(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "get", lambda: None)


@pytest.fixture
def no_display(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


# -- the command line --------------------------------------------------------------------------------------------------


def test_help_names_what_there_is(capsys):
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("--port", "--notebook", "--voila", "--no-browser", "demo", "doctor"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo"], "the following arguments are required: --out"),
        (["demo", "--out", "x", "--seed", "one"], "argument --seed: invalid int value: 'one'"),
        (["--port", "http"], "argument --port: invalid int value: 'http'"),
        (["play"], "invalid choice: 'play'"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_a_wrong_command_line_is_refused_with_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as done:
        main(arguments)
    assert done.value.code == 2
    assert message in capsys.readouterr().err


def test_options_reach_the_launcher(monkeypatch):
    calls = []
    monkeypatch.setattr(cli, "launch", lambda *args, **options: calls.append((args, options)) or 7)
    assert main([]) == 7
    assert main(["--port", "9000", "--notebook", "01_other", "--voila", "--no-browser"]) == 7
    assert calls == [((0, START), {"voila": False, "browser": True}), ((9000, "01_other"), {"voila": True, "browser": False})]


def test_demo_and_doctor_are_called_with_their_options(monkeypatch, tmp_path):
    from spectral_lab.live import demo, doctor

    calls = []
    monkeypatch.setattr(demo, "play", lambda out, *, seed: calls.append((out, seed)))
    monkeypatch.setattr(doctor, "examine", lambda: 3)
    monkeypatch.setattr("torch.set_num_threads", lambda n: None)
    assert main(["demo", "--out", str(tmp_path), "--seed", "4"]) == 0
    assert calls == [(Path(tmp_path), 4)]
    assert main(["doctor"]) == 3


def test_the_package_can_be_run_as_a_module():
    done = subprocess.run([sys.executable, "-m", "spectral_lab", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: spectral-lab")


# -- ports and threads -------------------------------------------------------------------------------------------------


@pytest.fixture
def taken():
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_that_is_free_is_given_as_asked(taken):
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        free = probe.getsockname()[1]
    assert free_port(free) == free != taken


def test_a_taken_port_is_refused_with_the_cure(taken):
    with pytest.raises(ValueError, match=rf"port {taken} is taken or not allowed; leave --port out"):
        free_port(taken)


@pytest.mark.parametrize("port", [-1, 65536, 10**9])
def test_a_port_that_does_not_exist_is_refused(port):
    with pytest.raises(ValueError, match=rf"port {port} does not exist; choose one from 1024 to 65535"):
        free_port(port)


def test_without_a_wish_it_is_8888_or_another_that_is_free(monkeypatch):
    asked = []

    class Probe(socket.socket):
        def bind(self, address):
            asked.append(address)
            if address[1]:
                raise OSError("taken")
            super().bind(address)

    monkeypatch.setattr(socket, "socket", Probe)
    assert free_port(0) not in (0, 8888)
    assert asked == [("127.0.0.1", 8888), ("127.0.0.1", 0)]


@pytest.mark.parametrize(
    ("limit", "number"),
    [(None, 1), ("2", 2), ("3.9", 3), ("0.5", 1), ("0", 1), ("-4", 1), ("", 1), ("many", 1), ("nan", 1), ("inf", 1)],
)
def test_threads_come_from_the_limit_of_the_hub(limit, number, monkeypatch):
    monkeypatch.delenv("CPU_LIMIT", raising=False)
    if limit is not None:
        monkeypatch.setenv("CPU_LIMIT", limit)
    assert threads() == number


# -- browsers ----------------------------------------------------------------------------------------------------------


def test_without_a_display_there_is_a_reason(no_display):
    assert why_no_browser() == "there is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set)"


@pytest.mark.parametrize(
    ("platform", "name"), [("linux", "DISPLAY"), ("linux", "WAYLAND_DISPLAY"), ("darwin", None), ("win32", None)]
)
def test_with_a_display_there_is_none(platform, name, no_display, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    if name:
        monkeypatch.setenv(name, ":0")
    monkeypatch.setattr(webbrowser, "get", lambda: None)
    assert why_no_browser() is None


def test_without_a_browser_the_reason_is_that_of_python(display, monkeypatch):
    def none():
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    assert why_no_browser() == "could not locate runnable browser"


# -- the server --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("voila", [False, True])
@pytest.mark.parametrize("browser", [False, True])
def test_the_server_listens_on_loopback_alone(voila, browser, tmp_path):
    command = server_command(tmp_path, START, 9123, voila=voila, browser=browser)
    assert command[:3] == [sys.executable, "-m", "voila" if voila else "jupyter"]
    assert [part for part in command if ".ip=" in part] == [f"--{'Voila' if voila else 'ServerApp'}.ip=127.0.0.1"]
    assert not [part for part in command if "0.0.0.0" in part or "token" in part.lower() or part.endswith("=*")]
    assert [part for part in command if re.search(r"port=9123$", part)] != []
    assert ("--no-browser" in command) == (not browser)


def test_the_server_opens_the_notebook_with_the_prompt_connection_and_asks_nobody_for_news(tmp_path):
    command = server_command(tmp_path, "01_other.ipynb", 9123, voila=False, browser=True)
    assert f"--ServerApp.root_dir={tmp_path}" in command
    assert "--LabApp.default_url=/doc/tree/01_other.ipynb" in command
    assert "--LabApp.news_url=None" in command
    (connection,) = (part.partition("=")[2] for part in command if "kernel_websocket_connection_class" in part)
    module, _, name = connection.rpartition(".")
    assert hasattr(pytest.importorskip(module), name)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no root here")
@pytest.mark.parametrize("user", [0, 1000])
def test_only_root_says_that_it_is_root(user, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("--allow-root" in server_command(tmp_path, START, 1, voila=False, browser=True)) == (user == 0)


def test_small_messages_are_sent_at_once(monkeypatch):
    server = pytest.importorskip("spectral_lab.live.server")
    calls = []

    class Handler:
        def set_nodelay(self, on):
            calls.append(on)

    monkeypatch.setattr(server.ZMQChannelsWebsocketConnection, "connect", lambda self: calls.append("connected") or "done")
    connection = object.__new__(server.PromptConnection)
    monkeypatch.setattr(server.PromptConnection, "websocket_handler", Handler(), raising=False)
    assert connection.connect() == "done"
    assert calls == [True, "connected"]


def test_without_a_display_the_address_and_the_reason_are_printed(folder, started, no_display, capsys):
    assert launch(0, START) == 0
    (server,) = started.all
    said = capsys.readouterr().out
    token = server.env["JUPYTER_TOKEN"]
    port = re.search(r"http://127\.0\.0\.1:(\d+)/doc/tree/00_playground\.ipynb\?token=(\S+)", said)
    assert port[2] == token
    assert f"--ServerApp.port={port[1]}" in server.command
    assert "No browser was opened: there is no display here" in said
    assert "--no-browser" in server.command
    assert len(token) >= 32
    assert not [part for part in server.command if token in part]


def test_with_a_display_a_browser_opens(folder, started, display, capsys):
    assert launch(0, START) == 0
    assert "--no-browser" not in started.all[0].command
    assert "A browser opens; stop with Ctrl-C." in capsys.readouterr().out


def test_a_browser_that_is_not_wanted_does_not_open(folder, started, display, capsys):
    assert launch(0, "01_other", browser=False) == 0
    assert "--no-browser" in started.all[0].command
    assert "No browser was opened: --no-browser was given" in capsys.readouterr().out
    assert "--LabApp.default_url=/doc/tree/01_other.ipynb" in started.all[0].command


def test_voila_shows_the_notebook_itself(folder, started, display, capsys, monkeypatch):
    monkeypatch.setattr(cli, "find_spec", lambda name: name == "voila" or None)
    assert launch(0, START, voila=True) == 0
    assert str(folder / START) in started.all[0].command
    assert re.search(r"http://127\.0\.0\.1:\d+/\n", capsys.readouterr().out)


def test_every_launch_has_a_token_of_its_own(folder, started, display):
    launch(0, START)
    launch(0, START)
    first, second = (server.env["JUPYTER_TOKEN"] for server in started.all)
    assert first != second


@pytest.mark.parametrize(("given", "limit", "wanted"), [(None, None, "1"), (None, "4", "4"), ("3", "4", "3")])
def test_the_kernels_get_their_number_of_threads(given, limit, wanted, folder, started, display, monkeypatch):
    for name, value in {"OMP_NUM_THREADS": given, "CPU_LIMIT": limit}.items():
        monkeypatch.delenv(name, raising=False)
        if value:
            monkeypatch.setenv(name, value)
    launch(0, START)
    assert started.all[0].env["OMP_NUM_THREADS"] == wanted


def test_the_status_of_the_server_is_the_status_of_the_command(folder, started, display):
    started.status = 5
    assert main([]) == 5


def test_ctrl_c_stops_the_server(folder, started, display):
    started.interrupted = True
    assert launch(0, START) == 0
    assert started.all[0].terminated


def test_an_unknown_notebook_is_refused_with_the_known_ones(folder, started, capsys):
    assert main(["--notebook", "99_none"]) == 2
    said = capsys.readouterr().err
    assert said == f"spectral-lab: there is no notebook 99_none.ipynb in {folder}; there are: 00_playground, 01_other\n"
    assert started.all == []


def test_a_taken_port_ends_the_command(folder, started, taken, capsys):
    assert main(["--port", str(taken)]) == 2
    assert f"spectral-lab: port {taken} is taken" in capsys.readouterr().err
    assert started.all == []


@pytest.mark.parametrize(("option", "package"), [([], "jupyterlab"), (["--voila"], "voila")])
def test_a_missing_server_is_named_with_the_command_that_installs_it(option, package, folder, started, capsys, monkeypatch):
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    assert main(option) == 2
    assert (
        capsys.readouterr().err
        == f"spectral-lab: {package} is not installed here. Install it: pip install 'spectral_lab[lab]'\n"
    )
    assert started.all == []


# -- notebooks ---------------------------------------------------------------------------------------------------------


def test_in_a_repository_the_notebooks_are_used_where_they_are(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert notebook_folder() == folder
    assert not (tmp_path / "spectral_lab_notebooks").exists()


def test_an_installed_package_copies_its_notebooks_and_leaves_yours_alone(tmp_path, monkeypatch):
    package, here = tmp_path / "site-packages" / "spectral_lab", tmp_path / "here"
    (package / "notebooks").mkdir(parents=True)
    here.mkdir()
    for name in (START, "01_other.ipynb"):
        (package / "notebooks" / name).write_text("new", encoding="utf-8")
    (package / "notebooks" / "data.txt").write_text("no notebook", encoding="utf-8")
    monkeypatch.setattr(cli, "__file__", str(package / "cli.py"))
    monkeypatch.chdir(here)
    copy = notebook_folder()
    assert copy == here / "spectral_lab_notebooks"
    assert sorted(path.name for path in copy.iterdir()) == [START, "01_other.ipynb"]
    (copy / START).write_text("my own answers", encoding="utf-8")
    (copy / "01_other.ipynb").unlink()
    assert notebook_folder() == copy
    assert (copy / START).read_text(encoding="utf-8") == "my own answers"
    assert (copy / "01_other.ipynb").read_text(encoding="utf-8") == "new"


def test_the_notebook_that_opens_is_there():
    assert (Path(spectral_lab.__file__).parent.parent / "notebooks" / START).is_file() or (notebook_folder() / START).is_file()


def test_stopping_the_launcher_stops_the_server(started, no_display, folder, monkeypatch):
    def stopped(self):
        if not self.terminated:
            signal.raise_signal(signal.SIGTERM)
        return 0

    monkeypatch.setattr(started, "wait", stopped)
    before = signal.getsignal(signal.SIGTERM)
    assert main([]) == 0
    assert started.all[-1].terminated
    assert signal.getsignal(signal.SIGTERM) is before
