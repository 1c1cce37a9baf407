"""What the commands on the desk's store share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from database.store import Database

DatabaseOption = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="BELLWETHER_DESK_DATABASE",
        help="The desk's database: sqlite:///desk.db or postgresql://host/name.",
    ),
]


@contextmanager
def opened(url: str, *, is_new: bool = False) -> Iterator["Database"]:
    """Open the store; a database of another revision is refused unless it is new.

    Raises:
        StoreError: It is not at the newest revision, or the URL is malformed.
    """
    from database.migrate import current_revision, newest_revision
    from database.store import StoreError, open_database

    store = open_database(url)
    try:
        if not is_new and (found := current_revision(store)) != newest_revision():
            raise StoreError(
                f"The database is at revision {found or 'none'}, this program needs "
                f"{newest_revision()}; run `bellwether cases migrate` first."
            )
        yield store
    finally:
        store.close()
