"""Planning: what to train with a budget."""

from __future__ import annotations

from kleiber.planning.allocation import Allocation, allocate

__all__ = ["Allocation", "allocate"]
