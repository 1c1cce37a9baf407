"""Write answers as JSON straight from the columns of an `AssessmentTable`.

The bytes say what `msgspec.json.encode` says of the same table put into words (`Assessor.worded`),
several times faster: whatever is constant (texts of a rule, names of tiers, keys) is encoded once,
numbers are encoded a column at a time (`service.digits`), and all students' fragments are one list
of which each request's answer is joined in one go. Only risks are written otherwise, with all
their six decimals.

A field that is new in `scoring.assessment` is added here in its place; until then the test that
compares the two ways of writing fails.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, repeat

import msgspec
import numpy as np
from numpy.typing import NDArray

from records.cohort import Bools
from records.contract import Contract
from scoring.measures import Doubles
from scoring.policy import Policy
from scoring.recommend import Advice
from scoring.table import BUNDLE, ORIGINS, STATUSES, AdviceTable, AssessmentTable, OutlyingCells
from service.digits import Trajectories, written

_json = msgspec.json.Encoder().encode
_REFERENCES = [b'],"reference":%b}' % _json(origin) for origin in ORIGINS]
_BEGIN, _NEXT = b'{"id":"', b',{"id":"'
_NO_FORECASTS, _FORECASTS = b'],"outlying":[', b'}],"outlying":['
# Fragments of one subject's forecast, and of one recommendation.
_OF_SUBJECT, _OF_ADVICE = 6, 2


@dataclass(frozen=True, slots=True)
class EncodedStudents:
    """Students' assessments as JSON, in fragments.

    Attributes:
        fragments: As many for one student as for the next; a comma comes before every student.
        width: How many.
    """

    fragments: list[bytes]
    width: int

    def listed(self, start: int, end: int, before: bytes = b"", after: bytes = b"") -> bytes:
        """Return students `start` to `end` with commas between them, and what is around them."""
        chosen = self.fragments[start * self.width : end * self.width]
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
        advice: What each rule of the policy says, in the policy's order.
    """

    def __init__(self, contract: Contract, policy: Policy, advice: Sequence[Advice]) -> None:
        self._trajectories = Trajectories(contract.periods.maximum)
        self._advice = _AdviceFragments(advice)
        score = contract.targets.score
        self._subjects = [b'{"subject":%b,"value":' % _json(name) for name in score.subjects]
        self._unit = b',"unit":%b,"low":' % _json(score.unit)
        features = [_json(name) for name in contract.feature_names]
        tiers = [_json(tier.name) for tier in policy.tiers]
        self._before_risk = _Fragments(
            lambda status, period: (
                b',"status":%b,"period":%d,"risk":' % (_json(STATUSES[status]), period)
            )
        )
        self._after_risk = _Fragments(
            lambda tier, since: (
                b',"tier":%b,"since":%d,"trajectory":[' % (tiers[tier], since)
                if since
                else b',"tier":null,"since":null,"trajectory":['
            )
        )
        self._flags = _Fragments(
            lambda period, feature: b'{"period":%d,"feature":%b}' % (period, features[feature])
        )
        # One student's fragments: what is always the same, and room for the rest.
        self._layout = [_NEXT, b"", b'","row":', *((b"",) * 5), b'],"forecast":[']
        self._forecasts_at = len(self._layout)
        for start in self._subjects:
            before = b"}," if len(self._layout) > self._forecasts_at else b""
            self._layout += [before + start, b"", self._unit, b"", b',"high":', b""]
        self._outlying_at = len(self._layout) + 1
        self._layout += [_FORECASTS if self._subjects else _NO_FORECASTS, b""]
        self._observed_at = len(self._layout) + 1
        self._layout += [b'],"observed":{"periods":', b"", b',"share":', b""]
        self._layout += [b'},"recommendations":[']
        self._advice_at = len(self._layout)
        self._layout += [*((b"",) * (_OF_ADVICE * policy.max_recommendations))]
        self._layout += [_REFERENCES[BUNDLE]]

    def encode(
        self, table: AssessmentTable, ids: Sequence[str], rows: Sequence[int]
    ) -> EncodedStudents:
        """Encode what is said of each student.

        Args:
            table: What is said.
            ids: Their ids, text that UTF-8 can carry.
            rows: Their positions in the requests that they came in.

        Returns:
            One JSON object a student, in order.
        """
        advice, count, width = table.advice, len(table), len(self._layout)
        shares, measured, expected, spreads, *forecasts = _numbers(
            table.observed_share,
            *(advice.measured, advice.expected, advice.spreads),
            *(
                ends[:, subject]
                for subject in range(len(self._subjects))
                for ends in (table.forecast, table.low, table.high)
            ),
        )
        risks, trajectories = self._trajectories.encode(table.trajectory, table.period)
        fragments = self._layout * count
        fragments[1::width] = _texts(ids)
        fragments[3::width] = map(_json, rows)
        fragments[4::width] = self._before_risk.of(table.status, table.period)
        fragments[5::width] = risks
        fragments[6::width] = self._after_risk.of(table.tier, table.since)
        fragments[7::width] = trajectories
        for at, column in enumerate(forecasts):
            fragments[self._forecasts_at + 2 * at + 1 :: width] = column
        if (unknown := np.isnan(table.forecast)).any():
            self._leave_out(fragments, unknown)
        if len(table.outlying.row):
            fragments[self._outlying_at :: width] = self._outlying(table.outlying, count)
        fragments[self._observed_at :: width] = map(_json, table.observed_periods.tolist())
        fragments[self._observed_at + 2 :: width] = shares
        if len(advice):
            self._lay_advice(fragments, advice, (measured, expected, spreads))
        if table.reference is not None:
            fragments[width - 1 :: width] = map(_REFERENCES.__getitem__, table.reference.tolist())
        return EncodedStudents(fragments, width)

    def _leave_out(self, fragments: list[bytes], unknown: Bools) -> None:
        """Take forecasts out that are `unknown`, (rows, subjects)."""
        size = _OF_SUBJECT * len(self._subjects)
        for row in np.flatnonzero(unknown.any(axis=1)).tolist():
            start = row * len(self._layout) + self._forecasts_at
            subjects = [
                b"".join((self._subjects[at], *fragments[first + 1 : first + _OF_SUBJECT], b"}"))
                for at in np.flatnonzero(~unknown[row]).tolist()
                for first in [start + at * _OF_SUBJECT]
            ]
            left = [b",".join(subjects), *repeat(b"", size - 1), _NO_FORECASTS]
            fragments[start : start + size + 1] = left

    def _lay_advice(
        self,
        fragments: list[bytes],
        advice: AdviceTable,
        numbers: tuple[list[bytes], list[bytes], list[bytes]],
    ) -> None:
        """Lay each student's recommendations, the worst first."""
        row = advice.row
        place = np.arange(len(row)) - row.searchsorted(row)
        cells = row * len(self._layout) + (self._advice_at + _OF_ADVICE * place)
        encoded = self._advice.encode(advice, *numbers, place > 0)
        for cell, words, grounds in zip(cells.tolist(), *encoded, strict=True):
            fragments[cell] = words
            fragments[cell + 1] = grounds

    def _outlying(self, cells: OutlyingCells, rows: int) -> list[bytes]:
        ends = cells.row.searchsorted(np.arange(rows + 1)).tolist()
        flags = self._flags.of(cells.period, cells.feature)
        return [b",".join(flags[start:end]) for start, end in pairwise(ends)]


