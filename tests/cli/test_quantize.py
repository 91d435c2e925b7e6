"""kleiber know quantize and probe: what is printed, the JSON contract, bad input as a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

COLUMNS = {
    *("method", "bits", "group", "weights", "bits_per_param", "standard_error", "loss", "accuracy"),
    *("storage_bits", "storage_bits_per_param", "knowledge_per_bit", "storage", "notes"),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train two layers for a moment; what they know does not matter here."""
    pytest.importorskip("torch")
    from kleiber.knowledge.cell import Cell
    from kleiber.knowledge.experiment import run as train
    from kleiber.training import RunFolder

    cell = Cell(
        people=20, exposures=60, layers=2, width=8, heads=1, batch=20, lr=0.02, compiled=False,
        strings={"K": 2, "C": 1, "D": 8, "L": 1, "T": 8, "name_tokens": 3},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("quantize") / "run"
    for _ in train([cell], [RunFolder(folder)]):
        pass
    return folder


def test_a_table_of_every_method_bit_and_group(call: Any, trained: Path) -> None:
    options = ("--bits", "8,4", "--method", "rtn,gptq", "--group", "channel,16")
    done = call("know", "quantize", trained, *options, "--json")
    assert (done.code, done.err) == (0, "")
    rows = done.json["rows"]
    assert (done.json["schema"], done.json["run"]) == ("kleiber.quantized/1", "run")
    assert all(row.keys() >= COLUMNS for row in rows)
    assert [(row["method"], row["group"], row["bits"]) for row in rows] == [
        ("float", None, None),
        *((m, g, b) for m in ("rtn", "gptq") for g in ("channel", 16) for b in (8, 4)),
    ]
    measured = json.loads((trained / "capacity.json").read_text())
    assert rows[0]["bits_per_param"] == pytest.approx(measured["bits_per_param"])
    text = call("know", "quantize", trained, *options).out
    lines = text.splitlines()
    assert len([line for line in lines if line.startswith(("float", "rtn", "gptq"))]) == 9
    assert f"{rows[1]['bits_per_param']:.3f}" in lines[2]
    assert "Rows of 8 columns are narrower than 16: one scale a row." in lines
    assert max(map(len, lines)) <= 100


def test_fine_tuning_has_its_control(call: Any, trained: Path) -> None:
    options = ("--bits", "3", "--method", "aware", "--steps", "5", "--weights", "all", "--json")
    done = call("know", "quantize", trained, *options)
    assert [row["method"] for row in done.json["rows"]] == ["float", "float, tuned", "aware"]
    assert done.json["rows"][-1]["storage"]["kept"] == 0


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--bits", "9"), 2, "9 bits a weight; 2 to 8 can be rounded to."),
        (("--bits", "eight"), 2, "--bits: 'eight' is no whole number."),
        (("--method", "awq"), 2, "There is no method 'awq'."),
        (("--group", "rows"), 2, "The group is 'rows'"),
        (("--group", "0"), 2, "The group is 0;"),
        (("--group", "99"), 2, "wider than any matrix of this model, the widest of 32."),
        (("--weights", "none"), 2, "There are no weights 'none'."),
        (("--bits", "2", "--weights", "all"), 2, "2 bits a weight leave an embedding 4 values"),
        (("--float-bits", "8"), 2, "float_bits is 8;"),
        (("--texts", "0"), 2, "0 texts to calibrate on."),
        (("--method", "aware", "--lr", "0"), 2, "a rate of 0;"),
        (("--device", "tpu"), 2, "There is no device 'tpu'."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_rounded_is_a_sentence(
    call: Any, trained: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    done = call("know", "quantize", trained, *options, "--json")
    assert (done.code, done.err) == (code, "")
    assert said in done.json["error"]["message"]
    assert done.json["error"]["remedy"].endswith(".")


@pytest.mark.parametrize("verb", ["quantize", "probe"])
def test_no_run_and_another_runs_weights(
    call: Any, trained: Path, tmp_path: Path, verb: str
) -> None:
    done = call("know", verb, tmp_path / "none", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "input")
    assert "not a run that kleiber trained" in done.json["error"]["message"]
    mixed = tmp_path / "mixed"
    shutil.copytree(trained, mixed)
    record = json.loads((mixed / "run.json").read_text())
    record["cell"]["width"] = 12
    (mixed / "run.json").write_text(json.dumps(record))
    done = call("know", verb, mixed, "--json")
    assert done.code == 1
    assert "not of the shape that its run.json says" in done.json["error"]["message"]


def test_a_layer_taken_out(call: Any, trained: Path) -> None:
    done = call("know", "probe", trained, "--layer", "0,-1", "--json")
    assert (done.code, done.json["schema"]) == (0, "kleiber.probe/1")
    assert [row["layer"] for row in done.json["rows"]] == [0, 1]
    assert {"before", "after", "after_clipped", "kept", "spread_evenly"} <= {*done.json["rows"][0]}
    text = call("know", "probe", trained).out
    assert "in 2 layers; 50.0% would remain" in text and "without layer 1:" in text
    for layer, said in (("2", "There is no layer 2 in a model of 2."), ("x", "--layer is 'x';")):
        done = call("know", "probe", trained, "--layer", layer, "--json")
        assert done.code == 2
        assert said in done.json["error"]["message"]


def test_of_nothing_there_is_no_share(call: Any, trained: Path, tmp_path: Path) -> None:
    from kleiber.knowledge.cell import Cell
    from kleiber.knowledge.experiment import run as train
    from kleiber.training import RunFolder

    taught = json.loads((trained / "run.json").read_text())["cell"]
    folder = tmp_path / "untaught"
    for _ in train([Cell.of({**taught, "exposures": 1, "lr": 1e-9})], [RunFolder(folder)]):
        pass
    done = call("know", "quantize", folder, "--bits", "4", "--method", "rtn", "--json")
    assert done.json["rows"][0]["bits_per_param"] < 0
    assert [row["loss"] for row in done.json["rows"]] == [None, None]
    lines = call("know", "quantize", folder, "--bits", "4", "--method", "rtn").out.splitlines()
    assert all(" - " in line for line in lines[1:3])
    done = call("know", "probe", folder, "--json")
    assert done.json["rows"][0]["kept"] is None
    assert "bits (of nothing); no person below 0" in call("know", "probe", folder).out
