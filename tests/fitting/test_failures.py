"""What cannot be fitted is refused in one sentence that says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kleiber.errors import FitError, InputError, KleiberError, UsageError
from kleiber.fitting import Constraints, fit, fit_points, load
from kleiber.laws import LAWS, get


def table(points: Any, **columns: Any) -> dict[str, Any]:
    """Return points as a table that Runs reads."""
    return {"params": points.params, "tokens": points.tokens, "loss": points.loss, **columns}


@pytest.mark.parametrize("name", ["chinchilla", "chinchilla-outer", "kaplan", "params-power-floor"])
def test_one_size(name: str, ladder: Any, make_points: Any) -> None:
    points = ladder(name)
    one = make_points(1e8, points.tokens, points.loss)
    with pytest.raises(FitError, match=r"All 16 points have params = 100M") as error:
        fit_points(one, get(name))
    assert error.value.code == "fit"
    assert "cannot be told from" in error.value.message
    assert "--law tokens-power-floor" in error.value.remedy and "--fix" in error.value.remedy


@pytest.mark.parametrize("name", ["chinchilla", "chinchilla-outer", "kaplan"])
def test_one_token_count(name: str, ladder: Any, make_points: Any) -> None:
    points = ladder(name)
    one = make_points(points.params, 2e10, points.loss)
    with pytest.raises(FitError, match=r"All 16 points have tokens = 20B") as error:
        fit_points(one, get(name))
    assert "--law params-power-floor" in error.value.remedy


@pytest.mark.parametrize(
    ("held", "carries"),
    [
        (Constraints(fix={"A": 400.0}), False),
        (Constraints(fix={"alpha": 0.3}), False),
        (Constraints(fix={"A": 400.0, "alpha": 0.3}), True),
        (Constraints(fix={"E": 1.8, "alpha": 0.3}), True),
        (Constraints(fix={"E": 1.8}), False),
        (Constraints(tie=(("alpha", "beta"),)), False),
        (Constraints(fix={"E": 1.8}, tie=(("alpha", "beta"),)), False),
    ],
)
def test_one_size_with_fixed_parameters(
    held: Constraints, carries: bool, ladder: Any, make_points: Any
) -> None:
    points = ladder()
    one = make_points(1e8, points.tokens, points.loss)
    if carries:
        made = fit_points(one, get("chinchilla"), constraints=held)
        assert made.status.code in ("converged", "at-bound")
    else:
        with pytest.raises(FitError, match="params = 100M"):
            fit_points(one, get("chinchilla"), constraints=held)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_too_few_points(law: Any, ladder: Any) -> None:
    points = ladder(law.name).take(slice(0, len(law.names)))
    with pytest.raises(FitError, match=f"at least {len(law.names) + 1} are needed") as error:
        fit_points(points, law)
    assert error.value.code == "fit" and "--fix" in error.value.remedy


Change = dict[str, Any]

USAGE: list[tuple[str, Change, str, str]] = [
    ("unknown law", {"law": "chinchila"}, "Did you mean 'chinchilla'", "--law"),
    ("unknown objective", {"objective": "huberr"}, "objectives are huber, log, raw", "--objective"),
    ("unknown points", {"points": "some"}, "finals", "--points"),
    ("delta zero", {"delta": 0.0}, "delta is 0.0", "--delta auto"),
    ("delta negative", {"delta": -1e-3}, "positive", "--delta auto"),
    ("delta not finite", {"delta": float("nan")}, "positive", "--delta auto"),
    ("delta a word", {"delta": "small"}, "'small'", "--delta auto"),
    ("delta with raw", {"delta": 1e-3, "objective": "raw"}, "belongs to the Huber", "huber"),
    ("unknown fixed", {"fix": {"gamma": 1.0}}, "no parameter 'gamma'", "names"),
    ("fixed exponent too large", {"fix": {"alpha": 6.0}}, "lies in [0, 5]", "--fix alpha="),
    ("fixed coefficient negative", {"fix": {"A": -1.0}}, "cannot be fixed at -1.0", "--fix A="),
    ("fixed at NaN", {"fix": {"E": float("nan")}}, "nan", "--fix E="),
    ("tie of unlike kinds", {"tie": [("A", "alpha")]}, "cannot be tied", "--tie alpha=beta"),
    ("tie with itself", {"tie": [("A", "A")]}, "cannot be tied", "--tie"),
    ("unknown tied", {"tie": [("alpha", "gamma")]}, "no parameter 'gamma'", "names"),
    ("tie twice", {"tie": [("alpha", "beta"), ("beta", "alpha")]}, "repeat", "once"),
    (
        "tie against two fixes",
        {"tie": [("alpha", "beta")], "fix": {"alpha": 0.3, "beta": 0.4}},
        "contradict",
        "once",
    ),
    ("bounds upside down", {"bounds": {"E": (2.0, 1.0)}}, "lower must be smaller", "lower, upper"),
    ("bounds of an unknown", {"bounds": {"gamma": (0.0, 1.0)}}, "no parameter", "names"),
    ("bounds outside the law", {"bounds": {"alpha": (6.0, 7.0)}}, "lies in [0, 5]", "overlap"),
    (
        "fixed outside its bounds",
        {"fix": {"A": 3.0}, "bounds": {"A": (4.0, 5.0)}},
        "outside its bounds",
        "Leave out",
    ),
    (
        "tied with bounds apart",
        {"tie": [("alpha", "beta")], "bounds": {"alpha": (0.1, 0.2), "beta": (0.3, 0.4)}},
        "do not overlap",
        "tie",
    ),
    ("no starts", {"starts": 0}, "starts is 0", "10 starts"),
    ("fewer than no bootstraps", {"bootstraps": -1}, "bootstraps -1", "1000 bootstraps"),
]


@pytest.mark.parametrize(
    ("change", "said", "remedy"), [u[1:] for u in USAGE], ids=[u[0] for u in USAGE]
)
def test_options_that_mean_nothing(change: Change, said: str, remedy: str, ladder: Any) -> None:
    with pytest.raises(UsageError) as error:
        fit(table(ladder()), **change)
    assert error.value.code == "usage"
    assert said in error.value.message
    assert remedy in error.value.remedy
    assert "\n" not in str(error.value)


def test_several_families_are_not_one_law(ladder: Any) -> None:
    with pytest.raises(UsageError, match="2 families") as error:
        fit(table(ladder(), family=["a"] * 8 + ["b"] * 8))
    assert "--family" in error.value.remedy


def test_an_unknown_method_or_parameter(ladder: Any) -> None:
    made = fit_points(ladder(), get("chinchilla"), bootstraps=0)
    asks: list[Callable[[], Any]] = [
        lambda: made.predict(1e9, 1e10, method="guess"),
        lambda: made.interval("E", method="guess"),
        lambda: made.to_dict(method="guess"),
    ]
    for ask in asks:
        with pytest.raises(UsageError, match="methods are delta, profile, bootstrap, jackknife"):
            ask()
    with pytest.raises(UsageError, match="it has E, A, alpha, B, beta"):
        made.interval("gamma")
    with pytest.raises(UsageError, match="0 bootstraps") as error:
        made.predict(1e9, 1e10, method="bootstrap")
    assert "--bootstraps 1000" in error.value.remedy


def test_a_target_that_no_run_can_be(ladder: Any) -> None:
    made = fit_points(ladder(), get("chinchilla"))
    for params in (0, "-1", "7X", float("nan"), None):
        with pytest.raises(KleiberError):
            made.predict(params, "1T")
    with pytest.raises(UsageError, match="reads tokens, and none was given"):
        made.predict("7B")


DAMAGE: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("no schema", lambda c: c.pop("schema")),
    ("another schema", lambda c: c.update(schema="kleiber.fit/99")),
    ("no points", lambda c: c.pop("points")),
    ("no law", lambda c: c.pop("law")),
    ("no values", lambda c: c.pop("values")),
    ("no coordinates", lambda c: c.pop("coordinates")),
    ("coordinates of another law", lambda c: c.update(coordinates=[1.0])),
    ("coordinates of text", lambda c: c.update(coordinates=["a"] * 5)),
    ("a short column", lambda c: c["points"].update(loss=[1.0, 2.0])),
    ("a lost name", lambda c: c["points"]["names"].pop()),
    ("text for constraints", lambda c: c.update(constraints="none")),
    ("a list for points", lambda c: c.update(points=[1, 2])),
]


@pytest.mark.parametrize("damage", [d[1] for d in DAMAGE], ids=[d[0] for d in DAMAGE])
def test_a_damaged_saved_fit(damage: Callable[[Any], Any], ladder: Any, tmp_path: Path) -> None:
    path = fit_points(ladder(), get("chinchilla")).save(tmp_path / "fit.json")
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError) as error:
        load(path)
    assert error.value.code == "input"
    assert str(path) in error.value.message and "save" in error.value.remedy


@pytest.mark.parametrize("content", [b"", b"{", b"\x00\xff\xfe", b"[]", b"3", b'"fit"', b"{}"])
def test_a_file_that_is_no_saved_fit(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="fit"):
        load(path)
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "none.json")


def test_nothing_is_left_of_a_save_that_fails(ladder: Any, tmp_path: Path) -> None:
    made = fit_points(ladder(), get("chinchilla"))
    with pytest.raises((OSError, KleiberError)):
        made.save(tmp_path / "no" / "such" / "folder.json")
    assert list(tmp_path.iterdir()) == []
    assert np.isfinite(made.objective)
