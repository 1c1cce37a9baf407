"""The part of the OpenAPI description that is about whole cohorts."""

import io
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv

from records.contract import Contract, Kind
from records.tables.formats import TableFormat
from service.bulk.pending import BulkRequest
from service.bulk.responder import BulkResponder
from service.openapi.errors import error_references
from service.responder import Responder
from service.rows.reference import KEPT, WORDS

_ARROW, _PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
_BINARY = {"type": "string", "contentEncoding": "binary"}
_DESCRIPTION = """\
One row a student and period, each student's rows together, with `id`, `period` and the features by
name; in columnar JSON the same as lists, `lengths` saying how many rows each student has. Arrow
and CSV are worked off in slices, whatever their size; tables of records may keep their
other columns.

The answer has one row for each student sent, in order: `status` says whether they were assessed,
`errors` why they were `refused`; a student's fault changes nothing for the others. The texts of
recommendations are in `/policy`, by `rule`. Where something is wrong with the table after the
answer has begun, the connection is cut and the answer has no end."""


def describe_bulk(responder: Responder, tag: str) -> dict[str, Any]:
    """Describe `POST /score/bulk`, with examples answered by the model."""
    table = _sample_table(responder)
    names = ", ".join(f"`{name}`" for name in table.column_names)
    columns = _columns(table, responder.bundle.contract)
    text = io.BytesIO()
    pa_csv.write_csv(table, text)
    as_json = _answered(responder, msgspec.json.encode(columns), None)
    as_csv = _answered(responder, text.getvalue(), TableFormat.CSV)
    lines = _answered(responder, text.getvalue(), TableFormat.CSV, TableFormat.JSON_LINES)
    stream = {"schema": _BINARY, "example": f"An Arrow IPC stream with the columns {names}."}
    plain = {"type": "string"}
    return {
        "operationId": "score_bulk",
        "tags": [tag],
        "summary": "Assess whole tables: Arrow, CSV or columnar JSON in; Parquet and JSON lines out, too",
        "description": _DESCRIPTION,
        "parameters": [
            {
                "name": name,
                "in": "query",
                "description": description,
                "schema": {"type": "boolean", "default": True},
            }
            for name, description in (
                ("recommendations", "Whether to say what is advised."),
                ("forecast", "Whether to forecast the next score."),
            )
        ]
        + [
            {
                "name": "reference",
                "in": "query",
                "description": "What relative features that a table lacks are computed from, as in "
                "`score`: the cohort kept in the bundle, all students of the table, or nothing. In "
                "columnar JSON it stands in the body.",
                "schema": {"type": "string", "enum": list(WORDS), "default": KEPT},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                _ARROW: stream,
                "text/csv": {"schema": plain, "example": text.getvalue().decode()},
                "application/json": {
                    "schema": _columns_schema(responder.bundle.contract),
                    "example": columns,
                },
            },
        },
        "responses": {
            "200": {
                "description": "One row for each student sent, in the format that `accept` names "
                "or else in the request's.",
                "content": {
                    _ARROW: {"schema": _BINARY, "example": "The same columns as in CSV."},
                    _PARQUET: {"schema": _BINARY, "example": "The same columns as in CSV."},
                    "text/csv": {"schema": plain, "example": as_csv.decode()},
                    "application/x-ndjson": {"schema": plain, "example": lines.decode()},
                    "application/json": {
                        "schema": {"type": "object"},
                        "example": msgspec.json.decode(as_json),
                    },
                },
            },
            **error_references(400, 405, 406, 408, 413, 415, 422, 429, 500, 503),
        },
    }


def _answered(
    responder: Responder,
    body: bytes,
    sent: TableFormat | None,
    answer: TableFormat | None = None,
) -> bytes:
    request = BulkRequest(sent, answer or sent)
    return b"".join(BulkResponder.from_responder(responder).answer(io.BytesIO(body), request))


def _sample_table(responder: Responder) -> pa.Table:
    sample = msgspec.json.decode(responder.sample_request)["students"]
    rows = [{"id": one["id"], **period} for one in sample for period in one["periods"]]
    names = ("id", "period", *responder.bundle.contract.feature_names)
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def _columns(table: pa.Table, contract: Contract) -> dict[str, Any]:
    ids = table["id"].to_pylist()
    students = list(dict.fromkeys(ids))
    return {
        "id": students,
        "lengths": [ids.count(one) for one in students],
        "period": table["period"].to_pylist(),
        "features": {name: table[name].to_pylist() for name in contract.feature_names},
    }


def _columns_schema(contract: Contract) -> dict[str, Any]:
    def cells(kind: str, *, missing: bool = False) -> dict[str, Any]:
        return {"type": "array", "items": {"type": [kind, "null"] if missing else kind}}

    kinds = {Kind.NUMERIC: "number", Kind.FLAG: "boolean"}
    features = {
        feature.name: cells(kinds.get(feature.kind, "string"), missing=True)
        for feature in contract.features
    }
    return {
        "type": "object",
        "required": ["id", "lengths", "features"],
        "additionalProperties": False,
        "properties": {
            "id": {**cells("string"), "minItems": 1},
            "lengths": {**cells("integer"), "description": "Rows of each student."},
            "period": {
                **cells("integer"),
                "description": f"{contract.periods.name.capitalize()} of each row; counted from 1 "
                "for each student where absent.",
            },
            "features": {
                "type": "object",
                "additionalProperties": False,
                "properties": features,
            },
            "reference": {"$ref": "#/components/schemas/ScoreRequest/properties/reference"},
        },
    }
