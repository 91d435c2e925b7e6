"""The runs of a result: trained where they are not, each cell once for all results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.errors import InputError
from kleiber.fitting.store import plain
from kleiber.launching import Trainer
from kleiber.studies.capacity.estimate import Estimate, estimate
from kleiber.studies.capacity.result import Arm, Low, Result

if TYPE_CHECKING:
    from kleiber.knowledge.cell import Cell

OTHERS = ("kleiber-curve", "kleiber-cpu")  # beside the folder: where other studies left such runs


@dataclass(frozen=True)
class Taught:
    """An arm as it came out: its runs at the rate that counts, a row a seed."""

    arm: Arm
    cell: Cell
    rate: float  # the multiple of the cell's rate that was best
    runs: Sequence[Mapping[str, Any]]
    tried: Mapping[float, float]  # mean bits per parameter by rate
    off: float | None = None  # how far the parameters are from those asked for, a share

    @property
    def bits(self) -> list[float]:
        """Return bits per parameter, a seed each."""
        return [float(run["bits_per_param"]) for run in self.runs]


@dataclass(frozen=True)
class Found:
    """What the search for the fewest exposures came to."""

    exposures: float
    tried: Mapping[float, float]
    enough: bool


class Runs:
    """A folder of trained cells, with a trainer that fills it."""

    def __init__(
        self, folder: Path, train: Trainer, *, jobs: int | None = None, device: str = "cpu"
    ) -> None:
        self.folder, self.train, self.jobs, self.device = folder, train, jobs, device

    def results(self, cells: Sequence[Cell]) -> list[dict[str, Any]]:
        """Return the cells' results, equal cells trained once, finished ones not again."""
        own: list[Cell] = []
        for cell in cells:
            if cell not in own:
                own.append(cell)
        found = self.train(own, [self.place(cell) for cell in own], jobs=self.jobs)
        return [found[own.index(cell)] for cell in cells]

    def place(self, cell: Cell) -> Path:
        """Return where a cell's run lies: by its name and settings, or where it was left before."""
        from kleiber.knowledge.prepare import finished, record
        from kleiber.training import RunFolder

        for other in OTHERS:
            earlier = self.folder.parent / other / cell.name
            try:
                if earlier.exists() and finished(cell, RunFolder(earlier)) is not None:
                    return earlier
            except InputError:  # another run's
                continue
        return self.folder / f"{cell.name}-{record(cell)['fingerprint'][:8]}"

    def estimate(self, result: Result, found: Found | None, *, seeds: int) -> Estimate:
        """Return what is to train of a result at so many exposures, the search's runs included."""
        from kleiber.training.machine import cores

        cells = wanted(result, [_sized(arm, result, found) for arm in result.arms], seeds)
        if result.low is not None and found is not None:
            cells += _searched(result.low, found.exposures, seeds)
        at_once = self.jobs or (cores() if self.device == "cpu" else 1)
        places = [self.place(cell) for cell in cells]
        return estimate(cells, places, device=self.device, at_once=at_once)

    def taught(self, result: Result, found: Found | None, *, seeds: int) -> list[Taught]:
        """Train every arm at every rate and seed, and return each at its best rate."""
        sized = [_sized(arm, result, found) for arm in result.arms]
        cells = wanted(result, sized, seeds)
        rows = iter(zip(cells, self.results(cells), strict=True))
        done: list[Taught] = []
        for arm, (cell, off) in zip(result.arms, sized, strict=True):
            by_rate = {rate: [next(rows) for _ in range(seeds)] for rate in arm.rates}
            if arm.rounding:
                by_rate = {
                    rate: [(one, self._rounded(one, arm.rounding, row)) for one, row in pairs]
                    for rate, pairs in by_rate.items()
                }
            tried = {
                rate: float(np.mean([row["bits_per_param"] for _, row in pairs]))
                for rate, pairs in by_rate.items()
            }
            best = max(tried, key=lambda rate: tried[rate])
            done.append(Taught(arm, cell, best, [row for _, row in by_rate[best]], tried, off))
        return done

    def lowest(self, low: Low, *, seeds: int) -> Found:
        """Return the fewest exposures at which the control stores enough, the last if none does."""
        tried: dict[float, float] = {}
        for exposures in low.exposures:
            rows = self.results(_searched(low, exposures, seeds))
            tried[exposures] = float(np.mean([row["bits_per_param"] for row in rows]))
            if tried[exposures] >= low.enough:
                return Found(exposures, tried, enough=True)
        return Found(low.exposures[-1], tried, enough=False)

    def _rounded(
        self, cell: Cell, rounding: Mapping[str, Any], before: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return a run's result with the bits that it has once its weights are rounded."""
        said = "-".join(str(value) for value in rounding.values())
        path = self.folder / "rounded" / f"{self.place(cell).name}-{said}.json"
        if path.exists():
            return {**before, **json.loads(path.read_text(encoding="utf-8"))}
        from kleiber.knowledge.quantize.table import Asked, quantize_folder
        from kleiber.training import RunFolder

        asked = Asked(
            methods=[rounding["method"]],
            bits=[rounding["bits"]],
            weights=rounding.get("weights", "linear"),
        )
        _, row = quantize_folder(RunFolder(self.place(cell)), asked, device=self.device)
        path.parent.mkdir(parents=True, exist_ok=True)
        held = json.dumps(plain(row))
        path.write_text(held, encoding="utf-8")
        return {**before, **json.loads(held)}  # as it is read the next time


def wanted(result: Result, sized: Sequence[tuple[Cell, float | None]], seeds: int) -> list[Cell]:
    """Return the cells of a result, arm by arm, rate by rate, seed by seed."""
    return [
        replace(at_rate(cell, rate), seed=seed)
        for arm, (cell, _) in zip(result.arms, sized, strict=True)
        for rate in arm.rates
        for seed in range(seeds)
    ]


def at_rate(cell: Cell, factor: float) -> Cell:
    """Return a cell at a multiple of its peak rate."""
    if factor == 1:
        return cell
    if cell.lr is not None:
        return replace(cell, lr=cell.lr * factor)
    return replace(cell, lr_times_width=(cell.lr_times_width or 0.0) * factor)


def _searched(low: Low, exposures: float, seeds: int) -> list[Cell]:
    return [replace(low.control, exposures=exposures, seed=seed) for seed in range(seeds)]


def _sized(arm: Arm, result: Result, found: Found | None) -> tuple[Cell, float | None]:
    """Return an arm's cell at its exposures and width, and how far off its parameters are."""
    from kleiber.knowledge.equal import of_size, params_of

    cell = arm.cell
    if arm.low and found is not None:
        cell = replace(cell, exposures=found.exposures)
    if arm.equal is None:
        return cell, None
    cell, said = of_size(cell, params_of(result.arm(arm.equal).cell))
    return cell, said.off
