"""Inputs that something is wrong with, and what the command line answers to each.

Read by test_bad_inputs.py, which checks the answers, and by docs/failures.md, which prints
them: the page cannot say what the tool does not.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kleiber.cli import run

TRUTH = {"E": 1.82, "A": 482.0, "alpha": 0.3478, "B": 2085.0, "beta": 0.3658}
HEAD = "run,params,tokens,loss"
Row = tuple[object, ...]


def law(params: float, tokens: float) -> float:
    """Return the loss that the ladders below are drawn from."""
    return TRUTH["E"] + TRUTH["A"] / params ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]


def ladder(k: int = 4, noise: float = 0.01, seed: int = 0) -> list[Row]:
    """Return k sizes by k token counts, with noise, as rows of a table."""
    rng = np.random.default_rng(seed)
    return [
        (f"r{i}{j}", round(n), round(d), law(n, d) * float(np.exp(noise * rng.standard_normal())))
        for i, n in enumerate(np.geomspace(2e7, 1.5e9, k))
        for j, d in enumerate(np.geomspace(4e8, 3e10, k))
    ]


def table(rows: list[Row], head: str = HEAD) -> str:
    """Return rows as CSV."""

    def text(cell: object) -> str:
        return f"{cell:.6g}" if isinstance(cell, float) else str(cell)

    return "".join(f"{line}\n" for line in [head, *(",".join(map(text, row)) for row in rows)])


SOUND = ladder()


def with_cell(column: str, value: object, row: int = 5) -> str:
    """Return the sound ladder with one cell changed."""
    place = HEAD.split(",").index(column)
    rows = [list(cells) for cells in SOUND]
    rows[row][place] = value
    return table([tuple(cells) for cells in rows])


def along(rows: list[tuple[float, float]], noise: float) -> str:
    """Return runs at the given params and tokens, noise alternating in sign."""
    return table(
        [(f"r{i}", n, d, law(n, d) * (1 + noise * (-1) ** i)) for i, (n, d) in enumerate(rows)]
    )


class Case(NamedTuple):
    """One bad input: a file's content, or None for none; options; and what is expected.

    ``error`` is the code of the expected error, empty where a fit is expected that says what
    is wrong. ``said`` must all appear in the answer.
    """

    input: str
    content: str | bytes | None
    said: tuple[str, ...]
    error: str = ""
    options: tuple[str, ...] = ()
    name: str = "runs.csv"


SIZES = [float(n) for n in np.geomspace(2e7, 2e9, 10)]
FAMILIES = table([(*r, "ab"[i % 2]) for i, r in enumerate(SOUND)], HEAD + ",family")
UNITS = table([(*r, "ppl" if i < 4 else "nats") for i, r in enumerate(SOUND)], HEAD + ",loss_unit")
PERPLEXITY = table([(*r[:3], float(np.exp(float(str(r[3]))))) for r in SOUND])
STEEP = [(*r[:3], 1.8 + 400 / r[1] ** 0.34 + 92_697 / r[2] ** 0.54) for r in SOUND]  # type: ignore[operator]
SMALL = [(r[0], r[1] / 1e9, r[2] / 1e12, r[3]) for r in SOUND]  # type: ignore[operator]

CASES = (
    Case("a loss of NaN", with_cell("loss", "nan"), ("1 row with no loss", "line 7", "left out")),
    Case("an empty cell", with_cell("tokens", ""), ("1 row with no tokens", "left out")),
    Case("an infinite loss", with_cell("loss", "inf"), ("an infinite loss", "left out")),
    Case("a loss of minus infinity", with_cell("loss", "-inf"), ("infinite loss", "left out")),
    Case("infinite tokens", with_cell("tokens", "inf"), ("line 7", "--drop-bad"), "values"),
    Case("a negative loss", with_cell("loss", -2.5), ("'-2.5'", "--drop-bad"), "values"),
    Case("a loss of zero", with_cell("loss", 0), ("zero or negative loss", "--drop-bad"), "values"),
    Case("negative params", with_cell("params", -5), ("'-5'", "--drop-bad"), "values"),
    Case("zero params", with_cell("params", 0), ("zero or negative", "--drop-bad"), "values"),
    Case("zero tokens", with_cell("tokens", 0), ("1 row with zero tokens", "left out")),
    Case("text in a number's place", with_cell("loss", "oops"), ("'oops'", "--drop-bad"), "values"),
    Case(
        "the same, with `--drop-bad`",
        with_cell("loss", "oops"),
        ("'oops'", "left out"),
        options=("--drop-bad",),
    ),
    Case("one size", along([(1e8, d) for d in np.geomspace(1e9, 1e11, 8)], 0.01),
         ("params = 100M", "--law tokens-power-floor"), "fit"),
    Case("one token count", along([(n, 1e10) for n in SIZES], 0.01),
         ("tokens = 10B", "--law params-power-floor"), "fit"),
    Case("one ratio of tokens to params", along([(n, 20 * n) for n in SIZES], 0.003),
         ("20 tokens a param", "--law params-power-floor")),
    Case("four runs", table(SOUND[::4]), ("at least 6", "--fix", "--law"), "fit"),
    Case("one run", table(SOUND[:1]), ("at least 6", "--fix", "--law"), "fit"),
    Case("every loss the same", table([(*r[:3], 3.0) for r in SOUND]),
         ("nothing to fit", "--columns", "K001")),
    Case("every row five times", table(SOUND * 5), ("64 rows repeat", "Remove the repeated rows")),
    Case("one diverged run (loss 11)", with_cell("loss", 11.0),
         ("1 finished run", "r11 (11 nats)", "diverged")),
    Case("perplexity in the column `loss`", PERPLEXITY, ("perplexity", "--unit ppl"), "units"),
    Case("losses in two units", UNITS, ("mixes units", "--where loss_unit", "--unit"), "units"),
    Case("params in billions, tokens in trillions", table(SMALL),
         ("the most params are 1.5", "the most tokens are 0.03", "125M or 1.5B")),
    Case("two families in one table", FAMILIES, ("2 families (a, b)", "--family"), "usage"),
    Case("a family that is not there", FAMILIES, ("'zz'", "a, b"), "values", ("--family", "zz")),
    Case("a coefficient far from the usual (B = 92,697)", table(STEEP), ("nothing to say",)),
    Case("an empty file", "", ("is empty", "header and rows"), "input"),
    Case("a header and no rows", HEAD + "\n", ("no rows", "below the header"), "input"),
    Case("no header", table(SOUND).split("\n", 1)[1], ("a header belongs", "first line"),
         "columns"),
    Case("unknown columns", table(SOUND, "a,b,c,d"), ("a, b, c, d", "--columns"), "columns"),
    Case("a row too short", table(SOUND) + "r99,1e9\n", ("line 18 has 2 cells",), "values"),
    Case("a binary file", bytes(range(256)) * 20, ("binary", "CSV"), "input"),
    Case("a Python pickle", pickle.dumps({"params": [1]}), ("pickle", "never opened"), "input",
         name="runs.pkl"),
    Case("a gzip archive cut short", gzip.compress(table(SOUND).encode(), mtime=0)[:-20],
         ("broken gzip archive", "again"), "input", name="runs.csv.gz"),
    Case("a public set's family misspelt", None, ("'OPTT'", "OPT, OPT/tasks"), "usage",
         name="set:colpret/OPTT"),
    Case("a file that is not there", None, ("'runs.csv'", "Check the path"), "input"),
    Case("a folder", None, ("folder", "folder/*.csv"), "input", name="folder"),
    Case("a law that is not there", table(SOUND), ("'chinchila'", "chinchilla, "), "usage",
         ("--law", "chinchila")),
)  # fmt: skip


class Answer(NamedTuple):
    """What one command line did."""

    code: int
    out: str
    err: str


def answer(case: Case, *more: str, verb: str = "fit") -> Answer:
    """Run a verb on a case in a folder of its own."""
    out, err = io.StringIO(), io.StringIO()
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        try:
            Path("folder").mkdir()
            if case.content is not None:
                raw = case.content if isinstance(case.content, bytes) else case.content.encode()
                Path(case.name).write_bytes(raw)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run([verb, case.name, *case.options, *more])
        finally:
            os.chdir(before)
    return Answer(code, out.getvalue(), err.getvalue())


def sentences(case: Case) -> str:
    """Return what is said to a case, without the values of the fit."""
    found: dict[str, Any] = json.loads(answer(case, "--json").out)
    if "error" in found:
        return f"{found['error']['message']} {found['error']['remedy']}".strip()
    usual = ("embeddings", "The loss is in nats", "No run names")
    notes = [note for note in found["data"]["notes"] if not any(word in note for word in usual)]
    problems = [f"{one['message']} {one['remedy']}" for one in found["problems"]]
    codes = [
        f"{one['code']}: {one['title']}." for one in found["findings"] if one["severity"] == "issue"
    ]
    parts = list(dict.fromkeys([*notes, *problems, *codes])) or ["nothing to say."]
    return f"fits {found['data']['runs']} runs; " + " ".join(parts)


def page() -> str:
    """Return the cases as a Markdown table."""
    lines = ["| input | what kleiber says |", "|---|---|"]
    for case in CASES:
        said = sentences(case).replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")
        lines.append(f"| {case.input} | {said} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(page())
