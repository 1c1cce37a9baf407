"""Say week by week how a student's other enrolments were going: modules studied beside or before.

An enrolment's days count from its own start, so other enrolments are compared by the calendar.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from records.arrays import Bools, Doubles, Floats, Ints
from records.sources.oulad_coursework import Weekly

# The files hold no dates: presentations named B start in February, those named J in October.
_MONTH_OF_START: Final = {"B": 2, "J": 10}
# They start at different times of that month, so what is known of a presentation that started in
# another one is delayed by this much: a guess at the start can then never let the future in.
UNCERTAIN_DAYS: Final = 14
# Results are published some six weeks after a presentation ends.
RESULT_DAYS: Final = 45
_CARRIED: Final = ("missing_share", "score_mean")


def weekly_others(
    enrolments: pd.DataFrame, weekly: Mapping[str, Floats], lengths: Ints, ends: Doubles
) -> Weekly:
    """Compute the features of the contract `oulad` that speak of the same student's enrolments.

    By the calendar day of each week's end, another enrolment counts from its registration (without
    a date: from its presentation's start) on: as
    left from its unregistration on, as passed or failed from the publication of results on, and
    else as running. What was handed in elsewhere is what stood there at the end of the last full
    week, and stays so after that module has ended.

    Args:
        enrolments: All enrolments, with `row`, the position of the record, -1 where it has none.
        weekly: `missing_share` and `score_mean` of the records: (records, weeks).
        lengths: (records,) weeks observed.
        ends: (weeks,) the last day of each week.

    Returns:
        Feature name -> (records, weeks). Counts are 0 for a student without other enrolments;
        shares and scores are NaN where there is nothing to say.
    """
    records, weeks = weekly["missing_share"].shape
    pairs = _pairs(enrolments)
    own, other = pairs["row"].to_numpy(), pairs["row_other"].to_numpy()
    days = _days_elsewhere(pairs, ends)
    known = days >= _column(pairs, "date_registration", 0.0)
    left = known & (days >= _column(pairs, "date_unregistration", np.inf))
    length = _column(pairs, "module_presentation_length", np.inf)
    over = known & ~left & (days >= length + RESULT_DAYS)
    result = pairs["final_result_other"].to_numpy()[:, None]
    passed = over & np.isin(result, ("Pass", "Distinction"))
    kinds: dict[str, Bools] = {
        "other_running": known & ~left & ~over,
        "other_left": left,
        "other_failed": over & (result == "Fail"),
        "other_passed": passed,
        "other_distinctions": passed & (result == "Distinction"),
    }
    found = {name: _per_record(np.add, own, kind, records, 0.0) for name, kind in kinds.items()}
    week = np.minimum(np.floor(days / 7), lengths[other][:, None]).astype(np.intp) - 1
    seen = known & (other >= 0)[:, None] & (week >= 0)
    at = np.clip(week, 0, weeks - 1)
    missing, score = (
        np.where(seen, np.take_along_axis(weekly[name][other], at, axis=1), np.nan)
        for name in _CARRIED
    )
    scored = ~np.isnan(score)
    total = _per_record(np.add, own, np.where(scored, score, 0.0), records, 0.0)
    count = _per_record(np.add, own, scored, records, 0.0)
    with np.errstate(invalid="ignore"):
        found["other_score_mean"] = total / count
    found["other_missing_share"] = _per_record(np.fmax, own, missing, records, np.nan)
    return found


def _pairs(enrolments: pd.DataFrame) -> pd.DataFrame:
    """Put every record beside each other enrolment of its student (`…_other`)."""
    repeated = enrolments[enrolments.duplicated("id_student", keep=False)]
    both = repeated[repeated["row"] >= 0].merge(
        repeated, on="id_student", suffixes=("", "_other"), validate="many_to_many"
    )
    module = both["code_module"] != both["code_module_other"]
    presentation = both["code_presentation"] != both["code_presentation_other"]
    return both[module | presentation]


def _days_elsewhere(pairs: pd.DataFrame, ends: Doubles) -> Doubles:
    """(pairs, weeks) day of the other presentation, at the earliest, when our week ends."""
    start, other = _start(pairs["code_presentation"]), _start(pairs["code_presentation_other"])
    gap = start - other - np.where(start == other, 0, UNCERTAIN_DAYS)
    return np.asarray(ends + gap[:, None])


def _start(presentations: pd.Series) -> Doubles:
    """(rows,) days from 1970 to the first of the month in which each presentation starts."""
    year = presentations.str[:4]
    month = presentations.str[4:].map(_MONTH_OF_START).astype(str).str.zfill(2)
    days = pd.to_datetime(year + "-" + month + "-01").to_numpy("datetime64[D]")
    return days.astype(np.int64).astype(np.float64)


def _column(pairs: pd.DataFrame, name: str, absent: float) -> Doubles:
    return pairs[f"{name}_other"].fillna(absent).to_numpy(np.float64)[:, None]


def _per_record(
    join: np.ufunc, rows: Ints, values: Doubles | Bools, records: int, start: float
) -> Doubles:
    """Join (pairs, weeks) into (records, weeks)."""
    joined = np.full((records, values.shape[1]), start)
    join.at(joined, rows, values)
    return joined
