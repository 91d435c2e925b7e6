"""Every public set read from its files as published: counts as its README and the papers say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from kleiber.errors import InputError, UnitError, UsageError, ValuesError
from kleiber.runs import collections as sets
from kleiber.runs.sets.record import Family

Real = Callable[[str], str]
NAMES = [one.name for one in sets.COLLECTIONS]


@pytest.fixture
def data(real: Real) -> str:
    """Return the folder of all sets, or skip where they are not beside the project."""
    return real("")


def rows_of(name: str, data: str, family: str | None = None) -> pl.DataFrame:
    return sets.values(name, family, data)


@pytest.mark.parametrize("name", NAMES)
def test_every_declared_family_is_read_and_no_other(name: str, data: str) -> None:
    read = set(rows_of(name, data)["family"].unique())
    assert read == {one.name for one in sets.collection(name).families}


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_those_published(name: str, data: str) -> None:
    rows, counts = rows_of(name, data), sets.collection(name).counts
    made = pl.col("family").is_in(["olmo/pile", "finals", "best"])  # of other families' rows
    other = {
        "olmo_ladder": pl.col("family").str.contains("^downstream|^target-7B"),
        "gadre_overtraining": pl.col("unit") == "accuracy",
    }
    rows = rows.filter(~made & ~other.get(name, pl.lit(False)))
    group = pl.col("family").str.split("/").list.first()
    by_family = name in ("colpret", "bench")
    runs = rows.select(group if by_family else pl.lit(0).alias("family"), "run").n_unique()
    assert (rows.height, runs) == (counts["rows"], counts["runs"])


def test_sizes_and_metrics(data: str) -> None:
    """245, 947, 4,852 of 240 and 261 finals, 104 of 8 losses, 110,639 of 30, 5,799 of 223."""
    counted = {
        "misfitting": rows_of("misfitting", data, "finals"),
        "gadre": rows_of("gadre_overtraining", data),
        "ladder": rows_of("olmo_ladder", data),
        "clark": rows_of("routing_clark2022", data),
    }
    assert counted["misfitting"].height == 261
    assert counted["misfitting"]["run"].n_unique() == 261
    assert counted["misfitting"]["params"].n_unique() == 11
    tasks = counted["gadre"].filter(pl.col("unit") == "accuracy")
    assert (tasks.height, tasks["metric"].n_unique()) == (4784, 46)
    losses = counted["gadre"].filter(pl.col("unit") == "nats")
    assert (losses["metric"].n_unique(), losses["recipe"].n_unique()) == (8, 3)
    tracked = counted["ladder"].filter(
        pl.col("family").str.starts_with("bpb/") | ~pl.col("family").str.contains("/|downstream")
    )
    assert (tracked.height, tracked["family"].n_unique()) == (110_639, 31)
    assert tracked["params"].n_unique() == 5
    plain = [f.name for f in sets.collection("routing_clark2022").families if "/" not in f.name]
    assert len(plain) == 28
    assert counted["clark"].filter(pl.col("family").is_in(plain))["run"].n_unique() == 166


def test_clark_has_seeds_and_experts(data: str) -> None:
    dense = sets.load("routing_clark2022", "Dense", data)
    seeds = dense.frame.filter(pl.col("params") == 132163584.0, pl.col("final"))
    assert sorted(seeds["seed"]) == ["1", "2", "3"]
    assert np.std(seeds["loss"].to_numpy(), ddof=1) == pytest.approx(0.00067, rel=0.01)
    routed = sets.load("routing_clark2022", "RL-R-512", data)
    assert routed.frame["experts"].unique().to_list() == [512]
    assert routed.params_are == "active"


def test_ladder_repeats_are_seeds(data: str) -> None:
    runs = sets.load("olmo_ladder", "c4_en", data)
    assert sorted(set(runs.frame["seed"])) == ["first", "rerun"]
    finals = runs.select(points="finals").frame
    pairs = finals.filter(pl.col("run").str.contains("-1xC"))
    assert pairs.height == 10
    for size in pairs["params"].unique():
        low, high = sorted(pairs.filter(pl.col("params") == size)["loss"])
        assert (high - low) / low < 0.002
    target = sets.load("olmo_ladder", "target-7B/c4_en", data)
    assert target.sizes == (6887575552,)


def test_repetition_has_epochs_and_unique_tokens(data: str) -> None:
    rows = rows_of("colpret", data, "GPT2-c4-44ep")
    assert rows["epochs"].unique().to_list() == [44]
    assert rows.filter(pl.col("params") == 2.8e9)["unique_tokens"].unique().to_list() == [1.25e9]
    runs = sets.load("colpret", "GPT2-c4-44ep", data)
    assert (runs.n_runs, "unique_tokens" in runs.frame.columns) == (3, True)
    contour = rows_of("colpret", data, "GPT2-contour")
    ratio = (contour["unique_tokens"] * contour["epochs"] / contour["tokens"]).to_numpy()
    assert ratio == pytest.approx(np.ones(229))


def test_opt_is_perplexity_as_published_and_nats_when_read(data: str) -> None:
    assert sets.family("colpret", "OPT").unit == "perplexity"
    runs = sets.load("colpret", "OPT", data)
    raw = sets.load("colpret", "OPT", data, as_published=True)
    assert (str(runs.unit), str(raw.unit)) == ("ppl", "nats")
    assert raw.frame["loss"].max() == 67.52265444265277
    assert runs.frame["loss"].to_numpy() == pytest.approx(np.log(raw.frame["loss"].to_numpy()))
    assert "perplexity, kept as published" in raw.notes[0].message


def test_colpret_by_families_of_the_paper(data: str) -> None:
    rows = rows_of("colpret", data)
    count = dict(rows.group_by("family").len().iter_rows())
    assert count["chinchilla"] == 245
    assert sum(n for name, n in count.items() if name.startswith(("GPT2-c4-", "GPT2-osc"))) == 9261
    assert (count["GPT2-contour"], count["GPT2-c4py/text"], count["GPT2-c4py/code"]) == (
        *(229, 148, 148),
    )
    assert (count["gpt3/val_loss"], count["gpt3/train_loss"]) == (6506, 5591)
    assert (count["OPT"], count["t5-pile/val_perplexity"], count["llm360Mamba"]) == (
        *(142, 803, 44_174),
    )
    assert sum(n for name, n in count.items() if name.startswith("gzip")) == 150
    assert count["redPajama"] == 71 + 62 + 2  # lines of the two files, the last without an end
    assert sum(n for name, n in count.items() if name.startswith("revisiting-vision")) == 18_883


def test_the_pile_of_olmo_is_one_family_of_two_sizes(data: str) -> None:
    assert sets.load("colpret", "olmo/pile", data).sizes == (1e9, 7e9)


def test_scores_have_values_and_no_runs(data: str) -> None:
    with pytest.raises(UnitError, match="nothing makes nats"):
        sets.load("colpret", "K2/tasks", data)
    assert rows_of("colpret", data, "K2/tasks")["metric"].n_unique() == 5
    with pytest.raises(UnitError, match="no cross-entropy"):
        sets.load("obs_scaling", folder=data)
    with pytest.raises(ValuesError, match="do not say its params"):
        sets.load("toy_wikitext", "wikitext", data)


def test_cross_entropies_for_a_back_test(data: str) -> None:
    found = list(sets.cross_entropies(data))
    assert len(found) == len({record.key for record, _ in found}) == 111
    for record, runs in found:
        assert isinstance(record, Family)
        assert record.cross_entropy and not record.duplicate_of and not runs.synthetic
        assert len(runs.sizes) >= 3
        losses = runs.frame["loss"].to_numpy()
        assert 0.4 < losses.min() and losses.max() < 13.5, record.key
    clusters = {record.cluster for record, _ in found}
    assert len(clusters) == 14
    assert sum(record.cluster == "gadre" for record, _ in found) == 24
    assert sum(record.cluster == "olmo_ladder" for record, _ in found) == 11
    assert {r.cluster for r, _ in found if r.apart} == {"gzip", "multi_power_law"}


def test_a_whole_set_is_one_table(data: str) -> None:
    runs = sets.load("olmo_ladder", folder=data)
    assert len(runs.families) == 22
    assert runs.select(family="pile").n_runs == 30
    assert sets.load("bench", "points", data).synthetic


def test_a_set_is_found_in_several_layouts(data: str, monkeypatch, tmp_path) -> None:
    own = sets.load("epoch_chinchilla", folder=f"{data}/epoch_chinchilla")
    assert own.frame.equals(sets.load("epoch_chinchilla", folder=data).frame)
    monkeypatch.setenv("KLEIBER_DATA", data)
    assert len(sets.load("epoch_chinchilla")) == 245
    monkeypatch.delenv("KLEIBER_DATA")
    monkeypatch.setenv("KLEIBER_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="is not in") as caught:
        sets.load("epoch_chinchilla")
    assert "kleiber data get epoch_chinchilla" in caught.value.remedy


def test_unknown_names_name_their_neighbours() -> None:
    with pytest.raises(UsageError, match=r"no set 'colprett' \(close: colpret\)"):
        sets.collection("colprett")
    with pytest.raises(UsageError, match="no family 'OPTx'") as caught:
        sets.family("colpret", "OPTx")
    assert "OPT" in caught.value.remedy


def test_records_are_whole() -> None:
    keys = [one.key for found in sets.COLLECTIONS for one in found.families]
    assert len(keys) == len(set(keys))
    for found in sets.COLLECTIONS:
        assert found.files and found.good_for and found.beware and found.cite and found.licence
        assert {"rows", "runs"} <= set(found.counts)
        for one in found.families:
            assert one.collection == found.name
            assert one.cluster and one.metric
            assert not one.duplicate_of or one.duplicate_of in keys
