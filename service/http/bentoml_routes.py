"""What BentoML answers behind the front: its errors in our shape, and what is mounted beside it."""

from collections.abc import Awaitable, Sequence
from http import HTTPStatus

from _bentoml_impl.server.mount import PassiveMount  # type: ignore[import-untyped]
from starlette.applications import Starlette
from starlette.routing import Match, Route
from starlette.types import Message, Receive, Scope, Send

from service.http.problems import MEDIA_TYPE, NOT_FOUND, RequestError, stock_problem
from service.http.responses import check_method, send_problem


class BentoMLRoutes:
    """BentoML's application.

    Args:
        app: The application.
        listed: Paths to name to those who ask for one that is not there.
    """

    def __init__(self, app: Starlette, listed: Sequence[str]) -> None:
        self._app = app
        self._listed = ", ".join(listed)

    def live(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Follow the application's life from start to end."""
        return self._app(scope, receive, send)

    async def answer_unlisted(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a path that is not in the table of routes.

        Raises:
            RequestError: 404, there is no such path: BentoML would keep metrics of each one for ever; 405, it does not
                take the method.
        """
        allowed: list[str] = []
        for route in self._app.routes:
            match, _ = route.matches(scope)
            if match is Match.FULL and isinstance(route, PassiveMount):
                await self._app(
                    scope, receive, send
                )  # mounted with `mount_asgi_app`: its errors are its own
                return
            if match is Match.FULL and isinstance(route, Route):
                await self(scope, receive, send)
                return
            if match is Match.PARTIAL and isinstance(route, Route):
                allowed += sorted(route.methods or ())
        if allowed:
            check_method(scope, allowed)
        detail = f"This service answers {self._listed}; `/docs` documents them."
        raise RequestError(NOT_FOUND, detail)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it answer, but for the shape of its errors."""
        held: list[bytes] = []
        status = 0

        async def shaped(message: Message) -> None:
            nonlocal status
            if _is_error(message):
                status = message["status"]
            elif not status:
                await send(message)
            else:
                held.append(message.get("body", b""))
                if not message.get("more_body", False):
                    await send_problem(send, stock_problem(status, b"".join(held)))

        await self._app(scope, receive, shaped)


def _is_error(message: Message) -> bool:
    if message["type"] != "http.response.start" or message["status"] < HTTPStatus.BAD_REQUEST:
        return False
    headers = {key.lower(): value for key, value in message["headers"]}
    return headers.get(b"content-type") != MEDIA_TYPE.encode()
