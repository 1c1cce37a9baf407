"""One-time links: to sign in without a password, to accept an invitation, to reset a password.

Mail scanners open links before people do. So a page may look a link up as often as it wants, and only a form that is
sent (`redeem_link`) uses it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from access.errors import SignInRefusedError
from access.operation import Operation
from access.tables import OneTimeLink, User
from records.secret_tokens import digest, new_secret


class Purpose(StrEnum):
    """What a link lets a person do."""

    SIGN_IN = "sign_in"
    INVITATION = "invitation"
    RESET = "reset"
    SECOND_FACTOR = "second_factor"
    """Between the right password and the one-time password."""


LIFETIMES: Mapping[Purpose, timedelta] = {
    Purpose.SIGN_IN: timedelta(minutes=30),
    Purpose.INVITATION: timedelta(days=7),
    Purpose.RESET: timedelta(hours=1),
    Purpose.SECOND_FACTOR: timedelta(minutes=5),
}


def create_link(operation: Operation, user_id: int, purpose: Purpose) -> str:
    """Make the secret of a link; earlier links of the same person and purpose no longer work.

    Returns:
        The secret, for the link's address. Only its SHA-256 is stored.
    """
    operation.session.execute(
        delete(OneTimeLink).where(OneTimeLink.user_id == user_id, OneTimeLink.purpose == purpose)
    )
    secret = new_secret()
    operation.session.add(
        OneTimeLink(
            digest=digest(secret),
            user_id=user_id,
            purpose=purpose,
            created_at=operation.at,
            expires_at=operation.at + LIFETIMES[purpose],
        )
    )
    if purpose is not Purpose.SECOND_FACTOR:
        operation.record("link.created", user=user_id, purpose=purpose)
    return secret


def find_link(session: Session, secret: str, purpose: Purpose, at: datetime) -> User | None:
    """Look a link up without using it.

    Returns:
        The person, or None where the link was used, has expired or never was one.
    """
    return session.scalars(
        select(User)
        .join(OneTimeLink, OneTimeLink.user_id == User.id)
        .where(
            OneTimeLink.digest == digest(secret),
            OneTimeLink.purpose == purpose,
            OneTimeLink.used_at.is_(None),
            OneTimeLink.expires_at > at,
            User.disabled_at.is_(None),
        )
    ).one_or_none()


def redeem_link(operation: Operation, secret: str, purpose: Purpose) -> User:
    """Use a link. Of several requests at the same time one succeeds.

    Raises:
        SignInRefusedError: The link was used, has expired or never was one.
    """
    user_id = operation.session.scalar(
        update(OneTimeLink)
        .where(
            OneTimeLink.digest == digest(secret),
            OneTimeLink.purpose == purpose,
            OneTimeLink.used_at.is_(None),
            OneTimeLink.expires_at > operation.at,
        )
        .values(used_at=operation.at)
        .returning(OneTimeLink.user_id)
    )
    user = None if user_id is None else operation.session.get(User, user_id)
    if user is None or user.disabled_at is not None:
        raise SignInRefusedError("This link was used already or has expired. Ask for a new one.")
    return user


def delete_expired_links(session: Session, at: datetime) -> None:
    """Delete links that no longer work."""
    session.execute(delete(OneTimeLink).where(OneTimeLink.expires_at <= at))
