"""The part of the OpenAPI description that is about what-if."""

from typing import Any

import msgspec

from explain.what_if.types import MOST_PERIODS
from records.contract import Contract, Kind
from service.explain.what_if_reader import MOST_FUTURES
from service.openapi.errors import error_references
from service.responder import Responder

_REF = "#/components/schemas/{model}"
_DESCRIPTION = """\
Future periods are appended to one student's record, and the model is asked what it would then
estimate. Only actionable features can be changed; everything else goes on as it did. The estimates
are no promises and no statements of causes."""


def describe_what_if(responder: Responder, tag: str) -> dict[str, Any]:
    """Describe `POST /what-if`, with an example that the model answered."""
    answer = responder.what_if.sample_answer
    example = {} if answer is None else {"example": msgspec.json.decode(answer)}
    return {
        "operationId": "what_if",
        "tags": [tag],
        "summary": "Ask what the model would estimate in several futures of one student",
        "description": _DESCRIPTION,
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": _REF.format(model="WhatIfRequest")},
                    "example": responder.what_if.sample_request,
                }
            },
        },
        "responses": {
            "200": {
                "description": "The student was assessed, and the futures were estimated.",
                "content": {
                    "application/json": {
                        "schema": {"$ref": _REF.format(model="WhatIfAnswer")},
                        **example,
                    }
                },
            },
            **error_references(400, 405, 408, 413, 415, 422, 429, 500),
        },
    }


def what_if_schemas(contract: Contract) -> dict[str, Any]:
    """Return the schemas of a `what-if` request."""
    return {
        "WhatIfRequest": {
            "type": "object",
            "required": ["student"],
            "additionalProperties": False,
            "properties": {
                "student": {"$ref": _REF.format(model="Student")},
                "periods": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MOST_PERIODS,
                    "default": 2,
                    "description": f"How many {contract.periods.name}s to append; fewer where the "
                    "record ends before.",
                },
                "futures": {
                    "type": ["array", "null"],
                    "maxItems": MOST_FUTURES,
                    "items": {"$ref": _REF.format(model="Future")},
                    "description": "Futures to ask about; all presets that apply where it is "
                    "absent.",
                },
                "recourse": {
                    "type": "boolean",
                    "default": True,
                    "description": "Whether to look for the smallest sufficient change.",
                },
                "below": {
                    "type": ["number", "null"],
                    "exclusiveMinimum": 0,
                    "exclusiveMaximum": 1,
                    "description": "The bound for it; that of the present tier where it is absent.",
                },
                "reference": {
                    "description": "As in `score`, but for `batch`.",
                    "default": "bundle",
                    "anyOf": [
                        {"type": "string", "enum": ["bundle", "sent"]},
                        {"$ref": _REF.format(model="RelativeReference")},
                    ],
                },
            },
        },
        "Future": {
            "type": "object",
            "additionalProperties": False,
            "description": "Either a preset or changes.",
            "properties": {
                "preset": {
                    "type": ["string", "null"],
                    "enum": ["as_last_three", "typical", "hand_in", None],
                },
                "name": {"type": "string", "maxLength": 100, "description": "Comes back."},
                "changes": {
                    "type": ["object", "null"],
                    "additionalProperties": False,
                    "description": "Feature -> value from the next period on.",
                    "properties": {
                        feature.name: {
                            "type": _TYPES.get(feature.kind, "string"),
                            "title": feature.label,
                        }
                        for feature in contract.features
                        if feature.actionable
                    },
                },
            },
        },
    }


_TYPES = {Kind.NUMERIC: "number", Kind.FLAG: "boolean"}
