"""kleiber compare: its JSON for scripts, its text, two tables or one, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import kleiber

FEW = ("--replicates", "300")
AT = ("--target-flops", "1e19")


def rows(name: str, size: float, seed: int, noise: float = 0.002) -> list[dict[str, object]]:
    """Return a ladder of 1.7 + size C^-.15, 7 rungs of 3 seeds over 3 decades."""
    rng = np.random.default_rng(seed)
    found: list[dict[str, object]] = []
    for i, c in enumerate(np.logspace(0.0, 3.0, 7)):
        params = (c * 1e15 / 120) ** 0.5
        for s in range(3):
            loss = 1.7 + size * c**-0.15 + noise * rng.standard_normal()
            found.append(
                {
                    "run": f"{name}-{i}-{s}",
                    "recipe": name,
                    "params": round(params),
                    "tokens": round(20 * params),
                    "loss": f"{loss:.5f}",
                    "flops": f"{c * 1e15:.6g}",
                    "seed": s,
                }
            )
    return found


def write(path: Path, table: list[dict[str, object]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, table[0])
        writer.writeheader()
        writer.writerows(table)
    return path.name


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two recipes' tables, the second better, in the working folder."""
    monkeypatch.chdir(tmp_path)
    return (
        write(tmp_path / "blue.csv", rows("blue", 2.3, 1)),
        write(tmp_path / "red.csv", rows("red", 2.2, 4)),
    )


def test_the_contract_for_scripts(call, tables) -> None:
    done = call("compare", *tables, *AT, "--margin", "0.004", *FEW, "--json")
    assert (done.code, done.err) == (0, "")
    found = done.json
    assert found["schema"] == "kleiber.compare/1" and found["verdict"] == "B"
    for key in ("p_a", "p_tie", "p_b"):
        assert 0 <= found[key] <= 1
    assert set(found["difference"]) == {"lower", "median", "upper"}
    assert found["difference"]["lower"] < 0.1 * 1e4**-0.15 < found["difference"]["upper"]
    crossover = found["crossover"]
    assert crossover["kind"] == "none" and crossover["median"] is None
    assert {"probability", "lower", "upper"} <= set(crossover)
    assert set(found["gain"]) == {"flops", "lower", "median", "upper"}
    assert found["backtest"]["rows"] and isinstance(found["findings"], list)
    assert found["margin"] == 0.004 and found["command"].startswith("kleiber compare blue.csv")


def test_python_says_the_same(call, tables) -> None:
    found = call("compare", *tables, *AT, *FEW, "--json").json
    found.pop("command")
    found.pop("target_over_6nd")
    made = kleiber.compare(*tables, target_flops=1e19, replicates=300).to_dict()
    assert found == json.loads(json.dumps(made).replace("NaN", "null").replace("Infinity", "null"))


def test_the_text_leads_with_the_verdict(call, tables) -> None:
    done = call("compare", *tables, *AT, *FEW, "--power")
    lines = done.out.splitlines()
    assert lines[0].startswith("at 1e+19 FLOPs: B, red, is better; A - B is +0.0")
    assert [line.split()[0] for line in lines[1:5]] == ["A", "B", "better", "without"]
    assert any(line.startswith("  back-test  6 of 6") for line in lines)
    assert "seeds an arm for 80% power" in done.out and "0.0030 nats: " in done.out
    assert max(map(len, lines)) <= 100
    assert lines[-1] == (
        "  again      kleiber compare blue.csv red.csv --target-flops 1e19 --replicates 300 --power"
    )
    assert done.err.count("assumed: The loss is in nats") == 1  # said of both tables at once


def test_a_target_is_flops_or_a_size(call, tables) -> None:
    by_size = call(
        "compare", *tables, "--target-params", "118M", "--target-tokens", "14.1B", *FEW, "--json"
    ).json
    assert by_size["target_flops"] == pytest.approx(6 * 118e6 * 14.1e9)
    assert by_size["verdict"] == "B"


