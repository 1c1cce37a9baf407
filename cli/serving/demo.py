"""`bellwether demo`: scoring service and desk together, with a simulated institution in mid-term."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import console, progress
from cli.serving.address import check_free
from cli.serving.serve import print_examples, server_command
from records.errors import BellwetherError, CohortError

if TYPE_CHECKING:
    from access.roles import Grant
    from desk.context import Desk

# Who can sign in: address, name, and which roles they have.
_PEOPLE = (
    ("adviser@example.edu", "Ada Okafor", "adviser"),
    ("colleague@example.edu", "Ben Whitfield", "adviser"),
    ("lead@example.edu", "Lea Brandt", "lead"),
    ("administrator@example.edu", "Ama Reyes", "administrator"),
    ("auditor@example.edu", "Otto Lind", "auditor"),
)
_LEADS = "NUR"  # the programme of the lead
_SHOWN = ("adviser", "lead", "administrator")
_READY_SECONDS = 180.0


class DemoError(BellwetherError):
    """The scoring service did not start, or ended."""


def demo(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder of simulated students.")],
    folder: Annotated[Path, typer.Option(help="Where the desk's database and secret lie.")] = Path(
        "build/desk"
    ),
    students: Annotated[int, typer.Option(help="Students of the institution.", min=20)] = 300,
    host: Annotated[str, typer.Option(help="Address to bind; loopback unless you say so.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Of the scoring service.", min=1, max=65535)] = 3000,
    desk_port: Annotated[int, typer.Option(help="Of the desk.", min=1, max=65535)] = 3100,
    request: Annotated[
        Path | None, typer.Option(help="Example request to print (see `bellwether request`).")
    ] = None,
) -> None:
    """Start scoring service and desk, fill an empty desk, and print links to sign in with.

    Everything in the desk is invented. A desk that holds something already is left as it is.
    """
    from scoring.bundle.reader import read_bundle

    contract = read_bundle(bundle).contract.name
    if contract != "simulated":
        raise CohortError(
            f"the demonstration needs a bundle of simulated students, not of '{contract}'; start "
            "the two processes by themselves (`bellwether serve`, `bellwether desk`)."
        )
    for taken in (port, desk_port):
        check_free(host, taken)
    folder.mkdir(parents=True, exist_ok=True)
    scorer, address = f"http://{host}:{port}", f"http://{host}:{desk_port}"
    console.print(f"Starting the scoring service at {scorer} …")
    with _scoring_service(bundle, host, port) as server:
        _wait_until_ready(server, scorer)
        desk = _desk(folder, scorer, address)
        people = _people(desk)
        _fill(desk, people, students)
        if request is not None:
            print_examples(scorer, request)
        console.print(f"\nThe desk is at [bold]{address}[/]. Sign in, once and within 30 minutes:")
        for role, link in _links(desk, address).items():
            console.print(f"  {role:<14} {link}", soft_wrap=True, highlight=False)
        console.print("Later: bellwether access link EMAIL. Stop both with Ctrl-C.")
        _run(desk, host, desk_port, server)


@contextmanager
def _scoring_service(bundle: Path, host: str, port: int) -> "Iterator[subprocess.Popen[bytes]]":
    environment = os.environ | {"BELLWETHER_BUNDLE": str(bundle)}
    server = subprocess.Popen(server_command(host, port), env=environment)  # noqa: S603 - our own
    try:
        yield server
    finally:
        server.terminate()
        server.wait()


def _wait_until_ready(server: "subprocess.Popen[bytes]", address: str) -> None:
    import httpx

    until = monotonic() + _READY_SECONDS
    while monotonic() < until:
        if server.poll() is not None:
            raise DemoError("the scoring service ended; its message stands above.")
        try:
            if httpx.get(f"{address}/readyz", timeout=5).is_success:
                return
        except httpx.HTTPError:
            pass  # it does not listen yet
        sleep(0.2)
    raise DemoError(f"the scoring service was not ready within {_READY_SECONDS:.0f} s.")


def _desk(folder: Path, scorer: str, address: str) -> "Desk":
    from desk.app import build
    from desk.settings import PREFIX, Settings

    given = {
        "DATABASE": f"sqlite:///{folder.resolve()}/desk.db",
        "SECRET_FILE": str(folder / "secret"),
        "SCORER": scorer,
        "ORIGIN": address,
        "INSTITUTION": "Riverside University (invented)",
        "MIGRATE": "true",
    }
    return build(
        Settings.from_environment(os.environ | {PREFIX + name: of for name, of in given.items()})
    )


def _people(desk: "Desk") -> dict[str, int]:
    """Return the ids of the people who can sign in; those who are missing are made."""
    from access.operation import operate
    from access.people import create_user, find_user
    from access.roles import system

    found = {}
    with operate(desk.access, system("demo")) as operation:
        for email, name, role in _PEOPLE:
            user = find_user(operation.session, email)
            if user is None:
                user = create_user(operation, email, name, [_grant(role)])
            found[email] = user.id
    return found


def _grant(role: str) -> "Grant":
    from access.roles import Grant, Role

    return Grant(Role(role), _LEADS if role == Role.LEAD else None)


def _fill(desk: "Desk", people: dict[str, int], students: int) -> None:
    """Play half a term of an invented institution into an empty desk."""
    from sqlalchemy import select

    from cases.demo.seed import seed_demo
    from cases.tables.people import Student
    from records.load import load_cohort

    with desk.database.read() as session:
        if session.scalar(select(Student.id).limit(1)) is not None:
            return
    advisers = [people[email] for email, _, role in _PEOPLE if role == "adviser"]
    with progress() as report:
        cohort = load_cohort("simulated", students=students, seed=11)
        seed_demo(
            desk.database,
            desk.scorer,
            cohort,
            advisers=advisers,
            finished=students // 4,
            progress=report,
        )


def _links(desk: "Desk", address: str) -> dict[str, str]:
    from access.operation import operate
    from access.people import find_user
    from access.roles import system
    from access.sign_in.links import Purpose, create_link

    links = {}
    with operate(desk.access, system("demo")) as operation:
        for email, _, role in _PEOPLE:
            user = find_user(operation.session, email)
            if role in _SHOWN and role not in links and user is not None:
                secret = create_link(operation, user.id, Purpose.SIGN_IN)
                links[role] = f"{address}/sign-in/link/{secret}"
    return links


def _run(desk: "Desk", host: str, port: int, server: "subprocess.Popen[bytes]") -> None:
    """Serve the desk until it is stopped, or until the scoring service ends."""
    import uvicorn

    from desk.app import create_app

    config = uvicorn.Config(
        create_app(desk),
        host=host,
        port=port,
        access_log=False,
        server_header=False,
        log_level="warning",
    )
    web = uvicorn.Server(config)

    def watch() -> None:
        server.wait()
        web.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        web.run()
    if server.poll() not in (None, 0):
        raise DemoError("the scoring service ended; its message stands above.")
