"""ColPret's original files against its tidy table: equal values, every difference on record."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kleiber.runs.sets.compare import ONLY_ORIGINAL, ONLY_TIDY, Compared, compare
from kleiber.runs.sets.folder import Folder

RECORD = Path(__file__).parents[2] / "results" / "colpret_tidy.csv"


@pytest.fixture(scope="module")
def compared() -> tuple[Compared, ...]:
    data = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip("the public data sets are not beside the project")
    return compare(Folder("colpret", data))


def test_values_are_equal(compared: tuple[Compared, ...]) -> None:
    both = [one for one in compared if one.difference not in (ONLY_TIDY, ONLY_ORIGINAL)]
    assert len(both) == 41
    for one in both:
        assert one.tidy_rows == one.original_rows
        assert one.values < 1e-14, one


def test_the_whole_tidy_table_is_accounted_for(compared: tuple[Compared, ...]) -> None:
    assert sum(one.tidy_rows for one in compared) == 310_968
    assert sum(one.tidy_rows > 0 for one in compared) == 56
    lost = [one.family for one in compared if one.difference == ONLY_TIDY]
    assert all(name.startswith(("pythia", "bimix", "opt-lmeval", "bloom")) for name in lost)
    assert [one.family for one in compared if one.difference == ONLY_ORIGINAL] == ["OPT/tasks"]


def test_differences_are_those_on_record(compared: tuple[Compared, ...]) -> None:
    with RECORD.open(encoding="utf-8", newline="") as lines:
        rows = [tuple(row.values()) for row in csv.DictReader(lines)]
    assert rows == [
        (one.family, str(one.tidy_rows), str(one.original_rows), one.difference) for one in compared
    ]


def test_a_changed_value_is_seen(real: Callable[[str], str], tmp_path: Path) -> None:
    source = Path(real("colpret"))
    (tmp_path / "original").symlink_to(source / "original")
    frame = pl.read_parquet(source / "tidy.parquet").with_row_index()
    changed = (pl.col("family") == "OPT") & (
        pl.col("index") == pl.col("index").min().over("family")
    )
    value = pl.when(changed).then(pl.col("value") * 1.01).otherwise(pl.col("value"))
    frame.with_columns(value.alias("value")).drop("index").write_parquet(tmp_path / "tidy.parquet")
    (opt,) = [one for one in compare(Folder("colpret", tmp_path)) if one.family == "OPT"]
    assert np.isclose(opt.values, 0.01, rtol=0.05)
    assert "values differ" in opt.difference
