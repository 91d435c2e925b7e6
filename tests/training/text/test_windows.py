"""Windows over the tokens 0, 1, 2, ...: a token is its own place, so that counting is reading."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.errors import InputError, UsageError
from kleiber.training.text.order import Order
from kleiber.training.text.shards import Shards
from kleiber.training.text.windows import (
    BLOCK,
    IGNORED,
    Windows,
    available,
    blocks,
    check_enough,
    cut,
)


def windows(
    tokens: int, context: int, size: int, steps: int, epochs: float = 1, seed: int = 0
) -> Windows:
    text = np.arange(tokens, dtype=np.uint32)
    order = Order.of(size * steps, epochs, seed, available(tokens, context))
    check_enough(order, context, text="counting", rung="a rung")
    return Windows(order, context, size, {}, Shards(text, text[:50], {"vocab": tokens}))


@given(
    context=st.integers(1, 9),
    size=st.integers(1, 5),
    steps=st.integers(1, 12),
    epochs=st.integers(1, 4),
    left=st.integers(0, 40),
    seed=st.integers(0, 3),
)
def test_every_target_is_counted(
    context: int, size: int, steps: int, epochs: int, left: int, seed: int
) -> None:
    shown = size * steps
    epochs = min(epochs, shown)
    unique = -(-shown // epochs)
    run = windows(unique * context + 1 + left, context, size, steps, epochs, seed)
    seen: Counter[int] = Counter()
    for step in range(run.steps):
        inputs, targets = run.batch(step)
        assert inputs.shape == targets.shape == (size, context)
        assert inputs.dtype == targets.dtype == np.int64
        assert (targets == inputs + 1).all()
        seen.update(targets.ravel().tolist())
    assert sum(seen.values()) == run.tokens == shown * context
    assert len(seen) == unique * context  # exactly so many tokens differ
    assert max(seen.values()) <= epochs
    if epochs == 1:
        assert set(seen.values()) == {1}


@settings(deadline=None)
@given(size=st.integers(1, 7), seed=st.integers(0, 3))
def test_the_order_of_data_is_the_seed_s_whatever_the_batch(size: int, seed: int) -> None:
    alone, together = windows(5000, 8, 1, 420, seed=seed), windows(5000, 8, size, 60, seed=seed)
    rows = [together.batch(step)[0] for step in range(60)]
    shown = np.concatenate(rows)
    assert [alone.batch(i)[0][0, 0] for i in range(len(shown))] == shown[:, 0].tolist()


def test_steps_are_a_pure_function_far_from_each_other() -> None:
    run = windows(200_001, 8, 3, 8000)  # over several parts of the order
    ahead = {step: run.batch(step)[0].copy() for step in (2730, 2731, 7999, 0)}
    for step in (0, 7999, 2731, 2730):
        fresh = windows(200_001, 8, 3, 8000).batch(step)[0]
        assert (ahead[step] == fresh).all()
        assert (run.batch(step)[0] == fresh).all()
    with pytest.raises(UsageError, match="step 8000 of 8000"):
        run.batch(8000)


def test_too_short_a_text_is_said_with_both_numbers() -> None:
    with pytest.raises(InputError) as error:
        windows(1001, 10, 4, 50)
    assert str(error.value) == (
        "The text 'counting' has 1,000 tokens to train on in windows of 10, and a rung asks for "
        "2,000 different ones (2,000 in all). Name a longer text, ask for fewer tokens, or set "
        "epochs = 2 or more."
    )
    assert windows(1001, 10, 4, 50, epochs=2).order.unique == 100
    with pytest.raises(InputError, match=r"has 0 tokens .* shorter context"):
        windows(9, 10, 1, 1)


@pytest.mark.parametrize(("there", "shown"), [(100, 200), (100, 201), (7, 200), (1, 3)])
def test_the_epochs_that_are_advised_suffice(there: int, shown: int) -> None:
    with pytest.raises(InputError) as error:
        check_enough(Order.of(shown, 1, 0, there), 10, text="counting", rung="a rung")
    advised = float(error.value.remedy.split("epochs = ")[1].split()[0])
    check_enough(Order.of(shown, advised, 0, there), 10, text="counting", rung="a rung")


def test_held_out_targets_are_the_same_ones_for_every_context() -> None:
    tokens = np.arange(400_000)

    def targets(context: int) -> list[int]:
        batches = cut(blocks(tokens, context), context, 8)
        kept = [target[target != IGNORED] for _, target in batches]
        return np.concatenate(kept).tolist()

    first = targets(128)
    assert len(first) == len(set(first)) == 65_536
    assert first[0] == 1
    assert first[-1] == 399_999  # from end to end
    for context in (64, 100, BLOCK):
        assert targets(context) == first
    assert len(targets(4096)) == 32 * 4096  # a block holds a whole window at least


@given(length=st.integers(2, 9000), context=st.integers(1, 300), size=st.integers(1, 9))
@settings(deadline=None)
def test_all_of_a_short_held_out_text_is_asked_for_once(
    length: int, context: int, size: int
) -> None:
    found = []
    for inputs, targets in cut(blocks(np.arange(length), context), context, size):
        assert len(inputs) <= size
        asked = targets != IGNORED
        assert (inputs[asked] + 1 == targets[asked]).all()
        found += targets[asked].tolist()
    assert found == list(range(1, length))


def test_held_out_batches_are_the_same_for_every_seed_and_epochs() -> None:
    def held(**given: float) -> list[list[int]]:
        batches = windows(2000, 8, 4, 10, **given).heldout()
        return [each.tolist() for each in itertools.chain(*batches)]

    assert held() == held(seed=3) == held(epochs=4)


def test_what_a_run_leaves_is_new_and_the_same_however_often_its_own_come() -> None:
    once, often = windows(5000, 8, 4, 60), windows(5000, 8, 4, 60, epochs=16)
    shown = {int(x) for step in range(60) for x in once.batch(step)[0][:, 0]}
    left = [np.concatenate([batch[0][:, 0] for batch in run.unseen()]) for run in (once, often)]
    assert not shown & set(left[0].tolist())
    assert set(left[0].tolist()) <= set(left[1].tolist())  # 385 and 609 are left of 624
    assert len(left[0]) == available(5000, 8) - 240
