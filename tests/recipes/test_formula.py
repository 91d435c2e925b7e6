"""Formulas: Python's own answers for what is allowed, a sentence for what is not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kleiber.errors import InputError
from kleiber.recipes.formula import parse

KNOWN = {"D": "width", "L": "layers", "T": "tokens", "V": "vocab", "c": ""}
AT = {"D": 64.0, "L": 4.0, "T": 1e9, "V": 256.0, "c": 2.0}


def value(text: str) -> float:
    return parse(text, field="lr", source="'r.toml'", known=KNOWN).value(AT.__getitem__, "D=64")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2/D", 2 / 64),
        ("20*(12*D**2*L + D*V)", 20 * (12 * 64**2 * 4 + 64 * 256)),
        ("max(8, round(D/16))", 8),
        ("min(D, L, 3)", 3),
        ("sqrt(D) + log(D) - log2(D) * log10(D)", 8 + math.log(64) - 6 * math.log10(64)),
        ("c if D <= 64 and not L > 5 else 1/0", 2),
        ("1 if 3 < L < 5 or D == 1 else 0", 1),
        ("D // 7 % 4", 64 // 7 % 4),
        ("round(2.5) + ceil(2.1) + floor(2.9) + abs(-1)", 3 + 3 + 2 + 1),
        ("3e-4 * exp(0)", 3e-4),
    ],
)
def test_known_values(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected, rel=1e-15)


leaves = st.one_of(st.floats(0.25, 8).map(lambda x: f"{x!r}"), st.sampled_from(["D", "L", "c"]))
expressions = st.recursive(
    leaves,
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(
        lambda parts: f"({' '.join(parts)})"
    ),
    max_leaves=12,
)


@given(expressions)
def test_arithmetic_is_pythons(text: str) -> None:
    try:
        expected = eval(text, {}, dict(AT))
    except ZeroDivisionError:
        with pytest.raises(InputError, match="divides by zero at D=64"):
            value(text)
        return
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2/Q", "has an unknown name, Q."),
        ("D.__class__", "has an attribute access, D.__class__."),
        ("().__class__.__bases__", "has an attribute access"),
        ("D[0]", "has a subscript, D[0]."),
        ("__import__('os')", "calls __import__, which is no function of a formula."),
        ("D.real()", "has an attribute access, D.real."),
        ("(lambda: 1)()", "has a lambda"),
        ("[D for D in (1,)]", "has something that is no arithmetic"),
        ("'a' * 9", "has 'a', which is no number."),
        ("2j", "has 2j, which is no number."),
        ("...", "which is no number."),
        ("D & 1", "has something that is no arithmetic, D & 1."),
        ("~D", "has something that is no arithmetic, ~D."),
        ("D in (1, 2)", "has something that is no arithmetic"),
        ("sqrt(1, 2)", "sqrt takes one number"),
        ("round(D, ndigits=1)", "round takes one number"),
        ("max(D)", "max takes two numbers or more"),
        ("2 /", "is no arithmetic"),
        ("", "is no arithmetic"),
        ("\0", "is no arithmetic"),
        ("(D := 3)", "has an assignment"),
        ("-" * 499 + "D", "is no arithmetic that can be read"),
    ],
)
def test_what_is_refused_is_named(text: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        value(text)
    assert said in raised.value.message
    assert raised.value.message.startswith("The formula of lr in 'r.toml'")
    assert raised.value.remedy


def test_an_unknown_name_is_told_the_names() -> None:
    with pytest.raises(InputError) as raised:
        value("2/Q")
    assert "D (width), L (layers)" in raised.value.remedy
    assert ", c;" in raised.value.remedy


def test_a_formula_has_a_length() -> None:
    with pytest.raises(InputError, match="has 600 characters; at most 500"):
        value("1" * 600)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("9**9**9**9", "grows beyond what a number can hold at D=64"),
        ("exp(1e6)", "grows beyond what a number can hold"),
        ("1e308 * 10", "comes to inf"),
        ("1/(D-64)", "divides by zero at D=64"),
        ("log(0)", "takes a root, logarithm or remainder that does not exist"),
        ("(-8)**(1/3)", "takes a root, logarithm or remainder that does not exist"),
        ("sqrt(-1)", "takes a root"),
    ],
)
def test_what_cannot_be_computed_is_said(text: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        value(text)
    assert said in raised.value.message
