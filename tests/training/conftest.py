from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch (the extra train)")
torch.set_num_threads(1)
