"""Files that the command line writes: pictures, and the demo's."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

import pytest

import kleiber
from kleiber.cli.demo import _teach
from kleiber.samples import LADDER, LADDER_FILE

ASK = ("--params", "7e9", "--tokens", "140e9")


@pytest.mark.parametrize(
    ("suffix", "begins", "holds"),
    [
        (".svg", b"<svg", b"Synthetic"),
        (".png", b"\x89PNG", b""),
        (".html", b"<!DOCTYPE html>", b"Synthetic"),
        (".json", b"{", b"Synthetic"),
    ],
)
def test_a_picture(call, sample: str, suffix: str, begins: bytes, holds: bytes) -> None:
    done = call("fit", sample, "--plot", f"fit{suffix}", "--json")
    assert (done.code, done.err) == (0, f"drew fit{suffix}\n")
    drawn = Path(f"fit{suffix}").read_bytes()
    assert drawn.startswith(begins)
    assert holds in drawn
    assert done.json["schema"] == "kleiber.fit/1"


def test_the_prediction_is_in_the_picture(call, sample: str) -> None:
    found = call("predict", sample, *ASK, "--plot", "fit.json", "--json").json
    drawn = json.loads(Path("fit.json").read_text(encoding="utf-8"))
    rows = [row for layer in drawn["layer"] for row in layer["data"]["values"]]
    shown = [row for row in rows if row.get("loss") == found["prediction"]]
    assert shown
    assert (shown[0]["lower"], shown[0]["upper"]) == (found["lower"], found["upper"])


def test_the_demo_shows_bits_rising(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    own = tmp_path / "own.toml"
    own.write_text(
        "strings = { K = 2, D = 8, T = 8 }\npeople = 20\nexposures = 100\nlayers = 1\n"
        "width = 8\nheads = 1\nbatch = 20\nlr = 0.01\ncompiled = false\n"
    )
    for _ in range(2):  # the second time it is read
        _teach(tmp_path / "mini", str(own))
        said = capsys.readouterr()
        assert "a small model reads 100 times each about 20 people" in said.out
        assert "controls: perfect knowledge" in said.out
        assert "│2" in said.err
    assert "kept from an earlier demo" in said.out


def test_an_unknown_suffix_leaves_nothing(call, sample: str) -> None:
    done = call("fit", sample, "--plot", "fit.gif")
    assert (done.code, done.out) == (2, "")
    assert ".svg" in done.err
    assert not Path("fit.gif").exists()


def test_the_demo_predicts_the_hidden_rung_of_a_real_ladder(
    call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    done = call("demo", "--out", "shown")
    assert done.code == 0
    assert "not shown: Training and measuring need torch" in done.out
    said = " ".join(done.out.split())
    assert "synthetic" not in said.lower()
    assert sorted(path.name for path in Path("shown").iterdir()) == ["fit.json", "fit.svg"]
    assert "synthetic" not in Path("shown/fit.svg").read_text(encoding="utf-8").lower()

    with LADDER.open(encoding="utf-8", newline="") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}  # of every run the last
    flops = {name: int(row["flops"]) for name, row in rows.items()}
    top = rows[max(flops, key=flops.__getitem__)]
    assert f"nanodo-mini, {len(rows)} runs" in said and f"{sum(flops.values()):.3g} FLOPs" in said
    assert f"kleiber ladder run {LADDER_FILE} --out kleiber-ladder" in said

    told = re.findall(
        r"hidden .*?: predicted ([\d.]+) \(([\d.]+) to ([\d.]+)\), was ([\d.]+): "
        r"error ([+-][\d.]+) nats.*?, (inside|outside) the interval",
        said,
    )
    assert len(told) == 2
    for predicted, lower, upper, was, error, verdict in told:
        assert was == top["loss"]
        assert float(error) == pytest.approx(float(predicted) - float(was), abs=1.01e-4)
        assert (float(lower) <= float(was) <= float(upper)) == (verdict == "inside")
    rest = [name for name, row in rows.items() if row["params"] != top["params"]]
    shorn = [name for name in rest if int(rows[name]["params"]) >= 10_000]
    for names, law, (predicted, *_) in ((rest, "chinchilla", told[0]), (shorn, "kaplan", told[1])):
        table = {
            key: [float(rows[name][key]) for name in names] for key in ("params", "tokens", "loss")
        }
        own = kleiber.fit(kleiber.Runs.read({"run": names, **table}), law=law)
        asked = own.predict(params=float(top["params"]), tokens=float(top["tokens"]))
        assert asked.value == pytest.approx(float(predicted), abs=1e-4)

    saved = json.loads(Path("shown/fit.json").read_text(encoding="utf-8"))
    assert saved["data"]["synthetic"] is False
    after = call("predict", "shown/fit.json", "--params", "500k", "--tokens", "10M")
    assert after.code == 0 and "SYNTHETIC" not in after.out


def test_the_demo_where_its_folder_cannot_be(call, sample: str) -> None:
    done = call("demo", "--out", sample)
    assert done.code == 1
    assert "cannot be used" in done.err
