"""The tables of a comparison: by horizon, mean and spread over seeds, all splits.

`figures.csv` holds every figure in long form: target, split, model, seed count, horizon, figure,
mean, spread, part. The printed tables pick from it: of the test part, and of the validation part
what shows that a choice can rest on it.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.figures import RiskFigures, ScoreFigures
from evaluation.metrics import risk_report, score_report
from training.fitting.intervals import COVERAGE
from training.model import TARGETS, Target
from training.settings import SplitKind
from training.studies.study import PARTS, Cell, Plan, Prediction

LAST, ALL, MEAN = "last", "all", "mean"
_RISK_FIGURES = (
    *("auc", "pr_auc", "brier", "expected_calibration_error", "false_negative_rate"),
    *("accuracy", "precision", "recall", "f1"),
)
_SCORE_FIGURES = ("mae", "rmse", "r2")
# Printed by horizon: name of the file, words, figure, digits.
_BY_HORIZON: dict[Target, tuple[tuple[str, str, str, int], ...]] = {
    "risk": (
        ("auc", "AUC", "auc", 4),
        ("brier", "Brier", "brier", 4),
        ("ece", "Expected calibration error", "expected_calibration_error", 3),
    ),
    "score": (
        ("mae", "MAE", "mae", 2),
        ("rmse", "RMSE", "rmse", 2),
        (
            "coverage",
            f"Share held by the {COVERAGE:.0%} interval learnt on the validation part",
            "coverage",
            3,
        ),
        (
            "width",
            f"Mean width of the {COVERAGE:.0%} interval learnt on the validation part",
            "width",
            1,
        ),
    ),
}
# What an interval is learnt on cannot tell how often it holds.
_TEST_ONLY = {"coverage", "width"}
_SHORT = {"expected_calibration_error": "ece", "false_negative_rate": "missed"}


@dataclass(frozen=True)
class Row:
    """One figure of one model.

    Attributes:
        target: Of which models.
        split: On which split's part.
        model: Name in the registry.
        horizon: A period; `last`, each record's last that counts (risk); `all` of the judged steps
            or a subject's name (score); `mean` over the horizons.
        figure: Name, as in `evaluation.figures`; `seconds` is the time of the fit, `coverage` and
            `width` are those of `training.studies.study_coverage`.
        mean: Over the seeds.
        spread: Standard deviation over the seeds; None for a single one.
        seeds: How many.
        records: How many records or scores were judged; None for a mean over horizons.
        part: Which part was judged.
    """

    target: Target
    split: SplitKind
    model: str
    horizon: str
    figure: str
    mean: float
    spread: float | None
    seeds: int
    records: int | None
    part: str = "test"


# Of one cell: horizon, how many were judged, figure -> value.
Judgement = tuple[str, int | None, Mapping[str, float | None]]


def figures(found: Iterable[Prediction], plan: Plan, part: str = "test") -> list[Row]:
    """Judge every cell's word on a part and sum the seeds up."""
    return summed(((one.cell, _judge(one, plan)) for one in found), part)


def summed(judged: Iterable[tuple[Cell, Iterable[Judgement]]], part: str = "test") -> list[Row]:
    """Sum up over the seeds what was judged of each cell."""
    values: dict[tuple[Target, SplitKind, str, str, str], list[float]] = defaultdict(list)
    counted: dict[tuple[Target, SplitKind, str], int] = {}
    for cell, judgements in judged:
        for horizon, records, judgement in judgements:
            if records is not None:
                counted[cell.target, cell.split, horizon] = records
            for figure, value in judgement.items():
                if value is not None:
                    values[cell.target, cell.split, cell.model, horizon, figure].append(value)
    return [
        Row(
            *(target, split, name, horizon, figure),
            mean=float(np.mean(some)),
            spread=float(np.std(some, ddof=1)) if len(some) > 1 else None,
            seeds=len(some),
            records=counted.get((target, split, horizon)),
            part=part,
        )
        for (target, split, name, horizon, figure), some in values.items()
    ]


