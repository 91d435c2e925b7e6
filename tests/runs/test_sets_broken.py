"""A set's file cut short, changed or empty: one sentence that names it, and the others go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from kleiber.cli import run
from kleiber.errors import InputError
from kleiber.runs import collections as sets
from kleiber.runs.sets.compare import compare
from kleiber.runs.sets.folder import Folder
from kleiber.runs.witnesses import witnesses

Real = Callable[[str], str]
# Text, gzip, JSON lines, Parquet, a tracker's export; a family that is read from the file.
FILES = {
    "gadre_overtraining": ("models_losses_wide.csv", "rpj/openlm"),
    "epoch_chinchilla": ("svg_extracted_data.csv", "chinchilla"),
    "misfitting": ("scaling_results.csv", "best"),
    "olmo_ladder": ("data/ladder-runs/1B-1xC.csv", "c4_en"),
    "routing_clark2022": ("curves.csv.gz", "Dense"),
    "multi_power_law": ("loss_curve_repo/csv_100/cosine_24000.csv", "wsd_20000_24000"),
}
COLPRET = {
    "original/raw_data/gzip/results_new.jsonl": "gzip-gzipscale-0.12-10M",
    "original/aggregated_eval/opt_trajectories.csv": "OPT",
    "tidy.parquet": "pythia/lambada_openai ppl",
}
CASES = [(name, *case) for name, case in FILES.items()]
CASES += [("colpret", file, family) for file, family in COLPRET.items()]


def harmed(data: bytes, how: str) -> bytes:
    """Return a file's bytes with a fault; of "a line less" no reader of tables could tell."""
    if how == "a digit":
        middle = next(i for i in range(len(data) // 2, len(data)) if data[i : i + 1].isdigit())
        return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    cuts = {"empty": 0, "3,000 bytes": min(3000, len(data) // 2), "half": len(data) // 2}
    cuts["a line less"] = data.rstrip(b"\n").rfind(b"\n") + 1
    return data[: cuts[how]]


@pytest.fixture
def copied(real: Real, tmp_path: Path) -> Callable[[str], Path]:
    """Return a maker of copies of a set in a folder of sets."""

    def copy(name: str) -> Path:
        shutil.copytree(real(name), tmp_path / name)
        return tmp_path

    return copy


@pytest.mark.parametrize("how", ["empty", "3,000 bytes", "half", "a line less", "a digit"])
@pytest.mark.parametrize(("name", "file", "family"), CASES)
def test_a_harmed_file_is_named_in_one_sentence_or_a_note(
    copied: Callable[[str], Path], name: str, file: str, family: str, how: str
) -> None:
    root = copied(name)
    target = root / name / file
    before = target.read_bytes()
    target.write_bytes(harmed(before, how))
    assert target.read_bytes() != before
    try:
        said = [note.message for note in sets.load(name, family, root, as_published=True).notes]
    except InputError as error:
        assert "fresh copy" in error.remedy and "\n" not in str(error)
        said = [error.message]
    (found,) = [one for one in said if str(target) in one]
    published = f"is not the published file: {len(harmed(before, how)):,} bytes" in found
    assert published or "is no table" in found or "is a broken Parquet file" in found
    assert "\n" not in found
    target.write_bytes(before)
    assert sets.values(name, family, root).height


def test_the_others_go_on(copied: Callable[[str], Path]) -> None:
    root = copied("gadre_overtraining")
    whole = [family.key for family, _ in witnesses(copied("misfitting"))]
    assert {key.partition("/")[0] for key in whole} == {"gadre_overtraining", "misfitting"}
    target = root / "gadre_overtraining" / "models_losses_wide.csv"
    target.write_bytes(target.read_bytes()[:3000])
    said: list[str] = []
    found = [family.key for family, _ in witnesses(root, said.append)]
    assert found == [key for key in whole if key.startswith("misfitting")]
    (named,) = [one for one in said if "gadre_overtraining" in one]
    assert "models_losses_wide.csv" in named and "3,000 bytes" in named
    with pytest.raises(InputError, match=r"models_losses_wide\.csv"):
        list(sets.cross_entropies(root, sets=["gadre_overtraining"]))
    shutil.rmtree(root / "misfitting")
    with pytest.raises(InputError, match="None of the public sets is there"):
        witnesses(root)


def test_a_study_and_calibrate_list_what_is_absent(
    copied: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("gadre_overtraining", "epoch_chinchilla", "kyo_takano_chinchilla", "misfitting"):
        root = copied(name)
    target = root / "gadre_overtraining" / "models_losses_wide.csv"
    target.write_bytes(target.read_bytes()[:3000])
    assert run(["study", "findings-real", "--from", str(root), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    rows = {row["in"].partition("/")[0] for row in said["rows"]} - {"-"}
    assert rows and rows <= {"epoch_chinchilla", "misfitting"}
    assert run(["study", "findings-real", "--from", str(root)]) == 0
    assert "Not there: 'models_losses_wide.csv' of gadre_over" in capsys.readouterr().out
    assert run(["calibrate", "--from", str(root)]) == 0
    err = capsys.readouterr().err
    assert "not there: 'models_losses_wide.csv' of gadre_overtraining at " in err
    assert "Traceback" not in err


def test_a_file_that_cannot_be_read(
    copied: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    root = copied("bench")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InputError, match=r"points\.csv' of the set bench cannot be read: Perm"):
        sets.load("bench", "points", root)


def test_a_file_of_no_known_checksum_is_still_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_bytes(b"")
    with pytest.raises(InputError, match=r"more\.csv' of the set bench is no table"):
        Folder("bench", tmp_path).table("more.csv")


def test_a_broken_tidy_table_is_not_compared(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "tidy.parquet")
    (tmp_path / "tidy.parquet").write_bytes((tmp_path / "tidy.parquet").read_bytes()[:50])
    with pytest.raises(InputError, match="is a broken Parquet file"):
        compare(Folder("colpret", tmp_path))
