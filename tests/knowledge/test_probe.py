"""A layer taken out: the model that remains, by hand, and its bits by the measure."""

from __future__ import annotations

import pytest
import torch

from kleiber.errors import InputError, UsageError
from kleiber.knowledge.cell import Cell
from kleiber.knowledge.experiment import load_folder, run
from kleiber.knowledge.measure import measure
from kleiber.knowledge.probe import probe_folder, without_layer
from kleiber.training import GPT, ModelConfig, RunFolder
from kleiber.training.model import initialise


def built(layers: int) -> GPT:
    model = GPT(ModelConfig(layers=layers, width=8, heads=2, vocab=11, context=9))
    initialise(model, 3)
    return model


@pytest.mark.parametrize("layer", [0, 1, 2, -1, -3])
def test_the_other_layers_stay_as_they_are(layer: int) -> None:
    model, short = built(3), built(2)
    rest = [i for i in range(3) if i != layer % 3]
    for place, origin in enumerate(rest):
        short.blocks[place].load_state_dict(model.blocks[origin].state_dict())
    tokens = torch.randint(0, 11, (4, 9), generator=torch.Generator().manual_seed(0))
    expected, found = short(tokens), without_layer(model, layer)(tokens)
    assert torch.equal(found, expected)  # embedding and norm are those of the same seed
    assert len(model.blocks) == 3 and not torch.allclose(model(tokens), expected)


def test_a_layer_that_does_nothing_costs_nothing(taught: RunFolder) -> None:
    """One whose last maps are zeroed adds nothing to the residual, and holds nothing."""
    _, source, model = load_folder(taught)
    with torch.no_grad():
        for name, parameter in model.blocks[1].named_parameters():
            if name.startswith(("attention.out", "mlp.out")):
                parameter.zero_()
    whole, less = (
        measure(one, source, texts=1, controls=False) for one in (model, without_layer(model, 1))
    )
    assert less.bits_per_param * less.params == pytest.approx(whole.bits_per_param * whole.params)


def test_a_run_without_its_layers(taught: RunFolder) -> None:
    cell, source, model = load_folder(taught)
    found = probe_folder(taught, [0, -1])
    assert [one.layer for one in found] == [0, 1]
    for one in found:
        whole, less = (
            measure(each, source, texts=cell.texts, controls=False)
            for each in (model, without_layer(model, one.layer))
        )
        assert one.before == pytest.approx(whole.bits_per_param * whole.params)
        assert one.after == pytest.approx(less.bits_per_param * less.params)
        assert (one.accuracy_before, one.accuracy_after) == (whole.accuracy, less.accuracy)
        assert one.after_clipped >= max(0.0, one.after)
        assert one.kept == pytest.approx(one.after / one.before)
        assert one.spread_evenly == 0.5
        assert one.kept < one.spread_evenly  # near capacity, much less than 1 - 1/L
    assert probe_folder(taught) == found[1:]


def test_what_cannot_be_taken_out(taught: RunFolder) -> None:
    for layer in (2, -3):
        with pytest.raises(UsageError, match=f"no layer {layer} in a model of 2"):
            probe_folder(taught, [layer])
    with pytest.raises(UsageError, match="one layer; without it nothing is left"):
        without_layer(built(1))


def test_random_strings_are_another_quantity(tmp_path_factory: pytest.TempPathFactory) -> None:
    cell = Cell(
        people=10, exposures=2, layers=2, width=8, heads=1, batch=10, lr=0.01, format="random",
        strings={"length": 4, "symbols": 4}, compiled=False,
    )  # fmt: skip
    folder = RunFolder(tmp_path_factory.mktemp("random") / "run")
    for _ in run([cell], [folder]):
        pass
    with pytest.raises(InputError, match="was taught random strings"):
        probe_folder(folder)
