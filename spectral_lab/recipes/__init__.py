"""The papers' figures and tables as named recipes; :mod:`spectral_lab.reproduce` runs them."""

from spectral_lab.recipes import pre, sparcs, structure
from spectral_lab.recipes.recipe import SCALES, Done, Finding, Outcome, Recipe, Setting, Trial

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (*structure.RECIPES, *sparcs.RECIPES, *pre.RECIPES)}

__all__ = ["RECIPES", "SCALES", "Done", "Finding", "Outcome", "Recipe", "Setting", "Trial"]
