"""Notice over ASGI that a client has hung up while its answer is being made."""

import asyncio

from starlette.types import Receive

from service.batching.jobs import PendingResponse

# Most answers come sooner, and are spared the task that watches.
_WATCHED_AFTER = 0.02


async def await_response(waiting: PendingResponse, receive: Receive) -> bytes:
    """Wait for an answer as long as its client does.

    Args:
        waiting: Who waits; has gone as soon as its client hangs up.
        receive: The request's ASGI channel, after all of the body has come.

    Raises:
        RequestError: There is no answer, and why.
        ClientDisconnectedError: The client hung up; what has not begun is left out.
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
    # After the body nothing but its end comes of a connection; whatever else a server says there,
    # it is no reason to ask again and again.
    if (await receive())["type"] == "http.disconnect":
        waiting.leave()
