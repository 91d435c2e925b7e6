"""The choice between laws: by held-out size, undecided where it is, its mixture a distribution."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from kleiber import Runs, choose, fit
from kleiber.errors import FitError, UsageError, ValuesError
from kleiber.judging import mixture
from kleiber.judging.choice_text import text
from kleiber.laws import get
from kleiber.units import format_count
from tests.known.ladder import LADDER

TRUTH = {"Nc": 6.4e13, "alpha_N": 0.076, "Dc": 1.8e13, "alpha_D": 0.103}


def ladder(law: str, values: dict[str, float], sizes: int = 6, noise: float = 1e-3) -> Runs:
    n, d = (
        axis.ravel()
        for axis in np.meshgrid(np.geomspace(2e7, 3e9, sizes), np.geomspace(2e9, 2e11, 5))
    )
    rng = np.random.default_rng(4)
    loss = get(law).loss(values, params=n, tokens=d) * np.exp(noise * rng.normal(size=n.size))
    frame = pl.DataFrame(
        {"run": [f"r{i}" for i in range(n.size)], "params": n, "tokens": d, "loss": loss}
    )
    return Runs.read(frame, unit="nats", params_are="total")


@pytest.fixture(scope="module")
def kaplan() -> Runs:
    return ladder("kaplan", TRUTH)


def test_the_law_that_made_the_runs_is_chosen(kaplan: Runs) -> None:
    found = choose(kaplan, ("chinchilla", "kaplan", "params-power"))
    assert found.best.law == "kaplan"
    assert "params-power" not in found.tied
    assert len(found.hidden) == 2 and found.hidden[0] > found.hidden[1]
    assert sum(one.weight for one in found.tried) == pytest.approx(1.0)
    assert found.tried[-1].law == "params-power" and found.tried[-1].weight < 0.01
    assert [one.error for one in found.tried] == sorted(one.error for one in found.tried)


def test_the_errors_are_those_of_hiding_by_hand(kaplan: Runs) -> None:
    found = choose(kaplan, ("chinchilla",), starts=10, steps=None)
    for held in found.best.held:
        frame = kaplan.frame
        seen = Runs.read(frame.filter(pl.col("params") < held.size * 0.99), unit="nats")
        unseen = frame.filter((pl.col("params") / held.size - 1.0).abs() < 1e-9)
        made = fit(seen, "chinchilla", bootstraps=0)
        loss = made.law.loss(
            made.values, params=unseen["params"].to_numpy(), tokens=unseen["tokens"].to_numpy()
        )
        error = np.log(loss / unseen["loss"].to_numpy())
        assert held.finals == 5
        assert held.error == pytest.approx(np.abs(error).mean(), rel=1e-5)
        assert held.signed == pytest.approx(error.mean(), rel=1e-5)


def test_two_names_of_one_curve_are_undecided() -> None:
    values = {"E": 1.8, "A": 430.0, "alpha": 0.345, "B": 1900.0, "beta": 0.362}
    found = choose(ladder("chinchilla", values), ("chinchilla", "chinchilla-outer"))
    assert not found.decided and set(found.tied) == {"chinchilla", "chinchilla-outer"}
    assert found.sentence().startswith("undecided")


def test_four_sizes_hide_one_and_three_are_enough() -> None:
    values = {"E": 1.8, "A": 430.0, "alpha": 0.345, "B": 1900.0, "beta": 0.362}
    for sizes in (3, 4):
        found = choose(ladder("chinchilla", values, sizes), ("chinchilla", "kaplan"))
        assert len(found.hidden) == 1
    with pytest.raises(ValuesError, match="2 of the 3 sizes that a choice needs"):
        choose(ladder("chinchilla", values, 2))


def test_a_law_that_cannot_be_fitted_is_listed_and_none_is_an_error() -> None:
    frame = ladder("kaplan", TRUTH, 4).frame.filter(pl.col("tokens") == pl.col("tokens").min())
    runs = Runs.read(frame.select("run", "params", "tokens", "loss"), unit="nats")
    found = choose(runs, ("params-power", "chinchilla"))
    assert [one.law for one in found.tried] == ["params-power"]
    assert found.left[0].law == "chinchilla" and "cannot carry" in found.left[0].reason
    assert found.sentence().startswith("no choice")
    with pytest.raises(FitError, match=r"None of 1 laws could be tried\. chinchilla: 3 points"):
        choose(runs, ("chinchilla",))
    with pytest.raises(UsageError, match="no law 'chinchila'"):
        choose(runs, ("chinchila",))
    with pytest.raises(UsageError, match="no laws to choose"):
        choose(runs, ())


def test_equal_tokens_leave_the_laws_of_params() -> None:
    frame = ladder("kaplan", TRUTH, 6).frame.filter(pl.col("tokens") == pl.col("tokens").max())
    runs = Runs.read(frame.select("run", "params", "tokens", "loss"), unit="nats")
    assert {one.law for one in choose(runs).tried} <= {"params-power", "params-power-floor"}


def test_the_interval_is_the_mixture_s_and_holds_both_laws(kaplan: Runs) -> None:
    found = choose(kaplan, ("chinchilla", "kaplan"))
    said = found.predict("20B", "1T", level=0.8)
    share, centre, spread = [], [], []
    for one in found.tried:
        own = one.fit.predict("20B", "1T", level=mixture.ONE_SIGMA)
        half = 0.5 * np.log(own.upper / own.lower)
        share.append(one.weight)
        centre.append(np.log(own.value))
        spread.append(np.hypot(half, 0.006 * np.hypot(1.0, np.log(20e9 / 3e9))))
    rng = np.random.default_rng(0)
    law = rng.choice(2, 400_000, p=share)
    draws = np.array(centre)[law] + np.array(spread)[law] * rng.standard_t(4, 400_000)
    low, middle, high = np.quantile(draws, [0.1, 0.5, 0.9])
    assert np.log([said.lower, said.value, said.upper]) == pytest.approx(
        [low, middle, high], abs=2e-4
    )


def test_quantiles_and_densities_against_scipy() -> None:
    one = np.array([1.0])
    for level in (0.05, 0.5, 0.99):
        expected = stats.t.ppf(level, 4, 0.7, 0.02)
        found = mixture.quantile(level, one, np.array([0.7]), np.array([0.02]))
        assert found == pytest.approx(expected, abs=1e-12)
    errors = [0.0, 0.01, -0.3]
    ours = [mixture.log_density(e, 0.05) - mixture.log_density(0.0, 0.05) for e in errors]
    theirs = [stats.t.logpdf(e, 4, 0, 0.05) - stats.t.logpdf(0, 4, 0, 0.05) for e in errors]
    assert ours == pytest.approx(theirs, abs=1e-12)
    assert mixture.weights(np.array([0.0, np.log(3.0)])) == pytest.approx([0.25, 0.75])
    assert mixture.scale(np.nan, np.nan, 1.0) == pytest.approx(np.hypot(1.0, 0.006))


def test_a_law_that_keeps_the_second_size_in_sight_is_named() -> None:
    values = {"E": 1.8, "A": 430.0, "alpha": 0.345, "B": 1900.0, "beta": 0.362}
    runs = ladder("chinchilla", values, 5)
    few = Runs.read(runs.frame.filter(pl.col("tokens") > 1e10), unit="nats")  # three a size
    laws = ("chinchilla", "farseer")
    found = choose(few, laws)
    assert [one.law for one in found.tried] == ["chinchilla", "farseer"]
    assert len(found.hidden) == 1 and found.left == ()
    assert [one.law for one in found.short] == ["farseer"]
    assert "9 points cannot carry" in found.short[0].reason
    assert found.to_dict()["short"][0]["law"] == "farseer"
    assert "second largest size is hidden from none, for farseer needs it: 9 points" in text(found)
    alone = choose(few, ("chinchilla",))
    assert len(alone.hidden) == 2 and alone.short == () and "second" not in text(alone)


def test_the_table_says_what_its_columns_are(kaplan: Runs) -> None:
    found = choose(kaplan, ("chinchilla", "kaplan"), group=3.0)
    sizes = kaplan.sizes
    assert found.best.held[0].sizes == sizes[-2:]
    assert found.best.held[0].finals == 10
    said = text(found)
    span = f"{format_count(sizes[-2])}-{format_count(sizes[-1])}"
    assert f"{span} hidden %" in said and f"(10 of {span}" in said
    assert "it compares no two laws" in said
    plain = text(choose(kaplan, ("chinchilla", "kaplan")))
    assert f"  {format_count(sizes[-1])} hidden %" in plain


def test_the_same_dictionary_says_who_trained_the_runs(kaplan: Runs) -> None:
    assert choose(kaplan, ("chinchilla",)).to_dict()["synthetic"] is False
    made = choose(Runs.read(LADDER), ("chinchilla",))
    assert made.synthetic and made.to_dict()["synthetic"] is True


def test_a_factor_that_groups_nothing_is_refused(kaplan: Runs) -> None:
    with pytest.raises(UsageError, match="group is -1"):
        choose(kaplan, group=-1.0)
