"""Assess a whole cohort from a script, with pyarrow and nothing else.

Run it as `python examples/arrow_client.py [URL] [TABLE.csv|.parquet]`. Without a table, three
made-up students of the contract 'simulated' are sent.
"""

import sys
from collections import Counter
from pathlib import Path
from urllib.request import Request, urlopen

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000"
ARROW = "application/vnd.apache.arrow.stream"

if len(sys.argv) > 2 and Path(sys.argv[2]).suffix == ".parquet":
    table = pyarrow.parquet.read_table(sys.argv[2])
elif len(sys.argv) > 2:
    table = pyarrow.csv.read_csv(sys.argv[2])
else:
    table = pa.table(
        {
            "id": ["s-1", "s-1", "s-1", "s-2", "s-2", "s-3"],
            "period": [1, 2, 3, 1, 2, 1],
            "attendance": [71, 58, 39, 95, 93, 150],  # the last one is a fault, to show its error
            "assignments": [54, 41, 28, 88, 91, 70],
            "quiz": [48, 37, None, 84, 79, 66],
            "engagement": [4.5, 3.0, 1.5, 8.0, 7.5, 6.0],
        }
    )

body = pa.BufferOutputStream()
with pa.ipc.new_stream(body, table.schema) as writer:
    writer.write_table(table, max_chunksize=16_384)
request = Request(  # noqa: S310 - the address is the caller's own
    f"{URL}/score/bulk?forecast=false",
    data=body.getvalue().to_pybytes(),
    headers={"content-type": ARROW},
)
with urlopen(request) as response, pa.ipc.open_stream(response) as answer:  # noqa: S310
    for batch in answer:  # as it arrives
        for student in batch.to_pylist():
            if student["status"] == "refused":
                for error in student["errors"]:
                    print(f"{student['id']} was refused: {error['field']}: {error['message']}")
            elif student["tier"]:
                rules = Counter(advice["rule"] for advice in student["recommendations"])
                print(f"{student['id']}: {student['tier']}, {student['risk']}, {', '.join(rules)}")
