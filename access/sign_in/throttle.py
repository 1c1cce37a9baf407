"""Slow down those who guess: failed attempts are counted by account, by network address, and by both together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from access.errors import TooManyAttemptsError
from access.keys import DeskKeys
from access.operation import AccessContext, AttemptLimits
from access.tables import Attempt

WINDOW = timedelta(minutes=15)


@dataclass(frozen=True)
class Browser:
    """The client that a person uses.

    Attributes:
        address: Its network address.
        cookie: Value of the session cookie that it sent, if any.
    """

    address: str
    cookie: str | None = None


def count_attempt(
    context: AccessContext,
    account: str,
    address: str,
    at: datetime,
    limits: AttemptLimits | None = None,
) -> None:
    """Count an attempt before it is looked at; a success takes it back by `clear_attempts`.

    Counting first means that many attempts at the same moment get no more tries than one after another.

    Args:
        context: What access works with. The count is committed whatever becomes of the attempt.
        account: What was typed in, whether or not there is such an account. The table holds a keyed digest.
        address: Network address of the client.
        at: Moment.
        limits: How many may fail; the context's by default.

    Raises:
        TooManyAttemptsError: A limit is reached; nothing was counted.
    """
    most = limits or context.attempts
    allowed = (most.pair, most.account, most.address)
    subjects = _subjects(context.keys, account, address)
    with context.database.write() as session:
        session.execute(delete(Attempt).where(Attempt.at <= at - WINDOW))
        for subject, limit in zip(subjects, allowed, strict=True):
            failed, first = session.execute(
                select(func.count(), func.min(Attempt.at)).where(Attempt.subject == subject)
            ).one()
            if failed >= limit:
                wait = first + WINDOW - at
                raise TooManyAttemptsError(max(1, math.ceil(wait.total_seconds())))
        session.execute(insert(Attempt), [{"subject": one, "at": at} for one in subjects])


def clear_attempts(session: Session, keys: DeskKeys, account: str, address: str) -> None:
    """Forget the failed attempts on an account after a success; those of the address on others stay."""
    pair, whole, _ = _subjects(keys, account, address)
    session.execute(delete(Attempt).where(Attempt.subject.in_([pair, whole])))


def _subjects(keys: DeskKeys, account: str, address: str) -> Sequence[bytes]:
    return (
        keys.digest_account("pair", f"{account}\n{address}"),
        keys.digest_account("account", account),
        keys.digest_account("address", address),
    )
