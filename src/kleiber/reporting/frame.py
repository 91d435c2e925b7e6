"""What every page shares: its colours, its scripts and their hashes, and how it is written."""

from __future__ import annotations

import base64
import hashlib
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

from kleiber.errors import UsageError
from kleiber.reporting.figures import palettes


def frame() -> dict[str, Any]:
    """Return what ``base.html`` needs: palettes, the dark charts' colours, scripts, hashes."""
    from kleiber.charts.embed import as_script, library
    from kleiber.charts.theme import DARK

    scripts = {
        name: files("kleiber.reporting").joinpath("templates", name).read_text(encoding="utf-8")
        for name in ("theme.js", "page.js")
    } | {"library": library()}
    return {
        "palettes": palettes(),
        "dark": as_script(DARK),
        "scripts": scripts,
        "hashes": [_hash(text) for text in scripts.values()],
    }


def check_target(path: str | Path) -> Path:
    """Return the place of a page, or raise a UsageError for one that a page cannot have."""
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise UsageError(
            f"'{target.name}' does not end in .html, and a report is one HTML page.",
            remedy="Name it for example report.html.",
        )
    if not target.parent.is_dir():
        raise UsageError(
            f"The folder '{target.parent}' does not exist.",
            remedy="Make it first, or name a file in a folder that exists.",
        )
    return target


def write_whole(target: Path, content: str) -> Path:
    """Write a page whole or not at all; raise a UsageError where that is not allowed."""
    partial = target.with_name(target.name + ".partial")
    try:
        partial.write_bytes(content.encode())
        os.replace(partial, target)
    except OSError as error:
        raise UsageError(
            f"'{target}' cannot be written: {error.strerror}.",
            remedy="Name a file that you may write.",
        ) from error
    return target


def _hash(script: str) -> str:
    """Return a script's hash as a content security policy names it: no other script may run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
