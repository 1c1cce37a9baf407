"""A proxy that counts who asks for a connection to the outside, and forwards nothing."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from records.usage_reports import SWITCHES

# With one of these in the environment ONNX Runtime is silent by itself, and no test could fail.
SILENT = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "ORT_RUNNING_UNIT_TESTS")
_TOKENS = ("BELLWETHER_", "BENTOML_", "ORT_", "BUILD_", "JENKINS_", "GITLAB_", "TRAVIS")


class CountingProxy:
    """Listens on a free port of loopback and notes the first line of whatever is sent to it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.asked: list[str] = []
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            with connection:
                connection.settimeout(5)
                try:
                    head = connection.recv(4096)
                except OSError:
                    head = b""
                self.asked.append(head.partition(b"\r\n")[0].decode("latin-1"))

    def environment(self, home: Path) -> dict[str, str]:
        """Return an environment in which every library that honours proxies would use this one.

        Args:
            home: Folder that takes what libraries leave behind.
        """
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in {*SWITCHES, *SILENT} and not name.startswith(_TOKENS)
        }
        home.mkdir(parents=True, exist_ok=True)
        url = f"http://127.0.0.1:{self.port}"
        proxies = {"HTTPS_PROXY": url, "HTTP_PROXY": url, "ALL_PROXY": url}
        return {
            **inherited,
            **proxies,
            **{name.lower(): value for name, value in proxies.items()},
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "BENTOML_HOME": str(home / "bentoml"),
        }

    def await_connection(self, seconds: float) -> bool:
        """Wait until something has asked for a connection."""
        deadline = time.monotonic() + seconds
        while not self.asked and time.monotonic() < deadline:
            time.sleep(0.1)
        return bool(self.asked)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


@contextmanager
def counting_proxy() -> Iterator[CountingProxy]:
    """Run a proxy until the block ends."""
    proxy = CountingProxy()
    try:
        yield proxy
    finally:
        proxy.close()


def left_behind(home: Path) -> list[str]:
    """List the files that ONNX Runtime leaves for its reports below a home folder."""
    return [
        str(path.relative_to(home))
        for path in home.rglob("*")
        if path.name in {"deviceid", "onnxruntime.db"}
    ]
