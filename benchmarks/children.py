"""What only a fresh process can show: start-up, the first fit after import, peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from workload import middle

HELP = "from kleiber.cli import main; main()"
STARTUPS: dict[str, list[str]] = {
    "python -c pass": ["-c", "pass"],
    "import numpy": ["-c", "import numpy"],
    "import kleiber": ["-c", "import kleiber"],
    "kleiber --help": ["-c", HELP, "--help"],
}


def startups(rounds: int) -> tuple[dict[str, float], dict[str, str]]:
    """Return the median CPU seconds of each start-up, and the reason for each that failed."""
    times: dict[str, list[float]] = {name: [] for name in STARTUPS}
    failed: dict[str, str] = {}
    for i in range(rounds + 1):
        for name, arguments in STARTUPS.items():
            if name in failed:
                continue
            seconds, code, said = _cpu_of([sys.executable, *arguments])
            if code:
                failed[name] = (said.strip().splitlines() or [f"exit code {code}"])[-1]
            elif i:  # the first round warms the file cache and the compiled files
                times[name].append(seconds)
    return {name: middle(t) for name, t in times.items() if t}, failed


def _cpu_of(command: list[str]) -> tuple[float, int, str]:
    """Return user and system seconds of a child, its exit code and what it said on stderr."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        said = child.stderr.read() if child.stderr else ""
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, child.returncode, said


def first_fit(data: Path, rounds: int) -> list[float]:
    """Return the CPU seconds of the first point fit of fresh processes, after import."""
    return [float(_output("first_fit.py", str(data))) for _ in range(rounds)]


def large_fit(seed: int) -> dict[str, Any]:
    """Return what ``large_fit.py`` measured of itself."""
    return json.loads(_output("large_fit.py", str(seed)))


def _output(script: str, argument: str) -> str:
    """Return what a script of this folder printed."""
    command = [sys.executable, str(Path(__file__).with_name(script)), argument]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
