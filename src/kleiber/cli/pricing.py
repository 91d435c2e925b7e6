"""The options that say what FLOPs cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cyclopts import Parameter

if TYPE_CHECKING:
    from kleiber.planning.cost import Prices


@Parameter(name="*")
@dataclass(frozen=True)
class Pricing:
    """What training costs."""

    gpu: str | None = None
    "GPU that trains: a100, h100, h200 or b200 [default: h100, marked as assumed]."
    mfu: float | None = None
    "Share of its peak that training reaches [default: 0.4, marked as assumed]."
    gpu_hour: float | None = None
    "Price of one GPU for an hour [default: 2, marked as assumed]."
    currency: str | None = None
    "Currency of the price, such as USD."

    def prices(self) -> Prices | None:
        """Return the rates, or None where nothing was given."""
        from kleiber.planning.cost import prices

        if self == Pricing():
            return None
        return prices(self.gpu, self.mfu, self.gpu_hour, self.currency)


@Parameter(name="*")
@dataclass(frozen=True)
class ServePricing:
    """What serving costs where it is not what training costs."""

    serve_gpu: str | None = None
    "GPU that serves [default: --gpu]."
    serve_mfu: float | None = None
    "Share of its peak that serving reaches [default: --mfu]."
    serve_gpu_hour: float | None = None
    "Price of one of them for an hour [default: --gpu-hour]."

    def prices(self, training: Pricing) -> Prices | None:
        """Return the rates of serving, or None where they are those of training."""
        from kleiber.planning.cost import prices

        if self == ServePricing():
            return None
        return prices(
            self.serve_gpu or training.gpu,
            training.mfu if self.serve_mfu is None else self.serve_mfu,
            training.gpu_hour if self.serve_gpu_hour is None else self.serve_gpu_hour,
            training.currency,
        )
