from __future__ import annotations

import gzip
import json
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kleiber.errors import InputError, KleiberError
from kleiber.training.text.corpus import Corpus, parts
from kleiber.training.text.local import LEFT_OUT, gcide, of_path, stdlib
from kleiber.training.text.opening import corpus_of


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(InputError) as error:
        act()
    return str(error.value)


def read(corpus: Corpus) -> list[str]:
    return list(corpus.documents())


@given(text=st.text(alphabet="ab \n", max_size=300), size=st.integers(1, 40))
def test_parts_are_the_text(text: str, size: int) -> None:
    found = list(parts(text, size))
    assert "".join(found) == text
    assert all(len(part) <= size for part in found)


def test_parts_end_behind_an_empty_line_if_they_can() -> None:
    text = "one two three\nfour\n\nfive six seven eight nine"
    assert list(parts(text, 24)) == ["one two three\nfour\n\n", "five six seven eight ", "nine"]


def test_a_folder_is_its_text_files_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name, content in {
        "b.txt": "bee",
        "a/c.md": "sea",
        "x.png": "no text",
        "z.py": "zed",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    corpus = of_path(str(tmp_path))
    assert read(corpus) == ["sea", "bee", "zed"]
    assert corpus.about == {"files": 3, "bytes": 9}
    before = corpus.checksum
    (tmp_path / "x.png").write_text("still no text")
    assert of_path(str(tmp_path)).checksum == before
    (tmp_path / "b.txt").write_text("bea")
    assert of_path(str(tmp_path)).checksum != before


def test_a_file_s_checksum_is_its_content_s(tmp_path: Path) -> None:
    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_text("the same words\n" * 500)
    one, two = (of_path(str(tmp_path / name)) for name in ("one.txt", "two.txt"))
    assert one.checksum == two.checksum
    assert one.name != two.name


def test_a_long_file_is_cut_into_parts(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    text = "".join(f"line {number}\n" for number in range(40_000))
    path.write_text(text)
    found = read(of_path(str(path)))
    assert "".join(found) == text
    assert 100 <= len(found) <= 103
    assert all(part.endswith("\n") for part in found)


def test_json_lines_are_documents(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text('{"text": "one"}\n\n{"text": "zw\\u00f6lf", "id": 3}\n{"text": "\\ud800"}\n')
    assert read(of_path(str(path))) == ["one", "zwölf", "?"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"txt": "one"}', 'line 2 has no text in a field "text"; it has fields txt.'),
        ("[1]", 'line 2 has no text in a field "text"; it has no object.'),
        ('{"text": 3}', "line 2 has no text"),
        ('{"text": "one"', "line 2 is no JSON:"),
        (b'{"text": "\xff"}', "line 2 is no JSON: 'utf-8' codec can't decode"),
    ],
)
def test_a_line_that_is_no_document_is_named(tmp_path: Path, line: str | bytes, said: str) -> None:
    path = tmp_path / "some.jsonl"
    more = line if isinstance(line, bytes) else line.encode()
    path.write_bytes(b'{"text": "fine"}\n' + more + b"\n")
    assert said in refusal(lambda: read(of_path(str(path))))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: 1 files with 0 bytes. Name a file or a folder with text."),
        (b"fine\xff", "is no UTF-8 text: byte 4 is 0xff. Convert it to UTF-8"),
        (b"\x7fELF\x00\x01", "is no text: byte 4 is 0, as in a binary file. Take it out"),
    ],
)
def test_a_file_that_is_no_text_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "some.txt"
    path.write_bytes(content)
    assert said in refusal(lambda: read(of_path(str(path))))


def test_what_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = refusal(lambda: corpus_of("stdlob"))
    assert said.startswith(
        f"There is no text 'stdlob': no file or folder of this name in '{tmp_path}'."
    )
    (tmp_path / "empty").mkdir()
    assert "The folder 'empty' has no text files; looked for .txt" in refusal(
        lambda: corpus_of("empty")
    )
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    with pytest.raises(KleiberError):
        corpus_of("loop.txt")


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX's")
def test_a_file_that_may_not_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("secret")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)  # root may read anything
    assert refusal(lambda: of_path(str(path))) == (
        f"'{path}' cannot be read: Permission denied. Check the path and its permissions."
    )


def test_the_standard_library_is_this_python_s() -> None:
    corpus = stdlib()
    found = read(corpus)
    assert len(found) == corpus.about["files"] > 200
    assert sum(len(text.encode()) for text in found) == corpus.about["bytes"] > 5e6
    assert any("class JSONDecoder" in text for text in found)
    assert corpus.about["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert stdlib().checksum == corpus.checksum


def test_the_standard_library_is_read_without_tests_and_other_people_s_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    assert "has no sources of its standard library" in refusal(stdlib)
    for name in (*LEFT_OUT, "json"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text(f"# {name}")
    (tmp_path / "_sysconfigdata__linux.py").write_text("# of one machine")
    (tmp_path / "test.py").write_text("# a module, not the folder")
    assert read(stdlib()) == ["# json", "# a module, not the folder"]


def test_gcide_is_cut_at_empty_lines(tmp_path: Path) -> None:
    text = "".join(
        f"Word{number} \\Word\\, n.\n   A word, the {number}th.\n\n" for number in range(2000)
    )
    path = tmp_path / "gcide.dict.dz"
    path.write_bytes(gzip.compress(text.encode() + b"\x92\n"))
    corpus = gcide(path)
    found = read(corpus)
    assert "".join(found) == text + "\ufffd\n"
    assert all(part.startswith("Word") for part in found)
    assert max(map(len, found)) <= 8192
    assert corpus.about == {"bytes": len(text) + 2}


def test_gcide_that_is_not_installed_says_what_to_install(tmp_path: Path) -> None:
    said = refusal(lambda: gcide(tmp_path / "gcide.dict.dz"))
    assert "is not installed" in said
    assert "apt install dict-gcide" in said
    (tmp_path / "torn").write_bytes(gzip.compress(json.dumps(list(range(999))).encode())[:200])
    assert "cannot be read" in refusal(lambda: gcide(tmp_path / "torn"))
