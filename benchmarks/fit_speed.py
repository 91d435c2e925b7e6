"""Time the fit and the bootstrap against their targets and against other programs.

Run it by ``make bench-fit``. It writes results/fit_speed.md and results/fit_speed.json.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import shlex
import sys
from pathlib import Path

import children
import exactness
import numpy as np
import peers
import tables
import workload
from tables import Rival, Row
from workload import Array, Workload, cpu, interleaved, middle, spread

import kleiber
from kleiber.fitting import engine, newton
from kleiber.fitting.bootstrap import bootstrap
from kleiber.fitting.engine import Problem
from kleiber.fitting.newton import Solved

REPLICATES = 1000


def point_fit(work: Workload, data: Path, quick: bool) -> list[Row]:
    """Time one fit: the engine's three calls, the public call, and the first in a process."""

    def public() -> object:
        return kleiber.fit_points(
            work.points, workload.LAW, objective="huber", delta=workload.DELTA, bootstraps=0
        )

    calls = {"engine": lambda: workload.point_fit(work), "public": public}
    times = interleaved(calls, 10 if quick else 50)
    first = children.first_fit(data, 2 if quick else 7)
    section = "A point fit from cold: global start, solve, nine more starts"
    return [
        Row(
            section,
            f"{label}",
            1e3 * middle(t),
            "ms",
            10.0,
            note=spread([1e3 * s for s in t], "ms"),
        )
        for label, t in (
            ("engine: pose, starts, solve", times["engine"]),
            ("public: kleiber.fit_points", times["public"]),
            ("engine, the first call of a process", first),
        )
    ]


def bootstraps(work: Workload, problem: Problem, seed: int, quick: bool) -> list[Row]:
    """Time 1000 replicates, whole and split."""
    posed = problem.having(w=work.counts.astype(float))
    first = engine.starts(posed, REPLICATES)[:, 0]
    calls = {
        "whole": lambda: bootstrap(problem, REPLICATES, seed),
        "start": lambda: engine.starts(posed, REPLICATES),
        "solve": lambda: newton.solve(posed.model, posed.data, posed.space, first),
    }
    times = interleaved(calls, 3 if quick else 9)
    steps = newton.solve(posed.model, posed.data, posed.space, first).iterations
    section = f"{REPLICATES} bootstraps of the Huber fit"
    taken = f"{steps.mean():.1f} iterations a replicate, at most {steps.max():.0f}"
    return [
        Row(section, "bootstrap(problem, 1000)", middle(times["whole"]), "CPU s", 0.5,
            note=spread(times["whole"], "s")),
        Row(section, "of which global starts", middle(times["start"]), "CPU s"),
        Row(section, "of which Newton", middle(times["solve"]), "CPU s", note=taken),
    ]  # fmt: skip


def exact(
    work: Workload, problem: Problem, solved: Solved, point: Solved, seed: int, quick: bool
) -> list[Row]:
    """Look for anything below our optima."""
    replicates, starts = (5, 10) if quick else (25, 40)
    by_scipy = exactness.multistart(work, solved, replicates, starts, seed)
    posed = problem.having(w=work.counts.astype(float))
    by_other = exactness.from_the_point_estimate(posed, solved, point)
    section = "Every replicate against a tight multi-start"
    arrived = f"{by_scipy.arrived:.0%} of scipy's starts arrive there too"
    agree = f"{by_other.arrived:.1%} of replicates end at the same objective from both starts"
    everyone = f"all {by_other.compared} replicates"
    many = f"{replicates} replicates x {starts} random starts, scipy to 1e-15"
    return [
        Row(section, f"{many}: worst relative excess", by_scipy.relative, "", 1e-8, note=arrived),
        Row(section, f"{many}: worst absolute excess", by_scipy.absolute, "", 1e-8,
            note=f"kleiber below them by at most {by_scipy.gained:.0e} (relative)"),
        Row(section, f"{everyone}, from the point estimate: worst relative excess",
            by_other.relative, "", 1e-8, note=agree),
        Row(section, f"{everyone} converged", float(solved.converged.mean()),
            "share", 1.0, at_least=True),
    ]  # fmt: skip


