"""Cells of every architecture: their models, names, folders, and widths at equal parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kleiber.errors import InputError, UsageError
from kleiber.knowledge.cell import Cell, stacks
from kleiber.knowledge.equal import of_size, params_of
from kleiber.knowledge.prepare import record
from kleiber.training.architectures import ARCHITECTURES, architecture

STRINGS = {"K": 3, "C": 1, "D": 16, "L": 1, "T": 16, "name_tokens": 2}


def made(**changes: Any) -> Cell:
    plain = {"people": 60, "exposures": 5, "layers": 2, "width": 16, "heads": 2, "batch": 6}
    return Cell.of({**plain, "lr": 0.01, "strings": STRINGS, **changes})


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_cells_model_is_the_architectures(name: str) -> None:
    cell = made(architecture=name)
    source = cell.source()
    found = cell.model(source)
    shape = {"layers": 2, "width": 16, "heads": 2, "vocab": source.vocab, "context": found.context}
    assert found == architecture(name, **shape)
    assert Cell.of(cell.to_dict()) == cell
    assert (f"-{name}-" in cell.name) == (name != "gpt2")


def test_what_is_changed_is_in_the_model_the_name_and_the_fingerprint() -> None:
    cells = [
        made(),
        made(changed={"tied": False}),
        made(architecture="llama"),
        made(architecture="llama", changed={"tied": True}),
        made(architecture="gpt2-moe", changed={"experts": 4}),
        made(mlp_ratio=2),
    ]
    assert len({record(cell)["fingerprint"] for cell in cells}) == len(cells)
    assert len({cell.name for cell in cells[:-1]}) == len(cells) - 1
    assert cells[3].model(cells[3].source()).tied
    assert cells[5].model(cells[5].source()).mlp_ratio == 2
    assert "architecture" not in made().to_dict()
    assert made().to_dict()["mlp_ratio"] == 4


def test_the_ratio_goes_with_the_architecture() -> None:
    said = replace(made(mlp_ratio=4), architecture="llama")
    assert said.model(said.source()).mlp_ratio == pytest.approx(8 / 3)
    kept = replace(made(mlp_ratio=2), architecture="llama")
    assert kept.model(kept.source()).mlp_ratio == 2


@pytest.mark.parametrize("name", ["llama", "mistral", "gpt2-quarter", "gpt2-nomlp", "gpt2-gated"])
def test_equal_parameters(name: str) -> None:
    asked = params_of(made(width=24))
    cell, said = of_size(made(architecture=name), asked)
    assert params_of(cell) == said.params == pytest.approx(asked, rel=0.15)
    for width in (cell.width - 4, cell.width + 4):  # two heads of even size: steps of four
        assert abs(params_of(replace(cell, width=width)) - asked) >= abs(said.params - asked)


def test_what_is_no_architecture() -> None:
    with pytest.raises(InputError, match="no architecture 'gpt5'"):
        made(architecture="gpt5")
    with pytest.raises(InputError, match="no setting wings"):
        made(changed={"wings": 2})
    with pytest.raises(InputError, match="No gpt2 of 2 layers and 20 rows has about 10 parameters"):
        of_size(made(), 10)
    with pytest.raises(UsageError, match="changed says experts, top_k, and llama has no experts"):
        made(architecture="llama", changed={"experts": 4, "top_k": 2})
    assert made(changed={"mlp": "experts", "experts": 4}).changed["experts"] == 4
    with pytest.raises(UsageError, match="mlp_ratio is 0"):
        made(mlp_ratio=0)


def test_rates_and_decays_of_one_shape_train_together() -> None:
    decays = {"decay_over_run": 2.0}
    cells = [made(**decays), made(lr=0.02, **decays), made(lr=0.02, weight_decay=0.1)]
    assert stacks(cells) == [[0, 1, 2]]
    assert stacks([cells[0], made(architecture="llama")]) == [[0], [1]]
