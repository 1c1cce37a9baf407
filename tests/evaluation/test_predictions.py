"""Predictions come back from disk as they were, and cover every step that counts."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from evaluation.known import known_risk, known_score, last_known
from evaluation.predictions import (
    Predictions,
    PredictionsError,
    read_predictions,
    risk_predictions,
    score_predictions,
    write_predictions,
)
from records.cohort import Cohort


def _made(cohort: Cohort) -> list[Predictions]:
    random = np.random.default_rng(0)
    return [
        risk_predictions(cohort, {"network": random.random(cohort.risk.shape, np.float32)}),
        score_predictions(cohort, {"network": random.random(cohort.score.shape, np.float32)}),
    ]


def test_every_step_that_counts_has_a_row(cohort: Cohort) -> None:
    risk, score = _made(cohort)
    assert len(risk) == known_risk(cohort).sum()
    assert len(score) == known_score(cohort).sum()
    assert set(score.subjects.tolist()) == {"maths", "reading"}
    assert len(risk.last()) == (last_known(known_risk(cohort)) >= 0).sum()
    assert (risk.at(2).periods == 2).all()


def test_they_come_back_as_they_were(cohort: Cohort, tmp_path: Path) -> None:
    for made in _made(cohort):
        write_predictions(made, tmp_path / "p.parquet")
        read = read_predictions(tmp_path / "p.parquet")
        assert (read.target, list(read.models)) == (made.target, list(made.models))
        for name in ("ids", "students", "cohorts", "periods", "subjects", "actual"):
            np.testing.assert_array_equal(getattr(read, name), getattr(made, name))
        np.testing.assert_array_equal(read.models["network"], made.models["network"])


def test_a_model_that_skips_steps_or_takes_a_column_is_refused(cohort: Cohort) -> None:
    with pytest.raises(PredictionsError, match="'lazy' did not predict every step"):
        risk_predictions(cohort, {"lazy": np.full_like(cohort.risk, np.nan)})
    with pytest.raises(PredictionsError, match="cannot be called 'actual'"):
        risk_predictions(cohort, {"actual": np.zeros_like(cohort.risk)})


def test_other_files_are_refused(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"id": ["a"]}), tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(PredictionsError, match="holds no predictions"):
        read_predictions(tmp_path / "other.parquet")
    with pytest.raises(PredictionsError, match="no Parquet file"):
        read_predictions(tmp_path / "text.parquet")
