"""What a model's linear maps read: texts as it was taught, and the second moments they leave.

Shape suffixes: B windows, T time, N positions of all windows, C inputs of a map.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kleiber.errors import UsageError
from kleiber.knowledge.packing import IGNORED, Windows
from kleiber.knowledge.texts import Source
from kleiber.training import GPT

TEXTS = 1000  # as in arXiv 2404.05405, appendix C
AT_ONCE = 16_384  # tokens of a pass


def calibration(
    source: Source, *, context: int | None = None, texts: int = TEXTS, seed: int = 0
) -> list[Tensor]:
    """Return about so many texts of the source's own people as windows of training, [B, T] each.

    People are taken in an order of the seed's, each once before any comes again. Windows hold no
    padding: one that is partly filled is cut short and stands alone.
    """
    if texts < 1:
        raise UsageError(f"{texts} texts to calibrate on.", remedy="Give 1 or more.")
    turns = -(-texts // source.count)
    width = source.max_length - 1 if context is None else context
    windows = Windows(
        source, exposures=turns, batch=max(1, AT_ONCE // width), context=context, seed=seed
    )
    found: list[Tensor] = []
    wanted = min(texts, turns * source.count) * (source.mean_length - (context is None))
    for step in range(windows.steps):
        inputs_BT, targets_BT = map(torch.from_numpy, windows.batch(step))
        filled_B = (targets_BT != IGNORED).sum(1)
        whole_B = filled_B == width
        needed = max(1, round((wanted - sum(part.numel() for part in found)) / width))
        if whole_B.any():
            found.append(inputs_BT[whole_B][:needed])
        part_B = (filled_B > 0) & ~whole_B
        for row, length in zip(inputs_BT[part_B], filled_B[part_B].tolist(), strict=True):
            found.append(row[None, :length])
        if sum(part.numel() for part in found) >= wanted - width:
            break
    return found


@torch.no_grad()
def linear_order(model: GPT, texts: Sequence[Tensor]) -> list[str]:
    """Return the linear maps in the blocks, single or stacked, as a token meets them."""
    order: dict[str, None] = {}
    hooks = [
        module.register_forward_pre_hook(lambda *_, name=name: order.setdefault(name, None))
        for name, module in model.named_modules()
        if name.startswith("blocks.") and _is_linear(module)
    ]
    _read(model, texts, hooks)
    return list(order)


@torch.no_grad()
def hessian(model: GPT, name: str, texts: Sequence[Tensor]) -> Tensor:
    """Return ``2/n X X^T`` of what a linear map reads, [E, C, C] in float64.

    E is 1, or the number of maps in a stack; an expert's empty places read zeros, which add
    nothing.
    """
    module = model.get_submodule(name)
    columns = module.get_parameter("weight").shape[-1]
    maps = module.get_parameter("weight").shape[:-2].numel()
    moments: list[Tensor] = []
    rows: list[int] = []

    def add(_: nn.Module, read: tuple[Tensor, ...]) -> None:
        read_ENC = read[0].reshape(maps, -1, columns).double()
        moments.append(read_ENC.mT @ read_ENC)
        rows.append(read_ENC.shape[1])

    _read(model, texts, [module.register_forward_pre_hook(add)])
    return 2 / sum(rows) * torch.stack(moments).sum(0)


def _is_linear(module: nn.Module) -> bool:
    """Return whether a module is a linear map or a stack: it has a weight [.., R, C]."""
    weight = dict(module.named_parameters(recurse=False)).get("weight")
    return weight is not None and weight.dim() >= 2


def _read(
    model: GPT, texts: Sequence[Tensor], hooks: Sequence[torch.utils.hooks.RemovableHandle]
) -> None:
    """Read texts with hooks in place, and take them away."""
    device = next(model.parameters()).device
    try:
        for tokens_BT in texts:
            model.hidden(tokens_BT.to(device))
    finally:
        for hook in hooks:
            hook.remove()
