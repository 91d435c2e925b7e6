"""Architectures: what they have, that they train as one, and what no model can be."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from kleiber.errors import InputError
from kleiber.training import (
    GPT,
    ModelConfig,
    RunFolder,
    TrainConfig,
    architecture,
    count_flops,
    count_params,
    equal_shapes,
    train,
    width_for,
)
from kleiber.training.architectures import ARCHITECTURES, CHAIN, PRESETS, mistral_kv_heads, table
from kleiber.training.load import load_model
from kleiber.training.machine import can_compile
from kleiber.training.memory import COPIES, FLOAT, PROCESS, training_bytes
from kleiber.training.model import initialise
from kleiber.training.noise import Noise
from kleiber.training.record import record_of
from kleiber.training.step import Stepper

EACH = pytest.mark.parametrize("name", list(ARCHITECTURES))
FEW = {"gpt2-moe": {"experts": 4}}


def small(name: str, **changes: Any) -> ModelConfig:
    shape = {"layers": 2, "width": 16, "heads": 4, "vocab": 31, "context": 12}
    return architecture(name, **{**shape, **FEW.get(name, {}), **changes})


def noises(count: int, steps: int = 12) -> list[Noise]:
    return [Noise(steps=steps, batch_size=6, context=12, vocab=31, seed=s) for s in range(count)]


def settings(count: int) -> list[TrainConfig]:
    rates, decays = (1e-3, 4e-3, 1e-2), (0.0, 0.3, 2.0)
    return [TrainConfig(lr=rates[i], seed=i, weight_decay=decays[i]) for i in range(count)]


def flat(model: GPT) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()]).clone()


@EACH
def test_a_stack_is_its_single_runs_each_with_its_own_decay(name: str) -> None:
    shape, configs, data = small(name), settings(3), noises(3)
    *_, together = train(shape, configs, data, readings=1)
    assert len(set(together.losses)) == 3
    for i in range(3):
        *_, alone = train(shape, configs[i : i + 1], data[i : i + 1], readings=1)
        assert together.losses[i] == pytest.approx(alone.losses[0], rel=1e-5)
    stack, first = Stepper(shape, configs), Stepper(shape, configs[2:])
    for step in range(12):
        pairs = [noise.batch(step) for noise in data]
        inputs, targets = (torch.stack([torch.from_numpy(p[i]) for p in pairs]) for i in (0, 1))
        stack.step(inputs, targets, 1.0, step + 1)
        first.step(inputs[2:], targets[2:], 1.0, step + 1)
    ours, theirs = stack.state.params[2], first.state.params[0]
    assert (ours - theirs).norm() / theirs.norm() < 1e-5
    undecayed = Stepper(shape, [replace(configs[2], weight_decay=0.0)])
    assert (undecayed.decay_S1 != first.decay_S1).all()


def test_a_stack_differs_in_what_its_models_own_and_nothing_else() -> None:
    configs = [TrainConfig(lr=1e-3), TrainConfig(lr=1e-3, clip=0.5, betas=(0.9, 0.99))]
    with pytest.raises(InputError, match=r"differ in betas, clip; they may in lr, seed, weight_"):
        list(train(small("gpt2"), configs, noises(2)))


@pytest.mark.parametrize("name", PRESETS)
def test_an_interrupted_run_goes_on_bit_for_bit(name: str, tmp_path: Path) -> None:
    shape, configs, data = small(name), settings(2), noises(2)
    whole = [RunFolder(tmp_path / f"whole{i}") for i in range(2)]
    broken = [RunFolder(tmp_path / f"broken{i}") for i in range(2)]
    list(train(shape, configs, data, whole))
    for reading in train(shape, configs, data, broken, save_every=3, readings=12):
        if reading.step >= 7:
            break
    list(train(shape, configs, data, broken))
    for one, other in zip(whole, broken, strict=True):
        a, b = ((f.path / "weights.safetensors").read_bytes() for f in (one, other))
        assert a == b
    held = ModelConfig.of(whole[0].record()["model"])
    assert held == shape
    model = GPT(held)
    model.load_state_dict(whole[0].read_tensors("weights.safetensors"))
    assert sum(p.numel() for p in model.parameters()) == whole[0].record()["params"]


@EACH
def test_the_counts_are_the_built_models(name: str) -> None:
    for changes in ({}, {"width": 24, "heads": 3, "vocab": 99}, {"biases": True}, {"tied": False}):
        config = small(name, **changes)
        groups = count_params(config)
        named = list(GPT(config).named_parameters())

        def of(said: str, named: Any = named) -> int:
            return sum(p.numel() for n, p in named if said in f".{n}")

        assert groups["embedding"] == of(".embed.")
        assert groups["head"] == of(".head.")
        assert groups["attention"] == of(".attention.")
        assert groups["mlp"] == of(".mlp.")
        assert groups["norms"] == of(".norm")
        assert groups["total"] == of("")


def test_the_published_formulas() -> None:
    d, rows, layers = 256, 3275, 6
    shape = {"layers": layers, "width": d, "heads": 4, "vocab": rows, "context": 512}
    llama = count_params(architecture("llama", **{**shape, "width": 384, "heads": 6}))
    assert llama["body"] == layers * (12 * 384**2 + 2 * 384) + 384  # 8 d^2 MLP, 4 d^2 attention
    assert llama["embedding"] == llama["head"] == rows * 384
    mistral = count_params(architecture("mistral", **shape))
    assert mistral["mlp"] == layers * 10.5 * d**2
    assert mistral["attention"] == layers * 2.5 * d**2  # keys and values of d^2 / 4 each
    quarter = count_params(architecture("gpt2-quarter", **shape))
    assert quarter["mlp"] == layers * (2 * d**2 + 2 * d)
    assert count_params(architecture("gpt2-nomlp", **shape))["mlp"] == 0


def test_the_published_share_of_active_parameters() -> None:
    """11.3 times as many in all as are active, 8.8 %, for attention and experts at large width."""
    config = architecture(
        "gpt2-moe", layers=6, width=4096, heads=64, vocab=1, context=1, biases=False
    )
    groups = count_params(config)
    router = config.layers * 32 * config.width
    active = groups["active"] - (groups["total"] - groups["attention"] - groups["mlp"]) - router
    total = groups["attention"] + groups["mlp"] - router
    assert total / active == pytest.approx(68 / 6) == pytest.approx(11.3, abs=0.05)
    assert active / total == pytest.approx(0.088, abs=5e-4)
    assert count_flops(config)["6nd"] == 6 * groups["active"]


@EACH
def test_flops_are_of_what_a_token_multiplies(name: str) -> None:
    """Torch's own counter on a forward pass, at capacities that leave no place empty."""
    from torch.utils.flop_counter import FlopCounterMode

    config = small(name, context=100, vocab=31)
    if config.mlp == "experts":  # tokens all even: 4 experts, each a quarter
        config = replace(config, capacity=1.0, test_capacity=1.0)
    tokens = torch.randint(0, 31, (2, 100))
    with FlopCounterMode(display=False) as counter:
        GPT(config)(tokens)
    attention = 2 * 2 * config.layers * 100 * config.width  # whole scores, not half of them
    assert counter.get_total_flops() / 200 == pytest.approx(
        count_flops(config)["matmul"] / 3 + attention
    )


