"""How much of a table memory may hold at once, and the refusal of what would hold more.

A few KiB of LZ4, zstd, gzip or of a dictionary can stand for gigabytes, so what a part unpacks to
is looked up, where its format says so, before it is unpacked.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scoring.tables.intake import TableError

# A record batch is held whole, so this bounds memory: about 200,000 rows of ten columns.
BATCH_BYTES = 16 * 2**20
# Dictionaries stay until the end of a stream; pages of all columns are held at once.
TOGETHER_BYTES = 128 * 2**20
# Rows that are worked on at once.
BATCH_ROWS = 16_384


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
    return TableError(None, "batch_too_large", message)


def sharing(schema: pa.Schema) -> list[str]:
    """Return the columns of which many cells can look at the same text."""
    types = pa.types
    return [
        one.name
        for one in schema
        if types.is_dictionary(one.type) or types.is_string_view(one.type)
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
            raise TableError(name, "batch_too_large", message)
