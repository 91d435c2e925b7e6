"""A model reads texts: the nats of every token that tells something, teacher-forced.

Each text stands by itself behind its separator. Only tokens that tell something are scored (a name,
a value), so that the head, the costly part of a small model, sees a third of a biography.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from kleiber.errors import InputError
from kleiber.knowledge.texts import OTHER, Texts
from kleiber.training import GPT
from kleiber.training.config import ModelConfig
from kleiber.training.memory import hidden_floats

Nats = Callable[[Texts], tuple[NDArray[np.float64], NDArray[np.bool_]]]
"""Texts to nats and whether a token is the most likely one; 0 and True where nothing is told."""

FLOATS = 2**25  # that one pass may hold at once: 128 MB
MOST_ROWS = 256  # texts a pass, from where on more bring nothing


def nats_of(model: GPT) -> Nats:
    """Return how a model reads texts; raises InputError for a text longer than its context."""
    device = next(model.parameters()).device

    @torch.no_grad()
    def read(texts: Texts) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        nats = np.zeros(len(texts.tokens))
        best = np.ones(len(texts.tokens), dtype=bool)
        asked = texts.kinds > OTHER
        for these in _passes(model.config, texts):
            whole = slice(int(texts.starts[these.start]), int(texts.starts[these.stop]))
            lengths = texts.lengths[these, None]
            inside = np.arange(int(lengths.max())) < lengths
            tokens, told = np.zeros(inside.shape, dtype=np.int64), np.zeros(inside.shape, bool)
            tokens[inside], told[inside] = texts.tokens[whole], asked[whole]
            tokens_BT = torch.from_numpy(tokens).to(device)
            told_BT = torch.from_numpy(told[:, 1:]).to(device)
            hidden_MD = model.hidden(tokens_BT[:, :-1])[told_BT]
            nats_M, best_M = _head(model.head_VD, hidden_MD, tokens_BT[:, 1:][told_BT])
            nats[whole][asked[whole]] = nats_M.double().cpu().numpy()
            best[whole][asked[whole]] = best_M.cpu().numpy()
        return nats, best

    return read


def _head(weight_VD: Tensor, hidden_MD: Tensor, target_M: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nats of each target and whether it is the likeliest, some rows at a time."""
    rows = max(1, FLOATS // (2 * len(weight_VD)))
    nats: list[Tensor] = [hidden_MD.new_zeros(0, dtype=torch.float32)]
    best: list[Tensor] = [target_M.new_zeros(0, dtype=torch.bool)]
    for hidden_mD, target_m in zip(hidden_MD.split(rows), target_M.split(rows), strict=True):
        logits_mV = F.linear(hidden_mD, weight_VD).float()
        nats.append(F.cross_entropy(logits_mV, target_m, reduction="none"))
        best.append(logits_mV.argmax(-1) == target_m)
    return torch.cat(nats), torch.cat(best)


def _passes(model: ModelConfig, texts: Texts) -> Iterator[slice]:
    """Cut texts into passes that a model of this shape reads within the memory above."""
    if not len(texts):
        return
    longest = int(texts.lengths.max())
    if longest - 1 > model.context:
        raise InputError(
            f"A text of {longest} tokens does not fit the model, whose context is {model.context}.",
            remedy=f"Measure a model with a context of {longest - 1} tokens or more.",
        )
    a_token = 6 * model.width + 2 * hidden_floats(model, test=True) + 2 * model.heads * longest
    rows = min(MOST_ROWS, max(1, int(FLOATS // (longest * a_token))))
    for start in range(0, len(texts), rows):
        yield slice(start, min(start + rows, len(texts)))
