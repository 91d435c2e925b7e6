"""Corpora that are on this machine: this Python's own sources, a file, a folder."""

from __future__ import annotations

import gzip
import hashlib
import platform
import sysconfig
import zlib
from pathlib import Path

from kleiber.errors import InputError
from kleiber.training.text.corpus import Corpus, of_files, parts

GCIDE = Path("/usr/share/dictd/gcide.dict.dz")
"""Where Debian's package dict-gcide has the text; its format is gzip's with an index."""

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


def gcide(path: Path = GCIDE) -> Corpus:
    """Return the Collaborative International Dictionary of English, where Debian installed it.

    40 MB of Webster's of 1913 with additions (GPL-2 or later), cut at empty lines into documents
    of about 8,192 characters. The few bytes that are no UTF-8 are replaced by U+FFFD.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise InputError(
            f"The dictionary gcide is not installed: there is no '{path}'.",
            remedy="Install it where Debian's packages are (apt install dict-gcide), or name "
            "another text, such as stdlib.",
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"'{path}' cannot be read: {str(error).rstrip('.')}.",
            remedy="Install Debian's dict-gcide again.",
        ) from None
    text = content.decode("utf-8", errors="replace")
    checksum = hashlib.sha256(content).hexdigest()[:16]
    return Corpus("gcide", checksum, lambda: parts(text, 8192), {"bytes": len(content)})


def of_path(name: str) -> Corpus:
    """Return the corpus of a file, or of all text files of a folder and the folders in it.

    A corpus is called by the path as it was given; its checksum does not depend on where it lies.
    """
    check_path(name)
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
    return of_files(name, [(path.suffix if path.suffix == ".jsonl" else "", path)])


def check_path(name: str) -> None:
    """Raise InputError where there is no file or folder of a text's name."""
    if not Path(name).expanduser().exists():
        raise InputError(
            f"There is no text '{name}': no file or folder of this name in '{Path.cwd()}'.",
            remedy="Name a file, a folder, stdlib, gcide, c4, hf:OWNER/NAME, or a language such as "
            "markov:64:2:0.",
        )
