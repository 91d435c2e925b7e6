"""What a rung will take, said before it starts: parameters, FLOPs, memory, time; needs no torch.

Conventions, each named wherever a number is shown::

    params        all of them, embedding and head with biases and norms
    params_body   12 D^2 L, the paper's N
    flops         exact: every product of matrices, attention and head with them
    flops_6nd     6 * 12 D^2 L * tokens, the paper's
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kleiber.errors import InputError, UsageError
from kleiber.launching.ladder import Standing, stack_bytes
from kleiber.launching.local import Job, run_local
from kleiber.launching.rungs import groups
from kleiber.recipes.rung import Rung
from kleiber.training.count import body_params, count_params, exact_flops
from kleiber.training.machine import environment
from kleiber.training.memory import available_bytes
from kleiber.training.rung import model_of, training_of
from kleiber.units import parse_count

STEP, SPEED = 2e-3, 2e10  # seconds that a step costs at least, FLOPs a second of a core: assumed
MOST_TRIED = 2e11  # FLOPs of a step that is timed; slower ones are taken to be as fast
TOLD = 64  # rungs that a process is told; a command has room for about 200
SECONDS = 1.0  # that timing a shape takes, about

Shape = tuple[Any, ...]


@dataclass(frozen=True)
class Throughput:
    """How fast training is here, and how that is known.

    ``measured`` are seconds a step by shape; other shapes take ``step`` seconds and their FLOPs at
    ``speed``.
    """

    speed: float = SPEED
    step: float = STEP
    how: str = "assumed"
    measured: Mapping[Shape, float] | None = None

    def seconds(self, rung: Rung) -> float:
        """Return the seconds that a rung takes, alone in its process."""
        known = (self.measured or {}).get(_shape(rung))
        each = self.step + _step_flops(rung) / self.speed if known is None else known
        return rung.steps * each

    def sentence(self) -> str:
        """Return the speed as text."""
        return f"{self.speed / 1e9:.3g} GFLOP/s and {1e3 * self.step:g} ms a step, {self.how}"


@dataclass(frozen=True)
class Expected:
    """A rung in numbers; ``seconds`` of one process, ``memory`` in bytes at its highest point."""

    rung: Rung
    params: int
    params_body: int
    flops: float
    flops_6nd: float
    memory: float
    seconds: float

    @property
    def fits(self) -> bool:
        """Whether the memory that is free here is enough."""
        return self.memory <= available_bytes()

    def to_dict(self) -> dict[str, Any]:
        """Return the rung with its numbers as plain values."""
        return {
            **self.rung.to_dict(),
            "fingerprint": self.rung.fingerprint,
            "shown_tokens": self.rung.shown_tokens,
            "params": self.params,
            "params_body": self.params_body,
            "flops": self.flops,
            "flops_6nd": self.flops_6nd,
            "memory_bytes": self.memory,
            "seconds": self.seconds,
        }


def expected(rung: Rung, speed: Throughput, *, micro_batches: int = 1) -> Expected:
    """Return what a rung will take; raises InputError for what cannot be built or trained."""
    shape = model_of(rung)
    training_of(rung, micro_batches=micro_batches)
    return Expected(
        rung=rung,
        params=count_params(shape)["total"],
        params_body=body_params(shape),
        flops=exact_flops(shape) * rung.shown_tokens,
        flops_6nd=6.0 * body_params(shape) * rung.shown_tokens,
        memory=stack_bytes([rung], micro_batches),
        seconds=speed.seconds(rung),
    )


def throughput(said: str | None, rungs: Sequence[Rung]) -> Throughput:
    """Return the speed that was said in GFLOP/s, measured with "here", or the assumed one."""
    if said is None:
        return Throughput()
    if said == "here":
        return measured(rungs)
    try:
        number = parse_count(said.removesuffix("FLOP/s").strip())
    except InputError:
        number = 0.0
    if number <= 0:
        raise UsageError(
            f"--throughput is '{said}'; GFLOP/s or the word here is expected.",
            remedy="Write --throughput 50 for 50 GFLOP/s, or --throughput here to measure.",
        )
    return Throughput(speed=number * (1.0 if number >= 1e6 else 1e9), step=0.0, how="as said")


def measured(rungs: Sequence[Rung]) -> Throughput:
    """Return the speed of a training process here, with one thread: some steps of each shape."""
    from kleiber.training.extra import require

    require()
    free = available_bytes()
    shapes = {_shape(rung): rung for rung in rungs}
    tried = {
        shape: rung
        for shape, rung in shapes.items()
        if _step_flops(rung) <= MOST_TRIED and stack_bytes([rung]) <= free
    }
    if not tried:
        raise InputError(
            "No rung is small enough to be timed here.",
            remedy="Say a speed: --throughput GFLOP/s.",
        )
    told = [rung.to_dict() for rung in tried.values()]
    jobs = [json.dumps({"rungs": told[i : i + TOLD]}) for i in range(0, len(told), TOLD)]
    command = [sys.executable, "-m", "kleiber.launching.expect"]
    found: list[float] = []
    for _, event in run_local([Job([*command, job], environment(1)) for job in jobs], at_once=1):
        if "error" in event:
            raise InputError(event["error"]["message"], remedy=event["error"]["remedy"])
        if "seconds" in event:
            found.append(event["seconds"])
    speeds = [_step_flops(rung) / s for rung, s in zip(tried.values(), found, strict=True)]
    fastest = max(speeds)
    how = f"measured here on {len(tried)} of {len(shapes)} shapes"
    return Throughput(fastest, 0.0, how, dict(zip(tried, found, strict=True)))


def seconds_left(standings: Sequence[Standing]) -> float | None:
    """Return the seconds that are left in all, one process after the other; None if unknown.

    Seeds that train as one stack each tell the whole stack's seconds, which count once. A stack
    that began goes on as fast as it was; others take their FLOPs at the median speed of those that
    have a point.
    """
    stacks = _stacks(standings)
    speeds = sorted(
        sum(_step_flops(one.rung) for one in stack) * _furthest(stack) / stack[0].seconds
        for stack in stacks
        if stack[0].seconds > 0 and _furthest(stack)
    )
    total = 0.0
    for stack in stacks:
        going = [one for one in stack if one.state not in ("done", "failed")]
        steps = max((one.rung.steps - one.step for one in going), default=0)
        if not steps:
            continue
        if stack[0].seconds > 0:
            total += steps * stack[0].seconds / _furthest(stack)
        elif speeds:
            each = sum(_step_flops(one.rung) for one in going)
            total += steps * each / speeds[len(speeds) // 2]
        else:
            return None
    return total


def _stacks(standings: Sequence[Standing]) -> list[list[Standing]]:
    """Return together what trains or trained together: a group's rungs with the same seconds."""
    found: dict[tuple[int, float], list[Standing]] = {}
    for number, group in enumerate(groups([one.rung for one in standings])):
        for i in group:
            found.setdefault((number, standings[i].seconds), []).append(standings[i])
    return list(found.values())


