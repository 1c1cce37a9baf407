"""Write what is said of few students as JSON: `service.rows.encoder`'s bytes from plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import msgspec

from scoring.assessment.few_assessed import PlainAssessment
from service.rows.fragments import REFERENCES, Fragments
from service.rows.json_numbers import Trajectories

_json = msgspec.json.Encoder().encode
_BEGIN, NEXT = b'{"id":"', b',{"id":"'


@dataclass(frozen=True, slots=True)
class EncodedStudents:
    """Students' assessments as JSON, in fragments.

    Attributes:
        fragments: As many for one student as for the next; a comma comes before every student.
        width: How many.
    """

    fragments: list[bytes]
    width: int

    def listed(self, start: int, end: int, before: bytes = b"", after: bytes = b"") -> bytes:
        """Return students `start` to `end` with commas between them, and what is around them."""
        chosen = self.fragments[start * self.width : end * self.width]
        if chosen:
            chosen[0] = before + _BEGIN
        else:
            chosen = [before]
        chosen.append(after)
        return b"".join(chosen)


class FewEncoder:
    """Encodes one student after another.

    Args:
        texts: What is constant.
        trajectories: Writes risks.
    """

    def __init__(self, texts: Fragments, trajectories: Trajectories) -> None:
        self._texts, self._trajectories = texts, trajectories

    def encode(
        self, students: Sequence[PlainAssessment], ids: Sequence[str], rows: Sequence[int]
    ) -> EncodedStudents:
        """Encode students; see `service.rows.encoder.TableEncoder.encode`."""
        fragments: list[bytes] = []
        for student in zip(students, ids, rows, strict=True):
            fragments += (NEXT, self._student(*student))
        return EncodedStudents(fragments, 2)

    def _student(self, one: PlainAssessment, name: str, row: int) -> bytes:
        texts = self._texts
        known = [forecast for forecast in one.forecast if not isnan(forecast.value)]
        # All numbers in one go; NaN becomes null.
        numbers = [one.observed_share]
        for forecast in known:
            numbers += forecast
        for told in one.advice:
            numbers += told[1:4]
        share, *written = _json(numbers)[1:-1].split(b",")
        risk, trajectory = self._trajectories.of_student(one.trajectory, one.period)
        parts = [
            _json(name)[1:-1],
            b'","row":%d' % row,
            texts.before_risk.one(one.status, one.period),
            risk,
            texts.after_risk.one(one.tier, one.since),
            trajectory,
            b'],"forecast":[',
        ]
        at = 0
        for subject, forecast in zip(texts.subjects, one.forecast, strict=True):
            if isnan(forecast.value):
                continue
            value, low, high = written[at : at + 3]
            parts += (b"," if at else b"", subject, value)
            parts += (texts.unit, low, b',"high":', high, b"}")
            at += 3
        parts += (b'],"outlying":[', b",".join([texts.flags.one(*cell) for cell in one.outlying]))
        parts += (texts.observed[one.observed_periods], share, b'},"recommendations":[')
        for place, told in enumerate(one.advice):
            parts += texts.advice.of_one(told, written[at : at + 3], further=place > 0)
            at += 3
        parts.append(REFERENCES[one.reference])
        return b"".join(parts)
