"""Check ID tokens of an OpenID provider: signature, issuer, audience, times, nonce."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from access.errors import SignInRefusedError

# Signatures that need the provider's private key. `none` and HMAC would let others make tokens.
ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)
LEEWAY_SECONDS = 60
_REFETCH_AFTER = timedelta(seconds=10)


@dataclass(frozen=True)
class Identity:
    """Whom a provider has vouched for.

    Attributes:
        issuer: The provider.
        subject: Its identifier of the person, which never changes.
        email: Address, in lower case; None where the provider does not vouch for it.
        name: Name to show; None where the provider gives none.
    """

    issuer: str
    subject: str
    email: str | None
    name: str | None


class KeyCache:
    """A provider's public keys: fetched when first needed, and again when a token names a key that is not there.

    Args:
        fetch: Returns the provider's JSON Web Key Set.
    """

    def __init__(self, fetch: Callable[[], Mapping[str, Any]]) -> None:
        self._fetch = fetch
        self._keys: KeySet | None = None
        self._fetched_at: datetime | None = None
        self._lock = Lock()

    def get(self, at: datetime) -> KeySet:
        """Return the keys that were fetched last."""
        with self._lock:
            if self._keys is None:
                self._load(at)
            if self._keys is None:
                raise AssertionError("keys were fetched")
            return self._keys

    def renew(self, at: datetime) -> KeySet | None:
        """Fetch the keys again: the provider has rotated them.

        Returns:
            None where they were fetched moments ago, so that made-up key ids cause no flood of requests.
        """
        with self._lock:
            if self._fetched_at is not None and at < self._fetched_at + _REFETCH_AFTER:
                return None
            self._load(at)
            return self._keys

    def _load(self, at: datetime) -> None:
        self._keys = KeySet.import_key_set(dict(self._fetch()))  # type: ignore[arg-type]
        self._fetched_at = at


def check_id_token(
    raw: str,
    *,
    keys: KeyCache,
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str | None,
    at: datetime,
) -> Identity:
    """Check an ID token (OpenID Connect Core 1.0, 3.1.3.7).

    Args:
        raw: The token.
        keys: Of the provider.
        issuer: The provider.
        client_id: The desk's identifier at the provider: the token has to be meant for it.
        nonce: Of the sign-in that the token has to belong to.
        access_token: What came with it, if anything; its hash in the token has to agree.
        at: Moment.

    Raises:
        SignInRefusedError: The token cannot be trusted; the message names the claim, never a value.
    """
    try:
        token = _decode(raw, keys, at)
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": issuer},
                "aud": {"essential": True, "value": client_id},
            },
            {"nonce": nonce, "client_id": client_id, "access_token": access_token},
        )
        claims.validate(now=int(at.timestamp()), leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError) as error:
        raise _refused(error) from None
    is_verified = claims.get("email_verified") is True
    email = claims.get("email")
    name = claims.get("name")
    return Identity(
        issuer=issuer,
        subject=str(claims["sub"]),
        email=email.strip().lower() if is_verified and isinstance(email, str) else None,
        name=name if isinstance(name, str) else None,
    )


def _decode(raw: str, keys: KeyCache, at: datetime) -> jwt.Token:
    """Verify the signature; where the key is not there, fetch the keys again and try once more."""
    registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
    try:
        return jwt.decode(raw, keys.get(at), registry=registry)
    except InvalidKeyIdError:
        renewed = keys.renew(at)
        if renewed is None:
            raise
        return jwt.decode(raw, renewed, registry=registry)


def _refused(error: Exception) -> SignInRefusedError:
    claim = getattr(error, "claim", None)
    reason = f"claim '{claim}'" if claim else type(error).__name__.removesuffix("Error")
    return SignInRefusedError(f"The provider's answer cannot be trusted ({reason}). Sign in again.")
