"""kleiber know quantize: what a trained model still knows in fewer bits a weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kleiber.cli.output import print_json
from kleiber.errors import UsageError

HEAD = (
    f"{'method':<13}{'bits':>4}{'group':>9}{'bits/param':>12}{'± err':>8}{'lost':>9}{'decoded':>9}"
    f"{'stored/param':>14}{'knowledge/bit':>16}"
)


def quantize(
    run: str,
    /,
    *,
    bits: str = "8,4",
    method: str = "rtn,gptq",
    group: str = "channel",
    weights: str = "linear",
    asymmetric: bool = False,
    float_bits: int = 16,
    act_order: bool = True,
    texts: int = 1000,
    steps: int = 1000,
    lr: float | None = None,
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Measure what a trained model still knows in fewer bits a weight; its folder stays as it is.

    Parameters
    ----------
    run
        Folder of a run that kleiber know train or capacity trained.
    bits
        Bits a weight, such as 8,4,3; these, methods and groups may be several.
    method
        rtn (to nearest), gptq (making up for errors), aware (fine-tuned through the rounding).
    group
        Who shares a scale: tensor, channel, or a number of columns, such as 32.
    weights
        linear (embedding, norms and biases stay, as in AutoGPTQ), matrices, or all.
    asymmetric
        A grid from the smallest to the largest weight, in place of one around 0.
    float_bits
        Bits that scales, and what is not rounded, are stored in: 16 or 32.
    act_order
        GPTQ rounds the columns of the largest inputs first.
    texts
        Texts that GPTQ is calibrated on.
    steps
        Steps of fine-tuning.
    lr
        Its peak rate [default: a tenth of the run's].
    device
        Where to measure: cpu or cuda.
    json
        Print one JSON object instead of text.
    """
    from kleiber.training import RunFolder
    from kleiber.training.extra import require

    require()
    from kleiber.knowledge.quantize.table import Asked, quantize_folder

    asked = Asked(
        methods=method.split(","),
        bits=[_whole(part, "--bits") for part in bits.split(",")],
        groups=[_group(part) for part in group.split(",")],
        weights=weights,
        symmetric=not asymmetric,
        float_bits=float_bits,
        act_order=act_order,
        texts=texts,
        steps=steps,
        lr=lr,
    )
    rows: list[dict[str, Any]] = []
    for row in quantize_folder(RunFolder(Path(run)), asked, device=device):
        if not json:
            print(_line(row) if rows else f"{HEAD}\n{_line(row)}", flush=True)
        rows.append(row)
    if json:
        print_json({"schema": "kleiber.quantized/1", "run": Path(run).name, "rows": rows})
        return
    print("\n".join(["", *_foot(rows)]))


def _line(row: dict[str, Any]) -> str:
    """Return one rounding as a line of the table."""
    bits, group = row["bits"], row["group"]
    lost = "-" if row["loss"] is None else f"{row['loss']:.1%}"
    shared = "" if group is None else f"{group}"
    return (
        f"{row['method']:<13}{'' if bits is None else bits:>4}{shared:>9}"
        f"{row['bits_per_param']:>12.3f}{row['standard_error']:>8.3f}{lost:>9}"
        f"{row['accuracy']:>9.1%}{row['storage_bits_per_param']:>14.2f}"
        f"{row['knowledge_per_bit']:>16.3f}"
    )


def _foot(rows: list[dict[str, Any]]) -> list[str]:
    """Return what the columns mean, and every note once."""
    weights = next((row["weights"] for row in rows if row["weights"]), "linear")
    what = {
        "linear": "the matrices in the blocks; embedding, norms and biases are kept in float",
        "matrices": "every matrix; norms and biases are kept in float",
        "all": "everything, norms and biases as a row each",
    }[weights]
    notes = dict.fromkeys(note for row in rows for note in row["notes"])
    return [
        f"rounded: {what}",
        "lost: share of the float model's bits; below 0 bits, more than all of it; - of nothing",
        "stored/param: codes, scales, zero points and kept floats; knowledge/bit: over all of that",
        *notes,
    ]


def _whole(text: str, option: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(
            f"{option}: '{text}' is no whole number.", remedy=f"Give {option} as 8,4,3."
        ) from None


def _group(text: str) -> int | str:
    return _whole(text, "--group") if text.lstrip("-").isdecimal() else text
