"""Write the files of a run folder."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tomli_w
from pyarrow import parquet

from evaluation.figures import RunMetrics
from evaluation.predictions import Predictions, write_predictions
from records.cohort import Cohort
from records.contract import SHIPPED, Contract, load_contract, shipped_text
from records.learnt.calibration import Calibration
from records.learnt.intervals import Intervals
from records.tables.read_write import write_table
from training import run_folder as names
from training.data.prepare import Prepared
from training.history import History, write_histories
from training.run_folder import RunRecord


def write_run(
    folder: Path,
    cohort: Cohort,
    prepared: Prepared,
    *,
    networks: Mapping[str, Any],
    histories: Mapping[str, History],
    calibration: Calibration,
    intervals: Intervals,
    metrics: RunMetrics,
    predictions: Iterable[Predictions],
    record: RunRecord,
) -> None:
    """Write every file that `training.run_folder` lists.

    Args:
        folder: Existing, empty.
        cohort: All records, as they were split.
        prepared: Split, fences and reference.
        networks: 'risk' and 'score' -> fitted Keras model.
        histories: 'risk' and 'score' -> epochs.
        calibration: Of the risk network, which holds it already.
        intervals: Around the score network's forecasts.
        metrics: On the test part.
        predictions: Of the test part, for each target.
        record: Content of `run.json`.
    """
    texts = {
        names.CONTRACT: contract_text(cohort.contract),
        names.METRICS: metrics.model_dump_json(indent=2),
        names.FENCES: prepared.fences.model_dump_json(indent=2),
        names.REFERENCE: prepared.reference.model_dump_json(indent=2),
        names.CALIBRATION: calibration.model_dump_json(indent=2),
        names.INTERVALS: intervals.model_dump_json(indent=2),
        names.RECORD: record.model_dump_json(indent=2),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    networks["risk"].save(folder / names.RISK_NETWORK)
    networks["score"].save(folder / names.SCORE_NETWORK)
    write_histories(histories, folder / names.HISTORY)
    parquet.write_table(split_table(cohort, prepared), folder / names.SPLITS)
    write_table(prepared.parts.test, folder / names.HELDOUT)
    for one in predictions:
        write_predictions(one, folder / names.PREDICTIONS[one.target])


def split_table(cohort: Cohort, prepared: Prepared) -> pa.Table:
    """Return one row for each record: id, student, cohort, and its part or why it has none."""
    part = np.full(len(cohort), "", dtype="U16")
    for name, rows in prepared.split.parts().items():
        part[rows] = name
    part[prepared.split.train[prepared.outlying]] = "outlying"
    return pa.table(
        {"id": cohort.ids, "student": cohort.students, "cohort": cohort.cohorts, "part": part}
    )


def contract_text(contract: Contract) -> str:
    """Return the contract as TOML: the shipped file with its comments where it is one of those."""
    if contract.name in SHIPPED:
        shipped = load_contract(contract.name)
        if shipped.fingerprint == contract.fingerprint:
            return shipped_text(contract.name)
    return tomli_w.dumps(contract.model_dump(mode="json", exclude_none=True, exclude_defaults=True))
