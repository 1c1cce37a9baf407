"""`bellwether contract`: list and show what records hold."""

from typing import Annotated

import typer
from rich.table import Table

from cli.console import console
from records.contract import RESERVED, SHIPPED, load_contract
from records.groups import feature_groups, group_label

# Of the columns that every table shares, those that it must have.
_REQUIRED = ("id", "period")

app = typer.Typer(help="List and show contracts: what a record holds.", no_args_is_help=True)


@app.command("list")
def list_contracts() -> None:
    """List the shipped contracts."""
    table = Table("name", "title", "periods", "features")
    for name in SHIPPED:
        contract = load_contract(name)
        periods = f"{contract.periods.maximum} {contract.periods.name}s"
        table.add_row(name, contract.title, periods, str(len(contract.features)))
    console.print(table)


@app.command("show")
def show(
    contract: Annotated[str, typer.Argument(help="Name of a shipped contract or a .toml file.")],
) -> None:
    """Show a contract's features, or the lines of a file that break the rules."""
    loaded = load_contract(contract)
    columns = ("feature", "label", "kind", "expected", "better", "group")
    table = Table(*columns, title=loaded.title)
    for feature in loaded.features:
        unit = f" {feature.unit}" if feature.unit else ""
        table.add_row(
            feature.name,
            feature.label,
            feature.kind,
            feature.expected + unit,
            feature.better,
            group_label(loaded, feature),
        )
    console.print(table)
    console.print(f"1 to {loaded.periods.maximum} {loaded.periods.name}s a record")
    console.print(f"risk: {loaded.targets.risk.label}")
    console.print(
        f"score: {loaded.targets.score.label} ({', '.join(loaded.targets.score.subjects)})"
    )
    labels = ", ".join(group.label for group in feature_groups(loaded))
    console.print(f"groups in reasons: {labels}")
    optional = [name for name in RESERVED if name not in _REQUIRED]
    optional += [*loaded.targets.score.columns, *(attribute.name for attribute in loaded.audit)]
    console.print(f"columns of a table: {', '.join(_REQUIRED)} and every feature above")
    console.print(
        f"columns it may have: {', '.join(optional)} (docs/records.md says what they hold)"
    )
