"""Judging: what is wrong with a fit, and how it does on runs that it has not seen."""

from __future__ import annotations

from kleiber.judging.findings import Finding, check
from kleiber.judging.hide import Hidden, hidden_line, hide_largest

__all__ = ["Finding", "Hidden", "check", "hidden_line", "hide_largest"]
