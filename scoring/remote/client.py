"""A scorer whose sessions live in the model process: the web worker's end.

Whichever worker comes first starts the process, under a lock on its folder; the others find it. A
connection of its own tells a worker at once when the process has died: then calls fail, readiness
is off, and the process is started again.
"""

import contextlib
import fcntl
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from queue import Empty, LifoQueue

import numpy as np

from records.cohort import Bools, Floats, Ints
from scoring.bundle.reader import read_bundle
from scoring.precision import Precision
from scoring.remote.server import SOCKET, Life, ModelOptions
from scoring.remote.wire import (
    Greeting,
    ModelProcessError,
    Question,
    receive_scores,
    send_question,
)
from scoring.runtime.placement import Placement
from scoring.runtime.scorer import Scores, check_records

_ROOT = Path(__file__).resolve().parents[2]
_log = logging.getLogger(__name__)
# Longest wait for an answer: a process that still runs but answers nothing is as good as dead.
ANSWER_SECONDS = 60.0
_POLL_SECONDS = 0.02
_AGAIN_SECONDS = 1.0
_STARTING = "The model process is being started; ask again in a moment."


class SharedScorer:
    """Score records with the sessions of a model process that other workers use too.

    Has the interface of `Scorer`; safe to call from several threads at once.

    Args:
        folder: Where the process and its users meet; the same for all of them, entered by nobody
            else (`meeting_folder`).
        options: What the process loads.
        life: How long it lives.

    Raises:
        BundleError: The bundle cannot be trusted.
        ModelProcessError: The process could not be started, and why.

    Attributes:
        bundle: The bundle, read here too: intake, policy and tiers are the worker's work.
    """

    def __init__(self, folder: Path, options: ModelOptions, life: Life) -> None:
        self.bundle = read_bundle(options.bundle)
        self._folder = folder
        self._options = options
        self._life = life
        self._subjects = len(self.bundle.contract.targets.score.subjects)
        self._idle: LifoQueue[socket.socket] = LifoQueue()
        self._child: subprocess.Popen[bytes] | None = None
        self._greeting: Greeting | None = None
        self._lifeline: socket.socket | None = None
        self._closed = threading.Event()
        self._settled = threading.Event()
        self._warm = threading.Event()
        self._reason = _STARTING
        self._keeper = threading.Thread(target=self._keep, name="model-process", daemon=True)
        self._keeper.start()
        self._settled.wait()
        if not self._warm.is_set():
            self.close()
            raise ModelProcessError(self._reason)

    @property
    def version(self) -> str:
        """Version of the bundle."""
        return self.bundle.version

    @property
    def provider(self) -> str:
        """The active execution provider, as ONNX Runtime names it."""
        return self._known.provider

    @property
    def precision(self) -> dict[str, Precision]:
        """Graph name -> precision that answers."""
        return {name: Precision(one) for name, one in self._known.precision.items()}

    @property
    def placement(self) -> Placement:
        """How graphs run there."""
        return self._known.placement

    @property
    def loaded_at(self) -> datetime:
        """Since when the process that answers has the bundle, UTC."""
        return self._known.since

    @property
    def process(self) -> int:
        """Process id of the model process that answers, or that answered last."""
        return self._known.process

    @property
    def unready(self) -> str | None:
        """Say why requests should go elsewhere, or None where they should come here."""
        return None if self._warm.is_set() else self._reason

    def warm_up(self) -> None:
        """Do nothing: the process is warm before anybody can connect to it."""

    def score(self, values: Floats, lengths: Ints, *, forecast: bool | Bools = True) -> Scores:
        """Score records after each of their periods; arguments as of `Scorer.score`.

        Raises:
            CohortError: Shapes or lengths that do not fit the bundle's contract.
            ModelProcessError: The process died meanwhile, or is being started again.
        """
        values, lengths = np.asarray(values, np.float32), np.asarray(lengths, np.int32)
        check_records(self.bundle.contract, values, lengths, set(lengths.ravel().tolist()))
        if not self._warm.is_set():
            raise ModelProcessError(self._reason)
        try:
            link = self._take()
            try:
                send_question(link, Question(values, lengths, forecast))
                scores = receive_scores(link, self._subjects)
            except BaseException:
                link.close()
                raise
        except OSError as error:
            raise ModelProcessError(
                "The model process ended or fell silent while it worked; ask again in a moment."
            ) from error
        self._idle.put(link)
        return scores

    def close(self) -> None:
        """Let go of the process; it ends once nobody holds it."""
        self._closed.set()
        if (lifeline := self._lifeline) is not None:
            with contextlib.suppress(OSError):
                lifeline.shutdown(socket.SHUT_RDWR)
        self._keeper.join()
        self._drop()
        if self._child is not None:
            self._child.wait(self._life.linger + ANSWER_SECONDS)

    @property
    def _known(self) -> Greeting:
        if self._greeting is None:
            raise ModelProcessError(self._reason)
        return self._greeting

    def _take(self) -> socket.socket:
        try:
            return self._idle.get_nowait()
        except Empty:
            link, _ = self._connect()
            return link

    def _connect(self) -> tuple[socket.socket, Greeting]:
        link = socket.socket(socket.AF_UNIX)
        try:
            link.settimeout(ANSWER_SECONDS)
            link.connect(str(self._folder / SOCKET))
            return link, Greeting.receive(link)
        except BaseException:
            link.close()
            raise

    def _drop(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                self._idle.get_nowait().close()

    def _keep(self) -> None:
        """Keep a process there to ask, until this is closed."""
        while not self._closed.is_set():
            try:
                link, greeting = self._reach()
            except (ModelProcessError, OSError) as error:
                self._reason = str(error)
                self._settled.set()
                self._closed.wait(_AGAIN_SECONDS)
                continue
            with link:
                self._greeting, self._lifeline = greeting, link
                self._drop()  # they lead to the one before
                self._warm.set()
                self._settled.set()
                link.settimeout(None)
                with contextlib.suppress(OSError):
                    if not self._closed.is_set():
                        link.recv(1)  # nothing ever comes: it returns when the other end is gone
                self._lifeline = None
                self._warm.clear()
            if not self._closed.is_set():
                self._reason = _STARTING
                _log.warning("The model process %d ended; starting another.", greeting.process)

    def _reach(self) -> tuple[socket.socket, Greeting]:
        """Connect to the process; start it where there is none."""
        with contextlib.suppress(OSError, ModelProcessError):
            return self._checked(*self._connect())
        with self._locked():
            with contextlib.suppress(OSError, ModelProcessError):  # another worker was first
                return self._checked(*self._connect())
            return self._checked(*self._started())

    def _checked(self, link: socket.socket, greeting: Greeting) -> tuple[socket.socket, Greeting]:
        if greeting.version != self.version:
            link.close()
            raise ModelProcessError(
                f"The model process has bundle {greeting.version} and this worker {self.version}."
            )
        return link, greeting

    def _started(self) -> tuple[socket.socket, Greeting]:
        if self._child is not None:
            self._child.wait()
        (self._folder / SOCKET).unlink(missing_ok=True)
        arguments = [str(self._folder), self._options.arguments(self._life)]
        self._child = child = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "scoring.remote.server", *arguments],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,  # signals to the service's group are not for it
        )
        with child.stdout or contextlib.nullcontext() as told:
            while child.poll() is None and not self._closed.is_set():
                with contextlib.suppress(OSError, ModelProcessError):
                    return self._connect()
                self._closed.wait(_POLL_SECONDS)
            said = b"" if told is None or child.poll() is None else told.read()
        reason = said.decode(errors="replace").strip() or f"exit code {child.returncode}"
        raise ModelProcessError(f"The model process could not start: {reason}")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, exist_ok=True)  # the process before took it along
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
