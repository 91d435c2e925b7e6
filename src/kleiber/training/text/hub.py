"""Corpora of the Hugging Face hub, streamed once by the package ``datasets`` and kept.

``hf:OWNER/NAME``, ``hf:OWNER/NAME:CONFIG``, and ``@AMOUNT`` behind either for how much is taken:
``hf:allenai/c4:en@500MB`` is the first 500 MB of the field ``text`` of its split ``train``. What is
taken is the amount's and not the run's, so that all rungs of a ladder share one text. ``c4`` is
the English part of C4, enough of it for the 3.7 billion tokens of the largest published model.
"""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from kleiber.errors import InputError, MissingExtraError, UsageError
from kleiber.training.text import cache
from kleiber.training.text.corpus import Corpus, of_files

FORM = re.compile(r"hf:([^:@\s]+)(?::([^:@\s]+))?(?:@([\d.]+)([KMG]B))?")
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
NAMES = {"c4": "hf:allenai/c4:en@20GB"}
AMOUNT = 200 * 10**6
"""Bytes of text that are taken where a name does not say."""


def asked(name: str) -> tuple[str, str | None, int]:
    """Return the data set, the config and the bytes of a name; UsageError where it says none."""
    found = FORM.fullmatch(NAMES.get(name, name))
    try:
        amount = round(float(found[3]) * UNITS[found[4]]) if found and found[3] else AMOUNT
    except ValueError:  # two points in a number
        amount = 0
    if not found or amount < 1:
        raise UsageError(
            f"The text '{name}' is not written as hf:OWNER/NAME:CONFIG@AMOUNT.",
            remedy="Write it such as hf:allenai/c4:en@500MB; the config and the amount may be "
            "left out.",
        )
    return found[1], found[2], amount


def of_hub(name: str) -> Corpus:
    """Return the corpus of a data set on the hub, from the cache where it was streamed before."""
    dataset, config, amount = asked(name)
    place = cache.root() / f"hub-{cache.name_of(dataset, config, amount)}"
    folder = cache.made_once(place, lambda path: _stream(path, name, dataset, config, amount))
    file = folder / "documents.jsonl"
    return of_files(name, [(file.name, file)], dataset=dataset, config=config)


def _stream(folder: Path, name: str, dataset: str, config: str | None, amount: int) -> None:
    """Write the first documents of a data set until they are so many bytes of text."""
    library = _datasets(name)
    taken = 0
    try:
        rows = library.load_dataset(dataset, config, split="train", streaming=True)
        with (folder / "documents.jsonl").open("w", encoding="utf-8") as file:
            for row in rows:
                text = _text_of(row, name)
                file.write(json.dumps({"text": text}) + "\n")
                taken += len(text.encode("utf-8", "replace"))
                if taken >= amount:
                    break
    except InputError:
        raise
    except Exception as error:  # whatever a network and a hub can say
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(
            f"The data set '{dataset}' could not be streamed from the Hugging Face hub: {first}.",
            remedy="Check its name, its config and the network; or name a .jsonl file.",
        ) from None


def _text_of(row: dict[str, Any], name: str) -> str:
    if isinstance(row.get("text"), str):
        return row["text"]
    raise InputError(
        f"The data set of '{name}' has no field text; it has {', '.join(row)}.",
        remedy='Save what you want of it as a .jsonl file of {"text": "..."}, and name that.',
    )


def _datasets(name: str) -> Any:
    try:
        return import_module("datasets")
    except ImportError as error:
        raise MissingExtraError(
            f"The text '{name}' needs the package datasets, which is not installed.",
            remedy="Install it (pip install 'kleiber[hf]'), or name a file or a folder.",
        ) from error
