"""Sessions of signed-in browsers: kept in the database, so that they can be listed and revoked."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from access.operation import Operation, SessionLimits
from access.roles import Grant, Kind, Principal, Role
from access.tables import BrokenGlass, RoleGrant, User, UserSession
from records.secret_tokens import digest, new_secret

_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class SignedIn:
    """A session that is valid now.

    Attributes:
        principal: The person with all rights in force.
        email: Address of the person.
        method: How the person signed in: password, link or provider.
        is_confirmed: Whether the person proved who they are a short time ago.
        ends_at: When the session ends without another request.
        expires_at: When it ends in any case.
        is_stale: Whether `touch` has to note that the session is in use.
    """

    principal: Principal
    email: str
    method: str
    is_confirmed: bool
    ends_at: datetime
    expires_at: datetime
    is_stale: bool


def start_session(
    operation: Operation, user: User, method: str, limits: SessionLimits, old_cookie: str | None
) -> str:
    """Sign a person in.

    Args:
        operation: By whom and when.
        user: The person.
        method: How: password, link or provider.
        limits: How long the session lasts.
        old_cookie: Value of the session cookie that the browser sent, if any. That session ends, so that a person
            cannot be made to sign in to a session that others hold (session fixation).

    Returns:
        The cookie's value. Only its SHA-256 is stored.
    """
    if old_cookie:
        _delete(operation.session, old_cookie)
    cookie = new_secret()
    operation.session.add(
        UserSession(
            digest=digest(cookie),
            user_id=user.id,
            method=method,
            created_at=operation.at,
            confirmed_at=operation.at,
            seen_at=operation.at,
            expires_at=operation.at + limits.absolute,
        )
    )
    return cookie


def find_session(
    session: Session, cookie: str, limits: SessionLimits, at: datetime
) -> SignedIn | None:
    """Look a session up by its cookie's value, with the person's rights, in one query.

    Returns:
        None where the session has ended or was revoked, or the person was disabled.
    """
    rows = session.execute(_asked(cookie, at)).all()
    if not rows:
        return None
    found, user = rows[0][0], rows[0][1]
    ends_at = min(found.expires_at, found.seen_at + limits.idle)
    if at >= ends_at or user.disabled_at is not None:
        return None
    grants = {Grant(Role(row[2]), row[3]) for row in rows if row[2] is not None}
    principal = Principal(
        Kind.PERSON,
        str(user.id),
        user.name,
        user.id,
        grants=tuple(sorted(grants, key=lambda one: (one.role, one.programme or ""))),
        opened=frozenset(row[4] for row in rows if row[4] is not None),
    )
    return SignedIn(
        principal=principal,
        email=user.email,
        method=found.method,
        is_confirmed=at < found.confirmed_at + limits.confirmed,
        ends_at=ends_at,
        expires_at=found.expires_at,
        is_stale=at >= found.seen_at + _SEEN_EVERY,
    )


def touch_session(session: Session, cookie: str, at: datetime) -> None:
    """Note that a session is in use."""
    session.execute(
        update(UserSession).where(UserSession.digest == digest(cookie)).values(seen_at=at)
    )


def rotate_session(operation: Operation, cookie: str) -> str | None:
    """Give a session a new secret after the person has proved again who they are.

    Returns:
        The new cookie's value, or None where there is no such session. The old one no longer works.
    """
    fresh = new_secret()
    changed = operation.session.execute(
        update(UserSession)
        .where(UserSession.digest == digest(cookie))
        .values(digest=digest(fresh), confirmed_at=operation.at)
        .returning(UserSession.user_id)
    ).one_or_none()
    return None if changed is None else fresh


def end_session(operation: Operation, cookie: str) -> None:
    """Sign a browser out."""
    if _delete(operation.session, cookie):
        operation.record("session.ended")


def end_sessions_of(session: Session, user_id: int, except_cookie: str | None = None) -> int:
    """Sign a person out everywhere.

    Args:
        session: Writes.
        user_id: The person.
        except_cookie: Cookie of the one session that stays.

    Returns:
        How many sessions ended.
    """
    chosen = UserSession.user_id == user_id
    if except_cookie:
        chosen &= UserSession.digest != digest(except_cookie)
    ended = session.scalars(delete(UserSession).where(chosen).returning(UserSession.digest))
    return len(ended.all())


def delete_ended_sessions(session: Session, limits: SessionLimits, at: datetime) -> None:
    """Delete sessions that have ended by themselves."""
    session.execute(
        delete(UserSession).where(
            (UserSession.expires_at <= at) | (UserSession.seen_at <= at - limits.idle)
        )
    )


def _asked(
    cookie: str, at: datetime
) -> Select[UserSession, User, str | None, str | None, int | None]:
    in_force = (RoleGrant.starts_at <= at) & (
        RoleGrant.ends_at.is_(None) | (RoleGrant.ends_at > at)
    )
    return (
        select(UserSession, User, RoleGrant.role, RoleGrant.programme, BrokenGlass.student_id)
        .join(User, User.id == UserSession.user_id)
        .outerjoin(RoleGrant, (RoleGrant.user_id == User.id) & in_force)
        .outerjoin(BrokenGlass, (BrokenGlass.user_id == User.id) & (BrokenGlass.ends_at > at))
        .where(UserSession.digest == digest(cookie))
    )


def _delete(session: Session, cookie: str) -> bool:
    deleted = session.scalars(
        delete(UserSession)
        .where(UserSession.digest == digest(cookie))
        .returning(UserSession.user_id)
    )
    return bool(deleted.all())
