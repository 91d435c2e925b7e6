"""Every finding fires on the fault it is named for, and no issue on a clean ladder."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber import check, fit
from kleiber.judging.finding import TITLES
from kleiber.runs import Runs
from kleiber.studies.findings import FAULTS, findings_of

REPEATS = 4


def codes(runs: object, **options: object) -> set[str]:
    return {finding.code for finding in check(fit(runs, **options))}  # type: ignore[arg-type]


def test_every_finding_has_a_fault_that_tests_it() -> None:
    assert {fault.code for fault in FAULTS} == set(TITLES)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.code)
def test_the_finding_of_a_fault(fault) -> None:
    hits = [fault.code in findings_of(fault, np.random.default_rng([9, i])) for i in range(REPEATS)]
    assert all(hits), f"{fault.code} ({fault.strength}): {sum(hits)} of {REPEATS}"


@pytest.mark.parametrize("k", [4, 5, 6, 8])
def test_no_issue_on_clean_ladders(draw, k: int) -> None:
    for seed in range(8):
        made = fit(draw(k, seed=seed))
        far = made.predict(10 * 1.5e9, 10 * 3e10)
        issues = [f"{f.code}: {f.message}" for f in check(made, far) if f.severity == "issue"]
        assert issues == [], f"seed {seed}"
        assert made.status.code == "converged"


def test_a_finding_is_said_in_full(draw) -> None:
    made = fit(draw(), bounds={"alpha": (0.5, 0.9)})
    (found,) = [one for one in check(made) if one.code == "K001"]
    assert found.severity == "issue"
    assert "alpha = 0.5" in found.message
    assert "--bounds" in found.remedy
    assert found.to_dict() == {
        "code": "K001",
        "severity": "issue",
        "title": TITLES["K001"],
        "message": found.message,
        "remedy": found.remedy,
    }


def test_findings_come_in_the_order_of_their_codes(draw) -> None:
    made = fit(draw(4, span=6.0), delta=1e-4)
    found = [one.code for one in check(made, made.predict(1e12, 1e14))]
    assert found == sorted(found)
    assert {"K003", "K004", "K015"} <= set(found)


def test_span_and_reach_have_an_edge(draw) -> None:
    assert "K003" in codes(draw(span=9.0, noise=0.001))
    assert "K003" not in codes(draw(span=11.0, noise=0.001))
    made = fit(draw())
    edge = 10**1.5
    near = {f.code for f in check(made, made.predict(1.5e9 * edge * 0.99, 3e10))}
    far = {f.code for f in check(made, made.predict(1.5e9 * edge * 1.01, 3e10))}
    assert "K004" not in near and "K004" in far
    below = {f.code for f in check(made, made.predict(2e7 / edge / 1.01, 4e8))}
    assert "K004" in below


def test_one_ratio_is_not_identified_until_the_exponents_are_tied() -> None:
    rng = np.random.default_rng(0)
    n = np.geomspace(2e7, 2e9, 10)
    loss = 1.82 + 482 / n**0.3478 + 2085 / (20 * n) ** 0.3658
    runs = {"params": n, "tokens": 20 * n, "loss": loss * np.exp(0.003 * rng.standard_normal(10))}
    assert "K010" in codes(runs)
    assert "single-ratio" in {one.code for one in Runs.read(runs).describe().problems}


def test_delta_far_below_the_noise_is_a_tip_and_auto_is_not(draw) -> None:
    (found,) = [one for one in check(fit(draw(), delta=1e-3)) if one.code == "K015"]
    assert found.severity == "tip"
    assert "K015" not in codes(draw())
    assert "K015" not in codes(draw(), objective="log")
