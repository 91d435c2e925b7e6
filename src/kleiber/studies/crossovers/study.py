"""Train the three cases, say what each came to, and what was said of its top rung beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kleiber.errors import InputError
from kleiber.judging.compare.comparison import Comparison
from kleiber.launching.ladder import LadderTrainer, train_ladder
from kleiber.recipes import Rung
from kleiber.studies.crossovers.cases import FRESH, POOL, Case, Cases
from kleiber.studies.crossovers.measured import Row, foretold, judged, rungs
from kleiber.studies.crossovers.resampled import Resampled, resample
from kleiber.studies.table import Book, Table
from kleiber.training.folder import RunFolder

WATCHED = ("attention_max", "grad_rms")
COLUMNS = (
    *("width", "FLOPs A", "FLOPs B", "loss A", "loss B", "seeds", "A - B", "lower", "upper"),
    "A - B at equal FLOPs",
    *("attention max A", "attention max B", "gradient rms A", "gradient rms B"),
)


def run(
    folder: Path,
    cases: Cases,
    *,
    jobs: int | None = None,
    train: LadderTrainer = train_ladder,
    progress: Callable[[str], None] = lambda _: None,
) -> Book:
    """Train what is not yet trained of all cases in the folder, and return their tables.

    A run whose loss was no number is left out of its rung, and named. Raises InputError where a
    run could not be trained for another reason.
    """
    wanted = cases.rungs()
    results, errors = train(wanted, folder, jobs=jobs)
    for name, why in errors.items():
        if "diverged" not in why["message"]:
            raise InputError(f"{name}: {why['message']}", remedy=why["remedy"])
    by_name = {rung.name: rung for rung in wanted}
    rows = [_row(one, by_name[one["run"]], folder) for one in results]
    return tabulate(rows, sorted(errors), resample(rows, cases, progress=progress), cases)


def tabulate(rows: Sequence[Row], failed: Sequence[str], again: Resampled, cases: Cases) -> Book:
    """Return a table of what was found, and one a case of its rungs."""
    pages = [Page.of(case, rows, cases) for case in cases]
    return Book(
        [_found(pages, failed, again, cases), *(page.table() for page in pages)],
        extra={
            "drawn": {page.case.name: page.drawn() for page in pages},
            "resamples": list(again.rows),
            "null_pairs": list(again.nulls),
            "runs": [dict(row) for row in rows],
        },
    )


class Page:
    """One case: its rungs, what was said of its top from the others, and the verdict beyond."""

    def __init__(
        self,
        case: Case,
        cases: Cases,
        found: Sequence[Row],
        before: Comparison,
        beyond: Comparison,
    ) -> None:
        self.case, self.cases, self.found = case, cases, found
        self.before, self.beyond = before, beyond

    @classmethod
    def of(cls, case: Case, rows: Sequence[Row], cases: Cases) -> Page:
        """Return the case's page, of the finished runs of all cases."""
        return cls(case, cases, rungs(case, rows), foretold(case, rows), judged(case, rows))

    def row(self) -> Row:
        """Return what was found, as a row."""
        top, said, cross = self.found[-1], self.before.difference, self.beyond.crossover
        return {
            "case": self.case.name,
            "A": self.case.a[0],
            "B": self.case.b[0],
            "A - B, smallest": self.found[0]["A - B"],
            "A - B, largest": top["A - B"],
            "largest, equal FLOPs": top["A - B at equal FLOPs"],
            "foretold": said.median,
            "interval": f"{said.lower:+.4f} to {said.upper:+.4f}",
            "inside": said.lower <= top["A - B at equal FLOPs"] <= said.upper,
            "verdict beforehand": self.before.verdict,
            "crossing": cross.said,
            "kind": cross.kind,
            "probability": cross.probability,
            "C*": cross.median,
            "C* interval": f"{cross.lower:.3g} to {cross.upper:.3g}",
            "between rungs": "{:.3g} and {:.3g}".format(*cross.bracket) if cross.bracket else "-",
            "verdict at 10 times": self.beyond.verdict,
        }

    def drawn(self) -> dict[str, Any]:
        """Return what the picture shows."""
        one = self.beyond.crossover
        return {
            "title": self.case.title,
            "a": self.case.a[0],
            "b": self.case.b[0],
            "rows": [dict(row) for row in self.found],
            "crossing": [one.lower, one.median, one.upper],
            "kind": one.kind,
            "known": self.cases.crossing_flops if self.case is self.cases.c2 else None,
        }

    def table(self) -> Table:
        """Return the rungs as a table."""
        first, second = self.case.a[0], self.case.b[0]
        return Table(
            name=f"{name_of(self.cases)}-{self.case.name.lower()}",
            title=f"{self.case.name}: {self.case.title}; A is {first}, B {second}",
            command=command_of(self.cases),
            columns=COLUMNS,
            rows=self.found,
            claims=[
                f"Published: {self.case.published}.",
                f"Before the largest rung was seen: {self.before.sentence()}.",
                f"From all rungs: {self.beyond.sentence()}; {self.beyond.crossover.said}.",
            ],
        )


