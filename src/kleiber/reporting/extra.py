"""The templates' engine, and one error where a library of the page is missing."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

from kleiber.errors import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Environment

NEEDED = ("jinja2", "altair", "vl_convert")


def require() -> None:
    """Raise MissingExtraError where a library that the page needs is not installed."""
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise MissingExtraError(
                f"Writing a page needs {name.replace('_', '-')}, which is not installed.",
                remedy="Install it with: pip install 'kleiber[web,plots]'.",
            ) from error


@cache
def environment() -> Environment:
    """Return the engine: everything is escaped, and a name that is missing is an error."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("kleiber.reporting"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
