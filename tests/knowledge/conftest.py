from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="knowledge is measured with torch (the extra train)")
torch.set_num_threads(1)

from kleiber.knowledge.cell import Cell  # noqa: E402
from kleiber.training import RunFolder  # noqa: E402

TAUGHT = Cell(
    people=60, exposures=600, layers=2, width=8, heads=2, batch=60, lr=0.04, betas=(0.9, 0.99),
    strings={"K": 3, "C": 1, "D": 16, "L": 1, "T": 16, "name_tokens": 2}, compiled=False,
)  # fmt: skip


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Train a small model on more people than it can hold, once; nobody may write into it."""
    from kleiber.knowledge.experiment import run

    folder = RunFolder(Path(tmp_path_factory.mktemp("taught")) / TAUGHT.name)
    for _ in run([TAUGHT], [folder]):
        pass
    return folder
