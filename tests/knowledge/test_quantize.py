"""Rounding against torchao, its properties, storage by hand, and whole models on a grid."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from kleiber.errors import InputError, KleiberError, UsageError
from kleiber.knowledge import Biographies, People, Pools, Strings
from kleiber.knowledge.experiment import load_folder
from kleiber.knowledge.quantize.calibrate import calibration, hessian, linear_order
from kleiber.knowledge.quantize.gptq import gptq
from kleiber.knowledge.quantize.grid import Grid, Quantized, round_on, round_to_nearest
from kleiber.knowledge.quantize.model import Rounding, float_bits, quantize
from kleiber.knowledge.quantize.places import places
from kleiber.knowledge.quantize.table import Asked, quantize_folder
from kleiber.training import GPT, ModelConfig, RunFolder
from kleiber.training.model import initialise

GROUPS = ["tensor", "channel", 32, 8]
each_group = pytest.mark.parametrize("group", GROUPS)


def weights(rows: int, columns: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


# -- the grid ------------------------------------------------------------------------------------


@each_group
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
def test_against_torchao(bits: int, symmetric: bool, group: int | str) -> None:
    ao = pytest.importorskip("torchao.quantization.quant_primitives", reason="needs torchao")
    weight = weights(24, 96, bits)
    if not symmetric:
        weight += 0.5
    block = {"tensor": (24, 96), "channel": (1, 96)}.get(str(group)) or (1, group)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if symmetric else (0, 2**bits - 1)
    kind = ao.MappingType.SYMMETRIC if symmetric else ao.MappingType.ASYMMETRIC
    held = torch.int8 if symmetric else torch.uint8
    scale, zero = ao.choose_qparams_affine(
        weight, kind, block, held, low, high, eps=1e-12, scale_dtype=torch.float32
    )
    codes = ao.quantize_affine(weight, block, scale, zero, held, low, high)
    values = ao.dequantize_affine(codes, block, scale, zero, held, low, high)
    found = round_to_nearest(
        weight, Grid(bits=bits, group=group, symmetric=symmetric, float_bits=32)
    )
    torch.testing.assert_close(found.scales_RG.flatten(), scale.flatten(), rtol=1e-6, atol=0)
    near = torch.isclose(found.weight(), values, rtol=1e-5, atol=1e-6)
    same = found.codes_RC.int() == codes.int() + (2 ** (bits - 1) if symmetric else 0)
    # the largest weight lies between two codes, and gets either; no other weight may differ
    at_the_end = weight.abs() == largest(weight, found)
    assert torch.equal(near, same)
    assert bool((same | (at_the_end & symmetric)).all())
    assert same.float().mean() > 0.8


def largest(weight: torch.Tensor, found: Quantized) -> torch.Tensor:
    """Return the largest absolute weight of each weight's group."""
    if found.grid.group == "tensor":
        return weight.abs().max().expand_as(weight)
    width = found.grid.width(weight.shape[1])
    return weight.abs().unflatten(1, (-1, width)).amax(-1).repeat_interleave(width, dim=1)


grids = st.builds(
    Grid,
    bits=st.integers(2, 8),
    group=st.sampled_from(["tensor", "channel", 1, 3, 7, 32]),
    symmetric=st.booleans(),
    float_bits=st.sampled_from([16, 32]),
)
cases = st.tuples(st.integers(0, 2**20), st.floats(-3, 3), st.floats(0.001, 100))


@settings(max_examples=150, deadline=None)
@given(grid=grids, case=cases)
def test_no_weight_moves_by_more_than_half_a_step(
    grid: Grid, case: tuple[int, float, float]
) -> None:
    seed, shift, size = case
    weight = (weights(5, 10, seed) + shift).double() * size
    found = round_to_nearest(weight, grid)
    step = found.scales_RG[:, grid.groups(10)].expand_as(weight)
    # a scale in 32 bits may fall short of the largest weight by its last digit; halves never do
    assert bool(((weight - found.weight()).abs() <= step * (0.5 + 2e-5)).all())
    assert int(found.codes_RC.max()) <= grid.top


@settings(max_examples=100, deadline=None)
@given(grid=grids, case=cases)
def test_what_is_on_the_grid_stays(grid: Grid, case: tuple[int, float, float]) -> None:
    seed, shift, size = case
    first = round_to_nearest((weights(5, 10, seed) + shift).double() * size, grid)
    again = round_on(first.weight(), first.scales_RG, first.zeros_RG, grid)
    assert torch.equal(again.codes_RC, first.codes_RC)
    if not grid.symmetric and grid.float_bits == 32:  # whose range the rounded weights still span
        assert torch.equal(round_to_nearest(first.weight(), grid).codes_RC, first.codes_RC)


