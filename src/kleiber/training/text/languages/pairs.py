"""Keys and their values by turns: many small facts, used as rank^-EXPONENT.

A key is drawn alone from KEYS tokens by rank^-EXPONENT; behind it stands one of 24 values, by the
key's own distribution over four of them. Each key is a fact of its own, learned when it was seen
often enough, so that what is left to learn falls as a power of what was seen: a sum over facts of
which ever rarer ones are learned (Michaud et al. 2023, "The quantization model of neural scaling").
It is a Markov chain of order 1, over keys and values, and its entropy is that chain's.
"""

from __future__ import annotations

import math

import numpy as np

from kleiber.training.chance import draw
from kleiber.training.text.languages.language import RULES, numbers_of, refused, uniform, zipf
from kleiber.training.text.languages.markov import LARGEST, Markov

FORM = "pairs:KEYS:EXPONENT:SEED"
VALUES, EACH = 24, 4
MOST = math.isqrt(LARGEST) - VALUES


def pairs(name: str) -> Markov:
    """Return the language of a name: keys are tokens 0 to KEYS - 1, values the 24 behind them."""
    keys, exponent, seed = numbers_of(name, FORM, (int, float, int))
    if not 1 <= keys <= MOST or seed < 0:
        raise refused(name, f"{keys} keys and seed {seed}", f"1 to {MOST:,} keys, seed 0 or more")
    if not (math.isfinite(exponent) and exponent >= 0):
        raise refused(name, f"an exponent of {exponent}", "one of 0 or more, such as 1.5")
    vocab = keys + VALUES
    each, value = np.arange(keys)[:, None], np.arange(VALUES)
    order = np.argsort(draw(seed, RULES, 0, each, value), axis=1)[:, :EACH]
    sizes = 1.0 + 3.0 * uniform(draw(seed, RULES, 1, each, np.arange(EACH)))
    table = np.zeros((vocab, vocab))
    np.put_along_axis(table[:keys], keys + order, sizes / sizes.sum(axis=1, keepdims=True), axis=1)
    table[keys:, :keys] = zipf(keys, exponent)
    half = np.concatenate([zipf(keys, exponent), np.zeros(VALUES)]) / 2  # every other token
    return Markov(vocab, 1, table, half + half @ table)
