"""The short way of `score` and `score/bulk`: from the socket to the batcher and back, past ASGI.

uvicorn builds a scope, a cycle, an event and a task for every request, and parses its head with a
dozen calls back into Python: about a third of what a single student costs once the model is
batched. It also copies a body four times. Clients send the same head again and again, but for the
length. So the first request with a head goes uvicorn's way (`HttpToolsProtocol`, then
`service.asgi`), and if it turns out to be plain (`service.transport.known_heads`), its bytes are remembered; a
head with the same bytes, but for the digits of its Content-Length, means the same, and needs no
parser.

Everything that is not plain, not kept alive or wants Expect, a head that comes in pieces, a body
above 64 KiB (1 MiB for cohorts), and whatever comes while uvicorn has an answer under way, goes
uvicorn's way. Both ways share the batcher and give the same bytes (tests/service/transport/test_fast_path.py).

What the short way leaves out: BentoML's middleware and spans, which `service.asgi` leaves out
too, and uvicorn's access log, which switches it off where it is on. `BELLWETHER_FAST_PATH=false`
switches it off altogether.

A body of `score` that will not be taken in (`Batcher.has_room`) is not kept, nor is one that comes
in pieces while the bodies on their way hold all that they may (`service.http.body_budget`): its bytes
are counted as they come, and the refusal is sent once all have, so that a client which sends before
it reads sees it.
"""

import asyncio
import functools
import logging
import sys
from time import perf_counter
from typing import Any, cast

import uvicorn.config
from starlette.types import Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from service.asgi import Front
from service.batching.batcher import Batcher
from service.bulk.timings import BulkTimings
from service.http import body as arrival
from service.http.body_budget import PartialBody
from service.http.problems import RequestError
from service.transport.connection_share import share_of_this_worker
from service.transport.known_heads import AFTER_LENGTH, LAST_AFTER_LENGTH, Plain, ShortWay, render

_LENGTH = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
_LONGEST_HEAD = 4096
_DIGITS = 7


