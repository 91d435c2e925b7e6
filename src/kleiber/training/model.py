"""GPT-2 with rotary positions, in the order in which a token meets it.

- pre-norm blocks; LayerNorm and every linear map have biases, as in GPT-2
- rotary positions on queries and keys (halves rotated, as in GPT-NeoX), no position table
- one matrix for embedding and head; no dropout; tanh-GELU
- any head size: width / heads

Shape suffixes: B batch, T time, D width, H heads, K head size, F MLP width, V vocabulary.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kleiber.training.config import ModelConfig
from kleiber.training.head import head_loss

SHORT = 128  # windows up to here attend by plain products, which a compiler fuses
TINY = 32  # and up to here, compiled, by sums with the batch last


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
        if T <= TINY and torch.compiler.is_compiling():
            return self.batch_last(x_BTD, turn)
        qkv_3BHTK = self.qkv(x_BTD).view(B, T, 3, self.heads, self.head_size).permute(2, 0, 3, 1, 4)
        q_BHTK, k_BHTK, v_BHTK = qkv_3BHTK.unbind(0)
        mixed_BHTK = attend(rotate(q_BHTK, *turn), rotate(k_BHTK, *turn), v_BHTK)
        return self.out(mixed_BHTK.transpose(1, 2).reshape(B, T, D))

    def batch_last(self, x_BTD: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """Do the same by sums of products, the batch in the last place.

        A product of 20 by 6 is all overhead, sums over them are not, once a compiler's vectors run
        along the batch; and a whole step of a model of width 24 takes two thirds of the time.
        """
        B, T, D = x_BTD.shape
        x_DN = x_BTD.transpose(0, 1).reshape(T * B, D).T
        qkv_EN = self.qkv.weight @ x_DN + self.qkv.bias[:, None]
        q_HKTB, k_HKTB, v_HKTB = qkv_EN.view(3, self.heads, self.head_size, T, B)
        cos_KT1, sin_KT1 = (table_TK.T.unsqueeze(-1) for table_TK in turn)
        q_HKTB = rotate(q_HKTB, cos_KT1, sin_KT1, dim=1) * self.head_size**-0.5
        k_HKTB = rotate(k_HKTB, cos_KT1, sin_KT1, dim=1)
        score_HTSB = (q_HKTB[:, :, :, None] * k_HKTB[:, :, None]).sum(1)
        weight_HTSB = (score_HTSB + ahead(T, x_BTD.device)[:, :, None]).softmax(dim=2)
        mixed_HKTB = (weight_HTSB[:, None] * v_HKTB[:, :, None]).sum(3)
        return self.out(mixed_HKTB.reshape(D, T * B).T).view(T, B, D).transpose(0, 1)


class MLP(nn.Module):
    """Two linear maps with a GELU between them."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.fc = nn.Linear(config.width, config.mlp_ratio * config.width)
        self.out = nn.Linear(config.mlp_ratio * config.width, config.width)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Transform each position by itself."""
        return self.out(gelu(self.fc(x_BTD)))


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
        x_BTD = self.hidden(tokens_BT)
        if targets_BT is None:
            return F.linear(x_BTD, self.embed.weight)
        return head_loss(x_BTD.flatten(0, 1), self.embed.weight, targets_BT.flatten())

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

    GPT-2's fixed .02 wakes a narrow model late: at width 24 and 300 exposures it stored .18 bits
    per parameter where .12 stored .82 (docs/lab-notes.md).
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
    """Return cosines and sines of rotary positions, [T, K / 2] (RoFormer, arXiv 2104.09864)."""
    rate_K = base ** (-torch.arange(0, head_size, 2, dtype=torch.float64) / head_size)
    angle_TK = torch.arange(context, dtype=torch.float64)[:, None] * rate_K
    return angle_TK.cos().float(), angle_TK.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor, dim: int = -1) -> Tensor:
    """Turn each pair of channels (one of either half of ``dim``) by its position's angle."""
    first, second = x.chunk(2, dim=dim)
    turned = torch.cat([first * cos - second * sin, second * cos + first * sin], dim=dim)
    return turned.to(x.dtype)


def attend(q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor) -> Tensor:
    """Return causal attention; short windows by plain products, long ones by torch's kernel."""
    T, K = q_BHTK.shape[-2:]
    if T > SHORT:
        return F.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK, is_causal=True)
    score_BHTT = (q_BHTK @ k_BHTK.transpose(-1, -2)) * K**-0.5 + ahead(T, q_BHTK.device)
    return score_BHTT.softmax(dim=-1).to(v_BHTK.dtype) @ v_BHTK


def ahead(T: int, device: torch.device) -> Tensor:
    """Return what is added to scores [T, T]: minus infinity where a key lies ahead of its query."""
    return torch.full((T, T), float("-inf"), device=device).triu(1)


def gelu(x: Tensor) -> Tensor:
    """Return GELU in its tanh form, of which a compiler gets the equal form with a sigmoid.

    ``x / 2 (1 + tanh(u)) = x sigmoid(2 u)``, and an exponential is cheaper than a tanh.
    """
    if torch.compiler.is_compiling():
        return x * torch.sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3))
    return F.gelu(x, approximate="tanh")
