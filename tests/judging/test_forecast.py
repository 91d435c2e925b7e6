"""Forecasts from one run and from many: what is left out, refused and warned of."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

import kleiber
from kleiber import Forecast, Runs, forecast
from kleiber.errors import InputError, UsageError, ValuesError
from kleiber.fitting.bundle import bundle
from kleiber.judging.finding import FORECAST_TITLES
from kleiber.runs.collections import load
from tests.known.ladder import LADDER, true_loss

TRUTH = {"E": 1.8, "A": 430.0, "alpha": 0.345, "B": 1900.0, "beta": 0.362}


def law(n: Any, d: Any) -> Any:
    return TRUTH["E"] + TRUTH["A"] / n ** TRUTH["alpha"] + TRUTH["B"] / d ** TRUTH["beta"]


def ladder(
    sizes: Any = (1e8, 3e8, 1e9, 3e9), noise: float = 0.003, **columns: Any
) -> dict[str, Any]:
    """Return a table of a ladder at 20 and 60 tokens a param."""
    n = np.repeat(np.asarray(sizes, dtype=float), 2)
    d = n * np.tile([20.0, 60.0], len(sizes))
    y = law(n, d) * np.exp(noise * np.random.default_rng(0).standard_normal(len(n)))
    return {"run": [f"r{i}" for i in range(len(n))], "params": n, "tokens": d, "loss": y, **columns}


def curves(sizes: Any = (1e8, 3e8, 1e9), readings: int = 60) -> dict[str, Any]:
    """Return a table of runs of 40 tokens a param with many readings each."""
    n = np.repeat(np.asarray(sizes, dtype=float), readings)
    d = np.concatenate([np.linspace(0.02, 1.0, readings) * 40 * s for s in sizes])
    run = np.repeat([f"r{i}" for i in range(len(sizes))], readings)
    return {"run": run, "params": n, "tokens": d, "loss": law(n, d)}


def made(table: Any, params: Any = "7B", tokens: Any = "140B", **options: Any) -> Forecast:
    return forecast(Runs.read(table), params, tokens, **options)


def codes(found: Forecast) -> list[str]:
    return [one.code for one in found.findings]


# The answer.


def test_a_clean_ladder_is_predicted_within_its_interval_and_has_no_finding() -> None:
    found = made(ladder())
    truth = law(7e9, 140e9)
    assert found.lower < truth < found.upper
    assert found.value == pytest.approx(truth, rel=0.01)
    assert codes(found) == []
    assert (found.runs, found.sizes, found.followed, found.left_out) == (8, 4, "learnt", None)
    assert found.scale_up == pytest.approx(7 / 3)
    assert found.clusters == 14
    law_of_fit = found.law
    at = law_of_fit["E"] + law_of_fit["A"] / 7e9 ** law_of_fit["alpha"]
    assert at + law_of_fit["B"] / 140e9 ** law_of_fit["beta"] == pytest.approx(found.value)


def test_the_sample_is_predicted_with_every_prior() -> None:
    runs = Runs.read(LADDER)
    truth = true_loss(7e9, 140e9)
    for prior in ("bundled", "weak", bundle()):
        found = forecast(runs, 7e9, 140e9, prior=prior)
        assert found.lower < truth < found.upper
        assert (found.params, found.tokens) == (7e9, 140e9)
    weak = forecast(runs, "7B", "140B", prior="weak")
    assert (weak.prior, weak.followed, weak.gap) == ("weak", "weak", 0.0)
    # The weak prior's factor was earned by the weak prior, not by the blend.
    own, ours = bundle().calibration_weak, bundle().calibration
    assert weak.typical is not None
    assert weak.typical.mean != forecast(runs, "7B", "140B").typical.mean  # type: ignore[union-attr]
    assert own["scores"] != ours["scores"]


def test_one_run_is_enough_and_the_answer_is_mostly_the_priors() -> None:
    table = {"run": ["a"], "params": [1e9], "tokens": [2e10], "loss": [law(1e9, 2e10)]}
    found = made(table)
    assert found.lower < law(7e9, 140e9) < found.upper
    assert (found.runs, found.sizes) == (1, 1)
    assert found.prior_share > 0.5 > made(ladder()).prior_share
    assert codes(found)[0] == "F001"
    again = made(table, 1e9, 2e10)
    assert again.value == pytest.approx(law(1e9, 2e10), rel=0.01)
    assert again.upper - again.lower < found.upper - found.lower


def test_an_interval_of_one_size_is_widened() -> None:
    table = bundle().calibration
    from kleiber.judging.calibration import Calibration

    factors = [Calibration.from_dict(table).factor(0.9, k) for k in (1, 2)]
    assert factors[0] > factors[1]
    one, two = made(ladder((1e9,))), made(ladder((5e8, 1e9)))
    for found, factor in ((one, factors[0]), (two, factors[1])):
        model = forecast_of(found, interval="model")
        half = np.log(found.upper / found.value)
        assert half == pytest.approx(np.log(found.value / found.lower))
        sd = np.log(model.upper / model.value) / norm.ppf(0.95)
        gap = np.log(found.learnt / found.weak)
        beyond = np.log(7.0)
        scale = np.sqrt(sd**2 + 0.01**2 * (1 + beyond**2) + (gap / 2) ** 2)
        assert half == pytest.approx(factor * scale, rel=1e-9)


def forecast_of(found: Forecast, **options: Any) -> Forecast:
    sizes = (1e9,) if found.sizes == 1 else (5e8, 1e9)
    return made(ladder(sizes), **options)


def test_levels_and_sizes_move_the_interval_as_they_should() -> None:
    widths = [made(ladder(), level=p).upper for p in (0.5, 0.8, 0.9, 0.95)]
    assert widths == sorted(widths) and len(set(widths)) == 4
    relative = [
        made(ladder(), p, 20 * p).upper / made(ladder(), p, 20 * p).value for p in (3e9, 3e10, 3e11)
    ]
    assert relative == sorted(relative)
    model = made(ladder(), level=0.99, interval="model")
    assert "not calibrated" in model.sentence()


def test_units_change_nothing_but_what_was_written() -> None:
    nats = ladder()
    bits = {**nats, "loss": nats["loss"] / np.log(2)}
    first, second = made(nats), forecast(Runs.read(bits, unit="bits"), "7B", "140B")
    for name in ("value", "lower", "upper", "learnt", "weak", "prior_share"):
        assert getattr(second, name) == pytest.approx(getattr(first, name), rel=1e-9)
    ppl = {**nats, "loss": np.exp(nats["loss"])}
    third = forecast(Runs.read(ppl, unit="ppl"), "7B", "140B")
    assert third.value == pytest.approx(first.value, rel=1e-9)


def test_another_tokenizer_moves_the_level_alone() -> None:
    first = made(ladder())
    other = ladder()
    other["loss"] = other["loss"] * 0.8
    second = made(other)
    # The level's spread is half an e-fold, so the prior hardly holds it.
    assert second.value / first.value == pytest.approx(0.8, rel=2e-3)


# What is left out.


def test_the_source_of_the_runs_is_left_out(published: Path) -> None:
    runs = load("colpret", "OPT", folder=published)
    found = forecast(runs, "350B", "600B")
    assert found.left_out == "OPT" and found.prior == "bundled without OPT"
    assert "F007" in codes(found)
    by_hand = forecast(runs, "350B", "600B", prior=replace(bundle(), sources={}), without="OPT")
    assert by_hand.value == pytest.approx(found.value, rel=1e-12)
    itself = forecast(runs, "350B", "600B", prior=replace(bundle(), sources={}))
    assert itself.prior == "bundled" and itself.value != found.value


def test_a_source_can_be_left_out_by_name() -> None:
    found = made(ladder(), without="gpt3")
    assert found.left_out == "gpt3" and codes(found) == ["F007"]
    with pytest.raises(UsageError, match="no source 'gpt5' to leave out"):
        made(ladder(), without="gpt5")


# What is refused.


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (np.geomspace(4000, 900, 8) * 1e3, "as high as 4e"),
        (np.linspace(0.1, 0.2, 8), "in the middle"),  # accuracies
        (np.geomspace(400, 90, 8), "as high as 400"),  # perplexities
        (np.geomspace(11, 9, 8), "None of 8 points"),  # of a task
    ],
)
def test_what_is_no_cross_entropy_is_refused(loss: Any, said: str) -> None:
    with pytest.raises(ValuesError, match=said) as one:
        forecast(Runs.read(ladder(loss=loss), unit="nats"), "7B", "140B")
    assert "unit" in one.value.remedy


def test_perplexities_said_to_be_so_are_taken() -> None:
    table = ladder()
    table["loss"] = np.exp(table["loss"])
    assert forecast(Runs.read(table, unit="ppl"), "7B", "140B").value < 4


@pytest.mark.parametrize("params, tokens", [(0, 1e9), (1e9, 0), ("0", "1B")])
def test_a_target_of_nothing_is_refused(params: Any, tokens: Any) -> None:
    with pytest.raises(UsageError, match="expected more than 0"):
        made(ladder(), params, tokens)


def test_other_questions_that_have_no_answer_say_so() -> None:
    families = ladder(family=["a"] * 4 + ["b"] * 4)
    with pytest.raises(UsageError, match="holds 2 families"):
        made(families)
    with pytest.raises(UsageError, match="is not a choice"):
        made(ladder(), interval="delta")
    with pytest.raises(UsageError, match="14 sources support"):
        made(ladder(), level=0.99)
    with pytest.raises(InputError, match="is no prior"):
        made(ladder(), prior="bundle")
    with pytest.raises(UsageError, match="carries no calibration"):
        made(ladder(), prior=replace(bundle(), calibration={}))
    with pytest.raises(ValuesError, match="None of 8 points"):
        made({**ladder(), "tokens": np.full(8, 1e6)})


# Findings.


def flaws() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return for each code a table and a target of which it must be said."""
    rough = ladder(np.geomspace(1e8, 3e9, 8))
    rough["loss"] = rough["loss"] * np.exp(
        0.25 * np.random.default_rng(2).standard_normal(len(rough["loss"]))
    )
    jumped = curves()
    jumped["loss"][-1] *= 1.3
    middle = curves()
    disagreeing = ladder((1e8, 1.2e8))
    target = {"params": "7B", "tokens": "140B"}
    return {
        "F001": (ladder((1e9,)), target),
        "F002": (ladder(), {"params": 1e11, "tokens": 2e12}),
        "F003": ({**middle, "final": [False] * len(middle["loss"])}, target),
        "F004": (rough, target),
        "F005": (jumped, target),
        "F006": (disagreeing, {"params": 1e11, "tokens": 2e12}),
        "F008": (ladder(), {"params": 3e9, "tokens": 3e9 * 2000}),
        "F009": ({k: [*v, v[0]] for k, v in ladder().items()}, target),
        "F010": (ladder(), {"params": 2e7, "tokens": 1e9}),
    }


