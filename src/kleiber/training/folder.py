"""One folder a run: what it was, what it read as it went, its weights, and whether it ended.

==================  ========================================================================
``run.json``        the run's settings and counts, written before the first step
``points.jsonl``    one reading a line: step, tokens, loss, lr, seconds
``state.safetensors``  a checkpoint, there until the run ends
``weights.safetensors``  the trained parameters
``process.json``    who trains it, held by a lock as long as that goes on
``done``            put there last, by a rename: a folder without it is an unfinished run
==================  ========================================================================

Every file is written beside its place and renamed into it, so that a run killed at any moment
leaves a folder that can go on. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

STATE = "state.safetensors"
ANEW = {  # what to do about a file that cannot be read
    "run.json": "Train the run again in a new folder.",
    "points.jsonl": "Remove that file to go on without the earlier readings.",
    STATE: "Remove that file to train the run from its start.",
    "weights.safetensors": "Train the run again in a new folder.",
}
PROCESS = "process.json"
PARTS = "train.micro_batches"  # how a batch is read: no part of what a run is, but for experts
PARTIAL = ".partial"  # after the name of a file that is being written
MADE_AGAIN = "Remove that file and start the same command again: it is made anew from the weights."


@dataclass(frozen=True)
class RunFolder:
    """A run's place on disk."""

    path: Path

    @property
    def done(self) -> bool:
        """Whether the run ended."""
        return (self.path / "done").exists()

    def claim(self, record: dict[str, Any]) -> None:
        """Make the folder a run's own, or raise if it is another's.

        A folder that holds the same record is gone on with; any other is left as it is.
        """
        if not self.is_of(record):
            self.path.mkdir(parents=True, exist_ok=True)
            self.write_json("run.json", record)

    def is_of(self, record: dict[str, Any]) -> bool:
        """Return whether the folder is this run's, False where it is still to be made.

        Raises InputError for what is another run's, or no run's; nothing is changed.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError(
                f"'{self.path}' is a file, and a run needs a folder; nothing was changed.",
                remedy="Name a new folder.",
            )
        if (self.path / "run.json").exists():
            held = self.record()
            if held.get("fingerprint") != record.get("fingerprint"):
                apart = _differences(held, record)
                if apart.keys() == {PARTS} and held["model"].get("mlp") != "experts":
                    return True  # equal but for rounding, and the way out where memory ran out
                said = "; ".join(list(apart.values())[:3]) or "an unreadable run.json"
                raise InputError(
                    f"'{self.path}' holds a run of another configuration ({said}); nothing was "
                    "changed.",
                    remedy="Name another folder, or move this one away.",
                )
            return True
        if self.path.exists() and any(self.path.iterdir()):
            raise InputError(
                f"'{self.path}' holds files and no run.json, so it is no run's folder; nothing "
                "was changed.",
                remedy="Name an empty or new folder.",
            )
        return False

    def record(self) -> dict[str, Any]:
        """Return ``run.json``."""
        return self.read_json("run.json")

    def read_json(self, name: str) -> dict[str, Any]:
        """Return one of the folder's JSON files."""
        path = self.path / name
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(
                f"'{self.path}' has no {name}, so it is not a run that kleiber trained.",
                remedy="Name a folder that kleiber know train or capacity wrote.",
            ) from None
        except (ValueError, OSError) as error:
            raise _unreadable(path, error) from None
        if not isinstance(content, dict):
            raise _unreadable(path, ValueError("it holds no object"))
        return content

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write one JSON file whole."""
        self._put(name, json.dumps(content, indent=1) + "\n")

    def write_points(self, points: Iterable[dict[str, Any]]) -> None:
        """Write every reading so far."""
        self._put("points.jsonl", "".join(json.dumps(point) + "\n" for point in points))

    def points(self) -> list[dict[str, Any]]:
        """Return the readings so far, none where there are none."""
        path = self.path / "points.jsonl"
        if not path.exists():
            return []
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (ValueError, OSError) as error:
            raise _unreadable(path, error) from None

    def write_tensors(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Write tensors as safetensors, whole or not at all."""
        self.stage_tensors(name, tensors)
        self.commit(name)

    def stage_tensors(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Write tensors beside their place, whole on the disk when this returns."""
        from safetensors.torch import save_file

        partial = self.path / f"{name}{PARTIAL}"
        plain = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
        save_file(plain, partial)
        _sync(partial)

    def commit(self, name: str) -> None:
        """Rename what was staged into its place."""
        os.replace(self.path / f"{name}{PARTIAL}", self.path / name)

    def read_tensors(self, name: str, only: Sequence[str] = ()) -> dict[str, Tensor]:
        """Return the tensors of a file, or those named alone; raise if they cannot be read."""
        from safetensors import SafetensorError, safe_open

        path = self.path / name
        if not path.exists() and not self.done:
            raise InputError(
                f"'{self.path}' has no {name}: the run has not ended.",
                remedy="Start the command that trained it again; it goes on where it stopped.",
            )
        if not path.exists():
            raise InputError(
                f"'{self.path}' is a finished run whose {name} is missing.",
                remedy="Put it back, or move the folder away and train again.",
            )
        try:
            with safe_open(path, framework="pt") as file:
                return {key: file.get_tensor(key) for key in only or file.keys()}
        except (SafetensorError, OSError) as error:
            raise _unreadable(path, error) from None

    def finish(self) -> None:
        """Say that the run ended, and let its checkpoint go."""
        self._put("done", "")
        self.drop_checkpoint()

    def drop_checkpoint(self) -> None:
        """Remove the checkpoint, and one that was staged."""
        for left in (STATE, f"{STATE}{PARTIAL}"):
            (self.path / left).unlink(missing_ok=True)

    def _put(self, name: str, text: str) -> None:
        partial = self.path / f"{name}{PARTIAL}"
        partial.write_text(text, encoding="utf-8")
        _sync(partial)
        self.commit(name)


def _unreadable(path: Path, error: Exception) -> InputError:
    """Return the error for a file that is torn, missing or another's."""
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(
        f"'{path}' cannot be read, as if its writing had been cut off: {reason.rstrip('.')}.",
        remedy=ANEW.get(path.name, MADE_AGAIN),
    )


def _sync(path: Path) -> None:
    """Make sure that a file's bytes are on the disk before its name is."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _differences(held: dict[str, Any], asked: dict[str, Any]) -> dict[str, str]:
    """Return the settings that differ by name, as "lr 0.004, not 0.01"."""
    flat, other = _flat(held), _flat(json.loads(json.dumps(asked)))
    return {
        key: f"{key} {flat.get(key)}, not {other.get(key)}"
        for key in sorted(flat.keys() | other.keys())
        if flat.get(key) != other.get(key) and key not in ("fingerprint", "run")
    }


def _flat(content: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested settings as one level, named "model.width"."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found
