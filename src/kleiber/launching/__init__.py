"""Launching: many runs on the machines there are."""

from __future__ import annotations

from kleiber.launching.local import Job, run_local

__all__ = ["Job", "run_local"]
