"""The arms of a comparison: each recipe's final losses at its rungs of compute."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kleiber.errors import ColumnError, UnitError, UsageError, ValuesError
from kleiber.judging.compare.common import SAME, mutual
from kleiber.laws.base import Array
from kleiber.runs import Runs
from kleiber.runs.notes import listing
from kleiber.units import flops_6nd

NEAREST = 5  # designs around the lowest of a budget that its parabola goes through
LEAST_NEAR = 4
COPY = 1e-7  # of the loss: runs of a rung that differ by less are one run, written twice
SHORT = 0.98  # of the tokens of other runs of its size: a run that ends there ended early
Convention = Literal["measured", "6ND"]


@dataclass(frozen=True)
class Rung:
    """One recipe at one compute (FLOPs): final losses (nats), and the seed of each, "" unknown.

    ``designs`` is how many sizes were tried at this compute; above 1 the loss is the bottom of
    the parabola through the best of them, and the only one.
    """

    flops: float
    losses: tuple[float, ...]
    seeds: tuple[str, ...]
    params: float
    tokens: float
    designs: int = 1

    @property
    def mean(self) -> float:
        """The mean final loss."""
        return float(np.mean(self.losses))


@dataclass(frozen=True)
class Arm:
    """One recipe: its name and its rungs in the order of compute.

    ``unfinished`` are runs left out, since no final point of them is known, ``copies`` those with
    the very loss of another of their rung.
    """

    name: str
    rungs: tuple[Rung, ...]
    convention: Convention
    table: Runs = field(repr=False)
    unfinished: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()

    @property
    def flops(self) -> Array:
        """Compute of each rung."""
        return np.array([rung.flops for rung in self.rungs])

    @property
    def top(self) -> float:
        """The largest compute that was trained."""
        return self.rungs[-1].flops


def arms_of(a: object, b: object = None, recipes: tuple[str, str] | None = None) -> tuple[Arm, Arm]:
    """Return the two arms: of two sources, or of two recipes in one table.

    Raises
    ------
    UsageError
        For one table of fewer or more than two recipes, none of them chosen.
    UnitError
        For losses in two units, or on two validation sets.
    ValuesError
        For two ladders whose computes do not overlap, and for two single runs.
    """
    tables = _two_tables(a, b, recipes)
    _same_loss([table for _, table in tables])
    measured = all("flops" in table.frame.columns for _, table in tables)
    first, second = (arm_of(name, table, measured=measured) for name, table in tables)
    _overlap(first, second)
    return first, second


def _two_tables(a: object, b: object, recipes: tuple[str, str] | None) -> list[tuple[str, Runs]]:
    """Return the name and the runs of each arm."""
    table = Runs.read(a)
    if b is not None:
        other = Runs.read(b)
        if recipes is not None:
            chosen = [(recipes[0], table), (recipes[1], other)]
            return [(name, one.select(recipe=name)) for name, one in chosen]
        for one in (table, other):
            _refuse_several(one)
        names = [_name(table), _name(other)]
        if names[0] == names[1]:
            names = [_source(table), _source(other)]
        if names[0] == names[1]:
            names = ["A", "B"]
        return list(zip(names, (table, other), strict=True))
    chosen = recipes or table.recipes
    if len(chosen) != 2:
        found = f"{len(table.recipes)} ({listing(table.recipes)})" if table.recipes else "none"
        raise UsageError(
            f"A comparison is of two recipes, and the column recipe of {table.source} holds "
            f"{found}.",
            remedy="Give a second table, or name two of its recipes with recipes=(…) "
            "(--recipes A,B).",
        )
    if chosen[0] == chosen[1]:
        raise UsageError(
            f"Recipe '{chosen[0]}' is named twice.", remedy="Name two (--recipes A,B)."
        )
    return [(name, table.select(recipe=name)) for name in chosen]


def _refuse_several(table: Runs) -> None:
    if len(table.recipes) > 1:
        raise UsageError(
            f"{table.source} holds {len(table.recipes)} recipes ({listing(table.recipes)}), and an "
            "arm of a comparison is one.",
            remedy="Name one of each table with recipes=(…) (--recipes A,B).",
        )


def _name(table: Runs) -> str:
    """Return what a table's one recipe is called: by its column, else by its source."""
    return table.recipes[0] if len(table.recipes) == 1 else _source(table)


def _source(table: Runs) -> str:
    return PurePath(table.source).stem or table.source


