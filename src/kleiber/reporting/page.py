"""The page: a fit, what was predicted from it and what speaks against it, in one file."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.judging import check
from kleiber.reporting import backtest as tested
from kleiber.reporting import rows
from kleiber.reporting.again import fit_command
from kleiber.reporting.extra import environment, require
from kleiber.reporting.figures import figure
from kleiber.reporting.frame import check_target, frame, write_whole
from kleiber.reporting.glossary import TERMS, code_entries
from kleiber.reporting.headline import headline, law_lines
from kleiber.reporting.values import centre_line, made_rows, value_rows

if TYPE_CHECKING:
    from kleiber.fitting import Fit, Prediction
    from kleiber.judging import Finding, Hidden
    from kleiber.runs.problems import Problem

NO_BACKTEST = "No run was hidden for this page."
LIBRARIES = ("numpy", "scipy", "polars")


def page(
    fit: Fit,
    *,
    prediction: Prediction | None = None,
    hidden: Hidden | str | None = None,
    findings: Sequence[Finding] | None = None,
    problems: Sequence[Problem] = (),
    backtest: Mapping[str, Any] | None = None,
    command: str = "",
    level: float = 0.9,
    method: str | None = None,
    title: str = "",
    date: str = "",
) -> str:
    """Return a fit as one HTML page that asks nothing of any network.

    Parameters
    ----------
    prediction
        The run to come, drawn and put first.
    hidden
        The largest size hidden and predicted, or the reason why that could not be done. Where
        it belongs to this very fit (``page(hidden.fit, hidden=hidden)``) it is put first.
    findings
        What speaks against the fit; None looks (:func:`kleiber.check`).
    problems
        What in the table would mislead a fit.
    backtest
        A table of cells: ``columns`` and ``rows``, optionally ``title`` and ``note``.
    command
        The command line that makes the page again.
    level, method
        Of the intervals of the values and of the band.
    date
        When the page was made; now, if none is given.

    Raises
    ------
    MissingExtraError
        Where jinja2, altair or vl-convert is not installed.
    """
    require()
    found = tuple(check(fit, prediction) if findings is None else findings)
    here = hidden if not isinstance(hidden, str) and hidden and hidden.fit is fit else None
    bounds = fit.intervals(level, method)
    how = next(iter(bounds.values())).method
    top = headline(fit, prediction, here, bounds, found)
    return (
        environment()
        .get_template("report.html")
        .render(
            title=title or top["title"],
            source=Path(fit.data.source).name,
            synthetic=fit.data.synthetic,
            headline=top,
            law=law_lines(fit),
            picture=_picture(fit, None if here else prediction, here, level),
            values=value_rows(fit, bounds),
            centre=centre_line(fit),
            level=f"{level:.0%}",
            findings=found,
            problems=tuple(problems),
            residuals=_residuals(fit),
            hidden=_hidden(hidden, here),
            cells=None if backtest is None else tested.cells_table(backtest),
            made=made_rows(fit, how, level),
            data=rows.data_table(fit),
            notes=fit.data.notes,
            again=_again(fit, command, date),
            terms=TERMS,
            codes=code_entries(found),
            **frame(),
        )
    )


def write(fit: Fit, path: str | Path, **options: Any) -> Path:
    """Write the page of a fit to a file, whole or not at all; options as :func:`page` takes them.

    Raises
    ------
    UsageError
        For a name that does not end in .html, and where the file cannot be written.
    """
    target = check_target(path)
    return write_whole(target, page(fit, **options))


def _picture(
    fit: Fit, prediction: Prediction | None, hidden: Hidden | None, level: float
) -> dict[str, Any]:
    """Return the figure of loss against compute."""
    from kleiber.charts import draw_fit

    chart = draw_fit(fit, prediction=prediction, hidden=hidden, level=level)
    return figure(
        "picture",
        chart,
        rows.picture_table(fit, prediction, hidden, level),
        caption=_caption(fit, prediction, level),
    )


def _caption(fit: Fit, prediction: Prediction | None, level: float) -> str:
    """Return what the lines of the picture are, and why one is missing."""
    from kleiber.charts.draw import MOST_CURVES

    said: list[str] = []
    of_two = {*fit.law.predictors} <= {"params", "tokens"}
    if of_two and len(set(fit.points.params.tolist())) <= MOST_CURVES:
        said.append("Coloured lines: the law at each size.")
    if fit.law.optimum is not None:
        said.append(f"Thick line: the frontier; band: {level:.0%} of new runs.")
    if prediction is not None and (prediction.params is None or prediction.tokens is None):
        read = " and ".join(fit.law.predictors)
        said.append(f"The law reads {read} alone: the run predicted has no compute to stand at.")
    return " ".join(said)


def _residuals(fit: Fit) -> dict[str, Any]:
    """Return the figure of what the fit leaves over."""
    from kleiber.charts import draw_residuals

    band = fit.objective_name != "raw" and fit.spread.known
    said = "The shaded band holds two runs in three where the noise is normal." if band else ""
    return figure(
        "residuals",
        draw_residuals(fit),
        rows.residual_table(fit),
        caption=said,
        height=280,
    )


def _hidden(hidden: Hidden | str | None, here: Hidden | None) -> dict[str, Any]:
    """Return the back-test's card: its numbers and picture, or why there are none."""
    if hidden is None or isinstance(hidden, str):
        return {"why": hidden or NO_BACKTEST, "card": None, "figure": None}
    shown = None
    if here is None:
        from kleiber.charts import draw_fit

        shown = figure(
            "hidden",
            draw_fit(hidden.fit, hidden=hidden, level=hidden.level),
            rows.picture_table(hidden.fit, None, hidden, hidden.level),
            caption="The law fitted without the largest size, and what came true.",
            height=320,
        )
    return {"why": "", "card": tested.hidden_card(hidden), "figure": shown}


def _again(fit: Fit, command: str, date: str) -> dict[str, Any]:
    """Return what is needed to make the page, or its fit, again."""
    versions = [f"kleiber {metadata.version('kleiber')}", f"Python {platform.python_version()}"]
    versions += [f"{name} {metadata.version(name)}" for name in LIBRARIES]
    return {
        "command": command,
        "fit": fit_command(fit),
        "versions": ", ".join(versions),
        "date": date or datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "seed": str(fit.seed),
        "source": fit.data.source,
    }
