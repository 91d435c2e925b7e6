"""The capacity picture: what it draws of the published curve, and where it puts its names."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from kleiber.charts import draw_capacity, save_chart
from kleiber.errors import ColumnError, ValuesError
from kleiber.judging import fit_plateau, fit_plateaus
from kleiber.studies.capacity_fit import FIGURE, published_rows


def marks(spec: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [layer for layer in spec["layer"] if layer["mark"]["type"] == kind]


def names(spec: dict[str, Any]) -> list[str]:
    rows = [row for layer in marks(spec, "text") for row in layer["data"]["values"]]
    return [row.get("label") or row["name"] for row in rows]


def with_seeds(rows: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    return [
        {**row, "seed": seed, "bits_per_param": row["bits_per_param"] * (0.97 + 0.02 * seed)} | more
        for row in rows
        for seed in range(3)
    ]


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    rows = published_rows()
    return draw_capacity(rows, fit_plateau(rows)).to_dict()


def test_bits_stand_against_parameters_on_log_axes(spec: dict[str, Any]) -> None:
    dots = marks(spec, "point")[-1]
    assert dots["encoding"]["x"]["scale"]["type"] == dots["encoding"]["y"]["scale"]["type"] == "log"
    assert (dots["encoding"]["x"]["title"], dots["encoding"]["y"]["title"]) == (
        "parameters",
        "bits stored",
    )
    rows = dots["data"]["values"]
    assert len(rows) == 37
    drawn = {(row["people"], round(row["params"]), round(row["bits"])) for row in rows}
    assert drawn == {
        (people, round(1e6 * params), round(1e6 * bits))
        for people, all_dots in FIGURE.items()
        for params, bits in all_dots
    }
    assert rows[0]["held"] == "1.4M of 2.96M" and rows[0]["each"] == "1.716 of 3.630"


def test_lines_name_the_ceilings_and_the_guides(spec: dict[str, Any]) -> None:
    assert set(names(spec)) == {
        "1 bit",
        "2 bits",
        "50k people: 2.96M bits",
        "100k people: 5.82M bits",
        "200k people: 11.4M bits",
        "500k people: 28M bits",
        "1M people: 54.9M bits",
    }
    guides = [layer["data"]["values"] for layer in marks(spec, "line")[:2]]
    for slope, ends in zip((1.0, 2.0), guides, strict=True):
        assert all(row["bits"] == pytest.approx(slope * row["params"]) for row in ends)


def test_the_law_and_its_plateau_are_drawn_and_said(spec: dict[str, Any]) -> None:
    law = marks(spec, "line")[-1]["data"]["values"]
    assert {row["people"] for row in law} == set(FIGURE)
    for _, rows in itertools.groupby(law, key=lambda row: row["people"]):
        bits = [row["bits"] for row in rows]
        assert bits == sorted(bits)
    assert "2.33 bits per parameter (90% interval 2.12 to 2.56)" in spec["title"]["subtitle"][0]
    (band,) = marks(spec, "area")
    row = band["data"]["values"][0]
    assert row["lower"] / row["params"] == pytest.approx(2.122, abs=1e-3)
    assert "plateau at 1,000 exposures: 2.33" in spec["description"]


def test_seeds_are_a_mean_and_a_span() -> None:
    spec = draw_capacity(with_seeds(published_rows(100_000))).to_dict()
    (bars,) = marks(spec, "rule")
    row = bars["data"]["values"][0]
    assert row["lower"] < row["bits"] < row["upper"] and row["seeds"] == "3"
    assert not marks(spec, "area") and "subtitle" not in spec["title"]


def test_fewer_exposures_are_hollow_and_dashed() -> None:
    rows = published_rows()
    half = [{**row, "exposures": 100, "bits_per_param": row["bits_per_param"] / 2} for row in rows]
    spec = draw_capacity([*rows, *half], fit_plateaus([*rows, *half])).to_dict()
    keys = [layer["data"]["values"][0].get("key") for layer in marks(spec, "point")]
    assert "model, 1,000 exposures" in keys and "model, 100 exposures" in keys
    dashed = [layer["mark"].get("strokeDash") for layer in marks(spec, "line")]
    assert [6, 4] in dashed and len(marks(spec, "area")) == 2
    assert len(spec["title"]["subtitle"]) == 3


def test_many_data_sets_have_a_legend_and_no_names() -> None:
    rows = [
        {**row, "people": row["people"] + i}
        for i, row in enumerate(published_rows(50_000) + published_rows(100_000))
    ]
    spec = draw_capacity(rows).to_dict()
    assert all("people" not in name for name in names(spec))
    assert spec["layer"][-1]["encoding"]["color"]["legend"]["title"] == "people"


@pytest.mark.parametrize("params", [2e4, 1e9])
def test_one_model_is_a_picture(params: float, tmp_path: Path) -> None:
    row = {
        "people": 1000, "params": params, "exposures": 100, "seed": 0, "bits_per_param": 1.9,
        "max_bits_per_param": 3.0,
    }  # fmt: skip
    file = save_chart(draw_capacity([row], fit_plateau([row])), tmp_path / "one.svg")
    text = file.read_text()
    assert "bits stored" in text and "1k people" in text


def test_what_cannot_be_drawn_is_refused() -> None:
    row = published_rows()[0]
    with pytest.raises(ValuesError, match="No model stored anything"):
        draw_capacity([{**row, "bits_per_param": -0.1}])
    with pytest.raises(ColumnError, match="has no params"):
        draw_capacity([{k: v for k, v in row.items() if k != "params"}])
