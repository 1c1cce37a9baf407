"""What a request for a cohort says of itself, and what is known of its body before it is read."""

from urllib.parse import parse_qsl

from starlette.types import Scope

from records.errors import TableError
from records.tables.formats import CODECS, WRITABLE, TableFormat, count_rows
from scoring.tables.assessor import Wanted
from service.bulk.pending import BulkRequest
from service.http.body import JSON, header, media_type
from service.http.problems import MEDIA, NOT_ACCEPTABLE, RequestError, refuse_field
from service.rows.reference import KEPT, WORDS

MEDIA_TYPES: dict[bytes, TableFormat | None] = {
    **{CODECS[kind].media_type.encode(): kind for kind in (TableFormat.ARROW, TableFormat.CSV)},
    JSON: None,
}
ANSWER_TYPES: dict[bytes, TableFormat | None] = {
    **{CODECS[kind].media_type.encode(): kind for kind in WRITABLE},
    JSON: None,
}
_ADVICE = {
    CODECS[TableFormat.PARQUET].media_type.encode(): (
        "Parquet is not taken in requests, since damaged files can end the process that reads "
        "them. Send the table as application/vnd.apache.arrow.stream."
    ),
    CODECS[TableFormat.EXCEL].media_type.encode(): "Save the workbook as CSV and send text/csv.",
}
TYPE_OF = {kind: name for name, kind in ANSWER_TYPES.items()}
# Up to this size a body is taken in as a whole.
WHOLE_BYTES = 2**20
# Of so few rows: a small body can unpack to many, and its answer is in memory as a whole.
_WHOLE_ROWS = 32_768
_OPTIONS = ("recommendations", "forecast")


def read_head(scope: Scope) -> BulkRequest:
    """Read what a request says of itself.

    Raises:
        RequestError: 415, its body is written in no format of ours; 406, the answer is wanted in
            none of ours; 422, an option is unknown or neither true nor false.
    """
    kind = media_type(scope) or JSON
    known = b", ".join(MEDIA_TYPES)
    if kind not in MEDIA_TYPES:
        detail = _ADVICE.get(kind, f"Send the body as one of {known.decode()}.")
        raise RequestError(MEDIA, detail, headers=[(b"accept", known)])
    if header(scope, b"content-encoding") not in (b"", b"identity"):
        detail = "Send the body without a content coding; Arrow compresses by itself."
        raise RequestError(MEDIA, detail, headers=[(b"accept-encoding", b"identity")])
    wanted, reference = _options(scope, MEDIA_TYPES[kind])
    return BulkRequest(
        MEDIA_TYPES[kind], _accepted(scope, kind), wanted=wanted, reference=reference
    )


def _accepted(scope: Scope, sent: bytes) -> TableFormat | None:
    """Return the first format of the `accept` header that is ours; the request's for any."""
    wishes = header(scope, b"accept") or b"*/*"
    for wish in wishes.split(b","):
        kind = wish.partition(b";")[0].strip().lower()
        if kind == b"*/*":
            return MEDIA_TYPES[sent]
        if kind in ANSWER_TYPES:
            return ANSWER_TYPES[kind]
    known = ", ".join(name.decode() for name in ANSWER_TYPES)
    raise RequestError(NOT_ACCEPTABLE, f"Accept one of {known}.")


def _options(scope: Scope, kind: TableFormat | None) -> tuple[Wanted, str]:
    options, reference = dict.fromkeys(_OPTIONS, True), KEPT
    for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if name == "reference" and kind is None:
            message = "In columnar JSON `reference` stands in the body, not in the query."
            raise refuse_field(name, "unknown_field", message)
        if name == "reference":
            if value not in WORDS:
                message = (
                    f"`reference` must be one of {', '.join(WORDS)} here; columnar JSON and "
                    "`score` also take what `bellwether reference` writes."
                )
                raise refuse_field(name, "wrong_value", message)
            reference = value
        elif name not in options:
            message = "The query may hold `recommendations`, `forecast` and `reference`."
            raise refuse_field("query", "unknown_field", message)
        elif value not in {"true", "false"}:
            raise refuse_field(name, "wrong_type", f"`{name}` must be true or false.")
        else:
            options[name] = value == "true"
    return Wanted(**options), reference


def has_many_rows(body: bytes, kind: TableFormat) -> bool:
    """Tell whether a small table has more rows than are answered as a whole."""
    try:
        return count_rows(body, kind) > _WHOLE_ROWS
    except TableError:
        return False  # the reader reports it
