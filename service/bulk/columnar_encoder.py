"""Write columnar JSON: assessments as lists by student, slice by slice.

Every slice is written as it comes: what is left for the end is to put brackets around. The texts
are those of `msgspec.json.encode`.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from records.arrays import Doubles, Positions
from records.contract import Contract
from records.errors import TableError
from scoring.policy.model import Policy
from scoring.results import BUNDLE, ORIGINS, STATUSES, AdviceTable, AssessmentTable, OutlierCells
from scoring.students.intake import StudentBatch
from scoring.tables.answers import REFUSED, rule_levels
from service.http.schemas import ModelStamp
from service.rows.json_numbers import risk_lists, written

_json = msgspec.json.Encoder().encode
_NULL = b"null"
_SINGLE = ("status", "period", "risk", "tier", "since")
_OBSERVED = ("observed_periods", "observed_share", "reference")
_FORECAST = ("forecast", "low", "high")
_OUTLIERS = ("row", "period", "feature")
_ADVICE = (
    *("row", "rule", "measured", "level", "expected", "standard_deviations"),
    *("first_period", "last_period"),
)
_STATUSES = [_json(name) for name in (*STATUSES, REFUSED)]
_REFUSED = len(STATUSES)
_ORIGINS = [_json(name) for name in ORIGINS]

# A column of one slice: its entries, without brackets; tables of their own have several.
Written = bytes | dict[str, bytes]


class ColumnarAnswers:
    """Writes assessments of one contract and policy.

    Args:
        contract: Names features and subjects.
        policy: Names tiers and rules.
        model: What stands on every answer.
    """

    def __init__(self, contract: Contract, policy: Policy, model: ModelStamp) -> None:
        self.subjects = contract.targets.score.subjects
        self.model = _json(model)
        self._features = [_json(name) for name in contract.feature_names]
        # By position; -1, which stands for none, reaches the last.
        self._tiers = [*(_json(tier.name) for tier in policy.tiers), _NULL]
        self._since = [_NULL, *(b"%d" % at for at in range(1, contract.periods.maximum + 1))]
        self._rules = [_json(rule.id) for rule in policy.rules]
        levels = rule_levels(contract, policy)
        # Rules that measure a level, and what their levels are called.
        self._named = np.array([bool(names) for names in levels], np.bool_)
        self._levels = [[_json(name) for name in names] for names in levels]

    def columns(
        self,
        ids: Sequence[str | None],
        admission: StudentBatch,
        table: AssessmentTable | None,
        first: int = 0,
    ) -> dict[str, Written]:
        """Write one slice, given as to `AnswerTables.batch`."""
        spread = _Spread(len(ids), admission.rows - first)
        return {
            "id": _entries(ids),
            **self._told(spread, table),
            **self._forecasts(spread, table),
            "outliers": self._outliers(admission.rows, None if table is None else table.outliers),
            "recommendations": self._advice(
                admission.rows, None if table is None else table.advice
            ),
            "errors": _entries(admission.faults),
        }

    def _told(self, spread: "_Spread", table: AssessmentTable | None) -> dict[str, bytes]:
        """Write what there is one of for each student; null for those who were refused."""
        if table is None:
            nothing = _nulls(spread.students)
            told = dict.fromkeys((*_SINGLE, "trajectory", *_OBSERVED), nothing)
            told["status"] = _repeated(_STATUSES[_REFUSED], spread.students)
            told["trajectory"] = _repeated(b"[]", spread.students)
            return told
        reference = table.reference
        if reference is None:
            origins = spread.same(_ORIGINS[BUNDLE])
        else:
            origins = spread.named([*_ORIGINS, _NULL], reference, len(_ORIGINS))
        sizes = np.where(table.tier >= 0, table.period, 0)
        return {
            "status": spread.named(_STATUSES, table.status, _REFUSED),
            "period": spread.listed(table.period),
            "risk": spread.listed(table.risk),
            "tier": spread.named(self._tiers, table.tier, -1),
            "since": spread.named(self._since, table.since, 0),
            "trajectory": risk_lists(spread.filled(table.trajectory), spread.filled(sizes)),
            "observed_periods": spread.listed(table.observed_periods),
            "observed_share": spread.listed(table.observed_share),
            "reference": origins,
        }

    def _forecasts(
        self, spread: "_Spread", table: AssessmentTable | None
    ) -> dict[str, dict[str, bytes]]:
        if table is None or np.isnan(table.forecast).all():  # none is wanted
            nothing = dict.fromkeys(self.subjects, _nulls(spread.students))
            return dict.fromkeys(_FORECAST, nothing)
        parts = (table.forecast, table.low, table.high)
        return {
            name: {
                subject: spread.rounded(np.ascontiguousarray(column))
                for subject, column in zip(self.subjects, part.T, strict=True)
            }
            for name, part in zip(_FORECAST, parts, strict=True)
        }

    def _outliers(self, rows: Positions, cells: OutlierCells | None) -> dict[str, bytes]:
        if cells is None or not len(cells.row):
            return dict.fromkeys(_OUTLIERS, b"")
        features = map(self._features.__getitem__, cells.feature.tolist())
        return {
            "row": _entries(rows[cells.row].tolist()),
            "period": _entries(cells.period.tolist()),
            "feature": b",".join(features),
        }

    def _advice(self, rows: Positions, advice: AdviceTable | None) -> dict[str, bytes]:
        if advice is None or not len(advice):
            return dict.fromkeys(_ADVICE, b"")
        named = self._named[advice.rule]
        rules = advice.rule.tolist()
        levels = _nulls(len(rules))
        measured, expected = advice.measured, advice.expected
        if named.any():
            told = zip(rules, measured.tolist(), named.tolist(), strict=True)
            levels = b",".join(
                [self._levels[rule][int(one)] if level else _NULL for rule, one, level in told]
            )
            measured, expected = (np.where(named, np.nan, one) for one in (measured, expected))
        return {
            "row": _entries(rows[advice.row].tolist()),
            "rule": b",".join(map(self._rules.__getitem__, rules)),
            "measured": b",".join(written(measured)),
            "level": levels,
            "expected": b",".join(written(expected)),
            "standard_deviations": b",".join(written(advice.standard_deviations)),
            "first_period": _entries(advice.first.tolist()),
            "last_period": _entries(advice.last.tolist()),
        }


class ColumnarDocument:
    """One document, put together slice by slice.

    Args:
        answers: Writes the slices.
        most: Students that it may hold.
    """

    def __init__(self, answers: ColumnarAnswers, most: int) -> None:
        self._answers = answers
        self._most = most
        self._parts: dict[str, Any] = {}

    def add(
        self,
        ids: Sequence[str | None],
        admission: StudentBatch,
        table: AssessmentTable | None,
        first: int,
    ) -> bytes:
        """Append a slice, given as to `AnswerTables.batch`; nothing can be sent before the end.

        Raises:
            TableError: There are more students than it may hold.
        """
        if first + len(ids) > self._most:
            message = (
                f"One document of JSON holds {self._most:,} students; accept Arrow, Parquet, CSV "
                "or JSON lines, or send fewer."
            )
            raise TableError.whole(None, "too_many_students", message)
        columns = self._answers.columns(ids, admission, table, first)
        for name, column in columns.items():
            if isinstance(column, dict):
                whole = self._parts.setdefault(name, {key: [] for key in column})
                for key, entries in column.items():
                    _append(whole[key], entries)
            else:
                _append(self._parts.setdefault(name, []), column)
        return b""

    def finish(self) -> bytes:
        """Return the whole document."""
        return _object({"model": self._answers.model, **self._parts})


class _Spread:
    """Spreads what is known of the students admitted over all students of a slice."""

    def __init__(self, students: int, at: Positions) -> None:
        self.students = students
        self._at = at
        self._everyone = len(at) == students

    def same(self, text: bytes) -> bytes:
        """Write the same text for all admitted, null for the others."""
        if self._everyone:
            return _repeated(text, self.students)
        return self.named([text, _NULL], np.zeros(len(self._at), np.intp), 1)

    def named(self, texts: Sequence[bytes], codes: NDArray[np.integer], other: int) -> bytes:
        """Write the text at each code, that at `other` for those who were refused."""
        if not self._everyone:
            full = np.full(self.students, other, codes.dtype)
            full[self._at] = codes
            codes = full
        return b",".join(map(texts.__getitem__, codes.tolist()))

    def listed(self, values: NDArray[np.generic]) -> bytes:
        """Write numbers, null for NaN and for those who were refused."""
        numbers: list[Any] = values.tolist()
        if self._everyone:
            return _entries(numbers)
        full: list[Any] = [None] * self.students
        for row, value in zip(self._at.tolist(), numbers, strict=True):
            full[row] = value
        return _entries(full)

    def rounded(self, values: Doubles) -> bytes:
        """Write numbers that were rounded to a few decimals; else as `listed`."""
        return b",".join(written(self.filled(values, np.nan)))

    def filled(self, values: NDArray[Any], other: float = 0) -> NDArray[Any]:
        """Return values of all students, `other` for those who were refused."""
        if self._everyone:
            return values
        full = np.full((self.students, *values.shape[1:]), other, values.dtype)
        full[self._at] = values
        return full


def _entries(values: Sequence[Any]) -> bytes:
    """Write a list without its brackets."""
    return _json(values)[1:-1]


def _append(parts: list[bytes], entries: bytes) -> None:
    if entries:
        parts.append(entries)


def _object(columns: Mapping[str, Any]) -> bytes:
    """Write an object of what is written already, of lists in parts, and of further objects."""
    fields = []
    for name, column in columns.items():
        text = column
        if isinstance(column, dict):
            text = _object(column)
        elif isinstance(column, list):
            text = b"[%b]" % b",".join(column)
        fields.append(b"%b:%b" % (_json(name), text))
    return b"{%b}" % b",".join(fields)


@lru_cache(maxsize=16)
def _repeated(text: bytes, times: int) -> bytes:
    return b",".join([text] * times)


def _nulls(times: int) -> bytes:
    return _repeated(_NULL, times)
