"""Every option does what it says, and means the same to every verb."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kleiber
from kleiber.cli import VERBS
from kleiber.cli.know import VERBS as OF_KNOW
from kleiber.cli.ladder import VERBS as OF_LADDER
from kleiber.laws import LAWS

ASK = ("--params", "7e9", "--tokens", "140e9")


@pytest.fixture
def fit_json(call, sample: str):
    """Return the JSON of a fit of the sample with options."""

    def fit(*options: object) -> dict[str, Any]:
        done = call("fit", sample, *options, "--json")
        assert done.code == 0, done.out
        return done.json

    return fit


def test_fix_holds_a_value(fit_json) -> None:
    found = fit_json("--fix", "alpha=0.34,beta=0.37")
    assert (found["values"]["alpha"], found["values"]["beta"]) == (0.34, 0.37)
    assert found["intervals"]["alpha"] == {"lower": 0.34, "upper": 0.34}
    assert found["constraints"]["fix"] == {"alpha": 0.34, "beta": 0.37}
    assert fit_json("--fix", "alpha=0.34", "--fix", "beta=0.37")["values"] == found["values"]


def test_tie_keeps_two_equal(fit_json) -> None:
    found = fit_json("--tie", "alpha=beta")
    assert found["values"]["alpha"] == pytest.approx(found["values"]["beta"], rel=1e-12)
    assert found["constraints"]["tie"] == [["alpha", "beta"]]


def test_bounds_hold(fit_json) -> None:
    found = fit_json("--bounds", "alpha=0.4:0.6")
    assert found["values"]["alpha"] == pytest.approx(0.4, abs=1e-6)
    assert found["constraints"]["at_bound"] == ["alpha"]
    assert "K001" in [one["code"] for one in found["findings"]]


def test_delta(fit_json) -> None:
    found = fit_json("--delta", "1e-3")
    assert (found["delta"], found["delta_rule"]) == (1e-3, "given")
    assert fit_json("--delta", "auto") == {
        **fit_json(),
        "command": fit_json("--delta", "auto")["command"],
    }
    assert "K015" in [one["code"] for one in fit_json("--delta", "1e-4")["findings"]]


@pytest.mark.parametrize("objective", ["huber", "log", "raw"])
def test_objective(fit_json, objective: str) -> None:
    found = fit_json("--objective", objective)
    assert found["objective_name"] == objective
    assert (found["delta"] is None) == (objective != "huber")


OF_TWO = [law.name for law in LAWS if {*law.predictors} <= {"params", "tokens"}]


@pytest.mark.parametrize("law", OF_TWO)
def test_every_law(fit_json, law: str) -> None:
    found = fit_json("--law", law)
    assert found["law"] == law
    assert all(np.isfinite(value) for value in found["values"].values())


def test_level_and_interval(fit_json) -> None:
    widths = []
    for level in ("0.5", "0.9", "0.99"):
        found = fit_json("--level", level)
        assert found["level"] == float(level)
        widths.append(found["intervals"]["E"]["upper"] - found["intervals"]["E"]["lower"])
    assert widths == sorted(widths) and widths[0] < widths[2]
    for method in ("delta", "profile", "bootstrap", "jackknife"):
        found = fit_json("--interval", method)
        assert found["interval_method"] == method
        box = found["intervals"]["alpha"]
        assert box["lower"] < found["values"]["alpha"] < box["upper"]


def test_sizes_and_tokens_kept(fit_json) -> None:
    assert fit_json("--max-params", "400M")["data"]["params"] == [12_190_000, 347_600_000]
    assert fit_json("--min-params", "30M")["data"]["params"][0] == 37_250_000
    assert fit_json("--min-tokens", "1B")["data"]["tokens"][0] >= 1e9


def test_seed_is_recorded(fit_json) -> None:
    assert fit_json("--seed", 7)["seed"] == 7
    assert fit_json("--seed", 7)["values"]["E"] == pytest.approx(
        fit_json()["values"]["E"], rel=1e-8
    )


def other_names(path: Path) -> None:
    """Write two families, named in the reader's way, with the loss in bits and a second metric."""
    rows = ["model,N_total,seen,metric,bits,kind"]
    rng = np.random.default_rng(0)
    for family, floor in (("a", 1.7), ("b", 1.9)):
        for n in (2e7, 1e8, 5e8, 2e9):
            for d in (5e8, 5e9, 5e10):
                loss = floor + 480 / n**0.35 + 2000 / d**0.366
                loss *= float(np.exp(0.003 * rng.standard_normal()))
                rows.append(
                    f"{family}-{n:.0f}-{d:.0f},{n:.0f},{d:.0f},val,{loss / np.log(2)},{family}"
                )
                rows.append(f"{family}-{n:.0f}-{d:.0f},{n:.0f},{d:.0f},train,9.0,{family}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


READ = (
    "--columns", "run=model,params=N_total,tokens=seen,loss=bits,family=kind",
    "--where", "metric=val", "--unit", "bits",
)  # fmt: skip


def test_columns_where_unit_family(call, sample: str) -> None:
    other_names(Path("other.csv"))
    found = call(
        "fit", "other.csv", *READ, "--family", "a", "--params-are", "nonembedding", "--json"
    ).json
    assert found["values"]["E"] == pytest.approx(1.7, abs=0.05)
    assert found["data"]["unit"] == "bits"
    assert found["data"]["family"] == "a"
    assert found["data"]["params_are"] == "nonembedding"
    assert found["data"]["runs"] == 12
    other = call("predict", "other.csv", *READ, "--family", "b", *ASK, "--json").json
    assert other["values"]["E"] == pytest.approx(1.9, abs=0.05)
    seen = call("runs", "other.csv", *READ, "--json").json
    assert [family["name"] for family in seen["families"]] == ["a", "b"]


def checkpoints(path: Path) -> None:
    """Write five runs of 20 checkpoints."""
    rows = ["run,params,tokens,loss"]
    rng = np.random.default_rng(1)
    for i, n in enumerate(np.geomspace(2e7, 2e9, 8)):
        for d in np.geomspace(1e8, 20 * n, 20):
            loss = 1.8 + 480 / n**0.35 + 2000 / d**0.366
            rows.append(
                f"run{i},{n:.0f},{d:.0f},{loss * np.exp(0.002 * rng.standard_normal()):.5f}"
            )
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


@pytest.mark.parametrize(("choice", "points"), [("finals", 8), ("all", 160), ("checkpoints", 152)])
def test_points(call, sample: str, choice: str, points: int) -> None:
    checkpoints(Path("steps.csv"))
    found = call("fit", "steps.csv", "--points", choice, "--json").json
    assert (found["data"]["selection"], found["data"]["points"]) == (choice, points)
    assert found["data"]["runs"] == 8


def test_shares_of_training(call, sample: str) -> None:
    checkpoints(Path("steps.csv"))
    late = call("fit", "steps.csv", "--points", "all", "--min-fraction", "0.5", "--json").json
    early = call("fit", "steps.csv", "--points", "all", "--max-fraction", "0.5", "--json").json
    assert late["data"]["tokens"][0] > early["data"]["tokens"][0]
    assert late["data"]["points"] + early["data"]["points"] in (160, 161)


def test_a_table_of_one_variable(call, sample: str) -> None:
    rows = "".join(f"{n:.0f},{1.8 + 400 / n**0.34:.5f}\n" for n in np.geomspace(1e7, 1e9, 8))
    Path("sizes.csv").write_text("params,loss\n" + rows, encoding="utf-8")
    refused = call("fit", "sizes.csv", "--law", "params-power-floor", "--json")
    assert "--columns tokens=300B" in refused.json["error"]["remedy"]
    found = call(
        "fit", "sizes.csv", "--law", "params-power-floor", "--columns", "tokens=300B", "--json"
    ).json
    assert found["values"]["alpha"] == pytest.approx(0.34, abs=1e-3)
    assert found["problems"] == []


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--bootstraps", "50", "--seed", "3"),
        ("--law", "kaplan", "--objective", "log"),
        ("--fix", "alpha=0.34", "--level", "0.8", "--max-params", "2B"),
    ],
    ids=" ".join,
)
def test_the_printed_command_makes_the_output_again(
    call, sample: str, options: tuple[str, ...]
) -> None:
    first = call("fit", sample, *options)
    name, *again = next(
        line.split()[1:] for line in first.out.splitlines() if line.startswith("  again ")
    )
    assert name == "kleiber"
    assert again == ["fit", sample, *options]
    assert call(*again).out == first.out
    found = call("fit", sample, *options, "--json")
    assert call(*found.json["command"].split()[1:]).out == found.out


