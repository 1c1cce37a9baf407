"""`bellwether serve`: answer requests from a bundle."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.console import console
from cli.serving.address import check_free

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def serve(
    bundle: Annotated[
        str,
        typer.Argument(
            help="Bundle folder, or tag in the BentoML model store.", envvar="BELLWETHER_BUNDLE"
        ),
    ] = "bellwether:latest",
    host: Annotated[str, typer.Option(help="Address to bind; loopback unless you say so.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port to bind.", min=1, max=65535)] = 3000,
    provider: Annotated[
        str,
        typer.Option(
            help="[bold]auto[/], [bold]cpu[/], [bold]cuda[/], [bold]tensorrt[/] or "
            "[bold]openvino[/].",
            envvar="BELLWETHER_PROVIDER",
        ),
    ] = "auto",
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Stop rather than fall back to another provider.",
            envvar="BELLWETHER_STRICT",
        ),
    ] = False,
    request: Annotated[
        Path | None, typer.Option(help="Example request to print (see `bellwether request`).")
    ] = None,
) -> None:
    """Serve a bundle over HTTP with BentoML.

    Without tokens (`bellwether token`) everybody who reaches the address may ask: keep to loopback.
    """
    from service.settings import Settings

    environment = os.environ | {
        "BELLWETHER_BUNDLE": bundle,
        "BELLWETHER_PROVIDER": provider,
        "BELLWETHER_STRICT": str(strict).lower(),
    }
    settings = Settings.from_environment(environment)  # before BentoML wraps what is wrong
    check_free(host, port)
    address = f"http://{host}:{port}"
    console.print(
        f"Serving [bold]{bundle}[/] at [bold]{address}[/] (documentation: {address}/docs)",
        soft_wrap=True,
    )
    if host not in _LOOPBACK and settings.tokens is None and settings.tokens_file is None:
        console.print("[yellow]No tokens are set: everybody who reaches it may ask.[/]")
    if request is not None:
        print_examples(address, request)
    sys.stdout.flush()
    # In the place of this process, so that stopping it stops the server.
    os.execve(sys.executable, server_command(host, port), environment)  # noqa: S606 - no shell is wanted


def server_command(host: str, port: int) -> list[str]:
    """Return the command that starts BentoML's server with the service."""
    command = [sys.executable, "-m", "bentoml", "serve", "service.app:Bellwether"]
    return [*command, "--host", host, "--port", str(port)]


def print_examples(address: str, request: Path) -> None:
    """Print commands that ask the service, as they can be pasted into a shell."""
    console.print("Once it is up, in another terminal:\n", highlight=False)
    for line in _examples(address, request):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _examples(address: str, request: Path) -> list[str]:
    # Flush left: an indented here-document would neither end nor be Python.
    return [
        f"curl -s {address}/score -H 'content-type: application/json' -d @{request}",
        "",
        f"{sys.executable} - <<'PYTHON'",
        "import json, bentoml",
        f"request = json.load(open('{request}'))",
        f"with bentoml.SyncHTTPClient('{address}') as client:",
        "    print(json.dumps(client.score(**request), indent=2))",
        "PYTHON",
        "",
    ]
