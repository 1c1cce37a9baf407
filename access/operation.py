"""One thing that somebody does: one transaction, with its entries in the audit trail."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from access.audit.chain import Detail
from access.audit.trail import Entry, append
from access.keys import DeskKeys
from access.roles import Principal
from database.base import utc_now
from database.store import Database


@dataclass(frozen=True)
class SessionLimits:
    """How long sessions last.

    Attributes:
        idle: Without a request.
        absolute: In all.
        confirmed: How long a proof of identity counts for dangerous actions.
    """

    idle: timedelta = timedelta(hours=1)
    absolute: timedelta = timedelta(hours=12)
    confirmed: timedelta = timedelta(minutes=15)


@dataclass(frozen=True)
class AttemptLimits:
    """Attempts to sign in that may fail within fifteen minutes.

    Attributes:
        pair: On one account from one network address.
        account: On one account from anywhere. Larger, so that a stranger cannot shut a person out with a few tries.
        address: From one network address on any account; a campus can share one.
    """

    pair: int = 6
    account: int = 30
    address: int = 100


@dataclass(frozen=True)
class AccessContext:
    """What access works with; made once, where the desk is put together.

    Attributes:
        database: The desk's.
        keys: The desk's.
        sessions: How long sessions last.
        attempts: How many attempts to sign in may fail.
    """

    database: Database
    keys: DeskKeys
    sessions: SessionLimits = field(default_factory=SessionLimits)
    attempts: AttemptLimits = field(default_factory=AttemptLimits)


@dataclass
class Operation:
    """A transaction that writes, who it is for, and what it leaves in the audit trail.

    Attributes:
        session: Of the transaction.
        by: Who acts.
        at: Moment; the same for everything in the operation.
        keys: The desk's.
    """

    session: Session
    by: Principal
    at: datetime
    keys: DeskKeys
    _entries: list[Entry] = field(default_factory=list)

    def record(
        self,
        action: str,
        students: Iterable[int] = (),
        about: Mapping[int, Mapping[str, Detail]] | None = None,
        **details: Detail,
    ) -> None:
        """Have an entry written at the end of the transaction.

        Args:
            action: What was done, such as `student.viewed`.
            students: Ids of the students whom it concerns.
            about: By student: facts that tell something about the student; they are sealed.
            **details: Facts that tell nothing about a student.
        """
        whom: dict[int, Mapping[str, Detail]] = {one: {} for one in students}
        whom.update(about or {})
        by = self.by
        self._entries.append(Entry(self.at, by.kind, by.id, action, details, whom))

    def write_entries(self) -> None:
        """Append what was recorded so far to the trail."""
        entries, self._entries = self._entries, []
        self.session.flush()
        append(self.session, self.keys.trail, entries)


@contextmanager
def operate(
    context: AccessContext, by: Principal, at: datetime | None = None
) -> Iterator[Operation]:
    """Run a transaction that commits together with its entries in the audit trail, or not at all.

    Entries are appended last, because the end of the trail stays locked from then until the commit.

    Args:
        context: What access works with.
        by: Who acts.
        at: Moment; now by default.
    """
    with context.database.write() as session:
        operation = Operation(session, by, at or utc_now(), context.keys)
        yield operation
        operation.write_entries()
