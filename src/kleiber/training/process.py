"""A process of its own that trains: one JSON job as its argument, what happens as JSON lines.

It is started with the environment of ``training.machine`` and says every event as one object a
line on stdout; an error is ``{"error": {...}}``, the shape of every ``--json``. Where its stdin is
a pipe, it ends when that closes: whoever started it is gone, and nobody hears the rest.
"""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kleiber.errors import KleiberError, refused_by_system

INTERRUPTED = 130

Events = Iterable[dict[str, Any]]


def serve(arguments: Sequence[str], work: Callable[[dict[str, Any]], Events]) -> int:
    """Do the job that the first argument says, print its events, and return the exit code."""
    import torch

    _end_with_caller()
    job = json.loads(arguments[0])
    torch.set_num_threads(job["threads"])  # the environment alone does not on every build
    try:
        for said in work(job):
            print(json.dumps(said), flush=True)
    except KleiberError as error:
        print(json.dumps(error.to_dict()), flush=True)
        return 1
    except BrokenPipeError:  # the caller went away between two lines
        os._exit(1)
    except OSError as error:
        print(json.dumps(refused_by_system(error).to_dict()), flush=True)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
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
