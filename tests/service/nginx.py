"""nginx as a reverse proxy on the loopback address, as platform teams put one before a service."""

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.service.running import free_port

# Debian keeps it where only root's PATH looks.
_NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
# Adds what proxies add to each request, and passes `Upgrade` on, as many do for websockets.
_CONFIG = """
daemon off;
user {user};
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 64m;
    upstream service {{ server {address}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_request_buffering {buffering};
            proxy_set_header Host $host;
            proxy_set_header X-Request-ID $request_id;
            proxy_set_header traceparent "00-$request_id-00f067aa0ba902b7-01";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $http_connection;
        }}
    }}
}}
"""


@contextmanager
def proxied(url: str, folder: Path, *, buffers: bool = True) -> Iterator[str]:
    """Run nginx before the service at `url`; skip where nginx is not installed.

    Args:
        url: Where the service answers.
        folder: For what nginx writes.
        buffers: Whether it collects a body before it passes it on.

    Returns:
        Where nginx answers.
    """
    if _NGINX is None:
        pytest.skip("needs nginx")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            user=getpass.getuser(),  # or it could not write there, where root starts it
            address=url.removeprefix("http://"),
            port=port,
            buffering="on" if buffers else "off",
        )
    )
    command = [_NGINX, "-c", str(config), "-p", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nginx does not listen on port {port}")
