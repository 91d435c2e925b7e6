"""A process that trains rungs: ``python -m kleiber.launching.worker``, one JSON job its argument.

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
from kleiber.launching.rungs import Opener, run
from kleiber.recipes.rung import Rung
from kleiber.training.folder import RunFolder


def main(arguments: list[str], opener: Opener | None = None) -> int:
    """Train the rungs of a job: a JSON object of rungs, folders, threads, device."""
    import torch

    from kleiber.launching.text import open_text

    end_with_caller()
    job = json.loads(arguments[0])
    torch.set_num_threads(job["threads"])  # the environment alone does not on every build
    try:
        rungs = [Rung.of(rung) for rung in job["rungs"]]
        folders = [RunFolder(Path(folder)) for folder in job["folders"]]
        for said in run(rungs, folders, opener or open_text, device=job["device"]):
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


def end_with_caller() -> None:
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
