"""Real databases for tests of several rooms: SQLite, and a PostgreSQL server of the session's own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from pwd import getpwnam

import psycopg
import pytest

import access.audit.tables
import access.tables  # noqa: F401 - all tables belong to the one migration history
import cases.tables  # noqa: F401
from database.keys import StudentKey  # noqa: F401 - a table, too
from database.migrate import upgrade
from database.store import Database, open_database

_SERVER_USERS = ("postgres", "nobody")
_numbers = count(1)


class PostgresServer:
    """A PostgreSQL server on a Unix socket, with its data in a folder of its own.

    Args:
        folder: Empty; short, since the path of a socket may have about 100 characters.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._as: list[str] = []
        if os.geteuid() == 0:
            # initdb and the server refuse to run as root.
            user = _server_user()
            if user is None or shutil.which("runuser") is None:
                pytest.skip("PostgreSQL refuses to run as root and there is no user to run it as")
            folder.chmod(0o755)
            shutil.chown(folder, user)
            self._as = ["runuser", "-u", user, "--"]
        self._run(
            "initdb",
            "-D",
            f"{folder}/data",
            "-U",
            "tests",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        )
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=50"
        log = f"{folder}/log"
        self._run("pg_ctl", "-D", f"{folder}/data", "-w", "-l", log, "-o", options, "start")

    def url(self, name: str) -> str:
        """Return the URL of a database of the server."""
        return f"postgresql://tests@/{name}?host={self.folder}"

    def create(self, name: str, template: str = "template0") -> str:
        """Create a database and return its URL."""
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, name: str) -> None:
        """Drop a database, with the connections that are still open to it."""
        self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def stop(self) -> None:
        """Stop the server at once."""
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")

    def _execute(self, statement: str) -> None:
        with closing(
            psycopg.connect(f"host={self.folder} user=tests dbname=postgres", autocommit=True)
        ) as connection:
            connection.execute(statement)

    def _run(self, *command: str) -> None:
        subprocess.run(
            [*self._as, *command], check=True, cwd=self.folder, stdout=subprocess.DEVNULL
        )


def _server_user() -> str | None:
    for name in _SERVER_USERS:
        try:
            getpwnam(name)
        except KeyError:
            continue
        return name
    return None


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server with a database `migrated` to make others from."""
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("needs PostgreSQL's initdb and pg_ctl in PATH")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        server = PostgresServer(folder)
        try:
            with closing(open_database(server.create("migrated"))) as database:
                upgrade(database)
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("migrated") / "desk.db"
    with closing(open_database(f"sqlite:///{file}")) as database:
        upgrade(database)
        with database.read() as session:
            session.connection().exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a fresh database with all tables, once for SQLite and once for PostgreSQL."""
    if request.param == "sqlite":
        file = tmp_path / "desk.db"
        shutil.copy(request.getfixturevalue("_migrated_sqlite"), file)
        yield f"sqlite:///{file}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"test{next(_numbers)}"
    yield server.create(name, "migrated")
    server.drop(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The database of `database_url`, open."""
    opened = open_database(database_url)
    yield opened
    opened.close()