class _Fragments(dict[tuple[int, int], bytes]):
    """Fragments that depend on two small whole numbers, each written once."""

    def __init__(self, write: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._write = write

    def __missing__(self, key: tuple[int, int]) -> bytes:
        self[key] = written = self._write(*key)
        return written

    def of(
        self, first: NDArray[np.signedinteger], second: NDArray[np.signedinteger]
    ) -> list[bytes]:
        """Return the fragment of each pair."""
        return list(map(self.__getitem__, zip(first.tolist(), second.tolist(), strict=True)))


class _AdviceFragments:
    """Writes recommendations: constant text around a student's numbers."""

    def __init__(self, advice: Sequence[Advice]) -> None:
        # What comes before the first number: of a student's first recommendation, of the others.
        self._before: list[bytes] = []
        self._middle: list[bytes] = []
        for one in advice:
            example = one.recommendation(0.0, 0.0, 0.0, 1, 1)
            before, _ = _json(example).rsplit(_json(example.evidence), 1)
            unit, against = _json(example.evidence.unit), _json(example.evidence.against)
            self._before.append(before + b'{"measured":')
            self._middle.append(b',"unit":%b,"against":%b,"spreads":' % (unit, against))
        self._before += [b"," + one for one in self._before]
        self._names = [[_json(name) for name in one.names] for one in advice]
        self._others = [one.others and _json(one.others) for one in advice]
        self._over_names = np.array([bool(one.names or one.others) for one in advice], np.bool_)
        self._periods = _Fragments(
            lambda first, last: b',"first_period":%d,"last_period":%d}}' % (first, last)
        )

    def encode(
        self,
        advice: AdviceTable,
        measured: list[bytes],
        expected: list[bytes],
        spreads: list[bytes],
        further: Bools,
    ) -> tuple[list[bytes], list[bytes]]:
        """Return each recommendation's words and its grounds, together one JSON object.

        The numbers are encoded already. A comma comes before those that are `further` ones of
        their student.
        """
        rules = advice.rule.tolist()
        for at in self._over_names[advice.rule].nonzero()[0].tolist():
            names, others = self._names[rules[at]], self._others[rules[at]]
            if names:
                measured[at] = names[int(advice.measured[at])]
                expected[at] = others or names[int(advice.expected[at])]
        words = advice.rule + further * len(self._middle)
        grounds = (
            measured,
            repeat(b',"expected":'),
            expected,
            map(self._middle.__getitem__, rules),
            spreads,
            self._periods.of(advice.first, advice.last),
        )
        return (
            list(map(self._before.__getitem__, words.tolist())),
            list(map(b"".join, zip(*grounds, strict=False))),
        )


def _numbers(*columns: Doubles) -> list[list[bytes]]:
    """Encode columns of numbers, all in one go; NaN becomes null."""
    encoded = written(np.concatenate(columns))
    ends = list(accumulate(map(len, columns), initial=0))
    return [encoded[start:end] for start, end in pairwise(ends)]


def _texts(texts: Sequence[str]) -> list[bytes]:
    """Encode texts, all in one go, without the quotes around each."""
    encoded = _json(texts)[2:-2].split(b'","')
    if len(encoded) != len(texts):  # one of them holds such a sequence itself
        return [_json(text)[1:-1] for text in texts]
    return encoded