def rivals(
    work: Workload, problem: Problem, solved: Solved, start: Array, seed: int, quick: bool
) -> tuple[list[Rival], list[str]]:
    """Time competitors in turns with our 1000 bootstraps, on the same replicates."""
    rounds, batch = (2, 5) if quick else (7, 20)
    ours_of = problem.raw_theta(solved.phi)[:, workload.LAW.index("E")]
    everyone = peers.all_peers(work, start)
    ratios: dict[str, list[float]] = {p.name: [] for p in everyone}
    spent: dict[str, float] = dict.fromkeys(ratios, 0.0)
    found: dict[str, list[Array]] = {p.name: [] for p in everyone}
    other, reason = peers.simple_scaling_laws(work)
    grid, grid_size = peers.grid_starts(rounds * (4 if quick else 15), seed)
    grid_times: list[float] = []
    grid_ends: list[Array] = []
    other_times: list[float] = []
    ours: list[float] = []
    model = None
    bootstrap(problem, REPLICATES, seed)
    for i in range(rounds):
        ours.append(cpu(lambda: bootstrap(problem, REPLICATES, seed))[0])
        for peer in everyone:
            rows = [work.rows(k) for k in range(i * batch, (i + 1) * batch)]
            seconds, ends = cpu(lambda peer=peer, rows=rows: [peer.fit(r) for r in rows])
            spent[peer.name] += seconds
            ratios[peer.name].append(seconds * REPLICATES / batch / ours[-1])
            found[peer.name] += ends
        for begin in grid[i::rounds]:
            seconds, end = cpu(lambda begin=begin: peers.grid_start_fit(work, begin))
            grid_times.append(seconds)
            grid_ends.append(end)
        if other:
            seconds, model = cpu(other)
            other_times.append(seconds / ours[-1])
    done = rounds * batch
    table: list[Rival] = [
        Rival("kleiber", REPLICATES, middle(ours), middle(ours), 1.0, None, None, 0.0, 0.0, 0.0,
              "a global search for each replicate")
    ]  # fmt: skip
    for peer in everyone:
        excess, floor = _accuracy(work, solved, ours_of, found[peer.name])
        table.append(
            Rival(peer.name, done, spent[peer.name], spent[peer.name] * REPLICATES / done,
                  middle(ratios[peer.name]), (min(ratios[peer.name]), max(ratios[peer.name])),
                  peer.target, float(np.median(excess)), float(excess.max()),
                  float(np.median(floor)), peer.note)
        )  # fmt: skip
    table.append(_grid_rival(work, problem, grid_times, grid_ends, grid_size, middle(ours)))
    if model is None:
        return table, [f"simple-scaling-laws {reason}"]
    error = abs(model.params("test_loss__nats")["E"] - float(np.exp(start[2])))
    table.append(
        Rival("simple-scaling-laws, 1000 draws", REPLICATES, middle(other_times) * middle(ours),
              middle(other_times) * middle(ours), middle(other_times),
              (min(other_times), max(other_times)), 3.0, None, None, error,
              "least squares: another, easier objective; E of its point fit")
    )  # fmt: skip
    return table, []


def _accuracy(
    work: Workload, solved: Solved, log_floor: Array, ends: list[Array]
) -> tuple[Array, Array]:
    """Return the relative excess and the error of E of a competitor's first replicates."""
    reached = []
    for k, theta in enumerate(ends):
        rows = work.rows(k)
        reached.append(peers.huber_of(theta, work.x[rows], work.v[rows], work.y[rows]))
    many = len(ends)
    floors = np.exp([theta[2] for theta in ends])
    return np.array(reached) / solved.objective[:many] - 1.0, np.abs(
        floors - np.exp(log_floor[:many])
    )


