"""Corpora that are on this machine: this Python's own sources, a file, a folder."""

from __future__ import annotations

import platform
import sysconfig
from pathlib import Path

from kleiber.errors import InputError
from kleiber.training.text.corpus import Corpus, of_files

SUFFIXES = (
    *(".txt", ".md", ".rst", ".tex", ".jsonl", ".csv", ".tsv", ".html", ".xml", ".toml", ".yaml"),
    *(".py", ".c", ".h", ".cc", ".cpp", ".hpp", ".rs", ".go", ".java", ".js", ".ts", ".sh"),
)
"""Names of the files that are read in a folder; a file that is named itself is read whatever."""

LEFT_OUT = frozenset(
    {
        *("test", "tests", "idle_test", "idlelib", "turtledemo", "lib2to3", "ensurepip"),
        *("site-packages", "dist-packages", "__pycache__"),
    }
)
"""Folders of the standard library that are no part of ``stdlib``: tests, programs, other people's
packages, and lib2to3, which later Pythons do not have."""


def stdlib() -> Corpus:
    """Return the sources of this Python's standard library, in the order of their paths.

    Without the folders of ``LEFT_OUT`` and without ``_sysconfigdata*.py``, which tells of the
    machine. About 11 MB; its checksum changes with Python's version, which is recorded.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    found = sorted(
        (path.relative_to(root).as_posix(), path)
        for path in root.rglob("*.py")
        if not LEFT_OUT.intersection(path.relative_to(root).parts[:-1])
        and not path.name.startswith("_sysconfigdata")
    )
    if not found:
        raise InputError(
            f"This Python has no sources of its standard library in '{root}'.",
            remedy='Name a file or a folder of text instead, such as text = "corpus.txt".',
        )
    return of_files("stdlib", found, python=platform.python_version())


def of_path(name: str) -> Corpus:
    """Return the corpus of a file, or of all text files of a folder and the folders in it.

    A corpus is called by the path as it was given; its checksum does not depend on where it lies.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        files = sorted(
            (file.relative_to(path).as_posix(), file)
            for file in path.rglob("*")
            if file.suffix in SUFFIXES and file.is_file()
        )
        if not files:
            raise InputError(
                f"The folder '{name}' has no text files; looked for {' '.join(SUFFIXES)}.",
                remedy="Name another folder, or one file, which may be called anything.",
            )
        return of_files(name, files)
    if not path.exists():
        raise InputError(
            f"There is no text '{name}': no file or folder of this name in '{Path.cwd()}'.",
            remedy="Name a file, a folder, stdlib, gcide, hf:OWNER/NAME, or a language such as "
            "markov:64:2:0.",
        )
    return of_files(name, [(path.suffix if path.suffix == ".jsonl" else "", path)])
