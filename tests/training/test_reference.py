"""The same weights and the same text through transformers' GPT-NeoX: the same logits."""

from __future__ import annotations

import os

import pytest
import torch

os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers = pytest.importorskip("transformers", reason="a reference, requirements/reference.txt")

from kleiber.training import GPT, ModelConfig, TrainConfig  # noqa: E402
from kleiber.training.model import initialise  # noqa: E402
from kleiber.training.step import Stepper  # noqa: E402

SHAPES = [(16, 1), (16, 4), (64, 2), (64, 8), (24, 4)]
WINDOWS = [2, 19, 128, 300]  # explicit products up to 128, torch's kernel beyond
NAMES = {
    "norm1": "input_layernorm",
    "norm2": "post_attention_layernorm",
    "attention.qkv": "attention.query_key_value",
    "attention.out": "attention.dense",
    "mlp.fc": "mlp.dense_h_to_4h",
    "mlp.out": "mlp.dense_4h_to_h",
}


def ours(width: int, heads: int, *, tied: bool = True) -> GPT:
    """Return a model whose every parameter matters: biases and norms drawn as well."""
    model = GPT(ModelConfig(layers=3, width=width, heads=heads, vocab=73, context=300, tied=tied))
    initialise(model, seed=width + heads)
    draw = torch.Generator().manual_seed(heads)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.empty(parameter.shape).normal_(0.0, 0.2, generator=draw))
    return model


def interleaved(qkv: torch.Tensor, heads: int) -> torch.Tensor:
    """Return rows [3, heads, head size] as NeoX lays them: [heads, 3, head size]."""
    return qkv.unflatten(0, (3, heads, -1)).transpose(0, 1).flatten(0, 2)


def reference(model: GPT) -> torch.nn.Module:
    """Return the same model as transformers would build it."""
    shape = model.config
    neox = transformers.GPTNeoXForCausalLM(
        transformers.GPTNeoXConfig(
            vocab_size=shape.vocab,
            hidden_size=shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=shape.mlp_ratio * shape.width,
            hidden_act="gelu_pytorch_tanh",
            max_position_embeddings=shape.context,
            rope_parameters={
                "rope_type": "default",
                "rope_theta": shape.rope_base,
                "partial_rotary_factor": 1.0,
            },
            layer_norm_eps=1e-5,
            use_parallel_residual=False,
            tie_word_embeddings=shape.tied,
            attention_bias=True,
            attn_implementation="eager",
        )
    )
    weights = {}
    for name, value in model.state_dict().items():
        block, _, rest = name.removeprefix("blocks.").partition(".")
        if block.isdigit():
            part, _, kind = rest.rpartition(".")
            weights[f"gpt_neox.layers.{block}.{NAMES[part]}.{kind}"] = (
                interleaved(value, shape.heads) if ".qkv." in name else value
            )
    weights["gpt_neox.embed_in.weight"] = model.embed.weight
    weights["lm_head.weight"] = model.head_VD
    weights["gpt_neox.final_layer_norm.weight"] = model.norm.weight
    weights["gpt_neox.final_layer_norm.bias"] = model.norm.bias
    missing, unknown = neox.load_state_dict(weights, strict=False)
    assert not unknown
    assert all("rotary" in name or name.endswith(".attention.bias") for name in missing)
    return neox.eval()


def text(window: int) -> torch.Tensor:
    return torch.randint(0, 73, (3, window), generator=torch.Generator().manual_seed(window))


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("width", "heads"), SHAPES)
def test_logits_are_the_references(width: int, heads: int, window: int) -> None:
    model = ours(width, heads)
    with torch.no_grad():
        mine, theirs = model(text(window)), reference(model)(text(window)).logits
    assert theirs.std() > 0.1  # logits that say something
    torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("window", [19, 300])
