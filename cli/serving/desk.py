"""`bellwether desk`: pages for advisers, lecturers and administrators, in a process of its own."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import console
from cli.serving.address import check_free

if TYPE_CHECKING:
    from desk.settings import Settings

Database = Annotated[
    str | None,
    typer.Option(
        help="Database: [bold]sqlite:///desk.db[/] or [bold]postgresql://host/name[/].",
        envvar="BELLWETHER_DESK_DATABASE",
    ),
]
app = typer.Typer(
    help="Run the desk: pages for people, beside a scoring service.",
    invoke_without_command=True,
    rich_markup_mode="rich",
)


@app.callback(invoke_without_command=True)
def desk(
    context: typer.Context,
    database: Database = None,
    scorer: Annotated[
        str | None,
        typer.Option(help="Address of the scoring service.", envvar="BELLWETHER_DESK_SCORER"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to bind; loopback unless you say so.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port to bind.", min=1, max=65535)] = 3100,
    migrate: Annotated[
        bool,
        typer.Option("--migrate", help="Bring the database to the newest revision first."),
    ] = False,
    proxies: Annotated[
        str,
        typer.Option(
            help="Addresses of proxies whose X-Forwarded-* headers count, separated by commas.",
            envvar="BELLWETHER_DESK_PROXIES",
        ),
    ] = "",
) -> None:
    """Serve the desk's pages. Other settings: `BELLWETHER_DESK_*`, see docs/desk.md."""
    if context.invoked_subcommand is not None:
        return
    import uvicorn

    from desk.app import build, create_app

    check_free(host, port)
    settings = _settings(
        database=database, scorer=scorer, migrate=migrate, address=f"http://{host}:{port}"
    )
    application = create_app(build(settings))
    console.print(f"The desk answers at [bold]{settings.origin}{settings.base_path}[/]")
    uvicorn.run(
        application,
        host=host,
        port=port,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or None,
        # Addresses of pages may hold what people search for.
        access_log=False,
        server_header=False,
        log_level="warning",
    )


@app.command()
def link(
    email: Annotated[str, typer.Argument(help="Address of the person.")],
    name: Annotated[
        str | None, typer.Option(help="Name of a person who has no account yet.")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(help="Role of a person who has no account yet, such as administrator."),
    ] = None,
    database: Database = None,
) -> None:
    """Print a one-time link by which a person signs in; make the account where a name is given."""
    from access.errors import UnknownPersonError
    from access.operation import operate
    from access.people import create_user, find_user
    from access.roles import Grant, Role, system
    from access.sign_in.links import Purpose, create_link
    from desk.app import build

    settings = _settings(database=database)
    built = build(settings)
    with operate(built.access, system("command")) as operation:
        user = find_user(operation.session, email)
        if user is None and name is None:
            raise UnknownPersonError("There is no such user; give --name and --role to make one.")
        if user is None:
            grants = [] if role is None else [Grant(Role(role))]
            user = create_user(operation, email, name or "", grants)
        secret = create_link(operation, user.id, Purpose.SIGN_IN)
    console.print(
        f"{settings.origin}{settings.base_path}/sign-in/link/{secret}",
        soft_wrap=True,
        highlight=False,
    )
    built.database.close()


def _settings(
    *,
    database: str | None,
    scorer: str | None = None,
    migrate: bool = False,
    address: str | None = None,
) -> "Settings":
    """Read the settings; what the command line names comes before the environment."""
    from desk.settings import PREFIX, Settings

    given = {
        "DATABASE": database,
        "SCORER": scorer,
        "MIGRATE": "true" if migrate else None,
    }
    if address is not None and not os.environ.get(f"{PREFIX}ORIGIN"):
        given["ORIGIN"] = address
    chosen = {PREFIX + name: value for name, value in given.items() if value}
    return Settings.from_environment(os.environ | chosen)
