"""Several processes at once on this machine, each with its own threads, each heard as it goes."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Event = dict[str, Any]
TAIL = 2000  # characters of a failed process's stderr


@dataclass(frozen=True)
class Job:
    """A command that says one JSON object a line on stdout, and the environment it needs."""

    command: Sequence[str]
    environment: Mapping[str, str]


def run_local(jobs: Sequence[Job], *, at_once: int) -> Iterator[tuple[int, Event]]:
    """Run every job, so many at once in their order, and yield what each says.

    A job that begins yields ``{"started": True}``; one that fails without having said why,
    ``{"error": {...}}``, and the others go on. When the caller stops listening, or is interrupted,
    all processes are ended: what they did is on disk, and the same jobs go on from there. A job's
    stdin is a pipe that closes when this process ends, however it ends, so that a job that
    watches it does not outlive its caller.
    """
    heard: queue.Queue[tuple[int, Event | None]] = queue.Queue()
    waiting = list(enumerate(jobs))
    running: dict[int, subprocess.Popen[str]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < max(1, at_once):
                number, job = waiting.pop(0)
                running[number] = _start(number, job, heard)
                yield number, {"started": True}
            number, event = heard.get()
            if event is None:
                _close(running.pop(number))
            else:
                yield number, event
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            _close(process)


def _start(
    number: int, job: Job, heard: queue.Queue[tuple[int, Event | None]]
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        list(job.command),
        env=dict(job.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its children
    )
    threading.Thread(target=_listen, args=(number, process, heard), daemon=True).start()
    return process


def _close(process: subprocess.Popen[str]) -> None:
    """Wait for a process's end and let its standard input go."""
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _listen(
    number: int,
    process: subprocess.Popen[str],
    heard: queue.Queue[tuple[int, Event | None]],
) -> None:
    """Pass on every line of a process, then why it failed if it has not said so, then its end."""
    assert process.stdout is not None and process.stderr is not None
    complaints: list[str] = []
    stderr = process.stderr
    reader = threading.Thread(target=lambda: complaints.append(stderr.read()), daemon=True)
    reader.start()
    said_why = False
    with process.stdout as lines:
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a library that prints is not our affair
            if isinstance(event, dict):
                said_why |= "error" in event
                heard.put((number, event))
    reader.join()
    stderr.close()
    code = process.wait()
    if code != 0 and not said_why:
        heard.put((number, {"error": _failure(code, "".join(complaints))}))
    heard.put((number, None))


def _failure(code: int, complaint: str) -> Event:
    """Return a process's end that it could not explain itself."""
    last = complaint.strip().splitlines()[-1:] or ["it said nothing"]
    ended = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    if code == -9 and not complaint.strip():
        last = ["nobody said why; often the machine was out of memory"]
    return {
        "code": "process",
        "message": f"A training process {ended}: {last[0].rstrip('.')}.",
        "remedy": "Start the same command again; finished runs are kept and unfinished ones go on.",
        "stderr": complaint[-TAIL:],
    }
