"""Formulas of scale, such as ``2/D`` or ``max(8, round(D/16))``, evaluated without Python's eval.

A formula is parsed into its syntax tree and walked; what is not in the tables below is refused by
name before anything is computed. All arithmetic is in float64, so that a huge power overflows and
is refused where Python's integers would grow.

numbers       ``20``, ``.5``, ``3e-4``
arithmetic    ``+ - * / // % **`` and signs
functions     ``sqrt log log2 log10 exp min max round ceil floor abs``
choices       ``a if D <= 64 else b``, comparisons, ``and or not``
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as part
from typing import Any, NoReturn

from kleiber.errors import InputError

LONGEST = 500  # characters; a formula of scale is a line
Numbers = Callable[[str], float]

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": math.sqrt,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "exp": math.exp,
    "min": lambda *xs: min(xs),
    "max": lambda *xs: max(xs),
    "round": lambda x: float(math.floor(x + 0.5)),  # halves go up, as by hand
    "ceil": lambda x: float(math.ceil(x)),
    "floor": lambda x: float(math.floor(x)),
    "abs": abs,
}
SEVERAL = ("min", "max")  # functions of two numbers or more; the others take one

ARITHMETIC: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: math.fmod,
    ast.Pow: math.pow,  # of float64: overflows, and refuses roots of negative numbers
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
COMPARISONS: dict[type[ast.AST], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
FORBIDDEN = {  # what people try, by its name
    ast.Attribute: "an attribute access",
    ast.Subscript: "a subscript",
    ast.Lambda: "a lambda",
    ast.NamedExpr: "an assignment",
    ast.JoinedStr: "a text",
    ast.List: "a list",
    ast.Tuple: "a list",
    ast.Dict: "a dictionary",
    ast.Set: "a set",
    ast.Starred: "a starred argument",
}


@dataclass(frozen=True)
class Formula:
    """One formula: its text, the field it is of and the file it stands in, for what it may say."""

    text: str
    field: str
    source: str
    tree: ast.expr = part(repr=False, compare=False)
    names: frozenset[str] = frozenset()

    def value(self, numbers: Numbers, at: str = "") -> float:
        """Return its value; ``numbers`` gives the number of a name, ``at`` says at which scale.

        Raises InputError where it cannot be computed: a division by zero, a number too large.
        """
        try:
            found = float(_value(self.tree, numbers))
        except ZeroDivisionError:
            self._fail("divides by zero", at)
        except OverflowError:
            self._fail("grows beyond what a number can hold", at)
        except ValueError:
            self._fail("takes a root, logarithm or remainder that does not exist", at)
        if not math.isfinite(found):
            self._fail(f"comes to {found}", at)
        return found

    def _fail(self, what: str, at: str) -> NoReturn:
        raise InputError(
            f"{self} {what}{f' at {at}' if at else ''}.",
            remedy=f"Correct {self.field} for that scale.",
        )

    def __str__(self) -> str:
        """Name the formula, its field and its file."""
        return f'The formula of {self.field} in {self.source}, "{self.text}",'


def parse(text: str, *, field: str, source: str, known: Mapping[str, str]) -> Formula:
    """Return a formula, checked; ``known`` says of every name that it may use what it is.

    Raises InputError that names the formula, its field, its file and what in it is refused.
    """
    unchecked = Formula(text, field, source, ast.Constant(0.0))
    if len(text) > LONGEST:
        raise InputError(
            f"The formula of {field} in {source} has {len(text)} characters; at most {LONGEST} "
            "are expected.",
            remedy="Name parts of it as fields of their own under [constants].",
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        names = _check(unchecked, tree, known)
    except SyntaxError as error:
        raise InputError(
            f"{unchecked} is no arithmetic: {error.msg}.",
            remedy="Write it as 2/D or 20*(12*D**2*L + D*V).",
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise InputError(
            f"{unchecked} is no arithmetic that can be read.",
            remedy="Write it as 2/D or 20*(12*D**2*L + D*V).",
        ) from None
    return Formula(text, field, source, tree, frozenset(names))


def _check(formula: Formula, node: ast.expr, known: Mapping[str, str]) -> set[str]:
    """Return the names that a part of a formula uses, or refuse it."""
    if isinstance(node, ast.Constant):
        if not isinstance(node.value, int | float):  # True counts as 1
            _refuse(formula, f"{node.value!r}, which is no number")
        return set()
    if isinstance(node, ast.Name):
        if node.id not in known:
            _refuse_name(formula, node.id, known)
        return {node.id}
    if isinstance(node, ast.Call):
        return _check_call(formula, node, known)
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        parts = [node.left, node.right]
    elif isinstance(node, ast.UnaryOp) and type(node.op) in ARITHMETIC:
        parts = [node.operand]
    elif isinstance(node, ast.Compare) and all(type(op) in COMPARISONS for op in node.ops):
        parts = [node.left, *node.comparators]
    elif isinstance(node, ast.BoolOp):
        parts = node.values
    elif isinstance(node, ast.IfExp):
        parts = [node.test, node.body, node.orelse]
    else:
        what = FORBIDDEN.get(type(node), "something that is no arithmetic")
        _refuse(formula, f"{what}, {ast.unparse(node)}")
    return set[str]().union(*(_check(formula, part, known) for part in parts))


def _check_call(formula: Formula, node: ast.Call, known: Mapping[str, str]) -> set[str]:
    """Return the names in a call's arguments, or refuse what it calls."""
    if not isinstance(node.func, ast.Name):
        what = FORBIDDEN.get(type(node.func), "something that is no function")
        _refuse(formula, f"{what}, {ast.unparse(node.func)}")
    name = node.func.id
    if name not in FUNCTIONS:
        raise InputError(
            f"{formula} calls {name}, which is no function of a formula.",
            remedy=f"The functions are {', '.join(FUNCTIONS)}.",
        )
    fits = len(node.args) > 1 if name in SEVERAL else len(node.args) == 1
    if node.keywords or not fits:
        takes = "two numbers or more" if name in SEVERAL else "one number"
        _refuse(formula, f"{ast.unparse(node)}, and {name} takes {takes}")
    return set[str]().union(*(_check(formula, part, known) for part in node.args))


