"""Say week by week how active each student was online, from the streamed click log."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from records.arrays import Bools, Doubles
from records.progress import Progress
from records.sources.oulad_coursework import Weekly
from records.sources.oulad_tables import PRESENTATION
from records.sources.raw_files import Column, code, stream_columns, whole

DAYS_BEFORE: Final = 60
_CLICKS: Final[Mapping[str, Column]] = {
    "code_module": code(),
    "code_presentation": code(),
    "id_student": whole(),
    "date": whole(),
    "sum_click": whole(),
}


def weekly_clicks(
    folder: Path, enrolments: pd.DataFrame, ends: Doubles, *, progress: Progress | None = None
) -> Weekly:
    """Compute the click features of the contract `oulad` at the end of every week.

    The log does not say how far it reaches, and a log that is cut short looks like silence. A
    week is therefore covered only if somebody in the presentation was logged on the week's last
    day (the presentation's last day, where that comes first). In a covered week a student
    without clicks did nothing: 0. Elsewhere nothing is known: NaN. This asks only for days up
    to the end of the week, so a log fetched in mid-term says the same as the final one. What it
    cannot see is a cut within the last day of a week: one day of seven is then counted in part.

    Args:
        folder: Holds `studentVle`, which is streamed and never held whole in memory.
        enrolments: One row per record, with `module_presentation_length`.
        ends: (weeks,) the last day of each week. Days before the start belong to the first week;
            those more than 60 days before it count as one.
        progress: Called with a text, the bytes read so far, and the size of the file.

    Returns:
        `clicks`, `active_days`, `days_since_click`: (records, weeks).

    Raises:
        CohortError: The file is absent or damaged.
    """
    presentations = pd.MultiIndex.from_frame(enrolments[PRESENTATION].drop_duplicates())
    of_record = presentations.get_indexer(pd.MultiIndex.from_frame(enrolments[PRESENTATION]))
    lookup = pd.MultiIndex.from_arrays([of_record, enrolments["id_student"]])
    days = DAYS_BEFORE + int(ends[-1]) + 1
    counts = np.zeros((len(enrolments), days), np.int32)
    logged = np.zeros((len(presentations), days), np.bool_)
    for batch in stream_columns(folder, "studentVle", _CLICKS, progress=progress):
        presentation = _presentation_of_rows(batch, presentations)
        day = np.maximum(batch["date"].to_numpy() + DAYS_BEFORE, 0)
        kept = (presentation >= 0) & (day < days)
        presentation, day = presentation[kept], day[kept]
        logged[presentation, day] = True
        students = batch["id_student"].to_numpy()[kept]
        row = lookup.get_indexer(pd.MultiIndex.from_arrays([presentation, students]))
        clicks = batch["sum_click"].to_numpy()[kept]
        own = row >= 0
        np.add.at(counts.reshape(-1), row[own] * days + day[own], clicks[own])
    length = enrolments["module_presentation_length"].to_numpy(np.float64)
    last_day = np.minimum(ends, length[:, None]).astype(np.intp)
    covered = logged[of_record[:, None], last_day + DAYS_BEFORE]
    return {name: np.where(covered, values, np.nan) for name, values in _weekly(counts, ends)}


def _presentation_of_rows(batch: pa.RecordBatch, presentations: pd.MultiIndex) -> NDArray[np.intp]:
    """(rows,) position of each row's presentation, -1 where it is not asked for."""
    module, presentation = batch["code_module"], batch["code_presentation"]
    pairs = pd.MultiIndex.from_product(
        [module.dictionary.to_pylist(), presentation.dictionary.to_pylist()]
    )
    position = presentations.get_indexer(pairs)
    width = len(presentation.dictionary)
    return np.asarray(position[module.indices.to_numpy() * width + presentation.indices.to_numpy()])


def _weekly(counts: NDArray[np.int32], ends: Doubles) -> list[tuple[str, Doubles]]:
    """Sum the daily counts (records, days) into weeks."""
    stops = ends.astype(np.intp) + DAYS_BEFORE + 1
    starts = np.concatenate([[0], stops[:-1]])
    active: Bools = counts > 0
    day = np.arange(counts.shape[1])
    latest = np.maximum.accumulate(np.where(active, day, -1), axis=1)[:, stops - 1]
    since = np.where(latest >= 0, stops - 1 - latest, np.nan)
    return [
        ("clicks", np.add.reduceat(counts, starts, axis=1).astype(np.float64)),
        ("active_days", np.add.reduceat(active, starts, axis=1, dtype=np.int32).astype(float)),
        ("days_since_click", since),
    ]
