"""The same table from every kind of source, and every kind of file that is no table."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.errors import InputError, KleiberError, UsageError, ValuesError
from kleiber.runs import Runs
from kleiber.runs.build import build_runs
from kleiber.runs.readers import read_bytes

COLUMNS = {"params": [1e8, 2e8, 4e8], "tokens": [2e9, 4e9, 8e9], "loss": [3.5, 3.25, 3.0]}
ROWS = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]
CSV = "params,tokens,loss\n100M,2B,3.5\n2e8,4e9,3.25\n400_000_000,8B,3.0\n"


def same(runs: Runs) -> None:
    points = runs.points()
    assert points.params.tolist() == COLUMNS["params"]
    assert points.tokens.tolist() == COLUMNS["tokens"]
    assert points.loss.tolist() == COLUMNS["loss"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", CSV),
        ("a.tsv", CSV.replace(",", "\t")),
        ("a.txt", CSV.replace(",", ";")),
        ("bom.csv", "\ufeff" + CSV),
        ("crlf.csv", CSV.replace("\n", "\r\n")),
        ("blank.csv", CSV.replace("\n", "\n\n")),
        ("quoted.csv", 'params,tokens,loss\n"100,000,000",2B,3.5\n2e8,4B,3.25\n4e8,8B,3\n'),
        ("a.jsonl", "\n".join(map(json.dumps, ROWS)) + "\n\n"),
        ("a.json", json.dumps(ROWS, indent=1)),
        ("columns.json", json.dumps(COLUMNS)),
        ("columns2.json", json.dumps(COLUMNS, indent=1)),
    ],
)
def test_text(write, name: str, text: str) -> None:
    same(Runs.read(write(text, name)))


def test_parquet(tmp_path: Path) -> None:
    pl.DataFrame(COLUMNS).write_parquet(tmp_path / "a.parquet")
    same(Runs.read(tmp_path / "a.parquet"))


@pytest.mark.parametrize(
    "table",
    [
        COLUMNS,
        ROWS,
        {k: np.array(v) for k, v in COLUMNS.items()},
        pd.DataFrame(COLUMNS),
        pd.DataFrame(COLUMNS).convert_dtypes(),
        pl.DataFrame(COLUMNS),
        pl.DataFrame(COLUMNS).lazy(),
        pa.table(COLUMNS),
        {**COLUMNS, "params": ["100M", "2e8", 400_000_000]},
    ],
    ids=["dict", "rows", "numpy", "pandas", "nullable", "polars", "lazy", "pyarrow", "mixed"],
)
def test_tables_in_memory(table: object) -> None:
    same(Runs.read(table))


def test_columns_of_every_kind() -> None:
    frame = pl.DataFrame({**COLUMNS, "run": [1, 2, 3], "tags": [["x"], [], None]}).with_columns(
        pl.col("params").cast(pl.Decimal(20, 2)), pl.col("tokens").cast(pl.UInt64)
    )
    same(Runs.read(frame))
    same(Runs.read(frame.to_arrow()))
    pandas = pd.DataFrame({**COLUMNS, "run": pd.Categorical(["a", "b", "c"])})
    pandas["when"] = pd.Timestamp("2024-01-01")
    same(Runs.read(pandas))
    assert len(Runs.read(pandas.assign(loss=[3.5, None, 3.0]))) == 2
    twice = pd.DataFrame(np.ones((1, 4)), columns=["params", "tokens", "loss", "loss"])
    with pytest.raises(InputError, match="two columns of one name"):
        Runs.read(twice)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(CSV.encode())

    monkeypatch.setattr("sys.stdin", Stdin)
    runs = Runs.read("-")
    same(runs)
    assert runs.source == "standard input"


def test_frames_go_back(ladder: Runs) -> None:
    assert isinstance(ladder.to_native("pandas"), pd.DataFrame)
    assert isinstance(ladder.to_native("pyarrow"), pa.Table)
    assert ladder.to_native().equals(ladder.frame)
    with pytest.raises(UsageError):
        ladder.to_native("excel")  # type: ignore[arg-type]
    again = Runs.read(ladder.to_native("pandas"))
    assert again.points().loss.tolist() == ladder.points().loss.tolist()
    assert again.n_runs == ladder.n_runs


def test_runs_are_read_already(ladder: Runs) -> None:
    assert Runs.read(ladder) is ladder
    with pytest.raises(UsageError):
        Runs.read(ladder, unit="ppl")


def test_nested_objects_become_paths(write) -> None:
    lines = [json.dumps({"config": {"params": r["params"], "lr": 1e-3}, **r}) for r in ROWS]
    runs = Runs.read(write("\n".join(lines), "a.jsonl"))
    assert runs.frame["lr"].to_list() == [1e-3] * 3


LOG = "step,tokens,loss\n1,1e6,9\n2,2e6,8\n3,3e6,7\n"


def test_files_are_runs_named_by_file(write, notes) -> None:
    write(LOG, "10M-a.csv")
    pattern = write(LOG, "20M-b.csv").replace("20M-b", "*")
    runs = Runs.read(pattern)
    assert runs.frame["run"].unique(maintain_order=True).to_list() == ["10M-a", "20M-b"]
    assert runs.sizes == (1e7, 2e7)
    assert runs.named
    assert runs.frame["final"].to_list() == [False, False, True] * 2
    assert "one run each" in notes(runs, "assumed")
    assert "size in each run's name" in notes(runs, "guessed")
    listed = Runs.read([write(LOG, "10M-a.csv"), write(LOG, "20M-b.csv")])
    assert listed.frame.equals(runs.frame)


def test_files_of_one_name_keep_their_folders(write) -> None:
    first, second = write(LOG, "x/1B.csv"), write(LOG, "y/1B.csv")
    runs = Runs.read([first, second], columns="params=1B")
    assert runs.n_runs == 2


def test_files_of_finished_runs_stay_tables(write) -> None:
    runs = Runs.read([write(CSV, "p.csv"), write(CSV, "q.csv")])
    assert runs.n_runs == 6
    assert not runs.named
    assert runs.frame["run"][3] == "q-row-1"


def test_one_log_is_one_run(write, notes) -> None:
    runs = Runs.read(write(LOG, "pilot-10M.csv"))
    assert (runs.n_runs, runs.sizes) == (1, (1e7,))
    assert "one run, named by file" in notes(runs, "assumed")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"params,tokens,loss\n", "has a header .* and no rows"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "it is a PNG image"),
        (pickle.dumps(COLUMNS), "pickle, which is never opened"),
        (b"PK\x03\x04\x14", "Excel workbook"),
        (b"a,b\n\x00\x01,2\n", "binary"),
        ("params,tokens,löss\n1,2,3\n".encode("latin-1"), "not UTF-8"),
        (b"PAR1 and then nothing", "broken Parquet"),
        (b'[{"params": 1,', "no JSON"),
        (b'{"params": 1\n{"params": 2}', "no JSON"),
        (b"[1, 2]", "no objects"),
        (b"[]", "no rows"),
        (b"[" * 100_000, "JSON|nests"),
        (b'{"a": [1, 2], "b": [1]}', "unequal length"),
        (b'params,tokens,loss\n1,2,"3\n', "line 2"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(write, content: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        Runs.read(write(content))
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_rows_of_another_length_are_named(write) -> None:
    path = write("params,tokens,loss\n1e8,2e9,3.5\n1,000,000,2e9,3\n1e8,2e9\n")
    with pytest.raises(ValuesError, match=r"line 3 has 5 cells where the header has 3, and 1 fur"):
        Runs.read(path)


def test_places_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        Runs.read(str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match=r"is a folder without runs.*\*\.csv"):
        Runs.read(str(tmp_path))
    with pytest.raises(InputError, match="No file matches"):
        Runs.read(str(tmp_path / "*.csv"))
    for path in ("a\0b.csv", ""):
        with pytest.raises(InputError):
            Runs.read(path)


@pytest.mark.parametrize("source", [42, object(), None, [], {}, [1], {"params": 3}])
def test_objects_that_are_no_tables(source: object) -> None:
    with pytest.raises(InputError):
        Runs.read(source)


def test_an_object_column_is_not_evaluated(write) -> None:
    path = write('params,tokens,loss\n__import__("os").getcwd(),1e9,3\n')
    with pytest.raises(ValuesError, match="text in place of a number"):
        Runs.read(path)


def read_or_refuse(data: bytes) -> None:
    """Read bytes as a table; only errors of the package's own may come of it."""
    try:
        runs = build_runs(read_bytes(data, source="fuzz", file="fuzz"))
    except KleiberError as error:
        assert error.message
        return
    points = runs.points()
    assert np.isfinite([points.params, points.tokens, points.loss]).all()
    assert min(points.params.min(), points.tokens.min()) > 0
    assert runs.describe().text()


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read_or_refuse(data)


CELL = st.one_of(
    st.floats(allow_nan=True).map(str),
    st.integers(-10, 10**12).map(str),
    st.sampled_from(["", "NaN", "1.5B", "a", '"', "1e400", "-0", "[", "é", "0x10", "1e-320"]),
    st.text(max_size=4),
)
HEADER = st.sampled_from(["params", "tokens", "loss", "N", "D", "C", "run", "step", "final", "x y"])


@settings(deadline=None, max_examples=300)
@given(st.lists(HEADER, min_size=1, max_size=6), st.lists(st.lists(CELL, max_size=6), max_size=6))
def test_any_cells_are_read_or_refused(header: list[str], rows: list[list[str]]) -> None:
    fitted = [(row + [""] * len(header))[: len(header)] for row in rows]
    lines = [",".join(["params", "tokens", "loss", *header])]
    lines += [",".join(["1e8", "1e9", "3", *row]) for row in fitted]
    read_or_refuse("\n".join(lines).encode())
    read_or_refuse("\n".join([",".join(header), *map(",".join, fitted)]).encode())
    objects = [dict(zip(header, row, strict=True)) for row in fitted]
    read_or_refuse("\n".join(map(json.dumps, objects)).encode())
