"""Texts that somebody else wrote: every part found where it stands, every bad text named."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kleiber.errors import InputError, KleiberError
from kleiber.knowledge import Biographies, People, Pools, Windows
from kleiber.knowledge.cell import Cell
from kleiber.knowledge.corpus import Corpus, read_corpus
from kleiber.knowledge.measure import max_bits, score_texts, stored_bits
from kleiber.knowledge.prepare import record
from kleiber.knowledge.rewritten import Rewritten, entropy
from kleiber.knowledge.texts import NAME, Texts

TABLE = """person,name,pronoun,birth_date,birth_city,university,major,employer
0,Anya Briar Forger,She,"October 2, 1996",Princeton,Princeton University,Music,Acme Tools Inc.
1,Bo Carl Dent,He,"March 12, 1960",Austin,Union College,Computer Science,Blue Sky
2,Cy Dora Eames,She,"May 1, 2001",Newark,Austin Institute,Physical Science,Acme Tools Inc.
"""
GOOD = (
    "Anya Briar Forger was born on the 2nd of October, 1996 in PRINCETON. She studied music at "
    "Princeton University and works for Acme Tools Inc. in an office that she likes."
)
BO = "Bo Carl Dent of Austin, born {date}, took computer science at Union College; he is at {at}."


def written(folder: Path, lines: Iterable[dict[str, Any]], table: str = TABLE) -> tuple[str, str]:
    texts, people = folder / "texts.jsonl", folder / "people.csv"
    texts.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    people.write_text(table, encoding="utf-8")
    return str(texts), str(people)


def read(folder: Path, *texts: tuple[int, str]) -> Corpus:
    return read_corpus(*written(folder, ({"person": who, "text": text} for who, text in texts)))


def bo(date: str = "March 12, 1960", at: str = "Blue Sky") -> tuple[int, str]:
    return 1, BO.format(date=date, at=at)


def test_every_part_is_found_where_it_first_stands(tmp_path: Path) -> None:
    corpus = read(tmp_path, (0, GOOD))
    (text,) = corpus.texts
    told = {part: text.text[a:b] for part, (a, b) in text.spans.items()}
    assert told == {
        "name": "Anya Briar Forger",
        "pronoun": "She",
        "birth_date": "2nd of October, 1996",
        "birth_city": "PRINCETON",  # and not the university's
        "university": "Princeton University",
        "major": "music",
        "employer": "Acme Tools Inc.",
    }
    assert text.spans["pronoun"][0] == text.text.index("She studied")
    assert corpus.summary() == ("1 of 1 texts tell all 6 values of 1 of 3 people; 0 were left out.")


@pytest.mark.parametrize(
    "date",
    [
        "March 12, 1960", "march 12 1960", "12 March 1960", "the 12th of March, 1960",
        "1960-03-12", "Mar. 12, 1960", "March 12th, 1960", "12th March 1960",
    ],
)  # fmt: skip
def test_dates_as_people_write_them(tmp_path: Path, date: str) -> None:
    (text,) = read(tmp_path, bo(date)).texts
    a, b = text.spans["birth_date"]
    assert text.text[a:b] == date.removeprefix("the ")


@pytest.mark.parametrize(
    ("text", "kind", "part"),
    [
        (bo("1960"), "missing", "birth_date"),
        (bo("March 12, 1961"), "missing", "birth_date"),
        (bo("March 12, 19600"), "missing", "birth_date"),
        (bo(at="Blue Skyline"), "missing", "employer"),
        (bo(at="Blue Sky, not Acme Tools Inc."), "wrong", "employer"),
        (bo(at="Blue Sky with Anya Briar Forger"), "wrong", "name"),
        (bo("March 12, 1960 or May 1, 2001"), "wrong", "birth_date"),
        ((1, "Dent! " + bo()[1]), "leak", "name"),
        ((1, "In 1960 " + bo()[1]), "leak", "birth_date"),
        ((1, "Computer lover " + bo()[1]), "leak", "major"),
        ((0, GOOD.replace(" in PRINCETON", "")), "ambiguous", "birth_city"),
    ],
    ids=str,
)
def test_a_bad_text_is_left_out_by_person_and_part(
    tmp_path: Path, text: tuple[int, str], kind: str, part: str
) -> None:
    corpus = read(tmp_path, (2, "nobody"), bo(), text)
    assert len(corpus.texts) == 1
    assert corpus.left_out == 2
    found = [problem for problem in corpus.problems if problem.line == 3]
    assert (kind, part) in {(problem.kind, problem.part) for problem in found}
    assert {problem.person for problem in found} == {("Anya Briar Forger", "Bo Carl Dent")[text[0]]}
    assert corpus.told == (1,)
    assert f"{kind}" in corpus.summary()


def test_a_word_that_most_values_have_is_no_leak(tmp_path: Path) -> None:
    """Two of three majors are of science: the word tells less than a bit of which."""
    told = (2, "In science: Cy Dora Eames, a she, May 1, 2001, Newark, Austin Institute, Physical "
               "Science, Acme Tools Inc.")  # fmt: skip
    assert len(read(tmp_path, told).texts) == 1


def test_two_attributes_of_one_value_cannot_be_told_apart(tmp_path: Path) -> None:
    table = "name,birth_city,home_city\nAl Bee,Austin,Austin\nCy Dee,Newark,Austin\n"
    lines = [
        {"name": "Al Bee", "text": "Al Bee went from Austin to Austin."},
        {"name": "Cy Dee", "text": "Cy Dee went from  Newark to\nAustin."},
    ]
    corpus = read_corpus(*written(tmp_path, lines, table))
    assert [problem.kind for problem in corpus.problems] == ["ambiguous", "ambiguous"]
    assert [text.text for text in corpus.texts] == [" Cy Dee went from Newark to Austin."]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Biographies, Corpus, tuple[str, str]]:
    """Texts of our own making, whose tokens and parts are known, read as if they were not."""
    pools = Pools.paper(first=30, middle=30, last=30, employers=60)
    base = Biographies(People(pools, 60, 4), "bioS")
    ids, shown = np.tile(np.arange(60), 3), np.repeat(np.arange(3), 60)
    lines, rows = [], []
    for one in base.biographies(ids, shown):
        lines.append({"person": one.person, "text": one.text})
        if one.exposure == 0:
            rows.append({"person": one.person, **one.values})
    folder = tmp_path_factory.mktemp("rewritten")
    texts, _ = written(folder, lines)
    people = folder / "people.json"
    people.write_text(json.dumps(rows), encoding="utf-8")
    paths = (texts, str(people))
    return base, read_corpus(*paths), paths


def test_our_own_texts_are_read_as_they_were_made(
    made: tuple[Biographies, Corpus, tuple[str, str]],
) -> None:
    base, corpus, _ = made
    assert len(corpus.texts) > 120
    assert len(corpus.texts) + corpus.left_out == 180
    for told in corpus.texts:
        same = [
            one
            for one in base.biographies([told.person] * 3, [0, 1, 2])
            if one.text.strip() == told.text.strip()
        ]
        for part, start, end in same[0].spans:
            assert told.spans[part] == (start, end), (part, told.text)
    source = Rewritten(corpus, 30, seed=1)
    for ours in range(5):
        (one,) = source.biographies([ours], [0])
        person = next(i for i in range(60) if corpus.people[i]["name"] == one.values["name"])
        exposure = next(t for t in range(3) if base.biographies([person], [t])[0].text == one.text)
        mine, theirs = source.texts([ours], [0]), base.texts([person], [exposure])
        assert source.decode(mine.tokens) == base.decode(theirs.tokens)
        kinds = [base.kinds[kind] for kind in theirs.kinds]
        assert [source.kinds[kind] for kind in mine.kinds] == kinds


def test_texts_take_turns_and_strangers_are_others(
    made: tuple[Biographies, Corpus, tuple[str, str]],
) -> None:
    source = Rewritten(made[1], 30, seed=1)
    written_by = {}
    for ours in range(len(made[1].told)):
        seen = [source.biographies([ours], [t])[0].text for t in range(6)]
        many = len(set(seen))
        assert many == sum(one.text in set(seen) for one in made[1].texts)
        assert seen[:many] == seen[many : 2 * many] or many > 3
        written_by[ours] = set(seen)
    assert not set.union(*(written_by[i] for i in range(30))) & set.union(
        *(written_by[int(i)] for i in source.strangers(1000))
    )
    assert len(source.strangers(1000)) == len(made[1].told) - 30
    windows = Windows(source, exposures=4, batch=4, context=64, seed=0)
    tokens = sum(int((t != -100).sum()) for _, t in map(windows.batch, range(windows.steps)))
    everyone = source.texts(np.tile(np.arange(30), 4), np.repeat(np.arange(4), 30))
    assert tokens == len(everyone.tokens)


def test_bits_of_a_perfect_model_and_of_one_that_knows_frequencies(
    made: tuple[Biographies, Corpus, tuple[str, str]],
) -> None:
    """R^max for the one; for the other, which knows nobody, nothing at all."""
    source = Rewritten(made[1], 30, seed=1)
    people = [source.biographies([i], [0])[0].values for i in range(30)]

    def perfect(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        nats = np.zeros(len(texts.tokens))
        first = np.flatnonzero((texts.kinds == NAME) & (np.roll(texts.kinds, 1) != NAME))
        nats[first] = np.log(30)
        return nats, nats == 0

    def frequencies(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        """Charge each name its words' and each value its own frequency, at the last token."""
        nats = np.zeros(len(texts.tokens))
        for start, end in zip(texts.starts, texts.starts[1:], strict=False):
            said = source.decode(texts.tokens[start:end])
            truth = next(one for one in people if one["name"] in said)
            for kind, part in enumerate(source.kinds[1:], 1):
                here = start + np.flatnonzero(texts.kinds[start:end] == kind)
                if part == "name":
                    words = truth[part].split()
                    chance = [
                        np.mean([one["name"].split()[i] == word for one in people])
                        for i, word in enumerate(words)
                    ]
                else:
                    chance = [np.mean([one[part] == truth[part] for one in people])]
                nats[here[-1]] -= np.log(chance).sum()
        return nats, nats < 0

    ids = np.arange(30)
    best = stored_bits(source, score_texts(perfect, source, ids))
    assert sum(best.values()) == pytest.approx(max_bits(source))
    none = stored_bits(source, score_texts(frequencies, source, ids))
    assert none["name"] == pytest.approx(0, abs=1e-9)
    city = 30 * source.attribute_bits["work_city"]
    assert -city - 1e-9 <= none["value"] <= 1e-9  # a city ahead of its employer is charged too


