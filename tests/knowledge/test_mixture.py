"""Useful windows among others: exact shares, every useful person so often, no name in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kleiber.errors import UsageError
from kleiber.knowledge import Biographies, People, Pools, Strings, Windows
from kleiber.knowledge.mixture import Mixture, marked, mixture
from kleiber.knowledge.packing import IGNORED
from kleiber.knowledge.shares import Share, shares_of
from kleiber.knowledge.texts import Source
from kleiber.knowledge.views import Junk, Marked

DOMAINS = [
    {"name": "east.example", "people": "useful", "parts": 1},
    {"name": "chatter.example", "people": "fresh", "parts": 8},
    {"name": "west.example", "people": "useful", "parts": 3},
    {"name": "slogans.example", "people": 9, "parts": 4},
]


def strings(count: int = 50, **sizes: int) -> Strings:
    return Strings(count, **{"K": 2, "D": 8, "T": 16, "name_tokens": 4, **sizes})


def mixed(base: Strings | Biographies, shares: tuple[Share, ...], **options: Any) -> Mixture:
    given = {"exposures": 6, "batch": 16, "context": None, "seed": 3, **options}
    return mixture(marked(base, shares), shares, **given)


def mix(**said: Any) -> tuple[Share, ...]:
    return shares_of(said, [])


def junk_of(data: Mixture) -> Junk:
    view = data.components[1].windows.source
    assert isinstance(view, Junk)
    return view


def rows_of(data: Mixture | Windows) -> NDArray[np.int64]:
    """Return all windows, inputs and last target, without the empty ones behind the end."""
    found = []
    for step in range(data.steps):
        inputs, targets = data.batch(step)
        last = np.where(targets[:, -1:] == IGNORED, -1, targets[:, -1:])
        rows = np.concatenate([inputs, last], axis=1)
        rows[:, 1:][targets == IGNORED] = -1
        found.append(rows[(targets != IGNORED).any(axis=1)])
    return np.concatenate(found)


def names_in(base: Strings, rows: NDArray[np.int64], mark: int) -> Counter[tuple[int, ...]]:
    """Count the names in windows of one text each, which ``mark`` tokens stand in front of."""
    names = rows[:, 1 + mark : 1 + mark + base.name_tokens] - 1
    return Counter(map(tuple, names.tolist()))


def names_of(base: Strings, ids: Any) -> set[tuple[int, ...]]:
    return set(map(tuple, base.names(np.asarray(ids)).tolist()))


@pytest.mark.parametrize("parts", [1, 3, 7])
def test_fresh_junk_is_so_many_times_the_useful_and_never_the_same_twice(parts: int) -> None:
    base = strings()
    data = mixed(base, mix(junk="fresh", junk_parts=parts))
    seen = names_in(base, rows_of(data), 0)
    useful = names_of(base, range(50))
    assert data.windows == 50 * 6 * (1 + parts)
    assert {name: seen[name] for name in useful} == dict.fromkeys(useful, 6)
    junk = {name: times for name, times in seen.items() if name not in useful}
    assert len(junk) == 50 * 6 * parts
    assert set(junk.values()) == {1}
    assert not names_of(base, base.strangers(50)) & junk.keys()
    assert data.texts_per_step == 50 * 6 / data.steps


def test_repeated_junk_is_of_few_persons_equally_often_in_fresh_texts() -> None:
    base = strings()
    rows = rows_of(mixed(base, mix(junk="repeated", junk_parts=7)))
    seen = names_in(base, rows, 0)
    useful = names_of(base, range(50))
    junk = {name: times for name, times in seen.items() if name not in useful}
    assert len(junk) == 8  # max(8, 50 / 100)
    assert sum(junk.values()) == 2100
    assert max(junk.values()) - min(junk.values()) <= 1
    one = next(iter(junk))
    texts = {tuple(row) for row in rows.tolist() if tuple(np.array(row[1:5]) - 1) == one}
    assert len(texts) == 2  # two attributes, either order: as many texts as there can be


def test_useful_windows_are_those_of_a_clean_run_in_their_order() -> None:
    people = People(Pools.paper(first=40, middle=40, last=40, employers=20), 70, 2)
    base = Biographies(people, templates=3)
    data = mixed(base, mix(junk="fresh", junk_parts=3), context=40, exposures=2.5)
    clean = Windows(base, exposures=2.5, batch=16, context=40, seed=3)
    assert data.windows == 4 * clean.windows
    whose, ranks = data.order(0, data.windows)
    assert np.array_equal(ranks[whose == 0], np.arange(clean.windows))
    assert np.array_equal(ranks[whose == 1], np.arange(3 * clean.windows))
    batches = [data.batch(step) for step in range(data.steps)]
    inputs, targets = (np.concatenate([pair[i] for pair in batches]) for i in (0, 1))
    alone = [clean.batch(step) for step in range(clean.steps)]
    ours = np.flatnonzero(whose == 0)
    for found, i in ((inputs, 0), (targets, 1)):
        same = np.concatenate([pair[i] for pair in alone])[: clean.windows]
        assert np.array_equal(found[ours], same)
    junk = targets[np.flatnonzero(whose == 1)]
    assert (junk != IGNORED).mean() > 0.95  # whole windows, not padding


def test_every_stretch_has_its_part_of_every_share() -> None:
    data = mixed(strings(200), mix(junk="fresh", junk_parts=7), exposures=10)
    whose, _ = data.order(0, data.windows)
    assert (whose == 0).sum() == 2000
    stretches = whose.reshape(32, 500)  # 16,000 windows in groups of at most 512
    assert set((stretches == 0).sum(axis=1)) == {62, 63}  # an eighth is 62.5
    runs = np.diff(np.flatnonzero(whose == 0))
    assert runs.max() > 16  # by chance, not every eighth
    assert runs.min() == 1


@given(
    taken=st.lists(st.integers(1, 4000), min_size=1, max_size=4),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=60, deadline=None)
def test_any_stretch_of_the_order_is_that_stretch(
    taken: list[int], cut: tuple[float, float], seed: int
) -> None:
    from kleiber.knowledge.mixture import Component

    windows = Windows(strings(), exposures=1, batch=1)
    data = Mixture(tuple(Component("", windows, each) for each in taken), 1, seed, 1)
    whose, ranks = data.order(0, data.windows)
    for number, each in enumerate(taken):
        assert np.array_equal(ranks[whose == number], np.arange(each))
    start, end = sorted(int(share * data.windows) for share in cut)
    if start < end:
        part = data.order(start, end)
        assert np.array_equal(part[0], whose[start:end])
        assert np.array_equal(part[1], ranks[start:end])


@pytest.mark.parametrize("context", [None, 40])
def test_a_step_is_the_same_in_any_order(context: int | None) -> None:
    shares = shares_of({}, DOMAINS)
    data, again = (mixed(strings(), shares, context=context, batch=7) for _ in range(2))
    steps = list(range(data.steps))
    first = [data.batch(step) for step in steps]
    for step in reversed(steps):
        for one, other in zip(first[step], again.batch(step), strict=True):
            assert np.array_equal(one, other)
    other = mixed(strings(), shares, context=context, batch=7, seed=4)
    assert not np.array_equal(other.batch(0)[0], first[0][0])
    with pytest.raises(UsageError, match=f"step {data.steps} of {data.steps}"):
        data.batch(data.steps)


@pytest.mark.parametrize("seed", [0, 2**63 + 5])
def test_no_name_is_useful_and_junk_over_millions(seed: int) -> None:
    base = strings(20_000, name_pool=3_000_000, name_tokens=6, seed=seed)
    shares = mix(junk="fresh", junk_parts=7)
    data = mixed(base, shares, exposures=21.1)  # as much junk as there are names: 2,954,000
    weights = 16 ** np.arange(6)[::-1]
    junk = junk_of(data)
    ids = junk.last - np.arange(junk.people)
    names = np.concatenate([base.names(ids), base.names(np.arange(40_000))]) @ weights
    assert len(ids) == 2_954_000
    assert len(np.unique(names)) == len(names) == 2_994_000


@given(
    count=st.integers(1, 60), junk=st.integers(1, 60), spare=st.integers(0, 9), seed=st.integers(0)
)
@settings(max_examples=100, deadline=None)
def test_useful_people_strangers_and_junk_have_names_of_their_own(
    count: int, junk: int, spare: int, seed: int
) -> None:
    base = strings(count, name_pool=2 * count + junk + spare, seed=seed)
    data = mixed(base, mix(junk=junk, junk_parts=50), exposures=2, seed=seed)
    last = junk_of(data).last
    ids = np.concatenate([np.arange(count), base.strangers(count), last - np.arange(junk)])
    assert len(np.unique(base.names(ids), axis=0)) == 2 * count + junk


def test_a_token_stands_before_useful_texts_alone() -> None:
    base = strings()
    data = mixed(base, mix(junk="fresh", junk_parts=3, token=True), context=None)
    rows = rows_of(data)
    told = rows[:, 1] == base.vocab
    assert told.sum() == 300
    assert names_in(base, rows[told], 1).keys() == names_of(base, range(50))
    assert not names_in(base, rows[~told], 0).keys() & names_of(base, range(50))
    assert (rows == base.vocab).sum() == 300  # in front, and nowhere else


def test_every_document_of_a_domain_begins_with_its_name() -> None:
    base = strings(48)
    shares = shares_of({}, DOMAINS)
    source = marked(base, shares)
    assert isinstance(source, Marked)
    rows = rows_of(mixed(base, shares))
    assert source.labels == ("east.example", "west.example", "chatter.example", "slogans.example")
    assert source.vocab == base.vocab + 4
    counts = np.bincount(rows[:, 1] - base.vocab, minlength=4)
    assert counts.tolist() == [72, 216, 576, 288]  # 48 x 6 useful, in parts of 1, 3, 8, 4
    for label, people in ((0, range(12)), (1, range(12, 48))):
        seen = names_in(base, rows[rows[:, 1] == base.vocab + label], 1)
        assert seen == dict.fromkeys(names_of(base, people), 6)
        texts = source.texts(people, 10**6)
        assert set(texts.tokens[texts.starts[:-1] + 1]) == {base.vocab + label}
    assert len(names_in(base, rows[rows[:, 1] == base.vocab + 2], 1)) == 576
    assert len(names_in(base, rows[rows[:, 1] == base.vocab + 3], 1)) == 9


@pytest.mark.parametrize("form", ["bioS", "bioD"])
def test_a_mark_changes_nothing_else_of_a_text(form: str) -> None:
    base: Source = strings()
    if form == "bioS":
        base = Biographies(People(Pools.paper(first=9, middle=9, last=9), 50, 1), templates=2)
    source = Marked(base, ("a", "b"), (1,))
    plain, told = base.texts([4, 9, 60], [0, 1, 2]), source.texts([4, 9, 60], [0, 1, 2])
    assert np.array_equal(told.lengths, plain.lengths + 1)
    marks = told.starts[:-1] + 1
    assert (told.tokens[marks] == base.vocab + 1).all()
    assert not told.kinds[marks].any()
    assert (told.slots[marks] == -1).all()
    for one, other in zip(
        (told.tokens, told.kinds, told.slots),
        (plain.tokens, plain.kinds, plain.slots),
        strict=True,
    ):
        assert np.array_equal(np.delete(one, marks), other)
    assert source.mean_length == base.mean_length + 1
    assert source.max_length == base.max_length + 1
    first = told.tokens[: told.starts[1]]
    assert source.decode(first) == base.decode(first[:1]) + "<b>" + base.decode(first[2:])
    (read,) = source.biographies([4], [0])
    assert read.text.startswith("<b>")
    assert all(read.text[a:b] == read.values[part] for part, a, b in read.spans)


def test_a_stopped_run_ends_in_the_same_weights(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from kleiber.knowledge.cell import Cell
    from kleiber.knowledge.experiment import run
    from kleiber.training import RunFolder

    cell = Cell(
        people=30, exposures=4.5, layers=1, width=8, heads=1, batch=9, lr=0.01, compiled=False,
        strings={"K": 2, "D": 8, "T": 16, "name_tokens": 4},
        mix={"junk": "fresh", "junk_parts": 3, "token": True},
    )  # fmt: skip
    whole, halved = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "halved")
    *_, last = run([cell], [whole])
    stopped = run([cell], [halved], save_every=20)
    while next(stopped).get("step", 0) < 41:
        pass
    assert isinstance(stopped, Generator)
    stopped.close()
    assert not halved.done
    list(run([cell], [halved]))
    for name, tensor in whole.read_tensors("weights.safetensors").items():
        assert (halved.read_tensors("weights.safetensors")[name] == tensor).all()
    row = last["result"]
    assert row["steps"] == 4 * 135 // 9 == 60
    assert (row["mix"], row["useful_share"]) == ("1useful+token-3fresh", 0.25)
    assert row["people"] == 30
    assert row["params"] == cell.width * (1 + 16 + 2 + 1) + 12 * 64 + 13 * 8 + 2 * 8
    assert row["controls"]["oracle"] == pytest.approx(row["max_bits_per_param"])
    assert row["controls"]["random"] < 0
    assert row["controls"]["unseen"] < 0.05
    assert row["bits_per_param"] < row["max_bits_per_param"]
