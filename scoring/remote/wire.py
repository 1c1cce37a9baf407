"""What goes between a web worker and the model process: float32 arrays over a Unix socket.

Both ends are of one version and one machine, so numbers are in its own byte order. Nothing is
unpickled. A new connection is greeted with a line of JSON (`Greeting`); then each request is
answered before the next one comes.
"""

import json
import socket
import struct
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Self

import numpy as np

from records.cohort import Bools, Floats, Ints
from records.errors import BellwetherError
from scoring.runtime.placement import Placement
from scoring.runtime.scorer import Scores

# Kind, whose forecast is wanted, records, periods, features.
_REQUEST = struct.Struct("=4sBIII")
# Kind, records, periods, subjects (0: no forecasts), executions. Of a failure: 0, and its length.
_ANSWER = struct.Struct("=4sIIII")
_ASK, _SCORES, _FAILURE = b"BWQ1", b"BWA1", b"BWF1"
_NOBODY, _ALL, _SOME = range(3)
_LONGEST_GREETING = 64 * 1024


class ModelProcessError(BellwetherError):
    """The model process did not answer; asked again in a moment, it may."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the model process says of itself.

    Attributes:
        version: Version of the bundle that it has loaded.
        provider: Execution provider that answers, as ONNX Runtime names it.
        precision: Graph name -> precision that answers.
        loaded_at: Since when, ISO 8601 with offset.
        process: Its process id.
        placement: How graphs run there.
    """

    version: str
    provider: str
    precision: dict[str, str]
    loaded_at: str
    process: int
    placement: Placement

    @property
    def since(self) -> datetime:
        """Since when the model is loaded, UTC."""
        return datetime.fromisoformat(self.loaded_at)

    def line(self) -> bytes:
        """Return it as it goes over the socket."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def receive(cls, link: socket.socket) -> Self:
        """Read it from a new connection.

        Raises:
            ModelProcessError: Something else came.
        """
        said = b""
        while not said.endswith(b"\n"):
            part = link.recv(4096)
            if not part or len(said) > _LONGEST_GREETING:
                raise ModelProcessError("The model process closed a connection without a greeting.")
            said += part
        try:
            given = json.loads(said)
            return cls(**{**given, "placement": Placement(**given["placement"])})
        except (KeyError, TypeError, ValueError) as error:
            raise ModelProcessError(
                "The model process is not of this worker's version; end it, and it is started anew."
            ) from error


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Records to score; arguments of `Scorer.score`."""

    values: Floats
    lengths: Ints
    forecast: bool | Bools


def send_question(link: socket.socket, question: Question) -> None:
    """Send a question.

    Raises:
        OSError: The other end is gone.
    """
    values = np.ascontiguousarray(question.values, np.float32)
    lengths = np.ascontiguousarray(question.lengths, np.int32)
    by_row = isinstance(question.forecast, np.ndarray)
    wanted = _SOME if by_row else _ALL if question.forecast else _NOBODY
    parts = [_REQUEST.pack(_ASK, wanted, *values.shape), values.tobytes(), lengths.tobytes()]
    if by_row:
        parts.append(np.ascontiguousarray(question.forecast, np.bool_).tobytes())
    link.sendall(b"".join(parts))


def receive_question(link: socket.socket) -> Question | None:
    """Read a question, or None where the other end has closed.

    Raises:
        ModelProcessError: What came is none.
        OSError: The other end is gone.
    """
    head = link.recv(_REQUEST.size)
    if not head:
        return None
    head += _exactly(link, _REQUEST.size - len(head))
    kind, wanted, records, periods, features = _REQUEST.unpack(head)
    if kind != _ASK or wanted > _SOME:
        raise ModelProcessError("What a web worker sent is no question of this version.")
    values = _floats(link, (records, periods, features))
    lengths = np.frombuffer(_exactly(link, records * 4), np.int32)
    if wanted != _SOME:
        return Question(values, lengths, wanted == _ALL)
    return Question(values, lengths, np.frombuffer(_exactly(link, records), np.bool_))


def send_scores(link: socket.socket, scores: Scores, *, forecasts: bool) -> None:
    """Send an answer; forecasts that nobody asked for stay here.

    Raises:
        OSError: The other end is gone.
    """
    records, periods, subjects = scores.score.shape
    executions = np.array(scores.executions, np.uint32)
    head = _ANSWER.pack(_SCORES, records, periods, subjects if forecasts else 0, len(executions))
    parts = [head, executions.tobytes(), np.ascontiguousarray(scores.risk).tobytes()]
    if forecasts:
        parts.append(np.ascontiguousarray(scores.score).tobytes())
    link.sendall(b"".join(parts))


def send_failure(link: socket.socket, reason: str) -> None:
    """Send the reason why there is no answer; it must hold no student's value.

    Raises:
        OSError: The other end is gone.
    """
    text = reason.encode()
    link.sendall(_ANSWER.pack(_FAILURE, 0, len(text), 0, 0) + text)


def receive_scores(link: socket.socket, subjects: int) -> Scores:
    """Read an answer.

    Args:
        link: Where a question went before.
        subjects: Forecasts of a record and period, NaN where none was asked for.

    Raises:
        ModelProcessError: There is none, and why.
        OSError: The other end is gone.
    """
    kind, records, periods, sent, number = _ANSWER.unpack(_exactly(link, _ANSWER.size))
    if kind == _FAILURE:
        raise ModelProcessError(bytes(_exactly(link, periods)).decode())
    if kind != _SCORES:
        raise ModelProcessError("What the model process sent is no answer of this version.")
    executions = np.frombuffer(_exactly(link, number * 4), np.uint32)
    risk = _floats(link, (records, periods))
    if sent:
        score = _floats(link, (records, periods, sent))
    else:
        score = np.full((records, periods, subjects), np.nan, np.float32)
    return Scores(risk=risk, score=score, executions=tuple(executions.tolist()))


def _floats(link: socket.socket, shape: tuple[int, ...]) -> Floats:
    array = np.frombuffer(_exactly(link, 4 * int(np.prod(shape))), np.float32)
    return array.reshape(shape)


def _exactly(link: socket.socket, size: int) -> bytearray:
    """Read so many bytes; the other end closing before is a `ConnectionResetError`."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        got = link.recv_into(view)
        if not got:
            raise ConnectionResetError("the other end has closed")
        view = view[got:]
    return data
