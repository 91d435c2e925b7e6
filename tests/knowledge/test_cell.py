"""A cell: what cannot be taught is refused where it is said, in one sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kleiber.errors import InputError, KleiberError, UsageError
from kleiber.knowledge.cell import Cell, stacks

SOUND: dict[str, Any] = {
    "people": 20,
    "exposures": 5,
    "layers": 1,
    "width": 8,
    "heads": 1,
    "batch": 10,
    "lr": 0.01,
    "strings": {"K": 2, "D": 8, "T": 8},
}


def made(**changes: Any) -> Cell:
    return Cell.of({**SOUND, **changes})


def test_a_cell_comes_back_from_its_values() -> None:
    cell = made(betas=[0.9, 0.99], pools={"first": 20})
    assert Cell.of(cell.to_dict()) == cell
    assert cell.betas == (0.9, 0.99)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"people": 0}, "people is 0; at least 1 is needed"),
        ({"exposures": 0}, "exposures is 0; at least 1"),
        ({"layers": -1}, "layers is -1"),
        ({"texts": 0}, "texts is 0"),
        ({"people": "many"}, "people is 'many'; a whole number is expected"),
        ({"people": 1.5}, "people is 1.5; a whole number"),
        ({"people": True}, "people is True; a whole number"),
        ({"betas": [0.9]}, "betas is .*two numbers"),
        ({"strings": 3}, "strings is 3; a table of whole numbers"),
        ({"strings": {"K": "x"}}, "a table of whole numbers"),
        ({"strings": {"Q": 3}}, "no setting Q"),
        ({"compiled": "yes"}, "true or false"),
        ({"lr": -0.1}, "lr is -0.1; more than 0"),
        ({"lr": float("nan")}, "lr is nan; a number"),
        ({"lr": None}, "exactly one is needed"),
        ({"lr_times_width": 0.1}, "exactly one is needed"),
        ({"seed": -1}, "seed is -1"),
        ({"format": "bioX"}, "no format 'bioX'"),
        ({"widht": 8}, "no setting widht; is width meant"),
    ],
    ids=str,
)
def test_a_setting_that_means_nothing(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(KleiberError, match=said) as found:
        made(**changes)
    assert found.value.remedy.endswith(".")


def test_a_setting_that_is_missing() -> None:
    with pytest.raises(InputError, match=r"No layers, width is given\."):
        Cell.of({k: v for k, v in SOUND.items() if k not in ("layers", "width")})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"people": 1000}, "more people than names: 1000 people, 512 names"),
        ({"strings": {"D": 1}}, "a pool of one value"),
        ({"format": "bioS", "context": 64, "pools": {"majors": 1}}, "a pool of 1 majors"),
        (
            {"format": "bioS", "context": 64, "pools": {"first": 2, "middle": 2, "last": 2}},
            "more people than names: 20 people, 8 names",
        ),
        ({"format": "bioS"}, "the texts differ in length"),
        ({"heads": 3}, "3 heads cannot share a width of 8"),
        ({"precision": "fp8"}, "no precision 'fp8'"),
        ({"format": "bioS", "tokens": "bytes:none.json:none.txt"}, "none.json"),
    ],
    ids=str,
)
def test_what_cannot_be_built(changes: dict[str, Any], said: str) -> None:
    from kleiber.knowledge.prepare import record

    with pytest.raises((KleiberError, OSError), match=said):
        record(made(**changes))


def test_only_light_cells_that_differ_in_seed_are_stacked() -> None:
    light, heavy = made(batch=4), made(batch=400)
    seeds = [replace(cell, seed=seed) for cell in (light, heavy) for seed in (0, 1)]
    assert stacks(seeds) == [[0, 1], [2], [3]]
    assert stacks([light, made(batch=4, width=16)]) == [[0], [1]]


def test_usage_and_input_are_told_apart() -> None:
    with pytest.raises(UsageError):
        made(lr=-1.0)
    with pytest.raises(InputError):
        made(lr="fast")


def test_byte_pairs_learnt_from_the_texts_are_the_same_each_time() -> None:
    pytest.importorskip("tokenizers")
    small = {"first": 5, "middle": 5, "last": 5, "years": 5, "universities": 5, "employers": 5}
    cell = Cell(
        people=40, exposures=1, layers=1, width=8, heads=1, batch=4, lr=0.01, context=64,
        format="bioS", pools=small, templates=2, tokens="trained:500",
    )  # fmt: skip
    one, other = cell.source(), cell.source()
    assert one.vocab == other.vocab < 500
    read = one.texts([3, 7], [0, 1])
    np.testing.assert_array_equal(read.tokens, other.texts([3, 7], [0, 1]).tokens)
    assert one.decode(read.tokens[1 : read.starts[1]]) == one.biographies([3], [0])[0].text