def _judge(one: Prediction, plan: Plan) -> Iterator[Judgement]:
    by_period: dict[int, dict[str, float | None]]
    if one.cell.target == "risk":
        risk = risk_report(one.cohort, one.predicted)
        by_period = {at: _risk(of) for at, of in risk.by_period.items()}
        counts = {at: of.records for at, of in risk.by_period.items()}
        yield LAST, risk.last.records, {**_risk(risk.last), "seconds": one.facts.seconds}
    else:
        score = score_report(one.cohort, one.predicted)
        by_period = {at: _score(of) for at, of in score.by_period.items()}
        counts = {at: of.scores for at, of in score.by_period.items()}
        yield ALL, score.overall.scores, {**_score(score.overall), "seconds": one.facts.seconds}
        if len(score.by_subject) > 1:
            for subject, of in score.by_subject.items():
                yield subject, of.scores, _score(of)
    yield from by_horizon(by_period, counts, plan)


def by_horizon(
    by_period: Mapping[int, Mapping[str, float | None]], counts: Mapping[int, int], plan: Plan
) -> Iterator[Judgement]:
    """Yield the judgement at each horizon, and the mean over those where anything counts."""
    within = [at for at in plan.horizons if at in by_period]
    for at in within:
        yield str(at), counts[at], by_period[at]
    means: dict[str, float | None] = {}
    for figure in by_period[within[0]] if within else ():
        values = [value for at in within if (value := by_period[at][figure]) is not None]
        means[figure] = float(np.mean(values)) if len(values) == len(within) else None
    yield MEAN, None, means


def _risk(of: RiskFigures) -> dict[str, float | None]:
    found: dict[str, float | None] = {name: getattr(of, name) for name in _RISK_FIGURES}
    for share, seen in of.at_capacity.items():
        found |= {f"precision_at_{share}": seen.precision, f"recall_at_{share}": seen.recall}
    return found


def _score(of: ScoreFigures) -> dict[str, float | None]:
    return {name: getattr(of, name) for name in _SCORE_FIGURES}


@dataclass(frozen=True)
class StudyTable:
    """A table for people.

    Attributes:
        name: Of its CSV file.
        title: What it shows, of which records.
        columns: Heads; the first column holds the models' names.
        rows: Cells as text.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table as Markdown, its title in bold."""
        head = ["| " + " | ".join(self.columns) + " |", "|---|" + "--:|" * (len(self.columns) - 1)]
        body = ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join([f"**{self.title}**", "", *head, *body, ""])

    def csv(self) -> str:
        """Return the table as CSV."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.columns, *self.rows])
        return text.getvalue()


def tables(rows: list[Row], plan: Plan, clock: str) -> list[StudyTable]:
    """Lay the figures out: one table for each target, split and what is asked.

    Args:
        rows: From `figures`, of one part or both, and from `training.studies.study_coverage`.
        plan: What was compared.
        clock: What the contract calls a period.
    """
    found = []
    for target in TARGETS:
        for split in plan.splits:
            by_part = {
                part: [
                    row
                    for row in rows
                    if (row.target, row.split, row.part) == (target, split, part)
                ]
                for part in PARTS
            }
            of = by_part["test"]
            if not of:
                continue
            judged = {row.horizon for row in of}
            at = [str(horizon) for horizon in plan.horizons if str(horizon) in judged]
            periods = [(name, f"{clock} {name}") for name in at] + [(MEAN, MEAN)]
            name, data = f"{target}-{split}", f"{plan.data}, {split}"
            where, there = f"{data}, test part", {row.figure for row in of}
            found += [
                _pivot(
                    of,
                    f"{name}-{short}",
                    f"{words}: {where}",
                    figure=figure,
                    horizons=periods,
                    digits=digits,
                )
                for short, words, figure, digits in _BY_HORIZON[target]
                if figure in there
            ]
            if target == "risk":
                found.append(_at(of, f"{name}-last", f"Risk at the last {clock}: {where}", LAST, 3))
            else:
                found.append(_at(of, f"{name}-all", f"Score: {where}", ALL, 2))
                subjects = [
                    (row.horizon, row.horizon)
                    for row in of
                    if row.horizon not in {*at, MEAN, ALL} and row.model == of[0].model
                ]
                subjects = list(dict.fromkeys(subjects))
                if subjects:
                    title = f"MAE by subject: {where}"
                    found.append(
                        _pivot(
                            of, f"{name}-subjects", title, figure="mae", horizons=subjects, digits=2
                        )
                    )
            if by_part["validation"]:
                short, words, figure, digits = _BY_HORIZON[target][0]
                found += [
                    _pivot(
                        by_part["validation"],
                        f"{name}-{short}-validation",
                        f"{words}: {data}, validation part",
                        figure=figure,
                        horizons=periods,
                        digits=digits,
                    ),
                    _parts(by_part, target, f"{name}-parts", data),
                ]
    return found


def _parts(by_part: Mapping[str, list[Row]], target: Target, name: str, data: str) -> StudyTable:
    """Lay validation and test part side by side, each figure's mean over the horizons."""
    cells = {
        (part, row.model, row.figure): row
        for part, rows in by_part.items()
        for row in rows
        if row.horizon == MEAN
    }
    shown = [of for of in _BY_HORIZON[target] if of[2] not in _TEST_ONLY]
    heads = [f"{short.upper()} {part}" for short, _, _, _ in shown for part in PARTS]
    body = [
        (
            model,
            *(
                _cell(cells.get((part, model, figure)), digits)
                for _, _, figure, digits in shown
                for part in PARTS
            ),
        )
        for model in dict.fromkeys(row.model for row in by_part["test"])
    ]
    title = f"Validation beside test, mean over the horizons: {data}"
    return StudyTable(name, title, ("model", *heads), tuple(body))


