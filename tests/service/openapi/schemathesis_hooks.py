"""Loaded by schemathesis: it cannot write tables, so that bytes of no table are sent in their place."""

from typing import Any

import schemathesis

FORMATS = ("application/vnd.apache.arrow.stream", "application/vnd.apache.parquet")


@schemathesis.serializer(*FORMATS)
def serialize(ctx: schemathesis.SerializationContext, value: Any) -> bytes:
    """Return bytes for a body that should be a table."""
    del ctx
    return value if isinstance(value, bytes) else str(value).encode()
