"""kleiber ladder: recipes at several scales, shown with their price, trained, and looked after."""

from __future__ import annotations

from cyclopts import App

VERBS = {
    "show": "Print every rung of a ladder: its numbers, FLOPs, memory, time and price.",
    "run": "Train a ladder's rungs; the same command goes on where it stopped.",
    "status": "Say what is done, running, failed and left.",
    "from-plan": "Make a ladder of the plan that kleiber plan wrote.",
}

ladder = App(name="ladder")
for _name, _said in VERBS.items():
    _module = _name.replace("-", "_")
    ladder.command(f"kleiber.cli.ladder.{_module}:{_module}", name=_name, help=_said)
