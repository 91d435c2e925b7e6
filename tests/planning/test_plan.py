"""Plans: what they promise and cost, their file, their answers to bad input, the command."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

import kleiber
from kleiber.cli import run
from kleiber.errors import InputError, UsageError
from kleiber.fitting.prior import WEAK
from kleiber.planning import ModelError, Rules, prices
from kleiber.planning.plan import load_plan, plan
from tests.known.ladder import LADDER


def made(**options: Any) -> kleiber.Plan:
    return plan("7B", "140B", **{"prior": WEAK, **options})


@pytest.fixture(scope="module")
def usual() -> kleiber.Plan:
    return made(budget=1e20)


def test_the_price_is_that_of_its_runs(usual: kleiber.Plan) -> None:
    flops = sum(6.0 * one.params * one.tokens for one in usual.runs)
    assert usual.flops == pytest.approx(flops, rel=1e-12)
    assert usual.cost.flops == usual.flops and 0.9e20 < flops <= 1e20
    # 989 TFLOP/s at 40 %, 2 an hour: the published peak of the assumed GPU.
    assert usual.cost.gpu_hours == pytest.approx(flops / (989e12 * 0.4 * 3600.0), rel=1e-12)
    assert usual.cost.money == pytest.approx(2.0 * usual.cost.gpu_hours, rel=1e-12)
    assert usual.cost.prices.assumed == ("gpu", "mfu", "gpu_hour")


def test_it_promises_less_error_than_before_and_less_for_more(usual: kleiber.Plan) -> None:
    dearer = made(budget=1e21)
    assert dearer.after.error < usual.after.error < 0.1 * usual.before.error
    assert (
        usual.after.half_width > usual.after.error > max(usual.after.of_law, usual.after.of_model)
    )
    assert usual.before.scale_up is None
    nearest = min(max(7e9 / one.params, 140e9 / one.tokens) for one in usual.runs)
    assert usual.after.scale_up == pytest.approx(nearest)


def test_the_same_seed_gives_the_same_plan(usual: kleiber.Plan) -> None:
    assert made(budget=1e20).to_dict() == usual.to_dict()
    assert made(budget=1e20, seed=1).after != usual.after


def test_names_and_seeds_tell_runs_apart(usual: kleiber.Plan) -> None:
    assert len({one.name for one in usual.runs}) == len(usual.runs)
    assert len({(one.params, one.tokens, one.seed) for one in usual.runs}) == len(usual.runs)
    assert len({one.params for one in usual.runs}) >= 5


@pytest.mark.parametrize("error", [0.02, 0.05])
def test_the_cheapest_ladder_reaches_the_error_and_a_cheaper_one_does_not(error: float) -> None:
    found = made(error=error)
    assert found.budget is None and 0.85 * error < found.after.error <= error
    assert made(budget=0.6 * found.flops).after.error > error


def test_trusting_the_law_over_any_distance_promises_more() -> None:
    trusting = made(budget=1e20, model=ModelError(0.0, 0.0))
    assert trusting.after.of_model == 0.0
    assert trusting.after.error == pytest.approx(trusting.after.of_law)
    assert trusting.after.of_law < made(budget=1e20).after.of_law


def test_a_part_of_the_target_is_offered_where_it_is_affordable(usual: kleiber.Plan) -> None:
    assert usual.instead is None  # 1e20 FLOPs train 7B on 2.4B tokens
    dear = made(budget=5e21)
    part = dear.instead
    assert part is not None and part.tokens == pytest.approx(part.part * 140e9)
    assert part.error > dear.after.error


def test_the_file_is_read_back_whole(usual: kleiber.Plan, tmp_path: Path) -> None:
    path = usual.save(tmp_path / "plan.toml")
    assert load_plan(path).to_dict() == usual.to_dict()
    content = tomllib.loads(path.read_text())
    assert content["schema"] == "kleiber.plan/1"
    assert [row["flops"] for row in content["runs"]] == [one.flops for one in usual.runs]
    assert content["target"] == {"params": 7e9, "tokens": 140e9, "flops": 6 * 7e9 * 140e9}
    assert "next" not in content and content["made"]["prior"] == "weak"
    dollars = made(budget=4e21, rates=prices("a100", 0.3, 1.5, "USD"))
    path = dollars.save(tmp_path / "other.toml")
    assert load_plan(path).to_dict() == dollars.to_dict()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema = 1", "has schema 1, expected 'kleiber.plan/1'"),
        ('schema = "kleiber.plan/1"', "no whole plan: KeyError"),
        ("not toml", "is no plan"),
    ],
)
def test_a_file_that_is_no_plan(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        load_plan(path)
    with pytest.raises(InputError, match="There is no file"):
        load_plan(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "needs a budget or an error"),
        ({"budget": 1e20, "error": 0.02}, "a budget or an error to reach, not both"),
        ({"budget": 6e21}, "within the budget of 6e.21: train it"),
        ({"budget": 1e15}, "buys no ladder: 5 sizes from 10M params at 10 tokens per param cost"),
        ({"budget": 1e20, "rules": {"seeds": 0}}, "rule seeds is 0, expected a whole number"),
        ({"budget": 1e20, "rules": {"sizes": "2.5"}}, "rule sizes is 2.5"),
        ({"budget": 1e20, "rules": {"seed": 2}}, "no rule 'seed'; .* Did you mean 'seeds'"),
        ({"budget": 1e20, "rules": {"colour": 2}}, "no rule 'colour'; the rules are sizes, seeds"),
        ({"budget": 1e20, "rules": {"smallest": "8B"}}, "not larger than the smallest run"),
        ({"budget": 1e20, "rules": {"largest": "5M"}}, "from 10M to 5M: none"),
        ({"budget": 1e20, "rules": {"largest": "12M"}}, "fewer than 5 sizes that differ"),
        ({"budget": 1e20, "rules": {"partial": 1.5}}, "rule partial is 1.5"),
        ({"budget": 1e20, "rules": {"checkpoints": "maybe"}}, "expected yes or no"),
        ({"budget": 1e20, "rules": {"sizes": 5, "runs": 3}}, "3 runs cannot have 5 sizes"),
        ({"error": 0.001}, "No ladder cheaper than the target itself .* the law's own"),
        ({"error": 4.0}, "it is a share of the loss"),
        ({"budget": 1e20, "worth": 0.0}, "worth is 0"),
        ({"budget": 1e20, "seed": -1}, "The seed is -1"),
    ],
)
def test_bad_input_is_one_clear_sentence(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        made(**options)
    assert caught.value.remedy and "\n" not in str(caught.value)


def test_rules_as_text_are_those_as_numbers() -> None:
    text = made(budget=1e20, rules={"largest": "600M", "sizes": "4", "checkpoints": "no"})
    same = made(budget=1e20, rules=Rules(largest=6e8, sizes=4, checkpoints=False))
    assert text.to_dict() == same.to_dict()
    assert max(one.params for one in text.runs) <= 6e8


ASKED = ["plan", "--target-params", "7e9", "--target-tokens", "140e9", "--prior", "weak"]


def test_the_command_prints_what_python_returns(
    usual: kleiber.Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.toml"
    assert run([*ASKED, "--budget", "1e20", "--out", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.pop("command").startswith("kleiber plan --target-params 7e9")
    assert found["synthetic"] is False
    assert found == usual.to_dict()
    assert load_plan(path).to_dict() == usual.to_dict()
    assert run([*ASKED, "--budget", "1e20"]) == 0
    said = capsys.readouterr().out
    assert "GPU-hours" in said and "(assumed)" in said and "1.6" in said
    assert run([*ASKED, "--budget", "1e20", "--rule", "sizes"]) == 2
    assert "--rule got 'sizes', expected NAME=VALUE" in capsys.readouterr().err


def test_runs_at_hand_that_nobody_trained_are_said_to_be_synthetic(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["plan", "--target-params", "400B", "--target-tokens", "8T", "--prior", "weak"]
    asked += ["--budget", "1e23", "--given", str(LADDER)]
    assert run(asked) == 0
    said = capsys.readouterr().out
    assert "SYNTHETIC runs at hand" in said and "  next      " in said
    made_again = plan("400B", "8T", budget=1e23, given=kleiber.Runs.read(LADDER), prior="weak")
    assert made_again.to_dict()["synthetic"] is True and made_again.text() in said


def test_with_nothing_to_train_the_file_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.toml"
    asked = ["plan", "--target-params", "400B", "--target-tokens", "8T", "--error", "0.5"]
    assert run([*asked, "--given", str(LADDER), "--prior", "weak", "--out", str(path)]) == 0
    said = capsys.readouterr()
    assert f"wrote {path}, which has no run to train" in said.err
    assert "  next      stop: the expected error" in said.out.splitlines()[1]
    content = tomllib.loads(path.read_text())
    assert content["runs"] == [] and content["next"]["stop"] is True
    assert load_plan(path).runs == ()


@pytest.mark.parametrize(
    ("prior", "code", "said"),
    [
        ("none", 2, "There is no prior 'none'; the one that has learnt nothing is 'weak'"),
        ("bundle", 1, "'bundle' is no prior: there is no such file. Did you mean 'bundled'?"),
    ],
)
def test_a_prior_that_there_is_not(
    prior: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*ASKED[:-1], prior, "--budget", "1e20"]) == code
    found = capsys.readouterr().err
    assert said in found and "Errno" not in found
