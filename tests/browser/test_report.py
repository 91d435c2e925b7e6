"""The page in a real browser: drawn, readable in both schemes, usable by hand and by key."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

NASTY = "<script>alert(1)</script>"
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

# The contrast of every visible text with what is behind it, as WCAG 2.1 measures it.
CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = rgb(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !node.checkVisibility()) continue;
    if (node.closest("svg, script, style")) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push([ratio.toFixed(2), walk.currentNode.data.trim().slice(0, 40)]);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_it_is_drawn_and_fits(visit: Callable[..., Any], scheme: str, size: dict[str, int]) -> None:
    page = visit(color_scheme=scheme, viewport=size)
    assert page.locator("figure.drawn .live svg").count() == 3
    assert page.locator("figure.failed").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("html").get_attribute("data-theme") == scheme
    back = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    assert (min(map(int, re.findall(r"\d+", back))) > 200) == (scheme == "light")
    assert page.evaluate(CONTRAST) == []


def test_hover_shows_the_run_as_text(visit: Callable[..., Any]) -> None:
    page = visit(viewport=WIDE, reduced_motion="reduce")
    tip = page.get_by_role("tooltip")
    assert tip.is_hidden()
    # Marks lie on one another: the first run's is brought to the front and pointed at.
    mark = page.locator("#figure-picture .mark-symbol path").first.element_handle()
    mark.evaluate("node => node.parentNode.append(node)")
    mark.scroll_into_view_if_needed()
    page.wait_for_timeout(200)  # a scroll hides what was shown
    mark.hover()
    tip.wait_for(state="visible")
    assert "loss" in tip.inner_text()
    assert NASTY in tip.inner_text()
    assert tip.locator("script").count() == 0
    page.keyboard.press("Escape")
    assert tip.is_hidden()


def test_a_hostile_name_is_text_in_the_table(visit: Callable[..., Any]) -> None:
    page = visit(viewport=WIDE)
    assert page.get_by_role("cell", name=NASTY, exact=True).first.is_visible()
    assert page.evaluate("document.querySelectorAll('main script:not([type])').length") == 0


def test_the_toggle_changes_theme_and_charts(visit: Callable[..., Any]) -> None:
    page = visit(viewport=WIDE, color_scheme="light")
    label = "() => document.querySelector('#figure-picture .role-axis-label text')"
    before = page.evaluate(f"({label})().getAttribute('fill')")
    page.get_by_role("button", name="Dark theme").click()
    page.wait_for_function(f"before => ({label})().getAttribute('fill') !== before", arg=before)
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_role("button", name="Light theme").click()
    page.wait_for_function(f"before => ({label})().getAttribute('fill') === before", arg=before)


def test_the_keyboard_reaches_everything(visit: Callable[..., Any]) -> None:
    page = visit(viewport=WIDE)
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], button, summary, [tabindex]')]"
        ".filter((node) => node.checkVisibility()).length"
    )
    reached: set[str] = set()
    for _ in range(wanted + 20):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(() => { const node = document.activeElement;"
                " node.dataset.reached ??= String(Math.random());"
                " return node === document.body ? '' : node.dataset.reached; })()"
            )
        )
    assert len(reached - {""}) == wanted
    first = page.locator("summary").first
    first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details[open]").count() == 1


def test_columns_sort_over_both_tables(visit: Callable[..., Any]) -> None:
    page = visit(viewport=WIDE)
    head = page.locator("#data table").first.get_by_role("columnheader", name="loss")
    losses = "[...document.querySelectorAll('#data tbody tr')].map((r) => +r.cells[4].textContent)"
    for direction in ("ascending", "descending"):
        head.get_by_role("button").focus()
        page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == direction
        found = page.evaluate(losses)
        assert len(found) == 260
        assert found == sorted(found, reverse=direction == "descending")


def test_a_chart_and_the_data_can_be_saved(visit: Callable[..., Any], tmp_path: Path) -> None:
    page = visit(viewport=WIDE, accept_downloads=True)
    figure = page.locator("#figure-residuals")
    for kind, begins in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as waiting:
            figure.get_by_role("button", name=f"Save {kind}").click()
        waiting.value.save_as(tmp_path / kind)
        assert (tmp_path / kind).read_bytes().startswith(begins)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download them as CSV").click()
    assert waiting.value.suggested_filename == "kleiber-runs.csv"


def test_landmarks_and_headings_are_there_for_a_reader(visit: Callable[..., Any]) -> None:
    page = visit(viewport=WIDE)
    for role in ("banner", "main", "contentinfo", "navigation"):
        assert page.get_by_role(role).count() == 1
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map((h) => +h.tagName[1])")
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert page.get_by_role("img").count() == 3


def test_without_scripts_the_still_pictures_stand(visit: Callable[..., Any]) -> None:
    page = visit(drawn=False, java_script_enabled=False, viewport=WIDE)
    for name in ("picture", "residuals", "hidden"):
        box = page.locator(f"#figure-{name} img.still").bounding_box()
        assert box["width"] > 400 and box["height"] > 150


def test_on_paper_it_is_light_and_still(visit: Callable[..., Any]) -> None:
    page = visit(viewport=WIDE, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator("#figure-picture img.still").is_visible()
    assert page.locator("#theme").is_hidden()
    ink = page.locator("h1").evaluate("h => getComputedStyle(h).color")
    assert max(map(int, re.findall(r"\d+", ink))) < 100