def test_the_presets_differ_in_what_the_table_says() -> None:
    rows = {row["name"]: row for row in table()}
    assert [rows[name]["mlp"] for name in PRESETS] == [
        "standard", "gated", "gated", "standard", "none", "experts",
    ]  # fmt: skip
    assert rows["llama"]["tied"] == "no" and rows["gpt2"]["tied"] == "yes"
    for one, other in pairwise(CHAIN):
        apart = {f for f in rows[one] if rows[one][f] != rows[other][f]} - {"name"}
        assert apart in ({"tied"}, {"mlp", "mlp_ratio"}, {"activation"}, {"norm"}, {"biases"}), one


@pytest.mark.parametrize(("heads", "kv"), [(1, 1), (2, 1), (3, 3), (4, 1), (6, 3), (8, 2), (12, 3)])
def test_mistrals_groups(heads: int, kv: int) -> None:
    assert mistral_kv_heads(heads) == kv
    assert small("mistral", width=24 * heads, heads=heads).key_heads == kv


@EACH
@pytest.mark.parametrize("rule", [{"heads": 2}, {"head_size": 8}])
def test_the_width_is_the_nearest_of_all(name: str, rule: dict[str, int]) -> None:
    found = width_for(name, 90_000, layers=2, vocab=332, **rule)
    step = 4 if "heads" in rule else 8
    every = []
    for width in range(step, 129, step):
        heads = rule.get("heads") or width // 8
        config = architecture(name, layers=2, width=width, heads=heads, vocab=332, context=1)
        every.append(sum(p.numel() for p in GPT(config).parameters()))
    assert found.params == min(every, key=lambda count: abs(count - 90_000))
    said = str(found)
    assert f"{name} 2 x {found.config.width}" in said and f"{found.params:,} parameters" in said
    assert ("active" in said) == (name == "gpt2-moe")


def test_depths_at_equal_size() -> None:
    shapes = equal_shapes("gpt2", 100_000, (1, 2, 4, 8), vocab=73, heads=1)
    assert [sized.config.layers for sized in shapes] == [1, 2, 4, 8]
    assert all(abs(sized.off) < 0.05 for sized in shapes)
    widths = [sized.config.width for sized in shapes]
    assert widths == sorted(widths, reverse=True)


