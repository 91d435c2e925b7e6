"""Sphinx configuration: Markdown pages, one theme, warnings are errors."""

from __future__ import annotations

import tomllib
from pathlib import Path

_PROJECT = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())

project = "kleiber"
author = copyright = "The kleiber developers"
release = version = _PROJECT["project"]["version"]

extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = f"kleiber {release}"
