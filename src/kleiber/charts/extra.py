"""The two libraries of the extra ``plots``, imported on first use."""

from __future__ import annotations

import importlib
from types import ModuleType

from kleiber.errors import MissingExtraError


def altair() -> ModuleType:
    """Return the altair module, or raise MissingExtraError."""
    return _load("altair", "Drawing a chart")


def vl_convert() -> ModuleType:
    """Return the vl_convert module, or raise MissingExtraError."""
    return _load("vl_convert", "Saving a chart as a picture")


def _load(name: str, purpose: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs {name.replace('_', '-')}, which is not installed.",
            remedy="Install it with: pip install 'kleiber[plots]'.",
        ) from error
