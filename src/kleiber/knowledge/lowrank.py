"""Tune a model by additions of low rank, so that what it knows is not written over.

As the published test of extraction does (Allen-Zhu & Li 2024, arXiv 2404.05405, figure 10; the
method: Hu et al. 2021, arXiv 2106.09685): the matrices of queries and values get a product of two
narrow ones on top, the embedding where tokens come in another, and all else stays. Rows that the
model was not trained with are tuned whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.func import functional_call

from kleiber.training import GPT
from kleiber.training.config import Batches, ModelConfig

Watch = Callable[[int, float], None]
"""Hears after every step how many are done, and the loss in nats."""

DECAY, BETAS, EPS = 0.1, (0.9, 0.98), 1e-6
INPUT, HEAD = "embed.weight", "head.weight"


@dataclass(frozen=True)
class Ranks:
    """Ranks of the additions; 0 adds nothing."""

    attention: int = 4  # to queries and to values, of every layer
    embedding: int = 0  # where tokens come in; the head stays


def tune_low_rank(
    start: GPT,
    lessons: Batches,
    *,
    old: int,
    lr: float,
    ranks: Ranks | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> GPT:
    """Return a model tuned by additions; rows from ``old`` on are new. ``start`` stays as it is.

    AdamW without warm-up, the rate falling to 0 on a line. The head is untied in what comes back:
    it stays what it was.
    """
    device = next(start.parameters()).device
    tuned = GPT(replace(start.config, tied=False)).to(device)
    added = _Additions(start, ranks or Ranks(), old, seed)
    losses = _Losses(tuned)
    own = list(added.parameters())
    optimiser = torch.optim.AdamW(own, lr=lr, betas=BETAS, eps=EPS, weight_decay=DECAY)
    for step in range(lessons.steps):
        optimiser.param_groups[0]["lr"] = lr * (1 - step / lessons.steps)
        inputs_BT, targets_BT = (torch.from_numpy(one).to(device) for one in lessons.batch(step))
        named = {f"model.{name}": weight for name, weight in added().items()}
        loss: Tensor = functional_call(losses, named, (inputs_BT, targets_BT))
        optimiser.zero_grad()
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        optimiser.step()  # pyright: ignore[reportUnknownMemberType]
        if watch is not None:
            watch(step + 1, loss.item())
    with torch.no_grad():
        for name, weight in added().items():
            tuned.get_parameter(name).copy_(weight)
    return tuned


class _Additions(nn.Module):
    """All weights of a model, as sums of those it had and what is learnt."""

    def __init__(self, start: GPT, ranks: Ranks, old: int, seed: int) -> None:
        super().__init__()
        self.config, self.ranks, self.old = start.config, ranks, old
        self.given = {name: own.detach().clone() for name, own in start.named_parameters()}
        self.given.setdefault(HEAD, self.given[INPUT])
        self.new = nn.Parameter(self.given[INPUT][old:].clone())
        draw = torch.Generator().manual_seed(seed)
        narrow: dict[str, nn.Parameter] = {}
        for name, rows, rank in _places(start.config, ranks, old):
            down = torch.empty(rank, start.config.width)
            down.normal_(0.0, start.config.width**-0.5, generator=draw)
            narrow[f"{name}_down"] = nn.Parameter(down.to(self.new.device))
            narrow[f"{name}_up"] = nn.Parameter(self.new.new_zeros(rows, rank))
        self.narrow = nn.ParameterDict(narrow)

    def forward(self) -> dict[str, Tensor]:
        """Return every weight by its name."""
        weights = dict(self.given)
        rows = self.given[INPUT][: self.old]
        if self.ranks.embedding:
            rows = rows + self._product("embedding")
        weights[INPUT] = torch.cat([rows, self.new])
        if self.ranks.attention:
            keys = self.config.key_heads * self.config.head_size
            for layer in range(self.config.layers):
                name = f"blocks.{layer}.attention.qkv.weight"
                query, value = self._product(f"query{layer}"), self._product(f"value{layer}")
                between = query.new_zeros(keys, self.config.width)
                weights[name] = self.given[name] + torch.cat([query, between, value])
        return weights

    def _product(self, name: str) -> Tensor:
        return self.narrow[f"{name}_up"] @ self.narrow[f"{name}_down"]


class _Losses(nn.Module):
    """A model whose forward gives its mean nats, which is what a functional call can call."""

    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens_BT: Tensor, targets_BT: Tensor) -> Tensor:
        """Return the mean nats of the targets; routers stay, so their unevenness is left out."""
        return self.model.losses(tokens_BT, targets_BT)[0]


def _places(config: ModelConfig, ranks: Ranks, old: int) -> list[tuple[str, int, int]]:
    """Return name, rows and rank of every addition."""
    found = [("embedding", old, ranks.embedding)] if ranks.embedding else []
    if ranks.attention:
        for layer in range(config.layers):
            found.append((f"query{layer}", config.heads * config.head_size, ranks.attention))
            found.append((f"value{layer}", config.key_heads * config.head_size, ranks.attention))
    return found
