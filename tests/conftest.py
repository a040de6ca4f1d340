"""Settings for all tests: hypothesis draws the same examples on every run and has no deadline."""

from hypothesis import settings

settings.register_profile("spectral_lab", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("spectral_lab")
