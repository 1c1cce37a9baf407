"""Service tokens: secrets by which programs use the desk's API."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from access.errors import AccessError, UnknownPersonError
from access.operation import Operation
from access.roles import TOKEN_SCOPES, Action, Kind, Principal
from access.tables import ApiToken
from records.secret_tokens import digest, new_id, new_secret

PREFIX = "bwd_"
LONGEST = timedelta(days=366)
_USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class TokenUse:
    """A token that is valid now.

    Attributes:
        principal: The program with its rights.
        is_stale: Whether `touch_token` has to note that the token is in use.
    """

    principal: Principal
    is_stale: bool


def create_token(
    operation: Operation,
    name: str,
    scopes: Iterable[Action],
    lifetime: timedelta,
    programmes: Iterable[str] | None = None,
) -> tuple[ApiToken, str]:
    """Make a token.

    Args:
        operation: By whom and when.
        name: What the token is for.
        scopes: What it may do.
        lifetime: Until it expires, 366 days at most.
        programmes: Students of these programmes only; None for all.

    Returns:
        The stored row, and the token itself, which cannot be shown again.

    Raises:
        AccessError: The name is empty, a scope is for people only, or the lifetime is out of range.
    """
    asked = frozenset(scopes)
    if not name.strip():
        raise AccessError("Give the token a name that says what it is for.")
    if not asked or asked - TOKEN_SCOPES:
        allowed = ", ".join(sorted(TOKEN_SCOPES))
        raise AccessError(f"A token needs one or more of these scopes: {allowed}.")
    if not timedelta(0) < lifetime <= LONGEST:
        raise AccessError(f"A token expires within {LONGEST.days} days.")
    secret = new_secret(PREFIX)
    token = ApiToken(
        id=new_id(),
        digest=digest(secret),
        name=name.strip()[:200],
        scopes=sorted(asked),
        programmes=None if programmes is None else sorted(set(programmes)),
        created_by=operation.by.id,
        created_at=operation.at,
        expires_at=operation.at + lifetime,
    )
    operation.session.add(token)
    operation.record("token.created", token=token.id, scopes=sorted(asked))
    return token, secret


def find_token(session: Session, secret: str, at: datetime) -> TokenUse | None:
    """Look a token up, in one query.

    Returns:
        None where it has expired, was revoked or never was one.
    """
    if not secret.startswith(PREFIX):
        return None
    token = session.scalars(
        select(ApiToken).where(
            ApiToken.digest == digest(secret),
            ApiToken.expires_at > at,
            ApiToken.revoked_at.is_(None),
        )
    ).one_or_none()
    if token is None:
        return None
    principal = Principal(
        Kind.PROGRAM,
        token.id,
        token.name,
        scopes=frozenset(one for one in Action if one in token.scopes),
        programmes=None if token.programmes is None else frozenset(token.programmes),
    )
    is_stale = token.used_at is None or at >= token.used_at + _USED_EVERY
    return TokenUse(principal, is_stale)


def touch_token(session: Session, token_id: str, at: datetime) -> None:
    """Note that a token is in use."""
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(used_at=at))


def list_tokens(session: Session) -> list[ApiToken]:
    """List all tokens, the newest first."""
    newest_first = select(ApiToken).order_by(ApiToken.created_at.desc(), ApiToken.id)
    return list(session.scalars(newest_first))


def revoke_token(operation: Operation, token_id: str) -> None:
    """Make a token useless from the next request on.

    Raises:
        UnknownPersonError: There is no such token.
    """
    token = operation.session.get(ApiToken, token_id)
    if token is None:
        raise UnknownPersonError("There is no such token.")
    if token.revoked_at is None:
        token.revoked_at = operation.at
        operation.record("token.revoked", token=token_id)
