"""A run folder's bits before and after rounding, a row for each grid and method."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kleiber.errors import InputError, UsageError
from kleiber.knowledge.cell import Cell
from kleiber.knowledge.experiment import load_folder
from kleiber.knowledge.measure import Measurement, measure
from kleiber.knowledge.packing import Windows
from kleiber.knowledge.quantize.aware import Tuning, tune
from kleiber.knowledge.quantize.calibrate import TEXTS, calibration
from kleiber.knowledge.quantize.grid import Grid
from kleiber.knowledge.quantize.model import Rounded, Rounding, float_bits, quantize
from kleiber.knowledge.quantize.places import chosen
from kleiber.knowledge.random_strings import RandomStrings
from kleiber.knowledge.texts import Source
from kleiber.training import GPT, RunFolder
from kleiber.training.extra import check_device

METHODS = ("rtn", "gptq", "aware")
LOW = 0.1  # share of the run's peak rate for fine-tuning
STEPS = 1000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The rows of a table: every method on every grid, and what they share."""

    methods: Sequence[str] = ("rtn", "gptq")
    bits: Sequence[int] = (8, 4)
    groups: Sequence[int | str] = ("channel",)
    weights: str = "linear"
    symmetric: bool = True
    float_bits: int = 16
    act_order: bool = True
    texts: int = TEXTS
    steps: int = STEPS
    lr: float | None = None  # of fine-tuning; a tenth of the run's by default

    def roundings(self) -> list[tuple[str, Rounding]]:
        """Return what to do, or raise for what cannot be."""
        strange = [method for method in self.methods if method not in METHODS]
        if strange:
            raise UsageError(
                f"There is no method '{strange[0]}'.", remedy=f"Use some of {', '.join(METHODS)}."
            )
        found: list[tuple[str, Rounding]] = []
        for method, group, bits in itertools.product(self.methods, self.groups, self.bits):
            grid = Grid(
                bits=bits, group=group, symmetric=self.symmetric, float_bits=self.float_bits
            )
            how = Rounding(
                grid=grid,
                method="gptq" if method == "gptq" else "rtn",
                weights=self.weights,
                act_order=self.act_order,
            )
            found.append((method, how))
        return found

    def tuning(self, cell: Cell) -> Tuning:
        """Return the fine-tuning of a run, by its own optimiser's settings."""
        lr = LOW * cell.rate if self.lr is None else self.lr
        return Tuning(steps=self.steps, lr=lr, betas=cell.betas, eps=cell.eps, clip=cell.clip)


def quantize_folder(
    folder: RunFolder, asked: Asked, *, device: str = "cpu"
) -> Iterator[dict[str, Any]]:
    """Yield the run as it is, then a row for each rounding of it; only the folder is read.

    ``loss`` is the share of the stored bits that the rounding took, None of a model that stores
    nothing. ``knowledge_per_bit`` is bits of knowledge a bit of storage, codes, scales, zero points
    and kept floats together. Of "aware" there is a control, "float, tuned": the same steps without
    the grid, not rounded.
    """
    check_device(device)
    roundings = asked.roundings()
    cell, source, model = load_folder(folder)
    if isinstance(source, RandomStrings):
        raise InputError(
            f"'{folder.path}' was taught random strings, and what a rounding costs is counted in "
            "bits of people.",
            remedy="Name a run that people were taught in.",
        )
    model = model.to(device)
    for _, how in roundings:  # what cannot be is said before anything is measured
        chosen(model, how.weights, how.grid)
    needs = "gptq" in asked.methods
    texts = calibration(source, context=cell.context, texts=asked.texts) if needs else []
    if "aware" in asked.methods:
        asked.tuning(cell)
    plain = _measured(model, source, cell)
    before = plain.bits_per_param
    yield _row("float", plain, before, bits=float_bits(model))
    if "aware" in asked.methods:
        tuned = _tuned(model, source, cell, asked, None)
        yield _row("float, tuned", _measured(tuned, source, cell), before, bits=float_bits(tuned))
    for method, how in roundings:
        taught = model
        if method == "aware":
            taught = _tuned(model, source, cell, asked, how)
        rounded = quantize(taught, how, texts)
        found = _measured(rounded.model, source, cell)
        yield _row(method, found, before, bits=rounded.bits, how=how, rounded=rounded)


def _measured(model: GPT, source: Source, cell: Cell) -> Measurement:
    return measure(model, source, texts=cell.texts, controls=False)


def _tuned(model: GPT, source: Source, cell: Cell, asked: Asked, how: Rounding | None) -> GPT:
    """Return the model after fine-tuning through a grid, or without one."""
    one_pass = Windows(source, exposures=1, batch=cell.batch, context=cell.context, seed=cell.seed)
    batches = Windows(
        source,
        exposures=1 + asked.steps * cell.batch // one_pass.windows,
        batch=cell.batch,
        context=cell.context,
        seed=cell.seed,
    )
    grid, weights = (None, "linear") if how is None else (how.grid, how.weights)
    return tune(model, batches, asked.tuning(cell), grid=grid, weights=weights)[0]


def _row(
    method: str,
    found: Measurement,
    before: float,
    *,
    bits: int,
    how: Rounding | None = None,
    rounded: Rounded | None = None,
) -> dict[str, Any]:
    """Return one line of the table as plain values."""
    grid = None if how is None else how.grid
    return {
        "method": method,
        "bits": None if grid is None else grid.bits,
        "group": None if grid is None else grid.group,
        "weights": None if how is None else how.weights,
        "bits_per_param": found.bits_per_param,
        "standard_error": found.standard_error,
        "max_bits_per_param": found.max_bits_per_param,
        "loss": 1 - found.bits_per_param / before if before > 0 else None,
        "accuracy": found.accuracy,
        "storage_bits": bits,
        "storage_bits_per_param": bits / found.params,
        "knowledge_per_bit": found.bits_per_param * found.params / bits,
        "storage": {} if rounded is None else rounded.storage,
        "notes": [] if rounded is None else list(rounded.notes),
    }
