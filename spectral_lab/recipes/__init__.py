"""The papers' figures and tables as named recipes; :mod:`spectral_lab.reproduce` runs them."""

from spectral_lab.recipes import (
    depth_figures,
    depth_selection,
    depth_statistics,
    digits_search,
    filter_pruning,
    heads,
    hyperparameters,
    loops,
    phases,
    poster,
    pre,
    pretrained,
    pruning,
    sparcs,
    structure,
    student,
    students_on_data,
)
from spectral_lab.recipes.recipe import SCALES, Done, Finding, Outcome, Recipe, Setting, Trial

MODULES = (
    structure,
    sparcs,
    depth_figures,
    depth_statistics,
    depth_selection,
    heads,
    pretrained,
    hyperparameters,
    phases,
    loops,
    digits_search,
    pre,
    pruning,
    student,
    students_on_data,
    filter_pruning,
    poster,
)
RECIPES: dict[str, Recipe] = {recipe.name: recipe for module in MODULES for recipe in module.RECIPES}

__all__ = ["RECIPES", "SCALES", "Done", "Finding", "Outcome", "Recipe", "Setting", "Trial"]
