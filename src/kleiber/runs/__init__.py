"""Runs: training runs from any source in one validated table."""

from __future__ import annotations

from kleiber.runs.notes import Note
from kleiber.runs.points import Points
from kleiber.runs.problems import Problem
from kleiber.runs.summary import RunsSummary
from kleiber.runs.table import Runs

__all__ = ["Note", "Points", "Problem", "Runs", "RunsSummary"]