def _pivot(
    rows: list[Row],
    name: str,
    title: str,
    *,
    figure: str,
    horizons: list[tuple[str, str]],
    digits: int,
) -> StudyTable:
    cells = {(row.model, row.horizon): row for row in rows if row.figure == figure}
    models = dict.fromkeys(row.model for row in rows)
    body = [
        (model, *(_cell(cells.get((model, horizon)), digits) for horizon, _ in horizons))
        for model in models
    ]
    return StudyTable(name, title, ("model", *(head for _, head in horizons)), tuple(body))


def _at(rows: list[Row], name: str, title: str, horizon: str, digits: int) -> StudyTable:
    cells = {(row.model, row.figure): row for row in rows if row.horizon == horizon}
    present = {figure for _, figure in cells}
    ordered = (*_RISK_FIGURES, *_SCORE_FIGURES, "seconds")
    names = [figure for figure in ordered if figure in present]
    body = [
        (
            model,
            *(_cell(cells.get((model, of)), 1 if of == "seconds" else digits) for of in names),
        )
        for model in dict.fromkeys(row.model for row in rows)
    ]
    heads = (_SHORT.get(figure, figure) for figure in names)
    return StudyTable(name, title, ("model", *heads), tuple(body))


def _cell(row: Row | None, digits: int) -> str:
    if row is None:
        return "n/a"
    spread = "" if row.spread is None else f" ± {row.spread:.{digits}f}"
    return f"{row.mean:.{digits}f}{spread}"


def write_tables(rows: list[Row], printed: list[StudyTable], out: Path) -> None:
    """Write `figures.csv`, `tables.md` and one CSV file for each printed table."""
    folder = out / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "figures.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row.__dataclass_fields__)
        for row in rows:
            values = (getattr(row, name) for name in Row.__dataclass_fields__)
            writer.writerow(["" if value is None else value for value in values])
    for table in printed:
        (folder / f"{table.name}.csv").write_text(table.csv(), encoding="utf-8")
    text = "\n".join(table.markdown() for table in printed)
    (folder / "tables.md").write_text(text, encoding="utf-8")
