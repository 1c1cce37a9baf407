"""The model process: owns the sessions, and answers the web workers that share them.

On a GPU a session in every web worker would cost a context and the weights' memory each, and small
batches would wait for each other. Here the records that wait at the same time go into one pass;
who comes alone is answered at once, by the thread that read the question (`scoring.remote.coalescing`).

Its socket appears once the model is warm, so whoever can connect can ask. It ends when nobody is
connected any more and the process that it serves is gone (`Life`), so it outlives web workers that
are replaced, but not the service.
"""

import json
import logging
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Self

import numpy as np

from records.cohort import Floats
from scoring.bundle.reader import Bundle, read_bundle
from scoring.precision import Precision
from scoring.remote.coalescing import Turns
from scoring.remote.wire import (
    Greeting,
    ModelProcessError,
    Question,
    receive_question,
    send_failure,
    send_scores,
)
from scoring.runtime.provider_options import DeviceOptions
from scoring.runtime.providers import Provider
from scoring.runtime.scorer import CHUNK, AnyScorer, Scorer, Scores

SOCKET = "model.sock"
_log = logging.getLogger(__name__)
# How often the process looks whether it is still needed.
_LOOK_SECONDS = 0.5
# A thread that holds the interpreter lets another have it after so long; five milliseconds, as it
# comes, are more than most passes take.
_SWITCH_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class Life:
    """How long the model process lives.

    Attributes:
        owner: Process that it serves; once that is gone and nobody is connected, it ends.
        linger: Seconds that it waits for somebody to connect while its owner lives.
    """

    owner: int
    linger: float = 30.0


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What the model process loads; arguments of `Scorer`.

    Attributes:
        bundle: Folder of the bundle.
        provider: Execution provider wanted.
        strict: Whether only that one will do.
        threads: Intra-op threads.
        precision: Graphs wanted.
        device: How an accelerator is used.
    """

    bundle: str
    provider: Provider = Provider.AUTO
    strict: bool = False
    threads: int | None = None
    precision: Precision = Precision.AUTO
    device: DeviceOptions = field(default_factory=DeviceOptions)

    def arguments(self, life: Life) -> str:
        """Return the options as one argument of a command."""
        return json.dumps({"options": asdict(self), "life": asdict(life)})

    @classmethod
    def from_arguments(cls, text: str) -> tuple[Self, Life]:
        """Read them back."""
        given = json.loads(text)
        options = {**given["options"], "device": DeviceOptions(**given["options"]["device"])}
        return cls(**options), Life(**given["life"])

    def load(self, bundle: Bundle | None = None) -> Scorer:
        """Load the bundle, or take it as it was read already, and warm it up."""
        scorer = Scorer(
            bundle or read_bundle(self.bundle),
            provider=self.provider,
            strict=self.strict,
            threads=self.threads,
            precision=self.precision,
            device=self.device,
        )
        scorer.warm_up()
        return scorer


class ModelServer:
    """Answers questions of several connections, those that wait together in one pass.

    Args:
        scorer: Loaded and warm.
        folder: Where the socket is made; nobody else may enter it.
        life: When to end.
    """

    def __init__(self, scorer: AnyScorer, folder: Path, life: Life) -> None:
        self._scorer = scorer
        self._path = folder / SOCKET
        self._life = life
        self._turns = Turns(self._score_all, lambda question: len(question.lengths), CHUNK)
        self._links = 0
        self._count = threading.Lock()
        self._needed = monotonic()
        self._greeting = Greeting(
            version=scorer.version,
            provider=scorer.provider,
            precision={name: one.value for name, one in scorer.precision.items()},
            loaded_at=scorer.loaded_at.isoformat(),
            process=os.getpid(),
            placement=scorer.placement,
        ).line()

    def serve(self) -> None:
        """Answer until nobody needs it; then take the folder away."""
        with socket.socket(socket.AF_UNIX) as listener:
            # Under another name until it listens: who sees the socket can connect.
            new = self._path.with_suffix(".new")
            new.unlink(missing_ok=True)
            listener.bind(str(new))
            listener.listen(128)
            own = new.stat().st_ino
            new.rename(self._path)
            self._needed = monotonic()
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            while self._is_needed():
                sleep(_LOOK_SECONDS)
            if self._path.exists() and self._path.stat().st_ino == own:
                shutil.rmtree(self._path.parent, ignore_errors=True)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return  # the process ends
            with self._count:
                self._links += 1
            threading.Thread(target=self._converse, args=(link,), daemon=True).start()

    def _converse(self, link: socket.socket) -> None:
        try:
            with link:
                link.sendall(self._greeting)
                while (question := receive_question(link)) is not None:
                    try:
                        scores = self._turns.answer(question)
                    except Exception as error:  # noqa: BLE001 - its message may quote a value
                        send_failure(link, f"The model failed with {type(error).__qualname__}.")
                    else:
                        wanted = question.forecast
                        some = wanted if isinstance(wanted, bool) else bool(wanted.any())
                        send_scores(link, scores, forecasts=some)
        except (OSError, ModelProcessError) as error:
            _log.info("a web worker went: %s", type(error).__qualname__)
        finally:
            with self._count:
                self._links -= 1
                self._needed = monotonic()

    def _is_needed(self) -> bool:
        with self._count:
            if self._links:
                return True
            idle = monotonic() - self._needed
        return idle < self._life.linger and _lives(self._life.owner)

    def _score_all(self, questions: Sequence[Question]) -> list[Scores]:
        return score_together(self._scorer, questions)


def score_together(scorer: AnyScorer, questions: Sequence[Question]) -> list[Scores]:
    """Answer several questions in one pass.

    Returns:
        Scores of each, with its own records and periods. The executions are told to the first
        alone, so that whoever adds them up counts each once.
    """
    if len(questions) == 1:
        (one,) = questions
        return [scorer.score(one.values, one.lengths, forecast=one.forecast)]
    periods = max(one.values.shape[1] for one in questions)
    rows = [len(one.lengths) for one in questions]
    values = np.concatenate([_padded(one.values, periods) for one in questions])
    lengths = np.concatenate([one.lengths for one in questions])
    forecast = np.concatenate(
        [
            np.full(count, one.forecast) if isinstance(one.forecast, bool) else one.forecast
            for one, count in zip(questions, rows, strict=True)
        ]
    )
    alike = bool(forecast.all()) or (False if not forecast.any() else forecast)
    scores = scorer.score(values, lengths, forecast=alike)
    answers: list[Scores] = []
    start = 0
    for one, count in zip(questions, rows, strict=True):
        part = slice(start, start + count)
        own = one.values.shape[1]
        executions = scores.executions if not answers else ()
        answers.append(Scores(scores.risk[part, :own], scores.score[part, :own], executions))
        start += count
    return answers


def _padded(values: Floats, periods: int) -> Floats:
    missing = periods - values.shape[1]
    return np.pad(values, ((0, 0), (0, missing), (0, 0)), constant_values=np.nan)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, but there
    return True


def _main() -> int:
    """Load, warm up, answer; what is wrong before that goes to standard output, in one line."""
    folder = Path(sys.argv[1])
    options, life = ModelOptions.from_arguments(sys.argv[2])
    # They end the service, and that ends this: what the workers have taken in needs it until then.
    # BentoML's supervisor passes them on to whatever a worker has started.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        server = ModelServer(options.load(), folder, life)
    except Exception as error:  # noqa: BLE001 - whoever started this tells it
        sys.stdout.write(str(error) or type(error).__qualname__)
        return 1
    sys.stdout.flush()
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)  # nobody reads on
    server.serve()
    return 0


if __name__ == "__main__":
    sys.exit(_main())
