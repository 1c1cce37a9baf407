"""Any change, deletion, insertion or move in the trail is found; erasure leaves it valid."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from access.audit.chain import START, Link, chain, seal
from access.audit.read import Chosen, list_entries
from access.audit.trail import Entry, append, subject_of
from access.audit.verify import Ends, Report, Stored, check, read_entries, verify
from access.operation import AccessContext, Operation
from access.roles import Kind, Principal
from database.keys import KeyRing
from tests.access.moments import NOON

_STUDENTS = st.integers(1, 8)
_ENTRIES = st.lists(
    st.builds(
        Entry,
        at=st.integers(0, 10**9).map(lambda one: NOON + timedelta(microseconds=one)),
        actor_kind=st.sampled_from(Kind),
        actor=st.sampled_from(["3", "12", "tick"]),
        action=st.sampled_from(["student.viewed", "case.changed", "import.made"]),
        details=st.dictionaries(
            st.text("abcé", min_size=1, max_size=3),
            st.integers(-(10**6), 10**6)
            | st.booleans()
            | st.none()
            | st.text("a\"'\\ü\n", max_size=5),
            max_size=3,
        ),
        students=st.dictionaries(
            _STUDENTS,
            st.dictionaries(st.sampled_from(["reason", "from"]), st.text("xyz"), max_size=2),
            max_size=4,
        ),
    ),
    min_size=1,
    max_size=8,
)
_PER_DATABASE = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

Tamper = Callable[[list[Stored], int, int], list[Stored]]


def _change(to: Callable[[Link], Link]) -> Tamper:
    def tamper(entries: list[Stored], at: int, _other: int) -> list[Stored]:
        changed = to(entries[at].link)
        return [*entries[:at], replace(entries[at], link=changed), *entries[at + 1 :]]

    return tamper


def _swap(entries: list[Stored], at: int, other: int) -> list[Stored]:
    """Exchange two entries; each takes the other's number."""
    changed = list(entries)
    one, two = entries[at], entries[other]
    changed[at] = replace(two, link=replace(two.link, seq=one.link.seq))
    changed[other] = replace(one, link=replace(one.link, seq=two.link.seq))
    return changed


def _delete(entries: list[Stored], at: int, _other: int) -> list[Stored]:
    return entries[:at] + entries[at + 1 :]


def _delete_and_renumber(entries: list[Stored], at: int, _other: int) -> list[Stored]:
    later = [
        replace(one, link=replace(one.link, seq=one.link.seq - 1)) for one in entries[at + 1 :]
    ]
    return entries[:at] + later


def _repeat(entries: list[Stored], at: int, _other: int) -> list[Stored]:
    return [*entries[: at + 1], entries[at], *entries[at + 1 :]]


def _forge(entries: list[Stored], at: int, _other: int) -> list[Stored]:
    """Change an entry and compute every hash anew, as somebody can who holds the database but no key."""
    links = [one.link for one in entries]
    links[at] = replace(links[at], actor=links[at].actor + "0")
    previous, forged = START, []
    for link, one in zip(links, entries, strict=True):
        previous = chain(previous, link)
        forged.append(Stored(link, previous, one.seal))
    return forged


