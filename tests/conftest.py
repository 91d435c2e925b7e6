"""What every test shares: a plain terminal, the published runs, ladders drawn from known laws."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

from kleiber.laws import LAWS, get
from kleiber.runs.points import Points, run_weights

ROOT = Path(__file__).parents[1]

# The same examples on every machine: a red test here is red for whoever looks into it.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session", autouse=True)
def plain_terminal() -> Iterator[None]:
    """No colour, 100 columns: printed text is the same everywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_COLOR", "1")
        patch.setenv("COLUMNS", "100")
        patch.delenv("FORCE_COLOR", raising=False)
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's own folder."""
    return ROOT


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of runs published by others, kept beside the project and never in it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no published runs beside this clone ({folder.parent.name}/{folder.name})")
    return folder


TRUTHS: dict[str, dict[str, float]] = {
    "chinchilla": {"E": 1.8, "A": 430.0, "alpha": 0.345, "B": 1900.0, "beta": 0.362},
    "chinchilla-outer": {
        "E": 1.7, "A": 300.0, "alpha": 0.45, "B": 2500.0, "beta": 0.48, "gamma": 0.7,
    },
    "kaplan": {"Nc": 6.4e13, "alpha_N": 0.076, "Dc": 1.8e13, "alpha_D": 0.103},
    "params-power": {"A": 12.0, "alpha": 0.08},
    "params-power-floor": {"E": 1.9, "A": 300.0, "alpha": 0.33},
    "tokens-power": {"B": 14.0, "beta": 0.09},
    "tokens-power-floor": {"E": 1.9, "B": 2000.0, "beta": 0.37},
    "overtraining": {"E": 1.8, "a": 190.0, "b": 120.0, "eta": 0.17},
    "repetition": {
        "E": 1.87, "A": 521.0, "alpha": 0.35, "B": 1488.0, "beta": 0.37, "R_D": 15.4, "R_N": 5.3,
    },
    "routed": {
        "a": -0.082, "b": -0.108, "c": 0.009, "d": 1.104, "E_start": 1.847, "E_max": 314.478,
    },
    "params-broken": {"E": 1.8, "B": 30.0, "c0": 0.12, "c1": 0.3, "d1": 9e7, "f1": 0.4},
    "tokens-broken": {"E": 1.8, "B": 40.0, "c0": 0.12, "c1": 0.3, "d1": 9e9, "f1": 0.4},
    "farseer": {
        "A3": 0.021, "gamma": 0.169, "b3": 1.2, "A2": 88.0, "beta": 0.1, "b2": -5.3,
        "A1": 0.124, "alpha": 0.123, "b1": 0.424,
    },
}  # fmt: skip

# A small grid has too few values of one predictor for a break, and too few runs for Farseer's
# nine parameters: tests/laws fits these on designs of their own.
ON_A_GRID = tuple(law for law in LAWS if not law.name.endswith(("-broken", "farseer")))
MakePoints = Callable[..., Points]


def points_from(params: Any, tokens: Any, loss: Any, run: Any = None, **more: Any) -> Points:
    """Return points; every row is a run of its own unless ``run`` codes say otherwise.

    ``more`` are the predictors beside params and tokens.
    """
    loss = np.asarray(loss, dtype=np.float64)
    code = np.arange(len(loss)) if run is None else np.asarray(run)
    return Points(
        run=code.astype(np.int64),
        names=tuple(f"r{i}" for i in range(int(code.max()) + 1)),
        params=np.broadcast_to(np.asarray(params, dtype=np.float64), loss.shape).copy(),
        tokens=np.broadcast_to(np.asarray(tokens, dtype=np.float64), loss.shape).copy(),
        loss=loss,
        weight=run_weights(code.astype(np.int64)),
        final=np.ones(len(loss), dtype=bool),
        more=more,
    )


def ladder_from(
    law: str = "chinchilla",
    *,
    side: int = 4,
    noise: float = 0.01,
    seed: int = 0,
    truth: Mapping[str, float] | None = None,
) -> Points:
    """Return a side x side ladder over two decades of params and tokens, with log-normal noise.

    Where the law reads them, the data are seen 1 to 60 times and layers have 1 to 256 experts.
    """
    n, d = np.meshgrid(np.geomspace(1e7, 1e9, side), np.geomspace(1e9, 1e11, side))
    n, d = n.ravel(), d.ravel()
    row, column = np.divmod(np.arange(len(n)), side)
    every = {
        "unique_tokens": d / np.array([1.0, 4.0, 15.0, 60.0])[(row + column) % 4],
        "experts": np.array([1.0, 4.0, 32.0, 256.0])[(row + 2 * column) % 4],
    }
    more = {name: values for name, values in every.items() if name in get(law).predictors}
    loss = get(law).loss(truth or TRUTHS[law], params=n, tokens=d, **more)
    spread = np.random.default_rng(seed).standard_normal(len(n))
    return points_from(n, d, loss * np.exp(noise * spread), **more)


@pytest.fixture(scope="session")
def make_points() -> MakePoints:
    """Return the maker of points from arrays."""
    return points_from


@pytest.fixture(scope="session")
def ladder() -> MakePoints:
    """Return the maker of ladders from a known law."""
    return ladder_from


@pytest.fixture(scope="session")
def truths() -> dict[str, dict[str, float]]:
    """Return the values that the ladders were drawn from, by law."""
    return TRUTHS


@pytest.fixture(scope="session")
def public_families(published: Path) -> list[tuple[Any, Any]]:
    """Return every public family of cross-entropies with its runs, whatever its sizes."""
    from kleiber.runs.collections import cross_entropies

    return list(cross_entropies(published, least_sizes=1))


@pytest.fixture(scope="session")
def taught(published: Path) -> Any:
    """Return the bundled prior learnt again from the public sets, with its trials."""
    from kleiber.judging.leave_out import Case
    from kleiber.judging.teach import teach
    from kleiber.runs.witnesses import witnesses

    found = witnesses(published)
    cases = [Case.of(family.key, family.cluster, runs.points()) for family, runs in found]
    return teach(cases, {})
