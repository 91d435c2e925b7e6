"""The study of laws on the data they are for: its schedules, its readings, its written table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from kleiber.studies import laws_on_curves as study


def test_the_schedules_are_those_of_the_files(published: Path) -> None:
    from kleiber.runs.collections import load

    for schedule in study.SCHEDULES:
        frame = load("multi_power_law", schedule.name, folder=published).frame
        inside = frame.filter(frame["step"] < len(schedule))
        steps = inside["step"].to_numpy().astype(np.int64)
        assert np.allclose(schedule.rates[steps], inside["lr"].to_numpy(), rtol=1e-9), schedule.name


def test_the_written_table_has_every_part_and_keeps_its_word(root: Path) -> None:
    written = json.loads((root / "results" / "laws_on_curves.json").read_text(encoding="utf-8"))
    assert {row["part"] for row in written["rows"]} == {
        "schedule",
        "surface",
        "repeated",
        "choice",
    }
    means = {
        (row["data"], row["law"]): float(row["error"])
        for row in written["rows"]
        if row["target"] == "mean of six"
    }
    for size, (_, said) in study.PUBLISHED.items():
        assert abs(means[f"{size}M", "multi-power, published"] - said) < 1e-5
    choice = {
        row["law"]: float(row["error"].split()[0])
        for row in written["rows"]
        if row["part"] == "choice"
    }
    assert choice["oracle"] <= min(choice["chosen"], choice["chinchilla"])
