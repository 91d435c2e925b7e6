"""The page: what it says, in what order, and that nothing in it reaches out or breaks out."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kleiber import Fit, check, fit, hide_largest
from kleiber.cli import run
from kleiber.errors import MissingExtraError, UsageError
from kleiber.reporting import hide_again, page, write
from kleiber.reporting.again import fit_command, table_csv
from kleiber.reporting.text import Shown, equation, shown, span
from tests.known.ladder import LADDER

VOID = {"meta", "link", "img", "br", "hr", "input"}
LOADS = {"src", "href", "srcset", "action", "formaction", "data", "poster", "xlink:href"}


class Reader(HTMLParser):
    """Read a page: its balance, its attributes, its scripts, the text that a person sees."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        place = {"script": self.scripts, "style": self.styles}.get(
            self.open[-1] if self.open else ""
        )
        (self.text if place is None else place).append(data)

    def ids(self) -> list[str]:
        return [attrs["id"] or "" for _, attrs in self.tags if "id" in attrs]

    def said(self) -> str:
        return " ".join(" ".join(self.text).split())

    def data(self) -> list[dict[str, Any]]:
        found = [
            json.loads(text)
            for (tag, attrs), text in zip(
                [one for one in self.tags if one[0] == "script"], self.scripts, strict=True
            )
            if attrs.get("type") == "application/json"
        ]
        assert found
        return found


@pytest.fixture(scope="module")
def full(hostile: Callable[[int], Fit]) -> str:
    """Return a page of 1,000 hostile runs with everything on it."""
    made = hostile(1000)
    prediction = made.predict("70B", "1.4T")
    return page(
        made,
        prediction=prediction,
        hidden=hide_again(made),
        findings=check(made, prediction),
        problems=[SimpleNamespace(message="<i>bad</i> row", remedy="<b>look</b>")],  # type: ignore[list-item]
        backtest={"columns": ["k", "<u>x</u>"], "rows": [[3, "<u>y</u>"], [4, None]]},
        command="kleiber report '<script>alert(4)</script>.csv'",
        title="A <title>",
    )


@pytest.fixture(scope="module")
def sample(ladder_fit: Fit) -> str:
    return page(
        ladder_fit, prediction=ladder_fit.predict("10B", "200B"), hidden=hide_again(ladder_fit)
    )


def test_the_page_is_balanced_and_its_ids_are_unique(full: str, sample: str) -> None:
    for text in (full, sample):
        ids = Reader(text).ids()
        assert len(set(ids)) == len(ids)


def test_links_within_the_page_lead_somewhere(full: str) -> None:
    seen = Reader(full)
    for _, attrs in seen.tags:
        target = attrs.get("href") or ""
        if target.startswith("#"):
            assert target[1:] in seen.ids(), target


def test_a_thousand_points_stay_under_three_megabytes(full: str) -> None:
    assert len(full.encode()) < 3_000_000


def test_nothing_is_loaded_from_anywhere(full: str) -> None:
    seen = Reader(full)
    for tag, attrs in seen.tags:
        for name in LOADS & attrs.keys():
            value = attrs[name] or ""
            assert value.startswith(("#", "data:")), (tag, name, value[:80])
    styles = [*seen.styles, *((attrs.get("style") or "") for _, attrs in seen.tags)]
    for style in styles:
        assert not re.search(r"url\(|@import|expression\(", style)
    plain = full
    for script in seen.scripts:
        plain = plain.replace(script, "")
    assert not re.search(r"https?:|//[\w-]+\.\w", plain)


def test_only_the_pages_own_scripts_may_run(full: str) -> None:
    import hashlib

    seen = Reader(full)
    (policy,) = [
        attrs["content"] or ""
        for tag, attrs in seen.tags
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]
    kinds = [attrs.get("type") for tag, attrs in seen.tags if tag == "script"]
    code = [text for kind, text in zip(kinds, seen.scripts, strict=True) if kind is None]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in code]
    assert len(hashes) == 3
    assert all(f"'sha256-{one}'" in policy for one in hashes)
    assert not [name for _, attrs in seen.tags for name in attrs if name.startswith("on")]


