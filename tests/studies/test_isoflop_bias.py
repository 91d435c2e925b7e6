"""The study of isoFLOP parabolas: published digits, one real set, and sets that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from kleiber.studies import isoflop_bias
from kleiber.studies.isoflop_bias import PUBLISHED, SURFACES, WIDTHS, noise_free


@pytest.mark.parametrize("name", SURFACES)
def test_the_published_digits(name: str) -> None:
    errors = [100 * noise_free(SURFACES[name], width) for width in WIDTHS]
    assert errors == pytest.approx(PUBLISHED[name], abs=1e-8)


def test_a_real_row_and_one_that_cannot_be_read(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (
        (f"{isoflop_bias.LLAMA}/raw_loss", "raw", isoflop_bias.LLAMA_FLOPS),
        ("no", "raw", 1e24),
    )
    monkeypatch.setattr(isoflop_bias, "REAL", rows)
    table = isoflop_bias.run(published)
    *_, real, unread = table.rows
    assert real["tokens %"] == "+58.0" and real["wasted %"] == "6.3"
    assert real["budgets used"] == "10 of 10"
    assert "no family 'no'" in unread["note"]
    assert any("give 58.0 % more tokens" in claim for claim in table.claims)
    assert "+58.0" in table.markdown()


def test_the_results_are_of_this_code(root: Path) -> None:
    text = (root / "results" / "isoflop_bias.md").read_text(encoding="utf-8")
    for printed in ("-2.9029", "-23.1163", "58.0 and 74.7 %"):
        assert printed in text
