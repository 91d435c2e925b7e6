"""kleiber data: sets listed, fetched and compared from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kleiber.cli import run
from kleiber.runs.collections import COLLECTIONS

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture
def data() -> str:
    if not DATA.is_dir():
        pytest.skip("the public data sets are not beside the project")
    return str(DATA)


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["set", "rows", "runs", "families"]
    assert [line.split()[0] for line in lines[1 : 1 + len(COLLECTIONS)]] == [
        one.name for one in COLLECTIONS
    ]


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "kleiber.data-list/1"
    (colpret,) = [one for one in found["sets"] if one["name"] == "colpret"]
    assert colpret["counts"]["tidy rows"] == 310_968
    assert colpret["bytes"] > 1e6


def test_families_of_a_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "list", "colpret"]) == 0
    text = capsys.readouterr().out
    assert "perplexity as published" in text
    assert run(["data", "list", "colpret", "--json"]) == 0
    families = json.loads(capsys.readouterr().out)["families"]
    assert sum(not one["cross_entropy"] for one in families) > 20


def test_get_from_a_copy(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KLEIBER_CACHE", str(tmp_path))
    assert run(["data", "get", "epoch_chinchilla", "--from", data]) == 0
    assert "1 file written, every checksum right" in capsys.readouterr().out
    assert run(["data", "get", "epoch_chinchilla", "--from", data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == ["svg_extracted_data.csv"]
    file = tmp_path / "sets/epoch_chinchilla/svg_extracted_data.csv"
    assert run(["runs", str(file)]) == 0


def test_compare(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "compare", "colpret", "--from", data]) == 0
    lines = capsys.readouterr().out.splitlines()
    (mamba,) = [line for line in lines if line.startswith("llm360Mamba")]
    assert mamba.split() == ["llm360Mamba", "44,174", "44,174", "equal"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["data", "get"], 2, "needs the name of a set"),
        (["data", "get", "chinchila"], 2, "no set 'chinchila'"),
        (["data", "get", "bench", "--from", "nowhere"], 1, "There is no folder 'nowhere'"),
        (["data", "compare", "bench"], 2, "one form only"),
        (["data", "fetch"], 2, "kleiber: "),
    ],
)
def test_mistakes(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == code
    assert said in capsys.readouterr().err
