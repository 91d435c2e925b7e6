"""What data are made of: what settings say, and what is refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from kleiber.errors import KleiberError
from kleiber.knowledge.cell import Cell
from kleiber.knowledge.prepare import record
from kleiber.knowledge.shares import Share, said, shares_of, useful_share

BEFORE = {  # the settings of the preset mini, as runs before mixes were there wrote them down
    "people": 300, "exposures": 700, "layers": 1, "width": 16, "heads": 2, "batch": 60, "seed": 0,
    "format": "bioD", "pools": {},
    "strings": {"K": 4, "C": 1, "D": 64, "L": 1, "T": 64, "name_tokens": 2},
    "templates": None, "tokens": "words", "context": None, "mlp_ratio": 4, "init_scale": 0.6,
    "lr": 0.015, "lr_times_width": None, "weight_decay": None, "decay_over_run": None,
    "betas": [0.9, 0.999], "eps": 1e-06, "clip": 1.0, "warmup": 0.02, "final_lr": 0.0,
    "precision": "fp32", "compiled": False, "texts": 4,
}  # fmt: skip

DOMAINS = [
    {"name": "a.example", "people": "fresh", "parts": 4},
    {"name": "b.example", "people": "useful", "parts": 1},
    {"name": "c.example", "people": 30, "parts": 3},
]


def made(**changes: Any) -> Cell:
    return Cell.of({**BEFORE, **changes})


def test_a_mix_is_two_shares_and_defaults_are_written_out() -> None:
    cell = made(mix={"junk": "fresh"})
    assert cell.mix == {"junk": "fresh", "useful": 1, "junk_parts": 7, "token": False}
    assert cell.shares == (Share("useful", 1, "useful"), Share("junk", 7, "fresh"))
    assert useful_share(cell.shares) == 1 / 8
    assert Cell.of(cell.to_dict()) == cell
    assert cell == made(mix={"junk_parts": 7})


def test_useful_domains_come_first_and_all_are_marked() -> None:
    shares = made(domains=DOMAINS).shares
    assert [share.label for share in shares] == ["b.example", "a.example", "c.example"]
    assert all(share.marked for share in shares)
    assert useful_share(shares) == 1 / 8
    assert useful_share(()) == 1.0


@pytest.mark.parametrize(
    ("people", "persons"), [("fresh", 5000), ("repeated", 8), (123, 123)], ids=str
)
def test_how_many_persons_junk_is_of(people: str | int, persons: int) -> None:
    share = Share("junk", 7, people)
    assert share.persons(300, 5000) == persons
    assert Share("junk", 7, "repeated").persons(20_000, 10**6) == 200


def test_folders_of_earlier_runs_are_still_theirs() -> None:
    """The fingerprint is what the code before mixes gave for the same settings."""
    cell = Cell.of(dict(BEFORE))
    assert record(cell)["fingerprint"] == "debcf68db1dea15f"
    assert record(cell)["cell"] == {**BEFORE, "betas": (0.9, 0.999)}
    assert record(made(exposures=700.0))["fingerprint"] == "debcf68db1dea15f"


def test_every_setting_of_a_mix_makes_another_run() -> None:
    wide = {"strings": {**BEFORE["strings"], "name_tokens": 4}}
    cells = [
        made(**wide),
        made(**wide, mix={"junk": "fresh", "junk_parts": 1}),
        made(**wide, mix={"junk": "fresh", "junk_parts": 3}),
        made(**wide, mix={"junk": "repeated", "junk_parts": 1}),
        made(**wide, mix={"junk": "fresh", "junk_parts": 1, "token": True}),
        made(**wide, domains=DOMAINS),
        made(**wide, exposures=37.5),
    ]
    assert len({record(cell)["fingerprint"] for cell in cells}) == len(cells)
    assert len({cell.name for cell in cells}) == len(cells)
    assert "E37.5-" in cells[-1].name
    assert said(cells[4].shares) == "1useful+token-1fresh"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mix": {"useful": 0}}, "0 parts useful data and 7 parts junk leaves nobody to learn"),
        ({"domains": DOMAINS[:1]}, "leaves nobody to learn"),
        ({"mix": {"jnk": "fresh"}}, "no setting jnk; is junk meant"),
        ({"mix": {"junk": "frsh"}}, "mix.junk is 'frsh'; fresh, repeated or a number"),
        ({"mix": {"junk": 0}}, "mix.junk is 0"),
        ({"mix": {"junk": True}}, "mix.junk is True"),
        ({"mix": {"junk_parts": -1}}, "mix.junk_parts is -1"),
        ({"mix": {"useful": 0.5}}, "mix.useful is 0.5; a whole number of parts"),
        ({"mix": {"token": "yes"}}, "mix.token is 'yes'; true or false"),
        ({"mix": 7}, "mix is 7; a table is expected"),
        ({"domains": {"a": 1}}, "domains is .*; a list of tables is expected"),
        ({"domains": [{"name": "x", "parts": 1}]}, "No people is given"),
        ({"domains": [{"name": "", "people": "useful", "parts": 1}]}, "name of domain 1 is ''"),
        ({"domains": DOMAINS, "mix": {"junk": "fresh"}}, "mix and domains are both given"),
        ({"domains": [DOMAINS[1]] * 2}, "Two domains have one name"),
        ({"format": "random", "strings": {}, "mix": {"junk": 9}}, "the format is random"),
    ],
    ids=str,
)
def test_what_means_nothing(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(KleiberError, match=words) as found:
        made(**changes)
    assert found.value.remedy.endswith(".")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"mix": {"junk": "fresh"}},
            "300 useful people, 300 strangers for the control and 1,470,000 junk persons need "
            "1,470,600 names; the pools make 4,096",
        ),
        ({"mix": {"junk": 3497}}, "need 4,097 names"),
        ({"people": 3000, "mix": {"junk": "repeated"}}, "need 6,030 names"),
        ({"people": 5000, "mix": {"junk": "repeated"}}, "more people than names"),
    ],
    ids=str,
)
def test_too_few_names(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(KleiberError, match=words):
        record(made(**changes))


def test_just_enough_names() -> None:
    assert record(made(mix={"junk": 3496}))["steps"] == 300 * 700 * 8 / 60


def test_no_mix_is_shares_of_nothing() -> None:
    assert shares_of({}, []) == ()
