"""Every table as CSV: one row for each figure, so that a spreadsheet can pivot it."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

from evaluation.figures import (
    FairnessReport,
    RiskFigures,
    RiskReport,
    RunMetrics,
    ScoreFigures,
    ScoreReport,
)

Cell = str | int | float | None

FIGURES_HEADER = ("target", "model", "period", "subject", "figure", "value")
FAIRNESS_HEADER = ("attribute", "group", "suppressed", "figure", "value")
GAPS_HEADER = ("attribute", "figure", "difference", "lowest", "highest", "low", "high")
COMPARISONS_HEADER = (
    *("figure", "less_is_better", "model", "period", "value", "against", "other"),
    *("difference", "low", "high", "level", "resamples", "students"),
)

CSV_TABLES = ("figures", "comparisons", "fairness", "gaps")


def csv_tables(metrics: RunMetrics) -> dict[str, str]:
    """Return every table of a run or an evaluation: name -> CSV with a header."""
    tables = {
        "figures": _csv(FIGURES_HEADER, figure_rows(metrics)),
        "comparisons": _csv(COMPARISONS_HEADER, _comparisons(metrics)),
    }
    if metrics.fairness is not None:
        tables["fairness"] = _csv(FAIRNESS_HEADER, _groups(metrics.fairness))
        tables["gaps"] = _csv(GAPS_HEADER, _gaps(metrics.fairness))
    return tables


def figure_rows(metrics: RunMetrics) -> Iterator[tuple[Cell, ...]]:
    """Yield (target, model, period, subject, figure, value).

    The period is 'last' for the risk at each record's last period that counts, 'all' for scores
    over all periods, else counted from 1. The subject is '' for scores of all subjects.
    """
    yield from _risk_rows(metrics)
    yield from _score_rows(metrics)


def _risk_rows(metrics: RunMetrics) -> Iterator[tuple[Cell, ...]]:
    risks: Mapping[str, RiskReport] = {
        "network": metrics.risk.network,
        **(
            {"network uncalibrated": metrics.risk.uncalibrated} if metrics.risk.uncalibrated else {}
        ),
        **metrics.risk.baselines,
    }
    for model, report in risks.items():
        rows = {"last": report.last} | {str(k): v for k, v in report.by_period.items()}
        for period, figures in rows.items():
            for name, value in _flat(figures):
                yield "risk", model, period, "", name, value


def _score_rows(metrics: RunMetrics) -> Iterator[tuple[Cell, ...]]:
    scores: Mapping[str, ScoreReport] = {
        "network": metrics.score.network,
        **metrics.score.baselines,
    }
    for model, forecast in scores.items():
        rows = {("all", ""): forecast.overall}
        rows |= {(str(at), ""): of for at, of in forecast.by_period.items()}
        rows |= {("all", subject): of for subject, of in forecast.by_subject.items()}
        rows |= {
            (str(at), subject): of
            for subject, by_period in forecast.by_subject_and_period.items()
            for at, of in by_period.items()
        }
        for (period, subject), errors in rows.items():
            for name, value in _flat(errors):
                yield "score", model, period, subject, name, value


def _flat(figures: RiskFigures | ScoreFigures) -> Iterator[tuple[str, Cell]]:
    for name, value in figures.model_dump().items():
        if name == "at_capacity":
            for share, found in value.items():
                for key, number in found.items():
                    yield f"{key}_at_{share}", number
        elif isinstance(value, dict):
            yield from value.items()
        else:
            yield name, value


def _comparisons(metrics: RunMetrics) -> Iterator[tuple[Cell, ...]]:
    for one in metrics.comparisons:
        rows = {str(k): v for k, v in one.horizons.items()} | {"mean": one.mean}
        for period, found in rows.items():
            if found is not None:
                yield (
                    *(one.figure, one.less_is_better, one.model, period, found.value),
                    *(found.against, found.other, found.difference, found.low, found.high),
                    *(one.level, one.resamples, one.students),
                )


def _groups(report: FairnessReport) -> Iterator[tuple[Cell, ...]]:
    for attribute in report.attributes:
        for group in attribute.groups:
            figures = group.model_dump(exclude={"group", "suppressed"})
            for name, value in figures.items():
                yield attribute.attribute, group.group, group.suppressed, name, value


def _gaps(report: FairnessReport) -> Iterator[tuple[Cell, ...]]:
    for attribute in report.attributes:
        for name, gap in attribute.gaps.items():
            if gap is not None:
                yield (
                    *(attribute.attribute, name, gap.difference, gap.lowest, gap.highest),
                    *(gap.low, gap.high),
                )


def _csv(header: Iterable[str], rows: Iterable[Iterable[Cell]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
