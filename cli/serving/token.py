"""`bellwether token`: make a bearer token for callers of the scoring service."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cli.console import console


def token(
    name: Annotated[str, typer.Argument(help="Who will hold it, such as desk.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="[bold]score[/] or [bold]read[/]; may be given twice. Both by default."),
    ] = None,
    days: Annotated[
        int, typer.Option(help="Days until it expires; 0 for never.", min=0, max=3660)
    ] = 365,
) -> None:
    """Make a bearer token: one line for the caller, one for the service's BELLWETHER_TOKENS_FILE.

    The service stores a digest only; the token cannot be shown again.
    """
    from service.auth import Scope, make_token

    scopes = scope or list(Scope)
    if not set(scopes) <= set(Scope):
        raise typer.BadParameter(f"scopes are {', '.join(Scope)}.")
    last_day = datetime.now(UTC) + timedelta(days=days) if days else None
    secret, line = make_token(name, map(Scope, scopes), last_day)
    console.print("For the caller, as `Authorization: Bearer …`:")
    console.print(secret, soft_wrap=True, highlight=False)
    console.print("For the service, a line of the file that BELLWETHER_TOKENS_FILE names:")
    console.print(line, soft_wrap=True, highlight=False)
