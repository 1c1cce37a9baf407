"""`bellwether access`: people, links, tokens and the audit trail of a desk, from its server."""

import typer

from cli.access import audit, people, tokens
from cli.access.target import choose

app = typer.Typer(
    help="People, sign-in links, tokens and the audit trail of a desk.",
    no_args_is_help=True,
    callback=choose,
)
app.command("create-user")(people.create_user)
app.command("people")(people.people)
app.command("grant")(people.grant)
app.command("withdraw")(people.withdraw)
app.command("disable")(people.disable)
app.command("enable")(people.enable)
app.command("link")(people.link)
app.command("password")(people.password)
app.command("forget-totp")(people.forget_totp)
app.command("create-token")(tokens.create_token)
app.command("tokens")(tokens.tokens)
app.command("revoke-token")(tokens.revoke_token)
app.command("verify")(audit.verify)
app.command("export")(audit.export)
app.command("prune")(audit.prune)
