"""What repeated runs tell of noise, against noise that is known."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.judging.compare.rungs import Rung
from kleiber.judging.compare.seeds import UNKNOWN, fade_of, seeds_of, shared

C = np.logspace(0.0, 3.0, 7)
PAIRS = tuple((i, i + 7) for i in range(7))


def rungs(noise: np.ndarray, names: tuple[str, ...] = ("0", "1", "2")) -> list[Rung]:
    """Return a rung for each row of noise (rungs, seeds) about a curve."""
    return [
        Rung(float(c), tuple((2.0 + row).tolist()), names, 1e6, 2e7)
        for c, row in zip(np.tile(C, 2), noise, strict=True)
    ]


def test_the_spread_is_that_of_the_pooled_variance() -> None:
    noise = np.random.default_rng(0).normal(scale=0.003, size=(14, 3))
    found = seeds_of(rungs(noise), PAIRS)
    assert found.df == 28
    assert np.isclose(found.sd, np.sqrt(noise.var(axis=1, ddof=1).mean()), rtol=1e-12)
    assert (found.scale == 1).all()


def test_noise_that_does_not_fade_is_hardly_ever_said_to() -> None:
    rng = np.random.default_rng(1)
    fades = [
        seeds_of(rungs(rng.normal(scale=0.002, size=(14, 3))), PAIRS).scale.max() > 1
        for _ in range(300)
    ]
    assert np.mean(fades) < 0.03


def test_noise_that_fades_is_found() -> None:
    rng = np.random.default_rng(2)
    scale = (np.tile(C, 2) / C[-1]) ** -0.4
    found = [
        seeds_of(rungs(rng.normal(size=(14, 3)) * (0.003 * scale)[:, None]), PAIRS)
        for _ in range(100)
    ]
    slopes = [np.log(one.scale.max()) / np.log(1e3) for one in found]
    assert abs(np.median(slopes) - 0.4) < 0.04 and np.mean(np.array(slopes) > 0) > 0.95
    assert abs(np.median([one.sd for one in found]) / 0.003 - 1) < 0.1


def test_the_likelihood_is_the_normal_one() -> None:
    rng = np.random.default_rng(3)
    flops, free = C, np.full(7, 9)
    squares = (C / C[-1]) ** -0.8 * rng.chisquare(9, 7)
    grid = np.arange(0.0, 0.8, 0.01)

    def deviance(fade: float) -> float:  # of n draws with their own sd, the pooled one profiled
        scale = (flops / flops[-1]) ** -fade
        sd = np.sqrt((squares / scale**2).sum() / free.sum())
        density = -0.5 * squares / (sd * scale) ** 2 - free * np.log(sd * scale)
        return float(density.sum())

    assert fade_of(flops, free, squares) == grid[int(np.argmax([deviance(f) for f in grid]))]


def test_pairs_that_share_noise_are_found_and_others_are_not() -> None:
    rng = np.random.default_rng(4)
    together, alone = [], []
    for _ in range(200):
        ours, common, theirs = rng.normal(size=(3, 7, 3))
        mixed = np.sqrt(0.2) * np.vstack([ours, theirs]) + np.sqrt(0.8) * np.vstack([common] * 2)
        together.append(seeds_of(rungs(0.002 * mixed), PAIRS).correlation)
        alone.append(seeds_of(rungs(0.002 * np.vstack([ours, theirs])), PAIRS).correlation)
    assert abs(np.median(together) - 0.8) < 0.05
    assert np.mean(np.array(alone) > 0) < 0.05


def test_what_is_not_known_is_said_to_be_usual() -> None:
    one = [Rung(float(c), (2.0,), ("",), 1e6, 2e7) for c in np.tile(C, 2)]
    found = seeds_of(one, PAIRS)
    assert (found.sd, found.df, found.correlation) == (UNKNOWN, 0, 0.0)


@pytest.mark.parametrize("apart", [0.0, 1e-12, 1e-8])
def test_copies_of_a_run_are_no_repeats(apart: float) -> None:
    """The mean of three equal floats is off by an ulp, which is no noise."""
    rng = np.random.default_rng(6)
    once = 1.0 + rng.normal(scale=0.3, size=(14, 1))
    found = seeds_of(rungs(once + apart * rng.normal(size=(14, 3))), PAIRS)
    assert (found.sd, found.df, found.correlation) == (UNKNOWN, 0, 0.0)
    told = seeds_of(rungs(once + 1e-5 * rng.normal(size=(14, 3))), PAIRS)
    assert told.df == 28 and abs(told.sd / 1e-5 - 1) < 0.4


def test_seeds_are_paired_by_name_alone() -> None:
    named = rungs(np.zeros((14, 3)))
    unnamed = rungs(np.zeros((14, 3)), ("", "", ""))
    twice = rungs(np.zeros((14, 3)), ("0", "0", "1"))
    assert shared(named, PAIRS) == (3,) * 7
    assert shared(unnamed, PAIRS) == shared(twice, PAIRS) == (0,) * 7
