"""What BentoML answers behind the front: which of its routes there are, its errors in our shape."""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.routing import Match, Mount, Route
from starlette.types import Message, Receive, Scope, Send

from service.http.docs_page import DOCS_ASSETS
from service.http.problems import MEDIA_TYPE, NOT_FOUND, RequestError, stock_problem
from service.http.responses import check_method, send_problem


class BentoMLRoutes:
    """BentoML's application.

    Args:
        app: The application.
        ours: The paths that are answered before it, for those who ask for one that is not there.
    """

    def __init__(self, app: Starlette, ours: Sequence[str]) -> None:
        self._app = app
        self._ours = ours

    def check(self, scope: Scope) -> None:
        """Refuse a path that it does not know: it would keep metrics of each of them, for ever.

        Raises:
            RequestError: 404, there is no such path; 405, it does not take the method.
        """
        partly: list[str] = []
        if scope["path"] in DOCS_ASSETS:
            check_method(scope, ("GET", "HEAD"))
        for route in self._app.routes:
            match, _ = route.matches(scope)
            if isinstance(route, Mount) and scope["path"] not in DOCS_ASSETS:
                continue  # a mounted folder matches every path below it
            if match is Match.FULL:
                return
            if match is Match.PARTIAL and isinstance(route, Route):
                partly += sorted(route.methods or ())
        if partly:
            check_method(scope, partly)
        ours = ", ".join(self._ours)
        raise RequestError(NOT_FOUND, f"This service answers {ours}; `/docs` documents them.")

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
