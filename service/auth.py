"""Decide whether a caller may ask: optional bearer tokens (RFC 6750), of which only SHA-256 digests are stored.

ASGI (`service.asgi`) and the fast path (`service.transport.fast_path`) both call `Authorizer.authorize` before they
read a body. Tokens are lines of `BELLWETHER_TOKENS_FILE`, which is read again when it changes, or of
`BELLWETHER_TOKENS`: name, scopes, digest and, if it expires, the first day on which it no longer works.

    desk score,read 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 2027-06-01
"""

import logging
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from records.errors import BellwetherError
from records.secret_tokens import digest, digest_bytes, new_secret
from service.http.problems import FORBIDDEN, UNAUTHORIZED, RequestError

_log = logging.getLogger(__name__)

PREFIX = "bws_"
# How often a changed file is noticed: a token that leaks is to be useless within seconds.
LOOK_SECONDS = 2.0
_BEARER = b"bearer "
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")

Headers = Iterable[tuple[bytes, bytes]]
Digests = Mapping[bytes, "Token"]


class Scope(StrEnum):
    """What a token lets its holder ask for."""

    SCORE = "score"
    """Assessments: `/score`, `/score/bulk` and whatever else runs the model."""
    READ = "read"
    """Contract, policy, model and card."""


class TokenFileError(BellwetherError):
    """Tokens of the service cannot be read; the message names the line, never what is in it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A caller.

    Attributes:
        name: What it is called in the settings.
        scopes: What it may ask for.
        ends: When it expires, seconds since 1970; infinite where it does not.
    """

    name: str
    scopes: frozenset[Scope]
    ends: float


def parse_tokens(text: str, source: str) -> dict[bytes, Token]:
    """Read tokens by their digests; empty lines and those that begin with `#` hold none.

    Args:
        text: Lines; or, in an environment variable, parts between semicolons.
        source: What to call the text in messages.

    Raises:
        TokenFileError: A line is malformed or repeats another's digest.
    """
    tokens: dict[bytes, Token] = {}
    for number, line in enumerate(text.replace(";", "\n").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            key, token = _parse(words)
        except ValueError as error:
            raise TokenFileError(f"{source}, line {number}: {error}.") from None
        if key in tokens:
            raise TokenFileError(f"{source}, line {number}: this digest was there before.")
        tokens[key] = token
    return tokens


def make_token(name: str, scopes: Iterable[Scope], last_day: datetime | None) -> tuple[str, str]:
    """Make a token.

    Args:
        name: Of the caller: 1 to 64 letters, digits, dots, dashes.
        scopes: What it may ask for.
        last_day: First day (UTC) on which it no longer works; None for never.

    Returns:
        The token for the caller, and the line for the service.

    Raises:
        TokenFileError: The name is malformed.
    """
    secret = new_secret(PREFIX)
    words = [name, ",".join(sorted(set(scopes))), digest(secret).hex()]
    if last_day is not None:
        words.append(last_day.date().isoformat())
    line = " ".join(words)
    parse_tokens(line, "token")
    return secret, line


class Authorizer:
    """Checks requests by their headers.

    Args:
        tokens: Digests of the tokens that work; None lets everybody ask.
        file: Where they come from; read again when it changes. None where they do not change.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        tokens: Digests | None = None,
        file: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens = tokens
        self._file = file
        self._clock = clock
        self._state = _state(file)
        self._next_look = -math.inf if file is not None else math.inf

    @classmethod
    def from_settings(cls, tokens: str | None, file: str | None) -> "Authorizer":
        """Read the tokens of the settings `tokens` and `tokens_file`, of which one at most is set.

        Raises:
            TokenFileError: The file cannot be read, a line is malformed, or there is no token.
        """
        path = None if file is None else Path(file)
        if tokens is not None:
            found = parse_tokens(tokens, "BELLWETHER_TOKENS")
        elif path is not None:
            found = _read(path)
        else:
            return cls()
        if not found:
            raise TokenFileError(
                "There is no token among the lines, so every request would be refused."
            )
        return cls(found, path)

    @property
    def is_open(self) -> bool:
        """Whether everybody may ask."""
        return self._tokens is None

    def authorize(self, headers: Headers, scope: Scope) -> None:
        """Check a request.

        Args:
            headers: Names in lower case, and values.
            scope: What it asks for.

        Raises:
            RequestError: 401 where it has no token that works, 403 where the token is for something else.
        """
        if self._tokens is None:
            return
        # Every request comes here; `python -m benchmarks.tokens` prints what it costs.
        given = b""
        for name, value in headers:
            if name == b"authorization":
                if given:
                    raise _unauthorized("Send one `Authorization` header.", b"")
                given = value
        if given[:7].lower() != _BEARER:
            raise _unauthorized("Send `Authorization: Bearer <token>`.", b"")
        now = self._clock()
        if now >= self._next_look:
            self._look(now)
        token = self._tokens.get(digest_bytes(given[7:].strip()))
        if token is None or now >= token.ends:
            text = "The token is not one of this service's, was revoked, or has expired."
            raise _unauthorized(text, b', error="invalid_token"')
        if scope not in token.scopes:
            challenge = f'Bearer realm="bellwether", error="insufficient_scope", scope="{scope}"'
            raise RequestError(
                FORBIDDEN,
                f"The token is not for this; it needs the scope `{scope}`.",
                headers=[(b"www-authenticate", challenge.encode())],
            )

    def _look(self, now: float) -> None:
        """Read the file again where it has changed; where it cannot be read, the tokens stay as they are."""
        self._next_look = now + LOOK_SECONDS
        state = _state(self._file)
        if self._file is None or state == self._state:
            return
        self._state = state
        try:
            self._tokens = _read(self._file)
        except TokenFileError as error:
            _log.error("Tokens stay as they were: %s", error)


def _parse(words: list[str]) -> tuple[bytes, Token]:
    """Read one line's words.

    Raises:
        ValueError: They are malformed; the message repeats none of them.
    """
    if len(words) not in (3, 4):
        raise ValueError("write name, scopes, digest and, if it expires, a day")
    if not _NAME.fullmatch(words[0]):
        raise ValueError("a name has 1 to 64 letters, digits, dots and dashes")
    scopes = words[1].split(",")
    if not set(scopes) <= set(Scope):
        raise ValueError(f"scopes are {', '.join(Scope)}, with commas between")
    if not re.fullmatch(r"[0-9a-f]{64}", words[2]):
        raise ValueError("the digest is not a SHA-256 in 64 hexadecimal digits")
    ends = math.inf
    if len(words) == 4:
        try:
            ends = datetime.strptime(words[3], "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
        except ValueError:
            raise ValueError("a day is written as 2027-06-01") from None
    return bytes.fromhex(words[2]), Token(words[0], frozenset(map(Scope, scopes)), ends)


def _read(file: Path) -> dict[bytes, Token]:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise TokenFileError(f"{file.name} cannot be read.") from None
    return parse_tokens(text, file.name)


def _state(file: Path | None) -> tuple[int, int, int] | None:
    """Return what changes with a file's content; None where there is no file."""
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return None if found is None else (found.st_ino, found.st_mtime_ns, found.st_size)


def _unauthorized(detail: str, more: bytes) -> RequestError:
    challenge = b'Bearer realm="bellwether"' + more
    return RequestError(UNAUTHORIZED, detail, headers=[(b"www-authenticate", challenge)])
