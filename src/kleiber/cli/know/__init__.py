"""kleiber know: synthetic people, what models store of them, and how large a model must be."""

from __future__ import annotations

from cyclopts import App

VERBS = {
    "make": "Write people and their texts as JSON lines.",
    "train": "Teach one model one set of people.",
    "measure": "Measure the bits that a trained model stores.",
    "capacity": "Train and measure a preset's grid, and fit the plateau of bits per parameter.",
    "quantize": "Measure what a trained model still knows in fewer bits a weight.",
    "probe": "Take a layer out of a trained model, and measure the bits that remain.",
    "extract": "Tune a trained model on questions about half of its people; ask about the rest.",
    "size": "Say how large a model must be for so many bits, or what a model can hold.",
}

know = App(name="know")
for _name, _said in VERBS.items():
    know.command(f"kleiber.cli.know.{_name}:{_name}", name=_name, help=_said)
