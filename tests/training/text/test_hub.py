"""The hub by a module in its place: no test asks the network."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kleiber.errors import InputError, MissingExtraError, UsageError
from kleiber.recipes import recipe
from kleiber.training.text.hub import NAMES, of_hub
from kleiber.training.text.opening import corpus_of


class Hub:
    """What ``datasets`` is to us: rows without end, and what was asked."""

    def __init__(self, **row: Any) -> None:
        self.row = row or {"text": "word " * 200}
        self.asked: list[tuple[Any, ...]] = []
        self.given = 0

    def load_dataset(self, *names: Any, split: str, streaming: bool) -> Iterator[dict[str, Any]]:
        self.asked.append((*names, split, streaming))
        if names[0] == "none/none":
            raise ConnectionError("Couldn't reach the hub.\nTraceback")
        return self.rows()

    def rows(self) -> Iterator[dict[str, Any]]:
        while True:
            self.given += 1
            yield {name: f"{value}{self.given}" for name, value in self.row.items()}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    found = Hub()
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=found.load_dataset))
    return found


def test_so_much_is_streamed_and_kept(hub: Hub, cache: Path) -> None:
    corpus = corpus_of("hf:allenai/c4:en@20KB")
    assert hub.asked == [("allenai/c4", "en", "train", True)]
    assert hub.given == 20  # documents of a thousand bytes and their number
    found = list(corpus.documents())
    assert [len(text) for text in found] == [1001] * 9 + [1002] * 11
    assert corpus.about["dataset"] == "allenai/c4"
    again = of_hub("hf:allenai/c4:en@20KB")
    assert len(hub.asked) == 1
    assert again.checksum == corpus.checksum
    of_hub("hf:allenai/c4:en@10KB")
    of_hub("hf:allenai/c4@10KB")
    assert [names[1] for names in hub.asked] == ["en", "en", None]


def test_the_smaller_amount_is_the_first_of_the_larger(hub: Hub) -> None:
    more = list(of_hub("hf:a/b@30KB").documents())
    hub.given = 0
    fewer = list(of_hub("hf:a/b@10KB").documents())
    assert more[: len(fewer)] == fewer


def test_what_goes_wrong_is_said_and_nothing_is_kept(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        InputError, match=r"'none/none' could not .* hub: Couldn't reach the hub\. "
    ):
        of_hub("hf:none/none")
    hub.row = {"content": "no text", "id": "3"}
    with pytest.raises(InputError, match="has no field text; it has content, id"):
        of_hub("hf:a/b")
    assert [path.suffix for path in cache.iterdir()] == [".lock"] * 2
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"needs the package datasets, .*kleiber\[hf\]"):
        of_hub("hf:a/b")


@pytest.mark.parametrize(
    "name", ["hf:", "hf:a/b@", "hf:a/b@12", "hf:a/b@1.2.3GB", "hf:a b", "hf:a/b@0MB"]
)
def test_names_that_mean_nothing_are_refused(hub: Hub, name: str) -> None:
    with pytest.raises(UsageError, match=r"is not written as hf:OWNER/NAME:CONFIG@AMOUNT"):
        of_hub(name)


def test_c4_is_a_name_for_its_english_part(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recipe("nanodo-paper").settings["text"] == "c4"
    assert NAMES["c4"].startswith("hf:allenai/c4:en@")
    monkeypatch.setitem(NAMES, "c4", "hf:allenai/c4:en@20KB")
    corpus = corpus_of("c4")
    assert hub.asked == [("allenai/c4", "en", "train", True)]
    assert corpus.name == "c4" and corpus.about["dataset"] == "allenai/c4"
