"""Notice over ASGI that a client has disconnected while its response is being computed."""

import asyncio

from starlette.types import Receive

from service.batching.jobs import PendingResponse

# Most responses are ready earlier and need no task that watches.
_WATCHED_AFTER = 0.02


async def await_response(waiting: PendingResponse, receive: Receive) -> bytes:
    """Wait for a response until it is ready or its client disconnects.

    Args:
        waiting: The response; marked as disconnected once its client is.
        receive: The request's ASGI channel, after the whole body has been received.

    Raises:
        RequestError: There is no answer, and why.
        ClientDisconnectedError: The client has disconnected; work that has not begun is skipped.
    """
    watching: list[asyncio.Task[None]] = []

    def watch() -> None:
        watching.append(asyncio.create_task(_watch(waiting, receive)))

    timer = asyncio.get_running_loop().call_later(_WATCHED_AFTER, watch)
    try:
        return await waiting.answer()
    finally:
        timer.cancel()
        for task in watching:
            task.cancel()


async def _watch(waiting: PendingResponse, receive: Receive) -> None:
    # After the body, ASGI sends nothing but the disconnect; for any other message there is no second wait.
    if (await receive())["type"] == "http.disconnect":
        waiting.leave()
