"""Share coordinates and their posterior against plain formulas, differences and scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from kleiber.fitting import shares
from kleiber.fitting.evidence import CHECKPOINT, Evidence, gather, weights
from kleiber.fitting.learn import learn
from kleiber.fitting.posterior import NU, SCALE_POINTS, Priors, solve
from kleiber.fitting.prior import LEVEL_SD, WEAK, Prior
from kleiber.fitting.shares import Design, coordinates, mid_schedule, values
from kleiber.laws import CHINCHILLA

TRUTH = {"E": 1.8, "A": 430.0, "alpha": 0.345, "B": 1900.0, "beta": 0.362}
SLOW = {"E": 1.1, "A": 30.0, "alpha": 0.18, "B": 9000.0, "beta": 0.45}

laws = st.fixed_dictionaries(
    {
        "E": st.floats(0.2, 4.0),
        "A": st.floats(5.0, 5e3),
        "alpha": st.floats(0.1, 0.8),
        "B": st.floats(5.0, 5e3),
        "beta": st.floats(0.1, 0.8),
    }
)
counts = st.tuples(st.floats(6.0, 12.0), st.floats(8.0, 13.5))


def row(n: Any, d: Any, y: Any, w: Any = 1.0, mid: Any = 0.0) -> Evidence:
    """Return one row of evidence from raw counts and log-losses."""
    n, d, y, w, mid = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, dtype=float)) for x in (n, d, y, w, mid))
    )
    at = Design(np.log(n)[None], np.log(d)[None], np.array(mid)[None])
    return Evidence(at, np.array(y)[None], np.array(w)[None])


def drawn(
    law: dict[str, float], k: int, seed: int, noise: float = 0.004, wild: float = 0.0
) -> Evidence:
    """Return k sizes at 10, 20 and 60 tokens a param with Student noise, checkpoints between."""
    rng = np.random.default_rng(seed)
    n = np.repeat(np.geomspace(5e7, 1e9, k), 6)
    f = np.tile([1.0, 1.0, 1.0, 0.3, 0.5, 0.8], k)
    d = n * np.tile([10.0, 20.0, 60.0, 20.0, 20.0, 20.0], k) * f
    y = np.log(by_hand(law, n, d)) + 0.03 * mid_schedule(f) + noise * rng.standard_t(4, len(n))
    y[0] += wild
    return row(n, d, y, np.where(f == 1.0, 1.0, 0.05), mid_schedule(f))


def by_hand(law: dict[str, float], n: Any, d: Any) -> Any:
    return law["E"] + law["A"] / n ** law["alpha"] + law["B"] / d ** law["beta"]


def joined(*rows: Evidence) -> Evidence:
    """Return rows as one batch, padded with weight 0."""
    width = max(r.y.shape[1] for r in rows)

    def pad(x: np.ndarray) -> np.ndarray:
        return np.pad(x, ((0, 0), (0, width - x.shape[1])))

    at = Design(
        *(np.concatenate([pad(getattr(r.at, name)) for r in rows]) for name in vars(rows[0].at))
    )
    return Evidence(
        at, np.concatenate([pad(r.y) for r in rows]), np.concatenate([pad(r.w) for r in rows])
    )


@given(laws, st.lists(counts, min_size=1, max_size=4))
def test_the_shares_are_the_chinchilla_law(law: dict[str, float], runs: list[Any]) -> None:
    n, d = (10.0 ** np.array(axis) for axis in zip(*runs, strict=True))
    theta = coordinates(**law)
    assert values(theta) == pytest.approx(law, rel=1e-7)
    found = np.exp(shares.log_loss(theta[None], Design(np.log(n), np.log(d), np.zeros(len(n)))))[0]
    assert found == pytest.approx(CHINCHILLA.loss(law, n, d), rel=1e-9)


@given(laws, st.lists(counts, min_size=1, max_size=4), st.floats(0.0, 1.0), st.floats(-0.1, 0.2))
def test_the_gradient_is_that_of_finite_differences(
    law: dict[str, float], runs: list[Any], fraction: float, mid: float
) -> None:
    n, d = (np.log(10.0) * np.array(axis) for axis in zip(*runs, strict=True))
    at = Design(n, d, mid_schedule(np.full(len(n), fraction)))
    theta = coordinates(**law, mid=mid)[None]
    z, dz = shares.gradient(theta, at)
    assert z == pytest.approx(shares.log_loss(theta, at), rel=1e-14)
    for i in range(shares.SIZE):
        step = np.zeros(shares.SIZE)
        step[i] = 1e-5
        ahead, behind = (shares.log_loss(theta + s * step, at) for s in (1.0, -1.0))
        assert dz[..., i] == pytest.approx((ahead - behind) / 2e-5, rel=1e-5, abs=1e-8)


def test_the_schedule_falls_from_one_to_nothing_as_a_cosine_does() -> None:
    assert mid_schedule(np.array([0.0, 0.25, 0.5, 1.0, 1.3])) == pytest.approx(
        [1.0, (1 + 2**-0.5) / 2, 0.5, 0.0, 0.0], abs=1e-15
    )


def target(x: np.ndarray, seen: Evidence, prior: Prior) -> float:
    """Return the negative log-posterior of coordinates and log scale, from its definition."""
    theta, s = x[:6], np.exp(x[6])
    law = values(theta)
    n, d = np.exp(seen.at.log_params[0]), np.exp(seen.at.log_tokens[0])
    z = np.log(by_hand(law, n, d)) + theta[5] * seen.at.mid[0]
    r = (seen.y[0] - z) / s
    student = 0.5 * (NU + 1) * np.log1p(r**2 / NU) + np.log(s)
    off = theta - prior.mean
    d2 = off @ np.linalg.solve(prior.covariance, off)
    tails = 0.5 * (prior.tails + 6) * np.log1p(d2 / prior.tails)
    scale = SCALE_POINTS * (np.log(s) + prior.sigma**2 / (2 * s**2))
    return float(seen.w[0] @ student + tails + scale)


CASES = {
    "one run": row(1e9, 2e10, np.log(2.7)),
    "one size": drawn(TRUTH, 1, 0),
    "two sizes": drawn(TRUTH, 2, 1),
    "six sizes": drawn(TRUTH, 6, 2),
    "far from the prior": drawn(SLOW, 4, 3),
    "one run diverged": drawn(TRUTH, 4, 4, wild=0.3),
    "checkpoints alone": drawn(TRUTH, 3, 5).narrowed(18),
}


@pytest.mark.parametrize("name", CASES)
def test_the_mode_is_the_one_that_scipy_finds(name: str) -> None:
    seen = CASES[name]
    found = solve(seen, WEAK)
    assert found.converged.all()
    own = np.append(found.theta[0], np.log(found.sigma[0]))
    assert found.value[0] == pytest.approx(target(own, seen, WEAK), abs=1e-9)
    rng = np.random.default_rng(0)
    starts = [own, np.append(WEAK.mean, np.log(WEAK.sigma))]
    starts += [own + 0.3 * rng.standard_normal(7) for _ in range(3)]
    options = {"maxiter": 4000, "gtol": 1e-9}
    with np.errstate(all="ignore"):  # scipy's line search looks far away
        tried = [minimize(target, x, (seen, WEAK), method="BFGS", options=options) for x in starts]
    assert found.value[0] <= min(one.fun for one in tried) + 1e-6
    # The same law, too, wherever scipy came down to the same valley.
    best = min(tried, key=lambda one: one.fun)
    assert found.theta[0] == pytest.approx(best.x[:6], abs=2e-3)


@pytest.mark.parametrize("name", CASES)
def test_the_precision_is_gauss_newton_of_the_residuals_and_the_tails(name: str) -> None:
    seen = CASES[name]
    found = solve(seen, WEAK)
    theta, s = found.theta[0], found.sigma[0]
    jacobian = np.empty((seen.y.shape[1], 6))
    for i in range(6):
        step = 1e-6 * np.eye(6)[i]
        ahead, behind = (
            shares.log_loss((theta + sign * step)[None], seen.at)[0] for sign in (1, -1)
        )
        jacobian[:, i] = (ahead - behind) / 2e-6
    r = seen.y[0] - shares.log_loss(theta[None], seen.at)[0]
    u = seen.w[0] * (NU + 1) / (NU * s**2 + r**2)  # d psi / d r^2 of the Student, times 2
    inverse = np.linalg.inv(WEAK.covariance)
    off = theta - WEAK.mean
    tail = (WEAK.tails + 6) / (WEAK.tails + off @ inverse @ off)
    by_differences = jacobian.T @ (u[:, None] * jacobian) + tail * inverse
    assert found.precision[0] == pytest.approx(by_differences, rel=1e-5, abs=1e-5)
    z, sd = found.predict(Design.finals(7e9, 1.4e11))
    at = np.array([shares.gradient(theta[None], Design.finals(7e9, 1.4e11))[1][0, 0]])
    var = (at @ np.linalg.solve(by_differences, at.T))[0, 0] + s**2
    assert sd[0, 0] == pytest.approx(np.sqrt(var), rel=1e-4)
    assert np.exp(z[0, 0]) == pytest.approx(by_hand(values(theta), 7e9, 1.4e11), rel=1e-12)


def test_rows_alone_equal_rows_in_a_batch() -> None:
    batch = joined(*CASES.values(), drawn(TRUTH, 12, 6), drawn(SLOW, 20, 7))
    together = solve(batch, WEAK)
    assert (batch.widths().min(), batch.widths().max()) == (1, 120)  # of every group of widths
    for i, alone in enumerate([*CASES.values(), drawn(TRUTH, 12, 6), drawn(SLOW, 20, 7)]):
        one = solve(alone, WEAK)
        assert together.theta[i] == pytest.approx(one.theta[0], abs=1e-9)
        assert together.sigma[i] == pytest.approx(one.sigma[0], rel=1e-9)
        assert together.value[i] == pytest.approx(one.value[0], abs=1e-9)


def test_without_evidence_the_answer_is_the_priors() -> None:
    nothing = Evidence(*_nothing())
    found = solve(nothing, WEAK)
    assert found.theta[0] == pytest.approx(WEAK.mean, abs=1e-9)
    assert found.sigma[0] == pytest.approx(WEAK.sigma, rel=1e-6)
    mixed = solve(joined(nothing, CASES["six sizes"]), WEAK)
    assert mixed.theta[0] == pytest.approx(WEAK.mean, abs=1e-9)
    assert mixed.theta[1] == pytest.approx(solve(CASES["six sizes"], WEAK).theta[0], abs=1e-9)


def _nothing() -> tuple[Design, np.ndarray, np.ndarray]:
    empty = np.zeros((1, 0))
    return Design(empty, empty, empty), empty, empty


@pytest.mark.parametrize("law", [TRUTH, SLOW], ids=["usual", "far from the prior"])
def test_with_much_clean_evidence_the_true_law_is_recovered(law: dict[str, float]) -> None:
    n, d = (x.ravel() for x in np.meshgrid(np.geomspace(1e7, 1e10, 12), np.geomspace(1e9, 1e12, 8)))
    found = values(solve(row(n, d, np.log(by_hand(law, n, d))), WEAK).theta[0])
    assert found == pytest.approx(law, rel=0.01)


def test_each_row_has_the_prior_that_was_named_for_it() -> None:
    other = Prior("other", WEAK.mean + 0.2, 0.1 * WEAK.covariance, 0.01)
    both = joined(CASES["one size"], CASES["one size"])
    found = solve(both, Priors.of([WEAK, other]))
    for i, prior in enumerate((WEAK, other)):
        alone = solve(CASES["one size"], prior)
        assert found.theta[i] == pytest.approx(alone.theta[0], abs=1e-9)
    assert abs(found.theta[0] - found.theta[1]).max() > 0.1


# What families teach.

POPULATION = Prior(
    "population",
    np.array([np.log(2.6), -0.6, 0.4, np.log(0.3), np.log(0.35), 0.03]),
    np.diag(np.array([LEVEL_SD, 0.4, 0.6, 0.25, 0.25, 0.01]) ** 2),
)


def simulated(families: int, seed: int) -> Evidence:
    """Return rich ladders of families drawn from the population."""
    rng = np.random.default_rng(seed)
    n, d = (x.ravel() for x in np.meshgrid(np.geomspace(3e7, 6e9, 6), np.geomspace(1e9, 3e11, 5)))
    f = np.where(np.arange(len(n)) % 5 == 0, 0.5, 1.0)
    rows: list[Evidence] = []
    for theta in POPULATION.draws(families, seed):
        y = shares.log_loss(theta[None], Design(np.log(n), np.log(d), mid_schedule(f)))[0]
        rows.append(row(n, d, y + 0.003 * rng.standard_t(4, len(n)), 1.0, mid_schedule(f)))
    return joined(*rows)


@pytest.fixture(scope="module")
def many() -> Evidence:
    return simulated(120, 11)


def test_a_known_population_is_learnt(many: Evidence) -> None:
    found, modes = learn(many, [f"s{i}" for i in range(120)], worth=0.5)
    truth_sd = np.sqrt(np.diag(POPULATION.covariance))
    sd = np.sqrt(np.diag(found.covariance))
    # Standard errors of a mean and of an sd of 120 families; four of them.
    assert (np.abs(found.mean - POPULATION.mean)[1:] < 4 * truth_sd[1:] / np.sqrt(120)).all()
    assert sd[1:5] == pytest.approx(truth_sd[1:5], rel=4 / np.sqrt(240))
    correlation = found.covariance / np.outer(sd, sd)
    assert np.abs(correlation[1:5, 1:5] - np.eye(4)).max() < 4 / np.sqrt(120)
    assert 0.002 < found.sigma < 0.005
    assert sd[0] == LEVEL_SD and len(found.sources) == 120 and modes.shape == (120, 6)


def test_two_families_of_a_source_weigh_as_one_witness(many: Evidence) -> None:
    some = many.take(np.arange(8))
    names = [f"s{i}" for i in range(8)]
    once, _ = learn(some, names)
    again = many.take(np.array([*range(8), 3, 3]))
    twice, _ = learn(again, [*names, "s3", "s3"])
    assert twice.mean == pytest.approx(once.mean, abs=1e-6)
    assert twice.covariance == pytest.approx(once.covariance, abs=1e-6)
    counted, _ = learn(again, [*names, "a", "b"])  # as three witnesses they would pull
    assert np.abs(counted.mean - once.mean).max() > 0.01


def test_the_starting_prior_counts_for_what_it_is_worth(many: Evidence) -> None:
    some, names = many.take(np.arange(4)), [f"s{i}" for i in range(4)]
    far = Prior("far", POPULATION.mean + 0.5, POPULATION.covariance, 0.006)
    means = [learn(some, names, base=far, worth=w)[0].mean[1:5] for w in (0.1, 4.0, 400.0)]
    gaps = [np.abs(mean - far.mean[1:5]).mean() for mean in means]
    assert gaps[0] > gaps[1] > gaps[2]
    assert means[2] == pytest.approx(far.mean[1:5], abs=0.02)


def test_ends_weigh_one_and_checkpoints_little(make_points) -> None:
    points = make_points(1e9, np.geomspace(1e9, 2e10, 5), np.geomspace(4, 3, 5), run=[0] * 5)
    final = np.arange(5) == 4
    points = type(points)(**{**vars(points), "final": final})
    seen = gather([(points, weights(points, np.ones(5, dtype=bool)))])
    assert seen.w[0] == pytest.approx([CHECKPOINT] * 4 + [1.0])
    assert seen.at.mid[0] == pytest.approx(mid_schedule(points.tokens / 2e10), abs=1e-12)
    none = gather([(points, weights(points, np.zeros(5, dtype=bool)))])
    assert none.y.shape == (1, 0)
