"""kleiber know measure: the bits in a run folder, from its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kleiber.cli.output import print_json

CONTROLS = {
    "oracle": "a perfect model: all that the data holds",
    "random": "before training: at or below 0",
    "unseen": "on strangers: above +.05 is a leak",
}


def measure(run: str, /, *, device: str = "cpu", json: bool = False) -> None:
    """Measure the bits that a trained model stores, with an oracle, an untrained model, strangers.

    Parameters
    ----------
    run
        Folder of a run that kleiber know train or capacity trained.
    device
        Where to measure: cpu or cuda.
    json
        Print one JSON object instead of text.
    """
    from kleiber.training import RunFolder
    from kleiber.training.extra import require

    require()
    from kleiber.knowledge.experiment import measure_folder

    row = measure_folder(RunFolder(Path(run)), device=device)
    if json:
        print_json({"schema": "kleiber.capacity-run/1", **row})
        return
    print(report(row))


def report(row: dict[str, Any]) -> str:
    """Return a measured run as text: the number, its terms, its controls."""
    params = row["params"]
    lines = [*(_of_people(row) if "bits_per_param" in row else _of_strings(row))]
    lines += ["", "  controls, in bits per parameter"]
    clipped = row.get("controls_clipped", {})
    for name, what in CONTROLS.items():
        if name in row["controls"]:
            none_below = f"; no person below 0: {clipped[name]:.4f}" if name in clipped else ""
            lines.append(f"  {name:<10} {row['controls'][name]:>9.4f}  {what}{none_below}")
    active = f" ({row['params_active']:,} active)" if "params_active" in row else ""
    lines[1:1] = [
        f"  {params:,} parameters{active}, {row['embedding_share']:.1%} of them the embedding of "
        f"{row['vocab']:,} rows",
        f"  {row['people']:,} people, {row['exposures']:,} exposures, {row['steps']:,} steps, seed "
        f"{row['seed']}",
    ]
    return "\n".join(lines)


def _of_people(row: dict[str, Any]) -> list[str]:
    """Return the lines of a model that was taught people."""
    bits, params = row["bits_per_param"], row["params"]
    terms = {name: row[f"{name}_bits"] for name in ("name", "value", "diversity")}
    return [
        f"{bits:.4f} bits per parameter (standard error {row['standard_error']:.4f} over texts), "
        f"{row['share_of_max']:.1%} of the data's {row['max_bits_per_param']:.3f}",
        "",
        *(
            f"  {name:<10} {value:>14,.0f} bits {value / params:>9.4f} a parameter"
            for name, value in terms.items()
        ),
        f"  {'stored':<10} {bits * params:>14,.0f} bits {bits:>9.4f} a parameter",
        "",
        f"  decoded greedily: {row['accuracy']:.1%} of values",
        *(f"  {name:<14} {share:>6.1%}" for name, share in row["accuracy_by_attribute"].items()),
    ]


def _of_strings(row: dict[str, Any]) -> list[str]:
    """Return the lines of a model that was shown random strings: another quantity."""
    return [
        f"{row['memorised_bits_per_param']:.4f} bits per parameter memorised of random strings "
        f"(standard error {row['standard_error']:.4f}), {row['share_of_max']:.1%} of the data's "
        f"{row['max_memorised_bits_per_param']:.3f}",
        "",
        f"  decoded greedily: {row['whole']:.1%} of strings",
    ]
