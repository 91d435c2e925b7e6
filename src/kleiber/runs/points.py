"""The readings of the runs as arrays: what a fit takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kleiber.errors import ColumnError, ValuesError
from kleiber.runs.notes import counted

FloatArray = NDArray[np.float64]
MORE = ("unique_tokens", "experts")  # predictors beside params and tokens, where a table has them


@dataclass(frozen=True)
class Points:
    """Readings in arrays of one length n; params and tokens raw, loss in nats per token.

    ``run`` indexes ``names``. ``weight`` is 1/m for each of the m points of a run, so that a
    run counts once however often it was read; one point a run has weights of exactly 1.
    ``more`` holds further predictors by name (:data:`MORE`), NaN where one is unknown.
    """

    run: NDArray[np.int64]
    names: tuple[str, ...]
    params: FloatArray
    tokens: FloatArray
    loss: FloatArray
    weight: FloatArray
    final: NDArray[np.bool_]
    more: Mapping[str, FloatArray] = field(default_factory=dict[str, FloatArray])

    def __len__(self) -> int:
        return int(self.run.size)

    def __repr__(self) -> str:
        return f"Points({counted(len(self), 'point')} of {counted(self.n_runs, 'run')})"

    @property
    def n_runs(self) -> int:
        """Return the number of runs that have a point here."""
        return int(np.unique(self.run).size)

    def take(self, index: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Points:
        """Return the points of a mask or an index, with weights made anew for what is left."""
        run, names = _renumber(self.run[index], self.names)
        return Points(
            run=run,
            names=names,
            params=_frozen(self.params[index]),
            tokens=_frozen(self.tokens[index]),
            loss=_frozen(self.loss[index]),
            weight=_frozen(run_weights(run)),
            final=_frozen_bool(self.final[index]),
            more={name: _frozen(values[index]) for name, values in self.more.items()},
        )

    def predictors(self, names: Sequence[str]) -> FloatArray:
        """Return the raw columns that a law reads, shape (P, n), in the order of ``names``.

        Raises
        ------
        ColumnError
            For a column that the table lacks.
        ValuesError
            For one that is unknown for some points.
        """
        return np.stack([self.predictor(name) for name in names])

    def predictor(self, name: str) -> FloatArray:
        """Return one raw column that a law may read; see :meth:`predictors`."""
        if name == "params":
            return self.params
        if name == "tokens":
            return self.tokens
        if name not in self.more:
            raise ColumnError(
                f"The law reads {name}, and the runs have no such column.",
                remedy=f"Name its column with --columns {name}=NAME, or fit a law that does "
                "not read it (--law chinchilla).",
            )
        values = self.more[name]
        unknown = int(np.sum(~(np.isfinite(values) & (values > 0))))
        if unknown:
            raise ValuesError(
                f"The law reads {name}, which is unknown or no positive number for "
                f"{unknown} of {counted(len(self), 'point')}.",
                remedy=f"Fill in {name} for every run, or leave those runs out.",
            )
        return values


def points_of(frame: pl.DataFrame) -> Points:
    """Return a canonical table's rows as arrays, in the table's order."""
    raw = frame["run"].rank("dense").to_numpy().astype(np.int64) - 1
    names = tuple(str(name) for name in frame["run"].unique().sort().to_list())
    run, names = _in_order_of_appearance(raw, names)
    return Points(
        run=run,
        names=names,
        params=_frozen(frame["params"].to_numpy()),
        tokens=_frozen(frame["tokens"].to_numpy()),
        loss=_frozen(frame["loss"].to_numpy()),
        weight=_frozen(run_weights(run)),
        final=_frozen_bool(frame["final"].to_numpy()),
        more={
            name: _frozen(frame[name].cast(pl.Float64).to_numpy())
            for name in MORE
            if name in frame.columns
        },
    )


def run_weights(run: NDArray[np.int64]) -> FloatArray:
    """Return 1/m for each point of a run with m points, given run codes of shape (n,)."""
    if run.size == 0:
        return np.empty(0)
    _, inverse, counts = np.unique(run, return_inverse=True, return_counts=True)
    return 1.0 / counts[inverse].astype(np.float64)


def _in_order_of_appearance(
    run: NDArray[np.int64], names: tuple[str, ...]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    codes, first, inverse = np.unique(run, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    new = place[inverse].astype(np.int64)
    new.setflags(write=False)
    return new, tuple(names[int(codes[i])] for i in order)


def _renumber(
    run: NDArray[np.int64], names: tuple[str, ...]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    codes, inverse = np.unique(run, return_inverse=True)
    new = inverse.astype(np.int64)
    new.setflags(write=False)
    return new, tuple(names[int(code)] for code in codes)


def _frozen(values: FloatArray) -> FloatArray:
    out = np.array(values, dtype=np.float64)
    out.setflags(write=False)
    return out


def _frozen_bool(values: NDArray[np.bool_]) -> NDArray[np.bool_]:
    out = np.array(values, dtype=np.bool_)
    out.setflags(write=False)
    return out