@pytest.mark.parametrize("code", flaws())
def test_each_finding_is_raised_by_its_own_case_and_not_by_a_clean_ladder(code: str) -> None:
    table, target = flaws()[code]
    found = made(table, **target)
    assert code in codes(found)
    (one,) = [one for one in found.findings if one.code == code]
    assert one.title == FORECAST_TITLES[code] and one.message and one.remedy
    assert made(ladder()).findings == ()


def test_every_code_has_a_case() -> None:
    assert set(FORECAST_TITLES) == {*flaws(), "F007"}  # F007: the sources that are left out


@pytest.mark.parametrize("code", ["F003", "F004", "F005"])
def test_doubtful_runs_get_the_wider_factor(code: str) -> None:
    from kleiber.judging.calibration import Calibration

    table, target = flaws()[code]
    found, model = made(table, **target), made(table, **target, interval="model")
    sd = np.log(model.upper / model.value) / norm.ppf(0.95)
    gap = np.log(found.learnt / found.weak)
    beyond = max(np.log(found.scale_up), 0.0)
    scale = np.sqrt(sd**2 + 0.01**2 * (1 + beyond**2) + (gap / 2) ** 2)
    wide = Calibration.from_dict(bundle().calibration).factor(0.9, 1)
    assert np.log(found.upper / found.value) == pytest.approx(wide * scale, rel=1e-9)


