"""Send answers and refusals over ASGI."""

from collections.abc import Sequence

from starlette.types import Message, Scope, Send

from service.http.problems import MEDIA_TYPE, METHOD, NOT_FOUND, RequestError

ANSWER_HEADERS = [(b"cache-control", b"no-store")]


async def send_whole(
    send: Send,
    status: int,
    body: bytes,
    kind: bytes,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Send an answer that is complete.

    Args:
        send: The request's ASGI channel.
        status: HTTP status.
        body: The answer.
        kind: Its media type.
        headers: Further lines of the header.
    """
    start = head_of(body, kind, headers)
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})


async def send_problem(send: Send, refusal: RequestError) -> None:
    """Send the reason why there is no answer."""
    await send_whole(send, refusal.status, refusal.body(), MEDIA_TYPE.encode(), refusal.headers)


async def refuse_websocket(scope: Scope, send: Send) -> None:
    """Refuse a websocket, in the one shape where the server can send a body."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return

    async def as_handshake(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    await send_problem(as_handshake, RequestError(NOT_FOUND, "This service has no websockets."))


def check_method(scope: Scope, allowed: Sequence[str]) -> None:
    """Refuse a method that a path does not take.

    Raises:
        RequestError: 405, with the methods that it takes.
    """
    if scope["method"] not in allowed:
        listed = ", ".join(allowed)
        raise RequestError(
            METHOD, f"This path takes {listed}.", headers=[(b"allow", listed.encode())]
        )


def head_of(
    body: bytes, kind: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """Return the header of an answer; `kind` is its media type."""
    length = str(len(body)).encode()
    return [(b"content-type", kind), (b"content-length", length), *headers]
