"""Read the body of a `score` request: bytes -> a batch of students, or one precise error.

A valid body is decoded in one pass of compiled code. Only if that fails is the body read again,
tolerantly, so that the response names the student and the field at fault while the other students
are still scored.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, get_args

import msgspec

from explain.reasons.types import View
from records.errors import Fault
from records.suggest import similar_name
from scoring.students.faults import FAULTS_PER_ROW, field_name
from scoring.students.intake import Intake, LazyStudent, StudentBatch
from scoring.students.relatives import Relatives
from service.http.problems import INVALID, MALFORMED, RequestError, refuse_field
from service.rows.reference import KEPT, refer

# Whether a response holds this part; true by default.
OPTIONS = ("recommendations", "forecast")
FIELDS = ("students", *OPTIONS, "reference", "reasons", "estimates")
VIEWS: tuple[View, ...] = get_args(View)
# Longer whole numbers fit no feature, and `int` takes quadratic time over their digits.
_LONGEST_INTEGER = 400

# Students whose reasons one request may ask for.
MOST_STUDENTS = 100


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """A `score` request.

    Attributes:
        students: The valid students, and what is wrong with the others.
        recommendations: Whether recommendations are requested.
        forecast: Whether the forecast of the next score is requested.
        reasons: Which view of the reasons is wanted; None for none.
        estimates: Whether estimates beside recommendations are wanted.
    """

    students: StudentBatch | LazyStudent
    recommendations: bool = True
    forecast: bool = True
    reasons: View | None = None
    estimates: bool = False

    @property
    def is_explained(self) -> bool:
        """Whether the model is asked about more than the student's own record."""
        return self.estimates or self.reasons is not None


class RequestReader:
    """Reads `score` requests for one contract.

    Args:
        intake: Reads students.
        max_students: The most that one request may hold.
        relatives: Fills relative features in; None where the contract has none.
    """

    def __init__(
        self, intake: Intake, max_students: int, relatives: Relatives | None = None
    ) -> None:
        self._intake = intake
        self._relatives = relatives
        self._max_students = max_students
        body_type = msgspec.defstruct(
            "Body",
            [
                ("students", list[intake.student_type]),  # type: ignore[name-defined]
                *((option, bool, True) for option in OPTIONS),
                ("reference", str | dict[str, Any], KEPT),
                ("reasons", bool | Literal["level", "change"], False),
                ("estimates", bool, False),
            ],
            forbid_unknown_fields=True,
            gc=False,
        )
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(body_type)

    def read(self, body: bytes) -> ScoreRequest:
        """Read a JSON body.

        Raises:
            RequestError: The request as a whole cannot be read: no JSON, not the expected shape,
                no student, too many.
        """
        try:
            request = self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._read_tolerantly(body)
        self._check_number(request.students)
        if request.reference == KEPT:
            students = self._intake.parse(request.students)
        else:
            collected = self._intake.collect(request.students)
            students = refer(collected, request.reference, self._relatives)
        reasons = _view(request.reasons)
        found = ScoreRequest(
            students, request.recommendations, request.forecast, reasons, request.estimates
        )
        _check_explained(found, len(request.students))
        return found

    def admit(  # noqa: PLR0917 - fields of a request
        self,
        students: object,
        recommendations: object = True,
        forecast: object = True,
        reference: object = KEPT,
        reasons: object = False,
        estimates: object = False,
    ) -> ScoreRequest:
        """Read a request whose fields are already JSON-like Python objects.

        Raises:
            RequestError: As `read`.
        """
        if not isinstance(students, list | tuple):
            message = "`students` must be a list with one object per student."
            raise refuse_field("students", "wrong_type", message)
        has_advice, has_forecast = (
            _boolean(name, value)
            for name, value in zip(OPTIONS, (recommendations, forecast), strict=True)
        )
        self._check_number(students)
        view, has_estimates = _view(reasons), _boolean("estimates", estimates)
        admitted = refer(self._intake.read(students), reference, self._relatives)
        found = ScoreRequest(admitted, has_advice, has_forecast, view, has_estimates)
        _check_explained(found, len(students))
        return found

    def _read_tolerantly(self, body: bytes) -> ScoreRequest:
        request = parse_json(body)
        if not isinstance(request, dict):
            message = "The body must be an object with `students`."
            raise RequestError(INVALID, message, [Fault(None, None, "wrong_type", message)])
        strange = islice((key for key in request if key not in FIELDS), FAULTS_PER_ROW)
        if unknown := [_unknown_field(key) for key in strange]:
            raise RequestError(INVALID, unknown[0].message, unknown)
        if "students" not in request:
            message = "`students` is missing: a list with one object per student."
            raise refuse_field("students", "missing_field", message)
        recommendations, forecast = (request.get(option, True) for option in OPTIONS)
        reference = request.get("reference", KEPT)
        reasons = request.get("reasons", False)
        estimates = request.get("estimates", False)
        return self.admit(
            request["students"], recommendations, forecast, reference, reasons, estimates
        )

    def _check_number(self, students: Sequence[object]) -> None:
        if not students:
            message = "`students` is empty: send at least one student."
            raise refuse_field("students", "empty_list", message)
        if len(students) > self._max_students:
            message = (
                f"`students` holds {len(students):,}; one request takes {self._max_students:,}. "
                "Send the rest in further requests."
            )
            raise refuse_field("students", "too_many_students", message)


def parse_json(body: bytes) -> Any:
    """Parse JSON, NaN and infinity included, so that the student with such a value can be named.

    Raises:
        RequestError: It is not JSON even so; the detail names the byte.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"it is not UTF-8 at byte {error.start}") from None
    try:
        return json.loads(text, parse_int=_whole_number)
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode())
        reason = error.msg.removesuffix(" at")
        raise _malformed(f"{reason[:1].lower()}{reason[1:]} at byte {offset}") from None
    except RecursionError:
        raise _malformed("it is nested too deeply") from None


def _whole_number(digits: str) -> float:
    if len(digits) <= _LONGEST_INTEGER:
        return int(digits)
    return -math.inf if digits.startswith("-") else math.inf


def _malformed(reason: str) -> RequestError:
    message = f"The body cannot be read as JSON: {reason}."
    return RequestError(MALFORMED, message, [Fault(None, None, "malformed_json", message)])


def _boolean(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise refuse_field(name, "wrong_type", f"`{name}` must be true or false.")
    return value


def _check_explained(request: ScoreRequest, students: int) -> None:
    if request.is_explained and students > MOST_STUDENTS:
        field = "estimates" if request.reasons is None else "reasons"
        message = (
            f"`students` holds {students:,}; `{field}` is answered for {MOST_STUDENTS} at once. "
            "Send the rest in further requests."
        )
        raise refuse_field(field, "too_many_students", message)


def _view(reasons: object) -> View | None:
    """Return the view of the reasons that a request asks for; None for none."""
    if reasons is False:
        return None
    if reasons not in (True, *VIEWS) or (isinstance(reasons, int | float) and reasons is not True):
        message = "`reasons` must be true, false, 'level' or 'change'."
        raise refuse_field("reasons", "wrong_type", message)
    return "change" if reasons == "change" else "level"


def _unknown_field(key: object) -> Fault:
    name = field_name(key)
    close = similar_name(name, FIELDS)
    known = ", ".join(f"`{one}`" for one in FIELDS)
    advice = f"did you mean `{close}`?" if close else f"valid fields are {known}."
    return Fault(None, name, "unknown_field", f"`{name}` is no field of a request; {advice}")