def test_single_readings_that_are_no_ends_are_taken_and_said() -> None:
    found = made(ladder(final=[False] * 8))
    assert "F003" in codes(found)
    sure = made(ladder())
    assert found.prior_share > sure.prior_share
    assert found.upper / found.lower > sure.upper / sure.lower


def test_copied_rows_count_once() -> None:
    once, table = made(ladder()), {k: [*v, *v] for k, v in ladder().items()}
    twice = made(table)
    assert (twice.value, twice.lower) == pytest.approx((once.value, once.lower), rel=1e-12)


def test_a_run_that_is_left_aside_is_named() -> None:
    table = {k: list(v) for k, v in ladder().items()}
    table["loss"][0] = 11.0
    (said,) = [one for one in made(table).findings if one.code == "F009"]
    assert "1 of 8 runs" in said.message and str(table["run"][0]) in said.message


@pytest.mark.parametrize(("params", "tokens"), [("7", "140"), ("7B", "1M"), ("7B", "5B")])
def test_a_target_on_no_law_is_refused(params: str, tokens: str) -> None:
    with pytest.raises(UsageError, match="50M tokens and one token a param"):
        forecast(ladder(), params, tokens)


def test_the_error_of_past_ladders_is_of_larger_targets_alone() -> None:
    assert made(ladder(), 2e9, 4e10).typical is None


# As plain data and as text.


def test_plain_data_is_the_forecast() -> None:
    found = made(*[flaws()["F001"][0]])
    content = found.to_dict()
    json.dumps(content)
    fields = asdict(found)
    for name, value in content.items():
        if name not in ("findings", "gap", "problems", "schema"):
            assert value == fields[name]
    assert content["schema"] == "kleiber.forecast/1"
    assert content["problems"] == [one.to_dict() for one in found.problems]
    assert content["gap"] == pytest.approx(content["learnt"] / content["weak"] - 1)
    assert content["findings"] == [one.to_dict() for one in found.findings]
    assert kleiber.forecast is forecast


def test_the_text_says_what_the_answer_rests_on() -> None:
    found = made(ladder((1e8, 3e8)), 3e10, 6e11)
    text = found.text()
    assert found.typical is not None
    assert f"{found.value:.4f} nats; 90% of new runs lie in {found.lower:.4f}" in text
    assert "(calibrated over 14 clusters)" in text
    assert (
        f"ladders like this (of 2 sizes, beyond 10x) missed by {100 * found.typical.median:.1f} %"
        in text
    )
    assert f"{100 * found.typical.worst:.1f} % at worst" in text
    assert f"prior 'bundled' says {found.learnt:.4f}, the weak one {found.weak:.4f}" in text
    assert f"{100 * found.prior_share:.0f} % of what is known of this answer is the prior's" in text
    assert "4 runs of 2 sizes, 100x the largest" in text
    between = replace(found, followed="mean")
    assert "the learnt prior's law: L =" in between.text()
    assert "prior 'weak'" not in made(ladder(), prior="weak").text()