def name_of(cases: Cases) -> str:
    """Return the name of a preset's table; that of cpu is the study's own."""
    return "crossovers" if cases.preset == "cpu" else f"crossovers-{cases.preset}"


def command_of(cases: Cases) -> str:
    """Return the command that makes a preset's tables."""
    asked = "" if cases.preset == "cpu" else f" --preset {cases.preset}"
    return f"kleiber study crossovers{asked} --out results"


def _found(pages: Sequence[Page], failed: Sequence[str], again: Resampled, cases: Cases) -> Table:
    size = len(again.rows)
    return Table(
        name=name_of(cases),
        title="Three pairs of recipes on ladders of real training",
        command=command_of(cases),
        columns=list(pages[0].row()),
        rows=[page.row() for page in pages],
        claims=[
            f"C2, {size} resamples of 3 seeds a rung from {POOL}: the 90 % interval of C* holds "
            f"the true crossing ({again.truth:.3g} FLOPs) in {again.held:.0%} (asked: 80 % at "
            f"least), {again.width:.2f} decades wide in the median.",
            f"C2, the verdict at the largest rung is that of {FRESH} fresh seeds "
            f"({again.expected}; their A - B is {again.fresh:+.4f} nats) in {again.agreed:.0%} of "
            "the resamples; "
            + ", ".join(f"{share:.0%} {word}" for word, share in _shares(again).items())
            + ".",
            f"C2, null pairs (one recipe, other seeds) have a winner in {again.won:.0%} of {size} "
            "(asked: 10 % at most).",
            f"Foretold from the rungs below, the interval held the difference at the largest in "
            f"{sum(page.row()['inside'] for page in pages)} of {len(pages)} cases.",
            *(
                f"{page.case.name}, published: {page.case.published}. Here: "
                f"{page.beyond.crossover.said}; A - B goes from {page.found[0]['A - B']:+.3f} to "
                f"{page.found[-1]['A - B']:+.3f} nats."
                for page in pages
            ),
            *([f"No number came of {', '.join(failed)}."] if failed else []),
        ],
        notes=(
            "A - B in nats a byte on held-out text, paired by seed, with a t interval at 90 % "
            "where a rung has more than one seed. FLOPs are "
            "exact, attention and head with them; arms of C3 differ in FLOPs at one width, so that "
            "A - B of a width favours B: at equal FLOPs B is read at A's compute, between B's own "
            "widths. Foretold: the difference at A's largest compute from the rungs below, with "
            "its 90 % interval; inside says whether it held that at equal FLOPs. Attention's "
            "largest score and the gradient's root mean square are of the last reading.",
        ),
        seed=0,
    )


def _shares(again: Resampled) -> Mapping[str, float]:
    words = [row["verdict"] for row in again.rows]
    return {word: words.count(word) / len(words) for word in dict.fromkeys(words)}


def _row(result: Mapping[str, Any], rung: Rung, folder: Path) -> Row:
    """Return a finished run with its width and what was watched at its end."""
    last = RunFolder(folder / rung.name).points()[-1]
    held = {**result, "recipe": rung.recipe, "width": rung.width}
    return {**held, **{name: last.get(name) for name in WATCHED}}
