"""How entries of the audit trail are written down and chained. Pure functions."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

START = bytes(32)

Detail = str | int | float | bool | None | Sequence[str] | Sequence[int]


@dataclass(frozen=True)
class Link:
    """Everything of an entry that its hash covers.

    Attributes:
        seq: Number of the entry.
        at: Moment, in UTC.
        actor_kind: A person, token, or the desk itself.
        actor: Identifier.
        action: What was done.
        details: JSON text.
        parts: Of each student, in order: keyed digest, and the digest of what is sealed, both as hex.
    """

    seq: int
    at: datetime
    actor_kind: str
    actor: str
    action: str
    details: str
    parts: tuple[tuple[str, str | None], ...]


def canonical(details: Mapping[str, Detail]) -> str:
    """Write details as JSON: the same details give the same text."""
    return json.dumps(details, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def chain(previous: bytes, link: Link) -> bytes:
    """Hash an entry together with the hash before it (SHA-256, 32 bytes).

    Of what is sealed only the hash is covered, so that an export can leave it out and still be verified.
    """
    written = [
        link.seq,
        link.at.isoformat(timespec="microseconds"),
        link.actor_kind,
        link.actor,
        link.action,
        link.details,
        link.parts,
    ]
    text = json.dumps(written, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(previous + text.encode()).digest()


def digest_sealed(sealed: bytes | None) -> str | None:
    """Give the SHA-256 of what is sealed, as hex."""
    return None if sealed is None else hashlib.sha256(sealed).hexdigest()


def seal(key: bytes, entry_hash: bytes) -> bytes:
    """Sign an entry's hash (HMAC-SHA256): a chain that was computed anew cannot be sealed without the key."""
    return hmac.new(key, entry_hash, hashlib.sha256).digest()
