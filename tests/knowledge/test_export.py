"""JSON Lines hold text, truth and spans; a file appears whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kleiber.errors import UsageError
from kleiber.knowledge import Biographies, People, Pools, Strings, write_jsonl

SOURCES = [Biographies(People(Pools.paper(), 5000, seed=1)), Strings(count=5000, K=3)]


@pytest.mark.parametrize("source", SOURCES, ids=["biographies", "strings"])
def test_lines_hold_the_truth(source: Biographies | Strings, tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    assert write_jsonl(source, path, np.arange(2500), 3) == 2500
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [row["person"] for row in rows] == list(range(2500))
    for row in rows[::100]:
        assert row["exposure"] == 3
        for part, start, end in row["spans"]:
            assert row["text"][start:end] == row["truth"][part]
        assert row["text"] == source.biographies([row["person"]], 3)[0].text
    assert [file.name for file in tmp_path.iterdir()] == ["people.jsonl"]


def test_a_file_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    path.write_text("mine")
    with pytest.raises(UsageError, match="is already there"):
        write_jsonl(SOURCES[0], path, [1], 0)
    assert path.read_text() == "mine"
    write_jsonl(SOURCES[0], path, [1, 2], [0, 1], overwrite=True)
    assert len(path.read_text().splitlines()) == 2


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="outside range"):
        write_jsonl(SOURCES[1], tmp_path / "people.jsonl", [1, 10**9], 0)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="no folder"):
        write_jsonl(SOURCES[1], tmp_path / "none" / "people.jsonl", [1], 0)
