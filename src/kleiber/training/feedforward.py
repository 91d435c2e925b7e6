"""The MLP of a block, in the kinds that the architectures differ in.

Shape suffixes: B batch, T time, D width.
"""

from __future__ import annotations

from torch import Tensor, nn

from kleiber.training.activations import activate
from kleiber.training.config import ModelConfig
from kleiber.training.experts import Experts


class MLP(nn.Module):
    """Two linear maps with an activation between them."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.fc = nn.Linear(config.width, config.hidden, bias=config.biases)
        self.out = nn.Linear(config.hidden, config.width, bias=config.biases)
        self.activation = config.activation

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Transform each position by itself."""
        return self.out(activate(self.fc(x_BTD), self.activation))


class Gated(nn.Module):
    """``out(act(gate x) * (up x))``, of which gate and up are one product (arXiv 2002.05202)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.fc = nn.Linear(config.width, 2 * config.hidden, bias=config.biases)
        self.out = nn.Linear(config.hidden, config.width, bias=config.biases)
        self.activation = config.activation

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Transform each position by itself."""
        gate_BTF, up_BTF = self.fc(x_BTD).chunk(2, dim=-1)
        return self.out(activate(gate_BTF, self.activation) * up_BTF)


def feedforward(config: ModelConfig) -> nn.Module:
    """Return the MLP of an architecture that has one."""
    return {"standard": MLP, "gated": Gated, "experts": Experts}[config.mlp](config)
