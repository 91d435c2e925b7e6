"""Charts: what a spec holds, what a picture says, and that a hostile name stays a name."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from kleiber.charts import fit_chart, residual_chart, save_chart
from kleiber.charts.theme import round_ticks
from kleiber.errors import ColumnError, MissingExtraError, UsageError, ValuesError

HOSTILE = "</script><script>alert(1)</script>"
POINTS = [
    {"run": "a", "params": 12e6, "tokens": 240e6, "loss": 5.07, "role": "fitted"},
    {"run": "b", "params": 125e6, "tokens": 2.5e9, "loss": 3.27, "role": "fitted"},
    {"run": HOSTILE, "params": 1.1e9, "tokens": 22e9, "loss": 2.49, "role": "fitted"},
    {"run": "d", "params": 3.2e9, "tokens": 64e9, "loss": 2.26, "role": "hidden"},
]
CURVES = [
    {"flops": 1e16, "loss": 5.2, "lower": 5.1, "upper": 5.3, "params": 12e6},
    {"flops": 4e16, "loss": 4.8, "lower": 4.7, "upper": 4.9, "params": 12e6},
    {"flops": 1e20, "loss": 2.5, "lower": None, "upper": None},
    {"flops": 1e22, "loss": 2.2, "lower": None, "upper": None},
]
TARGET = {
    "flops": 6 * 3.2e9 * 64e9,
    "predicted": 2.29,
    "lower": 2.21,
    "upper": 2.37,
    "actual": 2.26,
    "level": 0.9,
}


@pytest.fixture(scope="module")
def chart() -> Any:
    return fit_chart(
        points=POINTS, curves=CURVES, prediction=TARGET, title="A title", subtitle="What it says"
    )


def values(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for layer in spec["layer"] for row in layer["data"]["values"]]


def layers_keyed(spec: dict[str, Any], key: str) -> list[dict[str, Any]]:
    return [layer for layer in spec["layer"] if layer["data"]["values"][0].get("key") == key]


def test_loss_stands_against_compute_on_log_axes(chart: Any) -> None:
    spec = chart.to_dict()
    (layer,) = layers_keyed(spec, "fitted run")
    assert layer["encoding"]["x"]["scale"]["type"] == "log"
    assert layer["encoding"]["y"]["scale"]["type"] == "log"
    assert "nats per token" in layer["encoding"]["y"]["title"]
    rows = layer["data"]["values"]
    assert [row["flops"] for row in rows] == [6 * p["params"] * p["tokens"] for p in POINTS[:3]]
    assert [row["size"] for row in rows] == ["12M", "125M", "1.1B"]
    assert layer["mark"]["filled"]


def test_the_domain_is_the_data_and_not_powers_of_ten(chart: Any) -> None:
    low, high = chart.to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert 5e15 < low < 1e16
    assert 1e22 < high < 5e22


def test_the_target_is_drawn_once(chart: Any) -> None:
    spec = chart.to_dict()
    assert not layers_keyed(spec, "hidden run")
    assert len(layers_keyed(spec, "actual")) == 1
    assert layers_keyed(spec, "prediction, 90% interval")


def test_a_hidden_run_that_is_not_the_target_is_hollow() -> None:
    spec = fit_chart(points=POINTS).to_dict()
    (layer,) = layers_keyed(spec, "hidden run")
    assert not layer["mark"]["filled"]


def test_bands_are_drawn_only_where_both_edges_are_known(chart: Any) -> None:
    areas = [layer for layer in chart.to_dict()["layer"] if layer["mark"]["type"] == "area"]
    assert len(areas) == 1
    assert {row["params"] for row in areas[0]["data"]["values"]} == {12e6}


def test_columns_and_rows_draw_the_same() -> None:
    columns = {name: [row[name] for row in POINTS] for name in POINTS[0]}
    assert fit_chart(points=columns).to_dict() == fit_chart(points=POINTS).to_dict()


def test_description_tells_the_chart_in_words(chart: Any) -> None:
    assert chart.to_dict()["description"] == (
        "Loss (nats per token) against training compute for 3 fitted runs; "
        "predicted 2.29 at 1.23e21 FLOPs (2.21 – 2.37), actual 2.26."
    )


def test_synthetic_runs_are_called_so() -> None:
    rows = [{**row, "synthetic": "true"} for row in POINTS]
    assert fit_chart(points=rows).to_dict()["title"]["subtitle"] == ["Synthetic runs."]
    told = fit_chart(points=rows, title="A synthetic ladder", subtitle="s")
    assert told.to_dict()["title"]["subtitle"] == ["s"]


def test_of_many_sizes_the_legend_names_a_few() -> None:
    many = [{"params": 1e6 * 1.5**k, "tokens": 1e9, "loss": 4 - 0.1 * k} for k in range(12)]
    legend = fit_chart(points=many).to_dict()["layer"][0]["encoding"]["color"]["legend"]
    assert 3 <= len(legend["values"]) <= 9
    assert legend["values"] == sorted(legend["values"], reverse=True)


def test_svg_says_what_the_chart_says(chart: Any, tmp_path: Path) -> None:
    text = save_chart(chart, tmp_path / "fit.svg").read_text()
    shown = re.findall(r">([^<>]+)</text>", text)
    for wanted in ("A title", "What it says", "loss, nats per token", "125M", "1.1B", "1e20",
                   "fitted run", "prediction, 90% interval", "actual"):  # fmt: skip
        assert wanted in shown
    assert "<script" not in text
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]+"', "", text)


def test_png_is_drawn_at_twice_the_size(chart: Any, tmp_path: Path) -> None:
    data = save_chart(chart, tmp_path / "fit.PNG").read_bytes()
    assert data.startswith(b"\x89PNG")
    width, _ = struct.unpack(">II", data[16:24])
    assert width > 1200


class Page(HTMLParser):
    """Collect the scripts of a page and the addresses that its elements would load."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.loads: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag == "script"
        if self.inside:
            self.scripts.append("")
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = False