def test_hostile_names_are_text_everywhere(full: str, hostile: Callable[[int], Fit]) -> None:
    seen = Reader(full)
    said = seen.said()
    for name in hostile(20).points.names:
        if "sweep" not in name:
            assert name in said
    specs = [one for one in seen.data() if "layer" in one]
    assert len(specs) == 3
    assert "<script>alert(1)</script>" in json.dumps(specs, ensure_ascii=False)
    for text in seen.scripts:
        assert "</script" not in text and "<!--" not in text
    for escaped in ("<i>bad</i> row", "<b>look</b>", "<u>y</u>", "A <title>", "alert(4)"):
        assert escaped in said
    assert not {"u", "b"} & {tag for tag, _ in seen.tags}
    assert "{{ 7 * 7 }}" in said


def test_the_order_is_that_of_a_sceptical_reader(sample: str) -> None:
    sections = re.findall(r'<section class="card" id="(\w+)"', sample)
    assert sections == [
        "picture", "values", "findings", "residuals", "backtest", "made", "data", "again",
        "glossary",
    ]  # fmt: skip
    assert sample.index('class="headline"') < sample.index('id="picture"')


def test_the_headline_is_the_prediction_with_its_interval(sample: str, ladder_fit: Fit) -> None:
    said = Reader(sample).said()
    found = ladder_fit.predict("10B", "200B")
    assert "10B params on 200B tokens" in said
    assert f"{found.value:.4f}" in said
    assert f"{found.lower:.4f} to {found.upper:.4f} 90% of new runs" in said
    assert "Synthetic data." in said


def test_without_a_prediction_the_headline_is_the_floor(ladder_fit: Fit) -> None:
    said = Reader(page(ladder_fit)).said()
    assert "Chinchilla law" in said
    assert f"{ladder_fit.floor:.4f} nats per token" in said
    assert "No run was hidden for this page." in said


def test_a_hidden_run_is_drawn_with_what_came_true() -> None:
    hidden = hide_largest(LADDER)
    text = page(hidden.fit, hidden=hidden)
    said = Reader(text).said()
    assert "Hidden and predicted" in said
    assert f"It was {hidden.actual:.4f}, inside the interval" in said
    specs = [one for one in Reader(text).data() if "layer" in one]
    assert len(specs) == 2
    assert "actual" in json.dumps(specs[0])


def test_values_have_intervals_and_meanings(sample: str, ladder_fit: Fit) -> None:
    said = Reader(sample).said()
    for one in ladder_fit.law.parameters:
        assert one.meaning in said
    box = ladder_fit.interval("alpha")
    assert f"{box.lower:.5g} to {box.upper:.5g}" in said


def test_findings_name_their_code_and_lead_to_the_glossary() -> None:
    few = fit(LADDER, bounds={"beta": (0.1, 0.3)})
    found = check(few)
    text = page(few, findings=found)
    assert any(one.severity == "issue" for one in found)
    for one in found:
        assert f'href="#code-{one.code}"' in text
        assert f'id="code-{one.code}"' in text
        assert html.escape(one.remedy, quote=False)[:30] in text.replace("&#39;", "'")


def test_findings_given_as_none_are_looked_for(ladder_fit: Fit) -> None:
    assert page(ladder_fit, findings=()).count("Nothing was found against this fit") == 1
    assert len(check(ladder_fit)) == page(ladder_fit).count('class="finding ')


def test_the_unknown_is_a_dash_with_its_reason() -> None:
    assert shown(float("nan"), "too few") == Shown("–", "too few")
    assert "unbounded" in span(1.0, float("inf"), "too few").why
    two = fit(LADDER, "params-power", points="finals")
    text = page(two, hidden="there is only one size", backtest={"columns": ["a"], "rows": [[None]]})
    said = Reader(text).said()
    assert "– there is only one size" in said
    assert "– unknown" in said


def test_long_tables_wait_behind_a_details_element(full: str, sample: str) -> None:
    data = full[full.index('id="data"') : full.index('id="again"')]
    first, rest = data.split("<details>")
    assert first.count("<tr><td") == 200
    assert rest.count("<tr><td") == 800
    assert "<details>" not in sample[sample.index('id="data"') : sample.index('id="again"')]


def test_a_chart_has_a_still_picture_and_a_table(sample: str) -> None:
    seen = Reader(sample)
    stills = [attrs for tag, attrs in seen.tags if tag == "img"]
    assert len(stills) == 3
    assert all(attrs["alt"] for attrs in stills)
    assert sample.count("The same as a table") == 3


