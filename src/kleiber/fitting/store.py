"""A fit as one JSON file: everything needed to predict from it, and to make it again."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np

from kleiber.errors import InputError
from kleiber.fitting.answers import Certificate, DataFacts, Status
from kleiber.fitting.result import Fit
from kleiber.fitting.space import Constraints
from kleiber.laws import get
from kleiber.runs.points import Points, run_weights

SCHEMA = "kleiber.fit/1"


def to_dict(fit: Fit, level: float = 0.9, method: str | None = None) -> dict[str, Any]:
    """Return the fit as plain data without its points; unknown numbers are None."""
    bounds = fit.intervals(level, method)
    points = fit.points
    return plain(
        {
            "schema": SCHEMA,
            "law": fit.law.name,
            "equation": fit.law.equation,
            "values": dict(fit.values),
            "objective": fit.objective,
            "objective_name": fit.objective_name,
            "delta": fit.delta,
            "delta_rule": fit.delta_rule if fit.delta is not None else None,
            "status": fit.status.code,
            "status_sentence": fit.status.sentence,
            "level": level,
            "interval_method": next(iter(bounds.values())).method,
            "intervals": {name: box.to_dict() for name, box in bounds.items()},
            "findings": [],
            "reference": fit.reference(),
            "noise": fit.noise,
            "certificate": asdict(fit.certificate),
            "constraints": {
                "fix": dict(fit.constraints.fix),
                "tie": [list(pair) for pair in fit.constraints.tie],
                "bounds": {k: list(v) for k, v in fit.constraints.bounds.items()},
                "at_bound": list(fit.at_bound),
            },
            "seed": fit.seed,
            "bootstraps": fit.bootstraps,
            "data": {
                **asdict(fit.data),
                "points": len(points),
                "runs": fit.n_runs,
                "sizes": len(np.unique(points.params)),
                "params": [float(points.params.min()), float(points.params.max())],
                "tokens": [float(points.tokens.min()), float(points.tokens.max())],
                "loss": [float(points.loss.min()), float(points.loss.max())],
                **{
                    name: [float(values.min()), float(values.max())]
                    for name, values in points.more.items()
                    if name in fit.law.predictors
                },
            },
        }
    )


def plain(value: Any) -> Any:
    """Return data that JSON can hold: unknown and infinite numbers become None."""
    if isinstance(value, Mapping):
        named = cast("Mapping[Any, Any]", value)
        return {str(k): plain(v) for k, v in named.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in cast("Sequence[Any]", value)]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def save(fit: Fit, path: str | Path) -> Path:
    """Write the fit and its points to one JSON file, whole or not at all."""
    target = Path(path)
    points = fit.points
    content = {
        **to_dict(fit),
        "points": {
            "names": list(points.names),
            "run": points.run.tolist(),
            "params": points.params.tolist(),
            "tokens": points.tokens.tolist(),
            "loss": points.loss.tolist(),
            "final": points.final.tolist(),
            "more": {name: plain(values.tolist()) for name, values in points.more.items()},
        },
        "coordinates": fit.solved.phi[0].tolist(),
    }
    partial = target.with_name(target.name + ".partial")
    partial.write_text(json.dumps(content, indent=1) + "\n")
    os.replace(partial, target)
    return target


def load(path: str | Path) -> Fit:
    """Read a fit that :meth:`Fit.save` wrote; nothing is fitted again."""
    try:
        content: Any = json.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(
            f"{path} cannot be read as a saved fit: {error}.",
            remedy="Give a file that fit.save(…) or `kleiber fit --out` wrote.",
        ) from None
    named = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    found: object = named.get("schema")
    if found != SCHEMA or "points" not in named:
        raise InputError(
            f"{path} is no saved fit: its schema is {found!r}, expected {SCHEMA!r} with points.",
            remedy="Give a file that fit.save(…) or `kleiber fit --out` wrote.",
        )
    try:
        return _restore(named)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is a damaged saved fit: {type(error).__name__} at {error}.",
            remedy="Fit the runs again and save the fit anew.",
        ) from None


def _restore(content: dict[str, Any]) -> Fit:
    """Rebuild a Fit from its saved content."""
    law = get(content["law"])
    held = content["constraints"]
    constraints = Constraints(
        held["fix"],
        tuple((a, b) for a, b in held["tie"]),
        {
            k: (-math.inf if low is None else low, math.inf if high is None else high)
            for k, (low, high) in held["bounds"].items()
        },
    )
    known = set(DataFacts.__annotations__)
    facts: dict[str, Any] = {k: v for k, v in content["data"].items() if k in known}
    facts["notes"] = tuple(facts.get("notes", ()))
    coordinates = np.array(content["coordinates"], dtype=np.float64)
    points = _points(content["points"])
    certificate: dict[str, Any] = {
        k: math.inf if v is None else v for k, v in content["certificate"].items()
    }
    made = Fit(
        law=law,
        values=content["values"],
        objective=content["objective"],
        objective_name=content["objective_name"],
        delta=content["delta"],
        delta_rule=content["delta_rule"] or "given",
        status=Status(content["status"], content["status_sentence"]),
        certificate=Certificate(**certificate),
        at_bound=tuple(held["at_bound"]),
        seed=content["seed"],
        constraints=constraints,
        points=points,
        data=DataFacts(**facts),
        bootstraps=content["bootstraps"],
        _phi=coordinates,
    )
    if coordinates.shape != (made.problem.free,) or not np.all(np.isfinite(coordinates)):
        raise ValueError("its coordinates, which do not fit its law")
    return made


def _points(saved: dict[str, Any]) -> Points:
    """Rebuild the points, weights included."""
    run = np.array(saved["run"], dtype=np.int64)
    columns = [saved[name] for name in ("run", "params", "tokens", "loss", "final")]
    more: dict[str, list[float | None]] = saved.get("more", {})  # fits of before had none
    if len({len(values) for values in (*columns, *more.values())}) != 1 or np.bincount(
        run
    ).size != len(saved["names"]):
        raise ValueError("its points, whose columns differ in length")
    return Points(
        run=run,
        names=tuple(saved["names"]),
        params=np.array(saved["params"], dtype=np.float64),
        tokens=np.array(saved["tokens"], dtype=np.float64),
        loss=np.array(saved["loss"], dtype=np.float64),
        weight=run_weights(run),
        final=np.array(saved["final"], dtype=bool),
        more={name: np.array(values, dtype=np.float64) for name, values in more.items()},
    )
