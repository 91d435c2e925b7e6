"""Golden text: what a person reads. `pytest tests/cli --snapshot-update` takes a new reading."""

from __future__ import annotations

import pytest

from kleiber.cli import VERBS

ASK = ("--params", "7e9", "--tokens", "140e9")


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "ladder.csv"),
        ("fit", "ladder.csv"),
        ("fit", "ladder.csv", "--tie", "alpha=beta", "--delta", "1e-3", "--max-params", "400M"),
        ("predict", "ladder.csv", *ASK),
        ("predict", "ladder.csv", "--params", "700B", "--tokens", "140e9"),
        ("allocate", "ladder.csv", "--flops", "1e22"),
    ],
    ids=" ".join,
)
def test_the_text(call, sample: str, snapshot, arguments: tuple[str, ...]) -> None:
    done = call(*arguments)
    assert done.code == 0
    assert f"{done.out}--- talk\n{done.err}" == snapshot


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help(call, verb: str) -> None:
    done = call(*[verb][: bool(verb)], "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: kleiber {verb or 'COMMAND'}")
    assert VERBS.get(verb, "laboratory").rstrip(".") in done.out.replace("\n", " ")
    for noise in ("[default: False]", "[default: ()]", "[default: None]"):
        assert noise not in done.out


def test_lines_fit_a_terminal(call, sample: str) -> None:
    for arguments in (("runs", sample), ("fit", sample)):
        assert max(map(len, call(*arguments).out.splitlines())) <= 100


def test_talk_goes_to_stderr(call, sample: str) -> None:
    done = call("fit", sample)
    assert "assumed: " in done.err
    assert "assumed: " not in done.out
    assert call("fit", sample, "--json").err == ""


def test_the_synthetic_sample_says_so_everywhere(call, sample: str) -> None:
    for arguments in (
        ("runs", sample),
        ("fit", sample),
        ("predict", sample, *ASK),
        ("allocate", sample, "--flops", "1e22"),
    ):
        assert "synthetic" in call(*arguments).out.lower(), arguments
        assert '"synthetic": true' in call(*arguments, "--json").out, arguments
