"""Put the commands together."""

import typer

from cli.cases import care, store

app = typer.Typer(
    help="The desk's store: list, export, rebuild, erase, back up.", no_args_is_help=True
)
app.command("list")(store.list_cases)
app.command("status")(store.status)
app.command("export")(store.export)
app.command("rebuild")(store.rebuild)
app.command("effects")(store.effects)
app.command("detectable")(store.detectable)
app.command("migrate")(care.migrate)
app.command("erase")(care.erase)
app.command("retention")(care.retention)
app.command("backup")(care.backup)
app.command("restore")(care.restore)
