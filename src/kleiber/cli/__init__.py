"""The command line: one verb a file, each a plain function over the Python call of its name.

Verbs are loaded when they run, and heavy imports wait inside them: ``kleiber --help`` costs
as little as it says.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from kleiber import __version__
from kleiber.cli.output import ARGUMENTS
from kleiber.errors import KleiberError, UsageError, refused_by_system

VERBS = {
    "data": "List the public sets of training runs, and get one by name.",
    "runs": "Show what a table of runs holds.",
    "fit": "Fit a scaling law exactly and say how sure its values are.",
    "check": "Say what is wrong with a fit, by stable codes.",
    "predict": "Predict the loss of a run not yet trained.",
    "calibrate": "Learn a prior from past families and earn its intervals on them.",
    "allocate": "Split a budget into params and tokens.",
    "isoflop": "Find the best size at every budget by parabolas, and their bias.",
    "plan": "Choose the runs to train so that a target is predicted best.",
    "ladder": "Train a recipe at several scales, its price shown first.",
    "choose": "Choose between laws by sizes they had not seen, and predict by them all.",
    "compare": "Say which of two recipes wins at a target, and with what probability.",
    "backtest": "Hide a size, predict it from every part of the rest, and compare.",
    "report": "Write a fit as one page that needs no network.",
    "know": "Measure how many bits of knowledge models store.",
    "study": "Re-make a result on real or simulated runs.",
    "demo": "Predict a hidden run, then teach a small model and count the bits it stores.",
}
STDIN = "<stdin>"  # a lone "-" would be read as an option
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def build() -> App:
    """Return the command line with its verbs."""
    app = App(
        name="kleiber",
        help="The laboratory for the scaling laws of language models.",
        version=__version__,
        suppress_keyboard_interrupt=False,
        help_format="plaintext",
        default_parameter=Parameter(negative=(), show_default=_default),
    )
    for name, said in VERBS.items():
        app.command(f"kleiber.cli.{name}:{name}", name=name, help=said)
    return app


def _default(value: Any) -> str | None:
    """Return how --help shows a default; off, none and empty need no words."""
    return None if value in (None, False, ()) else str(value)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    wants_json = "--json" in arguments
    ARGUMENTS.set(tuple(arguments))
    tokens = [STDIN if argument == "-" else argument for argument in arguments]
    try:
        code = build()(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()  # a reader that left is met here, not at the interpreter's end
    except CycloptsError as error:
        help_of = " ".join(["kleiber", *_verbs(arguments)])
        remedy = f"See {help_of} --help."
        return _fail(UsageError(_one_line(str(error)), remedy=remedy), wants_json)
    except KleiberError as error:
        return _fail(error, wants_json)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        return _fail(refused_by_system(error), wants_json)
    return code if isinstance(code, int) else OK


def _verbs(arguments: Sequence[str]) -> list[str]:
    """Return the verb that was asked for, and its own verb where it has some."""
    found = [verb for verb in arguments[:1] if verb in VERBS]
    if found == ["know"]:
        from kleiber.cli.know import VERBS as OF_KNOW

        found += [verb for verb in arguments[1:2] if verb in OF_KNOW]
    if found == ["ladder"]:
        from kleiber.cli.ladder import VERBS as OF_LADDER

        found += [verb for verb in arguments[1:2] if verb in OF_LADDER]
    return found


def _one_line(text: str) -> str:
    """Return a message without boxes and line breaks."""
    return " ".join(text.split())


def _fail(error: KleiberError, wants_json: bool) -> int:
    """Say what went wrong, once, in the shape that was asked for."""
    if wants_json:
        print(json.dumps(error.to_dict(), indent=2))
    else:
        print(f"kleiber: {error.message}", file=sys.stderr)
        if error.remedy:
            print(f"  {error.remedy}", file=sys.stderr)
    return USAGE if isinstance(error, UsageError) else FAILED


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))
