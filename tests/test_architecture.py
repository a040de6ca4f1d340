"""The direction of imports, and what importing the package does not do."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import spectral_lab

ROOT = Path(spectral_lab.__file__).parent
PACKAGE = ROOT.name

# Who may import whom inside the package; modules that are not listed may import everything but live.
MAY_IMPORT = {
    "decomposition": set(),
    "files": set(),
    "blocks": set(),
    "proofs": {"blocks"},
    "misprints": {"blocks", "proofs"},
    "binomials": {"blocks", "proofs"},
    "inverses": {"binomials", "blocks", "proofs"},
    "transfer": {"binomials", "blocks", "inverses", "proofs"},
    "identities": {"binomials", "blocks", "files", "inverses", "misprints", "proofs", "transfer"},
    "tasks": set(),
    "arrays": set(),
    "downloads": set(),
    "fileformats": set(),
    "published": {"arrays", "downloads", "fileformats"},
    "datasets": {"arrays", "fileformats", "published"},
    "imagefiles": {"published"},
    "images": {"datasets", "imagefiles"},
    "featurefiles": {"files"},
    "backbones": {"downloads", "featurefiles"},
    "plotting": set(),
    "bases": set(),
    "product": set(),
    "starts": {"bases"},
    "convolutions": {"starts"},
    "layers": {"bases", "convolutions", "product", "starts"},
    "conversion": {"convolutions", "layers"},
    "counting": {"layers"},
    "sparse": {"conversion", "layers"},
    "direct": {"decomposition"},
    "networks": {"decomposition", "direct", "layers"},
    "topology": {"decomposition", "direct", "layers", "networks", "stacks", "unfolding"},
    "penalties": set(),
    "snapshots": set(),
    "batches": set(),
    "options": {"penalties"},
    "descent": {"options"},
    "records": {"snapshots"},
    "validation": {"batches"},
    "runs": {
        *{"batches", "descent", "networks", "options", "penalties", "records", "snapshots", "topology", "validation"},
    },
    "training": {"batches", "options", "penalties", "records", "runs", "validation"},
    "side_by_side": {"decomposition", "networks"},
    "ensembles": {"networks", "options", "penalties", "side_by_side", "topology", "validation"},
    "bars": {"records"},
    "sweeps": {"", "bars", "files"},  # the package's version
    "search": {"ensembles", "networks", "sweeps", "tasks"},
    "hysteresis": {"ensembles", "networks", "search", "stability", "sweeps"},
    "stability": {"networks"},
    "heads": {"networks"},
    "peak": set(),
    "depth": {"curves", "ensembles", "networks", "stability", "sweeps", "tasks", "topology"},
    "stacks": {"bases", "conversion", "layers"},
    "descriptions": {"convolutions", "filters", "direct", "layers", "networks", "stacks"},
    "toeplitz": {"convolutions", "layers", "starts"},
    "filters": {"conversion", "convolutions", "direct", "layers", "networks", "rankings", "stacks", "unfolding"},
    "inputs": {"filters", "unfolding"},
    "criteria": set(),
    "thinning": {"certificates", "counting", "criteria", "curves", "filters", "inputs", "rankings"},
    "storage": {
        *{"batches", "descent", "descriptions", "direct", "files", "networks", "options", "penalties", "records", "snapshots"},
        "training",
    },
    "exchange": {"conversion", "files", "networks"},
    "unfolding": {"decomposition", "direct", "networks", "stacks"},
    "rankings": {"decomposition", "layers", "networks", "stacks", "unfolding"},
    "certificates": {"direct", "filters", "networks", "stacks"},
    "curves": {"filters", "inputs", "rankings", "unfolding"},
    "teachers": {"curves", "layers", "penalties", "rankings", "stacks", "tasks", "unfolding"},
    "pruning": {
        *{"certificates", "counting", "criteria", "curves", "direct", "filters", "inputs", "networks", "rankings", "stacks"},
        *{"thinning", "unfolding"},
    },
    "tickets": {
        *{"certificates", "curves", "direct", "filters", "layers", "networks", "penalties", "pruning", "rankings", "stacks"},
        *{"training", "unfolding"},
    },
}
MAY_IMPORT_LIVE = {"live", "__main__", "cli"}

MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(ROOT.rglob("*.py"))}


def imported_by(source, module):
    """First names below spectral_lab that a module's source imports, wherever in the file."""
    package = [PACKAGE, *module.split(".")[:-1]]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module.split(".") if node.module else [])]
            names = [".".join([*base, alias.name]) for alias in node.names]
        else:
            continue
        found |= {parts[1] if len(parts) > 1 else "" for name in names if (parts := name.split("."))[0] == PACKAGE}
    return found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch, spectral_lab.networks", {"networks"}),
        ("from spectral_lab.live.playground import Playground", {"live"}),
        ("from spectral_lab import SpectralNet", {"SpectralNet"}),
        ("def f():\n    from ..tasks import digits", {"tasks"}),
        ("from . import views", {"live"}),
        ("import spectral_lab", {""}),
    ],
)
def test_imports_are_found_in_every_form(source, found):
    assert imported_by(source, "live.playground") == found


@pytest.mark.parametrize("module", [name for name in MODULES if name.split(".")[0] in MAY_IMPORT])
def test_imports_go_down_and_never_up(module):
    layer = module.split(".")[0]
    assert imported_by(MODULES[module].read_text(encoding="utf-8"), module) <= MAY_IMPORT[layer] | {layer}


@pytest.mark.parametrize("module", [name for name in MODULES if name.split(".")[0] not in MAY_IMPORT_LIVE])
def test_nothing_below_imports_live(module):
    assert "live" not in imported_by(MODULES[module].read_text(encoding="utf-8"), module)


def test_the_five_core_modules_are_there():
    assert {"decomposition", "networks", "tasks", "topology", "training"} <= set(MODULES)


def test_no_module_is_a_drawer_for_leftovers():
    drawers = {"utils", "util", "helpers", "helper", "misc", "common"}
    assert not drawers & {part for name in MODULES for part in name.split(".")}


def test_the_public_names_are_there_once_and_the_package_has_no_logic():
    assert len(set(spectral_lab.__all__)) == len(spectral_lab.__all__)
    assert all(getattr(spectral_lab, name).__module__.startswith("spectral_lab.") for name in spectral_lab.__all__)
    statements = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8")).body
    assert {type(statement) for statement in statements} <= {ast.Expr, ast.Import, ast.ImportFrom, ast.Assign}


PROBE = """
import json, sys
import random
import numpy, torch
def state():
    return [torch.get_num_threads(), torch.get_num_interop_threads(),
            str(torch.get_default_dtype()), str(torch.get_default_device()),
            torch.get_rng_state().tolist(), str(numpy.random.get_state()), str(random.getstate()), torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled()]
before = state()
import spectral_lab
print(json.dumps({"same": state() == before, "loaded": sorted({name.split(".")[0] for name in sys.modules})}))
"""


def test_importing_loads_no_optional_package_and_sets_nothing():
    done = subprocess.run([sys.executable, "-W", "error", "-c", PROBE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["same"]
    assert not {"sympy", "matplotlib", "networkx", "ipywidgets", "anywidget", "IPython", "pooch"} & set(answer["loaded"])


def test_importing_leaves_the_settings_of_matplotlib_alone():
    pytest.importorskip("matplotlib")
    probe = "import matplotlib as m; before = dict(m.rcParams); import spectral_lab; assert dict(m.rcParams) == before"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
