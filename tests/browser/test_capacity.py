"""The page of a measured capacity in a real browser: drawn, readable, its runs told."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kleiber.reporting import write_capacity
from kleiber.studies.capacity_fit import published_rows

pytestmark = pytest.mark.browser

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the page of the published curve, under the name that `visit` opens."""
    path = tmp_path_factory.mktemp("capacity") / "capacity.html"
    return write_capacity(published_rows(), path, source="<script>alert(1)</script>")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_it_is_drawn_and_fits(visit: Callable[..., Any], scheme: str, size: dict[str, int]) -> None:
    page = visit(color_scheme=scheme, viewport=size)
    assert page.locator("figure.drawn .live svg").count() == 1
    assert page.locator("figure.failed").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    back = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    assert (min(map(int, re.findall(r"\d+", back))) > 200) == (scheme == "light")


def test_the_plateau_is_the_first_thing_seen(visit: Callable[..., Any]) -> None:
    page = visit(viewport=WIDE)
    assert page.get_by_role("heading", level=1).inner_text() == "Bits of knowledge per parameter"
    box = page.get_by_text("2.33").first.bounding_box()
    assert box is not None and box["y"] < WIDE["height"]


def test_hover_tells_of_a_model(visit: Callable[..., Any]) -> None:
    page = visit(viewport=WIDE, reduced_motion="reduce")
    marks = page.locator("#figure-capacity .mark-symbol path")
    mark = next(one for one in marks.element_handles() if one.is_visible())
    mark.evaluate("node => node.parentNode.append(node)")
    mark.scroll_into_view_if_needed()
    page.wait_for_timeout(200)  # a scroll hides what was shown
    mark.hover()
    tip = page.get_by_role("tooltip")
    tip.wait_for(state="visible")
    assert "people" in tip.inner_text()


def test_columns_sort_and_the_data_can_be_saved(visit: Callable[..., Any], tmp_path: Path) -> None:
    page = visit(viewport=WIDE, accept_downloads=True)
    head = page.locator("#data table").first.get_by_role("columnheader", name="stored")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download them as CSV").click()
    waiting.value.save_as(tmp_path / "table.csv")
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 38


def test_without_scripts_the_still_picture_stands(visit: Callable[..., Any]) -> None:
    page = visit(drawn=False, java_script_enabled=False, viewport=WIDE)
    box = page.locator("#figure-capacity img.still").bounding_box()
    assert box["width"] > 400 and box["height"] > 150
