"""A ladder's rungs, looked at first, then trained in processes of their own."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from kleiber.errors import InputError, KleiberError, UsageError
from kleiber.launching.cells import ONE_THREAD, Watch
from kleiber.launching.local import Job, run_local
from kleiber.launching.rungs import FAILED, groups, result_of
from kleiber.launching.text import check_words
from kleiber.recipes.rung import Rung
from kleiber.training.folder import PROCESS, RunFolder
from kleiber.training.lock import check_free, holder
from kleiber.training.memory import available_bytes, check_room, training_bytes
from kleiber.training.rung import model_of, training_of

SMALLER = (
    "Add --micro-batches 2 or more, or take a smaller batch, width or number of layers, or fewer "
    "--jobs."
)
WORKER = "kleiber.launching.worker"
States = Literal["done", "running", "stopped", "failed", "missing"]
Error = dict[str, str]


@dataclass(frozen=True)
class Standing:
    """How far a rung is: its state, the share of its steps, its result or why it failed.

    ``missing`` was never begun, ``stopped`` began and has no process now; ``seconds`` are spent so
    far. ``step`` is of the last point on disk.
    """

    rung: Rung
    state: States
    step: int = 0
    seconds: float = 0.0
    loss: float | None = None
    why: str = ""

    @property
    def share(self) -> float:
        """The share of the steps that are done."""
        return self.step / self.rung.steps

    def to_dict(self) -> dict[str, Any]:
        """Return the standing as plain values."""
        return {
            "run": self.rung.name,
            "state": self.state,
            "step": self.step,
            "steps": self.rung.steps,
            "seconds": self.seconds,
            "loss": self.loss,
            "why": self.why,
        }


def standing(rung: Rung, out: Path) -> Standing:
    """Return how far a rung is in a ladder's folder, from what lies there alone.

    Raises InputError where its folder holds another run, or cannot be read.
    """
    folder = RunFolder(out / rung.name)
    if not (folder.path / "run.json").exists():
        if folder.path.exists() and not folder.path.is_dir():
            raise InputError(
                f"'{folder.path}' is a file, and a run needs a folder.", remedy="Name a new folder."
            )
        return Standing(rung, "missing")
    held = folder.record().get("rung")
    if not isinstance(held, dict) or Rung.of(held).fingerprint != rung.fingerprint:
        raise InputError(
            f"'{folder.path}' holds another run than the ladder's {rung.name}"
            f"{_differences(held, rung)}; nothing was changed.",
            remedy="Name another --out, or move that folder away.",
        )
    points = folder.points()
    last = points[-1] if points else {"step": 0, "seconds": 0.0}
    so_far = {"step": last["step"], "seconds": last["seconds"]}
    if (folder.path / FAILED).exists():
        why = folder.read_json(FAILED)
        return Standing(rung, "failed", why.get("step", 0), last["seconds"], why=_why(why))
    if folder.done:
        return Standing(rung, "done", **so_far, loss=result_of(folder)["loss"])
    return Standing(rung, "running" if holder(folder.path / PROCESS) else "stopped", **so_far)


class LadderTrainer(Protocol):
    """What a study trains rungs with: :func:`train_ladder`, or one that shows it on a screen."""

    def __call__(
        self, rungs: Sequence[Rung], out: Path, *, jobs: int | None = None
    ) -> tuple[list[dict[str, Any]], dict[str, Error]]:
        """Return the finished runs, and why others failed by their names."""
        ...


def train_ladder(
    rungs: Sequence[Rung],
    out: Path,
    *,
    jobs: int | None = None,
    device: str = "cpu",
    micro_batches: int = 1,
    retry: bool = False,
    watch: Watch | None = None,
    worker: str = WORKER,
) -> tuple[list[dict[str, Any]], dict[str, Error]]:
    """Train every rung in a folder of its own; return results, and by name why others failed.

    Done rungs are read, begun ones go on, and one that failed is left unless ``retry``. A rung
    that cannot be trained leaves the others alone: what is wrong with its settings or its memory
    is said before anything starts, a loss that is no number as it comes. With ``micro_batches`` a
    step takes its batch in so many parts, which need less memory and come to the same step.
    """
    from kleiber.training.extra import check_device, require
    from kleiber.training.machine import cores, environment

    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs is {jobs}; at least 1 is needed.", remedy="Leave --jobs out.")
    if micro_batches < 1:
        raise UsageError(
            f"--micro-batches is {micro_batches}; at least 1 is needed.",
            remedy="Leave --micro-batches out.",
        )
    if device != "cpu":
        require()
        check_device(device)
    results, errors, todo = _looked_at(rungs, out, retry=retry)
    stacks = [[i for i in g if i in todo] for g in groups(rungs) if todo & set(g)]
    stacks, refused = _possible(rungs, stacks, device, micro_batches, ours=worker == WORKER)
    errors |= refused
    if stacks:
        require()
    wanted = min(len(stacks), jobs or (cores() if device == "cpu" else 1))
    at_once = _that_fit(rungs, stacks, max(1, wanted), device, micro_batches)
    threads = max(1, cores() // at_once)
    if device == "cpu" and max((rung.width for rung in rungs), default=0) <= ONE_THREAD:
        threads = 1
    how = {"threads": threads, "device": device, "micro_batches": micro_batches}
    started = [
        Job(_command(rungs, stack, out, how, worker), environment(threads)) for stack in stacks
    ]
    if watch is not None:
        watch.begin(stacks)
        for number, result in results.items():
            watch.known(number, result)
        for number, rung in enumerate(rungs):
            if rung.name in errors:
                watch.show(number, {"error": errors[rung.name]})
    _listen(started, at_once, stacks, results, errors, rungs, watch)
    return [results[number] for number in sorted(results)], errors


def _looked_at(
    rungs: Sequence[Rung], out: Path, *, retry: bool
) -> tuple[dict[int, dict[str, Any]], dict[str, Error], set[int]]:
    """Return the results there are, why others cannot be had, and the numbers of what is to do."""
    results: dict[int, dict[str, Any]] = {}
    errors: dict[str, Error] = {}
    todo: set[int] = set()
    for number, rung in enumerate(rungs):
        folder = RunFolder(out / rung.name)
        try:
            now = standing(rung, out)
            if now.state == "failed" and not retry:
                raise InputError(now.why, remedy="Add --retry to train it from its start.")
            if now.state == "done":
                results[number] = result_of(folder)
                continue
            check_free(folder.path / PROCESS, rung.name)
        except InputError as error:
            errors[rung.name] = error.to_dict()["error"]
            continue
        todo.add(number)
        if now.state == "failed":
            _forget(folder)
    return results, errors, todo


def _listen(
    started: Sequence[Job],
    at_once: int,
    stacks: Sequence[Sequence[int]],
    results: dict[int, dict[str, Any]],
    errors: dict[str, Error],
    rungs: Sequence[Rung],
    watch: Watch | None,
) -> None:
    """Run the jobs, and fill in the results and the errors that come."""
    stopped = False
    try:
        for job, event in run_local(started, at_once=at_once):
            whose = [stacks[job][event["number"]]] if "number" in event else stacks[job]
            if "result" in event:
                results[whose[0]] = event["result"]
            if "error" in event:  # without a number: of all in the process that had not ended
                whose = [i for i in whose if i not in results and rungs[i].name not in errors]
                errors |= {rungs[i].name: event["error"] for i in whose}
            for number in whose if watch is not None else ():
                _tell(watch, number, event)
    except KeyboardInterrupt:
        stopped = True
        raise
    finally:
        if watch is not None:
            watch.close(stopped=stopped)


def _tell(watch: Watch | None, number: int, event: dict[str, Any]) -> None:
    if watch is not None and "started" in event:
        watch.start(number)
    elif watch is not None:
        watch.show(number, event)


def stack_bytes(rungs: Sequence[Rung], micro_batches: int = 1) -> float:
    """Estimate the bytes that training rungs as one stack takes."""
    one = rungs[0]
    return training_bytes(
        model_of(one),
        batch=math.ceil(one.batch / micro_batches),
        window=one.context,
        precision=one.precision,
        stack=len(rungs),
    )


def _possible(
    rungs: Sequence[Rung],
    stacks: Sequence[list[int]],
    device: str,
    micro_batches: int,
    *,
    ours: bool,
) -> tuple[list[list[int]], dict[str, Error]]:
    """Return the stacks that can be trained here, and why others cannot.

    Only of a worker of ours is it known what text it opens.
    """
    kept: list[list[int]] = []
    errors: dict[str, Error] = {}
    for stack in stacks:
        names = ", ".join(rungs[i].name for i in stack)
        try:
            training_of(rungs[stack[0]], micro_batches=micro_batches)
            if ours:
                check_words(rungs[stack[0]])
            needed = stack_bytes([rungs[i] for i in stack], micro_batches)
            check_room(needed, f"Training {names}", device=device, remedy=SMALLER)
            _check_parts(rungs[stack[0]], micro_batches)
        except KleiberError as error:
            errors |= {rungs[i].name: error.to_dict()["error"] for i in stack}
        else:
            kept.append(stack)
    return kept, errors


def _check_parts(rung: Rung, micro_batches: int) -> None:
    if rung.batch % micro_batches:
        raise UsageError(
            f"{rung.name} has {rung.batch:,} windows a step, and {micro_batches} equal parts are "
            "asked for.",
            remedy="Choose a --micro-batches that divides the batch.",
        )


def _that_fit(
    rungs: Sequence[Rung],
    stacks: Sequence[Sequence[int]],
    at_once: int,
    device: str,
    micro_batches: int,
) -> int:
    """Return how many of the largest stacks fit in memory at once."""
    every = (stack_bytes([rungs[i] for i in stack], micro_batches) for stack in stacks)
    needed = sorted(every, reverse=True)
    free = available_bytes(device)
    while at_once > 1 and sum(needed[:at_once]) > free:
        at_once -= 1
    return at_once


def _command(
    rungs: Sequence[Rung], stack: Sequence[int], out: Path, how: dict[str, Any], worker: str
) -> list[str]:
    job = {
        "rungs": [rungs[i].to_dict() for i in stack],
        "folders": [str(out / rungs[i].name) for i in stack],
        **how,
    }
    return [sys.executable, "-m", worker, json.dumps(job)]


def _forget(folder: RunFolder) -> None:
    """Take away what a failed run came to, so that it is trained from its start."""
    folder.drop_checkpoint()
    for name in (FAILED, "points.jsonl", "weights.safetensors", "done"):
        (folder.path / name).unlink(missing_ok=True)


def _why(failed: dict[str, Any]) -> str:
    error = failed.get("error", {})
    return str(error.get("message", "it did not say why"))


def _differences(held: Any, rung: Rung) -> str:
    """Return the first few fields that differ, as " (lr 0.1, not 0.2)"."""
    if not isinstance(held, dict):
        return ""
    asked = rung.to_dict()
    apart = [f"{k} {held.get(k)}, not {v}" for k, v in asked.items() if held.get(k) != v]
    return f" ({'; '.join(apart[:3])})" if apart else ""
