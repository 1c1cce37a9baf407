"""An exported trail verifies without the database, names no student, and shows every change."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from access.audit.export import export, verify_file
from access.audit.prune import SHORTEST, prune
from access.audit.tables import AuditEntry, AuditHead, AuditPart
from access.audit.verify import verify
from access.errors import AuditError
from access.operation import AccessContext, operate
from access.roles import Principal
from tests.access.moments import NOON

_DAY = timedelta(days=1)


@pytest.fixture
def context_with_trail(
    context: AccessContext, command: Principal, students: list[int]
) -> AccessContext:
    """Six entries, a day apart."""
    for day in range(6):
        with operate(context, command, NOON + day * _DAY) as operation:
            operation.record(
                "student.viewed",
                students=students[:3],
                about={students[day]: {"reason": "été, said twice"}},
                page="student",
                number=day,
            )
    return context


def _export(context: AccessContext, path: Path, after: int = 0) -> list[str]:
    with context.database.read() as session, path.open("w", encoding="utf-8") as file:
        export(session, file, after)
    return path.read_text("utf-8").splitlines(keepends=True)


def test_an_exported_trail_verifies_with_and_without_the_key(
    context_with_trail: AccessContext, tmp_path: Path
) -> None:
    path = tmp_path / "trail.jsonl"
    assert len(_export(context_with_trail, path)) == 8
    for key in (context_with_trail.keys.trail, None):
        report = verify_file(path, key)
        assert (report.is_valid, report.entries, report.sealed) == (True, 6, key is not None)
    assert [fault.seq for fault in verify_file(path, bytes(32)).faults] == [1, 2, 3, 4, 5, 6]


def test_an_export_can_go_on_where_another_ended(
    context_with_trail: AccessContext, tmp_path: Path
) -> None:
    path = tmp_path / "rest.jsonl"
    lines = _export(context_with_trail, path, after=4)
    assert [json.loads(line).get("seq") for line in lines] == [None, 5, 6, None]
    assert verify_file(path, context_with_trail.keys.trail).is_valid
    with pytest.raises(AuditError, match="ends at 6"):
        _export(context_with_trail, path, after=7)


def test_an_export_tells_nothing_about_a_student(
    context_with_trail: AccessContext, tmp_path: Path
) -> None:
    text = "".join(_export(context_with_trail, tmp_path / "trail.jsonl"))
    assert "été" not in text
    for line in text.splitlines()[1:-1]:
        assert all(len(subject) == 64 for subject, _ in json.loads(line)["students"])


@pytest.mark.parametrize(
    "change", ["swap", "delete", "repeat", "actor", "details", "students", "foot"]
)
def test_every_change_of_a_file_is_found_without_the_key(
    context_with_trail: AccessContext, tmp_path: Path, change: str
) -> None:
    path = tmp_path / "trail.jsonl"
    lines = _export(context_with_trail, path)
    if change == "swap":
        lines[2], lines[3] = lines[3], lines[2]
    elif change == "delete":
        del lines[-2]
    elif change == "repeat":
        lines.insert(3, lines[2])
    elif change == "foot":
        lines[-1] = lines[-1].replace('"last":6', '"last":5')
    else:
        replaced = {
            "actor": ('"actor":"tests"', '"actor":"3"'),
            "details": ('"number":2', '"number":7'),
            "students": ('"students":[[', '"students":[["ab",null],['),
        }[change]
        assert replaced[0] in lines[3]
        lines[3] = lines[3].replace(*replaced)
    path.write_text("".join(lines), "utf-8")
    assert not verify_file(path).is_valid


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "first or last"),
        ("{}\n", "first or last"),
        ('{"format":"other"}\n{}\n', "first or last"),
        ("not json\n", "first or last"),
    ],
)
def test_what_is_no_export_is_a_message(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(text)
    with pytest.raises(AuditError, match=match):
        verify_file(path)


def test_a_file_that_was_cut_off_or_damaged_names_the_line(
    context_with_trail: AccessContext, tmp_path: Path
) -> None:
    path = tmp_path / "trail.jsonl"
    lines = _export(context_with_trail, path)
    path.write_text("".join(lines[:-1]), "utf-8")
    with pytest.raises(AuditError, match="last line"):
        verify_file(path)
    lines[3] = lines[3].replace('"seq"', '"sqe"')
    path.write_text("".join(lines), "utf-8")
    with pytest.raises(AuditError, match=r"trail\.jsonl:4:"):
        verify_file(path)


def test_old_entries_are_deleted_and_the_rest_verifies(
    context_with_trail: AccessContext, command: Principal, tmp_path: Path
) -> None:
    context = context_with_trail
    with operate(context, command, NOON + SHORTEST + 2 * _DAY) as operation:
        assert prune(operation, SHORTEST) == 3
    with context.database.read() as session:
        report = verify(session, context.keys.trail)
        assert (report.faults, report.first, report.last) == ((), 4, 7)
        assert session.scalar(select(func.min(AuditPart.seq))) == 4
        assert session.scalars(select(AuditHead.pruned_seq)).one() == 3
        last = session.get_one(AuditEntry, 7)
        assert (last.action, last.details) == ("audit.pruned", '{"entries":3,"upto":3}')
    _export(context, tmp_path / "rest.jsonl")
    assert verify_file(tmp_path / "rest.jsonl", context.keys.trail).is_valid
    with operate(context, command, NOON + SHORTEST) as operation:
        assert prune(operation, SHORTEST) == 0


def test_entries_are_kept_for_half_a_year_at_least(
    context_with_trail: AccessContext, command: Principal
) -> None:
    with operate(context_with_trail, command, NOON) as operation, pytest.raises(AuditError):
        prune(operation, SHORTEST - _DAY)
