"""Write the audit trail to a file, and verify such a file without the database.

JSON Lines: a head, one line for each entry, a foot. Students appear as keyed digests only, so a file needs no
care when a student is erased later.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from access.audit.chain import Link, canonical
from access.audit.tables import AuditEntry, AuditHead
from access.audit.verify import Ends, Report, Stored, check, read_entries
from access.errors import AuditError

FORMAT = "bellwether-audit/1"


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        entries: How many.
        last: Number of the last entry.
        head: Its hash, as hex.
    """

    entries: int
    last: int
    head: str


def export(session: Session, file: TextIO, after: int = 0) -> Exported:
    """Write the trail.

    Args:
        session: Reads.
        file: Text in UTF-8.
        after: Entries with larger numbers only: where an earlier file ended.

    Raises:
        AuditError: There is no entry `after`.
    """
    head = session.execute(
        select(AuditHead.seq, AuditHead.hash, AuditHead.pruned_seq, AuditHead.pruned_hash)
    ).one()
    before, before_hash = head.pruned_seq, head.pruned_hash
    if after > before:
        found = session.scalar(select(AuditEntry.hash).where(AuditEntry.seq == after))
        if found is None:
            raise AuditError(f"The audit trail has no entry {after}; it ends at {head.seq}.")
        before, before_hash = after, found
    _write(file, {"format": FORMAT, "before": before, "before_hash": before_hash.hex()})
    entries = 0
    for one in read_entries(session, before, head.seq):
        entries += 1
        _write(file, _line(one))
    _write(file, {"last": head.seq, "hash": head.hash.hex()})
    return Exported(entries, head.seq, head.hash.hex())


def verify_file(
    path: Path, key: bytes | None = None, expected: tuple[int, str] | None = None
) -> Report:
    """Verify an exported file.

    Args:
        path: The file.
        key: Of the seals; None leaves the seals unchecked, as somebody outside the institution has to.
        expected: Number and hash (hex) of an entry that were written down earlier.

    Raises:
        AuditError: The file is no export, or was cut off; the message names the line.
    """
    with path.open(encoding="utf-8") as file:
        ends = _read_ends(path, file)
        file.seek(0)
        return check(_read(path, file), ends, key, expected)


def _line(one: Stored) -> Mapping[str, object]:
    link = one.link
    return {
        "seq": link.seq,
        "at": link.at.isoformat(timespec="microseconds"),
        "actor_kind": link.actor_kind,
        "actor": link.actor,
        "action": link.action,
        "details": json.loads(link.details),
        "students": link.parts,
        "hash": one.hash.hex(),
        "seal": one.seal.hex(),
    }


def _write(file: TextIO, line: Mapping[str, object]) -> None:
    file.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")


def _read_ends(path: Path, file: TextIO) -> Ends:
    """Read the head and the foot."""
    first = last = ""
    for last in file:
        first = first or last
    ends = None
    with suppress(ValueError, KeyError, TypeError):
        head, foot = json.loads(first), json.loads(last)
        if head["format"] == FORMAT:
            ends = Ends(
                before=int(head["before"]),
                before_hash=bytes.fromhex(head["before_hash"]),
                last=int(foot["last"]),
                last_hash=bytes.fromhex(foot["hash"]),
            )
    if ends is None:
        raise AuditError(
            f"{path.name} is no whole export of an audit trail: its first or last line is missing."
        )
    return ends


def _read(path: Path, file: TextIO) -> Iterator[Stored]:
    """Read the entries between head and foot."""
    lines = iter(file)
    next(lines)
    waiting: str | None = None
    for number, line in enumerate(lines, 2):
        if waiting is not None:
            yield _stored(path, number - 1, waiting)
        waiting = line


def _stored(path: Path, number: int, line: str) -> Stored:
    try:
        read: dict[str, Any] = json.loads(line)
        link = Link(
            seq=int(read["seq"]),
            at=datetime.fromisoformat(read["at"]),
            actor_kind=str(read["actor_kind"]),
            actor=str(read["actor"]),
            action=str(read["action"]),
            details=canonical(read["details"]),
            parts=tuple((str(subject), sealed) for subject, sealed in read["students"]),
        )
        return Stored(link, bytes.fromhex(read["hash"]), bytes.fromhex(read["seal"]))
    except (ValueError, KeyError, TypeError):
        raise AuditError(f"{path.name}:{number}: this line is no entry of a trail.") from None
