"""Chance as a pure function of integers: every draw can be made again, alone, in any order.

A draw is a chain of splitmix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
generators"): key by key, ``h <- mix(h + (key + 1) * golden)``, the entry ``key`` of the stream that
starts at ``h``. There is no generator and no state, so a data set needs no memory for its choices.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bits = NDArray[np.uint64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
ROUNDS = 8
"""Rounds of the permutation's Feistel network; four are a bijection too, eight look random."""

LARGEST = 2**62
"""The most values that can be permuted: sums of two must fit in 64 bits."""


def mix(bits: Bits) -> Bits:
    """Scramble 64-bit integers one to one (the output function of splitmix64)."""
    bits = (bits ^ (bits >> np.uint64(30))) * FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * SECOND
    return bits ^ (bits >> np.uint64(31))


def draw(seed: int, *keys: ArrayLike) -> Bits:
    """Return 64 random bits for each combination of the keys, which broadcast together."""
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is meant
        bits = mix(np.asarray(seed % 2**64, dtype=np.uint64) + GOLDEN)
        for key in keys:
            bits = mix(bits + (np.asarray(key).astype(np.uint64) + np.uint64(1)) * GOLDEN)
    return bits


def below(bits: Bits, limit: ArrayLike) -> NDArray[np.int64]:
    """Turn random bits into integers from 0 to ``limit - 1``, for limits up to 2^32.

    The 32 upper bits times the limit, shifted: no value's chance is off by more than 2^-32.
    """
    return ((bits >> np.uint64(32)) * np.asarray(limit, dtype=np.uint64) >> np.uint64(32)).astype(
        np.int64
    )


def order(bits: Bits) -> NDArray[np.int64]:
    """Return along the last axis a random order of its places: the ranks of random bits."""
    return np.argsort(bits, axis=-1)


def permute(seed: int, index: ArrayLike, count: int) -> NDArray[np.int64]:
    """Return where a keyed permutation of ``range(count)`` sends each index.

    An alternating Feistel network on pairs ``(left, right)`` with ``a * b >= count`` values, walked
    until the value lies below ``count`` (Black & Rogaway 2002, "Ciphers with arbitrary finite
    domains", methods 2 and 3). A bijection for every seed; no table is stored.
    """
    if not 1 <= count <= LARGEST:
        raise ValueError(f"a permutation of {count} values; 1 to {LARGEST} can be permuted")
    value = np.array(index, dtype=np.uint64, ndmin=1)
    if value.size and int(value.max()) >= count:
        raise ValueError(f"index {int(value.max())} is outside range({count})")
    a = math.isqrt(count - 1) + 1
    b = -(-count // a)
    keys = [int(draw(seed, turn)) for turn in range(ROUNDS)]
    result = _feistel(value, a, b, keys)
    while (outside := np.flatnonzero(result >= count)).size:
        result[outside] = _feistel(result[outside], a, b, keys)
    return result.astype(np.int64).reshape(np.shape(index))


def _feistel(value: Bits, a: int, b: int, keys: list[int]) -> Bits:
    """Send ``range(a * b)`` to itself, one to one."""
    left, right = np.divmod(value, np.uint64(b))
    for turn, key in enumerate(keys):
        if turn % 2:
            right = (right + (draw(key, left) >> np.uint64(1))) % np.uint64(b)
        else:
            left = (left + (draw(key, right) >> np.uint64(1))) % np.uint64(a)
    return left * np.uint64(b) + right
