"""Between SIGTERM and the end: not ready, no connection kept, but every request is still answered.

A load balancer goes on sending requests until its next look at `/readyz`. A server that closed its socket at once would
reset those.
"""

import asyncio
import signal
import threading
from types import FrameType

from service.http.problems import NOT_READY, RequestError


class Drain:
    """Delays the end of a worker.

    Args:
        seconds: Time from SIGTERM until the socket is closed; 0 for none.

    Attributes:
        is_draining: Whether SIGTERM has come.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.is_draining = False

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the place of the server's handler of SIGTERM, which is called later.

        Args:
            loop: The server's, whose thread must be the main one, as only that handles signals.
        """
        if not self._seconds or threading.current_thread() is not threading.main_thread():
            return
        end = signal.getsignal(signal.SIGTERM)
        if not callable(end):
            return

        def begin(number: int, frame: FrameType | None) -> None:
            if self.is_draining:  # asked twice: at once
                end(number, frame)
                return
            self.is_draining = True
            loop.call_soon_threadsafe(loop.call_later, self._seconds, end, number, None)

        signal.signal(signal.SIGTERM, begin)

    def check(self) -> None:
        """Check whether requests should come here.

        Raises:
            RequestError: 503, they should go elsewhere.
        """
        if self.is_draining:
            raise RequestError(NOT_READY, "The service is shutting down; ask another instance.")
