"""The prior as a file, made again from the public sets, and the sources that it knows again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kleiber.errors import InputError, UsageError
from kleiber.fitting.bundle import (
    SCHEMA,
    Bundle,
    Source,
    bundle,
    bundled,
    named_bundle,
    prints_of,
    read_bundle,
)
from kleiber.fitting.prior import WEAK
from kleiber.fitting.shares import NAMES
from kleiber.runs import Points, Runs
from kleiber.runs.collections import load
from tests.known.ladder import LADDER

SOURCES = 14


def flat(content: Any, path: str = "") -> dict[str, Any]:
    """Return nested data as one dictionary from paths to leaves."""
    if isinstance(content, dict):
        pairs = content.items()
    elif isinstance(content, list | tuple):
        pairs = enumerate(content)
    else:
        return {path: content}
    return {k: v for name, one in pairs for k, v in flat(one, f"{path}/{name}").items()}


def same(one: Bundle, other: Bundle, tolerance: float) -> None:
    ours, theirs = (flat(x.to_dict() | {"made": None}) for x in (one, other))
    assert ours.keys() == theirs.keys()
    for path, value in ours.items():
        if isinstance(value, float):
            assert value == pytest.approx(theirs[path], abs=tolerance, nan_ok=True), path
        else:
            assert value == theirs[path], path


# The file.


def test_it_comes_back_from_json_as_it_went(tmp_path: Path) -> None:
    path = bundle().write(tmp_path / "prior.json")
    assert [p.name for p in tmp_path.iterdir()] == ["prior.json"]  # no partial file is left
    found = read_bundle(path)
    same(found, bundle(), 0.0)
    assert found.prior.sources == bundle().prior.sources
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_the_shipped_file_says_what_it_is() -> None:
    content = bundle().to_dict()
    assert content["schema"] == SCHEMA
    assert content["coordinates"] == list(NAMES)
    assert content["reference"] == {"params": 1e9, "tokens": 2e10}
    assert len(content["sources"]) == len(content["without"]) == SOURCES
    assert set(content["made"]) == {"date", "command"}
    assert set(bundle().calibration["scores"]) == set(content["sources"])
    assert set(bundle().calibration_weak["scores"]) == set(content["sources"])


def test_every_shipped_covariance_is_one() -> None:
    for prior in (bundle().prior, *bundle().without.values()):
        np.linalg.cholesky(prior.covariance)
        assert np.array_equal(prior.covariance, prior.covariance.T)


def test_the_shipped_file_is_what_the_public_sets_teach(taught: Any) -> None:
    same(taught.bundle, bundle(), 1e-4)


def test_a_prior_without_a_source_was_not_taught_by_it() -> None:
    whole = bundle()
    for name, prior in whole.without.items():
        assert set(prior.sources) == set(whole.sources) - {name}
        assert not np.array_equal(prior.mean, whole.prior.mean)
    assert whole.leaving_out(None) is whole.prior
    assert bundled() is whole.prior
    assert bundled(["gpt3"]) is whole.without["gpt3"]


def test_what_cannot_be_left_out_is_said() -> None:
    with pytest.raises(UsageError, match="no source 'gpt5'") as one:
        bundle().leaving_out("gpt5")
    assert "gpt3" in one.value.remedy
    with pytest.raises(UsageError, match="one source at a time; 2"):
        bundled(["gpt3", "OPT"])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"schema": "kleiber.fit/1"}',
        "\x00\x01",
        json.dumps({**bundle().to_dict(), "without": []}),
        json.dumps({**bundle().to_dict(), "prior": {"mean": [1]}}),
    ],
)
def test_a_file_that_is_no_prior_is_said(tmp_path: Path, content: str) -> None:
    path = tmp_path / "prior.json"
    path.write_text(content)
    with pytest.raises(InputError, match="is no prior"):
        read_bundle(path)
    with pytest.raises(InputError, match="is no prior"):
        read_bundle(tmp_path / "absent.json")


# Whose runs these are.


def runs_of(family: str, published: Path) -> Points:
    collection, name = family.split("/", 1)
    return load(collection, name, folder=published).points()


def test_every_family_that_taught_the_prior_is_known_and_as_no_others(
    public_families: Any, taught: Any
) -> None:
    known = {key for one in taught.bundle.sources.values() for key in one.families}
    claims = {f.key: (f.cluster, bundle().source_of(runs.points())) for f, runs in public_families}
    missed = {key: claims[key] for key in known if claims[key][0] != claims[key][1]}
    assert missed == {}
    wrong = {key: pair for key, pair in claims.items() if pair[1] not in (None, pair[0])}
    assert wrong == {}
    assert len(known) == 93 and len(claims) > 200


@pytest.mark.parametrize(
    ("family", "source"),
    [
        ("open_athena_isoflop/ml_scalefit/massivetext", "chinchilla"),  # another digitisation
        ("open_athena_isoflop/misfitting/fineweb_c4", "misfitting"),
        ("misfitting/checkpoints", "misfitting"),  # every learning rate, not the best alone
        ("misfitting/finals", "misfitting"),
        ("colpret/redPajama", "redPajama"),  # with its corrupt end
        ("colpret/GPT2-contour", "datablations"),  # most runs of it are of too many epochs
    ],
)
def test_other_readings_of_a_source_are_known(family: str, source: str, published: Path) -> None:
    assert bundle().source_of(runs_of(family, published)) == source


def test_a_part_of_a_family_and_a_single_run_are_known(published: Path) -> None:
    points = runs_of("epoch_chinchilla/chinchilla", published)
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 40):
        some = points.take(np.sort(rng.choice(np.flatnonzero(points.loss < 6), n, replace=False)))
        assert bundle().source_of(some) == "chinchilla", n


def test_it_is_known_among_other_runs_and_in_other_units_read_right(published: Path) -> None:
    points = runs_of("colpret/OPT", published)
    ends = points.take(points.final)
    assert bundle().source_of(ends) == "OPT"
    table = {
        "run": [f"r{i}" for i in range(len(ends))],
        "params": ends.params * 1.02,  # rounded otherwise
        "tokens": ends.tokens,
        "loss": ends.loss / np.log(2),
    }
    assert bundle().source_of(Runs.read(table, unit="bits").points()) == "OPT"
    assert bundle().source_of(Runs.read(table, unit="nats").points()) is None


def test_a_synthetic_ladder_is_nobodys(ladder: Any) -> None:
    assert bundle().source_of(Runs.read(LADDER).points()) is None
    for seed in range(4):
        for side in (1, 2, 4, 10):
            points = ladder(side=side, seed=seed)
            assert bundle().source_of(points) is None, (seed, side)


def test_a_single_run_is_known_by_all_its_digits_alone(make_points: Any) -> None:
    one = make_points([1e9], [2e10], [2.713])
    own = replace(bundle(), sources={"own": Source({"f": prints_of(one)})})
    assert own.source_of(one) == "own"
    near = make_points([1e9], [2e10], [2.727])  # within a neighbour's reach, as of a chart
    assert own.source_of(near) is None


def test_no_runs_are_nobodys(make_points: Any) -> None:
    assert bundle().source_of(make_points([1e9], [1e6], [9.0])) is None


def test_the_weak_prior_is_wider_than_the_learnt_one_in_every_coordinate() -> None:
    learnt, weak = (np.sqrt(np.diag(p.covariance)) for p in (bundle().prior, WEAK))
    assert (learnt <= weak).all()
    assert (learnt < weak).sum() == len(NAMES) - 1  # the level's is free in both


def test_a_prior_is_found_by_its_name_or_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert named_bundle("bundled") is bundle() and named_bundle(bundle()) is bundle()
    assert named_bundle("weak") is None
    with pytest.raises(UsageError, match="no prior 'none'"):
        named_bundle("none")
    bundle().write(Path("none"))
    found = named_bundle("none")
    assert found is not None and found.prior.name == "bundled"
    for near, meant in (("bundle", "bundled"), ("weka", "weak"), ("Bundled", "bundled")):
        with pytest.raises(InputError, match=f"no such file. Did you mean '{meant}'"):
            named_bundle(near)
    with pytest.raises(
        InputError, match=r"'mine\.json' is no prior: there is no such file\."
    ) as one:
        named_bundle("mine.json")
    assert "Did you mean" not in str(one.value) and "Errno" not in str(one.value)
    with pytest.raises(InputError, match="is no prior: Is a directory"):
        named_bundle(tmp_path)
