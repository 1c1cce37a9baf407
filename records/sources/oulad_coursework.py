"""Say week by week what was due, what was handed in and what it scored.

Everything here looks at days up to the end of a week, but for the published schedule of deadlines
(`days_to_deadline`, weights) and for `next_score`, which is a target.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from records.arrays import Bools, Doubles

Weekly = dict[str, Doubles]

# Below it the Open University calls a result a fail (description of studentAssessment).
PASS_MARK: Final = 40.0


@dataclass(frozen=True, eq=False)
class Coursework:
    """Deadlines of one presentation and what its students handed in.

    The scores carry no date of their own: a result counts as known on the day of its submission.

    Attributes:
        due: (assessments,) day of the deadline, ascending.
        weight: (assessments,) percent of the coursework; sums to 100.
        tutor_marked: (assessments,) whether it is a TMA, not a CMA.
        submitted: (records, assessments) day handed in, NaN where never.
        score: (records, assessments) 0 to 100, NaN where none.
        banked: (records, assessments) whether it was carried over from an earlier presentation.
    """

    due: Doubles
    weight: Doubles
    tutor_marked: Bools
    submitted: Doubles
    score: Doubles
    banked: Bools

    @classmethod
    def gather(cls, coursework: pd.DataFrame, submissions: pd.DataFrame, records: int) -> Self:
        """Arrange the tables of one presentation.

        Args:
            coursework: Its assessments, in the order of the deadlines.
            submissions: What was handed in; `position` is the record, counted from 0.
            records: Enrolments in the presentation.
        """
        shape = (records, len(coursework))
        submitted, score = np.full(shape, np.nan), np.full(shape, np.nan)
        banked = np.zeros(shape, np.bool_)
        columns = pd.Index(coursework["id_assessment"]).get_indexer(submissions["id_assessment"])
        cells = (submissions["position"].to_numpy(), columns)
        submitted[cells] = submissions["date_submitted"]
        score[cells] = submissions["score"]
        banked[cells] = submissions["is_banked"] == 1
        tutor_marked = (coursework["assessment_type"] == "TMA").to_numpy(np.bool_)
        weight = coursework["weight"].to_numpy(np.float64)
        if not weight.any():
            # Module GGG weighs nothing: its tutor-marked assessments then count alike.
            weight = (tutor_marked if tutor_marked.any() else ~tutor_marked).astype(np.float64)
        return cls(
            due=coursework["date"].to_numpy(np.float64),
            weight=100 * weight / max(weight.sum(), 1e-9),
            tutor_marked=tutor_marked,
            submitted=submitted,
            score=score,
            banked=banked,
        )


def weekly_coursework(work: Coursework, ends: Doubles) -> Weekly:
    """Compute the coursework features of the contract `oulad` at the end of every week.

    Args:
        work: One presentation.
        ends: (weeks,) the last day of each week; the first week has no beginning.

    Returns:
        Feature name -> (records, weeks), NaN where there is nothing to say.
    """
    weeks = _Weeks.of(work, ends)
    return {**_deadlines(weeks), **_results(weeks), **_timing(weeks)}


def next_score(work: Coursework, ends: Doubles) -> Doubles:
    """Find the score of the first tutor-marked assessment handed in after each week.

    Returns:
        (records, weeks) 0 to 100, NaN where none follows. Work carried over from an earlier
        presentation is no next score.
    """
    usable = work.tutor_marked & ~work.banked & ~np.isnan(work.score)
    days = np.where(usable, work.submitted, np.nan)[:, :, None]
    return _pick(work.score, -_order(days), days > ends)


@dataclass(frozen=True, eq=False)
class _Weeks:
    """Who had handed in what at the end of which week: (records, assessments, weeks)."""

    work: Coursework
    ends: Doubles
    known: Bools
    own: Bools
    due: Bools
    missing: Bools
    scored: Bools
    order: Doubles

    @classmethod
    def of(cls, work: Coursework, ends: Doubles) -> Self:
        submitted = work.submitted[:, :, None]
        known = submitted <= ends
        due = np.broadcast_to((work.due[:, None] <= ends)[None], known.shape)
        return cls(
            work=work,
            ends=ends,
            known=known,
            own=known & ~work.banked[:, :, None],
            due=due,
            missing=due & ~known,
            scored=known & ~np.isnan(work.score)[:, :, None],
            order=_order(submitted),
        )


def _deadlines(weeks: _Weeks) -> Weekly:
    work, ends = weeks.work, weeks.ends
    own, due, missing = weeks.own, weeks.due, weeks.missing
    begins = np.concatenate([[-np.inf], ends[:-1]])
    count, lacking = due.sum(axis=1), missing.sum(axis=1)
    weight, day = work.weight[:, None], work.due[:, None]
    # From the latest deadline backwards: 1 as long as every one that is due was missed.
    unbroken = np.cumprod(np.where(due, missing, True)[:, ::-1], axis=1)
    late = np.where(missing, ends - day, 0.0)
    schedule = np.where(day <= ends, ends - day, np.inf), np.where(day > ends, day - ends, np.inf)
    since, until = (_finite(days.min(axis=0, initial=np.inf)) for days in schedule)
    shape = count.shape
    return {
        "banked": (weeks.known & work.banked[:, :, None]).sum(axis=1, dtype=np.float64),
        "submitted": (own & (work.submitted[:, :, None] > begins)).sum(axis=1, dtype=np.float64),
        "ahead": (own & ~due).sum(axis=1, dtype=np.float64),
        "due": count.astype(np.float64),
        "missing": lacking.astype(np.float64),
        "missing_share": 100 * _ratio(lacking, count),
        "missed_in_row": (unbroken * due[:, ::-1]).sum(axis=1, dtype=np.float64),
        "weight_due": (due * weight).sum(axis=1),
        "weight_missing": (missing * weight).sum(axis=1),
        "days_overdue": late.max(axis=1, initial=0.0),
        "days_since_deadline": np.broadcast_to(since, shape),
        "days_to_deadline": np.broadcast_to(until, shape),
    }


def _results(weeks: _Weeks) -> Weekly:
    work, scored = weeks.work, weeks.scored
    score = np.nan_to_num(work.score)[:, :, None]
    points = np.where(scored, score, 0.0)
    tutor, computer = work.tutor_marked[:, None], ~work.tutor_marked[:, None]
    latest = _pick(work.score, weeks.order, scored & tutor)
    newest = _position(weeks.order, scored & tutor)
    earlier = scored & tutor & (np.arange(len(work.due))[:, None] != newest[:, None])
    # Work whose score never came is left out; work that is due and absent counts 0.
    counting = (scored | weeks.missing) * work.weight[:, None]
    return {
        "score_mean": _ratio(points.sum(axis=1), scored.sum(axis=1)),
        "score_lowest": _finite(np.where(scored, score, np.inf).min(axis=1, initial=np.inf)),
        "tma_latest": latest,
        "tma_change": latest - _pick(work.score, weeks.order, earlier),
        "cma_mean": _ratio((points * computer).sum(axis=1), (scored & computer).sum(axis=1)),
        "coursework_mark": _ratio((points * counting).sum(axis=1), counting.sum(axis=1)),
        "failed": (scored & (score < PASS_MARK)).sum(axis=1, dtype=np.float64),
    }


def _timing(weeks: _Weeks) -> Weekly:
    work, own = weeks.work, weeks.own
    lateness = work.submitted - work.due
    days = np.where(own, lateness[:, :, None], 0.0)
    last = np.where(own, work.submitted[:, :, None], -np.inf).max(axis=1, initial=-np.inf)
    return {
        "lateness_latest": _pick(lateness, weeks.order, own),
        "lateness_mean": _ratio(days.sum(axis=1), own.sum(axis=1)),
        "days_since_submission": _finite(weeks.ends - last),
    }


def _order(submitted: Doubles) -> Doubles:
    """Order of submission; on one day the later deadline counts as the later piece."""
    assessments = submitted.shape[1]
    return np.asarray(submitted * assessments + np.arange(assessments)[:, None])


def _position(order: Doubles, among: Bools) -> NDArray[np.intp]:
    """(records, weeks) position of the highest `order` `among` the assessments."""
    if not among.shape[1]:
        return np.zeros((among.shape[0], among.shape[2]), np.intp)
    return np.asarray(np.where(among, order, -np.inf).argmax(axis=1))


def _pick(values: Doubles, order: Doubles, among: Bools) -> Doubles:
    """(records, weeks) value of the assessment with the highest `order`, NaN where none."""
    if not among.shape[1]:
        return np.full((among.shape[0], among.shape[2]), np.nan)
    picked = np.take_along_axis(values, _position(order, among), axis=1)
    return np.asarray(np.where(among.any(axis=1), picked, np.nan))


def _ratio(above: NDArray[np.number], below: NDArray[np.number]) -> Doubles:
    """Divide, giving NaN where `below` is 0."""
    whole = np.full(np.shape(below), np.nan)
    return np.asarray(np.divide(above, below, out=whole, where=below > 0))


def _finite(values: Doubles) -> Doubles:
    return np.where(np.isfinite(values), values, np.nan)