def _same_loss(tables: list[Runs]) -> None:
    """Refuse losses that do not mean the same."""
    units = [str(table.unit) for table in tables]
    if units[0] != units[1]:
        raise UnitError(
            f"A's losses are in {units[0]} and B's in {units[1]}: a difference of a few "
            "thousandths of a nat is lost where the two were not measured alike.",
            remedy="Measure both in one unit, and say it with --unit.",
        )
    sets = [validation_sets(table) for table in tables]
    if sets[0] and sets[1] and sets[0] != sets[1]:
        raise UnitError(
            f"A's losses are on {listing(sets[0])} and B's on {listing(sets[1])}: losses on two "
            "validation sets cannot be compared.",
            remedy="Evaluate both recipes on one set, or keep its rows with --where valset=NAME.",
        )


def validation_sets(table: Runs) -> tuple[str, ...]:
    """Return the validation sets that a table names."""
    if "validation_set" not in table.frame.columns:
        return ()
    return tuple(table.frame["validation_set"].drop_nulls().unique().sort().to_list())


def arm_of(name: str, table: Runs, *, measured: bool) -> Arm:
    """Return a recipe's rungs; compute is the table's, or 6 x params x tokens."""
    held_out = validation_sets(table)
    if len(held_out) > 1:
        raise UnitError(
            f"The losses of {name} are on several validation sets ({listing(held_out)}).",
            remedy="Keep the rows of one with --where valset=NAME.",
        )
    finals = table.frame.filter(pl.col("final"))
    ended = set(finals["run"].to_list())
    runs = table.frame["run"].unique(maintain_order=True).to_list()
    if not finals.height:
        raise ValuesError(
            f"No run of {name} has ended, and recipes are compared by final losses: mid-run "
            "orders change while a learning rate decays.",
            remedy="Wait for the ends, or mark the rows that are one (--columns final=NAME).",
        )
    params, tokens = (finals[column].to_numpy() for column in ("params", "tokens"))
    flops = flops_of(finals, measured=measured)
    unknown = ~(np.isfinite(flops) & (flops > 0))
    if unknown.any():
        raise ColumnError(
            f"{int(unknown.sum())} of {len(flops)} finals of {name} have no flops, where "
            "others have.",
            remedy="Fill the column in for every run, or drop it from both tables.",
        )
    loss = finals["loss"].to_numpy()
    seeds = (
        [value or "" for value in finals["seed"].to_list()]
        if "seed" in finals.columns
        else [""] * len(loss)
    )
    groups = [_distinct(rows, loss, params, seeds) for rows in _grouped(flops)]
    kept = {int(i) for rows in groups for i in rows}
    return Arm(
        name=name,
        rungs=tuple(
            _rung(flops[rows], loss[rows], params[rows], tokens[rows], [seeds[i] for i in rows])
            for rows in groups
        ),
        convention="measured" if measured else "6ND",
        table=table,
        unfinished=tuple(run for run in runs if run not in ended),
        copies=tuple(run for i, run in enumerate(finals["run"].to_list()) if i not in kept),
    )


def flops_of(points: pl.DataFrame, *, measured: bool) -> Array:
    """Return the compute of points (n,): the table's, or 6 x params x tokens."""
    if measured:
        return points["flops"].cast(pl.Float64).to_numpy()
    return np.array(flops_6nd(points["params"].to_numpy(), points["tokens"].to_numpy()))


def _grouped(flops: Array) -> list[NDArray[np.intp]]:
    """Return the rows of each rung: computes that all lie within a small factor of each other.

    A longer row of near neighbours is parted at its widest gap, until no part spans more.
    """
    order = np.argsort(flops, kind="stable")
    found: list[NDArray[np.intp]] = []
    parts = [order]
    while parts:
        part = parts.pop()
        log = np.log(flops[part])
        if log[-1] - log[0] <= np.log(SAME):
            found.append(part)
        else:
            at = int(np.argmax(np.diff(log))) + 1
            parts += [part[at:], part[:at]]  # the smaller computes next
    return found


def _distinct(
    rows: NDArray[np.intp], loss: Array, params: Array, seeds: list[str]
) -> NDArray[np.intp]:
    """Return the rows of a rung without copies: a loss that is there twice is of one run.

    Copies would count as repeats that show no noise. Sizes at one compute are no repeats.
    """
    if not _one_size(params[rows]):
        return rows
    each: list[int] = rows.tolist()
    kept: list[int] = []
    for i in sorted(each, key=lambda i: seeds[i]):
        if all(abs(loss[i] - loss[j]) > COPY * loss[j] for j in kept):
            kept.append(i)
    return np.array(sorted(kept), dtype=np.intp)


