"""Threads and memory of a training process, set before it starts.

Three settings outweigh any change to a small model on a CPU, and all three are read once, when a
process starts; so a training process is started by us, with this environment, and never tuned
from within.

- Waiting OpenMP threads spin by default: beside one busy process that costs an order of
  magnitude. Ours sleep.
- glibc hands large buffers back to the kernel at every step and takes them anew, zeroed page by
  page. Ours keeps them.
- One thread a process, several processes at once, is the fastest use of a small machine for
  small models; one process with all cores is for one large model.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def environment(threads: int, *, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a training process with so many threads.

    A variable that the user has set stays as it is.
    """
    ours = {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if sys.platform.startswith("linux"):
        ours |= KEEP_MEMORY
    given = dict(os.environ if base is None else base)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        given.pop(name, None)  # a count for this process is no wish for its children
    return {**ours, **given}


def cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def can_compile() -> bool:
    """Return whether torch.compile can build here for the CPU: a compiler and Python's headers."""
    compiler = shutil.which("g++") or shutil.which("c++")
    return compiler is not None and Path(sysconfig.get_paths()["include"], "Python.h").exists()


def has_tiles() -> bool:
    """Return whether the processor multiplies bfloat16 in tiles (AMX), many times faster."""
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
