"""One update of a stack of models: forward, backward, clip, AdamW, as one function.

A stack holds S models of one shape, each with its own parameters, data, learning rate and weight
decay: seeds or rates of one experiment at once. One model is a stack of one. All parameters lie in
one flat buffer [S, P], so that the optimiser is eight lines and a checkpoint three tensors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from kleiber.errors import InputError
from kleiber.training.config import ModelConfig, TrainConfig
from kleiber.training.head import IGNORED
from kleiber.training.machine import can_compile, has_tiles
from kleiber.training.model import GPT, initialise, kind_of
from kleiber.training.optim import State, adamw, clip, scaled
from kleiber.training.watch import attention_max, gradient_sizes

WORTH_COMPILING = 4000  # steps; a compilation costs about half a minute, a step saves 1 to 10 ms
OWN = ("lr", "seed", "weight_decay")  # what a model of a stack has of its own
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
        _check_alike(configs)
        self.model = GPT(model).to(device)
        self._losses = _Losses(self.model, configs[0].z_loss)
        self.layout = [(name, p.shape) for name, p in self.model.named_parameters()]
        self.sizes = [math.prod(shape) for _, shape in self.layout]
        self.matrices = [n for name, shape in self.layout for n in parts_of(name, shape, model)]
        self.config, self.device = configs[0], device
        self.state = State.new(torch.stack([self._fresh(config.seed) for config in configs]))
        self.rate_S1 = torch.tensor([[config.lr] for config in configs], device=device)
        self.decay_S1 = torch.tensor([[_decay(config)] for config in configs], device=device)
        everything = configs[0].decayed == "all"  # or biases and norms are not decayed
        decays = [
            torch.full((size,), float(everything or kind_of(name) == "matrix"))
            for size, (name, _) in zip(self.sizes, self.layout, strict=True)
        ]
        self.decays_P = torch.cat(decays).to(device)
        self._last: tuple[Tensor, Tensor, int] | None = None  # what ``watched`` tells of
        self._update = torch.compile(adamw, dynamic=False) if compiled else adamw
        self._slope = torch.compile(self._gradient, dynamic=False) if compiled else self._gradient

    def step(
        self,
        tokens_SBT: Tensor,
        targets_SBT: Tensor,
        share: float,
        count: int,
        *,
        watch: bool = False,
    ) -> Tensor:
        """Move every model by one step at a share of its peak rate; return their losses [S].

        ``count`` is the number of this step, from 1. With ``watch``, ``watched`` tells of it.
        """
        gradient_SP, losses_S = self._read(
            tokens_SBT.to(self.device, non_blocking=True),
            targets_SBT.to(self.device, non_blocking=True),
        )
        self._last = (gradient_SP, tokens_SBT, count) if watch else None
        if self.config.gradient == "rms":  # before the clipping, which then does next to nothing
            gradient_SP = scaled(gradient_SP, self.matrices)
        unbias = torch.tensor([1 - beta**count for beta in self.config.betas], dtype=torch.float32)
        with torch.no_grad():
            self._update(
                self.state.params,
                self.state.first,
                self.state.second,
                gradient_SP,
                shorten=clip(gradient_SP, self.config.clip),
                lr_S1=self.rate_S1 * share,
                decay_S1=self.decay_S1,
                decays_P=self.decays_P,
                betas=self.config.betas,
                eps=self.config.eps,
                unbias=unbias.to(self.device, non_blocking=True),
                **({"l2": True} if self.config.decay == "l2" else {}),
            )
        return losses_S

    def watched(self) -> list[dict[str, float]]:
        """Return what ``watch`` says of each model after the last step, if that was watched.

        Scores are of the weights as they are now, on windows that the step read.
        """
        if self._last is None:
            return []
        gradient_SP, tokens_SBT, count = self._last
        adam = {"beta": self.config.betas[1], "count": count, "eps": self.config.eps}
        found = gradient_sizes(gradient_SP, self.matrices, self.state, **adam)
        self._last = None
        scores = [
            attention_max(self.load(i), tokens_BT.to(self.device))
            for i, tokens_BT in enumerate(tokens_SBT)
        ]
        return [{"attention_max": score, **one} for score, one in zip(scores, found, strict=True)]

    def _read(self, tokens_SBT: Tensor, targets_SBT: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients [S, P] and losses [S] of a batch, in as many parts as it has.

        Each part counts by the targets it asks for, so that their sum is the whole batch's; but
        for a mixture of experts, whose places are shared out within a part.
        """
        parts = self.config.micro_batches
        if parts == 1:
            return self._slope(self.state.params, tokens_SBT, targets_SBT)
        if tokens_SBT.shape[1] % parts:
            raise InputError(
                f"A batch of {tokens_SBT.shape[1]} windows has no {parts} equal parts.",
                remedy="Choose micro_batches that divide the batch.",
            )
        asked_S = (targets_SBT != IGNORED).sum((1, 2)).clamp(min=1)
        gradient_SP, losses_S = torch.zeros_like(self.state.params), torch.zeros_like(asked_S)
        pairs = zip(tokens_SBT.chunk(parts, 1), targets_SBT.chunk(parts, 1), strict=True)
        for tokens_SMT, targets_SMT in pairs:
            slope_SP, nats_S = self._slope(
                self.state.params, tokens_SMT.contiguous(), targets_SMT.contiguous()
            )
            share_S = (targets_SMT != IGNORED).sum((1, 2)) / asked_S
            gradient_SP.addcmul_(slope_SP, share_S[:, None])
            losses_S = losses_S + share_S * nats_S
        return gradient_SP, losses_S

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

    def _loss(
        self, params: dict[str, Tensor], tokens_BT: Tensor, targets_BT: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return what one model is to make small, and its mean nats: the same for most models."""
        lower = self.config.precision == "bf16"
        with torch.autocast(self.device.partition(":")[0], torch.bfloat16, enabled=lower):
            named = {f"model.{name}": value for name, value in params.items()}
            nats, uneven = functional_call(self._losses, named, (tokens_BT, targets_BT))
        return (nats if uneven is None else nats + uneven), nats

    def _gradient(
        self, flat_SP: Tensor, tokens_SBT: Tensor, targets_SBT: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients [S, P] and the losses [S], as one graph for a compiler."""
        slope = grad_and_value(
            lambda flat_P, *batch: self._loss(self._unflatten(flat_P), *batch), has_aux=True
        )
        if len(flat_SP) > 1:
            gradient_SP, (_, nats_S) = vmap(slope)(flat_SP, tokens_SBT, targets_SBT)
            return gradient_SP, nats_S
        gradient_P, (_, nats) = slope(flat_SP[0], tokens_SBT[0], targets_SBT[0])
        return gradient_P[None], nats[None]  # a stack of one pays nothing for being a stack


class _Losses(nn.Module):
    """A model whose forward gives both its losses, which is what a functional call can call."""

    def __init__(self, model: GPT, z_loss: float) -> None:
        super().__init__()
        self.model, self.z_loss = model, z_loss

    def forward(self, tokens_BT: Tensor, targets_BT: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the mean nats, and what is minimised with them."""
        return self.model.losses(tokens_BT, targets_BT, z_loss=self.z_loss)


def parts_of(name: str, shape: torch.Size, model: ModelConfig) -> list[int]:
    """Return the numbers of each matrix in a parameter, in the order they lie in.

    Queries, keys and values are one parameter here, and so are gate and up: rows laid end to end,
    where published codes have a matrix each. All experts' matrices of one kind count as one.
    """
    row = math.prod(shape[1:])
    if ".attention.qkv." in name:
        keys = model.key_heads * model.head_size
        return [rows * row for rows in (model.width, keys, keys)]
    if model.mlp == "gated" and ".mlp.fc." in name:
        return [model.hidden * row] * 2
    return [math.prod(shape)]


def _decay(config: TrainConfig) -> float:
    """Return what the rate is multiplied by to get a step's decay, or l2's weight itself."""
    return config.weight_decay / (config.lr if config.decay == "independent" else 1.0)


def _check_alike(configs: Sequence[TrainConfig]) -> None:
    """Raise InputError where models of one stack differ in what they have in common."""
    apart = sorted(
        one.name
        for one in fields(TrainConfig)
        if one.name not in OWN and len({str(getattr(config, one.name)) for config in configs}) > 1
    )
    if apart:
        raise InputError(
            f"The models of one stack differ in {', '.join(apart)}; they may in {', '.join(OWN)}.",
            remedy="Train those that differ in anything else one after the other.",
        )


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
