"""Prices against published trainings, and what is no price."""

from __future__ import annotations

import math

import pytest

from kleiber.errors import UsageError
from kleiber.planning.cost import ACCELERATORS, Cost, prices, training_flops


def test_llama_2_s_published_hours_give_a_plausible_share_of_the_peak() -> None:
    # Touvron et al. 2023, table 2: 70B on 2.0T tokens took 1,720,320 A100-hours.
    flops = training_flops(70e9, 2.0e12)
    rates = prices("a100", mfu=1.0)
    share = rates.gpu_hours(flops) / 1_720_320
    assert 0.40 < share < 0.45
    again = prices("A100", mfu=share)
    assert again.gpu_hours(flops) == pytest.approx(1_720_320, rel=1e-12)


def test_llama_3_s_published_utilisation() -> None:
    # Llama 3 (2024), table 4: 400 TFLOP/s a GPU is printed as a utilisation of 41 %.
    h100 = next(one for one in ACCELERATORS if one.name == "h100")
    assert 400e12 / h100.peak == pytest.approx(0.41, abs=0.006)


def test_an_hour_by_hand() -> None:
    rates = prices("h100", 0.5, 3.0, "EUR")
    cost = Cost(989e12 * 0.5 * 3600 * 10, rates)
    assert cost.gpu_hours == pytest.approx(10.0, rel=1e-12)
    assert cost.money == pytest.approx(30.0, rel=1e-12)
    assert cost.money == pytest.approx(rates.per_flop * cost.flops, rel=1e-12)
    assert cost.text().endswith("10 GPU-hours, 30 EUR")
    assert rates.assumed == () and "assumed" not in rates.sentence()
    assert cost.to_dict()["prices"]["currency"] == "EUR"


@pytest.mark.parametrize("flops", [1e15, 3.3e24])
def test_there_and_back(flops: float) -> None:
    rates = prices("b200", 0.35, 4.2)
    assert rates.flops_of_hours(rates.gpu_hours(flops)) == pytest.approx(flops, rel=1e-14)
    assert rates.flops_of_money(rates.money(flops)) == pytest.approx(flops, rel=1e-14)


def test_what_nobody_gave_is_marked_as_assumed() -> None:
    rates = prices(mfu=0.3)
    assert rates.assumed == ("gpu", "gpu_hour")
    said = rates.sentence()
    assert said.count("(assumed)") == 2
    assert "30% of the peak, at" in said
    assert "2 currency units a GPU-hour (assumed)" in said
    assert rates.to_dict()["assumed"] == ["gpu", "gpu_hour"]


def test_an_unknown_gpu_is_answered_with_the_names() -> None:
    with pytest.raises(UsageError, match="'tpu'; there are a100, h100, h200, b200"):
        prices("tpu")


@pytest.mark.parametrize("mfu", [0.0, -0.1, 1.2, math.nan, 40.0])
def test_shares_that_are_none(mfu: float) -> None:
    with pytest.raises(UsageError, match="share of the peak"):
        prices(mfu=mfu)


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_prices_that_are_none(price: float) -> None:
    with pytest.raises(UsageError, match="more than 0"):
        prices(gpu_hour=price)
