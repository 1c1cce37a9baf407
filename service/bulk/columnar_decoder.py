"""Read columnar JSON: the arrays of a cohort as JSON lists, decoded in compiled code.

A request is `{"id": […], "lengths": […], "period": […], "features": {"<feature>": […], …}}`: ids
and lengths by student; periods and features by row, one student's rows after another's. `lengths`
says how many rows each student has. Without `period`, they count from 1. A feature that is null is
missing, and so is all of a column that is absent. `reference` says, as in a `score` request, what
relative features that are missing are computed from.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from records.contract import Contract, Feature, Kind
from records.errors import Fault
from records.tables.layout import FeatureColumn, StudentColumns, beyond
from records.wording import ID_LENGTH
from scoring.steps import Steps
from scoring.students.columns import admit
from scoring.students.faults import field_name, is_text
from scoring.students.intake import Intake, StudentBatch
from scoring.students.relatives import Relatives
from service.http.problems import INVALID, RequestError, refuse_field
from service.rows.decoder import parse_json
from service.rows.reference import KEPT, refer

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

    def read(self, body: bytes) -> Steps[tuple[list[str | None], StudentBatch]]:
        """Read a body, in steps where students are refused: all ids, and what can be scored.

        Raises:
            RequestError: No JSON, not the expected shape, no student, too many.
        """
        try:
            columns = self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return (yield from self._read_tolerantly(body))
        if not _are_texts(columns.id):
            return (yield from self._read_tolerantly(body))
        yield
        rows = sum(columns.lengths)
        named = {it.name: getattr(columns.features, it.name) for it in self._contract.features}
        self._check_shape(columns.id, columns.lengths, columns.period, named)
        sizes = _whole_numbers(columns.lengths)
        if columns.period is None:
            period = np.arange(1, rows + 1) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        else:
            period = _whole_numbers(columns.period)
        students = StudentColumns(
            is_valid=np.ones(len(sizes), np.bool_),
            sizes=sizes,
            period=period,
            features=[
                None if named[it.name] is None else _column(it, named[it.name])
                for it in self._contract.features
            ],
        )
        writer = _writer(columns.id, columns.lengths, period, named)
        admission = yield from admit(self._contract, columns.id, students, writer)
        return columns.id, refer(admission, columns.reference, self._relatives)

    def _read_tolerantly(self, body: bytes) -> Steps[tuple[list[str | None], StudentBatch]]:
        request = parse_json(body)
        self._check_fields(request)
        ids, lengths, period = request["id"], request["lengths"], request.get("period")
        features = request["features"]
        self._check_shape(ids, lengths, period, features)
        write = _writer(ids, lengths, period, features)
        names = [one if isinstance(one, str) and is_text(one) else None for one in ids]
        admission = yield from self._intake.read_in_steps(map(write, range(len(ids))))
        return names, refer(admission, request.get("reference", KEPT), self._relatives)

    def _check_fields(self, request: Any) -> None:
        """Refuse a document that has not the lists that it should."""
        if not isinstance(request, dict):
            message = "The body must be an object with `id`, `lengths` and `features`."
            raise RequestError(INVALID, message, [Fault(None, None, "wrong_type", message)])
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
            if not isinstance(column, list) and (column is not None or not optional):
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
                "Send Arrow or CSV, or the rest in further requests."
            )
            raise refuse_field("id", "too_many_students", message)
        if len(lengths) != len(ids):
            raise refuse_field("lengths", "wrong_length", "`lengths` must be as long as `id`.")
        rows = sum(lengths)
        columns = {"period": period, **{f"features.{k}": v for k, v in features.items()}}
        most = self._contract.periods.maximum
        # Nothing else bounds them then: a few digits could stand for more than memory holds.
        if max(lengths) > most and all(column is None for column in columns.values()):
            message = f"Without `period` and features `lengths` may hold numbers up to {most}."
            raise refuse_field("lengths", "out_of_range", message)
        for name, column in columns.items():
            if column is not None and len(column) != rows:
                message = f"`{name}` must hold one entry a row, as many as `lengths` add up to."
                raise refuse_field(name, "wrong_length", message)


def slices_of(
    ids: Sequence[str | None], admission: StudentBatch, students: int
) -> Iterator[tuple[Sequence[str | None], StudentBatch]]:
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
        while fault is not None and (fault.row or 0) < start + students:
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
    values = _numbers(cells)
    return FeatureColumn(values, beyond(feature, values))


def _are_texts(names: Sequence[str]) -> bool:
    """Tell whether all names can be written as UTF-8; most are ASCII, which one look tells."""
    return "".join(names).isascii() or all(map(is_text, names))


def _whole_numbers(cells: list[int]) -> NDArray[np.int64]:
    return np.frombuffer(struct.pack(f"{len(cells)}q", *cells), np.int64)


def _numbers(cells: list[Any]) -> NDArray[np.float64]:
    """Return numbers as an array, None as NaN."""
    try:  # a third of the time, where none is missing
        return np.frombuffer(struct.pack(f"{len(cells)}d", *cells), np.float64)
    except struct.error:
        return np.array(cells, np.float64)


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
