"""Filters of models with convolutions: which belong together, how relevant they are, and how they are taken out.

``steps`` knows what each step of a model does to channels, ``channels`` follows them through a whole model, ``silence`` says
which of them nobody hears, ``relevance`` gives each a score, ``cutting`` makes layers smaller, and ``removal`` is all that
together: :class:`Filters`.
"""

from spectral_lab.filters.relevance import FILTER_RANKING_NAMES
from spectral_lab.filters.removal import Filters, answers
from spectral_lab.filters.steps import has_filters, is_conv

__all__ = ["FILTER_RANKING_NAMES", "Filters", "answers", "has_filters", "is_conv"]
