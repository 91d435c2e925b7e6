"""A prior as a file: what was learnt, also without each source, and whose runs taught it.

The bundled one ships with the package; ``kleiber calibrate`` makes it again, or adds a user's
own past families to it. The file also carries the calibration that belongs to the prior.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np

from kleiber.errors import InputError, UsageError
from kleiber.fitting import evidence
from kleiber.fitting.prior import WEAK, Prior
from kleiber.fitting.shares import NAMES, REFERENCE, SIZE
from kleiber.fitting.store import plain
from kleiber.runs.points import Points

SCHEMA = "kleiber.prior/1"
BUNDLED = "bundled"  # the name of the one that ships
KNOWN = 1 / 3  # share of a table's runs, or of a family's, that they have in common
LEAST_KNOWN = 2  # runs in common, fewer are chance
DIGITS = 6  # of a print


@dataclass(frozen=True)
class Source:
    """One witness of a prior: the prints of its families' runs, by family."""

    families: Mapping[str, frozenset[str]]

    @property
    def prints(self) -> frozenset[str]:
        """The prints of all its families' runs."""
        return frozenset[str]().union(*self.families.values())


@dataclass(frozen=True, eq=False)
class Bundle:
    """A learnt prior with its sources.

    ``calibration`` is plain data for judging, ``calibration_weak`` that of the weak prior alone
    on the same families.
    """

    prior: Prior
    without: Mapping[str, Prior]
    sources: Mapping[str, Source]
    calibration: Mapping[str, Any] = field(default_factory=dict[str, Any])
    calibration_weak: Mapping[str, Any] = field(default_factory=dict[str, Any])
    made: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def leaving_out(self, source: str | None) -> Prior:
        """Return the prior taught without a source, the whole one for None."""
        if source is None:
            return self.prior
        if source not in self.without:
            raise UsageError(
                f"The prior '{self.prior.name}' has no source '{source}' to leave out.",
                remedy=f"Its sources are {', '.join(self.sources)}.",
            )
        return self.without[source]

    def source_of(self, points: Points) -> str | None:
        """Return the source whose runs these are, also as another reading of its chart.

        Counts of two digits and losses of two decimals are compared with their neighbours, so
        that a second digitisation is known; those of a single run must be equal. A table is a
        source's where a third of its runs are, or where it has a third of a family's.
        """
        rows = _finals(evidence.thinned(evidence.mended(points)[0]))
        if len(rows) == 1:
            own = _print(*_rounded(*rows[0]))
            return next((name for name, one in self.sources.items() if own in one.prints), None)
        near = [_near_prints(*row) for row in rows]
        anywhere = frozenset[str]().union(*near)
        best, most = None, 0.0
        for name, source in self.sources.items():
            for prints in source.families.values():
                hits = sum(1 for own in near if not prints.isdisjoint(own))
                if min(hits, len(prints & anywhere)) < LEAST_KNOWN:
                    continue
                share = max(hits / len(near), len(prints & anywhere) / len(prints))
                if share > most:
                    best, most = name, share
        return best if most >= KNOWN else None

    def write(self, path: Path) -> Path:
        """Write the bundle to a file, whole or not at all, and return where."""
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps(plain(self.to_dict()), indent=1) + "\n")
        os.replace(partial, path)
        return path

    def to_dict(self) -> dict[str, Any]:
        """Return the bundle as plain data."""
        return {
            "schema": SCHEMA,
            "made": dict(self.made),
            "coordinates": list(NAMES),
            "reference": {"params": REFERENCE[0], "tokens": REFERENCE[1]},
            "prior": _plain(self.prior),
            "without": {name: _plain(prior) for name, prior in self.without.items()},
            "sources": {
                name: {key: "".join(sorted(prints)) for key, prints in one.families.items()}
                for name, one in self.sources.items()
            },
            "calibration": dict(self.calibration),
            "calibration_weak": dict(self.calibration_weak),
        }


def bundled(without: Sequence[str] = ()) -> Prior:
    """Return the prior that ships with the package, taught without a source where one is named."""
    if len(without) > 1:
        raise UsageError(
            f"The bundled prior is kept without one source at a time; {len(without)} are named.",
            remedy="Name one, or learn your own with kleiber calibrate.",
        )
    return bundle().leaving_out(without[0] if without else None)


@cache
def bundle() -> Bundle:
    """Return the bundle that ships with the package."""
    return _read(resources.files("kleiber.fitting").joinpath("bundled.json").read_text())


