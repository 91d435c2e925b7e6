"""Power laws in one variable, with and without a floor: L(N) at ample data, L(D) at ample size."""

from __future__ import annotations

from kleiber.laws.base import Law, Term, coefficient, exponent
from kleiber.laws.powers import sum_of_powers

_SOURCE = "Hestness et al. 2017; Kaplan et al. 2020, eqs. 1.1 and 1.2"


def _power(predictor: str, letter: str, scale: str, *, floor: bool) -> Law:
    """Build the power law of one predictor."""
    tail = f"{scale} / {predictor}^{letter}"
    parameters = (
        coefficient(scale, f"size of the term at {predictor} = 1, nats per token"),
        exponent(letter, f"how fast the loss falls with {predictor}"),
    )
    terms = (Term(scale, predictor, letter),)
    if floor:
        parameters = (coefficient("E", "irreducible loss, nats per token"), *parameters)
        terms = (Term("E"), *terms)
    return sum_of_powers(
        name=f"{predictor}-power-floor" if floor else f"{predictor}-power",
        title=f"power law in {predictor}{' with a floor' if floor else ''}",
        equation=f"L = E + {tail}" if floor else f"L = {tail}",
        source=_SOURCE,
        parameters=parameters,
        terms=terms,
        predictors=(predictor,),
    )


PARAMS_POWER = _power("params", "alpha", "A", floor=False)
PARAMS_POWER_FLOOR = _power("params", "alpha", "A", floor=True)
TOKENS_POWER = _power("tokens", "beta", "B", floor=False)
TOKENS_POWER_FLOOR = _power("tokens", "beta", "B", floor=True)