def refuse(said: str, **changes: Any) -> Any:
    return pytest.param(changes, said, id=said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        refuse("width of at least 1, not 0", width=0),
        refuse("3 heads cannot share a width of 16", heads=3),
        refuse("4 heads cannot share 3 heads of keys", kv_heads=3),
        refuse("4 heads cannot share 8 heads of keys", kv_heads=8),
        refuse("4 heads cannot share 0 heads of keys", kv_heads=0),
        refuse("no mlp 'big'; there are standard, gated", mlp="big"),
        refuse("no norm 'batch'", norm="batch"),
        refuse("no activation 'tanh'", activation="tanh"),
        refuse("mlp_ratio of at least 1 / width, not 0", mlp_ratio=0),
        refuse("pass 5 of 4 experts", mlp="experts", experts=4, top_k=5),
        refuse("pass 0 of 4 experts", mlp="experts", experts=4, top_k=0),
        refuse("capacity 0 take no tokens", mlp="experts", capacity=0),
        refuse("test_capacity nan take no tokens", mlp="experts", test_capacity=float("nan")),
        refuse("balance loss is -1", mlp="experts", balance=-1),
    ],
)
def test_what_no_model_can_be(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as found:
        small("gpt2", **changes)
    assert found.value.remedy.endswith(".")


def test_what_no_size_or_name_can_be() -> None:
    with pytest.raises(InputError, match=r"no architecture 'gtp2'"):
        architecture("gtp2", layers=1, width=8, heads=1, vocab=9, context=4)
    with pytest.raises(InputError, match=r"has about 500 parameters; the narrowest, of width 4,"):
        width_for("llama", 500, layers=2, vocab=332, heads=2)
    with pytest.raises(InputError, match=r"No llama of 1 layer and 332 rows .* the widest") as far:
        width_for("llama", 1e15, layers=1, vocab=332, heads=2)
    assert far.value.remedy == "Ask for fewer parameters, or more layers."
    with pytest.raises(InputError, match="exactly one is needed"):
        width_for("llama", 50_000, layers=2, vocab=332)
    with pytest.raises(InputError, match="No model has -5 parameters"):
        width_for("llama", -5, layers=2, vocab=332, heads=2)
    with pytest.raises(InputError, match="No model has heads 0"):
        width_for("llama", 5000, layers=2, vocab=332, heads=0)
    with pytest.raises(InputError, match="no model has colour"):
        ModelConfig.of({**small("gpt2").to_dict(), "colour": 3})
    with pytest.raises(InputError, match="there is no vocab, width"):
        ModelConfig.of({"layers": 1, "heads": 1, "context": 1})


def test_folders_from_before_there_were_architectures_are_known() -> None:
    """A record, a fingerprint and losses as written before there was any other."""
    shape = ModelConfig(layers=2, width=16, heads=2, vocab=31, context=12)
    config = TrainConfig(lr=1e-2)
    noise = Noise(steps=20, batch_size=8, context=12, vocab=31)
    record = record_of(shape, config, noise, {})
    assert record["fingerprint"] == "709aba5d395ae9ef"
    old = {
        "layers": 2, "width": 16, "heads": 2, "vocab": 31, "context": 12,
        "mlp_ratio": 4, "rope_base": 10000.0, "init_scale": 0.6,
    }  # fmt: skip
    assert record["model"] == old and ModelConfig.of(old) == shape
    before = [3.5606014728546143, 3.517556667327881, 3.4589359760284424, 3.4988365173339844]
    losses = [r.losses[0] for r in train(shape, [config], [noise], readings=4)]
    assert losses == pytest.approx(before, rel=1e-6)
    other = record_of(small("llama"), config, noise, {})
    assert ModelConfig.of(other["model"]) == small("llama")


@EACH
def test_every_parameter_learns(name: str) -> None:
    model = GPT(small(name, **({"top_k": 2} if name == "gpt2-moe" else {})))
    initialise(model, 1)
    inputs, targets = (torch.from_numpy(part) for part in noises(1)[0].batch(0))
    nats, uneven = model.losses(inputs, targets)
    (nats if uneven is None else nats + uneven).backward()
    assert (uneven is None) == (name != "gpt2-moe")
    for said, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), said


@pytest.mark.skipif(not can_compile(), reason="needs a C++ compiler and Python's headers")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, on import
@pytest.mark.parametrize(("name", "stack"), [("mistral", 1), ("gpt2-moe", 2)])
def test_compiling_changes_nothing(name: str, stack: int) -> None:
    ends = []
    for compiled in (False, True):
        stepper = Stepper(small(name, layers=1), settings(stack), compiled=compiled)
        for step in range(8):
            pairs = [noise.batch(step) for noise in noises(stack)]
            inputs, targets = (torch.stack([torch.from_numpy(p[i]) for p in pairs]) for i in (0, 1))
            stepper.step(inputs, targets, 1.0, step + 1)
        ends.append(stepper.state.params)
    assert (ends[0] - ends[1]).norm() / ends[0].norm() < 1e-5


