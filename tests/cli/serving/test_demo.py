"""The demonstration: one command from a bundle to a filled desk that people can sign in to."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx

from tests.service.running import environment, free_port

COMMAND = str(Path(sys.executable).with_name("bellwether"))
LINK = re.compile(r"(adviser|lead|administrator)\s+(http://\S+/sign-in/link/\S+)")


@contextmanager
def _demo(bundle: Path, folder: Path, *ports: int) -> Iterator[tuple[dict[str, str], str]]:
    """Run the command until it has printed its links; stop it as a terminal does."""
    log = folder / f"{ports[1]}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(COMMAND, "demo", str(bundle), "--folder", str(folder / "desk")),
                *("--students", "40", "--port", str(ports[0]), "--desk-port", str(ports[1])),
            ],
            env=environment(folder),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until = monotonic() + 240
        while "Stop both" not in log.read_text("utf-8") and process.poll() is None:
            assert monotonic() < until, log.read_text("utf-8")
            sleep(0.2)
        printed = log.read_text("utf-8")
        links = dict(LINK.findall(printed))
        assert set(links) == {"adviser", "lead", "administrator"}, printed
        yield links, printed
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) in {0, 130}
    assert "Traceback" not in log.read_text("utf-8")
    for port in ports:
        with socket.create_server(("127.0.0.1", port)):
            pass  # both servers have stopped


def test_one_command_fills_a_desk_that_an_adviser_can_sign_in_to(
    bundle_dir: Path, tmp_path: Path
) -> None:
    ports = free_port(), free_port()
    with _demo(bundle_dir, tmp_path, *ports) as (links, printed):
        assert "Seeding" in printed
        # The links are printed just before the desk begins to listen.
        with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as browser:
            page = browser.get(links["adviser"])
        assert page.is_success
        assert "<form" in page.text
        assert httpx.get(f"http://127.0.0.1:{ports[0]}/readyz").is_success
    # A desk that holds something is left as it is.
    with _demo(bundle_dir, tmp_path, *ports) as (_, printed):
        assert "Seeding" not in printed
