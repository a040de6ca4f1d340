"""What is written in several files is the same in all of them, and what an installation needs is in the wheel."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import spectral_lab

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
GROUPS = {"core": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
REQUIREMENTS = [pytest.param(Requirement(line), id=f"{group}-{line}") for group, lines in GROUPS.items() for line in lines]


def pins_in(lines):
    """The ``name==version`` lines as a dictionary; any other line that is not a comment is an error."""
    pins = {}
    for line in lines:
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            assert canonicalize_name(name) not in pins, f"{name} is pinned twice"
            pins[canonicalize_name(name)] = Version(version)
    return pins


@pytest.fixture(scope="module")
def constraints():
    return pins_in((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())


@pytest.fixture(scope="module")
def environment():
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pip_lines(environment):
    (section,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    return section


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_every_dependency_is_pinned_within_its_bound(requirement, constraints):
    pin = constraints.get(canonicalize_name(requirement.name))
    assert pin is not None, f"{requirement.name} has no line in constraints.txt; install it in a fresh environment and add it"
    assert requirement.specifier.contains(pin), f"constraints.txt has {pin}, pyproject.toml wants {requirement}"


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_every_dependency_states_its_oldest_release(requirement):
    assert [clause.operator for clause in requirement.specifier] == [">="]


def test_a_package_has_the_same_bound_wherever_it_is_named():
    bounds = {}
    for parameter in REQUIREMENTS:
        (requirement,) = parameter.values
        assert bounds.setdefault(requirement.name, requirement.specifier) == requirement.specifier


def test_the_pins_are_sorted_and_have_no_local_part(constraints):
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    names = [line.partition("==")[0].lower() for line in lines if not line.startswith("#")]
    assert names == sorted(names)
    assert [str(version) for version in constraints.values() if version.local] == []


@pytest.mark.skipif(sys.platform != "linux", reason="the pins were made on Linux; other systems need a few more packages")
def test_dependencies_of_dependencies_are_pinned_too(constraints):
    todo = [Requirement(line) for lines in GROUPS.values() for line in lines]
    seen, missing = set(), set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if (name, *sorted(requirement.extras)) in seen:
            continue
        seen.add((name, *sorted(requirement.extras)))
        if name not in constraints:
            missing.add(name)
        try:
            wanted = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # the developers' tools, where only the tests' packages are installed
            continue
        for line in wanted:
            child = Requirement(line)
            gpu_only = name == "torch" and "platform_system" in str(child.marker)  # PyTorch pins its CUDA packages itself
            if not gpu_only and (
                child.marker is None or any(child.marker.evaluate({"extra": e}) for e in ["", *requirement.extras])
            ):
                todo.append(child)
    assert missing == set()


def test_the_conda_environment_has_the_same_packages_in_the_same_versions(pip_lines, constraints):
    found = pins_in(line for line in pip_lines if not line.startswith("-"))
    names = {canonicalize_name(Requirement(line).name) for lines in GROUPS.values() for line in lines}
    assert found == {name: constraints[name] for name in names}


def test_the_conda_environment_installs_this_package_under_the_constraints(environment, pip_lines):
    assert "-c constraints.txt" in pip_lines
    (package,) = (Requirement(line.replace("-e .", "here")) for line in pip_lines if line.startswith("-e "))
    assert package.extras == set(PROJECT["optional-dependencies"])
    (python,) = (entry for entry in environment["dependencies"] if str(entry).startswith("python "))
    assert python.split()[1].startswith(PROJECT["requires-python"])


def test_binder_installs_the_course_under_the_constraints():
    lines = (ROOT / "binder/requirements.txt").read_text(encoding="utf-8").splitlines()
    assert "-c ../constraints.txt" in lines
    assert "-e .[lab]" in lines
    assert "export OMP_NUM_THREADS=1" in (ROOT / "binder/start").read_text(encoding="utf-8").splitlines()
    python = (ROOT / "binder/runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python)


@pytest.mark.parametrize(("tool", "package"), [("ruff-pre-commit", "ruff"), ("nbstripout", "nbstripout")])
def test_pre_commit_uses_the_pinned_tools(tool, package, constraints):
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (revision,) = (repo["rev"] for repo in config["repos"] if repo["repo"].endswith("/" + tool))
    assert Version(revision) == constraints[package]


def test_the_version_is_the_same_everywhere(wheel):
    assert PROJECT["dynamic"] == ["version"]
    assert metadata.version("spectral-lab") == spectral_lab.__version__
    assert wheel.name.startswith(f"spectral_lab-{spectral_lab.__version__}-")
    assert spectral_lab.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")))
    return Path(built)


def test_the_wheel_holds_the_package_its_data_and_the_notebooks(wheel):
    kinds = {".py", ".npz", ".js", ".css", ".json"}
    expected = {path.relative_to(ROOT).as_posix() for path in (ROOT / "spectral_lab").rglob("*") if path.suffix in kinds}
    expected |= {f"spectral_lab/notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "spectral_lab/data/digits.npz" in expected
    assert expected - names == set()
    assert [name for name in names if name.startswith("tests/")] == []


def test_the_wheel_brings_the_console_command_and_the_licence(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (entry_points,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        assert "spectral-lab = spectral_lab.cli:main" in archive.read(entry_points).decode()
        assert [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")] != []


@pytest.mark.parametrize(
    "name",
    [
        *("README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "pyproject.toml", "constraints.txt", "environment.yml"),
        *(
            "Makefile",
            ".pre-commit-config.yaml",
            ".github/workflows/ci.yml",
            ".ci/run",
            "binder/requirements.txt",
            "binder/start",
        ),
    ],
)
def test_the_repository_has(name):
    assert (ROOT / name).stat().st_size > 0


@pytest.mark.parametrize("name", [".ci/run", "binder/start"])
def test_a_script_can_be_run(name):
    assert os.access(ROOT / name, os.X_OK)
    subprocess.run(["bash", "-n", ROOT / name], check=True)


@pytest.mark.parametrize("target", ["help", "lab", "test", "bench", "figures", "lint", "format", "clean"])
def test_make_knows(target):
    found = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("no-such-python", "found no Python to run as 'no-such-python'; wanted: Python >= 3.11"),
        ("./old-python", "found Python 3.9.18 as './old-python'; wanted: Python >= 3.11"),
        ("./bare-python", "found Python 3.12.3 without venv; wanted: its modules venv and ensurepip"),
    ],
)
def test_make_names_an_unusable_python_and_the_cure(tmp_path, python, message):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    answers = {"old-python": ("3.9.18", "version_info"), "bare-python": ("3.12.3", "ensurepip")}
    for name, (version, fails_on) in answers.items():
        script = f'#!/bin/sh\ncase "$*" in\n*--version*) echo Python {version};;\n*{fails_on}*) exit 1;;\nesac\n'
        (tmp_path / name).write_text(script, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    found = subprocess.run(["make", f"PYTHON={python}", "lab"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert message in found.stderr
    assert "make PYTHON=python3.12 lab" in found.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_ci_service_runs_the_script_that_is_run_by_hand():
    job = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]["test"]
    assert job["steps"][-1] == {"run": "bash .ci/run"}
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert oldest in job["strategy"]["matrix"]["python"]


def test_no_file_names_a_path_of_the_machine_it_was_written_on():
    listing = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    # Put together here, so that this file does not hold what it looks for.
    private = re.compile(r"(?<![\w.)}~])/(?:" + "|".join(["work", "root", "home"]) + r")\b")
    found = []
    for path in (ROOT / name for name in names if name):
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError):  # deleted but still in the index; not text
            continue
        found += [f"{path.relative_to(ROOT)}: {line.strip()[:80]}" for line in text.splitlines() if private.search(line)]
    assert found == []
