"""Connections fall on all workers, however they are opened and whatever becomes of a worker."""

import asyncio
import errno
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from service.transport import accepting
from service.transport.accepting import BalancingLoop, BalancingServer
from service.transport.connection_share import ConnectionShare
from tests.service.asking import score, student
from tests.service.links import await_workers, connected, port, split, until, workers
from tests.service.running import TARGET, command, environment, serving


@pytest.mark.slow
def test_connections_opened_at_once_fall_on_both_workers_also_after_one_was_killed(
    bundle_dir: Path, tmp_path: Path
) -> None:
    variables = environment(tmp_path, bundle=bundle_dir, workers="2", threads="1")
    with serving(tmp_path, variables) as running:
        await_workers(running, 2)
        # All wait before anybody can accept, and the first to wake has time to accept them all.
        first, second = workers(running)
        first.suspend()
        second.suspend()
        links = [connected(running) for _ in range(32)]
        first.resume()
        time.sleep(0.2)
        second.resume()
        until(lambda: sum(split(running)) == 32)
        assert min(split(running)) >= 12, split(running)
        for link in links:
            link.close()
        until(lambda: split(running) == [0, 0])

        # Who hangs does not keep what the other could take.
        second.suspend()
        links = [connected(running) for _ in range(16)]
        for link in links:
            link.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for link in links:
            assert link.recv(64).startswith(b"HTTP/1.1 200 ")
            link.close()
        second.resume()

        # Clients that keep their connections come back to a worker that was started again.
        enough = threading.Event()
        failed: list[str] = []

        def insist() -> None:
            with httpx.Client(base_url=running.url, timeout=30) as client:
                while not enough.is_set():
                    try:
                        assert score(client, student()).status_code == 200
                    except httpx.TransportError as error:
                        failed.append(str(error))

        crowd = [threading.Thread(target=insist) for _ in range(8)]
        for one in crowd:
            one.start()
        try:
            until(lambda: sum(split(running)) == 8)
            doomed = workers(running)[0]
            doomed.send_signal(signal.SIGKILL)
            until(lambda: max(split(running)) == 8)
            until(lambda: len(split(running)) == 2 and min(split(running)) >= 2)
        finally:
            enough.set()
            for one in crowd:
                one.join()

        assert doomed.pid not in {worker.pid for worker in workers(running)}
        assert len(failed) <= 8  # what the killed one had
        assert "Traceback" not in running.said()


def test_a_port_that_several_workers_have_is_refused_to_others(
    bundle_dir: Path, tmp_path: Path
) -> None:
    variables = environment(tmp_path, bundle=bundle_dir, workers="2", threads="1")
    with serving(tmp_path, variables) as running:
        bellwether = str(Path(sys.executable).with_name("bellwether"))
        again = (
            command(TARGET, port(running)),
            [bellwether, "serve", str(bundle_dir), "--port", str(port(running))],
        )
        for other in again:
            done = subprocess.run(
                other,
                env=variables | {"BENTOML_HOME": str(tmp_path / "other")},
                capture_output=True,
                text=True,
                timeout=90,
                check=False,
            )
            assert done.returncode != 0
            said = (done.stdout + done.stderr).lower()
            assert "address already in use" in said
        assert said.startswith("error: cannot listen on 127.0.0.1:")
        assert httpx.get(running.url + "/readyz").status_code == 200


class Echo(asyncio.Protocol):
    """Sends back what comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


@pytest.fixture
def share(page: int, monkeypatch: pytest.MonkeyPatch) -> ConnectionShare:
    """What servers in this process share by."""
    claimed = ConnectionShare.claim(page)
    assert claimed is not None
    monkeypatch.setattr(accepting, "share_of_this_worker", lambda: claimed)
    return claimed


def run(main: Callable[[socket.socket], Coroutine[None, None, None]]) -> None:
    """Run `main` with a socket that is bound, on the event loop that balances connections."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        asyncio.Runner(loop_factory=BalancingLoop) as runner,
    ):
        runner.run(main(listener))


async def echo(address: tuple[str, int], **options: Any) -> bytes:
    return await to_and_fro(*await asyncio.open_connection(*address, **options))


async def to_and_fro(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"to and fro")
    try:
        return await reader.readexactly(10)
    finally:
        writer.close()


def test_many_clients_that_come_at_once_wait_for_few_rounds_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accepting, "share_of_this_worker", lambda: None)  # there is one worker

    async def main(listener: socket.socket) -> None:
        listener.listen(200)
        with ExitStack() as opened:
            for _ in range(150):
                opened.enter_context(socket.create_connection(listener.getsockname()))
            server = await asyncio.get_running_loop().create_server(
                Echo, sock=listener, backlog=200
            )
            for _ in range(6):
                await asyncio.sleep(0)
            assert cast("BalancingServer", server)._share.count == 150
            server.close()
        await server.wait_closed()

    run(main)


def test_a_server_that_closes_waits_for_the_connections_that_it_has(share: ConnectionShare) -> None:
    async def main(listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, sock=listener)
        address = listener.getsockname()
        assert await echo(address) == b"to and fro"
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"here")
        assert await reader.readexactly(4) == b"here"
        assert share.count == 1
        server.close()
        server.close()
        closed = loop.create_task(server.wait_closed())
        # It waits in the socket's queue, for another worker.
        late = loop.create_task(echo(address))
        writer.write(b"still")
        assert await reader.readexactly(5) == b"still"
        assert not closed.done()
        writer.close()
        await closed
        assert not late.done()
        late.cancel()
        assert share.count == 0

    run(main)


def test_a_socket_for_no_more_files_is_asked_again_and_one_line_says_so(
    share: ConnectionShare, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(accepting, "_UNTIL_ROOM", 0.01)
    refusals = [errno.EMFILE, errno.ECONNABORTED, errno.ENFILE]

    class Full(socket.socket):
        def accept(self) -> tuple[socket.socket, Any]:
            if refusals:
                raise OSError(refusals.pop(), "no")
            return super().accept()

    async def main(plain: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with Full(fileno=plain.detach()) as listener:
            server = await loop.create_server(Echo, sock=listener)
            for times in (1, 2):
                assert await echo(listener.getsockname()) == b"to and fro"
                assert caplog.text.count("No connection can be accepted") == times
                refusals.append(errno.EMFILE)  # once more, after there was room
            refusals.clear()
            server.close()
            await server.wait_closed()

    run(main)
    assert not refusals
    assert share.count == 0


def test_a_unix_socket_is_shared_likewise(share: ConnectionShare, tmp_path: Path) -> None:
    async def main(_: socket.socket) -> None:
        path = str(tmp_path / "s")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            server = await asyncio.get_running_loop().create_server(Echo, sock=listener)
            assert await to_and_fro(*await asyncio.open_unix_connection(path)) == b"to and fro"
            server.close()
            await server.wait_closed()

    run(main)
    assert share.count == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes the certificate")
def test_tls_goes_on_and_whoever_does_not_speak_it_is_counted_off(
    share: ConnectionShare, tmp_path: Path
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))

    async def main(listener: socket.socket) -> None:
        said: list[Any] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, about: said.append(about))
        server = await loop.create_server(Echo, sock=listener, ssl=context)
        address = listener.getsockname()
        encrypted = await echo(address, ssl=trusting, server_hostname="localhost")
        assert encrypted == b"to and fro"
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await echo(address)
        while share.count:
            await asyncio.sleep(0.01)
        server.close()
        await server.wait_closed()
        assert not said

    run(main)
