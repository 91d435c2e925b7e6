"""kleiber know probe: what a trained model still knows without one of its layers."""

from __future__ import annotations

import math
from pathlib import Path

from kleiber.cli.output import print_json
from kleiber.errors import UsageError


def probe(run: str, /, *, layer: str = "-1", device: str = "cpu", json: bool = False) -> None:
    """Take a layer out of a trained model, and measure the bits that remain.

    Parameters
    ----------
    run
        Folder of a run that kleiber know train or capacity trained.
    layer
        Which, from 0; -1 is the last; several with commas, one at a time.
    device
        Where to measure: cpu or cuda.
    json
        Print one JSON object instead of text.
    """
    from kleiber.training import RunFolder
    from kleiber.training.extra import require

    require()
    from kleiber.knowledge.probe import probe_folder

    try:
        layers = [int(part) for part in layer.split(",")]
    except ValueError:
        raise UsageError(
            f"--layer is '{layer}'; whole numbers are expected.",
            remedy="Give --layer -1 for the last, or 0,1.",
        ) from None
    found = probe_folder(RunFolder(Path(run)), layers, device=device)
    if json:
        rows = [one.to_dict() for one in found]
        print_json({"schema": "kleiber.probe/1", "run": Path(run).name, "rows": rows})
        return
    first = found[0]
    lines = [
        f"{first.before:,.0f} bits in {first.layers} layers; {first.spread_evenly:.1%} would "
        "remain if each held as much",
        "",
    ]
    for one in found:
        share = "of nothing" if math.isnan(one.kept) else f"{one.kept:.1%}"
        lines.append(
            f"without layer {one.layer}: {one.after:,.0f} bits ({share}); no person below "
            f"0: {one.after_clipped:,.0f}; decoded {one.accuracy_after:.1%}, before "
            f"{one.accuracy_before:.1%}"
        )
    print("\n".join(lines))
