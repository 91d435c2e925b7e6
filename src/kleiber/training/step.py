"""One update of a stack of models: forward, backward, clip, AdamW, as one function.

A stack holds S models of one shape, each with its own parameters, data and learning rate: seeds
or rates of one experiment at once. One model is a stack of one. All parameters lie in one flat
buffer [S, P], so that the optimiser is eight lines and a checkpoint three tensors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap

from kleiber.training.config import ModelConfig, TrainConfig
from kleiber.training.machine import can_compile, has_tiles
from kleiber.training.model import GPT, initialise
from kleiber.training.optim import State, adamw, clip

WORTH_COMPILING = 4000  # steps; a compilation costs about half a minute, a step saves 1 to 10 ms
WIDE = 256  # from here bfloat16 products in tiles are so short that compiled ones cost more


class Stepper:
    """A stack of models, ready to be moved by one step after the other."""

    def __init__(
        self,
        model: ModelConfig,
        configs: Sequence[TrainConfig],
        *,
        device: str = "cpu",
        compiled: bool = False,
    ) -> None:
        self.model = GPT(model).to(device)
        self.layout = [(name, p.shape) for name, p in self.model.named_parameters()]
        self.sizes = [math.prod(shape) for _, shape in self.layout]
        self.config, self.device = configs[0], device
        self.state = State.new(torch.stack([self._fresh(config.seed) for config in configs]))
        self.rate_S1 = torch.tensor([[config.lr] for config in configs], device=device)
        matrices = [
            torch.full((size,), configs[0].weight_decay if len(shape) == 2 else 0.0)
            for size, (_, shape) in zip(self.sizes, self.layout, strict=True)
        ]
        self.decay_P = torch.cat(matrices).to(device)  # biases and norms are not decayed
        self._update = torch.compile(adamw, dynamic=False) if compiled else adamw
        self._slope = torch.compile(self._gradient, dynamic=False) if compiled else self._gradient

    def step(self, tokens_SBT: Tensor, targets_SBT: Tensor, share: float, count: int) -> Tensor:
        """Move every model by one step at a share of its peak rate; return their losses [S].

        ``count`` is the number of this step, from 1.
        """
        gradient_SP, losses_S = self._slope(
            self.state.params,
            tokens_SBT.to(self.device, non_blocking=True),
            targets_SBT.to(self.device, non_blocking=True),
        )
        unbias = torch.tensor([1 - beta**count for beta in self.config.betas], dtype=torch.float32)
        with torch.no_grad():
            self._update(
                self.state.params,
                self.state.first,
                self.state.second,
                gradient_SP,
                shorten=clip(gradient_SP, self.config.clip),
                lr_S1=self.rate_S1 * share,
                decay_P=self.decay_P,
                betas=self.config.betas,
                eps=self.config.eps,
                unbias=unbias.to(self.device, non_blocking=True),
            )
        return losses_S

    def weights(self, index: int) -> dict[str, Tensor]:
        """Return one model's parameters by name."""
        return self._unflatten(self.state.params[index])

    def load(self, index: int) -> GPT:
        """Return one model of the stack as a module."""
        self.model.load_state_dict(self.weights(index))
        return self.model

    def _fresh(self, seed: int) -> Tensor:
        """Return one model's parameters before training, flat."""
        initialise(self.model, seed)
        return torch.cat([p.detach().flatten() for p in self.model.parameters()])

    def _unflatten(self, flat_P: Tensor) -> dict[str, Tensor]:
        """Return views of a flat buffer by name; one split, so that its gradient is one cat."""
        parts = flat_P.split(self.sizes, dim=-1)
        return {
            name: part.unflatten(-1, shape)
            for part, (name, shape) in zip(parts, self.layout, strict=True)
        }

    def _loss(self, params: dict[str, Tensor], tokens_BT: Tensor, targets_BT: Tensor) -> Tensor:
        """Return one model's mean loss."""
        lower = self.config.precision == "bf16"
        with torch.autocast(self.device.partition(":")[0], torch.bfloat16, enabled=lower):
            return functional_call(self.model, params, (tokens_BT, targets_BT))

    def _gradient(
        self, flat_SP: Tensor, tokens_SBT: Tensor, targets_SBT: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients [S, P] and the losses [S], as one graph for a compiler."""
        slope = grad_and_value(lambda flat_P, *batch: self._loss(self._unflatten(flat_P), *batch))
        if len(flat_SP) > 1:
            return vmap(slope)(flat_SP, tokens_SBT, targets_SBT)
        gradient_P, loss = slope(flat_SP[0], tokens_SBT[0], targets_SBT[0])
        return gradient_P[None], loss[None]  # a stack of one pays nothing for being a stack


def pays(model: ModelConfig, config: TrainConfig, steps: int, *, device: str = "cpu") -> bool:
    """Return whether compiling pays: many steps, and a compiler here.

    At 4 layers of width 256 in bfloat16 a compiled step is 1.24 times as fast on a processor
    without tiles, and .8 times on one with them. The answer depends on nothing that is measured
    here, so that a resumed run gets the same one.
    """
    if config.compiled is False or (device == "cpu" and not can_compile()):
        return False
    if config.compiled:
        return True
    if config.precision == "bf16" and model.width >= WIDE and device == "cpu" and has_tiles():
        return False
    return steps >= WORTH_COMPILING
