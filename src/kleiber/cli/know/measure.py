"""kleiber know measure: the bits in a run folder, from its weights."""

from __future__ import annotations

from pathlib import Path

from kleiber.cli.output import print_json


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
    from kleiber.knowledge.experiment import measure_folder
    from kleiber.training import RunFolder

    row = measure_folder(RunFolder(Path(run)), device=device)
    if json:
        print_json({"schema": "kleiber.capacity-run/1", **row})
        return
    print(report(row))


def report(row: dict[str, object]) -> str:
    """Return a measured run as text: the number, its terms, its controls."""
    get = row.get
    bits, params = float(str(get("bits_per_param"))), int(str(get("params")))
    stored = bits * params
    controls = get("controls")
    clipped = get("controls_clipped")
    assert isinstance(controls, dict) and isinstance(clipped, dict)
    terms = {name: float(str(get(f"{name}_bits"))) for name in ("name", "value", "diversity")}
    accuracy = get("accuracy_by_attribute")
    assert isinstance(accuracy, dict)
    lines = [
        f"{bits:.4f} bits per parameter (standard error {get('standard_error'):.4f} over texts), "
        f"{get('share_of_max'):.1%} of the data's {get('max_bits_per_param'):.3f}",
        f"  {params:,} parameters, {get('people'):,} people, {get('exposures'):,} exposures, "
        f"{get('steps'):,} steps",
        f"  embedding {get('embedding_share'):.1%} of the parameters, {get('vocab'):,} rows in use",
        "",
        *(
            f"  {name:<10} {value:>14,.0f} bits {value / params:>9.3f} a parameter"
            for name, value in terms.items()
        ),
        f"  {'stored':<10} {stored:>14,.0f} bits",
        "",
        "  controls, in bits per parameter (in brackets: no person below 0)",
        f"  oracle     {controls['oracle']:>9.4f}   a perfect model: all that the data holds",
    ]
    said = {"random": "untrained; at or below 0", "unseen": "strangers; above +.05 is a leak"}
    lines += [
        f"  {name:<10} {controls[name]:>9.4f}   ({clipped[name]:.4f}) {what}"
        for name, what in said.items()
        if name in controls
    ]
    lines += ["", f"  decoded greedily: {float(str(get('accuracy'))):.1%} of values"]
    lines += [f"  {name:<14} {share:>6.1%}" for name, share in accuracy.items()]
    return "\n".join(lines)
