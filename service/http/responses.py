"""Send answers and refusals over ASGI."""

from collections.abc import Sequence

from starlette.types import Message, Scope, Send

from service.http.problems import MEDIA_TYPE, METHOD, RequestError

ANSWER_HEADERS = [(b"cache-control", b"no-store")]
# On every response: browsers neither guess types, nor show it in frames, nor pass its address on.
COMMON_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]


class ResponseCutError(Exception):
    """Something went wrong after the response had begun; it stays without an end."""


def with_common_headers(send: Send) -> Send:
    """Return a channel that adds `COMMON_HEADERS` to a response that lacks them."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            names = {name.lower() for name, _ in headers}
            headers += [line for line in COMMON_HEADERS if line[0] not in names]
            message = {**message, "headers": headers}
        await send(message)

    return send_with_headers


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
