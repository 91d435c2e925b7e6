"""Recipes: formulas from scale to hyper-parameters, and the ladders of runs that they make.

``formula`` safe arithmetic over names of scale · ``scale`` all numbers of one scale · ``recipe`` a
TOML file of formulas, and those that are shipped · ``rung`` one planned run as plain numbers ·
``ladder`` ordered rungs.

Nothing here knows of torch, text or machines: a rung is what the rest is given.
"""

from __future__ import annotations

from kleiber.recipes.ladder import Ladder, ladder
from kleiber.recipes.recipe import Recipe, recipe, recipes
from kleiber.recipes.rung import Rung

__all__ = ["Ladder", "Recipe", "Rung", "ladder", "recipe", "recipes"]
