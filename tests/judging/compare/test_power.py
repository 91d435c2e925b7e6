"""Seeds that an arm needs, against the noncentral t of scipy.stats and against repeated tests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from kleiber.errors import UsageError
from kleiber.judging.compare import power, seeds_needed
from kleiber.judging.compare.power import pairs_needed

SD = 0.0019  # of 124M-parameter speed runs, as published


def two_sample(n: int, difference: float, sd: float = SD) -> float:
    """Return the power of a one-sided two-sample t test at .05."""
    df = 2 * n - 2
    critical = stats.t.ppf(0.95, df)
    return float(stats.nct.sf(critical, df, difference / (sd * np.sqrt(2 / n))))


@pytest.mark.parametrize("difference", [0.001, 0.002, 0.003, 0.005])
def test_the_least_number_that_has_the_power(difference: float) -> None:
    n = seeds_needed(SD, difference)
    assert n is not None
    assert two_sample(n, difference) >= 0.8
    assert n == 2 or two_sample(n - 1, difference) < 0.8


def test_near_the_normal_approximation_where_seeds_are_many() -> None:
    for difference, known in ((0.0002, 1116.0), (0.001, 44.6)):
        assert known < seeds_needed(SD, difference) < known + 3


def test_as_many_tests_find_it() -> None:
    rng = np.random.default_rng(0)
    n, difference = seeds_needed(SD, 0.002), 0.002
    a = SD * rng.standard_normal((20_000, n))
    b = SD * rng.standard_normal((20_000, n)) + difference
    found = stats.ttest_ind(b, a, axis=1, alternative="greater").pvalue < 0.05
    assert 0.8 - 0.012 < found.mean() < two_sample(n, difference) + 0.012


def test_pairs_need_fewer_where_they_share_noise() -> None:
    rng = np.random.default_rng(1)
    table = power(SD, (0.002,), correlation=0.8)
    n = table.paired[0]
    assert n == pairs_needed(SD * np.sqrt(2 * 0.2), 0.002) < table.seeds[0]
    apart = 0.002 + SD * np.sqrt(2 * 0.2) * rng.standard_normal((20_000, n))
    found = stats.ttest_1samp(apart, 0.0, axis=1, alternative="greater").pvalue < 0.05
    assert found.mean() > 0.8 - 0.012


def test_a_power_that_is_not_reached_has_no_number() -> None:
    """By the normal approximation sd 1 needs 1.2e9 runs to see 1e-4, and 99,500 to see .01115."""
    assert seeds_needed(1.0, 1e-4) is None and pairs_needed(1.0, 1e-4) is None
    near, beyond = (seeds_needed(1.0, 2.48647 * np.sqrt(2 / n)) for n in (99_500, 100_500))
    assert near is not None and abs(near - 99_500) < 10 and beyond is None
    table = power(1.0, (1e-4, 0.5), correlation=0.5)
    assert table.seeds[0] is None and table.to_dict()["paired"][0] is None
    first, second = table.text().splitlines()[1:]
    assert first == ("  0.0001 nats: more than 100,000, more than 100,000 where seeds are paired")
    assert second.startswith(f"  0.5000 nats: {table.seeds[1]}, ")


def test_nothing_to_see_is_refused() -> None:
    for sd, difference in ((0.0, 0.001), (0.002, 0.0), (0.002, -1.0)):
        with pytest.raises(UsageError, match="above 0"):
            seeds_needed(sd, difference)


def test_text_says_whether_the_noise_was_measured() -> None:
    assert "(measured)" in power(SD).text()
    assert "not measured" in power(SD, measured=False).text()
