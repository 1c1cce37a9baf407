"""Verify the audit trail: find what was changed, deleted, inserted or moved."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from access.audit.chain import START, Link, chain, digest_sealed, seal
from access.audit.tables import AuditEntry, AuditHead, AuditPart

_BATCH = 1000
_COLUMNS = (
    AuditEntry.seq,
    AuditEntry.at,
    AuditEntry.actor_kind,
    AuditEntry.actor,
    AuditEntry.action,
    AuditEntry.details,
    AuditEntry.hash,
    AuditEntry.seal,
)


@dataclass(frozen=True)
class Fault:
    """Something wrong with the trail.

    Attributes:
        seq: Number of the entry; 0 where it is the trail's end.
        message: What does not agree.
    """

    seq: int
    message: str


@dataclass(frozen=True)
class Report:
    """What verification found.

    Attributes:
        entries: How many entries were read.
        first: Number of the first; 0 where there are none.
        last: Number of the last.
        head: Hash of the last entry, as hex: written down elsewhere, it proves later that nothing before it changed.
        faults: What is wrong, in order, at most 20.
        sealed: Whether the seals were checked, which needs the desk's key.
    """

    entries: int
    first: int
    last: int
    head: str
    faults: tuple[Fault, ...]
    sealed: bool

    @property
    def is_valid(self) -> bool:
        """Whether nothing was found."""
        return not self.faults


@dataclass(frozen=True)
class Stored:
    """An entry as it is stored or exported, with the hash and seal that it claims."""

    link: Link
    hash: bytes
    seal: bytes


@dataclass(frozen=True)
class Ends:
    """Where a trail claims to begin and to end: number and hash before its first entry, and of its last."""

    before: int
    before_hash: bytes
    last: int
    last_hash: bytes


def verify(session: Session, key: bytes, expected: tuple[int, str] | None = None) -> Report:
    """Verify the stored trail from its first entry to its last.

    Args:
        session: Reads.
        key: Of the seals.
        expected: Number and hash (hex) of an entry that were written down earlier.
    """
    head = session.scalars(select(AuditHead)).one_or_none()
    if head is None:
        return Report(0, 0, 0, "", (Fault(0, "the head of the chain is missing"),), sealed=True)
    ends = Ends(head.pruned_seq, head.pruned_hash, head.seq, head.hash)
    report = check(read_entries(session), ends, key, expected)
    stray = session.scalar(select(func.count()).where(AuditPart.seq.not_in(select(AuditEntry.seq))))
    if stray:
        faults = (*report.faults, Fault(0, f"{stray} part(s) belong to no entry"))
        return Report(report.entries, report.first, report.last, report.head, faults, sealed=True)
    return report


def check(
    stored: Iterable[Stored],
    ends: Ends,
    key: bytes | None,
    expected: tuple[int, str] | None = None,
) -> Report:
    """Verify entries, wherever they come from.

    Args:
        stored: Entries in the order of their numbers.
        ends: Where they have to begin and to end.
        key: Of the seals; None leaves the seals unchecked.
        expected: Number and hash (hex) of an entry that were written down earlier.
    """
    faults: list[Fault] = []
    count = first = 0
    seq, previous = ends.before, ends.before_hash
    if ends.before == 0 and ends.before_hash != START:
        faults.append(Fault(0, "the chain does not begin at its start"))
    met = expected is None or (expected[0] == seq and expected[1] == previous.hex())
    for one in stored:
        count += 1
        first = first or one.link.seq
        fault = _fault(one, seq, previous, key)
        if fault and len(faults) < 20:
            faults.append(Fault(one.link.seq, fault))
        seq, previous = one.link.seq, one.hash
        if expected == (seq, previous.hex()):
            met = True
    if (seq, previous) != (ends.last, ends.last_hash):
        faults.append(Fault(0, f"the trail ends at entry {seq}; it should end at {ends.last}"))
    if not met and expected:
        faults.append(Fault(expected[0], "this entry is not the one that was written down"))
    return Report(count, first, seq, previous.hex(), tuple(faults[:20]), key is not None)


def read_entries(session: Session, after: int = 0, upto: int | None = None) -> Iterator[Stored]:
    """Read entries with their parts, in order, a thousand at a time.

    Args:
        session: Reads.
        after: Entries with larger numbers only.
        upto: The last entry's number at most; None for all.
    """
    last = after
    while True:
        chosen = AuditEntry.seq > last
        if upto is not None:
            chosen &= AuditEntry.seq <= upto
        rows = session.execute(
            select(*_COLUMNS).where(chosen).order_by(AuditEntry.seq).limit(_BATCH)
        ).all()
        if not rows:
            return
        parts = _parts(session, rows[0].seq, rows[-1].seq)
        for seq, at, actor_kind, actor, action, details, entry_hash, entry_seal in rows:
            of_entry = tuple(parts.get(seq, ()))
            link = Link(seq, at, actor_kind, actor, action, details, of_entry)
            yield Stored(link, entry_hash, entry_seal)
        last = rows[-1].seq


def _parts(session: Session, first: int, last: int) -> dict[int, list[tuple[str, str | None]]]:
    """Read the parts of a stretch of entries, by entry."""
    rows = session.execute(
        select(AuditPart.seq, AuditPart.subject, AuditPart.sealed)
        .where(AuditPart.seq.between(first, last))
        .order_by(AuditPart.seq, AuditPart.place)
    )
    parts: dict[int, list[tuple[str, str | None]]] = {}
    for seq, subject, sealed in rows:
        parts.setdefault(seq, []).append((subject, digest_sealed(sealed)))
    return parts


def _fault(one: Stored, seq: int, previous: bytes, key: bytes | None) -> str | None:
    """Compare an entry with what comes before it, with its hash and with its seal."""
    if one.link.seq != seq + 1:
        return f"it follows entry {seq}: entries between were deleted, or moved"
    if chain(previous, one.link) != one.hash:
        return "its content does not agree with its hash"
    if key is not None and seal(key, one.hash) != one.seal:
        return "its seal was not made by this desk"
    return None
