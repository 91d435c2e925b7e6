"""A transformer, GPT-2 with rotary positions unless told otherwise, as a token meets it.

- pre-norm blocks; LayerNorm and every linear map have biases, as in GPT-2
- rotary positions on queries and keys (halves rotated, as in GPT-NeoX), no position table
- one matrix for embedding and head; no dropout; tanh-GELU
- any head size: width / heads

What an architecture changes is a field of its config: the kind of MLP (``feedforward``), of norm
(``norms``), heads that share keys and values, a head of its own.

Shape suffixes: B batch, T time, D width, H heads, G heads of keys, K head size, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kleiber.training.config import ModelConfig
from kleiber.training.experts import Experts
from kleiber.training.feedforward import feedforward
from kleiber.training.head import head_loss, head_losses
from kleiber.training.norms import norm, unit_rms

SHORT = 128  # windows up to here attend by plain products, which a compiler fuses
TINY = 32  # and up to here, compiled, by sums with the batch last


class Attention(nn.Module):
    """Causal self-attention; each head sees its own slice of the width.

    Where there are fewer heads of keys and values than of queries, equally many neighbours share
    one (arXiv 2305.13245).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.head_size = config.head_size
        self.split = [config.heads, config.key_heads, config.key_heads]
        self.qk_norm = config.qk_norm
        channels = sum(self.split) * config.head_size
        self.qkv = nn.Linear(config.width, channels, bias=config.biases)
        self.out = nn.Linear(config.width, config.width, bias=config.biases)

    def forward(self, x_BTD: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """Mix each position with those before it."""
        B, T, D = x_BTD.shape
        if T <= TINY and torch.compiler.is_compiling():
            return self.batch_last(x_BTD, turn)
        mixed_BHTK = attend(*self.turned(x_BTD, turn))
        return self.out(mixed_BHTK.transpose(1, 2).reshape(B, T, D))

    def turned(self, x_BTD: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, [B, H, T, K] each, positions in the first two."""
        B, T, _ = x_BTD.shape
        qkv_BHTK = self.qkv(x_BTD).view(B, T, -1, self.head_size).transpose(1, 2)
        q_BHTK, k_BGTK, v_BGTK = qkv_BHTK.split(self.split, dim=1)
        if self.qk_norm:
            q_BHTK, k_BGTK = unit_rms(q_BHTK), unit_rms(k_BGTK)
        k_BHTK, v_BHTK = self.shared(rotate(k_BGTK, *turn), 1), self.shared(v_BGTK, 1)
        return rotate(q_BHTK, *turn), k_BHTK, v_BHTK

    def batch_last(self, x_BTD: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """Do the same by sums of products, the batch in the last place.

        A product of 20 by 6 is all overhead, sums over them are not, once a compiler's vectors run
        along the batch; and a whole step of a model of width 24 takes two thirds of the time.
        """
        B, T, D = x_BTD.shape
        x_DN = x_BTD.transpose(0, 1).reshape(T * B, D).T
        qkv_EN = self.qkv.weight @ x_DN
        if self.qkv.bias is not None:
            qkv_EN = qkv_EN + self.qkv.bias[:, None]
        qkv_HKTB = qkv_EN.view(-1, self.head_size, T, B)
        q_HKTB, k_GKTB, v_GKTB = qkv_HKTB.split(self.split)
        if self.qk_norm:
            q_HKTB, k_GKTB = unit_rms(q_HKTB, 1), unit_rms(k_GKTB, 1)
        cos_KT1, sin_KT1 = (table_TK.T.unsqueeze(-1) for table_TK in turn)
        q_HKTB = rotate(q_HKTB, cos_KT1, sin_KT1, dim=1) * self.head_size**-0.5
        k_HKTB = self.shared(rotate(k_GKTB, cos_KT1, sin_KT1, dim=1), 0)
        score_HTSB = (q_HKTB[:, :, :, None] * k_HKTB[:, :, None]).sum(1)
        weight_HTSB = (score_HTSB + ahead(T, x_BTD.device)[:, :, None]).softmax(dim=2)
        mixed_HKTB = (weight_HTSB[:, None] * self.shared(v_GKTB, 0)[:, :, None]).sum(3)
        return self.out(mixed_HKTB.reshape(D, T * B).T).view(T, B, D).transpose(0, 1)

    def shared(self, each: Tensor, dim: int) -> Tensor:
        """Return keys or values with a copy for every head that reads them."""
        heads, key_heads, _ = self.split
        if heads == key_heads:
            return each
        return each.repeat_interleave(heads // key_heads, dim=dim)


class Block(nn.Module):
    """Attention, then an MLP (or several to choose from, or none), each added to what came in."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.norm1, self.attention = norm(config), Attention(config)
        self.norm2, self.mlp = None, None
        if config.mlp != "none":
            self.norm2, self.mlp = norm(config), feedforward(config)

    def forward(
        self, x_BTD: Tensor, turn: tuple[Tensor, Tensor], *, test: bool, uneven: list[Tensor]
    ) -> Tensor:
        """Add what attention and the MLP have to say; a router's unevenness goes on the list."""
        x_BTD = x_BTD + self.attention(self.norm1(x_BTD), turn)
        if self.mlp is None or self.norm2 is None:
            return x_BTD
        if isinstance(self.mlp, Experts):
            said_BTD, balance = self.mlp(self.norm2(x_BTD), test=test)
            uneven.append(balance)
            return x_BTD + said_BTD
        return x_BTD + self.mlp(self.norm2(x_BTD))


class GPT(nn.Module):
    """Tokens [B, T] to logits [B, T, V]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = norm(config)
        self.head = None if config.tied else nn.Linear(config.width, config.vocab, bias=False)
        cos_TK, sin_TK = rotary(config.context, config.head_size, config.rope_base)
        self.register_buffer("cos_TK", cos_TK, persistent=False)
        self.register_buffer("sin_TK", sin_TK, persistent=False)

    @property
    def head_VD(self) -> Tensor:
        """The matrix that makes logits: the embedding, unless the head is untied."""
        return self.embed.weight if self.head is None else self.head.weight

    def forward(self, tokens_BT: Tensor, targets_BT: Tensor | None = None) -> Tensor:
        """Return the logits of each next token; with targets, the mean nats of those asked for."""
        if targets_BT is None:
            return F.linear(self.hidden(tokens_BT), self.head_VD)
        return self.losses(tokens_BT, targets_BT)[0]

    def losses(
        self, tokens_BT: Tensor, targets_BT: Tensor, *, z_loss: float = 0.0
    ) -> tuple[Tensor, Tensor | None]:
        """Return the mean nats of the targets asked for, and what is minimised with them.

        The second is what the routers' unevenness costs, and the z-loss where it has a weight;
        None where there is neither. It is their sum that has the gradient of their sum. Experts
        take as many tokens as in training, unless the module is put to ``eval``.
        """
        x_BTD, uneven = self.read(tokens_BT, test=not self.training)
        read = x_BTD.flatten(0, 1), self.head_VD, targets_BT.flatten()
        nats, more = (head_loss(*read), None) if not z_loss else head_losses(*read, z_loss)
        if not uneven:
            return nats, more
        balance = self.config.balance * sum(uneven[1:], uneven[0])
        return nats, balance if more is None else balance + more

    def hidden(self, tokens_BT: Tensor) -> Tensor:
        """Return what the head reads: the normed last residual, [B, T, D], at test capacity."""
        return self.read(tokens_BT, test=True)[0]

    def read(self, tokens_BT: Tensor, *, test: bool) -> tuple[Tensor, list[Tensor]]:
        """Return what the head reads, and each router's unevenness."""
        T = tokens_BT.shape[1]
        turn = self.get_buffer("cos_TK")[:T], self.get_buffer("sin_TK")[:T]
        x_BTD, uneven = self.embed(tokens_BT), []
        for block in self.blocks:
            x_BTD = block(x_BTD, turn, test=test, uneven=uneven)
        return self.norm(x_BTD), uneven


@torch.no_grad()
def initialise(model: GPT, seed: int) -> None:
    """Fill a model's parameters from a seed.

    ==================  =====================================================
    embedding, head     normal, std init_scale / sqrt(width)
    linear matrices     the same; so .0217 at width 768 (GPT-2: .02), .12 at 24
    experts, routers    the same
    biases              0
    norms               weight 1, bias 0
    ==================  =====================================================

    GPT-2's fixed .02 wakes a narrow model late: at width 24 and 300 exposures it stored .18 bits
    per parameter where .12 stored .82 (docs/lab-notes.md).
    """
    std = model.config.init_scale * model.config.width**-0.5
    draw = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        kind = kind_of(name)
        if kind == "matrix":
            value = torch.empty(parameter.shape).normal_(0.0, std, generator=draw)
            parameter.copy_(value)
        else:
            parameter.fill_(1.0 if kind == "norm" else 0.0)


def kind_of(name: str) -> str:
    """Return by its name whether a parameter is a norm's weight, a bias or a matrix."""
    if name.endswith("bias"):
        return "bias"
    return "norm" if ".norm" in f".{name}" else "matrix"


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
