"""Predictions as a table: one row for each step that counts, one column for each model.

What was fitted predicts once; tables, intervals, fairness and figures are made from this file
without fitting anything again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from evaluation.known import known_risk, known_score
from records.arrays import Bools, Floats, Ints, Strings
from records.cohort import Cohort
from records.errors import BellwetherError

Target = Literal["risk", "score"]
_COLUMNS = ("id", "student", "cohort", "period", "subject", "actual")


class PredictionsError(BellwetherError):
    """A file holds no predictions, or lacks what is asked of it."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What models predicted of the steps that count, in the order of record and period.

    Attributes:
        target: 'risk' or 'score'.
        ids: (n,) record.
        students: (n,) person; resampling keeps all rows of a person together.
        cohorts: (n,) intake.
        periods: (n,) int32, counted from 1: the last period that the prediction knew.
        subjects: (n,) of the score; '' for risk.
        actual: (n,) float32, outcome 0 or 1, or the score that came.
        models: Model -> (n,) float32 probability or forecast, the network first.
    """

    target: Target
    ids: Strings
    students: Strings
    cohorts: Strings
    periods: Ints
    subjects: Strings
    actual: Floats
    models: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Bools | NDArray[np.intp]) -> Self:
        """Return the rows at `rows` (positions or a mask)."""
        return replace(
            self,
            ids=self.ids[rows],
            students=self.students[rows],
            cohorts=self.cohorts[rows],
            periods=self.periods[rows],
            subjects=self.subjects[rows],
            actual=self.actual[rows],
            models={name: column[rows] for name, column in self.models.items()},
        )

    def at(self, period: int) -> Self:
        """Return the rows of one period, counted from 1."""
        return self.take(self.periods == period)

    def last(self) -> Self:
        """Return each record's rows of its last period that counts."""
        _, record = np.unique(self.ids, return_inverse=True)
        latest = np.zeros(record.max(initial=-1) + 1, np.int32)
        np.maximum.at(latest, record, self.periods)
        return self.take(self.periods == latest[record])


def risk_predictions(cohort: Cohort, models: Mapping[str, Floats]) -> Predictions:
    """Gather what models gave for the steps that count.

    Args:
        cohort: Records with their outcomes.
        models: Model -> (records, periods) probability; the network first.
    """
    record, period = np.nonzero(known_risk(cohort))
    return Predictions(
        target="risk",
        ids=cohort.ids[record],
        students=cohort.students[record],
        cohorts=cohort.cohorts[record],
        periods=(period + 1).astype(np.int32),
        subjects=np.full(len(record), ""),
        actual=cohort.risk[record, period],
        models={name: _column(name, of[record, period]) for name, of in models.items()},
    )


def score_predictions(cohort: Cohort, models: Mapping[str, Floats]) -> Predictions:
    """Gather what models forecast for the steps that count.

    Args:
        cohort: Records with their scores.
        models: Model -> (records, periods, subjects) forecast; the network first.
    """
    record, period, subject = np.nonzero(known_score(cohort))
    return Predictions(
        target="score",
        ids=cohort.ids[record],
        students=cohort.students[record],
        cohorts=cohort.cohorts[record],
        periods=(period + 1).astype(np.int32),
        subjects=np.array(cohort.contract.targets.score.subjects)[subject],
        actual=cohort.score[record, period, subject],
        models={name: _column(name, of[record, period, subject]) for name, of in models.items()},
    )


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write Parquet: `id`, `student`, `cohort`, `period`, `subject`, `actual`, then the models."""
    columns = {
        "id": predictions.ids,
        "student": predictions.students,
        "cohort": predictions.cohorts,
        "period": predictions.periods,
        "subject": predictions.subjects,
        "actual": predictions.actual,
        **predictions.models,
    }
    table = pa.table(columns).replace_schema_metadata({"target": predictions.target})
    parquet.write_table(table, path)


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        PredictionsError: It is no such file.
    """
    try:
        table = parquet.read_table(path)
    except pa.ArrowInvalid as error:
        raise PredictionsError(f"{path}: no Parquet file ({error}).") from None
    target = (table.schema.metadata or {}).get(b"target", b"").decode()
    if target not in {"risk", "score"} or table.column_names[: len(_COLUMNS)] != list(_COLUMNS):
        raise PredictionsError(f"{path}: holds no predictions; `bellwether train` writes them.")
    texts = {name: np.array(table[name].to_pylist(), np.str_) for name in _COLUMNS[:3]}
    return Predictions(
        target="risk" if target == "risk" else "score",
        ids=texts["id"],
        students=texts["student"],
        cohorts=texts["cohort"],
        periods=table["period"].to_numpy(),
        subjects=np.array(table["subject"].to_pylist(), np.str_),
        actual=table["actual"].to_numpy(),
        models={name: table[name].to_numpy() for name in table.column_names[len(_COLUMNS) :]},
    )


def _column(name: str, predicted: NDArray[np.floating]) -> Floats:
    if name in _COLUMNS:
        raise PredictionsError(f"a model cannot be called '{name}'; the table has such a column.")
    if not np.isfinite(predicted).all():
        raise PredictionsError(f"'{name}' did not predict every step that counts.")
    return np.asarray(predicted, np.float32)
