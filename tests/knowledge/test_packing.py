"""Windows show every person once a pass, whatever their shape, and the same for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kleiber.errors import UsageError
from kleiber.knowledge import Strings, Windows
from kleiber.knowledge.packing import IGNORED


def real(windows: Windows) -> np.ndarray:
    """Return all targets in their order, without the empty ones."""
    targets = np.concatenate([windows.batch(step)[1].ravel() for step in range(windows.steps)])
    return targets[targets != IGNORED]


def names_seen(source: Strings, targets: np.ndarray) -> list[tuple[int, ...]]:
    """Return the names that follow the attribute-free head of each text, in order."""
    width = source.max_length - 1
    return [tuple(row[: source.name_tokens]) for row in targets.reshape(-1, width)]


def test_a_text_a_window_shows_everyone_once_a_pass() -> None:
    source = Strings(count=97, K=3, D=8, T=8)
    windows = Windows(source, exposures=5, batch=7, seed=1)
    assert windows.steps == -(-5 * 97 // 7)
    assert windows.texts_per_step == pytest.approx(5 * 97 / windows.steps)
    assert windows.tokens == 5 * 97 * source.max_length
    seen = names_seen(source, real(windows))
    everyone = {tuple(name) for name in source.names(np.arange(97)) + 1}
    passes = [seen[97 * turn : 97 * (turn + 1)] for turn in range(5)]
    assert all(set(shown) == everyone and len(shown) == 97 for shown in passes)
    assert passes[0] != passes[1]


def test_texts_end_to_end_show_everyone_once_a_pass() -> None:
    source = Strings(count=20_000, K=2, D=8, T=32)  # three shards a pass
    windows = Windows(source, exposures=2, batch=16, context=50, seed=3)
    assert windows._shards == 3
    tokens = real(windows)
    texts = tokens.reshape(2, -1)
    for turn in texts:  # each text is followed by a separator, of the next or of the end
        rows = turn.reshape(20_000, source.max_length)
        assert (rows[:, -1] == source.separator).all()
        names = {tuple(row) for row in rows[:, :3]}
        assert len(names) == 20_000


def test_inputs_lead_targets_by_one_token() -> None:
    windows = Windows(Strings(count=300, K=2), exposures=1, batch=4, context=32)
    before = None
    for step in range(windows.steps):
        inputs, targets = windows.batch(step)
        assert inputs.shape == targets.shape == (4, 32)
        assert inputs.dtype == targets.dtype == np.int64
        held = targets[:, :-1] != IGNORED
        assert (inputs[:, 1:][held] == targets[:, :-1][held]).all()
        for row in range(4):
            if before is not None and before != IGNORED:
                assert inputs[row, 0] == before
            before = targets[row, -1]


@pytest.mark.parametrize("context", [None, 32])
def test_a_step_is_the_same_in_any_order(context: int | None) -> None:
    source = Strings(count=500, K=2)
    windows = Windows(source, exposures=3, batch=8, context=context, seed=5)
    last, first = windows.batch(windows.steps - 1), windows.batch(0)
    again = Windows(source, exposures=3, batch=8, context=context, seed=5)
    assert np.array_equal(again.batch(0), first)
    assert np.array_equal(again.batch(windows.steps - 1), last)
    other = Windows(source, exposures=3, batch=8, context=context, seed=6)
    assert not np.array_equal(other.batch(0), first)


def test_no_window_is_one_persons() -> None:
    source = Strings(count=50, K=1, T=16, D=16)
    windows = Windows(source, exposures=4, batch=1, context=60)
    for step in range(windows.steps - 1):
        row = windows.batch(step)[0][0]
        places = np.flatnonzero(row[:-3] == source.separator)
        names = [tuple(row[place + 1 : place + 4]) for place in places]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"exposures": 0}, "exposures"),
        ({"batch": 0}, "batch"),
        ({"context": 1}, "windows of 1 tokens"),
    ],
)
def test_training_on_nothing_is_refused(change: dict[str, int], words: str) -> None:
    options = {"exposures": 1, "batch": 1, "context": 8, **change}
    with pytest.raises(UsageError, match=words):
        Windows(Strings(count=5), **options)


def test_steps_end() -> None:
    windows = Windows(Strings(count=5), exposures=1, batch=2)
    with pytest.raises(UsageError, match="step 3 of 3"):
        windows.batch(3)


def test_two_windows_are_equal_by_what_they_show() -> None:
    source = Strings(count=5)
    windows = Windows(source, exposures=1, batch=2)
    windows.batch(0)
    assert windows == Windows(replace(source), exposures=1, batch=2)


@pytest.mark.parametrize("context", [None, 50])
@pytest.mark.parametrize("exposures", [0.25, 1.0, 2.5, 7 / 3])
def test_exposures_need_not_be_whole(context: int | None, exposures: float) -> None:
    """Everyone is shown so often, rounded up or down, and all together as often as said."""
    source = Strings(count=9001, K=1, D=8, T=32)
    windows = Windows(source, exposures=exposures, batch=16, context=context, seed=3)
    tokens = real(windows)
    if context is None:
        rows = tokens.reshape(-1, source.max_length - 1)
    else:
        ends = tokens[-1] == source.separator
        assert ends
        rows = tokens.reshape(-1, source.max_length)
    _, times = np.unique(rows[:, :3], axis=0, return_counts=True)
    assert len(rows) == times.sum() == windows.shown == round(9001 * exposures)
    assert times.max() <= int(-(-exposures // 1))
    if exposures >= 1:
        assert len(times) == 9001
        assert times.min() >= int(exposures)


def test_fewer_exposures_are_the_beginning_of_more() -> None:
    source = Strings(count=300, K=2)
    short, long = (Windows(source, exposures=e, batch=10, seed=5) for e in (2.5, 4))
    assert short.steps == 75
    for step in (0, 31, 74):
        assert np.array_equal(short.batch(step)[0], long.batch(step)[0])
