"""Columnar JSON: the arrays of a cohort as JSON lists, decoded and encoded in compiled code.

A request is `{"id": […], "lengths": […], "period": […], "features": {"<feature>": […], …}}`: ids
and lengths by student; periods and features by row, one student's rows after another's. `lengths`
says how many rows each student has. Without `period`, they count from 1. A feature that is null is
missing, and so is all of a column that is absent. `reference` says, as in a `score` request, what
relative features that are missing are computed from.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from records.contract import Contract, Feature, Kind
from scoring.answer_table import REFUSED, rule_levels
from scoring.columns import FeatureColumn, StudentColumns, admit, beyond
from scoring.intake import Admission, Intake
from scoring.measures import Positions
from scoring.policy import Policy
from scoring.relatives import Relatives
from scoring.row_faults import ID_LENGTH, field_name, is_text
from scoring.table import BUNDLE, ORIGINS, STATUSES, AssessmentTable
from service.problems import INVALID, ErrorItem, RequestError, error_items, refuse_field
from service.reference import KEPT, refer
from service.request import parse_json

_LISTS = ("id", "lengths", "period")
_FIELDS = (*_LISTS, "features", "reference")


class ColumnarReader:
    """Reads columnar JSON of one contract.

    Args:
        contract: What a record holds.
        max_students: The most that one request may carry.
        relatives: Fills relative features in; None where the contract has none.
    """

    def __init__(
        self, contract: Contract, max_students: int, relatives: Relatives | None = None
    ) -> None:
        self._contract = contract
        self._relatives = relatives
        self._max_students = max_students
        self._intake = Intake(contract)
        features = msgspec.defstruct(
            "Features",
            [
                (it.name, list[_type_of(it)] | None, None)  # type: ignore[misc]
                for it in contract.features
            ],
            forbid_unknown_fields=True,
            gc=False,
        )
        name = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_LENGTH)]
        body_type = msgspec.defstruct(
            "Columns",
            [
                ("id", list[name]),
                ("lengths", list[Annotated[int, msgspec.Meta(ge=0, le=2**31)]]),
                ("features", features),
                ("period", list[Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31)]] | None, None),
                ("reference", str | dict[str, Any], KEPT),
            ],
            forbid_unknown_fields=True,
            gc=False,
        )
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(body_type)

    def read(self, body: bytes) -> tuple[list[str | None], Admission]:
        """Read a body: the ids of all students, and what can be scored.

        Raises:
            RequestError: No JSON, not the expected shape, no student, too many.
        """
        try:
            columns = self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._read_tolerantly(body)
        if not all(map(is_text, columns.id)):
            return self._read_tolerantly(body)
        rows = sum(columns.lengths)
        named = {it.name: getattr(columns.features, it.name) for it in self._contract.features}
        self._check_shape(columns.id, columns.lengths, columns.period, named)
        sizes = np.array(columns.lengths, np.intp)
        if columns.period is None:
            period = np.arange(1, rows + 1) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        else:
            period = np.array(columns.period, np.int64)
        students = StudentColumns(
            ids=columns.id,
            known=np.ones(len(sizes), np.bool_),
            sizes=sizes,
            period=period,
            features=[
                None if named[it.name] is None else _column(it, named[it.name])
                for it in self._contract.features
            ],
            student=_writer(columns.id, columns.lengths, period, named),
        )
        admission = admit(self._contract, students)
        return columns.id, refer(admission, columns.reference, self._relatives)

    def _read_tolerantly(self, body: bytes) -> tuple[list[str | None], Admission]:
        request = parse_json(body)
        self._check_fields(request)
        ids, lengths, period = request["id"], request["lengths"], request.get("period")
        features = request["features"]
        self._check_shape(ids, lengths, period, features)
        write = _writer(ids, lengths, period, features)
        names = [one if isinstance(one, str) and is_text(one) else None for one in ids]
        admission = self._intake.read(write(at) for at in range(len(ids)))
        return names, refer(admission, request.get("reference", KEPT), self._relatives)

    def _check_fields(self, request: Any) -> None:
        """Refuse a document that has not the lists that it should."""
        if not isinstance(request, dict):
            message = "The body must be an object with `id`, `lengths` and `features`."
            raise RequestError(INVALID, message, [ErrorItem(None, None, "wrong_type", message)])
        for key in ("id", "lengths", "features"):
            if key not in request:
                raise refuse_field(key, "missing_field", f"`{key}` is missing.")
        if not isinstance(request["features"], dict):
            raise refuse_field("features", "wrong_type", "`features` must be an object of lists.")
        known = ", ".join(f"`{name}`" for name in _FIELDS)
        _check_known(request, _FIELDS, "", f"Known are {known}.")
        names = f"The contract '{self._contract.name}' names the features there are."
        _check_known(request["features"], self._contract.feature_names, "features.", names)
        columns = {f"features.{name}": column for name, column in request["features"].items()}
        lists = {name: request[name] for name in _LISTS if name in request}
        for key, column in {**lists, **columns}.items():
            optional = key == "period" or key in columns
            if not isinstance(column, list) and (column or not optional):
                raise refuse_field(key, "wrong_type", f"`{key}` must be a list.")
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in request["lengths"]):
            message = "`lengths` must hold whole numbers, the rows of each student."
            raise refuse_field("lengths", "wrong_type", message)

    def _check_shape(
        self,
        ids: Sequence[object],
        lengths: Sequence[int],
        period: Sequence[object] | None,
        features: Mapping[str, Sequence[object] | None],
    ) -> None:
        if not ids:
            raise refuse_field("id", "empty_list", "`id` is empty: send at least one student.")
        if len(ids) > self._max_students:
            message = (
                f"`id` holds {len(ids):,}; one request of JSON takes {self._max_students:,}. "
                "Send Arrow, Parquet or CSV, or the rest in further requests."
            )
            raise refuse_field("id", "too_many_students", message)
        if len(lengths) != len(ids):
            raise refuse_field("lengths", "wrong_length", "`lengths` must be as long as `id`.")
        rows = sum(lengths)
        columns = {"period": period, **{f"features.{k}": v for k, v in features.items()}}
        for name, column in columns.items():
            if column is not None and len(column) != rows:
                message = f"`{name}` must hold one entry a row, as many as `lengths` add up to."
                raise refuse_field(name, "wrong_length", message)


def slices_of(
    ids: Sequence[str | None], admission: Admission, students: int
) -> Iterator[tuple[Sequence[str | None], Admission]]:
    """Cut what was read into slices of `students`, refused ones included; positions stay.

    Args:
        ids: Of all students.
        admission: Which of them were admitted, and why the others were not.
        students: Most of one slice.
    """
    if len(ids) <= students:
        yield ids, admission
        return
    edges = range(0, len(ids), students)
    places = np.searchsorted(admission.rows, [*edges, len(ids)]).tolist()
    faults = iter(admission.faults)
    fault = next(faults, None)
    for start, begin, end in zip(edges, places, places[1:], strict=False):
        ours = []
        while fault is not None and fault.row < start + students:
            ours.append(fault)
            fault = next(faults, None)
        part = replace(
            admission,
            rows=admission.rows[begin:end],
            ids=admission.ids[begin:end],
            values=admission.values[begin:end],
            lengths=admission.lengths[begin:end],
            faults=ours,
            reference=None if admission.reference is None else admission.reference[begin:end],
        )
        yield ids[start : start + students], part


def _check_known(
    found: Mapping[str, object], known: Sequence[str], where: str, message: str
) -> None:
    for key in found:
        if key not in known:
            raise refuse_field(where + field_name(key), "unknown_field", message)


def _type_of(feature: Feature) -> Any:
    if feature.levels:
        return Literal[feature.levels] | None
    return bool | None if feature.kind is Kind.FLAG else float | None


def _column(feature: Feature, cells: list[Any]) -> FeatureColumn:
    if feature.levels:
        position: dict[str | None, float] = {None: np.nan}
        position |= {level: float(at) for at, level in enumerate(feature.levels)}
        cells = list(map(position.__getitem__, cells))
    values = np.array(cells, np.float64)  # None becomes NaN
    return FeatureColumn(values, beyond(feature, values))


def _writer(
    ids: Sequence[object],
    lengths: Sequence[int],
    period: Sequence[object] | NDArray[np.int64] | None,
    features: Mapping[str, Sequence[object] | None],
) -> Callable[[int], object]:
    """Return what writes one student as `score` takes them."""
    ends = list(accumulate(lengths))

    def student(at: int) -> object:
        start = ends[at] - lengths[at]
        rows = []
        for row in range(start, ends[at]):
            number = row - start + 1 if period is None else period[row]
            number = int(number) if isinstance(number, np.integer) else number
            cells = {name: column[row] for name, column in features.items() if column is not None}
            rows.append({"period": number, **cells})
        return {"id": ids[at], "periods": rows}

    return student


class ColumnarAnswers:
    """Writes assessments as columns of JSON.

    Args:
        contract: Names features and subjects.
        policy: Names tiers and rules.
    """

    def __init__(self, contract: Contract, policy: Policy) -> None:
        self._features = contract.feature_names
        self._subjects = contract.targets.score.subjects
        # By position; -1, which stands for none, reaches the last.
        self._tiers = [*(tier.name for tier in policy.tiers), None]
        self._rules = [rule.id for rule in policy.rules]
        self._levels = rule_levels(contract, policy)

    def columns(
        self,
        ids: Sequence[str | None],
        admission: Admission,
        table: AssessmentTable | None,
        first: int = 0,
    ) -> dict[str, Any]:
        """Write one slice, given as to `AnswerTables.batch`; `merge` joins slices."""
        students = len(ids)
        rows = (admission.rows - first).tolist()
        everyone = len(rows) == students

        def spread(values: Sequence[Any], other: Any = None) -> list[Any]:
            if everyone:
                return list(values)
            full = [other] * students
            for row, value in zip(rows, values, strict=True):
                full[row] = value
            return full

        told = {} if table is None else self._told(table)
        none = np.empty((0, len(self._subjects)))
        parts = (none, none, none) if table is None else (table.forecast, table.low, table.high)
        return {
            "id": list(ids),
            **{name: spread(told.get(name, []), other) for name, other in _OTHERWISE.items()},
            **{
                part: {
                    name: spread(values)
                    for name, values in zip(self._subjects, told_of.T.tolist(), strict=True)
                }
                for part, told_of in zip(("forecast", "low", "high"), parts, strict=True)
            },
            **self._found(table, admission.rows),
            "errors": error_items(admission.faults),
        }

    def _told(self, table: AssessmentTable) -> dict[str, list[Any]]:
        """Write what there is one of for each student admitted; NaN becomes null."""
        sizes = np.where(table.tier >= 0, table.period, 0).tolist()
        return {
            "status": [STATUSES[one] for one in table.status.tolist()],
            "period": table.period.tolist(),
            "risk": table.risk.tolist(),
            "tier": [self._tiers[one] for one in table.tier.tolist()],
            "since": [one or None for one in table.since.tolist()],
            "trajectory": [
                risks[:size] for risks, size in zip(table.trajectory.tolist(), sizes, strict=True)
            ],
            "observed_periods": table.observed_periods.tolist(),
            "observed_share": table.observed_share.tolist(),
            "reference": [ORIGINS[BUNDLE]] * len(table)
            if table.reference is None
            else [ORIGINS[one] for one in table.reference.tolist()],
        }

    def _found(self, table: AssessmentTable | None, rows: Positions) -> dict[str, Any]:
        """Write outlying values and recommendations, `row` saying whose they are."""
        if table is None:
            return {
                "outlying": {name: [] for name in _OUTLYING},
                "recommendations": {name: [] for name in _ADVICE},
            }
        cells, advice = table.outlying, table.advice
        rules, measured = advice.rule.tolist(), advice.measured.tolist()
        named = [self._levels[rule] for rule in rules]
        return {
            "outlying": {
                "row": rows[cells.row].tolist(),
                "period": cells.period.tolist(),
                "feature": [self._features[one] for one in cells.feature.tolist()],
            },
            "recommendations": {
                "row": rows[advice.row].tolist(),
                "rule": [self._rules[one] for one in rules],
                "measured": [
                    None if names else one for names, one in zip(named, measured, strict=True)
                ],
                "level": [
                    names[int(one)] if names else None
                    for names, one in zip(named, measured, strict=True)
                ],
                "expected": [
                    None if names else one
                    for names, one in zip(named, advice.expected.tolist(), strict=True)
                ],
                "spreads": advice.spreads.tolist(),
                "first_period": advice.first.tolist(),
                "last_period": advice.last.tolist(),
            },
        }


# What is said of each student, and what stands there for one who was refused.
_OTHERWISE: dict[str, Any] = {
    "status": REFUSED,
    **dict.fromkeys(("period", "risk", "tier", "since")),
    "trajectory": [],
    **dict.fromkeys(("observed_periods", "observed_share", "reference")),
}
_OUTLYING = ("row", "period", "feature")
_ADVICE = (
    *("row", "rule", "measured", "level", "expected", "spreads"),
    *("first_period", "last_period"),
)


def merge(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Append the columns of a further slice."""
    for name, column in part.items():
        if isinstance(column, dict):
            merge(whole[name], column)
        else:
            whole[name] += column
