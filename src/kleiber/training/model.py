"""GPT-2 with rotary positions, in the order in which a token meets it.

- pre-norm blocks; LayerNorm and every linear map have biases, as in GPT-2
- rotary positions on queries and keys (halves rotated, as in GPT-NeoX), no position table
- one matrix for embedding and head; no dropout; tanh-GELU
- any head size: width / heads

Shape suffixes: B batch, T time, D width, H heads, K head size, F MLP width, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kleiber.training.config import ModelConfig

IGNORED = -100  # a target that is not asked for
SHORT = 128  # windows up to here attend by plain products, which a compiler fuses


class Attention(nn.Module):
    """Causal self-attention; each head sees its own slice of the width."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.head_size = config.heads, config.head_size
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x_BTD: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """Mix each position with those before it."""
        B, T, D = x_BTD.shape
        qkv_3BHTK = self.qkv(x_BTD).view(B, T, 3, self.heads, self.head_size).permute(2, 0, 3, 1, 4)
        q_BHTK, k_BHTK, v_BHTK = qkv_3BHTK.unbind(0)
        mixed_BHTK = attend(rotate(q_BHTK, *turn), rotate(k_BHTK, *turn), v_BHTK)
        return self.out(mixed_BHTK.transpose(1, 2).reshape(B, T, D))


class MLP(nn.Module):
    """Two linear maps with a GELU between them."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.fc = nn.Linear(config.width, config.mlp_ratio * config.width)
        self.out = nn.Linear(config.mlp_ratio * config.width, config.width)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Transform each position by itself."""
        hidden_BTF = F.gelu(self.fc(x_BTD), approximate="tanh")
        return self.out(hidden_BTF)


class Block(nn.Module):
    """Attention, then an MLP, each added to what came in."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(config.width), Attention(config)
        self.norm2, self.mlp = nn.LayerNorm(config.width), MLP(config)

    def forward(self, x_BTD: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """Add what attention and the MLP have to say."""
        x_BTD = x_BTD + self.attention(self.norm1(x_BTD), turn)
        return x_BTD + self.mlp(self.norm2(x_BTD))


class GPT(nn.Module):
    """Tokens [B, T] to logits [B, T, V]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        cos_TK, sin_TK = rotary(config.context, config.head_size, config.rope_base)
        self.register_buffer("cos_TK", cos_TK, persistent=False)
        self.register_buffer("sin_TK", sin_TK, persistent=False)

    def forward(self, tokens_BT: Tensor, targets_BT: Tensor | None = None) -> Tensor:
        """Return the logits of each next token; with targets, the mean nats of those asked for."""
        logits_BTV = F.linear(self.hidden(tokens_BT), self.embed.weight)
        if targets_BT is None:
            return logits_BTV
        return F.cross_entropy(
            logits_BTV.flatten(0, 1).float(), targets_BT.flatten(), ignore_index=IGNORED
        )

    def hidden(self, tokens_BT: Tensor) -> Tensor:
        """Return what the head reads: the normed last residual, [B, T, D]."""
        T = tokens_BT.shape[1]
        turn = self.get_buffer("cos_TK")[:T], self.get_buffer("sin_TK")[:T]
        x_BTD = self.embed(tokens_BT)
        for block in self.blocks:
            x_BTD = block(x_BTD, turn)
        return self.norm(x_BTD)


@torch.no_grad()
def initialise(model: GPT, seed: int) -> None:
    """Fill a model's parameters from a seed.

    ==================  =====================================================
    embedding           normal, std init_scale / sqrt(width)
    linear matrices     the same; so .0217 at width 768 (GPT-2: .02), .12 at 24
    biases              0
    norms               weight 1, bias 0
    ==================  =====================================================

    GPT-2's fixed .02 leaves a model of width 24 asleep: at 300 exposures it stored a tenth of
    what the same model did from .12 (docs/lab-notes.md).
    """
    std = model.config.init_scale * model.config.width**-0.5
    draw = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2:
            value = torch.empty(parameter.shape).normal_(0.0, std, generator=draw)
            parameter.copy_(value)
        else:
            is_norm = ".norm" in f".{name}" and name.endswith("weight")
            parameter.fill_(1.0 if is_norm else 0.0)


def rotary(context: int, head_size: int, base: float) -> tuple[Tensor, Tensor]:
    """Return cosines and sines, each [T, K], of rotary positions (RoFormer, arXiv 2104.09864)."""
    rate_K = base ** (-torch.arange(0, head_size, 2, dtype=torch.float64) / head_size)
    angle_TK = torch.arange(context, dtype=torch.float64)[:, None] * rate_K.repeat(2)
    return angle_TK.cos().float(), angle_TK.sin().float()


def rotate(x_BHTK: Tensor, cos_TK: Tensor, sin_TK: Tensor) -> Tensor:
    """Turn each pair of channels (one of either half) by its position's angle."""
    first, second = x_BHTK.chunk(2, dim=-1)
    turned_BHTK = x_BHTK * cos_TK + torch.cat([-second, first], dim=-1) * sin_TK
    return turned_BHTK.to(x_BHTK.dtype)


def attend(q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor) -> Tensor:
    """Return causal attention; short windows by plain products, long ones by torch's kernel."""
    T, K = q_BHTK.shape[-2:]
    if T > SHORT:
        return F.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK, is_causal=True)
    score_BHTT = (q_BHTK @ k_BHTK.transpose(-1, -2)) * K**-0.5
    ahead_TT = torch.ones(T, T, dtype=torch.bool, device=q_BHTK.device).triu(1)
    weight_BHTT = score_BHTT.masked_fill(ahead_TT, float("-inf")).softmax(dim=-1)
    return weight_BHTT.to(v_BHTK.dtype) @ v_BHTK