def kept(name: str) -> float:
    """Return the bytes that autograd keeps for the backward pass, over those foreseen."""
    shape = {"layers": 4, "width": 64, "heads": 4, "vocab": 64, "context": 32}
    config = architecture(name, **shape, **FEW.get(name, {}))
    model = GPT(config)
    initialise(model, 0)
    own = {p.data_ptr() for p in model.parameters()}
    found: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.data_ptr() not in own:
            found[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    tokens = torch.randint(0, 64, (32, 33))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(tokens[:, :-1], tokens[:, 1:]).detach()
    foreseen = training_bytes(config, batch=32, window=32) - PROCESS
    return sum(found.values()) / (foreseen - COPIES * FLOAT * count_params(config)["total"])


@pytest.mark.parametrize("name", PRESETS)
def test_memory_is_foreseen_as_well_as_gpt2s(name: str) -> None:
    """The estimate was measured on GPT-2, passing tensors included; within a third."""
    assert kept(name) / kept("gpt2") == pytest.approx(1, abs=1 / 3)


def test_a_folder_gives_its_model_back(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    *_, last = train(small("mistral"), settings(1), noises(1), [folder], readings=1)
    model = load_model(folder)
    assert last.model is not None
    assert torch.equal(flat(model), flat(last.model)) and not model.training
    held = folder.record()
    folder.write_json("run.json", {**held, "model": small("llama").to_dict()})
    with pytest.raises(
        InputError, match=r"weights in '.*run' are not of the shape .* 2 x 16.*head"
    ):
        load_model(folder)
    folder.write_json("run.json", {**held, "model": small("mistral", tied=True).to_dict()})
    with pytest.raises(InputError, match=r"head\.weight has no place in it\."):
        load_model(folder)
    folder.write_json("run.json", {**held, "model": small("mistral", biases=True).to_dict()})
    with pytest.raises(InputError, match=r"bias is missing\."):
        load_model(folder)
    folder.write_json("run.json", {**held, "model": small("mistral", width=32).to_dict()})
    with pytest.raises(InputError, match=r"is \(\d+.*\), and \(\d+.*\) is expected\."):
        load_model(folder)
    folder.write_json("run.json", {**held, "model": small("gpt2-nomlp").to_dict()})
    with pytest.raises(InputError, match=r"not of the shape"):
        load_model(folder)
    folder.write_json("run.json", {"run": "mine"})
    with pytest.raises(InputError, match=r"says no model's shape"):
        load_model(folder)


@EACH
def test_texts_are_read_by_the_models_own_head(name: str) -> None:
    from kleiber.knowledge import Strings
    from kleiber.knowledge.reading import nats_of
    from kleiber.knowledge.texts import OTHER

    source = Strings(40, K=2, D=8, T=8)
    config = small(name, vocab=source.vocab, context=source.max_length, heads=2)
    model = GPT(config)
    initialise(model, 0)
    texts = source.texts(list(range(6)), [0] * 6)
    nats, _ = nats_of(model)(texts)
    rows = torch.from_numpy(texts.tokens.astype("int64")).view(6, -1)  # bioD's are of one length
    chances = model(rows[:, :-1]).log_softmax(-1)
    theirs = -chances.gather(-1, rows[:, 1:, None])[..., 0].detach()
    asked = torch.from_numpy(texts.kinds > OTHER).view(6, -1)[:, 1:]
    ours = torch.from_numpy(nats).view(6, -1)[:, 1:]
    assert asked.any()
    torch.testing.assert_close(ours[asked].float(), theirs[asked], rtol=1e-5, atol=1e-5)


@EACH
def test_bfloat16_is_near(name: str) -> None:
    """bfloat16 keeps 8 bits: after a few steps a loss to about 1e-2, single and stacked."""
    if name == "gpt2-moe":  # a token near two experts may go to the other one: more than rounding
        pytest.skip("routing is not continuous")
    shape, data = small(name), noises(2)
    ends = []
    for precision in ("fp32", "bf16"):
        configs = [replace(one, precision=precision) for one in settings(2)]
        *_, last = train(shape, configs, data, readings=1)
        ends.append(last.losses)
    assert ends[0] == pytest.approx(ends[1], rel=1e-2)
    assert ends[0] != ends[1]


def test_a_mixture_trains_in_bfloat16() -> None:
    configs = [replace(one, precision="bf16") for one in settings(2)]
    *_, last = train(small("gpt2-moe", top_k=2), configs, noises(2), readings=1)
    *_, whole = train(small("gpt2-moe", top_k=2), settings(2), noises(2), readings=1)
    assert last.losses == pytest.approx(whole.losses, rel=0.05)
