"""Time the trainer against transformers' GPT-2, the making of its data, and a busy machine.

Run it by ``make bench-train``. It writes train-speed.md and train-speed.json. Every arm is a
process of its own (``train_child.py``) that waits until its turn comes; rounds go through all arms,
and a ratio is the median of the rounds' ratios. "As found" is torch's own threads and allocation;
"tuned" the environment that kleiber starts its trainings with.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kleiber.studies.table import Table
from kleiber.training.machine import cores, environment

HERE = Path(__file__).resolve().parent
CONTEXT, BATCH, ROWS, ALL_ROWS = 512, 16, 3300, 50257
SETTINGS = ("OMP_", "MKL_", "OPENBLAS_", "GOMP_", "KMP_", "MALLOC_", "GLIBC_TUNABLES")
FOUND = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
TARGETS = {(2, 64): 2.5, (2, 128): 2.0, (4, 256): 2.5}


@dataclass(frozen=True)
class Arm:
    """Who trains, in which precision, where."""

    name: str
    who: str
    precision: str = "fp32"
    tuned: bool = True
    rows: int = ROWS

    def start(self, layers: int, width: int) -> subprocess.Popen[str]:
        """Start its process."""
        sizes = {"layers": layers, "width": width, "heads": max(1, width // 64)}
        sizes |= {"vocab": self.rows, "context": CONTEXT, "batch": BATCH}
        command = [sys.executable, str(HERE / "train_child.py"), self.who]
        command += [f"--{name}={value}" for name, value in sizes.items()]
        return subprocess.Popen(
            [*command, f"--precision={self.precision}"],
            env=environment(cores(), base=FOUND) if self.tuned else FOUND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


OURS = Arm("kleiber, bf16", "ours", "bf16")
OURS_FP32 = Arm("kleiber, fp32", "ours")
FOUND_ARM = Arm("GPT-2 as found, fp32", "theirs", tuned=False)
TUNED = Arm("GPT-2 tuned, fp32", "theirs")
TUNED_BF16 = Arm("GPT-2 tuned, bf16", "theirs", "bf16")
UNTRIMMED = Arm(f"GPT-2 as found, fp32, {ALL_ROWS} rows", "theirs", tuned=False, rows=ALL_ROWS)


def ask(child: subprocess.Popen[str], steps: int) -> dict[str, float]:
    """Let a child train some steps; return its seconds a step."""
    assert child.stdin and child.stdout
    print(steps, file=child.stdin, flush=True)
    said = json.loads(child.stdout.readline())
    return {"wall": said["wall"] / steps, "cpu": said["cpu"] / steps}


@contextmanager
def running(arms: list[Arm], layers: int, width: int) -> Iterator[dict[str, Any]]:
    """Start processes, warm them up, and end them."""
    with ExitStack() as stack:
        children = {arm.name: stack.enter_context(arm.start(layers, width)) for arm in arms}
        for name, child in children.items():
            began = time.perf_counter()
            ask(child, 2)
            print(f"  {name}: ready in {time.perf_counter() - began:.0f} s", flush=True)
        yield children
        for child in children.values():
            assert child.stdin
            child.stdin.close()


def rounds(
    children: Mapping[str, Any], count: int, seconds: float
) -> dict[str, list[dict[str, float]]]:
    """Let all take turns, each for about so many seconds."""
    times: dict[str, list[dict[str, float]]] = {name: [] for name in children}
    steps = {
        name: max(1, round(seconds / ask(child, 1)["wall"])) for name, child in children.items()
    }
    for _ in range(count):
        for name, child in children.items():
            times[name].append(ask(child, steps[name]))
            time.sleep(0.3)  # until the last one's threads have stopped spinning
    return times


def compared(
    size: str, arms: list[Arm], times: Mapping[str, list[dict[str, float]]], pairs: Any
) -> list[dict[str, Any]]:
    """Return a row a pair: ours against theirs."""
    rows = []
    for one, other, target in pairs:
        ratios = {
            kind: [
                b[kind] / a[kind] for a, b in zip(times[one.name], times[other.name], strict=True)
            ]
            for kind in ("wall", "cpu")
        }
        speed = {
            arm.name: CONTEXT * BATCH / statistics.median(t["wall"] for t in times[arm.name])
            for arm in (one, other)
        }
        rows.append(
            {
                "model": size,
                "kleiber": one.name.removeprefix("kleiber, "),
                "against": other.name,
                "tokens/s": round(speed[one.name]),
                "theirs": round(speed[other.name]),
                "ratio": statistics.median(ratios["wall"]),
                "range": f"{min(ratios['wall']):.2f}-{max(ratios['wall']):.2f}",
                "ratio by CPU": statistics.median(ratios["cpu"]),
                "target": target,
            }
        )
        print(f"  {one.name} / {other.name}: {rows[-1]['ratio']:.2f}", flush=True)
    return rows


def speeds(count: int, seconds: float) -> list[dict[str, Any]]:
    """Compare at three sizes, and once with all rows of the vocabulary."""
    rows = []
    for (layers, width), target in TARGETS.items():
        print(f"{layers} layers, width {width}", flush=True)
        arms = [OURS, OURS_FP32, FOUND_ARM, TUNED, TUNED_BF16]
        pairs = [(OURS, FOUND_ARM, target), (OURS_FP32, TUNED, None), (OURS, TUNED_BF16, None)]
        if (layers, width) == (2, 64):
            arms.append(UNTRIMMED)
            pairs.append((OURS, UNTRIMMED, 8.0))
        with running(arms, layers, width) as children:
            times = rounds(children, count, seconds)
        rows += compared(f"{layers} x {width}", arms, times, pairs)
    return rows


def busy(count: int) -> list[dict[str, Any]]:
    """Return how much slower each becomes beside a process that never rests."""
    print("beside a busy process", flush=True)
    arms = [OURS, FOUND_ARM]
    times: dict[bool, dict[str, list[float]]] = {
        b: {a.name: [] for a in arms} for b in (False, True)
    }
    with running(arms, 2, 128) as children:
        for _ in range(count):
            for spinning in (False, True):
                other = spinner() if spinning else None
                try:
                    for name, child in children.items():
                        times[spinning][name].append(ask(child, 2)["wall"])
                        time.sleep(0.3)
                finally:
                    if other:
                        other.kill()
                        other.wait()
    rows = []
    for arm in arms:
        slower = [b / a for a, b in zip(times[False][arm.name], times[True][arm.name], strict=True)]
        rows.append(
            {
                "model": "2 x 128, beside a busy process",
                "kleiber": "times slower",
                "against": arm.name,
                "ratio": statistics.median(slower),
                "range": f"{min(slower):.2f}-{max(slower):.2f}",
                "target": 2.5 if arm is OURS else None,
            }
        )
        print(f"  {arm.name}: {rows[-1]['ratio']:.2f} times slower", flush=True)
    return rows


def spinner() -> subprocess.Popen[bytes]:
    """Start a process that never rests."""
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


def data(count: int) -> list[dict[str, Any]]:
    """Return the share of a step that making its batch takes, in CPU time."""
    print("making data", flush=True)
    rows = []
    for name in ("bioS", "bioD"):
        command = [sys.executable, str(HERE / "train_data.py"), name, str(count)]
        said = json.loads(
            subprocess.run(
                command,
                env=environment(1, base=FOUND),
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            ).stdout.splitlines()[-1]
        )
        rows.append(
            {
                "model": said["what"],
                "kleiber": f"{1e3 * said['batch']:.3g} ms beside {1e3 * said['step']:.3g} ms CPU",
                "against": "data making, share of a step",
                "ratio": said["share"],
                "target": 0.03,
            }
        )
        print(f"  {said['what']}: {said['share']:.2%}", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder to write to")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one turn")
    given = parser.parse_args()
    began = time.perf_counter()
    rows = speeds(given.rounds, given.seconds)
    if cores() > 1:
        rows += busy(given.rounds)
    rows += data(given.rounds)
    import torch
    import transformers

    table = Table(
        name="train-speed",
        title="Training speed beside transformers' GPT-2",
        command="make bench-train" if len(sys.argv) == 1 else f"python {shlex.join(sys.argv)}",
        columns=[*rows[0]],
        rows=rows,
        notes=[
            f"{CONTEXT} tokens a window, {BATCH} windows a batch, {ROWS} rows; {cores()} cores; "
            f"medians of {given.rounds} interleaved rounds, all arms in processes of their own. "
            "GPT-2 is transformers' GPT2LMHeadModel without dropout, eager, with "
            "torch.optim.AdamW. As found: torch's own threads and allocation. Tuned: the "
            "environment that kleiber gives its training processes. Ratios are of wall time; "
            "by CPU, of process CPU time, which counts threads that spin.",
            f"torch {torch.__version__}, transformers {transformers.__version__}, "
            f"load average at the end {os.getloadavg()[0]:.1f}, "
            f"{(time.perf_counter() - began) / 60:.0f} minutes.",
        ],
    )
    print(table.write(given.out))


if __name__ == "__main__":
    main()