def test_entropy() -> None:
    from scipy.stats import entropy as reference

    assert entropy(["a", "b", "b", "c"]) == pytest.approx(reference([1, 2, 1], base=2))
    assert entropy(["a", "a"]) == 0.0


def test_a_run_on_a_corpus(
    tmp_path: Path, made: tuple[Biographies, Corpus, tuple[str, str]]
) -> None:
    pytest.importorskip("torch")
    from kleiber.knowledge.experiment import run
    from kleiber.training import RunFolder

    texts, people = made[2]
    given: dict[str, Any] = {
        "people": 30, "exposures": 2, "layers": 1, "width": 8, "heads": 1, "batch": 4, "lr": 0.01,
        "context": 64, "compiled": False, "format": "rewritten",
    }  # fmt: skip
    cell = Cell.of({**given, "corpus": {"texts": texts, "people": people}})
    *_, last = run([cell], [RunFolder(tmp_path / "run")])
    row = last["result"]
    assert row["controls"]["random"] < 0
    assert row["controls"]["oracle"] == pytest.approx(row["max_bits_per_param"])
    assert row["controls"]["unseen"] < 0.05
    with Path(texts).open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps({"person": 0, "text": "Nothing."}))
    with pytest.raises(InputError, match="corpus"):
        list(run([cell], [RunFolder(tmp_path / "run")]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "rewritten"}, "No people, texts is given"),
        ({"corpus": {"texts": "a", "people": "b"}}, "A corpus is given, and the format is bioD"),
        (
            {"format": "rewritten", "corpus": {"texts": "no", "people": "b"}, "context": 64},
            "'no' cannot be read: No such file",
        ),
        (
            {
                "format": "rewritten",
                "corpus": {"texts": "a", "people": "b"},
                "mix": {"junk": "fresh"},
            },
            "no junk can be made",
        ),
    ],
    ids=str,
)
def test_settings_that_cannot_be(changes: dict[str, Any], words: str) -> None:
    base: dict[str, Any] = {
        "people": 3, "exposures": 2, "layers": 1, "width": 8, "heads": 1, "batch": 4, "lr": 0.01
    }  # fmt: skip
    with pytest.raises(KleiberError, match=words):
        record(Cell.of({**base, **changes}))


