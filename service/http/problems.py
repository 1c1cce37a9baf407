"""One shape for every error of every route: RFC 9457 problem details.

`{"type", "title", "status", "detail", "errors": [{"row", "field", "code", "message"}]}`, sent as
`application/problem+json`. No message contains a student's value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

import msgspec
from pydantic import Field

from records.errors import Fault

MEDIA_TYPE = "application/problem+json"
NAMESPACE = "urn:bellwether:problem:"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem.

    Attributes:
        code: Last part of its `type`.
        status: HTTP status that it comes with.
        title: What it is, the same for every occurrence.
    """

    code: str
    status: int
    title: str


MALFORMED = ProblemType("malformed-json", 400, "The body is not valid JSON")
BAD_REQUEST = ProblemType("bad-request", 400, "The request cannot be understood")
TABLE = ProblemType("malformed-table", 400, "The body is not a table that can be read")
UNAUTHORIZED = ProblemType("unauthorized", 401, "The request has no token that works")
FORBIDDEN = ProblemType("forbidden", 403, "The token is for something else")
NOT_FOUND = ProblemType("not-found", 404, "There is nothing at this path")
METHOD = ProblemType("method-not-allowed", 405, "The path does not take this method")
NOT_ACCEPTABLE = ProblemType(
    "not-acceptable", 406, "The answer cannot be written as the request wants it"
)
SLOW = ProblemType("request-timeout", 408, "The request did not arrive in time")
TOO_LARGE = ProblemType("body-too-large", 413, "The body is larger than the service takes")
MEDIA = ProblemType("unsupported-media-type", 415, "The body is in no format that this path takes")
HEAD_TOO_LARGE = ProblemType(
    "head-too-large", 431, "The request's head is larger than the service takes"
)
INVALID = ProblemType("invalid-request", 422, "The request does not have the expected shape")
STUDENTS = ProblemType("invalid-students", 422, "No student of the request can be scored")
BUSY = ProblemType("too-busy", 429, "The service has more to do than it can")
INTERNAL = ProblemType("internal-error", 500, "The service failed")
NOT_READY = ProblemType("not-ready", 503, "The service is not ready")
TIMEOUT = ProblemType("timeout", 504, "The service took too long")

TYPES = (
    *(MALFORMED, BAD_REQUEST, TABLE, NOT_FOUND, METHOD, NOT_ACCEPTABLE, SLOW, TOO_LARGE, MEDIA),
    *(
        UNAUTHORIZED,
        FORBIDDEN,
        HEAD_TOO_LARGE,
        INVALID,
        STUDENTS,
        BUSY,
        INTERNAL,
        NOT_READY,
        TIMEOUT,
    ),
)


@dataclass(frozen=True, slots=True)
class ProblemDetails:
    """The body of every error answer (RFC 9457)."""

    type: Annotated[
        str,
        Field(description="URN of the kind of problem.", examples=[NAMESPACE + "invalid-students"]),
    ]
    title: Annotated[str, Field(description="What kind it is, in words.")]
    status: Annotated[int, Field(description="The HTTP status.", examples=[422])]
    detail: Annotated[str, Field(description="What happened this time and what to do.")]
    errors: Annotated[
        list[Fault],
        Field(description="What is wrong where; empty where there is nothing more to say."),
    ]


class RequestError(Exception):
    """A request that is answered with a problem.

    Args:
        problem: What kind it is.
        detail: What happened this time and what to do.
        errors: What is wrong where.
        headers: Headers to send besides the content type, such as `Allow`.
        status: HTTP status, where it differs from the problem's.
    """

    def __init__(
        self,
        problem: ProblemType,
        detail: str,
        errors: Sequence[Fault] = (),
        headers: Sequence[tuple[bytes, bytes]] = (),
        status: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = problem.status if status is None else status
        self.headers = tuple(headers)
        self.details = ProblemDetails(
            type=NAMESPACE + problem.code,
            title=problem.title,
            status=self.status,
            detail=detail,
            errors=list(errors),
        )

    def body(self) -> bytes:
        """Return the problem as JSON."""
        return msgspec.json.encode(self.details)


def refuse_field(field_name: str, code: str, message: str) -> RequestError:
    """Refuse a request for one of its own fields, beside the students."""
    return RequestError(INVALID, message, [Fault(None, field_name, code, message)])


def stock_problem(status: int, body: bytes) -> RequestError:
    """Put an error answer of BentoML or Starlette into the one shape.

    Of its body only two things are taken over: a problem of ours that BentoML relays, and the
    place and reason of pydantic's faults. Other text is replaced: its content is unchecked.

    Args:
        status: Its HTTP status, at least 400.
        body: Its body, JSON or text.
    """
    default = INTERNAL if status >= HTTPStatus.INTERNAL_SERVER_ERROR else BAD_REQUEST
    kind = _BY_STATUS.get(status, default)
    if relayed := _relayed(body):
        return RequestError(kind, relayed.detail, relayed.errors, status=status)
    detail = _STOCK_DETAIL.get(kind, kind.title + ".")
    return RequestError(kind, detail, _faults_in(body), status=status)


_BY_STATUS = {
    kind.status: kind
    for kind in (
        *(BAD_REQUEST, NOT_FOUND, METHOD, SLOW, TOO_LARGE, MEDIA),
        *(STUDENTS, BUSY, INTERNAL, NOT_READY, TIMEOUT),
    )
}
_STOCK_DETAIL = {
    INTERNAL: "The request failed through no fault of yours; the server's log says where.",
    NOT_READY: "The service cannot answer yet; ask again in a moment.",
    BUSY: "Try again in a moment.",
}


def _relayed(body: bytes) -> ProblemDetails | None:
    """Return our own problem out of BentoML's `[{"error": "<message of the exception>"}]`."""
    try:
        [stock] = msgspec.json.decode(body, type=list[_StockMessage])
        return msgspec.json.decode(stock.error, type=ProblemDetails)
    except (msgspec.DecodeError, ValueError):
        return None


def _faults_in(body: bytes) -> list[Fault]:
    try:
        stock = msgspec.json.decode(body, type=_StockFaults)
    except msgspec.DecodeError:
        return []
    return [
        Fault(None, ".".join(map(str, fault.loc)), fault.type, fault.msg) for fault in stock.detail
    ]


class _StockMessage(msgspec.Struct):
    error: str


class _StockFault(msgspec.Struct):
    loc: list[str | int]
    type: str
    msg: str


class _StockFaults(msgspec.Struct):
    detail: list[_StockFault]