def _furthest(stack: Sequence[Standing]) -> int:
    """Return the steps that a stack has done; one of it may have failed before."""
    return max(one.step for one in stack)


def _step_flops(rung: Rung) -> float:
    return exact_flops(model_of(rung)) * rung.batch_tokens


def _shape(rung: Rung) -> Shape:
    """Return what decides how long a step takes."""
    return model_of(rung), rung.batch, rung.precision, rung.gradient


def _timed(rungs: Sequence[Rung]) -> Iterator[float]:
    """Yield the seconds of a step of each rung, the least of some: noise only adds."""
    import time

    import torch

    from kleiber.training.step import Stepper

    torch.set_num_threads(1)
    for rung in rungs:
        stepper = Stepper(model_of(rung), [training_of(rung)])
        tokens_SBT = torch.randint(rung.vocab, (1, rung.batch, rung.context))
        best, began, count = math.inf, time.perf_counter(), 0
        while count < 3 or time.perf_counter() - began < SECONDS:
            count += 1
            start = time.perf_counter()
            stepper.step(tokens_SBT, tokens_SBT, 1e-9, count)
            best = min(best, time.perf_counter() - start)
        yield best


if __name__ == "__main__":
    for _seconds in _timed([Rung.of(one) for one in json.loads(sys.argv[1])["rungs"]]):
        print(json.dumps({"seconds": _seconds}), flush=True)
