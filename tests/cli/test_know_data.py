"""kleiber know on other data: junk, a token, broken exposures, texts of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kleiber.cli import run

TINY = """
strings = { K = 2, D = 8, T = 8, name_tokens = 3 }
people = 20
exposures = 4
layers = 1
width = 8
heads = 1
batch = 20
lr = 0.01
compiled = false
"""
TABLE = "name,major,birth_city\nAl Bee Cox,Music,Austin\nCy Dee Fox,Law,Newark\n"
TEXTS = (
    {"name": "Al Bee Cox", "text": "Al Bee Cox of Austin studied music."},
    {"name": "Cy Dee Fox", "text": "Cy Dee Fox studied law. Newark is the birthplace."},
    {"name": "Cy Dee Fox", "text": "Cy Dee Fox studied law."},
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    (tmp_path / "people.csv").write_text(TABLE)
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, TEXTS)))
    (tmp_path / "one.jsonl").write_text(json.dumps(TEXTS[0]))
    return tmp_path


def code(*words: str) -> int:
    return run(list(words))


def test_a_run_among_junk(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    asked = "know train -o run --preset tiny.toml --exposures 2.5 --mix 1:3 --junk repeated --token"
    assert code(*asked.split(), "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["exposures"], row["useful_share"]) == (2.5, 0.25)
    assert row["mix"] == "1useful+token-3repeated"
    assert row["steps"] == 20 * 2.5 * 4 / 20
    held = json.loads((here / "run" / "run.json").read_text())["cell"]["mix"]
    assert held == {"junk": "repeated", "useful": 1, "junk_parts": 3, "token": True}


def test_a_run_on_texts_of_ones_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    (here / "tiny.toml").write_text(TINY + "context = 12\n")
    asked = "know train -o run --preset tiny.toml --glances 0"
    files = "--rewritten texts.jsonl --table people.csv"
    assert code(*asked.split(), *files.split()) == 0
    heard = capsys.readouterr().err
    assert "2 of 3 texts tell all 2 values of 2 of 2 people; 1 were left out (1 missing)" in heard
    assert 'line 3: Cy Dee Fox, birth_city: missing; "Newark" is not in the text' in heard
    held = json.loads((here / "run" / "run.json").read_text())["cell"]
    assert (held["context"], held["people"]) == (12, 2)


def test_texts_of_ones_own_have_windows_if_the_preset_has_none(here: Path) -> None:
    pytest.importorskip("torch")
    asked = "know train --preset tiny.toml --rewritten texts.jsonl --table people.csv --glances 0"
    for more, context in (("-o run", 128), ("-o other --context 16", 16)):
        assert code(*asked.split(), *more.split()) == 0
        held = json.loads((here / more.split()[1] / "run.json").read_text())["cell"]
        assert held["context"] == context
    assert code(*asked.split(), "-o", "run") == 0  # and goes on as the same run


def test_a_mixture_says_what_a_token_passes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    (here / "tiny.toml").write_text(TINY + "changed = { experts = 4 }\n")
    asked = "know train -o run --preset tiny.toml --architecture gpt2-moe --json"
    assert code(*asked.split()) == 0
    row = json.loads(capsys.readouterr().out)
    expert = 2 * 8 * 8 + 8 + 8  # two maps of 8 x 8 with biases
    assert row["params"] - row["params_active"] == 3 * expert
    assert code("know", "measure", "run") == 0
    said = f"{row['params']:,} parameters ({row['params_active']:,} active)"
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--mix 0:7", "0 parts useful data and 7 parts junk leaves nobody to learn"),
        ("--mix 7", "--mix is 7; parts of useful data to parts of junk"),
        ("--junk lots", "mix.junk is 'lots'; fresh, repeated or a number"),
        ("--junk 500", "20 useful people, 20 strangers for the control and 500"),
        ("--rewritten texts.jsonl", "--rewritten and --table belong together"),
        ("--people 2.5", "--people is 2.5; whole numbers are expected"),
        ("--format bioS --people 5", "such as 128 (--context 128)"),
        ("--context 1", "windows of 1 tokens; at least 2 are needed"),
        ("--rewritten one.jsonl --table people.csv", "of 1 people is the same for all"),
        ("--people 9 --format bioS --mix 0:7", "leaves nobody to learn"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    assert code("know", "train", "-o", "run", "--preset", "tiny.toml", *words.split()) != 0
    heard = capsys.readouterr().err
    assert said in heard
    assert "Traceback" not in heard
    assert not (here / "run").exists()


def test_texts_of_exposures_that_are_no_whole_number(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = "know make -o made.jsonl --preset tiny.toml --exposures 2.5"
    assert code(*asked.split()) == 0
    people = [json.loads(line)["person"] for line in (here / "made.jsonl").read_text().splitlines()]
    assert len(people) == 50
    assert {people.count(person) for person in range(20)} == {2, 3}