@pytest.mark.parametrize(
    "verb",
    [
        *(verb for verb in VERBS if verb not in {"know", "ladder"}),
        *(f"know {verb}" for verb in OF_KNOW),
        *(f"ladder {verb}" for verb in OF_LADDER),
    ],
)
def test_every_option_is_explained(call, verb: str) -> None:
    said = call(*verb.split(), "--help").out
    options = re.findall(
        r"^│ [* ]*(--[a-z-]+) *(?:STR|INT|FLOAT|CHOICE)?(?:\.\.\.)? *(.*)│$", said, re.M
    )
    assert options
    for name, text in options:
        assert len(text.strip()) > 3, (verb, name)


def test_intervals_of_a_prior_are_offered_where_there_is_one(call, sample: str) -> None:
    for verb in ("fit", "allocate", "report"):
        said = " ".join(call(verb, "--help").out.replace("│", " ").split())
        assert "[choices: delta, profile, bootstrap, jackknife]" in said
        assert "--prior" not in said
        asked = {"allocate": ("--flops", "1e21"), "report": ("--out", "page.html")}.get(verb, ())
        refused = call(verb, sample, *asked, "--interval", "calibrated")
        assert refused.code == 2 and "calibrated" in refused.err
    said = " ".join(call("predict", "--help").out.replace("│", " ").split())
    assert "with --prior calibrated or model" in said


def test_every_verb_is_a_python_call() -> None:
    assert {"fit", "allocate", "backtest"} <= set(kleiber.__all__)
    assert hasattr(kleiber.Fit, "predict") and hasattr(kleiber.Runs, "read")
