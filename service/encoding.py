"""Write answers as JSON straight from the columns of an `AssessmentTable`.

The bytes say what `msgspec.json.encode` says of the same table put into words (`Assessor.worded`),
several times faster: whatever is constant (texts of a rule, names of tiers, keys) is encoded once,
numbers are encoded a column at a time, and each student's bytes are joined from such fragments in
compiled code. Only risks are written otherwise, with all their six decimals.

A field that is new in `scoring.assessment` is added here in its place; until then the test that
compares the two ways of writing fails.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise, repeat
from math import isnan

import msgspec
import numpy as np
from numpy.typing import NDArray

from records.contract import Contract
from scoring.measures import Doubles, Positions
from scoring.policy import DECIMALS, Policy
from scoring.recommend import Advice
from scoring.table import BUNDLE, ORIGINS, STATUSES, AdviceTable, AssessmentTable, OutlyingCells

_json = msgspec.json.Encoder().encode
_REFERENCES = [b'],"reference":%b}' % _json(origin) for origin in ORIGINS]
_GROUP = 3
# Every group of three digits: a risk is written group by group, whole columns at a time.
_DIGITS = np.array([b"%03d" % number for number in range(10**_GROUP)])
_GROUPS = DECIMALS // _GROUP
_RISK_WIDTH = len("0.") + DECIMALS
# Up to so many risks it is quicker to write each than to write columns: 3 µs for a student of 8
# periods instead of 19, as much at about 90 risks, twice as much at 256.
_FEW = 80


class TableEncoder:
    """Encodes students' assessments under one contract and policy.

    Args:
        contract: Names the features, the subjects and the unit of the forecast.
        policy: Names the tiers.
        advice: What each rule of the policy says, in the policy's order.
    """

    def __init__(self, contract: Contract, policy: Policy, advice: Sequence[Advice]) -> None:
        self._trajectories = _Trajectories(contract.periods.maximum)
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

    def students(
        self, table: AssessmentTable, ids: Iterable[str], rows: Iterable[int]
    ) -> list[bytes]:
        """Encode what is said of each student.

        Args:
            table: What is said.
            ids: Their ids, text that UTF-8 can carry.
            rows: Their positions in the requests that they came in.

        Returns:
            One JSON object a student, in order.
        """
        advice, subjects = table.advice, table.forecast.shape[1]
        shares, *numbers = _numbers(
            table.observed_share,
            *(
                ends[:, subject]
                for ends in (table.forecast, table.low, table.high)
                for subject in range(subjects)
            ),
            *(advice.measured, advice.expected, advice.spreads),
        )
        forecasts, grounds = numbers[: 3 * subjects], numbers[3 * subjects :]
        risks, trajectories = self._trajectories.encode(table)
        columns = (
            repeat(b'{"id":'),
            map(_json, ids),
            repeat(b',"row":'),
            map(_json, rows),
            self._before_risk.of(table.status, table.period),
            risks,
            self._after_risk.of(table.tier, table.since),
            trajectories,
            repeat(b'],"forecast":['),
            self._forecasts(forecasts, len(table)),
            repeat(b'],"outlying":['),
            self._outlying(table.outlying, len(table)),
            repeat(b'],"observed":{"periods":'),
            map(_json, table.observed_periods.tolist()),
            repeat(b',"share":'),
            shares,
            repeat(b'},"recommendations":['),
            _by_row(self._advice.encode(advice, *grounds), advice.row, len(table)),
            repeat(_REFERENCES[BUNDLE])
            if table.reference is None
            else map(_REFERENCES.__getitem__, table.reference.tolist()),
        )
        return list(map(b"".join, zip(*columns, strict=False)))

    def _forecasts(self, values: Sequence[Sequence[bytes]], rows: int) -> Iterable[bytes]:
        if not values:
            return repeat(b"", rows)
        count = len(self._subjects)
        subjects = [
            [
                b'%b%b%b%b,"high":%b}' % (start, value, self._unit, low, high)
                if value != b"null"
                else b""
                for value, low, high in zip(*columns, strict=True)
            ]
            for start, columns in zip(
                self._subjects,
                zip(values[:count], values[count : 2 * count], values[2 * count :], strict=True),
                strict=True,
            )
        ]
        if len(subjects) == 1:
            return subjects[0]
        return [b",".join(filter(None, row)) for row in zip(*subjects, strict=True)]

    def _outlying(self, cells: OutlyingCells, rows: int) -> Iterable[bytes]:
        return _by_row(list(self._flags.of(cells.period, cells.feature)), cells.row, rows)


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
    ) -> Iterator[bytes]:
        """Return the fragment of each pair."""
        return map(self.__getitem__, zip(first.tolist(), second.tolist(), strict=True))


class _Trajectories:
    """Writes the risks after every period as one block of bytes, and cuts each row's from it.

    Every point `{"period":1,"risk":0.123456},` is as wide in one row as in the next.
    """

    def __init__(self, periods: int) -> None:
        points = [
            b'{"period":%d,"risk":0.%0*d},' % (at, DECIMALS, 0) for at in range(1, periods + 1)
        ]
        self._template = np.frombuffer(b"".join(points), np.uint8)
        self._ends = np.cumsum([0, *map(len, points)])
        # Where the digits stand: the one before the point, then group by group.
        tails = len(b"},") + DECIMALS
        self._whole = self._ends[1:] - tails - len("0.")
        self._places = [
            self._ends[1:, None] - tails + _GROUP * group + np.arange(_GROUP)
            for group in range(_GROUPS)
        ]

    def encode(self, table: AssessmentTable) -> tuple[list[bytes], list[bytes]]:
        """Return each row's risk and its trajectory, the latter without brackets."""
        rows, periods = table.trajectory.shape
        if rows * periods <= _FEW:
            trajectories = [_points(row) for row in table.trajectory.tolist()]
            return _last_risks(trajectories), trajectories
        shown = ~np.isnan(table.trajectory)
        millionths = np.where(shown, table.trajectory, 0.0)
        millionths *= 10**DECIMALS
        digits = np.rint(millionths).astype(np.int32)
        width = int(self._ends[periods])
        block = np.empty((rows, width), np.uint8)
        block[:] = self._template[:width]
        for places in reversed(self._places):
            digits, group = np.divmod(digits, 10**_GROUP)
            written = _DIGITS.take(group).view(np.uint8).reshape(rows, periods, _GROUP)
            block[:, places[:periods]] = written
        block[:, self._whole[:periods]] += digits.astype(np.uint8)
        count = shown.sum(axis=1)
        # An assessed row shows its last period; most show all from the first one on.
        first = shown.argmax(axis=1)
        last = np.where(count > 0, table.period, 0)
        offset = np.arange(rows) * width
        starts = (offset + self._ends[first]).tolist()
        ends = (offset + self._ends[last] - 1).tolist()  # without the last comma
        encoded = block.tobytes()
        trajectories = [
            encoded[start:end] if end > start else b""
            for start, end in zip(starts, ends, strict=True)
        ]
        for row in ((last - first != count) & (count > 0)).nonzero()[0].tolist():
            at = offset[row] + self._ends
            points = [encoded[at[one] : at[one + 1] - 1] for one in shown[row].nonzero()[0]]
            trajectories[row] = b",".join(points)
        return _last_risks(trajectories), trajectories


