"""Imports follow the arrow: a room may use the rooms beneath it and no others.

Rooms of one rank are neighbours, not users: laws are equations without data, runs are data
without equations. The two columns meet only at the ground, at `runs` and at the top.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "kleiber"

GROUND = ("errors", "units", "samples")
LEFT = (
    ("runs", "laws"),
    ("fitting",),
    ("judging", "planning"),
    ("charts",),
    ("reporting", "web"),
)
RIGHT = (("recipes",), ("training",), ("knowledge",), ("launching",))
TOP = ("studies", "cli")
SCRIPTS = ("samples/make_ladder.py",)  # run by hand and imported by nothing, so free to use all


def allowed() -> dict[str, set[str]]:
    """Map each room to the rooms that it may import."""
    table = {room: {"errors"} - {room} for room in GROUND}
    beneath = set(GROUND)
    for rank in LEFT:
        for room in rank:
            table[room] = set(beneath)
        beneath |= set(rank)
    columns = set(beneath)
    beneath = {*GROUND, "runs"}
    for rank in RIGHT:
        for room in rank:
            table[room] = set(beneath)
        beneath |= set(rank)
    for room in TOP:
        table[room] = columns | beneath | {other for other in TOP if other != room}
    table["__init__"] = {*columns, *beneath, *TOP}
    table["__main__"] = {"cli"}
    table["scripts"] = {*columns, *beneath, *TOP}
    return table


ALLOWED = allowed()


def room_of(file: Path, source: Path = SOURCE) -> str:
    place = file.relative_to(source)
    return "scripts" if place.as_posix() in SCRIPTS else place.parts[0].removesuffix(".py")


def is_for_types_only(node: ast.If) -> bool:
    test = node.test
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def imports(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield every import under the node, in functions too, but not those for types only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and is_for_types_only(child):
            for other in child.orelse:
                yield from imports(other)
        elif isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        else:
            yield from imports(child)


def modules(node: ast.Import | ast.ImportFrom, package: tuple[str, ...]) -> Iterator[str]:
    """Yield the full names that an import may bring in, relative ones resolved."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = package[: len(package) - node.level + 1] if node.level else ()
    stem = ".".join((*base, *((node.module,) if node.module else ())))
    if stem == "kleiber":  # from kleiber import units: the room is among the names
        named = (alias.name for alias in node.names if alias.name != "__version__")
        yield from (f"kleiber.{name}" for name in named)
    else:
        yield stem


def offences(file: Path, source: Path = SOURCE) -> list[str]:
    room = room_of(file, source)
    package = ("kleiber", *file.relative_to(source).parent.parts)
    found: list[str] = []
    for node in imports(ast.parse(file.read_text(encoding="utf-8"))):
        for name in modules(node, package):
            head, _, rest = name.partition(".")
            target = rest.partition(".")[0]
            if head != "kleiber" or target == room or target in ALLOWED[room]:
                continue
            where = f"{file.relative_to(source)}:{node.lineno}"
            found.append(f"{where} imports {name or 'kleiber'}: {room} may use {ALLOWED[room]}")
    return found


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def test_every_room_has_its_place() -> None:
    assert {room_of(file) for file in files()} <= ALLOWED.keys()


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_follow_the_arrow(file: Path) -> None:
    assert offences(file) == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_imported_by_nothing(script: str) -> None:
    assert (SOURCE / script).is_file()
    name = "kleiber." + script.removesuffix(".py").replace("/", ".")
    room, _, stem = name.rpartition(".")
    for file in files():
        for node in imports(ast.parse(file.read_text(encoding="utf-8"))):
            package = ("kleiber", *file.relative_to(SOURCE).parent.parts)
            found = [*modules(node, package)]
            of_room = isinstance(node, ast.ImportFrom) and room in found
            taken = [alias.name for alias in node.names] if of_room else []
            assert name not in found and stem not in taken, file


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("laws", "from kleiber.runs import Runs"),
        ("samples", "from kleiber.launching.ladder import train_ladder"),
        ("runs", "from ..laws import chinchilla"),
        ("fitting", "def f():\n    from kleiber import judging"),
        ("fitting", "import kleiber.charts.fit as c"),
        ("units", "from . import runs"),
        ("judging", "import kleiber.planning"),
        ("charts", "from kleiber.cli import main"),
        ("knowledge", "from kleiber.fitting import fit"),
        ("planning", "from kleiber.recipes import Recipe"),
        ("fitting", "import kleiber"),
    ],
)
def test_an_import_against_the_arrow_is_seen(tmp_path: Path, room: str, line: str) -> None:
    file = tmp_path / room / "part.py" if room != "units" else tmp_path / "units.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(line, encoding="utf-8")
    assert len(offences(file, tmp_path)) == 1


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("fitting", "from ..laws import chinchilla"),
        ("fitting", "from . import start"),
        ("fitting", "from kleiber.errors import FitError"),
        ("units", "from kleiber.errors import UnitError"),
        ("laws", "if TYPE_CHECKING:\n    from kleiber.runs import Runs"),
        ("cli", "from kleiber import charts, knowledge"),
    ],
)
def test_an_import_along_the_arrow_is_fine(tmp_path: Path, room: str, line: str) -> None:
    file = tmp_path / room / "part.py" if room != "units" else tmp_path / "units.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(line, encoding="utf-8")
    assert offences(file, tmp_path) == []
