"""The loss of a model on text that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from kleiber.training.config import IGNORED
from kleiber.training.model import GPT


@torch.no_grad()
def mean_nats(model: GPT, batches: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> float:
    """Return the mean nats of every target asked for, each counted once; NaN where there is none.

    Batches are inputs and targets as in training, [batch, time] each.
    """
    device = next(model.parameters()).device
    nats, count = 0.0, 0
    for inputs_BT, targets_BT in batches:
        asked = int((targets_BT != IGNORED).sum())
        if asked:
            inputs, targets = (
                torch.from_numpy(each).to(device) for each in (inputs_BT, targets_BT)
            )
            nats += model(inputs, targets).item() * asked
            count += asked
    return nats / count if count else float("nan")
