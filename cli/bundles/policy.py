"""`bellwether policy`: check and show tiers and rules."""

from typing import Annotated

import typer
from rich.table import Table

from cli.console import console
from records.contract import load_contract

app = typer.Typer(
    help="Check and show policies: tiers and rules of recommendation.", no_args_is_help=True
)


@app.command("check")
def check(
    policy: Annotated[str, typer.Argument(help="Name of a shipped policy or a .toml file.")],
    contract: Annotated[
        str, typer.Option(help="Name of a shipped contract or a .toml file.")
    ] = "simulated",
) -> None:
    """Check a policy file against a contract, and show its tiers and rules."""
    from scoring.policy.model import load_policy

    loaded = load_policy(policy, load_contract(contract))
    tiers = Table("tier", "from", title=f"Policy '{loaded.name}', version {loaded.version}")
    for tier in loaded.tiers:
        tiers.add_row(tier.label, f"{tier.from_:.2f}")
    console.print(tiers)
    rules = Table("rule", "feature", "measure", "owner", "due", title="Rules")
    for rule in loaded.rules:
        due = f"{rule.due_days} days"
        rules.add_row(rule.id, rule.feature, rule.measure, loaded.owners[rule.owner].label, due)
    console.print(rules)
