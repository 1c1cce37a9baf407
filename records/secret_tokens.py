"""Secrets that programs and browsers carry: how they are made, and what is stored of them.

They are long and random, so a plain SHA-256 is enough: nothing can be guessed from it, and a request is checked
in a microsecond. Passwords, which people choose, need a slow hash and are none of this module's business.
"""

import hashlib
import secrets

SECRET_BYTES = 32


def new_secret(prefix: str = "") -> str:
    """Make a secret of 256 random bits.

    Args:
        prefix: Text in front, by which secret scanners recognise what leaked, such as `bwd_`.

    Returns:
        The prefix and 43 characters that are safe in URLs, cookies and headers.
    """
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def new_id() -> str:
    """Make an identifier of 128 random bits, 22 characters long. It is no secret."""
    return secrets.token_urlsafe(16)


def digest(secret: str) -> bytes:
    """Give what is stored of a secret: its SHA-256, 32 bytes.

    Stored digests are looked up by equality. An attacker who measures how long that takes learns something of
    the digest of a guess, and nothing of any secret.
    """
    return digest_bytes(secret.encode())


def digest_bytes(secret: bytes) -> bytes:
    """Digest a secret as it comes in a header; else as `digest`."""
    return hashlib.sha256(secret).digest()
