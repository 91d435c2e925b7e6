"""A process that trains rungs: ``python -m kleiber.launching.worker``; see ``training.process``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kleiber.launching.rungs import Opener, run
from kleiber.recipes.rung import Rung
from kleiber.training.folder import RunFolder
from kleiber.training.process import serve


def main(arguments: Sequence[str], opener: Opener | None = None) -> int:
    """Train the rungs of a job: rungs, folders, threads, device, micro_batches."""
    from kleiber.launching.text import open_text

    def work(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
        rungs = [Rung.of(rung) for rung in job["rungs"]]
        folders = [RunFolder(Path(folder)) for folder in job["folders"]]
        how = {name: job[name] for name in ("device", "micro_batches")}
        return run(rungs, folders, opener or open_text, **how)

    return serve(arguments, work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