def take_over() -> None:
    """Have uvicorn use `ScoreProtocol` wherever it would choose its protocol by itself."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{ScoreProtocol.__name__}"


class ScoreProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with a short way for plain requests.

    At any time a connection is in one of these states: the parser's (uvicorn's own), a body
    arriving (`_missing` bytes of `_partial`), an answer or a refusal under way (`_awaiting`), or
    between requests.

    Attributes:
        disconnected: Whether the client has hung up (`service.batching.jobs.ResponseSink`).
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        logs = self.access_log and self.access_logger.isEnabledFor(logging.INFO)
        own = not logs and not config.root_path and config.limit_concurrency is None
        self._short = _short_way(config.loaded_app) if own else None
        self._share = share_of_this_worker()
        self.disconnected = False
        self._parsing = False
        self._awaiting = False
        self._stays = True
        self._plain: Plain | None = None
        self._course: BulkTimings | None = None
        self._head = b""
        self._missing = 0
        self._partial: PartialBody | None = None
        self._held = b""
        self._idle_since = 0.0
        self._too_late: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        if self._awaiting:
            self._held += data
            self.flow.pause_reading()
        elif self._missing:
            self._continue_body(data)
        elif self._short is None or not self._is_between_requests():
            super().data_received(data)
        else:
            self._begin(data, self._short)

    def _is_between_requests(self) -> bool:
        cycle = self.cycle
        return not (
            self._parsing
            or self.flow.write_paused
            or self.pipeline
            or (cycle is not None and not cycle.response_complete)
        )

    def _begin(self, data: bytes, short: ShortWay) -> None:
        """Take the first bytes of a request."""
        end = data.find(b"\r\n\r\n") + 4
        found = _find_length(data, end)
        if found is None:
            super().data_received(data)
            return
        start, stop = found
        head = data[:start] + data[stop:end]
        digits = data[start:stop]
        size = int(digits) if digits.isdigit() and len(digits) <= _DIGITS else sys.maxsize
        plain = short.plain.get(head)
        if plain is None or size > plain.longest:
            self._parse_and_learn(data, head, whole=len(data) <= end + size)
        else:
            self._plain, self._head = plain, data[:end]
            self._take(data, size, short)

    def _take(self, data: bytes, size: int, short: ShortWay) -> None:
        """Take a plain request, of which all or the beginning has arrived.

        Args:
            data: What has arrived.
            size: Bytes of its body.
            short: The way it goes.
        """
        plain, end = self._asked, len(self._head)
        skip = not short.has_room(plain, size)
        missing = end + size - len(data)
        if missing > 0:
            self._missing = missing
            self._partial = PartialBody(short.arriving)
            if skip:
                self._partial.drop()
            self._partial.add(data[end:])
            self._wait_for_more(plain)
            return
        if missing < 0:
            self._put_off(data[missing:])
        if skip:
            self._turn_away(size, short)
        else:
            self._submit(data[end : end + size], short)

    @property
    def _asked(self) -> Plain:
        """What the head of the request under way asks for."""
        if self._plain is None:
            raise RuntimeError("a body arrives after its head")
        return self._plain

    def _wait_for_more(self, plain: Plain) -> None:
        seconds = arrival.SILENCE if plain.streams else arrival.ARRIVAL_SECONDS
        self._too_late = self.loop.call_later(seconds, self._give_up)

    def _parse_and_learn(self, data: bytes, head: bytes, *, whole: bool) -> None:
        """Let uvicorn have a request; remember its head if that turns out to be plain.

        Args:
            data: What has arrived, beginning with the head.
            head: The head without its length.
            whole: Whether `data` ends within this request.
        """
        before = self.cycle
        super().data_received(data)
        cycle = self.cycle
        strange = len(head) > _LONGEST_HEAD or head.count(b"\n") != head.count(b"\r\n")
        if not whole or strange or cycle is before or self._short is None:
            return
        stays = cycle.keep_alive and not self.expect_100_continue
        if stays and not self.transport.is_closing():
            self._short.learn(head, cast("Scope", cycle.scope))

    def on_message_begin(self) -> None:
        """Note that the parser is inside of a request."""
        self._parsing = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note that the parser is between requests."""
        self._parsing = False
        super().on_message_complete()

    def _continue_body(self, data: bytes) -> None:
        missing, partial = self._missing, self._partial
        if partial is None or self._short is None:
            raise RuntimeError("a body arrives in pieces on the short way")
        if len(data) > missing:
            self._put_off(data[missing:])
            data = data[:missing]
        self._missing = missing - len(data)
        partial.add(data, last=not self._missing)
        if self._missing and not self._asked.streams:
            return
        self._stop_waiting()
        if self._missing:
            self._wait_for_more(self._asked)
            return
        self._partial = None
        if partial.is_kept:
            self._submit(partial.whole(), self._short)
        else:
            self._turn_away(partial.size, self._short)

    def _put_off(self, data: bytes) -> None:
        """Keep what came behind a request until that is answered."""
        self._held = data
        self.flow.pause_reading()

    def _submit(self, body: bytes, short: ShortWay) -> None:
        plain = self._asked
        if not plain.is_whole(body):
            held, self._held = self._held, b""
            super().data_received(self._head + body + held)
            if not self._stays:  # the server shuts down: that would end the connection
                super().shutdown()
            return
        self._awaiting = True
        self._course = BulkTimings(perf_counter())
        if not short.submit(plain, body, self, self._course):
            short.refusals.add(self, short.batcher.hold(len(body)))

    def _turn_away(self, size: int, short: ShortWay) -> None:
        """Refuse a request whose body was not kept."""
        self._awaiting = True
        if self._asked.cohort is None:
            short.batcher.turn_away()
        else:  # counted once it is told
            self._course = BulkTimings(perf_counter())
        short.refusals.add(self, short.batcher.hold(size))

    def refuse(self, answer: bytes, batcher: Batcher) -> None:
        """Say that there is no room; `answer` does, for a connection that stays open."""
        if self._asked.cohort is not None or not self._stays:
            self.fail(batcher.refusal())
        elif not self.transport.is_closing():
            self.transport.write(answer)
            self._finish()

    def succeed(self, body: bytes) -> None:
        """Send an answer."""
        if self._short is None or self.transport.is_closing():
            return
        self._part_if_crowded()
        first = self._short.success(self._asked, self.server_state.default_headers)
        length = str(len(body)).encode()
        self.transport.write(
            b"".join((first, length, AFTER_LENGTH if self._stays else LAST_AFTER_LENGTH, body))
        )
        self._count(None)
        self._finish()

    def _part_if_crowded(self) -> None:
        """Let this answer be the connection's last where another worker has clearly fewer.

        Clients open another one then, which that worker takes.
        """
        share = self._share
        if share is not None and share.surplus and self._stays and not self._held:
            share.surplus -= 1
            self._stays = False

    def fail(self, refusal: RequestError) -> None:
        """Send the reason why there is no answer."""
        if self.transport.is_closing():
            return
        defaults = self.server_state.default_headers
        self.transport.write(render(refusal, defaults, stays=self._stays))
        self._count(refusal)
        self._finish()

    def _count(self, refusal: RequestError | None) -> None:
        """Count what became of a cohort; the batcher counts the requests to `score`."""
        if self._short is not None and self._course is not None:
            self._short.count(self._asked, self._course, refusal)

    def _give_up(self) -> None:
        """Refuse a body that stopped halfway."""
        if self._short is None:
            return
        self._missing, self._stays, self._course = 0, False, None
        self._drop_partial()
        self.fail(self._short.give_up(self._asked))

    def _finish(self) -> None:
        self.server_state.total_requests += 1
        if not self._stays:
            self.transport.close()
        elif self._held:
            # Not from here: a pile of small requests would pile up as many calls.
            self.loop.call_soon(self._go_on)
        else:
            self._awaiting = False
            self._idle_since = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self._arm(self.timeout_keep_alive)

    def _go_on(self) -> None:
        """Take the request that came while the one before was under way."""
        self._awaiting = False
        held, self._held = self._held, b""
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self.data_received(held)
            if not self._stays and not self._awaiting and not self._missing:
                super().shutdown()  # what came behind is uvicorn's, or the beginning of a head

    def _arm(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle for too long.

        One timer looks again when the time would be up: setting one a request costs more than
        reading the clock.
        """
        self.timeout_keep_alive_task = None
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if self._awaiting or self._missing:
            self._arm(self.timeout_keep_alive)
        elif left > 0:
            self._arm(left)
        else:
            super().timeout_keep_alive_handler()

    def _drop_partial(self) -> None:
        if self._partial is not None:
            self._partial.drop()
            self._partial = None

    def _stop_waiting(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

    def shutdown(self) -> None:
        """Answer what is under way, then close."""
        if self._awaiting or self._missing:
            self._stays = False
        else:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the batcher that nobody waits any more."""
        self.disconnected = True
        self._stop_waiting()
        self._drop_partial()
        super().connection_lost(exc)


def _find_length(data: bytes, end: int) -> tuple[int, int] | None:
    """Return where the digits of the first Content-Length of a head begin and end."""
    if end < 4 or not data.startswith(b"POST "):
        return None
    for name in _LENGTH:
        at = data.find(name, 0, end)
        if at >= 0:
            start = at + len(name)
            return start, data.find(b"\r\n", start, end)
    return None


def _short_way(app: object) -> ShortWay | None:
    """Return the short way into an application: there is one if it is the front itself."""
    if isinstance(app, ProxyHeadersMiddleware):  # only changes who the client is said to be
        app = app.app
    return _short_way_into(app) if isinstance(app, Front) else None


@functools.lru_cache(8)
def _short_way_into(front: Front) -> ShortWay:
    return ShortWay(front)
