"""What a plan answers with: the runs, what they promise, what they cost, and its file."""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from kleiber.errors import InputError, UsageError
from kleiber.planning.cost import TRAINING, Cost
from kleiber.planning.design import Promise
from kleiber.planning.next_run import NextRun
from kleiber.runs.notes import counted
from kleiber.units import flops_6nd, format_count

SCHEMA = "kleiber.plan/1"
SYNTHETIC = "SYNTHETIC runs at hand: generated from a known law, no model was trained"


@dataclass(frozen=True)
class PlannedRun:
    """One training of a ladder: raw params and tokens, and a seed that no twin of it has.

    ``partial`` is the part of its tokens that the target itself is trained for, 0 for other
    runs. Its learning rate decays at the end of that part.
    """

    name: str
    params: float
    tokens: float
    seed: int
    partial: float = 0.0

    @property
    def flops(self) -> float:
        """The price, 6 * params * tokens."""
        return flops_6nd(self.params, self.tokens)

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain data."""
        return {
            "name": self.name,
            "params": self.params,
            "tokens": self.tokens,
            "seed": self.seed,
            "partial": self.partial,
            "flops": self.flops,
        }


@dataclass(frozen=True)
class Expected:
    """An expected error at the target, as shares of the loss.

    ``error`` is the expected absolute error, ``of_law`` the part that more runs would lower,
    ``of_model`` the part that is the law's own fault, ``half_width`` half of a 90 % interval,
    ``scale_up`` that from the nearest run, in params or tokens; None where there is no run.
    """

    error: float
    of_law: float
    of_model: float
    half_width: float
    scale_up: float | None

    @classmethod
    def of(cls, promise: Promise) -> Expected:
        """Return what a set of runs promises as numbers."""
        up = math.exp(promise.far) if math.isfinite(promise.far) else None
        return cls(promise.error, promise.of_law, promise.of_model, promise.half_width, up)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain data."""
        return {
            "error": self.error,
            "of_law": self.of_law,
            "of_model": self.of_model,
            "half_width": self.half_width,
            "scale_up": self.scale_up,
        }


@dataclass(frozen=True)
class PartOfTarget:
    """The target itself trained for a part of its tokens, at the price of the dearest run.

    ``error`` is the expected error of the ladder with it in that run's place.
    """

    part: float
    tokens: float
    error: float

    def to_dict(self) -> dict[str, Any]:
        """Return the alternative as plain data."""
        return {"part": self.part, "tokens": self.tokens, "error": self.error}


