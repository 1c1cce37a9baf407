"""Write assessments as an Arrow table: one row for each student handed in, the refused included.

The same columns go into Arrow, Parquet, CSV and JSON lines. Texts that are the same for many (what
a rule advises, to whom, by when) are in the policy and not repeated here.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from records.arrays import Positions
from records.contract import Contract, Kind
from records.errors import Fault
from scoring.policy.model import Measure, Policy
from scoring.results import ORIGINS, STATUSES, AdviceTable, AssessmentTable, OutlierCells
from scoring.students.intake import StudentBatch

REFUSED = "refused"
_ALL_STATUSES = (*STATUSES, REFUSED)
_NAME = pa.dictionary(pa.int8(), pa.string())
_ERROR = pa.struct([("field", pa.string()), ("code", pa.string()), ("message", pa.string())])
_OUTLIERS = pa.struct([("period", pa.int32()), ("feature", pa.string())])
_ADVICE = pa.struct(
    [
        ("rule", pa.string()),
        ("measured", pa.float64()),
        ("level", pa.string()),
        ("expected", pa.float64()),
        ("standard_deviations", pa.float64()),
        ("first_period", pa.int32()),
        ("last_period", pa.int32()),
    ]
)

# Each is a column for each subject.
_FORECAST = ("forecast", "low", "high")


def rule_levels(contract: Contract, policy: Policy) -> list[tuple[str, ...]]:
    """Return, for each rule, the names of the levels that it measures; none for numbers."""
    levels: list[tuple[str, ...]] = []
    for rule in policy.rules:
        feature = contract.feature(rule.feature)
        if rule.measure is Measure.GAP or feature.kind is Kind.NUMERIC:
            levels.append(())
        else:
            levels.append(feature.levels or ("false", "true"))
    return levels


class AnswerTables:
    """Writes assessments of one contract and policy as record batches.

    Args:
        contract: Names the features and the subjects of the forecast.
        policy: Names the tiers and the rules.

    Attributes:
        schema: Of every batch. `id`, `row` (position among the students handed in), `status`
            ('refused' beside those of an assessment), `period`, `risk`, `tier`, `since`,
            `forecast_<subject>`, `low_<subject>` and `high_<subject>`, `trajectory` (one risk a
            period, null where too little was known), `observed_periods`, `observed_share`,
            `reference` (of `ORIGINS`), `outliers`, `recommendations` (`level` in the place of
            `measured` and `expected` where a level and not a number was measured; `standard_deviations`
            against the cohort) and `errors` (why a student was refused).
    """

    def __init__(self, contract: Contract, policy: Policy) -> None:
        self._subjects = contract.targets.score.subjects
        self._features = pa.array(contract.feature_names, pa.string())
        self._rules = pa.array([rule.id for rule in policy.rules], pa.string())
        self._tiers = pa.array([tier.name for tier in policy.tiers], pa.string())
        self._statuses = pa.array(_ALL_STATUSES, pa.string())
        self._origins = pa.array(ORIGINS, pa.string())
        levels = rule_levels(contract, policy)
        offsets = np.cumsum([0, *map(len, levels)])[:-1]
        # Rules that measure a level: where their levels' names begin; of the others -1.
        self._level_at = np.array(
            [at if names else -1 for at, names in zip(offsets, levels, strict=True)], np.intp
        )
        self._levels = pa.array([name for names in levels for name in names], pa.string())
        self.schema = pa.schema(
            [
                pa.field("id", pa.string()),
                pa.field("row", pa.int64(), nullable=False),
                pa.field("status", _NAME, nullable=False),
                pa.field("period", pa.int32()),
                pa.field("risk", pa.float64()),
                pa.field("tier", _NAME),
                pa.field("since", pa.int32()),
                *(
                    pa.field(f"{part}_{name}", pa.float64())
                    for part in _FORECAST
                    for name in self._subjects
                ),
                pa.field("trajectory", pa.list_(pa.float64())),
                pa.field("observed_periods", pa.int32()),
                pa.field("observed_share", pa.float64()),
                pa.field("reference", _NAME),
                pa.field("outliers", pa.list_(_OUTLIERS)),
                pa.field("recommendations", pa.list_(_ADVICE)),
                pa.field("errors", pa.list_(_ERROR)),
            ]
        )
        self._rows = pa.struct(list(self.schema))

    def batch(
        self,
        ids: Sequence[str | None] | pa.Array,
        admission: StudentBatch,
        table: AssessmentTable | None,
        first: int = 0,
    ) -> pa.RecordBatch:
        """Write one slice.

        Args:
            ids: (students,) of all students of the slice.
            admission: Which of them were admitted, and why the others were not.
            table: What is said of those admitted; None where there are none.
            first: Position of the first student among all that were handed in.
        """
        students = len(ids)
        at = admission.rows - first
        whole = _Scattered(students, at)
        columns: list[pa.Array] = [
            pa.array(ids, pa.string()),
            _array(np.arange(first, first + students)),
        ]
        if table is None:
            table = _nothing(admission, len(self._subjects))
        status = whole.fill(table.status, np.int8(len(STATUSES)))
        assessed = table.tier >= 0
        reference = table.reference
        if reference is None:  # BUNDLE is 0
            reference = np.zeros(len(table), np.int8)
        columns += [
            _coded(_array(status), self._statuses),
            whole.array(table.period),
            whole.array(table.risk, assessed),
            _coded(whole.array(table.tier, assessed), self._tiers),
            whole.array(table.since.astype(np.int32), assessed),
            *self._forecasts(whole, table),
            self._trajectory(whole, table, assessed),
            whole.array(table.observed_periods.astype(np.int32)),
            whole.array(table.observed_share),
            _coded(whole.array(reference), self._origins),
            self._outliers(whole, table),
            self._advice(whole, table),
            _errors(admission.faults, first, students) if admission.faults else whole.empty(_ERROR),
        ]
        rows = pa.Array.from_buffers(self._rows, students, [None], 0, children=columns)
        return pa.RecordBatch.from_struct_array(rows)

    def _forecasts(self, whole: "_Scattered", table: AssessmentTable) -> list[pa.Array]:
        parts = (table.forecast, table.low, table.high)
        if np.isnan(table.forecast).all():  # none is wanted
            return [_nulls(whole.students)] * (len(parts) * len(self._subjects))
        columns = [column for part in parts for column in np.ascontiguousarray(part.T)]
        return [whole.array(column, ~np.isnan(column)) for column in columns]

    @staticmethod
    def _trajectory(
        whole: "_Scattered", table: AssessmentTable, assessed: NDArray[np.bool_]
    ) -> pa.Array:
        periods = table.trajectory.shape[1]
        size = np.where(assessed, table.period, 0)
        if np.count_nonzero(size != periods) == 0:
            risk = table.trajectory.ravel()
        else:
            risk = table.trajectory[np.arange(periods) < size[:, None]]
        return whole.lists(size, _array(risk, ~np.isnan(risk)))

    def _outliers(self, whole: "_Scattered", table: AssessmentTable) -> pa.Array:
        cells = table.outliers
        if not len(cells.row):
            return whole.empty(_OUTLIERS)
        size = np.bincount(cells.row, minlength=len(table))
        found = pa.StructArray.from_arrays(
            [_array(cells.period.astype(np.int32)), self._features.take(_array(cells.feature))],
            fields=list(_OUTLIERS),
        )
        return whole.lists(size, found)

    def _advice(self, whole: "_Scattered", table: AssessmentTable) -> pa.Array:
        advice = table.advice
        if not len(advice):
            return whole.empty(_ADVICE)
        size = np.bincount(advice.row, minlength=len(table))
        place = self._level_at[advice.rule]
        named = place >= 0
        code = np.where(named, advice.measured, 0).astype(np.intp)
        told = pa.StructArray.from_arrays(
            [
                self._rules.take(_array(advice.rule)),
                _array(advice.measured, ~named),
                self._levels.take(_array(place + code, named)),
                _array(advice.expected, ~(named | np.isnan(advice.expected))),
                _array(advice.standard_deviations, ~np.isnan(advice.standard_deviations)),
                _array(advice.first.astype(np.int32)),
                _array(advice.last.astype(np.int32)),
            ],
            fields=list(_ADVICE),
        )
        return whole.lists(size, told)


class _Scattered:
    """Spreads what is known of the students admitted over all students."""

    def __init__(self, students: int, at: Positions) -> None:
        self.students = students
        self._at = at
        self._all = len(at) == students

    def fill(self, values: NDArray[np.int8], other: np.int8) -> NDArray[np.int8]:
        """Return (students,) values, `other` for those who were refused."""
        if self._all:
            return values
        spread = np.full(self.students, other, values.dtype)
        spread[self._at] = values
        return spread

    def array(
        self, values: NDArray[np.generic], known: NDArray[np.bool_] | None = None
    ) -> pa.Array:
        """Return (students,) values, null unless known."""
        if self._all:
            return _array(values, known)
        spread = np.zeros(self.students, values.dtype)
        there = np.zeros(self.students, np.bool_)
        spread[self._at] = values
        there[self._at] = True if known is None else known
        return _array(spread, there)

    def empty(self, kind: pa.DataType) -> pa.Array:
        """Return (students,) empty lists."""
        return _empty_lists(self.students, kind)

    def lists(self, sizes: NDArray[np.integer], values: pa.Array) -> pa.Array:
        """Return (students,) lists of these sizes, which follow each other; empty ones else."""
        spread = np.zeros(self.students + 1, np.int32)
        if self._all:
            np.cumsum(sizes, out=spread[1:])
        else:
            spread[self._at + 1] = sizes
            np.cumsum(spread, out=spread)
        buffers, kind = [None, pa.py_buffer(spread)], pa.list_(values.type)
        return pa.Array.from_buffers(kind, self.students, buffers, 0, children=[values])


_TYPES = {
    np.dtype(kind): pa.from_numpy_dtype(kind) for kind in (np.int8, np.int32, np.int64, np.float64)
}


def _array(values: NDArray[np.generic], known: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return numbers as they lie in memory, null unless known: `pa.array` looks at much more."""
    valid: pa.Buffer | None = None
    missing = 0
    if known is not None and (missing := len(known) - int(np.count_nonzero(known))):
        valid = pa.py_buffer(np.packbits(known, bitorder="little"))
    buffers = [valid, pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(_TYPES[values.dtype], len(values), buffers, missing)


def _coded(codes: pa.Array, names: pa.Array) -> pa.Array:
    """Return names by their positions, which are ours and need not be checked."""
    return pa.DictionaryArray.from_arrays(codes, names, safe=False)


@lru_cache(maxsize=16)
def _empty_lists(students: int, kind: pa.DataType) -> pa.Array:
    nothing = pa.array(np.zeros(students + 1, np.int32))
    return pa.ListArray.from_arrays(nothing, pa.array([], kind), pa.list_(kind))


@lru_cache(maxsize=8)
def _nulls(students: int) -> pa.Array:
    return pa.nulls(students, pa.float64())


def _errors(faults: Sequence[Fault], first: int, students: int) -> pa.Array:
    of: defaultdict[int | None, list[dict[str, str | None]]] = defaultdict(list)
    for fault in faults:
        of[fault.row].append({"field": fault.field, "code": fault.code, "message": fault.message})
    return pa.array([of.get(row, []) for row in range(first, first + students)], pa.list_(_ERROR))


def _nothing(admission: StudentBatch, subjects: int) -> AssessmentTable:
    """Return an empty assessment table."""
    whole = np.empty(0, np.intp)
    return AssessmentTable(
        status=np.empty(0, np.int8),
        period=np.empty(0, np.int32),
        risk=np.empty(0),
        tier=np.empty(0, np.int8),
        since=whole,
        trajectory=np.empty((0, admission.values.shape[1])),
        forecast=np.empty((0, subjects)),
        low=np.empty((0, subjects)),
        high=np.empty((0, subjects)),
        observed_periods=whole,
        observed_share=np.empty(0),
        outliers=OutlierCells(whole, whole, whole),
        advice=AdviceTable.empty(),
    )
