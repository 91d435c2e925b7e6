"""What a run's folder says of it: settings, counts and a fingerprint; needs no torch."""

from __future__ import annotations

from typing import Any

from kleiber.training.config import Batches, ModelConfig, TrainConfig, fingerprint
from kleiber.training.count import count_flops, count_params


def record_of(
    model: ModelConfig, config: TrainConfig, batches: Batches, about: dict[str, Any]
) -> dict[str, Any]:
    """Return what ``run.json`` says of one run: settings, counts and what the caller adds."""
    settings: dict[str, Any] = {"model": model.to_dict(), "train": config.to_dict(), **about}
    settings["steps"] = batches.steps
    return {
        "run": f"{model.layers}x{model.width}-{config.seed}",
        **settings,
        "params": count_params(model)["total"],
        "params_by_group": count_params(model),
        "flops_per_token": count_flops(model),
        "seed": config.seed,
        "fingerprint": fingerprint(settings),
    }
