"""Passwords of local accounts: what is accepted, and how it is stored (argon2id, RFC 9106)."""

import tomllib
from functools import cache
from importlib.resources import files
from itertools import pairwise

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from access.errors import WeakPasswordError

SHORTEST = 12
LONGEST = 128

# OWASP's first choice is 46 MiB, one pass, one lane; this is above it and takes about 50 ms.
_HASHER = PasswordHasher(time_cost=2, memory_cost=64 * 1024, parallelism=1)


def hash_password(password: str) -> str:
    """Hash a password with argon2id and a random salt."""
    return _HASHER.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Compare a password with its hash.

    Args:
        stored: The hash; None where there is no such account or it has no password. That takes the same time, so
            that the time does not show which accounts exist.
        password: As typed in.
    """
    try:
        return _HASHER.verify(stored or _nobody(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Return whether a hash was made with weaker parameters than new ones are."""
    return _HASHER.check_needs_rehash(stored)


def check_new_password(password: str, email: str, name: str) -> None:
    """Refuse a password that others would guess. Any characters are allowed, and none are asked for.

    Raises:
        WeakPasswordError: It is too short, too long, common, repeated, or made of the person's own names.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPasswordError(
            f"Choose a password of {SHORTEST} to {LONGEST} characters; several words are easy to remember."
        )
    folded = password.casefold()
    if folded in _common() or len(set(folded)) < 5 or _is_sequence(folded):
        raise WeakPasswordError(
            "This password is among those that are tried first. Choose another."
        )
    own = {
        email.partition("@")[0],
        *email.rsplit("@", maxsplit=1)[-1].split("."),
        *name.split(),
        "bellwether",
    }
    rest = folded
    for word in sorted((one.casefold() for one in own if len(one) > 2), key=len, reverse=True):
        rest = rest.replace(word, "")
    if sum(map(str.isalnum, rest)) < SHORTEST // 2:
        raise WeakPasswordError("Do not make the password of your own name or address.")


@cache
def _nobody() -> str:
    """Give a hash that no password has been chosen for."""
    return _HASHER.hash("no account has this password")


@cache
def _common() -> frozenset[str]:
    text = files("access.sign_in").joinpath("common_passwords.toml").read_text("utf-8")
    return frozenset(tomllib.loads(text)["passwords"])


def _is_sequence(folded: str) -> bool:
    """Return whether a password is one short piece, repeated, or characters in a row."""
    repeated = any(folded == (folded[:size] * len(folded))[: len(folded)] for size in range(1, 5))
    steps = {ord(b) - ord(a) for a, b in pairwise(folded)}
    return repeated or steps in ({1}, {-1})
