"""What is said of a table before anything is fitted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kleiber.runs import Runs


def grid(sizes: int = 5, lengths: int = 5, seed: int = 0) -> dict[str, list[float]]:
    """Return finished runs on a grid under a known law with 1 % of noise."""
    n, d = np.meshgrid(np.logspace(7.5, 9.5, sizes), np.logspace(9, 11, lengths))
    n, d = n.ravel(), d.ravel()
    noise = np.random.default_rng(seed).normal(0, 0.01, n.size)
    loss = (1.7 + 400 / n**0.34 + 1000 / d**0.37) * np.exp(noise)
    return {"params": n.tolist(), "tokens": d.tolist(), "loss": loss.tolist()}


def codes(table: object, **options: object) -> set[str]:
    runs = Runs.read(table, **options)  # type: ignore[arg-type]
    return {problem.code for problem in runs.describe().problems}


@pytest.mark.parametrize("seed", range(20))
def test_a_sound_design_has_no_problems(seed: int) -> None:
    assert codes(grid(seed=seed)) == set()


def changed(**columns: object) -> dict[str, object]:
    return {**grid(), **columns}


def test_designs_that_cannot_be_told_apart() -> None:
    table = grid()
    n = np.array(table["params"])
    assert "single-size" in codes(changed(params=[1e8] * 25))
    assert "single-tokens" in codes(changed(tokens=[1e10] * 25))
    assert "single-ratio" in codes(changed(tokens=(20 * n).tolist()))
    assert codes(changed(loss=[3.0] * 25)) == {"constant-loss"}
    assert "single-line" in codes(changed(tokens=(n**2 / 1e6).tolist()))
    assert "few-runs" in codes({name: column[:4] for name, column in table.items()})


def test_counts_in_billions() -> None:
    table = grid()
    runs = changed(
        params=[n / 1e9 for n in table["params"]], tokens=[d / 1e9 for d in table["tokens"]]
    )
    problems = Runs.read(runs).describe().problems
    assert [p.code for p in problems] == ["scale", "scale"]
    assert "125M" in problems[0].remedy


def test_compute_that_is_anothers() -> None:
    table = grid()
    flops = [6e9 * n * d for n, d in zip(table["params"], table["tokens"], strict=True)]
    assert codes(changed(flops=flops)) == {"flops"}


def test_repeated_rows() -> None:
    table = {name: column * 5 for name, column in grid().items()}
    problems = Runs.read(table).describe().problems
    assert problems[0].code == "duplicated"
    assert "100 rows repeat" in problems[0].message


@pytest.mark.parametrize("place", [0, 6, 12, 24])
def test_one_diverged_run(place: int) -> None:
    table = grid()
    table["loss"][place] = 11.0
    problems = Runs.read(table).describe().problems
    assert [p.code for p in problems] == ["outlier"]
    assert f"row-{place + 1} (11 nats)" in problems[0].message


def test_two_metrics_in_one_column() -> None:
    table = grid(8, 8)
    table["loss"] = [x * (1.6 if i % 3 == 0 else 1) for i, x in enumerate(table["loss"])]
    assert "two-levels" in codes(table)


def curves(ends: float = 1.0, **extra: object) -> dict[str, object]:
    tokens = np.logspace(8, 10, 12)
    rows: dict[str, list[object]] = {"run": [], "params": [], "tokens": [], "loss": []}
    for i, n in enumerate(np.logspace(7.5, 9.5, 6)):
        loss = 1.7 + 400 / n**0.34 + 1000 / tokens**0.37
        loss[-1] *= ends if i == 2 else 1
        rows["run"] += [f"r{i}"] * 12
        rows["params"] += [n] * 12
        rows["tokens"] += tokens.tolist()
        rows["loss"] += loss.tolist()
    return {**rows, **extra}


def test_a_jump_at_the_end_of_a_run() -> None:
    assert codes(curves()) == set()
    assert "end-jump" in codes(curves(1.2))
    assert "end-jump" in codes(curves(0.85))


def test_finals_that_are_not_the_last() -> None:
    final = ([False] * 10 + [True, False]) * 6
    assert codes(curves(final=final)) == {"early-final"}


def test_one_name_with_several_losses() -> None:
    table = curves()
    table["run"] = ["r"] * 72
    table["params"] = [1e8] * 72
    assert "contradicted" in codes(table)


def test_problems_of_each_family_bear_its_name() -> None:
    table = grid()
    table["family"] = ["sound"] * 25
    for name in ("params", "tokens", "loss"):
        table[name] += [1e8, 1e9, 3.0][{"params": 0, "tokens": 1, "loss": 2}[name] :][:1] * 3
    table["family"] += ["poor"] * 3
    problems = Runs.read(table).describe().problems
    assert {p.family for p in problems} == {"poor"}
    assert "poor: a single size (100M)" in Runs.read(table).describe().text()


def test_spans_and_dictionary() -> None:
    summary = Runs.read({**grid(), "family": ["f"] * 25}, unit="bits").describe()
    (family,) = summary.families
    assert (family.name, family.rows, family.runs, family.finals) == ("f", 25, 25, 25)
    assert len(family.sizes) == 5
    assert family.params.decades == pytest.approx(2)
    assert family.tokens.decades == pytest.approx(2)
    whole = json.loads(json.dumps(summary.to_dict()))
    assert whole["unit"] == "bits"
    assert whole["checkpoints"] == 0
    assert whole["families"][0]["tokens_per_param"]["low"] == pytest.approx(10**-0.5)
    assert {note["kind"] for note in whole["notes"]} == {"assumed", "converted"}


def test_the_text() -> None:
    table = {"N": ["100M", "200M", "1B"], "D": ["2B", "4B", "20B"], "loss": [3.5, 3.25, 2.75]}
    assert Runs.read(table).describe().text() == (
        """\
Runs of the table given

  family  rows  runs  sizes  params   dec  tokens  dec  tok/param  loss
  all        3     3      3  100M-1B  1.0  2B-20B  1.0  20         2.75-3.5

  3 rows of 3 runs (each row one): 3 finals, 0 checkpoints. Loss: nats per token. Params: embeddings
  in or out is not said.

  Problems
    ! 3 finished runs: a law of five values needs at least 6, and more for an interval. Train more
      small runs, use checkpoints (--points all), or fit a law of fewer values (--law).
    ! all points have 20 tokens a param: size and data cannot be told apart. Add runs at another
      ratio, or fit one of them alone (--law params-power-floor).

  How it was read
    - assumed: No run names: each of 3 rows is counted as a finished run.
    - guessed: Columns by their names: params 'N', tokens 'D'.
    - assumed: It is not said whether params count embeddings (--params-are says it).
    - assumed: The loss is in nats per token (--unit says otherwise)."""
    )


def test_the_text_keeps_to_100_columns() -> None:
    table = grid(10, 12)
    for name, tail in (("family", "a-very-long-name-of-a-family"), ("recipe", "its-recipe")):
        table[name] = [f"{tail}-{i % 30}" for i in range(120)]
    text = Runs.read(table).describe().text()
    assert max(map(len, text.splitlines())) <= 100
    assert "and 6 more families" in text
    assert "30 families (" in text
