"""Recipes and ladders: counts by hand, names, circles, and the sentences for what is wrong."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from kleiber.errors import InputError, UsageError
from kleiber.recipes.ladder import Ladder, ladder
from kleiber.recipes.recipe import Recipe, recipe, recipes
from kleiber.recipes.rung import Rung

SMALL: dict[str, Any] = {
    "head_size": 8,
    "vocab": 256,
    "context": 64,
    "tokens": "20*(12*D**2*L + D*V)",
    "batch": "max(4, D/4)",
    "lr": "c/D",
    "constants": {"c": 1},
}


def made(content: dict[str, Any], name: str = "r") -> Recipe:
    return Recipe.of(content, name=name, source="'r.toml'")


def of(content: dict[str, Any]) -> Ladder:
    return Ladder.of(content, name="l", source="'l.toml'")


def test_the_papers_151m_model_by_hand() -> None:
    # 12 * 1024^2 * 12 = 150,994,944; 20 * (that + 1024 * 32,101) = 3,677,327,360
    paper = recipe("nanodo-paper")
    scale = {"D": 1024, "L": 12}
    rung = paper.rung(scale)
    assert paper.number("N", scale, field="test") == 150_994_944
    assert rung.tokens == 3_677_327_360
    # 6 * 150,994,944 * 3,677,327,360 = 3.3315...e18: the paper's 3.3 exaFLOP
    assert paper.number("C", scale, field="test") == pytest.approx(3.3315e18, rel=1e-4)
    assert (rung.heads, rung.head_size, rung.vocab, rung.context) == (16, 64, 32_101, 512)
    assert (rung.lr, rung.betas, rung.eps) == (2 / 1024, (0.9, 0.95), 1e-20)
    assert (rung.weight_decay, rung.decay, rung.qk_norm, rung.tied) == (0.1, "coupled", True, False)
    assert paper.rung({"D": 1024}).layers == 12


def test_what_the_paper_does_not_say_is_said_to_be_chosen() -> None:
    chosen = recipe("nanodo-paper").chosen
    assert {"schedule", "warmup", "batch", "norm", "layers"} <= chosen.keys()
    published = {"lr", "tokens", "eps", "betas", "weight_decay", "decay", "vocab", "context"}
    assert not published & chosen.keys()


def test_whole_steps_hold_the_tokens() -> None:
    rung = made(SMALL).rung({"D": 16, "L": 2})
    assert rung.tokens == 20 * (12 * 16**2 * 2 + 16 * 256)
    assert rung.steps == -(-rung.tokens // (rung.batch * 64))
    assert 0 <= rung.shown_tokens - rung.tokens < rung.batch_tokens
    given = made({k: v for k, v in SMALL.items() if k != "tokens"} | {"steps": "100*L"})
    assert given.rung({"D": 16, "L": 2}).tokens == 200 * 4 * 64


def test_fields_name_each_other_in_any_order() -> None:
    content = {**SMALL, "lr": "warmup * 2", "warmup": "batch / steps", "final_lr": "min(1, lr)"}
    rung = made(content).rung({"D": 16, "L": 2})
    assert rung.lr == 2 * rung.batch / rung.steps == rung.final_lr


def test_a_circle_is_shown() -> None:
    with pytest.raises(InputError) as raised:
        made({**SMALL, "lr": "T*0 + B", "batch": "lr * 1e3"}).rung({"D": 16, "L": 2})
    assert raised.value.message == ("Formulas in 'r.toml' go in a circle: batch -> lr -> batch.")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lrr": 1}, "There is no setting lrr in 'r.toml'; is lr meant?"),
        ({"seed": 1}, "There is no setting seed in 'r.toml'"),
        ({"lr": "2/Q"}, '"2/Q", has an unknown name, Q.'),
        ({"lr": "D.real"}, "has an attribute access, D.real."),
        ({"betas": [0.9, "D.x"]}, "has an attribute access, D.x."),
        ({"lr": True}, "lr is True in 'r.toml'; a finite number or a formula is expected."),
        *(
            ({name: value}, f"{name} is {value} in 'r.toml'; a finite number or a formula")
            for name in ("lr", "layers", "mlp_ratio", "tokens", "batch", "context", "epochs")
            for value in (math.inf, -math.inf, math.nan)
        ),
        ({"clip": math.nan}, "clip is nan in 'r.toml'; a number or a formula is expected."),
        ({"vocab": 10**400}, "vocab is a whole number of 1,329 bits in 'r.toml'; a finite"),
        ({"vocab": 10**5000}, "vocab is a whole number of 16,610 bits in 'r.toml'; a finite"),
        ({"constants": {"c": 10**400}}, "c is a whole number of 1,329 bits in 'r.toml'"),
        ({"constants": {"c": math.inf}}, "c is inf in 'r.toml'; a finite number or a formula"),
        ({"betas": [0.9, math.nan]}, "betas is [0.9, nan] in 'r.toml'; a list of two numbers"),
        ({"qk_norm": 1}, "qk_norm is 1 in 'r.toml'; true, false or a formula is expected."),
        ({"betas": [0.9]}, "betas is [0.9] in 'r.toml'; a list of two numbers is expected."),
        ({"schedule": 3}, "schedule is 3 in 'r.toml'; a text is expected."),
        ({"heads": 2}, "gives both heads and head_size"),
        ({"steps": 2}, "gives both tokens and steps"),
        ({"constants": {"D": 3}}, "The constant D in 'r.toml' is a name that formulas have"),
        ({"constants": {"max": 3}}, "The constant max in 'r.toml'"),
        ({"constants": {"lr": 3}}, "The constant lr in 'r.toml'"),
        ({"constants": {"c": [1]}}, "c is [1] in 'r.toml'; a finite number or a formula is"),
        ({"constants": 3}, "constants is 3 in 'r.toml'; a table [constants] is expected."),
        ({"chosen": {"colour": "why"}}, "There is no setting colour in [chosen] of 'r.toml'"),
    ],
)
def test_a_wrong_recipe_is_refused_before_any_scale(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        made({**SMALL, **change})
    assert said in raised.value.message


@pytest.mark.parametrize(
    ("change", "scale", "said"),
    [
        ({}, {"D": 18, "L": 2, "head_size": 6}, "batch in 'r.toml' comes to 4.5 at D=18, L=2"),
        ({}, {"D": 12, "L": 2}, "heads in 'r.toml' comes to 1.5"),
        ({"lr": "0*D"}, {"D": 16, "L": 2}, "has lr 0.0; more than 0 is expected."),
        ({"schedule": "cosin"}, {"D": 16, "L": 2}, "one of cosine, linear, constant, wsd"),
        ({"warmup": "2"}, {"D": 16, "L": 2}, "has warmup 2.0; a share from 0 to 1"),
        ({}, {"D": 16}, "layers is given by neither 'r.toml' nor its scales."),
        (
            {"layers": "D/8"},
            {"lr": 1},
            "layers needs width, which is given by neither 'r.toml' nor its scales.",
        ),
        ({}, {"D": 16, "width": 16, "L": 2}, "gives width twice"),
        ({"head_size": 3}, {"D": 15, "L": 2, "batch": 4}, "an even whole number of channels"),
        ({"lr": "1/(D-16)"}, {"D": 16, "L": 2}, "divides by zero at D=16, L=2."),
        ({}, {"D": math.inf, "L": 2}, "width is inf in a scale of 'r.toml'; a finite number"),
        ({}, {"D": 16, "L": 10**400}, "layers is a whole number of 1,329 bits in a scale of"),
        ({"batch": 0}, {"D": 16, "L": 2}, "steps in 'r.toml' cannot be worked out at D=16, L=2:"),
        (
            {"lr": "N", "tokens": 9},
            {"D": 1e200, "L": 2},
            "N in 'r.toml' cannot be worked out",
        ),
        ({"lr": "F", "mlp_ratio": 1e300}, {"D": 1e9, "L": 2}, "F in 'r.toml' cannot be worked"),
        ({"vocab": 2e19, "tokens": 9}, {"D": 16, "L": 2}, "a whole number under 2**63 is expected"),
    ],
)
def test_a_wrong_scale_is_refused(change: dict[str, Any], scale: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        made({**SMALL, **change}).rung(scale)
    assert said in raised.value.message


def test_no_clipping_is_a_number_all_the_same() -> None:
    assert made({**SMALL, "clip": math.inf}).rung({"D": 16, "L": 2}).clip == math.inf


def test_a_rung_of_a_file_is_finite() -> None:
    held = made(SMALL).rung({"D": 16, "L": 2}).to_dict()
    for name, value in (("lr", math.inf), ("mlp_ratio", math.inf), ("seed", 10**400)):
        with pytest.raises(InputError, match=f"has {name} "):
            Rung.of({**held, name: value})


def test_a_long_chain_of_constants_is_one_sentence() -> None:
    chain = {f"c{i}": f"c{i + 1}" for i in range(3000)}
    content = {**SMALL, "lr": "c0", "constants": {**chain, "c": 1, "c3000": 1}}
    with pytest.raises(InputError, match="ask for one another in too long a chain, from lr to c"):
        made(content).rung({"D": 16, "L": 2})


def test_names_of_recipes() -> None:
    assert "nanodo-paper" in recipes()
    with pytest.raises(UsageError, match="There is no recipe 'nanodo-papr'"):
        recipe("nanodo-papr")
    with pytest.raises(InputError, match="its runs' folders take its name"):
        made(SMALL, name="../up")


def test_a_rung_is_its_plain_values_again() -> None:
    rung = made(SMALL).rung({"D": 16, "L": 2}, seed=3)
    assert Rung.of(rung.to_dict()) == rung
    assert rung.name == "r-D16-L2-s3"
    other = Rung.of({**rung.to_dict(), "name": "another", "recipe": "x"})
    assert other.fingerprint == rung.fingerprint
    assert Rung.of({**rung.to_dict(), "lr": 0.5}).fingerprint != rung.fingerprint
    with pytest.raises(InputError, match="no rung has colour and there is no lr"):
        Rung.of({**{k: v for k, v in rung.to_dict().items() if k != "lr"}, "colour": 1})


def test_a_ladder_of_lists_and_rungs() -> None:
    made = of(
        {
            "recipe": SMALL,
            "seeds": "3 if D <= 24 else 1",
            "changes": {"context": 32},
            "scales": {"D": [24, 16], "L": 2},
            "rung": [{"D": 48, "L": 3}, {"width": 16, "layers": 2, "lr": "c/4", "seeds": [5]}],
        }
    )
    assert [rung.name for rung in made.rungs] == [
        *("l-D16-L2-s0", "l-D16-L2-s1", "l-D16-L2-s2", "l-D16-L2-lr0.25-s5"),
        *("l-D24-L2-s0", "l-D24-L2-s1", "l-D24-L2-s2", "l-D48-L3-s0"),
    ]
    assert {rung.context for rung in made.rungs} == {32}
    assert [len(group) for group in made.groups()] == [3, 1, 3, 1]


def test_a_ladder_may_call_its_runs_by_another_name() -> None:
    made = of({"name": "l", "recipe": "nanodo-paper", "rung": [{"D": 64}]})
    assert [rung.name for rung in made.rungs] == ["l-D64-L1-s0"]
    plain = of({"recipe": "nanodo-paper", "rung": [{"D": 64}]})
    assert [rung.name for rung in plain.rungs] == ["nanodo-paper-D64-L1-s0"]


def test_what_a_ladder_changes_is_no_longer_chosen() -> None:
    made = of({"recipe": "nanodo-paper", "changes": {"batch": 8}, "rung": [{"D": 64}]})
    assert made.recipe.chosen.keys() == recipe("nanodo-paper").chosen.keys() - {"batch"}


def test_a_rungs_name_depends_on_no_other_rung() -> None:
    rows = [{"D": 16, "L": 2}, {"D": 16, "L": 2, "lr": 0.5}]
    both, one = (of({"recipe": SMALL, "rung": r}) for r in (rows, rows[1:]))
    assert one.rungs[0] in both.rungs
    assert both.fingerprint != one.fingerprint


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "'l.toml' has no recipe"),
        ({"recipe": 3}, "'l.toml' has recipe 3"),
        ({"recipe": SMALL}, "lists no scale"),
        ({"recipe": SMALL, "lr": 1}, "There is no setting lr in 'l.toml'."),
        ({"recipe": SMALL, "rung": {"D": 1}}, "tables are expected"),
        ({"recipe": SMALL, "scales": {"D": [1, 2], "L": [1]}}, "has D of 2, L of 1"),
        ({"recipe": SMALL, "scales": {"D": 16}}, "has no list"),
        ({"recipe": SMALL, "changes": {"x": 1}, "rung": [{}]}, "There is no setting x"),
        ({"recipe": SMALL, "rung": [{"D": 16, "L": 2}] * 2}, "lists the rung l-D16-L2-s0 twice"),
        (
            {"recipe": SMALL, "rung": [{"D": 16, "L": 2}], "seeds": 0},
            "seeds in 'l.toml' comes to 0",
        ),
        ({"recipe": SMALL, "rung": [{"D": 16, "L": 2}], "seeds": [-1]}, "whole numbers from 0"),
        ({"recipe": SMALL, "rung": [{"D": 16, "L": 2}], "seeds": "Q"}, "has an unknown name, Q."),
        *(
            ({"recipe": SMALL, "rung": [{"D": 16, "L": 2}], "seeds": seeds}, said)
            for seeds, said in (
                (math.inf, "seeds is inf in 'l.toml'"),
                (10**400, "seeds is a whole number of 1,329 bits in 'l.toml'"),
                ([0, 10**400], "seeds is [0, a whole number of 1,329 bits] in 'l.toml'"),
            )
        ),
        (
            {"recipe": SMALL, "rung": [{"D": 10**400, "L": 2}], "seeds": "L"},
            "width is a whole number of 1,329 bits",
        ),
    ],
)
def test_a_wrong_ladder_is_refused(content: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        of(content)
    assert said in raised.value.message


def test_files(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'head_size=8\nvocab=256\ncontext=64\nsteps=10\nbatch=4\nlr="2/D"\n', encoding="utf-8"
    )
    path = tmp_path / "l.toml"
    path.write_text('recipe="mine.toml"\n[[rung]]\nD=16\nL=2\n', encoding="utf-8")
    assert [rung.name for rung in ladder(path).rungs] == ["mine-D16-L2-s0"]
    with pytest.raises(UsageError, match="There is no file"):
        ladder(tmp_path / "none.toml")
    for torn in ("recipe=", f"seeds={'9' * 5000}"):
        path.write_text(torn, encoding="utf-8")
        with pytest.raises(InputError, match="is no TOML"):
            ladder(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"changes": {"qk_norm": "yes"}}, "is a text, and a formula of numbers is expected. Write"),
        ({"seeds": 1.5}, "seeds in 'l.toml' comes to 1.5; a whole number of 1 or more"),
        ({"scales": {"D": [16], "Q": [2]}}, "There is no setting Q in a scale of 'l.toml'"),
    ],
)
def test_what_a_ladder_says_wrong_is_said_of_the_ladder(content: dict[str, Any], said: str) -> None:
    whole = {"recipe": "nanodo-mini", "scales": {"D": [16]}, **content}
    with pytest.raises(InputError, match=re.escape(said)):
        Ladder.of(whole, name="l", source="'l.toml'")
