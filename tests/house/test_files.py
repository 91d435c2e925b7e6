"""What no source file may be: too long, or a door for hostile input."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST = 500
DOORS = re.compile(
    r"pickle\.load|\bimport pickle|torch\.load\(|allow_pickle\s*=\s*True"
    r"|\beval\(|\bexec\(|shell\s*=\s*True|os\.system\("
)
MACHINE = re.compile(r"/(?:home|root|work|tmp|Users)/\w")

each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))


@each_file
def test_one_idea_a_file(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST


@each_file
def test_no_door_for_hostile_files(file: Path) -> None:
    assert DOORS.findall(file.read_text(encoding="utf-8")) == []


@each_file
def test_no_path_of_one_machine(file: Path) -> None:
    assert MACHINE.findall(file.read_text(encoding="utf-8")) == []


def test_the_door_pattern_sees_doors() -> None:
    for line in (
        "pickle.load(f)",
        "eval(text)",
        "run(x, shell=True)",
        "np.load(f, allow_pickle=True)",
    ):
        assert DOORS.search(line), line
    for line in ("model.eval_loss(x)", "evaluate(x)", "retrieval(x)"):
        assert not DOORS.search(line), line
