"""Read a Parquet file in a process of its own: file descriptor and columns in, Arrow IPC out.

Run as a script, with nothing of Bellwether: a hostile file harms this process only.
"""

import json
import os
import resource
import sys

BATCH_ROWS = 16_384
# Pages of all columns of a row group, unpacked; code and data of pyarrow are another 0.2 GB.
MEMORY_BYTES = 2 * 2**30
END = b"."
ROWS = b"bellwether.rows"


def main() -> None:
    """Read requests, a line each, from standard input: the descriptor, then the columns."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import pyarrow as pa  # noqa: PLC0415 - within the limits
    import pyarrow.parquet as pq  # noqa: PLC0415

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    out = os.fdopen(sys.stdout.fileno(), "wb", closefd=False)
    with os.fdopen(int(sys.stdin.readline()), "rb", closefd=False) as source:
        file = pq.ParquetFile(source, pre_buffer=False)
        metadata = {ROWS: str(file.metadata.num_rows)}
        with pa.ipc.new_stream(out, file.schema_arrow.with_metadata(metadata)):
            pass
        out.flush()
        columns = json.loads(sys.stdin.readline())
        fields = [file.schema_arrow.field(name) for name in columns]
        with pa.ipc.new_stream(out, pa.schema(fields)) as writer:
            for batch in file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
                writer.write_batch(batch.select(columns))
        out.write(END)
        out.flush()


if __name__ == "__main__":
    main()