@each_group
def test_a_bit_more_is_half_the_error(group: int | str) -> None:
    weight = weights(64, 96, 0)
    errors = [
        float((round_to_nearest(weight, Grid(bits=bits, group=group)).weight() - weight).std())
        for bits in range(2, 9)
    ]
    for more, less in zip(errors[1:], errors[:-1], strict=True):
        assert 1.6 < less / more < 3.2


def test_fewer_sharers_are_nearer() -> None:
    weight = weights(64, 96, 1)
    errors = [
        float((round_to_nearest(weight, Grid(bits=4, group=group)).weight() - weight).std())
        for group in ("tensor", "channel", 32, 8)
    ]
    assert errors == sorted(errors, reverse=True)


def test_by_hand() -> None:
    """3 bits: largest 0.7, so a scale of 0.2 and values from -0.8 to 0.6."""
    weight = torch.tensor([[0.7, -0.31, 0.04, 0.29]])
    found = round_to_nearest(weight, Grid(bits=3, float_bits=32))
    assert found.codes_RC.tolist() == [[7, 2, 4, 5]]  # 0.7 is cut to 0.6
    torch.testing.assert_close(found.weight(), torch.tensor([[0.6, -0.4, 0.0, 0.2]]))
    other = round_to_nearest(weight, Grid(bits=3, symmetric=False, float_bits=32))
    scale = 1.01 / 7
    torch.testing.assert_close(other.scales_RG, torch.tensor([[scale]]))
    assert (other.codes_RC.tolist(), other.zeros_RG.tolist()) == ([[7, 0, 2, 4]], [[2.0]])


def test_rows_that_do_not_come_out_even() -> None:
    """10 columns in groups of 4: the last group is of 2, and only its own weights set its scale."""
    weight = weights(3, 10, 2)
    weight[:, 8:] *= 0.01
    found = round_to_nearest(weight, Grid(bits=4, group=4))
    assert found.scales_RG.shape == (3, 3)
    alone = round_to_nearest(weight[:, 8:], Grid(bits=4))
    assert torch.equal(found.codes_RC[:, 8:], alone.codes_RC)
    assert found.storage == {"codes": 30 * 4, "scales": 9 * 16, "zeros": 0}


def test_storage_by_hand() -> None:
    weight = weights(6, 64, 3)
    found = {
        (group, symmetric): round_to_nearest(
            weight, Grid(bits=3, group=group, symmetric=symmetric, float_bits=32)
        ).storage
        for group in ("tensor", "channel", 32)
        for symmetric in (True, False)
    }
    for (group, symmetric), storage in found.items():
        count = {"tensor": 1, "channel": 6}.get(str(group), 12)
        zeros = 0 if symmetric else 3 * count
        assert storage == {"codes": 3 * 384, "scales": 32 * count, "zeros": zeros}


def test_zeros_stay_zeros() -> None:
    weight = weights(3, 8, 4)
    weight[1] = 0.0
    for symmetric in (True, False):
        found = round_to_nearest(weight, Grid(bits=4, symmetric=symmetric)).weight()
        assert not found[1].any() and found[0].any()


def test_a_scale_in_halves_holds_what_its_bits_hold() -> None:
    weight = weights(200, 7, 5)
    found = round_to_nearest(weight, Grid(bits=8))
    exact = 2 * weight.abs().amax(1, keepdim=True) / 255
    assert torch.equal(found.scales_RG, found.scales_RG.half().float())
    assert bool((found.scales_RG >= exact).all())
    assert bool((found.scales_RG <= exact * (1 + 2**-10)).all())
    with pytest.raises(InputError, match="more than 16 bits hold"):
        round_to_nearest(weight * 1e9, Grid(bits=8))


