"""Which desk the commands of `bellwether access` work on."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from access.operation import AccessContext, Operation


@dataclass(frozen=True)
class Target:
    """A desk.

    Attributes:
        database: SQLAlchemy URL of its database.
        secret_file: File with its secret.
        address: Where people reach it, with the path below which a proxy shows it.
    """

    database: str
    secret_file: Path
    address: str

    @contextmanager
    def open(self) -> Iterator["AccessContext"]:
        """Open the desk's database.

        Raises:
            StoreError: There is no such database, or its tables are those of another version.
        """
        from access.keys import DeskKeys, load_secret
        from access.operation import AccessContext
        from database.migrate import current_revision, newest_revision
        from database.store import StoreError, open_database

        file = Path(self.database.removeprefix("sqlite:///"))
        if self.database.startswith("sqlite:") and not file.exists():
            raise StoreError(f"There is no database {file}. Start the desk once, or name another.")
        with closing(open_database(self.database)) as database:
            if current_revision(database) != newest_revision():
                raise StoreError(
                    "The database's tables are those of another version. "
                    "Start the desk with BELLWETHER_DESK_MIGRATE=true once."
                )
            keys = DeskKeys.from_secret(load_secret(self.secret_file))
            yield AccessContext(database, keys)

    @contextmanager
    def operate(self) -> Iterator["Operation"]:
        """Run a transaction that writes, as this command, with its entries in the audit trail."""
        from access.operation import operate
        from access.roles import system

        with self.open() as context, operate(context, system("bellwether access")) as operation:
            yield operation


def choose(
    context: typer.Context,
    database: Annotated[
        str,
        typer.Option(
            help="SQLAlchemy URL of the desk's database.", envvar="BELLWETHER_DESK_DATABASE"
        ),
    ] = "sqlite:///build/desk/desk.db",
    secret_file: Annotated[
        Path,
        typer.Option(
            help="File with the desk's secret.",
            envvar="BELLWETHER_DESK_SECRET_FILE",
            dir_okay=False,
        ),
    ] = Path("build/desk/secret"),
    origin: Annotated[
        str,
        typer.Option(
            help="Scheme, host and port under which people reach the desk; links begin with it.",
            envvar="BELLWETHER_DESK_ORIGIN",
        ),
    ] = "http://127.0.0.1:3100",
    base_path: Annotated[
        str,
        typer.Option(
            help="Path below which a proxy shows the desk.", envvar="BELLWETHER_DESK_BASE_PATH"
        ),
    ] = "",
) -> None:
    """Choose the desk; the settings are those of the desk itself."""
    context.obj = Target(database, secret_file, origin.rstrip("/") + base_path)


def target_of(context: typer.Context) -> Target:
    """Return the desk that was chosen."""
    target = context.obj
    if not isinstance(target, Target):
        raise TypeError("`bellwether access` chooses the desk before a command runs")
    return target
