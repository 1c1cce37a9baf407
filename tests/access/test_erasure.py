"""After erasure nothing in the database tells anything about the student, and the trail verifies."""

import pytest
from sqlalchemy import select

from access.audit.read import Chosen, list_entries
from access.audit.tables import AuditSubject
from access.audit.verify import verify
from access.erasure import erase_student
from access.glass import break_glass, list_openings
from access.operation import AccessContext, operate
from access.roles import Grant, Kind, Principal, Role
from access.student_links import create_student_link, find_student_link
from access.tables import BrokenGlass, StudentLink
from cases.errors import NotFoundError
from cases.people import add_student
from database.base import Base
from tests.access.moments import NOON, MakeUser

_REASON = "covering for a colleague who is ill"
_NAME, _EXTERNAL = "Mia Lindqvist", "x-4711-98"


def _adviser(make_user: MakeUser) -> Principal:
    user = make_user()
    return Principal(Kind.PERSON, str(user.id), "Ada", user.id, (Grant(Role.ADVISER),))


def _read_everything(context: AccessContext) -> str:
    """Write down every row of every table."""
    with context.database.read() as session:
        rows = [session.execute(select(table)).all() for table in Base.metadata.sorted_tables]
    return repr(rows)


def test_nothing_about_the_student_can_be_read_and_the_trail_verifies(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    adviser = _adviser(make_user)
    with operate(context, command, NOON) as operation:
        mia = add_student(operation.session, name=_NAME, external=_EXTERNAL).id
        leo = add_student(operation.session, name="Leo Stein", external="x-4712").id
    with operate(context, adviser, NOON) as operation:
        for student in (mia, leo):
            operation.record("student.viewed", students=[student])
            break_glass(operation, student, _REASON)
        links = [create_student_link(operation, student) for student in (mia, leo)]
    with context.database.read() as session:
        before = verify(session, context.keys.trail)
    assert _NAME in _read_everything(context)
    with operate(context, command, NOON) as operation:
        erase_student(operation, mia)

    text = _read_everything(context)
    for told in (_NAME, _NAME.lower(), _EXTERNAL):
        assert told not in text
    with context.database.read() as session:
        report = verify(session, context.keys.trail, expected=(before.last, before.head))
        assert (report.faults, report.entries) == ((), before.entries + 1)
        assert session.scalars(select(AuditSubject.student_id)).all() == [leo]
        assert session.scalars(select(BrokenGlass.student_id)).all() == [leo]
        assert session.scalars(select(StudentLink.student_id)).all() == [leo]
        assert [one.reason for one in list_openings(session, NOON)] == [_REASON]
        assert [find_student_link(session, link, NOON) for link in links] == [None, leo]
        broken = list_entries(session, Chosen(action="student.glass_broken"))
        assert [(one.students[0].student_id, one.students[0].about) for one in broken] == [
            (leo, {"reason": _REASON}),
            (None, {}),
        ]
        (erased,) = list_entries(session, Chosen(action="student.erased"))
        assert len(str(erased.details["subject"])) == 64


def test_what_happened_in_the_same_transaction_is_forgotten_too(
    context: AccessContext, command: Principal
) -> None:
    with operate(context, command, NOON) as operation:
        student = add_student(operation.session, name=_NAME).id
        operation.record("student.viewed", about={student: {"name": _NAME}})
        erase_student(operation, student)
    with context.database.read() as session:
        assert verify(session, context.keys.trail).is_valid
        (viewed,) = list_entries(session, Chosen(action="student.viewed"))
        assert viewed.students[0].student_id is None
    assert _NAME not in _read_everything(context)


def test_nobody_is_erased_who_does_not_exist(context: AccessContext, command: Principal) -> None:
    with operate(context, command, NOON) as operation, pytest.raises(NotFoundError):
        erase_student(operation, 99)
