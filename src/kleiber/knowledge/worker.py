"""A process that trains and measures cells: ``python -m kleiber.knowledge.worker``.

It is started with the environment of ``training.machine`` and says what happens as one JSON
object a line on stdout; an error is ``{"error": {...}}``, the shape of every ``--json``. Where its
stdin is a pipe, it ends when that closes: whoever started it is gone, and nobody hears the rest.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
from pathlib import Path

from kleiber.errors import InputError, KleiberError


def main(arguments: list[str]) -> int:
    """Train the cells of ``JOB``: a JSON object of cells, folders, threads, glances, device."""
    from kleiber.knowledge.cell import Cell
    from kleiber.knowledge.experiment import run, threads
    from kleiber.training import RunFolder

    _end_with_caller()
    job = json.loads(arguments[0])
    threads(job["threads"])
    try:
        cells = [Cell.of(cell) for cell in job["cells"]]
        folders = [RunFolder(Path(folder)) for folder in job["folders"]]
        for said in run(cells, folders, device=job["device"], glances=job["glances"]):
            print(json.dumps(said), flush=True)
    except KleiberError as error:
        print(json.dumps(error.to_dict()), flush=True)
        return 1
    except BrokenPipeError:  # the caller went away between two lines
        os._exit(1)
    except OSError as error:
        what = f"'{error.filename}'" if error.filename else "A file"
        refused = InputError(
            f"{what} cannot be used: {error.strerror or error}.",
            remedy="Check the path, its permissions and the space on the disk.",
        )
        print(json.dumps(refused.to_dict()), flush=True)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _end_with_caller() -> None:
    """End this process when the pipe on its stdin closes; the run's folder can go on from there."""
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return

    def wait() -> None:
        while os.read(0, 1024):  # not through sys.stdin, whose lock would hang the way out
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