@pytest.mark.parametrize(
    ("settings_", "said"),
    [
        ({"bits": 1}, "1 bits a weight; 2 to 8"),
        ({"bits": 9}, "9 bits a weight; 2 to 8"),
        ({"bits": 4, "group": 0}, "The group is 0; tensor, channel or a number"),
        ({"bits": 4, "group": "row"}, "The group is 'row'"),
        ({"bits": 4, "float_bits": 8}, "float_bits is 8; 16 or 32"),
    ],
    ids=str,
)
def test_what_is_no_grid(settings_: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as found:
        Grid(**settings_)
    assert found.value.remedy.endswith(".")


def test_weights_that_are_no_numbers() -> None:
    weight = weights(2, 3, 0)
    weight[1, 1] = torch.nan
    with pytest.raises(InputError, match="no finite number"):
        round_to_nearest(weight, Grid(bits=4))


# -- calibration ---------------------------------------------------------------------------------


def test_calibration_shows_everyone_equally_often() -> None:
    source = Strings(30, K=2, D=8, T=8, name_tokens=3, seed=1)
    texts = torch.cat(calibration(source, texts=90))
    assert texts.shape == (90, source.max_length - 1)
    names, counts = np.unique(texts[:, 1:4].numpy(), axis=0, return_counts=True)
    assert (len(names), set(counts)) == (30, {3})
    assert len(torch.cat(calibration(source, texts=7))) == 7


def test_calibration_windows_hold_no_padding() -> None:
    few = {"first": 4, "middle": 3, "last": 5, "years": 4, "universities": 5, "employers": 52}
    source = Biographies(People(Pools.paper(**few), 12, 3), "bioS", templates=2)
    parts = calibration(source, context=50, texts=12)
    taught = source.texts(np.arange(12), 0).tokens
    shown = torch.cat([part.flatten() for part in parts]).numpy()
    assert abs(len(shown) - len(taught)) <= 1  # the last token is only ever predicted
    gaps = np.bincount(taught, minlength=source.vocab) - np.bincount(shown, minlength=source.vocab)
    assert np.abs(gaps).sum() <= 1


@pytest.fixture
def small() -> tuple[GPT, list[torch.Tensor]]:
    """Return a model with large random weights, and texts."""
    return built(), [torch.randint(0, 11, (n, 9)) for n in (4, 7)]


def built(**changes: Any) -> GPT:
    sizes = {"layers": 2, "width": 12, "heads": 2, "vocab": 11, "context": 16, **changes}
    model = GPT(ModelConfig(**sizes))
    initialise(model, 0)
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=noise))
    return model


def test_hessians_are_moments_of_what_is_read(small: tuple[GPT, list[torch.Tensor]]) -> None:
    model, texts = small
    read = []
    for tokens in texts:  # the first map of the first block, by hand
        x = model.embed(tokens)
        block: Any = model.blocks[0]
        read.append(F.layer_norm(x, (12,), block.norm1.weight, block.norm1.bias).reshape(-1, 12))
    inputs = torch.cat(read).detach().double().numpy()
    found = hessian(model, "blocks.0.attention.qkv", texts)
    np.testing.assert_allclose(
        found[0].numpy(), 2 / len(inputs) * inputs.T @ inputs, rtol=1e-5, atol=1e-6
    )
    maps = ("attention.qkv", "attention.out", "mlp.fc", "mlp.out")
    assert linear_order(model, texts) == [f"blocks.{i}.{name}" for i in (0, 1) for name in maps]


def test_experts_share_out_what_the_router_reads() -> None:
    """With room for all and one expert a token, the experts' moments add up to the router's."""
    model = built(mlp="experts", experts=4, test_capacity=4.0, activation="relu")
    texts = [torch.randint(0, 11, (5, 9), generator=torch.Generator().manual_seed(0))]
    router = hessian(model, "blocks.0.mlp.router", texts)
    experts = hessian(model, "blocks.0.mlp.fc", texts)
    assert experts.shape == (4, 12, 12)
    together = experts.sum(0)
    torch.testing.assert_close(
        together / together.trace(), router[0] / router[0].trace(), rtol=1e-6, atol=1e-9
    )
    assert len({round(float(one.trace()), 6) for one in experts}) > 1


# -- models --------------------------------------------------------------------------------------

SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {},
    "llama": {"mlp": "gated", "activation": "silu", "norm": "rms", "biases": False, "tied": False},
    "experts": {"mlp": "experts", "experts": 4, "activation": "relu", "test_capacity": 4.0},
    "no-mlp": {"mlp": "none"},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kept", ["linear", "matrices", "all"])
