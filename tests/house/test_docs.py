"""What the README and the docs print is what the code prints now."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COGGED = [page for page in PAGES if "[[[cog" in page.read_text(encoding="utf-8")]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def test_printed_outputs_are_up_to_date() -> None:
    command = [sys.executable, "-m", "cogapp", "--check", "--diff", *map(str, COGGED)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"run `make readme`:\n{done.stdout}{done.stderr}"


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@each_page
def test_every_page_is_in_the_contents(page: Path) -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert page.name in ("README.md", "index.md") or f"\n{page.stem}\n" in index