def _points(risks: Sequence[float]) -> bytes:
    shown = [(period, risk) for period, risk in enumerate(risks, 1) if not isnan(risk)]
    return b",".join([b'{"period":%d,"risk":%.6f}' % point for point in shown])


def _last_risks(trajectories: Iterable[bytes]) -> list[bytes]:
    return [one[-_RISK_WIDTH - 1 : -1] or b"null" for one in trajectories]


class _AdviceFragments:
    """Writes recommendations: constant text around a student's numbers."""

    def __init__(self, advice: Sequence[Advice]) -> None:
        self._before: list[bytes] = []
        self._middle: list[bytes] = []
        for one in advice:
            example = one.recommendation(0.0, 0.0, 0.0, 1, 1)
            before, _ = _json(example).rsplit(_json(example.evidence), 1)
            unit, against = _json(example.evidence.unit), _json(example.evidence.against)
            self._before.append(before + b'{"measured":')
            self._middle.append(b',"unit":%b,"against":%b,"spreads":' % (unit, against))
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
    ) -> list[bytes]:
        """Return one JSON object a recommendation; the numbers are encoded already."""
        rules = advice.rule.tolist()
        for at in self._over_names[advice.rule].nonzero()[0].tolist():
            names, others = self._names[rules[at]], self._others[rules[at]]
            if names:
                measured[at] = names[int(advice.measured[at])]
                expected[at] = others or names[int(advice.expected[at])]
        columns = (
            map(self._before.__getitem__, rules),
            measured,
            repeat(b',"expected":'),
            expected,
            map(self._middle.__getitem__, rules),
            spreads,
            self._periods.of(advice.first, advice.last),
        )
        return list(map(b"".join, zip(*columns, strict=False)))


def _numbers(*columns: Doubles) -> list[list[bytes]]:
    """Encode columns of numbers, all in one go; NaN becomes null."""
    whole = np.concatenate(columns).tolist()
    written = iter(_json(whole)[1:-1].split(b","))
    return [list(islice(written, len(column))) for column in columns]


def _by_row(things: Sequence[bytes], row: Positions, rows: int) -> Iterable[bytes]:
    """Join what belongs to each row with commas; `row` says, ascending, which row that is."""
    if not things:
        return repeat(b"", rows)
    ends = row.searchsorted(np.arange(rows + 1)).tolist()
    return [b",".join(things[start:end]) for start, end in pairwise(ends)]
