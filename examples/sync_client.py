"""Assess students from a script, with BentoML's own client.

Run it as `python examples/sync_client.py [URL] [REQUEST.json]`. A request of real records is
written by `bellwether request`; without one, two made-up students of the contract 'simulated' are
sent.
"""

import json
import sys
from pathlib import Path

import bentoml

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000"
STUDENTS = [
    {
        "id": "s-1",
        "periods": [
            {"period": 1, "attendance": 71, "assignments": 54, "quiz": 48, "engagement": 4.5},
            {"period": 2, "attendance": 58, "assignments": 41, "quiz": 37, "engagement": 3.0},
            {"period": 3, "attendance": 39, "assignments": 28, "quiz": None, "engagement": 1.5},
        ],
    },
    {"id": "s-2", "periods": [{"period": 1, "attendance": 150}]},  # a fault, to show its error
]
if len(sys.argv) > 2:
    STUDENTS = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))["students"]

with bentoml.SyncHTTPClient(URL) as client:
    answer = client.score(students=STUDENTS)

print(f"Model {answer['model']['name']} {answer['model']['version']}")
for student in answer["assessments"]:
    tier = student["tier"] or student["status"]
    print(f"{student['id']}: {tier}, estimated risk {student['risk']}")
    for advice in student["recommendations"]:
        print(f"  {advice['owner_label']}, {advice['due_days']} days: {advice['recommendation']}")
for error in answer["errors"]:
    name = STUDENTS[error["row"]]["id"]
    print(f"{name} was not assessed: {error['field']}: {error['message']}")
