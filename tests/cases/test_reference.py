"""Relative features are compared with what was recorded of the present intake."""

import numpy as np
import pytest
from sqlalchemy import select

from cases.people import NewStudent, add_students, enrol
from cases.recording.record import RecordRow, record
from cases.recording.reference import recorded_reference, refresh_reference
from cases.tables.people import Enrolment
from database.store import Database
from records.contract import Contract, Feature, Relative
from records.learnt.relative import RelativeLayout
from records.learnt.relative_reference import parse_reference
from tests.cases.scripted import CONTRACT

RELATIVE = CONTRACT.model_copy(
    update={
        "features": (
            *CONTRACT.features,
            Feature(
                name="standing",
                label="Mark against the others",
                minimum=-6,
                maximum=6,
                relative=Relative(of="mark", fewest=20),
            ),
        )
    }
)


def record_marks(database: Database, contract: Contract, marks: np.ndarray) -> None:
    rows = [
        RecordRow(f"r{at}", period + 1, {"mark": float(mark)})
        for at, row in enumerate(marks)
        for period, mark in enumerate(row)
    ]
    with database.write() as session:
        record(session, contract, rows, source="sis", actor=None)


@pytest.mark.parametrize(("students", "learnt"), [(19, False), (40, True)])
def test_moments_are_those_of_the_recorded_values(
    database: Database, students: int, learnt: bool
) -> None:
    marks = np.random.default_rng(1).uniform(0, 100, (students, 3)).round(2)
    with database.write() as session:
        made = add_students(session, [NewStudent(f"r{at}") for at in range(students)])
        for at, one in enumerate(made):
            enrol(session, one.id, contract="school", source="sis", key=f"r{at}", programme="x")
    record_marks(database, RELATIVE, marks)
    assert refresh_reference(database, RELATIVE) is learnt
    assert not refresh_reference(database, RELATIVE)
    with database.read() as session:
        content = recorded_reference(session, RELATIVE)
        if not learnt:
            assert content is None
            return
        layout = RelativeLayout.of(RELATIVE)
        assert layout is not None
        moments = parse_reference(content, layout).moments(layout)
        assert moments.count[0, 0, :3].tolist() == [students] * 3
        assert np.allclose(moments.mean[0, 0, :3], marks.mean(axis=0), atol=1e-4)
        assert np.allclose(moments.spread[0, 0, :3], marks.std(axis=0), atol=1e-4)
    marks[0, 0] = 0.0 if marks[0, 0] > 50 else 100.0
    record_marks(database, RELATIVE, marks)
    assert refresh_reference(database, RELATIVE)
    with database.read() as session:
        changed = recorded_reference(session, RELATIVE)
        assert changed != content
        assert session.scalars(select(Enrolment.generation).order_by(Enrolment.id)).first() == 2


def test_a_contract_without_relative_features_has_no_reference(database: Database) -> None:
    assert not refresh_reference(database, CONTRACT)
    with database.read() as session:
        assert recorded_reference(session, CONTRACT) is None
