"""The study of controls: its arithmetic, its readings on a tiny model, and the written table."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kleiber.knowledge import Biographies, People, Pools, Texts
from kleiber.knowledge.experiment import run
from kleiber.studies import capacity_controls
from kleiber.studies.capacity_controls import TERMS, cells, employer_bits, entropies, leak, rows_of
from kleiber.training import RunFolder


def test_what_the_city_tells_of_the_employer() -> None:
    employer, city, rest = entropies(Pools.paper())
    assert employer == pytest.approx(math.log2(263)) == pytest.approx(8.04, abs=0.01)
    assert (city, rest) == (pytest.approx(6.44, abs=0.01), pytest.approx(1.60, abs=0.01))
    few = replace(Pools.paper(employers=4), offices=("Ash", "Ash", "Ash", "Elm"))
    share = 0.75 * math.log2(4 / 3) + 0.25 * 2
    assert entropies(few) == pytest.approx((2.0, share, 2 - share))


def test_readings_of_one_who_knows_only_head_offices() -> None:
    """Knows no person but where every employer is: naively, exactly what the city gives away."""
    pools = Pools.paper(employers=52)
    source = Biographies(People(pools, 4000, 5), templates=1)
    there, city_bits, rest = entropies(pools)
    offices = {city: pools.offices.count(city) for city in pools.offices}

    def nats(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        each = np.zeros(len(texts.tokens))
        for i in range(len(texts)):
            own = np.arange(texts.starts[i], texts.starts[i + 1])
            told = [source.kinds[kind] for kind in texts.kinds[own]]
            first = next(kind for kind in told if kind in ("employer", "work_city"))
            place = {kind: own[told.index(kind)] for kind in ("employer", "work_city")}
            city = source.people.words(source.people.values([i])[0])["work_city"]
            if first == "employer":
                each[place["employer"]] = math.log(52)
            else:
                each[place["work_city"]] = math.log(52 / offices[city])
                each[place["employer"]] = math.log(offices[city])
        return each, np.zeros(len(each), dtype=bool)

    found = employer_bits(nats, source, np.arange(400))
    assert found["city added"] == pytest.approx(0, abs=1e-9)
    assert found["employer first"] == pytest.approx(0, abs=1e-9)
    assert found["naive"] == pytest.approx(city_bits, abs=0.15)
    assert there - rest == pytest.approx(city_bits)


def test_a_tiny_run(tmp_path: Path) -> None:
    assert set(cells()) == {"bioS", "bioS-simple", "bioR", "bioD", "crowd"}
    cell = replace(cells()["bioS"], people=30, exposures=2)
    *_, last = run([cell], [RunFolder(tmp_path / "bioS")])
    rows = rows_of(last["result"])
    assert [row["who"] for row in rows] == ["trained", *capacity_controls.CONTROLS.values()]
    trained, oracle, untrained, *_ = rows
    assert sum(trained[term] for term in TERMS) == pytest.approx(trained["sum"])
    assert oracle["sum"] == pytest.approx(last["result"]["max_bits_per_param"], rel=1e-9)
    assert untrained["sum"] < 0
    told = leak(tmp_path / "bioS")
    for read in (told.taught, told.strangers, told.stored):
        assert read["naive"] > read["city added"]
    json.dumps(told.to_dict())
    assert all("nan" not in claim for claim in told.claims())


def test_the_written_table(root: Path) -> None:
    """What the results folder says: R^max met, no leak in any format, the city's leak closed."""
    path = root / "results" / "capacity-controls.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    rows = written["rows"]
    formats = {row["format"] for row in rows}
    assert formats == {"bioS", "bioS-simple", "bioR", "bioD"}
    assert len(rows) == 4 * (1 + len(capacity_controls.CONTROLS))
    for run_ in written["runs"]:
        assert run_["controls"]["oracle"] == pytest.approx(run_["max_bits_per_param"], rel=1e-9)
        assert run_["controls"]["unseen"] <= capacity_controls.LEAK
        assert run_["controls"]["random"] <= 0.0 < run_["bits_per_param"]
    strangers = written["leak"]["strangers"]
    assert strangers["naive"] > 2 and strangers["city added"] < 0.05
    assert strangers["employer first"] < 0.05
    pools = written["leak"]["pools"]["the paper's sizes"]
    assert pools["city"] == pytest.approx(6.44, abs=0.01)
