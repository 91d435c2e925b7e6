"""The first point fit of a process, after import: prints its CPU seconds."""

from __future__ import annotations

import sys
from pathlib import Path

import workload


def main() -> None:
    work = workload.load(Path(sys.argv[1]), 1, 0)
    seconds, _ = workload.cpu(lambda: workload.point_fit(work))
    print(seconds)


if __name__ == "__main__":
    main()
