"""A real HTTP server whose behaviour a test decides request by request."""

import itertools
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Behaviour = Callable[[int], int]


class Server(ThreadingHTTPServer):
    """Serves each connection in a thread that is not joined."""

    daemon_threads = True
    # As many as connect at once, while this process is busy with sending: beyond the usual five,
    # the kernel would let them try again after a second.
    request_queue_size = 1024

    def handle_error(self, *_: object) -> None:
        """Log no disconnected clients: some tests are about them."""


@pytest.fixture
def listening() -> Iterator[Callable[[Behaviour], int]]:
    """Start servers that ask a function, given the POST's number, for the status to answer."""
    servers: list[Server] = []

    def start(behaviour: Behaviour) -> int:
        numbers = itertools.count()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                number = next(numbers)
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(behaviour(number))
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server.server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
