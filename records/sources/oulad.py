"""Open University students week by week: `load_oulad`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from records.arrays import Bools, Doubles, Floats
from records.cohort import Cohort
from records.contract import Contract, load_contract
from records.errors import CohortError
from records.learnt.relative import RelativeLayout, own_relatives
from records.progress import Progress
from records.sources.oulad_clicks import weekly_clicks
from records.sources.oulad_coursework import Coursework, Weekly, next_score, weekly_coursework
from records.sources.oulad_others import weekly_others
from records.sources.oulad_tables import PRESENTATION, RESULTS, OuladTables, read_oulad_tables

DAYS_PER_WEEK: Final = 7
# Absent registration dates are rare, and a student without one was there from the start.
_ALWAYS: Final = -np.inf
_NEVER: Final = np.inf


def load_oulad(
    folder: Path, *, presentations: Sequence[str] | None = None, progress: Progress | None = None
) -> Cohort:
    """Load the Open University files as one record per enrolment and one period per week.

    Week w holds what was known at the end of day 7w of the presentation; events before
    day 0 belongs to week 1. A result counts as known on the day its work was handed in, as the
    files hold no date of marking. Exams are no part of the records: they are the outcome.

    - Left out: enrolments that were withdrawn on day 0 or before.
    - Lengths: weeks from the start to the day of unregistration or the presentation's end,
      begun weeks included. Weeks before a late registration are empty.
    - Eligible at week w: registered by day 7w, not unregistered by day 7w, and the presentation
      goes on after it.
    - Risk: 1 for Fail and Withdrawn, 0 for Pass and Distinction, in eligible weeks. Unknown
      without a result, and for a Withdrawn without a date: the date at which it became known is missing.
    - Score: the next tutor-marked score, in eligible weeks.
    - Other enrolments of the same student count by the calendar, whichever presentations are
      asked for; see `oulad_others.weekly_others`.
    - Standings are against the module and presentation; see `records.learnt.relative`.
    - Clicks are NaN where the log does not reach; see `oulad_clicks.weekly_clicks`.
    - Gender, region, education, deprivation, age and disability are audit attributes only.

    Args:
        folder: Holds studentInfo, studentRegistration, assessments, studentAssessment, courses
            and studentVle, as .csv or .csv.gz; where both are there, the .csv is read.
        presentations: Such as ['2013B', '2013J']; None for all.
        progress: Called with a text, what is done and what there is to do.

    Returns:
        Cohort of the contract `oulad`; `cohorts` are presentations such as '2013B'.

    Raises:
        CohortError: A file, column or cell is not as published; the message names it.
    """
    contract = load_contract("oulad")
    weeks = contract.periods.maximum
    ends = np.arange(1, weeks + 1, dtype=np.float64) * DAYS_PER_WEEK
    tables = read_oulad_tables(
        folder, modules=contract.feature("module").levels, longest=weeks * DAYS_PER_WEEK
    )
    enrolments = tables.enrolments
    values = np.full((len(enrolments), weeks, len(contract.features)), np.nan, np.float32)
    score = np.full((len(enrolments), weeks, 1), np.nan, np.float32)
    place = {name: position for position, name in enumerate(contract.feature_names)}
    for name, constant in _background(enrolments, contract).items():
        values[:, :, place[name]] = constant[:, None]
    for rows, features, upcoming in _presentations(tables, ends, progress):
        for name, column in features.items():
            values[rows, :, place[name]] = column
        score[rows, :, 0] = upcoming
    for name, column in weekly_clicks(folder, enrolments, ends, progress=progress).items():
        values[:, :, place[name]] = column

    left = enrolments["date_unregistration"].fillna(_NEVER).to_numpy(np.float64)[:, None]
    length = enrolments["module_presentation_length"].to_numpy(np.float64)[:, None]
    joined = enrolments["date_registration"].fillna(_ALWAYS).to_numpy(np.float64)[:, None]
    lengths = np.ceil(np.minimum(left, length) / DAYS_PER_WEEK)[:, 0].astype(np.int32)
    eligible: Bools = (joined <= ends) & (ends < left) & (ends < length)
    values[(joined > ends) | (np.arange(weeks) >= lengths[:, None])] = np.nan
    score[~eligible] = np.nan
    weekly = {name: values[:, :, place[name]] for name in ("missing_share", "score_mean")}
    others = weekly_others(tables.registrations, weekly, lengths, ends)
    for name, column in others.items():
        values[:, :, place[name]] = np.where(np.isnan(values[:, :, 0]), np.nan, column)
    presented = enrolments["code_presentation"].to_numpy().astype(np.str_)
    if layout := RelativeLayout.of(contract):
        values[:, :, layout.columns] = own_relatives(layout, values, eligible, presented)
    key = enrolments[[*PRESENTATION, "id_student"]].astype(str)
    cohort = Cohort(
        contract=contract,
        ids=(key["code_module"] + "-" + key["code_presentation"] + "-" + key["id_student"])
        .to_numpy()
        .astype(np.str_),
        students=key["id_student"].to_numpy().astype(np.str_),
        cohorts=presented,
        values=values,
        lengths=lengths,
        eligible=eligible,
        risk=_risk(enrolments, eligible),
        score=score,
        audit={
            attribute.name: _audit_words(enrolments[attribute.name]).to_numpy().astype(np.str_)
            for attribute in contract.audit
        },
    )
    return cohort if presentations is None else _only(cohort, presentations)


def _only(cohort: Cohort, presentations: Sequence[str]) -> Cohort:
    there = np.unique(cohort.cohorts).tolist()
    if absent := sorted(set(presentations) - set(there)):
        raise CohortError(
            f"no student of presentation {', '.join(absent)} reached its first day; "
            f"choose from {', '.join(there)}."
        )
    return cohort.take(np.isin(cohort.cohorts, list(presentations)))


def _background(enrolments: pd.DataFrame, contract: Contract) -> Weekly:
    """Give what was known on enrolment: feature name -> (records,)."""
    levels = pd.Index(contract.feature("module").levels)
    return {
        "module": levels.get_indexer(pd.Index(enrolments["code_module"])).astype(np.float64),
        "previous_attempts": enrolments["num_of_prev_attempts"].to_numpy(np.float64),
        "studied_credits": enrolments["studied_credits"].to_numpy(np.float64),
        "registered_before": -enrolments["date_registration"].to_numpy(np.float64),
    }


def _presentations(
    tables: OuladTables, ends: Doubles, progress: Progress | None
) -> Iterator[tuple[NDArray[np.intp], Weekly, Doubles]]:
    """Yield the rows of each presentation, their coursework features and their next score."""
    keys = pd.MultiIndex.from_frame(tables.enrolments[PRESENTATION].drop_duplicates())
    of_record, of_piece, of_submission = (
        keys.get_indexer(pd.MultiIndex.from_frame(frame[PRESENTATION]))
        for frame in (tables.enrolments, tables.coursework, tables.submissions)
    )
    for number in range(len(keys)):
        rows = np.flatnonzero(of_record == number)
        submissions = tables.submissions[of_submission == number]
        work = Coursework.gather(
            tables.coursework[of_piece == number],
            submissions.assign(position=np.searchsorted(rows, submissions["row"])),
            len(rows),
        )
        yield rows, weekly_coursework(work, ends), next_score(work, ends)
        if progress:
            progress("computing the weeks of each presentation", number + 1, len(keys))


def _risk(enrolments: pd.DataFrame, eligible: Bools) -> Floats:
    outcome = enrolments["final_result"].map(RESULTS).to_numpy(np.float32)
    undated = (enrolments["final_result"] == "Withdrawn") & enrolments["date_unregistration"].isna()
    outcome = np.where(undated, np.float32(np.nan), outcome)
    return np.where(eligible, outcome[:, None], np.float32(np.nan)).astype(np.float32)


def _audit_words(column: pd.Series) -> pd.Series:
    # The official files write one deprivation band without its percent sign.
    return column.fillna("").replace({"10-20": "10-20%"})
