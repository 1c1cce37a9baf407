"""Accept connections in batches, and leave some to the other workers on the same socket.

libuv accepts one connection between two rounds of the event loop, each of which may answer hundreds of requests. The
last of a thousand clients that connect at once would wait for seconds. Here a round accepts up to `_BATCH`.

With several workers, the first to wake may accept every connection of a client. A worker that is clearly above its fair
share (`service.transport.connection_share`) leaves waiting connections in the socket's queue, and looks again a
millisecond later. Nothing is handed over between processes. The socket, its address and TLS stay as BentoML made them,
and connections that a worker has not accepted when it ends are accepted by the others.

A busy worker accepts after its current batch. One that does not for a second is excluded, so that a worker that hangs
does not delay clients again and again.
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

# Takes a few milliseconds.
_BATCH = 64
_AGAIN = 0.001
_REBALANCE = 0.5
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_UNTIL_ROOM = 1.0

_log = logging.getLogger("bentoml.serve")

ProtocolFactory = Callable[[], asyncio.BaseProtocol]


def loop_factory(use_subprocess: bool = False) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the event loop, as uvicorn asks for it."""
    del use_subprocess
    return BalancingLoop


class BalancingLoop(uvloop.Loop):
    """uvloop's event loop, with `BalancingServer` for a socket that is passed in."""

    async def create_server(
        self, protocol_factory: ProtocolFactory, *address: Any, **options: Any
    ) -> Any:
        """Listen, as `asyncio.AbstractEventLoop.create_server`."""
        sock = options.get("sock")
        if sock is None:
            return await super().create_server(protocol_factory, *address, **options)
        sock.listen(options.get("backlog", 100))
        share = share_of_this_worker() or ConnectionShare.alone()
        return BalancingServer(self, sock, share, protocol_factory, options.get("ssl"))


class BalancingServer:
    """Accepts a worker's share of the connections; has the methods of `asyncio.Server` that uvicorn calls.

    Args:
        loop: Event loop of the worker.
        listener: The socket that all workers share; it listens.
        share: Counts of this worker and the others.
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
        share.start()
        self._resume()
        self._rebalancing = loop.call_later(_REBALANCE, self._look_round)

    def close(self) -> None:
        """Accept no more; connections stay open."""
        if self._is_closed:
            return
        self._is_closed = True
        self._loop.remove_reader(self._listener)
        self._rebalancing.cancel()
        self._share.leave()
        self._count(0)

    async def wait_closed(self) -> None:
        """Wait until the last connection has closed, after `close`."""
        await self._all_closed.wait()

    def _look_round(self) -> None:
        self._share.rebalance()
        self._rebalancing = self._loop.call_later(_REBALANCE, self._look_round)

    def _resume(self) -> None:
        if self._is_closed:
            return
        if not _has_waiting(self._listener):
            self._share.forget_waiting()
        self._loop.add_reader(self._listener, self._accept)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._loop.call_later(seconds, self._resume)

    def _accept(self) -> None:
        """Accept waiting connections, up to this worker's share."""
        self._share.publish()
        for _ in range(_BATCH):
            if not self._may_accept():
                self._pause(_AGAIN)
                return
            try:
                accepted, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                self._share.forget_waiting()
                return  # the queue is empty, or the loop calls again
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

    def _may_accept(self) -> bool:
        if self._share.may_accept():
            return True
        self._share.await_others(self._loop.time())
        return self._share.may_accept()

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
        except OSError:  # the client disconnected, or does not speak TLS
            connection.close()
        except BaseException:
            connection.close()
            raise

    def _count(self, connections: int) -> None:
        self._share.add(connections)
        if self._is_closed and not self._share.count:
            self._all_closed.set()


def _has_waiting(listener: socket.socket) -> bool:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))


class _Counted(socket.socket):
    """A connection that reports its end once: the event loop detaches or closes it with the transport.

    Args:
        accepted: The connection; unusable afterwards.
        ended: Called at the end.
    """

    def __init__(self, accepted: socket.socket, ended: Callable[[], None]) -> None:
        family, kind, protocol = accepted.family, accepted.type, accepted.proto
        super().__init__(family, kind, protocol, fileno=accepted.detach())
        self._ended: Callable[[], None] | None = ended

    def detach(self) -> int:
        """Return the descriptor and stop owning it."""
        self._report()
        return super().detach()

    def close(self) -> None:
        """Close it."""
        self._report()
        super().close()

    def _report(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()
