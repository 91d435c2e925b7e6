"""Presets: those that ship can be built, and one of one's own says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kleiber.errors import InputError, KleiberError, UsageError
from kleiber.knowledge.prepare import check_folders, record
from kleiber.knowledge.preset import FOLDER, preset, presets
from kleiber.training import RunFolder

SOUND = "people = 20\nexposures = 5\nlayers = 1\nwidth = 8\nheads = 1\nbatch = 10\nlr = 0.1\n"


def write(folder: Path, text: str) -> str:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.toml")))
def test_every_preset_can_be_built(name: str) -> None:
    found = preset(name)
    assert found.about and found.seeds >= 1
    cells = found.cells()
    check_folders(cells, [RunFolder(Path(cell.name)) for cell in cells])
    for cell in cells:
        assert record(cell)["steps"] > 0


def test_presets_are_listed_with_what_they_are_about() -> None:
    assert {"mini", "cpu", "paper"} <= presets().keys()
    assert all(presets().values())


def test_a_grid_is_every_combination_for_every_seed(tmp_path: Path) -> None:
    own = write(tmp_path, SOUND.replace("width = 8", "width = [8, 16]"))
    assert len(preset(own).cells(seeds=3)) == 6
    assert [cell.people for cell in preset(own).cells(people=[10, 20], width=8)] == [10, 20]


def test_one_kind_of_rate_replaces_the_other(tmp_path: Path) -> None:
    blocks = "[[grid]]\nwidth = 16\nlr_times_width = 1.6\n[[grid]]\nwidth = 8\n"
    own = preset(write(tmp_path, SOUND.replace("width = 8\n", "") + blocks))
    assert [cell.rate for cell in own.cells()] == [pytest.approx(0.1), pytest.approx(0.1)]
    assert [cell.rate for cell in own.cells(lr=0.5)] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("people = ", "is no TOML: Invalid value"),
        ("people = 20", "No batch, exposures|No exposures, width is given"),
        (SOUND + "layerz = 2", "no setting layerz; is layers meant"),
        (SOUND + "seed = 2", "no setting seed"),
        (SOUND + "seeds = 'two'", "seeds is 'two'; a whole number"),
        (SOUND + "about = 3", "about is 3; text"),
        (SOUND + "grid = 3", "grid in .* is 3; tables"),
        (SOUND + "grid = []", "tables are expected"),
        (SOUND + "[[grid]]\nlr = 'x'", "lr is 'x'; a number"),
        (SOUND.replace("20", '"x"'), "people is 'x'"),
        (SOUND.replace("heads = 1\n", ""), "No heads is given"),
        (SOUND + "seeds = 0", "0 seeds"),
    ],
    ids=lambda text: text.splitlines()[-1],
)
def test_what_is_wrong_with_it(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(KleiberError, match=said) as found:
        preset(write(tmp_path, text)).cells()
    assert "\n" not in found.value.message
    assert found.value.remedy.endswith(".")


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        preset(str(tmp_path / "none.toml"))
    with pytest.raises(UsageError, match="no preset 'none'"):
        preset("none")
    (tmp_path / "own.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no TOML"):
        preset(str(tmp_path / "own.toml"))
