"""What a batch did, for metrics and traces."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.answered import Answered
from service.http.problems import RequestError
from service.responder import Answers
from service.rows.decoder import ScoreRequest


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """What one batch did.

    Attributes:
        requests: Requests of the batch.
        answers: One for the batch, or one for each request where the common one failed.
        outcomes: Of the requests that ended with it.
        seconds: From the last byte of each of these to its answer.
        queued: From the last byte of each request whose work began with it to that beginning.
        decode: Seconds of decoding.
        refused: Requests rejected since the batch before.
        disconnected: Requests that ended with it because their clients had hung up.
        recipients: Sinks of the outcomes.
        started: When decoding began, on the clock of `perf_counter`.
        ended: When the last outcome had been delivered.
    """

    requests: Sequence[ScoreRequest]
    answers: Sequence[Answers]
    outcomes: Sequence[Answered | RequestError]
    seconds: Sequence[float]
    queued: Sequence[float]
    decode: float = 0.0
    refused: int = 0
    disconnected: int = 0
    recipients: Sequence[object] = ()
    started: float = 0.0
    ended: float = 0.0
