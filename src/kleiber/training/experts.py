"""A mixture of experts: a router sends each token through few of many small MLPs.

After GShard (arXiv 2006.16668) and Switch (arXiv 2101.03961), as the library of arXiv 2206.03382
has it, with which the knowledge-capacity laws were measured:

- scores are the softmax of a linear map without bias; a token goes to the ``top_k`` highest
- its output is their sum, each times its score (over the scores' sum where ``top_k`` > 1)
- an expert takes ``top_k * floor(factor * ceil(tokens / experts))`` tokens: all first choices come
  before all second ones, each in the order of the text; what comes later is dropped, and passes by
  on the residual alone
- the balance loss is ``experts * sum_e (mean score of e) (share of first choices of e)``: 1 where
  all are even, up to the number of experts where one takes all

Every shape is known before the tokens are, so that models stack and compile.

Shape suffixes: B batch, T time, N tokens, D width, F hidden width, E experts, C places an expert,
Z places of all experts and one more, K choices of a token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kleiber.errors import InputError
from kleiber.training.activations import activate
from kleiber.training.config import ModelConfig


class Each(nn.Module):
    """A linear map for every expert, as one batch of products."""

    def __init__(self, experts: int, ways_in: int, ways_out: int, *, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, ways_out, ways_in))
        self.bias = nn.Parameter(torch.empty(experts, ways_out)) if bias else None

    def forward(self, x_ECD: Tensor) -> Tensor:
        """Map each expert's tokens by its own matrix."""
        y_ECF = x_ECD @ self.weight.mT
        return y_ECF if self.bias is None else y_ECF + self.bias[:, None]


class Experts(nn.Module):
    """A router and its experts, each of them an MLP."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.top_k, self.count, self.activation = config.top_k, config.experts, config.activation
        self.factors = {False: config.capacity, True: config.test_capacity}
        self.router = nn.Linear(config.width, config.experts, bias=False)
        self.fc = Each(config.experts, config.width, config.hidden, bias=config.biases)
        self.out = Each(config.experts, config.hidden, config.width, bias=config.biases)

    def forward(self, x_BTD: Tensor, *, test: bool) -> tuple[Tensor, Tensor]:
        """Return what the chosen experts say of each token, and how uneven their load is."""
        x_ND = x_BTD.flatten(0, 1)
        route = self.route(x_ND, test=test)
        D, E, C = x_ND.shape[-1], self.count, route.places
        taken_ZD = x_ND.new_zeros(E * C + 1, D)  # the last row is where dropped tokens go
        for slot_N in route.slots:
            taken_ZD = taken_ZD.scatter(0, slot_N[:, None].expand(-1, D), x_ND)
        y_ECD = self.out(activate(self.fc(taken_ZD[:-1].view(E, C, D)), self.activation))
        y_ZD = F.pad(y_ECD.reshape(E * C, D), (0, 0, 0, 1))  # dropped tokens get 0
        said_ND = torch.zeros_like(x_ND)
        for slot_N, gate_N in zip(route.slots, route.gates, strict=True):
            said_ND = said_ND + gate_N[:, None] * y_ZD.gather(0, slot_N[:, None].expand(-1, D))
        return said_ND.view(x_BTD.shape), route.balance

    def route(self, x_ND: Tensor, *, test: bool) -> Route:
        """Decide which expert takes which token, and at which of its places."""
        N, E = len(x_ND), self.count
        C = places(N, E, self.top_k, self.factors[test])
        logit_NE = self.router(x_ND)
        at_least = torch.promote_types(logit_NE.dtype, torch.float32)  # in bfloat16 too
        score_NE = logit_NE.softmax(dim=-1, dtype=at_least)
        top_NK, choice_NK = score_NE.topk(self.top_k, dim=-1)
        if self.top_k > 1:
            top_NK = top_NK / top_NK.sum(dim=-1, keepdim=True)
        number_E = torch.arange(E, device=x_ND.device)
        chosen_KNE = choice_NK.T[:, :, None] == number_E
        before_ME = chosen_KNE.flatten(0, 1).cumsum(0) - 1  # first choices of all come first
        place_KN = (before_ME.view(-1, N, E) * chosen_KNE).sum(-1)
        slot_KN = torch.where(place_KN < C, choice_NK.T * C + place_KN, E * C)
        share_E = chosen_KNE[0].to(at_least).mean(0)
        balance = E * (score_NE.mean(0) * share_E).sum()
        return Route(C, slot_KN.unbind(0), top_NK.unbind(1), balance, E * C)


@dataclass(frozen=True)
class Route:
    """Where each token goes: by choice, a slot [N] (expert * places + place) and its gate [N]."""

    places: int
    slots: tuple[Tensor, ...]
    gates: tuple[Tensor, ...]
    balance: Tensor
    full: int  # the slot of what is dropped

    @property
    def dropped(self) -> float:
        """The share of the choices that found no place."""
        return torch.stack(self.slots).eq(self.full).float().mean().item()


def places(tokens: int, experts: int, top_k: int, factor: float) -> int:
    """Return the tokens that one expert takes, never more than there are.

    Raises InputError where that is none: too small a factor for too few tokens.
    """
    count = top_k * math.floor(factor * math.ceil(tokens / experts))
    if count < 1:
        raise InputError(
            f"Experts of capacity {factor} take none of {tokens} tokens: an even share among "
            f"{experts} is {math.ceil(tokens / experts)}.",
            remedy="Give more tokens a step, or a capacity of at least 1.",
        )
    return min(count, tokens)