def named_bundle(prior: str | os.PathLike[str] | Bundle) -> Bundle | None:
    """Return the bundle that a user means by "bundled", "weak" or a file; None for "weak".

    Raises
    ------
    UsageError
        For "none" where no file has that name.
    InputError
        For a file that is absent or no prior.
    """
    if isinstance(prior, Bundle):
        return prior
    if prior == WEAK.name:
        return None
    if prior == BUNDLED:
        return bundle()
    if prior == "none" and not Path(prior).exists():
        raise UsageError(
            f"There is no prior 'none'; the one that has learnt nothing is '{WEAK.name}'.",
            remedy=f"Use --prior {WEAK.name}; kleiber predict takes no prior where --prior is "
            "left out.",
        )
    return read_bundle(prior)


def read_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Return the bundle of a file that ``kleiber calibrate`` wrote.

    Raises
    ------
    InputError
        For a file that is none.
    """
    try:
        return _read(Path(path).read_text())
    except FileNotFoundError:
        near = difflib.get_close_matches(str(path), (BUNDLED, WEAK.name), n=1)
        raise InputError(
            f"'{path}' is no prior: there is no such file."
            + (f" Did you mean '{near[0]}'?" if near else ""),
            remedy="Use --prior bundled or weak, or a file that kleiber calibrate --out made.",
        ) from None
    except OSError as error:
        raise InputError(
            f"'{path}' is no prior: {error.strerror or error}.",
            remedy="Check the path and its permissions.",
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"'{path}' is no prior: {error}.",
            remedy="Make one with kleiber calibrate --out FILE, or use --prior bundled or weak.",
        ) from None


def prints_of(points: Points) -> frozenset[str]:
    """Return the prints of a family's runs, by which it is known again."""
    return frozenset(_print(*_rounded(*row)) for row in _finals(points))


def _finals(points: Points) -> list[tuple[float, float, float]]:
    """Return params, tokens and loss of the ends of the runs."""
    columns = (points.params, points.tokens, points.loss)
    return list(zip(*(column[points.final].tolist() for column in columns), strict=True))


def _rounded(params: float, tokens: float, loss: float) -> tuple[int, int, int]:
    """Return the counts in steps of a tenth of an e-fold and the loss in hundredths."""
    return round(10.0 * np.log(params)), round(10.0 * np.log(tokens)), round(100.0 * loss)


def _near_prints(params: float, tokens: float, loss: float) -> set[str]:
    """Return the prints of a run's roundings and of their neighbours."""
    n, d, z = _rounded(params, tokens, loss)
    return {_print(n + i, d + j, z + k) for i, j, k in product((-1, 0, 1), repeat=3)}


def _print(n: int, d: int, z: int) -> str:
    return hashlib.sha256(f"{n} {d} {z}".encode()).hexdigest()[:DIGITS]


def _plain(prior: Prior) -> dict[str, Any]:
    rows, columns = np.tril_indices(SIZE)
    return {
        "name": prior.name,
        "mean": [round(float(x), 5) for x in prior.mean],
        "covariance": [round(float(x), 6) for x in prior.covariance[rows, columns]],
        "sigma": round(prior.sigma, 6),
        "tails": prior.tails,
        "sources": list(prior.sources),
    }


def _prior(content: Mapping[str, Any]) -> Prior:
    lower = np.zeros((SIZE, SIZE))
    lower[np.tril_indices(SIZE)] = content["covariance"]
    return Prior(
        content["name"],
        np.array(content["mean"], dtype=np.float64),
        lower + lower.T - np.diag(np.diag(lower)),
        float(content["sigma"]),
        float(content["tails"]),
        tuple(content["sources"]),
    )


def _read(text: str) -> Bundle:
    found: object = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("it holds no JSON object")
    content = cast(dict[str, Any], found)
    if content.get("schema") != SCHEMA:
        raise ValueError(f"its schema is {content.get('schema')!r}, not '{SCHEMA}'")
    return Bundle(
        _prior(content["prior"]),
        {key: _prior(value) for key, value in content["without"].items()},
        {
            name: Source({key: _split(prints) for key, prints in families.items()})
            for name, families in content["sources"].items()
        },
        content["calibration"],
        content["calibration_weak"],
        content["made"],
    )


def _split(prints: str) -> frozenset[str]:
    return frozenset(prints[i : i + DIGITS] for i in range(0, len(prints), DIGITS))
