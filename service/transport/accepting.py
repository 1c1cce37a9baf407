"""Accept connections as they come, by turns with the other workers on the socket that all share.

libuv accepts one connection between two rounds of the event loop, each of which may answer hundreds
of requests: the last of a thousand clients that come at once would wait for seconds. Here a round
takes up to `_AT_ONCE`.

With several workers, one that accepts whatever waits may get every connection of a client. Here a
worker that has clearly more than its share (`service.transport.connection_share`) leaves what waits where it is, in the
socket's queue, and looks again a millisecond later. Nothing is handed over and nothing is BentoML's
inside: the socket, its address, TLS and the check that nobody else listens there stay as they are,
and what a worker has not accepted when it ends is for the others.

A worker that is busy takes its connections after its turn. One that does not for a second is set
aside, so that a worker which hangs does not make clients wait again and again.
"""

import asyncio
import errno
import functools
import logging
import select
import socket
import ssl as tls
from collections.abc import Callable
from typing import Any

import uvloop

from service.transport.connection_share import ConnectionShare, share_of_this_worker

# A few milliseconds.
_AT_ONCE = 64
_AGAIN = 0.001
_LOOK_ROUND = 0.5
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_UNTIL_ROOM = 1.0

_log = logging.getLogger("bentoml.serve")

ProtocolFactory = Callable[[], asyncio.BaseProtocol]


def loop_factory(use_subprocess: bool = False) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the event loop, as uvicorn asks for it."""
    del use_subprocess
    return BalancingLoop


class BalancingLoop(uvloop.Loop):
    """uvloop's event loop, but for how it accepts on a socket that is given to it."""

    async def create_server(
        self, protocol_factory: ProtocolFactory, *address: Any, **options: Any
    ) -> Any:
        """Listen, as asyncio has it."""
        sock = options.get("sock")
        if sock is None:
            return await super().create_server(protocol_factory, *address, **options)
        sock.listen(options.get("backlog", 100))
        share = share_of_this_worker() or ConnectionShare.alone()
        return BalancingServer(self, sock, share, protocol_factory, options.get("ssl"))


class BalancingServer:
    """Accepts a worker's share of the connections; has of `asyncio.Server` what uvicorn uses.

    Args:
        loop: Where it runs.
        listener: The socket that all workers share; it listens.
        share: This worker's.
        factory: Makes the protocol of a connection.
        ssl: For connections by TLS.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        share: ConnectionShare,
        factory: ProtocolFactory,
        ssl: tls.SSLContext | None,
    ) -> None:
        self._loop, self._listener, self._share = loop, listener, share
        self._factory, self._ssl = factory, ssl
        self._starting: set[asyncio.Task[None]] = set()
        self._all_closed = asyncio.Event()
        self._is_closed = False
        self._is_full = False
        listener.setblocking(False)
        share.arrive()
        self._resume()
        self._looking = loop.call_later(_LOOK_ROUND, self._look_round)

    def close(self) -> None:
        """Accept no more; connections stay open."""
        if self._is_closed:
            return
        self._is_closed = True
        self._loop.remove_reader(self._listener)
        self._looking.cancel()
        self._share.leave()
        self._count(0)

    async def wait_closed(self) -> None:
        """Wait until the last connection has closed, after `close`."""
        await self._all_closed.wait()

    def _look_round(self) -> None:
        self._share.rebalance()
        self._looking = self._loop.call_later(_LOOK_ROUND, self._look_round)

    def _resume(self) -> None:
        if self._is_closed:
            return
        if not _something_waits(self._listener):
            self._share.await_nobody()
        self._loop.add_reader(self._listener, self._accept)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._loop.call_later(seconds, self._resume)

    def _accept(self) -> None:
        """Take what waits, as far as it is for this worker."""
        self._share.tell()
        for _ in range(_AT_ONCE):
            if not self._is_our_turn():
                self._pause(_AGAIN)
                return
            try:
                accepted, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                self._share.await_nobody()
                return  # nothing waits any more, or the loop calls again
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                self._wait_for_room(error)
                return
            self._is_full = False
            self._start(accepted)

    def _wait_for_room(self, error: OSError) -> None:
        if not self._is_full:  # one line, however long it lasts
            _log.error(
                "No connection can be accepted: %s. New ones wait; `ulimit -n` limits open files.",
                (error.strerror or str(error)).lower(),
            )
        self._is_full = True
        self._pause(_UNTIL_ROOM)

    def _is_our_turn(self) -> bool:
        if self._share.may_take():
            return True
        self._share.await_others(self._loop.time())
        return self._share.may_take()

    def _start(self, accepted: socket.socket) -> None:
        connection = _Counted(accepted, functools.partial(self._count, -1))
        connection.setblocking(False)
        self._count(1)
        task = self._loop.create_task(self._connect(connection))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _connect(self, connection: "_Counted") -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, connection, ssl=self._ssl)
        except OSError:  # the client has gone, or knows no TLS
            connection.close()
        except BaseException:
            connection.close()
            raise

    def _count(self, connections: int) -> None:
        self._share.add(connections)
        if self._is_closed and not self._share.count:
            self._all_closed.set()


def _something_waits(listener: socket.socket) -> bool:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))


class _Counted(socket.socket):
    """A connection whose end is told once: the event loop detaches or closes it with the transport.

    Args:
        accepted: The connection; cannot be used any more.
        ended: Told.
    """

    def __init__(self, accepted: socket.socket, ended: Callable[[], None]) -> None:
        family, kind, protocol = accepted.family, accepted.type, accepted.proto
        super().__init__(family, kind, protocol, fileno=accepted.detach())
        self._ended: Callable[[], None] | None = ended

    def detach(self) -> int:
        """Give the descriptor away."""
        self._tell()
        return super().detach()

    def close(self) -> None:
        """Close it."""
        self._tell()
        super().close()

    def _tell(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()
