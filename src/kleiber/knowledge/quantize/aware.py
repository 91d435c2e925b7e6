"""Fine-tuning through the rounding: the loss is that of the rounded model, the step the float's.

The straight-through estimator (Bengio et al., arXiv 1308.3432): forward, a weight is the value of
its code; backward, as if it had not been rounded. Scales are found anew at every step, by the rule
of the same grid. Compare it with the same steps without a grid, or more training is taken for
better rounding.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from kleiber.errors import InputError, UsageError
from kleiber.knowledge.quantize.grid import Grid, round_to_nearest
from kleiber.knowledge.quantize.places import Place, chosen
from kleiber.training import GPT, Batches
from kleiber.training.schedule import rate


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How long and how fast: AdamW without decay, the rate on a cosine to 0."""

    steps: int
    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-6
    clip: float = 1.0
    warmup: float = 0.02

    def __post_init__(self) -> None:
        """Refuse what teaches nothing."""
        if self.steps < 1 or not self.lr > 0:
            raise UsageError(
                f"Fine-tuning of {self.steps} steps at a rate of {self.lr:g}; 1 step and a rate "
                "above 0 are needed.",
                remedy="Correct --steps or --lr.",
            )


def tune(
    model: GPT, batches: Batches, how: Tuning, *, grid: Grid | None, weights: str = "linear"
) -> tuple[GPT, list[float]]:
    """Return a fine-tuned copy in float, and each step's loss, mean nats a token.

    It is to be rounded on the same grid afterwards (``model.quantize``). ``grid`` None is the
    control: the same steps without rounding.
    """
    if how.steps > batches.steps:
        raise UsageError(
            f"{how.steps} steps were asked for, and the data last {batches.steps}.",
            remedy="Ask for fewer steps, or give more exposures.",
        )
    model = copy.deepcopy(model)
    device = next(model.parameters()).device
    rounded = {} if grid is None else {p.name: p for p in chosen(model, weights, grid)}
    parameters = dict(model.named_parameters())
    optimizer = torch.optim.AdamW(
        parameters.values(), lr=how.lr, betas=how.betas, eps=how.eps, weight_decay=0.0
    )
    both, losses = _Losses(model), list[float]()
    for step in range(how.steps):
        optimizer.param_groups[0]["lr"] = how.lr * rate(
            step, how.steps, warmup=how.warmup, final=0.0
        )
        seen = {
            name: through(parameter, rounded[name], grid) if grid and name in rounded else parameter
            for name, parameter in parameters.items()
        }
        pair = (torch.from_numpy(part).to(device) for part in batches.batch(step))
        named = {f"model.{name}": value for name, value in seen.items()}
        nats, uneven = functional_call(both, named, tuple(pair))
        optimizer.zero_grad()
        (nats if uneven is None else nats + uneven).backward()
        torch.nn.utils.clip_grad_norm_(parameters.values(), how.clip)
        optimizer.step()
        losses.append(nats.item())
    if not math.isfinite(sum(losses)):
        raise InputError(
            "The fine-tuning diverged: its loss is no finite number.", remedy="Lower the rate."
        )
    return model, losses


def through(parameter: Tensor, place: Place, grid: Grid) -> Tensor:
    """Return what a parameter's codes stand for, with the gradient of the parameter itself."""
    with torch.no_grad():
        stands = [round_to_nearest(one, grid).weight() for one in place.matrices(parameter)]
        moved = torch.stack(stands).reshape(parameter.shape) - parameter
    return parameter + moved


class _Losses(nn.Module):
    """A model whose forward gives both its losses, for a functional call."""

    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens_BT: Tensor, targets_BT: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the mean nats, and what the routers' unevenness costs."""
        return self.model.losses(tokens_BT, targets_BT)
