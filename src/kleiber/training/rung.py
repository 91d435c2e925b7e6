"""A rung as what the trainer takes: the model's shape and the training's settings."""

from __future__ import annotations

from kleiber.recipes.rung import Rung
from kleiber.training.config import ModelConfig, TrainConfig

MODEL = (
    *("layers", "width", "heads", "vocab", "context", "mlp_ratio", "mlp", "activation"),
    *("norm", "biases", "tied", "qk_norm", "init_scale", "rope_base"),
)
TRAINING = (
    *("lr", "seed", "schedule", "warmup", "final_lr", "cooldown", "weight_decay", "decay"),
    *("decayed", "betas", "eps", "clip", "gradient", "z_loss", "precision"),
)


def model_of(rung: Rung) -> ModelConfig:
    """Return the shape of a rung's model; raises InputError where no model has it."""
    return ModelConfig(**{name: getattr(rung, name) for name in MODEL})


def training_of(rung: Rung, *, micro_batches: int = 1, compiled: bool | None = None) -> TrainConfig:
    """Return a rung's training; how it is computed is the machine's affair, not the recipe's.

    The steps and the batch are the data's. Raises InputError for settings that cannot train.
    """
    given = {name: getattr(rung, name) for name in TRAINING}
    return TrainConfig(**given, micro_batches=micro_batches, compiled=compiled)
