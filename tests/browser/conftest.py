"""A real Chromium and a page of hostile runs; skipped where either is not to be had."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kleiber import Runs, check, fit
from kleiber.reporting import hide_again, write

NASTY = "<script>alert(1)</script>"
# No sandbox for a browser that runs as root; nothing of its own is asked of any network.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HERE = ("file:", "data:", "blob:")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start Debian's Chromium, or skip and say what is missing."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (pip install playwright)"
    )
    named = os.environ.get("KLEIBER_CHROMIUM")
    place = named or shutil.which("chromium") or shutil.which("chromium-browser")
    if place is None:
        pytest.skip("no Chromium found (apt-get install chromium, or set KLEIBER_CHROMIUM)")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=place, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the page of 260 runs, the first of which is a script by its name."""
    rng = np.random.default_rng(0)
    params = rng.choice(np.geomspace(1e7, 3e9, 8), 260)
    tokens = 10 ** rng.uniform(8.5, 11.5, 260)
    loss = (1.7 + 400 / params**0.34 + 1800 / tokens**0.36) * np.exp(
        0.01 * rng.standard_normal(260)
    )
    names = [NASTY, *(f"run-{i}" for i in range(1, 260))]
    made = fit(Runs.read({"run": names, "params": params, "tokens": tokens, "loss": loss}))
    prediction = made.predict("70B", "1.4T")
    return write(
        made,
        tmp_path_factory.mktemp("page") / "report.html",
        prediction=prediction,
        hidden=hide_again(made),
        findings=check(made, prediction),
        command="kleiber report runs.csv -o report.html",
    )


@pytest.fixture
def visit(browser: Any, report: Path) -> Iterator[Callable[..., Any]]:
    """Open the page; afterwards nothing was asked of a network and nothing complained."""
    wrong: list[str] = []
    contexts: list[Any] = []

    def opened(*, drawn: bool = True, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda r: r.url.startswith(HERE) or wrong.append(r.url))
        page.on("console", lambda m: wrong.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.goto(report.as_uri())
        if drawn:
            page.wait_for_selector("html[data-drawn]", timeout=20_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []
