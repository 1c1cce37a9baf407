"""Carry request and response bodies between the event loop and a worker thread."""

import asyncio
import io
import os
import tempfile
from collections import deque
from threading import Condition

from service.http.body import ClientDisconnectedError

# Bytes that are buffered of a body that arrives faster than it is read.
IN_FLIGHT_BYTES = 4 * 2**20


class RequestStream(io.RawIOBase):
    """A body that is read by a thread while the event loop receives it.

    Attributes:
        abandoned: Whether the reader has stopped.
    """

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._changed = Condition()
        self._chunks: deque[memoryview] = deque()
        self._held = 0
        self._ended = False
        self._error: Exception | None = None
        self.abandoned = False

    async def feed(self, chunk: bytes) -> None:
        """Append what has arrived; wait while the buffer is full."""
        with self._changed:
            if self._ended:
                return
            self._chunks.append(memoryview(chunk))
            self._held += len(chunk)
            self._changed.notify()
            self._room.clear()
            full = self._held > IN_FLIGHT_BYTES
        if full:
            await self._room.wait()

    def end(self, error: Exception | None = None) -> None:
        """Mark the end of the body; with `error`, it is incomplete."""
        with self._changed:
            self._ended = True
            self._error = self._error or error
            self._changed.notify()

    def abandon(self) -> None:
        """Stop reading: further bytes are discarded."""
        with self._changed:
            self._ended = self.abandoned = True
            self._chunks.clear()
            self._held = 0
        self._loop.call_soon_threadsafe(self._room.set)

    def readable(self) -> bool:
        """Return true."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, fewer only at the end; wait for them.

        Raises:
            ClientDisconnectedError: The sender hung up.
            RequestError: The body did not come in time, or is too large.
        """
        with self._changed:
            while not self._ended and (size < 0 or self._held < size):
                if self._held > IN_FLIGHT_BYTES:
                    break
                self._changed.wait()
            taken, missing = [], self._held if size < 0 else size
            while missing and self._chunks:
                chunk = self._chunks.popleft()
                if len(chunk) > missing:
                    self._chunks.appendleft(chunk[missing:])
                    chunk = chunk[:missing]
                taken.append(chunk)
                missing -= len(chunk)
            read = sum(map(len, taken))
            self._held -= read
            if self._error is not None:
                raise self._error
            again = missing and not self._ended
        self._loop.call_soon_threadsafe(self._room.set)
        if again:  # more was asked for than is buffered at once
            return b"".join(taken) + self.read(missing if size >= 0 else -1)
        return b"".join(taken)


class ResponseFile:
    """A response that a thread writes while the event loop sends it.

    It is an unnamed file: a client that sends its whole body before it reads would otherwise wait
    for the server, and the server for the client.

    Attributes:
        size: Bytes written so far.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`
        self._loop = asyncio.get_running_loop()
        self._more = asyncio.Event()
        self._is_discarded = False
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Append a chunk.

        Raises:
            ClientDisconnectedError: The client has disconnected.
        """
        if self._is_discarded:
            raise ClientDisconnectedError
        left = memoryview(chunk)
        while left:
            left = left[os.write(self._file.fileno(), left) :]
        self.size += len(chunk)
        self.wake()

    def wake(self) -> None:
        """Wake the sender in `wait_for_more`."""
        self._loop.call_soon_threadsafe(self._more.set)

    def discard(self) -> None:
        """Refuse further chunks: the client disconnected."""
        self._is_discarded = True

    async def wait_for_more(self) -> None:
        """Wait until more is written or the writer ends."""
        await self._more.wait()
        self._more.clear()

    def read(self, start: int, size: int) -> bytes:
        """Return at most `size` bytes from `start` on."""
        return os.pread(self._file.fileno(), size, start)

    def close(self) -> None:
        """Delete the file."""
        self._file.close()
