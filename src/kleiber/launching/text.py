"""The text of a rung: where ``recipes`` says a name and ``training.text`` has the words."""

from __future__ import annotations

from kleiber.launching.rungs import Text
from kleiber.recipes.rung import Rung


def check_words(rung: Rung) -> None:
    """Raise where a rung's text or tokenizer means nothing here; neither is read."""
    from kleiber.training.text.opening import check_words as check

    check(rung)


def open_text(rung: Rung) -> Text:
    """Return the windows that a rung trains on, and those that are held out."""
    from kleiber.training.text import open_text as opened

    return opened(rung)
