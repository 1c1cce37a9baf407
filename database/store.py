"""Open the desk's database and hand out sessions: SQLite by default, PostgreSQL by URL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from records.errors import BellwetherError

_WRITES = "bellwether_writes"
_BUSY_MILLISECONDS = 30_000


class StoreError(BellwetherError):
    """The database cannot be used as asked; the message names what to do."""


class Database:
    """One database: transactions that read, and transactions that write.

    Args:
        engine: Made by `open_database`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(**{_WRITES: True})

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session whose transaction is rolled back at the end."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session whose transaction commits at the end, or rolls back on an exception.

        In SQLite the transaction takes the one write lock at its start: a transaction that reads
        first and writes later would fail where another one has written in between.
        """
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()


def open_database(url: str | URL) -> Database:
    """Open a database by URL; `upgrade` (database/migrate.py) makes its tables.

    Args:
        url: `sqlite:///cases.db`, or `postgresql+psycopg://user@host/name` (`postgresql://` is
            taken for the same).

    Raises:
        StoreError: The URL is malformed or names another kind of database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(
            "The database URL is malformed; write sqlite:///cases.db or postgresql://host/name."
        ) from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        return Database(create_engine(parsed, pool_pre_ping=True))
    if backend != "sqlite":
        raise StoreError(f"'{backend}' is no supported database; use sqlite or postgresql.")
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError("The database needs a file: sqlite:///cases.db.")
    Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_MILLISECONDS / 1000})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return Database(engine)


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """Set what SQLite leaves off by default; `_begin_sqlite` starts transactions."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")
    # What was acknowledged survives a power failure too; NORMAL would survive a killed process only.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
    # Erased rows are overwritten on disk instead of only unlinked.
    connection.execute("PRAGMA secure_delete=ON")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
