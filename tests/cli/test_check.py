"""kleiber check: findings alone, and exit 3 under --strict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kleiber import cli
from kleiber.judging import CHECKS
from tests.known.ladder import LADDER


def test_a_sound_fit_has_a_tip_and_no_issue(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["check", str(LADDER), "--strict"]) == 0
    said = capsys.readouterr().out
    assert "K012 tip: no repeated run" in said
    assert f"0 issues, 1 tips in {len(CHECKS) + 1} checks" in said


def test_strict_exits_with_three_on_an_issue(capsys: pytest.CaptureFixture[str]) -> None:
    far = ["check", str(LADDER), "--params", "10T", "--tokens", "100T"]
    assert cli.run(far) == 0
    assert cli.run([*far, "--strict", "--json"]) == 3
    said = capsys.readouterr().out
    found = json.loads(said[said.index("{") :])
    assert {"K004", "K012"} == {finding["code"] for finding in found["findings"]}
    assert found["schema"] == "kleiber.check/1"


def test_a_saved_fit_is_checked_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "fit.json"
    assert cli.run(["fit", str(LADDER), "--out", str(saved)]) == 0
    capsys.readouterr()
    assert cli.run(["check", str(saved), "--json"]) == 0
    from_file = json.loads(capsys.readouterr().out)["findings"]
    assert cli.run(["check", str(LADDER), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == from_file
