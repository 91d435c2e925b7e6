"""A trained model out of its run folder, whatever it was taught."""

from __future__ import annotations

from kleiber.errors import InputError
from kleiber.training.config import ModelConfig
from kleiber.training.folder import RunFolder
from kleiber.training.model import GPT


def load_model(folder: RunFolder, name: str = "weights.safetensors") -> GPT:
    """Return the model of a run folder, ready to be read; the shape is what ``run.json`` says.

    Raises InputError where the weights are of another shape or architecture.
    """
    described = folder.record().get("model")
    if not isinstance(described, dict):
        raise InputError(
            f"The run.json in '{folder.path}' says no model's shape.",
            remedy="Name a folder that kleiber trained a model in.",
        )
    model = GPT(ModelConfig.of(described))
    fill(model, folder, name)
    return model.train(mode=False)


def fill(model: GPT, folder: RunFolder, name: str = "weights.safetensors") -> None:
    """Put a run folder's weights into a model; raises InputError where they are another's."""
    config, weights = model.config, folder.read_tensors(name)
    due = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    held = {key: tuple(tensor.shape) for key, tensor in weights.items()}
    apart = sorted(key for key in due.keys() | held.keys() if due.get(key) != held.get(key))
    if apart:
        first = apart[0]
        how = (
            "is missing"
            if first not in held
            else "has no place in it"
            if first not in due
            else f"is {held[first]}, and {due[first]} is expected"
        )
        raise InputError(
            f"The weights in '{folder.path}' are not of the shape that its run.json says, "
            f"{config.layers} x {config.width} with {config.heads} heads: {first} {how}.",
            remedy="Put the run's own weights back, or train it again in a new folder.",
        )
    model.load_state_dict(weights)
