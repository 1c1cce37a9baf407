"""Tables of people, grants, sessions, links and tokens. Of every secret only a digest is stored.

The tables of cases refer to users by number, without a foreign key: users are disabled, never deleted.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, MappedColumn, mapped_column

from database.base import Base, BigId, RowId
from database.keys import StudentKey

_ID = String(32)
_DIGEST = LargeBinary(32)


def _student() -> MappedColumn[int]:
    """Refer to a student by the student's key: erasure destroys it, and the row goes with it."""
    return mapped_column(BigId, ForeignKey(StudentKey.student_id, ondelete="CASCADE"))


class User(Base):
    """A person who can sign in.

    Attributes:
        email: Address in lower case; the name by which people sign in.
        name: Name to show.
        password: Argon2id hash; None where the person signs in by link or provider only.
        totp_sealed: Secret of one-time passwords, encrypted; None where they are not used.
        totp_step: Time step of the last accepted one-time password, which cannot be used again.
        disabled_at: Since when the person can no longer sign in.
    """

    __tablename__ = "users"

    id: Mapped[RowId]
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    password: Mapped[str | None] = mapped_column(String(255))
    totp_sealed: Mapped[bytes | None]
    totp_step: Mapped[int | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class RoleGrant(Base):
    """A role that a person holds, for a programme or for all, from a moment until another."""

    __tablename__ = "role_grants"
    __table_args__ = (Index(None, "user_id"),)

    id: Mapped[RowId]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(16))
    programme: Mapped[str | None] = mapped_column(String(64))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]


class UserSession(Base):
    """A signed-in browser.

    Attributes:
        digest: SHA-256 of the cookie's value.
        confirmed_at: When the person last proved who they are; dangerous actions ask for a recent proof.
        expires_at: Absolute end.
        seen_at: Last request, to a minute; the session ends when it is idle for too long.
        method: How the person signed in: password, link or provider.
    """

    __tablename__ = "user_sessions"
    __table_args__ = (Index(None, "user_id"), Index(None, "expires_at"))

    digest: Mapped[bytes] = mapped_column(_DIGEST, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    method: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class OneTimeLink(Base):
    """A link that works once, until it expires: to sign in, accept an invitation, reset a password."""

    __tablename__ = "one_time_links"
    __table_args__ = (Index(None, "user_id"), Index(None, "expires_at"))

    digest: Mapped[bytes] = mapped_column(_DIGEST, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ApiToken(Base):
    """A secret by which a program uses the desk's API.

    Attributes:
        digest: SHA-256 of the token.
        scopes: Names of actions.
        programmes: Programmes that it is limited to; None for all.
        created_by: Id of the user who made it, or the command's name.
        used_at: Last use, to a minute.
    """

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    digest: Mapped[bytes] = mapped_column(_DIGEST, unique=True)
    name: Mapped[str] = mapped_column(String(200))
    scopes: Mapped[list[Any]]
    programmes: Mapped[list[Any] | None]
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class Attempt(Base):
    """A failed attempt to sign in, under a keyed digest of the account or network address."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (Index(None, "subject", "at"),)

    id: Mapped[RowId]
    subject: Mapped[bytes] = mapped_column(_DIGEST)
    at: Mapped[datetime]


class ProviderSignIn(Base):
    """A sign-in that has left for an OpenID provider and has not come back.

    Attributes:
        state: SHA-256 of the `state` parameter, which the browser holds in a cookie.
        nonce: Value that the ID token has to repeat.
        verifier: PKCE's code verifier.
        return_to: Path to show afterwards.
    """

    __tablename__ = "provider_sign_ins"
    __table_args__ = (Index(None, "expires_at"),)

    state: Mapped[bytes] = mapped_column(_DIGEST, primary_key=True)
    nonce: Mapped[str] = mapped_column(String(64))
    verifier: Mapped[str] = mapped_column(String(128))
    return_to: Mapped[str] = mapped_column(String(2000))
    expires_at: Mapped[datetime]


class ProviderIdentity(Base):
    """The account at an OpenID provider that a person signs in with."""

    __tablename__ = "provider_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"), Index(None, "user_id"))

    id: Mapped[RowId]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]


class BrokenGlass(Base):
    """A student whom a person opened for a short time without being assigned, and why.

    The reason may tell about the student, so it is sealed under the student's key.
    """

    __tablename__ = "broken_glass"
    __table_args__ = (Index(None, "user_id", "ends_at"), Index(None, "student_id"))

    id: Mapped[RowId]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    student_id: Mapped[int] = _student()
    reason_sealed: Mapped[bytes]
    opened_at: Mapped[datetime]
    ends_at: Mapped[datetime]


class StudentLink(Base):
    """A link by which a student sees their own page, until it expires or is revoked.

    Attributes:
        digest: SHA-256 of the link's secret.
        created_by: Number of the user who made it; None for the desk itself.
    """

    __tablename__ = "student_links"
    __table_args__ = (Index(None, "student_id"), Index(None, "expires_at"))

    digest: Mapped[bytes] = mapped_column(_DIGEST, primary_key=True)
    student_id: Mapped[int] = _student()
    created_by: Mapped[int | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
