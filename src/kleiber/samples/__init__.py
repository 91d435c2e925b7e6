"""Small tables that ship with the package, each with the script that made it; data, no logic."""

from __future__ import annotations

from pathlib import Path

LADDER = Path(__file__).with_name("ladder.csv")
"""A ladder that kleiber trained: 29 runs of 8 sizes, 5.7k to 230k parameters (make_ladder.py)."""

LADDER_FILE = Path(__file__).with_name("ladder.toml")
"""The ladder file that it was trained by: ``kleiber ladder run`` trains it again."""