@pytest.mark.parametrize(
    ("lines", "table", "words"),
    [
        ('{"person": 0', TABLE, "line 1 is no JSON"),
        ('{"person": 0}', TABLE, "line 1 has no text"),
        ('{"person": 9, "text": "a"}', TABLE, "line 1 is of 9, who is not in the table"),
        ('{"text": "a"}', TABLE, "line 1 is of None"),
        ('{"person": 0, "text": "a"}', TABLE, "No text .* can be used: line 1: Anya Briar Forger"),
        ("", TABLE, "it is empty"),
        ("", "name,major\n", "holds no people"),
        ("", "who,major\na,b\n", "columns who, major; name and at least one attribute"),
        ("", "name\na\n", "columns name; name and at least one"),
        ("", "name,major\nAl,\n", "row 1 lacks major"),
        ("", "name,major\nAl,b,c\n", "row 1 lacks the columns"),
        ("", "name,major\nAl,b\nAl,c\n", "two people of one name or number: Al"),
        ("", "name,work_city\nAl,b\n", "work_city without employer"),
    ],
    ids=str,
)
def test_files_that_are_none(tmp_path: Path, lines: str, table: str, words: str) -> None:
    texts, people = written(tmp_path, [], table)
    Path(texts).write_text(lines, encoding="utf-8")
    with pytest.raises(InputError, match=words) as found:
        read_corpus(texts, people)
    assert found.value.remedy


def test_more_people_than_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 people are to be taught, and 1 have a text"):
        Rewritten(read(tmp_path, bo()), 2)
