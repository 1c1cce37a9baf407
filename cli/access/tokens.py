"""`bellwether access`: service tokens."""

from datetime import timedelta
from typing import Annotated

import typer
from rich.table import Table

from cli.access.target import target_of
from cli.console import console


def create_token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    scope: Annotated[
        list[str], typer.Option(help="What it may do, such as records.export; several times.")
    ],
    days: Annotated[int, typer.Option(help="Days until it expires.", min=1, max=366)] = 90,
    programme: Annotated[
        list[str] | None, typer.Option(help="Students of this programme only; several times.")
    ] = None,
) -> None:
    """Make a token for a program and print it; it cannot be shown again."""
    from access.roles import TOKEN_SCOPES, Action
    from access.tokens import create_token as create

    unknown = sorted(set(scope) - TOKEN_SCOPES)
    if unknown:
        allowed = ", ".join(sorted(TOKEN_SCOPES))
        raise typer.BadParameter(f"{', '.join(unknown)}: choose among {allowed}.")
    with target_of(context).operate() as operation:
        token, secret = create(
            operation, name, [Action(one) for one in scope], timedelta(days=days), programme
        )
    console.print(f"Token {token.id}, expires {token.expires_at:%Y-%m-%d}:")
    console.print(secret, soft_wrap=True, highlight=False)


def tokens(context: typer.Context) -> None:
    """List tokens, the newest first."""
    from access.tokens import list_tokens

    table = Table("id", "name", "scopes", "programmes", "expires", "last used", "state")
    with target_of(context).open() as opened, opened.database.read() as session:
        for token in list_tokens(session):
            table.add_row(
                token.id,
                token.name,
                ", ".join(token.scopes),
                "all" if token.programmes is None else ", ".join(token.programmes),
                f"{token.expires_at:%Y-%m-%d}",
                f"{token.used_at:%Y-%m-%d %H:%M}" if token.used_at else "never",
                "revoked" if token.revoked_at else "",
            )
    console.print(table)


def revoke_token(
    context: typer.Context,
    token_id: Annotated[str, typer.Argument(help="As `bellwether access tokens` lists it.")],
) -> None:
    """Make a token useless from the next request on."""
    from access.tokens import revoke_token as revoke

    with target_of(context).operate() as operation:
        revoke(operation, token_id)
    console.print("Revoked.")
