"""`bellwether serve`: answer requests from a bundle."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.console import console


def serve(
    bundle: Annotated[
        str, typer.Argument(help="Bundle folder, or tag in the BentoML model store.")
    ] = "bellwether:latest",
    host: Annotated[str, typer.Option(help="Address to bind; loopback unless you say so.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port to bind.", min=1, max=65535)] = 3000,
    provider: Annotated[
        str, typer.Option(help="[bold]auto[/], [bold]cpu[/], [bold]cuda[/] or [bold]tensorrt[/].")
    ] = "auto",
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop rather than fall back to another provider.")
    ] = False,
    request: Annotated[
        Path | None, typer.Option(help="Example request to print (see `bellwether request`).")
    ] = None,
) -> None:
    """Serve a bundle over HTTP with BentoML. There is no access control yet: keep to loopback."""
    address = f"http://{host}:{port}"
    console.print(
        f"Serving [bold]{bundle}[/] at [bold]{address}[/] (documentation: {address}/docs)"
    )
    if request is not None:
        console.print("Once it is up, in another terminal:\n", highlight=False)
        for line in _examples(address, request):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    environment = os.environ | {
        "BELLWETHER_BUNDLE": bundle,
        "BELLWETHER_PROVIDER": provider,
        "BELLWETHER_STRICT": str(strict).lower(),
    }
    command = [sys.executable, "-m", "bentoml", "serve", "service.app:Bellwether"]
    command += ["--host", host, "--port", str(port)]
    raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)  # noqa: S603


def _examples(address: str, request: Path) -> list[str]:
    return [
        f"  curl -s {address}/score -H 'content-type: application/json' -d @{request}",
        "",
        "  .venv/bin/python - <<'PYTHON'",
        "  import json, bentoml",
        f"  request = json.load(open('{request}'))",
        f"  with bentoml.SyncHTTPClient('{address}') as client:",
        "      print(json.dumps(client.score(**request), indent=2))",
        "  PYTHON",
        "",
    ]
