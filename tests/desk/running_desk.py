"""The real desk on a real database, served by uvicorn in a thread of this process, and its visitors."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import uvicorn

from access.operation import operate
from access.people import create_user, find_user
from access.roles import Grant, system
from access.sign_in.links import Purpose, create_link
from desk.app import build, create_app
from desk.context import Desk
from desk.settings import Settings

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass(frozen=True)
class RunningDesk:
    """A desk that answers.

    Attributes:
        url: Where it answers.
        desk: Its parts.
    """

    url: str
    desk: Desk

    def add_person(self, email: str, name: str, *grants: Grant) -> int:
        """Make an account; return its number."""
        with operate(self.desk.access, system("tests")) as operation:
            return create_user(operation, email, name, grants).id

    def link_for(self, email: str) -> str:
        """Return the secret of a one-time link."""
        with operate(self.desk.access, system("tests")) as operation:
            user = find_user(operation.session, email)
            assert user is not None
            return create_link(operation, user.id, Purpose.SIGN_IN)

    def visitor(self) -> "Visitor":
        """Return somebody who has not signed in."""
        return Visitor(self.url)

    def signed_in(self, email: str) -> "Visitor":
        """Return somebody who has signed in by a one-time link."""
        visitor = self.visitor()
        secret = self.link_for(email)
        visitor.get(f"/sign-in/link/{secret}")
        assert visitor.post("/sign-in/link", secret=secret).status_code == 303
        return visitor


class Visitor:
    """A browser without scripts: keeps cookies, sends the form token of the page seen last."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=30)
        self.token = ""

    def get(self, path: str, **options: object) -> httpx.Response:
        """Open a page."""
        response = self.http.get(path, **options)  # type: ignore[arg-type]
        found = _TOKEN.search(response.text)
        self.token = found[1] if found else self.token
        return response

    def post(self, path: str, **fields: str | list[str]) -> httpx.Response:
        """Send a form with the token of the page seen last."""
        return self.http.post(path, data={"csrf_token": self.token, **fields})

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()


@contextmanager
def running_desk(
    folder: Path, *, scorer: str = "http://127.0.0.1:9", **settings: object
) -> Iterator[RunningDesk]:
    """Serve a desk with a new database until the block ends.

    Args:
        folder: For its database and its secret.
        scorer: Address of a scoring service; by default one that does not answer.
        **settings: Further settings.
    """
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        values = {
            "database": f"sqlite:///{folder}/desk.db",
            "secret_file": folder / "secret",
            "origin": url,
            "scorer": scorer,
            "migrate": True,
            **settings,
        }
        desk = build(Settings.model_validate(values))
        config = uvicorn.Config(
            create_app(desk), log_level="error", access_log=False, server_header=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield RunningDesk(url, desk)
        finally:
            server.should_exit = True
            thread.join(20)
