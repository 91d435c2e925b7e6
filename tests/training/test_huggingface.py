"""LLaMA, Mistral and GPT-2 as transformers reads them from what is written: the same model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers = pytest.importorskip("transformers", reason="a reference, requirements/reference.txt")

from kleiber.errors import InputError, UsageError  # noqa: E402
from kleiber.training import GPT, ModelConfig, architecture  # noqa: E402
from kleiber.training.huggingface import write_huggingface  # noqa: E402
from kleiber.training.model import initialise  # noqa: E402

SHAPE = {"layers": 3, "vocab": 73, "context": 300}
CASES = [
    ("gpt2", 24, 4, {}, "GPTNeoXForCausalLM"),
    ("gpt2-quarter", 24, 4, {}, "GPTNeoXForCausalLM"),
    ("gpt2", 24, 2, {"tied": False, "activation": "relu"}, "GPTNeoXForCausalLM"),
    ("llama", 24, 4, {}, "LlamaForCausalLM"),
    ("llama-tied", 20, 2, {"activation": "gelu"}, "LlamaForCausalLM"),
    ("mistral", 32, 4, {}, "MistralForCausalLM"),
    ("mistral", 24, 6, {}, "MistralForCausalLM"),
    ("mistral", 24, 3, {}, "LlamaForCausalLM"),  # an odd number of heads shares nothing
]


def made(config: ModelConfig) -> GPT:
    """Return a model whose every parameter matters: biases and norms drawn as well."""
    model = GPT(config)
    initialise(model, seed=config.width)
    draw = torch.Generator().manual_seed(config.heads)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.empty(parameter.shape).normal_(0.0, 0.2, generator=draw))
    return model


@pytest.mark.parametrize("window", [2, 19, 300])
@pytest.mark.parametrize(("name", "width", "heads", "changes", "format_"), CASES, ids=str)
def test_logits_and_gradients_are_the_references(
    name: str, width: int, heads: int, changes: dict[str, object], format_: str, window: int,
    tmp_path: Path,
) -> None:  # fmt: skip
    config = architecture(name, width=width, heads=heads, **SHAPE, **changes)
    model = made(config)
    folder = write_huggingface(config, model.state_dict(), tmp_path / "out")
    theirs, found = getattr(transformers, format_).from_pretrained(
        folder, attn_implementation="eager", output_loading_info=True, dtype=torch.float32
    )
    assert not found["missing_keys"] and not found["unexpected_keys"]
    draw = torch.Generator().manual_seed(window)
    tokens = torch.randint(0, 73, (3, window + 1), generator=draw)
    logits = theirs(tokens[:, :-1]).logits
    assert logits.std() > 0.1  # logits that say something
    torch.testing.assert_close(model(tokens[:, :-1]), logits, rtol=1e-5, atol=1e-5)
    mine = model(tokens[:, :-1], tokens[:, 1:])
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    torch.testing.assert_close(mine, loss, rtol=1e-5, atol=1e-5)
    mine.backward()
    loss.backward()
    slope = theirs.get_input_embeddings().weight.grad
    torch.testing.assert_close(model.embed.weight.grad, slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["gpt2-nomlp", "gpt2-moe", "gpt2-gated", "llama-standard"])
def test_what_has_no_format_there_is_said(name: str, tmp_path: Path) -> None:
    config = architecture(name, width=24, heads=2, **SHAPE)
    with pytest.raises(InputError, match="Hugging Face has no format for a model of mlp"):
        write_huggingface(config, made(config).state_dict(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    config = architecture("llama", width=24, heads=2, **SHAPE)
    with pytest.raises(UsageError, match="is already there"):
        write_huggingface(config, made(config).state_dict(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