def _refuse(formula: Formula, what: str) -> NoReturn:
    raise InputError(
        f"{formula} has {what}.",
        remedy="A formula has numbers, names of scale, arithmetic and the functions "
        f"{', '.join(FUNCTIONS)}.",
    )


def _refuse_name(formula: Formula, name: str, known: Mapping[str, str]) -> NoReturn:
    if name.lower() in ("yes", "no", "on", "off", "true", "false"):
        raise InputError(
            f"{formula} is a text, and a formula of numbers is expected.",
            remedy=f"Write {formula.field} = true or false, without quotes.",
        )
    raise InputError(
        f"{formula} has an unknown name, {name}.",
        remedy=f"The names are {listed(known)}; others go under [constants].",
    )


def listed(known: Mapping[str, str]) -> str:
    """Return names with what each is, those that speak for themselves alone."""
    return ", ".join(f"{name} ({what})" if what else name for name, what in known.items())


def _value(node: ast.expr, numbers: Numbers) -> Any:
    """Return the value of a checked part."""
    if isinstance(node, ast.Constant):
        return float(node.value)  # pyright: ignore[reportArgumentType]
    if isinstance(node, ast.Name):
        return numbers(node.id)
    if isinstance(node, ast.BinOp):
        return ARITHMETIC[type(node.op)](_value(node.left, numbers), _value(node.right, numbers))
    if isinstance(node, ast.UnaryOp):
        return ARITHMETIC[type(node.op)](_value(node.operand, numbers))
    if isinstance(node, ast.Call):
        name = node.func.id  # pyright: ignore[reportAttributeAccessIssue]
        return FUNCTIONS[name](*(_value(part, numbers) for part in node.args))
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, numbers) else node.orelse, numbers)
    if isinstance(node, ast.BoolOp):
        seen = (bool(_value(part, numbers)) for part in node.values)
        return all(seen) if isinstance(node.op, ast.And) else any(seen)
    assert isinstance(node, ast.Compare)
    sides = [_value(part, numbers) for part in (node.left, *node.comparators)]
    pairs = zip(node.ops, sides, sides[1:], strict=False)
    return all(COMPARISONS[type(op)](one, other) for op, one, other in pairs)
