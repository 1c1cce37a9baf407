"""The error answers of the OpenAPI description: one shape, an example of each."""

from typing import Any

import msgspec

from records.errors import Fault
from service.http.problems import (
    BUSY,
    FORBIDDEN,
    INTERNAL,
    INVALID,
    MALFORMED,
    MEDIA,
    MEDIA_TYPE,
    METHOD,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    NOT_READY,
    SLOW,
    STUDENTS,
    TOO_LARGE,
    UNAUTHORIZED,
    RequestError,
)

_TWICE = Fault(
    row=0,
    field="periods[2].period",
    code="duplicate_period",
    message="The period occurs twice; send each period once.",
)
_MALFORMED = "The body cannot be read as JSON: expecting value at byte 59."
_EMPTY = "`students` is empty: send at least one student."

_EXAMPLES: dict[int, dict[str, RequestError]] = {
    400: {
        "malformed": RequestError(
            MALFORMED, _MALFORMED, [Fault(None, None, "malformed_json", _MALFORMED)]
        )
    },
    401: {"token": RequestError(UNAUTHORIZED, "Send `Authorization: Bearer <token>`.")},
    403: {
        "scope": RequestError(FORBIDDEN, "The token is not for this; it needs the scope `score`.")
    },
    404: {"path": RequestError(NOT_FOUND, "This service answers /score, /contract, …")},
    405: {"method": RequestError(METHOD, "This path takes POST.")},
    406: {"accept": RequestError(NOT_ACCEPTABLE, "Accept one of text/csv, application/json, …")},
    408: {"slow": RequestError(SLOW, "The body must arrive within 30 seconds. …")},
    413: {"large": RequestError(TOO_LARGE, "The body may hold 8,388,608 bytes. …")},
    415: {"media": RequestError(MEDIA, "Send the body as `application/json`.")},
    422: {
        "students": RequestError(
            STUDENTS,
            "None of the students can be scored; each error names what to correct.",
            [_TWICE],
        ),
        "request": RequestError(INVALID, _EMPTY, [Fault(None, "students", "empty_list", _EMPTY)]),
    },
    429: {
        "busy": RequestError(BUSY, "More is being asked than can be answered. Try again in 1 s.")
    },
    500: {"fault": RequestError(INTERNAL, "The request failed through no fault of yours; …")},
    503: {"loading": RequestError(NOT_READY, "The model is not loaded yet; …")},
}
_NAMES = {
    400: "Malformed",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    408: "RequestTimeout",
    413: "TooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooBusy",
    500: "InternalError",
    503: "NotReady",
}


def _response(examples: dict[str, RequestError]) -> dict[str, Any]:
    titles = {name: refusal.details.title for name, refusal in examples.items()}
    return {
        "description": ", or: ".join(titles.values()) + ".",
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/ProblemDetails"},
                "examples": {
                    name: {"summary": titles[name], "value": msgspec.to_builtins(refusal.details)}
                    for name, refusal in examples.items()
                },
            }
        },
    }


ERROR_RESPONSES: dict[str, Any] = {
    _NAMES[status]: _response(examples) for status, examples in _EXAMPLES.items()
}


def error_references(*statuses: int) -> dict[str, Any]:
    """Return `responses` entries that point at the shared error answers."""
    return {
        str(status): {"$ref": f"#/components/responses/{_NAMES[status]}"} for status in statuses
    }
