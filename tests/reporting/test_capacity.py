"""The page of a measured capacity: what it says, that it reaches nothing, that it can be redone."""

from __future__ import annotations

import base64
import csv
import html
import io
import math
import re
from pathlib import Path
from typing import Any

import pytest

from kleiber.errors import UsageError
from kleiber.judging import fit_plateau, fit_plateaus
from kleiber.reporting import capacity_page, write_capacity
from kleiber.reporting.capacity import AGAIN
from kleiber.reporting.glossary import CODES
from kleiber.studies.capacity_fit import published_rows

DATE = "2026-01-02 03:04 UTC"
NASTY = "</script><img src=x onerror=alert(1)>"


def said(page: str) -> str:
    """Return the text that a person reads, without scripts, styles and pictures."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def table(page: str) -> list[dict[str, str]]:
    (found,) = re.findall(r"data:text/csv;charset=utf-8;base64,([A-Za-z0-9+/=]+)", page)
    return list(csv.DictReader(io.StringIO(base64.b64decode(found).decode())))


@pytest.fixture(scope="module")
def page() -> str:
    return capacity_page(published_rows(), source="figure 1a", command="kleiber x", date=DATE)


def test_the_plateau_comes_first_with_its_unit_and_interval(page: str) -> None:
    text = said(page)
    top = text[text.index("Measured capacity") : text.index("Bits stored against parameters")]
    assert "plateau at 1,000 exposures 2.33 bits per parameter" in top
    assert "2.12 to 2.56 90% interval of the plateau" in top
    assert "No issue found" in top and "37 models measured" in top and "2.25" in top


def test_picture_plateaus_findings_data_and_glossary_are_there(page: str) -> None:
    for place in ("capacity", "plateaus", "findings", "data", "again", "glossary"):
        assert f'<section class="card" id="{place}"' in page
        assert f'href="#{place}"' in page
    text = said(page)
    assert "50,000 816k" in text or "50,000 people, seed 0 816k" in text
    assert "kleiber x" in text and DATE in text and "figure 1a" in text
    for anchor in re.findall(r'href="#([\w-]+)"', page):
        assert f'id="{anchor}"' in page, anchor


def test_it_asks_nothing_of_any_network(page: str) -> None:
    body = re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL)
    outside = re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', body)
    assert outside == []
    assert "default-src 'none'" in page


def test_the_page_alone_gives_the_plateau_again(page: str) -> None:
    rows = table(page)
    assert len(rows) == 37
    assert fit_plateau(rows).to_dict() == fit_plateau(published_rows()).to_dict()
    assert AGAIN in html.unescape(page)


def test_every_exposure_and_finding_is_said() -> None:
    many = [{**row, "embedding_share": 0.5} for row in published_rows()]
    few = [{**row, "exposures": 100, "bits_per_param": row["bits_per_param"] / 2} for row in many]
    rows = [*many, *few]
    page = capacity_page(rows, fit_plateaus(rows), date=DATE)
    text = said(page)
    assert "At 100 exposures it is 1." in text
    assert text.count("much of the model is embeddings") >= 2  # each exposure; the glossary
    assert CODES["C002"] in text and "No issue" in text


def test_one_size_says_what_was_stored_and_that_the_plateau_is_unknown() -> None:
    (row, *_) = published_rows()
    rows = [{**row, "seed": s, "bits_per_param": 1.7 + 0.01 * s} for s in range(3)]
    text = said(capacity_page(rows, date=DATE))
    assert "the most that a model stored, at 1,000 exposures 1.71 bits per parameter" in text
    assert "mean of 3 seeds, 1.70 to 1.72" in text
    assert "– to –" not in text
    assert "The plateau is unknown" in text and "nan" not in text.lower()


def test_a_hostile_seed_stays_text() -> None:
    rows: list[dict[str, Any]] = [{**row, "seed": NASTY} for row in published_rows()]
    page = capacity_page(rows, command=NASTY, source=NASTY, title=NASTY, date=DATE)
    assert NASTY not in page and html.escape("<img src=x") in page


def test_unknown_columns_are_empty_in_the_file(page: str) -> None:
    assert {row["steps"] for row in table(page)} == {""}
    assert math.isclose(float(table(page)[0]["params"]), 816e3)


def test_it_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = write_capacity(published_rows(), tmp_path / "c.html", date=DATE)
    assert [p.name for p in tmp_path.iterdir()] == ["c.html"]
    assert file.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(UsageError, match=r"does not end in \.html"):
        write_capacity(published_rows(), tmp_path / "c.pdf")
    with pytest.raises(UsageError, match="does not exist"):
        write_capacity(published_rows(), tmp_path / "no" / "c.html")


def test_the_same_results_make_the_same_bytes(page: str) -> None:
    again = capacity_page(published_rows(), source="figure 1a", command="kleiber x", date=DATE)
    assert again == page
