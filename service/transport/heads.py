"""Heads of requests and responses as bytes: sizes, lines, problems."""

from collections.abc import Sequence
from itertools import chain

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from service.http.problems import HEAD_TOO_LARGE, MEDIA_TYPE, RequestError
from service.http.responses import COMMON_HEADERS, head_of

MAX_HEAD_BYTES = 64 * 1024
CLOSE = (b"connection", b"close")


def render_problem(
    problem: RequestError, defaults: Sequence[tuple[bytes, bytes]], *, closes: bool
) -> bytes:
    """Return an error response as the front and uvicorn would send it.

    Args:
        problem: What is wrong.
        defaults: Lines of the header that the server adds to all responses.
        closes: Whether the connection ends with it.
    """
    body = problem.body()
    lines = [*defaults, *head_of(body, MEDIA_TYPE.encode(), problem.headers), *COMMON_HEADERS]
    if closes and CLOSE not in problem.headers:
        lines.append(CLOSE)
    return STATUS_LINE[problem.status] + header_lines(lines) + b"\r\n" + body


def header_lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return lines of a header as bytes."""
    return b"".join([b"%b: %b\r\n" % line for line in headers])


def head_size(url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> int:
    """Return the bytes of a request line and its header fields."""
    return len(url) + sum(map(len, chain.from_iterable(headers))) + 4 * len(headers)


def without_upgrade(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return a head's lines without `Upgrade`, and without its name in `Connection`."""
    left = []
    for name, value in headers:
        if name == b"connection":
            options = [option.strip() for option in value.split(b",")]
            value = b", ".join(option for option in options if option.lower() != b"upgrade")  # noqa: PLW2901 - the same line, rewritten
        if name != b"upgrade" and (name != b"connection" or value):
            left.append((name, value))
    return left


def head_too_large() -> RequestError:
    """Return the problem of a head beyond `MAX_HEAD_BYTES`."""
    detail = f"The request line and header fields may hold {MAX_HEAD_BYTES:,} bytes."
    return RequestError(HEAD_TOO_LARGE, detail)
