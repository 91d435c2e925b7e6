"""What may be changed of a preset's cells, the same for every verb that trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import Parameter

from kleiber.cli.output import say
from kleiber.errors import KleiberError, UsageError
from kleiber.units import parse_count

if TYPE_CHECKING:
    from kleiber.knowledge.cell import Cell


@Parameter(name="*")
@dataclass(frozen=True)
class Changes:
    """What replaces a preset's settings."""

    people: str | None = None
    "People to teach, such as 1000 or 10K; several with commas."
    width: str | None = None
    "Width of the model; several with commas."
    exposures: str | None = None
    "Times that each person is seen, such as 100 or 37.5; several with commas."
    layers: int | None = None
    "Layers of the model."
    heads: int | None = None
    "Heads of the attention."
    batch: int | None = None
    "Windows a step."
    context: int | None = None
    "Tokens of a window; without it each text has its own, and all are of one length."
    lr: float | None = None
    "Peak learning rate."
    format: Literal["bioD", "bioS", "bioS-simple", "bioR", "random"] | None = None
    "Format of the texts; random: strings to memorise, measured in bits of their own."
    tokens: str | None = None
    "words, trained:ROWS, or bytes:VOCABULARY:MERGES with the paths of GPT-2's two files."
    precision: Literal["fp32", "bf16"] | None = None
    "Precision of the products."
    mix: str | None = None
    "Parts of useful data to parts of junk, such as 1:7."
    junk: str | None = None
    "Whose junk it is: fresh persons without end, repeated ones (max(8, N / 100)), or a number."
    token: bool | None = None
    "Put a token of its own in front of every useful text."
    architecture: str | None = None
    "gpt2, llama, mistral, gpt2-quarter, gpt2-nomlp, gpt2-moe, or another of the architectures."
    params: str | None = None
    "Parameters in place of a width: the width that comes nearest is found and said."

    def settings(self) -> dict[str, Any]:
        """Return the settings that were given, by their names in a cell."""
        given = {
            name: getattr(self, name)
            for name in ("layers", "heads", "batch", "context", "lr", "format", "tokens")
        }
        given["precision"] = self.precision
        given["architecture"] = self.architecture
        for name in ("people", "width", "exposures"):
            said = getattr(self, name)
            whole = name != "exposures"
            given[name] = None if said is None else _counts(said, f"--{name}", whole=whole)
        given["mix"] = self._mix()
        return {name: value for name, value in given.items() if value is not None}

    def sized(self, cells: list[Cell], *, quiet: bool = False) -> list[Cell]:
        """Return the cells at ``--params``, as they are without it; say each width and its miss."""
        if self.params is None:
            return cells
        if self.width is not None:
            raise UsageError(
                f"--params is {self.params} and --width {self.width}; at most one is expected.",
                remedy="Leave one of them out.",
            )
        from kleiber.knowledge.equal import of_size

        wanted = _counts(self.params, "--params", whole=True)
        if isinstance(wanted, list):
            raise UsageError(
                f"--params is {self.params}; one number is expected.",
                remedy="Write for example --params 16K.",
            )
        sized = [of_size(cell, wanted) for cell in cells]
        for line in dict.fromkeys(str(said) for _, said in sized) if not quiet else ():
            say(line)
        found: list[Cell] = []
        for cell, _ in sized:  # several widths have become one
            if cell not in found:
                found.append(cell)
        return found

    def _mix(self) -> dict[str, Any] | None:
        """Return the mix that is asked for, None for none."""
        found: dict[str, Any] = {}
        if self.mix is not None:
            useful, _, junk = self.mix.partition(":")
            if not (useful.isdecimal() and junk.isdecimal()):
                raise UsageError(
                    f"--mix is {self.mix}; parts of useful data to parts of junk are expected.",
                    remedy="Write for example --mix 1:7.",
                )
            found |= {"useful": int(useful), "junk_parts": int(junk)}
        if self.junk is not None:
            found["junk"] = int(self.junk) if self.junk.isdecimal() else self.junk
        if self.token is not None:
            found["token"] = self.token
        return found or None


def only(cells: list[Cell], verb: str) -> Cell:
    """Return the one cell there is, or raise."""
    if len(cells) != 1:
        raise UsageError(
            f"kleiber know {verb} is for one model, and {len(cells)} were asked for.",
            remedy="Give one --people, --width and --exposures, or use kleiber know capacity.",
        )
    return cells[0]


def _counts(text: str, option: str, *, whole: bool) -> float | list[float]:
    """Return numbers from text such as "1000,10K", whole ones unless others are asked for."""
    try:
        found = [parse_count(part) for part in text.split(",")]
    except KleiberError as error:
        raise UsageError(
            f"{option}: {error.message}", remedy=f"Write for example {option} 1000,10K."
        ) from None
    if whole and any(value != int(value) for value in found):
        raise UsageError(
            f"{option} is {text}; whole numbers are expected.",
            remedy=f"Write for example {option} 1000,10K.",
        )
    numbers = [int(value) if value == int(value) else value for value in found]
    return numbers[0] if len(numbers) == 1 else numbers