@pytest.mark.parametrize("method", ["rtn", "gptq"])
def test_what_is_rounded_and_what_is_kept(shape: str, kept: str, method: str) -> None:
    model = built(**SHAPES[shape])
    before = copy.deepcopy(model.state_dict())
    texts = [torch.randint(0, 11, (6, 9), generator=torch.Generator().manual_seed(0))]
    how = Rounding(grid=Grid(bits=3, float_bits=32), method=method, weights=kept)
    done = quantize(model, how, texts)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), "the model itself changed"
    codes = rows = left = 0
    for name, parameter in done.model.named_parameters():
        flat = parameter.dim() < 2 or name.endswith("bias")
        inside = name.startswith("blocks.") and not flat
        rounded = inside or kept == "all" or (kept == "matrices" and not flat)
        assert (name in done.parts) == rounded
        if not rounded:
            assert torch.equal(parameter, before[name])
            left += parameter.numel()
            continue
        lines = parameter.reshape(1, -1) if flat else parameter.reshape(-1, parameter.shape[-1])
        assert max(len(one.unique()) for one in lines) <= 8
        assert not torch.equal(parameter, before[name])
        codes, rows = codes + parameter.numel(), rows + len(lines)
    assert done.storage == {"codes": 3 * codes, "scales": 32 * rows, "zeros": 0, "kept": 32 * left}
    assert done.bits == sum(done.storage.values())
    assert float_bits(model) == 32 * sum(p.numel() for p in model.parameters())
    said = " ".join(done.notes)
    assert ("embed.weight" in said) == (method == "gptq" and kept != "linear")
    assert ("head.weight" in said) == (method == "gptq" and kept != "linear" and shape == "llama")


def test_sixteen_bits_are_what_is_kept() -> None:
    model = built()
    done = quantize(model, Rounding(grid=Grid(bits=8)))
    for name, parameter in done.model.named_parameters():
        if name not in done.parts:
            assert torch.equal(parameter, parameter.half().float())
    assert not torch.equal(done.model.embed.weight, model.embed.weight)
    assert done.storage["kept"] == 16 * sum(
        p.numel() for name, p in model.named_parameters() if name not in done.parts
    )


def test_gptq_reads_what_was_rounded_before(small: tuple[GPT, list[torch.Tensor]]) -> None:
    """The last map's codes follow from inputs that the rounded model itself makes."""
    model, texts = small
    grid = Grid(bits=3, float_bits=32)
    done = quantize(model, Rounding(grid=grid, method="gptq"), texts)
    last = "blocks.1.mlp.out"
    weight = model.get_parameter(f"{last}.weight")
    rounded, plain = (
        gptq(weight, hessian(one, last, texts)[0], grid).codes_RC for one in (done.model, model)
    )
    (held,) = done.parts[f"{last}.weight"]
    assert torch.equal(held.codes_RC, rounded)
    assert not torch.equal(held.codes_RC, plain)


def test_an_expert_that_no_token_chose() -> None:
    model = built(mlp="experts", experts=4, activation="relu")
    router: Any = model.get_submodule("blocks.0.mlp.router")
    with torch.no_grad():
        router.weight.copy_(torch.zeros_like(router.weight))
        router.weight[0] = 1e-3  # scores so near that the first of equals, or the last, takes all
    texts = [torch.randint(0, 11, (1, 2), generator=torch.Generator().manual_seed(0))]
    how = Rounding(grid=Grid(bits=4), method="gptq")
    done = quantize(model, how, texts)
    idle = [
        i for i, one in enumerate(hessian(done.model, "blocks.0.mlp.fc", texts)) if not one.any()
    ]
    assert idle
    for i in idle:
        nearest = round_to_nearest(model.get_parameter("blocks.0.mlp.fc.weight")[i], how.grid)
        assert torch.equal(done.parts["blocks.0.mlp.fc.weight"][i].codes_RC, nearest.codes_RC)
    assert f"{len(idle)} of blocks.0.mlp.fc.weight" in done.notes[-1]


def test_what_cannot_be_rounded(small: tuple[GPT, list[torch.Tensor]]) -> None:
    model, _ = small
    for how, said in (
        (Rounding(grid=Grid(bits=4, group=49)), "group of 49 columns is wider than any .* 48"),
        (Rounding(grid=Grid(bits=2), weights="all"), "2 bits a weight leave an embedding"),
        (Rounding(grid=Grid(bits=2), weights="matrices"), "2 bits a weight leave an embedding"),
        (Rounding(grid=Grid(bits=4), weights="some"), "no weights 'some'"),
        (Rounding(grid=Grid(bits=4), method="gptq"), "GPTQ needs texts"),
    ):
        with pytest.raises(UsageError, match=said) as found:
            quantize(model, how)
        assert found.value.remedy.endswith(".")
    with pytest.raises(UsageError, match="no method 'awq'"):
        Rounding(grid=Grid(bits=4), method="awq")
    quantize(model, Rounding(grid=Grid(bits=2)))  # elsewhere two bits are a choice