def test_a_size_is_counted_as_the_rungs_are(call, tables, tmp_path: Path) -> None:
    """FLOPs of attention and the head, a share that falls with size and differs by recipe."""
    hurt = []
    for name, size, seed, head in (("blue", 2.3, 1, 0.5), ("red", 2.2, 4, 0.3)):
        table = rows(name, size, seed)
        for row in table:
            params, tokens = int(str(row["params"])), int(str(row["tokens"]))
            row["flops"] = 6.0 * params * tokens * (1 + head * (1e8 / params) ** 0.5 * 0.1)
        hurt.append(write(tmp_path / f"{name}-head.csv", table))
        top = table[-1]
        params, tokens, flops = (top[key] for key in ("params", "tokens", "flops"))
        by = ("--target-params", str(params), "--target-tokens", str(tokens), *FEW)
        # the ladder's own largest rung is at its own compute
        alone = call("compare", hurt[-1], hurt[-1], *by, "--json").json
        assert alone["target_flops"] == pytest.approx(flops, rel=1e-9)
    shares = [1 + head * (1e8 / float(str(params))) ** 0.5 * 0.1 for head in (0.5, 0.3)]
    both = call("compare", *hurt, *by, "--json").json
    assert both["target_over_6nd"] == pytest.approx(np.sqrt(np.prod(shares)))
    done = call("compare", *hurt, *by)
    said = " ".join(done.out.split())
    assert (
        f"measured FLOPs over it at the largest rungs (A {shares[0]:.4g}, B {shares[1]:.4g})"
        in said
    )
    lines = done.out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("  target     6 x "))
    assert max(map(len, lines[at : at + 2])) <= 100
    # where one table has none, both are counted by the rule
    bare = [{k: v for k, v in row.items() if k != "flops"} for row in rows("red", 2.2, 4)]
    rule = call("compare", hurt[0], write(tmp_path / "bare.csv", bare), *by, "--json").json
    assert rule["target_flops"] == pytest.approx(6.0 * float(str(params)) * float(str(tokens)))
    assert rule["target_over_6nd"] == 1.0
    assert call("compare", *tables, *AT, *FEW, "--json").json["target_over_6nd"] is None


def test_one_table_with_a_column_recipe(call, tables, tmp_path: Path) -> None:
    both = write(
        tmp_path / "both.csv",
        [*rows("blue", 2.3, 1), *rows("red", 2.2, 4), *rows("green", 2.25, 5)],
    )
    asked = call("compare", both, *AT)
    assert asked.code == 2 and "holds 3 (blue, green, red)" in asked.err
    found = call("compare", both, *AT, "--recipes", "red,blue", *FEW, "--json").json
    assert (found["a"], found["b"], found["verdict"]) == ("red", "blue", "A")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "target's compute is not said"),
        (("--target-flops", "1e19", "--target-params", "1B"), 2, "said twice"),
        (("--target-params", "1B"), 2, "--target-params 7B --target-tokens 140B"),
        (("--target-flops", "big"), 2, "--target-flops"),
        (("--target-flops", "1e12"), 2, "lies below every rung"),
        ((*AT, "--margin", "-1"), 2, "no margin"),
        ((*AT, "--seed", "-1"), 2, "--seed got -1"),
        ((*AT, "--recipes", "one"), 2, "expected two names"),
        ((*AT, "--replicates", "5"), 2, "too few for an interval"),
    ],
)
def test_what_it_refuses(call, tables, arguments, code: int, said: str) -> None:
    done = call("compare", *tables, *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_three_tables_are_too_many(call, tables) -> None:
    done = call("compare", *tables, tables[0], *AT)
    assert done.code == 2 and "3 are given" in done.err


def test_bad_tables_are_one_sentence_and_an_exit_code(call, tables, tmp_path: Path) -> None:
    far = [{**row, "flops": float(str(row["flops"])) * 1e6} for row in rows("red", 2.2, 4)]
    done = call("compare", tables[0], write(tmp_path / "far.csv", far), "--target-flops", "1e25")
    assert done.code == 1 and "The computes do not overlap: blue has 1e+15 to 1e+18" in done.err
    sets = [
        write(
            tmp_path / f"{name}.csv",
            [{**row, "validation_set": name} for row in rows(name, 2.2, 4)],
        )
        for name in ("c4", "pile")
    ]
    done = call("compare", *sets, *AT)
    assert done.code == 1 and "two validation sets cannot be compared" in done.err
    bits = [{**row, "loss_unit": "bits"} for row in rows("red", 2.2, 4)]
    done = call("compare", tables[0], write(tmp_path / "bits.csv", bits), *AT)
    assert done.code == 1 and "A's losses are in nats and B's in bits" in done.err


def test_a_nan_leaves_the_other_rungs(call, tables, tmp_path: Path) -> None:
    hurt = [
        {**row, "loss": "nan"} if row["run"] == "blue-6-1" else row for row in rows("blue", 2.3, 1)
    ]
    found = call("compare", write(tmp_path / "hurt.csv", hurt), "red.csv", *AT, *FEW, "--json").json
    assert found["runs"] == [20, 21] and found["verdict"] == "B"
    assert "1 row with no loss" in " ".join(one["message"] for one in found["findings"])
