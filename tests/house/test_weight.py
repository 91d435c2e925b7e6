"""`import kleiber` and `kleiber --help` stay light: heavy parts load on first use."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "polars", "altair", "starlette", "scipy.optimize", "cyclopts", "rich")


def test_import_pulls_nothing_heavy() -> None:
    code = f"import sys, kleiber; print(*[m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []


def test_every_public_name_exists() -> None:
    code = "import kleiber; [getattr(kleiber, name) for name in kleiber.__all__]"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)
