"""JSON lines: one object per row; written only."""

import msgspec
import pyarrow as pa


class JsonLinesWriter:
    """Writes a line for each row."""

    def __init__(self, _schema: pa.Schema) -> None:
        self._encoder = msgspec.json.Encoder()

    def write(self, batch: pa.RecordBatch) -> bytes:
        """Return the lines of a batch."""
        return self._encoder.encode_lines(batch.to_pylist())

    def finish(self) -> bytes:
        """Return nothing: every line is complete."""
        return b""
