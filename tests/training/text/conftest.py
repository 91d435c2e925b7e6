"""Texts of these tests lie in folders of their own, and so does what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kleiber.recipes.rung import Rung

Maker = Callable[..., Rung]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "kleiber" / "text"


@pytest.fixture
def rung() -> Maker:
    def make(**changes: Any) -> Rung:
        plain: dict[str, Any] = {"name": "a rung", "recipe": "mine", "layers": 1, "width": 8}
        plain |= {"heads": 1, "vocab": 257, "context": 16, "tokens": 640, "batch": 4, "lr": 0.01}
        return Rung(**{**plain, "steps": 10, **changes})

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of 200 short documents that differ."""
    found = tmp_path / "words"
    found.mkdir()
    for number in range(200):
        (found / f"{number:03}.txt").write_text(f"document {number} says {number**3}.\n" * 3)
    return found
