"""A process that trains and measures cells: ``python -m kleiber.knowledge.worker``.

See ``training.process`` for how it is started and what it says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kleiber.training.process import serve


def work(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Train the cells of a job: cells, folders, threads, glances, device."""
    from kleiber.knowledge.cell import Cell
    from kleiber.knowledge.experiment import run
    from kleiber.training import RunFolder

    cells = [Cell.of(cell) for cell in job["cells"]]
    folders = [RunFolder(Path(folder)) for folder in job["folders"]]
    return run(cells, folders, device=job["device"], glances=job["glances"])


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:], work))
