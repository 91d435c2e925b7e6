"""What FLOPs cost: GPU-hours by a published peak and a utilisation, money by a price.

Conventions, each named wherever a number is shown::

    training   6 * params * tokens   forward and backward (Kaplan et al. 2020, section 2.1)
    serving    2 * params * tokens   forward only, prompt and answer alike

    gpu_hours = flops / (peak * mfu) / 3600        money = gpu_hours * price of one

Both counts leave attention over the context out, and with it the key-value cache's traffic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from kleiber.errors import UsageError
from kleiber.units import format_count

TRAINING = "6 * params * tokens"
SERVING = "2 * params * tokens"
TRAIN_FLOPS = 6.0  # a param and token, forward and backward
SERVE_FLOPS = 2.0  # a param and token, forward only
SECONDS = 3600.0


@dataclass(frozen=True)
class Accelerator:
    """One kind of GPU; ``peak`` is its published dense bfloat16 FLOPs a second."""

    name: str
    peak: float
    source: str


# Dense, without the doubling that 2:4 sparsity is advertised with.
ACCELERATORS: tuple[Accelerator, ...] = (
    Accelerator("a100", 312e12, "NVIDIA A100 data sheet, bfloat16 tensor cores"),
    Accelerator("h100", 989e12, "NVIDIA H100 SXM data sheet, bfloat16 tensor cores"),
    Accelerator("h200", 989e12, "NVIDIA H200 data sheet, bfloat16 tensor cores"),
    Accelerator("b200", 2250e12, "NVIDIA B200 data sheet, bfloat16 tensor cores"),
)
DEFAULT_GPU, DEFAULT_MFU, DEFAULT_GPU_HOUR, NO_CURRENCY = "h100", 0.4, 2.0, "currency units"


@dataclass(frozen=True)
class Prices:
    """How FLOPs become GPU-hours and money.

    ``mfu`` is the share of the peak that a run reaches, ``gpu_hour`` the price of one GPU for
    an hour in ``currency``; ``assumed`` names what the user did not give.
    """

    gpu: Accelerator
    mfu: float
    gpu_hour: float
    currency: str
    assumed: tuple[str, ...] = ()

    def gpu_hours(self, flops: float) -> float:
        """Return the GPU-hours of so many FLOPs."""
        return flops / (self.gpu.peak * self.mfu * SECONDS)

    def money(self, flops: float) -> float:
        """Return the price of so many FLOPs."""
        return self.gpu_hours(flops) * self.gpu_hour

    def flops_of_hours(self, gpu_hours: float) -> float:
        """Return the FLOPs that so many GPU-hours do."""
        return gpu_hours * self.gpu.peak * self.mfu * SECONDS

    def flops_of_money(self, money: float) -> float:
        """Return the FLOPs that so much money buys."""
        return self.flops_of_hours(money / self.gpu_hour)

    @property
    def per_flop(self) -> float:
        """The price of one FLOP."""
        return self.money(1.0)

    def sentence(self) -> str:
        """Return the rates as text, each that nobody gave marked as assumed."""
        named = {
            "gpu": f"{self.gpu.name} ({self.gpu.peak / 1e12:g} TFLOP/s bfloat16)",
            "mfu": f"at {self.mfu:.0%} of the peak",
            "gpu_hour": f"at {self.gpu_hour:g} {self.currency} a GPU-hour",
        }
        return ", ".join(f"{said}{self._mark(name)}" for name, said in named.items())

    def _mark(self, name: str) -> str:
        return " (assumed)" if name in self.assumed else ""

    def to_dict(self) -> dict[str, Any]:
        """Return the rates as plain data."""
        return {
            "gpu": self.gpu.name,
            "peak_flops_per_second": self.gpu.peak,
            "mfu": self.mfu,
            "gpu_hour": self.gpu_hour,
            "currency": self.currency,
            "assumed": list(self.assumed),
        }


@dataclass(frozen=True)
class Cost:
    """What some FLOPs cost, at declared prices."""

    flops: float
    prices: Prices

    @property
    def gpu_hours(self) -> float:
        """The GPU-hours."""
        return self.prices.gpu_hours(self.flops)

    @property
    def money(self) -> float:
        """The price, in the currency of the prices."""
        return self.prices.money(self.flops)

    def text(self) -> str:
        """Return the cost as one line; what it rests on is the prices' own sentence."""
        return (
            f"{self.flops:.4g} FLOPs, {format_count(self.gpu_hours)} GPU-hours, "
            f"{format_count(self.money)} {self.prices.currency}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the cost and the rates as plain data."""
        return {
            "flops": self.flops,
            "gpu_hours": self.gpu_hours,
            "money": self.money,
            "prices": self.prices.to_dict(),
        }


def prices(
    gpu: str | None = None,
    mfu: float | None = None,
    gpu_hour: float | None = None,
    currency: str | None = None,
) -> Prices:
    """Return the rates for what was given; the rest is assumed, and marked so.

    Raises UsageError for a GPU that is not in the table, a share outside 0 to 1, and a price
    that is not above 0.
    """
    rates = Prices(
        gpu=accelerator(gpu or DEFAULT_GPU),
        mfu=DEFAULT_MFU if mfu is None else mfu,
        gpu_hour=DEFAULT_GPU_HOUR if gpu_hour is None else gpu_hour,
        currency=currency or NO_CURRENCY,
        assumed=tuple(
            name
            for name, given in (("gpu", gpu), ("mfu", mfu), ("gpu_hour", gpu_hour))
            if given is None
        ),
    )
    if not 0.0 < rates.mfu <= 1.0:
        raise UsageError(
            f"The utilisation is {rates.mfu:g}; it is the share of the peak that a run reaches, "
            "above 0 and at most 1.",
            remedy="Give for example mfu=0.4 (--mfu 0.4).",
        )
    if not (math.isfinite(rates.gpu_hour) and rates.gpu_hour > 0):
        raise UsageError(
            f"The price of a GPU-hour is {rates.gpu_hour:g}; it must be more than 0.",
            remedy="Give for example gpu_hour=2.5 (--gpu-hour 2.5).",
        )
    return rates


def accelerator(name: str) -> Accelerator:
    """Return a GPU by its name, or raise a UsageError that lists the names."""
    wanted = name.strip().lower()
    for known in ACCELERATORS:
        if known.name == wanted:
            return known
    raise UsageError(
        f"There is no GPU '{name}'; there are {', '.join(one.name for one in ACCELERATORS)}.",
        remedy="Use one of those; for another, take one of them and scale mfu (--mfu) by the "
        "ratio of the peaks.",
    )


def training_flops(params: float, tokens: float) -> float:
    """Return the FLOPs of a training, 6 * params * tokens."""
    return TRAIN_FLOPS * params * tokens
