"""Numbers and equations as a page writes them; what is unknown is a dash with its reason."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kleiber.fitting.report import number

DASH = "–"
UNBOUNDED = "unbounded: the runs do not settle it"
LONG = 1e7  # a number beyond it is written as a power of ten, whatever its format
GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ"}
_WORD = re.compile(r"[A-Za-z_]\w*")
_ATOM = re.compile(r"[\w.\-]+")


@dataclass(frozen=True)
class Shown:
    """A number as text; where it is unknown the text is a dash and ``why`` is the reason."""

    text: str
    why: str = ""


def shown(value: float, why: str, form: str = "") -> Shown:
    """Return a number written by a format, or by five digits where none is given."""
    if not math.isfinite(value):
        return Shown(DASH, UNBOUNDED if math.isinf(value) else why)
    form = form if abs(value) < LONG else ""
    return Shown(minus(f"{value:{form}}" if form else number(value)))


def span(lower: float, upper: float, why: str, form: str = "") -> Shown:
    """Return two bounds as one text, or a dash where either is unknown."""
    low, high = shown(lower, why, form), shown(upper, why, form)
    if low.why or high.why:
        return Shown(DASH, low.why or high.why)
    return Shown(f"{low.text} to {high.text}")


def minus(text: str) -> str:
    """Return text whose numbers have a true minus, as wide as a plus."""
    return re.sub(r"(?<![\w.])-(?=\d)", "−", text)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def power_of_ten(value: float) -> str:
    """Return a large count as ``1.20e21``, the digits one beneath the other."""
    return f"{value:.2e}".replace("e+", "e")


def symbol(name: str) -> str:
    """Return a law's own name of a parameter as HTML: Greek letters, and what follows _ lowered."""
    head, _, tail = name.partition("_")
    letter = GREEK.get(head, head)
    if not tail and len(letter) == 2 and letter[1].islower():  # Nc, Dc
        letter, tail = letter
    return f"<i>{letter}</i>" + (f"<sub>{tail}</sub>" if tail else "")


def equation(text: str, values: Mapping[str, float] | None = None) -> str:
    """Return a law's equation as HTML: Greek letters, raised exponents, values where given.

    The text is a law's own and never a user's; it holds no character that HTML reads.
    """

    def replaced(found: re.Match[str]) -> str:
        name = found[0]
        if values is not None and name in values:
            return f'<span class="num">{number(values[name])}</span>'
        if name in ("params", "tokens"):
            return f'<span class="word">{name}</span>'
        return symbol(name)

    return minus(_raised(text, lambda part: _WORD.sub(replaced, part)))


def _raised(text: str, write: Callable[[str], str]) -> str:
    """Return text with what follows each caret raised: one name, or a group in brackets."""
    head, caret, tail = text.partition("^")
    if not caret:
        return write(text)
    name = _ATOM.match(tail)
    cut = _closing(tail) if name is None else name.end()
    inside = tail[1 : cut - 1] if name is None else name[0]
    return f"{write(head)}<sup>{_raised(inside, write)}</sup>{_raised(tail[cut:], write)}"


def _closing(text: str) -> int:
    """Return the place after the bracket that closes the first one."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return place + 1
    return len(text)
