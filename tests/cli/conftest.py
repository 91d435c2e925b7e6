"""What the tests of the command line share: a call in this process, and a ladder to call it on."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kleiber.cli import run
from tests.known.ladder import LADDER


@dataclass(frozen=True)
class Done:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Return the one JSON object on stdout; NaN and Infinity are no JSON."""

        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is no JSON")

        return json.loads(self.out, parse_constant=refuse)


Call = Callable[..., Done]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run one command line in this process."""

    def call_cli(*arguments: object) -> Done:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call_cli


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Work in a folder of its own that holds the sample under a short name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ladder.csv").write_bytes(LADDER.read_bytes())
    return "ladder.csv"


@pytest.fixture(scope="session")
def bad() -> SimpleNamespace:
    """The table of bad inputs, which the documentation prints too."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("bad_inputs.py"))))
