"""Public sets where a table is asked for, and tables in gzip archives."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kleiber.cli import run
from kleiber.errors import InputError, KleiberError, UnitError, UsageError
from kleiber.fitting import fit
from kleiber.runs import Runs
from kleiber.runs import collections as sets
from kleiber.runs.readers import files

Real = Callable[[str], str]
CSV = b"run,params,tokens,loss\na,1e8,2e9,3.5\nb,2e8,4e9,3.2\nc,4e8,8e9,3.0\n"


@pytest.fixture
def data(real: Real, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Say in $KLEIBER_DATA where the sets are."""
    monkeypatch.setenv("KLEIBER_DATA", real(""))
    return Path(real(""))


def test_a_family_by_name_is_what_load_returns(data: Path) -> None:
    for name, family in (("olmo_ladder", "c4_en"), ("colpret", "OPT"), ("bench", "points")):
        found, known = Runs.read(f"set:{name}/{family}"), sets.load(name, family)
        assert found.frame.equals(known.frame)
        assert (found.unit, found.notes, found.source) == (known.unit, known.notes, known.source)


def test_a_whole_set_by_name_has_families_to_choose_from(data: Path) -> None:
    whole = Runs.read("set:gadre_overtraining")
    assert len(whole.families) == 24
    one = Runs.read("set:gadre_overtraining/rpj/openlm")
    assert sorted(whole.select(family="rpj/openlm").frame["loss"]) == sorted(one.frame["loss"])


def test_the_command_line_takes_a_set_where_it_takes_a_table(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = ["--params", "175B", "--tokens", "280B", "--json"]
    assert run(["predict", "set:colpret/OPT", *target]) == 0
    named = json.loads(capsys.readouterr().out)
    opt = sets.load("colpret", "OPT")
    assert named["prediction"] == pytest.approx(fit(opt).predict(175e9, 280e9).value, rel=1e-12)
    assert named["command"].startswith("kleiber predict set:colpret/OPT ")
    for verb in (["runs"], ["backtest"], ["choose", "--params", "175B", "--tokens", "280B"]):
        assert run([verb[0], "set:colpret", "--family", "OPT", *verb[1:]]) == 0
    assert "OPT" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "kind", "said", "remedy"),
    [
        ("set:colpret/OPTT", UsageError, "no family 'OPTT'", "near are OPT"),
        ("set:colprett/OPT", UsageError, "no set 'colprett' (close: colpret)", "epoch_chin"),
        ("set:", UsageError, "There is no set ''", "colpret"),
        ("set:obs_scaling/benchmarks", UnitError, "accuracy", "values"),
        ("colpret/OPT", InputError, "no file 'colpret/OPT'", "write set:colpret/OPT"),
        (["set:colpret/OPT", "runs.csv"], InputError, "other tables", "nothing else"),
    ],
)
def test_names_that_are_not_there(
    data: Path, source: object, kind: type[KleiberError], said: str, remedy: str
) -> None:
    with pytest.raises(kind) as caught:
        Runs.read(source)
    assert said in str(caught.value) and remedy in caught.value.remedy


def test_a_set_says_itself_what_it_holds(data: Path) -> None:
    with pytest.raises(UsageError, match=r"columns, unit were given\. Leave out --columns, --unit"):
        Runs.read("set:colpret/OPT", unit="ppl", columns="loss=ppl")
    assert Runs.read("set:colpret/OPT", params_are="total").params_are == "total"
    with pytest.raises(UsageError, match="are active, and 'total' was said"):
        Runs.read("set:routing_clark2022/Dense", params_are="total")


def test_a_set_that_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KLEIBER_DATA", raising=False)
    monkeypatch.setenv("KLEIBER_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"colpret is not in .*data get colpret.*KLEIBER_DATA"):
        Runs.read("set:colpret/OPT")


def test_a_file_of_a_set_given_as_a_table_names_the_set(data: Path) -> None:
    with pytest.raises(InputError, match=r"set:colpret/FAMILY"):
        Runs.read(str(data / "colpret" / "tidy.parquet"))


def test_a_gzipped_table_is_the_table(write: Callable[..., str]) -> None:
    plain = Runs.read(write(CSV))
    for name in ("runs.csv.gz", "runs.bin", "RUNS.CSV.GZ"):
        assert Runs.read(write(gzip.compress(CSV), name)).frame.equals(plain.frame)
    halves = gzip.compress(CSV[:40]) + gzip.compress(CSV[40:])  # as parallel packers write
    assert Runs.read(write(halves, "two.csv.gz")).frame.equals(plain.frame)
    tabs = gzip.compress(CSV.replace(b",", b"\t"))
    assert Runs.read(write(tabs, "runs.tsv.gz")).frame.equals(plain.frame)


def test_a_published_archive_is_read(data: Path, tmp_path: Path) -> None:
    source = data / "routing_clark2022" / "curves.csv.gz"
    columns = {"params": "dense_parameter_count", "tokens": "step", "loss": "loss_validation"}
    columns["run"] = "hyper_id"
    (tmp_path / "curves.csv").write_bytes(gzip.decompress(source.read_bytes()))
    found = Runs.read(str(source), columns=columns)
    assert found.frame.equals(Runs.read(str(tmp_path / "curves.csv"), columns=columns).frame)
    assert found.n_runs > 100


def test_archives_that_are_refused(
    write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = gzip.compress(CSV)
    for data, said in (
        (packed[:-12], "broken gzip archive"),
        (packed[:12] + b"\0\0\0" + packed[15:], "broken gzip archive"),
        (gzip.compress(packed), "gzip archive inside another"),
        (gzip.compress(b""), "is empty"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            Runs.read(write(data, "runs.csv.gz"))
        assert caught.value.remedy
    monkeypatch.setattr(files, "_MOST", 1000)
    with pytest.raises(InputError, match="of more than 1,000 bytes"):
        Runs.read(write(gzip.compress(CSV + b"\n" * 2000), "runs.csv.gz"))
