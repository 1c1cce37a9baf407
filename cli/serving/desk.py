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


def desk(
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


def _settings(
    *, database: str | None, scorer: str | None, migrate: bool, address: str
) -> "Settings":
    """Read the settings; what the command line names comes before the environment."""
    from desk.settings import PREFIX, Settings

    given = {
        "DATABASE": database,
        "SCORER": scorer,
        "MIGRATE": "true" if migrate else None,
    }
    if not os.environ.get(f"{PREFIX}ORIGIN"):
        given["ORIGIN"] = address
    chosen = {PREFIX + name: value for name, value in given.items() if value}
    return Settings.from_environment(os.environ | chosen)
