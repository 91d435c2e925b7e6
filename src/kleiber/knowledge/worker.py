"""A process that trains and measures one cell: ``python -m kleiber.knowledge.worker``.

It is started with the environment of ``training.machine`` and says what happens as one JSON
object a line on stdout; an error is ``{"error": {...}}``, the shape of every ``--json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kleiber.errors import KleiberError


def main(arguments: list[str]) -> int:
    """Train the cell of ``FOLDER CELL_JSON THREADS GLANCES DEVICE``."""
    from kleiber.knowledge.cell import Cell
    from kleiber.knowledge.experiment import run, threads
    from kleiber.training import RunFolder

    path, cell, count, glances, device = arguments
    threads(int(count))
    try:
        wanted = Cell.of(json.loads(cell))
        for said in run(wanted, RunFolder(Path(path)), device=device, glances=int(glances)):
            print(json.dumps(said), flush=True)
    except KleiberError as error:
        print(json.dumps(error.to_dict()), flush=True)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