_TAMPER: dict[str, Tamper] = {
    "moment": _change(lambda link: replace(link, at=link.at + timedelta(microseconds=1))),
    "actor": _change(lambda link: replace(link, actor=link.actor + "1")),
    "kind of actor": _change(lambda link: replace(link, actor_kind=link.actor_kind + "s")),
    "action": _change(lambda link: replace(link, action=link.action.upper())),
    "details": _change(lambda link: replace(link, details=link.details.replace("{", "{ "))),
    "number": _change(lambda link: replace(link, seq=link.seq + 1)),
    "students added": _change(lambda link: replace(link, parts=(*link.parts, ("ab" * 32, None)))),
    "students removed": _change(lambda link: replace(link, parts=link.parts[1:])),
    "students moved": _change(lambda link: replace(link, parts=link.parts[::-1])),
    "swap": _swap,
    "deletion": _delete,
    "deletion with new numbers": _delete_and_renumber,
    "repetition": _repeat,
    "forgery": _forge,
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", _TAMPER)
@_PER_DATABASE
@given(entries=_ENTRIES, data=st.data())
def test_every_way_of_tampering_is_found(
    name: str,
    context: AccessContext,
    students: list[int],
    entries: list[Entry],
    data: st.DataObject,
) -> None:
    key = context.keys.trail
    with context.database.read() as session:
        assert students
        append(session, key, entries)
        stored = list(read_entries(session))
    ends = Ends(0, START, stored[-1].link.seq, stored[-1].hash)
    assert check(stored, ends, key).is_valid
    at = data.draw(st.integers(0, len(stored) - 1))
    other = data.draw(st.integers(0, len(stored) - 1))
    changed = _TAMPER[name](stored, at, other)
    assume(changed != stored)
    assert not check(changed, ends, key).is_valid


@_PER_DATABASE
@given(entries=_ENTRIES, erased=st.sets(_STUDENTS))
def test_erasure_leaves_the_trail_valid_and_unreadable(
    context: AccessContext,
    command: Principal,
    students: list[int],
    entries: list[Entry],
    erased: set[int],
) -> None:
    with context.database.read() as session:
        append(session, context.keys.trail, entries)
        head = verify(session, context.keys.trail)
        for student in erased:
            _erase(Operation(session, command, NOON, context.keys), student)
        report = verify(session, context.keys.trail, expected=(head.last, head.head))
        assert report.faults == ()
        assert report.entries == len(entries) + len(erased)
        shown = list_entries(session, Chosen())[::-1][: len(entries)]
        for entry, one in zip(entries, shown, strict=True):
            expected = [
                (None, {}) if student in erased else (student, dict(about))
                for student, about in entry.students.items()
            ]
            assert [(who.student_id, dict(who.about)) for who in one.students] == expected
        for student in set(students) - erased:
            found = list_entries(session, Chosen(student_id=student))
            assert len(found) == sum(student in entry.students for entry in entries)


def _erase(operation: Operation, student: int) -> None:
    operation.record("student.erased", subject=subject_of(operation.session, student))
    KeyRing(operation.session).destroy(student)
    operation.write_entries()


def _some(session: Session, context: AccessContext) -> Report:
    entries = [
        Entry(NOON, Kind.PERSON, "3", "student.viewed", {"page": n}, {1: {}, 2: {"reason": "x"}})
        for n in range(4)
    ]
    append(session, context.keys.trail, entries)
    return verify(session, context.keys.trail)


_STATEMENTS = [
    "UPDATE audit_entries SET action = 'student.listed' WHERE seq = 2",
    "UPDATE audit_entries SET details = '{}' WHERE seq = 4",
    "UPDATE audit_parts SET sealed = NULL WHERE seq = 2",
    "UPDATE audit_parts SET place = place + 5 WHERE seq = 2 AND place = 0",
    "DELETE FROM audit_parts WHERE seq = 3",
    "DELETE FROM audit_parts WHERE seq = 3 AND place = 1",
    "UPDATE audit_head SET seq = 3",
    "UPDATE audit_head SET pruned_seq = 1",
    "DELETE FROM audit_head",
]
_DELETE_LAST = ["DELETE FROM audit_parts WHERE seq = 4", "DELETE FROM audit_entries WHERE seq = 4"]


@pytest.mark.parametrize("statements", [*([one] for one in _STATEMENTS), _DELETE_LAST])
def test_tampering_in_the_database_is_found(
    context: AccessContext, students: list[int], statements: list[str]
) -> None:
    """An owner of the database can drop its triggers; the change is found all the same."""
    with context.database.read() as session:
        assert students
        assert _some(session, context).is_valid
        _drop_triggers(session, is_sqlite=context.database.is_sqlite)
        for statement in statements:
            session.execute(text(statement))
        session.expire_all()
        assert not verify(session, context.keys.trail).is_valid


def _drop_triggers(session: Session, *, is_sqlite: bool) -> None:
    for table in ("audit_entries", "audit_parts"):
        names = ("no_change", "no_deletion") if is_sqlite else ("append_only", "no_truncation")
        for name in names:
            on = "" if is_sqlite else f" ON {table}"
            session.execute(text(f"DROP TRIGGER {table}_{name}{on}"))


@pytest.mark.parametrize("table", ["audit_entries", "audit_parts"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET seq = 9", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
def test_the_database_refuses_to_change_the_trail(
    context: AccessContext, students: list[int], table: str, statement: str
) -> None:
    with context.database.read() as session:
        assert students
        _some(session, context)
        with pytest.raises(DBAPIError, match=r"append-only|syntax error"):
            session.execute(text(statement.format(table)))


def test_the_last_entries_and_the_head_cannot_be_rolled_back_together(
    context: AccessContext, students: list[int]
) -> None:
    """A head that was written down elsewhere finds what the database itself cannot tell."""
    with context.database.read() as session:
        assert students
        before = _some(session, context)
        after = _some(session, context)
        whole = list(read_entries(session))
        ends = Ends(0, START, before.last, bytes.fromhex(before.head))
        key = context.keys.trail
        assert check(whole[: before.entries], ends, key).is_valid
        report = check(whole[: before.entries], ends, key, expected=(after.last, after.head))
        assert [fault.seq for fault in report.faults] == [after.last]


def test_another_desk_s_key_does_not_fit(context: AccessContext, students: list[int]) -> None:
    with context.database.read() as session:
        assert students
        _some(session, context)
        faults = verify(session, bytes(32)).faults
        assert [fault.message for fault in faults] == ["its seal was not made by this desk"] * 4
        stored = list(read_entries(session))
        assert all(seal(context.keys.trail, one.hash) == one.seal for one in stored)
