"""Settings for all tests: hypothesis draws the same examples on every run and has no deadline."""

from hypothesis import settings

settings.register_profile("spectral_lab", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("spectral_lab")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: trains for minutes; leave out with -m 'not slow'")
