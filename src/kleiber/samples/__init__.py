"""Small tables that ship with the package, each with the script that made it; data, no logic."""

from __future__ import annotations

from pathlib import Path

LADDER = Path(__file__).with_name("ladder.csv")
"""A SYNTHETIC ladder of 24 runs, 12M to 3.2B parameters, with a known truth (make_ladder.py)."""
