"""The desk's secret, and the keys that are derived from it."""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from access.errors import SecretError

_LEAST_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True)
class DeskKeys:
    """One key for each purpose; none tells anything about another (HKDF, RFC 5869).

    Attributes:
        trail: Seals the entries of the audit trail.
        accounts: Digests addresses of accounts and networks, where only equality matters.
        totp: Encrypts the secrets of one-time passwords.
    """

    trail: bytes
    accounts: bytes
    totp: bytes

    @classmethod
    def from_secret(cls, secret: bytes) -> "DeskKeys":
        """Derive the keys.

        Raises:
            SecretError: The secret has fewer than 32 bytes.
        """
        if len(secret) < _LEAST_BYTES:
            raise SecretError("The desk's secret needs at least 32 bytes.")
        names = ("trail", "accounts", "totp")
        return cls(*(_derive(secret, name) for name in names))

    def digest_account(self, kind: str, text: str) -> bytes:
        """Digest an address, 32 bytes: the same text of another kind gives another digest."""
        return hmac.new(self.accounts, f"{kind}:{text}".encode(), hashlib.sha256).digest()

    def seal_totp(self, user_id: int, totp_secret: str) -> bytes:
        """Encrypt the secret of a person's one-time passwords (AES-256-GCM)."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self.totp).encrypt(nonce, totp_secret.encode(), str(user_id).encode())

    def open_totp(self, user_id: int, sealed: bytes) -> str:
        """Decrypt what `seal_totp` returned for the same person."""
        nonce, cipher = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return AESGCM(self.totp).decrypt(nonce, cipher, str(user_id).encode()).decode()


def load_secret(path: Path) -> bytes:
    """Read the desk's secret from its file; make one where there is none.

    Raises:
        SecretError: Others can read the file, or it is too short.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_secret(path)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(_LEAST_BYTES + 16) + "\n")
    return _read_secret(path)


def _read_secret(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise SecretError(f"Others can read {path.name}, the desk's secret: chmod 600 {path.name}.")
    secret = path.read_bytes().strip()
    if len(secret) < _LEAST_BYTES:
        raise SecretError(f"{path.name} needs at least 32 characters; delete it to get a new one.")
    return secret


def _derive(secret: bytes, name: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"bellwether desk {name}".encode()).derive(secret)
