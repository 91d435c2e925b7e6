"""kleiber predict --prior and kleiber calibrate: the answers of Python, and clear refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kleiber
from kleiber.fitting.bundle import read_bundle
from kleiber.fitting.store import plain

TARGET = ("--params", "7B", "--tokens", "140B")


def table(path: Path, seed: int, sizes: Any = (1e8, 3e8, 1e9)) -> str:
    """Write a family of three sizes, two runs each, and return its name."""
    rng = np.random.default_rng(seed)
    e, a, b = rng.uniform(1.5, 2.1), rng.uniform(300, 500), rng.uniform(1000, 2500)
    lines = ["run,params,tokens,loss"]
    for n in sizes:
        for d in (20 * n, 60 * n):
            y = (e + a / n**0.34 + b / d**0.37) * np.exp(0.004 * rng.standard_normal())
            lines.append(f"r{len(lines)},{n:.0f},{d:.0f},{y:.5f}")
    path.write_text("\n".join(lines) + "\n")
    return path.name


# Forecasts.


@pytest.mark.parametrize("prior", ["bundled", "weak"])
def test_json_is_the_dictionary_of_python(call: Any, sample: str, prior: str) -> None:
    done = call("predict", sample, "--prior", prior, *TARGET, "--json")
    assert (done.code, done.err) == (0, "")
    found = done.json
    own = kleiber.forecast(kleiber.Runs.read(sample), "7B", "140B", prior=prior)
    command = f"kleiber predict {sample} --prior {prior} {' '.join(TARGET)} --json"
    expected = {"schema": "kleiber.forecast/1", **plain(own.to_dict()), "command": command}
    assert found == json.loads(json.dumps(expected))
    assert list(found) == list(expected)


def test_the_text_is_pythons_and_says_synthetic(call: Any, sample: str) -> None:
    done = call("predict", sample, "--prior", "bundled", "--params", "70B", "--tokens", "1.4T")
    own = kleiber.forecast(kleiber.Runs.read(sample), "70B", "1.4T")
    assert done.code == 0
    first, *rest = done.out.splitlines()
    assert "\n".join([first, *rest]).startswith(own.text())
    assert "SYNTHETIC DATA" in done.out
    for one in own.findings:
        assert f"{one.code} {one.severity}: {one.title}: {one.message} {one.remedy}" in done.out


def test_one_run_and_another_interval(call: Any, sample: str, tmp_path: Path) -> None:
    name = table(tmp_path / "one.csv", 0, (1e9,))
    (tmp_path / name).write_text("\n".join((tmp_path / name).read_text().splitlines()[:2]) + "\n")
    found = call("predict", name, "--prior", "bundled", *TARGET, "--json").json
    assert (found["runs"], found["sizes"]) == (1, 1)
    assert next(one["code"] for one in found["findings"]) == "F001"
    model = call(
        "predict", name, "--prior", "bundled", *TARGET, "--interval", "model", "--json"
    ).json
    assert model["upper"] - model["lower"] < found["upper"] - found["lower"]
    half = call("predict", name, "--prior", "bundled", *TARGET, "--level", "0.5", "--json").json
    assert half["upper"] - half["lower"] < model["upper"] - model["lower"]
    without = call(
        "predict", name, "--prior", "bundled", *TARGET, "--without", "gpt3", "--json"
    ).json
    assert without["left_out"] == "gpt3" and without["value"] != found["value"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--prior", "bundled", "--params", "7B"), "--tokens is missing"),
        (("--prior", "bundled", "--tokens", "7B"), "--params is missing"),
        (("--prior", "bundled", *TARGET, "--plot", "x.svg"), "--plot was given"),
        (("--prior", "bundled", *TARGET, "--experts", "8"), "--experts was given"),
        (("--prior", "bundled", *TARGET, "--unique-tokens", "1B"), "--unique-tokens was given"),
        (("--prior", "bundled", *TARGET, "--law", "kaplan"), "an option of fitting was given"),
        (("--prior", "bundled", *TARGET, "--interval", "profile"), "'profile' was asked for"),
        (("--prior", "bundled", *TARGET, "--bootstraps", "10"), "'bootstrap' was asked for"),
        (("--prior", "bundled", *TARGET, "--level", "0.99"), "14 sources support levels"),
        (("--prior", "bundled", *TARGET, "--without", "gpt5"), "no source 'gpt5'"),
        ((*TARGET, "--interval", "calibrated"), "a forecast with a prior, and none is asked for"),
        ((*TARGET, "--without", "gpt3"), "leaves a source out of a prior, and none is asked for"),
        (("--prior", "bundled", "--params", "0", "--tokens", "1B"), "expected more than 0"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    call: Any, sample: str, options: tuple[str, ...], said: str
) -> None:
    done = call("predict", sample, *options)
    assert (done.code, done.out) == (2, "")
    assert said in done.err and "Traceback" not in done.err
    again = call("predict", sample, *options, "--json")
    assert set(again.json["error"]) == {"code", "message", "remedy"}


def test_a_prior_that_is_none_is_said(call: Any, sample: str) -> None:
    done = call("predict", sample, "--prior", sample, *TARGET)
    assert done.code == 1 and f"'{sample}' is no prior" in done.err


# Own families.


def test_own_families_are_added_and_used(call: Any, sample: str, tmp_path: Path) -> None:
    names = [table(tmp_path / f"mine{i}.csv", i) for i in range(2)]
    done = call("calibrate", *names, "--out", "prior.json")
    assert done.code == 0 and "wrote prior.json" in done.err
    assert "learnt from 16 sources" in done.out and "mine0 1, mine1 1" in done.out
    bundle = read_bundle(tmp_path / "prior.json")
    assert {"mine0", "mine1", "gpt3"} < set(bundle.sources)
    found = call("predict", sample, "--prior", "prior.json", *TARGET, "--json").json
    assert (found["prior"], found["clusters"]) == ("bundled and own", 16)
    own = call("predict", names[0], "--prior", "prior.json", *TARGET, "--json").json
    assert own["left_out"] == "mine0"


def test_own_families_alone(call: Any, sample: str, tmp_path: Path) -> None:
    names = [table(tmp_path / f"mine{i}.csv", i) for i in range(5)]
    done = call("calibrate", *names, "--onto", "nothing", "--out", "prior.json", "--json")
    assert done.code == 0
    found = done.json
    assert found["schema"] == "kleiber.calibrate/1"
    assert found["sources"] == {f"mine{i}": 1 for i in range(5)}
    assert [one["sizes"] for one in found["errors"]] == ["1", "2", "3", "4", "5", "all"]
    json.loads(
        (tmp_path / "prior.json").read_text(),
        parse_constant=lambda name: pytest.fail(f"{name} is no JSON"),
    )
    made = call("predict", sample, "--prior", "prior.json", *TARGET, "--json").json
    assert (made["prior"], made["clusters"]) == ("own", 5)
    too_sure = call("predict", sample, "--prior", "prior.json", *TARGET, "--level", "0.95")
    assert "5 sources support levels above 0 and up to 0.9" in too_sure.err


def test_one_own_source_is_judged_by_the_bundled_ones(
    call: Any, tmp_path: Path, sample: str
) -> None:
    done = call("calibrate", table(tmp_path / "mine.csv", 3))
    assert done.code == 0
    assert "each own source left out" in done.out
    assert "nan" not in done.out


@pytest.mark.parametrize("kind", ["nothing", "one size", "twice", "folder", "one alone", "known"])
def test_what_cannot_be_learnt_is_said(call: Any, sample: str, tmp_path: Path, kind: str) -> None:
    name = table(tmp_path / "mine.csv", 0, (1e9,) if kind == "one size" else (1e8, 1e9))
    call("calibrate", name, "--out", "prior.json")
    arguments, said = {
        "nothing": ([], "There is nothing to learn from"),
        "one size": ([name], "Nothing of mine can be hidden"),
        "twice": ([name, name], "Two tables are named 'mine'"),
        "folder": ([name, "--out", "nowhere/prior.json"], "does not exist"),
        "one alone": ([name, "--onto", "nothing"], "The families are of 1 source"),
        "known": (["gpt3.csv"], "a source named 'gpt3' already"),
    }[kind]
    table(tmp_path / "gpt3.csv", 1)
    done = call("calibrate", *arguments)
    assert done.code in (1, 2) and done.out == ""
    assert said in done.err and "Traceback" not in done.err


def test_no_public_set_is_said(call: Any, sample: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = call("calibrate", "--from", "empty")
    assert done.code == 1 and "None of the public sets is there" in done.err