def test_losses_and_gradients_are_the_references(window: int) -> None:
    model = ours(64, 2)
    neox = reference(model)
    tokens = text(window)
    inputs, targets = tokens[:, :-1], tokens[:, 1:].clone()
    targets[0, :7] = -100
    mine = model(inputs, targets)
    logits = neox(inputs).logits
    theirs = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)
    mine.backward()
    theirs.backward()
    pairs = [(model.embed.weight, neox.gpt_neox.embed_in.weight)]
    for block, layer in zip(model.blocks, neox.gpt_neox.layers, strict=True):
        pairs += [
            (block.mlp.fc.weight, layer.mlp.dense_h_to_4h.weight),
            (block.attention.out.weight, layer.attention.dense.weight),
            (block.norm1.bias, layer.input_layernorm.bias),
        ]
    for one, other in pairs:
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("window", [19, 300])
@pytest.mark.parametrize(("width", "heads"), [(16, 4), (64, 2)])
def test_bfloat16_is_near(width: int, heads: int, window: int) -> None:
    """bfloat16 keeps 8 bits: logits of size 1 to about 1e-2, and a loss to about 1e-3."""
    model = ours(width, heads)
    tokens = text(window)
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    with torch.no_grad():
        theirs = reference(model)(inputs).logits
        exact = torch.nn.functional.cross_entropy(theirs.flatten(0, 1), targets.flatten())
        with torch.autocast("cpu", torch.bfloat16):
            mine, loss = model(inputs).float(), model(inputs, targets)
    assert (mine - theirs).norm() / theirs.norm() < 2e-2
    assert abs(loss - exact) < 5e-3


@pytest.mark.parametrize(("width", "heads", "window"), [(24, 4, 19), (64, 2, 300)])
def test_an_untied_model_and_a_step_of_it_are_the_references(
    width: int, heads: int, window: int
) -> None:
    """Logits, then one step of AdamW by each library's own optimiser, then logits again."""
    model, tokens = ours(width, heads, tied=False), text(window)
    neox = reference(model)
    with torch.no_grad():
        before = model(tokens)
        torch.testing.assert_close(before, neox(tokens).logits, rtol=1e-5, atol=1e-5)
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    settings = {"lr": 1e-3, "betas": (0.9, 0.95), "weight_decay": 0.1}
    stepper = Stepper(
        model.config,
        [TrainConfig(**settings, eps=1e-6, clip=float("inf"), decayed="all", compiled=False)],
    )
    with torch.no_grad():
        for name, held in stepper.weights(0).items():
            held.copy_(model.get_parameter(name))
    nats = stepper.step(inputs[None], targets[None], 1.0, 1)
    optimiser = torch.optim.AdamW(neox.parameters(), **settings, eps=1e-6)
    loss = torch.nn.functional.cross_entropy(neox(inputs).logits.flatten(0, 1), targets.flatten())
    loss.backward()
    optimiser.step()
    torch.testing.assert_close(nats[0], loss, rtol=1e-5, atol=1e-5)
    moved = stepper.load(0)
    assert (moved.head_VD - ours(width, heads, tied=False).head_VD).abs().max() > 9e-4
    pairs = [
        (moved.embed.weight, neox.gpt_neox.embed_in.weight),
        (moved.head_VD, neox.get_output_embeddings().weight),
        (moved.norm.weight, neox.gpt_neox.final_layer_norm.weight),
        (moved.norm.bias, neox.gpt_neox.final_layer_norm.bias),
    ]
    for block, layer in zip(moved.blocks, neox.gpt_neox.layers, strict=True):
        for ours_is, theirs_is in NAMES.items():
            for kind in ("weight", "bias"):
                mine = block.get_parameter(f"{ours_is}.{kind}")
                mine = interleaved(mine, heads) if "qkv" in ours_is else mine
                pairs.append((mine, layer.get_parameter(f"{theirs_is}.{kind}")))
    assert sum(mine.numel() for mine, _ in pairs) == sum(p.numel() for p in neox.parameters())
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(moved(tokens), neox(tokens).logits, rtol=1e-4, atol=1e-4)
