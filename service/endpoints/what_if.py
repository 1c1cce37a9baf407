"""`POST /what-if`: taken in by estimated work, done in steps beside plain scores."""

from starlette.types import Receive, Scope, Send

from service.batching.background import problem_of
from service.batching.batcher import Batcher
from service.batching.disconnect import await_response
from service.batching.jobs import PendingResponse
from service.explain.what_if import WhatIfResponder
from service.http.body import JSON, UnwantedBodyError, check_media_type, receive_body
from service.http.body_budget import BodyBudget
from service.http.exchange import Exchange
from service.http.responses import ANSWER_HEADERS, send_whole
from service.routes import WHAT_IF


class WhatIfRoute:
    """Answers `POST /what-if`.

    Args:
        responder: Answers bodies, in steps.
        batcher: Does the steps beside its batches.
        max_body_bytes: Larger bodies are rejected.
        arriving: What bodies may hold while they arrive.
    """

    def __init__(
        self,
        responder: WhatIfResponder,
        batcher: Batcher,
        max_body_bytes: int,
        arriving: BodyBudget,
    ) -> None:
        self._responder = responder
        self._batcher = batcher
        self._max_body_bytes = max_body_bytes
        self._arriving = arriving

    async def answer(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        """Answer a request.

        Raises:
            RequestError: It is rejected, or cannot be answered.
            ClientDisconnectedError: The client hung up.
        """
        check_media_type(scope)
        try:
            body = await receive_body(
                scope, receive, self._max_body_bytes, self._arriving, self._batcher.has_room
            )
        except UnwantedBodyError as unwanted:
            raise await self._batcher.rejection_when_due(unwanted.size) from None
        waiting = PendingResponse(exchange.span)

        def done(outcome: bytes | BaseException | None) -> None:
            if isinstance(outcome, bytes):
                waiting.succeed(outcome)
            elif outcome is not None:
                waiting.fail(problem_of(outcome, WHAT_IF.path))

        if not self._batcher.background.submit(
            self._responder.steps(body),
            self._responder.seconds,
            is_wanted=lambda: not waiting.disconnected,
            done=done,
        ):
            raise await self._batcher.rejection_when_due(len(body))
        answer = await await_response(waiting, receive)
        await send_whole(send, 200, answer, JSON, ANSWER_HEADERS)