def test_a_table_of_cells_must_fit_its_columns(ladder_fit: Fit) -> None:
    with pytest.raises(UsageError, match="2 columns: a, b"):
        page(ladder_fit, backtest={"columns": ["a", "b"], "rows": [[1]]})
    with pytest.raises(UsageError, match="no rows"):
        page(ladder_fit, backtest={"columns": ["a"]})


def test_the_file_makes_the_fit_again(ladder_fit: Fit, tmp_path: Path, sample: str) -> None:
    (href,) = {attrs["href"] or "" for tag, attrs in Reader(sample).tags if attrs.get("download")}
    content = base64.b64decode(href.partition(",")[2]).decode()
    assert content == table_csv(ladder_fit)
    rows = list(csv.DictReader(io.StringIO(content)))
    assert [float(row["loss"]) for row in rows] == ladder_fit.points.loss.tolist()
    (tmp_path / "kleiber-runs.csv").write_text(content, encoding="utf-8")
    words = shlex.split(fit_command(ladder_fit))
    done = subprocess.run(
        [sys.executable, "-m", *words, "--json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    again = json.loads(done.stdout)
    assert again["values"] == pytest.approx(dict(ladder_fit.values), rel=1e-9)
    assert again["data"]["synthetic"]


def test_what_was_held_is_in_the_command() -> None:
    made = fit(LADDER, fix={"alpha": 0.34}, bounds={"E": (1.0, 2.5)}, delta=1e-3, objective="huber")
    command = fit_command(made)
    for part in ("--fix alpha=0.34", "--bounds E=1.0:2.5", "--delta 0.001", "--points all"):
        assert part in command


def test_equations_are_set_with_raised_exponents() -> None:
    assert equation("L = A / params^alpha") == (
        '<i>L</i> = <i>A</i> / <span class="word">params</span><sup><i>α</i></sup>'
    )
    nested = equation("L = [(Nc / params)^(alpha_N / alpha_D) + Dc / tokens]^alpha_D")
    assert nested.count("<sup>") == nested.count("</sup>") == 2
    assert "^" not in nested
    assert '<sup><span class="num">0.34</span></sup>' in equation("x^alpha", {"alpha": 0.34})


def test_the_same_fit_and_date_give_the_same_bytes(ladder_fit: Fit) -> None:
    assert page(ladder_fit, date="today") == page(ladder_fit, date="today")


def test_a_page_is_written_whole_or_not_at_all(ladder_fit: Fit, tmp_path: Path) -> None:
    target = write(ladder_fit, tmp_path / "a.html")
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]
    for name in ("a.pdf", "none/a.html"):
        with pytest.raises(UsageError):
            write(ladder_fit, tmp_path / name)


@pytest.mark.parametrize("name", ["jinja2", "altair", "vl_convert"])
def test_a_missing_library_says_how_to_install_it(
    name: str, ladder_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError) as raised:
        page(ladder_fit)
    assert "pip install 'kleiber[web,plots]'" in raised.value.remedy


def test_a_ladder_that_cannot_be_hidden_says_why() -> None:
    one = fit(LADDER, "tokens-power-floor", fix={"E": 1.8})
    alone = one.frame().filter(one.frame()["params"] == one.points.params.max())
    made = fit(alone.select("run", "params", "tokens", "loss"), "tokens-power-floor")
    reason = hide_again(made)
    assert isinstance(reason, str)
    assert "only one" in reason


def test_the_command_takes_a_saved_fit_and_a_table(
    ladder_fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = ladder_fit.save(tmp_path / "fit.json")
    for source in (saved, LADDER):
        out = tmp_path / "page.html"
        words = ["report", str(source), "-o", str(out), "--params", "10B", "--tokens", "200B"]
        assert run(words) == 0
        said = Reader(out.read_text(encoding="utf-8")).said()
        assert "10B params on 200B tokens" in said
        assert shlex.join(["kleiber", *words]) in said
        assert "It came true inside the interval." in said
    assert "wrote" in capsys.readouterr().err


def test_the_command_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    assert run(["report", str(LADDER), "-o", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "kleiber.report/1"
    assert found["bytes"] == out.stat().st_size
