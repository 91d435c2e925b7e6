"""The rule between two priors, its scale, and what of a table counts as evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_t

from kleiber.fitting import evidence
from kleiber.fitting.borrow import APART, FLOOR, Answers, Borrowed, borrow
from kleiber.fitting.evidence import CHECKPOINT, Evidence, gather, mended, thinned, usable, weights
from kleiber.fitting.posterior import NU, SCALE_POINTS, Priors
from kleiber.fitting.prior import WEAK, Prior
from kleiber.fitting.shares import Design, values
from kleiber.runs.points import Points

TYPICAL = Prior(
    "typical",
    np.array([np.log(2.6), -0.65, 0.5, np.log(0.29), np.log(0.36), 0.03]),
    np.diag(np.array([0.5, 0.2, 0.3, 0.15, 0.15, 0.01]) ** 2),
)
UNUSUAL = {"E": 2.2, "A": 2e5, "alpha": 0.75, "B": 2e6, "beta": 0.75}


def at(params: float, tokens: float, rows: int = 1) -> Design:
    one = Design.finals(params, tokens)
    return Design(*(np.broadcast_to(x, (rows, 1)) for x in vars(one).values()))


def runs_of(law: dict[str, float], sizes: Any, ratios: Any, noise: float = 0.0) -> Evidence:
    """Return finished runs of a law, every size at every ratio of tokens to params."""
    n, r = (x.ravel() for x in np.meshgrid(sizes, ratios))
    n, d = n.astype(float), n * r
    y = np.log(law["E"] + law["A"] / n ** law["alpha"] + law["B"] / d ** law["beta"])
    y += noise * np.random.default_rng(0).standard_normal(len(n))
    return Evidence(
        Design(np.log(n)[None], np.log(d)[None], 0.0 * n[None]), y[None], 1 + 0 * y[None]
    )


def answer(seen: Evidence, params: float = 1e11, tokens: float = 2e12) -> tuple[Borrowed, Answers]:
    made = borrow(seen, TYPICAL)
    return made, made.predict(at(params, tokens))


# The rule.


def test_the_learnt_answer_stands_where_both_priors_agree() -> None:
    law = values(TYPICAL.mean)
    made, found = answer(runs_of(law, np.geomspace(1e7, 1e10, 8), (5, 20, 100)), 2e10, 4e11)
    assert made.log_odds[0] > 0
    assert abs(found.gap[0, 0]) < APART * min(
        made.learnt.predict(at(2e10, 4e11))[1][0, 0], made.weak.predict(at(2e10, 4e11))[1][0, 0]
    )
    assert found.weak[0, 0] == 0.0
    assert found.z[0, 0] == made.learnt.predict(at(2e10, 4e11))[0][0, 0]


def test_the_mean_stands_where_the_answers_lie_further_apart_than_either_is_sure() -> None:
    made, found = answer(runs_of(values(TYPICAL.mean), (1e8,), (20.0,)), 1e14, 2e15)
    z1, sd1 = made.learnt.predict(at(1e14, 2e15))
    z0, sd0 = made.weak.predict(at(1e14, 2e15))
    assert made.log_odds[0] > 0
    assert abs(z1 - z0)[0, 0] > APART * min(sd0[0, 0], sd1[0, 0])
    assert found.weak[0, 0] == 0.5
    assert found.z[0, 0] == pytest.approx((z1 + z0)[0, 0] / 2, rel=1e-12)
    assert found.sd[0, 0] == pytest.approx(np.sqrt((sd1**2 + sd0**2)[0, 0] / 2), rel=1e-12)


def test_the_weak_answer_stands_where_the_runs_are_less_probable_under_the_learnt_prior() -> None:
    seen = runs_of(UNUSUAL, np.geomspace(1e8, 5e9, 6), (10, 20, 60))
    made, found = answer(seen)
    assert made.log_odds[0] < 0
    assert found.weak[0, 0] == 1.0
    assert found.z[0, 0] == made.weak.predict(at(1e11, 2e12))[0][0, 0]


def test_the_rule_is_of_each_target_not_only_of_the_runs() -> None:
    seen = runs_of(values(TYPICAL.mean), (1e8,), (20.0,))
    made = borrow(seen, TYPICAL)
    assert made.predict(at(1e8, 2e9)).weak[0, 0] == 0.0  # the run itself: nothing to disagree on
    assert made.predict(at(1e14, 2e15)).weak[0, 0] == 0.5


def test_the_odds_are_the_ratio_of_what_the_runs_are_worth_under_each_prior() -> None:
    """One coordinate free, the rest pinned: Laplace against the integral over both unknowns."""
    seen = runs_of(values(TYPICAL.mean), np.geomspace(1e8, 1e9, 3), (10, 20, 40), noise=0.004)
    pinned = np.diag(np.array([1.0, *[1e-9] * 5]))
    priors = [
        Prior("near", TYPICAL.mean, 0.1**2 * pinned, 0.006, 1e7),
        Prior("far", TYPICAL.mean + 0.25 * np.eye(6)[0], 0.1**2 * pinned, 0.012, 1e7),
    ]
    y, z = (
        seen.y[0],
        np.log([_loss(x) for x in np.exp(np.stack([*vars(seen.at).values()][:2]))[:, 0].T]),
    )

    def evidence_of(prior: Prior) -> float:
        def of_scale(log_s: float) -> float:
            s = np.exp(log_s)

            def of_level(t: float) -> float:
                r = (y - z - (t - TYPICAL.mean[0])) / s
                log_p = (-(NU + 1) / 2 * np.log1p(r**2 / NU)).sum() - len(y) * log_s
                spread = np.sqrt(prior.covariance[0, 0])
                log_p -= 0.5 * ((t - prior.mean[0]) / spread) ** 2 + np.log(spread)
                # The scale's density has the integral of its shape divided out.
                log_p -= SCALE_POINTS * (log_s + prior.sigma**2 / (2 * s**2))
                return float(np.exp(log_p - 40.0))

            middle = TYPICAL.mean[0]
            return quad(of_level, middle - 0.02, middle + 0.02, points=[middle])[0]

        low, high = np.log(0.0005), np.log(0.2)
        own = quad(of_scale, low, high, limit=200)[0]
        shape = quad(
            lambda u: np.exp(-SCALE_POINTS * (u + prior.sigma**2 / 2 * np.exp(-2 * u))), -9, 4
        )[0]
        return float(np.log(own) - np.log(shape))

    made = [borrow(seen, prior, weak=priors[0]) for prior in priors]
    assert made[0].log_odds[0] == pytest.approx(0.0, abs=1e-9)
    assert made[1].log_odds[0] == pytest.approx(
        evidence_of(priors[1]) - evidence_of(priors[0]), abs=0.35
    )


def _loss(run: np.ndarray) -> float:
    law = values(TYPICAL.mean)
    return law["E"] + law["A"] / run[0] ** law["alpha"] + law["B"] / run[1] ** law["beta"]


# How much is the prior's, and how wide.


def test_all_of_the_answer_is_the_priors_without_runs_and_little_with_many() -> None:
    empty = np.zeros((1, 0))
    nothing = borrow(Evidence(Design(empty, empty, empty), empty, empty), TYPICAL)
    target = at(7e9, 1.4e11)
    assert nothing.prior_share(Priors.same(TYPICAL, 1), target)[0, 0] == pytest.approx(1.0)
    assert np.isfinite(nothing.predict(target).scale).all()
    law, shares = values(TYPICAL.mean), list[float]()
    for sizes in ((1e9,), np.geomspace(1e8, 1e9, 2), np.geomspace(1e8, 5e9, 4)):
        made = borrow(runs_of(law, sizes, (10, 40)), TYPICAL)
        shares.append(float(made.prior_share(Priors.same(TYPICAL, 1), target)[0, 0]))
    many = borrow(runs_of(law, np.geomspace(1e7, 1e10, 20), np.geomspace(5, 500, 10)), TYPICAL)
    shares.append(float(many.prior_share(Priors.same(TYPICAL, 1), target)[0, 0]))
    assert 1.0 > shares[0] > shares[1] > shares[2] > shares[3]
    assert shares[0] > 0.5 and shares[3] < 0.1


def test_the_scale_is_the_spread_the_laws_own_miss_and_half_the_gap() -> None:
    seen = runs_of(values(TYPICAL.mean), np.geomspace(1e8, 1e9, 3), (10, 40))
    made = borrow(seen, TYPICAL)
    last = 0.0
    for times in (1.0, 3.0, 30.0, 300.0):
        found = made.predict(at(1e9 * times, 2e10 * times))
        floor = FLOOR**2 * (1 + np.log(times) ** 2)
        by_hand = found.sd**2 + floor + found.gap**2 / 4
        assert found.scale**2 == pytest.approx(by_hand, rel=1e-9)
        assert found.scale[0, 0] > last
        last = float(found.scale[0, 0])
    smaller = made.predict(at(1e8, 2e9))
    assert smaller.scale**2 == pytest.approx(
        smaller.sd**2 + FLOOR**2 + smaller.gap**2 / 4, rel=1e-9
    )


def test_the_scale_grows_with_the_gap_alone() -> None:
    seen = runs_of(values(TYPICAL.mean), np.geomspace(1e8, 1e9, 3), (10, 40))
    made = borrow(seen, TYPICAL)
    target = at(7e9, 1.4e11)
    apart = replace(made, weak=replace(made.weak, theta=made.weak.theta + 0.02 * np.eye(6)[0]))
    assert apart.predict(target).scale[0, 0] > made.predict(target).scale[0, 0]


def test_what_is_blended_does_not_depend_on_the_other_rows() -> None:
    rows = [runs_of(UNUSUAL, np.geomspace(1e8, 5e9, 3), (10, 60)) for _ in range(2)]
    rows.append(runs_of(values(TYPICAL.mean), np.geomspace(1e8, 1e9, 3), (10, 40)))
    both = Evidence(
        Design(*(np.concatenate([getattr(r.at, k) for r in rows]) for k in vars(rows[0].at))),
        np.concatenate([r.y for r in rows]),
        np.concatenate([r.w for r in rows]),
    )
    together = borrow(both, TYPICAL).predict(at(1e11, 2e12, 3))
    for i, row in enumerate(rows):
        alone = borrow(row, TYPICAL).predict(at(1e11, 2e12))
        for name in vars(alone):
            assert getattr(together, name)[i] == pytest.approx(getattr(alone, name)[0], rel=1e-7)


def test_the_tails_of_the_prior_are_a_students(make_points: Any) -> None:
    """The part of the log-posterior that is the prior's is scipy's multivariate t."""
    from kleiber.fitting.posterior import _value

    empty = np.zeros((1, 0))
    nothing = Evidence(Design(empty, empty, empty), empty, empty)
    t = multivariate_t(WEAK.mean, WEAK.covariance, df=WEAK.tails)
    held, sigma = Priors.same(WEAK, 1), np.array([WEAK.sigma])
    rng = np.random.default_rng(0)
    places = WEAK.mean + rng.standard_normal((20, 6)) * np.sqrt(np.diag(WEAK.covariance)) * 3
    ours = np.array([_value(x[None], sigma, nothing, held)[0] for x in places])
    theirs = -t.logpdf(places)
    assert ours - ours[0] == pytest.approx(theirs - theirs[0], rel=1e-9)


# What of a table counts.

MakePoints = Any


def curve(make_points: MakePoints, loss: Any, *, ended: bool = True) -> Points:
    """Return one run of 20 readings of a 1B model up to 40B tokens."""
    points = make_points(1e9, np.linspace(2e9, 4e10, len(loss)), loss, run=[0] * len(loss))
    final = np.zeros(len(loss), dtype=bool)
    final[-1] = ended
    return replace(points, final=final)


def falling(n: int = 20) -> np.ndarray:
    return 2.0 + 900.0 / np.linspace(2e9, 4e10, n) ** 0.3


def test_a_jump_at_the_end_is_cut_and_the_reading_before_it_is_the_end(make_points) -> None:
    loss = falling(60)
    loss[-1] *= 1.11  # as of the largest RedPajama model: 2.326 after 2.088
    points, cut = mended(curve(make_points, loss))
    assert cut == ("r0",)
    assert len(points) == 59 and points.final.tolist() == [False] * 58 + [True]
    assert points.tokens.max() == np.linspace(2e9, 4e10, 60)[-2]


def test_a_jump_that_lasts_is_cut_whole(make_points) -> None:
    loss = falling()
    loss[14:] *= 1.2
    points, cut = mended(curve(make_points, loss))
    assert cut == ("r0",) and len(points) == 14 and points.final[-1]


def test_a_cut_run_that_had_no_end_gets_none(make_points) -> None:
    loss = falling()
    loss[-1] *= 1.2
    points, cut = mended(curve(make_points, loss, ended=False))
    assert cut == ("r0",) and not points.final.any()


@pytest.mark.parametrize("kind", ["overfitting", "spike", "early", "noise", "short", "falling"])
def test_what_is_no_jump_is_left_alone(make_points, kind: str) -> None:
    loss = falling(6 if kind == "short" else 20)
    if kind == "overfitting":  # a rise as gradual as the fall was, to 12 % above its least
        loss[8:] = loss[8] * np.linspace(1.0, 1.12, 12)
    if kind == "spike":
        loss[13] *= 1.3
    if kind == "early":  # of the first half of a run
        loss[4:] *= 1.2
    if kind == "noise":
        loss = loss * np.exp(0.02 * np.random.default_rng(1).standard_normal(20))
    if kind == "short":
        loss[-1] *= 1.2
    before = curve(make_points, loss)
    points, cut = mended(before)
    assert cut == () and points is before


def test_the_corrupt_end_of_redpajama_is_cut(published) -> None:
    from kleiber.runs.collections import load

    points = load("colpret", "redPajama", folder=published).points()
    found, cut = mended(points)
    assert len(cut) == 1
    code = points.names.index(cut[0])
    ends = points.loss[points.run == code][np.argsort(points.tokens[points.run == code])]
    assert ends[-1] == pytest.approx(2.326, abs=0.002)  # as read off the published chart
    assert found.loss[found.final].max() < ends[-1] or ends[-1] not in found.loss


def test_repeated_tokens_count_only_where_all_repeat_alike(make_points) -> None:
    n, d = np.full(4, 1e8), np.array([4e9, 8e9, 16e9, 40e9])
    fresh = make_points(n, d, [3.5, 3.4, 3.3, 3.2])
    assert usable(fresh).all()
    mixed = make_points(n, d, [3.5, 3.4, 3.3, 3.2], unique_tokens=np.full(4, 4e9))
    assert usable(mixed).tolist() == [True, True, True, False]  # 1, 2, 4 and 10 epochs
    alike = make_points(n, d, [3.5, 3.4, 3.3, 3.2], unique_tokens=d / 10)
    assert usable(alike).all()
    unknown = make_points(n, d, [3.5, 3.4, 3.3, 3.2], unique_tokens=np.full(4, np.nan))
    assert usable(unknown).all()


def test_what_is_hardly_trained_is_not_used(make_points) -> None:
    n = np.array([1e9, 1e9, 1e9, 1e7])
    d = np.array([2e10, 0.9e9, 2e10, 4e7])
    assert usable(make_points(n, d, [2.8, 4.0, 8.1, 4.0])).tolist() == [True, False, False, False]


def test_every_end_stays_and_a_few_checkpoints_of_each_run(make_points) -> None:
    loss = np.concatenate([falling(200), falling(200)])
    tokens = np.tile(np.linspace(2e8, 4e10, 200), 2)
    run = np.repeat([0, 1], 200)
    whole = make_points(np.where(run == 0, 1e8, 2e8), tokens, loss, run=run)
    final = np.isin(np.arange(400), (199, 399))
    points = thinned(replace(whole, final=final))
    assert points.final.sum() == 2
    for code in (0, 1):
        own = np.sort(points.tokens[points.run == code])
        assert len(own) == evidence.MOST_CHECKPOINTS + 1
        assert own[0] >= evidence.BEGINNING * 4e10
        assert np.diff(np.log(own)) == pytest.approx(np.log(1 / 0.08) / 10, rel=0.1)
    w = weights(points, np.ones(len(points), dtype=bool))
    assert sorted(set(w.tolist())) == [CHECKPOINT, 1.0]


def test_a_single_reading_that_is_no_end_still_counts_for_little(make_points) -> None:
    points = make_points([1e8, 2e8], [2e9, 4e9], [3.5, 3.3])
    points = thinned(replace(points, final=np.zeros(2, dtype=bool)))
    assert gather([(points, weights(points, np.ones(2, dtype=bool)))]).w.tolist() == [
        [CHECKPOINT, CHECKPOINT]
    ]
