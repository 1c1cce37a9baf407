"""`bellwether bundle`: save, list, show, verify and delete bundles."""

from typing import Annotated

import typer
from rich.table import Table

from cli.bundles.export import limit_line, parity_table
from cli.console import console

app = typer.Typer(
    help="Save, list, show, verify and delete bundles: what crosses from making to serving.",
    no_args_is_help=True,
)
Source = Annotated[str, typer.Argument(help="Bundle folder, or tag in the BentoML model store.")]


@app.command("save")
def save(folder: Annotated[str, typer.Argument(help="Bundle folder.")]) -> None:
    """Verify a bundle and save it to the BentoML model store."""
    from service.bundle_store import save_bundle

    console.print(f"Saved as [bold]{save_bundle(folder)}[/].")


@app.command("list")
def list_bundles() -> None:
    """List the bundles in the BentoML model store, newest first."""
    from service.bundle_store import list_bundles as stored

    table = Table("tag", "contract", "run", "saved")
    for bundle in stored():
        table.add_row(bundle.tag, bundle.contract, bundle.name, f"{bundle.saved_at:%Y-%m-%d %H:%M}")
    console.print(table)


@app.command("show")
def show(source: Source) -> None:
    """Show what a bundle holds, where it came from and what was proven of it."""
    from scoring.bundle.reader import read_bundle
    from service.bundle_store import find_bundle

    bundle = read_bundle(find_bundle(source))
    manifest = bundle.manifest
    facts = Table("what", "value", title=f"Bundle {bundle.version}")
    facts.add_row("run", manifest.name)
    facts.add_row("created", f"{manifest.created:%Y-%m-%d %H:%M} UTC")
    facts.add_row("contract", f"{manifest.contract.name}, version {manifest.contract.version}")
    facts.add_row("features", ", ".join(manifest.features))
    facts.add_row("policy", f"{manifest.policy.name}, version {manifest.policy.version}")
    facts.add_row("data fingerprint", manifest.data_fingerprint[:12])
    facts.add_row("ONNX opset", str(manifest.opset))
    facts.add_row("made with", ", ".join(f"{k} {v}" for k, v in manifest.versions.items()))
    for name, graph in manifest.graphs.items():
        operators = sum(graph.operators.values())
        facts.add_row(f"{name} graph", f"{operators} operators, {graph.lstm_nodes} LSTM")
    console.print(facts)
    console.print(parity_table(manifest))
    for held in manifest.gap_limits:
        console.print(limit_line(held), soft_wrap=True)


@app.command("verify")
def verify(source: Source) -> None:
    """Verify every checksum of a bundle and that its parts fit each other."""
    from scoring.bundle.reader import read_bundle
    from service.bundle_store import find_bundle

    bundle = read_bundle(find_bundle(source))
    console.print(f"Bundle {bundle.version} is whole: {len(bundle.manifest.files)} files verified.")


@app.command("delete")
def delete(tag: Annotated[str, typer.Argument(help="Tag in the BentoML model store.")]) -> None:
    """Delete a bundle from the BentoML model store."""
    from service.bundle_store import delete_bundle

    delete_bundle(tag)
    console.print(f"Deleted {tag}.")
