"""What the findings say of real runs: every public family fitted and checked."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from kleiber.errors import KleiberError
from kleiber.fitting import fit
from kleiber.judging import check
from kleiber.judging.finding import TITLES
from kleiber.runs.collections import cross_entropies
from kleiber.studies.table import Table


def run(data: Path) -> Table:
    """Return how often each finding fires on real families, with one example each."""
    said: dict[str, list[tuple[str, str]]] = defaultdict(list)
    fitted = refused = quiet = 0
    absent: list[str] = []
    for family, runs in cross_entropies(data, absent=absent.append):
        try:
            found = check(fit(runs))
        except KleiberError:
            refused += 1
            continue
        fitted += 1
        quiet += not any(finding.severity == "issue" for finding in found)
        for finding in found:
            said[finding.code].append((family.key, finding.message))
    rows = [
        {
            "code": code,
            "finding": title,
            "families": len({key for key, _ in said[code]}),
            "in": said[code][0][0] if said[code] else "-",
            "it says": said[code][0][1] if said[code] else "-",
        }
        for code, title in TITLES.items()
    ]
    return Table(
        name="findings_real",
        title="What the findings say of public families",
        command="kleiber study findings-real --out results",
        columns=("code", "finding", "families", "in", "it says"),
        rows=rows,
        claims=[
            f"{fitted} families fitted with defaults, {refused} refused; {quiet} have no issue.",
        ],
        notes=(
            "K004 is of a prediction, and none was asked for.",
            *(f"Not there: {one}" for one in absent),
        ),
        seed=0,
    )