@dataclass(frozen=True)
class Plan:
    """A ladder with its price and its promise.

    ``before`` and ``after`` are the expected errors without and with it; ``budget`` in FLOPs
    and ``error`` as a share of the loss are what was asked for; ``instead`` is the target's own
    shortened training, None where the rules exclude it or the ladder has it; ``made`` says by
    what; ``synthetic`` that nobody trained the runs at hand.
    """

    params: float
    tokens: float
    runs: tuple[PlannedRun, ...]
    before: Expected
    after: Expected
    cost: Cost
    budget: float | None = None
    error: float | None = None
    next: NextRun | None = None
    instead: PartOfTarget | None = None
    rules: Mapping[str, Any] = field(default_factory=dict[str, Any])
    made: Mapping[str, Any] = field(default_factory=dict[str, Any])
    convention: str = TRAINING
    synthetic: bool = False

    @property
    def flops(self) -> float:
        """The price of all runs."""
        return sum(run.flops for run in self.runs)

    def text(self) -> str:
        """Return the plan as a table with its price and its promise, what to do next first."""
        whole = flops_6nd(self.params, self.tokens)
        target = f"{format_count(self.params)} on {format_count(self.tokens)} tokens"
        lines = [
            f"plan for {target} ({whole:.3g} FLOPs)",
            *([f"  next      {self.next.reason}"] if self.next else []),
            f"  {self._asked()}; runs counted as {self.convention}",
        ]
        if not self.runs:
            lines.append("  no run: none is worth its price")
        else:
            lines += [f"  {'params':>8} {'tokens':>8} {'a param':>8} {'seeds':>6} {'FLOPs':>9}"]
        lines += [self._row(group) for group in self._rungs()]
        lines += [
            f"  in all    {self.flops:.4g} FLOPs, {self.flops / whole:.2%} of the target's",
            f"  price     {self.cost.text()}",
            f"            on {self.cost.prices.sentence()}",
            f"  expected  {_said(self.after)}",
            f"  without   {_said(self.before)}",
            f"  prior     {self.made['prior']}; checkpoints {self._checkpoints()}",
        ]
        if self.instead:
            lines.append(
                f"  target    trained for {self.instead.part:.1%} of its tokens in place of the "
                f"dearest run: {self.instead.error:.2%} error"
            )
        if self.made.get("copies"):
            lines.append(
                f"  copies    {counted(self.made['copies'], 'row')} at hand repeat another's "
                "params, tokens and loss; each is counted once"
            )
        if self.synthetic:
            lines.append(f"  {SYNTHETIC}")
        return "\n".join(lines)

    def _asked(self) -> str:
        if self.budget is not None:
            spent = f"the least expected error for {self.budget:.4g} FLOPs"
            if self.next and self.next.stop and self.runs:
                return f"were the budget spent all the same, {spent}"
            return spent
        return f"the cheapest ladder of an expected error of {self.error:.2%}"

    def _checkpoints(self) -> str:
        return "kept, which are free" if self.rules["checkpoints"] else "not kept"

    def _rungs(self) -> list[list[PlannedRun]]:
        """Return the runs, those of one size and length together."""
        found = dict[tuple[float, float], list[PlannedRun]]()
        for run in self.runs:
            found.setdefault((run.params, run.tokens), []).append(run)
        return list(found.values())

    @staticmethod
    def _row(rung: Sequence[PlannedRun]) -> str:
        one = rung[0]
        note = f"   the target, {one.partial:.0%} of its tokens" if one.partial else ""
        return (
            f"  {format_count(one.params):>8} {format_count(one.tokens):>8} "
            f"{one.tokens / one.params:>8.3g} {len(rung):>6} "
            f"{sum(run.flops for run in rung):>9.3g}{note}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data: what its file holds."""
        return {
            "schema": SCHEMA,
            "target": {
                "params": self.params,
                "tokens": self.tokens,
                "flops": flops_6nd(self.params, self.tokens),
            },
            "budget": self.budget,
            "error": self.error,
            "flops": self.flops,
            "convention": self.convention,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "cost": self.cost.to_dict(),
            "rules": dict(self.rules),
            "made": dict(self.made),
            "synthetic": self.synthetic,
            "next": self.next.to_dict() if self.next else None,
            "instead": self.instead.to_dict() if self.instead else None,
            "runs": [run.to_dict() for run in self.runs],
        }

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the plan to a TOML file, whole or not at all."""
        target = Path(path)
        if target.is_dir() or not target.parent.is_dir():
            what = "is a folder" if target.is_dir() else "lies in a folder that does not exist"
            raise UsageError(f"'{path}' {what}.", remedy="Name a file, such as plan.toml.")
        partial = target.with_name(target.name + ".partial")
        partial.write_text(to_toml(self.to_dict()), encoding="utf-8")
        os.replace(partial, target)
        return target


def _said(found: Expected) -> str:
    """Return an expected error as one line."""
    up = "no run" if found.scale_up is None else f"{found.scale_up:.3g}x beyond the nearest run"
    return (
        f"{found.error:.2%} error of the loss (90 % within +-{found.half_width:.2%}): "
        f"{found.of_law:.2%} from the runs, {found.of_model:.2%} from the law itself, {up}"
    )


def to_toml(content: Mapping[str, Any]) -> str:
    """Return plain data as TOML: values, then tables and lists of tables; None is left out."""
    return "\n".join(_lines(content, "")).strip() + "\n"


def _lines(content: Mapping[str, Any], prefix: str) -> list[str]:
    lines, tables = list[str](), list[str]()
    for key, value in content.items():
        if value is None:
            continue
        for opening, table in _tables(f"{prefix}{key}", value):
            tables += ["", opening, *_lines(table, f"{prefix}{key}.")]
        if not _tables(key, value):
            lines.append(f"{key} = {_value(value)}")
    return lines + tables


def _tables(name: str, value: object) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the TOML tables that a value is, each with its opening line; none for a plain one."""
    if isinstance(value, Mapping):
        return [(f"[{name}]", cast("Mapping[str, Any]", value))]
    rows = cast("list[object]", value) if isinstance(value, list) else []
    if not all(isinstance(row, Mapping) for row in rows):
        return []
    return [(f"[[{name}]]", cast("Mapping[str, Any]", row)) for row in rows]


def _value(value: Any) -> str:
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    return json.dumps(value, ensure_ascii=False)  # strings, numbers, lists: TOML's own spelling


def read_plan(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the content of a plan file; InputError where it is none."""
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no file '{path}'.", remedy="Check the path.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            f"'{path}' is no plan: {str(error).rstrip('.')}.",
            remedy="Make one with kleiber plan --out FILE.",
        ) from None
    if content.get("schema") != SCHEMA:
        raise InputError(
            f"'{path}' has schema {content.get('schema')!r}, expected '{SCHEMA}'.",
            remedy="Make one with kleiber plan --out FILE.",
        )
    return content
