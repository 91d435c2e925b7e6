"""What a law is: an equation with named parameters, their bounds and its gradient.

A law knows nothing of data or of fitting. Inside, every law is a function of the logarithms
of its predictors and of a vector ``theta`` in *natural coordinates*: a coefficient (positive,
such as A, which enters linearly) is carried as its logarithm, an exponent as itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import UsageError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]
Kind = Literal["coefficient", "exponent"]

TINY_LOG = -700.0  # exp(-700) ~ 1e-304: a coefficient of "zero" that arithmetic survives


@dataclass(frozen=True)
class Parameter:
    """One named parameter of a law, in the units that its users write it in."""

    name: str
    meaning: str
    kind: Kind
    lower: float = 0.0
    upper: float = np.inf

    @property
    def linear(self) -> bool:
        """Whether the loss is linear in this parameter once the exponents are known."""
        return self.kind == "coefficient"

    def to_natural(self, value: float) -> float:
        """Return the natural coordinate of a value: the log of a coefficient, else itself."""
        if self.kind == "exponent":
            return float(value)
        return max(float(np.log(value)), TINY_LOG) if value > 0 else TINY_LOG

    def from_natural(self, coordinate: Array) -> Array:
        """Return the value at a natural coordinate; a coefficient of zero is at TINY_LOG."""
        if self.kind == "exponent":
            return coordinate
        with np.errstate(over="ignore", under="ignore"):
            return np.where(coordinate <= TINY_LOG, 0.0, np.exp(coordinate))


@dataclass(frozen=True)
class Term:
    """One power in a sum of powers: ``coefficient / predictor ** exponent``, or a constant."""

    coefficient: str
    predictor: str | None = None
    exponent: str | None = None


LogLoss = Callable[[Array, Array], Array]
Gradient = Callable[[Array, Array], tuple[Array, Array]]
Shift = Callable[[Array, Array], Array]
Curvature = Callable[[Array, Array, Array], Array]
Bend = Callable[[Array, Array, Array, Mask], Array]
Count = float | Array | None


@dataclass(frozen=True)
class Law:
    """An equation from scale to loss.

    Attributes
    ----------
    predictors
        The columns of Runs that the law reads, in the order of the rows of ``logs``.
    gradient
        ``(theta[..., K], logs[P, n]) -> (z[..., n], dz[..., K, n])``: the log of the
        predicted loss (nats) and its derivative by the natural coordinates.
    recentre
        ``(theta[..., K], shift[P]) -> theta[..., K]``: the same law written for predictors
        whose logs have had ``shift`` subtracted. Affine in theta.
    centre
        ``(means[P],) -> shift[P]``: what may be subtracted from logs with these means; the
        means themselves where None. A law of a ratio of two predictors moves both by one
        amount; one of a predictor's value itself does not move it.
    terms
        Present where the law is a plain sum of powers: the engine then has its Hessian.
    optimum
        ``(theta[K],) -> (log_scale, slope)`` with ``log params = log_scale + slope * log G``
        at the least loss for ``params * tokens = G``; None where there is no closed form.
    guesses
        ``(level,) -> theta[S, K]``: starts in centred coordinates for data whose mean log-loss
        is ``level``; for laws without terms.
    curvature
        ``(theta[B, K], logs[P, n], c[B, n]) -> (B, K, K)``: the sum over points of ``c`` times
        the second derivative of z; differenced from the gradient where None.
    bend
        ``(theta[B, K], moved[B, K], means[P], loose[K]) -> (B, K)``: where a step from theta to
        ``moved`` leads along the law's own valley, for predictors whose logs have these means;
        equal to ``moved`` to first order, and everywhere but in the loose coordinates.
    vanishing
        Coefficients inside an exponent: one of exp(-18) at the data's centre counts as zero.
    words
        What a column holds for this law where it is not what the column is named.
    """

    name: str
    title: str
    equation: str
    source: str
    parameters: tuple[Parameter, ...]
    predictors: tuple[str, ...]
    gradient: Gradient
    recentre: Shift
    terms: tuple[Term, ...] | None = None
    optimum: Callable[[Array], tuple[Array, Array]] | None = None
    guesses: Callable[[float], Array] | None = None
    centre: Callable[[Array], Array] | None = None
    curvature: Curvature | None = None
    bend: Bend | None = None
    vanishing: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in order."""
        return tuple(p.name for p in self.parameters)

    @property
    def floor(self) -> str | None:
        """The name of the irreducible loss, or None where the law has none."""
        return "E" if "E" in self.names else None

    def index(self, name: str) -> int:
        """Return the place of a parameter, or raise a UsageError that lists the names."""
        if name not in self.names:
            raise UsageError(
                f"The law '{self.name}' has no parameter '{name}'; it has {', '.join(self.names)}.",
                remedy="Use one of those names.",
            )
        return self.names.index(name)

    def natural(self, values: Mapping[str, float]) -> Array:
        """Return natural coordinates, shape (K,), of a full set of named values."""
        return to_natural(self.name, self.parameters, values)

    def values(self, theta: Array) -> dict[str, float]:
        """Return the named values at natural coordinates, shape (K,)."""
        return from_natural(self.parameters, theta)

    def shift(self, means: Array) -> Array:
        """Return what to subtract from log-predictors (P, n) of these means (P,) before a fit."""
        return means if self.centre is None else self.centre(means)

    def loss(
        self,
        values: Mapping[str, float],
        params: Count = None,
        tokens: Count = None,
        **more: Count,
    ) -> Array:
        """Return the loss (nats) that named values predict; counts are raw, broadcast together."""
        logs = self.logs(params, tokens, **more)
        z, _ = self.gradient(self.natural(values), logs.reshape(len(self.predictors), -1))
        return np.exp(z).reshape(logs.shape[1:])

    def logs(self, params: Count = None, tokens: Count = None, **more: Count) -> Array:
        """Return the logs of the law's predictors, shape (P, ...), or say which is missing.

        ``more`` are predictors beside params and tokens, by name; one that the law does not
        read is passed over, as params are by a law of tokens alone.
        """
        given = {"params": params, "tokens": tokens, **more}
        columns: list[Array] = []
        for name in self.predictors:
            value = given.get(name)
            if value is None:
                word = self.words.get(name, name)
                raise UsageError(
                    f"The law '{self.name}' reads {word}, and none was given.",
                    remedy=f"Give {name}=… (--{name.replace('_', '-')} on the command line).",
                )
            column = np.asarray(value, dtype=np.float64)
            if not np.all(np.isfinite(column) & (column > 0)):
                raise UsageError(
                    f"{name} must be a positive, finite count; found {value!r}.",
                    remedy=f"Give {name} as a raw count, such as 7e9 or 7B.",
                )
            columns.append(column)
        return np.log(np.stack(np.broadcast_arrays(*columns)))


def to_natural(law: str, parameters: tuple[Parameter, ...], values: Mapping[str, float]) -> Array:
    """Return natural coordinates (K,) of a full set of named values of a law."""
    missing = [p.name for p in parameters if p.name not in values]
    if missing:
        raise UsageError(f"The law '{law}' needs a value for {', '.join(missing)}.")
    return np.array([p.to_natural(values[p.name]) for p in parameters])


def from_natural(parameters: tuple[Parameter, ...], theta: Array) -> dict[str, float]:
    """Return the named values at natural coordinates (K,)."""
    return {p.name: float(p.from_natural(theta[i])) for i, p in enumerate(parameters)}


def coefficient(name: str, meaning: str, lower: float = 0.0, upper: float = np.inf) -> Parameter:
    """Return a positive parameter, carried as its logarithm."""
    return Parameter(name, meaning, "coefficient", lower, upper)


def exponent(name: str, meaning: str, lower: float = 0.0, upper: float = 5.0) -> Parameter:
    """Return an exponent; above 5 a power law is a step that no ladder can measure."""
    return Parameter(name, meaning, "exponent", lower, upper)
