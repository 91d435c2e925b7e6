"""The guide's questions on families whose law, and whose flaws, were planted; then on real ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kleiber.errors import UsageError, ValuesError
from kleiber.judging import backtest
from kleiber.judging.cells import Cut
from kleiber.judging.influence import influence
from kleiber.laws import get
from kleiber.runs import Runs
from kleiber.runs.collections import Family, cross_entropies
from kleiber.studies.guide.questions import (
    QUESTIONS,
    Answer,
    ask,
    cheapest,
    checkpoints,
    components,
    down,
    harm,
    one_model,
    partial,
    seeds,
    shares,
    sizes,
)
from kleiber.studies.guide.questions.answer import over, parts
from kleiber.studies.guide.questions.bench import Bench, borrowed

TRUTH = {"E": 1.8, **borrowed(), "B": 1900.0, "beta": 0.362}
LAW = get("chinchilla")
SIZES = (1e8, 2e8, 4e8, 8e8, 1.6e9, 3.2e9)
NOISE = 1e-4  # what no fit can do better than is then 0.01 %, and less far from it
NONE = 0.1  # %: no more of an error than such noise makes
Flaw = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
Member = tuple[Family, Runs]


def flawless(_params: np.ndarray, tokens: np.ndarray, _last: np.ndarray) -> np.ndarray:
    return np.ones_like(tokens)


def member(
    name: str = "one",
    *,
    cluster: str = "",
    ladder: tuple[float, ...] = SIZES,
    truth: Mapping[str, float] = TRUTH,
    flaw: Flaw = flawless,
    ends: tuple[float, ...] = (30e9, 60e9),
    readings: int = 10,
    apart: str = "",
    noise: float = NOISE,
) -> Member:
    """Return a family of runs of every size to every end, read ``readings`` times each."""
    rows = [
        (f"{size:g}-{end:g}", size, end * i / readings, end)
        for size in ladder
        for end in ends
        for i in range(1, readings + 1)
    ]
    names = [row[0] for row in rows]
    params, tokens, last = (np.array([row[i] for row in rows]) for i in (1, 2, 3))
    loss = LAW.loss(truth, params, tokens) * flaw(params, tokens, last)
    loss = loss * np.exp(noise * np.random.default_rng(0).standard_normal(len(loss)))
    runs = Runs.read({"run": names, "params": params, "tokens": tokens, "loss": loss})
    family = Family("drawn", name, "loss", "nats", cluster or name, "curves", apart=apart)
    return family, runs


def row(answer: Answer, **wanted: Any) -> Mapping[str, Any]:
    found = [r for r in answer.rows if all(r.get(k) == v for k, v in wanted.items())]
    assert len(found) == 1, f"{wanted}: {found}"
    return found[0]


def at(*broken: float, by: float) -> Flaw:
    return lambda params, _tokens, _last: np.where(np.isin(params, broken), by, 1.0)


# --- the table of k x share -----------------------------------------------------------------


def test_a_law_without_noise_is_predicted_from_every_cell_that_tells_it() -> None:
    answer = shares.QUESTION([member()])
    for k in (3, 4, 5):
        found = row(answer, set="drawn/one", k=str(k))
        assert all(found[f"{s} %"] < NONE for s in range(20, 101, 10)), found


def test_the_cells_are_the_back_tests() -> None:
    family, runs = member(noise=0.01)
    bench = Bench(family, runs)
    cells = shares.grid(bench)
    compared = {
        (o.k, o.share): o.absolute_relative
        for share in (0.3, 0.6, 1.0)
        for o in backtest(runs, shares=(share,), cut=Cut(fraction=0.1 * share)).outcomes
        if o.k > 2
    }
    assert len(compared) == 9
    for key, error in compared.items():
        assert cells[key] == pytest.approx(error, rel=1e-3), key


def test_the_same_families_are_in_every_row() -> None:
    broken = at(3.2e9, by=1.25)
    short = member("short", ladder=SIZES[-4:], flaw=broken)
    answer = shares.QUESTION([member("long"), short])
    everyone = [r for r in answer.rows if r["set"] == "all families"]
    same = [r for r in answer.rows if r["set"] == "the same: k = 2 to 5 at 100 %"]
    assert [r["families"] for r in everyone] == [2, 2, 1, 1]
    assert [r["families"] for r in same] == [1, 1, 1, 1]
    # the fall of the mean from k = 3 to k = 4 is the short family's leaving, and no gain
    assert everyone[1]["100 %"] == pytest.approx(10.0, abs=0.1)
    assert everyone[2]["100 %"] < NONE and same[1]["100 %"] < NONE


def test_a_cluster_counts_once_and_what_stands_apart_is_apart() -> None:
    wrong = at(3.2e9, by=1.25)  # 20 % too low is what a right law then is
    families = [member("a", cluster="x"), member("b", cluster="x", flaw=wrong)]
    families += [member("c", cluster="y", flaw=wrong), member("d", apart="because", flaw=wrong)]
    answer = shares.QUESTION(families)
    found = row(answer, set="all families", k="5")
    assert (found["families"], found["clusters"]) == (3, 2)
    assert found["100 %"] == pytest.approx((0.5 * 20 + 20) / 2, abs=0.1)
    assert row(answer, set="apart", k="5")["100 %"] == pytest.approx(20.0, abs=0.1)


# --- one model, the target in part, scaling down, number against size ---------------------------


def test_one_run_suffices_where_the_borrowed_values_are_true() -> None:
    right = one_model.QUESTION([member(ladder=SIZES[-2:])])
    assert row(right, set="drawn/one", **{"from": "1.6B"})["100 %"] < NONE
    own = {**TRUTH, "A": 3 * TRUTH["A"]}
    wrong = one_model.QUESTION([member(ladder=SIZES[-2:], truth=own)])
    # the rest of the size term at 1.6B lands in E: it is missed by what falls off to 3.2B
    fall = 2 * TRUTH["A"] * (1.6e9 ** -TRUTH["alpha"] - 3.2e9 ** -TRUTH["alpha"])
    ends = [float(LAW.loss(own, 3.2e9, end)) for end in (30e9, 60e9)]
    missed = 100 * np.mean([fall / end for end in ends])
    found = row(wrong, set="drawn/one", **{"from": "1.6B"})["100 %"]
    assert found == pytest.approx(missed, rel=0.02)


def test_the_target_in_part_predicts_its_end() -> None:
    answer = partial.QUESTION([member()])
    assert row(answer, set="drawn/one", sees="alone")["30 %"] < NONE
    assert row(answer, set="drawn/one", sees="beside all smaller")["30 %"] < NONE
    held = [
        float(LAW.loss(TRUTH, 3.2e9, 0.3 * end) / LAW.loss(TRUTH, 3.2e9, end)) - 1
        for end in (30e9, 60e9)
    ]
    found = row(answer, set="drawn/one", sees="its last loss")["30 %"]
    assert found == pytest.approx(100 * np.mean(held), abs=0.05)


def test_the_smallest_size_is_predicted_from_the_largest() -> None:
    fine = down.QUESTION([member()])
    assert row(fine, set="drawn/one", **{"k largest": "all larger"})["100 %"] < NONE
    broken = down.QUESTION([member(flaw=at(1e8, by=1.25))])
    found = row(broken, set="drawn/one", **{"k largest": "3"})["100 %"]
    assert found == pytest.approx(20.0, abs=0.1)


def test_equally_many_sizes_smaller_or_larger() -> None:
    flaw = at(1e8, by=1.1)
    answer = sizes.QUESTION([member(flaw=flaw)])
    found = row(answer, set="all families", k=3)
    assert found["largest %"] < NONE < found["smallest %"]
    assert found["largest better"] == "1 of 1"
    whole = row(answer, set="drawn/one", k=5)  # all smaller sizes: the two are one set
    assert whole["largest %"] == whole["smallest %"] > 0.01
    assert not [r for r in answer.rows if r["set"] == "all families" and r["k"] == 5]


# --- seeds ------------------------------------------------------------------------------------


def seeded() -> tuple[Member, dict[float, list[float]]]:
    """Return a family of five sizes, two seeds each to 20 tokens a parameter, and its finals."""
    family, _ = member()
    rng = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    finals: dict[float, list[float]] = {}
    for size in SIZES[1:]:
        for seed in ("a", "b"):
            off = float(np.exp(0.001 * rng.standard_normal()))
            for share in np.linspace(0.1, 1.0, 10):
                loss = float(LAW.loss(TRUTH, size, 20 * size * share)) * off
                rows.append({"run": f"{size:g}{seed}", "params": size, "seed": seed, "loss": loss})
                rows[-1]["tokens"] = 20 * size * share
            finals.setdefault(size, []).append(rows[-1]["loss"])
    table = {key: [r[key] for r in rows] for key in rows[0]}
    return (replace(family, name="seeded", cluster="seeded"), Runs.read(table)), finals


def test_the_spread_of_seeds_and_sets_of_equally_many_runs() -> None:
    (family, runs), finals = seeded()
    bench = Bench(family, runs)
    squares = [np.var(both, ddof=1) / np.mean(both) ** 2 for both in finals.values()]
    assert seeds.pooled(bench) == pytest.approx(float(np.sqrt(np.mean(squares))), rel=1e-9)
    counts = {key: len(some) for key, some in seeds.cells(bench).items()}
    # of four sizes with two seeds: two of both seeds, or three of which one has both
    assert counts == {
        ("curves", 2): 6,
        ("curves", 3): 12,
        ("curves", 4): 1,
        ("finals", 3): 12,
        ("finals", 4): 1,
    }
    for some in seeds.cells(bench).values():
        assert {len(np.unique(bench.points.run[s.seen])) for s in some} == {4}
    answer = seeds.QUESTION([(family, runs)])
    assert row(answer, set="drawn/seeded")["runs"] == 4
    assert row(answer, set="drawn/seeded")["4 sizes, finals %"] < 1.0


def test_runs_that_differ_in_more_than_their_seed_are_no_seeds() -> None:
    assert seeds.repeats(Bench(*member())) == {}
    assert "no family has enough" in seeds.QUESTION([member()]).sentence


# --- checkpoints ----------------------------------------------------------------------------


def test_what_spoils_the_beginning_is_cut() -> None:
    def early(_params: np.ndarray, tokens: np.ndarray, _last: np.ndarray) -> np.ndarray:
        return np.where(tokens < 8e9, 1.3, 1.0)

    answer = checkpoints.BEGINNINGS([member(flaw=early, readings=40)])
    found = row(answer, set="every run over 20B tokens", k="all smaller")
    assert found["10B"] < NONE and found["20B"] < NONE
    three = row(answer, set="drawn/one", k="3")
    assert three["0"] > 10 * max(three["10B"], 1e-3)


def test_the_cut_that_the_data_ask_for() -> None:
    def early(_params: np.ndarray, tokens: np.ndarray, last: np.ndarray) -> np.ndarray:
        return np.where(tokens < 0.15 * last, 1.3, 1.0)

    bench = Bench(*member(flaw=early, readings=40))
    assert checkpoints.evidence(bench) == Cut(fraction=0.15)
    found = row(checkpoints.BEGINNINGS.ask([bench]), set="drawn/one", k="all smaller")
    assert found["evidence"] < NONE
    assert found["0"] > NONE


def test_finals_where_the_middle_of_training_is_off_the_law() -> None:
    def middle(_params: np.ndarray, tokens: np.ndarray, last: np.ndarray) -> np.ndarray:
        return np.where(tokens < last, 1.0 + 0.1 * (1.0 - tokens / last), 1.0)

    ends = (20e9, 40e9, 80e9)
    answer = checkpoints.WHICH([member(flaw=middle, ends=ends), member("few", ends=(30e9,))])
    found = row(answer, set="drawn/one", k="5")
    assert found["finals %"] < NONE < found["checkpoints %"]
    few = row(answer, set="drawn/few", k="5")
    assert few["without finals' fit"] == 1 and few["their checkpoints %"] < NONE


# --- components -----------------------------------------------------------------------------


def test_components_are_the_eigenvalues_of_the_covariance() -> None:
    rng = np.random.default_rng(3)
    table = rng.standard_normal((30, 5)) * (3.5, 7.0, 5.9, 0.16, 0.56)
    table[:, 3] += 0.04 * table[:, 0]
    for standardised, matrix in ((False, np.cov(table.T)), (True, np.corrcoef(table.T))):
        values = np.sort(np.linalg.eigvalsh(matrix))[::-1]
        found = components.explained(table, standardised=standardised)
        assert found == pytest.approx(values / values.sum(), rel=1e-9)
    raw = components.explained(table, standardised=False)[:3].sum()
    assert raw > 0.99 > components.explained(table, standardised=True)[:3].sum()


def test_terms_at_a_reference_no_longer_repeat_the_exponents() -> None:
    rng = np.random.default_rng(4)
    alpha, beta = rng.uniform(0.2, 0.5, 40), rng.uniform(0.2, 0.5, 40)
    size, data = rng.normal(-1.0, 0.3, 40), rng.normal(-1.0, 0.3, 40)
    a, b = size + alpha * np.log(1e9), data + beta * np.log(20e9)
    table = np.column_stack([a, b, rng.normal(0.5, 0.2, 40), alpha, beta])
    (found,) = components.row("drawn", "all", table, 40)
    assert found["ln A ~ alpha"] > 0.95
    assert components.at_reference(table)[:, 0] == pytest.approx(size)
    assert found["standardised %"] > 95 and found["at 1B and 20B %"] < 80
    assert components.row("drawn", "all", table[:5], 5) == []


def test_the_fitted_parameters_are_the_drawn_ones() -> None:
    rng = np.random.default_rng(5)
    truths = [{**TRUTH, "E": rng.uniform(1.5, 2), "alpha": rng.uniform(0.3, 0.4)} for _ in range(8)]
    answer = components.QUESTION([member(f"f{i}", truth=t) for i, t in enumerate(truths)])
    found = row(answer, fits="default", families="identified families")
    assert (found["n"], found["clusters"]) == (8, 8)
    assert found["sd ln E"] == pytest.approx(np.std([np.log(t["E"]) for t in truths]), abs=2e-3)
    assert found["sd alpha"] == pytest.approx(np.std([t["alpha"] for t in truths]), abs=2e-3)
    assert found["sd ln A"] == pytest.approx(0.0, abs=0.01)
    assert answer.laws == 8 * 3


# --- harm -----------------------------------------------------------------------------------


def test_a_planted_bad_size_is_the_most_harmful() -> None:
    family, runs = member(flaw=at(4e8, by=1.1))
    found = influence(runs, objective="log")
    assert found.most_harmful.sizes == (4e8,) and found.hardest.sizes == (4e8,)
    assert found.most_harmful.error < 1e-3 < found.error
    assert found.most_harmful.harm == pytest.approx(found.error, abs=1e-3)
    assert found.hardest.own == pytest.approx(1 - 1 / 1.1, abs=1e-3)
    assert "Without 400M" in found.sentence()
    json.dumps(found.to_dict(), allow_nan=False)
    answer = harm.QUESTION([(family, runs)])
    assert row(answer, set="drawn/one")["most harmful"] == "400M"
    assert row(answer, set="at least 4 smaller sizes")["worst %"] == 0.0


def test_influence_is_the_back_test_without_each_size() -> None:
    _, runs = member(noise=0.01)
    found = influence(runs)
    below = SIZES[:-1]
    sets = [[s for s in below if s != out] for out in below]
    for one, other in zip(found.left_out, backtest(runs, sizes=sets).outcomes, strict=True):
        assert one.error == pytest.approx(other.absolute_relative, rel=1e-3)


def test_influence_says_what_it_lacks() -> None:
    with pytest.raises(ValuesError, match="2 sizes below the largest"):
        influence(member(ladder=SIZES[:3])[1])
    with pytest.raises(UsageError, match="found 'evidence'"):
        influence(member()[1], cut="evidence")
    with pytest.raises(ValuesError, match="too few points"):
        influence(member(ladder=SIZES[:4], ends=(1e10,), readings=1)[1])


# --- the cheapest way -------------------------------------------------------------------------


def test_the_cheapest_cell_that_stays_below_the_bar() -> None:
    errors = {
        **{(2, 0.2): 0.04, (2, 0.4): 0.12, (2, 0.6): 0.11, (2, 0.8): 0.12, (2, 1.0): 0.2},
        **{(3, 0.2): 0.2, (3, 0.4): 0.08, (3, 0.6): 0.06, (3, 0.8): 0.04, (3, 1.0): 0.02},
    }
    prices = {(k, share): k * share for k, share in errors}
    assert cheapest.cheapest(errors, prices, 0.10) == (3, 0.4)  # (2, 0.2) does not stay below
    assert cheapest.cheapest(errors, prices, 0.05) == (3, 0.8)
    assert cheapest.cheapest(errors, prices, 0.25) == (2, 0.2)
    assert cheapest.cheapest(errors, prices, 0.15) == (3, 0.4)  # 3 of 4 right are not over 75 %
    assert cheapest.cheapest(errors, prices, 0.01) is None


def test_the_price_is_what_was_trained() -> None:
    bench = Bench(*member())
    sight = bench.sight(bench.groups[:2], 0.5)
    by_hand = 6.0 * sum(size * 0.5 * end for size in SIZES[:2] for end in (30e9, 60e9))
    assert bench.price(sight) == pytest.approx(by_hand)
    answer = cheapest.QUESTION([member()])
    found = row(answer, set="drawn/one", **{"bar %": 3.0})
    assert found["of the target's %"] == pytest.approx(
        100 * found["FLOPs"] / (6 * 3.2e9 * 60e9), abs=1e-3
    )


def test_a_bar_that_is_never_met_has_no_price() -> None:
    answer = cheapest.QUESTION([member(flaw=at(3.2e9, by=1.25))])
    found = row(answer, set="all families", **{"bar %": 3.0})
    assert found["families"] == "0 of 1" and found["of the target's %"] == np.inf
    assert "3 % at no price" in answer.sentence
    assert answer.to_dict()["rows"][3]["of the target's %"] is None


# --- all of them ------------------------------------------------------------------------------


def test_the_laws_of_all_answers_are_the_fits_made() -> None:
    families = [member(f"f{i}", noise=0.01) for i in range(2)]
    told: list[str] = []
    answers = ask(families, told.append)
    assert [a.name for a in answers] == [q.name for q in QUESTIONS]
    assert told[:2] == ["drawn/f0", "drawn/f1"] and len(told) == 2 + len(QUESTIONS)
    sights = [s for q in QUESTIONS for s in q.sights(Bench(*families[0]))]
    apart = next(a for a in answers if a.name == "components")
    others = apart.laws - sum(
        len({s.key for s in components.sights(Bench(*f))} - _earlier(f)) for f in families
    )
    able = {s.key for s in sights if s.seen.sum() > {"borrowed": 3, "size": 3}.get(s.how, 5)}
    assert sum(a.laws for a in answers) == 2 * len(able) + others
    alone = cheapest.QUESTION(families)
    assert alone.laws > 0 == answers[-1].laws  # its fits are those of the first question
    assert alone.rows == answers[-1].rows
    for answer in answers:
        assert answer.sentence.endswith(".")
        assert all(set(r) <= set(answer.columns) for r in answer.rows)
        json.dumps(answer.to_dict(), allow_nan=False)


def _earlier(family: Member) -> set[Any]:
    bench = Bench(*family)
    before = QUESTIONS[: [q.name for q in QUESTIONS].index("components")]
    return {s.key for q in before for s in q.sights(bench)}


def test_no_family_is_no_error() -> None:
    for answer in ask([]):
        assert answer.laws == 0
        json.dumps(answer.to_dict(), allow_nan=False)


def test_means_over_clusters() -> None:
    benches = [Bench(*member(n, cluster=c)) for n, c in (("a", "x"), ("b", "x"), ("c", "y"))]
    found = over(zip(benches, (1.0, 3.0, 5.0), strict=True))
    assert (found.mean, found.families, found.clusters) == (3.5, 3, 2)
    assert np.isnan(over([(benches[0], float("nan"))]).mean)
    assert list(parts(benches)) == ["all families"]


def test_the_answers_of_real_families(published: Path) -> None:
    names = {"Dense", "S-Base-64", "c4_en", "gpt3/train_loss", "OPT", "olmo/pile", "redPajama"}
    sets = ("routing_clark2022", "olmo_ladder", "colpret")
    found = cross_entropies(published, least_sizes=2, sets=sets)
    families = [(family, runs) for family, runs in found if family.name in names]
    answers = {a.name: a for a in ask(families)}
    for answer in answers.values():
        print(f"{answer.name} ({answer.laws} laws): {answer.sentence}")
    spread = {r["set"]: r["CV %"] for r in answers["seeds-against-sizes"].rows}
    assert spread["routing_clark2022/Dense"] == pytest.approx(0.025, abs=0.001)
    assert 0.015 <= spread["olmo_ladder/c4_en"] <= 0.03
    one = row(answers["one-model"], set="colpret/OPT", **{"from": "30B"})
    assert one["100 %"] < 5.0  # the guide printed 15.02 of perplexities; 4.2 in nats
    k = {r["k"]: r["100 %"] for r in answers["models-by-share"].rows if "gpt3" in r["set"]}
    assert k["5"] < 5.0
    assert sum(a.laws for a in answers.values()) > 400