def test_html_holds_everything_and_a_hostile_name_stays_text(chart: Any, tmp_path: Path) -> None:
    page = Page()
    page.feed(save_chart(chart, tmp_path / "fit.html").read_text())
    assert page.loads == []
    assert len(page.scripts) == 3
    _, spec, start = page.scripts
    assert json.loads(spec) == chart.to_dict()
    assert HOSTILE in {row.get("run") for row in values(json.loads(spec))}
    assert "vegaEmbed" in start


def test_json_is_the_spec(chart: Any, tmp_path: Path) -> None:
    file = save_chart(chart, tmp_path / "fit.json")
    assert json.loads(file.read_text(encoding="utf-8")) == chart.to_dict()


@pytest.mark.parametrize("name", ["fit.pdf", "fit", "fit.svg.zip"])
def test_another_suffix_is_refused_with_those_that_work(
    chart: Any, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match=r"names no kind of chart.*\.svg, \.png, \.html or \.json"):
        save_chart(chart, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(chart: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere' does not exist"):
        save_chart(chart, tmp_path / "nowhere" / "fit.svg")


def test_a_place_that_cannot_be_written_is_named(chart: Any, tmp_path: Path) -> None:
    (tmp_path / "fit.json").mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        save_chart(chart, tmp_path / "fit.json")


@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("column", ["params", "tokens", "loss"])
def test_values_off_a_log_axis_are_refused_by_name(column: str, bad: float) -> None:
    with pytest.raises(ValuesError, match=rf"Run 'a' has {column} = "):
        fit_chart(points=[{**POINTS[0], column: bad}, POINTS[1]])


def test_missing_columns_are_named() -> None:
    with pytest.raises(ColumnError, match="no tokens; they have params, loss"):
        fit_chart(points=[{"params": 1e6, "loss": 3.0}])
    with pytest.raises(ColumnError, match="columns of"):
        fit_chart(points={"params": [1e6], "tokens": [1e9, 2e9], "loss": [3.0]})
    with pytest.raises(ValuesError, match="no points"):
        fit_chart(points=[])


def test_one_point_is_a_chart(tmp_path: Path) -> None:
    assert save_chart(fit_chart(points=POINTS[:1]), tmp_path / "one.svg").stat().st_size > 1000


def test_residuals_are_percent_of_the_loss(tmp_path: Path) -> None:
    rows = [{**row, "predicted": row["loss"] / 1.01} for row in POINTS]
    chart = residual_chart(points=rows, noise=0.004)
    residuals = [row["residual"] for row in values(chart.to_dict()) if "run" in row]
    assert residuals == pytest.approx([0.995033] * 4, abs=1e-6)
    assert "loss above the law, %" in save_chart(chart, tmp_path / "r.svg").read_text()


@pytest.mark.parametrize("span", [(2.1, 6.5), (1.78, 3.6), (2.24, 2.71), (3.0, 3.02), (0.4, 90)])
def test_ticks_are_round_and_enough(span: tuple[float, float]) -> None:
    ticks = round_ticks(span)
    assert 3 <= len(ticks) <= 9
    assert all(span[0] <= tick <= span[1] for tick in ticks)


def test_without_altair_the_remedy_is_an_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kleiber\[plots\]'"):
        fit_chart(points=POINTS)


def test_importing_the_charts_loads_no_altair() -> None:
    code = "import sys, kleiber.charts; print('altair' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
