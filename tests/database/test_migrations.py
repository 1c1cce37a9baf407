"""The migration history gives exactly the tables that the code declares, on both databases."""

from contextlib import closing

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from database.base import Base
from database.migrate import _config, current_revision, newest_revision, upgrade
from database.store import Database, StoreError, open_database


def test_migrated_tables_are_those_of_the_models(database: Database) -> None:
    with database.read() as session:
        # Alembic cannot compare descending indexes of SQLite; PostgreSQL's it can.
        skipped = {"ix_cases_need"} if database.is_sqlite else set[str]()
        options = {
            "compare_type": True,
            "include_object": lambda _object, name, *_others: name not in skipped,
        }
        context = MigrationContext.configure(session.connection(), opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    upgrade(database)
    assert current_revision(database) == newest_revision()


def test_downgrading_removes_every_table(database: Database) -> None:
    with database.write() as session:
        command.downgrade(_config(session.connection()), "base")
    with database.read() as session:
        assert set(inspect(session.connection()).get_table_names()) <= {"alembic_version"}


@pytest.mark.parametrize("url", ["mysql://host/name", "no url", "sqlite://", "sqlite:///:memory:"])
def test_unusable_urls_are_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(StoreError, match="sqlite"):
        open_database(url)


def test_sqlite_writes_ahead_durably_and_checks_foreign_keys(database_url: str) -> None:
    with closing(open_database(database_url)) as database:
        if not database.is_sqlite:
            pytest.skip("settings of SQLite")
        with database.read() as session:
            connection = session.connection()
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("foreign_keys", "journal_mode", "synchronous")
            }
            assert found == {"foreign_keys": 1, "journal_mode": "wal", "synchronous": 2}
