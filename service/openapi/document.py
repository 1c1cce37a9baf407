"""The OpenAPI 3.1 description, made from the loaded bundle: its features, and real answers."""

from typing import Any

import msgspec
import yaml  # type: ignore[import-untyped]
from pydantic import TypeAdapter

from records.contract import Contract, Feature, Kind
from records.learnt.relative_reference import RelativeReference
from records.wording import ID_LENGTH
from scoring.policy.model import Policy
from service import routes
from service.explain.what_if import WhatIfAnswer
from service.http.problems import ProblemDetails
from service.http.schemas import ModelInfo, ScoreAnswer
from service.openapi.bulk import describe_bulk
from service.openapi.errors import ERROR_RESPONSES, error_references
from service.openapi.what_if import describe_what_if, what_if_schemas
from service.responder import Responder
from service.rows.decoder import MOST_STUDENTS

API_VERSION = "1"
_REF = "#/components/schemas/{model}"
_SCORING, _ABOUT, _SERVER = "Scoring", "What is loaded", "Server"


class OpenApiDocument(dict[str, Any]):
    """A description as BentoML wants one: with `asdict`, and writable as YAML."""

    def asdict(self) -> dict[str, Any]:
        """Return the description as a plain dictionary."""
        return dict(self)


yaml.add_representer(OpenApiDocument, yaml.representer.SafeRepresenter.represent_dict)


