"""Cut a long request into slices and put their answers together again, byte for byte."""

from collections.abc import Sequence
from dataclasses import replace

from scoring.students.intake import LazyStudent
from service.answered import Answered
from service.rows.decoder import ScoreRequest

# No text of an answer can hold these bytes: JSON escapes the quotes inside of text.
_BEGIN = b'"assessments":['
_END = b'],"errors":[]}'


def cut(request: ScoreRequest, rows: int) -> list[ScoreRequest]:
    """Cut a request into slices of at most `rows` accepted students.

    What is wrong with the others goes with the last slice, where the answer has its errors.
    """
    students = request.students
    number = len(students.ids)
    if number <= rows or isinstance(students, LazyStudent):
        return [request]
    return [
        replace(
            request,
            students=replace(
                students,
                rows=students.rows[start : start + rows],
                ids=students.ids[start : start + rows],
                values=students.values[start : start + rows],
                lengths=students.lengths[start : start + rows],
                reference=None
                if students.reference is None
                else students.reference[start : start + rows],
                faults=students.faults if start + rows >= number else [],
            ),
        )
        for start in range(0, number, rows)
    ]


def joined(slices: Sequence[Answered]) -> Answered:
    """Put the answers to the slices of one request, in order, into one answer."""
    if len(slices) == 1:
        return slices[0]
    first, *_, last = bodies = [part.body for part in slices]
    middles = [body[body.index(_BEGIN) + len(_BEGIN) : -len(_END)] for body in bodies[1:-1]]
    return Answered(
        body=b",".join([first[: -len(_END)], *middles, last[last.index(_BEGIN) + len(_BEGIN) :]]),
        assessed=sum(part.assessed for part in slices),
        refused=sum(part.refused for part in slices),
    )
