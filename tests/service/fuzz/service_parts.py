"""Send hostile bodies and heads to a running service, from several connections at once."""

import http.client
import json
import random
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tests.service.asking import student
from tests.service.fuzz.heads import segments
from tests.service.fuzz.inputs import (
    JSON,
    SECRET_NUMBER,
    SECRET_TEXT,
    TYPES,
    Input,
    bulk_body,
    score_body,
)
from tests.service.fuzz.tally import CROSSED, HANG, LEAK, UNPLANNED, Tally

PATIENCE = 30.0
_THREADS = 4
_EVERY = 25  # one known request after so many hostile ones
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r\n")
_KNOWN = json.dumps({"students": [student("known")]}).encode()


@dataclass
class Load:
    """Hostile requests to one service.

    Attributes:
        host: Where it listens.
        port: Likewise.
        tally: Takes what is found.
        seed: Every input follows from it, its part and its number.
        until: Reading of the monotonic clock after which nothing more is sent.
    """

    host: str
    port: int
    tally: Tally
    seed: int
    until: float = float("inf")

    def __post_init__(self) -> None:
        connection = self._connect()
        while True:  # until the service is not busy
            self._expected = self._ask_known(connection)
            if self._expected[0] == HTTPStatus.OK:
                break
            time.sleep(1)
        connection.close()

    def bodies(self, number: int) -> None:
        """Send `number` bodies to `score` and `score/bulk`."""
        self._spread(self._send_bodies, number)

    def heads(self, number: int) -> None:
        """Open `number` connections that send hostile heads or framing."""
        self._spread(self._send_heads, number)

    def _spread(self, send: Callable[[range], None], number: int) -> None:
        with ThreadPoolExecutor(_THREADS) as pool:
            for done in [
                pool.submit(send, range(first, number, _THREADS)) for first in range(_THREADS)
            ]:
                done.result()

    def _send_bodies(self, numbers: range) -> None:
        connection, known = self._connect(), self._connect()
        for at in self._while_time(numbers):
            generator = random.Random(f"{self.seed} bodies {at}")  # noqa: S311 - repeatable
            path = generator.choice(("/score", "/score/bulk"))
            made = score_body(generator) if path == "/score" else bulk_body(generator)
            if generator.random() < 0.1:
                made = Input(made.body, generator.choice(TYPES), is_whole=False)
            try:
                connection.request("POST", path, made.body, {"content-type": made.media_type})
                response = connection.getresponse()
                answer = response.read()
            except TimeoutError:
                self.tally.find(HANG, f"body {at} to {path}")
                connection = self._connect(connection)
            except (OSError, http.client.HTTPException) as error:
                # An answer that is cut, or a body that is refused before it is read.
                self.tally.count("bodies", type(error).__name__)
                connection = self._connect(connection)
            else:
                self._judge(at, path, made, response.status, answer)
            if at % _EVERY < _THREADS:
                known = self._check_known(known, f"body {at}")
        connection.close()
        known.close()

    def _judge(self, at: int, path: str, made: Input, status: int, answer: bytes) -> None:
        self.tally.count("bodies", f"{path} {status}")
        if status >= 500:
            self.tally.find(UNPLANNED, f"body {at} to {path}: {status} {answer[:200]!r}")
        secrets = SECRET_TEXT.encode(), str(SECRET_NUMBER).encode()
        if made.is_whole and any(secret in answer for secret in secrets):
            self.tally.find(LEAK, f"body {at} to {path}: {answer[:300]!r}")
        if status == HTTPStatus.OK and path == "/score" and made.is_whole:
            # Every id of an answer stands in its own request.
            got = {one["id"] for one in json.loads(answer)["assessments"]}
            strange = [name for name in got if json.dumps(name) not in _plain(made.body)]
            if strange:
                self.tally.find(CROSSED, f"body {at}: {strange}")

    def _send_heads(self, numbers: range) -> None:
        known = self._connect()
        for at in self._while_time(numbers):
            generator = random.Random(f"{self.seed} heads {at}")  # noqa: S311 - repeatable
            try:
                answer = self._exchange(segments(generator), generator)
            except TimeoutError:
                self.tally.find(HANG, f"head {at}")
                continue
            statuses = [found.decode() for found in _STATUS.findall(answer)]
            self.tally.count("heads", " ".join(sorted(set(statuses))) or "closed")
            if any(status >= "500" for status in statuses):
                self.tally.find(UNPLANNED, f"head {at}: {answer[:300]!r}")
            if at % _EVERY < _THREADS:
                known = self._check_known(known, f"head {at}")
        known.close()

    def _exchange(self, pieces: list[bytes], generator: random.Random) -> bytes:
        """Send the pieces, end the sending side, and read until the service closes."""
        with socket.create_connection((self.host, self.port), timeout=PATIENCE) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            received = b""
            try:
                for piece in pieces:
                    link.sendall(piece)
                    if len(pieces) > 1:
                        time.sleep(generator.choice((0, 0, 0.002)))
                link.shutdown(socket.SHUT_WR)
                while part := link.recv(65_536):
                    received += part
            except TimeoutError:
                raise
            except OSError:  # closed while there was still something to send
                pass
            return received

    def _check_known(
        self, connection: http.client.HTTPConnection, when: str
    ) -> http.client.HTTPConnection:
        """Ask what has one right answer; another client's input must not change it."""
        try:
            answer = self._ask_known(connection)
        except TimeoutError:
            self.tally.find(HANG, f"the known request after {when}")
            return self._connect(connection)
        except (OSError, http.client.HTTPException):  # it may close an idle connection
            connection = self._connect(connection)
            answer = self._ask_known(connection)
        self.tally.count("known", answer[0])
        if answer[0] == HTTPStatus.TOO_MANY_REQUESTS:  # busy, which is no other client's answer
            return connection
        if answer != self._expected:
            self.tally.find(CROSSED, f"the known request after {when}: {answer}")
        return connection

    def _ask_known(self, connection: http.client.HTTPConnection) -> tuple[int, Any]:
        connection.request("POST", "/score", _KNOWN, {"content-type": JSON})
        response = connection.getresponse()
        answer = json.loads(response.read())
        for one in answer.get("assessments", ()):
            # In other company the last digits of a probability may differ.
            one.pop("forecast", None)
            one["risk"] = round(one["risk"], 4)
            for point in one["trajectory"]:
                point["risk"] = point["risk"] and round(point["risk"], 4)
        return response.status, answer

    def _connect(
        self, former: http.client.HTTPConnection | None = None
    ) -> http.client.HTTPConnection:
        if former is not None:
            former.close()
        return http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)

    def _while_time(self, numbers: range) -> Iterator[int]:
        for number in numbers:
            if time.monotonic() > self.until:
                return
            yield number


def _plain(body: bytes) -> str:
    """Return a JSON body as this module would write it: escapes may be written in several ways."""
    return json.dumps(json.loads(body))
