"""Low-rank additions: nothing at first, of their rank in the end, and nothing else is moved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kleiber.errors import UsageError
from kleiber.knowledge import Strings
from kleiber.knowledge.questions import Lessons, Questions, halves

torch = pytest.importorskip("torch")

from kleiber.knowledge.extraction import extract, grown  # noqa: E402
from kleiber.knowledge.lowrank import Ranks, _Additions, tune_low_rank  # noqa: E402
from kleiber.training import GPT, ModelConfig  # noqa: E402
from kleiber.training.model import initialise  # noqa: E402

SOURCE = Strings(12, K=2, D=4, T=8, name_tokens=2)
SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {},
    "shared keys, untied": {"kv_heads": 1, "tied": False, "norm": "rms", "biases": False},
}


def model(layers: int = 2, **other: Any) -> GPT:
    shape = ModelConfig(
        layers=layers, width=16, heads=2, vocab=SOURCE.vocab, context=SOURCE.max_length, **other
    )
    made = GPT(shape)
    initialise(made, 0)
    return made


def lessons(steps: int) -> Lessons:
    taught, _ = halves(SOURCE.count)
    return Lessons(Questions(SOURCE), tuple(taught.tolist()), steps, 12)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_additions_have_their_rank_and_all_else_stays(shape: dict[str, Any]) -> None:
    start = grown(model(**shape), Questions(SOURCE), 0)
    before = {name: own.detach().clone() for name, own in start.named_parameters()}
    old, ranks = SOURCE.vocab, Ranks(attention=2, embedding=3)
    tuned = tune_low_rank(start, lessons(40), old=old, lr=0.02, ranks=ranks)
    after = {name: own.detach() for name, own in tuned.named_parameters()}
    head = before.get("head.weight", before["embed.weight"])
    assert torch.equal(after.pop("head.weight"), head)
    moved = after.pop("embed.weight") - before["embed.weight"]
    assert np.linalg.matrix_rank(moved[:old].numpy(), tol=1e-4) == 3
    assert moved[old:].abs().min() > 0
    keys = start.config.key_heads * start.config.head_size
    for layer in range(2):
        name = f"blocks.{layer}.attention.qkv.weight"
        query, key, value = (after.pop(name) - before[name]).split([16, keys, keys])
        assert not key.any()
        assert np.linalg.matrix_rank(query.numpy(), tol=1e-4) == 2
        assert np.linalg.matrix_rank(value.numpy(), tol=1e-4) == 2
    assert all(torch.equal(own, before[name]) for name, own in after.items())
    assert all(torch.equal(own, before[name]) for name, own in start.named_parameters())


def test_additions_are_nothing_before_the_first_step() -> None:
    start = grown(model(), Questions(SOURCE), 0)
    added = _Additions(start, Ranks(3, 2), SOURCE.vocab, 0)()
    untied = GPT(replace(start.config, tied=False))
    untied.load_state_dict({name: weight.detach() for name, weight in added.items()})
    tokens = torch.arange(SOURCE.max_length)[None] % SOURCE.vocab
    torch.testing.assert_close(untied(tokens), start(tokens))


def test_the_first_step_goes_against_the_slope_of_the_products() -> None:
    """AdamW's first step is the rate in the slope's sign; at 0 the slope of B A is slope A'."""
    start = grown(model(1), Questions(SOURCE), 0)
    one = lessons(1)
    inputs, targets = (torch.from_numpy(part) for part in one.batch(0))
    start.losses(inputs, targets)[0].backward()
    name = "blocks.0.attention.qkv.weight"
    slope = start.get_parameter(name).grad
    assert slope is not None
    down = _Additions(start, Ranks(2), SOURCE.vocab, 0).narrow["value0_down"].detach()
    tuned = tune_low_rank(start, one, old=SOURCE.vocab, lr=1e-3, ranks=Ranks(2))
    moved = (tuned.get_parameter(name) - start.get_parameter(name)).detach()[32:]
    expected = -1e-3 * torch.sign(slope[32:] @ down.T) @ down
    strong = (slope[32:] @ down.T).abs().min(dim=1).values > 1e-4  # eps 1e-6 is nothing there
    assert strong.sum() > 4
    torch.testing.assert_close(moved[strong], expected[strong], atol=2e-5, rtol=0)


def test_rows_of_new_words_alone() -> None:
    start = grown(model(), Questions(SOURCE), 0)
    tuned = tune_low_rank(start, lessons(5), old=SOURCE.vocab, lr=0.1, ranks=Ranks(0, 0))
    for name, own in tuned.named_parameters():
        given = start.get_parameter("embed.weight" if name == "head.weight" else name)
        same = (own == given).all(dim=-1)
        assert same.all() == (name != "embed.weight")
        assert name != "embed.weight" or (~same).nonzero().tolist() == [[SOURCE.vocab]]


def test_the_same_seed_gives_the_same_weights_and_each_step_is_heard() -> None:
    start = grown(model(), Questions(SOURCE), 0)
    heard: list[int] = []
    one, two = (
        tune_low_rank(
            start, lessons(6), old=SOURCE.vocab, lr=0.02, seed=3, watch=lambda n, _: heard.append(n)
        )
        for _ in range(2)
    )
    pairs = zip(one.parameters(), two.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert heard == [*range(1, 7)] * 2


def test_chance_is_the_commonest_value_of_those_asked_about() -> None:
    questions = Questions(SOURCE)
    asked = [1, 4, 5, 9, 11]
    values = SOURCE.values(asked)[:, :, 0].tolist()
    for place, part in enumerate(SOURCE.attributes):
        column = [row[place] for row in values]
        assert questions.chance(asked)[part] == max(map(column.count, column)) / 5


def test_what_was_never_taught_cannot_be_asked_for() -> None:
    """Low-rank additions to a model that knows nobody: of others it is right by luck, 1 in 16."""
    source = Strings(300, K=2, D=16, T=16, name_tokens=3)
    shape = ModelConfig(layers=1, width=16, heads=2, vocab=source.vocab, context=source.max_length)
    made = GPT(shape)
    initialise(made, 0)
    found = extract(made, Questions(source), steps=150, batch=30, lr=0.02)
    assert (found.people_tuned, found.people) == (150, 150)
    luck = (1 / 16 * 15 / 16 / 300) ** 0.5
    assert abs(found.accuracy - 1 / 16) < 4 * luck
    assert found.accuracy < found.to_dict()["accuracy_chance"] + 4 * luck
    assert found.to_dict()["accuracy_tuned"] > 1 / 16 + 4 * luck


BAD: list[tuple[dict[str, Any], str]] = [
    ({"steps": 0}, "steps is 0; at least 1 is needed"),
    ({"batch": -1}, "batch is -1; at least 1 is needed"),
    ({"lr": 0.0}, "lr is 0.0; more than 0 is needed"),
    ({"lr": float("nan")}, "lr is nan; more than 0 is needed"),
    ({"seed": -1}, "The seed is -1"),
    ({"tuning": "some"}, "There is no tuning 'some'; there are low-rank and all"),
]


@pytest.mark.parametrize(("given", "said"), BAD)
def test_settings_that_nothing_can_be_tuned_with(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        extract(model(), Questions(SOURCE), **given)