def describe(responder: Responder) -> OpenApiDocument:
    """Describe every route, with examples made from the contract and answered by the model."""
    contract = responder.bundle.contract
    return OpenApiDocument(
        openapi="3.1.0",
        info={
            "title": "Bellwether",
            "version": API_VERSION,
            "description": _INTRODUCTION.format(
                title=contract.title,
                period=contract.periods.name,
                maximum=contract.periods.maximum,
                outcome=contract.targets.risk.label,
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        servers=[{"url": "."}],
        tags=[
            {"name": _SCORING, "description": "Assess students."},
            {"name": _ABOUT, "description": "Contract, policy and model that answer."},
            {"name": _SERVER, "description": "Health, metrics and descriptions."},
        ],
        paths=_with_tokens(
            {
                routes.SCORE.path: {"post": _score(responder)},
                routes.BULK.path: {"post": describe_bulk(responder, _SCORING)},
                routes.WHAT_IF.path: {"post": describe_what_if(responder, _SCORING)},
                **{route.path: _about(responder, route) for route in _PAGES},
                **{route.path: {"get": _plain(route)} for route in _PLAIN},
            }
        ),
        components={
            "schemas": _schemas(contract),
            "responses": ERROR_RESPONSES,
            "securitySchemes": {"token": _TOKEN},
        },
    )


_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "Where the service was given tokens; otherwise everybody who reaches it may ask.",
}
_INTRODUCTION = """\
Early, explained, actionable warnings from students' period-by-period records.

Loaded: **{title}**, up to {maximum} periods ({period}). The risk is the estimated probability of
this outcome: {outcome}. All numbers are estimates that support a person's decision and do not
replace it.

Every error of every route has one shape, RFC 9457 problem details."""


def _with_tokens(paths: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Add to every route that is not open to everybody that it may need a token."""
    for path, operations in paths.items():
        if not routes.ROUTES[path].is_open:
            for operation in operations.values():
                operation["security"] = [{"token": []}, {}]
                responses = operation["responses"] | error_references(401, 403)
                operation["responses"] = dict(sorted(responses.items()))
    return paths


def _score(responder: Responder) -> dict[str, Any]:
    request = msgspec.json.decode(responder.sample_request)
    partly = {"students": [request["students"][-1], {"id": "s-9", "periods": []}]}
    return {
        "operationId": "score",
        "tags": [_SCORING],
        "summary": "Assess one or many students",
        "description": "Each student is assessed at the end of the last period sent. A student "
        "with a fault is listed in `errors` and changes nothing for the others; if none can be "
        "assessed, the answer is a 422.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": _REF.format(model="ScoreRequest")},
                    "examples": {
                        "students": {"summary": "Students", "value": request},
                        "partly": {"summary": "One student with a fault", "value": partly},
                    },
                }
            },
        },
        "responses": {
            "200": {
                "description": "At least one student was assessed.",
                "content": {
                    "application/json": {
                        "schema": {"$ref": _REF.format(model="ScoreAnswer")},
                        "examples": {
                            "students": {
                                "summary": "All assessed",
                                "value": msgspec.json.decode(responder.sample_answer),
                            },
                            "partly": {
                                "summary": "One student with a fault",
                                "value": msgspec.json.decode(
                                    responder.score(msgspec.json.encode(partly)).body
                                ),
                            },
                        },
                    }
                },
            },
            **error_references(400, 405, 408, 413, 415, 422, 429, 500),
        },
    }


_PAGES: dict[routes.Route, tuple[str, str, str]] = {
    routes.CONTRACT: ("contract", "Contract", "What a student's record holds, feature by feature"),
    routes.POLICY: ("policy", "Policy", "Tiers and rules: which deficiency leads to which advice"),
    routes.MODEL: ("model", "ModelInfo", "Which model is loaded, where it runs, since when"),
}


def _about(responder: Responder, route: routes.Route) -> dict[str, Any]:
    name, model, summary = _PAGES[route]
    operation = {
        "tags": [_ABOUT],
        "summary": summary,
        "responses": {
            "200": {
                "description": summary + ".",
                "content": {
                    "application/json": {
                        "schema": {"$ref": _REF.format(model=model)},
                        "example": msgspec.json.decode(getattr(responder, name)),
                    }
                },
            },
            **error_references(405, 500),
        },
    }
    also = "The same by POST, as BentoML's clients ask; the body is not read."
    return {
        "get": {"operationId": name, **operation},
        "post": {"operationId": f"{name}_by_post", "description": also, **operation},
    }


_PLAIN: dict[routes.Route, tuple[str, str, str]] = {
    routes.CARD: ("card", "Model card: use, data, figures, limits", "text/markdown"),
    routes.READY: ("readyz", "Ready: loaded, warmed up, on the provider asked for", "text/plain"),
    routes.LIVE: ("livez", "Alive: the process answers", "text/plain"),
    routes.HEALTH: ("healthz", "The same as `/livez`", "text/plain"),
    routes.METRICS: ("metrics", "Figures for Prometheus", "text/plain"),
    routes.SCHEMA: ("schema", "What BentoML's clients read", "application/json"),
    routes.OPENAPI: ("docs", "This description", "application/json"),
    routes.DOCS: ("page", "This description as a page, also at `/`", "text/html"),
}


def _plain(route: routes.Route) -> dict[str, Any]:
    name, summary, media_type = _PLAIN[route]
    schema = {"type": "object"} if media_type == "application/json" else {"type": "string"}
    example = (
        {} if media_type == "application/json" else {"example": _PLAIN_EXAMPLES.get(route, "")}
    )
    return {
        "operationId": name,
        "tags": [_SERVER],
        "summary": summary,
        "responses": {
            "200": {
                "description": summary + ".",
                "content": {media_type: {"schema": schema, **example}},
            },
            **error_references(*((503,) if route is routes.READY else ()), 405),
        },
    }


_PLAIN_EXAMPLES = {
    routes.READY: "\n",
    routes.LIVE: "\n",
    routes.HEALTH: "\n",
    routes.METRICS: 'bellwether_requests_total{route="/score",status="200"} 42.0\n',
    routes.DOCS: "<!DOCTYPE html>…",
}


def _schemas(contract: Contract) -> dict[str, Any]:
    schemas: dict[str, Any] = {
        "ScoreRequest": _request_schema(),
        "Student": _student_schema(contract),
        "Period": _period_schema(contract),
        **what_if_schemas(contract),
    }
    for model in (ScoreAnswer, WhatIfAnswer, ModelInfo, Contract, Policy, ProblemDetails):
        mode: Any = "serialization"
        schema = TypeAdapter(model).json_schema(ref_template=_REF, mode=mode)
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    schema = RelativeReference.model_json_schema(ref_template=_REF)
    schemas |= schema.pop("$defs", {})
    return schemas | {RelativeReference.__name__: schema}


def _request_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["students"],
        "additionalProperties": False,
        "properties": {
            "students": {
                "type": "array",
                "minItems": 1,
                "items": {"$ref": _REF.format(model="Student")},
            },
            "recommendations": {
                "type": "boolean",
                "default": True,
                "description": "Whether to say what is advised.",
            },
            "forecast": {
                "type": "boolean",
                "default": True,
                "description": "Whether to forecast the next score.",
            },
            "reasons": {
                "description": "Which reasons each assessment shall hold: why the estimate is what "
                "it is (true or `level`), or why it changed (`change`). For "
                f"{MOST_STUDENTS} students at most.",
                "default": False,
                "anyOf": [
                    {"type": "boolean"},
                    {"type": "string", "enum": ["level", "change"]},
                ],
            },
            "estimates": {
                "type": "boolean",
                "default": False,
                "description": "Whether to ask the model what it would estimate if the features of "
                "the recommendations reached the policy's targets.",
            },
            "reference": {
                "description": "What relative features that are absent are computed from: the "
                "cohort kept in the bundle, the students of this request (`batch`, each counting "
                "up to the last period sent), what `bellwether reference` writes, or nothing "
                "(`sent`: what is absent is missing). A value that is sent stays.",
                "default": "bundle",
                "anyOf": [
                    {"type": "string", "enum": ["bundle", "batch", "sent"]},
                    {"$ref": _REF.format(model="RelativeReference")},
                ],
            },
        },
    }


def _student_schema(contract: Contract) -> dict[str, Any]:
    return {
        "type": "object",
        "description": contract.description or contract.title,
        "required": ["id", "periods"],
        "additionalProperties": False,
        "properties": {
            "id": {
                "type": "string",
                "minLength": 1,
                "maxLength": ID_LENGTH,
                "description": "Pseudonymous; comes back with the answer.",
            },
            "periods": {
                "type": "array",
                "minItems": 1,
                "maxItems": contract.periods.maximum,
                "description": f"One entry per {contract.periods.name}, earliest first, each "
                "once; the last one is the period that the student is assessed at.",
                "items": {"$ref": _REF.format(model="Period")},
            },
        },
    }


def _period_schema(contract: Contract) -> dict[str, Any]:
    return {
        "type": "object",
        "description": "A feature that is null or absent is missing.",
        "required": ["period"],
        "additionalProperties": False,
        "properties": {
            "period": {
                "type": "integer",
                "minimum": 1,
                "maximum": contract.periods.maximum,
                "description": f"Number of the {contract.periods.name}.",
            },
            **{feature.name: _feature_schema(feature) for feature in contract.features},
        },
    }


def _feature_schema(feature: Feature) -> dict[str, Any]:
    unit = f" ({feature.unit})" if feature.unit else ""
    filled = ""
    if feature.relative is not None:
        filled = (
            f" Where it is absent it is computed from `{feature.relative.of}`; see `reference`."
        )
    described = {
        "title": feature.label,
        "description": f"{feature.description or feature.label}{unit}: {feature.expected}.{filled}",
    }
    if feature.levels:
        return {"type": ["string", "null"], "enum": [*feature.levels, None], **described}
    if feature.kind is Kind.FLAG:
        return {"type": ["boolean", "null"], **described}
    limits = {"minimum": feature.minimum, "maximum": feature.maximum}
    known = {name: limit for name, limit in limits.items() if limit is not None}
    return {"type": ["number", "null"], **known, **described}
