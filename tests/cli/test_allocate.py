"""kleiber allocate and kleiber isoflop: golden text, the contract for scripts, bad input."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import kleiber
from kleiber.laws import get, published

PRICED = ("--gpu", "h100", "--mfu", "0.4", "--gpu-hour", "2.50", "--currency", "USD")


@pytest.fixture
def profiles(sample: str) -> str:
    """A table of isoFLOP profiles drawn from a published law, in the folder of the sample."""
    law, values = get("chinchilla"), published("besiroglu-2024").values
    rng = np.random.default_rng(0)
    lines = ["run,params,tokens,loss,synthetic"]
    for flops in np.geomspace(1e18, 1e20, 4):
        for i, n in enumerate(np.geomspace(0.25, 6.0, 7) * math.sqrt(flops / 6 / 20)):
            d = flops / 6 / n
            loss = float(law.loss(values, params=n, tokens=d)) * math.exp(0.002 * rng.normal())
            lines.append(f"c{flops:.0e}-{i},{n:.17g},{d:.17g},{loss:.6f},true")
    Path("profiles.csv").write_text("\n".join(lines) + "\n")
    return "profiles.csv"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--money", "1e6", *PRICED),
        ("--gpu-hours", "50k", "--serve-tokens", "1T", "--serve-mfu", "0.2"),
        ("--loss", "2.1", "--serve-tokens", "1T"),
    ],
    ids=" ".join,
)
def test_the_text_of_an_allocation(call, sample: str, snapshot, arguments: tuple[str, ...]) -> None:
    done = call("allocate", sample, *arguments)
    assert (done.code, done.out) == (0, snapshot)


def test_the_text_of_profiles(call, profiles: str, snapshot) -> None:
    done = call("isoflop", profiles, "--target-flops", "1e24", "--bootstraps", "100")
    assert (done.code, done.out) == (0, snapshot)
    assert max(map(len, done.out.splitlines()[:12])) <= 100


def test_an_allocation_for_scripts(call, sample: str) -> None:
    found = call("allocate", sample, "--money", "1e6", "--serve-tokens", "1T", *PRICED, "--json")
    assert (found.code, found.err) == (0, "")
    content = found.json
    fit = kleiber.fit(sample)
    rates = kleiber.prices("h100", 0.4, 2.5, "USD")
    best = kleiber.allocate(fit, money=1e6, serve_tokens=1e12, prices=rates).to_dict()
    assert content["schema"] == "kleiber.allocate/1"
    assert set(content) == {*best, "findings", "problems", "command"}
    for key in set(best) - {"exponent"}:
        assert content[key] == best[key], key
    assert best["law"] == "chinchilla" and best["synthetic"] is True
    assert content["exponent"] is None  # no power law, and NaN is no JSON
    bill = content["cost"]["money"] + content["serving"]["cost"]["money"]
    assert bill == pytest.approx(1e6, rel=1e-9)


def test_profiles_for_scripts(call, profiles: str) -> None:
    options = ("--target-flops", "1e24", "--bootstraps", "50")
    found = call("isoflop", profiles, *options, "--json")
    assert (found.code, found.err) == (0, "")
    content = found.json
    fit = kleiber.fit(profiles, bootstraps=50)
    same = kleiber.isoflop(kleiber.Runs.read(profiles), target_flops=1e24, fit=fit, bootstraps=50)
    assert content["schema"] == "kleiber.isoflop/1" and content["synthetic"] is True
    assert content["target"] == same.to_dict()["target"]
    assert [one["flops"] for one in content["profiles"]] == pytest.approx(
        np.geomspace(1e18, 1e20, 4)
    )
    none = call("isoflop", profiles, "--bootstraps", "0", "--json").json
    assert none["exponents"]["params"]["lower"] is None and none["target"] is None


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 2, "none was given"),
        (("--flops", "1e21", "--loss", "2"), 2, "2 were given (flops, loss)"),
        (("--flops", "1e21", "--gpu", "tpu"), 2, "there are a100, h100, h200, b200"),
        (("--money", "1e6", "--mfu", "40"), 2, "share of the peak"),
        (("--money", "1e6", "--gpu-hour", "0"), 2, "must be more than 0"),
        (("--flops", "1e21", "--serve-tokens", "0"), 2, "--serve-tokens got 0"),
        (("--flops", "1e21", "--serve-tokens=-1e12",), 2, "--serve-tokens"),
        (("--flops", "1e21", "--serve-mfu", "0.2"), 2, "no tokens to serve"),
        (("--flops", "1e12"), 2, "buys nothing"),
        (("--flops", "1e18", "--serve-tokens", "1e15"), 2, "does not even serve"),
        (("--loss", "1.2"), 1, "the fitted floor is"),
        (("--loss=-2",), 2, "must be more than 0"),
        (("--flops", "1e21", "--law", "tokens-power"), 2, "cannot be split"),
    ],
)  # fmt: skip
def test_what_no_allocation_is(
    call, sample: str, options: tuple[str, ...], code: int, said: str
) -> None:
    done = call("allocate", sample, *options)
    assert done.code == code and done.out == ""
    last = done.err.splitlines()[-2:]
    assert last[0].startswith("kleiber: ") and said in last[0] and last[1].startswith("  ")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--budgets", "1e30"), 1, "of the budgets given"),
        (("--budgets", "x"), 2, "--budgets"),
        (("--tolerance", "7"), 2, "tolerance of a budget"),
        (("--target-flops", "0"), 2, "--target-flops got 0"),
        (("--law", "params-power"), 2, "cannot be split"),
    ],
)
def test_what_no_profile_is(
    call, profiles: str, options: tuple[str, ...], code: int, said: str
) -> None:
    done = call("isoflop", profiles, *options, "--json")
    assert done.code == code and done.err == ""
    assert said in done.json["error"]["message"]


def test_a_ladder_that_is_no_profile(call, sample: str) -> None:
    done = call("isoflop", sample, "--json")
    assert done.code == 1
    assert "different amounts of compute" in done.json["error"]["message"]
    assert "kleiber allocate" in done.json["error"]["remedy"]
