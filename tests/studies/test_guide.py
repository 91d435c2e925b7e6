"""The guide's study on a few of the sets: its contract for scripts, held to the trials."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kleiber.cli import run as kleiber
from kleiber.errors import ValuesError
from kleiber.judging.calibration import CAPPED, by_source
from kleiber.judging.leave_out import Case, left_out, trials
from kleiber.runs.witnesses import witnesses
from kleiber.studies.guide import errors as measured
from kleiber.studies.guide.study import run
from kleiber.studies.table import Book, Table

SETS = ("epoch_chinchilla", "open_athena_isoflop")
CLUSTERS = ["chinchilla", "llama_3", "marin"]
NUMBERS = {
    "level",
    "covered",
    "low",
    "high",
    "clusters",
    "median_width",
    "interval_score",
    "interval_score_uncalibrated",
    "interval_score_constant",
}


@pytest.fixture(scope="module")
def folder(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds two of the sets, as the folder of all holds them."""
    found = tmp_path_factory.mktemp("sets")
    for name in SETS:
        shutil.copytree(published / name, found / name)
    return found


@pytest.fixture(scope="module")
def answer(folder: Path) -> dict[str, Any]:
    """What a script gets."""
    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        code = kleiber(["study", "guide", "--from", str(folder), "--json"])
    assert code == 0, said.getvalue()

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(out.getvalue(), parse_constant=refuse)


@pytest.fixture(scope="module")
def errors(folder: Path) -> measured.Errors:
    return measured.measure(witnesses(folder))


def test_the_contract_has_its_keys_and_types(answer: dict[str, Any]) -> None:
    assert (answer["schema"], answer["study"]) == ("kleiber.study/1", "guide")
    assert answer["clusters"] == CLUSTERS
    assert isinstance(answer["laws_fitted"], int) and answer["laws_fitted"] > 100
    for name in ("error", "error_weak", "error_plain"):
        assert list(answer[name]) == ["1", "2", "3", "4", "5", "all"]
        for row in answer[name].values():
            assert set(row) == {"median", "mean", "p90", "clusters"}
            assert row["clusters"] == 3
            assert 0 < row["median"] <= row["p90"] < 100
    assert set(answer["coverage"]) == NUMBERS
    for one in (answer["coverage"], *answer["coverage_by"].values()):
        assert one["level"] == 0.9
        assert 0 <= one["low"] <= one["covered"] <= one["high"] <= 1
        assert 0 < one["median_width"] < 100
    assert answer["coverage"] == answer["coverage_by"]["all"]


def test_sets_that_are_not_there_are_named(answer: dict[str, Any]) -> None:
    said = " ".join(answer["absent"])
    for name in ("misfitting", "gadre_overtraining", "olmo_ladder", "routing_clark2022", "colpret"):
        assert f"The set {name} is not in" in said
    assert not any(name in said for name in SETS)
    assert answer["published"] is None  # the printed cells are of a set that is not there
    assert any(claim.startswith("Not there:") for claim in answer["tables"]["guide"]["claims"])


def test_the_errors_are_means_over_clusters_of_means_over_families(
    answer: dict[str, Any], errors: measured.Errors
) -> None:
    by_method = {"error": "prior", "error_weak": "weak", "error_plain": "plain"}
    for name, method in by_method.items():
        for k, row in answer[name].items():
            per_cluster: dict[str, list[float]] = {}
            for cell, missed in zip(errors.trials.cells, errors.relative[method], strict=True):
                if (cell.whole if k == "all" else cell.k == int(k)) and np.isfinite(missed):
                    per_cluster.setdefault(cell.case.cluster, []).append(min(missed, CAPPED))
            means = [100 * np.mean(values) for values in per_cluster.values()]
            assert row["mean"] == pytest.approx(np.mean(means), rel=1e-9)
            assert row["median"] == pytest.approx(np.median(means), rel=1e-9)
            assert row["clusters"] == len(means)


def test_the_baselines_are_what_they_say(errors: measured.Errors) -> None:
    for i, cell in enumerate(errors.trials.cells):
        seen, hidden = cell.case.points.take(cell.seen), cell.case.points.take(cell.hidden)
        best = np.mean(np.abs(seen.loss.min() / hidden.loss - 1))
        assert errors.relative["best"][i] == pytest.approx(best, rel=1e-9)
        largest = seen.loss[np.argmax(seen.params * seen.tokens)]
        most = np.mean(np.abs(largest / hidden.loss - 1))
        assert errors.relative["most"][i] == pytest.approx(most, rel=1e-9)


