"""The contract for scripts: keys, types, the same numbers everywhere, one shape of error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import kleiber
from kleiber.fitting.store import plain

NUMBER = (int, float)
FIT_KEYS: dict[str, Any] = {
    "schema": str,
    "law": str,
    "equation": str,
    "values": dict,
    "objective": float,
    "objective_name": str,
    "delta": float,
    "delta_rule": str,
    "status": str,
    "status_sentence": str,
    "level": float,
    "interval_method": str,
    "intervals": dict,
    "findings": list,
    "problems": list,
    "reference": dict,
    "noise": float,
    "certificate": dict,
    "constraints": dict,
    "seed": int,
    "bootstraps": int,
    "data": dict,
    "command": str,
}
NAMES = ["E", "A", "alpha", "B", "beta"]
ASK = ("--params", "7e9", "--tokens", "140e9")
SAID_BY_THE_COMMAND = ("findings", "problems", "command")


def test_the_keys_of_a_fit_and_their_types(call, sample: str) -> None:
    done = call("fit", sample, "--json")
    assert (done.code, done.err) == (0, "")
    found = done.json
    assert {key: type(value) for key, value in found.items()} == FIT_KEYS
    assert found["schema"] == "kleiber.fit/1"
    assert list(found["values"]) == list(found["intervals"]) == NAMES
    for name in NAMES:
        box = found["intervals"][name]
        assert set(box) == {"lower", "upper"}
        assert box["lower"] < found["values"][name] < box["upper"]
    data = found["data"]
    assert (data["source"], data["unit"], data["selection"]) == (sample, "nats", "finals")
    assert (data["runs"], data["points"], data["sizes"]) == (24, 24, 6)
    assert data["synthetic"] is True
    for name in ("params", "tokens", "loss"):
        low, high = data[name]
        assert low < high
    for one in found["findings"]:
        assert set(one) == {"code", "severity", "title", "message", "remedy"}


def test_values_are_in_full_precision(call, sample: str) -> None:
    printed, made = call("fit", sample, "--json").json, kleiber.fit(sample)
    assert printed["values"] == dict(made.values)
    assert printed["objective"] == made.objective


def test_python_gives_the_same_dictionaries(call, sample: str) -> None:
    made = kleiber.fit(sample)
    printed = call("fit", sample, "--json", "--level", "0.8").json
    own = {key: value for key, value in printed.items() if key not in SAID_BY_THE_COMMAND}
    assert own == {k: v for k, v in made.to_dict(level=0.8).items() if k != "findings"}
    assert printed["findings"] == [finding.to_dict() for finding in kleiber.check(made)]

    run = made.predict("7e9", "140e9")
    printed = call("predict", sample, *ASK, "--json").json
    assert {key: printed[key] for key in run.to_dict()} == plain(run.to_dict())
    assert printed["values"] == dict(made.values)

    best = kleiber.allocate(made, 1e22)
    printed = call("allocate", sample, "--flops", "1e22", "--json").json
    assert {key: printed[key] for key in best.to_dict()} == plain(best.to_dict())

    described = kleiber.Runs.read(sample).describe()
    printed = call("runs", sample, "--json").json
    assert printed == {"schema": "kleiber.runs/1", **plain(described.to_dict())}


def test_a_prediction(call, sample: str) -> None:
    found = call("predict", sample, *ASK, "--json").json
    assert found["schema"] == "kleiber.predict/1"
    assert (found["params"], found["tokens"], found["level"]) == (7e9, 140e9, 0.9)
    assert found["lower"] < found["mean"]["lower"] < found["prediction"]
    assert found["prediction"] < found["mean"]["upper"] < found["upper"]
    written = call("predict", sample, "--params", "7B", "--tokens", "140B", "--json").json
    assert written["prediction"] == found["prediction"]


def test_an_allocation(call, sample: str) -> None:
    found = call("allocate", sample, "--flops", "1e22", "--json").json
    assert found["schema"] == "kleiber.allocate/1"
    assert 6 * found["params"] * found["tokens"] == pytest.approx(1e22)
    assert found["synthetic"] is True
    for name, box in found["intervals"].items():
        assert box["lower"] < found[name] < box["upper"]


@pytest.mark.parametrize("replicates", [0, 60])
def test_bootstraps(call, sample: str, replicates: int) -> None:
    found = call("fit", sample, "--json", "--bootstraps", replicates).json
    assert found["interval_method"] == ("bootstrap" if replicates else "delta")
    assert found["bootstraps"] == (replicates or 1000)
    again = call("fit", sample, "--json", "--bootstraps", replicates).json
    assert again == found
    other = call("fit", sample, "--json", "--bootstraps", replicates, "--seed", 1).json
    same = other["intervals"]["E"] == pytest.approx(found["intervals"]["E"], rel=1e-6)
    assert same == (replicates == 0)


def test_a_saved_fit_predicts_and_allocates_the_same(call, sample: str) -> None:
    printed = call("fit", sample, "--json", "--out", "fit.json")
    assert printed.err == "saved fit.json\n"
    again = json.loads(Path("fit.json").read_text(encoding="utf-8"))
    assert again["values"] == printed.json["values"]
    assert not list(Path().glob("*.partial"))
    for verb, ask in (("predict", ASK), ("allocate", ("--flops", "1e22"))):
        fresh = call(verb, sample, *ask, "--json").json
        saved = call(verb, "fit.json", *ask, "--json").json
        fresh.pop("command"), saved.pop("command")
        assert saved == fresh
        text, other = call(verb, sample, *ask), call(verb, "fit.json", *ask)
        assert text.out == other.out
        assert other.err == ""


def test_a_saved_fit_is_not_fitted_again(call, sample: str) -> None:
    call("fit", sample, "--out", "fit.json")
    done = call("predict", "fit.json", *ASK, "--law", "kaplan")
    assert (done.code, done.out) == (2, "")
    assert "is a saved fit" in done.err
    for verb in ("fit", "runs"):
        done = call(verb, "fit.json", "--json")
        assert done.code == 1
        assert "not a table" in done.json["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("fit", "none.csv"), 1, "input"),
        (("fit", "ladder.csv", "--min-params", "100B"), 1, "values"),
        (("fit", "ladder.csv", "--family", "x"), 1, "columns"),
        (("fit", "ladder.csv", "--max-params", "13M"), 1, "fit"),
        (("fit", "ladder.csv", "--level", "2"), 2, "usage"),
        (("fit", "ladder.csv", "--no-such-option"), 2, "usage"),
        (("fit", "ladder.csv", "--interval", "x"), 2, "usage"),
        (("fit", "ladder.csv", "--seed", "-1"), 2, "usage"),
        (("fit", "ladder.csv", "--out", "no/fit.json"), 2, "usage"),
        (("fit", "ladder.csv", "--out", "."), 2, "usage"),
        (("fit", "ladder.csv", "--plot", "fit.pdf"), 2, "usage"),
        (("fit", "ladder.csv", "--plot", "no/fit.svg"), 2, "usage"),
        (("fit",), 2, "usage"),
        (("predict", "ladder.csv"), 2, "usage"),
        (("predict", "ladder.csv", "--params", "7 apples", "--tokens", "1B"), 2, "usage"),
        (("predict", "ladder.csv", "--params", "-7e9", "--tokens", "1B"), 2, "usage"),
        (("predict", "ladder.csv", "--params", "0", "--tokens", "1B"), 2, "usage"),
        (("allocate", "ladder.csv"), 2, "usage"),
        (("allocate", "ladder.csv", "--flops", "0"), 2, "usage"),
        (("allocate", "ladder.csv", "--flops", "inf"), 2, "usage"),
        (("allocate", "ladder.csv", "--flops", "1e22", "--law", "tokens-power"), 2, "usage"),
        (("runs", "ladder.csv", "none.csv"), 1, "input"),
        (("runs", "ladder.csv", "--unit", "stones"), 1, "units"),
        (("fly", "ladder.csv"), 2, "usage"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_an_error_has_one_shape_and_stands_alone(
    call, sample: str, arguments: tuple[str, ...], code: int, kind: str
) -> None:
    done = call(*arguments, "--json")
    assert (done.code, done.err) == (code, "")
    assert set(done.json) == {"error"}
    error = done.json["error"]
    assert set(error) == {"code", "message", "remedy"}
    assert error["code"] == kind
    assert error["message"][-1] in ".?" and error["remedy"].endswith(".")
    assert "\n" not in error["message"] + error["remedy"]

    text = call(*arguments)
    assert (text.code, text.out) == (code, "")
    lines = [x for x in text.err.splitlines() if x.startswith(("kleiber: ", "  "))]
    assert lines == [f"kleiber: {error['message']}", f"  {error['remedy']}"]
