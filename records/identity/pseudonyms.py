"""Keyed pseudonyms for ids: the same id gives the same pseudonym, and only the key leads back.

HMAC-SHA256 (RFC 2104) over the form in which ids are matched (`records.identity.ids`). A plain digest would
not do: a list of student numbers can be digested whole and compared.
"""

import base64
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from records.errors import BellwetherError
from records.identity.ids import match_keys

# Bytes of the digest that are used: 100 bits, so that a million ids collide with a chance of 1e-18.
_LETTERS = 20
_KEY_BYTES = 32


class PseudonymError(BellwetherError):
    """A key is missing, too short or lies where it must not."""


def make_key(path: Path) -> bytes:
    """Make a key and write it to a new file that only its owner can read.

    Raises:
        PseudonymError: There is something at `path`: a key that is overwritten is lost, and with it
            the way from pseudonyms to ids.
    """
    key = secrets.token_bytes(_KEY_BYTES)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    except FileExistsError:
        raise PseudonymError(
            f"{path} exists; a key is never overwritten. Name a new file."
        ) from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(f"{key.hex()}\n")
    return key


def read_key(path: Path, *, apart_from: Path) -> bytes:
    """Read a key.

    Args:
        path: As `make_key` wrote it: 64 hexadecimal digits.
        apart_from: The table that is written; the key must not lie in its folder.

    Raises:
        PseudonymError: It is absent or no key, or lies beside the table.
    """
    if path.resolve().parent == apart_from.resolve().parent:
        raise PseudonymError(
            f"{path} lies in the folder of {apart_from.name}; keep the key apart from the table, or "
            "handing out the folder hands out both."
        )
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        raise PseudonymError(f"{path}: no such key; `--new-key` makes one.") from None
    except (ValueError, UnicodeDecodeError):
        key = b""
    if len(key) < _KEY_BYTES:
        raise PseudonymError(f"{path} holds no key: expected {2 * _KEY_BYTES} hexadecimal digits.")
    return key


def pseudonyms(ids: Sequence[str], key: bytes) -> list[str]:
    """Return the pseudonym of each id: 'p' and 20 letters and digits."""
    return [
        "p"
        + base64.b32encode(hmac.digest(key, text.encode(), hashlib.sha256))[:_LETTERS]
        .decode("ascii")
        .lower()
        for text in match_keys(ids)
    ]
