"""Receive a request's body over ASGI, within limits."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import Receive, Scope

from service.http.body_budget import BodyBudget, PartialBody
from service.http.problems import MALFORMED, MEDIA, SLOW, TOO_LARGE, RequestError

JSON = b"application/json"
# A client that is rejected while it still sends may never see the response. A body that is too large is therefore read
# on and discarded, up to this many times the limit.
_PATIENCE = 4
# A client that stops halfway would hold its connection for ever, and the server could not shut down.
ARRIVAL_SECONDS = 30.0
# The same for a body that takes long as a whole: longest time without a byte.
SILENCE = 30.0


# Status in metrics and traces of a request whose client disconnected before it had its response; never sent.
CLIENT_CLOSED_REQUEST = 499


class ClientDisconnectedError(Exception):
    """The client has disconnected; there is no one to respond to."""


def header(scope: Mapping[str, Any], name: bytes) -> bytes:
    """Return a request header's value, empty where there is none; `name` in lower case."""
    return next((value for key, value in scope["headers"] if key == name), b"")


def media_type(scope: Mapping[str, Any]) -> bytes:
    """Return the body's media type without parameters, in lower case."""
    return media_type_of(header(scope, b"content-type"))


def media_type_of(content_type: bytes) -> bytes:
    """Return the media type of a `Content-Type` without parameters, in lower case."""
    return content_type.partition(b";")[0].strip().lower()


def check_media_type(scope: Scope) -> None:
    """Refuse a body that does not claim to be plain JSON; no claim at all will do.

    Raises:
        RequestError: 415.
    """
    if media_type(scope) not in (JSON, b""):
        detail = "Send the body as `application/json`."
        raise RequestError(MEDIA, detail, headers=[(b"accept", JSON)])
    if header(scope, b"content-encoding") not in (b"", b"identity"):
        detail = "Send the body without a content coding."
        raise RequestError(MEDIA, detail, headers=[(b"accept-encoding", b"identity")])


def too_slow() -> RequestError:
    """Return the refusal of a body that does not come in time."""
    detail = f"The body must arrive within {ARRIVAL_SECONDS:g} seconds. Send it in one go."
    return RequestError(SLOW, detail, headers=[(b"connection", b"close")])


def silent() -> RequestError:
    """Return the refusal of a body of which nothing comes any more."""
    detail = f"Nothing came for {SILENCE:g} seconds and the body is not complete."
    return RequestError(SLOW, detail, headers=[(b"connection", b"close")])


class UnwantedBodyError(Exception):
    """The request will be refused whatever its body holds; so much of that as came was dropped.

    Attributes:
        size: Bytes that the body was declared to hold.
        is_read: Whether all of it has come, so that the connection can go on.
    """

    def __init__(self, size: int, *, is_read: bool) -> None:
        super().__init__("the body is not wanted")
        self.size = size
        self.is_read = is_read


async def receive_body(
    scope: Scope,
    receive: Receive,
    limit: int,
    budget: BodyBudget,
    is_wanted: Callable[[int], bool] = lambda _: True,
) -> bytes:
    """Receive the whole body, if it comes in time.

    Args:
        scope: The request's ASGI scope.
        receive: Its ASGI channel.
        limit: Most bytes to take.
        budget: What it may hold while it arrives in pieces.
        is_wanted: Is asked before a body of so many bytes is read, where its length was declared.

    Raises:
        RequestError: 408, it does not come in time; 413, it is larger; 400, its length header is
            no number.
        UnwantedBodyError: It is not wanted, or `budget` had no room for it. It was read and dropped,
            since a client that sends does not see a rejection. A client that waits to be asked for it
            (Expect: 100-continue) is not asked.
        ClientDisconnectedError: The client hung up.
    """
    body = PartialBody(budget)
    try:
        async with asyncio.timeout(ARRIVAL_SECONDS):
            return await _receive(scope, receive, limit, body, is_wanted)
    except TimeoutError:
        raise too_slow() from None
    finally:
        body.drop()


async def _receive(
    scope: Scope,
    receive: Receive,
    limit: int,
    body: PartialBody,
    is_wanted: Callable[[int], bool],
) -> bytes:
    """Receive the whole of `body`; other arguments and errors as `receive_body`."""
    declared = header(scope, b"content-length") or b"0"
    if not declared.isdigit():
        raise RequestError(MALFORMED, "The header Content-Length must be a number.")
    large = int(declared) > limit
    unwanted = not large and int(declared) > 0 and not is_wanted(int(declared))
    if unwanted and header(scope, b"expect").lower() == b"100-continue":
        raise UnwantedBodyError(int(declared), is_read=False)
    if large or unwanted:
        body.drop()
    more = True
    while more and not (large and max(body.size, int(declared)) > _PATIENCE * limit):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnectedError
        more = message.get("more_body", False)
        body.add(message.get("body", b""), last=not more)
        if not large and body.size > limit:
            large = True
            body.drop()
    if large:
        detail = f"The body may hold {limit:,} bytes. Send the students in several requests."
        raise RequestError(TOO_LARGE, detail, headers=[(b"connection", b"close")] if more else [])
    if not body.is_kept:
        raise UnwantedBodyError(body.size, is_read=True)
    return body.whole()
