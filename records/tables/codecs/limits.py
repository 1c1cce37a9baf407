"""Bound the memory that a table may take.

A few KiB of LZ4, zstd, gzip or of a dictionary can stand for gigabytes. Where a format states the
unpacked size of a part, it is checked before the part is unpacked.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from records.errors import TableError

# A record batch is in memory as a whole: about 200,000 rows of ten columns.
BATCH_BYTES = 16 * 2**20
# Dictionaries stay until the end of a stream.
TOGETHER_BYTES = 128 * 2**20


class MalformedError(ValueError):
    """Bytes that do not hold what they should: the table is damaged."""


def too_large(part: str, size: int, advice: str, limit: int = BATCH_BYTES) -> TableError:
    """Return the refusal of a part that would take too much memory.

    Args:
        part: What it is, as it begins a sentence.
        size: Bytes that it holds, unpacked.
        advice: What to do, to which the limit is added.
        limit: Most bytes that it may hold.
    """
    message = f"{part} holds {size:,} bytes once unpacked; {advice} of at most {limit:,}."
    return TableError.whole(None, "batch_too_large", message)


def sharing(schema: pa.Schema) -> list[str]:
    """Return the columns of which many cells can look at the same text."""
    types = pa.types
    return [
        field.name
        for field in schema
        if types.is_dictionary(field.type) or types.is_string_view(field.type)
    ]


def check_texts(batch: pa.RecordBatch, shares: list[str]) -> None:
    """Refuse text that many cells share and that would be too much with a copy for each.

    Args:
        batch: A batch.
        shares: Its columns that `sharing` names.

    Raises:
        TableError: It would.
    """
    for name in shares:
        column = batch.column(name)
        if pa.types.is_dictionary(column.type):
            sizes = pc.binary_length(column.dictionary.cast(pa.large_string()))
            size = pc.sum(sizes.take(column.indices).cast(pa.int64())).as_py() or 0
        else:
            # A view is 16 bytes and begins with the length of what it looks at.
            views = np.frombuffer(column.buffers()[1], np.int32)[::4]
            size = int(views[column.offset :][: len(column)].sum(dtype=np.int64))
        if size > BATCH_BYTES:
            message = (
                f"{batch.num_rows:,} rows of `{name}` hold {size:,} bytes of text; ids, levels and "
                "numbers are short."
            )
            raise TableError.whole(name, "batch_too_large", message)
