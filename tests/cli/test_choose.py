"""kleiber choose: the verdict, its JSON, and what it refuses."""

from __future__ import annotations

import json

import pytest

import kleiber

LAWS = ("--laws", "chinchilla,kaplan")


def test_the_text_names_the_best_and_predicts_by_all(call, sample: str) -> None:
    done = call("choose", sample, *LAWS, "--params", "7B", "--tokens", "140B")
    assert done.code == 0
    lines = done.out.splitlines()
    assert "chinchilla (" in lines[0] and "is the best law" in lines[0]
    assert [line.split()[0] for line in lines[3:5]] == ["chinchilla", "kaplan"]
    assert "7B params on 140B tokens: " in done.out and "the choice of law included" in done.out
    assert max(map(len, lines[1:])) <= 100
    assert "again      kleiber choose ladder.csv" in done.out


def test_the_json_is_the_choice_s(call, sample: str) -> None:
    found = call("choose", sample, *LAWS, "--params", "7B", "--tokens", "140B", "--json").json
    assert found["schema"] == "kleiber.choose/1"
    assert found["best"] == "chinchilla" and found["decided"] is True
    assert [one["law"] for one in found["laws"]] == ["chinchilla", "kaplan"]
    assert found["predicted"]["lower"] < found["predicted"]["value"] < found["predicted"]["upper"]
    assert found["synthetic"] is True
    plain = call("choose", sample, *LAWS, "--json").json
    assert "predicted" not in plain and plain.pop("command")
    assert plain == json.loads(
        json.dumps(kleiber.choose(sample, ("chinchilla", "kaplan")).to_dict())
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--laws", "chinchila"), 2, "Did you mean 'chinchilla'"),
        (("--max-params", "100M"), 1, "sizes that a choice needs"),
        (("--params", "big"), 2, "--params"),
        (("--laws", "chinchila"), 2, "with laws=(…) (--laws a,b"),
        (("--group", "-1"), 2, "group is -1"),
    ],
)
def test_what_it_refuses(
    call, sample: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = call("choose", sample, *arguments)
    assert done.code == code
    assert said in done.err
