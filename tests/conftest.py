"""Settings for all tests: hypothesis draws the same examples on every run and has no deadline."""

import builtins

import pytest
from hypothesis import settings

settings.register_profile("spectral_lab", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("spectral_lab")


@pytest.fixture(scope="module")
def short_presets():
    """Presets that take a few steps, in place of those for a lecture."""
    from doings import PRESETS

    from spectral_lab.live import instrument

    with pytest.MonkeyPatch.context() as patch:
        for name, preset in PRESETS.items():
            patch.setitem(instrument.PRESETS, name, preset)
        yield


@pytest.fixture
def cell(monkeypatch):
    """Pretends to run a notebook's cell: ``cell("id", n)`` is its n-th execution."""
    from spectral_lab.live import cells

    monkeypatch.setattr(cells, "_shown", {})

    def enter(name, count):
        class Shell:
            execution_count = count

            def get_parent(self):
                return {"metadata": {} if name is None else {"cellId": name}}

        monkeypatch.setattr(builtins, "get_ipython", Shell, raising=False)

    return enter
