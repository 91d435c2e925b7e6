"""Reporting: a fit, or a measured capacity, as one self-contained page.

The templates are a frame (``base.html``), one small file a card, and macros; each is handed text
that is ready to be shown. What a number means and how it is written is decided in Python.
"""

from __future__ import annotations

from kleiber.reporting.again import hide_again
from kleiber.reporting.capacity import capacity_page, write_capacity
from kleiber.reporting.page import page, write

__all__ = ["capacity_page", "hide_again", "page", "write", "write_capacity"]
