"""The examples in the docstrings run, and everything public is described."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import spectral_lab

ROOT = Path(spectral_lab.__file__).parent
FILES = [path.relative_to(ROOT).with_suffix("") for path in sorted(ROOT.rglob("*.py")) if not path.stem.startswith("__")]
MODULES = [".".join(["spectral_lab", *path.parts]) for path in FILES]
FOUND = [test for name in ["spectral_lab", *MODULES] for test in doctest.DocTestFinder().find(importlib.import_module(name))]
EXAMPLES = [test for test in FOUND if test.examples]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_example_gives_what_it_prints(example, capsys):
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, clear_globs=False)
    assert failed == 0, capsys.readouterr().out


def test_the_examples_are_found():
    assert {"spectral_lab.networks.SpectralNet", "spectral_lab.training", "spectral_lab.training.train"} <= {
        example.name for example in EXAMPLES
    }


def public(module_name):
    """(full name, object) of the module and of all that it defines and does not hide."""
    module = importlib.import_module(module_name)
    yield module_name, module
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module_name:
            continue
        if not (inspect.isfunction(thing) or inspect.isclass(thing) or hasattr(thing, "__wrapped__")):
            continue
        yield f"{module_name}.{name}", thing
        if inspect.isclass(thing):
            for method, body in vars(thing).items():
                body = body.__func__ if isinstance(body, classmethod | staticmethod) else body
                if not method.startswith("_") and (inspect.isfunction(body) or isinstance(body, property)):
                    yield f"{module_name}.{name}.{method}", body


DESCRIBED = [pair for module_name in ["spectral_lab", *MODULES] for pair in public(module_name)]


@pytest.mark.parametrize("thing", [thing for _, thing in DESCRIBED], ids=[name for name, _ in DESCRIBED])
def test_everything_public_has_a_docstring_of_its_own(thing):
    text = thing.__doc__ or ""
    assert len(text.split()) >= 3
    assert not text.startswith(getattr(thing, "__name__", "property") + "("), "this is the text that Python made up"


def test_every_part_of_the_modules_is_looked_at():
    names = {name.removeprefix("spectral_lab.") for name, _ in DESCRIBED}
    assert {"networks.SpectralNet.compact", "networks.recurrence_is_cheaper", "tasks.Data", "topology.structure"} <= names
    assert {"runs.Training.rho", "networks.SpectralNet.from_config", "records.Record"} <= names
