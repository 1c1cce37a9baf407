"""What the connections of a worker share on the short way: plain heads, and how to answer them.

Plain is: `POST` of `/score` or `/score/bulk` over HTTP/1.1, a body of a kind that the route takes
and an answer of one that it gives, a length but no transfer or content coding, no Upgrade.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Protocol

from starlette.types import Scope
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from service.asgi import Front
from service.batching.batcher import Batcher
from service.batching.jobs import ResponseSink
from service.bulk.headers import TYPE_OF, WHOLE_BYTES, has_many_rows, read_head
from service.bulk.pending import BulkRequest
from service.bulk.timings import BulkTimings
from service.http import body as arrival
from service.http.body import JSON, header, media_type
from service.http.problems import MEDIA_TYPE, RequestError
from service.http.rejections import RejectionQueue
from service.http.responses import ANSWER_HEADERS, head_of
from service.observability.metrics import BULK, SCORE, count_rejection, count_request

_ANY_ANSWER = (b"", b"*/*", JSON, JSON + b", */*")
# More heads than any honest set of clients has; beyond, remembering begins anew.
_MOST_HEADS = 1024

Headers = list[tuple[bytes, bytes]]


class Connection(Protocol):
    """Whoever is refused: `service.transport.fast_path.ScoreProtocol`."""

    server_state: ServerState

    def refuse(self, answer: bytes, batcher: Batcher) -> None:
        """Say that there is no room; `answer` does, for a connection that stays open."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """What a plain head asks for.

    Attributes:
        longest: Bytes of the longest body that goes the short way.
        answer: Media type of the answer.
        cohort: How a cohort is written and answered; None for `score`.
    """

    longest: int
    answer: bytes
    cohort: BulkRequest | None = None

    @property
    def streams(self) -> bool:
        """Return whether its body may take any time, as long as it never stops."""
        return self.cohort is not None and self.cohort.sent is not None

    def is_whole(self, body: bytes) -> bool:
        """Return whether a body that is small holds no more than memory may, unpacked."""
        kind = None if self.cohort is None else self.cohort.sent
        return kind is None or not has_many_rows(body, kind)


class ShortWay:
    """What the connections of one worker share.

    Args:
        front: Has what answers, once the model is loaded.

    Attributes:
        plain: What heads that are known to be plain ask for, without their lengths.
        refusals: Connections that are to be told that there is no room.
        arriving: What bodies that are still arriving hold.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self.plain: dict[bytes, Plain] = {}
        self._rendered_for: Headers | None = None
        self._success: dict[bytes, bytes] = {}
        self._busy: dict[int, bytes] = {}
        self.refusals = RejectionQueue(self._refuse)
        self.arriving = front.arriving

    @property
    def batcher(self) -> Batcher:
        """Return what answers `score`; a head is remembered once there is a model."""
        return self._front.batcher

    def learn(self, head: bytes, scope: Scope) -> None:
        """Remember a head, if it is plain and there is a model.

        Args:
            head: Its bytes without the length.
            scope: What they mean.
        """
        plain = self._plain(scope) if self._front.is_loaded else None
        if plain is None:
            return
        if len(self.plain) >= _MOST_HEADS:
            self.plain.clear()
        self.plain[head] = plain

    def _plain(self, scope: Scope) -> Plain | None:
        if (
            scope["method"] != "POST"
            or scope["http_version"] != "1.1"
            or header(scope, b"content-encoding") not in (b"", b"identity")
            or header(scope, b"transfer-encoding")
            or header(scope, b"upgrade")
        ):
            return None
        if scope["raw_path"] == SCORE.encode():
            plain = media_type(scope) in (JSON, b"") and header(scope, b"accept") in _ANY_ANSWER
            longest = min(self._front.max_body_bytes, HIGH_WATER_LIMIT)
            return Plain(longest, JSON) if plain else None
        if scope["raw_path"] != BULK.encode():
            return None
        try:
            request = replace(read_head(scope), whole=True)
        except RequestError:
            return None
        document = request.sent is None
        limit = self._front.max_body_bytes if document else self._front.max_bulk_bytes
        return Plain(min(limit, WHOLE_BYTES), TYPE_OF[request.answer], request)

    def has_room(self, plain: Plain, size: int) -> bool:
        """Say, before a body is read, whether it might be taken in; see `Batcher.has_room`."""
        return plain.cohort is not None or self.batcher.has_room(size)

    def submit(
        self, plain: Plain, body: bytes, recipient: ResponseSink, course: BulkTimings
    ) -> bool:
        """Take a request in; see `Batcher.submit` and `BulkQueue.submit`."""
        if plain.cohort is None:
            return self.batcher.submit(body, recipient)
        return self._front.desk.submit(body, plain.cohort, recipient, course)

    def count(self, plain: Plain, course: BulkTimings, refusal: RequestError | None) -> None:
        """Count a cohort that is answered; the batcher counts the requests to `score`."""
        if plain.cohort is None:
            return
        if refusal is not None:
            count_rejection(refusal)
        status = HTTPStatus.OK.value if refusal is None else refusal.status
        self._front.count_cohort(course, status)

    def give_up(self, plain: Plain) -> RequestError:
        """Count a body that stopped halfway, and return its refusal."""
        refusal = arrival.silent() if plain.streams else arrival.too_slow()
        count_rejection(refusal)
        count_request(SCORE if plain.cohort is None else BULK, refusal.status, 0.0)
        return refusal

    def success(self, plain: Plain, defaults: Headers) -> bytes:
        """Return the first lines of an answer, up to its length."""
        self._renew(defaults)
        found = self._success.get(plain.answer)
        if found is None:
            lines = _lines([*defaults, (b"content-type", plain.answer)])
            found = STATUS_LINE[HTTPStatus.OK] + lines + b"content-length: "
            self._success[plain.answer] = found
        return found

    def busy(self, defaults: Headers) -> bytes:
        """Return the whole answer to a request that is not taken in: rendered once a second."""
        self._renew(defaults)
        seconds = self.batcher.retry_after
        if seconds not in self._busy:
            self._busy[seconds] = render(self.batcher.refusal(), defaults)
        return self._busy[seconds]

    def _refuse(self, connections: Sequence[Connection]) -> None:
        answer = self.busy(connections[0].server_state.default_headers)
        for connection in connections:
            connection.refuse(answer, self.batcher)

    def _renew(self, defaults: Headers) -> None:
        if defaults is not self._rendered_for:  # the server's date: a new list every second
            self._rendered_for = defaults
            self._success.clear()
            self._busy.clear()


def render(refusal: RequestError, defaults: Headers, *, stays: bool = True) -> bytes:
    """Return a refusal as `service.asgi` and uvicorn would send it, head and body."""
    body = refusal.body()
    headers = [*defaults, *head_of(body, MEDIA_TYPE.encode(), refusal.headers)]
    if not stays and (b"connection", b"close") not in refusal.headers:
        headers.append((b"connection", b"close"))
    return STATUS_LINE[refusal.status] + _lines(headers) + b"\r\n" + body


def _lines(headers: Headers) -> bytes:
    return b"".join(name + b": " + value + b"\r\n" for name, value in headers)


AFTER_LENGTH = b"\r\n" + _lines(ANSWER_HEADERS) + b"\r\n"
LAST_AFTER_LENGTH = b"\r\n" + _lines([*ANSWER_HEADERS, (b"connection", b"close")]) + b"\r\n"