def test_the_guides_fit_is_scipys_from_its_published_start(errors: measured.Errors) -> None:
    from scipy.optimize import curve_fit

    families = {family.key: runs.points() for family, runs in witnesses_of(errors)}
    done = 0
    for i, cell in enumerate(errors.trials.cells):
        if not cell.whole or cell.case.cluster != "marin":
            continue
        points = families[cell.case.key]
        seen = points.take(np.isin(points.params, cell.sizes))
        late = seen.take(seen.tokens > 1e10)
        if len(late) > 5 and len(np.unique(late.params)) == cell.k:
            seen = late
        # Muennighoff et al. 2023, the start that the guide takes: logs of A, B, E, and exponents.
        start = [7.3, 0.626, 0.353, 6.255, 0.353]

        def law(x: Any, b: float, e: float, beta: float, a: float, alpha: float) -> Any:
            return np.exp(e) + np.exp(a) / x[0] ** alpha + np.exp(b) / x[1] ** beta

        lower = [-np.inf, -np.inf, 0, -np.inf, 0]
        x = np.stack([seen.params, seen.tokens])
        values = curve_fit(law, x, seen.loss, p0=start, bounds=(lower, np.inf))[0]
        hidden = cell.case.points.take(cell.hidden)
        z = law(np.stack([hidden.params, hidden.tokens]), *values)
        by_hand = np.mean(np.abs(z / hidden.loss - 1))
        assert errors.relative["guide"][i] == pytest.approx(by_hand, abs=2e-3)
        done += 1
    assert done == 3


def witnesses_of(errors: measured.Errors) -> Any:
    from kleiber.runs.collections import cross_entropies

    keys = {cell.case.key for cell in errors.trials.cells}
    folder = Path(__file__).parents[3] / "shared" / "data"
    return [pair for pair in cross_entropies(folder, sets=SETS) if pair[0].key in keys]


def test_the_same_families_stand_at_every_number_of_sizes(errors: measured.Errors) -> None:
    rows = measured.same_clusters(errors)
    assert [row["sizes seen"] for row in rows] == ["1", "2", "3", "4", "all"]
    assert len({row["families"] for row in rows}) == len({row["clusters"] for row in rows}) == 1


def test_a_cluster_much_worse_than_the_weak_prior_is_marked(errors: measured.Errors) -> None:
    rows = measured.by_cluster(errors)
    assert {row["cluster"] for row in rows} == set(CLUSTERS)
    for row in rows:
        ratio = float(row["prior"]) / float(row["weak"])
        if abs(ratio - 1.2) > 0.05:
            assert (row["worse"] == "worse") == (ratio > 1.2), row
    chosen = errors.cells("all")
    ours = by_source(errors.relative["prior"], chosen, errors.trials.clusters)
    for row in rows:
        if row["sizes seen"] == "all":
            assert float(row["prior"]) == pytest.approx(100 * ours[row["cluster"]], abs=0.006)


def test_one_source_cannot_be_judged_alone(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "epoch_chinchilla", tmp_path / "epoch_chinchilla")
    with pytest.raises(ValuesError, match="with its source left out: there are 1, of chinchilla"):
        run(tmp_path)
    (_, runs), *_ = witnesses(tmp_path)
    case = Case.of("a", "a", runs.points())
    with pytest.raises(ValuesError, match="there are 1, of a"):
        trials([case], left_out([case])[1])


def test_an_empty_folder_and_a_folder_without_printed_cells_are_said(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kleiber(["study", "guide", "--from", str(tmp_path)]) == 1
    assert "None of the public sets is there" in capsys.readouterr().err
    assert kleiber(["study", "guide", "--from", str(folder), "--as-published"]) == 1
    said = capsys.readouterr().err
    assert "has no file of the guide's printed cells" in said and "Traceback" not in said


def test_a_book_is_its_tables_under_one_name(tmp_path: Path) -> None:
    tables = [
        Table(name, f"Title {name}", "command", ("a",), [{"a": value}], claims=[f"claim {name}"])
        for name, value in (("first", 1.25), ("second", float("nan")))
    ]
    book = Book(tables, extra={"number": 3})
    assert book.write(tmp_path).name == "first.md"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first.json", "first.md"]
    text = (tmp_path / "first.md").read_text()
    assert text.startswith("# Title first\n") and "\n## Title second\n" in text
    assert text.count("Made by `command`") == 1
    content = json.loads((tmp_path / "first.json").read_text())
    assert content["number"] == 3 and list(content["tables"]) == ["first", "second"]
    assert content["tables"]["second"] == {
        "title": "Title second",
        "claims": ["claim second"],
        "rows": [{"a": None}],
    }
