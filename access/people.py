"""People who can sign in, and their roles. Every change leaves an entry in the audit trail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from access.errors import AccessError, AlreadyExistsError, UnknownPersonError
from access.operation import Operation
from access.roles import Grant, Role
from access.sessions import end_sessions_of
from access.tables import BrokenGlass, OneTimeLink, ProviderIdentity, RoleGrant, User


@dataclass(frozen=True)
class Person:
    """A user as administrators see them.

    Attributes:
        id: Number.
        email: Address.
        name: Name to show.
        grants: Roles, those in force and those to come.
        is_enabled: Whether the person can sign in.
        has_password: Whether a password is set.
        has_totp: Whether one-time passwords are asked for.
    """

    id: int
    email: str
    name: str
    grants: tuple[Grant, ...]
    is_enabled: bool
    has_password: bool
    has_totp: bool


def normalise_email(email: str) -> str:
    """Write an address as it is stored: in lower case, without spaces around it.

    Raises:
        AccessError: This is no address.
    """
    written = email.strip().lower()
    name, at, domain = written.rpartition("@")
    if not (name and at and domain) or len(written) > 254 or any(map(str.isspace, written)):
        raise AccessError("This is no e-mail address; write name@example.edu.")
    return written


def create_user(operation: Operation, email: str, name: str, grants: Sequence[Grant] = ()) -> User:
    """Create a user who has no password yet: a one-time link lets them in.

    Raises:
        AccessError: The address is malformed or the name is empty.
        AlreadyExistsError: The address is taken.
    """
    written = normalise_email(email)
    if not name.strip():
        raise AccessError("The name is empty.")
    if find_user(operation.session, written):
        raise AlreadyExistsError("A user with this address exists.")
    user = User(email=written, name=name.strip()[:200], created_at=operation.at)
    operation.session.add(user)
    operation.session.flush()
    operation.record("user.created", user=user.id)
    for grant in grants:
        grant_role(operation, user.id, grant)
    return user


def find_user(session: Session, email: str) -> User | None:
    """Find a user by address."""
    return session.scalars(select(User).where(User.email == email.strip().lower())).one_or_none()


def get_user(session: Session, user_id: int) -> User:
    """Fetch a user by number.

    Raises:
        UnknownPersonError: There is none.
    """
    user = session.get(User, user_id)
    if user is None:
        raise UnknownPersonError("There is no such user.")
    return user


def list_people(session: Session) -> list[Person]:
    """List all users by name, with their roles, in two queries."""
    users = session.scalars(select(User).order_by(User.name, User.id)).all()
    held: dict[int, list[Grant]] = {}
    for row in session.scalars(select(RoleGrant).order_by(RoleGrant.id)):
        held.setdefault(row.user_id, []).append(Grant(Role(row.role), row.programme))
    return [
        Person(
            id=user.id,
            email=user.email,
            name=user.name,
            grants=tuple(held.get(user.id, ())),
            is_enabled=user.disabled_at is None,
            has_password=user.password is not None,
            has_totp=user.totp_sealed is not None,
        )
        for user in users
    ]


def grant_role(
    operation: Operation, user_id: int, grant: Grant, ends_at: datetime | None = None
) -> None:
    """Give a person a role from now on.

    Args:
        operation: By whom and when.
        user_id: The person.
        grant: The role and its programme.
        ends_at: When it ends by itself; None for never.

    Raises:
        UnknownPersonError: There is no such user.
    """
    get_user(operation.session, user_id)
    _delete_grant(operation.session, user_id, grant)
    operation.session.add(
        RoleGrant(
            user_id=user_id,
            role=grant.role,
            programme=grant.programme,
            starts_at=operation.at,
            ends_at=ends_at,
        )
    )
    operation.record("role.granted", user=user_id, role=grant.role, programme=grant.programme)


def withdraw_role(operation: Operation, user_id: int, grant: Grant) -> None:
    """Take a role away from a person; the next request no longer has it."""
    _delete_grant(operation.session, user_id, grant)
    operation.record("role.withdrawn", user=user_id, role=grant.role, programme=grant.programme)


def disable_user(operation: Operation, user_id: int) -> None:
    """Shut a person out at once: sessions and links end.

    Raises:
        UnknownPersonError: There is no such user.
    """
    user = get_user(operation.session, user_id)
    user.disabled_at = operation.at
    end_sessions_of(operation.session, user_id)
    operation.session.execute(delete(OneTimeLink).where(OneTimeLink.user_id == user_id))
    operation.record("user.disabled", user=user_id)


def enable_user(operation: Operation, user_id: int) -> None:
    """Let a person in again.

    Raises:
        UnknownPersonError: There is no such user.
    """
    get_user(operation.session, user_id).disabled_at = None
    operation.record("user.enabled", user=user_id)


def remove_user(operation: Operation, user_id: int) -> None:
    """Remove what tells who a user is. The number stays, since cases and the audit trail refer to it.

    Raises:
        UnknownPersonError: There is no such user.
    """
    disable_user(operation, user_id)
    user = get_user(operation.session, user_id)
    user.email = f"removed-{user_id}@invalid"
    user.name = "Former user"
    user.password = user.totp_sealed = user.totp_step = None
    for table in (RoleGrant, ProviderIdentity, BrokenGlass):
        operation.session.execute(delete(table).where(table.user_id == user_id))
    operation.record("user.removed", user=user_id)


def _delete_grant(session: Session, user_id: int, grant: Grant) -> None:
    chosen = (RoleGrant.user_id == user_id) & (RoleGrant.role == grant.role)
    chosen &= (
        RoleGrant.programme.is_(None)
        if grant.programme is None
        else RoleGrant.programme == grant.programme
    )
    session.execute(delete(RoleGrant).where(chosen))
