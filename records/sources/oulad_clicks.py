"""Compute week by week how active each student was online, from the streamed click log."""

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
from records.sources.raw_files import (
    Column,
    code,
    read_columns,
    refuse_duplicates,
    stream_columns,
    text,
    whole,
)

DAYS_BEFORE: Final = 60
_CLICKS: Final[Mapping[str, Column]] = {
    "code_module": code(),
    "code_presentation": code(),
    "id_student": whole(),
    "id_site": whole(),
    "date": whole(),
    "sum_click": whole(),
}
_SITES: Final[Mapping[str, Column]] = {"id_site": whole(), "activity_type": text(required=True)}
# Feature -> the file's kinds of activity that it counts. Kinds that stand nowhere count in
# `clicks` alone.
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "clicks_material": (
        *("oucontent", "resource", "subpage", "url", "page", "dataplus", "dualpane", "folder"),
        *("sharedsubpage", "glossary"),
    ),
    "clicks_forum": ("forumng", "oucollaborate", "ouelluminate", "ouwiki"),
    "clicks_practice": ("quiz", "externalquiz", "questionnaire", "repeatactivity"),
    "clicks_home": ("homepage",),
}
_NO_KIND: Final = len(KINDS)


def weekly_clicks(
    folder: Path, enrolments: pd.DataFrame, ends: Doubles, *, progress: Progress | None = None
) -> Weekly:
    """Compute the click features of the contract `oulad` at the end of every week.

    The log does not state how far it reaches, and a log that is cut short looks like silence. A
    week is therefore covered only if any student of the presentation was logged on the week's last
    day (the presentation's last day, where that comes first). In a covered week a student
    without clicks did nothing: 0. Elsewhere nothing is observed: NaN. This asks only for days up
    to the end of the week, so a log fetched in mid-term gives the same values as the final one. A
    cut within the last day of a week cannot be detected: one day of seven is then counted in part.

    Args:
        folder: Holds `vle` and `studentVle`; the latter is streamed and never held in memory.
        enrolments: One row per record, with `module_presentation_length`.
        ends: (weeks,) the last day of each week. Days before the start belong to the first week;
            those more than 60 days before it count as one.
        progress: Called with a text, the bytes read so far, and the size of the file.

    Returns:
        Feature name -> (records, weeks): `clicks`, one for each of `KINDS`, `active_days`,
        `days_since_click`, `sites`, `new_sites`, `clicks_before`.

    Raises:
        CohortError: A file is absent or damaged.
    """
    kinds = _kinds_of_sites(folder)
    presentations = pd.MultiIndex.from_frame(enrolments[PRESENTATION].drop_duplicates())
    of_record = presentations.get_indexer(pd.MultiIndex.from_frame(enrolments[PRESENTATION]))
    lookup = pd.MultiIndex.from_arrays([of_record, enrolments["id_student"]])
    days, weeks = DAYS_BEFORE + int(ends[-1]) + 1, len(ends)
    week_of_day = np.searchsorted(ends + DAYS_BEFORE, np.arange(days))
    counts = np.zeros((len(enrolments), days), np.int32)
    by_kind = np.zeros((len(KINDS) + 1, len(enrolments), weeks), np.int32)
    visits: list[NDArray[np.int64]] = []
    logged = np.zeros((len(presentations), days), np.bool_)
    for batch in stream_columns(folder, "studentVle", _CLICKS, progress=progress):
        presentation = _presentation_of_rows(batch, presentations)
        day = np.maximum(batch["date"].to_numpy() + DAYS_BEFORE, 0)
        chosen = np.flatnonzero((presentation >= 0) & (day < days))
        presentation, day = presentation[chosen], day[chosen]
        logged[presentation, day] = True
        students = batch["id_student"].to_numpy()[chosen]
        row = lookup.get_indexer(pd.MultiIndex.from_arrays([presentation, students]))
        own = row >= 0
        row, day, chosen = row[own], day[own], chosen[own]
        clicks = batch["sum_click"].to_numpy()[chosen]
        site = kinds.index.get_indexer(batch["id_site"].to_numpy()[chosen])
        kind = np.where(site >= 0, kinds.to_numpy()[site], _NO_KIND)
        week = week_of_day[day]
        np.add.at(counts.reshape(-1), row * days + day, clicks)
        np.add.at(by_kind, (kind, row, week), clicks)
        # Sites that `vle` does not list cannot be distinguished: they count as one.
        visits.append(np.unique((row * (len(kinds) + 1) + site + 1) * weeks + week))
    length = enrolments["module_presentation_length"].to_numpy(np.float64)
    last_day = np.minimum(ends, length[:, None]).astype(np.intp)
    covered = logged[of_record[:, None], last_day + DAYS_BEFORE]
    found: dict[str, Doubles] = {
        **_weekly(counts, ends),
        **_sites(visits, len(enrolments), len(kinds) + 1, weeks),
        **{name: by_kind[at].astype(np.float64) for at, name in enumerate(KINDS)},
    }
    return {name: np.where(covered, values, np.nan) for name, values in found.items()}


