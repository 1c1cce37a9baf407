"""Write assessments as JSON straight from the columns of an `AssessmentTable`.

The bytes hold what `msgspec.json.encode` writes of `Assessor.to_assessments`, several times faster:
constant parts (texts of a rule, names of tiers, keys) are encoded once, numbers are encoded a column
at a time (`service.rows.json_numbers`), and the fragments of all students are one list of which each
response is joined in one call. Only risks differ: they are written with all six decimals.

A field that is new in `scoring.assessment.assessor` is added here in its place; a test compares both
ways of writing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, repeat

import msgspec
import numpy as np

from records.arrays import Bools, Doubles
from records.contract import Contract
from scoring.policy.model import Policy
from scoring.policy.recommendation import RecommendationTemplate
from scoring.results import BUNDLE, AdviceTable, AssessmentTable, OutlierCells
from service.rows.fragments import REFERENCES, Fragments
from service.rows.json_numbers import Trajectories, written

_json = msgspec.json.Encoder().encode
_BEGIN, _NEXT = b'{"id":"', b',{"id":"'
_NO_FORECASTS, _FORECASTS = b'],"outliers":[', b'}],"outliers":['
# Fragments of one subject's forecast, and of one recommendation.
_OF_SUBJECT, _OF_ADVICE = 6, 2


@dataclass(frozen=True, slots=True)
class EncodedStudents:
    """Students' assessments as JSON, in fragments.

    Attributes:
        fragments: `width` fragments for each student; a comma comes before every student.
        width: Fragments of a student.
    """

    fragments: list[bytes]
    width: int

    def listed(
        self,
        start: int,
        end: int,
        before: bytes = b"",
        after: bytes = b"",
        more: Sequence[bytes] = (),
    ) -> bytes:
        """Return students `start` to `end` with commas between them, and what is around them.

        Args:
            start: Position of the first.
            end: Position after the last.
            before: What comes before all of them.
            after: What comes after all of them.
            more: Further fields of each student, each with its comma; empty for none.
        """
        chosen = self.fragments[start * self.width : end * self.width]
        for at, fields in enumerate(more, start=1):
            last = at * self.width - 1
            chosen[last] = b"%b%b}" % (chosen[last].removesuffix(b"}"), fields)
        if chosen:
            chosen[0] = before + _BEGIN
        else:
            chosen = [before]
        chosen.append(after)
        return b"".join(chosen)


class TableEncoder:
    """Encodes students' assessments under one contract and policy.

    Args:
        contract: Names the features, the subjects and the unit of the forecast.
        policy: Names the tiers.
        templates: The recommendation of each rule, in the policy's order.
    """

    def __init__(
        self, contract: Contract, policy: Policy, templates: Sequence[RecommendationTemplate]
    ) -> None:
        self._trajectories = Trajectories(contract.periods.maximum)
        self._texts = texts = Fragments(contract, policy, templates)
        # One student's fragments: what is always the same, and room for the rest.
        self._layout = [_NEXT, b"", b'","row":', *((b"",) * 5), b'],"forecast":[']
        self._forecasts_at = len(self._layout)
        for start in texts.subjects:
            before = b"}," if len(self._layout) > self._forecasts_at else b""
            self._layout += [before + start, b"", texts.unit, b"", b',"high":', b""]
        self._outliers_at = len(self._layout) + 1
        self._layout += [_FORECASTS if texts.subjects else _NO_FORECASTS, b""]
        self._observed_at = len(self._layout)
        self._layout += [b"", b"", b'},"recommendations":[']
        self._advice_at = len(self._layout)
        self._layout += [*((b"",) * (_OF_ADVICE * policy.max_recommendations))]
        self._layout += [REFERENCES[BUNDLE]]

    def encode(
        self, table: AssessmentTable, ids: Sequence[str], rows: Sequence[int]
    ) -> EncodedStudents:
        """Encode the assessment of each student.

        Args:
            table: At least one student.
            ids: Their ids, valid Unicode.
            rows: Their positions in their requests.

        Returns:
            One JSON object a student, in order.
        """
        advice, count, width = table.advice, len(table), len(self._layout)
        shares, measured, expected, standard_deviations, *forecasts = _numbers(
            table.observed_share,
            *(advice.measured, advice.expected, advice.standard_deviations),
            *(
                ends[:, subject]
                for subject in range(len(self._texts.subjects))
                for ends in (table.forecast, table.low, table.high)
            ),
        )
        risks, trajectories = self._trajectories.encode(table.trajectory, table.period)
        fragments = self._layout * count
        fragments[1::width] = _texts(ids)
        fragments[3::width] = map(_json, rows)
        fragments[4::width] = self._texts.before_risk.of(table.status, table.period)
        fragments[5::width] = risks
        fragments[6::width] = self._texts.after_risk.of(table.tier, table.since)
        fragments[7::width] = trajectories
        for at, column in enumerate(forecasts):
            fragments[self._forecasts_at + 2 * at + 1 :: width] = column
        if (is_missing := np.isnan(table.forecast)).any():
            self._leave_out(fragments, is_missing)
        if len(table.outliers.row):
            self._place_outliers(fragments, table.outliers)
        observed = map(self._texts.observed.__getitem__, table.observed_periods.tolist())
        fragments[self._observed_at :: width] = observed
        fragments[self._observed_at + 1 :: width] = shares
        if len(advice):
            self._place_advice(fragments, advice, (measured, expected, standard_deviations))
        if table.reference is not None:
            fragments[width - 1 :: width] = map(REFERENCES.__getitem__, table.reference.tolist())
        return EncodedStudents(fragments, width)

    def _leave_out(self, fragments: list[bytes], is_missing: Bools) -> None:
        """Remove the forecasts that are missing, (rows, subjects)."""
        size = _OF_SUBJECT * len(self._texts.subjects)
        for row in np.flatnonzero(is_missing.any(axis=1)).tolist():
            start = row * len(self._layout) + self._forecasts_at
            subjects = [
                b"".join(
                    (self._texts.subjects[at], *fragments[first + 1 : first + _OF_SUBJECT], b"}")
                )
                for at in np.flatnonzero(~is_missing[row]).tolist()
                for first in [start + at * _OF_SUBJECT]
            ]
            left = [b",".join(subjects), *repeat(b"", size - 1), _NO_FORECASTS]
            fragments[start : start + size + 1] = left

    def _place_advice(
        self,
        fragments: list[bytes],
        advice: AdviceTable,
        numbers: tuple[list[bytes], list[bytes], list[bytes]],
    ) -> None:
        """Place each student's recommendations, the most severe first."""
        row = advice.row
        place = np.arange(len(row)) - row.searchsorted(row)
        cells = row * len(self._layout) + (self._advice_at + _OF_ADVICE * place)
        encoded = self._texts.advice.encode(advice, *numbers, place > 0)
        for cell, words, evidence in zip(cells.tolist(), *encoded, strict=True):
            fragments[cell] = words
            fragments[cell + 1] = evidence

    def _place_outliers(self, fragments: list[bytes], cells: OutlierCells) -> None:
        """Place each student's outliers, in order."""
        width = len(self._layout)
        outliers = self._texts.outliers.of(cells.period, cells.feature)
        for row, outlier in zip(cells.row.tolist(), outliers, strict=True):
            at = row * width + self._outliers_at
            before = fragments[at]
            fragments[at] = b"%b,%b" % (before, outlier) if before else outlier


def _numbers(*columns: Doubles) -> list[list[bytes]]:
    """Encode columns of numbers in one call; NaN becomes null."""
    encoded = written(np.concatenate(columns))
    ends = list(accumulate(map(len, columns), initial=0))
    return [encoded[start:end] for start, end in pairwise(ends)]


def _texts(texts: Sequence[str]) -> list[bytes]:
    """Encode texts in one call, without the quotes around each."""
    encoded = _json(texts)
    # A text with a quote in it can hold, or end like, what separates two texts.
    if not texts or b'\\"' in encoded:
        return [_json(text)[1:-1] for text in texts]
    return encoded[2:-2].split(b'","')
