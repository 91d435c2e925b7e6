"""The worker of these tests lies beside them; one thread, as it has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
torch = pytest.importorskip("torch", reason="training needs torch (the extra train)")
torch.set_num_threads(1)