def _grid_rival(
    work: Workload, problem: Problem, times: list[float], ends: list[Array], size: int, ours: float
) -> Rival:
    """Extrapolate the classic grid from a sample of its starts."""
    best = float(engine.optimise(problem).objective[0])
    reached = np.array([peers.huber_of(theta, work.x, work.v, work.y) for theta in ends])
    reached = np.where(np.isfinite(reached), reached, np.inf)
    per_fit = float(np.mean(times)) * size
    share = float(np.mean(reached <= best * (1 + 1e-6)))
    return Rival(
        f"grid of {size} starts, L-BFGS-B, numerical gradient", 0, sum(times), per_fit * REPLICATES,
        per_fit * REPLICATES / ours, None, None, float(np.median(reached / best - 1.0)), None, None,
        f"extrapolated from {len(times)} starts of the point fit, {1e3 * np.mean(times):.3g} ms "
        f"each: {per_fit:.3g} s a fit; {share:.0%} of the starts end within 1e-6 of the optimum",
    )  # fmt: skip


def memory(seed: int) -> list[Row]:
    """Fit 50,000 points in a process of its own."""
    seen = children.large_fit(seed)
    section = f"{seen['points']:,} points: 500 runs of 100 checkpoints"
    boot = f"{seen['replicates']} bootstraps"
    return [
        Row(section, "peak memory", seen["peak"], "MB",
            note=f"{seen['peak_before']:.0f} MB before, "
            f"{seen['peak_after_fit']:.0f} MB after the fit"),
        Row(section, "point fit", seen["fit_cpu"], "CPU s", note=f"E {seen['E']:.4f}, truth 1.82"),
        Row(section, boot, seen["bootstrap_cpu"], "CPU s",
            note="all converged" if seen["converged"] else "not all converged"),
    ]  # fmt: skip


def startup(quick: bool) -> tuple[list[Row], list[str]]:
    """Time imports and the help page."""
    times, failed = children.startups(3 if quick else 9)
    targets = {"import kleiber": 0.2, "kleiber --help": 0.3}
    rows = [
        Row("Start-up, interpreter included", name, seconds, "CPU s", targets.get(name))
        for name, seconds in times.items()
    ]
    return rows, [f"{name} skipped: {reason}" for name, reason in failed.items()]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parent.parent
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder with bench/"
    )
    parser.add_argument("--out", type=Path, default=root / "results", help="folder to write to")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="few repetitions; writes nothing")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    work = workload.load(given.data, REPLICATES, given.seed)
    problem = workload.pose(work)
    point = workload.point_fit(work)
    solved = engine.optimise(problem.having(w=work.counts.astype(float)), REPLICATES)
    start = workload.raw_theta(problem, point)[int(np.argmin(point.objective))]
    rows: list[Row] = []

    def show(fresh: list[Row]) -> None:
        rows.extend(fresh)
        print(f"\n{fresh[0].section}\n{tables.lines(fresh)}", flush=True)

    show(point_fit(work, given.data, given.quick))
    show(bootstraps(work, problem, given.seed, given.quick))
    show(exact(work, problem, solved, point, given.seed, given.quick))
    table, notes = rivals(work, problem, solved, start, given.seed, given.quick)
    print("\nOthers on the same replicates\n" + tables.lines(r.row for r in table))
    show(memory(given.seed))
    started, skipped = startup(given.quick)
    show(started)
    notes += skipped
    notes.append(
        "autograd and simple-scaling-laws are no requirements of the project: they are timed where "
        "they are installed (simple-scaling-laws with --ignore-requires-python --no-deps)."
    )
    print("\n" + "\n".join(notes) if notes else "")
    if given.quick:
        print("--quick: nothing written")
        return
    command = "make bench-fit" if len(sys.argv) == 1 else f"python {shlex.join(sys.argv)}"
    paths = tables.write(given.out, workload.setting(given.seed, command), rows, table, notes)
    print("wrote " + " and ".join(path.name for path in paths))


if __name__ == "__main__":
    main()
