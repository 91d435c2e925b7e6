"""What commands print, for the pages that show it: run in a folder with these tables.

``runs.csv`` is the sample that ships with the package, ``cerebras.csv`` the published losses of
Cerebras-GPT, ``known.csv`` the synthetic ladder of a known law that the tests judge fits by.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from kleiber.samples import LADDER

DOCS = Path(__file__).parent
TABLES = {
    "runs.csv": LADDER,
    "cerebras.csv": DOCS / "cerebras.csv",
    "known.csv": DOCS.parent / "tests" / "known" / "ladder.csv",
}


def shown(command: str) -> str:
    """Return a fenced block with a kleiber command and what it writes to stdout."""
    return f"```\n$ {command}\n{_run([sys.executable, '-m', *shlex.split(command)])}\n```"


def shown_python(code: str) -> str:
    """Return fenced Python and, in a second block, what it prints."""
    return f"```python\n{code}\n```\n\n```\n{_run([sys.executable, '-c', code])}\n```"


def _run(arguments: list[str]) -> str:
    """Run a program beside the tables and return its output."""
    with tempfile.TemporaryDirectory() as folder:
        for name, table in TABLES.items():
            shutil.copy(table, Path(folder) / name)
        done = subprocess.run(
            arguments, cwd=folder, capture_output=True, text=True, check=True, timeout=120
        )
    return "\n".join(line.rstrip() for line in done.stdout.rstrip().splitlines())
