"""Launching: many runs on the machines there are."""

from __future__ import annotations

from kleiber.launching.cells import Trainer, Watch, train_cells
from kleiber.launching.local import Job, run_local

__all__ = ["Job", "Trainer", "Watch", "run_local", "train_cells"]
