"""What the tests of runs share: small tables, and the real files where they lie beside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kleiber.runs import Runs

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write text or bytes to a file and return its path."""

    def write_file(content: str | bytes, name: str = "runs.csv") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write_file


@pytest.fixture
def real() -> Callable[[str], str]:
    """Return the path of a real file, or skip where the data is not there."""

    def real_file(name: str) -> str:
        if not DATA.is_dir():
            pytest.skip("the public data sets are not beside the project")
        return str(DATA / name)

    return real_file


@pytest.fixture
def notes() -> Callable[[Runs, str], str]:
    """Return all that was noted of a kind, as one text."""
    return lambda runs, kind: " ".join(n.message for n in runs.notes if n.kind == kind)


@pytest.fixture
def ladder() -> Runs:
    """Two families of three sizes with four checkpoints a run, except one run with two."""
    rows = [
        {"run": f"{family}-{size}", "family": family, "params": size, "tokens": tokens,
         "loss": 1.7 + 400 / size**0.34 + 2000 / tokens**0.37 + shift}
        for family, shift in (("a", 0.0), ("b", 0.1))
        for size in (1e8, 3e8, 1e9)
        for tokens in ((1e9, 2e9, 5e9, 2e10) if (family, size) != ("a", 1e8) else (1e9, 2e9))
    ]  # fmt: skip
    return Runs.read(rows)
