"""Read the body of a `what-if` request: one student, futures, and what is wrong with them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec

from explain.what_if.futures import FutureRequest
from explain.what_if.types import MOST_PERIODS
from records.arrays import Floats
from records.contract import Contract, Feature, Kind
from records.learnt.relative import Moments
from records.learnt.relative_reference import parse_reference
from scoring.students.intake import Intake
from scoring.students.relatives import Relatives
from service.http.problems import INVALID, STUDENTS, RequestError, refuse_field
from service.rows.decoder import parse_json
from service.rows.reference import KEPT, OWN, refer

MOST_FUTURES: Final = 20
_PLACE = re.compile(r" - at `\$\.?([a-z]*)")


class _Future(msgspec.Struct, forbid_unknown_fields=True):
    preset: Literal["as_last_three", "typical", "hand_in"] | None = None
    name: Annotated[str, msgspec.Meta(max_length=100)] = ""
    changes: dict[str, Any] | None = None


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    student: Any
    periods: Annotated[int, msgspec.Meta(ge=1, le=MOST_PERIODS)] = 2
    futures: Annotated[list[_Future], msgspec.Meta(max_length=MOST_FUTURES)] | None = None
    recourse: bool = True
    below: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None
    reference: str | dict[str, Any] = KEPT


_EXPECTED = {
    "student": "`student` is missing: one object as in `score`.",
    "periods": f"`periods` must be a whole number from 1 to {MOST_PERIODS}.",
    "futures": f"`futures` must be a list of at most {MOST_FUTURES} objects with `preset` "
    "('as_last_three', 'typical' or 'hand_in'), or with `name` and `changes`.",
    "recourse": "`recourse` must be true or false.",
    "below": "`below` must be a number between 0 and 1.",
    "reference": "`reference` must be 'bundle', 'sent' or an object as `bellwether reference` "
    "writes it.",
}


@dataclass(frozen=True, slots=True, eq=False)
class WhatIfQuestion:
    """What a request asks.

    Attributes:
        id: The student's id.
        values: (1, periods, features), relative features filled in.
        length: Periods observed.
        periods: How many periods to append.
        futures: Futures to ask about; None for all presets that apply.
        has_recourse: Whether the smallest sufficient change is wanted.
        below: The bound for it; None for that of the present tier.
        moments: What relative features of the futures are computed from; None for the bundle's.
    """

    id: str
    values: Floats
    length: int
    periods: int
    futures: Sequence[FutureRequest] | None
    has_recourse: bool
    below: float | None
    moments: Moments | None


class WhatIfReader:
    """Reads `what-if` requests for one contract.

    Args:
        intake: Reads students.
        relatives: Fills relative features in; None where the contract has none.
        hidden: Features that are not offered.
    """

    def __init__(self, intake: Intake, relatives: Relatives | None, hidden: Sequence[str]) -> None:
        self._intake = intake
        self._relatives = relatives
        self._contract: Contract = intake.contract
        self._hidden = hidden

    def read(self, body: bytes) -> WhatIfQuestion:
        """Read a JSON body.

        Raises:
            RequestError: It is no JSON or has not the expected shape, or the student is wrong.
        """
        return self.convert(parse_json(body))

    def convert(self, fields: object) -> WhatIfQuestion:
        """Read a body that is a JSON-like Python object already.

        Raises:
            RequestError: As `read`.
        """
        try:
            body = msgspec.convert(fields, _Body)
        except (msgspec.ValidationError, UnicodeEncodeError) as error:
            raise _refusal(str(error)) from None
        students = self._intake.read([body.student])
        if not students.ids:
            detail = "The student cannot be scored; each error names what to correct."
            raise RequestError(STUDENTS, detail, students.faults)
        if body.reference == OWN:
            raise refuse_field("reference", "wrong_value", _EXPECTED["reference"])
        students = refer(students, body.reference, self._relatives)
        values = students.values
        if self._relatives is not None:
            values, _ = self._relatives.complete(values, [students])
        length = int(students.lengths[0])
        if length == self._contract.periods.maximum:
            clock = self._contract.periods.name
            message = (
                f"The record has reached the last {clock} ({length}): none is left to ask about."
            )
            raise refuse_field("student", "no_period_left", message)
        return WhatIfQuestion(
            id=students.ids[0],
            values=values,
            length=length,
            periods=body.periods,
            futures=None if body.futures is None else self._futures(body.futures),
            has_recourse=body.recourse,
            below=body.below,
            moments=self._moments(body.reference),
        )

    def _moments(self, reference: str | dict[str, Any]) -> Moments | None:
        if self._relatives is None or not isinstance(reference, dict):
            return None
        layout = self._relatives.layout
        return parse_reference(reference, layout).moments(layout)

    def _futures(self, futures: Sequence[_Future]) -> list[FutureRequest]:
        found = []
        for at, future in enumerate(futures):
            if (future.preset is None) == (future.changes is None):
                message = f"`futures[{at}]` needs either `preset` or `changes`."
                raise refuse_field("futures", "wrong_type", message)
            name = future.name or future.preset or f"future {at + 1}"
            changes = None if future.changes is None else self._changes(future.changes)
            found.append(FutureRequest(name, future.preset, changes))
        return found

    def _changes(self, changes: Mapping[str, Any]) -> dict[int, float]:
        names = self._contract.feature_names
        found = {}
        for name, value in changes.items():
            known = name in names
            feature = self._contract.feature(name) if known else None
            if feature is None or not feature.actionable or name in self._hidden:
                offered = ", ".join(
                    f.name
                    for f in self._contract.features
                    if f.actionable and f.name not in self._hidden
                )
                message = f"`changes` may name features that can be changed: {offered}."
                code = "not_offered" if known else "unknown_feature"
                raise refuse_field("futures", code, message)
            found[names.index(name)] = _coded(feature, value)
        return found


def _coded(feature: Feature, value: object) -> float:
    """Return a value as arrays hold it."""
    if feature.levels:
        if value in feature.levels:
            return float(feature.levels.index(str(value)))
    elif feature.kind is Kind.FLAG:
        if isinstance(value, bool):
            return float(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if feature.lower_bound <= value <= feature.upper_bound:
            return float(value)
        message = f"`{feature.name}` must be {feature.expected}."
        raise refuse_field("futures", "out_of_range", message)
    message = f"`{feature.name}` must be {feature.expected}."
    raise refuse_field("futures", "wrong_type", message)


def _refusal(reason: str) -> RequestError:
    """Name the field that is at fault; what the decoder says may quote a value."""
    place = _PLACE.search(reason)
    name = place[1] if place else ""
    if name in _EXPECTED:
        return refuse_field(name, "wrong_type", _EXPECTED[name])
    if "required field" in reason:
        return refuse_field("student", "missing_field", _EXPECTED["student"])
    known = ", ".join(f"`{field}`" for field in _EXPECTED)
    if "unknown field" in reason:
        message = f"The request has a field that does not belong to it; known are {known}."
    else:
        message = f"The body must be an object with {known}."
    return RequestError(INVALID, message)
