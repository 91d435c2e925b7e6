"""One version everywhere, and the files that a release needs."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import kleiber


@pytest.fixture(scope="module")
def version(root: Path) -> str:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]


def test_installed_version(version: str) -> None:
    assert metadata.version("kleiber") == version
    assert kleiber.__version__ == version


def test_changelog_opens_with_this_version(root: Path, version: str) -> None:
    versions = re.findall(r"^## \[([^\]]+)\]", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert next(name for name in versions if name != "Unreleased") == version


def test_citation_has_this_version(root: Path, version: str) -> None:
    assert f"\nversion: {version}\n" in (root / "CITATION.cff").read_text()


def test_every_pin_is_exact(root: Path) -> None:
    for file in (root / "requirements").glob("*.txt"):
        for line in file.read_text().splitlines():
            exact = re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+", line)
            assert exact or not line or line.startswith(("#", "-r ")), f"{file.name}: {line}"


def test_direct_dependencies_are_pinned(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    files = ("run.txt", "dev.txt", "reference.txt")  # the second asks for the others
    pins = "".join((root / "requirements" / name).read_text() for name in files)
    for need in project["dependencies"] + project["optional-dependencies"]["dev"]:
        name = re.split(r"[\[<>=]", need)[0]
        assert name == "kleiber" or f"\n{name}==" in pins, name
