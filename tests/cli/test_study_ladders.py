"""Studies that train ladders: each name reaches its own runs, in a folder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kleiber.cli import run
from kleiber.errors import InputError
from kleiber.recipes import Rung


@pytest.mark.parametrize(
    ("name", "folder", "recipe"),
    [
        ("paradigms", "kleiber-paradigms", "nanodo-mini"),
        ("crossovers", "kleiber-crossovers", "qk-off"),
        ("text-floor", "kleiber-floor", "pairs-1000-2-1"),
    ],
)
def test_a_name_reaches_its_own_runs(
    name: str,
    folder: str,
    recipe: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    asked: list[tuple[str, str, int | None]] = []

    def trained(rungs: Sequence[Rung], out: Path, *, jobs: int | None = None, **_: Any) -> Any:
        asked.append((rungs[0].recipe, str(out), jobs))
        raise InputError("Stopped here.", remedy="")

    monkeypatch.setattr("kleiber.cli.ladder.screen.trained", trained)
    monkeypatch.chdir(tmp_path)
    assert run(["study", name, "--jobs", "3"]) == 1
    assert asked == [(recipe, folder, 3)]
    assert "Stopped here." in capsys.readouterr().err
    assert run(["study", name, "--preset", "gpu"]) == (1 if name == "crossovers" else 2)
