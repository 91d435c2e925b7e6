"""The Chinchilla law: a floor, a term for too few parameters, a term for too little data."""

from __future__ import annotations

from kleiber.laws.base import Term, coefficient, exponent
from kleiber.laws.powers import sum_of_powers

CHINCHILLA = sum_of_powers(
    name="chinchilla",
    title="Chinchilla",
    equation="L = E + A / params^alpha + B / tokens^beta",
    source="Hoffmann et al. 2022, Training Compute-Optimal Large Language Models, eq. 2",
    parameters=(
        coefficient("E", "irreducible loss: the entropy of the text, nats per token"),
        coefficient("A", "size of the parameter term at one parameter, nats per token"),
        exponent("alpha", "how fast the loss falls with parameters"),
        coefficient("B", "size of the data term at one token, nats per token"),
        exponent("beta", "how fast the loss falls with tokens"),
    ),
    terms=(Term("E"), Term("A", "params", "alpha"), Term("B", "tokens", "beta")),
    predictors=("params", "tokens"),
)
