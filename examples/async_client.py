"""Assess many students at once from asynchronous code, with BentoML's own client.

python examples/async_client.py [URL]
"""

import asyncio
import sys
from typing import Any

import bentoml

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000"


def student(number: int) -> dict[str, Any]:
    """Make up a student of the contract 'simulated' whose attendance falls."""
    marks = range(90, 90 - 12 * (number + 1), -12)
    return {
        "id": f"s-{number}",
        "periods": [
            {"period": period, "attendance": mark, "assignments": mark, "quiz": mark}
            for period, mark in enumerate(marks, start=1)
        ],
    }


async def main() -> None:
    """Send one request per class, all of them at the same time."""
    classes = [[student(number) for number in range(size)] for size in (1, 3, 5)]
    # The first student of each class has one period only: too little for a tier.
    async with bentoml.AsyncHTTPClient(URL) as client:
        answers = await asyncio.gather(
            *(client.score(students=members, recommendations=False) for members in classes)
        )
    for number, answer in enumerate(answers, start=1):
        tiers = [student["tier"] or student["status"] for student in answer["assessments"]]
        print(f"class {number}: {tiers}")


asyncio.run(main())
