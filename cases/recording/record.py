"""Record values of periods: checked against the contract, committed with the caller's transaction.

Recording queues the enrolments whose values changed; `cases.recording.queue` scores them later.
The same values again change nothing, so a client may send a batch twice.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.people import NewStudent, add_students, enrol
from cases.recording.values import newest_versions, queue
from cases.tables.people import Enrolment, Student
from cases.tables.records import Import, RecordedValue
from database.base import utc_now
from records.contract import Contract
from records.errors import Fault
from scoring.students.intake import Intake

_AT_ONCE = 500
_MOST_FAULTS = 1000


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One period of one enrolment, as a source sends it.

    Attributes:
        key: The source's key of the enrolment.
        period: From 1.
        values: Feature name -> number, level, true or false, or None; absent features are not said.
        line: Row in the file, for messages; 0 where there is none.
    """

    key: str
    period: int
    values: Mapping[str, float | str | bool | None]
    line: int = 0


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of the rows of an import.

    Attributes:
        import_id: None in a preview.
        new: Rows with a period that had no values of this source.
        changed: Rows that correct earlier ones.
        unchanged: Rows that hold what was recorded already.
        rejected: Rows with faults.
        faults: What is wrong with them, at most a thousand.
        enrolments: Numbers of enrolments whose values changed.
    """

    import_id: int | None
    new: int
    changed: int
    unchanged: int
    rejected: int
    faults: list[Fault]
    enrolments: list[int] = field(default_factory=list)


def record(
    session: Session,
    contract: Contract,
    rows: Sequence[RecordRow],
    *,
    source: str,
    actor: int | None,
    filename: str = "",
    unknown: Literal["reject", "create"] = "reject",
    programme: str = "*",
    at: datetime | None = None,
) -> ImportReport:
    """Record rows as one import; acknowledge it after the caller's transaction was committed.

    Args:
        session: The caller's transaction.
        contract: What the values mean.
        rows: Of any enrolments and periods; a later row for the same period counts.
        source: System that the values come from, such as `sis`.
        actor: Who imports.
        filename: Shown in the list of imports.
        unknown: What to do with keys without an enrolment: reject their rows, or create a student
            and an enrolment who are called by their key.
        programme: Programme of created enrolments.
        at: When; now unless given.
    """
    at = at or utc_now()
    found = _enrolments(session, contract.name, source, {row.key for row in rows}, lock=True)
    if unknown == "create":
        missing = sorted({row.key for row in rows if row.key} - found.keys())
        found.update(_create(session, contract.name, source, missing, programme))
    sorted_out = _sort_out(session, contract, rows, source, found)
    rejected = {fault.row for fault in sorted_out.faults}
    made = Import(
        source=source,
        contract=contract.name,
        filename=filename[:200],
        made_at=at,
        made_by=actor,
        rows=len(rows),
        accepted=sorted_out.new + sorted_out.changed,
        unchanged=sorted_out.unchanged,
        rejected=len(rejected),
        report=[_fault_json(fault) for fault in sorted_out.faults[:_MOST_FAULTS]],
        undone_at=None,
        undone_by=None,
    )
    session.add(made)
    session.flush()
    session.add_all(
        RecordedValue(
            enrolment_id=one.enrolment.id,
            period=one.period,
            source=source,
            version=one.version,
            content=one.content,
            digest=one.digest,
            import_id=made.id,
            recorded_at=at,
            recorded_by=actor,
            withdrawn_at=None,
        )
        for one in sorted_out.versions
    )
    affected = {one.enrolment.id: one.enrolment for one in sorted_out.versions}
    queue(session, affected.values(), at)
    session.flush()
    return _report(sorted_out, made.id, len(rejected), sorted(affected))


def preview(
    session: Session, contract: Contract, rows: Sequence[RecordRow], *, source: str
) -> ImportReport:
    """Tell what `record` would do, without writing anything; keys without enrolment are faults."""
    found = _enrolments(session, contract.name, source, {row.key for row in rows})
    sorted_out = _sort_out(session, contract, rows, source, found)
    affected = {one.enrolment.id for one in sorted_out.versions}
    rejected = {fault.row for fault in sorted_out.faults}
    return _report(sorted_out, None, len(rejected), sorted(affected))


@dataclass(frozen=True, slots=True)
class _Version:
    enrolment: Enrolment
    period: int
    version: int
    content: dict[str, Any]
    digest: str


@dataclass(slots=True)
class _SortedOut:
    versions: list[_Version] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    new: int = 0
    changed: int = 0
    unchanged: int = 0


def _sort_out(
    session: Session,
    contract: Contract,
    rows: Sequence[RecordRow],
    source: str,
    enrolments: Mapping[str, Enrolment],
) -> _SortedOut:
    result = _SortedOut(faults=_faults(contract, rows, enrolments))
    rejected = {fault.row for fault in result.faults}
    last: dict[tuple[str, int], RecordRow] = {}
    for at, row in enumerate(rows):
        if (row.line or at) not in rejected:
            last[row.key, row.period] = row
    ids = sorted({enrolments[key].id for key, _ in last})
    newest = newest_versions(session, ids, source)
    for (key, period), row in last.items():
        enrolment = enrolments[key]
        content = _plain(row.values)
        digest = digest_of(content)
        earlier = newest.get((enrolment.id, period))
        if earlier is not None and earlier.is_in_force and earlier.digest == digest:
            result.unchanged += 1
            continue
        if earlier is not None and earlier.is_in_force:
            result.changed += 1
        else:
            result.new += 1
        version = 1 if earlier is None else earlier.version + 1
        result.versions.append(_Version(enrolment, period, version, content, digest))
    return result


def _faults(
    contract: Contract, rows: Sequence[RecordRow], enrolments: Mapping[str, Enrolment]
) -> list[Fault]:
    found = [
        Fault(
            row.line or at,
            "id",
            "unknown_enrolment",
            f"No enrolment under '{contract.name}' has this id; enrol the student first.",
        )
        for at, row in enumerate(rows)
        if row.key not in enrolments
    ]
    asked = [
        {"id": str(at), "periods": [{"period": row.period, **row.values}]}
        for at, row in enumerate(rows)
    ]
    for fault in Intake(contract).read(asked).faults:
        at = fault.row or 0
        column = (fault.field or "").removeprefix("periods[0].") or None
        found.append(Fault(rows[at].line or at, column, fault.code, fault.message))
    return sorted(found, key=lambda fault: fault.row or 0)


def _enrolments(
    session: Session, contract: str, source: str, keys: set[str], *, lock: bool = False
) -> dict[str, Enrolment]:
    """Return enrolments by key; locked, since the numbers of versions and generations count up."""
    found: list[Enrolment] = []
    asked = sorted(keys)
    for start in range(0, len(asked), _AT_ONCE):
        chosen = (
            select(Enrolment)
            .join(Student, Student.id == Enrolment.student_id)
            .where(
                Enrolment.contract == contract,
                Enrolment.source == source,
                Enrolment.key.in_(asked[start : start + _AT_ONCE]),
                Student.erased_at.is_(None),
            )
        )
        found.extend(session.scalars(chosen))
    if lock:
        # By number, as everywhere: transactions that lock the same rows cannot block each other.
        ids = sorted(one.id for one in found)
        for start in range(0, len(ids), _AT_ONCE):
            session.scalars(
                select(Enrolment)
                .where(Enrolment.id.in_(ids[start : start + _AT_ONCE]))
                .order_by(Enrolment.id)
                .with_for_update()
                .execution_options(populate_existing=True)
            ).all()
    return {one.key: one for one in found}


def _create(
    session: Session, contract: str, source: str, keys: Sequence[str], programme: str
) -> dict[str, Enrolment]:
    students = add_students(session, [NewStudent(key, source, key) for key in keys])
    return {
        key: enrol(
            session, student.id, contract=contract, source=source, key=key, programme=programme
        )
        for key, student in zip(keys, students, strict=True)
    }


def _plain(values: Mapping[str, float | str | bool | None]) -> dict[str, Any]:
    """Write whole numbers as floats, so that 78 and 78.0 are the same values again."""
    return {
        name: float(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in values.items()
    }


def digest_of(content: Any) -> str:
    """Return SHA-256 of JSON content, independent of the order of its keys."""
    written = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()


def _report(
    found: _SortedOut, import_id: int | None, rejected: int, enrolments: list[int]
) -> ImportReport:
    return ImportReport(
        import_id=import_id,
        new=found.new,
        changed=found.changed,
        unchanged=found.unchanged,
        rejected=rejected,
        faults=found.faults[:_MOST_FAULTS],
        enrolments=enrolments,
    )


def _fault_json(fault: Fault) -> dict[str, Any]:
    return {
        "row": fault.row,
        "field": fault.field,
        "code": fault.code,
        "message": fault.message,
    }