def _one_size(params: Array) -> bool:
    return bool(np.ptp(np.log(params)) < np.log(SAME))


def _rung(flops: Array, loss: Array, params: Array, tokens: Array, seeds: list[str]) -> Rung:
    """Return one rung; several sizes at one compute become the best of them."""
    at = float(np.exp(np.log(flops).mean()))
    if _one_size(params):
        order = sorted(range(len(loss)), key=lambda i: seeds[i])
        return Rung(
            flops=at,
            losses=tuple(float(loss[i]) for i in order),
            seeds=tuple(seeds[i] for i in order),
            params=float(np.mean(params)),
            tokens=float(np.mean(tokens)),
        )
    best, size = lowest(np.log(params), loss)
    return Rung(
        flops=at,
        losses=(best,),
        seeds=("",),
        params=float(np.exp(size)),
        tokens=at / (6.0 * float(np.exp(size))),
        designs=len(np.unique(params)),
    )


def lowest(size: Array, loss: Array) -> tuple[float, float]:
    """Return the lowest loss over log sizes (n,), and where: a parabola about the best designs.

    Runs of one size are averaged first. The parabola goes through the five sizes nearest to the
    lowest, which levels the noise of a single best; where they are too few, or have no bottom
    among them, it is the lowest.
    """
    size, which, runs = np.unique(size, return_inverse=True, return_counts=True)
    loss = np.bincount(which, loss) / runs
    best = int(np.argmin(loss))
    near = np.argsort(np.abs(size - size[best]), kind="stable")[:NEAREST]
    if len(near) >= LEAST_NEAR:
        x = size[near] - size[best]
        sure = np.sqrt(runs[near])
        columns = np.vander(x, 3) * sure[:, None]
        curve, slope, level = np.linalg.lstsq(columns, loss[near] * sure, rcond=None)[0].tolist()
        bottom = -slope / (2.0 * curve) if curve > 0 else np.inf
        if x.min() <= bottom <= x.max():
            return float(level - slope**2 / (4.0 * curve)), float(size[best] + bottom)
    return float(loss[best]), float(size[best])


def _overlap(first: Arm, second: Arm) -> None:
    """Refuse two ladders that share no compute, and two single runs."""
    single = [len(arm.rungs) == 1 for arm in (first, second)]
    if all(single):
        raise ValuesError(
            f"{first.name} and {second.name} have one rung each: a single compute says nothing "
            "of another.",
            remedy="Train a ladder of at least one of them: 5 rungs over 2 decades of compute.",
        )
    if any(single):
        ladder = first if single[1] else second
        if len(ladder.rungs) < 3:
            raise ValuesError(
                f"{ladder.name} has {len(ladder.rungs)} rungs, and a curve through them needs 3.",
                remedy="Train more rungs of it.",
            )
        return
    low = max(arm.flops[0] for arm in (first, second)) / SAME
    high = min(arm.top for arm in (first, second)) * SAME
    if low > high:
        spans = [f"{arm.flops[0]:.3g} to {arm.top:.3g}" for arm in (first, second)]
        raise ValuesError(
            f"The computes do not overlap: {first.name} has {spans[0]} FLOPs, {second.name} "
            f"{spans[1]}. Where both were never trained, nothing says which is better.",
            remedy="Train rungs of both at the same computes.",
        )
    for arm in (first, second):
        inside = (arm.flops >= low) & (arm.flops <= high)
        if not inside.any():
            raise ValuesError(
                f"No rung of {arm.name} lies where the other was trained, {low:.3g} to "
                f"{high:.3g} FLOPs.",
                remedy="Train rungs of both at the same computes.",
            )


def matched(first: Arm, second: Arm, within: float = SAME) -> list[tuple[int, int]]:
    """Return the index pairs of rungs that are each other's nearest in compute, within a factor."""
    return mutual(first.flops, second.flops, within)


def cut_short(arm: Arm) -> dict[str, float]:
    """Return runs of several points that end before others of their size, and at which share."""
    finals = arm.table.frame.filter(pl.col("final")).with_columns(
        (pl.col("tokens") / pl.col("tokens").max().over("params")).alias("share")
    )
    points = arm.table.frame.group_by("run").len()
    cut = finals.join(points, on="run").filter((pl.col("share") < SHORT) & (pl.col("len") > 1))
    return dict(zip(cut["run"].to_list(), cut["share"].to_list(), strict=True))