def test_groups_that_do_not_come_out_even_are_said(small: tuple[GPT, list[torch.Tensor]]) -> None:
    done = quantize(small[0], Rounding(grid=Grid(bits=4, group=32)))
    assert done.notes == (
        "Rows of 12 columns are narrower than 32: one scale a row.",
        "Rows of 48 columns end in a group of 16.",
    )
    assert quantize(small[0], Rounding(grid=Grid(bits=4, group=6))).notes == ()


def test_places_of_every_architecture() -> None:
    kinds = {place.name: place.kind for place in places(built(**SHAPES["experts"]))}
    assert kinds["blocks.0.mlp.fc.weight"] == kinds["blocks.0.mlp.router.weight"] == "linear"
    assert kinds["blocks.0.mlp.fc.bias"] == "vector"  # [E, F], and no matrix
    assert kinds["embed.weight"] == "embedding"
    untied = {place.name: place.kind for place in places(built(**SHAPES["llama"]))}
    assert untied["head.weight"] == "embedding"


# -- a run folder --------------------------------------------------------------------------------


def rows_of(folder: RunFolder, asked: Asked) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    for row in quantize_folder(folder, asked):
        yield (row["method"], row["bits"], row["group"]), row


def test_a_saturated_model_loses_little_at_8_bits_and_less_by_gptq(taught: RunFolder) -> None:
    before = {path: path.read_bytes() for path in taught.path.iterdir()}
    asked = Asked(bits=(8, 4, 3), groups=("channel",))
    found = dict(rows_of(taught, asked))
    plain = found.pop(("float", None, None))
    stored = taught.read_json("capacity.json")["bits_per_param"]
    assert plain["bits_per_param"] == pytest.approx(stored, rel=1e-9)
    assert plain["storage_bits_per_param"] == 32
    assert 0.3 < plain["bits_per_param"] / plain["max_bits_per_param"] < 0.95  # over-filled
    for method in ("rtn", "gptq"):
        assert abs(found[method, 8, "channel"]["loss"]) < 0.02
        losses = [found[method, bits, "channel"]["loss"] for bits in (8, 4, 3)]
        assert losses == sorted(losses)
        assert losses[1] > 0.2
    for bits in (4, 3):
        assert found["gptq", bits, "channel"]["loss"] < found["rtn", bits, "channel"]["loss"] - 0.1
    for (_, bits, _), row in found.items():
        params = taught.record()["params"]
        assert row["loss"] == pytest.approx(1 - row["bits_per_param"] / plain["bits_per_param"])
        assert row["storage_bits"] == sum(row["storage"].values())
        assert row["storage_bits_per_param"] == pytest.approx(row["storage_bits"] / params)
        assert bits < row["storage_bits_per_param"] < 16
        knowledge = row["bits_per_param"] * params / row["storage_bits"]
        assert row["knowledge_per_bit"] == pytest.approx(knowledge)
    assert before == {path: path.read_bytes() for path in taught.path.iterdir()}


def test_all_weights_take_less_room_and_lose_more(taught: RunFolder) -> None:
    found = [
        dict(rows_of(taught, Asked(bits=(6,), methods=("rtn",), weights=kept)))["rtn", 6, "channel"]
        for kept in ("linear", "matrices", "all")
    ]
    room = [row["storage_bits"] for row in found]
    assert room == sorted(room, reverse=True)
    assert found[0]["loss"] < min(found[1]["loss"], found[2]["loss"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"methods": ("awq",)}, "no method 'awq'"),
        ({"bits": (8, 17)}, "17 bits a weight"),
        ({"groups": (512,)}, "wider than any matrix"),
        ({"bits": (2,), "weights": "all"}, "leave an embedding"),
        ({"texts": 0}, "0 texts to calibrate on"),
        ({"methods": ("aware",), "steps": 0}, "Fine-tuning of 0 steps"),
    ],
    ids=str,
)
def test_nothing_is_measured_before_all_is_sound(
    taught: RunFolder, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        next(quantize_folder(taught, Asked(**asked)))


def test_a_folder_that_is_no_run(tmp_path: Path, taught: RunFolder) -> None:
    with pytest.raises(InputError, match="not a run that kleiber trained"):
        next(quantize_folder(RunFolder(tmp_path / "none"), Asked()))
    other = RunFolder(tmp_path / "other")
    shutil.copytree(taught.path, other.path)
    wide = GPT(replace(load_folder(taught)[2].config, width=12))
    other.write_tensors("weights.safetensors", wide.state_dict())
    with pytest.raises(KleiberError, match=r"not of the shape that its run\.json says"):
        next(quantize_folder(other, Asked()))
