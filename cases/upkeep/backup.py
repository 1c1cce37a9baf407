"""Copy the whole database to a file while it is in use, and put such a copy into an empty one.

SQLite's copy is made by its backup interface, PostgreSQL's by pg_dump, whose version must not be
older than the server's. A backup holds students' keys: an erased student can be read in it until it
is deleted, so delete backups within the time that was promised.
"""

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import inspect

from database.store import Database, StoreError


def back_up(database: Database, out: Path) -> None:
    """Write a backup, consistent as of one moment.

    Raises:
        StoreError: The file exists, or pg_dump is missing or fails.
    """
    if out.exists():
        raise StoreError(f"{out} exists; name another file.")
    if database.is_sqlite:
        with (
            closing(sqlite3.connect(_file(database))) as source,
            closing(sqlite3.connect(out)) as target,
        ):
            source.backup(target)
        # Keys and names are in it: for its owner only.
        out.chmod(0o600)
        return
    _run("pg_dump", "--format=custom", "--no-owner", f"--file={out}", _postgres(database))
    out.chmod(0o600)


def restore(database: Database, backup: Path) -> None:
    """Put a backup of the same kind of database into an empty one.

    Raises:
        StoreError: The database is not empty, the file is no such backup, or pg_restore fails.
    """
    if not backup.is_file():
        raise StoreError(f"{backup}: no such file.")
    with database.read() as session:
        if inspect(session.connection()).get_table_names():
            raise StoreError("The database holds tables; restore into an empty one.")
    if not database.is_sqlite:
        _run(
            "pg_restore",
            "--no-owner",
            "--exit-on-error",
            "--single-transaction",
            f"--dbname={_postgres(database)}",
            str(backup),
        )
        return
    with closing(sqlite3.connect(backup)) as source:
        try:
            source.execute("SELECT count(*) FROM students")
        except sqlite3.DatabaseError:
            raise StoreError(f"{backup} is no backup of a desk's SQLite database.") from None
        with closing(sqlite3.connect(_file(database))) as target:
            source.backup(target)


def _file(database: Database) -> str:
    return str(database.engine.url.database)


def _postgres(database: Database) -> str:
    url = database.engine.url.set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


def _run(program: str, *arguments: str) -> None:
    if shutil.which(program) is None:
        raise StoreError(f"{program} is not in PATH; install PostgreSQL's client programs.")
    done = subprocess.run([program, *arguments], capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        # Not the output itself: it can quote the URL with its password, or rows.
        raise StoreError(f"{program} failed with exit code {done.returncode}.")