def _kinds_of_sites(folder: Path) -> pd.Series:
    """Return each site's position among `KINDS`, or the one behind them."""
    sites = read_columns(folder, "vle", _SITES)
    refuse_duplicates(sites, ["id_site"], "vle.csv")
    places = {kind: at for at, kinds in enumerate(KINDS.values()) for kind in kinds}
    kinds = sites["activity_type"].map(places).fillna(_NO_KIND).astype(np.intp)
    return pd.Series(kinds.to_numpy(), index=pd.Index(sites["id_site"]))


def _sites(
    visits: list[NDArray[np.int64]], records: int, sites: int, weeks: int
) -> dict[str, Doubles]:
    """Count the sites visited in each week, and those visited for the first time."""
    shape = (records, weeks)
    if not visits:
        return {"sites": np.zeros(shape), "new_sites": np.zeros(shape)}
    # In order of record, site, week: the first of each record and site is its first visit.
    seen = np.unique(np.concatenate(visits))
    pair, week = np.divmod(seen, weeks)
    first = np.concatenate([[True], pair[1:] != pair[:-1]]) if len(seen) else np.zeros(0, np.bool_)
    place = pair // sites * weeks + week
    return {
        "sites": np.bincount(place, minlength=records * weeks).reshape(shape).astype(np.float64),
        "new_sites": np.bincount(place[first], minlength=records * weeks)
        .reshape(shape)
        .astype(np.float64),
    }


def _presentation_of_rows(batch: pa.RecordBatch, presentations: pd.MultiIndex) -> NDArray[np.intp]:
    """(rows,) position of each row's presentation, -1 where it is not asked for."""
    module, presentation = batch["code_module"], batch["code_presentation"]
    pairs = pd.MultiIndex.from_product(
        [module.dictionary.to_pylist(), presentation.dictionary.to_pylist()]
    )
    position = presentations.get_indexer(pairs)
    width = len(presentation.dictionary)
    return np.asarray(position[module.indices.to_numpy() * width + presentation.indices.to_numpy()])


def _weekly(counts: NDArray[np.int32], ends: Doubles) -> dict[str, Doubles]:
    """Sum the daily counts (records, days) into weeks."""
    stops = ends.astype(np.intp) + DAYS_BEFORE + 1
    starts = np.concatenate([[0], stops[:-1]])
    active: Bools = counts > 0
    day = np.arange(counts.shape[1])
    latest = np.maximum.accumulate(np.where(active, day, -1), axis=1)[:, stops - 1]
    before = counts[:, :DAYS_BEFORE].sum(axis=1, dtype=np.int64).astype(np.float64)
    return {
        "clicks": np.add.reduceat(counts, starts, axis=1).astype(np.float64),
        "active_days": np.add.reduceat(active, starts, axis=1, dtype=np.int32).astype(float),
        "days_since_click": np.where(latest >= 0, stops - 1 - latest, np.nan),
        "clicks_before": np.repeat(before[:, None], len(ends), axis=1),
    }
